//! How a board is tested: the steps as they end, then the verdict over all of them.

use crate::{
    backplane::{BoardCommand, BoardRefusal, BoardsHandle},
    rpc::steps::{STEPS, Step, Steps},
};
use mujina_core::{
    board::{SelfTestOutcome, SelfTestStep},
    id::BoardId,
};
use mujina_proto::dataplane::v1::{self, self_test_response::Event};
use std::pin::pin;
use tokio::sync::mpsc;
use tonic::Status;

/// All steps of a test that came to its end.
type Verdict = Result<Vec<SelfTestStep>, BoardRefusal>;

/// Begins a test. When the steps are dropped nobody listens any more; the board decides what it makes of that.
pub(super) fn begin(boards: BoardsHandle, board: BoardId) -> Steps<SelfTestStep, Verdict, v1::SelfTestResponse> {
    let (told, ended) = mpsc::channel(STEPS);
    Steps::new(ended, async move { test(&boards, board, told).await }, tell)
}

/// Passes steps on until there are no more and the board has answered, in whichever order it does the two.
async fn test(boards: &BoardsHandle, board: BoardId, told: mpsc::Sender<SelfTestStep>) -> Verdict {
    let (sender, mut ended) = mpsc::channel(STEPS);
    let tested = board.clone();
    let mut asked = pin!(boards.ask(|reply| BoardCommand::SelfTest(tested, sender, reply)));
    let (mut steps, mut answered) = (Vec::new(), false);
    loop {
        tokio::select! {
            // First what ended first: a step, then the answer.
            biased;
            step = ended.recv() => match step {
                Some(Some(step)) => {
                    steps.push(step.clone());
                    // Who follows has gone, and this future with it.
                    let _ = told.send(step).await;
                }
                over => {
                    if !answered {
                        asked.await.flatten()?;
                    }
                    return if over.is_some() { Ok(steps) } else { Err(broke_off(board)) };
                }
            },
            answer = &mut asked, if !answered => {
                answer.flatten()?;
                answered = true;
            }
        }
    }
}

fn broke_off(board: BoardId) -> BoardRefusal {
    let reason = "its task ended in the middle of the test; the log says why".to_owned();
    BoardRefusal::Cannot { board, reason }
}

fn tell(step: Step<SelfTestStep, Verdict>) -> Result<v1::SelfTestResponse, Status> {
    let event = match step {
        Step::Told(step) => Event::Step((&step).into()),
        Step::Outcome(verdict) => Event::Result(result(&verdict?)),
    };
    Ok(v1::SelfTestResponse { event: Some(event) })
}

fn result(steps: &[SelfTestStep]) -> v1::SelfTestResult {
    let any = |outcome| steps.iter().any(|step| step.outcome == outcome);
    v1::SelfTestResult {
        // A board of which nothing could be tested has passed nothing.
        passed: any(SelfTestOutcome::Passed) && !any(SelfTestOutcome::Failed),
        steps: steps.iter().map(Into::into).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn step(outcome: SelfTestOutcome) -> SelfTestStep {
        SelfTestStep { name: "fan".into(), outcome, detail: String::new(), elapsed: Duration::ZERO }
    }

    #[test]
    fn one_failure_fails_all_and_nothing_tested_passes_nothing() {
        use SelfTestOutcome::{Failed, Passed, Skipped};
        for (outcomes, passed) in [
            (vec![Passed, Skipped], true),
            (vec![Passed, Failed], false),
            (vec![Skipped, Skipped], false),
            (Vec::new(), false),
        ] {
            let steps: Vec<_> = outcomes.iter().copied().map(step).collect();
            let told = result(&steps);
            assert_eq!((told.passed, told.steps.len()), (passed, steps.len()), "{outcomes:?}");
        }
    }
}
