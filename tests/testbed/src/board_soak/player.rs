//! Plays one trouble after the other on each board, and waits until it mines again.

use super::{
    BoardSoakError, DEADLINE, LOOK_EVERY,
    rack::{Rack, Seat},
    troubles::{self, History, Trouble, TroubleKind, Way},
};
use mujina_core::{
    board::{BoardReport, BoardState},
    id::BoardId,
};
use mujina_dataplane::{
    backplane::{BoardCommand, BoardReports, BoardsHandle},
    scheduler::Snapshot,
    simulate::{BoardKind, Fault, Remote},
    transport::device::DeviceEvent,
};
use rand::{Rng, SeedableRng, rngs::StdRng};
use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
    time::{sleep, timeout},
};

/// Peace before a trouble, in milliseconds.
const PEACE: std::ops::Range<u64> = 1_000..8_000;
/// How long a trouble lasts that need not stop the board, and how long one stays that has.
const LASTS: std::ops::Range<u64> = 2_000..12_000;
const STAYS: std::ops::Range<u64> = 0..4_000;
/// How long the cable is out.
const UNPLUGGED: std::ops::Range<u64> = 0..1_500;
/// How long a board is left to itself after a trouble, at least.
const LEFT_ALONE: Duration = Duration::from_secs(2);

/// All players.
#[derive(Debug)]
pub(super) struct Players {
    players: Vec<Player>,
    diary: Diary,
}

/// What was played.
#[derive(Debug, Clone, Default)]
struct Diary {
    troubles: BTreeMap<(TroubleKind, String), u64>,
    slowest_return: Duration,
    /// Nonces that a trouble made chips return again.
    returned_again: u64,
}

impl Players {
    pub(super) fn new(rack: &Rack, left_alone: Duration, dice: &mut StdRng) -> Self {
        let player = |seat: &Seat| Player {
            id: seat.id.clone(),
            kind: seat.kind,
            remote: seat.board.remote(),
            plug: rack.plug.clone(),
            boards: rack.miner.handle().boards,
            reports: rack.reports.clone(),
            snapshot: rack.snapshot.clone(),
            epoch: seat.epoch,
            history: seat.history.clone(),
            left_alone,
            dice: StdRng::from_rng(dice),
            diary: Diary::default(),
        };
        Self { players: rack.seats.iter().map(player).collect(), diary: Diary::default() }
    }

    /// Waits until all boards mine, and have a share accepted from now on.
    pub(super) async fn all_mine(&mut self) -> Result<(), BoardSoakError> {
        for player in &mut self.players {
            player.mines().await?;
        }
        for player in &mut self.players {
            player.one_more_share().await?;
        }
        Ok(())
    }

    /// Plays on all boards at once; no trouble begins after `until`.
    pub(super) async fn play(&mut self, until: Instant) -> Result<(), BoardSoakError> {
        let mut tasks = JoinSet::new();
        for mut player in self.players.drain(..) {
            tasks.spawn(async move { player.play(until).await.map(|()| player) });
        }
        while let Some(played) = tasks.join_next().await {
            let player = played.unwrap_or_else(|failed| std::panic::resume_unwind(failed.into_panic()))?;
            self.diary.add(&player.diary);
            self.players.push(player);
        }
        Ok(())
    }

    pub(super) fn troubles(&self) -> BTreeMap<(TroubleKind, String), u64> {
        self.diary.troubles.clone()
    }

    pub(super) fn slowest_return(&self) -> Duration {
        self.diary.slowest_return
    }

    pub(super) fn returned_again(&self) -> u64 {
        self.diary.returned_again
    }
}

impl Diary {
    fn add(&mut self, other: &Self) {
        for (trouble, count) in &other.troubles {
            *self.troubles.entry(trouble.clone()).or_default() += count;
        }
        self.slowest_return = self.slowest_return.max(other.slowest_return);
        self.returned_again += other.returned_again;
    }
}

/// Plays on one board.
#[derive(Debug)]
struct Player {
    id: BoardId,
    kind: BoardKind,
    remote: Remote,
    plug: mpsc::Sender<DeviceEvent>,
    boards: BoardsHandle,
    reports: watch::Receiver<Arc<BoardReports>>,
    snapshot: watch::Receiver<Arc<Snapshot>>,
    epoch: Instant,
    history: History,
    left_alone: Duration,
    dice: StdRng,
    diary: Diary,
}

impl Player {
    async fn play(&mut self, until: Instant) -> Result<(), BoardSoakError> {
        loop {
            let peace = self.milliseconds(PEACE);
            sleep(peace).await;
            if Instant::now() >= until {
                return Ok(());
            }
            let trouble = troubles::draw(self.kind, &mut self.dice);
            self.history.begins(trouble, self.epoch.elapsed());
            let Trouble { kind, way } = trouble;
            *self.diary.troubles.entry((kind, way.to_string())).or_default() += 1;
            self.suffer(way).await?;
            let over = Instant::now();
            self.recover(way).await?;
            self.history.ends(self.epoch.elapsed());
            self.diary.slowest_return = self.diary.slowest_return.max(over.elapsed());
        }
    }

