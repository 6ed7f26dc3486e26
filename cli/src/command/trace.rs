//! `trace`: where the time of a command went.

pub(crate) mod show;
mod tree;
