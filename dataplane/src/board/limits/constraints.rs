//! What may be asked of a board, with reasons, for people and their tools.

use super::{BoardLimits, Range, hard_range, soft_range};
use mujina_core::{
    board::{BoardConstraints, Constraint},
    units::HashRate,
};

pub(super) const FREQUENCY: &str = "clocks that the chips of this model are known to run at";
pub(super) const VOLTAGE: &str = "what the core regulator of this model is set up for and its chips bear";
pub(super) const POWER: &str = "what the supply, the regulator and the cooling of this model are built for";
pub(super) const FAN_TARGET: &str = "the fan must aim well below the soft limit of its sensor";

impl BoardLimits {
    /// What may be asked. Soft and hard limits are shown as they are now: each can be tightened from there.
    #[must_use]
    pub fn constraints(&self) -> BoardConstraints {
        let rates = self.hash_rates();
        let mut found = vec![
            constraint("frequency_mhz", self.frequency, FREQUENCY),
            constraint("voltage_volts", self.voltage, VOLTAGE),
            constraint("power_watts", self.power, POWER),
            constraint("hash_rate_hps", rates, FREQUENCY),
        ];
        for (name, sensor) in &self.sensors {
            found.push(constraint(format!("soft_limit_celsius[{name}]"), soft_range(sensor), sensor.reason));
            found.push(constraint(format!("hard_limit_celsius[{name}]"), hard_range(sensor), sensor.reason));
        }
        found.extend(self.fan.as_ref().map(|fan| constraint("fan_target_celsius", fan.target, FAN_TARGET)));
        BoardConstraints(found)
    }

    pub(super) fn hash_rates(&self) -> Range<HashRate> {
        let Range { least, greatest, default } = self.frequency;
        Range {
            least: self.hash_rate_at(least),
            greatest: self.hash_rate_at(greatest),
            default: self.hash_rate_at(default),
        }
    }
}

fn constraint<T: Into<f64>>(name: impl Into<String>, range: Range<T>, reason: &str) -> Constraint {
    let Range { least, greatest, default } = range;
    Constraint {
        name: name.into(),
        least: least.into(),
        greatest: greatest.into(),
        default: default.into(),
        reason: reason.to_owned(),
    }
}
