//! Pools: all that is known of them, tests, pins, moves of the work, channels.

use super::{clean, difficulty, elapsed, hash_rate, ledger::by_reason, status::tone_of_pool};
use crate::output::{Cell, Paint, Table, Tone, clock, percent, word};
use mujina_proto::{
    convert::time,
    dataplane::v1::{PoolChannel, PoolTransition, TestPoolResult, TransitionReason},
    types::v1::{PoolConnection, PoolPin, PoolRole, PoolStatus, ShareTotals},
};

/// Pools with everything that is known of them.
pub(crate) fn pools_wide(pools: &[PoolStatus], paint: Paint) -> String {
    if pools.is_empty() {
        return super::pools(pools, paint);
    }
    let mut table = Table::new(&[
        "NAME",
        "STATE",
        "SINCE",
        "ROLE",
        ">DIFFICULTY",
        ">VERDICT P50",
        ">P99",
        ">ACCEPTED",
        ">REJECTED",
        "WHY",
        ">PENDING",
        ">LOST",
        ">WORK",
        ">WANTED",
        "EVER",
        "USER",
        "URL",
        "REASON",
    ]);
    for pool in pools {
        table.row(wide_row(pool));
    }
    table.render(paint)
}

fn wide_row(pool: &PoolStatus) -> [Cell; 18] {
    let totals = pool.totals.clone().unwrap_or_default();
    let verdict = pool.verdict_latency.unwrap_or_default();
    let share_difficulty = pool.connection.as_ref().and_then(|connection| connection.share_difficulty);
    let ratio = |ratio: Option<f64>| ratio.map(percent).unwrap_or_default();
    [
        pool.name.as_str().into(),
        Cell::new(word(pool.state().as_str_name(), "POOL_STATE"), tone_of_pool(pool.state())),
        clock(time(pool.state_since)).into(),
        role(pool.role()),
        share_difficulty.map(difficulty).unwrap_or_default().into(),
        elapsed(verdict.p50).into(),
        elapsed(verdict.p99).into(),
        totals.accepted.into(),
        bad(totals.rejected),
        by_reason(&totals).into(),
        totals.pending.into(),
        bad(totals.lost),
        ratio(pool.achieved_work_ratio).into(),
        ratio(pool.target_work_ratio).into(),
        Cell::new(ever(pool.lifetime_totals.as_ref()), Tone::Dim),
        pool.user.as_str().into(),
        pool.url.as_str().into(),
        Cell::new(&pool.state_reason, Tone::Dim),
    ]
}

/// What all processes of the miner had, in short.
fn ever(totals: Option<&ShareTotals>) -> String {
    let short = |ShareTotals { accepted, rejected, lost, since, .. }: &ShareTotals| {
        format!("{accepted} accepted, {rejected} rejected, {lost} lost since {}", clock(time(*since)))
    };
    totals.map(short).unwrap_or_default()
}

fn role(role: PoolRole) -> Cell {
    let tone = match role {
        PoolRole::Live => Tone::Good,
        PoolRole::Connecting | PoolRole::Draining => Tone::Warn,
        PoolRole::Standby => Tone::Plain,
        PoolRole::None | PoolRole::Unspecified => Tone::Dim,
    };
    match role {
        PoolRole::None | PoolRole::Unspecified => Cell::new("", tone),
        _ => Cell::new(word(role.as_str_name(), "POOL_ROLE"), tone),
    }
}

fn bad(count: u64) -> Cell {
    Cell::new(count, if count > 0 { Tone::Warn } else { Tone::Plain })
}

/// What a test found, after its phases.
pub(crate) fn tested(result: &TestPoolResult, paint: Paint) -> String {
    let TestPoolResult { usable, failure: _, failure_state, failed_phase, connection } = result;
    let connection = connection.clone().unwrap_or_default();
    let verdict = if *usable {
        paint.text(
            &format!("the pool gives work (job {}); nothing was moved to it", clean(&connection.job_id)),
            Tone::Good,
        )
    } else {
        let state = word(result.failure_state().as_str_name(), "POOL_STATE");
        let state = if *failure_state == 0 { String::new() } else { format!(", {state}") };
        let phase =
            if failed_phase.is_empty() { "before its first job".into() } else { format!("in {}", clean(failed_phase)) };
        paint.text(&format!("the pool gave no work: failed {phase}{state}"), Tone::Bad)
    };
    let facts = facts(&connection).into_iter().filter(|(_, value)| !value.is_empty());
    let facts = facts.map(|(name, value)| format!("{}  {value}\n", paint.text(&format!("{name:<9}"), Tone::Strong)));
    format!("{verdict}\n{}", facts.collect::<String>())
}

