//! What a board may do: the limits of its model, how an owner may tighten them, and why others are refused. Pure.
//!
//! The figures of each model stand in the table of known boards. Nothing here can remove a limit or raise one above the
//! model's: the only way to other limits is [`BoardLimits::tightened`].

mod constraints;
mod refusal;
#[cfg(test)]
pub(crate) mod samples;
#[cfg(test)]
mod tests;

pub use refusal::LimitRefusal;

use crate::board::power::{Curve, Ramp};
use mujina_core::{
    board::BoardTuning,
    units::{Amperes, Celsius, Frequency, HashRate, Volts, Watts},
};
use std::collections::BTreeMap;

/// Distance that a soft limit keeps below the hard limit of its sensor, so that the clock can come down before the board
/// has to stop.
pub const SOFT_BELOW_HARD: f64 = 5.0;

/// The smallest distance between what the fan aims at and the soft limit of the sensor that it aims by.
pub const FAN_TARGET_BELOW_SOFT: f64 = 5.0;

/// A number that may be chosen, and what it is when nobody chooses.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Range<T> {
    /// Least allowed.
    pub least: T,
    /// Greatest allowed.
    pub greatest: T,
    /// What the model uses.
    pub default: T,
}

impl<T: PartialOrd + Copy> Range<T> {
    /// Whether a value may be chosen.
    #[must_use]
    pub fn contains(&self, value: T) -> bool {
        self.least <= value && value <= self.greatest
    }

    /// The nearest value that may be chosen.
    #[must_use]
    pub fn clamp(&self, value: T) -> T {
        if value < self.least {
            self.least
        } else if value > self.greatest {
            self.greatest
        } else {
            value
        }
    }
}

/// Limits of one temperature.
#[derive(Debug, Clone, PartialEq)]
pub struct SensorLimits {
    /// From here on the clock goes down.
    pub soft: Celsius,
    /// From here on the board stops.
    pub hard: Celsius,
    /// Whether it tells the truth while the core supply is off; the diode of a chip without power does not.
    pub readable_when_off: bool,
    /// Why these limits.
    pub reason: &'static str,
}

/// The fan of a board that drives one.
#[derive(Debug, Clone, PartialEq)]
pub struct FanLimits {
    /// Sensor whose temperature it holds.
    pub sensor: String,
    /// Temperature that it aims at.
    pub target: Range<Celsius>,
    /// Least duty while there is power, in percent.
    pub least_duty: f64,
}

/// What a board may do, and what it does when nobody asks for anything else.
#[derive(Debug, Clone, PartialEq)]
pub struct BoardLimits {
    /// Temperatures, by the name of their sensor. Each of them must be readable while the chips run.
    pub sensors: BTreeMap<String, SensorLimits>,
    /// Its fan; `None` where cooling comes from elsewhere and cannot be seen.
    pub fan: Option<FanLimits>,
    /// Clock that may be wanted. Heat and errors bring it down to the least of it, and no further.
    pub frequency: Range<Frequency>,
    /// Core voltage that may be wanted; over the whole stack where chips are in series.
    pub voltage: Range<Volts>,
    /// Power that may be wanted. The greatest is also a limit of its own, whatever is wanted.
    pub power: Range<Watts>,
    /// Core current from which on the clock goes down.
    pub current: Amperes,
    /// Input voltage below which the supply is too weak.
    pub least_input: Volts,
    /// Voltage that a clock needs.
    pub curve: Curve,
    /// How far below the curve the tuner may look for less power; zero where that is a danger.
    pub undervolt: Volts,
    /// How clock and voltage move.
    pub ramp: Ramp,
    /// Rate of the whole board for each megahertz, as its chips are built (scaled for emulated chips).
    pub hash_rate_per_megahertz: HashRate,
    /// Whether the chips share one current, so that one that stops puts its voltage on the others.
    pub series: bool,
}

impl BoardLimits {
    /// These limits, tightened as an owner wants them. What is wanted of clock, voltage, power and rate is checked too.
    ///
    /// # Errors
    /// All that cannot be granted, each with the range that could be.
    pub fn tightened(&self, tuning: &BoardTuning) -> Result<Self, Vec<LimitRefusal>> {
        let (limits, refusals) = self.tightened_where_granted(tuning);
        if refusals.is_empty() { Ok(limits) } else { Err(refusals) }
    }

    /// These limits, tightened by each wish that can be granted by itself; and why the others cannot.
    #[must_use]
    pub fn tightened_where_granted(&self, tuning: &BoardTuning) -> (Self, Vec<LimitRefusal>) {
        let BoardTuning { mode, soft_limits, hard_limits, fan_target } = tuning;
        let mut refusals = self.refusals_of_mode(*mode);
        let mut limits = self.clone();
        for (name, &hard) in hard_limits {
            refusals.extend(limits.tighten_hard(name, hard).err());
        }
        for (name, &soft) in soft_limits {
            refusals.extend(limits.tighten_soft(name, soft).err());
        }
        if let Some(target) = *fan_target {
            refusals.extend(limits.aim_fan(target).err());
        }
        limits.keep_fan_below_soft();
        (limits, refusals)
    }

