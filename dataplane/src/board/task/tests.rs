//! A task over a board on the bench, on a paused clock.

mod failure;
pub(crate) mod fake;
mod order;
mod test;

use super::*;
use crate::board::known::{Board, EMBER_ONE, GAMMA};
use fake::{Bench, Benches, device};
use mujina_core::{
    board::{BoardState, LedState, TuningMode},
    fault::FaultReason,
    units::{Frequency, Volts, Watts},
};
use tokio::{
    task::JoinSet,
    time::{Instant, timeout},
};

/// By the paused clock: longer than all rests together.
const PATIENCE: Duration = Duration::from_secs(4 * 3600);

struct World {
    bench: Bench,
    orders: mpsc::Sender<TaskOrder>,
    wishes: watch::Sender<Wishes>,
    told: watch::Receiver<Told>,
    unplugged: CancellationToken,
    stop: CancellationToken,
    tasks: JoinSet<()>,
}

impl World {
    fn new(board: Board) -> Self {
        Self::with(board, Wishes::default(), |_| {})
    }

    fn with(board: Board, wishes: Wishes, prepare: impl FnOnce(&Bench)) -> Self {
        let benches = Benches::default();
        let bench = benches.add("s1", board);
        prepare(&bench);
        let strings = if board.chips > 1 { ("256F", "EmberOne00") } else { ("OSMU", "Bitaxe") };
        let device = device("1-1", "s1", strings, 0);
        let id: BoardId = "board-1".parse().unwrap();
        let (orders, taken) = mpsc::channel(4);
        let wishes = watch::Sender::new(wishes);
        let (teller, told) = watch::channel(Memory::default().begin(&id, &device));
        let (unplugged, stop) = (CancellationToken::new(), CancellationToken::new());
        let plan = TaskPlan {
            id,
            device,
            opener: benches.clone(),
            chains: benches,
            gate_bits: 32,
            memory: Memory::default(),
            wishes: wishes.subscribe(),
            orders: taken,
            teller: Teller { told: teller, bell: Arc::default() },
            unplugged: unplugged.clone(),
            stop: stop.clone(),
        };
        let mut tasks = JoinSet::new();
        tasks.spawn(run(plan));
        Self { bench, orders, wishes, told, unplugged, stop, tasks }
    }

    /// Waits until the report is as wanted.
    async fn until(&mut self, wanted: impl Fn(&BoardReport) -> bool) -> BoardReport {
        let seen = timeout(PATIENCE, self.told.wait_for(|told| wanted(&told.report))).await;
        let seen = seen.ok().map(|told| told.unwrap().report.clone());
        seen.unwrap_or_else(|| panic!("{:#?} {:?}", self.told.borrow().report, self.bench.state().calls))
    }

    async fn until_state(&mut self, state: BoardState) -> BoardReport {
        self.until(|report| report.state == state).await
    }

    async fn until_fault(&mut self, reason: FaultReason) -> BoardReport {
        self.until(|report| report.faults.iter().any(|fault| fault.reason == reason)).await
    }

    async fn order(&self, order: impl FnOnce(Reply) -> TaskOrder) -> Result<(), BoardRefusal> {
        let (reply, answer) = oneshot::channel();
        self.orders.send(order(reply)).await.unwrap();
        timeout(PATIENCE, answer).await.unwrap().unwrap()
    }

    fn tune(&self, tuning: BoardTuning) {
        self.wishes.send_modify(|wishes| wishes.tuning = [("board-1".to_owned(), tuning)].into());
    }

    /// Ends the task in order. Nothing was done to the board that should not have been.
    async fn end(mut self) {
        self.stop.cancel();
        timeout(PATIENCE, self.tasks.join_next()).await.unwrap().unwrap().unwrap();
        let state = self.bench.state();
        assert_eq!(state.violations, Vec::<String>::new(), "{:?}", state.calls);
        assert!(!state.powered && !state.released);
    }
}

fn fixed(megahertz: f64, millivolts: u32) -> BoardTuning {
    let (frequency, voltage) = (Frequency::from_megahertz(megahertz), Volts::from_millivolts(millivolts));
    BoardTuning { mode: TuningMode::Fixed { frequency, voltage }, ..BoardTuning::default() }
}

#[test]
fn entry_of_a_board_leaves_the_limits_of_its_model_that_it_does_not_name() {
    let degrees = Celsius::from_degrees;
    let limits = |all: &[(&str, f64)]| all.iter().map(|(name, at)| ((*name).to_owned(), degrees(*at))).collect();
    let all = BoardTuning {
        mode: TuningMode::Power(Watts::from_watts(15.0)),
        soft_limits: limits(&[("asic", 60.0)]),
        hard_limits: limits(&[("asic", 68.0), ("vr", 80.0)]),
        fan_target: Some(degrees(55.0)),
    };
    let own = BoardTuning {
        mode: TuningMode::Power(Watts::from_watts(20.0)),
        hard_limits: limits(&[("vr", 75.0)]),
        ..BoardTuning::default()
    };
    let tuning = [("bitaxe-gamma".to_owned(), all.clone()), ("gamma-1".to_owned(), own.clone())].into();
    let wishes = Wishes { paused: false, tuning };
    let of = |id: &str, model| wishes.tuning_of(&id.parse().unwrap(), model);
    let merged = BoardTuning { mode: own.mode, hard_limits: limits(&[("asic", 68.0), ("vr", 75.0)]), ..all.clone() };
    assert_eq!(of("gamma-1", "bitaxe-gamma"), merged);
    assert_eq!(of("gamma-2", "bitaxe-gamma"), all);
    assert_eq!(of("gamma-1", "emberone"), own);
    assert_eq!(of("gamma-2", "emberone"), BoardTuning::default());
}
