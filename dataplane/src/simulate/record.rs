//! What a board remembers for tests: what was done to it, what it did, and what it should not have been sent.

use mujina_core::units::{Amperes, Celsius, Frequency, Volts, Watts};
use std::{
    collections::VecDeque,
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

/// Records that are kept; the oldest go first. About ten minutes of a busy board.
const RECORDS: usize = 65_536;
/// Violations that are kept: the first ones, because others follow from them.
const VIOLATIONS: usize = 1024;

/// Something that was done to the board.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Since the board was plugged in first.
    pub at: Duration,
    /// What.
    pub event: Event,
}

/// What was done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// An I2C write; a read begins with one that has the register only.
    I2cWrite {
        /// Seven bits.
        address: u8,
        /// Register and data.
        bytes: Vec<u8>,
    },
    /// The I2C clock was set, in hertz.
    I2cFrequency(u32),
    /// An output was driven.
    Gpio {
        /// Line as the firmware counts.
        line: u8,
        /// Level.
        high: bool,
    },
    /// The LED was set: red, green, blue.
    Led([u8; 3]),
    /// A frame reached the chips whole: all of its bytes.
    Frame(Vec<u8>),
    /// Core power came or went.
    CorePower(bool),
    /// The chips came out of reset with power, or stopped.
    Running(bool),
    /// The board was plugged in or out.
    Plugged(bool),
}

/// Something that a correct board would not have accepted, or that breaks an order of the sheets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ViolationRecord {
    /// Since the board was plugged in first.
    pub at: Duration,
    /// What.
    pub violation: Violation,
    /// The bytes in question.
    pub bytes: Vec<u8>,
}

/// Which rule was broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Violation {
    /// Bytes for the chips that are no frame.
    #[error("bytes for the chips that belong to no frame")]
    NoFrame,
    /// A frame whose checksum is wrong.
    #[error("a frame with a bad checksum")]
    BadChecksum,
    /// A frame with a header that no chip knows.
    #[error("a frame with an unknown header")]
    UnknownHeader,
    /// A frame whose length byte does not fit its header.
    #[error("a frame with a wrong length")]
    BadLength,
    /// The host's speed is more than 5 % off that of the chips.
    #[error("bytes at another speed than that of the chips")]
    BaudMismatch,
    /// Bytes for chips without power or in reset.
    #[error("bytes for chips that do not run")]
    ChipsOff,
    /// A register that the chip does not have.
    #[error("a register that the chip does not have")]
    UnknownRegister,
    /// A read-only register was written.
    #[error("a write to a register that can only be read")]
    ReadOnly,
    /// An address was set without `chain inactive` before.
    #[error("an address before `chain inactive`")]
    AddressBeforeInactive,
    /// An odd address: bit 0 is not part of the nonce, so neighbours overlap.
    #[error("an odd chip address")]
    OddAddress,
    /// One chip was addressed before all of them had addresses.
    #[error("a directed frame before all chips have addresses")]
    DirectedBeforeAddressed,
    /// Core reset, reporting, clock and enable words came out of order.
    #[error("cores enabled before their clock and reset words")]
    CoresBeforeClock,
    /// MISC_CONTROL without a reset control write before it, or with other low bits than C100.
    #[error("a MISC_CONTROL value that clobbers reserved bits")]
    MiscControl,
    /// A clock generator setting outside the ranges of the chip.
    #[error("a clock setting outside the chip's ranges")]
    PllRange,
    /// A ticket mask that is no contiguous, bit-reversed mask.
    #[error("a ticket mask with holes")]
    TicketMask,
    /// A job before cores were enabled and clocked.
    #[error("a job for chips that cannot hash")]
    JobTooEarly,
    /// Reserved bits of the job byte were set.
    #[error("a job id with reserved bits")]
    JobId,
    /// The base version has bits in the rolled area.
    #[error("a base version with bits inside the version mask")]
    VersionInMask,
    /// A job with another number of midstates than 1 or 4.
    #[error("a number of midstates that is neither 1 nor 4")]
    Midstates,
    /// A control request shorter than its own header.
    #[error("a control request that says less than 5 bytes")]
    ShortRequest,
    /// A request before the one before was answered.
    #[error("a control request on top of another")]
    Pipelined,
    /// A request that did not come in one go.
    #[error("a control request in pieces, discarded after 4 ms")]
    Discarded,
    /// A request that the firmware cannot parse.
    #[error("a control request that the firmware does not know")]
    UnknownRequest,
    /// A reply of more than a USB packet was asked for.
    #[error("an I2C read whose reply exceeds a packet")]
    LongReply,
    /// A read whose reply cannot be told from an error in protocol version 0.
    #[error("an I2C read whose reply has the length of an error")]
    AmbiguousReply,
    /// An I2C address where nothing is.
    #[error("an I2C address where nothing answers")]
    NoPart,
    /// A register or command that the part does not have.
    #[error("a command that the part does not have")]
    UnknownCommand,
    /// STORE_USER_ALL may destroy the regulator.
    #[error("the regulator was told to store its settings")]
    StoreAll,
    /// A core voltage outside the regulator's own limits.
    #[error("a voltage outside the limits set before")]
    VoltageRefused,
    /// A core voltage that the chips do not survive.
    #[error("a core voltage above what the chips bear")]
    OverVoltage,
    /// Reset was released without core voltage.
    #[error("reset released without core voltage")]
    ResetBeforePower,
    /// Core power was switched on with reset released.
    #[error("core power on with reset released")]
    PowerBeforeReset,
    /// Core power was cut while the chips ran.
    #[error("core power cut while the chips ran")]
    PowerCutWhileRunning,
}

