//! Emulated boards that really hash: management controllers, chips and parts behind pseudo-terminals, in place of hardware.
//!
//! ```text
//!   driver ══ control tty ══ mcu ── part (I2C) ── physics        driver ══ data tty ══ line ── chain ── hasher
//! ```
//!
//! [`SimulatedBoard::start`] plugs a board in and [`SimulatedBoard::device`] is what discovery would have told of it. A
//! [`Remote`] plays faults, pulls the plug, and tells what happened: every frame and every I2C write with its time, what was
//! hashed, and what a correct board would not have accepted ([`Violation`]).
//!
//! Chips return only what a correct chip would return: they walk the nonce windows that their registers make, with real
//! headers, so that a wrong hash-counting number gives real duplicates. No CPU reaches the hard-wired 32 zero bits, so the
//! gate is a parameter ([`Options::gate_bits`]) and chips hash an evenly spread 2^(gate - 32) of what silicon would.
//!
//! Written from fact sheets on the BM13xx chips, the bitaxe-raw firmware, and the boards with their I2C parts. It shares no
//! code with the drivers, so that one misreading of a sheet cannot hide: where the two disagree, the sheet decides.

mod assembly;
mod cable;
pub mod chain;
mod chip;
mod crc;
mod fault;
mod frame;
mod hasher;
mod job;
mod kind;
mod mcu;
mod options;
mod part;
mod physics;
mod pll;
mod protocol;
mod record;
mod registers;
mod remote;
mod silicon;
mod sweep;
mod worker;

#[cfg(test)]
mod tests;

pub use self::{
    cable::SimulatedBoard,
    chain::{Chain, Supply},
    fault::{Fault, RegulatorFault},
    kind::{BoardKind, UnknownBoard},
    options::{Options, Pacing},
    record::{ChipStatistics, Event, PhysicsReport, Record, Statistics, Violation, ViolationRecord},
    remote::Remote,
    silicon::ChipModel,
};
