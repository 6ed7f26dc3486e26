//! Questions of ours and their answers, from the first message to the subscription, and away from a pool that asks for it.
//!
//! Source: stratum-client V2 to V7, V12, V13, V15, R3. The three first questions go out together; only the subscription
//! must be answered before work can begin.

use super::{Answer, Channel, Early, Failure, Jobs, Outgoing, Profile, Session, Stage};
use crate::{
    job::BIP320_MASK,
    pool::{
        ConnectionEvent, Verdict,
        sv1::message::{Subscription, granted_mask},
    },
};
use mujina_core::{
    pool::Host,
    status::PhaseName,
    text::{PEER_TEXT_BYTES, sanitise},
    units::{Difficulty, HashRate},
};
use std::time::{Duration, Instant};
use tracing::{debug, info};

/// Hashes that a share of difficulty 1 takes.
const HASHES_PER_DIFFICULTY: f64 = 4_294_967_296.0;

/// Questions that are open at most: more only of a pool that never answers.
const MAX_ASKED: usize = 16;

/// What was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Question {
    Configure,
    Subscribe,
    Authorize,
    /// Something that may be refused without harm.
    Wish,
}

impl Session {
    /// All that must be said before there is an answer (V2).
    pub(super) fn introduce(&mut self, now: Instant) {
        let id = self.ask(Question::Configure);
        self.outbox.push_back(Outgoing::Configure { id, version_mask: BIP320_MASK });
        let id = self.ask(Question::Subscribe);
        self.outbox.push_back(Outgoing::Subscribe { id, agent: self.profile.agent.clone() });
        self.authorize(now);
    }

    fn ask(&mut self, question: Question) -> u64 {
        self.last_id += 1;
        if self.asked.len() >= MAX_ASKED {
            self.asked.remove(0);
        }
        self.asked.push((self.last_id, question));
        self.last_id
    }

    fn authorize(&mut self, now: Instant) {
        let id = self.ask(Question::Authorize);
        let (user, password) = (self.profile.user.clone(), self.profile.password.clone());
        self.outbox.push_back(Outgoing::Authorize { id, user, password });
        self.authorized_at = Some(now);
    }

    /// A pool that no longer knows us is told again, but not with every share that it refuses (V20).
    pub(super) fn authorize_again(&mut self, now: Instant) {
        let is_asked = self.asked.iter().any(|(_, question)| *question == Question::Authorize);
        let lately = self.authorized_at.is_some_and(|at| now < at + self.limits.reauthorize);
        if !is_asked && !lately {
            self.authorize(now);
        }
    }

    pub(super) fn answer(&mut self, answer: Answer, now: Instant) {
        let Some(id) = answer.id else {
            // Pools complain like that before they hang up.
            if let Some(refusal) = answer.refusal {
                self.show(&refusal.to_string());
            }
            return;
        };
        let Some(at) = self.asked.iter().position(|(asked, _)| *asked == id) else {
            return self.judge(id, &answer, now);
        };
        let (_, question) = self.asked.remove(at);
        match (question, answer.refusal) {
            (Question::Subscribe, None) => self.subscribed(&answer.result, now),
            (Question::Subscribe, Some(refusal)) => self.end(Some(Failure::SubscribeRefused(refusal)), now),
            (Question::Configure, None) => self.set_version_mask(granted_mask(&answer.result, BIP320_MASK), now),
            (Question::Authorize, None) => self.authorized(now),
            (Question::Authorize, Some(refusal)) => self.end(Some(Failure::Unauthorized(refusal)), now),
            (Question::Configure | Question::Wish, Some(refusal)) => {
                debug!(%refusal, ?question, "wish refused by the pool");
            }
            (Question::Wish, None) => {}
        }
    }

    fn judge(&mut self, id: u64, answer: &Answer, now: Instant) {
        let verdict = match (&answer.refusal, &answer.result) {
            (Some(refusal), _) => {
                debug!(request_id = id, %refusal, "share refused by the pool");
                Verdict::Rejected(refusal.reason())
            }
            (None, result) if is_yes(result) => Verdict::Accepted,
            // Neither yes nor no: the pool will not say more (V20).
            (None, _) => Verdict::Lost,
        };
        self.verdict(id, verdict, answer.refusal.as_ref(), now);
    }

