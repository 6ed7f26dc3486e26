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
    /// The nearest deadline. Looked for at every step, so it allocates nothing.
    pub(super) fn next_due(&self) -> Option<(Instant, Due)> {
        let mut nearest: Option<(Instant, Due)> = None;
        let mut each = |at: Instant, due: Due| {
            if nearest.is_none_or(|(nearest, _)| at < nearest) {
                nearest = Some((at, due));
            }
        };
        match &self.stage {
            Stage::SettingUp { by } => each(*by, Due::SetupAnswer),
            Stage::Negotiating { by } => each(*by, Due::Extensions),
            Stage::AwaitingRate { by } => each(*by, Due::HashRate),
            Stage::Opening { by, .. } => each(*by, Due::OpenAnswer),
            Stage::Reopening { at } => each(*at, Due::Reopen),
            Stage::Ended => {}
            Stage::Open(channel) => {
                let needs_rolling = self.profile.setup.flags & NEEDS_ROLLING != 0;
                channel.due(&self.limits, needs_rolling, self.queue.is_empty(), &mut each);
                match self.probed_at {
                    None => each(self.last_inbound + self.limits.soft_idle, Due::Probe),
                    Some(at) => {
                        let hard = self.last_inbound + self.limits.hard_idle;
                        let owed = channel.pending.oldest().map(|sent_at| at.max(sent_at) + self.limits.probe);
                        each(owed.map_or(hard, |owed| owed.min(hard)), Due::Silence);
                    }
                }
                if let Some(at) = self.queue.deadline() {
                    each(at, Due::Queue);
                }
                if let Some(at) = self.rate.deadline() {
                    each(at, Due::TellRate);
                }
            }
        }
        let bringing_up = match &self.stage {
            Stage::SettingUp { .. } | Stage::Negotiating { .. } | Stage::AwaitingRate { .. } => true,
            Stage::Opening { .. } => self.extranonce_size.is_none(),
            Stage::Reopening { .. } | Stage::Open(_) | Stage::Ended => false,
        };
        if bringing_up {
            each(self.bring_up_by, Due::BringUp);
        }
        nearest
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