    /// Of these limits and `others` of the same model, the tighter of each.
    #[must_use]
    pub fn tightest(&self, others: &Self) -> Self {
        let mut limits = self.clone();
        for (name, sensor) in &mut limits.sensors {
            if let Some(other) = others.sensors.get(name) {
                sensor.soft = least_of(sensor.soft, other.soft);
                sensor.hard = least_of(sensor.hard, other.hard);
            }
        }
        if let (Some(fan), Some(other)) = (&mut limits.fan, &others.fan) {
            fan.target.default = least_of(fan.target.default, other.target.default);
        }
        limits
    }

    /// What differs from `model`, for a person; empty when nothing does.
    pub(crate) fn tightened_in_words(&self, model: &Self) -> String {
        let sensors = self.sensors.iter().filter_map(|(name, sensor)| {
            let is_tighter = model.sensors.get(name).is_none_or(|of| (of.soft, of.hard) != (sensor.soft, sensor.hard));
            is_tighter.then(|| format!("{name} soft {}, hard {}", sensor.soft, sensor.hard))
        });
        let target = |limits: &Self| limits.fan.as_ref().map(|fan| fan.target.default);
        let fan = target(self).filter(|at| Some(*at) != target(model)).map(|at| format!("fan target {at}"));
        sensors.chain(fan).collect::<Vec<_>>().join("; ")
    }

    fn tighten_hard(&mut self, name: &str, hard: Celsius) -> Result<(), LimitRefusal> {
        let sensor = self.sensor_mut(name)?;
        let allowed = hard_range(sensor);
        if !allowed.contains(hard) {
            return Err(LimitRefusal::hard(name, hard, allowed, sensor.reason));
        }
        sensor.hard = hard;
        // A hard limit that was brought down takes the soft one with it.
        sensor.soft = least_of(sensor.soft, below(hard, SOFT_BELOW_HARD));
        Ok(())
    }

    fn tighten_soft(&mut self, name: &str, soft: Celsius) -> Result<(), LimitRefusal> {
        let sensor = self.sensor_mut(name)?;
        let allowed = soft_range(sensor);
        if !allowed.contains(soft) {
            return Err(LimitRefusal::soft(name, soft, allowed, sensor.reason));
        }
        sensor.soft = soft;
        Ok(())
    }

    fn aim_fan(&mut self, target: Celsius) -> Result<(), LimitRefusal> {
        let fan = self.fan.as_mut().ok_or(LimitRefusal::NoFan)?;
        if !fan.target.contains(target) {
            return Err(LimitRefusal::fan_target(target, fan.target));
        }
        fan.target.default = target;
        Ok(())
    }

    /// A soft limit below what the fan aims at would hold the clock down while the fan idles.
    fn keep_fan_below_soft(&mut self) {
        let Some(fan) = self.fan.as_mut() else { return };
        let Some(sensor) = self.sensors.get(&fan.sensor) else { return };
        fan.target.default = least_of(fan.target.default, below(sensor.soft, FAN_TARGET_BELOW_SOFT));
    }

    fn sensor_mut(&mut self, name: &str) -> Result<&mut SensorLimits, LimitRefusal> {
        let known = self.sensors.keys().cloned().collect();
        self.sensors.get_mut(name).ok_or_else(|| LimitRefusal::NoSuchSensor { sensor: name.to_owned(), known })
    }

    /// The rate at a clock.
    #[must_use]
    pub fn hash_rate_at(&self, frequency: Frequency) -> HashRate {
        self.hash_rate_per_megahertz.scaled(frequency.megahertz())
    }
}

/// Below this no limit of a temperature can be asked for: a room in summer would stop the board.
const LEAST_SOFT: f64 = 40.0;

fn soft_range(sensor: &SensorLimits) -> Range<Celsius> {
    Range { least: Celsius::from_degrees(LEAST_SOFT), greatest: sensor.soft, default: sensor.soft }
}

fn hard_range(sensor: &SensorLimits) -> Range<Celsius> {
    let least = Celsius::from_degrees(LEAST_SOFT + SOFT_BELOW_HARD);
    Range { least, greatest: sensor.hard, default: sensor.hard }
}

fn below(temperature: Celsius, degrees: f64) -> Celsius {
    Celsius::from_degrees(temperature.degrees() - degrees)
}

fn least_of(a: Celsius, b: Celsius) -> Celsius {
    if b < a { b } else { a }
}
