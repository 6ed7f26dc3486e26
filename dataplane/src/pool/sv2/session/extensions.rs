//! Asks a pool for extensions, if the operator wants one, and keeps to what it grants.
//!
//! ```text
//! SetupConnection.Success ─▶ Negotiating ─Success / Error─▶ AwaitingRate     a pool that says nothing knows no extensions:
//!                                 └────── silence ─────────▶ Ended           asked twice, then not again for a day
//! ```
//! Source: stratum-client E1 to E5, R8, D26. Who was asked in vain is remembered by `memory`, beyond the connection.

use super::{Failure, Outgoing, Session, Stage};
use crate::pool::sv2::message::extensions::WORKER_TRACKING;
use std::time::Instant;
use tracing::debug;

/// What we can do. Nothing is asked for unless it is wanted.
const SUPPORTED: [u16; 1] = [WORKER_TRACKING];

/// What was asked for and what is in force.
#[derive(Debug, Default)]
pub(super) struct Extensions {
    last_request: u16,
    /// The request that is not answered yet.
    open_request: Option<u16>,
    asked: Vec<u16>,
    granted: Vec<u16>,
    retried: bool,
}

impl Extensions {
    /// Whether shares carry the name of the worker.
    pub(super) fn tracks_workers(&self) -> bool {
        self.granted.contains(&WORKER_TRACKING)
    }
}

impl Session {
    /// Before anything else is asked of the pool (E1).
    pub(super) fn negotiate(&mut self, now: Instant) {
        if self.profile.extensions.is_empty() {
            return self.wait_for_rate(now);
        }
        self.request_extensions(self.profile.extensions.clone());
        let patience = self.limits.extensions.max(2 * self.profile.connect_time);
        self.stage = Stage::Negotiating { by: now + patience };
    }

    fn request_extensions(&mut self, extensions: Vec<u16>) {
        let state = &mut self.extensions;
        state.last_request = state.last_request.wrapping_add(1);
        state.open_request = Some(state.last_request);
        state.asked.clone_from(&extensions);
        state.granted.clear();
        self.outbox.push_back(Outgoing::RequestExtensions { request_id: state.last_request, extensions });
    }

    /// Only what was asked for counts (E3), however long the list is (D26).
    pub(super) fn extensions_granted(&mut self, request_id: u16, granted: &[u16], now: Instant) {
        if self.extensions.open_request.take_if(|open| *open == request_id).is_none() {
            debug!(request_id, "answer to a request for extensions that was never made ignored");
            return;
        }
        let state = &mut self.extensions;
        state.granted = state.asked.iter().copied().filter(|asked| granted.contains(asked)).collect();
        debug!(granted = ?state.granted, "extensions agreed");
        self.go_on(now);
    }

    pub(super) fn extensions_refused(&mut self, request_id: u16, required: &[u16], now: Instant) {
        if self.extensions.open_request.take_if(|open| *open == request_id).is_none() {
            debug!(request_id, "answer to a request for extensions that was never made ignored");
            return;
        }
        let lacking: Vec<u16> = required.iter().copied().filter(|one| !self.extensions.asked.contains(one)).collect();
        match lacking.iter().find(|one| !SUPPORTED.contains(one)) {
            None if lacking.is_empty() => self.go_on(now),
            None if !self.extensions.retried => {
                self.extensions.retried = true;
                let wanted = self.extensions.asked.iter().chain(&lacking).copied().collect();
                self.request_extensions(wanted);
            }
            unsupported => {
                let extension = unsupported.or(lacking.first()).copied().unwrap_or_default();
                self.end(Some(Failure::ExtensionRequired { extension }), now);
            }
        }
    }

    /// The channel is served from elsewhere: its extensions are agreed anew, everything else stays (R8).
    pub(super) fn endpoint_changed(&mut self) {
        if self.extensions.asked.is_empty() {
            debug!("another endpoint serves the channel");
            return;
        }
        self.extensions.retried = false;
        self.request_extensions(self.profile.extensions.clone());
    }

    fn go_on(&mut self, now: Instant) {
        if let Stage::Negotiating { .. } = self.stage {
            self.wait_for_rate(now);
        }
    }
}
