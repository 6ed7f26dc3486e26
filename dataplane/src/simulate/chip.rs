//! One chip: its registers, what they make it do, and how far it is with its job.

use super::{
    ChipModel,
    job::ChipJob,
    pll::{LOCKED, Pll},
    record::ChipStatistics,
    registers::{
        ADC_RESULT, ADC_START, CHIP_ID, CORE_MAILBOX, DOMAIN_COUNTERS, FAST_UART, HASH_COUNTING, MIDSTATE_CONFIG,
        MISC_CONTROL, NONCE_ERRORS, NONCE_OFFSET, PLL0, Registers, SOFT_RESET, TEMPERATURE_RESULT, TICKET_MASK,
        TOTAL_COUNTER,
    },
    sweep::{Sweep, Window},
};
use std::{sync::Arc, time::Instant};

/// Crystal ticks that a sweep goes on beyond its deadline; measured on a BM1370 only, and taken for all.
const OVERRUN: u64 = 130;
/// Core registers that must have been written before cores are enabled.
const CLOCK_DELAY: u32 = 0x00;
const CORE_ENABLE: u32 = 0x02;

/// A chip with power.
#[derive(Debug, Clone)]
pub(super) struct Chip {
    pub(super) model: ChipModel,
    pub(super) registers: Registers,
    pub(super) address: u8,
    /// Whether it was told `chain inactive` and waits for its address.
    pub(super) awaits_address: bool,
    pub(super) is_addressed: bool,
    pub(super) cores_enabled: bool,
    pub(super) is_hung: bool,
    has_clock_delay: bool,
    has_reset_word: bool,
    pub(super) job: Option<Arc<ChipJob>>,
    /// The job before, and until when its nonces still come.
    pub(super) previous: Option<(Arc<ChipJob>, Instant)>,
    pub(super) sweep: Sweep,
    /// Hashes that are due.
    pub(super) owed: f64,
    /// Failed hashes, in units of the gate.
    pub(super) errors: u32,
    /// Newest nonce on the line, and when it was sent last.
    pub(super) newest: Option<(Vec<u8>, Instant)>,
    pub(super) statistics: ChipStatistics,
    /// Counts resets.
    pub(super) life: u64,
}

/// What a chip senses of its surroundings.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Senses {
    /// In degrees.
    pub(super) temperature: f64,
    /// Core voltage.
    pub(super) volts: f64,
    /// See [`super::Options::gate_bits`].
    pub(super) gate: u8,
    pub(super) locks: bool,
}

impl Chip {
    pub(super) fn new(model: ChipModel) -> Self {
        Self {
            model,
            registers: Registers::reset(model),
            address: 0,
            awaits_address: false,
            is_addressed: false,
            cores_enabled: false,
            is_hung: false,
            has_clock_delay: false,
            has_reset_word: false,
            job: None,
            previous: None,
            sweep: Sweep::default(),
            owed: 0.0,
            errors: 0,
            newest: None,
            statistics: ChipStatistics::default(),
            life: 0,
        }
    }

    /// As after reset; what was counted stays.
    pub(super) fn reset(&mut self) {
        let (statistics, life) = (ChipStatistics { address: 0, ..self.statistics }, self.life + 1);
        *self = Self { statistics, life, ..Self::new(self.model) };
    }

    pub(super) fn takes_directed(&self, address: Option<u8>) -> bool {
        address.is_none_or(|address| address == self.address)
    }

    /// Whether replies have eleven bytes and jobs whole headers.
    pub(super) fn rolls_versions(&self) -> bool {
        self.model.rolls_versions() && self.registers.get(MIDSTATE_CONFIG) >> 31 == 1
    }

    /// Versions that may be rolled: header bits 28 to 13.
    pub(super) fn version_mask(&self) -> u16 {
        u16::try_from(self.registers.get(MIDSTATE_CONFIG) & 0xffff).unwrap_or_default()
    }

    pub(super) fn baud(&self) -> f64 {
        let divider = if self.model == ChipModel::Bm1397 {
            let misc = self.registers.get(MISC_CONTROL);
            (misc >> 8 & 0x1f) | (misc >> 24 & 0x0f) << 5
        } else {
            self.registers.get(FAST_UART) >> 8 & 0xff
        };
        25e6 / (8.0 * (f64::from(divider) + 1.0))
    }

    pub(super) fn pll(&self) -> Option<Pll> {
        Pll::of(self.registers.get(PLL0), &self.model.pll_range())
    }

    /// In hertz; 0 without a valid clock.
    pub(super) fn clock(&self) -> f64 {
        self.pll().map_or(0.0, Pll::hertz)
    }

