//! The fan: fixed duties, and the loop with a small model of a chip under a heatsink.

use super::*;
use proptest::prelude::*;

#[test]
fn fan_runs_at_seventy_percent_until_the_first_reading() {
    let mut world = World::hashing(samples::single_chip());
    world.situation =
        Situation { powered: true, released_at: Some(world.now + Duration::from_secs(3)), ..world.situation };
    assert_eq!(world.poll().fan_duty, Some(70.0));
}

#[test]
fn fan_runs_at_thirty_percent_while_the_board_is_off_and_cool() {
    let mut world = World::hashing(samples::single_chip());
    world.poll();
    world.situation = Situation::default();
    assert_eq!(world.poll().fan_duty, Some(30.0));
}

#[test]
fn fan_of_a_stopped_board_runs_full_until_it_runs_again() {
    let mut world = World::hashing(samples::single_chip());
    world.heat("asic", 90.0);
    assert_eq!(world.poll().fan_duty, Some(100.0));
    world.situation = Situation::default();
    world.heat("asic", 30.0);
    assert_eq!(world.poll().fan_duty, Some(100.0));
    world.situation = Situation {
        powered: true,
        hashing: true,
        released_at: world.now.checked_sub(Duration::from_secs(5)),
        ..world.situation
    };
    assert!(world.poll().fan_duty.unwrap() < 100.0);
}

#[test]
fn hot_regulator_raises_the_fan_too() {
    let mut world = World::hashing(samples::single_chip());
    let cool = world.polls(20).last().unwrap().fan_duty.unwrap();
    world.heat("regulator", 94.0);
    let hot = world.polls(20).last().unwrap().fan_duty.unwrap();
    assert_eq!((cool, hot), (25.0, 100.0));
}

#[test]
fn board_without_a_fan_is_told_nothing() {
    assert_eq!(World::hashing(samples::stack()).poll().fan_duty, None);
}

#[test]
fn fan_at_its_end_does_not_wind_up() {
    let mut world = World::hashing(samples::single_chip());
    world.heat("asic", 69.0);
    assert_eq!(world.polls(3600).last().unwrap().fan_duty, Some(100.0));
    world.heat("asic", 50.0);
    let soon = world.polls(15).last().unwrap().fan_duty.unwrap();
    assert!(soon < 60.0, "{soon}");
}

/// Temperature of a chip that follows its power and the fan with a lag.
fn next(temperature: f64, ambient: f64, power: f64, duty: f64, seconds: f64) -> f64 {
    let resistance = (1.6_f64 - 6.0).mul_add(duty / 100.0, 6.0);
    let settled = power.mul_add(resistance, ambient);
    settled + (temperature - settled) * (-seconds / 20.0).exp()
}

proptest! {
    #[test]
    fn fan_brings_a_chip_to_its_target_and_stays_there(ambient in 5.0..30.0_f64, power in 8.0..17.0_f64, poll in 1_u64..=2) {
        let mut world = World::hashing(samples::single_chip());
        let (mut temperature, mut duties, mut temperatures) = (ambient, Vec::new(), Vec::new());
        for _ in 0..3600 / poll {
            world.heat("asic", (temperature * 8.0).round() / 8.0);
            world.now += Duration::from_secs(poll - 1);
            let duty = world.poll().fan_duty.unwrap();
            prop_assert!((25.0..=100.0).contains(&duty));
            temperature = next(temperature, ambient, power, duty, Duration::from_secs(poll).as_secs_f64());
            temperatures.push(temperature);
            duties.push(duty);
        }
        prop_assert!(temperatures.iter().all(|temperature| *temperature < 70.0), "hottest {:?}", temperatures.iter().copied().reduce(f64::max));
        let tail = temperatures.len() - 300;
        let late: Vec<_> = temperatures[tail..].to_vec();
        let (low, high) = (late.iter().copied().fold(f64::MAX, f64::min), late.iter().copied().fold(f64::MIN, f64::max));
        prop_assert!(high - low < 1.0, "swings between {low} and {high}");
        // At the target, or at an end of the fan.
        let duty = duties[duties.len() - 1];
        let at_target = (low - 60.0).abs() < 1.5;
        prop_assert!(at_target || low < 60.0 && duty <= 25.5 || high > 60.0 && duty >= 99.5, "{low} at {duty} %");
    }
}
