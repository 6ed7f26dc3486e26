//! One miner at a glance.

use super::{
    board::{celsius, state as board_state, watts},
    clean, difficulty, elapsed, hash_rate, ledger, rate_of_minute, rates,
};
use crate::output::{Cell, Paint, Table, Tone, age, clock, word};
use mujina_core::units::duration;
use mujina_proto::{
    convert::time,
    types::v1::{
        BoardStatus, Fault, MinerState, MinerStatus, PoolPin, PoolState, PoolStatus, ThreadState, ThreadStatus,
    },
};
use std::time::{SystemTime, UNIX_EPOCH};

/// State, rates, ledger, pools, boards, faults. Ages are by the miner's own clock.
pub(crate) fn status(miner: &MinerStatus, paint: Paint) -> String {
    let now = time(miner.observed_at).unwrap_or(UNIX_EPOCH);
    let mut text = header(miner, now, paint);
    let mut section = |title: &str, table: String| {
        text.push_str(&format!("\n{}\n{table}", paint.text(title, Tone::Strong)));
    };
    if !miner.pools.is_empty() {
        let brief: Vec<_> = miner.pools.iter().map(brief).collect();
        section("Pools", pools(&brief, paint));
    }
    if !miner.boards.is_empty() {
        section("Boards", boards(&miner.boards, paint));
    }
    if !miner.faults.is_empty() {
        section("Faults", faults(&miner.faults, now, paint));
    }
    text
}

/// A pool with the middle of its key left out, which nobody reads at a glance.
fn brief(pool: &PoolStatus) -> PoolStatus {
    let keyed = pool.url.rsplit_once('/').filter(|(host, _)| host.starts_with("stratum2+tcp://"));
    let short = keyed.and_then(|(host, key)| {
        let (begin, end) = (key.get(..6)?, key.get(key.len().checked_sub(4)?..)?);
        (key.len() > 20).then(|| format!("{host}/{begin}…{end}"))
    });
    PoolStatus { url: short.unwrap_or_else(|| pool.url.clone()), ..pool.clone() }
}

fn header(miner: &MinerStatus, now: SystemTime, paint: Paint) -> String {
    let state = word(miner.state().as_str_name(), "MINER_STATE");
    let reason =
        if miner.state_reason.is_empty() { String::new() } else { format!(": {}", clean(&miner.state_reason)) };
    let pool = if miner.live_pool.is_empty() { "none".into() } else { clean(&miner.live_pool) };
    let pool = format!("{pool}{}", pin(miner, now, paint));
    let nominal = miner.nominal_hash_rate_hps.and_then(hash_rate);
    let nominal = nominal.map(|rate| format!(" (expected {rate})")).unwrap_or_default();
    let spec = if miner.observed_generation >= miner.generation {
        format!("generation {} in force", miner.generation)
    } else {
        let text = format!("generation {} accepted, {} in force", miner.generation, miner.observed_generation);
        paint.text(&text, Tone::Warn)
    };
    let mut lines = vec![
        ("Miner", format!("{} ({}, version {})", clean(&miner.name), clean(&miner.miner_id), clean(&miner.version))),
        (
            "State",
            format!(
                "{} for {}{reason}; up {}",
                paint.text(&state, tone_of_miner(miner.state())),
                age(time(miner.state_since), now),
                age(time(miner.started_at), now)
            ),
        ),
        ("Pool", pool),
        ("Rate", format!("{}{nominal}", rates(&miner.rates))),
    ];
    let totals = miner.totals.clone().unwrap_or_default();
    lines.extend(ledger::lines(&totals, paint));
    lines.push(("Spec", spec));
    lines
        .into_iter()
        .map(|(name, value)| format!("{}  {value}\n", paint.text(&format!("{name:<9}"), Tone::Strong)))
        .collect()
}

/// A pin with its end, for the line of the pool.
fn pin(miner: &MinerStatus, now: SystemTime, paint: Paint) -> String {
    let Some(PoolPin { pool, expires_at }) = &miner.pool_pin else { return String::new() };
    let end = time(*expires_at);
    let left = end.and_then(|end| end.duration_since(now).ok()).unwrap_or_default();
    let text = format!("pinned to {} until {}, {} more", clean(pool), clock(end), duration::human(left));
    format!("; {}", paint.text(&text, Tone::Warn))
}

