//! Whether an approval is a second person's, or the proposer's own by another name. Pure.
//!
//! Whoever makes a credential can keep it and act as its holder, and who acts as an operator can have more made for that
//! name. So it is followed, from credential to credential, who could act as whom and when:
//!
//! ```text
//! ann ──makes──▶ token of bob ──gets──▶ certificate of bob ──makes──▶ token of eve     ann could be bob, and eve
//! owner ──makes──▶ token of dan                                                       only dan is dan
//! ```
//!
//! What owners of the machine make is its holder's own: who does not trust them cannot trust the database either.

use super::Subject;
use mujina_proto::tls::Serial;
use std::{collections::HashSet, time::SystemTime};

/// Something that somebody has from somebody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Given {
    /// `token/ID`, `certificate/SERIAL` or `binding/ID`.
    pub id: String,
    /// The person who has it.
    pub holder: String,
    /// The person who made it.
    pub by: String,
    /// When.
    pub at: SystemTime,
    /// Until when it counts; `None` = to this day.
    pub until: Option<SystemTime>,
}

impl Given {
    fn counts(&self, at: SystemTime) -> bool {
        self.at <= at && self.until.is_none_or(|until| at <= until)
    }
}

/// All that was given to anybody.
#[derive(Debug, Clone, Default)]
pub struct Lineage {
    /// Tokens and certificates of operators, also those that have ended.
    pub credentials: Vec<Given>,
    /// Bindings that let somebody propose and approve.
    pub roles: Vec<Given>,
}

/// What waits for approval: a change of the allow-list, the plan of a rollout.
#[derive(Debug, Clone, Copy)]
pub struct Wish<'a> {
    /// The person who wants it.
    pub by: &'a str,
    /// Since when.
    pub at: SystemTime,
}

/// Why an approval does not count.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ApartError {
    /// One may have made the other, or what the other shows.
    #[error(
        "{approver} and {proposer} may be one person, because one could make the other's credential or role; have an owner of \
         the machine approve, or make them anew on its unix socket before this is proposed again"
    )]
    MaybeOne {
        /// Who approves.
        approver: String,
        /// Who proposed.
        proposer: String,
    },
    /// Made after the proposal.
    #[error("the credential or the role of {0} is newer than what is to be approved; propose it again")]
    TooNew(String),
}

/// Who approves.
#[derive(Debug, Clone)]
pub struct Approver {
    /// What the connection proved.
    pub subject: Subject,
    /// The id of the credential that proved it; `None` = there is none, the kernel says who it is.
    pub credential: Option<String>,
}

impl Approver {
    /// Whoever calls; `serial` is that of the connection's certificate.
    #[must_use]
    pub fn new(subject: Subject, serial: Option<Serial>) -> Self {
        let credential = match &subject {
            Subject::Token { id, .. } => Some(format!("token/{id}")),
            // Without a serial it is no certificate that is known.
            Subject::Certificate { .. } => {
                Some(format!("certificate/{}", serial.map(|serial| serial.to_string()).unwrap_or_default()))
            }
            Subject::UnixPeer { .. } | Subject::Miner { .. } | Subject::Anonymous => None,
        };
        Self { subject, credential }
    }
}

impl Lineage {
    /// Whether the approver is somebody else than the proposer, as far as that can be told: then the ids of those roles that
    /// the proposer had no hand in. `roles` are the ids of the bindings that let the approver approve.
    ///
    /// # Errors
    /// See [`ApartError`].
    pub fn roles_apart(
        &self,
        wish: Wish<'_>,
        approver: &Approver,
        roles: &[String],
    ) -> Result<Vec<String>, ApartError> {
        let Approver { subject, credential } = approver;
        if subject.is_owner() {
            return Ok(roles.to_vec());
        }
        let person = subject.person();
        let Wish { by: proposer, at } = wish;
        let maybe_one = || ApartError::MaybeOne { approver: person.clone(), proposer: proposer.to_owned() };
        let roles: Vec<_> = self.roles.iter().filter(|role| roles.contains(&role.id)).collect();
        let credential = match credential {
            Some(id) => Some(self.credentials.iter().find(|one| one.id == *id).ok_or_else(maybe_one)?),
            None => None,
        };
        let old: Vec<_> = roles.into_iter().filter(|role| role.at <= at).collect();
        if credential.is_some_and(|credential| credential.at > at) || old.is_empty() {
            return Err(ApartError::TooNew(person));
        }
        let ids = |roles: Vec<&Given>| roles.into_iter().map(|role| role.id.clone()).collect();
        // Owners could be anybody, and nobody but an owner can be one.
        if proposer == Subject::OWNER {
            return Ok(ids(old));
        }
        let suspects = self.suspects(proposer);
        let own: Vec<_> = old.into_iter().filter(|role| !self.could_be(proposer, &suspects, role)).collect();
        if credential.is_some_and(|credential| suspects.contains(credential.id.as_str())) || own.is_empty() {
            return Err(maybe_one());
        }
        // Nor may the proposal be the approver's.
        let proposal = Given { id: String::new(), holder: String::new(), by: proposer.into(), at, until: None };
        if self.could_be(&person, &self.suspects(&person), &proposal) { Err(maybe_one()) } else { Ok(ids(own)) }
    }

    /// The ids of all that `person` may have made, as itself or as somebody else.
    fn suspects(&self, person: &str) -> HashSet<&str> {
        let mut suspects = HashSet::new();
        loop {
            let rest = self.credentials.iter().chain(&self.roles).filter(|one| !suspects.contains(one.id.as_str()));
            let more: Vec<_> = rest.filter(|one| self.could_be(person, &suspects, one)).collect();
            if more.is_empty() {
                return suspects;
            }
            suspects.extend(more.into_iter().map(|one| one.id.as_str()));
        }
    }

    /// Whether `person` could have acted as the one who made this.
    fn could_be(&self, person: &str, suspects: &HashSet<&str>, made: &Given) -> bool {
        let maker = made.by.as_str();
        if maker == person {
            return true;
        }
        // An operator acts by a credential, a user of the machine by a role.
        let ways = if maker.starts_with("operator:") {
            &self.credentials
        } else if maker.starts_with("uid:") {
            &self.roles
        } else {
            return false;
        };
        let ways = ways.iter().filter(|way| way.holder == maker && way.id != made.id && way.counts(made.at));
        let mut ways = ways.peekable();
        // By none that is known: then nobody can say who it was.
        ways.peek().is_none() || ways.any(|way| suspects.contains(way.id.as_str()))
    }
}

#[cfg(test)]
mod tests;
