//! `board list`: the boards, a line each, once or after every change.

use crate::{
    args::BoardList,
    command::{
        known, message,
        peer::{Peer, Target},
        view,
    },
    context::Context,
    error::CliError,
    output::{Format, Paint},
};
use mujina_proto::{
    dataplane::v1::{ListBoardsRequest, ListBoardsResponse, WatchBoardsRequest},
    types::v1::{Board, MinerStatus},
};
use std::collections::BTreeMap;

pub(crate) async fn run(args: &BoardList, context: &mut Context<'_>) -> Result<(), CliError> {
    let target = Peer::find(context).await?.one(context.miner.as_ref())?;
    if args.watch { watch(&target, context).await } else { once(&target, context).await }
}

async fn once(target: &Target, context: &mut Context<'_>) -> Result<(), CliError> {
    let failed = CliError::call(format!("list the boards of {}", target.label()));
    let request = target.request(ListBoardsRequest {})?;
    let response = match target.boards().list_boards(request).await {
        Ok(response) => response.into_inner(),
        Err(status) => last_known(known::instead(failed(status), target, context).await?),
    };
    let format = context.format;
    message::show(context, &response, |paint| table(format, &response.boards, &response.usb_problem, paint))
}

/// Boards as a status tree has them: without what only the miner itself tells.
fn last_known(status: MinerStatus) -> ListBoardsResponse {
    let board = |status| Board { status: Some(status), ..Board::default() };
    ListBoardsResponse { boards: status.boards.into_iter().map(board).collect(), usb_problem: String::new() }
}

async fn watch(target: &Target, context: &mut Context<'_>) -> Result<(), CliError> {
    let doing = format!("watch the boards of {}", target.label());
    let failed = || CliError::call(doing.clone());
    let request = target.request(WatchBoardsRequest::default())?;
    let mut stream = target.boards().watch_boards(request).await.map_err(failed())?.into_inner();
    let mut known = BTreeMap::<String, Board>::new();
    let format = context.format;
    while let Some(response) = stream.message().await.map_err(failed())? {
        if response.snapshot {
            known.clear();
        }
        known.retain(|id, _| !response.removed_board_ids.contains(id));
        let id = |board: &Board| board.status.as_ref().map(|status| status.board_id.clone()).unwrap_or_default();
        known.extend(response.boards.iter().map(|board| (id(board), board.clone())));
        let boards: Vec<_> = known.values().cloned().collect();
        message::event(context, &response, |paint| {
            format!("{}{}", paint.redraw(), table(format, &boards, &response.usb_problem, paint))
        })?;
    }
    Err(CliError::Ended { doing })
}

fn table(format: Format, boards: &[Board], usb_problem: &str, paint: Paint) -> String {
    let show = if format == Format::Wide { view::boards_wide } else { view::boards };
    format!("{}{}", show(boards, paint), view::usb_problem(usb_problem, paint))
}
