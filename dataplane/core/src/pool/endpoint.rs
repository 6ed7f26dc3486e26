//! Where a pool is and how to speak to it, as one URL.
//!
//! Configuration, specs, the API and `mujinactl` carry the text; the pool clients connect to the value. Which protocol
//! is spoken is said by the scheme alone and never guessed from a port. The URL is security input: for Stratum V2 its
//! path *is* the pool's identity, so an endpoint without a good key cannot be built.
//!
//! ```text
//! stratum2+tcp://host[:port]/AUTHORITY_KEY   Stratum V2, encrypted and authenticated by the key
//! stratum+tcp://host[:port]                  Stratum V1 in clear
//! stratum+ssl://host[:port]                  Stratum V1 in TLS from the first byte; stratum+tls://, ssl:// and tls:// mean
//!                                            the same, and `?tls=insecure` behind it takes whoever answers
//! ```
//! Source: Stratum V2 specification 04 §4.7 (URL scheme and authority key), rules N7, N8, SEC4, V21 and R3 of the design.

mod error;
mod host;
mod key;
#[cfg(test)]
mod tests;

use std::fmt;
use std::str::FromStr;

use percent_encoding::percent_decode_str;

pub use self::error::{EndpointError, HostFault};
pub use self::host::{DnsName, Host};
pub use self::key::AuthorityKey;

/// Longest URL that is looked at, in bytes: a name of 253, a key of 52 and every byte of both percent-encoded fit.
pub const MAX_URL_BYTES: usize = 1024;

/// Port of a V2 pool whose URL names none. No number is registered; this is the one the Stratum reference
/// implementation made customary for its pool.
pub const DEFAULT_PORT_V2: u16 = 34254;

/// Port of a V1 pool whose URL names none. No number is registered; most public pools listen here.
pub const DEFAULT_PORT_V1: u16 = 3333;

/// Port of a V1 pool in TLS whose URL names none. Pools that offer TLS disagree on everything else, but commonly offer
/// 443 as well because firewalls let it through.
pub const DEFAULT_PORT_V1_TLS: u16 = 443;

/// What an operator writes behind the URL of a V1 pool in TLS to take whoever answers.
const INSECURE: &str = "?tls=insecure";

/// A pool to connect to. Printing gives the shortest URL that parses to the same value.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum PoolEndpoint {
    /// Stratum V1: lines of JSON, with nothing that proves who answers unless TLS does.
    V1 {
        /// Machine to connect to; with verified TLS also the name its certificate must carry.
        host: Host,
        /// TCP port; parsing never yields 0.
        port: u16,
        /// Whether TLS starts at the first byte. There is no fallback to plain text.
        tls: TlsMode,
    },
    /// Stratum V2 inside Noise, authenticated by the pool's key.
    V2 {
        /// Machine to connect to.
        host: Host,
        /// TCP port; parsing never yields 0.
        port: u16,
        /// Key that must have signed the certificate the machine shows.
        authority: AuthorityKey,
    },
}

/// How a V1 pool is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TlsMode {
    /// In clear.
    None,
    /// In TLS, and the server must prove who it is.
    Verified,
    /// In TLS with whoever answers: the operator said so.
    Insecure,
}

impl PoolEndpoint {
    /// The machine to connect to.
    #[must_use]
    pub fn host(&self) -> &Host {
        match self {
            Self::V1 { host, .. } | Self::V2 { host, .. } => host,
        }
    }

    /// The TCP port to connect to.
    #[must_use]
    pub fn port(&self) -> u16 {
        match self {
            Self::V1 { port, .. } | Self::V2 { port, .. } => *port,
        }
    }

    /// The pool's key, which exactly the V2 endpoints have.
    #[must_use]
    pub fn authority(&self) -> Option<&AuthorityKey> {
        match self {
            Self::V1 { .. } => None,
            Self::V2 { authority, .. } => Some(authority),
        }
    }

    /// The scheme as it is printed, such as `stratum2+tcp`.
    #[must_use]
    pub fn scheme(&self) -> &'static str {
        self.kind().scheme()
    }

    fn kind(&self) -> Scheme {
        match self {
            Self::V1 { tls: TlsMode::None, .. } => Scheme::V1,
            Self::V1 { tls: TlsMode::Verified | TlsMode::Insecure, .. } => Scheme::V1Tls,
            Self::V2 { .. } => Scheme::V2,
        }
    }
}

impl FromStr for PoolEndpoint {
    type Err = EndpointError;

