//! How fast something hashes.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::prefix::three_digits;
use super::quantity::{additive, quantity, saturate};
use super::work::Work;

/// Hashes per second: a finite number from zero up. Serialised as that number.
#[derive(Clone, Copy, Default, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct HashRate(f64);

quantity!(HashRate, " H/s");
additive!(HashRate);

impl HashRate {
    /// A rate in hashes per second. A negative result of a calculation, or one that is no number, counts as zero; use
    /// `try_from` to refuse such a number from outside.
    #[must_use]
    pub fn from_hashes_per_second(hashes: f64) -> Self {
        Self(saturate(hashes))
    }

    /// A rate in millions of hashes per second.
    #[must_use]
    pub fn from_megahashes_per_second(megahashes: f64) -> Self {
        Self(saturate(megahashes * 1e6))
    }

    /// A rate in millions of millions of hashes per second.
    #[must_use]
    pub fn from_terahashes_per_second(terahashes: f64) -> Self {
        Self(saturate(terahashes * 1e12))
    }

    /// The rate in hashes per second.
    #[must_use]
    pub fn hashes_per_second(self) -> f64 {
        self.0
    }

    /// This rate times `ratio`, as for a duty cycle or a share of the whole. A negative ratio gives zero.
    #[must_use]
    pub fn scaled(self, ratio: f64) -> Self {
        Self(saturate(self.0 * ratio))
    }

    /// The work done at this rate in a time.
    #[must_use]
    pub fn work_over(self, time: Duration) -> Work {
        Work::from_hashes(self.0 * time.as_secs_f64())
    }
}

impl fmt::Display for HashRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&three_digits(self.0, "H/s"))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::{HashRate, Work};

    #[test]
    fn rate_is_shown_with_prefix_and_unit() {
        assert_eq!(HashRate::from_megahashes_per_second(25.7).to_string(), "25.7 MH/s");
        assert_eq!(HashRate::from_terahashes_per_second(1.2).to_string(), "1.20 TH/s");
        assert_eq!(HashRate::ZERO.to_string(), "0 H/s");
        assert_eq!(format!("{:>12}|", HashRate::ZERO), "       0 H/s|");
        assert_eq!(format!("{:?}", HashRate::from_hashes_per_second(1.5)), "HashRate(1.5 H/s)");
    }

    #[test]
    fn rates_add_up_and_scale() {
        let rates = [1.0, 2.5, 0.5].map(HashRate::from_megahashes_per_second);
        let total: HashRate = rates.into_iter().sum();
        assert_eq!(total, HashRate::from_hashes_per_second(4e6));
        assert_eq!(total.scaled(0.5), HashRate::from_hashes_per_second(2e6));
        assert_eq!(total.scaled(-1.0), HashRate::ZERO);
        assert_eq!(total.work_over(Duration::from_millis(250)), Work::from_hashes(1e6));
    }

    #[test]
    fn rate_is_a_plain_number_in_serde() {
        let rate = HashRate::from_hashes_per_second(1.25e6);
        assert_eq!(serde_json::to_string(&rate).unwrap(), "1250000.0");
        assert_eq!(serde_json::from_str::<HashRate>("1250000").unwrap(), rate);
        let message = serde_json::from_str::<HashRate>("-1").unwrap_err().to_string();
        assert!(message.starts_with("HashRate cannot be -1; give"), "{message}");
    }

    proptest! {
        #[test]
        fn rate_is_finite_and_not_negative(a in any::<f64>(), b in any::<f64>(), ratio in any::<f64>()) {
            let rate = (HashRate::from_hashes_per_second(a) + HashRate::from_terahashes_per_second(b)).scaled(ratio);
            prop_assert!(HashRate::try_from(rate.hashes_per_second()) == Ok(rate), "{rate:?}");
            prop_assert!(rate.hashes_per_second().is_sign_positive());
        }
    }
}
