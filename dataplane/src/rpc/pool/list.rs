//! How the work moved between pools, and which connections are open.

use crate::{
    rpc::check::page_size,
    scheduler,
    source::{ChannelSnapshot, MAX_TRANSITIONS, Snapshot},
    telemetry::connection_status,
};
use mujina_proto::{dataplane::v1, types};
use std::time::SystemTime;

/// Transitions that are told when nothing is said.
const TRANSITIONS: u32 = 50;

pub(super) fn transitions(
    request: v1::ListPoolTransitionsRequest,
    snapshot: &Snapshot,
) -> v1::ListPoolTransitionsResponse {
    let v1::ListPoolTransitionsRequest { page_size: size } = request;
    let most = u32::try_from(MAX_TRANSITIONS).unwrap_or(u32::MAX);
    let newest = snapshot.transitions.iter().take(page_size(size, TRANSITIONS, most));
    v1::ListPoolTransitionsResponse { transitions: newest.map(Into::into).collect() }
}

pub(super) fn channels(
    snapshot: &Snapshot,
    counted: &scheduler::Snapshot,
    now: SystemTime,
) -> v1::ListPoolChannelsResponse {
    let channel = |channel: &ChannelSnapshot| {
        let ChannelSnapshot { pool, authority_fingerprint, role, connection } = channel;
        let connection = connection_status(connection, authority_fingerprint, counted, now);
        v1::PoolChannel {
            pool: pool.to_string(),
            role: types::v1::PoolRole::from(*role).into(),
            connection: Some((&connection).into()),
        }
    };
    v1::ListPoolChannelsResponse { channels: snapshot.channels.iter().map(channel).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        pool::ConnectionFacts,
        scheduler::{ConnectionScope, Scope},
        source::ConnectionSnapshot,
    };
    use mujina_core::{
        id::ConnectionId,
        share::ShareTotals,
        status::{PoolRole, PoolTransition, TransitionReason},
    };
    use std::{
        collections::{BTreeMap, VecDeque},
        sync::Arc,
        time::{Duration, UNIX_EPOCH},
    };

    fn transition(sequence: u64) -> PoolTransition {
        PoolTransition {
            sequence,
            at: UNIX_EPOCH,
            from: None,
            to: ("main".parse().unwrap(), ConnectionId(sequence)),
            reason: TransitionReason::Started,
            detail: String::new(),
            work_gap: Duration::ZERO,
            threads: 1,
            shares_lost: 0,
            phases: Vec::new(),
        }
    }

    #[test]
    fn newest_transitions_come_first_as_many_as_were_asked_for() {
        let all: VecDeque<_> = (1..=300).rev().map(transition).collect();
        let snapshot = Snapshot { transitions: Arc::new(all), ..Snapshot::default() };
        let told = |page_size| {
            let answer = transitions(v1::ListPoolTransitionsRequest { page_size }, &snapshot).transitions;
            (answer.len(), answer[0].sequence)
        };
        assert_eq!([told(0), told(3), told(u32::MAX)], [(50, 300), (3, 300), (MAX_TRANSITIONS, 300)]);
    }

    #[test]
    fn every_channel_has_its_role_and_its_own_ledger() {
        let connection = |id| {
            Arc::new(ConnectionSnapshot {
                id: ConnectionId(id),
                facts: ConnectionFacts { channel_id: Some(9), ..ConnectionFacts::default() },
                ready_at: Some(UNIX_EPOCH),
                job_label: "5".into(),
                job_received_at: None,
                version_mask: 0,
                jobs: 1,
                phases: Vec::new(),
            })
        };
        let channel = |id, role| ChannelSnapshot {
            pool: "main".parse().unwrap(),
            authority_fingerprint: "ab".into(),
            role,
            connection: connection(id),
        };
        let snapshot = Snapshot {
            channels: vec![channel(3, PoolRole::Draining), channel(4, PoolRole::Live)],
            ..Snapshot::default()
        };
        let totals = ShareTotals { found: 2, submitted: 2, accepted: 2, ..ShareTotals::default() };
        let scope = ConnectionScope { pool: "main".parse().unwrap(), since: UNIX_EPOCH, totals, hashes: 0 };
        let counted = scheduler::Snapshot {
            at: UNIX_EPOCH,
            since: UNIX_EPOCH,
            live: None,
            paused: false,
            hashing: true,
            miner: Scope::default(),
            pools: BTreeMap::new(),
            connections: [(ConnectionId(4), scope)].into(),
            boards: BTreeMap::new(),
            threads: Vec::new(),
            unknown_verdicts: 0,
            share_work: None,
        };
        let told = channels(&snapshot, &counted, UNIX_EPOCH).channels;
        assert_eq!(
            told.iter().map(v1::PoolChannel::role).collect::<Vec<_>>(),
            [types::v1::PoolRole::Draining, types::v1::PoolRole::Live]
        );
        let accepted = |channel: &v1::PoolChannel| {
            let connection = channel.connection.as_ref().unwrap();
            (connection.connection_id, connection.channel_id, connection.totals.as_ref().unwrap().accepted)
        };
        assert_eq!((accepted(&told[0]), accepted(&told[1])), ((3, Some(9), 0), (4, Some(9), 2)));
    }
}
