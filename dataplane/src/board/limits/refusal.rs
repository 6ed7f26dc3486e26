//! Why something is not granted, with the range that would be.

use super::{BoardLimits, Range};
use mujina_core::{board::TuningMode, units::Celsius};
use std::fmt::Display;

/// Why a part of a tuning is not granted.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum LimitRefusal {
    /// Not within what the model allows.
    #[error("{name} cannot be {asked}; choose {least} to {greatest}: {reason}")]
    OutOfRange {
        /// What was asked for, as constraints name it.
        name: String,
        /// The number that was asked for, with its unit.
        asked: String,
        /// Least allowed.
        least: String,
        /// Greatest allowed.
        greatest: String,
        /// Why.
        reason: String,
    },
    /// No such temperature.
    #[error("there is no sensor `{sensor}`; this board has {}", .known.join(", "))]
    NoSuchSensor {
        /// What was named.
        sensor: String,
        /// Those there are.
        known: Vec<String>,
    },
    /// The fan is not the board's.
    #[error("this board drives no fan; leave out `fan_target` and cool it from outside")]
    NoFan,
}

impl LimitRefusal {
    /// All of them, for a person.
    #[must_use]
    pub fn in_words(refusals: &[Self]) -> String {
        refusals.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
    }

    fn out_of_range<T: Display>(name: impl Into<String>, asked: T, range: &Range<T>, reason: &str) -> Self {
        Self::OutOfRange {
            name: name.into(),
            asked: asked.to_string(),
            least: range.least.to_string(),
            greatest: range.greatest.to_string(),
            reason: reason.to_owned(),
        }
    }

    pub(super) fn soft(sensor: &str, asked: Celsius, allowed: Range<Celsius>, reason: &str) -> Self {
        let reason = format!("{reason}; a soft limit can be tightened, not loosened, and stays below the hard limit");
        Self::out_of_range(format!("soft_limit_celsius[{sensor}]"), asked, &allowed, &reason)
    }

    pub(super) fn hard(sensor: &str, asked: Celsius, allowed: Range<Celsius>, reason: &str) -> Self {
        let reason = format!("{reason}; a hard limit can be tightened, not loosened");
        Self::out_of_range(format!("hard_limit_celsius[{sensor}]"), asked, &allowed, &reason)
    }

    pub(super) fn fan_target(asked: Celsius, allowed: Range<Celsius>) -> Self {
        Self::out_of_range("fan_target_celsius", asked, &allowed, super::constraints::FAN_TARGET)
    }
}

impl BoardLimits {
    /// What of a mode is not granted.
    pub(super) fn refusals_of_mode(&self, mode: TuningMode) -> Vec<LimitRefusal> {
        use super::constraints::{FREQUENCY, POWER, VOLTAGE};
        let mut refusals = Vec::new();
        match mode {
            TuningMode::Default => {}
            TuningMode::Fixed { frequency, voltage } => {
                if !self.frequency.contains(frequency) {
                    refusals.push(LimitRefusal::out_of_range("frequency_mhz", frequency, &self.frequency, FREQUENCY));
                }
                if !self.voltage.contains(voltage) {
                    refusals.push(LimitRefusal::out_of_range("voltage_volts", voltage, &self.voltage, VOLTAGE));
                } else if self.frequency.contains(frequency) {
                    refusals.extend(self.refusal_of_pair(frequency, voltage));
                }
            }
            TuningMode::Power(power) => {
                if !self.power.contains(power) {
                    refusals.push(LimitRefusal::out_of_range("power_watts", power, &self.power, POWER));
                }
            }
            TuningMode::HashRate(rate) => {
                let allowed = self.hash_rates();
                if !allowed.contains(rate) {
                    refusals.push(LimitRefusal::out_of_range("hash_rate_hps", rate, &allowed, FREQUENCY));
                }
            }
        }
        refusals
    }

    /// Chips in series that get too little voltage for their clock may stop, and put it on their neighbours.
    fn refusal_of_pair(
        &self,
        frequency: mujina_core::units::Frequency,
        voltage: mujina_core::units::Volts,
    ) -> Option<LimitRefusal> {
        let least = self.curve.at(frequency);
        let allowed = Range { least, greatest: self.voltage.greatest, default: least };
        let too_low = self.series && voltage < least;
        let reason =
            "chips in series must have the voltage that their clock needs, or one that stops endangers the others";
        too_low.then(|| LimitRefusal::out_of_range("voltage_volts", voltage, &allowed, reason))
    }
}
