//! What can be chosen about an emulated board.

use super::{BoardKind, ChipModel};
use mujina_core::units::{Celsius, HashRate};

/// How fast bytes move on the line between the controller and the chips.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Pacing {
    /// Ten bit times a byte, as on the real line.
    #[default]
    Line,
    /// At once.
    Immediate,
}

/// How an emulated board is made. [`Options::of`] has what a healthy one of its kind is like.
#[derive(Debug, Clone, PartialEq)]
pub struct Options {
    /// Leading zero bits that a hash must have before the ticket mask is looked at: 32 in silicon, 8 to 32 here. The nominal
    /// rate is scaled by 2^(gate - 32).
    pub gate_bits: u8,
    /// Seconds of heating and cooling in a real second: 60 makes a minute of each second. Nothing else is scaled.
    pub time_scale: f64,
    /// Temperature of the air.
    pub ambient: Celsius,
    /// Duty of an external fan from 0 to 1, on boards that have none of their own.
    pub cooling: f64,
    /// USB serial number.
    pub serial: String,
    /// Where it is plugged in.
    pub place: String,
    /// `bcdDevice`: an EmberOne whose firmware minor is 1 or more speaks protocol version 1.
    pub release: u16,
    /// What chance begins with.
    pub seed: u64,
    /// Another number of chips than the board has.
    pub chips: Option<u8>,
    /// Other chips than the board has.
    pub model: Option<ChipModel>,
    /// Most hashes per second over all chips; `None` is the scaled nominal rate. Less makes slow chips, not short hashes.
    pub hash_budget: Option<HashRate>,
    /// Line speed.
    pub pacing: Pacing,
}

impl Options {
    /// A healthy board of this kind at 25 °C.
    #[must_use]
    pub fn of(kind: BoardKind) -> Self {
        Self {
            gate_bits: 12,
            time_scale: 1.0,
            ambient: Celsius::from_degrees(25.0),
            cooling: 0.8,
            serial: "5eed0001".to_owned(),
            place: "simulated-1".to_owned(),
            release: kind.release(),
            seed: 1,
            chips: None,
            model: None,
            hash_budget: None,
            pacing: Pacing::Line,
        }
    }
}
