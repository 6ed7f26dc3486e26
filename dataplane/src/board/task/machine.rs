//! What a board does next: a pure step from what was done, seen, answered or asked to one thing to do.
//!
//! ```text
//!        cool, rested          on                released           chips set up
//!  Safe ─────────────▶ PowerUp ──▶ Release ─────────────▶ BringUp ─────────────▶ Up ⟲ poll, ramp, test
//!   ▲                     │           │                      │                    │
//!   └───── Stopping ◀─────┴───────────┴── failed, too hot, paused, asked, over ───┘
//! ```
//!
//! One thing is done on the board at a time, a poll before anything else; the chain is asked beside it, so that no poll
//! waits for chips. Orders of boards 2.2, 2.3, 3.2 and 3.3.

mod command;
mod ramp;
mod report;
mod start;
mod test;
mod watch;

use super::{Memory, Reply, Told, cause::Cause};
use crate::{
    board::{
        known::Board,
        led::{Led, Rgb},
        limits::BoardLimits,
        power::{PowerStep, SetPoint},
        thermal::{Guard, Restarts, Verdict},
        tuner::Tuner,
    },
    thread::chain::ChainReport,
};
use mujina_core::{
    board::{BoardTuning, LedState, RailReport, SafeStateReport, TuningMode},
    fault::Fault,
    id::BoardId,
    units::{Celsius, Frequency, Volts},
};
use std::{
    collections::{BTreeMap, VecDeque},
    time::{Duration, Instant, SystemTime},
};
use test::Test;

/// Between two looks at a board, with power and without (boards 2.4 and 3.4: 1 to 2 s).
pub(super) const POLL: Duration = Duration::from_secs(1);
/// Between two attempts to confirm the safe state.
const SAFE_AGAIN: Duration = Duration::from_secs(10);

/// One moment, on both clocks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Now {
    pub(super) at: Instant,
    pub(super) wall: SystemTime,
}

/// What is to be done on the board.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Action {
    PowerUp(Volts),
    RestartChips,
    SetVoltage(Volts),
    /// The chain is halted first, and not waited for longer than a moment.
    MakeSafe(String),
    Survey,
    DriveFan(f64),
    Shine(Rgb),
}

/// What came of it.
#[derive(Debug)]
pub(super) enum Outcome {
    Did(Result<(), Failure>),
    Safe(SafeStateReport),
    /// `None`: it did not end in time, and only the safe state may follow.
    Seen(Option<crate::board::hardware::Survey>),
}

/// Why something was not done.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Failure {
    pub(super) problem: String,
    /// Whether the device must be opened anew.
    pub(super) gone: bool,
}

/// What follows.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Next {
    Do(Action),
    /// Nothing before this, unless something comes.
    Wait(Instant),
    /// The device must be opened anew, and the machine be told of it.
    Reopen,
    /// The board is as safe as it could be made, and the task is over.
    End,
}

/// What the chain is asked.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Ask {
    BringUp,
    SetFrequency(Frequency),
    FindGoldenNonces(Duration),
}

/// What it answers.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Answer {
    Raised(Result<(), String>),
    Frequency(Result<Frequency, String>),
    Golden(Result<Vec<bool>, String>),
}

#[derive(Debug, Clone, PartialEq)]
enum Phase {
    /// In the safe state, as far as is known.
    Safe,
    PowerUp(Volts),
    Release,
    BringUp,
    Up,
    Stopping(Cause),
}

/// What the newest look found.
#[derive(Debug, Default)]
struct Seen {
    answered: bool,
    fan: Option<crate::board::thermal::FanReading>,
    rails: Vec<RailReport>,
}

/// Why it is not running, when that is a failure.
#[derive(Debug, Clone)]
struct Trouble {
    fault: Fault,
    /// What of it is said in the state.
    reason: String,
}