/// What the chips did since the board was plugged in first.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Statistics {
    /// For each chip, in chain order.
    pub chips: Vec<ChipStatistics>,
    /// Nonces whose hash was returned before.
    pub duplicates: u64,
    /// Nonces that were wrong, because of a fault or too little voltage.
    pub wrong: u64,
    /// Hashes that were due and not made because this machine was too slow.
    pub missed: f64,
    /// Nonces that were lost because nobody read the data port.
    pub overrun: u64,
}

/// One chip's part.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ChipStatistics {
    /// Headers hashed.
    pub hashes: u64,
    /// Nonces returned.
    pub hits: u64,
    /// Jobs taken.
    pub jobs: u64,
    /// Address now.
    pub address: u8,
}

impl Statistics {
    /// Over all chips.
    #[must_use]
    pub fn hashes(&self) -> u64 {
        self.chips.iter().map(|chip| chip.hashes).sum()
    }

    /// Over all chips.
    #[must_use]
    pub fn hits(&self) -> u64 {
        self.chips.iter().map(|chip| chip.hits).sum()
    }
}

/// The board's state as an instrument would measure it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PhysicsReport {
    /// Hottest chip.
    pub chip: Celsius,
    /// Regulator.
    pub regulator: Celsius,
    /// Input.
    pub input: Volts,
    /// Output of the regulator.
    pub core: Volts,
    /// Current of the core.
    pub current: Amperes,
    /// Power of the core.
    pub power: Watts,
    /// Fan.
    pub rpm: f64,
    /// Duty of the fan from 0 to 1.
    pub fan_duty: f64,
    /// Clock of the first chip.
    pub clock: Frequency,
    /// Whether the chips have power and are out of reset.
    pub running: bool,
    /// Whether they hang until reset.
    pub hung: bool,
}

/// Where the parts of a board write down what happens.
#[derive(Debug, Clone)]
pub(super) struct Log {
    began: Instant,
    pages: Arc<Mutex<Pages>>,
}

#[derive(Debug, Default)]
struct Pages {
    records: VecDeque<Record>,
    violations: Vec<ViolationRecord>,
}

impl Log {
    pub(super) fn since(began: Instant) -> Self {
        Self { began, pages: Arc::default() }
    }

    pub(super) fn note(&self, event: Event, now: Instant) {
        let mut pages = self.pages.lock().unwrap_or_else(PoisonError::into_inner);
        if pages.records.len() >= RECORDS {
            pages.records.pop_front();
        }
        pages.records.push_back(Record { at: now.saturating_duration_since(self.began), event });
    }

    pub(super) fn complain(&self, violation: Violation, bytes: &[u8], now: Instant) {
        let mut pages = self.pages.lock().unwrap_or_else(PoisonError::into_inner);
        if pages.violations.len() < VIOLATIONS {
            let at = now.saturating_duration_since(self.began);
            pages.violations.push(ViolationRecord { at, violation, bytes: bytes.to_vec() });
        }
    }

    pub(super) fn records(&self) -> Vec<Record> {
        self.pages.lock().unwrap_or_else(PoisonError::into_inner).records.iter().cloned().collect()
    }

    pub(super) fn violations(&self) -> Vec<ViolationRecord> {
        self.pages.lock().unwrap_or_else(PoisonError::into_inner).violations.clone()
    }
}

impl fmt::Display for ViolationRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.3} s: {}:", self.at.as_secs_f64(), self.violation)?;
        self.bytes.iter().try_for_each(|byte| write!(f, " {byte:02X}"))
    }
}
