//! A miner in the middle of its work, with round numbers.

use mujina_proto::types::v1::{
    BoardStatus, ConnectPhase, Fault, LatencySummary, MinerState, MinerStatus, PoolConnection, PoolState, PoolStatus,
    RateEstimate, Share, ShareOutcome, ShareTotals, ThreadState, ThreadStatus,
};

/// An address of a pool that nobody has, with a real key.
pub(crate) const URL: &str = "stratum2+tcp://pool.example/9auqWEzQDVyd2oe1JVGFLMLHZtCo2FFqZwtKA5gd9xbuEu7PH72";

pub(crate) fn at(seconds: i64) -> Option<prost_types::Timestamp> {
    Some(prost_types::Timestamp { seconds: 1_790_000_000 + seconds, nanos: 0 })
}

pub(crate) fn millis(count: i32) -> Option<prost_types::Duration> {
    Some(prost_types::Duration { seconds: 0, nanos: count * 1_000_000 })
}

fn rates(hps: f64) -> Vec<RateEstimate> {
    let rate = |seconds, hash_rate_hps, shares, error| RateEstimate {
        window: Some(prost_types::Duration { seconds, nanos: 0 }),
        observed: Some(prost_types::Duration { seconds, nanos: 0 }),
        hash_rate_hps,
        shares,
        relative_standard_error_ratio: error,
    };
    vec![
        rate(5, Some(hps * 1.25), 4, Some(0.5)),
        rate(60, Some(hps), 100, Some(0.1)),
        rate(300, Some(hps), 900, Some(0.032)),
        rate(86_400, None, 0, None),
    ]
}

pub(crate) fn totals() -> ShareTotals {
    ShareTotals {
        since: at(0),
        found: 120,
        stale: 2,
        duplicate: 1,
        submitted: 117,
        accepted: 114,
        rejected: 1,
        rejected_by_reason: [("low-difficulty".to_owned(), 1)].into(),
        pending: 1,
        lost: 1,
        best_difficulty: Some(0.25),
        balanced: true,
        ..ShareTotals::default()
    }
}

pub(crate) fn phases() -> Vec<ConnectPhase> {
    let phase = |name: &str, took, detail: &str| ConnectPhase {
        name: name.into(),
        elapsed: millis(took),
        detail: detail.into(),
    };
    vec![phase("dns", 1, "192.0.2.7:3333"), phase("noise", 12, ""), phase("switch", 0, "2 threads")]
}

pub(crate) fn pool() -> PoolStatus {
    PoolStatus {
        name: "primary".into(),
        url: URL.into(),
        user: "alice".into(),
        state: PoolState::Ready.into(),
        state_since: at(60),
        live: true,
        connection: Some(PoolConnection {
            connection_id: 3,
            share_difficulty: Some(1e-3),
            ..PoolConnection::default()
        }),
        totals: Some(totals()),
        verdict_latency: Some(LatencySummary { count: 115, p50: millis(42), p99: millis(90) }),
        ..PoolStatus::default()
    }
}

pub(crate) fn status() -> MinerStatus {
    let thread = |slot| ThreadStatus {
        thread_id: format!("cpu-{slot}"),
        state: ThreadState::Hashing.into(),
        totals: Some(ShareTotals { found: 60, accepted: 57, ..ShareTotals::default() }),
        rates: rates(12.5e6),
        hashes: 1 << 32,
        slot: Some(slot),
    };
    let spare = PoolStatus {
        name: "spare".into(),
        url: URL.into(),
        user: "bob".into(),
        state: PoolState::BackingOff.into(),
        state_reason: "nobody listens; retrying".into(),
        ..PoolStatus::default()
    };
    MinerStatus {
        miner_id: "m-1234".into(),
        name: "rig1".into(),
        version: "0.1.0".into(),
        started_at: at(0),
        observed_at: at(7500),
        state: MinerState::Mining.into(),
        state_since: at(60),
        generation: 4,
        observed_generation: 3,
        live_pool: "primary".into(),
        pools: vec![pool(), spare],
        boards: vec![BoardStatus {
            board_id: "cpu".into(),
            model: "cpu".into(),
            threads: vec![thread(0), thread(1)],
            totals: Some(totals()),
            rates: rates(25e6),
            facts: [("kernel".to_owned(), "sha-ni".to_owned()), ("duty".to_owned(), "50 %".to_owned())].into(),
        }],
        totals: Some(totals()),
        rates: rates(25e6),
        nominal_hash_rate_hps: Some(26e6),
        faults: vec![Fault {
            reason: "POOL_REFUSED".into(),
            subject: "pool/spare".into(),
            message: "the pool refused the user; check it".into(),
            since: at(7000),
        }],
        ..MinerStatus::default()
    }
}

pub(crate) fn share(id: u64, outcome: ShareOutcome) -> Share {
    let reason = if outcome == ShareOutcome::Rejected { "low-difficulty" } else { "" };
    Share {
        id,
        found_at: at(i64::try_from(id).unwrap()),
        pool: "primary".into(),
        board: "cpu".into(),
        thread: "cpu-0".into(),
        difficulty: 0.0125,
        share_difficulty: 0.001,
        outcome: outcome.into(),
        reject_reason: reason.into(),
        latency: millis(42),
        ..Share::default()
    }
}
