//! `pool`: the pools of one miner and their connections.

mod account;
pub(crate) mod add;
pub(crate) mod channels;
pub(crate) mod history;
pub(crate) mod list;
pub(crate) mod pin;
pub(crate) mod reconnect;
pub(crate) mod remove;
pub(crate) mod set;
pub(crate) mod test;
pub(crate) mod unpin;
