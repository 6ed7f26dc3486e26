//! How much hashing was done, as shares prove it.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::hash_rate::HashRate;
use super::prefix::three_digits;
use super::quantity::{additive, quantity, saturate};

/// Expected number of hashes: a finite number from zero up, serialised as that number. The sum over accepted shares
/// estimates the hashes done; rates are derived from it, never stored.
#[derive(Clone, Copy, Default, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct Work(f64);

quantity!(Work, " H");
additive!(Work);

impl Work {
    /// An expected number of hashes. A negative result of a calculation, or one that is no number, counts as zero.
    #[must_use]
    pub fn from_hashes(hashes: f64) -> Self {
        Self(saturate(hashes))
    }

    /// The expected number of hashes.
    #[must_use]
    pub fn hashes(self) -> f64 {
        self.0
    }

    /// The rate that does this work in `time`; none for no time at all.
    #[must_use]
    pub fn rate_over(self, time: Duration) -> Option<HashRate> {
        (!time.is_zero()).then(|| HashRate::from_hashes_per_second(self.0 / time.as_secs_f64()))
    }
}

impl fmt::Display for Work {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&three_digits(self.0, "H"))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{HashRate, Work};

    #[test]
    fn work_over_time_is_a_rate() {
        let mut work = Work::from_hashes(4e9);
        work += Work::from_hashes(2e9);
        assert_eq!(work.rate_over(Duration::from_secs(3)), Some(HashRate::from_hashes_per_second(2e9)));
        assert_eq!(work.rate_over(Duration::ZERO), None);
        assert_eq!(work.to_string(), "6.00 GH");
        assert_eq!(format!("{work:?}"), "Work(6000000000.0 H)");
    }

    #[test]
    fn work_is_a_plain_number_in_serde() {
        assert_eq!(serde_json::from_str::<Work>("2").unwrap(), Work::from_hashes(2.0));
        assert_eq!(serde_json::to_string(&Work::ZERO).unwrap(), "0.0");
    }
}
