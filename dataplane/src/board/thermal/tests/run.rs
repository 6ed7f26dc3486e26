//! What stops a board that runs, and what only slows it down.

use super::*;

#[test]
fn healthy_board_runs_on() {
    let mut world = World::hashing(samples::single_chip());
    for verdict in world.polls(1000) {
        assert_eq!((verdict.stop, verdict.ceiling, verdict.headroom), (None, None, Some(20.0)));
        assert!(verdict.warnings.is_empty());
    }
}

#[test]
fn hard_limit_stops_at_the_first_poll_that_sees_it() {
    for (sensor, limit) in [("asic", 78.0), ("regulator", 105.0)] {
        let mut world = World::hashing(samples::single_chip());
        world.heat(sensor, limit - 0.125);
        assert_eq!(world.poll().stop, None);
        world.heat(sensor, limit);
        let stop = world.poll().stop.unwrap();
        assert_eq!(stop.fault(), FaultReason::BoardOverheated);
        assert!(
            stop.to_string().starts_with(&format!("{sensor} is {limit:.1} °C, at or above its hard limit")),
            "{stop}"
        );
    }
}

#[test]
fn soft_limit_lowers_the_clock_in_steps_and_lets_it_rise_when_it_is_cool() {
    let mut world = World::hashing(samples::single_chip());
    world.heat("asic", 71.0);
    assert_eq!(world.poll().ceiling, Some(megahertz(500.0)));
    world.situation.frequency = Some(megahertz(500.0));
    // Time to act before the next step.
    assert!(world.polls(9).iter().all(|verdict| verdict.ceiling == Some(megahertz(500.0))));
    assert_eq!(world.poll().ceiling, Some(megahertz(475.0)));
    world.situation.frequency = Some(megahertz(475.0));
    world.heat("asic", 67.0);
    // Neither hot nor cool: it stays.
    assert!(world.polls(600).iter().all(|verdict| verdict.ceiling == Some(megahertz(475.0))));
    world.heat("asic", 64.0);
    assert_eq!(world.polls(60).last().unwrap().ceiling, Some(megahertz(475.0)));
    assert_eq!(world.poll().ceiling, Some(megahertz(500.0)));
    let later = world.polls(60 * 10);
    assert_eq!(later.last().unwrap().ceiling, None);
}

#[test]
fn clock_never_goes_below_the_least_of_the_model() {
    let mut world = World::hashing(samples::single_chip());
    world.heat("asic", 75.0);
    for _ in 0..1000 {
        world.situation.frequency = world.poll().ceiling;
    }
    assert_eq!(world.situation.frequency, Some(megahertz(400.0)));
}

#[test]
fn rises_that_end_in_heat_become_rarer() {
    let mut world = World::hashing(samples::single_chip());
    let (mut rises, mut running) = (Vec::new(), megahertz(525.0));
    for second in 0..24 * 3600 {
        // Too hot from 525 MHz on, cool below.
        world.situation.frequency = Some(running);
        world.heat("asic", if running >= megahertz(525.0) { 72.0 } else { 60.0 });
        let next = world.poll().ceiling.unwrap_or(megahertz(525.0));
        if next > running {
            rises.push(second);
        }
        running = next;
    }
    let gaps: Vec<_> = rises.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!((3..=16).contains(&gaps.len()), "{gaps:?}");
    assert!(gaps.is_sorted() && *gaps.last().unwrap() > 3600, "{gaps:?}");
}

#[test]
fn missing_temperature_stops_after_three_polls_and_holds_everything_meanwhile() {
    let mut world = World::hashing(samples::single_chip());
    world.poll();
    world.lose("asic");
    let verdicts = world.polls(3);
    assert_eq!(faults(&verdicts), [None, None, Some(FaultReason::SensorLost)]);
    for verdict in &verdicts {
        assert_eq!((verdict.headroom, verdict.fan_duty), (None, Some(100.0)));
        assert_eq!(verdict.warnings, ["no temperature of asic: diode open"]);
    }
}

#[test]
fn single_bad_readings_do_not_stop() {
    let mut world = World::hashing(samples::single_chip());
    for _ in 0..100 {
        world.lose("asic");
        assert_eq!(faults(&world.polls(2)), [None, None]);
        world.heat("asic", 60.0);
        assert_eq!(faults(&world.polls(1)), [None]);
    }
}

#[test]
fn implausible_temperature_is_a_missing_one() {
    for degrees in [127.0, 120.1, -41.0, f64::MAX] {
        let mut world = World::hashing(samples::single_chip());
        world.heat("asic", degrees);
        assert_eq!(faults(&world.polls(3)), [None, None, Some(FaultReason::SensorLost)], "{degrees}");
    }
}

#[test]
fn sensor_that_is_not_read_at_all_is_a_missing_one() {
    let mut world = World::hashing(samples::stack());
    world.readings.temperatures.remove("pcb");
    assert_eq!(faults(&world.polls(3)), [None, None, Some(FaultReason::SensorLost)]);
}

#[test]
fn cold_start_is_allowed() {
    let mut world = World::hashing(samples::stack());
    for sensor in ["asic", "pcb", "regulator"] {
        world.heat(sensor, -20.0);
    }
    assert!(world.polls(10).iter().all(|verdict| verdict.stop.is_none() && verdict.headroom == Some(90.0)));
}

#[test]
fn diode_of_a_chip_is_not_believed_before_it_has_power_and_time() {
    let mut world = World::hashing(samples::single_chip());
    world.situation = Situation { powered: true, ..Situation::default() };
    world.heat("asic", 127.0);
    assert!(world.polls(10).iter().all(|verdict| verdict.stop.is_none()));
    // The poll comes a second after this; the reading is then 499 ms old and still ignored.
    world.situation.released_at = Some(world.now + Duration::from_millis(501));
    assert_eq!(faults(&world.polls(4)), [None, None, None, Some(FaultReason::SensorLost)]);
}

