//! What the source knows of one connection.

use super::ConnectionSnapshot;
use crate::{job::Job, pool::ConnectionFacts};
use mujina_core::{
    id::{ConnectionId, PoolName},
    pool::PoolSpec,
    status::{ConnectPhase, PoolState},
};
use std::time::{Instant, SystemTime};

/// A connection from the decision to make it until its end was reported.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) id: ConnectionId,
    /// The pool as it was wanted then; `None` = synthetic work.
    pub(super) spec: Option<PoolSpec>,
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
    opened: bool,
    facts: ConnectionFacts,
    job_label: String,
    job_received_at: Option<SystemTime>,
    version_mask: u32,
    jobs: u64,
}

impl Connection {
    pub(super) fn new(id: ConnectionId, spec: Option<PoolSpec>, pool: PoolName) -> Self {
        Self {
            id,
            spec,
            pool,
            has_job: false,
            ready_at: None,
            closing_since: None,
            aborted: false,
            lost: 0,
            phases: Vec::new(),
            opened: false,
            facts: ConnectionFacts::default(),
            job_label: String::new(),
            job_received_at: None,
            version_mask: 0,
            jobs: 0,
        }
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

    pub(super) fn snapshot(&self) -> ConnectionSnapshot {
        ConnectionSnapshot {
            id: self.id,
            facts: self.facts.clone(),
            ready_at: self.ready_at.map(|(_, wall)| wall),
            job_label: self.job_label.clone(),
            job_received_at: self.job_received_at,
            version_mask: self.version_mask,
            jobs: self.jobs,
            phases: self.phases.clone(),
        }
    }
}
