//! What is done in which order when all goes well, and what people and the spec want.

use super::*;

#[tokio::test(start_paused = true)]
async fn lone_chip_gets_power_then_reset_then_its_clock_in_small_steps() {
    let mut world = World::new(GAMMA);
    let report = world.until_state(BoardState::Mining).await;
    let calls = world.bench.state().calls.clone();
    assert_eq!(calls[..5], ["open /fake/s1/tty0", "power 1.150", "restart", "chain", "bring up"].map(String::from));
    assert_eq!(calls[5], "clock 81.25");
    assert_eq!(calls.last().unwrap(), "clock 525.00");
    assert_eq!((report.model.as_str(), report.starts, report.chips.len()), ("bitaxe-gamma", 1, 1));
    assert_eq!(report.facts["firmware"], "1.0");
    assert_eq!(report.tuning.frequency.unwrap().megahertz(), 525.0);
    assert!(report.sensors.iter().all(|sensor| sensor.temperature.is_some()), "{:?}", report.sensors);
    assert!(report.faults.is_empty() && report.state_reason.is_empty());
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn stack_climbs_voltage_before_clock_and_is_looked_at_all_the_way() {
    let mut world = World::new(EMBER_ONE);
    world.until_state(BoardState::Mining).await;
    {
        let state = world.bench.state();
        assert_eq!(state.calls[1], "power 3.075");
        assert!((state.voltage.volts() - 3.6).abs() < 1e-9 && state.clock.megahertz() == 500.0);
        assert!(state.calls.iter().filter(|call| call.starts_with("voltage")).count() > 50, "{:?}", state.calls);
        let gaps = state.looks.windows(2).map(|pair| pair[1] - pair[0]);
        let longest = gaps.max().unwrap();
        assert!(longest <= Duration::from_millis(1200), "{longest:?}");
        assert!(state.looks.len() > 10);
    }
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn board_without_work_is_idle_and_goes_on_when_there_is_some() {
    let mut world = World::with(GAMMA, Wishes::default(), |bench| bench.state().works = false);
    world.until_state(BoardState::Idle).await;
    world.bench.state().works = true;
    world.until_state(BoardState::Mining).await;
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn pause_takes_the_power_and_its_end_brings_the_board_up_again() {
    let mut world = World::new(GAMMA);
    world.until_state(BoardState::Mining).await;
    world.wishes.send_modify(|wishes| wishes.paused = true);
    let report = world.until_state(BoardState::Paused).await;
    assert!(!world.bench.state().powered && report.safe_state.unwrap().confirmed && report.faults.is_empty());
    tokio::time::sleep(Duration::from_secs(3600)).await;
    assert_eq!(world.bench.count("power"), 1);
    world.wishes.send_modify(|wishes| wishes.paused = false);
    let report = world.until_state(BoardState::Mining).await;
    assert_eq!((report.starts, world.bench.count("open"), world.bench.count("chain")), (2, 1, 1));
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn board_that_arrives_while_the_miner_is_paused_gets_no_power() {
    let wishes = Wishes { paused: true, ..Wishes::default() };
    let mut world = World::with(GAMMA, wishes, |_| {});
    world.until_state(BoardState::Paused).await;
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(world.bench.count("power"), 0);
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn light_shows_where_the_board_is_until_the_time_is_over() {
    let mut world = World::new(EMBER_ONE);
    world.until_state(BoardState::Mining).await;
    assert_eq!(world.order(|reply| TaskOrder::Locate(Duration::from_secs(60), reply)).await, Ok(()));
    world.until(|report| report.led == Some(LedState::Locate)).await;
    let lights = world.bench.state().lights.len();
    let since = Instant::now();
    world.until(|report| report.led == Some(LedState::Mining)).await;
    assert!(since.elapsed() >= Duration::from_secs(58), "{:?}", since.elapsed());
    assert!(world.bench.state().lights.len() > lights + 400, "it blinks four times a second");
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn board_without_a_light_says_so() {
    let mut world = World::new(GAMMA);
    let report = world.until_state(BoardState::Mining).await;
    assert_eq!(report.led, None);
    let refused = world.order(|reply| TaskOrder::Locate(Duration::from_secs(60), reply)).await.unwrap_err();
    assert!(refused.to_string().contains("no light"), "{refused}");
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn tuning_moves_clock_and_voltage_and_without_it_the_defaults_return() {
    let mut world = World::new(GAMMA);
    world.until_state(BoardState::Mining).await;
    let stands = |megahertz: f64, volts: f64| {
        move |report: &BoardReport| {
            report.tuning.frequency.is_some_and(|at| (at.megahertz() - megahertz).abs() < 0.1)
                && report.tuning.voltage.is_some_and(|at| (at.volts() - volts).abs() < 1e-6)
        }
    };
    world.tune(fixed(600.0, 1200));
    world.until(stands(600.0, 1.2)).await;
    world.tune(fixed(450.0, 1150));
    world.until(stands(450.0, 1.15)).await;
    world.wishes.send_modify(|wishes| wishes.tuning.clear());
    let report = world.until(stands(525.0, 1.15)).await;
    assert_eq!(report.tuning.wanted, TuningMode::Default);
    assert_eq!(world.bench.count("power"), 1, "it went on running");
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn tuning_that_does_not_fit_is_a_fault_and_the_board_runs_with_its_defaults() {
    let tuning = [("bitaxe-gamma".to_owned(), fixed(900.0, 1150))].into();
    let mut world = World::with(GAMMA, Wishes { paused: false, tuning }, |_| {});
    let report = world.until_state(BoardState::Mining).await;
    assert_eq!(report.faults[0].reason, FaultReason::TuningRefused);
    assert!(report.faults[0].message.contains("900"), "{}", report.faults[0].message);
    assert_eq!(world.bench.state().clock.megahertz(), 525.0);
    world.wishes.send_modify(|wishes| wishes.tuning.clear());
    world.until(|report| report.faults.is_empty()).await;
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn power_target_is_kept_and_explained() {
    let mode = TuningMode::Power(Watts::from_watts(13.0));
    let mut world = World::new(GAMMA);
    world.until_state(BoardState::Mining).await;
    world.tune(BoardTuning { mode, ..BoardTuning::default() });
    let report = world.until(|report| report.tuning.limited_by.iter().any(|why| why.contains("power"))).await;
    assert_eq!(report.tuning.wanted, mode);
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn tightened_limit_stops_the_board_earlier() {
    let mut world = World::new(GAMMA);
    world.until_state(BoardState::Mining).await;
    world.bench.heat("asic", 62.0);
    let hard_limits = [("asic".to_owned(), Celsius::from_degrees(61.0))].into();
    world.tune(BoardTuning { hard_limits, ..BoardTuning::default() });
    let report = world.until_fault(FaultReason::BoardOverheated).await;
    assert_eq!(report.sensors[0].hard_limit.degrees(), 61.0);
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn limits_are_in_force_although_the_power_asked_for_with_them_does_not_fit() {
    let degrees = Celsius::from_degrees;
    let tuning = |hard: f64, watts: f64| BoardTuning {
        mode: TuningMode::Power(Watts::from_watts(watts)),
        hard_limits: [("asic".to_owned(), degrees(hard))].into(),
        ..BoardTuning::default()
    };
    let limits = |report: &BoardReport| (report.sensors[0].soft_limit, report.sensors[0].hard_limit);
    let mut world = World::new(GAMMA);
    world.until_state(BoardState::Mining).await;
    world.tune(tuning(70.0, 900.0));
    let report = world.until_fault(FaultReason::TuningRefused).await;
    assert_eq!(limits(&report), (degrees(65.0), degrees(70.0)));
    assert_eq!(report.tuning.wanted, TuningMode::Default);
    let message = &report.faults[0].message;
    assert!(message.contains("power_watts cannot be 900.0 W"), "{message}");
    assert!(message.contains("in force: asic soft 65.0 °C, hard 70.0 °C"), "{message}");

    // What is refused loosens nothing either.
    world.tune(tuning(75.0, 901.0));
    let report = world.until(|report| report.faults.iter().any(|fault| fault.message.contains("901"))).await;
    assert_eq!(limits(&report), (degrees(65.0), degrees(70.0)));

    world.bench.heat("asic", 71.0);
    world.until_fault(FaultReason::BoardOverheated).await;
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn unplugged_board_ends_its_task_after_a_last_attempt_to_make_it_safe() {
    let mut world = World::new(GAMMA);
    world.until_state(BoardState::Mining).await;
    world.unplugged.cancel();
    timeout(PATIENCE, world.tasks.join_next()).await.unwrap().unwrap().unwrap();
    assert_eq!(world.bench.count("safe it was unplugged"), 1);
    assert_eq!(world.bench.state().violations, Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn end_of_the_miner_does_not_wait_for_a_step_that_hangs() {
    for step in ["open", "power", "restart", "survey"] {
        let world = World::with(GAMMA, Wishes::default(), |bench| bench.state().hangs = Some(step));
        tokio::time::sleep(Duration::from_secs(3)).await;
        let since = Instant::now();
        world.end().await;
        assert!(since.elapsed() < Duration::from_secs(2), "{step}: {:?}", since.elapsed());
    }
}
