//! Emulated boards that are configured beside the real ones.

use super::read::Given;
use crate::simulate::{BoardKind, Options, UnknownBoard};

/// Most boards: each has threads of its own, and chips that really hash.
const MOST_BOARDS: usize = 16;
/// Slowest and fastest heating: beyond, a poll sees nothing happen, or everything at once.
const TIME_SCALES: (f64, f64) = (0.1, 1000.0);

/// Emulated boards. They speak the real protocols and really hash, scaled down to what a processor can do.
#[derive(Debug, Clone, PartialEq)]
pub struct Simulate {
    /// Which, in the order in which they are plugged in; none by default.
    pub boards: Vec<BoardKind>,
    /// Leading zero bits of a result, 8 to 32: rates are 2^(this - 32) of what silicon would reach.
    pub gate_bits: u8,
    /// Seconds of heating and cooling in a real second.
    pub time_scale: f64,
}

impl Default for Simulate {
    fn default() -> Self {
        // What an emulated board is like by itself.
        let Options { gate_bits, time_scale, .. } = Options::of(BoardKind::BitaxeGamma);
        Self { boards: Vec::new(), gate_bits, time_scale }
    }
}

impl Simulate {
    /// Each board with how it is made. Boards of one kind are told apart by their place and their serial number, and what is
    /// learnt of one is not taken for another's.
    #[must_use]
    pub fn plugged(&self) -> Vec<(BoardKind, Options)> {
        let numbered = self.boards.iter().zip(1_u64..);
        let plugged = numbered.map(|(&kind, number)| {
            let options = Options {
                gate_bits: self.gate_bits,
                time_scale: self.time_scale,
                serial: format!("5eed{number:04x}"),
                place: format!("simulated-{number}"),
                seed: number,
                ..Options::of(kind)
            };
            (kind, options)
        });
        plugged.collect()
    }
}

/// A list of names, or one text with commas between them.
pub(super) fn boards(given: &Given) -> Result<Vec<BoardKind>, String> {
    let names = given.texts()?;
    if names.len() > MOST_BOARDS {
        return Err(format!("names {} boards; use at most {MOST_BOARDS}", names.len()));
    }
    names.iter().map(|name| name.parse().map_err(|unknown: UnknownBoard| unknown.to_string())).collect()
}

pub(super) fn gate_bits(given: &Given) -> Result<u8, String> {
    match given.number()? {
        bits @ 8..=32 => Ok(u8::try_from(bits).unwrap_or(u8::MAX)),
        bits => Err(format!("is {bits}; use 8 to 32, of which 32 is what real chips have and no processor reaches")),
    }
}

pub(super) fn time_scale(given: &Given) -> Result<f64, String> {
    let (least, most) = TIME_SCALES;
    let scale = given.real()?;
    if (least..=most).contains(&scale) { Ok(scale) } else { Err(format!("is {scale}; use {least} to {most}")) }
}
