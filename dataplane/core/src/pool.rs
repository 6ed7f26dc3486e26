//! Pools as their owner describes them.

pub mod endpoint;
mod options;

use crate::{
    id::{GroupName, PoolName},
    text::Secret,
    units::HashRate,
};
pub use endpoint::{AuthorityKey, EndpointError, Host, PoolEndpoint, TlsMode};
pub use options::{PinError, PoolOptions, PoolOptionsDraft, SpkiPin};
use std::num::NonZeroU32;

/// One pool account.
#[derive(Debug, Clone, PartialEq)]
pub struct PoolSpec {
    /// Unique within the spec.
    pub name: PoolName,
    /// Where it is, and for V2 who it must prove to be.
    pub endpoint: PoolEndpoint,
    /// `user_identity` (V2) or worker name (V1): 1 to 255 bytes without control characters.
    pub user: String,
    /// Sent to V1 pools only; V2 has none.
    pub password: Option<Secret>,
    /// Told to the pool in place of the measured rate.
    pub nominal_hash_rate: Option<HashRate>,
    /// Its part of the work in a group with [`PoolStrategy::Quota`], relative to the other members.
    pub quota: NonZeroU32,
    /// What is rarely said.
    pub options: PoolOptions,
}

/// Quota of a pool that says none.
pub const DEFAULT_QUOTA: NonZeroU32 = NonZeroU32::MIN;

impl PoolSpec {
    /// Whether a connection made for one serves the other as well: everything but the part of the work is the same.
    #[must_use]
    pub fn connects_like(&self, other: &Self) -> bool {
        let Self { name, endpoint, user, password, nominal_hash_rate, quota: _, options } = self;
        (name, endpoint, user, password, nominal_hash_rate, options)
            == (&other.name, &other.endpoint, &other.user, &other.password, &other.nominal_hash_rate, &other.options)
    }
}

/// Pools that stand in for one another.
#[derive(Debug, Clone, PartialEq)]
pub struct PoolGroup {
    /// Unique within the spec.
    pub name: GroupName,
    /// How they share the work.
    pub strategy: PoolStrategy,
    /// In order of preference.
    pub pools: Vec<PoolSpec>,
}

/// How the pools of a group share the work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PoolStrategy {
    /// The first pool that works gets all of it.
    Failover,
    /// Every pool that works gets its part of it.
    Quota,
}
