//! `spec`: the desired state as a whole.

pub(crate) mod apply;
pub(crate) mod diff;
mod file;
pub(crate) mod get;
