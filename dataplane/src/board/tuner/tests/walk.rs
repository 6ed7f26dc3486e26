//! Walks towards a power or a rate.

use super::*;

#[test]
fn power_target_without_a_measured_power_is_not_walked_to() {
    let mut world = World::new(samples::single_chip(), TuningMode::Power(Watts::from_watts(30.0)));
    world.reading.power = None;
    let first = world.poll().wanted;
    let step = world.polls(3600);
    assert_eq!(
        (step.wanted.frequency, step.limited_by),
        (first.frequency, vec!["power cannot be measured".to_owned()])
    );
}

#[test]
fn too_much_current_steps_back_at_the_poll_that_sees_it() {
    let mut world = World::new(samples::single_chip(), TuningMode::Default);
    world.polls(20);
    world.reading.current = Some(Amperes::from_amperes(26.0));
    let step = world.poll();
    assert_eq!((step.wanted.frequency, step.limited_by), (megahertz(500.0), vec!["regulator current".to_owned()]));
}

#[test]
fn rate_is_reached_with_the_least_clock_and_then_with_less_voltage() {
    let mut world = World::new(samples::single_chip(), TuningMode::HashRate(HashRate::from_terahashes_per_second(1.0)));
    let step = world.poll();
    // 1 TH/s needs 490.2 MHz.
    assert_eq!(step.wanted.frequency, megahertz(493.75));
    let on_curve = step.wanted.voltage;
    let step = world.polls(3600);
    assert_eq!(step.wanted.frequency, megahertz(493.75));
    assert_eq!(step.limited_by, Vec::<String>::new());
    let saved = on_curve.volts() - step.wanted.voltage.volts();
    assert!((saved - 0.05).abs() < 1e-9, "{saved}");
    // The first errors give some of it back.
    let step = world.polls_with_errors(60, 1);
    assert!((step.wanted.voltage.volts() - (on_curve.volts() - 0.04)).abs() < 1e-9, "{step:?}");
    assert_eq!(step.wanted.frequency, megahertz(493.75));
    assert!(
        world.tuner.learnt().words().contains(&"runs without errors 40 mV below the curve of its model".to_owned())
    );
}

#[test]
fn board_that_follows_slowly_is_waited_for() {
    let mut world = World::new(samples::stack(), TuningMode::Default);
    let wanted = world.poll().wanted;
    world.reading.running = Some(SetPoint { frequency: megahertz(300.0), voltage: wanted.voltage });
    world.reading.current = Some(Amperes::from_amperes(60.0));
    // What is measured on the way says nothing of where it goes.
    assert_eq!(world.tuner.poll(&world.reading, world.now).wanted, wanted);
}
