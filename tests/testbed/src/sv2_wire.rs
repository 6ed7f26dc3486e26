//! SV2 frames over Noise, for both ends and without manners: what a test wants sent is sent, legal or not.
//!
//! Shared by the scripted pool, the template provider and the raw client. Reads are cancel-safe, so that they may stand in
//! a `select!`. Source: Stratum V2 specification, chapters 3 and 4; the codec is that of the reference implementation.

mod certificate;
mod frame;
mod noise;
mod peer;

pub use certificate::{Authority, Certificate};
pub use frame::Frame;
pub use noise::{Reader, Writer, accept, connect};
pub use peer::Peer;

use std::io;

/// Why no frame came or went.
#[derive(Debug, thiserror::Error)]
pub enum WireError {
    /// The socket failed, a reset included.
    #[error("socket failed; look at what the other end did")]
    Io(#[source] io::Error),
    /// The other end closed.
    #[error("connection was closed; look at what the other end did")]
    Closed,
    /// Nothing came in time.
    #[error("{waited_for} did not come; last seen: {seen}")]
    Late {
        /// What the wait was for.
        waited_for: String,
        /// Messages that came instead.
        seen: String,
    },
    /// Handshake, encryption or framing failed.
    #[error("SV2 codec: {0}; check the keys and the clock")]
    Codec(String),
    /// A frame is not a message.
    #[error("frame {extension_type:#06x}/{message_type:#04x} does not parse: {reason}; read it as a frame")]
    Unparsable {
        /// With the channel bit.
        extension_type: u16,
        /// As in the header.
        message_type: u8,
        /// What the parser said.
        reason: String,
    },
}

impl From<io::Error> for WireError {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::UnexpectedEof { Self::Closed } else { Self::Io(error) }
    }
}

impl WireError {
    pub(crate) fn codec(cause: impl std::fmt::Debug) -> Self {
        Self::Codec(format!("{cause:?}"))
    }
}
