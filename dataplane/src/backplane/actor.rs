//! The actor behind [`BoardsHandle`]: gives each device a task, passes on what is asked, and publishes what tasks tell.

use super::{
    BoardCommand, BoardRefusal, BoardReports, BoardsHandle,
    names::Names,
    slot::{Running, Slot, unusable},
    standing::Standing,
    supervise::Contained,
};
use crate::{
    board::{
        hardware::Opener,
        known::{self, Device},
        safe::Registry,
        task::{self, Memory, TaskOrder, TaskPlan, Teller, Wishes, chain::Chains},
        tuner::Learnt,
    },
    transport::device::{BoardDevice, DeviceEvent},
};
use mujina_core::{
    board::{BoardReport, BoardState},
    fault::FaultReason,
    id::BoardId,
};
use std::{collections::BTreeMap, fmt, future::poll_fn, path::PathBuf, sync::Arc, task::Poll};
use tokio::{
    sync::{Notify, mpsc, watch},
    task::{Id, JoinError, JoinSet},
    time::timeout,
};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

/// Orders that may wait: they come from people and from the spec.
const COMMAND_QUEUE: usize = 16;
/// Orders to one board that may wait, while it is being opened or powered.
const ORDER_QUEUE: usize = 4;

/// What the backplane is made of.
pub(crate) struct BackplanePlan<O, C> {
    /// Opens devices.
    pub(crate) opener: O,
    /// Starts chains.
    pub(crate) chains: C,
    /// Boards that are always there.
    pub(crate) standing: Vec<BoardReport>,
    /// Where is told of boards that come and go.
    pub(crate) devices: Vec<mpsc::Receiver<DeviceEvent>>,
    /// Leading zero bits that the chips of a device demand: 32 but for emulated ones.
    pub(crate) gate_bits: Box<dyn Fn(&BoardDevice) -> u8 + Send>,
    /// What makes boards safe that their tasks do not.
    pub(crate) last_resort: Registry,
    /// What an earlier process learnt of boards.
    pub(crate) learnt: BTreeMap<BoardId, Learnt>,
}

/// See the module.
pub(crate) struct Backplane<O, C> {
    opener: O,
    chains: C,
    standing: Standing,
    devices: Vec<mpsc::Receiver<DeviceEvent>>,
    gate_bits: Box<dyn Fn(&BoardDevice) -> u8 + Send>,
    last_resort: Registry,
    /// Of boards that were not there since the start as well.
    learnt: BTreeMap<BoardId, Learnt>,
    names: Names,
    slots: BTreeMap<BoardId, Slot>,
    tasks: JoinSet<()>,
    bell: Arc<Notify>,
    wishes: watch::Sender<Wishes>,
    usb_problem: String,
    reports: watch::Sender<Arc<BoardReports>>,
    commands: mpsc::Receiver<BoardCommand>,
    stop: CancellationToken,
}

impl<O, C> fmt::Debug for Backplane<O, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Backplane").field("slots", &self.slots).finish_non_exhaustive()
    }
}

impl<O: Opener, C: Chains> Backplane<O, C> {
    /// One that has published its standing boards.
    pub(crate) fn new(plan: BackplanePlan<O, C>) -> (Self, BoardsHandle) {
        let BackplanePlan { opener, chains, standing, devices, gate_bits, last_resort, learnt } = plan;
        let (commands, queue) = mpsc::channel(COMMAND_QUEUE);
        let (sender, reports) = watch::channel(Arc::default());
        let backplane = Self {
            opener,
            chains,
            standing: Standing::new(standing),
            devices,
            gate_bits,
            last_resort,
            learnt,
            names: Names::default(),
            slots: BTreeMap::new(),
            tasks: JoinSet::new(),
            bell: Arc::default(),
            wishes: watch::Sender::new(Wishes::default()),
            usb_problem: String::new(),
            reports: sender,
            commands: queue,
            stop: CancellationToken::new(),
        };
        backplane.publish();
        (backplane, BoardsHandle { reports, commands })
    }

    /// Looks after boards until `cancel`; by then all are safe, or it was said that they are not.
    pub(crate) async fn run(mut self, cancel: CancellationToken) {
        loop {
            tokio::select! {
                biased;
                () = cancel.cancelled() => break,
                Some(ended) = self.tasks.join_next_with_id() => self.ended(&ended),
                event = next_of(&mut self.devices) => self.device(event),
                Some(command) = self.commands.recv() => self.follow(command),
                () = self.bell.notified() => self.hear(),
            }
        }
        self.finish().await;
    }

    fn device(&mut self, event: DeviceEvent) {
        match event {
            DeviceEvent::Arrived(device) => self.arrived(device),
            DeviceEvent::Left { place } => self.left(&place),
            DeviceEvent::Inaccessible { place, product, serial, reason } => {
                self.inaccessible(place, product, serial, &reason);
            }
            DeviceEvent::Unavailable { reason } => {
                info!(reason, "boards on USB cannot be found");
                self.usb_problem = reason;
                self.publish();
                return;
            }
        }
        // Whoever tells of devices finds them.
        self.usb_problem.clear();
        self.publish();
    }