    async fn suffer(&mut self, way: Way) -> Result<(), BoardSoakError> {
        match way {
            Way::Replug | Way::Reconnect => {
                self.unplug().await?;
                let device = if way == Way::Replug { self.remote.replug()? } else { self.remote.reconnect()? };
                self.tell(DeviceEvent::Arrived(device)).await;
            }
            Way::Once(fault) => {
                self.remote.inject(fault);
                self.has_happened(fault).await?;
            }
            Way::While(fault) => {
                let before = self.remote.statistics().duplicates;
                self.remote.inject(fault);
                let lasts = self.milliseconds(LASTS);
                sleep(lasts).await;
                self.remote.clear(fault);
                if matches!(fault, Fault::RepeatedNonces | Fault::LatchedNonce) {
                    self.diary.returned_again += self.remote.statistics().duplicates - before;
                }
            }
            Way::UntilStopped(fault) => {
                self.remote.inject(fault);
                self.stops(&format!("stopped by {fault:?}")).await?;
                let stays = self.milliseconds(STAYS);
                sleep(stays).await;
                self.remote.clear(fault);
            }
            Way::AtStart(fault) => {
                self.remote.inject(fault);
                self.reinitialise().await;
                self.remote.clear(fault);
            }
        }
        Ok(())
    }

    async fn unplug(&mut self) -> Result<(), BoardSoakError> {
        self.remote.unplug();
        let place = self.remote.device().place;
        self.tell(DeviceEvent::Left { place }).await;
        self.board("gone", |board| board.state == BoardState::Gone, DEADLINE).await?;
        let out = self.milliseconds(UNPLUGGED);
        sleep(out).await;
        Ok(())
    }

    /// A miner that is gone is found by whoever waits for it.
    async fn tell(&self, event: DeviceEvent) {
        let _ = self.plug.send(event).await;
    }

    /// Waits until the board mines and has a share accepted. When it does not by itself, somebody asks for it.
    async fn recover(&mut self, way: Way) -> Result<(), BoardSoakError> {
        let begin = Instant::now();
        let mut patience = if self.dice.random() { LEFT_ALONE } else { self.left_alone };
        while self.mines_within(patience).await.is_err() {
            if begin.elapsed() >= DEADLINE {
                return Err(self.stuck(&format!("mining again after {way}")));
            }
            self.reinitialise().await;
            patience = LEFT_ALONE;
        }
        self.one_more_share().await
    }

    async fn mines(&mut self) -> Result<(), BoardSoakError> {
        self.mines_within(DEADLINE).await
    }

    async fn mines_within(&mut self, time: Duration) -> Result<(), BoardSoakError> {
        let mines = |board: &BoardReport| board.state == BoardState::Mining && board.tuning.frequency.is_some();
        self.board("mining", mines, time).await
    }

    /// Waits until it was made safe, or cannot be for as long as nobody hears.
    async fn stops(&mut self, what: &str) -> Result<(), BoardSoakError> {
        let stops = |board: &BoardReport| matches!(board.state, BoardState::Waiting | BoardState::Fault);
        self.board(what, stops, DEADLINE).await
    }

    async fn board(
        &mut self,
        what: &str,
        is_so: impl Fn(&BoardReport) -> bool,
        within: Duration,
    ) -> Result<(), BoardSoakError> {
        let id = &self.id;
        let so = self.reports.wait_for(|all| all.boards.get(id).is_some_and(&is_so));
        let is_so = matches!(timeout(within, so).await, Ok(Ok(_)));
        if is_so { Ok(()) } else { Err(self.stuck(what)) }
    }

    async fn one_more_share(&mut self) -> Result<(), BoardSoakError> {
        let id = &self.id;
        let accepted = |now: &Snapshot| now.boards.get(id).map_or(0, |board| board.totals.accepted);
        let before = accepted(&self.snapshot.borrow());
        let more = self.snapshot.wait_for(|now| accepted(now) > before);
        let has_more = matches!(timeout(DEADLINE, more).await, Ok(Ok(_)));
        if has_more { Ok(()) } else { Err(self.stuck("a share accepted")) }
    }

    /// Waits until a fault that happens once has happened.
    async fn has_happened(&self, fault: Fault) -> Result<(), BoardSoakError> {
        let give_up = Instant::now() + DEADLINE;
        while self.remote.has(fault) {
            if Instant::now() >= give_up {
                return Err(self.stuck(&format!("{fault:?}")));
            }
            sleep(LOOK_EVERY).await;
        }
        Ok(())
    }

    /// Asks for a fresh start. How that ends, the board shows.
    async fn reinitialise(&self) {
        let id = self.id.clone();
        let asked = self.boards.ask(|reply| BoardCommand::Reinitialize(id, reply));
        let _ = timeout(DEADLINE, asked).await;
    }

    fn stuck(&self, what: &str) -> BoardSoakError {
        let report = self.reports.borrow().boards.get(&self.id).cloned();
        let seen = format!("{report:?}, {:?}, {:?}", self.remote.physics(), self.remote.statistics());
        BoardSoakError::Stuck { board: self.id.clone(), what: what.to_owned(), seen }
    }

    fn milliseconds(&mut self, range: std::ops::Range<u64>) -> Duration {
        Duration::from_millis(self.dice.random_range(range))
    }
}
