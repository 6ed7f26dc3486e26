//! What the source knows of one connection.

use super::{ConnectionSnapshot, hardness::Hardness, policy::SourcePolicy, rejects::Rejects};
use crate::{
    job::Job,
    pool::{ConnectionFacts, Target},
};
use mujina_core::{
    id::{ConnectionId, PoolName},
    pool::PoolSpec,
    status::{ConnectPhase, PoolState},
    units::HashRate,
};
use std::{
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

/// A connection from the decision to make it until its end was reported.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) id: ConnectionId,
    /// The pool as it was wanted then; `None` = synthetic work.
    pub(super) spec: Option<PoolSpec>,
    /// First 16 hex digits of the SHA-256 of the pool's key; empty without one.
    pub(super) authority_fingerprint: String,
    /// Where it was made to, in place of the pool's own address.
    pub(super) target: Option<Target>,
    /// Name under which the ledger counts it.
    pub(super) pool: PoolName,
    /// It has a job that can be hashed now.
    pub(super) has_job: bool,
    /// When the first usable job came.
    pub(super) ready_at: Option<(Instant, SystemTime)>,
    /// When it was asked to close.
    pub(super) closing_since: Option<Instant>,
    /// It was closed without waiting for verdicts.
    pub(super) aborted: bool,
    /// Shares that were never judged.
    pub(super) lost: u64,
    pub(super) phases: Vec<ConnectPhase>,
    pub(super) rejects: Rejects,
    pub(super) hardness: Hardness,
    opened: bool,
    facts: ConnectionFacts,
    job_label: String,
    job_received_at: Option<SystemTime>,
    version_mask: u32,
    jobs: u64,
}

impl Connection {
    pub(super) fn new(id: ConnectionId, spec: Option<PoolSpec>, target: Option<Target>, pool: PoolName) -> Self {
        let key = spec.as_ref().and_then(|spec| spec.endpoint.authority());
        Self {
            id,
            authority_fingerprint: key.map(|key| key.fingerprint()).unwrap_or_default(),
            spec,
            target,
            pool,
            has_job: false,
            ready_at: None,
            closing_since: None,
            aborted: false,
            lost: 0,
            phases: Vec::new(),
            rejects: Rejects::default(),
            hardness: Hardness::default(),
            opened: false,
            facts: ConnectionFacts::default(),
            job_label: String::new(),
            job_received_at: None,
            version_mask: 0,
            jobs: 0,
        }
    }

    /// Whether it was made for this pool, whatever part of the work that has.
    pub(super) fn is_of(&self, spec: &PoolSpec) -> bool {
        self.spec.as_ref().is_some_and(|own| own.connects_like(spec))
    }

    pub(super) fn is_closing(&self) -> bool {
        self.closing_since.is_some()
    }

    pub(super) fn is_usable(&self) -> bool {
        self.has_job && !self.is_closing()
    }

    pub(super) fn opened(&mut self) {
        self.opened = true;
    }

    /// Mean time between shares, when that is too long for too long.
    pub(super) fn is_too_hard(
        &mut self,
        hash_rate: Option<HashRate>,
        policy: &SourcePolicy,
        now: Instant,
    ) -> Option<Duration> {
        self.hardness.look(self.facts.share_difficulty, hash_rate, policy, now)
    }

    pub(super) fn learn(&mut self, facts: ConnectionFacts) {
        self.facts = facts;
    }

    pub(super) fn job(&mut self, job: &Job, now: Instant, wall: SystemTime) {
        self.has_job = true;
        self.jobs += 1;
        self.job_label = job.label.to_string();
        self.job_received_at = Some(wall);
        self.version_mask = job.version_mask;
        self.ready_at.get_or_insert((now, wall));
    }

    /// Where its pool stands because of it.
    pub(super) fn pool_state(&self) -> PoolState {
        match (self.is_closing(), self.has_job, self.opened) {
            (true, _, _) => PoolState::Draining,
            (false, true, _) => PoolState::Ready,
            (false, false, true) => PoolState::WaitingForJob,
            (false, false, false) => PoolState::Connecting,
        }
    }

    pub(super) fn snapshot(&self) -> Arc<ConnectionSnapshot> {
        Arc::new(ConnectionSnapshot {
            id: self.id,
            facts: self.facts.clone(),
            ready_at: self.ready_at.map(|(_, wall)| wall),
            job_label: self.job_label.clone(),
            job_received_at: self.job_received_at,
            version_mask: self.version_mask,
            jobs: self.jobs,
            phases: self.phases.clone(),
        })
    }
}