    fn from_str(url: &str) -> Result<Self, EndpointError> {
        if url.len() > MAX_URL_BYTES {
            return Err(EndpointError::TooLong);
        }
        if url.chars().any(|c| c.is_control() || c.is_whitespace()) {
            return Err(EndpointError::BlankInUrl);
        }
        let (scheme, rest) = url.split_once("://").ok_or(EndpointError::MissingScheme)?;
        let scheme = Scheme::parse(scheme)?;
        // Looked for everywhere, and first: a password may hold any of the marks that split the rest.
        if rest.contains('@') {
            return Err(EndpointError::UserInUrl);
        }
        let (rest, insecure) = match rest.strip_suffix(INSECURE) {
            Some(rest) if scheme == Scheme::V1Tls => (rest, true),
            _ => (rest, false),
        };
        if rest.contains(['?', '#']) {
            return Err(EndpointError::UnexpectedQuery);
        }
        let (location, path) = rest.split_once('/').unwrap_or((rest, ""));
        let (host, port) = parse_location(location)?;
        let port = port.map_or(Ok(scheme.default_port()), parse_port)?;
        match scheme {
            Scheme::V2 => Ok(Self::V2 { host, port, authority: parse_key(path)? }),
            Scheme::V1 | Scheme::V1Tls => {
                refuse_path(path)?;
                let tls = match scheme {
                    Scheme::V1Tls if insecure => TlsMode::Insecure,
                    Scheme::V1Tls => TlsMode::Verified,
                    _ => TlsMode::None,
                };
                Ok(Self::V1 { host, port, tls })
            }
        }
    }
}

impl fmt::Display for PoolEndpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme(), self.host())?;
        if self.port() != self.kind().default_port() {
            write!(f, ":{}", self.port())?;
        }
        match self {
            Self::V2 { authority, .. } => write!(f, "/{authority}"),
            Self::V1 { tls: TlsMode::Insecure, .. } => f.write_str(INSECURE),
            Self::V1 { tls: TlsMode::None | TlsMode::Verified, .. } => Ok(()),
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Scheme {
    V1,
    V1Tls,
    V2,
}

impl Scheme {
    fn parse(text: &str) -> Result<Self, EndpointError> {
        // What is no scheme by RFC 3986 §3.1 is rather a host before a stray `://`.
        if !text.starts_with(|c: char| c.is_ascii_alphabetic())
            || !text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'))
        {
            return Err(EndpointError::MissingScheme);
        }
        match text.to_ascii_lowercase().as_str() {
            "stratum2+tcp" => Ok(Self::V2),
            "stratum+tcp" => Ok(Self::V1),
            "stratum+ssl" | "stratum+tls" | "ssl" | "tls" => Ok(Self::V1Tls),
            other => Err(EndpointError::UnsupportedScheme { scheme: error::excerpt(other) }),
        }
    }

    fn scheme(self) -> &'static str {
        match self {
            Self::V1 => "stratum+tcp",
            Self::V1Tls => "stratum+ssl",
            Self::V2 => "stratum2+tcp",
        }
    }

    fn default_port(self) -> u16 {
        match self {
            Self::V1 => DEFAULT_PORT_V1,
            Self::V1Tls => DEFAULT_PORT_V1_TLS,
            Self::V2 => DEFAULT_PORT_V2,
        }
    }
}

/// Splits `host`, `host:port`, `[v6]` or `[v6]:port`. The port is text still, without its colon.
fn parse_location(location: &str) -> Result<(Host, Option<&str>), EndpointError> {
    let bad = |fault| EndpointError::bad_host(location, fault);
    if let Some(bracketed) = location.strip_prefix('[') {
        let (address, after) = bracketed.split_once(']').ok_or_else(|| bad(HostFault::OpenBracket))?;
        let port = match after.strip_prefix(':') {
            Some(port) => Some(port),
            None if after.is_empty() => None,
            None => return Err(bad(HostFault::TextAfterBracket)),
        };
        return Ok((Host::parse_v6(address)?, port));
    }
    let (host, port) = match location.split_once(':') {
        Some((_, port)) if port.contains(':') => return Err(bad(HostFault::NoBrackets)),
        Some((host, port)) => (host, Some(port)),
        None => (location, None),
    };
    let host = percent_decode_str(host).decode_utf8().map_err(|_| bad(HostFault::NotAscii))?;
    Ok((Host::parse_unbracketed(&host)?, port))
}

fn parse_port(text: &str) -> Result<u16, EndpointError> {
    // `u16::from_str` alone would take a plus sign.
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    match text.parse() {
        Ok(port) if digits && port != 0 => Ok(port),
        _ => Err(EndpointError::BadPort { port: error::excerpt(text) }),
    }
}

/// Reads the path of a V2 URL, which is the key and nothing else.
fn parse_key(path: &str) -> Result<AuthorityKey, EndpointError> {
    if path.contains('/') {
        return Err(EndpointError::UnexpectedPath);
    }
    percent_decode_str(path).decode_utf8().map_err(|_| EndpointError::KeyNotBase58)?.parse()
}

/// Checks that a V1 URL has no path, telling a key that was left there from anything else.
fn refuse_path(path: &str) -> Result<(), EndpointError> {
    match path {
        "" => Ok(()),
        key if parse_key(key).is_ok() => Err(EndpointError::KeyOnV1),
        _ => Err(EndpointError::UnexpectedPath),
    }
}

/// Reads and writes a type as its text form.
macro_rules! serde_as_text {
    ($type:ty) => {
        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

serde_as_text!(PoolEndpoint);
serde_as_text!(AuthorityKey);
serde_as_text!(Host);
