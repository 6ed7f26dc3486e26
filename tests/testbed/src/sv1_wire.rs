//! SV1 lines over TCP or TLS, for both ends and without manners: what a test wants sent is sent, legal or not.
//!
//! Shared by the scripted pool and the raw client. A line is whatever stands before a newline; nobody else says what SV1 is.

mod identity;
mod peer;

pub use identity::{Flaw, TlsIdentity, sha256};
pub(crate) use peer::patiently;
pub use peer::{LinePeer, Request};

use std::io;

/// Why no line came or went.
#[derive(Debug, thiserror::Error)]
pub enum LineError {
    /// The socket or TLS failed, a reset included.
    #[error("socket failed: {0}; look at what the other end did")]
    Io(#[source] io::Error),
    /// The other end closed.
    #[error("connection was closed; look at what the other end did")]
    Closed,
    /// Nothing came in time.
    #[error("{waited_for} did not come; last seen: {seen}")]
    Late {
        /// What the wait was for.
        waited_for: String,
        /// Lines that came instead.
        seen: String,
    },
    /// A line is not JSON.
    #[error("not JSON: {0}; read it as a line")]
    NotJson(String),
    /// TLS cannot be set up here.
    #[error("TLS: {0}; look at how the test makes its certificates")]
    Tls(String),
}

impl From<io::Error> for LineError {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::UnexpectedEof { Self::Closed } else { Self::Io(error) }
    }
}

impl LineError {
    pub(crate) fn tls(cause: impl std::fmt::Display) -> Self {
        Self::Tls(cause.to_string())
    }
}
