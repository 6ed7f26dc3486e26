//! Brings a chain up after its reset was released: a pure state machine that plays a script.
//!
//! ```text
//!  script: writes with pauses ─▶ count the chips ─▶ addresses, registers ─▶ clock ─▶ rate of the line ─▶ read back ─▶ done
//!                                    │ too few, others                                                     │ silent, other
//!                                    └─▶ again, then failed                                                └─▶ again, then failed
//! ```
//!
//! The owner performs one [`Action`] after the other and hands in what the chips say. Every wait ends by itself, so the whole
//! takes a few seconds at most, whatever the chips do. Chips run at [`ramp::START`] afterwards, with their cores on.

mod script;

pub(crate) use self::script::PACE;
use self::script::Step;
use super::{
    ChainError, ChainSpec, Model,
    command::{Command, CommandFrame},
    pll::Pll,
    register::{self, ChipId},
    response::{RegisterValue, Response},
    ticket::TicketMask,
};
use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

#[cfg(doc)]
use super::ramp;

/// Silence after which no more chips are expected to answer a broadcast.
const SILENCE: Duration = Duration::from_millis(500);
/// The same when all expected ones have answered.
const SILENCE_AFTER_ALL: Duration = Duration::from_millis(100);
/// Time that one chip has for its answer.
const ANSWER: Duration = Duration::from_millis(100);
/// Times that a question is asked before what comes, or does not, is believed.
const ATTEMPTS: u32 = 3;

/// What a chain is set to beyond what its model needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// How good hashes must be to be returned.
    pub ticket: TicketMask,
    /// Versions that chips may roll, as a mask of the header's version.
    pub version_mask: u32,
}

/// What is to be done next.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// Write this.
    Write(CommandFrame),
    /// When everything written is on the line, change the host's rate.
    SetBaud(u32),
    /// Throw away everything that was received and not handed in.
    Discard,
    /// Nothing before this time but to hand in responses.
    Wait(Instant),
    /// The chain is up; this comes for ever from now on.
    Done(Raised),
    /// It is not, and will not be without another reset; this comes for ever from now on.
    Failed(ChainError),
}

/// A chain that is up.
#[derive(Debug, Clone, PartialEq)]
pub struct Raised {
    /// Addresses of its chips, nearest to the host first.
    pub addresses: Vec<u8>,
    /// Their clock.
    pub pll: Pll,
    /// Their ticket mask.
    pub ticket: TicketMask,
    /// Their version mask.
    pub version_mask: u32,
    /// Rate of the line now, as the host has it.
    pub baud: u32,
}

/// Rate of the line out of reset, as the host has it: the chips' own is 0.5 % more.
pub const RESET_BAUD: u32 = 115_200;

/// A bring-up under way.
#[derive(Debug)]
pub struct BringUp {
    model: Model,
    chips: usize,
    raised: Raised,
    script: VecDeque<Step>,
    phase: Phase,
    attempts: u32,
}

#[derive(Debug)]
enum Phase {
    /// The next step follows.
    Ready,
    /// It follows later.
    Pausing(Instant),
    /// Chips answer the broadcast.
    Counting {
        found: Vec<u16>,
        until: Instant,
    },
    /// One chip is asked.
    Asking {
        question: Question,
        heard: Option<u32>,
        until: Instant,
    },
    Over(Result<(), ChainError>),
}

/// A register that must hold what was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Question {
    /// Place of the chip.
    index: u32,
    address: u8,
    register: u8,
    expected: u32,
    /// Bits that count.
    mask: u32,
}

impl BringUp {
    /// A bring-up of a chain that was just reset and hears the line at [`RESET_BAUD`].
    ///
    /// # Errors
    /// The chain cannot be as its spec says.
    pub fn new(spec: &ChainSpec, settings: Settings) -> Result<Self, ChainError> {
        let (script, raised) = script::write(spec, settings)?;
        let chips = usize::from(spec.chips);
        Ok(Self { model: spec.model, chips, raised, script, phase: Phase::Ready, attempts: 0 })
    }

