//! The way home: how a miner becomes one of a fleet, and how its control plane reaches it from then on.
//!
//! ```text
//! enroll ──▶ enrol ──▶ files: <state_dir>/home/{identity.pem, authority.pem, home.json}
//!                        │ read at the start, written by a renewal
//! run ─────▶ task ──────┴──▶ dial ──▶ TLS 1.3, ALPN `mujina-home/1` ──▶ serve the API, to be called by the control plane
//!              └──────────▶ renewal (ALPN `h2`), at two thirds of the certificate's life
//! ```
//! Nothing that mines knows of it: a control plane that is away, or refuses this miner, changes nothing but the log.

mod ask;
mod enrol;
mod error;
mod files;
mod link;
mod name;
mod reconnect;
mod renewal;
mod task;
mod url;

pub use self::{
    enrol::{EnrolRequest, Enrolled, Progress, Tell, enrol},
    error::EnrolError,
    files::{HomeError, leave},
    link::LinkError,
    name::{default_name, fit},
    url::{HomeUrl, UrlError},
};
pub(crate) use self::{files::Home, task::run};

#[cfg(test)]
mod tests;
