//! `board chips`: the chips of a board, as a table or as a map.

use crate::{
    args::{BoardChips, BoardName},
    command::{message, pages, peer::Peer, view},
    context::Context,
    error::CliError,
};
use mujina_proto::dataplane::v1::{GetBoardRequest, ListChipsRequest, ListChipsResponse};
use std::time::SystemTime;

pub(crate) async fn run(args: BoardChips, context: &mut Context<'_>) -> Result<(), CliError> {
    let BoardChips { name: BoardName { board }, map } = args;
    let target = Peer::find(context).await?.one(context.miner.as_ref())?;
    let doing = format!("list the chips of board {board} of {}", target.label());
    let (target, doing) = (&target, &doing);
    let found = pages::read(u32::MAX, |page_size, page_token| {
        let request = target.request(ListChipsRequest { board_id: board.clone(), page_size, page_token });
        async move { target.boards().list_chips(request?).await.map_err(CliError::call(doing)) }
    });
    let response: ListChipsResponse = found.await?;
    // Chips that did not answer are in no list.
    let request = target.request(GetBoardRequest { board_id: board })?;
    let found = target.boards().get_board(request).await.map_err(CliError::call(doing))?.into_inner().board;
    let status = found.and_then(|board| board.status).unwrap_or_default();
    let show = if map { view::chip_map } else { view::chips };
    message::show(context, &response, |paint| show(&status, &response.chips, SystemTime::now(), paint))
}
