//! A miner in the middle of its work, with round numbers.

mod board;

pub(crate) use board::{chips, constraints, cpu, emberone, gamma, steps};
use mujina_proto::{
    dataplane::v1::{PoolChannel, PoolTransition, Reject, TestPoolResult, TransitionReason},
    types::v1::{
        BoardState, BoardStatus, ConnectPhase, Fault, LatencySummary, MinerState, MinerStatus, PoolConnection, PoolPin,
        PoolRole, PoolState, PoolStatus, RateEstimate, Share, ShareOutcome, ShareTotals, ThreadState, ThreadStatus,
    },
};

/// An address of a pool that nobody has, with a real key.
pub(crate) const URL: &str = "stratum2+tcp://pool.example/9auqWEzQDVyd2oe1JVGFLMLHZtCo2FFqZwtKA5gd9xbuEu7PH72";

pub(crate) fn at(seconds: i64) -> Option<prost_types::Timestamp> {
    Some(prost_types::Timestamp { seconds: 1_790_000_000 + seconds, nanos: 0 })
}

pub(crate) fn millis(count: i32) -> Option<prost_types::Duration> {
    Some(prost_types::Duration { seconds: 0, nanos: count * 1_000_000 })
}

pub(crate) fn rates(hps: f64) -> Vec<RateEstimate> {
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
        role: PoolRole::Live.into(),
        target_work_ratio: Some(0.75),
        achieved_work_ratio: Some(0.742),
        lifetime_totals: Some(ShareTotals { since: at(-86_400), accepted: 9000, rejected: 7, lost: 2, ..totals() }),
        ..PoolStatus::default()
    }
}

/// A connection with all that is known of one.
pub(crate) fn connection() -> PoolConnection {
    PoolConnection {
        connection_id: 3,
        peer_address: "192.0.2.7:3333".into(),
        ready_at: at(60),
        authenticated: true,
        authority_fingerprint: "0123456789abcdef".into(),
        certificate_not_after: at(86_400),
        channel_id: Some(7),
        group_channel_id: Some(1),
        extranonce_prefix: vec![0, 0xab],
        extranonce_size: 8,
        share_difficulty: Some(1e-3),
        version_mask: 0x1fff_e000,
        job_id: "5".into(),
        jobs: 12,
        told_hash_rate_hps: 25e6,
        totals: Some(totals()),
        phases: phases(),
        ..PoolConnection::default()
    }
}

/// What a test of a good pool finds.
pub(crate) fn tested() -> TestPoolResult {
    let connection = PoolConnection { connection_id: 0, jobs: 1, totals: None, ..connection() };
    TestPoolResult { usable: true, connection: Some(connection), ..TestPoolResult::default() }
}

/// What a test of an impostor finds.
pub(crate) fn impostor() -> TestPoolResult {
    let connection = PoolConnection {
        peer_address: "192.0.2.7:3333".into(),
        authority_fingerprint: "0123456789abcdef".into(),
        ..PoolConnection::default()
    };
    TestPoolResult {
        usable: false,
        failure: "the peer does not hold the key in the URL; check the URL with the pool".into(),
        failure_state: PoolState::AuthenticationFailed.into(),
        failed_phase: "noise".into(),
        connection: Some(connection),
    }
}

pub(crate) fn pin() -> PoolPin {
    PoolPin { pool: "spare".into(), expires_at: at(9960) }
}

/// A start, and a failover from it.
pub(crate) fn transitions() -> Vec<PoolTransition> {
    let first = PoolTransition {
        sequence: 1,
        at: at(60),
        to_pool: "primary".into(),
        to_connection_id: 1,
        reason: TransitionReason::Started.into(),
        work_gap: millis(31),
        threads: 2,
        phases: phases(),
        ..PoolTransition::default()
    };
    let second = PoolTransition {
        sequence: 2,
        at: at(120),
        from_pool: "primary".into(),
        from_connection_id: 1,
        to_pool: "spare".into(),
        to_connection_id: 2,
        reason: TransitionReason::FailedOver.into(),
        detail: "the pool closed the connection".into(),
        work_gap: millis(0),
        shares_lost: 3,
        ..first.clone()
    };
    vec![PoolTransition { phases: Vec::new(), ..second }, first]
}

/// The live connection, and one that drains.
pub(crate) fn channels() -> Vec<PoolChannel> {
    let channel = |role: PoolRole, connection| PoolChannel {
        pool: "primary".into(),
        role: role.into(),
        connection: Some(connection),
    };
    let draining = PoolConnection { connection_id: 2, channel_id: Some(4), ..connection() };
    vec![channel(PoolRole::Draining, draining), channel(PoolRole::Live, connection())]
}

pub(crate) fn reject() -> Reject {
    let share = Share {
        job_id: "5".into(),
        connection_id: 3,
        header: (0..80).collect(),
        extranonce: vec![1, 2],
        extranonce_prefix: vec![0, 0xab],
        hash: vec![0x0f; 32],
        share_target: vec![0x1f; 32],
        ..share(2, ShareOutcome::Rejected)
    };
    Reject { rejected_at: at(3), share: Some(share) }
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
            state: BoardState::Mining.into(),
            state_since: at(60),
            ..BoardStatus::default()
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
