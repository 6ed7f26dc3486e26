//! Orders of the board: followed one after the other, but for a halt, which ends what is at work.

use super::{Action, Answer, ChainOrder, Phase, State, Task, Up, WAITING_ORDERS, work::Origin};
use crate::{
    asic::bm13xx::{
        ChainError,
        bring_up::{self, BringUp, RESET_BAUD, Settings},
        command::Command,
        nonce_space::{self, Cadence},
        pll::Pll,
        ramp, register,
        ticket::TicketMask,
    },
    thread::ThreadEvent,
};
use mujina_core::units::Frequency;
use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};
use tokio::sync::oneshot;

/// Time for a PLL to lock before chips are told how far to sweep at the new clock.
const LOCK: Duration = Duration::from_millis(10);
/// Work of a test is renewed so often: chips repeat nothing in that time.
const TEST_RENEWAL: Duration = Duration::from_millis(500);

/// A clock on its way.
#[derive(Debug)]
pub(super) struct Ramp {
    target: Frequency,
    /// Where the way is now, on its grid.
    at: Frequency,
    pll: Pll,
    writes: VecDeque<(Command, Duration)>,
    /// Set while the dividers of `pll` are being written: what depends on them follows.
    locking: bool,
    due: Instant,
    reply: oneshot::Sender<Result<Frequency, ChainError>>,
}

impl Ramp {
    pub(super) fn due(&self) -> Instant {
        self.due
    }
}

/// A search for golden nonces.
#[derive(Debug)]
pub(super) struct Golden {
    found: Vec<bool>,
    until: Instant,
    next: Instant,
    round: u32,
    reply: oneshot::Sender<Result<Vec<bool>, ChainError>>,
}

impl Golden {
    pub(super) fn due(&self) -> Instant {
        self.until.min(self.next)
    }
}

impl State {
    pub(in crate::thread::chain) fn order(&mut self, order: ChainOrder, now: Instant) {
        if let ChainOrder::Halt(reply) = order {
            self.halt(now);
            self.actions.push(Action::Answer(Answer::Halted(reply)));
        } else if self.is_busy() && self.waiting.len() < WAITING_ORDERS {
            self.waiting.push_back(order);
        } else if self.is_busy() {
            self.refuse(order, &ChainError::Halted);
        } else {
            self.follow(order, now);
        }
    }

    fn is_busy(&self) -> bool {
        match &self.phase {
            Phase::Down => false,
            Phase::BringingUp { .. } => true,
            Phase::Up(up) => !matches!(up.task, Task::None),
        }
    }

    fn follow_waiting(&mut self, now: Instant) {
        while !self.is_busy()
            && let Some(order) = self.waiting.pop_front()
        {
            self.follow(order, now);
        }
    }

    fn follow(&mut self, order: ChainOrder, now: Instant) {
        match order {
            ChainOrder::Halt(reply) => {
                self.halt(now);
                self.actions.push(Action::Answer(Answer::Halted(reply)));
            }
            ChainOrder::BringUp(reply) => self.bring_up(reply, now),
            order if !matches!(self.phase, Phase::Up(_)) => self.refuse(order, &ChainError::Halted),
            ChainOrder::SetFrequency(frequency, reply) => self.set_frequency(frequency, reply, now),
            ChainOrder::FindGoldenNonces(time, reply) => self.find_golden_nonces(time, reply, now),
        }
    }

    fn refuse(&mut self, order: ChainOrder, error: &ChainError) {
        let answer = match order {
            ChainOrder::BringUp(reply) => Answer::Raised(reply, Err(error.clone())),
            ChainOrder::SetFrequency(_, reply) => Answer::Frequency(reply, Err(error.clone())),
            ChainOrder::Halt(reply) => Answer::Halted(reply),
            ChainOrder::FindGoldenNonces(_, reply) => Answer::Golden(reply, Err(error.clone())),
        };
        self.actions.push(Action::Answer(answer));
    }

    /// Ends everything that is at work; chips will be reset.
    pub(super) fn halt(&mut self, now: Instant) {
        self.account(now);
        let was_up = matches!(self.phase, Phase::Up(_));
        let answer = match std::mem::replace(&mut self.phase, Phase::Down) {
            Phase::Down => None,
            Phase::BringingUp { reply, .. } => Some(Answer::Raised(reply, Err(ChainError::Halted))),
            Phase::Up(up) => match up.task {
                Task::None => None,
                Task::Ramp(ramp) => Some(Answer::Frequency(ramp.reply, Err(ChainError::Halted))),
                Task::Golden(golden) => Some(Answer::Golden(golden.reply, Err(ChainError::Halted))),
            },
        };
        self.actions.extend(answer.map(Action::Answer));
        for order in std::mem::take(&mut self.waiting) {
            self.refuse(order, &ChainError::Halted);
        }
        self.working.forget();
        self.statistics.restart();
        if was_up {
            self.tell_rate();
        }
    }