fn facts(connection: &PoolConnection) -> [(&'static str, String); 5] {
    let key = match (connection.authority_fingerprint.as_str(), connection.authenticated) {
        ("", true) => "none; the server proved its name with its certificate".into(),
        ("", false) if connection.jobs > 0 => "none; anybody on the way can pose as this pool".into(),
        ("", false) => String::new(),
        (key, true) => format!("{}, proven by the pool", clean(key)),
        (key, false) => format!("{}, not proven", clean(key)),
    };
    let certificate =
        connection.certificate_not_after.map(|until| format!("until {} by its certificate", clock(time(Some(until)))));
    let channel = connection.share_difficulty.map(|share_difficulty| {
        let id = connection.channel_id.map(|id| format!("channel {id}, ")).unwrap_or_default();
        let prefix = hex::encode(&connection.extranonce_prefix);
        format!(
            "{id}difficulty {}, extranonce {prefix} and {} bytes, version mask {:08x}",
            difficulty(share_difficulty),
            connection.extranonce_size,
            connection.version_mask
        )
    });
    let told = Some(connection.told_hash_rate_hps).filter(|rate| *rate > 0.0).and_then(hash_rate);
    [
        ("Peer", clean(&connection.peer_address)),
        ("Key", key),
        ("Valid", certificate.unwrap_or_default()),
        ("Channel", channel.unwrap_or_default()),
        ("Told", told.map(|rate| format!("a hash rate of {rate}")).unwrap_or_default()),
    ]
}

/// A pin that holds now.
pub(crate) fn pinned(pin: &PoolPin) -> String {
    let PoolPin { pool, expires_at } = pin;
    format!("pinned {} until {}; then the order holds again\n", clean(pool), clock(time(*expires_at)))
}

/// A pin that was ended.
pub(crate) fn unpinned(ended: Option<&PoolPin>) -> String {
    match ended {
        Some(PoolPin { pool, .. }) => format!("the pin of {} is ended; the order holds again\n", clean(pool)),
        None => "no pool was pinned\n".into(),
    }
}

/// Moves of the work.
pub(crate) fn transitions(transitions: &[PoolTransition], paint: Paint) -> String {
    if transitions.is_empty() {
        return "no move of the work is remembered\n".into();
    }
    let mut table = Table::new(&[">NO", "AT", "FROM", "TO", "WHY", ">WORK GAP", ">LOST", ">THREADS", "DETAIL"]);
    for transition in transitions {
        let PoolTransition { sequence, at, work_gap, threads, shares_lost, detail, .. } = transition;
        table.row([
            (*sequence).into(),
            clock(time(*at)).into(),
            end(&transition.from_pool, transition.from_connection_id).into(),
            Cell::new(end(&transition.to_pool, transition.to_connection_id), Tone::Strong),
            Cell::new(
                word(transition.reason().as_str_name(), "TRANSITION_REASON"),
                tone_of_reason(transition.reason()),
            ),
            elapsed(*work_gap).into(),
            bad(*shares_lost),
            (*threads).into(),
            Cell::new(detail, Tone::Dim),
        ]);
    }
    table.render(paint)
}

/// Moves of the work, each with how its connection came about.
pub(crate) fn transitions_with_phases(all: &[PoolTransition], paint: Paint) -> String {
    let mut text = transitions(all, paint);
    for PoolTransition { sequence, to_pool, to_connection_id, phases, .. } in all {
        if !phases.is_empty() {
            let title = format!("{sequence}: {}", end(to_pool, *to_connection_id));
            text.push_str(&format!("\n{}\n", paint.text(&title, Tone::Strong)));
            phases.iter().for_each(|phase| text.push_str(&format!("{}\n", super::phase(phase))));
        }
    }
    text
}

/// A pool with its connection: `primary #4`.
fn end(pool: &str, connection: u64) -> String {
    if pool.is_empty() { String::new() } else { format!("{} #{connection}", clean(pool)) }
}

fn tone_of_reason(reason: TransitionReason) -> Tone {
    match reason {
        TransitionReason::FailedOver | TransitionReason::Rejects => Tone::Warn,
        _ => Tone::Plain,
    }
}

/// Open connections.
pub(crate) fn channels(channels: &[PoolChannel], paint: Paint) -> String {
    if channels.is_empty() {
        return "no connection to a pool is open\n".into();
    }
    let mut table = Table::new(&[
        ">NO",
        "POOL",
        "ROLE",
        ">CHANNEL",
        ">GROUP",
        ">DIFFICULTY",
        "EXTRANONCE",
        "JOB",
        ">JOBS",
        ">ACCEPTED",
        ">REJECTED",
        ">PENDING",
        ">LOST",
        "SINCE",
        "PEER",
    ]);
    for channel in channels {
        let connection = channel.connection.clone().unwrap_or_default();
        let totals = connection.totals.clone().unwrap_or_default();
        let number = |id: Option<u32>| id.map(|id| id.to_string()).unwrap_or_default();
        table.row([
            connection.connection_id.into(),
            channel.pool.as_str().into(),
            role(channel.role()),
            number(connection.channel_id).into(),
            number(connection.group_channel_id).into(),
            connection.share_difficulty.map(difficulty).unwrap_or_default().into(),
            extranonce(&connection).into(),
            connection.job_id.as_str().into(),
            connection.jobs.into(),
            totals.accepted.into(),
            bad(totals.rejected),
            totals.pending.into(),
            bad(totals.lost),
            clock(time(connection.ready_at)).into(),
            connection.peer_address.as_str().into(),
        ]);
    }
    table.render(paint)
}

/// The pool's part and the miner's: `00ab + 8`.
fn extranonce(connection: &PoolConnection) -> String {
    if connection.channel_id.is_none() && connection.extranonce_size == 0 {
        return String::new();
    }
    format!("{} + {}", hex::encode(&connection.extranonce_prefix), connection.extranonce_size)
}
