//! `board get`: everything that is known of one board.

use crate::{
    args::BoardName,
    command::{message, peer::Peer, view},
    context::Context,
    error::CliError,
};
use mujina_proto::dataplane::v1::GetBoardRequest;
use std::time::SystemTime;

pub(crate) async fn run(args: BoardName, context: &mut Context<'_>) -> Result<(), CliError> {
    let BoardName { board } = args;
    let target = Peer::find(context).await?.one(context.miner.as_ref())?;
    let failed = CliError::call(format!("look at board {board} of {}", target.label()));
    let request = target.request(GetBoardRequest { board_id: board })?;
    let response = target.boards().get_board(request).await.map_err(failed)?.into_inner();
    let found = response.board.clone().unwrap_or_default();
    message::show(context, &response, |paint| view::board(&found, SystemTime::now(), paint))
}
