//! What came of it.

use super::{
    BoardSoakError, BoardSoakPlan, PoolBooks, Process, TroubleKind,
    watch::{Heat, Looks, NonceCounts},
};
use mujina_core::{id::BoardId, share::ShareTotals};
use std::{collections::BTreeMap, fmt, time::Duration};

/// What went on. All of it is as it must be.
#[derive(Debug, Clone)]
pub struct BoardSoakReport {
    /// What was played.
    pub plan: BoardSoakPlan,
    /// In how much real time.
    pub lasted: Duration,
    /// Troubles by where they were and what they were.
    pub troubles: BTreeMap<(TroubleKind, String), u64>,
    /// The longest time from the end of a trouble until its board mined again.
    pub slowest_return: Duration,
    /// The miner's books at the end, with nothing pending.
    pub totals: ShareTotals,
    /// Nonces, as everybody counted them.
    pub nonces: NonceCounts,
    /// Heat.
    pub heat: Heat,
    /// Looks; at each of them the books balanced.
    pub looks: Looks,
    /// How often each board was brought up.
    pub starts: BTreeMap<BoardId, u32>,
    /// The pool's books.
    pub pool: PoolBooks,
    /// What was held when all boards mined at first.
    pub at_first: Process,
    /// What was held when all boards mined after the last trouble.
    pub at_last: Process,
    /// What was held before there was anything.
    pub before: Process,
    /// What was held when everything was gone.
    pub after: Process,
}

impl BoardSoakReport {
    /// Troubles of this kind.
    #[must_use]
    pub fn troubles_of(&self, kind: TroubleKind) -> u64 {
        self.troubles.iter().filter(|((of, _), _)| *of == kind).map(|(_, count)| count).sum()
    }

    /// Whether miner and pool agree.
    ///
    /// # Errors
    /// They do not.
    pub(super) fn check(&self) -> Result<(), BoardSoakError> {
        let PoolBooks { received, accepted, stale, repeated, wrong, .. } = &self.pool;
        if *repeated > 0 || !wrong.is_empty() {
            return Err(BoardSoakError::Shares { repeated: *repeated, wrong: wrong.clone() });
        }
        // What was lost with a connection may have been judged all the same, or never have arrived.
        let unheard = (accepted + stale).checked_sub(self.totals.accepted + self.totals.rejected.sum());
        let agree = self.totals.pending == 0
            && *received == accepted + stale
            && *accepted >= self.totals.accepted
            && *stale >= self.totals.rejected.sum()
            && unheard.is_some_and(|unheard| unheard <= self.totals.lost);
        let disagreement =
            || BoardSoakError::Disagreement { miner: format!("{:?}", self.totals), pool: Box::new(self.pool.clone()) };
        if agree { Ok(()) } else { Err(disagreement()) }
    }
}

impl fmt::Display for BoardSoakReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { plan, lasted, slowest_return, totals, nonces, heat, looks, pool, .. } = self;
        let BoardSoakPlan { boards, lasts, time_scale, left_alone: _, seed } = plan;
        let mut kinds: BTreeMap<&str, u32> = BTreeMap::new();
        boards.iter().for_each(|kind| *kinds.entry(kind.as_str()).or_default() += 1);
        let kinds: Vec<_> = kinds.iter().map(|(kind, count)| format!("{count} {kind}")).collect();
        writeln!(f, "boards           {}, seed {seed}", kinds.join(", "))?;
        let (board, real) = (lasts.as_secs_f64(), lasted.as_secs_f64());
        writeln!(
            f,
            "time             {board:.0} s of the chips and the way back, {real:.0} s in all, heat {time_scale} times as fast"
        )?;
        let count: u64 = self.troubles.values().sum();
        let starts: u32 = self.starts.values().sum();
        writeln!(
            f,
            "troubles         {count}; {starts} starts of boards, the slowest mined again after {:.0} s",
            slowest_return.as_secs_f64()
        )?;
        let mut kinds: Vec<_> = self.troubles.keys().map(|(kind, _)| *kind).collect();
        kinds.dedup();
        for kind in kinds {
            let of = self.troubles.iter().filter(|((of, _), _)| *of == kind);
            let names: Vec<_> = of.map(|((_, name), count)| format!("{count} × {name}")).collect();
            writeln!(f, "  {kind:24} {:4}  {}", self.troubles_of(kind), names.join(", "))?;
        }
        let PoolBooks { connections, tips, jobs, received, accepted, stale, repeated, .. } = pool;
        writeln!(f, "pool             {connections} connections, {tips} tips, {jobs} jobs")?;
        writeln!(
            f,
            "  its books      {received} shares: {accepted} accepted, {stale} stale, {repeated} headers twice"
        )?;
        writeln!(
            f,
            "  the miner's    {} submitted: {} accepted, {} rejected, {} lost, {} pending",
            totals.submitted,
            totals.accepted,
            totals.rejected.sum(),
            totals.lost,
            totals.pending
        )?;
        let NonceCounts { hashes, jobs, returned, returned_again, told_to_return_again, seen, booked, lives } = nonces;
        writeln!(
            f,
            "chips            {hashes} hashes, {jobs} jobs, {returned} nonces, {returned_again} again, {told_to_return_again} by a trouble"
        )?;
        writeln!(
            f,
            "  the driver     {} verified, {} wrong, {} duplicates, in {lives} lives of chains",
            seen.verified, seen.wrong, seen.duplicates
        )?;
        writeln!(
            f,
            "  the books      {booked} found; {} duplicates, {} hardware errors",
            totals.duplicate, totals.hardware_error
        )?;
        let Heat { times, longest, polls, over, hottest } = heat;
        let (seconds, scaled) = (longest.as_secs_f64(), longest.as_secs_f64() * time_scale);
        writeln!(f, "heat             hottest chip with power {hottest:.1} °C; {times} times above a hard limit")?;
        writeln!(
            f,
            "  at most        {seconds:.2} s ({scaled:.1} s of the chips), {over:.1} °C above, {polls} poll began meanwhile"
        )?;
        writeln!(f, "looks            {} at all books, {} at all instruments", looks.books, looks.instruments)?;
        writeln!(f, "held before      {}", self.before)?;
        writeln!(f, "  all mine       {}", self.at_first)?;
        writeln!(f, "  all mine again {}", self.at_last)?;
        write!(f, "  after          {}", self.after)
    }
}
