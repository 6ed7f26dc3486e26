//! The payout guard: where the fleet's work may go. Pure.
//!
//! An allow-list names the pools with their keys, and the accounts there. A desired state outside of it is refused with the
//! field and the reason, whoever writes it. Setting the list up for the first time takes one admin, because it only
//! forbids; from then on any change, the end of the guard included, takes two (see [`change`]), neither of whom could be the
//! other (see [`super::apart`]).

pub mod change;
mod entry;
#[cfg(test)]
mod tests;

pub use entry::{EntryError, PayoutEntry, UserRule};

use mujina_core::{
    pool::{PoolEndpoint, PoolSpec, TlsMode},
    spec::{MinerSpec, Problem},
};

/// Most entries of the list.
pub const MAX_ENTRIES: usize = 256;

/// What is allowed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PayoutGuard {
    /// Nobody ever set up a list, or two admins ended it: every pool and account is allowed.
    Off,
    /// Only these are.
    On(Vec<PayoutEntry>),
}

impl PayoutGuard {
    /// Whether there is a list to choose from.
    #[must_use]
    pub fn is_on(&self) -> bool {
        matches!(self, Self::On(_))
    }

    /// For people: what the guard does now.
    #[must_use]
    pub fn summary(&self) -> String {
        match self {
            Self::Off => {
                "payout guard is off: any pool and account may be written; set up an allow-list to change that".into()
            }
            Self::On(entries) => format!("payout guard is on: {} entries on the allow-list", entries.len()),
        }
    }
}

/// A field of a spec that the list does not allow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Path of the field, for example `pool_groups[main].pools[primary].user`.
    pub field: String,
    /// What of it is not allowed.
    pub fault: Fault,
}

/// What is not allowed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The pool's address.
    #[error("{0} is not a pool of the payout allow-list; use one that is, or propose a change of the list")]
    Pool(String),
    /// Its key.
    #[error("the authority key {0} is not one of this pool's on the payout allow-list; use the listed one")]
    AuthorityKey(String),
    /// How the connection is protected.
    #[error("the payout allow-list has this pool with {0}; write its URL as listed")]
    Protection(&'static str),
    /// The keys that its TLS must show.
    #[error("the TLS pins are not those that the payout allow-list has for this pool; use the listed ones")]
    TlsPins,
    /// Where it may lead on.
    #[error("{0} is not the host of a pool on the payout allow-list, so this pool may not lead there; leave it out")]
    RedirectHost(String),
    /// The account.
    #[error("`{}` is not an account that the payout allow-list has for this pool; use a listed one", .0.escape_debug())]
    User(String),
}

impl From<Violation> for Problem {
    fn from(violation: Violation) -> Self {
        Self { field: violation.field, reason: violation.fault.to_string() }
    }
}

/// All that a spec asks for and the list does not allow; nothing with the guard off.
#[must_use]
pub fn check(spec: &MinerSpec, guard: &PayoutGuard) -> Vec<Violation> {
    let PayoutGuard::On(entries) = guard else { return Vec::new() };
    let mut found = Vec::new();
    for group in &spec.pool_groups {
        for pool in &group.pools {
            let path = format!("pool_groups[{}].pools[{}]", group.name, pool.name);
            check_pool(pool, entries, |field, fault| {
                found.push(Violation { field: format!("{path}.{field}"), fault });
            });
        }
    }
    found
}

fn check_pool(pool: &PoolSpec, entries: &[PayoutEntry], mut report: impl FnMut(&str, Fault)) {
    let PoolSpec { name: _, endpoint, user, password: _, nominal_hash_rate: _, quota: _, options } = pool;
    for host in &options.redirect_hosts {
        if !entries.iter().any(|entry| entry.endpoint.host() == host) {
            report("options.redirect_hosts", Fault::RedirectHost(host.to_string()));
        }
    }
    let is_here =
        |entry: &&PayoutEntry| entry.endpoint.host() == endpoint.host() && entry.endpoint.port() == endpoint.port();
    let here: Vec<_> = entries.iter().filter(is_here).collect();
    if here.is_empty() {
        return report("url", Fault::Pool(format!("{}:{}", endpoint.host(), endpoint.port())));
    }
    for key in &options.authority_keys {
        if !here.iter().any(|entry| entry.endpoint.authority() == Some(key)) {
            report("options.authority_keys", Fault::AuthorityKey(key.to_string()));
        }
    }
    let alike: Vec<_> = here.iter().filter(|entry| is_as_listed(endpoint, &entry.endpoint)).collect();
    if alike.is_empty() {
        let fault = match endpoint.authority() {
            Some(key) if here.iter().any(|entry| entry.endpoint.authority().is_some()) => {
                Fault::AuthorityKey(key.to_string())
            }
            _ => Fault::Protection(here.first().map_or("another protocol", |entry| protection(&entry.endpoint))),
        };
        return report("url", fault);
    }
    let pinned: Vec<_> = alike.into_iter().filter(|entry| entry.allows_pins(&options.tls_pins)).collect();
    if pinned.is_empty() {
        report("options.tls_pins", Fault::TlsPins);
    } else if !pinned.iter().any(|entry| entry.user.allows(user)) {
        report("user", Fault::User(user.clone()));
    }
}

/// Whether what answers must prove at least what the list says.
fn is_as_listed(wanted: &PoolEndpoint, listed: &PoolEndpoint) -> bool {
    let rank = |tls: &TlsMode| match tls {
        TlsMode::None => 0,
        TlsMode::Insecure => 1,
        TlsMode::Verified => 2,
    };
    match (wanted, listed) {
        (PoolEndpoint::V2 { authority: wanted, .. }, PoolEndpoint::V2 { authority: listed, .. }) => wanted == listed,
        (PoolEndpoint::V1 { tls: wanted, .. }, PoolEndpoint::V1 { tls: listed, .. }) => rank(wanted) >= rank(listed),
        (PoolEndpoint::V1 { .. } | PoolEndpoint::V2 { .. }, _) => false,
    }
}

fn protection(endpoint: &PoolEndpoint) -> &'static str {
    match endpoint {
        PoolEndpoint::V2 { .. } => "Stratum V2 and its authority key",
        PoolEndpoint::V1 { tls: TlsMode::Verified, .. } => "TLS that proves who answers",
        PoolEndpoint::V1 { tls: TlsMode::Insecure, .. } => "TLS",
        PoolEndpoint::V1 { tls: TlsMode::None, .. } => "Stratum V1",
    }
}
