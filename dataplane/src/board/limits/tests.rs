use super::*;
use mujina_core::board::{BoardConstraints, Constraint, TuningMode};
use proptest::prelude::*;

fn celsius(degrees: f64) -> Celsius {
    Celsius::from_degrees(degrees)
}

fn fixed(megahertz: f64, volts: f64) -> BoardTuning {
    let (frequency, voltage) = (Frequency::from_megahertz(megahertz), Volts::from_volts(volts));
    BoardTuning { mode: TuningMode::Fixed { frequency, voltage }, ..BoardTuning::default() }
}

fn messages(limits: &BoardLimits, tuning: &BoardTuning) -> Vec<String> {
    limits.tightened(tuning).map_or_else(|refusals| refusals.iter().map(ToString::to_string).collect(), |_| Vec::new())
}

#[test]
fn nothing_wanted_changes_nothing() {
    assert_eq!(samples::single_chip().tightened(&BoardTuning::default()), Ok(samples::single_chip()));
    assert_eq!(samples::stack().tightened(&BoardTuning::default()), Ok(samples::stack()));
}

#[test]
fn limits_are_tightened_and_take_the_fan_with_them() {
    let tuning = BoardTuning {
        hard_limits: [("asic".to_owned(), celsius(66.0))].into(),
        soft_limits: [("regulator".to_owned(), celsius(80.0))].into(),
        ..BoardTuning::default()
    };
    let limits = samples::single_chip().tightened(&tuning).unwrap();
    let asic = &limits.sensors["asic"];
    assert_eq!((asic.soft, asic.hard), (celsius(61.0), celsius(66.0)));
    let regulator = &limits.sensors["regulator"];
    assert_eq!((regulator.soft, regulator.hard), (celsius(80.0), celsius(105.0)));
    assert_eq!(limits.fan.unwrap().target.default, celsius(56.0));
}

#[test]
fn looser_limits_are_refused_with_the_range_that_is_allowed() {
    let tuning = BoardTuning {
        hard_limits: [("asic".to_owned(), celsius(90.0))].into(),
        soft_limits: [("asic".to_owned(), celsius(71.0))].into(),
        fan_target: Some(celsius(80.0)),
        ..BoardTuning::default()
    };
    let found = messages(&samples::single_chip(), &tuning);
    assert_eq!(found.len(), 3, "{found:#?}");
    assert!(
        found[0].starts_with("hard_limit_celsius[asic] cannot be 90.0 °C; choose 45.0 °C to 78.0 °C: "),
        "{found:?}"
    );
    assert!(
        found[1].starts_with("soft_limit_celsius[asic] cannot be 71.0 °C; choose 40.0 °C to 70.0 °C: "),
        "{found:?}"
    );
    assert!(found[2].starts_with("fan_target_celsius cannot be 80.0 °C; choose 35.0 °C to 65.0 °C: "), "{found:?}");
}

#[test]
fn limits_that_can_be_granted_are_although_others_and_the_mode_cannot() {
    let tuning = BoardTuning {
        mode: TuningMode::Power(Watts::from_watts(60.0)),
        hard_limits: [("asic".to_owned(), celsius(66.0)), ("regulator".to_owned(), celsius(200.0))].into(),
        ..BoardTuning::default()
    };
    let model = samples::single_chip();
    let (limits, refusals) = model.tightened_where_granted(&tuning);
    assert_eq!(refusals.len(), 2, "{refusals:?}");
    assert_eq!(limits.tightened_in_words(&model), "asic soft 61.0 °C, hard 66.0 °C; fan target 56.0 °C");
    assert_eq!(limits.tightest(&model), limits);
    assert_eq!(model.tightest(&limits), limits);
    assert_eq!(model.tightened_in_words(&model), "");
}

#[test]
fn unknown_sensor_and_missing_fan_are_named() {
    let tuning = BoardTuning {
        soft_limits: [("vr".to_owned(), celsius(50.0))].into(),
        fan_target: Some(celsius(50.0)),
        ..BoardTuning::default()
    };
    let found = messages(&samples::stack(), &tuning);
    assert_eq!(found[0], "there is no sensor `vr`; this board has asic, pcb, regulator");
    assert!(found[1].starts_with("this board drives no fan"), "{found:?}");
}

