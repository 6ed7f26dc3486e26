//! Looks at everything all the time: the miner's books, the heat of the chips, and what boards complain of.

use super::{
    BoardSoakError,
    books::{self, ChipBooks, Nonces},
    excuses::Excuses,
    limits::{HardLimits, Hot},
    rack::Rack,
    troubles::History,
};
use mujina_core::id::BoardId;
use mujina_dataplane::{
    backplane::BoardReports,
    scheduler::Snapshot,
    simulate::{Record, Remote, Statistics, ViolationRecord},
};
use std::{
    convert::Infallible,
    future::pending,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{
    sync::watch,
    time::{MissedTickBehavior, interval},
};

/// Between two looks at the instruments: a fiftieth of a polling period.
const INSTRUMENTS: Duration = Duration::from_millis(20);
/// Between two looks at the records.
const RECORDS: Duration = Duration::from_secs(2);
/// Nonces by which the chips of a board and its books may be apart for each life of its chain: what is returned between two
/// reports, and what was on its way when the cable was pulled. Each chip returns up to ten a second.
const APART: u64 = 40;

/// Looks that were taken.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Looks {
    /// At all ledgers.
    pub books: u64,
    /// At the instruments of all boards.
    pub instruments: u64,
}

/// The heat that there was.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Heat {
    /// Times that a board with power was above a hard limit.
    pub times: u64,
    /// The longest of them, in real time.
    pub longest: Duration,
    /// The most polls that began during one of them.
    pub polls: usize,
    /// The farthest above, in degrees.
    pub over: f64,
    /// The hottest chip with power, in degrees Celsius.
    pub hottest: f64,
}

/// Nonces as the chips, the driver and the books count them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct NonceCounts {
    /// Headers hashed.
    pub hashes: u64,
    /// Jobs taken, each chip by itself.
    pub jobs: u64,
    /// Nonces that the chips returned first.
    pub returned: u64,
    /// Nonces that they returned again.
    pub returned_again: u64,
    /// Those of them that a trouble made them return again.
    pub told_to_return_again: u64,
    /// As the driver saw them.
    pub seen: Nonces,
    /// In the miner's books.
    pub booked: u64,
    /// Lives of chains.
    pub lives: u64,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Watch {
    boards: Vec<Watched>,
    snapshot: watch::Receiver<Arc<Snapshot>>,
    reports: watch::Receiver<Arc<BoardReports>>,
    looks: Looks,
    heat: Heat,
}

#[derive(Debug)]
struct Watched {
    id: BoardId,
    remote: Remote,
    epoch: Instant,
    limits: HardLimits,
    excuses: Excuses,
    history: History,
    chips: ChipBooks,
    /// Time of the newest record that was heard, and how many records of that time.
    heard: (Duration, usize),
}

impl Watch {
    pub(super) fn start(rack: &Rack) -> Self {
        let watched = |seat: &super::rack::Seat| Watched {
            id: seat.id.clone(),
            remote: seat.board.remote(),
            epoch: seat.epoch,
            limits: HardLimits::of(seat.kind),
            excuses: Excuses::of(seat.history.clone()),
            history: seat.history.clone(),
            chips: ChipBooks::default(),
            heard: (Duration::ZERO, 0),
        };
        Self {
            boards: rack.seats.iter().map(watched).collect(),
            snapshot: rack.snapshot.clone(),
            reports: rack.reports.clone(),
            looks: Looks::default(),
            heat: Heat { hottest: f64::NEG_INFINITY, ..Heat::default() },
        }
    }

