//! The order in which each model is set up.
//!
//! Nobody has ever taken a step away to see whether it was needed, so these are the sequences that are known to work as a
//! whole: ESP-Miner's for Bitaxes, the one of a captured S19j Pro for BM1362. Where cores are enabled before the ramp, as
//! newer drivers of BM1362 do and stock does not, it is because the board raises clock and voltage together afterwards.

mod bm1362;
mod bm1366;
mod bm1368;
mod bm1370;
mod bm1397;

use super::{Question, RESET_BAUD, Raised, Settings};
use crate::asic::bm13xx::{
    ChainError, ChainSpec, Model,
    command::Command,
    nonce_space,
    pll::{self, Pll},
    ramp,
    register::{self, BaudDivider, ChipId, CoreWrite, VersionRolling},
};
use mujina_core::units::Frequency;
use std::{collections::VecDeque, time::Duration};

/// One step of a script.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// Write, then pause.
    Write(Command, Duration),
    /// Do nothing.
    Pause(Duration),
    /// Change the host's rate.
    SetBaud(u32),
    /// Throw away what was received.
    Discard,
    /// Ask who is there: all of the chain must answer, and nobody else.
    Count,
    /// Ask one chip for a register.
    ReadBack(Question),
}

/// Pause after a configuration write: what stock firmware leaves.
pub(crate) const PACE: Duration = Duration::from_millis(10);
/// Pause before and after the host changes its rate, for the write to pass through a bridge and along the chain.
const BAUD_CHANGE: Duration = Duration::from_millis(100);
/// Bits of a chip id that differ between sources.
const CORE_NUMBER: u32 = 0x0000_ff00;

/// The script of a chain, and what the chain is when it has been played.
///
/// # Errors
/// No such chain can be.
pub(super) fn write(spec: &ChainSpec, settings: Settings) -> Result<(VecDeque<Step>, Raised), ChainError> {
    let mut writer = Writer::new(spec, settings)?;
    match spec.model {
        Model::Bm1397 => bm1397::write(&mut writer),
        Model::Bm1362 => bm1362::write(&mut writer),
        Model::Bm1366 => bm1366::write(&mut writer),
        Model::Bm1368 => bm1368::write(&mut writer),
        Model::Bm1370 => bm1370::write(&mut writer),
    }
    writer.read_back();
    let Writer { steps, raised, .. } = writer;
    Ok((steps, raised))
}

struct Writer {
    model: Model,
    settings: Settings,
    address_interval: u16,
    divider: Option<BaudDivider>,
    raised: Raised,
    /// What [`register::MISC_CONTROL`] of all chips holds.
    misc_control: u32,
    steps: VecDeque<Step>,
}

impl Writer {
    fn new(spec: &ChainSpec, settings: Settings) -> Result<Self, ChainError> {
        let model = spec.model;
        let start = Frequency::from_megahertz(ramp::START);
        let pll = Pll::solve(model, start).ok_or(ChainError::NoSuchFrequency(start))?;
        let divider = match spec.baud {
            Some(baud) => Some(BaudDivider::nearest(baud).ok_or(ChainError::NoSuchBaud(baud))?),
            None => None,
        };
        let raised = Raised {
            addresses: addresses(spec)?,
            pll,
            ticket: settings.ticket,
            version_mask: VersionRolling::within(settings.version_mask).mask,
            baud: spec.baud.unwrap_or(RESET_BAUD),
        };
        let address_interval = spec.address_interval;
        Ok(Self { model, settings, address_interval, divider, raised, misc_control: 0, steps: VecDeque::new() })
    }

    fn step(&mut self, command: Command, pause: Duration) {
        self.steps.push_back(Step::Write(command, pause));
    }

    /// Sets a register of all chips.
    fn all(&mut self, register: u8, value: u32) {
        self.all_then(register, value, PACE);
    }

    fn all_then(&mut self, register: u8, value: u32, pause: Duration) {
        if register == register::MISC_CONTROL {
            self.misc_control = value;
        }
        self.step(Command::write_all(register, value), pause);
    }

