//! One connection as people see it: what the source knows of it, and what the scheduler counted.

use crate::{scheduler, source::ConnectionSnapshot};
use mujina_core::{pool::AuthorityKey, status::PoolConnection};
use std::time::SystemTime;

/// A connection with the ledger that is kept for it.
pub(crate) fn connection_status(
    connection: &ConnectionSnapshot,
    authority_fingerprint: &str,
    counted: &scheduler::Snapshot,
    now: SystemTime,
) -> PoolConnection {
    let ConnectionSnapshot { id, facts, ready_at, job_label, job_received_at, version_mask, jobs, phases } = connection;
    let scope = counted.connections.get(id);
    PoolConnection {
        id: *id,
        peer_address: facts.peer_address.clone(),
        ready_at: *ready_at,
        authenticated: facts.authenticated,
        authority_fingerprint: facts.authority.map_or(authority_fingerprint.to_owned(), AuthorityKey::fingerprint),
        certificate_not_after: facts.certificate_not_after,
        channel_id: facts.channel_id,
        group_channel_id: facts.group_channel_id,
        extranonce_prefix: facts.extranonce_prefix.clone(),
        extranonce_size: facts.extranonce_size,
        share_difficulty: facts.share_difficulty,
        version_mask: *version_mask,
        job_id: job_label.clone(),
        job_received_at: *job_received_at,
        jobs: *jobs,
        unknown_messages: facts.unknown_messages,
        told_hash_rate: facts.told_hash_rate,
        totals: scope.map(|scope| scope.totals).unwrap_or_default(),
        totals_since: scope.map_or(now, |scope| scope.since),
        phases: phases.clone(),
    }
}