    fn arrived(&mut self, device: BoardDevice) {
        let id = self.id_of(&device);
        info!(board.id = %id, place = device.place, product = device.product, serial = device.serial, "board was found");
        if let Some(Device::Refused { model, reason }) = known::device(&device.manufacturer, &device.product) {
            let report =
                unusable(&id, model, &device, BoardState::Unsupported, (FaultReason::BoardUnsupported, reason));
            self.slots.insert(id, Slot::without_task(device, report));
            return;
        }
        match self.slots.get_mut(&id) {
            Some(slot) if slot.running.is_some() => {
                // Its task is on its way to the end, if it was told that the device is gone.
                slot.running.iter().for_each(|running| running.unplugged.cancel());
                slot.next = Some(device);
            }
            Some(_) | None => self.spawn(id, device),
        }
    }

    fn id_of(&mut self, device: &BoardDevice) -> BoardId {
        let slots = &self.slots;
        let standing = self.standing.reports();
        self.names.of(device, |id| {
            let elsewhere = slots.get(id).is_some_and(|slot| slot.present && slot.device.place != device.place);
            elsewhere || standing.contains_key(id)
        })
    }

    fn spawn(&mut self, id: BoardId, device: BoardDevice) {
        let learnt = || self.learnt.get(&id).cloned().unwrap_or_default();
        let memory = self.slots.get(&id).map(|slot| slot.memory.clone());
        let memory = memory.unwrap_or_else(|| Memory { learnt: learnt(), ..Memory::default() });
        let (orders, taken) = mpsc::channel(ORDER_QUEUE);
        let begin = memory.begin(&id, &device);
        let (teller, told) = watch::channel(begin.clone());
        let unplugged = CancellationToken::new();
        let plan = TaskPlan {
            id: id.clone(),
            device: device.clone(),
            opener: self.opener.clone(),
            chains: self.chains.clone(),
            gate_bits: (self.gate_bits)(&device),
            memory: memory.clone(),
            wishes: self.wishes.subscribe(),
            orders: taken,
            teller: Teller { told: teller, bell: Arc::clone(&self.bell) },
            unplugged: unplugged.clone(),
            stop: self.stop.clone(),
        };
        let task = self.tasks.spawn(Contained::new(task::run(plan))).id();
        let running = Some(Running { task, orders, told, unplugged });
        let report = begin.report;
        let slot = Slot { device, present: true, next: None, running, report, memory, limits: None };
        self.slots.insert(id, slot);
    }

    fn left(&mut self, place: &str) {
        for slot in self.slots.values_mut().filter(|slot| slot.device.place == place && slot.present) {
            slot.present = false;
            slot.next = None;
            match &slot.running {
                Some(running) => running.unplugged.cancel(),
                None => slot.gone(),
            }
            info!(board.id = %slot.report.id, place, "board was unplugged");
        }
    }

    /// A board whose ports cannot be used: of no use until somebody gives this user the right to them.
    fn inaccessible(&mut self, place: String, product: String, serial: String, reason: &str) {
        let nowhere = PathBuf::new;
        let manufacturer = String::new();
        let device =
            BoardDevice { place, manufacturer, product, serial, release: 0, control: nowhere(), data: nowhere() };
        let id = self.id_of(&device);
        warn!(board.id = %id, place = device.place, reason, "board cannot be used");
        let model = task::provisional_model(&device);
        let report = unusable(&id, &model, &device, BoardState::Fault, (FaultReason::BoardFailed, reason));
        self.slots.insert(id, Slot::without_task(device, report));
    }

    /// A task is over.
    fn ended(&mut self, ended: &Result<(Id, ()), JoinError>) {
        let (task, panicked) = match ended {
            Ok((task, ())) => (*task, false),
            Err(error) => (error.id(), error.is_panic()),
        };
        let is_it = |slot: &&mut Slot| slot.running.as_ref().is_some_and(|running| running.task == task);
        let Some(slot) = self.slots.values_mut().find(is_it) else { return };
        slot.hear();
        slot.running = None;
        let id = slot.report.id.clone();
        if panicked {
            error!(board.id = %id, "the task of a board panicked; the others go on; please report this with the log");
            slot.panicked();
        }
        if let Some(device) = slot.next.take() {
            self.spawn(id, device);
        } else if !slot.present {
            slot.gone();
        }
        self.publish();
    }

    fn hear(&mut self) {
        let mut news = false;
        for (id, slot) in &mut self.slots {
            news |= slot.hear();
            let learnt = &slot.memory.learnt;
            // What is not known before the first word of a task was not forgotten.
            if *learnt != Learnt::default() && self.learnt.get(id) != Some(learnt) {
                self.learnt.insert(id.clone(), learnt.clone());
                news = true;
            }
        }
        if news {
            self.publish();
        }
    }

    fn publish(&self) {
        let mut boards = self.standing.reports().clone();
        boards.extend(self.slots.iter().map(|(id, slot)| (id.clone(), slot.report.clone())));
        let (usb_problem, learnt) = (self.usb_problem.clone(), self.learnt.clone());
        self.reports.send_replace(Arc::new(BoardReports { boards, usb_problem, learnt }));
    }

