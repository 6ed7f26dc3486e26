//! For pools that hold shares of the job at work to a new target at once, against the specification.
//!
//! Source: stratum-client T5. Three shares that met their job's target, and were refused as too easy after a SetTarget that
//! they do not meet, are such a pool: until the next job, shares must meet both targets. Costs a pool by the book nothing.

use crate::job::JobHandle;
use mujina_core::units::ShareTarget;
use std::collections::VecDeque;

/// Refusals that are no accident.
const ENOUGH: u32 = 3;
/// Sent shares that are remembered: more than arrive in the time of a round trip at the flood cap.
const REMEMBERED: usize = 128;

/// The guard of one channel.
#[derive(Debug, Default)]
pub(super) struct TargetGuard {
    sent: VecDeque<Sent>,
    /// The job that was refused for, and how often.
    suspect: Option<(JobHandle, u32)>,
}

#[derive(Debug, Clone, Copy)]
struct Sent {
    sequence: u32,
    job: JobHandle,
    hash: [u8; 32],
}

impl TargetGuard {
    /// A share goes to the writer.
    pub(super) fn sent(&mut self, sequence: u32, job: JobHandle, hash: [u8; 32]) {
        if self.sent.len() >= REMEMBERED {
            self.sent.pop_front();
        }
        self.sent.push_back(Sent { sequence, job, hash });
    }

    /// The job of a share that was sent lately.
    pub(super) fn job_of(&self, sequence: u32) -> Option<JobHandle> {
        self.sent.iter().find(|sent| sent.sequence == sequence).map(|sent| sent.job)
    }

    /// The pool refused a share as too easy; `channel_target` is the newest it set. Whether the guard stands from now on.
    pub(super) fn refused(&mut self, sequence: u32, channel_target: ShareTarget) -> bool {
        let Some(sent) = self.sent.iter().find(|sent| sent.sequence == sequence) else { return false };
        if channel_target.is_met_by(sent.hash) {
            return false;
        }
        let before = self.suspect.filter(|(job, _)| *job == sent.job).map_or(0, |(_, refusals)| refusals);
        self.suspect = Some((sent.job, before + 1));
        before + 1 == ENOUGH
    }

    /// Whether a share would be refused.
    pub(super) fn holds_back(&self, job: JobHandle, hash: [u8; 32], channel_target: ShareTarget) -> bool {
        let stands = self.suspect.is_some_and(|(suspect, refusals)| suspect == job && refusals >= ENOUGH);
        stands && !channel_target.is_met_by(hash)
    }
}
