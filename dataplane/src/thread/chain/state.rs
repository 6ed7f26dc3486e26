//! What a chain does next: a pure step from an assignment, bytes, an order or the time to what the loop must perform.
//!
//! ```text
//!          bring up               machine done
//!   down ───────────▶ bringing up ────────────▶ up ⟲ work, ramp, golden nonces
//!    ▲                    │ failed, halt         │ halt
//!    └────────────────────┴──────────────────────┘
//! ```

mod nonces;
mod orders;
mod statistics;
mod work;

use self::{
    nonces::Filter,
    orders::{Golden, Ramp},
    statistics::Statistics,
    work::Working,
};
use super::{ChainOrder, ChainReport};
use crate::{
    asic::bm13xx::{
        ChainError, ChainSpec,
        bring_up::{BringUp, Raised},
        frame::Decoder,
        nonce_space::Cadence,
        response::Response,
    },
    thread::{Assignment, ThreadEvent, ThreadIndex},
};
use mujina_core::units::{Frequency, HashRate};
use std::{
    collections::VecDeque,
    time::{Duration, Instant, SystemTime},
};
use tokio::sync::oneshot;

/// Orders that may wait for the one at work: a board gives one after the other, so this many wait for nobody.
const WAITING_ORDERS: usize = 8;

/// What the loop must do, in this order.
#[derive(Debug)]
pub(super) enum Action {
    /// Write these bytes.
    Write(Vec<u8>),
    /// When everything written has left, change the rate of the port.
    SetBaud(u32),
    /// Throw away what was received and not handed in.
    Discard,
    /// Tell the scheduler.
    Tell(ThreadEvent),
    /// Answer an order.
    Answer(Answer),
    /// The thread is over.
    End,
}

/// The answer to an order, with the way that it takes.
#[derive(Debug)]
pub(super) enum Answer {
    /// To a bring-up.
    Raised(oneshot::Sender<Result<(), ChainError>>, Result<(), ChainError>),
    /// To another clock.
    Frequency(oneshot::Sender<Result<Frequency, ChainError>>, Result<Frequency, ChainError>),
    /// To a halt.
    Halted(oneshot::Sender<()>),
    /// To the search for golden nonces.
    Golden(oneshot::Sender<Result<Vec<bool>, ChainError>>, Result<Vec<bool>, ChainError>),
}

impl Answer {
    /// Sends it. A board that does not wait any more needs none.
    pub(super) fn send(self) {
        match self {
            Self::Raised(to, answer) => drop(to.send(answer)),
            Self::Frequency(to, answer) => drop(to.send(answer)),
            Self::Halted(to) => drop(to.send(())),
            Self::Golden(to, answer) => drop(to.send(answer)),
        }
    }
}

/// The chain.
#[derive(Debug)]
pub(super) struct State {
    index: ThreadIndex,
    spec: ChainSpec,
    phase: Phase,
    decoder: Decoder,
    /// Bytes that are no whole response yet.
    received: Vec<u8>,
    waiting: VecDeque<ChainOrder>,
    working: Working,
    filter: Filter,
    statistics: Statistics,
    late_renewals: u64,
    actions: Vec<Action>,
}

#[derive(Debug)]
enum Phase {
    /// Chips are in reset, or nobody knows what they are.
    Down,
    /// They are being set up.
    BringingUp {
        machine: Box<BringUp>,
        until: Instant,
        reply: oneshot::Sender<Result<(), ChainError>>,
    },
    Up(Box<Up>),
}

/// Chips that are set up.
#[derive(Debug)]
struct Up {
    raised: Raised,
    cadence: Cadence,
    task: Task,
}

/// What is at work besides work.
#[derive(Debug)]
enum Task {
    None,
    Ramp(Ramp),
    Golden(Golden),
}

impl State {
    /// A chain whose chips are in reset.
    pub(super) fn new(index: ThreadIndex, spec: ChainSpec, now: Instant) -> Self {
        Self {
            index,
            phase: Phase::Down,
            decoder: Decoder::new(spec.model.constants().form),
            received: Vec::new(),
            waiting: VecDeque::new(),
            working: Working::new(spec.model, now),
            filter: Filter::new(spec.chips),
            statistics: Statistics::new(&spec),
            late_renewals: 0,
            actions: Vec::new(),
            spec,
        }
    }

    /// What is to be done; to be taken after each input.
    pub(super) fn take_actions(&mut self) -> Vec<Action> {
        std::mem::take(&mut self.actions)
    }