    /// Whether its cores run, job or not.
    pub(super) fn can_hash(&self) -> bool {
        let needs_words = self.model.rolls_versions();
        !self.is_hung
            && self.pll().is_some()
            && (!needs_words || (self.cores_enabled && self.registers.get(HASH_COUNTING) != 0))
    }

    /// Whether words were missing before a job, the hash-counting number left out: stock firmware sends one job before it.
    pub(super) fn is_ready_for_job(&self) -> bool {
        self.pll().is_some() && (self.cores_enabled || !self.model.rolls_versions())
    }

    /// Whether nonces of this core reach the line. Only the BM1370 has a bit for each quarter of its cores.
    pub(super) fn reports(&self, core: u8) -> bool {
        let enabled = self.registers.get(MISC_CONTROL) >> 28;
        match self.model {
            ChipModel::Bm1397 => true,
            ChipModel::Bm1370 => enabled >> (core / 32) & 1 == 1,
            ChipModel::Bm1362 | ChipModel::Bm1366 | ChipModel::Bm1368 => enabled != 0,
        }
    }

    /// The counters that it tries in one sweep. `chips` share the space of a BM1397, which counts without a deadline.
    pub(super) fn window(&self, chips: usize) -> Option<Window> {
        let pll = self.pll()?;
        let by_address = u32::from(self.address & 0xfe) << 17;
        let offset = self.registers.get(NONCE_OFFSET);
        let has_offset = self.model == ChipModel::Bm1370 && offset >> 31 == 1;
        let start = if has_offset { (offset & 0xffff) << 9 } else { by_address };
        let length = if self.model == ChipModel::Bm1397 {
            (1 << 25) / u64::try_from(chips.next_power_of_two()).unwrap_or(1)
        } else {
            pll.nonces(u64::from(self.registers.get(HASH_COUNTING)) + OVERRUN)
        };
        Some(Window { start, length })
    }

    /// Bits after the gate that must be zero, most significant first: the ticket register with its bytes turned round.
    pub(super) fn ticket(&self) -> u32 {
        self.registers.get(TICKET_MASK).swap_bytes()
    }

    /// What a read of a register tells.
    pub(super) fn read(&self, register: u8, senses: Senses) -> u32 {
        let stored = self.registers.get(register);
        let units = || u32::try_from(self.statistics.hashes >> senses.gate & 0xffff_ffff).unwrap_or_default();
        match register {
            CHIP_ID => stored & 0xffff_ff00 | u32::from(self.address),
            PLL0 if self.pll().is_some() && senses.locks => stored | LOCKED,
            PLL0 => stored & !LOCKED,
            NONCE_ERRORS if self.model.rolls_versions() => self.errors,
            TOTAL_COUNTER if self.has_counters() => units(),
            _ if DOMAIN_COUNTERS.contains(&register) && self.has_counters() => units() / 4,
            // Bit 31: valid. The scale is that of the sheet, section 9.12.
            TEMPERATURE_RESULT if self.model == ChipModel::Bm1368 => {
                1 << 31 | code((senses.temperature + 299.5144) / 0.171_342)
            }
            ADC_RESULT if self.registers.get(ADC_START) >> 24 == 0x23 => {
                let factor = if self.model == ChipModel::Bm1368 { 0.6 } else { 1.0 };
                1 << 31 | code((senses.volts / factor + 1.0) * 16384.0).min(0x7fff)
            }
            _ => stored,
        }
    }

    fn has_counters(&self) -> bool {
        matches!(self.model, ChipModel::Bm1366 | ChipModel::Bm1368 | ChipModel::Bm1370)
    }

    /// Stores a value and does what it says. False when cores are enabled before their clock and reset words.
    pub(super) fn write(&mut self, register: u8, value: u32) -> bool {
        match register {
            PLL0 => self.registers.set(PLL0, value & !LOCKED),
            _ => self.registers.set(register, value),
        }
        self.has_reset_word |= register == SOFT_RESET;
        if register != CORE_MAILBOX || value >> 15 & 1 == 0 || !self.model.rolls_versions() {
            return true;
        }
        match (value >> 8 & 0x1f, value & 0xff) {
            (CLOCK_DELAY, _) => self.has_clock_delay = true,
            (CORE_ENABLE, 0xaa) => {
                self.cores_enabled = true;
                return self.has_clock_delay && self.has_reset_word;
            }
            (CORE_ENABLE, _) => self.cores_enabled = false,
            _ => {}
        }
        true
    }
}

/// A converter's code, as far as it has bits.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to sixteen bits before")]
fn code(value: f64) -> u32 {
    value.clamp(0.0, 65535.0) as u32
}