/// One board.
#[derive(Debug)]
pub(super) struct Machine {
    pub(super) id: BoardId,
    pub(super) board: Board,
    pub(super) restarts: Restarts,
    gate_bits: u8,
    facts: BTreeMap<String, String>,
    /// Of the model; `limits` are these, tightened.
    base: BoardLimits,
    limits: BoardLimits,
    guard: Guard,
    tuner: Tuner,
    tuning: BoardTuning,
    refused: Option<Fault>,
    phase: Phase,
    paused: bool,
    /// Whether the core supply is on, or may be.
    powered: bool,
    released_at: Option<Instant>,
    /// Where clock and voltage stand.
    at: Option<SetPoint>,
    /// Where they were last sent.
    sent: Option<SetPoint>,
    ramp: VecDeque<PowerStep>,
    settles_until: Option<Instant>,
    replan: bool,
    /// Whether it has been where it was first sent since it was brought up.
    arrived: bool,
    ask: Option<Ask>,
    asked: bool,
    chain: ChainReport,
    verdict: Option<Verdict>,
    seen: Option<Seen>,
    limited_by: Vec<String>,
    poll_due: Instant,
    fan: Option<f64>,
    led: Option<Led>,
    light: Option<(Rgb, Instant)>,
    locate_until: Option<SystemTime>,
    test: Option<Test>,
    reinit: Option<Reply>,
    trouble: Option<Trouble>,
    warned_since: Option<SystemTime>,
    waits: String,
    /// When the safe state is tried again, because it was not confirmed.
    unsafe_until: Option<Instant>,
    needs_opening: bool,
    /// Whether the task has nothing left to do.
    over: bool,
    safe: Option<SafeStateReport>,
    starts: u32,
    state: Option<(mujina_core::board::BoardState, SystemTime)>,
    /// Whether something changed that others should see.
    pub(super) dirty: bool,
}

/// What a machine begins with.
#[derive(Debug)]
pub(super) struct Beginning {
    pub(super) id: BoardId,
    pub(super) board: Board,
    pub(super) gate_bits: u8,
    pub(super) facts: BTreeMap<String, String>,
    pub(super) has_led: bool,
    pub(super) tuning: BoardTuning,
    pub(super) paused: bool,
    pub(super) memory: Memory,
    pub(super) restarts: Restarts,
    pub(super) reinit: Option<Reply>,
}

impl Machine {
    /// A board that was just opened: in the safe state. A tuning that does not fit it is refused but for the limits that it
    /// tightens, and it runs with the defaults of its model.
    pub(super) fn new(beginning: Beginning, now: Now) -> Self {
        let Beginning { id, board, gate_bits, facts, has_led, tuning, paused, memory, restarts, reinit } = beginning;
        let base = board.limits(gate_bits);
        let mut machine = Self {
            guard: Guard::new(base.clone()),
            tuner: Tuner::new(base.clone(), TuningMode::Default, memory.learnt),
            limits: base.clone(),
            tuning: BoardTuning::default(),
            refused: None,
            phase: Phase::Safe,
            powered: false,
            released_at: None,
            at: None,
            sent: None,
            ramp: VecDeque::new(),
            settles_until: None,
            replan: false,
            arrived: false,
            ask: None,
            asked: false,
            chain: ChainReport::default(),
            verdict: None,
            seen: None,
            limited_by: Vec::new(),
            poll_due: now.at,
            fan: None,
            led: has_led.then(|| Led::new(LedState::Starting, now.at)),
            light: None,
            locate_until: None,
            test: None,
            trouble: None,
            warned_since: None,
            waits: String::new(),
            unsafe_until: None,
            needs_opening: false,
            over: false,
            safe: memory.safe,
            starts: memory.starts,
            state: None,
            dirty: true,
            id,
            board,
            restarts,
            gate_bits,
            facts,
            base,
            paused,
            reinit,
        };
        machine.tune(tuning, now);
        machine
    }

    /// Its device was opened again: it is in the safe state.
    pub(super) fn opened(&mut self, facts: BTreeMap<String, String>, now: Now) {
        self.facts = facts;
        self.needs_opening = false;
        self.unsafe_until = None;
        self.powered = false;
        self.seen = None;
        self.light = None;
        self.poll_due = now.at;
        self.dirty = true;
    }

    /// What is to be done now.
    pub(super) fn next(&mut self, now: Now) -> Next {
        if self.over {
            return Next::End;
        }
        if let Phase::Stopping(cause) = &self.phase {
            return Next::Do(Action::MakeSafe(cause.to_string()));
        }
        if now.at >= self.poll_due {
            self.poll_due = now.at + POLL;
            return Next::Do(Action::Survey);
        }
        if let Some(duty) = self.fan.take() {
            return Next::Do(Action::DriveFan(duty));
        }
        let step = match self.phase {
            Phase::Safe => self.next_start(now),
            Phase::PowerUp(voltage) => Some(Next::Do(Action::PowerUp(voltage))),
            Phase::Release => Some(Next::Do(Action::RestartChips)),
            Phase::Up => self.next_step(now),
            Phase::BringUp | Phase::Stopping(_) => None,
        };
        if let Some(step) = step {
            return step;
        }
        let (light, light_due) = self.next_light(now);
        if let Some(light) = light {
            return Next::Do(Action::Shine(light));
        }
        let times = [light_due, self.settles_until, self.unsafe_until].into_iter().flatten();
        Next::Wait(times.fold(self.poll_due, Instant::min))
    }

