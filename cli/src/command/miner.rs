//! `miner`: the miners themselves.

pub(crate) mod get;
pub(crate) mod label;
pub(crate) mod list;
