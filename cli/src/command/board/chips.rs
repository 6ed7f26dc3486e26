//! `board chips`: the chips of a board, as a table or as a map.

use crate::{
    args::{BoardChips, BoardName},
    command::{
        message,
        peer::{Peer, Target},
        view,
    },
    context::Context,
    error::CliError,
};
use mujina_proto::{
    dataplane::v1::{GetBoardRequest, ListChipsRequest, ListChipsResponse},
    types::v1::Chip,
};
use std::time::SystemTime;

pub(crate) async fn run(args: BoardChips, context: &mut Context<'_>) -> Result<(), CliError> {
    let BoardChips { name: BoardName { board }, map } = args;
    let target = Peer::find(context).await?.one(context.miner.as_ref())?;
    let doing = format!("list the chips of board {board} of {}", target.label());
    let chips = all(&target, &board, &doing).await?;
    // Chips that did not answer are in no list.
    let request = target.request(GetBoardRequest { board_id: board })?;
    let found = target.boards().get_board(request).await.map_err(CliError::call(doing))?.into_inner().board;
    let status = found.and_then(|board| board.status).unwrap_or_default();
    let response = ListChipsResponse { chips, next_page_token: String::new() };
    let show = if map { view::chip_map } else { view::chips };
    message::show(context, &response, |paint| show(&status, &response.chips, SystemTime::now(), paint))
}

/// The chips of all pages.
async fn all(target: &Target, board: &str, doing: &str) -> Result<Vec<Chip>, CliError> {
    let (mut chips, mut page_token) = (Vec::new(), String::new());
    loop {
        let request = ListChipsRequest { board_id: board.to_owned(), page_size: 0, page_token };
        let answer = target.boards().list_chips(target.request(request)?).await;
        let page = answer.map_err(CliError::call(doing))?.into_inner();
        chips.extend(page.chips);
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return Ok(chips);
        }
    }
}