/// Pools with their connections.
pub(crate) fn pools(pools: &[PoolStatus], paint: Paint) -> String {
    if pools.is_empty() {
        return "no pool is configured; add one with `mujinactl pool set URL --user USER`\n".into();
    }
    let mut table = Table::new(&[
        "NAME",
        "STATE",
        "LIVE",
        ">ACCEPTED",
        ">REJECTED",
        ">PENDING",
        ">LOST",
        ">DIFFICULTY",
        ">VERDICT",
        "USER",
        "URL",
        "REASON",
    ]);
    for pool in pools {
        let totals = pool.totals.clone().unwrap_or_default();
        let connection = pool.connection.clone().unwrap_or_default();
        let share_difficulty = connection.share_difficulty.map(difficulty).unwrap_or_default();
        let verdict = pool.verdict_latency.unwrap_or_default();
        let bad = |count: u64| Cell::new(count, if count > 0 { Tone::Warn } else { Tone::Plain });
        table.row([
            pool.name.as_str().into(),
            Cell::new(word(pool.state().as_str_name(), "POOL_STATE"), tone_of_pool(pool.state())),
            if pool.live { Cell::new("live", Tone::Good) } else { "".into() },
            totals.accepted.into(),
            bad(totals.rejected),
            totals.pending.into(),
            bad(totals.lost),
            share_difficulty.into(),
            elapsed(verdict.p50).into(),
            pool.user.as_str().into(),
            pool.url.as_str().into(),
            Cell::new(&pool.state_reason, Tone::Dim),
        ]);
    }
    table.render(paint)
}

/// The columns of boards and threads.
const BOARD_HEADERS: [&str; 10] =
    ["BOARD", "THREAD", "STATE", ">RATE", ">TEMP", ">POWER", ">FOUND", ">ACCEPTED", ">LOST", "FACTS"];

fn boards(boards: &[BoardStatus], paint: Paint) -> String {
    let mut table = Table::new(&BOARD_HEADERS);
    for board in boards {
        let mut facts: Vec<_> = board.facts.iter().map(|(name, value)| format!("{name} {value}")).collect();
        facts.sort();
        if !board.limited_by.is_empty() {
            facts.insert(0, format!("limited by {}", board.limited_by.join(", ")));
        }
        facts.insert(0, board.model.clone());
        let totals = board.totals.clone().unwrap_or_default();
        table.row([
            Cell::new(&board.board_id, Tone::Strong),
            "".into(),
            board_state(board),
            rate_of_minute(&board.rates).into(),
            board.hottest_celsius.map(celsius).unwrap_or_default().into(),
            board.power_watts.map(watts).unwrap_or_default().into(),
            totals.found.into(),
            totals.accepted.into(),
            totals.lost.into(),
            Cell::new(facts.join(", "), Tone::Dim),
        ]);
        for thread in &board.threads {
            table.row(row_of_thread(&board.board_id, thread));
        }
    }
    table.render(paint)
}

/// The threads of one board.
pub(super) fn threads(board: &BoardStatus, paint: Paint) -> String {
    let mut table = Table::new(&["THREAD", "STATE", ">RATE", ">FOUND", ">ACCEPTED", ">LOST", "SLOT"]);
    for thread in &board.threads {
        let [_, name, state, rate, _, _, found, accepted, lost, slot] = row_of_thread(&board.board_id, thread);
        table.row([name, state, rate, found, accepted, lost, slot]);
    }
    table.render(paint)
}

fn row_of_thread(board: &str, thread: &ThreadStatus) -> [Cell; 10] {
    let totals = thread.totals.clone().unwrap_or_default();
    let tone = match thread.state() {
        ThreadState::Hashing => Tone::Good,
        ThreadState::Dead => Tone::Bad,
        ThreadState::Idle | ThreadState::Unspecified => Tone::Dim,
    };
    [
        board.into(),
        thread.thread_id.as_str().into(),
        Cell::new(word(thread.state().as_str_name(), "THREAD_STATE"), tone),
        rate_of_minute(&thread.rates).into(),
        "".into(),
        "".into(),
        totals.found.into(),
        totals.accepted.into(),
        totals.lost.into(),
        Cell::new(thread.slot.map(|slot| format!("slot {slot}")).unwrap_or_default(), Tone::Dim),
    ]
}

pub(super) fn faults(faults: &[Fault], now: SystemTime, paint: Paint) -> String {
    let mut table = Table::new(&["REASON", "SUBJECT", "FOR", "WHAT TO DO"]);
    for Fault { reason, subject, message, since } in faults {
        let since = age(time(*since), now);
        table.row([Cell::new(reason, Tone::Bad), subject.as_str().into(), since.into(), message.as_str().into()]);
    }
    table.render(paint)
}

pub(super) fn tone_of_miner(state: MinerState) -> Tone {
    match state {
        MinerState::Mining => Tone::Good,
        MinerState::NoWork => Tone::Bad,
        MinerState::Starting | MinerState::Paused | MinerState::NoPool | MinerState::Stopping => Tone::Warn,
        MinerState::Unspecified => Tone::Dim,
    }
}

pub(super) fn tone_of_pool(state: PoolState) -> Tone {
    match state {
        PoolState::Ready => Tone::Good,
        PoolState::Connecting | PoolState::WaitingForJob | PoolState::Draining | PoolState::BackingOff => Tone::Warn,
        PoolState::AuthenticationFailed | PoolState::ClockSkew | PoolState::Refused | PoolState::Parked => Tone::Bad,
        PoolState::Idle | PoolState::Unspecified => Tone::Dim,
    }
}