    /// What the chain is to be asked, once.
    pub(super) fn take_ask(&mut self) -> Option<Ask> {
        let ask = self.ask.take();
        self.asked |= ask.is_some();
        ask
    }

    /// Something was done.
    pub(super) fn done(&mut self, action: &Action, outcome: Outcome, now: Now) {
        match (action, outcome) {
            (Action::Survey, Outcome::Seen(Some(survey))) => self.look(survey, now),
            (Action::Survey, _) => self.stop(Cause::Unseen, now),
            (Action::MakeSafe(_), Outcome::Safe(report)) => self.stopped(report, now),
            (Action::PowerUp(voltage), Outcome::Did(result)) => self.powered_up(*voltage, result, now),
            (Action::RestartChips, Outcome::Did(result)) => self.released(result, now),
            (Action::SetVoltage(voltage), Outcome::Did(result)) => self.moved_voltage(*voltage, result, now),
            (Action::DriveFan(_) | Action::Shine(_), Outcome::Did(Err(failure))) => {
                // The next look shows what is wrong with the fan; without its light a board mines as well.
                self.needs_opening |= failure.gone;
            }
            (Action::DriveFan(_) | Action::Shine(_), _) => {}
            (_, Outcome::Safe(_) | Outcome::Seen(_)) | (Action::MakeSafe(_), Outcome::Did(_)) => {}
        }
    }

    /// The chain answered.
    pub(super) fn answered(&mut self, answer: Answer, now: Now) {
        self.asked = false;
        match (answer, &self.phase) {
            (Answer::Raised(result), Phase::BringUp) => self.raised(result, now),
            (Answer::Frequency(result), Phase::Up) => self.moved_clock(result, now),
            (Answer::Golden(result), Phase::Up) => self.golden(&result, now),
            (Answer::Raised(_) | Answer::Frequency(_) | Answer::Golden(_), _) => {}
        }
    }

    /// The chain told how it is.
    pub(super) fn chain_told(&mut self, report: ChainReport, now: Now) {
        self.dirty |= self.chain.hashing != report.hashing;
        self.chain = report;
        if self.phase == Phase::Up
            && let Some(failure) = self.chain.failure.clone()
        {
            self.stop(Cause::ChipsSilent(failure), now);
        }
    }

    /// The thread of the chain is gone. A start begins with another one.
    pub(super) fn chain_ended(&mut self, failure: &str, now: Now) {
        if matches!(self.phase, Phase::BringUp | Phase::Up) {
            self.stop(Cause::ChainEnded(failure.to_owned()), now);
        }
    }

    /// The task is to end, with the board in the safe state.
    pub(super) fn end(&mut self, cause: Cause, now: Now) {
        // Of one that is gone and was safe, nothing more can be learnt.
        if cause == Cause::Unplugged && self.phase == Phase::Safe && self.unsafe_until.is_none() {
            self.break_test(&cause.to_string(), now);
            self.over = true;
        } else {
            self.stop(cause, now);
        }
    }

    /// Whether the task is told to end, or has.
    pub(super) fn ends(&self) -> bool {
        self.over || matches!(&self.phase, Phase::Stopping(cause) if cause.ends())
    }

    /// Makes the board safe next. What is under way is left; a cause that ends the task overrides others.
    fn stop(&mut self, cause: Cause, now: Now) {
        if matches!(self.phase, Phase::Stopping(_)) && !cause.ends() {
            return;
        }
        self.ramp.clear();
        self.settles_until = None;
        self.replan = false;
        (self.ask, self.asked) = (None, false);
        self.limited_by.clear();
        if cause != Cause::Tested {
            self.break_test(&cause.to_string(), now);
        }
        self.phase = Phase::Stopping(cause);
        self.dirty = true;
    }

    /// What there is to see, and to remember.
    pub(super) fn told(&mut self, now: Now) -> Told {
        self.dirty = false;
        let report = self.report(now);
        let memory = Memory { learnt: self.tuner.learnt().clone(), starts: self.starts, safe: self.safe.clone() };
        Told { report, memory, limits: Some(self.base.clone()) }
    }

    fn known(&self) -> BTreeMap<String, Celsius> {
        self.guard.temperatures()
    }

    fn ceiling(&self) -> Option<Frequency> {
        self.verdict.as_ref().and_then(|verdict| verdict.ceiling)
    }

    /// What is asked of its chain.
    pub(super) fn chain_spec(&self) -> crate::asic::bm13xx::ChainSpec {
        self.board.chain(self.gate_bits)
    }
}
