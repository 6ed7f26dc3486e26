//! `pool`: the pools of one miner and their connections.

pub(crate) mod add;
pub(crate) mod list;
mod password;
pub(crate) mod reconnect;
pub(crate) mod remove;
pub(crate) mod set;
