use super::*;
use proptest::prelude::*;

fn miners(watts: &[f64]) -> Vec<(MinerName, Watts)> {
    let named = |(i, watts): (usize, &f64)| (format!("rig{i}").parse().unwrap(), Watts::from_watts(*watts));
    watts.iter().enumerate().map(named).collect()
}

fn ramp(watts: &[f64], budget: f64) -> Ramp {
    Ramp::new(&miners(watts), Watts::from_watts(budget)).unwrap()
}

#[test]
fn switches_are_spread_over_seconds() {
    let preview = ramp(&[3000.0, 2000.0, 3400.0, 1500.0, 100.0], 5000.0).preview();
    let seconds: Vec<_> = preview.iter().map(|(after, _)| after.as_secs()).collect();
    assert_eq!(seconds, [0, 0, 1, 1, 1]);
}

#[test]
fn step_that_comes_late_does_not_catch_up_within_a_second() {
    let mut ramp = ramp(&[600.0; 3], 1000.0);
    let start = Duration::from_secs(7);
    assert_eq!(ramp.step(start).next, Some(start + SECOND));
    let late = start + Duration::from_millis(1800);
    assert_eq!(ramp.step(late), Switching { now: vec!["rig1".parse().unwrap()], next: Some(late + SECOND) });
    assert_eq!(ramp.step(start + Duration::from_millis(2000)).now, []);
    assert_eq!(ramp.step(Duration::ZERO).now, []);
    assert_eq!(ramp.step(late + SECOND), Switching { now: vec!["rig2".parse().unwrap()], next: None });
}

#[test]
fn miner_that_no_second_has_room_for_is_refused_with_its_name() {
    let error = Ramp::new(&miners(&[100.0, 3500.0]), Watts::from_watts(1000.0)).unwrap_err();
    assert!(matches!(&error, RampError::TooBig { miner, .. } if miner.as_str() == "rig1"), "{error:?}");
    assert_eq!(Ramp::new(&miners(&[]), Watts::from_watts(0.0)).unwrap_err(), RampError::NoBudget);
}

#[test]
fn miners_of_unknown_little_power_do_not_wait() {
    assert_eq!(ramp(&[0.0; 50], 1.0).preview().iter().filter(|(after, _)| after.is_zero()).count(), 50);
}

#[test]
fn miner_that_joins_waits_behind_the_others_and_one_that_left_makes_nobody_wait() {
    let mut ramp = ramp(&[600.0, 600.0], 1000.0);
    let names = |names: &[&str]| names.iter().map(|name| name.parse().unwrap()).collect::<Vec<MinerName>>();
    assert_eq!(ramp.step(Duration::ZERO).now, names(&["rig0"]));
    ramp.join("late".parse().unwrap(), Some(Watts::from_watts(400.0)), |_| false);
    ramp.join("huge".parse().unwrap(), Some(Watts::from_watts(7000.0)), |_| false);
    ramp.join("unknown".parse().unwrap(), None, |_| false);
    ramp.join("last".parse().unwrap(), Some(Watts::from_watts(1.0)), |_| false);
    assert_eq!(ramp.step(SECOND / 2).now, names(&[]));
    assert_eq!(ramp.step(SECOND).now, names(&["rig1", "late"]));
    assert_eq!(ramp.step(SECOND * 2).now, names(&["huge"]));
    ramp.keep(|miner| miner.as_str() != "unknown");
    assert_eq!(ramp.step(SECOND * 3), Switching { now: names(&["last"]), next: None });
}

proptest! {
    #[test]
    fn no_second_sees_more_than_the_budget_of_those_that_come_and_go_at_any_time(
        events in prop::collection::vec((0..900_u64, 0.0..4000.0, any::<bool>()), 1..60),
    ) {
        let budget = 4000.0;
        let mut ramp = ramp(&[], budget);
        let (mut now, mut switched) = (Duration::ZERO, Vec::new());
        let mut step = |ramp: &mut Ramp, now: Duration| {
            let Switching { now: miners, next } = ramp.step(now);
            switched.extend(miners.iter().map(|name| (now, name.as_str()[3..].parse::<usize>().unwrap())));
            next
        };
        let mut left = 0;
        for (i, (millis, watts, leaves)) in events.iter().enumerate() {
            now += Duration::from_millis(*millis);
            ramp.join(format!("rig{i}").parse().unwrap(), Some(Watts::from_watts(*watts)), |_| false);
            if *leaves {
                left += ramp.waiting();
                ramp.keep(|_| false);
            }
            step(&mut ramp, now);
        }
        while let Some(next) = step(&mut ramp, now) {
            now = next;
        }
        prop_assert_eq!(switched.len() + left, events.len());
        for (begin, _) in &switched {
            let within = switched.iter().filter(|(at, _)| at >= begin && *at < *begin + SECOND);
            let sum: f64 = within.map(|(_, i)| events[*i].1).sum();
            prop_assert!(sum <= budget, "{} in the second from {:?}", sum, begin);
        }
    }
}

proptest! {
    #[test]
    fn no_second_sees_more_than_the_budget_and_everybody_is_switched_once_in_order(
        watts in prop::collection::vec(0.0..4000.0, 0..60),
        budget in 4000.0..9000.0,
        delays in prop::collection::vec(-300..1500_i64, 200),
    ) {
        let mut ramp = ramp(&watts, budget);
        let mut now = Duration::from_secs(7);
        let mut switched: Vec<(Duration, usize)> = Vec::new();
        let mut latest = now;
        let mut delays = delays.into_iter();
        loop {
            // Killed between any two steps.
            ramp = serde_json::from_str(&serde_json::to_string(&ramp).unwrap()).unwrap();
            let step = ramp.step(now);
            latest = latest.max(now);
            switched.extend(step.now.iter().map(|name| (latest, name.as_str()[3..].parse().unwrap())));
            let Some(next) = step.next else { break };
            prop_assert!(next > latest);
            // Early, on time or late; never early for ever.
            match delays.next() {
                Some(delay) if delay < 0 => now = next - Duration::from_millis(delay.unsigned_abs()),
                Some(delay) => now = next + Duration::from_millis(delay.unsigned_abs()),
                None => now = next,
            }
        }
        prop_assert_eq!(switched.iter().map(|(_, i)| *i).collect::<Vec<_>>(), (0..watts.len()).collect::<Vec<_>>());
        for (begin, _) in &switched {
            let within = switched.iter().filter(|(at, _)| at >= begin && *at < *begin + SECOND);
            let sum: f64 = within.map(|(_, i)| watts[*i]).sum();
            prop_assert!(sum <= budget, "{} in the second from {:?}", sum, begin);
        }
    }

    #[test]
    fn ramp_wastes_no_more_than_the_last_miner_that_did_not_fit(
        watts in prop::collection::vec(1.0..1000.0, 1..80),
    ) {
        let budget = 4000.0;
        let preview = ramp(&watts, budget).preview();
        let seconds = preview.last().unwrap().0.as_secs_f64();
        let sum: f64 = watts.iter().sum();
        // Every full second moved more than the budget less the greatest miner.
        prop_assert!(seconds <= sum / (budget - 1000.0) + 1.0, "{} s for {} W", seconds, sum);
    }
}
