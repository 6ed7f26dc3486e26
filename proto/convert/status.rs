//! The status tree.

use super::{duration, share::totals, timestamp};
use crate::types::v1;
use mujina_core::{
    board::BoardSummary,
    fault::Fault,
    status::{
        BoardStatus, ConnectPhase, LatencySummary, MinerState, MinerStatus, PoolConnection, PoolPin, PoolRole,
        PoolState, PoolStatus, ThreadState, ThreadStatus, WorkSplit,
    },
    units::{Difficulty, Frequency, HashRate, Volts, Watts},
};
use std::time::SystemTime;

impl From<&MinerStatus> for v1::MinerStatus {
    fn from(status: &MinerStatus) -> Self {
        let MinerStatus {
            miner_id,
            name,
            version,
            boot_id,
            started_at,
            observed_at,
            state,
            state_reason,
            state_since,
            generation,
            observed_generation,
            live_pool,
            pools,
            boards,
            totals: ledger,
            rates,
            nominal_hash_rate,
            faults,
            pool_pin,
        } = status;
        Self {
            miner_id: miner_id.to_string(),
            name: name.clone(),
            version: version.clone(),
            started_at: Some(timestamp(*started_at)),
            observed_at: Some(timestamp(*observed_at)),
            state: v1::MinerState::from(*state).into(),
            state_reason: state_reason.clone(),
            state_since: Some(timestamp(*state_since)),
            generation: generation.0,
            observed_generation: observed_generation.0,
            live_pool: live_pool.as_ref().map(ToString::to_string).unwrap_or_default(),
            pools: pools.iter().map(Into::into).collect(),
            boards: boards.iter().map(|one| board(one, *started_at)).collect(),
            totals: Some(totals(ledger, *started_at)),
            rates: rates.iter().map(Into::into).collect(),
            nominal_hash_rate_hps: nominal_hash_rate.map(HashRate::hashes_per_second),
            faults: faults.iter().map(Into::into).collect(),
            boot_id: boot_id.clone(),
            pool_pin: pool_pin.as_ref().map(Into::into),
        }
    }
}

impl From<MinerState> for v1::MinerState {
    fn from(state: MinerState) -> Self {
        match state {
            MinerState::Starting => Self::Starting,
            MinerState::Mining => Self::Mining,
            MinerState::Paused => Self::Paused,
            MinerState::NoWork => Self::NoWork,
            MinerState::NoPool => Self::NoPool,
            MinerState::Stopping => Self::Stopping,
        }
    }
}

impl From<&Fault> for v1::Fault {
    fn from(fault: &Fault) -> Self {
        let Fault { reason, subject, message, since } = fault;
        Self {
            reason: reason.to_string(),
            subject: subject.clone(),
            message: message.clone(),
            since: Some(timestamp(*since)),
        }
    }
}

impl From<&PoolStatus> for v1::PoolStatus {
    fn from(pool: &PoolStatus) -> Self {
        let PoolStatus {
            name,
            url,
            user,
            state,
            state_reason,
            state_since,
            live,
            retry_at,
            consecutive_failures,
            connection,
            totals: ledger,
            totals_since,
            verdict_latency,
            role,
            work_split,
            lifetime,
        } = pool;
        let WorkSplit { target, achieved } = work_split.unwrap_or_default();
        Self {
            name: name.to_string(),
            url: url.clone(),
            user: user.clone(),
            state: v1::PoolState::from(*state).into(),
            state_reason: state_reason.clone(),
            state_since: Some(timestamp(*state_since)),
            live: *live,
            retry_at: retry_at.map(timestamp),
            consecutive_failures: *consecutive_failures,
            connection: connection.as_ref().map(Into::into),
            totals: Some(totals(ledger, *totals_since)),
            verdict_latency: Some(verdict_latency.into()),
            role: v1::PoolRole::from(*role).into(),
            target_work_ratio: work_split.is_some().then_some(target),
            achieved_work_ratio: achieved,
            lifetime_totals: lifetime.as_ref().map(|(ledger, since)| totals(ledger, *since)),
        }
    }
}

impl From<PoolRole> for v1::PoolRole {
    fn from(role: PoolRole) -> Self {
        match role {
            PoolRole::None => Self::None,
            PoolRole::Live => Self::Live,
            PoolRole::Standby => Self::Standby,
            PoolRole::Connecting => Self::Connecting,
            PoolRole::Draining => Self::Draining,
        }
    }
}

impl From<&PoolPin> for v1::PoolPin {
    fn from(pin: &PoolPin) -> Self {
        let PoolPin { pool, expires_at } = pin;
        Self { pool: pool.to_string(), expires_at: Some(timestamp(*expires_at)) }
    }
}

