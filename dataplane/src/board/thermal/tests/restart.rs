//! When a board may be started again.

use super::*;

fn hot() -> StopReason {
    StopReason::Overheated { sensor: "asic".into(), temperature: celsius(80.0), limit: celsius(78.0) }
}

fn known(degrees: f64) -> BTreeMap<String, Celsius> {
    [("regulator".to_owned(), celsius(degrees))].into()
}

#[test]
fn board_rests_until_it_is_cool_and_half_a_minute_is_over() {
    let (limits, start) = (samples::single_chip(), Instant::now());
    let mut restarts = Restarts::default();
    assert_eq!(restarts.decide(&BTreeMap::new(), &limits, start), StartDecision::Now);
    restarts.stopped(&hot(), start);
    let at = |seconds| start + Duration::from_secs(seconds);
    assert_eq!(restarts.decide(&known(30.0), &limits, at(29)), StartDecision::Wait("starts again in 1 s".into()));
    let waits = StartDecision::Wait("waits until regulator is below 45.0 °C, now 45.0 °C".into());
    assert_eq!(restarts.decide(&known(45.0), &limits, at(600)), waits);
    assert_eq!(restarts.decide(&known(44.9), &limits, at(30)), StartDecision::Now);
    // Unknown is not cool.
    let waits = StartDecision::Wait("waits for a temperature of regulator".into());
    assert_eq!(restarts.decide(&BTreeMap::new(), &limits, at(3600)), waits);
}

#[test]
fn board_that_is_hot_before_its_first_start_waits() {
    let (limits, restarts) = (samples::single_chip(), Restarts::default());
    assert!(matches!(restarts.decide(&known(96.0), &limits, Instant::now()), StartDecision::Wait(_)));
    assert_eq!(restarts.decide(&known(60.0), &limits, Instant::now()), StartDecision::Now);
}

#[test]
fn rests_double_and_end() {
    let (limits, mut now) = (samples::single_chip(), Instant::now());
    let mut restarts = Restarts::default();
    let mut rests = Vec::new();
    loop {
        restarts.failed(now);
        let failed_at = now;
        if let StartDecision::Never(why) = restarts.decide(&known(30.0), &limits, now + Duration::from_secs(86_400)) {
            assert_eq!(why, "failed 6 times in a row; mend the cause, then reinitialise the board");
            break;
        }
        while restarts.decide(&known(30.0), &limits, now) != StartDecision::Now {
            now += Duration::from_secs(1);
        }
        rests.push((now - failed_at).as_secs());
        restarts.started(now);
        now += Duration::from_secs(5);
    }
    assert_eq!(rests, [30, 60, 120, 240, 480]);
    restarts.forgive();
    assert_eq!(restarts.decide(&known(30.0), &limits, now), StartDecision::Now);
}

#[test]
fn long_run_ends_the_row() {
    let mut now = Instant::now();
    let mut restarts = Restarts::default();
    for _ in 0..100 {
        restarts.failed(now);
        assert_eq!(restarts.failures(), 1);
        restarts.started(now);
        now += Duration::from_secs(30 * 60);
    }
}
