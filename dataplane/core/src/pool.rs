//! Pools as their owner describes them.

pub mod endpoint;

use crate::{
    id::{GroupName, PoolName},
    text::Secret,
    units::HashRate,
};
pub use endpoint::{AuthorityKey, EndpointError, Host, PoolEndpoint};

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
}