    fn bring_up(&mut self, reply: oneshot::Sender<Result<(), ChainError>>, now: Instant) {
        self.halt(now);
        let first = Frequency::from_megahertz(ramp::START);
        let ticket = Pll::solve(self.spec.model, first).map_or(TicketMask::new(0), |pll| {
            TicketMask::for_rate(
                self.spec.nominal_hash_rate(pll.frequency()),
                self.spec.results_per_second,
                self.spec.gate_bits,
            )
        });
        match BringUp::new(&self.spec, Settings { ticket, version_mask: register::ROLLABLE }) {
            Ok(machine) => {
                self.actions.push(Action::SetBaud(RESET_BAUD));
                self.phase = Phase::BringingUp { machine: Box::new(machine), until: now, reply };
                self.go_on_bringing_up(now);
            }
            Err(error) => self.actions.push(Action::Answer(Answer::Raised(reply, Err(error)))),
        }
    }

    pub(super) fn go_on_bringing_up(&mut self, now: Instant) {
        let result = loop {
            let Phase::BringingUp { machine, until, .. } = &mut self.phase else { return };
            match machine.next(now) {
                bring_up::Action::Write(frame) => self.actions.push(Action::Write(frame.as_bytes().to_vec())),
                bring_up::Action::SetBaud(baud) => self.actions.push(Action::SetBaud(baud)),
                bring_up::Action::Discard => {
                    self.decoder.restart();
                    self.received.clear();
                    self.actions.push(Action::Discard);
                }
                bring_up::Action::Wait(time) => {
                    *until = time;
                    return;
                }
                bring_up::Action::Done(raised) => break Ok(raised),
                bring_up::Action::Failed(error) => break Err(error),
            }
        };
        let Phase::BringingUp { reply, .. } = std::mem::replace(&mut self.phase, Phase::Down) else { return };
        match result {
            Ok(raised) => {
                let cadence = Cadence::of(&self.spec, &raised.pll, raised.version_mask, raised.baud);
                self.account(now);
                self.phase = Phase::Up(Box::new(Up { raised, cadence, task: Task::None }));
                self.tell_rate();
                self.renew(now);
                self.actions.push(Action::Answer(Answer::Raised(reply, Ok(()))));
            }
            Err(error) => self.actions.push(Action::Answer(Answer::Raised(reply, Err(error)))),
        }
        self.follow_waiting(now);
    }

    fn tell_rate(&mut self) {
        let nominal_hash_rate = self.nominal_hash_rate();
        self.actions.push(Action::Tell(ThreadEvent::Rate { thread: self.index, nominal_hash_rate }));
    }

    fn set_frequency(
        &mut self,
        wanted: Frequency,
        reply: oneshot::Sender<Result<Frequency, ChainError>>,
        now: Instant,
    ) {
        let greatest = self.spec.greatest_frequency;
        let target = if wanted > greatest { greatest } else { wanted };
        let model = self.spec.model;
        let Phase::Up(up) = &mut self.phase else { return };
        let (at, pll) = (up.raised.pll.frequency(), up.raised.pll);
        match Pll::solve(model, target) {
            None => {
                self.actions.push(Action::Answer(Answer::Frequency(reply, Err(ChainError::NoSuchFrequency(wanted)))));
            }
            Some(end) if end == pll => {
                self.actions.push(Action::Answer(Answer::Frequency(reply, Ok(at))));
            }
            Some(_) => {
                let writes = VecDeque::new();
                up.task = Task::Ramp(Ramp { target, at, pll, writes, locking: false, due: now, reply });
                self.go_on_with_task(now);
            }
        }
    }

    pub(super) fn go_on_with_task(&mut self, now: Instant) {
        match self.up().map(|up| &up.task) {
            Some(Task::Ramp(_)) => self.go_on_ramping(now),
            Some(Task::Golden(_)) => self.go_on_testing(now),
            Some(Task::None) | None => {}
        }
    }