    fn subscribed(&mut self, result: &serde_json::Value, now: Instant) {
        let Stage::SettingUp { .. } = self.stage else { return };
        let granted = match Subscription::read(result) {
            Ok(granted) => granted,
            Err(what) => return self.violation(&what, now),
        };
        let jobs = match Jobs::new(self.profile.connection, &granted, self.profile.filler.clone()) {
            Ok(jobs) => jobs,
            Err(why) => return self.end(Some(Failure::Unusable { why }), now),
        };
        let filled = jobs.filled();
        let detail = format!("{} bytes of extranonce1, {} of extranonce2", granted.extranonce1.len(), granted.size);
        self.phase_over(detail, Some(PhaseName::FirstJob), now);
        self.stage = Stage::Open(Box::new(Channel::new(jobs, &self.limits, now)));
        self.event(ConnectionEvent::Opened { extranonce_size: filled });
        let Early { notify, difficulty, version_mask } = std::mem::take(&mut self.early);
        self.set_version_mask(version_mask, now);
        match difficulty {
            Some(difficulty) => self.set_difficulty(difficulty, now),
            None => self.tell_facts(),
        }
        if let Some((notify, wall)) = notify {
            self.notify(notify, wall, now);
        }
    }

    fn authorized(&mut self, now: Instant) {
        if std::mem::replace(&mut self.introduced, true) {
            return;
        }
        if !self.profile.options.no_extranonce_subscribe {
            let id = self.ask(Question::Wish);
            self.outbox.push_back(Outgoing::SubscribeExtranonce { id });
        }
        self.suggest_first(now);
    }

    pub(super) fn suggest_first(&mut self, now: Instant) {
        let may = self.introduced && !self.profile.options.no_suggest_difficulty && self.rate.told().is_none();
        if may && let Some(rate) = self.rate.first(now) {
            self.suggest(rate);
        }
    }

    /// Asks for shares as often as is of use (V15).
    pub(super) fn suggest(&mut self, rate: HashRate) {
        let difficulty = rate.hashes_per_second() * self.limits.share_every.as_secs_f64() / HASHES_PER_DIFFICULTY;
        if let Ok(difficulty) = Difficulty::try_from(difficulty) {
            let id = self.ask(Question::Wish);
            self.outbox.push_back(Outgoing::SuggestDifficulty { id, difficulty });
            self.tell_facts();
        }
    }

    /// The pool asks to connect again, here or elsewhere (V13). Where the owner did not allow it, or nobody would prove who
    /// answers there, it is not done.
    pub(super) fn reconnect(&mut self, host: &str, port: u16, wait: Duration, now: Instant) {
        let closing = matches!(&self.stage, Stage::Open(channel) if channel.is_closing());
        let Some(elsewhere) = self.destination(host) else {
            let host = sanitise(host, PEER_TEXT_BYTES);
            info!(host, port, "the pool asks to connect to a host that it may not lead to; refused");
            return;
        };
        if closing || self.redirect.is_some() {
            return;
        }
        self.redirect = Some((elsewhere, port));
        match &mut self.stage {
            // What was found is still sent, and verdicts have a moment to come.
            Stage::Open(channel) => channel.leave_at(now + wait.min(self.limits.reconnect_wait), self.limits.flush),
            _ => self.end(None, now),
        }
    }

    /// The host to go to, empty for the same; `None` = not allowed.
    fn destination(&self, host: &str) -> Option<String> {
        if host.is_empty() {
            return Some(String::new());
        }
        let new = host.parse::<Host>().ok()?;
        let Profile { home, host, authenticated, options, .. } = &self.profile;
        let elsewhere =
            *authenticated && options.allows_redirect_to(&new) && (!new.is_loopback() || home.is_loopback());
        (new == *home || new == *host || elsewhere).then(|| new.to_string())
    }
}

/// `true`, as pools spell it.
fn is_yes(result: &serde_json::Value) -> bool {
    match result {
        serde_json::Value::Bool(yes) => *yes,
        serde_json::Value::String(text) => text.eq_ignore_ascii_case("true") || text.eq_ignore_ascii_case("ok"),
        _ => false,
    }
}
