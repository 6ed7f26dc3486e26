//! Why a pool URL was refused. Every message ends with what to change; none repeats a key, a user or a password.

use crate::text::sanitise;

/// Most of a refused piece that a message repeats, in bytes.
const EXCERPT_BYTES: usize = 40;

/// A pool URL, host or authority key that cannot be used. All of these are mistakes in what was written; trying again
/// without a change is pointless.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EndpointError {
    /// Longer than [`MAX_URL_BYTES`](super::MAX_URL_BYTES).
    #[error("pool url is longer than {} bytes; copy it again from the pool's page", super::MAX_URL_BYTES)]
    TooLong,
    /// White space or a control character anywhere.
    #[error("pool url contains a blank or control character; remove it, or write it percent-encoded")]
    BlankInUrl,
    /// No `scheme://` in front.
    #[error("pool url has no scheme; start it with stratum2+tcp://, stratum+tcp:// or stratum+ssl://")]
    MissingScheme,
    /// A scheme that says no protocol and transport Mujina speaks.
    #[error("scheme `{scheme}` is not supported; use stratum2+tcp, stratum+tcp or stratum+ssl")]
    UnsupportedScheme {
        /// The scheme in lower case, shortened.
        scheme: String,
    },
    /// A user, with or without password, before the host.
    #[error("pool url contains `@`; leave user and password out of it and set pool.user and pool.pass")]
    UserInUrl,
    /// Something after `?` or `#`.
    #[error(
        "pool url has a query or fragment; remove everything from the `?` or `#` on; only stratum+ssl:// takes ?tls=insecure"
    )]
    UnexpectedQuery,
    /// Nothing between the scheme and the port or path.
    #[error("pool url has no host; write the pool's name or address after the scheme")]
    MissingHost,
    /// Something that is neither a DNS name nor an address to connect to.
    #[error("host `{host}` {fault}")]
    BadHost {
        /// The host, shortened and cleaned.
        host: String,
        /// What is wrong with it.
        fault: HostFault,
    },
    /// A port that is empty, zero, too large or no number.
    #[error("port `{port}` is not a number from 1 to 65535; correct it, or drop it with its colon for the default")]
    BadPort {
        /// The port, shortened and cleaned.
        port: String,
    },
    /// A V2 URL without a path.
    #[error("pool url has no authority key; append /KEY as the pool publishes it")]
    MissingKey,
    /// Text with a character that base58 does not have.
    #[error("authority key is not base58; copy it again from the pool's page")]
    KeyNotBase58,
    /// Base58 whose checksum is wrong: most likely a typing error.
    #[error("authority key has a wrong checksum; copy it again from the pool's page")]
    KeyChecksum,
    /// A sound base58 text of another length.
    #[error("authority key holds {found} bytes, not the 34 of a version and a key; ask the pool for its current key")]
    KeyLength {
        /// Bytes without the checksum.
        found: usize,
    },
    /// A key of a version that does not exist yet, or something else in base58check.
    #[error("authority key has version {found}, not 1; ask the pool for its stratum v2 authority public key")]
    KeyVersion {
        /// The version, which is the first two bytes in little endian.
        found: u16,
    },
    /// 32 bytes that are no x coordinate of secp256k1.
    #[error("authority key is not a point on the curve; ask the pool for its stratum v2 authority public key")]
    KeyNotOnCurve,
    /// A good key, but V1 has no use for it: either the key or the scheme is a mistake.
    #[error("a stratum v1 url cannot carry an authority key; use stratum2+tcp://, or remove the key")]
    KeyOnV1,
    /// A path other than one key.
    #[error("pool url has an unexpected path; end it after the port, or after the authority key of a stratum v2 url")]
    UnexpectedPath,
}

impl EndpointError {
    pub(super) fn bad_host(host: &str, fault: HostFault) -> Self {
        Self::BadHost { host: excerpt(host), fault }
    }
}

/// What is wrong with a host. Reads as the end of a sentence about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HostFault {
    /// An `[` that is never closed.
    #[error("opens a bracket and does not close it; write [address]:port")]
    OpenBracket,
    /// Something other than a port after `]`.
    #[error("goes on after its bracket; write [address]:port")]
    TextAfterBracket,
    /// More than one colon outside brackets.
    #[error("has several colons; put an ipv6 address in brackets, as in [2001:db8::1]:3333")]
    NoBrackets,
    /// Brackets around what is no IPv6 address.
    #[error("is not an ipv6 address; correct it, or drop the brackets around a name")]
    NotIpv6,
    /// An IPv6 zone such as `%eth0`, which means something on one machine only.
    #[error("has an ipv6 zone; use an address that needs none, or a name")]
    Zone,
    /// Ends in a number like an address but is no IPv4 address in its usual form.
    #[error("looks like an ipv4 address and is none; write four numbers from 0 to 255")]
    NotIpv4,
    /// An unspecified, broadcast or multicast address.
    #[error("is not the address of one machine; use the pool's own address")]
    NotOneMachine,
    /// A character outside ASCII, or bytes that are no text.
    #[error("is not ascii; write an international name in its xn-- form")]
    NotAscii,
    /// A character that no host name has.
    #[error("has a character that a name cannot have; use letters, digits, `-` and `.`")]
    BadCharacter,
    /// Two dots in a row, or a dot in front.
    #[error("has an empty part between dots; correct the spelling")]
    EmptyLabel,
    /// A part between dots of more than 63 characters.
    #[error("has a part longer than 63 characters; correct the spelling")]
    LongLabel,
    /// A part between dots that starts or ends with `-`.
    #[error("has a part that starts or ends with `-`; correct the spelling")]
    EdgeHyphen,
    /// More than 253 characters in all.
    #[error("is longer than the 253 characters of a name; correct the spelling")]
    LongName,
}

/// A piece of refused input that is safe to show: visible characters only, cut where it gets long.
pub(super) fn excerpt(text: &str) -> String {
    let mut shown = sanitise(text, EXCERPT_BYTES);
    if text.len() > EXCERPT_BYTES {
        shown.push_str("...");
    }
    shown
}
