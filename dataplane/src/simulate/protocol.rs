//! What the chips of a chain do with the bytes that the host sends. Sections 4, 5, 15 and 24 of the sheet.

use super::{
    chain::Chain,
    chip::Senses,
    fault::Fault,
    frame::{Command, JobForm, Parsed, Refusal, parse, register_reply},
    job::{Body, ChipJob},
    record::{Event, Violation},
    registers::{CHIP_ID, MISC_CONTROL, PLL0, TICKET_MASK, exists, is_read_only},
};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

/// How long nonces of a replaced job still come.
const STALE: Duration = Duration::from_millis(5);

impl Chain {
    /// Takes what came on the line.
    pub(super) fn take_bytes(&mut self, bytes: &[u8], now: Instant) {
        if !self.listens(now) {
            self.complain(Violation::ChipsOff, bytes, now);
            return;
        }
        self.input.extend_from_slice(bytes);
        loop {
            match parse(&self.input, self.job_form()) {
                Parsed::Incomplete => break,
                Parsed::Frame(command, length) => {
                    let frame: Vec<u8> = self.input.drain(..length.min(self.input.len())).collect();
                    self.log.note(Event::Frame(frame.clone()), now);
                    self.obey(command, &frame, now);
                }
                Parsed::Refused(refusal, length) => {
                    let refused: Vec<u8> = self.input.drain(..length.clamp(1, self.input.len())).collect();
                    let violation = match refusal {
                        Refusal::NoPreamble => Violation::NoFrame,
                        Refusal::Header => Violation::UnknownHeader,
                        Refusal::Length => Violation::BadLength,
                        Refusal::Checksum => Violation::BadChecksum,
                        Refusal::Midstates => Violation::Midstates,
                    };
                    let shown = [refused.as_slice(), self.input.get(..8).unwrap_or(&self.input)].concat();
                    self.complain(violation, &shown, now);
                }
            }
        }
    }

    fn job_form(&self) -> JobForm {
        let is_header = self.chips.first().is_some_and(super::chip::Chip::rolls_versions);
        if is_header { JobForm::Header } else { JobForm::Midstates }
    }

    fn obey(&mut self, command: Command, frame: &[u8], now: Instant) {
        match command {
            Command::ChainInactive => {
                self.was_told_inactive = true;
                self.hearing_mut().for_each(|chip| chip.awaits_address = true);
            }
            Command::SetAddress(address) => self.set_address(address, frame, now),
            Command::Read { address, register } => {
                self.check_directed(address, frame, now);
                self.read(address, register, frame, now);
            }
            Command::Write { address, register, value } => {
                self.check_directed(address, frame, now);
                self.write(address, register, value, frame, now);
            }
            Command::Job(data) => self.take_job(&data, frame, now),
        }
    }

    fn check_directed(&mut self, address: Option<u8>, frame: &[u8], now: Instant) {
        if address.is_some() && self.hearing().any(|chip| !chip.is_addressed) {
            self.complain(Violation::DirectedBeforeAddressed, frame, now);
        }
    }

    fn set_address(&mut self, address: u8, frame: &[u8], now: Instant) {
        if address & 1 == 1 {
            self.complain(Violation::OddAddress, frame, now);
        }
        let give = |chip: &mut super::chip::Chip| {
            (chip.address, chip.statistics.address) = (address, address);
            (chip.awaits_address, chip.is_addressed) = (false, true);
        };
        if self.was_told_inactive {
            self.hearing_mut().find(|chip| chip.awaits_address).into_iter().for_each(give);
        } else {
            // What happens then is not reliably known; one report says that all take it.
            self.complain(Violation::AddressBeforeInactive, frame, now);
            self.hearing_mut().for_each(give);
        }
    }

    fn read(&mut self, address: Option<u8>, register: u8, frame: &[u8], now: Instant) {
        if !exists(self.model(), register) {
            self.complain(Violation::UnknownRegister, frame, now);
        }
        let short = self.faults.has(Fault::ShortReplies);
        let wrong_id = register == CHIP_ID && self.faults.has(Fault::WrongChipId);
        let bad_sum = register == CHIP_ID && self.faults.has(Fault::BadIdChecksum);
        let senses = Senses { locks: !self.faults.has(Fault::NoLock), ..self.senses() };
        let replies: Vec<_> = self
            .hearing()
            .filter(|chip| chip.takes_directed(address) && !chip.is_hung)
            .map(|chip| {
                // Another chip of the family.
                let value = chip.read(register, senses) ^ if wrong_id { 0x0003_0000 } else { 0 };
                let mut reply = register_reply(value, chip.address, register, chip.rolls_versions() && !short);
                if let Some(tail) = reply.last_mut().filter(|_| bad_sum) {
                    *tail ^= 0x01;
                }
                reply
            })
            .collect();
        for reply in replies {
            self.send(&reply, now);
        }
    }

    fn write(&mut self, address: Option<u8>, register: u8, value: u32, frame: &[u8], now: Instant) {
        let model = self.model();
        if !exists(model, register) {
            self.complain(Violation::UnknownRegister, frame, now);
        }
        if is_read_only(register) {
            self.complain(Violation::ReadOnly, frame, now);
            return;
        }
        match register {
            PLL0 if super::pll::Pll::of(value, &model.pll_range()).is_none() => {
                self.complain(Violation::PllRange, frame, now);
            }
            TICKET_MASK if !is_contiguous(value.swap_bytes()) => self.complain(Violation::TicketMask, frame, now),
            MISC_CONTROL if model.rolls_versions() && value & 0xffff != 0xc100 => {
                self.complain(Violation::MiscControl, frame, now);
            }
            _ => {}
        }
        self.settle(now);
        let in_order = self.hearing_mut().filter(|chip| chip.takes_directed(address)).map(|chip| {
            let in_order = chip.write(register, value);
            (in_order, chip.life)
        });
        if in_order.fold(true, |all, (one, _)| all & one) {
            return;
        }
        self.complain(Violation::CoresBeforeClock, frame, now);
    }

    fn take_job(&mut self, data: &[u8], frame: &[u8], now: Instant) {
        let form = self.job_form();
        self.jobs += 1;
        let Some(job) = ChipJob::parse(data, form, self.jobs).map(Arc::new) else { return };
        if job.byte & self.model().reserved_job_bits() != 0 {
            self.complain(Violation::JobId, frame, now);
        }
        if self.hearing().any(|chip| !chip.is_ready_for_job()) {
            self.complain(Violation::JobTooEarly, frame, now);
        }
        let mask = self.chips.first().map_or(0, super::chip::Chip::version_mask);
        if let Body::Header([a, b, c, d, ..]) = &job.body
            && u32::from_le_bytes([*a, *b, *c, *d]) & u32::from(mask) << 13 != 0
        {
            self.complain(Violation::VersionInMask, frame, now);
        }
        let echoes: Vec<_> = self
            .hearing_mut()
            .filter_map(|chip| {
                chip.statistics.jobs += 1;
                chip.previous = chip.job.replace(Arc::clone(&job)).map(|old| (old, now + STALE));
                chip.sweep = super::sweep::Sweep::default();
                chip.newest.take().map(|(frame, _)| frame)
            })
            .collect();
        if self.faults.has(Fault::StaleNonces) {
            echoes.iter().for_each(|frame| self.send(frame, now));
        }
    }
}

/// Whether ones stand before zeros only.
fn is_contiguous(mask: u32) -> bool {
    mask.leading_ones() == mask.count_ones()
}
