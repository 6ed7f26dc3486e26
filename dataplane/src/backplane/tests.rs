//! The backplane with boards on the bench, on a paused clock.

use super::*;
use crate::{
    board::{
        known::{EMBER_ONE, GAMMA},
        safe::Registry,
        task::tests::fake::{Bench, Benches, device},
    },
    transport::device::{BoardDevice, DeviceEvent},
};
use mujina_core::{
    board::{BoardState, TuningMode},
    fault::FaultReason,
    units::{Celsius, Frequency, Volts, Watts},
};
use std::time::SystemTime;
use tokio::{task::JoinSet, time::timeout};
use tokio_util::sync::CancellationToken;

/// By the paused clock.
const PATIENCE: Duration = Duration::from_secs(3600);
const BITAXE: (&str, &str) = ("OSMU", "Bitaxe");
const EMBER: (&str, &str) = ("256F", "EmberOne00");

struct World {
    benches: Benches,
    devices: mpsc::Sender<DeviceEvent>,
    handle: BoardsHandle,
    cancel: CancellationToken,
    tasks: JoinSet<()>,
}

impl World {
    fn new() -> Self {
        Self::with(BTreeMap::new())
    }

    fn with(learnt: BTreeMap<BoardId, Learnt>) -> Self {
        let benches = Benches::default();
        let (devices, events) = mpsc::channel(8);
        let cpu = standing::report(id("cpu"), "cpu", BTreeMap::new(), SystemTime::UNIX_EPOCH);
        let (backplane, handle) = Backplane::new(BackplanePlan {
            opener: benches.clone(),
            chains: benches.clone(),
            standing: vec![cpu],
            devices: vec![events],
            gate_bits: Box::new(|_| 32),
            last_resort: Registry::default(),
            learnt,
        });
        let (mut tasks, cancel) = (JoinSet::new(), CancellationToken::new());
        tasks.spawn(backplane.run(cancel.clone()));
        Self { benches, devices, handle, cancel, tasks }
    }

    /// Two boards that mine.
    async fn with_two() -> (Self, Bench, Bench) {
        let world = Self::new();
        let (gamma, ember) = (world.benches.add("aa", GAMMA), world.benches.add("bb", EMBER_ONE));
        world.arrives(device("1-1", "aa", BITAXE, 0)).await;
        world.arrives(device("1-2", "bb", EMBER, 2)).await;
        world.until("bitaxe-aa", BoardState::Mining).await;
        world.until("emberone-00-bb", BoardState::Mining).await;
        (world, gamma, ember)
    }

    async fn arrives(&self, device: BoardDevice) {
        self.devices.send(DeviceEvent::Arrived(device)).await.unwrap();
    }

    async fn leaves(&self, place: &str) {
        self.devices.send(DeviceEvent::Left { place: place.into() }).await.unwrap();
    }

    async fn until(&self, board: &str, state: BoardState) -> BoardReport {
        self.until_it(board, |report| report.state == state).await
    }

    async fn until_it(&self, board: &str, wanted: impl Fn(&BoardReport) -> bool) -> BoardReport {
        let mut reports = self.handle.reports();
        let is_so = |all: &Arc<BoardReports>| all.boards.get(&id(board)).is_some_and(&wanted);
        let seen = timeout(PATIENCE, reports.wait_for(is_so)).await;
        let seen = seen.ok().map(|all| all.unwrap().boards[&id(board)].clone());
        seen.unwrap_or_else(|| panic!("{board}: {:#?}", self.handle.reports().borrow().boards.get(&id(board))))
    }

    async fn ask<T>(&self, command: impl FnOnce(oneshot::Sender<T>) -> BoardCommand) -> T {
        timeout(PATIENCE, self.handle.ask(command)).await.unwrap().unwrap()
    }

    async fn end(mut self) {
        self.cancel.cancel();
        timeout(PATIENCE, self.tasks.join_next()).await.unwrap().unwrap().unwrap();
        let gone = self.handle.ask(|reply| BoardCommand::Reinitialize(id("cpu"), reply)).await;
        assert_eq!(gone, Err(BoardRefusal::Stopping));
    }
}

fn id(text: &str) -> BoardId {
    text.parse().unwrap()
}

#[tokio::test(start_paused = true)]
async fn boards_mine_side_by_side_and_are_safe_when_the_miner_stops() {
    let (world, gamma, ember) = World::with_two().await;
    let reports = world.handle.reports();
    assert_eq!(reports.borrow().boards.len(), 3);
    world.end().await;
    for bench in [gamma, ember] {
        assert!(!bench.state().powered && !bench.state().released);
        assert_eq!(bench.count("safe the miner stops"), 1);
        assert_eq!(bench.state().violations, Vec::<String>::new());
    }
    let last = reports.borrow().clone();
    let safe = |board: &str| last.boards[&id(board)].safe_state.as_ref().is_some_and(|safe| safe.confirmed);
    assert!(safe("bitaxe-aa") && safe("emberone-00-bb"), "the last reports tell of it");
}

