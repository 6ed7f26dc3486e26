//! Tuner and guard together on a small model of a board: power by clock and voltage, heat with a lag, errors where voltage
//! is short. Constants vary; the laws do not.

use super::*;
use crate::board::thermal::{FanReading, Guard, Readings, RegulatorReading, Situation, StopReason};
use mujina_core::units::Celsius;
use proptest::prelude::*;

#[derive(Debug, Clone)]
struct Plant {
    /// Watts at the default set point.
    power: f64,
    /// Part of them that does not follow the clock.
    constant: f64,
    ambient: f64,
    /// Degrees for each watt with the fan at its end.
    resistance: f64,
    /// Volts that the chips need less than the curve gives; negative for bad chips.
    spare: f64,
    /// Noise of readings, as a part of them.
    noise: f64,
    temperature: f64,
    random: u64,
}

impl Plant {
    /// -1 to 1, the same for the same seed.
    fn chance(&mut self) -> f64 {
        self.random = self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        f64::from(u32::try_from(self.random >> 33).unwrap()) / f64::from(1_u32 << 30) - 1.0
    }

    fn watts(&self, at: SetPoint, limits: &BoardLimits) -> f64 {
        let clock = at.frequency.megahertz() / limits.frequency.default.megahertz();
        let voltage = at.voltage.volts() / limits.voltage.default.volts();
        // Leakage grows with heat.
        let warm = (self.temperature - 60.0).mul_add(0.001, 1.0);
        self.power * warm * (1.0 - self.constant).mul_add(clock * voltage.powi(2), self.constant)
    }

    fn pass(&mut self, watts: f64, duty: f64, seconds: f64) {
        let resistance = self.resistance * (6.0 - 4.4 * duty / 100.0) / 1.6;
        let settled = watts.mul_add(resistance, self.ambient);
        self.temperature = settled + (self.temperature - settled) * (-seconds / 20.0).exp();
    }

    /// Part of the results that is wrong.
    fn errors(&self, at: SetPoint, limits: &BoardLimits) -> f64 {
        let short = limits.curve.at(at.frequency).volts() - self.spare - at.voltage.volts();
        if short > 0.0 { (short / limits.voltage.default.volts() * 5.0).min(0.5) } else { 0.0002 }
    }
}

struct Outcome {
    points: Vec<SetPoint>,
    watts: Vec<f64>,
    limited_by: Vec<String>,
    stops: Vec<StopReason>,
    gave_up: bool,
}

const POLL: u64 = 4;

