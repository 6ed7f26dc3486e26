//! The deadlines of a session: which is nearest, and what happens when it passes.
//!
//! Source: stratum-client N9, E2, J7, J14, L2, L3, U9, A2, G1, G3, D9, D12, D17, 6.6. Each, once passed, moves on or ends
//! the session.

use super::{Failure, Outgoing, Session, Stage, bring_up::NEEDS_ROLLING};
use crate::pool::rate::on_the_wire;
use mujina_core::{share::DropReason, units::HashRate};
use std::time::Instant;

/// What a deadline is for.
#[derive(Debug, Clone, Copy)]
pub(super) enum Due {
    SetupAnswer,
    Extensions,
    HashRate,
    OpenAnswer,
    BringUp,
    Reopen,
    FirstJob,
    JobForTip,
    WaitingJob,
    OldJob,
    NewJob,
    RolledVersion,
    Probe,
    Silence,
    Verdicts,
    Queue,
    TellRate,
    Drained,
}

impl Session {
    /// The nearest deadline.
    pub(super) fn next_due(&self) -> Option<(Instant, Due)> {
        let bring_up = (self.bring_up_by, Due::BringUp);
        let candidates = match &self.stage {
            Stage::SettingUp { by } => vec![(*by, Due::SetupAnswer), bring_up],
            Stage::Negotiating { by } => vec![(*by, Due::Extensions), bring_up],
            Stage::AwaitingRate { by } => vec![(*by, Due::HashRate), bring_up],
            Stage::Opening { by, .. } if self.extranonce_size.is_none() => vec![(*by, Due::OpenAnswer), bring_up],
            Stage::Opening { by, .. } => vec![(*by, Due::OpenAnswer)],
            Stage::Reopening { at } => vec![(*at, Due::Reopen)],
            Stage::Ended => Vec::new(),
            Stage::Open(channel) => {
                let idle = match self.probed_at {
                    None => (self.last_inbound + self.limits.soft_idle, Due::Probe),
                    Some(at) => {
                        let hard = self.last_inbound + self.limits.hard_idle;
                        let owed = channel.pending.oldest().map(|sent_at| at.max(sent_at) + self.limits.probe);
                        (owed.map_or(hard, |owed| owed.min(hard)), Due::Silence)
                    }
                };
                let needs_rolling = self.profile.setup.flags & NEEDS_ROLLING != 0;
                let mut due = channel.due(&self.limits, needs_rolling, self.queue.is_empty());
                due.push(idle);
                due.extend(self.queue.deadline().map(|at| (at, Due::Queue)));
                due.extend(self.rate.deadline().map(|at| (at, Due::TellRate)));
                due
            }
        };
        candidates.into_iter().min_by_key(|(at, _)| *at)
    }

    /// A deadline passed.
    pub(super) fn pass(&mut self, due: Due, now: Instant) {
        let limits = self.limits;
        let failure = match due {
            Due::SetupAnswer => Failure::Mute { step: "SetupConnection", deadline: limits.setup },
            Due::OpenAnswer => Failure::Mute { step: "OpenExtendedMiningChannel", deadline: limits.open },
            Due::BringUp => Failure::BringUp(limits.bring_up),
            Due::HashRate => Failure::NoHashRate(limits.hash_rate),
            Due::FirstJob => Failure::NoFirstJob(limits.first_job),
            Due::JobForTip => Failure::NoJobForTip,
            Due::WaitingJob => return self.emit_waiting(now),
            Due::OldJob => return self.warn_of_old_job(),
            Due::RolledVersion => Failure::FixedVersion(limits.fixed_version),
            Due::Extensions => Failure::ExtensionsIgnored,
            Due::NewJob => Failure::NoNewJob(limits.same_job),
            Due::Silence => Failure::Silent(now.saturating_duration_since(self.last_inbound)),
            Due::Reopen => {
                let rate = self.rate.first(now).unwrap_or_default();
                return self.open(rate, now);
            }
            Due::Probe => {
                self.probed_at = Some(now);
                return self.update_channel(self.rate.told());
            }
            Due::TellRate => {
                let rate = self.rate.due(now);
                self.update_channel(rate);
                return self.tell_facts();
            }
            Due::Verdicts => {
                let Stage::Open(channel) = &mut self.stage else { return };
                let mut events = Vec::new();
                channel.pending.expire(now, &mut events);
                return self.tell(events);
            }
            Due::Queue => {
                for share in self.queue.expire(now) {
                    self.not_sent(&share, DropReason::Suppressed);
                }
                return;
            }
            Due::Drained => {
                if let Stage::Open(channel) = &self.stage {
                    self.outbox.push_back(Outgoing::Close { channel_id: channel.id, reason: "shutdown" });
                }
                return self.end(None, now);
            }
        };
        self.end(Some(failure), now);
    }

    pub(super) fn update_channel(&mut self, rate: Option<HashRate>) {
        if let (Stage::Open(channel), Some(rate)) = (&self.stage, rate) {
            // The newest rate counts, not one that still waits for the writer.
            self.outbox.retain(|message| !matches!(message, Outgoing::Update { .. }));
            self.outbox.push_back(Outgoing::Update {
                channel_id: channel.id,
                hash_rate: on_the_wire(rate),
                max_target: self.limits.max_target,
            });
        }
    }
}