    /// Sets a register of the cores of all chips.
    fn cores(&mut self, register: u8, value: u8) {
        self.all(register::CORE_MAILBOX, CoreWrite { register, value }.encode());
    }

    /// Takes one chip after the other out of the reset of its cores and enables them, with a pause after each chip.
    fn open_cores(&mut self, soft_reset: u32, misc_control: u32, clock: [CoreWrite; 2], pause: Duration) {
        let [select, delay] = clock.map(CoreWrite::encode);
        let enable = CoreWrite { register: register::CORE_ENABLE, value: 0xaa }.encode();
        let of_each = [
            (register::SOFT_RESET, soft_reset),
            (register::MISC_CONTROL, misc_control),
            (register::CORE_MAILBOX, select),
            (register::CORE_MAILBOX, delay),
            (register::CORE_MAILBOX, enable),
        ];
        self.misc_control = misc_control;
        for address in self.raised.addresses.clone() {
            for (register, value) in of_each {
                self.step(Command::write(address, register, value), PACE);
            }
            self.steps.push_back(Step::Pause(pause));
        }
    }

    /// Lets chips roll versions, which also makes their answers long.
    fn rolling(&mut self) {
        self.all(register::MIDSTATE_CONFIG, VersionRolling { mask: self.raised.version_mask }.encode());
    }

    /// Asks who is there, without what the line said before.
    fn count(&mut self) {
        self.steps.extend([Step::Discard, Step::Count]);
    }

    fn inactive(&mut self, pause: Duration) {
        self.step(Command::Inactive, pause);
    }

    fn addresses(&mut self) {
        for address in self.raised.addresses.clone() {
            self.step(Command::SetAddress(address), PACE);
        }
    }

    fn ticket(&mut self) {
        self.all_then(register::TICKET_MASK, self.settings.ticket.encode(), 2 * PACE);
    }

    /// The first clock, and the window that belongs to it.
    fn clock(&mut self) {
        let pll = self.raised.pll;
        for (command, pause) in ramp::writes(self.model, &pll) {
            self.step(command, pause);
        }
        self.steps.push_back(Step::Pause(ramp::STEP_TIME));
        if let Some(ticks) = nonce_space::hash_counting_number(self.model, &pll, self.address_interval) {
            self.all(register::HASH_COUNTING_NUMBER, ticks);
        }
    }

    /// Another rate of the line, if one is wanted: chips first, by this register.
    fn baud(&mut self, register: u8, value: impl Fn(BaudDivider) -> u32) {
        if let Some(divider) = self.divider {
            self.all_then(register, value(divider), BAUD_CHANGE);
            self.steps.extend([Step::SetBaud(self.raised.baud), Step::Pause(BAUD_CHANGE), Step::Discard]);
        }
    }

    /// Every chip must have its address, return nonces, filter as it was told, and run at a clock that is locked.
    fn read_back(&mut self) {
        let locked = self.raised.pll.encode(self.model) | pll::LOCKED;
        for (index, address) in (0..).zip(self.raised.addresses.clone()) {
            let id = ChipId { chip_id: self.model.constants().chip_id, core_number: 0, address }.encode();
            let questions = [
                (register::CHIP_ID, id, !CORE_NUMBER),
                (register::MISC_CONTROL, self.misc_control, u32::MAX),
                (register::TICKET_MASK, self.settings.ticket.encode(), u32::MAX),
                (register::PLL0, locked, pll::DIVIDERS | pll::LOCKED),
            ];
            self.steps.extend(questions.map(|(register, expected, mask)| {
                Step::ReadBack(Question { index, address, register, expected, mask })
            }));
        }
    }
}

/// Addresses of a chain.
fn addresses(spec: &ChainSpec) -> Result<Vec<u8>, ChainError> {
    let ChainSpec { chips, address_interval, .. } = *spec;
    let wrong = ChainError::Addresses { chips, interval: address_interval };
    if chips == 0 || address_interval % 2 != 0 || address_interval == 0 || address_interval > 256 {
        return Err(wrong);
    }
    let addresses = (0..u16::from(chips)).map(|index| u8::try_from(index.saturating_mul(address_interval)));
    addresses.collect::<Result<_, _>>().map_err(|_| wrong)
}
