//! `board reinit`: made safe, then brought up from the beginning.

use crate::{
    args::BoardName,
    command::{message, peer::Peer, view},
    context::Context,
    error::CliError,
};
use mujina_proto::dataplane::v1::ReinitializeRequest;

pub(crate) async fn run(args: BoardName, context: &mut Context<'_>) -> Result<(), CliError> {
    let BoardName { board } = args;
    let target = Peer::find(context).await?.one(context.miner.as_ref())?;
    let failed = CliError::call(format!("bring up board {board} of {}", target.label()));
    let request = target.request(ReinitializeRequest { board_id: board.clone() })?;
    context.goes_on = Some(format!("board {board} is brought up without this command; see `mujinactl board list`"));
    context.note(&format!("board {board} is made safe and brought up"))?;
    let response = target.boards().reinitialize(request).await.map_err(failed)?.into_inner();
    context.goes_on = None;
    let found = response.board.clone().unwrap_or_default();
    message::show(context, &response, |paint| view::boards(std::slice::from_ref(&found), paint))
}
