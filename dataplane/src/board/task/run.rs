//! The loop of a board's task: does what its machine says, one thing at a time, and hands in what comes.

use super::{
    Memory, Reply, TaskOrder, TaskPlan, Teller, Wishes,
    cause::Cause,
    chain::{ChainLink, Chains, Pending},
    machine::{Action, Answer, Ask, Failure, Machine, Next, Now, Outcome},
    open::provisional_model,
};
use crate::{
    board::{
        hardware::{Hardware, HardwareError, Opener},
        thermal::Restarts,
    },
    thread::chain::ChainReport,
    transport::device::BoardDevice,
};
use mujina_core::id::BoardId;
use std::{
    path::PathBuf,
    time::{Duration, SystemTime},
};
use tokio::{
    sync::{mpsc, watch},
    time::{Instant, sleep, sleep_until, timeout},
};
use tokio_util::sync::CancellationToken;
use tracing::{debug, error};

/// Deadlines on top of those that hardware has of its own: what takes longer than all of them together hangs.
const POWER_UP_WITHIN: Duration = Duration::from_secs(20);
const RESTART_WITHIN: Duration = Duration::from_secs(10);
const STEP_WITHIN: Duration = Duration::from_secs(5);
/// The longest frame is on the slowest line for so long: what a chain wrote last has arrived then.
const LINE_EMPTIES: Duration = Duration::from_millis(20);
/// Between two tellings, at most.
const TELL_EVERY: Duration = Duration::from_secs(1);

/// A device and everything that its task was given.
pub(super) struct Seat<O, C> {
    pub(super) id: BoardId,
    pub(super) device: BoardDevice,
    /// As well as is known.
    pub(super) model: String,
    pub(super) opener: O,
    chains: C,
    pub(super) gate_bits: u8,
    pub(super) memory: Memory,
    pub(super) wishes: watch::Receiver<Wishes>,
    pub(super) orders: mpsc::Receiver<TaskOrder>,
    pub(super) teller: Teller,
    pub(super) unplugged: CancellationToken,
    pub(super) stop: CancellationToken,
    /// Somebody asked for a fresh start and waits.
    pub(super) reinit: Option<Reply>,
}

/// Looks after a device until it is unplugged or the miner stops; by then it is in the safe state, or known not to be.
pub(crate) async fn run<O: Opener, C: Chains>(plan: TaskPlan<O, C>) {
    let TaskPlan { id, device, opener, chains, gate_bits, memory, wishes, orders, teller, unplugged, stop } = plan;
    let model = provisional_model(&device);
    let reinit = None;
    let mut seat =
        Seat { id, device, model, opener, chains, gate_bits, memory, wishes, orders, teller, unplugged, stop, reinit };
    let mut before: Option<Machine> = None;
    loop {
        let mut restarts =
            before.as_mut().map_or_else(Restarts::default, |machine| std::mem::take(&mut machine.restarts));
        let Some(opened) = seat.open(&mut restarts).await else { return };
        let machine = match before.take().filter(|machine| machine.board == opened.board) {
            Some(mut machine) => {
                machine.restarts = restarts;
                machine.opened(opened.facts.clone(), now());
                machine
            }
            None => Machine::new(seat.beginning(&opened, restarts), now()),
        };
        seat.model = opened.board.name.to_owned();
        let mut task =
            Task { seat: &mut seat, machine, hardware: opened.hardware, link: None, pending: None, told_at: None };
        let reopens = task.run().await;
        let Task { machine, hardware, link, .. } = task;
        // Whatever is left of the old board is gone before it is opened anew.
        drop(hardware);
        if let Some(link) = link
            && !link.end().await
        {
            error!(board.id = %seat.id, "the thread of the chain did not end in time");
        }
        if !reopens {
            return;
        }
        before = Some(machine);
    }
}