    /// When [`Self::tick`] is due.
    pub(super) fn due(&self) -> Option<Instant> {
        match &self.phase {
            Phase::Down => None,
            Phase::BringingUp { until, .. } => Some(*until),
            Phase::Up(up) => match &up.task {
                Task::None => self.working.due(),
                Task::Ramp(ramp) => [Some(ramp.due()), self.working.due()].into_iter().flatten().min(),
                Task::Golden(golden) => Some(golden.due()),
            },
        }
    }

    /// Something is due.
    pub(super) fn tick(&mut self, now: Instant) {
        match &self.phase {
            Phase::Down => {}
            Phase::BringingUp { .. } => self.go_on_bringing_up(now),
            Phase::Up(_) => {
                self.go_on_with_task(now);
                self.renew_if_due(now);
            }
        }
    }

    /// The scheduler wants something else.
    pub(super) fn assign(&mut self, assignment: Assignment, now: Instant) {
        match assignment {
            Assignment::Idle => self.idle(now),
            Assignment::Work(work) => self.work(work, now),
            Assignment::Stop => {
                self.stop_hashing(now);
                self.actions.push(Action::End);
            }
        }
    }

    /// Bytes came.
    pub(super) fn receive(&mut self, bytes: &[u8], now: Instant) {
        self.received.extend_from_slice(bytes);
        let received = std::mem::take(&mut self.received);
        let mut rest = received.as_slice();
        while let Some(response) = self.decoder.next(&mut rest) {
            match &mut self.phase {
                Phase::Down => {}
                Phase::BringingUp { machine, .. } => machine.receive(response, now),
                Phase::Up(_) => {
                    if let Response::Nonce(reply) = response {
                        self.nonce(reply, now);
                    }
                }
            }
        }
        self.received = rest.to_vec();
        if matches!(self.phase, Phase::BringingUp { .. }) {
            self.go_on_bringing_up(now);
        }
    }

    /// How the chain is.
    pub(super) fn report(&mut self, now: Instant, wall: SystemTime) -> ChainReport {
        self.account(now);
        let (up, frequency) = match &self.phase {
            Phase::Up(up) => (true, Some(up.raised.pll.frequency())),
            _ => (false, None),
        };
        let nominal = self.nominal_hash_rate();
        let chips = self.statistics.reports(nominal, now, wall);
        let all_silent = up && self.statistics.all_are_silent();
        ChainReport {
            up,
            hashing: up && self.working.is_hashing(),
            frequency,
            nominal_hash_rate: nominal,
            chips,
            lost_chips: if up { u32::try_from(self.statistics.silent()).unwrap_or(u32::MAX) } else { 0 },
            late_renewals: self.late_renewals,
            line_errors: self.decoder.errors().sum(),
            lost_events: 0,
            failure: all_silent.then(|| {
                "no chip has returned anything for twenty times as long as a result takes; check power and reset, then \
                 start the board again"
                    .to_owned()
            }),
        }
    }

    /// Rate that the chips should reach now; emulated ones with a smaller gate hash a part of it.
    fn nominal_hash_rate(&self) -> HashRate {
        match &self.phase {
            Phase::Up(up) => self.spec.nominal_hash_rate(up.raised.pll.frequency()),
            _ => HashRate::default(),
        }
    }

    fn up(&mut self) -> Option<&mut Up> {
        match &mut self.phase {
            Phase::Up(up) => Some(up),
            _ => None,
        }
    }

    fn write(&mut self, bytes: &[u8]) {
        self.actions.push(Action::Write(bytes.to_vec()));
    }

    /// Hashes and expectations grow with time while the chips hash.
    fn account(&mut self, now: Instant) {
        let rate = self.nominal_hash_rate().hashes_per_second();
        let result = self.expected_hashes_per_result();
        let (hashes, seconds) = self.working.account(rate, now);
        self.statistics.expect(hashes, result, seconds, now);
    }

    fn expected_hashes_per_result(&self) -> f64 {
        match &self.phase {
            Phase::Up(up) => up.raised.ticket.ticket_target(self.spec.gate_bits).expected_hashes(),
            _ => f64::INFINITY,
        }
    }
}

/// Time for the results of one mask or clock to reach the host: what is on the line then belongs to what was before.
const DRAIN: Duration = Duration::from_millis(100);

#[cfg(test)]
pub(super) mod tests;
