//! What is measured and set on boards: clock, voltage, current, power, temperature.

use super::quantity::{additive, quantity, saturate};
use serde::{Deserialize, Serialize};
use std::fmt;

/// A clock frequency. Serialised as megahertz.
#[derive(Clone, Copy, Default, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct Frequency(f64);

/// An electric potential. Serialised as volts.
#[derive(Clone, Copy, Default, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct Volts(f64);

/// An electric current. Serialised as amperes.
#[derive(Clone, Copy, Default, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct Amperes(f64);

/// Electric power. Serialised as watts.
#[derive(Clone, Copy, Default, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct Watts(f64);

/// A temperature in degrees Celsius; never NaN. Serialised as the number.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct Celsius(f64);

quantity!(Frequency, " MHz");
quantity!(Volts, " V");
quantity!(Amperes, " A");
quantity!(Watts, " W");
additive!(Watts);

impl Frequency {
    /// A frequency in megahertz; a negative one counts as zero.
    #[must_use]
    pub fn from_megahertz(megahertz: f64) -> Self {
        Self(saturate(megahertz))
    }

    /// In megahertz.
    #[must_use]
    pub fn megahertz(self) -> f64 {
        self.0
    }

    /// In hertz.
    #[must_use]
    pub fn hertz(self) -> f64 {
        self.0 * 1e6
    }
}

impl Volts {
    /// A voltage in volts; a negative one counts as zero.
    #[must_use]
    pub fn from_volts(volts: f64) -> Self {
        Self(saturate(volts))
    }

    /// A voltage in thousandths of a volt.
    #[must_use]
    pub fn from_millivolts(millivolts: u32) -> Self {
        Self(f64::from(millivolts) / 1e3)
    }

    /// In volts.
    #[must_use]
    pub fn volts(self) -> f64 {
        self.0
    }

    /// The power of a current at this voltage.
    #[must_use]
    pub fn times(self, current: Amperes) -> Watts {
        Watts(saturate(self.0 * current.0))
    }
}

impl Amperes {
    /// A current in amperes; a negative one counts as zero.
    #[must_use]
    pub fn from_amperes(amperes: f64) -> Self {
        Self(saturate(amperes))
    }

    /// In amperes.
    #[must_use]
    pub fn amperes(self) -> f64 {
        self.0
    }
}

impl Watts {
    /// A power in watts; a negative one counts as zero.
    #[must_use]
    pub fn from_watts(watts: f64) -> Self {
        Self(saturate(watts))
    }

    /// In watts.
    #[must_use]
    pub fn watts(self) -> f64 {
        self.0
    }
}

impl Celsius {
    /// A temperature in degrees Celsius. What is no number counts as the greatest there is, so that a broken calculation
    /// looks hot and not good.
    #[must_use]
    pub fn from_degrees(degrees: f64) -> Self {
        Self(if degrees.is_nan() { f64::MAX } else { degrees.clamp(-273.15, f64::MAX) })
    }

    /// In degrees Celsius.
    #[must_use]
    pub fn degrees(self) -> f64 {
        self.0
    }
}

impl TryFrom<f64> for Celsius {
    type Error = super::QuantityError;

    fn try_from(found: f64) -> Result<Self, Self::Error> {
        let fits = found.is_finite() && found >= -273.15;
        fits.then_some(Self(found)).ok_or(super::QuantityError { quantity: "Celsius", found })
    }
}

impl From<Celsius> for f64 {
    fn from(temperature: Celsius) -> f64 {
        temperature.0
    }
}

macro_rules! display {
    ($($type:ident $decimals:literal $unit:literal)*) => { $(
        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&format!(concat!("{:.", $decimals, "} ", $unit), self.0))
            }
        }
    )* };
}

display!(Frequency 2 "MHz" Volts 3 "V" Amperes 2 "A" Watts 1 "W" Celsius 1 "°C");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn broken_temperature_looks_hot() {
        assert!(Celsius::from_degrees(f64::NAN) > Celsius::from_degrees(1e9));
        assert!(Celsius::try_from(f64::NAN).is_err() && Celsius::try_from(-300.0).is_err());
        assert_eq!(Celsius::try_from(-5.0).map(Celsius::degrees), Ok(-5.0));
    }

    #[test]
    fn quantities_show_their_unit() {
        assert_eq!(Volts::from_millivolts(1150).to_string(), "1.150 V");
        assert_eq!(Frequency::from_megahertz(56.25).to_string(), "56.25 MHz");
        assert_eq!(Volts::from_volts(1.2).times(Amperes::from_amperes(10.0)).to_string(), "12.0 W");
        assert_eq!(Celsius::from_degrees(26.125).to_string(), "26.1 °C");
    }
}
