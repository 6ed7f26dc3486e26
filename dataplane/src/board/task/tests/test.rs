//! The test of a board.

use super::*;
use mujina_core::board::SelfTestOutcome::{self, Failed, Passed, Skipped};

impl World {
    /// All steps of a test, by name, outcome and detail.
    async fn test(&self) -> Vec<(String, SelfTestOutcome, String)> {
        let (steps, mut told) = mpsc::channel(2);
        assert_eq!(self.order(|reply| TaskOrder::SelfTest(steps, reply)).await, Ok(()));
        let mut found = Vec::new();
        while let Some(step) = timeout(PATIENCE, told.recv()).await.unwrap().expect("it does not break off") {
            found.push((step.name, step.outcome, step.detail));
        }
        found
    }
}

fn outcomes(steps: &[(String, SelfTestOutcome, String)]) -> Vec<(&str, SelfTestOutcome)> {
    steps.iter().map(|(name, outcome, _)| (name.as_str(), *outcome)).collect()
}

#[tokio::test(start_paused = true)]
async fn running_board_is_tested_where_it_stands_and_mines_on() {
    let mut world = World::new(GAMMA);
    world.until_state(BoardState::Mining).await;
    let steps = world.test().await;
    let expected = [("rails", Passed), ("fan", Passed), ("sensors", Passed), ("golden nonce of chip 0", Passed)];
    assert_eq!(outcomes(&steps), expected, "{steps:?}");
    assert!(steps[0].2.contains("core 1.150 V of 1.150 V"), "{}", steps[0].2);
    assert!(steps[1].2.contains("2400"), "{}", steps[1].2);
    world.until(|report| report.state_reason.is_empty()).await;
    assert_eq!((world.bench.count("safe"), world.bench.count("power")), (0, 1));
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn what_does_not_work_fails_its_step_and_no_other() {
    let mut world = World::new(EMBER_ONE);
    world.until_state(BoardState::Mining).await;
    world.bench.state().golden = false;
    let steps = world.test().await;
    let outcomes = outcomes(&steps);
    assert_eq!(outcomes[..3], [("rails", Passed), ("fan", Skipped), ("sensors", Passed)]);
    assert_eq!(
        (outcomes.len(), outcomes[3], outcomes[4]),
        (15, ("golden nonce of chip 0", Failed), ("golden nonce of chip 1", Passed))
    );
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn board_in_a_fault_gets_power_for_its_test_and_is_made_safe_again() {
    let mut world = World::with(GAMMA, Wishes::default(), |bench| {
        bench.state().fails.insert("power", 6);
    });
    world.until_state(BoardState::Fault).await;
    let steps = world.test().await;
    let names = ["start", "rails", "fan", "sensors", "golden nonce of chip 0"];
    assert_eq!(outcomes(&steps), names.map(|name| (name, Passed)), "{steps:?}");
    let report =
        world.until(|report| report.safe_state.as_ref().is_some_and(|safe| safe.reason.contains("test"))).await;
    assert!(report.safe_state.unwrap().confirmed && !world.bench.state().powered);
    world.until_state(BoardState::Fault).await;
    tokio::time::sleep(Duration::from_secs(3600)).await;
    assert_eq!(world.bench.count("power"), 7);
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn board_that_does_not_start_for_its_test_says_so() {
    let mut world = World::with(GAMMA, Wishes::default(), |bench| {
        bench.state().fails.insert("power", 100);
    });
    world.until_state(BoardState::Fault).await;
    let steps = world.test().await;
    assert_eq!(steps[0].1, Failed);
    assert!(steps[0].2.contains("as planned"), "{steps:?}");
    assert!(steps[1..].iter().all(|(_, outcome, _)| *outcome == Skipped) && steps.len() == 5);
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn danger_breaks_a_test_off() {
    let mut world = World::new(GAMMA);
    world.until_state(BoardState::Mining).await;
    let (steps, mut told) = mpsc::channel(16);
    assert_eq!(world.order(|reply| TaskOrder::SelfTest(steps, reply)).await, Ok(()));
    assert_eq!(told.recv().await.flatten().unwrap().name, "rails");
    let second = world.order(|reply| TaskOrder::SelfTest(mpsc::channel(1).0, reply)).await.unwrap_err();
    assert!(second.to_string().contains("being tested"), "{second}");
    world.bench.heat("asic", 90.0);
    let fan = told.recv().await.flatten().unwrap();
    assert_eq!((fan.name.as_str(), fan.outcome), ("fan", Failed));
    assert!(fan.detail.contains("hard limit"), "{}", fan.detail);
    assert_eq!(told.recv().await.flatten().unwrap().outcome, Skipped);
    world.until_fault(FaultReason::BoardOverheated).await;
    assert!(!world.bench.state().powered);
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn test_that_nobody_follows_is_left() {
    let mut world = World::new(GAMMA);
    world.until_state(BoardState::Mining).await;
    let (steps, told) = mpsc::channel(1);
    assert_eq!(world.order(|reply| TaskOrder::SelfTest(steps, reply)).await, Ok(()));
    world.until(|report| report.state_reason.contains("tested")).await;
    drop(told);
    world.until(|report| report.state_reason.is_empty()).await;
    assert_eq!(world.bench.count("golden"), 0);
    world.end().await;
}