#[test]
fn set_points_outside_the_model_are_refused_together() {
    let found = messages(&samples::single_chip(), &fixed(700.0, 1.4));
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found[0].starts_with("frequency_mhz cannot be 700.00 MHz; choose 400.00 MHz to 625.00 MHz"), "{found:?}");
    assert!(found[1].starts_with("voltage_volts cannot be 1.400 V; choose 1.000 V to 1.250 V"), "{found:?}");
    let power = BoardTuning { mode: TuningMode::Power(Watts::from_watts(60.0)), ..BoardTuning::default() };
    assert!(messages(&samples::single_chip(), &power)[0].starts_with("power_watts cannot be 60.0 W; choose 8.0 W to"));
    let rate = HashRate::from_terahashes_per_second(9.0);
    let rate = BoardTuning { mode: TuningMode::HashRate(rate), ..BoardTuning::default() };
    assert!(messages(&samples::single_chip(), &rate)[0].starts_with("hash_rate_hps cannot be 9.00 TH/s; choose"));
}

#[test]
fn stack_refuses_less_voltage_than_its_clock_needs() {
    let found = messages(&samples::stack(), &fixed(500.0, 3.5));
    assert!(found[0].contains("choose 3.600 V to 4.000 V: chips in series"), "{found:?}");
    assert_eq!(messages(&samples::stack(), &fixed(500.0, 3.6)), Vec::<String>::new());
    // A lone chip only makes errors.
    assert_eq!(messages(&samples::single_chip(), &fixed(525.0, 1.0)), Vec::<String>::new());
}

#[test]
fn constraints_tell_every_limit_with_its_reason() {
    let BoardConstraints(found) = samples::single_chip().constraints();
    let names: Vec<_> = found.iter().map(|constraint| constraint.name.as_str()).collect();
    assert_eq!(
        names,
        [
            "frequency_mhz",
            "voltage_volts",
            "power_watts",
            "hash_rate_hps",
            "soft_limit_celsius[asic]",
            "hard_limit_celsius[asic]",
            "soft_limit_celsius[regulator]",
            "hard_limit_celsius[regulator]",
            "fan_target_celsius",
        ]
    );
    for Constraint { name, least, greatest, default, reason } in found {
        assert!(least <= default && default <= greatest && !reason.is_empty(), "{name}");
    }
}

proptest! {
    #[test]
    fn no_tuning_ever_loosens_a_limit(
        soft in -300.0..300.0_f64,
        hard in -300.0..300.0_f64,
        target in -300.0..300.0_f64,
        before in 40.0..90.0_f64,
        sensor in prop_oneof![Just("asic"), Just("regulator")],
    ) {
        let model = samples::single_chip();
        let tuning = BoardTuning {
            soft_limits: [(sensor.to_owned(), celsius(soft))].into(),
            hard_limits: [(sensor.to_owned(), celsius(hard))].into(),
            fan_target: Some(celsius(target)),
            ..BoardTuning::default()
        };
        let other = BoardTuning { hard_limits: [("asic".to_owned(), celsius(before))].into(), ..BoardTuning::default() };
        let refused_before = model.tightened_where_granted(&other).0;
        let granted = model.tightened_where_granted(&tuning).0;
        for limits in [granted.tightest(&refused_before), granted] {
            prop_assert_eq!(limits.sensors.len(), model.sensors.len());
            for (name, sensor) in &limits.sensors {
                let of_model = &model.sensors[name];
                prop_assert!(sensor.soft <= of_model.soft && sensor.hard <= of_model.hard);
                prop_assert!(sensor.soft.degrees() + SOFT_BELOW_HARD <= sensor.hard.degrees() + 1e-9);
            }
            let fan = limits.fan.clone().unwrap();
            prop_assert!(fan.target.default.degrees() + FAN_TARGET_BELOW_SOFT <= limits.sensors["asic"].soft.degrees() + 1e-9);
        }
    }
}