    /// What is to be done at `now`. To be asked again after each action but waiting, and when a wait is over or a response
    /// was handed in.
    pub fn next(&mut self, now: Instant) -> Action {
        loop {
            match &self.phase {
                Phase::Over(Ok(())) => return Action::Done(self.raised.clone()),
                Phase::Over(Err(error)) => return Action::Failed(error.clone()),
                Phase::Pausing(until) | Phase::Counting { until, .. } | Phase::Asking { until, .. } if now < *until => {
                    return Action::Wait(*until);
                }
                Phase::Pausing(_) => self.phase = Phase::Ready,
                Phase::Counting { found, .. } => {
                    let verdict = self.judge(found);
                    self.conclude(verdict, Step::Count);
                }
                Phase::Asking { question, heard, .. } => {
                    let (question, verdict) = (*question, question.judge(*heard));
                    self.conclude(verdict, Step::ReadBack(question));
                }
                Phase::Ready => {
                    if let Some(action) = self.begin(now) {
                        return action;
                    }
                }
            }
        }
    }

    /// Hands in what a chip said. Nonces, which an earlier owner's work may still give, are of no interest.
    pub fn receive(&mut self, response: Response, now: Instant) {
        let Response::Register(RegisterValue { address, register, value }) = response else { return };
        match &mut self.phase {
            Phase::Counting { found, until } if register == register::CHIP_ID => {
                found.push(ChipId::decode(value).chip_id);
                *until = now + if found.len() < self.chips { SILENCE } else { SILENCE_AFTER_ALL };
            }
            Phase::Asking { question, heard, until }
                if (address, register) == (question.address, question.register) =>
            {
                *heard = Some(value);
                *until = now;
            }
            _ => {}
        }
    }

    /// Begins the next step. `None` when it has nothing to do.
    fn begin(&mut self, now: Instant) -> Option<Action> {
        let Some(step) = self.script.pop_front() else {
            self.phase = Phase::Over(Ok(()));
            return None;
        };
        match step {
            Step::Write(command, pause) => {
                self.phase = Phase::Pausing(now + pause);
                Some(Action::Write(command.encode()))
            }
            Step::Pause(pause) => {
                self.phase = Phase::Pausing(now + pause);
                None
            }
            Step::SetBaud(baud) => Some(Action::SetBaud(baud)),
            Step::Discard => Some(Action::Discard),
            Step::Count => {
                self.phase = Phase::Counting { found: Vec::new(), until: now + SILENCE };
                Some(Action::Write(Command::read_all(register::CHIP_ID).encode()))
            }
            Step::ReadBack(question) => {
                self.phase = Phase::Asking { question, heard: None, until: now + ANSWER };
                Some(Action::Write(Command::read(question.address, question.register).encode()))
            }
        }
    }

    /// Goes on after a question, or asks it again.
    fn conclude(&mut self, verdict: Result<(), ChainError>, again: Step) {
        self.attempts += 1;
        self.phase = match verdict {
            Ok(()) => {
                self.attempts = 0;
                Phase::Ready
            }
            Err(_) if self.attempts < ATTEMPTS => {
                self.script.push_front(again);
                self.script.push_front(Step::Discard);
                Phase::Ready
            }
            Err(error) => Phase::Over(Err(error)),
        };
    }

    fn judge(&self, found: &[u16]) -> Result<(), ChainError> {
        let expected = self.model.constants().chip_id;
        if let Some((index, other)) = (0..).zip(found).find(|(_, chip_id)| **chip_id != expected) {
            return Err(ChainError::WrongChip { index, found: *other, expected });
        }
        let count = |count| u32::try_from(count).unwrap_or(u32::MAX);
        match found.len().cmp(&self.chips) {
            std::cmp::Ordering::Equal => Ok(()),
            std::cmp::Ordering::Less => {
                Err(ChainError::ChipsMissing { found: count(found.len()), expected: count(self.chips) })
            }
            std::cmp::Ordering::Greater => {
                Err(ChainError::TooManyChips { found: count(found.len()), expected: count(self.chips) })
            }
        }
    }
}

impl Question {
    fn judge(self, heard: Option<u32>) -> Result<(), ChainError> {
        let Self { index, address: _, register, expected, mask } = self;
        match heard {
            None => Err(ChainError::Silent { index, step: format!("register {register:#04x} was read") }),
            Some(found) if (found ^ expected) & mask != 0 => {
                Err(ChainError::ReadBack { index, register, found, expected })
            }
            Some(_) => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
