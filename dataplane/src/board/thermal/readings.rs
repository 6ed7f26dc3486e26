//! What one poll of a board read, and in what situation.

use mujina_core::units::{Amperes, Celsius, Frequency, Volts};
use std::{collections::BTreeMap, time::Instant};

/// What one poll read. What could not be read is absent or says why; it is never filled in.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Readings {
    /// Whether the management controller answered at all.
    pub answered: bool,
    /// Why it did not; empty when it did.
    pub problem: String,
    /// Temperatures by the name of their sensor, as the limits name them; or why there is none.
    pub temperatures: BTreeMap<String, Result<Celsius, String>>,
    /// The fan; `None` for a board without one.
    pub fan: Option<FanReading>,
    /// The core regulator; `None` when it could not be read.
    pub regulator: Option<RegulatorReading>,
    /// Chips of the board.
    pub chips: u32,
    /// Those of them that have gone silent, as the chain tells.
    pub lost_chips: u32,
}

/// A fan.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct FanReading {
    /// What it was told, in percent.
    pub duty: f64,
    /// Turns per minute; `None` when that could not be read.
    pub rpm: Option<u32>,
    /// Why it could not be told the duty that was wanted.
    pub write_failed: Option<String>,
}

/// A core regulator.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RegulatorReading {
    /// STATUS_WORD; zero for a regulator that has none.
    pub status_word: u16,
    /// Output voltage.
    pub voltage: Option<Volts>,
    /// Output current.
    pub current: Option<Amperes>,
    /// Input voltage.
    pub input: Option<Volts>,
}

/// What the board is doing, as its task knows it.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Situation {
    /// Whether the core supply was turned on and confirmed.
    pub powered: bool,
    /// When the reset of the chips was released; `None` while it is held.
    pub released_at: Option<Instant>,
    /// Whether the chips are set up and their clock may be changed.
    pub hashing: bool,
    /// Whether it rests because the miner is paused or has no pool.
    pub resting: bool,
    /// Clock that the chips run at.
    pub frequency: Option<Frequency>,
}