/// Runs a board until it stops or so many hours are over, and holds the laws of every poll.
fn run(mut plant: Plant, limits: &BoardLimits, mode: TuningMode, hours: u64) -> Result<Outcome, TestCaseError> {
    let start = Instant::now();
    let (mut guard, mut tuner) = (Guard::new(limits.clone()), Tuner::new(limits.clone(), mode, Learnt::default()));
    let mut at = tuner.wanted(None);
    let (mut good, mut bad, mut duty, mut over) = (0.0, 0.0, 100.0, 0);
    let mut outcome =
        Outcome { points: Vec::new(), watts: Vec::new(), limited_by: Vec::new(), stops: Vec::new(), gave_up: false };
    let cap = if let TuningMode::Power(power) = mode { power.watts() } else { limits.power.greatest.watts() };
    let hard = limits.sensors["asic"].hard.degrees();
    for poll in 0..hours * 3600 / POLL {
        let now = start + Duration::from_secs(60 + poll * POLL);
        let watts = plant.watts(at, limits);
        plant.pass(watts, duty, Duration::from_secs(POLL).as_secs_f64());
        let results = 5.0 * at.frequency.megahertz() / limits.frequency.default.megahertz();
        let errors = plant.errors(at, limits);
        (good, bad) = (good + results * (1.0 - errors), bad + results * errors);
        let measured = watts * plant.chance().mul_add(plant.noise, 1.0);
        let current = Amperes::from_amperes(measured / at.voltage.volts());
        let temperature = Celsius::from_degrees((plant.temperature * 8.0).round() / 8.0);
        let readings = Readings {
            answered: true,
            temperatures: limits.sensors.keys().map(|name| (name.clone(), Ok(temperature))).collect(),
            fan: limits.fan.as_ref().map(|_| FanReading { duty, rpm: Some(3000), write_failed: None }),
            regulator: Some(RegulatorReading {
                voltage: Some(at.voltage),
                current: Some(current),
                ..RegulatorReading::default()
            }),
            chips: 1,
            ..Readings::default()
        };
        let situation = Situation {
            powered: true,
            released_at: Some(start),
            hashing: true,
            resting: false,
            frequency: Some(at.frequency),
        };
        let verdict = guard.poll(&readings, &situation, now);
        // A hard limit ends the run at the poll that sees it.
        prop_assert_eq!(verdict.stop.is_some(), temperature.degrees() >= hard);
        duty = verdict.fan_duty.unwrap_or(duty);
        if let Some(stop) = verdict.stop {
            outcome.stops.push(stop);
            return Ok(outcome);
        }
        let reading = TunerReading {
            running: Some(at),
            verified: whole(good),
            errors: whole(bad),
            power: Some(Watts::from_watts(measured)),
            current: Some(current),
            headroom: verdict.headroom,
            ceiling: verdict.ceiling,
        };
        let step = tuner.poll(&reading, now);
        // Neither power nor current stays above its limit for a second poll, while there is a lower clock.
        let above = measured > cap || current > limits.current;
        over = if above && at.frequency > limits.frequency.least { over + 1 } else { 0 };
        prop_assert!(over <= 1, "{measured} W, {current} at {at:?} in poll {poll}");
        at = step.wanted;
        prop_assert!(limits.frequency.contains(at.frequency) && limits.voltage.contains(at.voltage), "{at:?}");
        outcome.points.push(at);
        outcome.watts.push(watts);
        outcome.limited_by = step.limited_by;
        if step.give_up.is_some() {
            outcome.gave_up = true;
            return Ok(outcome);
        }
    }
    Ok(outcome)
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a small count")]
fn whole(count: f64) -> u64 {
    count as u64
}

/// Times that the set point moved within the last part of a run.
fn moves(points: &[SetPoint], part: usize) -> usize {
    let late = &points[points.len() - points.len() / part..];
    late.windows(2).filter(|pair| pair[0] != pair[1]).count()
}

prop_compose! {
    fn plants(power: std::ops::Range<f64>, resistance: std::ops::Range<f64>)(
        power in power, resistance in resistance, constant in 0.02..0.2_f64, ambient in 5.0..35.0_f64,
        spare in -0.03..0.08_f64, noise in 0.0..0.01_f64, random: u64,
    ) -> Plant {
        Plant { power, constant, ambient, resistance, spare, noise, temperature: ambient, random }
    }
}

fn single_chip_modes() -> impl Strategy<Value = TuningMode> {
    prop_oneof![
        Just(TuningMode::Default),
        (400.0..625.0_f64, 1.0..1.25_f64).prop_map(|(clock, volts)| fixed(clock, volts)),
        (8.0..40.0_f64).prop_map(|watts| TuningMode::Power(Watts::from_watts(watts))),
        (0.85..1.27_f64).prop_map(|rate| TuningMode::HashRate(HashRate::from_terahashes_per_second(rate))),
    ]
}

fn stack_modes() -> impl Strategy<Value = TuningMode> {
    prop_oneof![
        Just(TuningMode::Default),
        (20.0..120.0_f64).prop_map(|watts| TuningMode::Power(Watts::from_watts(watts))),
        (1.3..3.6_f64).prop_map(|rate| TuningMode::HashRate(HashRate::from_terahashes_per_second(rate))),
    ]
}

fn holds(outcome: &Outcome, limits: &BoardLimits, mode: TuningMode) -> Result<(), TestCaseError> {
    if !outcome.stops.is_empty() || outcome.gave_up {
        return Ok(());
    }
    // It comes to rest: the last quarter of a day has a handful of tries, and the last sixteenth hardly any.
    prop_assert!(moves(&outcome.points, 4) <= 24, "{} moves in the last quarter", moves(&outcome.points, 4));
    prop_assert!(moves(&outcome.points, 16) <= 12, "{} moves in the last sixteenth", moves(&outcome.points, 16));
    let (at, watts) = (outcome.points[outcome.points.len() - 1], outcome.watts[outcome.watts.len() - 1]);
    match mode {
        TuningMode::Power(power) => {
            let near = watts > power.watts() * 0.92 || at.frequency <= limits.frequency.least;
            let why = outcome.limited_by.iter().any(|cause| cause != "power target");
            prop_assert!(near || why, "{watts} W of {power} at {at:?}: {:?}", outcome.limited_by);
        }
        TuningMode::HashRate(rate) => {
            let reached = limits.hash_rate_at(at.frequency).hashes_per_second() >= rate.hashes_per_second() * 0.999;
            prop_assert!(reached || !outcome.limited_by.is_empty(), "{at:?}");
        }
        TuningMode::Default => prop_assert!(at.frequency == limits.frequency.default || !outcome.limited_by.is_empty()),
        TuningMode::Fixed { frequency, .. } => {
            prop_assert!(at.frequency == frequency || !outcome.limited_by.is_empty());
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn lone_chip_comes_to_rest_within_its_limits(plant in plants(8.0..24.0, 0.8..2.5), mode in single_chip_modes()) {
        let limits = samples::single_chip();
        let outcome = run(plant, &limits, mode, 24)?;
        holds(&outcome, &limits, mode)?;
    }

    #[test]
    fn stack_comes_to_rest_within_its_limits(mut plant in plants(70.0..110.0, 0.1..0.5), mode in stack_modes()) {
        let limits = samples::stack();
        plant.resistance /= 2.0;
        let outcome = run(plant, &limits, mode, 24)?;
        holds(&outcome, &limits, mode)?;
    }
}

#[test]
fn ordinary_board_reaches_its_power_target() {
    let plant = Plant {
        power: 16.0,
        constant: 0.05,
        ambient: 22.0,
        resistance: 1.6,
        spare: 0.05,
        noise: 0.005,
        temperature: 22.0,
        random: 1,
    };
    let limits = samples::single_chip();
    let outcome = run(plant, &limits, TuningMode::Power(Watts::from_watts(15.0)), 4).unwrap();
    let watts = outcome.watts.last().unwrap();
    assert!((14.4..=15.0).contains(watts), "{watts}");
    assert_eq!(outcome.limited_by, ["power target"]);
}
