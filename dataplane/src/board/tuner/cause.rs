//! What keeps a board from more speed, in words.

use serde::{Deserialize, Serialize};
use std::fmt;

/// What keeps a board from more speed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// A temperature is near or above its soft limit, or unknown.
    Temperature,
    /// The power that is wanted is reached.
    PowerTarget,
    /// The greatest power of the model is reached.
    PowerLimit,
    /// A power is wanted and none can be measured.
    PowerUnknown,
    /// The core regulator is near the current it is built for.
    Current,
    /// Too many results are wrong.
    HardwareErrors,
    /// It is as fast as its model may be.
    GreatestFrequency,
    /// It is as slow as its model may be, and that is still too much.
    LeastFrequency,
    /// Less voltage was tried and made errors. Keeps from less voltage, not from more speed.
    Undervolt,
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Temperature => "temperature",
            Self::PowerTarget => "power target",
            Self::PowerLimit => "power limit of the model",
            Self::PowerUnknown => "power cannot be measured",
            Self::Current => "regulator current",
            Self::HardwareErrors => "hardware errors",
            Self::GreatestFrequency => "greatest clock of the model",
            Self::LeastFrequency => "least clock of the model",
            Self::Undervolt => "least voltage",
        })
    }
}
