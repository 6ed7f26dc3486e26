//! `board locate`: its LED shows where it is.

use crate::{
    args::{BoardLocate, BoardName},
    command::{message, peer::Peer, view},
    context::Context,
    error::CliError,
};
use mujina_proto::{convert, dataplane::v1::LocateRequest};

pub(crate) async fn run(args: BoardLocate, context: &mut Context<'_>) -> Result<(), CliError> {
    // Without a time it is to end: the words say one of the two.
    let BoardLocate { name: BoardName { board }, duration, off: _ } = args;
    let target = Peer::find(context).await?.one(context.miner.as_ref())?;
    let failed = CliError::call(format!("locate board {board} of {}", target.label()));
    let duration = Some(convert::duration(duration.unwrap_or_default()));
    let request = target.request(LocateRequest { board_id: board.clone(), duration })?;
    context.goes_on = Some("the board may show where it is; `mujinactl board locate BOARD --off` ends it".into());
    let response = target.boards().locate(request).await.map_err(failed)?.into_inner();
    context.goes_on = None;
    message::show(context, &response, |_| view::located(&board, convert::time(response.expires_at)))
}