impl From<PoolState> for v1::PoolState {
    fn from(state: PoolState) -> Self {
        match state {
            PoolState::Idle => Self::Idle,
            PoolState::Connecting => Self::Connecting,
            PoolState::WaitingForJob => Self::WaitingForJob,
            PoolState::Ready => Self::Ready,
            PoolState::Draining => Self::Draining,
            PoolState::BackingOff => Self::BackingOff,
            PoolState::AuthenticationFailed => Self::AuthenticationFailed,
            PoolState::ClockSkew => Self::ClockSkew,
            PoolState::Refused => Self::Refused,
            PoolState::Parked => Self::Parked,
        }
    }
}

impl From<&PoolConnection> for v1::PoolConnection {
    fn from(connection: &PoolConnection) -> Self {
        let PoolConnection {
            id,
            peer_address,
            ready_at,
            authenticated,
            authority_fingerprint,
            certificate_not_after,
            channel_id,
            group_channel_id,
            extranonce_prefix,
            extranonce_size,
            share_difficulty,
            version_mask,
            job_id,
            job_received_at,
            jobs,
            unknown_messages,
            told_hash_rate,
            totals: ledger,
            totals_since,
            phases,
        } = connection;
        Self {
            connection_id: id.0,
            peer_address: peer_address.clone(),
            ready_at: ready_at.map(timestamp),
            authenticated: *authenticated,
            authority_fingerprint: authority_fingerprint.clone(),
            certificate_not_after: certificate_not_after.map(timestamp),
            channel_id: *channel_id,
            group_channel_id: *group_channel_id,
            extranonce_prefix: extranonce_prefix.clone(),
            extranonce_size: (*extranonce_size).into(),
            share_difficulty: share_difficulty.map(Difficulty::as_f64),
            version_mask: *version_mask,
            job_id: job_id.clone(),
            job_received_at: job_received_at.map(timestamp),
            jobs: *jobs,
            unknown_messages: *unknown_messages,
            told_hash_rate_hps: told_hash_rate.hashes_per_second(),
            totals: Some(totals(ledger, *totals_since)),
            phases: phases.iter().map(Into::into).collect(),
        }
    }
}

impl From<&ConnectPhase> for v1::ConnectPhase {
    fn from(phase: &ConnectPhase) -> Self {
        let ConnectPhase { name, elapsed, detail } = phase;
        Self { name: name.as_str().into(), elapsed: Some(duration(*elapsed)), detail: detail.clone() }
    }
}

impl From<&LatencySummary> for v1::LatencySummary {
    fn from(summary: &LatencySummary) -> Self {
        let LatencySummary { count, p50, p99 } = summary;
        Self { count: *count, p50: p50.map(duration), p99: p99.map(duration) }
    }
}

pub(super) fn board(board: &BoardStatus, since: SystemTime) -> v1::BoardStatus {
    let BoardStatus { id, model, threads, totals: ledger, rates, facts, nominal_hash_rate, summary } = board;
    let BoardSummary {
        state,
        state_reason,
        state_since,
        expected_chips,
        found_chips,
        hottest,
        power,
        frequency,
        voltage,
        limited_by,
        faults,
    } = summary;
    let hottest = hottest.as_ref();
    v1::BoardStatus {
        board_id: id.to_string(),
        model: model.clone(),
        threads: threads.iter().map(|one| thread(one, since)).collect(),
        totals: Some(totals(ledger, since)),
        rates: rates.iter().map(Into::into).collect(),
        facts: facts.iter().map(|(name, value)| (name.clone(), value.clone())).collect(),
        state: v1::BoardState::from(*state).into(),
        state_reason: state_reason.clone(),
        state_since: Some(timestamp(*state_since)),
        expected_chips: *expected_chips,
        found_chips: *found_chips,
        nominal_hash_rate_hps: nominal_hash_rate.map(HashRate::hashes_per_second),
        hottest_celsius: hottest.map(|(_, reading)| reading.degrees()),
        hottest_sensor: hottest.map(|(sensor, _)| sensor.clone()).unwrap_or_default(),
        power_watts: power.map(Watts::watts),
        frequency_megahertz: frequency.map(Frequency::megahertz),
        voltage_volts: voltage.map(Volts::volts),
        limited_by: limited_by.clone(),
        fault_reasons: faults.iter().map(ToString::to_string).collect(),
    }
}

fn thread(thread: &ThreadStatus, since: SystemTime) -> v1::ThreadStatus {
    let ThreadStatus { id, state, totals: ledger, rates, hashes, slot } = thread;
    let state = match state {
        ThreadState::Hashing => v1::ThreadState::Hashing,
        ThreadState::Idle => v1::ThreadState::Idle,
        ThreadState::Dead => v1::ThreadState::Dead,
    };
    v1::ThreadStatus {
        thread_id: id.to_string(),
        state: state.into(),
        totals: Some(totals(ledger, since)),
        rates: rates.iter().map(Into::into).collect(),
        hashes: *hashes,
        slot: *slot,
    }
}