#[tokio::test(start_paused = true)]
async fn what_an_earlier_process_learnt_is_used_and_handed_on() {
    let learnt = Learnt { below_curve_millivolts: 20, ..Learnt::default() };
    let all = BTreeMap::from([(id("bitaxe-aa"), learnt.clone()), (id("bitaxe-not-there"), learnt)]);
    let world = World::with(all.clone());
    world.benches.add("aa", GAMMA);
    world.arrives(device("1-1", "aa", BITAXE, 0)).await;
    let board = world.until("bitaxe-aa", BoardState::Mining).await;
    assert!(board.tuning.learnt.iter().any(|words| words.contains("20 mV below")), "{:?}", board.tuning);
    assert_eq!(world.handle.reports().borrow().learnt, all, "also of the board that is not there");
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn unplugged_board_leaves_the_other_alone_and_returns_under_its_name_with_other_ports() {
    let (world, gamma, ember) = World::with_two().await;
    world.leaves("1-1").await;
    let gone = world.until("bitaxe-aa", BoardState::Gone).await;
    assert!(gone.chips.is_empty() && gone.faults.is_empty() && gone.starts == 1, "{gone:?}");
    let refused = world.ask(|reply| BoardCommand::Reinitialize(id("bitaxe-aa"), reply)).await.unwrap_err();
    assert!(refused.to_string().contains("unplugged"), "{refused}");
    world.arrives(device("1-1", "aa", BITAXE, 7)).await;
    let back = world.until("bitaxe-aa", BoardState::Mining).await;
    assert_eq!((back.starts, gamma.count("open /fake/aa/tty7")), (2, 1));
    assert_eq!((ember.count("power"), ember.count("safe")), (1, 0), "the other went on");
    // Into another port, and told before the old task is over.
    world.leaves("1-1").await;
    world.arrives(device("1-4", "aa", BITAXE, 4)).await;
    let moved = world.until_it("bitaxe-aa", |report| report.starts == 3).await;
    assert_eq!((moved.state == BoardState::Gone, gamma.count("open /fake/aa/tty4")), (false, 1));
    assert_eq!(world.handle.reports().borrow().boards.len(), 3);
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn board_that_was_unplugged_with_power_is_said_to_be_unsafe() {
    let (world, gamma, _) = World::with_two().await;
    gamma.state().confirms = false;
    gamma.state().answers = false;
    world.leaves("1-1").await;
    let gone = world.until("bitaxe-aa", BoardState::Gone).await;
    assert_eq!(gone.faults.len(), 1);
    assert_eq!(gone.faults[0].reason, FaultReason::BoardUnsafe);
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn panic_of_one_task_makes_its_board_safe_and_leaves_the_others_alone() {
    let (world, gamma, ember) = World::with_two().await;
    gamma.state().panics = Some("survey");
    // The lock of the bench outlives the panic of who held it.
    let fault = world.until("bitaxe-aa", BoardState::Fault).await;
    assert!(fault.state_reason.contains("panicked") && fault.faults[0].reason == FaultReason::BoardFailed);
    assert_eq!(gamma.state().calls.last().unwrap(), "last resort");
    assert!(!gamma.state().powered);
    assert_eq!((ember.count("power"), ember.count("safe")), (1, 0));
    gamma.state().panics = None;
    assert_eq!(world.ask(|reply| BoardCommand::Reinitialize(id("bitaxe-aa"), reply)).await, Ok(()));
    world.until("bitaxe-aa", BoardState::Mining).await;
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_driven_or_opened_is_shown_with_its_reason() {
    let world = World::new();
    world.arrives(device("1-1", "x", ("256F", "BitaxeBonanza"), 0)).await;
    let report = world.until("bitaxe-bonanza-x", BoardState::Unsupported).await;
    assert_eq!(report.faults[0].reason, FaultReason::BoardUnsupported);
    let (place, product, serial) = ("1-2".to_owned(), "Bitaxe".to_owned(), "y".to_owned());
    let event = DeviceEvent::Inaccessible { place, product, serial, reason: "no rights".into() };
    world.devices.send(event).await.unwrap();
    let boards = world.handle.reports();
    let mut seen = boards.clone();
    let all = timeout(PATIENCE, seen.wait_for(|all| all.boards.len() == 3)).await.unwrap().unwrap().clone();
    let closed = all.boards.values().find(|board| board.state_reason == "no rights").unwrap();
    assert_eq!((closed.state, closed.id.as_str()), (BoardState::Fault, "bitaxe-y"));
    let refused = world.ask(|reply| BoardCommand::Reinitialize(id("bitaxe-y"), reply)).await.unwrap_err();
    assert!(refused.to_string().contains("no rights"), "{refused}");
    // Somebody gave the right.
    world.benches.add("y", GAMMA);
    world.leaves("1-2").await;
    world.arrives(device("1-2", "y", BITAXE, 2)).await;
    world.until("bitaxe-y", BoardState::Mining).await;
    world.devices.send(DeviceEvent::Unavailable { reason: "no sysfs".into() }).await.unwrap();
    let mut seen = boards.clone();
    timeout(PATIENCE, seen.wait_for(|all| all.usb_problem == "no sysfs")).await.unwrap().unwrap();
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn boards_with_one_serial_number_are_two_boards() {
    let world = World::new();
    world.benches.add("0", GAMMA);
    world.arrives(device("1-1", "0", BITAXE, 0)).await;
    world.arrives(device("1-2", "0", BITAXE, 2)).await;
    world.until_it("bitaxe-0", |_| true).await;
    world.until_it("bitaxe-at-1-2", |_| true).await;
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn commands_find_their_board_or_say_why_not() {
    let (world, gamma, _) = World::with_two().await;
    let refused = world.ask(|reply| BoardCommand::Reinitialize(id("cpu"), reply)).await.unwrap_err();
    assert!(refused.to_string().contains("neither supply"), "{refused}");
    let other = id("other");
    let refused = world.ask(|reply| BoardCommand::Locate(other, Duration::from_secs(1), reply)).await;
    assert_eq!(refused, Err(BoardRefusal::Unknown("other".into())));
    let ember = id("emberone-00-bb");
    assert_eq!(world.ask(|reply| BoardCommand::Locate(ember, Duration::from_secs(1), reply)).await, Ok(()));
    let (steps, mut told) = mpsc::channel(16);
    assert_eq!(world.ask(|reply| BoardCommand::SelfTest(id("bitaxe-aa"), steps, reply)).await, Ok(()));
    let mut count = 0;
    while timeout(PATIENCE, told.recv()).await.unwrap().flatten().is_some() {
        count += 1;
    }
    assert_eq!((count, gamma.count("golden")), (4, 1));
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn tuning_is_refused_by_whom_it_does_not_fit_and_followed_by_the_others() {
    let (world, gamma, _) = World::with_two().await;
    let (frequency, voltage) = (Frequency::from_megahertz(600.0), Volts::from_millivolts(1200));
    let fast = BoardTuning { mode: TuningMode::Fixed { frequency, voltage }, ..BoardTuning::default() };
    let power = BoardTuning { mode: TuningMode::Power(Watts::from_watts(5.0)), ..BoardTuning::default() };
    let hard_limits = [("asic".to_owned(), Celsius::from_degrees(60.0))].into();
    let cool = BoardTuning { hard_limits, ..fast.clone() };
    let wanted = [("cpu", &power), ("bitaxe-gamma", &fast), ("emberone-00-bb", &cool), ("not-there", &fast)];
    let wanted = wanted.map(|(name, tuning)| (name.to_owned(), tuning.clone())).into();
    let refusals = world.ask(|reply| BoardCommand::Tune(wanted, reply)).await;
    let who: Vec<_> = refusals
        .iter()
        .map(|refusal| match refusal {
            BoardRefusal::Cannot { board, .. } => board.as_str(),
            BoardRefusal::Unknown(_) | BoardRefusal::Stopping => "",
        })
        .collect();
    assert_eq!(who, ["cpu", "emberone-00-bb"]);
    let said = refusals[1].to_string();
    assert!(said.ends_with("the limits that it tightens are in force all the same"), "{said}");
    world.until_it("bitaxe-aa", |report| report.tuning.frequency == Some(frequency)).await;
    world
        .until_it("emberone-00-bb", |report| {
            report.faults.iter().any(|fault| fault.reason == FaultReason::TuningRefused)
        })
        .await;
    assert!(gamma.state().clock.megahertz() <= 600.0);
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn pause_of_the_miner_shows_on_all_boards() {
    let (world, gamma, ember) = World::with_two().await;
    for (paused, state) in [(true, BoardState::Paused), (false, BoardState::Mining)] {
        world.handle.pause(paused).await;
        for board in ["cpu", "bitaxe-aa", "emberone-00-bb"] {
            world.until(board, state).await;
        }
        assert_eq!((gamma.state().powered, paused), (!paused, paused));
        assert_eq!(ember.state().powered, !paused);
    }
    world.end().await;
}

#[test]
fn panic_of_a_contained_task_leaves_the_other_boards_alone_and_any_other_on_that_thread_does_not() {
    use super::supervise::Contained;
    let body = || {
        let within = std::sync::Arc::new(std::sync::Mutex::new(None));
        let seen = std::sync::Arc::clone(&within);
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let name = || std::thread::current().name().map(str::to_owned);
        let mut tasks = JoinSet::new();
        runtime.block_on(async {
            tasks.spawn(Contained::new(async move {
                *seen.lock().unwrap() = Some(supervises(name().as_deref()));
            }));
            tasks.join_next().await.unwrap().unwrap();
        });
        let contained = *within.lock().unwrap();
        (contained, supervises(name().as_deref()))
    };
    let thread = std::thread::Builder::new().name("mujina-boards".into()).spawn(body).unwrap();
    assert_eq!(thread.join().unwrap(), (Some(false), true));
    assert!(!supervises(Some("mujina-mining")) && !supervises(None));
}