#[test]
fn standing_fan_stops_after_ten_seconds() {
    let mut world = World::hashing(samples::single_chip());
    *world.fan() = FanReading { duty: 30.0, rpm: Some(0), write_failed: None };
    let verdicts = world.polls(11);
    assert!(verdicts.iter().take(10).all(|verdict| verdict.stop.is_none()));
    assert_eq!(verdicts[10].stop.as_ref().map(StopReason::fault), Some(FaultReason::FanStalled));
    // At less than that it may stand still.
    let mut world = World::hashing(samples::single_chip());
    *world.fan() = FanReading { duty: 29.0, rpm: Some(0), write_failed: None };
    assert!(world.polls(100).iter().all(|verdict| verdict.stop.is_none()));
}

#[test]
fn fan_that_turns_again_is_forgiven_and_one_that_cannot_be_seen_is_not() {
    let mut world = World::hashing(samples::single_chip());
    *world.fan() = FanReading { duty: 60.0, rpm: Some(0), write_failed: None };
    world.polls(9);
    world.fan().rpm = Some(900);
    world.poll();
    world.fan().rpm = Some(0);
    assert!(world.polls(10).iter().all(|verdict| verdict.stop.is_none()));
    world.fan().rpm = None;
    world.poll();
    world.fan().rpm = Some(0);
    assert!(world.poll().stop.is_some());
}

#[test]
fn fan_that_cannot_be_steered_stops_the_board() {
    let mut world = World::hashing(samples::single_chip());
    world.fan().write_failed = Some("no acknowledge".into());
    assert_eq!(faults(&world.polls(1)), [Some(FaultReason::FanStalled)]);
}

#[test]
fn every_fault_bit_of_the_regulator_stops_and_no_other_does() {
    for bit in 0..16 {
        let mut world = World::hashing(samples::single_chip());
        world.regulator().status_word = 1 << bit;
        let stops = world.poll().stop.map(|stop| stop.fault());
        let expected = (2..=6).contains(&bit).then_some(FaultReason::RegulatorFault);
        assert_eq!(stops, expected, "bit {bit}");
    }
}

#[test]
fn regulator_fault_is_named() {
    let mut world = World::hashing(samples::single_chip());
    world.regulator().status_word = 0x0850;
    let stop = world.poll().stop.unwrap().to_string();
    assert!(stop.starts_with("the core regulator reports output off, output over-current (status 0x0850)"), "{stop}");
}

#[test]
fn regulator_may_be_off_while_the_board_is() {
    let mut world = World::hashing(samples::single_chip());
    world.situation = Situation::default();
    world.regulator().status_word = 0x0840;
    assert!(world.polls(10).iter().all(|verdict| verdict.stop.is_none()));
}

#[test]
fn regulator_that_does_not_answer_stops_after_three_polls() {
    let mut world = World::hashing(samples::single_chip());
    world.readings.regulator = None;
    assert_eq!(faults(&world.polls(3)), [None, None, Some(FaultReason::RegulatorFault)]);
}

#[test]
fn lost_supervision_stops_after_three_polls() {
    let mut world = World::hashing(samples::single_chip());
    world.poll();
    world.readings = Readings { problem: "timed out".into(), chips: 1, ..Readings::default() };
    let verdicts = world.polls(3);
    assert_eq!(faults(&verdicts), [None, None, Some(FaultReason::SupervisionLost)]);
    assert!(verdicts.iter().all(|verdict| verdict.headroom.is_none()));
    assert!(world.guard.temperatures().is_empty());
    // A new start counts from the beginning.
    world.guard.starting();
    assert_eq!(faults(&world.polls(1)), [None]);
}

#[test]
fn lost_chip_stops_a_stack_and_not_a_board_of_independent_chips() {
    let mut world = World::hashing(samples::stack());
    world.readings.lost_chips = 1;
    let stop = world.poll().stop.unwrap();
    assert_eq!(
        stop.to_string(),
        "1 of 12 chips are silent, and in a stack they endanger the others; the board is started anew"
    );
    let mut world = World::hashing(samples::single_chip());
    world.readings.lost_chips = 11;
    assert_eq!(world.poll().stop, None);
    world.readings.lost_chips = 12;
    assert_eq!(faults(&world.polls(1)), [Some(FaultReason::ChipSilent)]);
}

#[test]
fn weak_input_is_told() {
    let mut world = World::hashing(samples::single_chip());
    world.regulator().input = Some(Volts::from_millivolts(4650));
    let verdict = world.poll();
    assert_eq!(verdict.stop, None);
    assert_eq!(verdict.warnings, ["input is 4.650 V, less than 4.700 V; use a stronger supply or a shorter cable"]);
}

#[test]
fn tighter_limits_are_in_force_at_the_next_poll() {
    let mut world = World::hashing(samples::single_chip());
    world.heat("asic", 65.0);
    assert_eq!(world.poll().ceiling, None);
    let mut limits = world.limits.clone();
    let asic = limits.sensors.get_mut("asic").unwrap();
    (asic.soft, asic.hard) = (celsius(60.0), celsius(65.0));
    world.guard.set_limits(limits);
    assert_eq!(faults(&world.polls(1)), [Some(FaultReason::BoardOverheated)]);
}

#[test]
fn board_that_was_stopped_by_heat_starts_slower() {
    let mut world = World::hashing(samples::single_chip());
    world.heat("asic", 90.0);
    assert_eq!(world.poll().ceiling, Some(megahertz(425.0)));
}
