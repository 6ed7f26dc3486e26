//! `board constraints`: what may be asked of the tuning of a board.

use crate::{
    args::BoardName,
    command::{message, peer::Peer, view},
    context::Context,
    error::CliError,
};
use mujina_proto::dataplane::v1::GetConstraintsRequest;

pub(crate) async fn run(args: BoardName, context: &mut Context<'_>) -> Result<(), CliError> {
    let BoardName { board } = args;
    let target = Peer::find(context).await?.one(context.miner.as_ref())?;
    let failed = CliError::call(format!("look at the constraints of board {board} of {}", target.label()));
    let request = target.request(GetConstraintsRequest { board_id: board })?;
    let response = target.boards().get_constraints(request).await.map_err(failed)?.into_inner();
    message::show(context, &response, |paint| view::constraints(&response.constraints, paint))
}