    /// Looks until something is wrong.
    pub(super) async fn run(&mut self) -> Result<Infallible, BoardSoakError> {
        let (mut instruments, mut records) = (interval(INSTRUMENTS), interval(RECORDS));
        instruments.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = instruments.tick() => self.look_at_instruments(),
                _ = records.tick() => self.look_at_records()?,
                changed = self.snapshot.changed() => match changed {
                    Ok(()) => self.look_at_books()?,
                    Err(_) => pending().await,
                },
                changed = self.reports.changed() => match changed {
                    Ok(()) => self.look_at_chips(),
                    Err(_) => pending().await,
                },
            }
        }
    }

    /// Looks at all of it once.
    pub(super) fn look(&mut self) -> Result<(), BoardSoakError> {
        self.look_at_instruments();
        self.look_at_chips();
        self.look_at_books()?;
        self.look_at_records()
    }

    fn look_at_instruments(&mut self) {
        self.looks.instruments += 1;
        for board in &mut self.boards {
            let physics = board.remote.physics();
            board.limits.see(board.epoch.elapsed(), &physics);
        }
    }

    fn look_at_books(&mut self) -> Result<(), BoardSoakError> {
        self.looks.books += 1;
        let now = Arc::clone(&self.snapshot.borrow_and_update());
        books::check(&now)
    }

    fn look_at_chips(&mut self) {
        let now = Arc::clone(&self.reports.borrow_and_update());
        for board in &mut self.boards {
            if let Some(report) = now.boards.get(&board.id) {
                board.chips.hear(report);
            }
        }
    }

    fn look_at_records(&mut self) -> Result<(), BoardSoakError> {
        for board in &mut self.boards {
            // In this order: what is complained of was recorded before.
            let violations = board.remote.violations();
            board.hear();
            let complaints: Vec<_> = violations.iter().filter(|one| !board.excuses.cover(one)).collect();
            if !complaints.is_empty() {
                let when = |one: &&ViolationRecord| format!("{one} (amid {:?})", board.history.at(one.at));
                let complaints = complaints.iter().map(when).collect();
                return Err(BoardSoakError::Complaints { board: board.id.clone(), complaints });
            }
            for Hot { polls, lasted, over } in board.limits.judge() {
                let Heat { times, longest, polls: most, over: worst, .. } = &mut self.heat;
                *times += 1;
                (*longest, *most, *worst) = ((*longest).max(lasted), (*most).max(polls), worst.max(over));
                if polls > 1 {
                    let seconds = lasted.as_secs_f64();
                    return Err(BoardSoakError::TooHot { board: board.id.clone(), polls, seconds });
                }
            }
            self.heat.hottest = self.heat.hottest.max(board.limits.hottest);
        }
        Ok(())
    }

    pub(super) fn looks(&self) -> Looks {
        self.looks
    }

    pub(super) fn heat(&self) -> Heat {
        self.heat
    }

    /// What all boards returned, when the miner has stopped.
    ///
    /// # Errors
    /// Chips and books of a board are too far apart, or chips hashed something twice.
    pub(super) fn nonces(&self, told_to_return_again: u64) -> Result<NonceCounts, BoardSoakError> {
        let now = self.snapshot.borrow();
        let mut sum = NonceCounts { told_to_return_again, ..NonceCounts::default() };
        for Watched { id, remote, chips, .. } in &self.boards {
            let Statistics { chips: made, duplicates, .. } = &remote.statistics();
            let booked = now.boards.get(id).map_or(0, |board| board.totals.found);
            let seen = chips.total();
            let allowed = APART * (chips.lives + 1) * u64::try_from(made.len()).unwrap_or(u64::MAX);
            let returned = made.iter().map(|chip| chip.hits).sum::<u64>();
            if booked.abs_diff(seen.sum()) > allowed || seen.verified > returned {
                let words =
                    format!("{id}: chips {returned}, driver {seen:?} in {} lives, books {booked}", chips.lives + 1);
                return Err(BoardSoakError::Unbalanced(words));
            }
            sum.hashes += made.iter().map(|chip| chip.hashes).sum::<u64>();
            sum.jobs += made.iter().map(|chip| chip.jobs).sum::<u64>();
            sum.returned += returned;
            sum.returned_again += duplicates;
            sum.seen = sum.seen.and(seen);
            sum.booked += booked;
            sum.lives += chips.lives + 1;
        }
        if sum.returned_again != told_to_return_again {
            return Err(BoardSoakError::Unbalanced(format!("chips hashed something twice: {sum:?}")));
        }
        Ok(sum)
    }
}

impl Watched {
    /// Takes the records that are new.
    fn hear(&mut self) {
        let records = self.remote.record();
        let (newest, count) = self.heard;
        let begin = records.partition_point(|record| record.at < newest);
        let new = records.iter().skip(begin);
        // Several may bear the time of the newest.
        let new: Vec<&Record> = new.skip(count).collect();
        for record in &new {
            self.excuses.hear(record);
            self.limits.hear(record);
        }
        if let Some(last) = new.last() {
            let same = records.iter().rev().take_while(|record| record.at == last.at).count();
            self.heard = (last.at, same);
        }
    }
}
