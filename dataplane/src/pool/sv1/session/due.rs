//! The deadlines of a session: which is nearest, and what happens when it passes.
//!
//! Source: stratum-client V9, V15, V17, V19, N9, U9, 6.6. Each, once passed, moves on or ends the session.

use super::{Failure, Session, Stage};
use mujina_core::share::DropReason;
use std::time::Instant;

/// What a deadline is for.
#[derive(Debug, Clone, Copy)]
pub(super) enum Due {
    Subscription,
    BringUp,
    Difficulty,
    FirstJob,
    NewJob,
    Silence,
    Verdicts,
    Queue,
    TellRate,
    Drained,
}

impl Session {
    /// The nearest deadline.
    pub(super) fn next_due(&self) -> Option<(Instant, Due)> {
        let candidates = match &self.stage {
            Stage::SettingUp { by, bring_up_by } => vec![(*by, Due::Subscription), (*bring_up_by, Due::BringUp)],
            Stage::Ended => Vec::new(),
            Stage::Open(channel) => {
                let mut due = channel.due(&self.limits, self.queue.is_empty());
                due.push((self.last_inbound + self.limits.idle, Due::Silence));
                due.extend(self.queue.deadline().map(|at| (at, Due::Queue)));
                due.extend(self.rate.deadline().map(|at| (at, Due::TellRate)));
                due
            }
        };
        candidates.into_iter().min_by_key(|(at, _)| *at)
    }

    /// A deadline passed.
    pub(super) fn pass(&mut self, due: Due, now: Instant) {
        let failure = match due {
            Due::Subscription => Failure::Mute(self.limits.setup),
            Due::BringUp => Failure::BringUp(self.limits.bring_up),
            Due::FirstJob => Failure::NoFirstJob(self.limits.first_job),
            Due::NewJob => Failure::NoNewJob(self.limits.same_job),
            Due::Silence => Failure::Silent(now.saturating_duration_since(self.last_inbound)),
            Due::Difficulty => return self.release(now),
            Due::Verdicts => return self.expire_verdicts(now),
            Due::TellRate => {
                if let Some(rate) = self.rate.due(now) {
                    self.suggest(rate);
                }
                return;
            }
            Due::Queue => {
                for share in self.queue.expire(now) {
                    self.not_sent(&share, DropReason::Suppressed);
                }
                return;
            }
            Due::Drained => return self.end(None, now),
        };
        self.end(Some(failure), now);
    }
}