    /// An asker that gave up needs no answer.
    fn follow(&mut self, command: BoardCommand) {
        match command {
            BoardCommand::Reinitialize(board, reply) => {
                let slot = self.slots.get(&board).filter(|slot| slot.present && slot.running.is_none());
                // One whose task panicked has another chance.
                if let Some(slot) =
                    slot.filter(|slot| slot.report.state == BoardState::Fault && slot.is_open_to_tasks())
                {
                    let device = slot.device.clone();
                    self.spawn(board.clone(), device);
                    self.publish();
                }
                self.pass_on(&board, reply, TaskOrder::Reinitialize);
            }
            BoardCommand::Locate(board, time, reply) => {
                self.pass_on(&board, reply, |reply| TaskOrder::Locate(time, reply));
            }
            BoardCommand::SelfTest(board, steps, reply) => {
                self.pass_on(&board, reply, |reply| TaskOrder::SelfTest(steps, reply));
            }
            BoardCommand::Tune(tuning, reply) => {
                self.wishes.send_modify(|wishes| wishes.tuning = tuning);
                let _ = reply.send(self.refusals());
            }
            BoardCommand::Pause(paused) => {
                self.wishes.send_modify(|wishes| wishes.paused = paused);
                self.standing.pause(paused);
                self.publish();
            }
        }
    }

    fn pass_on(&self, board: &BoardId, reply: task::Reply, order: impl FnOnce(task::Reply) -> TaskOrder) {
        let refuse = |reply: task::Reply, refusal| drop(reply.send(Err(refusal)));
        let cannot = |reason: &str| BoardRefusal::Cannot { board: board.clone(), reason: reason.to_owned() };
        if let Some(refusal) = self.standing.refusal(board) {
            return refuse(reply, refusal);
        }
        let Some(slot) = self.slots.get(board) else {
            return refuse(reply, BoardRefusal::Unknown(board.to_string()));
        };
        let Some(running) = slot.running.as_ref().filter(|_| slot.present) else {
            return refuse(reply, cannot(&slot.report.state_reason));
        };
        match running.orders.try_reserve() {
            Ok(room) => room.send(order(reply)),
            Err(_) => refuse(reply, cannot("it has not followed the orders before this yet; try again in a while")),
        }
    }

    /// What boards that are there do not grant. What is wanted of one that is not there waits for it.
    fn refusals(&self) -> Vec<BoardRefusal> {
        let wishes = self.wishes.borrow();
        let mut refusals = self.standing.refusals(&wishes);
        refusals.extend(self.slots.iter().filter_map(|(id, slot)| {
            let reason = slot.refusal_of(&wishes.tuning_of(id, &slot.report.model))?;
            Some(BoardRefusal::Cannot { board: id.clone(), reason })
        }));
        refusals
    }

    /// All boards at once into the safe state, by their tasks, or by the last resort when those need too long.
    async fn finish(mut self) {
        let with_task: Vec<_> =
            self.slots.iter().filter(|(_, slot)| slot.running.is_some()).map(|(id, _)| id.clone()).collect();
        self.stop.cancel();
        let all = async {
            while let Some(ended) = self.tasks.join_next_with_id().await {
                self.ended_at_last(&ended);
            }
        };
        if timeout(crate::board::safe::WITHIN, all).await.is_err() {
            error!("boards did not stop in time; the last resort makes them safe");
            let _ = self.last_resort.make_all_safe("boards did not stop in time");
            self.tasks.shutdown().await;
        }
        self.hear();
        for id in with_task {
            let safe = self.slots.get(&id).and_then(|slot| slot.report.safe_state.as_ref());
            match safe {
                Some(safe) if safe.confirmed => info!(board.id = %id, detail = safe.detail, "board is safe"),
                // It never had power.
                None => info!(board.id = %id, "board was not powered"),
                Some(safe) => {
                    error!(board.id = %id, detail = safe.detail, "board is not known to be safe; cut its power");
                }
            }
        }
    }

    fn ended_at_last(&mut self, ended: &Result<(Id, ()), JoinError>) {
        self.slots.values_mut().for_each(|slot| slot.next = None);
        self.ended(ended);
    }
}

/// The next event of any teller; those that have ended are left out.
///
/// # Cancel safety
/// Safe: nothing is taken without being returned.
async fn next_of(tellers: &mut Vec<mpsc::Receiver<DeviceEvent>>) -> DeviceEvent {
    poll_fn(|context| {
        let mut found = None;
        tellers.retain_mut(|teller| {
            if found.is_some() {
                return true;
            }
            match teller.poll_recv(context) {
                Poll::Ready(Some(event)) => {
                    found = Some(event);
                    true
                }
                Poll::Ready(None) => false,
                Poll::Pending => true,
            }
        });
        found.map_or(Poll::Pending, Poll::Ready)
    })
    .await
}

impl Slot {
    /// Whether it had a task, and may have another.
    fn is_open_to_tasks(&self) -> bool {
        !self.device.control.as_os_str().is_empty()
    }
}
