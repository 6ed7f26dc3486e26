//! `board`: the boards of one miner and their chips.

pub(crate) mod chips;
pub(crate) mod constraints;
pub(crate) mod get;
pub(crate) mod list;
pub(crate) mod locate;
pub(crate) mod reinit;
pub(crate) mod self_test;
pub(crate) mod tune;
