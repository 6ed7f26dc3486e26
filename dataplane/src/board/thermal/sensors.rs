//! Temperatures: which are known, which are missing for how long, how far they are from their limits.

use super::{
    IGNORED_AFTER_RESET, MOST_FAILED_POLLS,
    readings::{Readings, Situation},
    stop::StopReason,
};
use crate::board::limits::{BoardLimits, SensorLimits};
use mujina_core::units::Celsius;
use std::{collections::BTreeMap, time::Instant};

/// What a sensor of these boards can show. Below freezing is a cold start, above 120 °C a broken diode (boards.md 2.4).
const PLAUSIBLE: std::ops::RangeInclusive<f64> = -40.0..=120.0;

/// All temperatures of a board.
#[derive(Debug, Default)]
pub(super) struct Sensors(BTreeMap<String, Sensor>);

#[derive(Debug, Default)]
struct Sensor {
    /// Of the newest poll; `None` while it is unknown.
    temperature: Option<Celsius>,
    /// Polls in a row that should have read it and did not.
    misses: u32,
    /// What was wrong with the newest.
    problem: String,
}

impl Sensors {
    /// Takes the readings of a poll that was answered.
    pub(super) fn take(&mut self, readings: &Readings, situation: &Situation, limits: &BoardLimits, now: Instant) {
        self.0.retain(|name, _| limits.sensors.contains_key(name));
        for (name, of) in &limits.sensors {
            let sensor = self.0.entry(name.clone()).or_default();
            if !counts(of, situation, now) {
                *sensor = Sensor { problem: "cannot be read while the chips are off".to_owned(), ..Sensor::default() };
                continue;
            }
            match plausible(readings.temperatures.get(name)) {
                Ok(temperature) => {
                    *sensor = Sensor { temperature: Some(temperature), ..Sensor::default() };
                }
                Err(problem) => sensor.miss(problem),
            }
        }
    }

    /// A poll that was not answered: nothing is known. Supervision counts it.
    pub(super) fn nothing_read(&mut self) {
        for sensor in self.0.values_mut() {
            sensor.temperature = None;
            "the board did not answer".clone_into(&mut sensor.problem);
        }
    }

    pub(super) fn forget_misses(&mut self) {
        for sensor in self.0.values_mut() {
            sensor.misses = 0;
        }
    }

    /// Whether a temperature ends the run. Heat counts at once, also while the chips rest; a missing reading must last.
    pub(super) fn stop(&self, situation: &Situation, limits: &BoardLimits) -> Option<StopReason> {
        if !situation.powered {
            return None;
        }
        let hot = self.0.iter().find_map(|(name, sensor)| {
            let (temperature, limit) = (sensor.temperature?, limits.sensors.get(name)?.hard);
            (temperature >= limit).then(|| StopReason::Overheated { sensor: name.clone(), temperature, limit })
        });
        hot.or_else(|| {
            let (name, lost) = self.0.iter().find(|(_, sensor)| sensor.misses >= MOST_FAILED_POLLS)?;
            Some(StopReason::SensorLost { sensor: name.clone(), polls: lost.misses, problem: lost.problem.clone() })
        })
    }

    /// Degrees to the nearest soft limit; `None` while a temperature that must be known is not.
    pub(super) fn headroom(&self, situation: &Situation, limits: &BoardLimits) -> Option<f64> {
        let expected = limits.sensors.iter().filter(|(_, of)| situation.powered || of.readable_when_off);
        let distances = expected.map(|(name, of)| {
            let temperature = self.0.get(name).and_then(|sensor| sensor.temperature)?;
            Some(of.soft.degrees() - temperature.degrees())
        });
        distances.reduce(|least, next| Some(least?.min(next?))).flatten()
    }

    pub(super) fn temperature(&self, name: &str) -> Option<Celsius> {
        self.0.get(name).and_then(|sensor| sensor.temperature)
    }

    /// Whether a reading that should be there is missing now.
    pub(super) fn any_missing(&self) -> bool {
        self.0.values().any(|sensor| sensor.misses > 0)
    }

    pub(super) fn known(&self) -> BTreeMap<String, Celsius> {
        self.0.iter().filter_map(|(name, sensor)| Some((name.clone(), sensor.temperature?))).collect()
    }

    pub(super) fn problem(&self, name: &str) -> String {
        self.0.get(name).map_or_else(|| "not read yet".to_owned(), |sensor| sensor.problem.clone())
    }

    pub(super) fn warnings(&self) -> Vec<String> {
        let missing = self.0.iter().filter(|(_, sensor)| sensor.misses > 0);
        missing.map(|(name, sensor)| format!("no temperature of {name}: {}", sensor.problem)).collect()
    }
}

impl Sensor {
    fn miss(&mut self, problem: String) {
        self.temperature = None;
        self.misses = self.misses.saturating_add(1);
        self.problem = problem;
    }
}

/// Whether a sensor has to tell the truth now: some do only with power, and not just after reset.
fn counts(sensor: &SensorLimits, situation: &Situation, now: Instant) -> bool {
    sensor.readable_when_off
        || situation.powered
            && situation.released_at.is_some_and(|at| now.saturating_duration_since(at) >= IGNORED_AFTER_RESET)
}

fn plausible(reading: Option<&Result<Celsius, String>>) -> Result<Celsius, String> {
    let temperature = reading.ok_or("it was not read")?.clone()?;
    let is_plausible = PLAUSIBLE.contains(&temperature.degrees());
    is_plausible.then_some(temperature).ok_or_else(|| format!("{temperature} cannot be true"))
}
