//! The machine part of an endpoint: an address or a DNS name, checked before anything resolves it.
//!
//! Also used for the host of a pool's Reconnect message, which is hostile until proved otherwise (rule R3). Names that
//! a resolver would silently read as an address (`127.1`, `0x7f000001`) are refused, so that a check for loopback
//! cannot be walked around.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use super::error::{EndpointError, HostFault};

/// Longest DNS name in text form without its final dot. Source: RFC 1035 §2.3.4.
const MAX_NAME: usize = 253;

/// Longest part of a DNS name between dots. Source: RFC 1035 §2.3.4.
const MAX_LABEL: usize = 63;

/// A machine, by address or by name. Prints IPv6 in brackets, ready for a port to follow.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Host {
    /// An address to connect to as it is.
    Ip(IpAddr),
    /// A name to resolve.
    Name(DnsName),
}

impl Host {
    /// Whether this is a loopback address, also one mapped into IPv6. A name never counts, not even `localhost`: what
    /// it means is known only once it is resolved, so check the connected address.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        match self {
            Self::Ip(address) => address.to_canonical().is_loopback(),
            Self::Name(_) => false,
        }
    }

    /// Reads an IPv6 address from between its brackets.
    pub(super) fn parse_v6(address: &str) -> Result<Self, EndpointError> {
        let bad = |fault| EndpointError::bad_host(address, fault);
        if address.contains('%') {
            return Err(bad(HostFault::Zone));
        }
        let ip = address.parse::<Ipv6Addr>().map_err(|_| bad(HostFault::NotIpv6))?;
        one_machine(IpAddr::V6(ip)).ok_or_else(|| bad(HostFault::NotOneMachine))
    }

    /// Reads a name or an IPv4 address; percent-encoding is already undone.
    pub(super) fn parse_unbracketed(text: &str) -> Result<Self, EndpointError> {
        let bad = |fault| EndpointError::bad_host(text, fault);
        if text.is_empty() {
            return Err(EndpointError::MissingHost);
        }
        let name = text.strip_suffix('.').unwrap_or(text);
        if let Ok(ip) = name.parse::<Ipv4Addr>() {
            return one_machine(IpAddr::V4(ip)).ok_or_else(|| bad(HostFault::NotOneMachine));
        }
        check_name(name).map_err(bad)?;
        Ok(Self::Name(DnsName(name.to_ascii_lowercase())))
    }
}

impl FromStr for Host {
    type Err = EndpointError;

    /// Reads a name, an IPv4 address, or an IPv6 address with or without brackets. Nothing is percent-decoded.
    fn from_str(text: &str) -> Result<Self, EndpointError> {
        match text.strip_prefix('[') {
            Some(open) => {
                let address = open.strip_suffix(']');
                Self::parse_v6(address.ok_or_else(|| EndpointError::bad_host(text, HostFault::OpenBracket))?)
            }
            None if text.contains(':') => Self::parse_v6(text),
            None => Self::parse_unbracketed(text),
        }
    }
}

impl From<IpAddr> for Host {
    fn from(address: IpAddr) -> Self {
        Self::Ip(address)
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip(IpAddr::V4(address)) => address.fmt(f),
            Self::Ip(IpAddr::V6(address)) => write!(f, "[{address}]"),
            Self::Name(name) => name.fmt(f),
        }
    }
}

/// A well-formed DNS name: lower case, without a final dot, at most 253 characters, never readable as an address.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct DnsName(String);

impl DnsName {
    /// The name as text, for a resolver or a TLS server name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for DnsName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

fn one_machine(address: IpAddr) -> Option<Host> {
    let canonical = address.to_canonical();
    let many = canonical.is_unspecified() || canonical.is_multicast() || canonical == IpAddr::V4(Ipv4Addr::BROADCAST);
    (!many).then_some(Host::Ip(address))
}

fn check_name(name: &str) -> Result<(), HostFault> {
    if !name.is_ascii() {
        return Err(HostFault::NotAscii);
    }
    if name.len() > MAX_NAME {
        return Err(HostFault::LongName);
    }
    name.split('.').try_for_each(check_label)?;
    match name.rsplit('.').next() {
        Some(last) if reads_as_number(last) => Err(HostFault::NotIpv4),
        _ => Ok(()),
    }
}

fn check_label(label: &str) -> Result<(), HostFault> {
    // The underscore is not for host names by RFC 952, but container and service names that resolve have it.
    if !label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')) {
        Err(HostFault::BadCharacter)
    } else if label.is_empty() {
        Err(HostFault::EmptyLabel)
    } else if label.len() > MAX_LABEL {
        Err(HostFault::LongLabel)
    } else if label.starts_with('-') || label.ends_with('-') {
        Err(HostFault::EdgeHyphen)
    } else {
        Ok(())
    }
}

/// Whether a name ending in this part would be taken for an address. Source: WHATWG URL, "ends in a number checker".
fn reads_as_number(last_label: &str) -> bool {
    let hexadecimal = last_label.strip_prefix("0x").or_else(|| last_label.strip_prefix("0X"));
    last_label.bytes().all(|byte| byte.is_ascii_digit())
        || hexadecimal.is_some_and(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()))
}