    fn go_on_ramping(&mut self, now: Instant) {
        let (model, interval, greatest) = (self.spec.model, self.spec.address_interval, self.spec.greatest_frequency);
        loop {
            let stopped = self.working.stopped;
            let Phase::Up(up) = &mut self.phase else { return };
            let Task::Ramp(step) = &mut up.task else { return };
            if now < step.due {
                return;
            }
            if let Some((command, pause)) = step.writes.pop_front() {
                step.due = now + pause;
                if step.writes.is_empty() {
                    step.due = step.due.max(now + LOCK);
                }
                self.actions.push(Action::Write(command.encode().as_bytes().to_vec()));
                continue;
            }
            let pll = step.pll;
            if std::mem::take(&mut step.locking) {
                step.due = now + ramp::STEP_TIME.saturating_sub(LOCK);
                self.account(now);
                let Phase::Up(up) = &mut self.phase else { return };
                up.raised.pll = pll;
                up.cadence = Cadence::of(&self.spec, &pll, up.raised.version_mask, up.raised.baud);
                if !stopped && let Some(ticks) = nonce_space::hash_counting_number(model, &pll, interval) {
                    self.write(Command::write_all(register::HASH_COUNTING_NUMBER, ticks).encode().as_bytes());
                }
                self.renew(now);
                continue;
            }
            if step.at == step.target {
                let Task::Ramp(done) = std::mem::replace(&mut up.task, Task::None) else { return };
                let frequency = up.raised.pll.frequency();
                self.tell_rate();
                self.actions.push(Action::Answer(Answer::Frequency(done.reply, Ok(frequency))));
                self.follow_waiting(now);
                return;
            }
            let next = ramp::next(step.at, step.target);
            step.at = next;
            // Where no dividers come near a step, the way goes on to the next.
            let Some(pll) = Pll::solve(model, next).filter(|pll| *pll != step.pll && !is_above(pll, greatest)) else {
                continue;
            };
            let rises = is_above(&pll, step.pll.frequency());
            step.pll = pll;
            step.locking = true;
            step.writes = ramp::writes(model, &pll).into();
            // A window of before would be too long at a higher clock, so it shrinks first.
            if rises
                && !stopped
                && let Some(ticks) = nonce_space::hash_counting_number(model, &pll, interval)
            {
                step.writes.push_front((Command::write_all(register::HASH_COUNTING_NUMBER, ticks), Duration::ZERO));
            }
        }
    }

    /// Work of nobody, under the easiest ticket: every chip that hashes at all finds some of its nonces soon.
    fn find_golden_nonces(
        &mut self,
        time: Duration,
        reply: oneshot::Sender<Result<Vec<bool>, ChainError>>,
        now: Instant,
    ) {
        self.account(now);
        let found = vec![false; usize::from(self.spec.chips)];
        let until = now + time;
        let Phase::Up(up) = &mut self.phase else { return };
        up.task = Task::Golden(Golden { found, until, next: now, round: 0, reply });
        self.stop_hashing(now);
        self.go_on_testing(now);
    }

    fn go_on_testing(&mut self, now: Instant) {
        let Phase::Up(up) = &mut self.phase else { return };
        let Task::Golden(golden) = &mut up.task else { return };
        if now >= golden.until || golden.found.iter().all(|found| *found) {
            let Task::Golden(done) = std::mem::replace(&mut up.task, Task::None) else { return };
            self.stop_hashing(now);
            self.actions.push(Action::Answer(Answer::Golden(done.reply, Ok(done.found))));
            self.renew(now);
            self.follow_waiting(now);
            return;
        }
        if now >= golden.next {
            golden.round = golden.round.wrapping_add(1);
            golden.next = now + TEST_RENEWAL.min(up.cadence.renewal);
            let round = golden.round;
            let header = test_header(round);
            self.send(header, TEST_VERSION, register::ROLLABLE, self.test_ticket(), Origin::Test, now);
        }
    }

    /// The gate alone, unless that floods the line.
    fn test_ticket(&self) -> TicketMask {
        TicketMask::for_rate(self.nominal_hash_rate(), self.spec.results_per_second.max(20.0), self.spec.gate_bits)
    }

    pub(super) fn golden_nonce(&mut self, chip: Option<u8>, now: Instant) {
        let Some(Task::Golden(golden)) = self.up().map(|up| &mut up.task) else { return };
        if let Some(found) = chip.and_then(|chip| golden.found.get_mut(usize::from(chip))) {
            *found = true;
        }
        if golden.found.iter().all(|found| *found) {
            self.go_on_testing(now);
        }
    }
}

/// Version of the header of a test, without the bits that chips roll.
const TEST_VERSION: u32 = 0x2000_0000;

/// A header that no pool wants. Each round has another.
fn test_header(round: u32) -> [u8; 80] {
    let mut header = [0x5a; 80];
    let [v0, v1, v2, v3, .., r0, r1, r2, r3, n0, n1, n2, n3] = &mut header;
    [*v0, *v1, *v2, *v3] = TEST_VERSION.to_le_bytes();
    [*r0, *r1, *r2, *r3] = round.to_le_bytes();
    [*n0, *n1, *n2, *n3] = [0; 4];
    header
}

fn is_above(pll: &Pll, frequency: Frequency) -> bool {
    pll.frequency().hertz() > frequency.hertz() + 1.0
}