struct Task<'a, O: Opener, C> {
    seat: &'a mut Seat<O, C>,
    machine: Machine,
    hardware: O::Hardware,
    link: Option<ChainLink>,
    pending: Option<Pending>,
    told_at: Option<Instant>,
}

/// What came while nothing was to be done.
enum Input {
    End,
    Answer(Answer),
    Chain(Result<(), watch::error::RecvError>),
    Order(Option<TaskOrder>),
    Wishes(Result<(), watch::error::RecvError>),
    Due,
}

impl<O: Opener, C: Chains> Task<'_, O, C> {
    /// Runs until the end (`false`), or until the device must be opened anew (`true`).
    async fn run(&mut self) -> bool {
        loop {
            self.hear_of_the_end();
            self.machine.tell_test(now());
            let next = self.machine.next(now());
            if let Some(ask) = self.machine.take_ask() {
                self.ask(ask);
            }
            self.tell();
            match next {
                Next::Do(action) => self.act(&action).await,
                Next::Wait(until) => {
                    let input = self.input(until).await;
                    self.take(input);
                }
                Next::Reopen => return true,
                Next::End => return false,
            }
        }
    }

    fn hear_of_the_end(&mut self) {
        if !self.machine.ends() && (self.seat.unplugged.is_cancelled() || self.seat.stop.is_cancelled()) {
            let cause = if self.seat.unplugged.is_cancelled() { Cause::Unplugged } else { Cause::Stopping };
            self.machine.end(cause, now());
        }
    }

    /// Does one thing. All but the way into the safe state is given up when the end comes.
    async fn act(&mut self, action: &Action) {
        if let Action::MakeSafe(reason) = action {
            self.pending = None;
            if let Some(link) = &self.link {
                if !link.halt().await {
                    debug!(board.id = %self.seat.id, "the chain did not halt in time; its chips are reset anyway");
                }
                sleep(LINE_EMPTIES).await;
            }
            let report = self.hardware.make_safe(reason).await;
            self.machine.done(action, Outcome::Safe(report), now());
            return;
        }
        let (unplugged, stop) = (self.seat.unplugged.clone(), self.seat.stop.clone());
        tokio::select! {
            biased;
            () = unplugged.cancelled() => {}
            () = stop.cancelled() => {}
            outcome = perform(&mut self.hardware, action) => self.machine.done(action, outcome, now()),
        }
    }

    async fn input(&mut self, until: std::time::Instant) -> Input {
        let until = self.told_at.map_or(Instant::from(until), |told| Instant::from(until).min(told + TELL_EVERY));
        tokio::select! {
            biased;
            () = self.seat.unplugged.cancelled() => Input::End,
            () = self.seat.stop.cancelled() => Input::End,
            answer = answer(&mut self.pending) => Input::Answer(answer),
            changed = changed(&mut self.link) => Input::Chain(changed),
            wishes = self.seat.wishes.changed() => Input::Wishes(wishes),
            order = self.seat.orders.recv() => Input::Order(order),
            () = sleep_until(until) => Input::Due,
        }
    }

    fn take(&mut self, input: Input) {
        let now = now();
        match input {
            Input::End | Input::Due => {}
            Input::Answer(answer) => {
                self.pending = None;
                self.hear_chain(now);
                self.machine.answered(answer, now);
            }
            Input::Chain(Ok(())) => self.hear_chain(now),
            Input::Chain(Err(_)) => {
                let failure = self.link.take().and_then(|link| link.report.borrow().failure.clone());
                self.pending = None;
                let unsaid = "the thread of the chain ended without a word; please report this with the log";
                self.machine.chain_ended(failure.as_deref().unwrap_or(unsaid), now);
            }
            Input::Wishes(Ok(())) => {
                let (tuning, paused) = {
                    let wishes = self.seat.wishes.borrow_and_update();
                    (wishes.tuning_of(&self.seat.id, self.machine.board.name), wishes.paused)
                };
                self.machine.tune(tuning, now);
                self.machine.pause(paused, now);
            }
            Input::Order(Some(order)) => self.follow(order, now),
            // Nobody steers any more: the board must not go on alone.
            Input::Wishes(Err(_)) | Input::Order(None) => self.machine.end(Cause::Stopping, now),
        }
    }

    fn hear_chain(&mut self, now: Now) {
        if let Some(link) = &mut self.link {
            let report: ChainReport = link.report.borrow_and_update().clone();
            self.machine.chain_told(report, now);
        }
    }

    fn follow(&mut self, order: TaskOrder, now: Now) {
        // Who asks may have gone.
        match order {
            TaskOrder::Reinitialize(reply) => self.machine.reinitialize(reply, now),
            TaskOrder::Locate(time, reply) => drop(reply.send(self.machine.locate(time, now))),
            TaskOrder::SelfTest(steps, reply) => drop(reply.send(self.machine.self_test(steps, now))),
        }
    }

    /// Asks the chain; one that is not there, or has ended, is started first.
    fn ask(&mut self, ask: Ask) {
        if ask == Ask::BringUp && self.link.as_ref().is_none_or(|link| link.report.has_changed().is_err()) {
            let port: PathBuf = self.seat.device.data.clone();
            match self.seat.chains.start(&self.seat.id, self.machine.chain_spec(), port) {
                Ok(link) => self.link = Some(link),
                Err(error) => {
                    self.link = None;
                    let failure = format!("its chain could not be started: {error}");
                    self.machine.answered(Answer::Raised(Err(failure)), now());
                    return;
                }
            }
        }
        self.pending = match &self.link {
            Some(link) => Some(link.ask(ask)),
            None => {
                self.machine.chain_ended("the thread of the chain is gone", now());
                None
            }
        };
    }

    fn tell(&mut self) {
        let now = Instant::now();
        if self.machine.dirty || self.told_at.is_none_or(|at| now >= at + TELL_EVERY) {
            self.told_at = Some(now);
            let told = self.machine.told(self::now());
            self.seat.memory = told.memory.clone();
            self.seat.teller.tell(told);
        }
    }
}

