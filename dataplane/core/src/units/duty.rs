//! How much of its time a CPU thread hashes.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A duty cycle from 1 to 100 percent. There is no 0: a thread that must not hash is paused. Serialised as the number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u64", into = "u8")]
pub struct DutyPercent(u8);

/// A number that is no duty cycle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{found} % is no duty cycle; give a whole number from 1 to 100, or pause to stop hashing")]
pub struct DutyError {
    /// The refused number.
    pub found: u64,
}

impl DutyPercent {
    /// Hashing all the time.
    pub const FULL: Self = Self(100);

    /// The percentage, 1 to 100.
    #[must_use]
    pub fn get(self) -> u8 {
        self.0
    }

    /// The part of the time spent hashing, above 0 and up to 1.
    #[must_use]
    pub fn ratio(self) -> f64 {
        f64::from(self.0) / 100.0
    }
}

impl Default for DutyPercent {
    fn default() -> Self {
        Self::FULL
    }
}

impl TryFrom<u64> for DutyPercent {
    type Error = DutyError;

    fn try_from(found: u64) -> Result<Self, DutyError> {
        match u8::try_from(found) {
            Ok(percent @ 1..=100) => Ok(Self(percent)),
            _ => Err(DutyError { found }),
        }
    }
}

impl TryFrom<u8> for DutyPercent {
    type Error = DutyError;

    fn try_from(found: u8) -> Result<Self, DutyError> {
        Self::try_from(u64::from(found))
    }
}

impl From<DutyPercent> for u8 {
    fn from(duty: DutyPercent) -> u8 {
        duty.0
    }
}

impl fmt::Display for DutyPercent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{} %", self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::{DutyError, DutyPercent};

    #[test]
    fn duty_is_one_to_a_hundred_percent() {
        assert_eq!(DutyPercent::try_from(1_u8).map(DutyPercent::ratio), Ok(0.01));
        assert_eq!(DutyPercent::try_from(100_u8), Ok(DutyPercent::FULL));
        assert_eq!(DutyPercent::try_from(0_u8), Err(DutyError { found: 0 }));
        assert_eq!(DutyPercent::try_from(101_u8), Err(DutyError { found: 101 }));
        assert_eq!(DutyPercent::FULL.to_string(), "100 %");
    }

    #[test]
    fn duty_is_a_number_in_serde_and_names_its_range() {
        assert_eq!(serde_json::to_string(&DutyPercent::FULL).unwrap(), "100");
        assert_eq!(serde_json::from_str::<DutyPercent>("50").unwrap().get(), 50);
        for json in ["0", "101", "300", "18446744073709551615"] {
            let message = serde_json::from_str::<DutyPercent>(json).unwrap_err().to_string();
            assert!(message.contains("1 to 100"), "{message}");
        }
    }
}
