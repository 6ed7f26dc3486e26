//! From the first message to the open channel, and away from a pool that asks for it.
//!
//! Source: Stratum V2 specification 03 §3.5, §3.6 and 05 §5.3; stratum-client 1.3, 1.4, R1 to R4.

use super::{Channel, Failure, Incoming, Moment, OpenSuccess, Outgoing, Session, Stage};
use crate::pool::{ConnectionEvent, connect, rate::on_the_wire};
use mujina_core::{
    pool::Host,
    status::PhaseName,
    text::{PEER_TEXT_BYTES, sanitise},
    units::HashRate,
};
use std::{collections::VecDeque, time::Instant};
use tracing::{debug, warn};

/// Bit of SetupConnection that asks for standard jobs; in the answer it forbids rolling the version (S4).
const FIRST_FLAG: u32 = 1;
/// Bit of SetupConnection that says that we cannot reach our rate without rolled versions (S3).
pub(super) const NEEDS_ROLLING: u32 = 4;
/// The version of the protocol.
const VERSION: u16 = 2;

impl Session {
    pub(super) fn set_up(&mut self, message: Incoming, now: Instant) {
        match message {
            Incoming::SetupSuccess { used_version: VERSION, flags } => {
                let ours = self.profile.setup.flags;
                // Some pools say our own flags back, which means nothing (S4).
                let echo = flags == ours && ours & FIRST_FLAG != 0;
                if echo {
                    debug!(flags, "the pool says our own flags back; versions are rolled until it refuses them");
                }
                self.fixed_version = flags & FIRST_FLAG != 0 && !echo;
                self.phase_over(format!("version {VERSION}, flags 0x{flags:08x}"), Some(PhaseName::OpenChannel), now);
                self.negotiate(now);
            }
            Incoming::SetupSuccess { used_version, .. } => self.end(Some(Failure::Version(used_version)), now),
            Incoming::SetupError { flags, code } => {
                let asked = self.profile.setup.flags;
                self.end(Some(Failure::SetupRefused { code, flags, asked }), now);
            }
            other => self.violation(&format!("{} before the answer to SetupConnection", other.name()), now),
        }
    }

    pub(super) fn wait_for_rate(&mut self, now: Instant) {
        self.stage = Stage::AwaitingRate { by: now + self.limits.hash_rate };
        self.open_when_rate_is_known(now);
    }

    pub(super) fn open_when_rate_is_known(&mut self, now: Instant) {
        if let Stage::AwaitingRate { .. } = self.stage
            && let Some(rate) = self.rate.first(now)
        {
            self.open(rate, now);
        }
    }

    pub(super) fn open(&mut self, rate: HashRate, now: Instant) {
        self.last_request += 1;
        self.outbox.push_back(Outgoing::Open {
            request_id: self.last_request,
            user: self.profile.user.clone(),
            hash_rate: on_the_wire(rate),
            max_target: self.limits.max_target,
            min_extranonce_size: self.limits.min_extranonce_size,
        });
        self.stage = Stage::Opening { by: now + self.limits.open, early: VecDeque::new() };
    }

    pub(super) fn opened(&mut self, success: OpenSuccess, now: Moment) {
        let Moment { at, .. } = now;
        if success.request_id != self.last_request {
            debug!(request_id = success.request_id, "answer to a request that was never made ignored");
            return;
        }
        let channel_id = success.channel_id;
        let channel = match Channel::new(success, &self.profile, self.fixed_version, self.limits, at) {
            Ok(channel) if self.extranonce_size.is_none_or(|size| size == channel.extranonce_size()) => channel,
            refused => {
                let why = refused.err().unwrap_or_else(|| "another extranonce size than the channel before it".into());
                self.outbox.push_back(Outgoing::Close { channel_id, reason: "unusable-channel" });
                self.end(Some(Failure::Unusable { why }), at);
                return;
            }
        };
        let extranonce_size = channel.extranonce_size();
        let early = match std::mem::replace(&mut self.stage, Stage::Open(Box::new(channel))) {
            Stage::Opening { early, .. } => early,
            _ => VecDeque::new(),
        };
        if self.extranonce_size.replace(extranonce_size).is_none() {
            let detail = format!("channel {channel_id}, {extranonce_size} bytes of extranonce");
            self.phase_over(detail, Some(PhaseName::FirstJob), at);
            self.event(ConnectionEvent::Opened { extranonce_size });
        }
        self.tell_facts();
        for message in early {
            self.message(message, now);
        }
    }

    pub(super) fn redirect(&mut self, host: String, port: u16, now: Instant) {
        let closing = matches!(&self.stage, Stage::Open(channel) if channel.is_closing());
        if closing || !self.is_allowed_host(&host) {
            debug!(host = sanitise(&host, PEER_TEXT_BYTES), port, "request to connect elsewhere ignored");
            return;
        }
        if !self.profile.may_redirect {
            warn!("the pool asks again and again to connect anew; this is ignored for a while");
            return;
        }
        self.redirect = Some((host, port));
        match &mut self.stage {
            // What was found is still sent, and verdicts have a moment to come (R4).
            Stage::Open(channel) => channel.close_by(now + self.limits.flush),
            _ => self.end(None, now),
        }
    }

    /// Nowhere on this machine or this link, unless that is where we are (R3).
    fn is_allowed_host(&self, host: &str) -> bool {
        let is_near = |host: &Host| matches!(host, Host::Ip(address) if connect::is_near(*address));
        match (host.parse::<Host>(), self.profile.setup.host.parse::<Host>()) {
            _ if host.is_empty() => true,
            (Ok(new), Ok(ours)) => !is_near(&new) || is_near(&ours),
            _ => false,
        }
    }
}
