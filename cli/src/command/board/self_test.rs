//! `board self-test`: a board tested, step by step.

use crate::{
    args::BoardName,
    command::{
        message,
        peer::{Peer, Target},
        view,
    },
    context::Context,
    error::CliError,
};
use mujina_proto::{
    dataplane::v1::{SelfTestRequest, SelfTestResponse, SelfTestResult, self_test_response::Event},
    types::v1::{SelfTestOutcome, SelfTestStep},
};

pub(crate) async fn run(args: BoardName, context: &mut Context<'_>) -> Result<(), CliError> {
    let BoardName { board } = args;
    let target = Peer::find(context).await?.one(context.miner.as_ref())?;
    context.goes_on = Some(format!("the test of board {board} may go on without this command"));
    let result = follow(&target, &board, |step| context.confirm(&view::self_test_step(step))).await?;
    context.goes_on = None;
    let response = SelfTestResponse { event: Some(Event::Result(result.clone())) };
    message::show(context, &response, |paint| view::self_tested(&result, paint))?;
    if result.passed { Ok(()) } else { Err(CliError::BoardFailed(why(&result))) }
}

/// The steps as they end, then the verdict.
async fn follow(
    target: &Target,
    board: &str,
    mut tell: impl FnMut(&SelfTestStep) -> Result<(), CliError> + Send,
) -> Result<SelfTestResult, CliError> {
    let doing = || format!("test board {board} of {}", target.label());
    let failed = || CliError::call(doing());
    let request = target.request(SelfTestRequest { board_id: board.to_owned() })?;
    let mut stream = target.boards().self_test(request).await.map_err(failed())?.into_inner();
    while let Some(message) = stream.message().await.map_err(failed())? {
        match message.event {
            Some(Event::Step(step)) => tell(&step)?,
            Some(Event::Result(result)) => return Ok(result),
            None => {}
        }
    }
    Err(CliError::Ended { doing: doing() })
}

fn why(result: &SelfTestResult) -> String {
    let failed: Vec<_> = result
        .steps
        .iter()
        .filter(|step| step.outcome() == SelfTestOutcome::Failed)
        .map(view::self_test_failure)
        .collect();
    if failed.is_empty() { "nothing of it could be tested".into() } else { failed.join("; ") }
}