async fn perform(hardware: &mut impl Hardware, action: &Action) -> Outcome {
    match action {
        Action::PowerUp(voltage) => did(timeout(POWER_UP_WITHIN, hardware.power_up(*voltage)).await),
        Action::RestartChips => did(timeout(RESTART_WITHIN, hardware.restart_chips()).await),
        Action::SetVoltage(voltage) => did(timeout(STEP_WITHIN, hardware.set_voltage(*voltage)).await),
        Action::MakeSafe(reason) => Outcome::Safe(hardware.make_safe(reason).await),
        Action::Survey => Outcome::Seen(timeout(STEP_WITHIN, hardware.survey()).await.ok()),
        Action::DriveFan(percent) => did(timeout(STEP_WITHIN, hardware.drive_fan(*percent)).await.map(Ok)),
        Action::Shine(light) => did(timeout(STEP_WITHIN, hardware.shine(*light)).await.map(Ok)),
    }
}

fn did(result: Result<Result<(), HardwareError>, tokio::time::error::Elapsed>) -> Outcome {
    Outcome::Did(match result {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err(Failure { gone: error.is_gone(), problem: error.to_string() }),
        Err(_) => Err(Failure { gone: false, problem: "it did not end; check the cable and the supply".to_owned() }),
    })
}

async fn answer(pending: &mut Option<Pending>) -> Answer {
    match pending {
        Some(pending) => pending.await,
        None => std::future::pending().await,
    }
}

async fn changed(link: &mut Option<ChainLink>) -> Result<(), watch::error::RecvError> {
    match link {
        Some(link) => link.report.changed().await,
        None => std::future::pending().await,
    }
}

/// This moment; the paused one in tests.
fn now() -> Now {
    Now { at: Instant::now().into_std(), wall: SystemTime::now() }
}
