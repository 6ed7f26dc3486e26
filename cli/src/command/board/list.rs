//! `board list`: the boards, a line each.

use crate::{
    command::{message, peer::Peer, view},
    context::Context,
    error::CliError,
    output::Format,
};
use mujina_proto::dataplane::v1::ListBoardsRequest;

pub(crate) async fn run(context: &mut Context<'_>) -> Result<(), CliError> {
    let target = Peer::find(context).await?.one(context.miner.as_ref())?;
    let failed = CliError::call(format!("list the boards of {}", target.label()));
    let request = target.request(ListBoardsRequest {})?;
    let response = target.boards().list_boards(request).await.map_err(failed)?.into_inner();
    let show = if context.format == Format::Wide { view::boards_wide } else { view::boards };
    message::show(context, &response, |paint| {
        format!("{}{}", show(&response.boards, paint), view::usb_problem(&response.usb_problem, paint))
    })
}
