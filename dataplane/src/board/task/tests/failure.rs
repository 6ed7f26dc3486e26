//! What goes wrong, and what follows.

use super::*;

#[tokio::test(start_paused = true)]
async fn failed_step_of_a_start_makes_the_board_safe_and_is_tried_again_after_a_rest() {
    for step in ["power", "restart", "chain", "bring up", "voltage", "clock"] {
        let mut world = World::with(EMBER_ONE, Wishes::default(), |bench| {
            bench.state().fails.insert(step, 1);
        });
        if step == "chain" {
            world.until_state(BoardState::Waiting).await;
            world.bench.state().fails.clear();
        }
        let report = world.until_fault(FaultReason::BoardFailed).await;
        assert!(report.faults[0].message.contains("failed"), "{step}: {:?}", report.faults);
        assert!(
            world.until(|report| report.state_reason.contains("starts again in")).await.safe_state.unwrap().confirmed
        );
        let since = Instant::now();
        let report = world.until_state(BoardState::Mining).await;
        assert!(since.elapsed() > Duration::from_secs(25), "{step}: {:?}", since.elapsed());
        assert!(report.faults.is_empty(), "{step}");
        assert_eq!(world.bench.count("safe"), 1, "{step}");
        world.end().await;
    }
}

#[tokio::test(start_paused = true)]
async fn device_that_does_not_open_is_tried_again() {
    let mut world = World::with(GAMMA, Wishes::default(), |bench| {
        bench.state().fails.insert("open", 2);
    });
    let report = world.until_state(BoardState::Waiting).await;
    assert_eq!(report.faults[0].reason, FaultReason::BoardFailed);
    world.until_state(BoardState::Mining).await;
    assert_eq!(world.bench.count("open"), 3);
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn board_that_fails_six_times_is_left_alone_until_somebody_asks() {
    for step in ["open", "power"] {
        let mut world = World::with(GAMMA, Wishes::default(), |bench| {
            bench.state().fails.insert(step, 100);
        });
        let since = Instant::now();
        let report = world.until_state(BoardState::Fault).await;
        // Rests of 30, 60, 120, 240 and 480 s.
        assert!(since.elapsed() >= Duration::from_secs(930), "{step}: {:?}", since.elapsed());
        assert!(report.faults.iter().any(|fault| fault.message.contains("board reinit")), "{:?}", report.faults);
        tokio::time::sleep(Duration::from_secs(7200)).await;
        assert_eq!(world.bench.count(step), 6);
        let refused = world.order(TaskOrder::Reinitialize).await.unwrap_err();
        assert!(refused.to_string().contains("as planned"), "{refused}");
        world.bench.state().fails.clear();
        assert_eq!(world.order(TaskOrder::Reinitialize).await, Ok(()));
        let report = world.until_state(BoardState::Mining).await;
        assert!(report.faults.is_empty());
        world.end().await;
    }
}

#[tokio::test(start_paused = true)]
async fn running_board_is_started_anew_when_somebody_asks() {
    let mut world = World::new(GAMMA);
    world.until_state(BoardState::Mining).await;
    assert_eq!(world.order(TaskOrder::Reinitialize).await, Ok(()));
    let report = world.until_state(BoardState::Mining).await;
    assert_eq!((report.starts, world.bench.count("safe"), world.bench.count("halt")), (2, 1, 1));
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn soft_limit_lowers_the_clock_and_stops_nothing() {
    let mut world = World::new(GAMMA);
    world.until_state(BoardState::Mining).await;
    world.bench.heat("asic", 71.0);
    let slower = |report: &BoardReport| report.tuning.frequency.is_some_and(|at| at.megahertz() < 460.0);
    let report = world.until(slower).await;
    assert!(report.tuning.limited_by.iter().any(|why| why.contains("temperature")), "{:?}", report.tuning);
    assert_eq!((report.state, world.bench.count("safe")), (BoardState::Mining, 0));
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn heat_on_the_way_up_turns_the_clock_round_before_it_has_arrived() {
    let mut world = World::new(EMBER_ONE);
    world.until(|report| report.starts == 1).await;
    while world.bench.state().clock.megahertz() < 300.0 {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    world.bench.heat("pcb-left", 76.0);
    world.until(|report| report.tuning.limited_by.iter().any(|why| why.contains("temperature"))).await;
    tokio::time::sleep(Duration::from_secs(30)).await;
    assert!(world.bench.state().clock.megahertz() <= 325.0, "{:?}", world.bench.state().clock);
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn hard_limit_stops_within_one_poll_whatever_is_under_way() {
    for (board, wait) in [(GAMMA, 60), (EMBER_ONE, 4), (EMBER_ONE, 60)] {
        let mut world = World::new(board);
        world.until(|report| report.starts == 1).await;
        tokio::time::sleep(Duration::from_secs(wait)).await;
        world.bench.heat("regulator", 105.0);
        let since = Instant::now();
        world.until_fault(FaultReason::BoardOverheated).await;
        let first = world.bench.state().safes[0] - since;
        assert!(first <= Duration::from_millis(1300), "{}: {first:?}", board.name);
        assert!(!world.bench.state().powered);
        // The chips of before the stop are not fed any more, and it cools down before it starts slower.
        world.until(|report| report.state_reason.contains("waits until regulator is below")).await;
        world.bench.heat("regulator", 40.0);
        let report = world.until_state(BoardState::Mining).await;
        assert!(report.tuning.frequency.unwrap() < board.limits(32).frequency.default, "{:?}", report.tuning);
        world.end().await;
    }
}

#[tokio::test(start_paused = true)]
async fn what_endangers_the_board_stops_it_and_is_named() {
    type Break = fn(&mut fake::State);
    let cases: [(Board, Break, Break, FaultReason); 7] = [
        (GAMMA, |state| state.rpm = Some(0), |state| state.rpm = Some(2000), FaultReason::FanStalled),
        (
            GAMMA,
            |state| drop(state.temperatures.insert("asic".into(), Err("open".into()))),
            |state| drop(state.temperatures.insert("asic".into(), Ok(Celsius::from_degrees(40.0)))),
            FaultReason::SensorLost,
        ),
        (GAMMA, |state| state.status_word = 0x0050, |state| state.status_word = 0, FaultReason::RegulatorFault),
        (GAMMA, |state| state.answers = false, |state| state.answers = true, FaultReason::SupervisionLost),
        (EMBER_ONE, |state| state.lost = 1, |state| state.lost = 0, FaultReason::ChipSilent),
        (
            GAMMA,
            |state| state.silent = Some("all are silent".into()),
            |state| state.silent = None,
            FaultReason::ChipSilent,
        ),
        (GAMMA, |state| state.chain_ends = true, |_| {}, FaultReason::ThreadDead),
    ];
    for (board, harm, mend, reason) in cases {
        let mut world = World::new(board);
        world.until_state(BoardState::Mining).await;
        // A fan that need not turn is no stall.
        world.bench.heat("asic", 62.0);
        tokio::time::sleep(Duration::from_secs(20)).await;
        harm(&mut world.bench.state());
        let report = world.until_fault(reason).await;
        assert!(report.safe_state.is_some_and(|safe| safe.confirmed), "{reason}");
        assert!(!world.bench.state().powered, "{reason}");
        mend(&mut world.bench.state());
        world.bench.heat("asic", 40.0);
        let report = world.until_state(BoardState::Mining).await;
        assert!(report.faults.is_empty(), "{reason}: {:?}", report.faults);
        world.end().await;
    }
}

#[tokio::test(start_paused = true)]
async fn chain_that_ended_is_started_again_with_the_board() {
    let mut world = World::new(GAMMA);
    world.until_state(BoardState::Mining).await;
    world.bench.state().chain_ends = true;
    world.until_fault(FaultReason::ThreadDead).await;
    world.until_state(BoardState::Mining).await;
    assert_eq!(world.bench.state().chains, 2);
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn board_that_cannot_be_made_safe_is_said_so_and_tried_again_until_it_can() {
    let mut world = World::new(GAMMA);
    world.until_state(BoardState::Mining).await;
    world.bench.state().answers = false;
    world.bench.state().confirms = false;
    let report = world.until_fault(FaultReason::BoardUnsafe).await;
    assert_eq!(report.state, BoardState::Fault);
    assert!(report.state_reason.contains("cut its power"), "{}", report.state_reason);
    assert!(world.bench.count("halt") >= 1 && !world.bench.state().up, "at least no more work is sent");
    tokio::time::sleep(Duration::from_secs(35)).await;
    assert!(world.bench.count("safe") >= 4, "{:?}", world.bench.state().calls);
    world.bench.state().answers = true;
    world.bench.state().confirms = true;
    let report = world.until(|report| report.safe_state.as_ref().is_some_and(|safe| safe.confirmed)).await;
    assert!(report.faults.iter().all(|fault| fault.reason != FaultReason::BoardUnsafe));
    world.until_state(BoardState::Mining).await;
    assert_eq!(world.bench.count("open"), 2, "it was opened anew");
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn look_that_does_not_end_stops_the_board() {
    let mut world = World::new(GAMMA);
    world.until_state(BoardState::Mining).await;
    world.bench.state().hangs = Some("survey");
    world.until_fault(FaultReason::SupervisionLost).await;
    assert!(!world.bench.state().powered);
    world.bench.state().hangs = None;
    world.until_state(BoardState::Mining).await;
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn what_is_odd_and_no_danger_yet_is_a_warning() {
    let mut world = World::new(EMBER_ONE);
    world.until_state(BoardState::Mining).await;
    world.bench.state().temperatures.remove("pcb-right");
    let report = world.until_fault(FaultReason::BoardDegraded).await;
    assert_eq!(report.state, BoardState::Mining);
    world.bench.heat("pcb-right", 40.0);
    world.until(|report| report.faults.is_empty()).await;
    world.end().await;
}
