//! What can go wrong on purpose.

use std::sync::{Arc, Mutex, PoisonError};

/// A fault. It lasts from `inject` to `clear`, but for those that say that they happen once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Fault {
    /// Chips answer in the nine-byte form for ever.
    ShortReplies,
    /// The chain is broken behind this many chips: those beyond neither hear nor answer.
    BrokenAfter {
        /// Chips that are left.
        chips: u8,
    },
    /// Chips tell another model.
    WrongChipId,
    /// Replies with a chip id have a bad checksum.
    BadIdChecksum,
    /// `FF` bytes on the line whenever power comes up or reset is released.
    GarbageAtPowerUp,
    /// The next nonce loses a byte in the middle. Happens once.
    LostByte,
    /// The next nonce has a flipped bit. Happens once.
    FlippedBit,
    /// Each nonce comes twice.
    RepeatedNonces,
    /// Each chip returns its newest nonce again every 11 ms until the next job, as a marginal chip was seen to do.
    LatchedNonce,
    /// After a job is replaced the newest nonce of the one before comes once more, with its old id.
    StaleNonces,
    /// Nonces carry an id that no job had.
    UnknownJob,
    /// Nonces meet no ticket: one of their bits is wrong, the checksum is right.
    BelowTicket,
    /// A chip hashes at so many percent of its rate.
    SlowChip {
        /// Its index.
        chip: u8,
        /// Of its rate.
        percent: u8,
    },
    /// A chip answers reads and never returns a nonce.
    StuckChip {
        /// Its index.
        chip: u8,
    },
    /// The clock generator never locks: its lock bit stays 0. The chip hashes all the same.
    NoLock,
    /// The chips hang until they are reset, as after too little voltage. Happens once.
    Hang,
    /// No input power: the regulator does not answer.
    NoInput,
    /// A fault of the regulator: latched, output off.
    Regulator(RegulatorFault),
    /// OPERATION is accepted and the output stays off.
    OperationRefused,
    /// Something heats the chips: degrees per minute, for as long as the fault lasts. It scales with time.
    Heat {
        /// How fast.
        degrees_per_minute: u16,
    },
    /// The diode on the chip is open.
    DiodeOpen,
    /// The diode on the chip is shorted.
    DiodeShort,
    /// Temperatures stay as they are.
    TemperatureStuck,
    /// The fan stands still.
    FanStall,
    /// The part at this I2C address does not answer.
    PartSilent {
        /// Seven bits.
        address: u8,
    },
    /// Requests are carried out and not answered.
    ControlMute,
    /// Requests are lost; the data port lives.
    ControlDead,
    /// Replies carry another id.
    WrongReplyId,
    /// Every I2C request fails with its text.
    I2cError,
    /// Nothing moves on the data port; the control port lives.
    DataDead,
    /// The controller hangs: no replies, data port silent.
    ControllerHang,
}

/// Faults that the regulator latches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RegulatorFault {
    /// It is too hot.
    OverTemperature,
    /// Too much current.
    OverCurrent,
    /// Too much voltage at the output.
    OverVoltage,
    /// Too little at the input.
    InputLow,
}

/// Faults in force, shared by the parts of a board.
#[derive(Debug, Clone, Default)]
pub(super) struct Faults(Arc<Mutex<Vec<Fault>>>);

impl Faults {
    pub(super) fn inject(&self, fault: Fault) {
        let mut faults = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !faults.contains(&fault) {
            faults.push(fault);
        }
    }

    pub(super) fn clear(&self, fault: Fault) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).retain(|other| *other != fault);
    }

    pub(super) fn has(&self, fault: Fault) -> bool {
        self.find(|other| (other == fault).then_some(())).is_some()
    }

    /// Whether a fault that happens once is due; it is over with this.
    pub(super) fn take(&self, fault: Fault) -> bool {
        let had = self.has(fault);
        if had {
            self.clear(fault);
        }
        had
    }

    /// The first fault that the question has an answer to.
    pub(super) fn find<T>(&self, question: impl FnMut(Fault) -> Option<T>) -> Option<T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().copied().find_map(question)
    }
}
