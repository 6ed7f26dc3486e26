//! Where a control plane is, as people write it: `https://host:port`.

use mujina_proto::tls::{TlsError, check_host};
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// The only scheme: what is not encrypted is not a way home.
const SCHEME: &str = "https://";
/// Longest host name in DNS.
const LONGEST_HOST: usize = 253;

/// The address of a control plane on the network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct HomeUrl {
    /// A host name or an IP address, which the control plane's certificate must name. Without brackets.
    pub host: String,
    /// Its port.
    pub port: u16,
}

/// Why a text is no such address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    /// Another scheme, or none.
    #[error("must begin with `https://`; write for example https://control.example.org:50443")]
    Scheme,
    /// More than host and port.
    #[error("has more than a host and a port; write only https://host:port")]
    Rest,
    /// No port, or none that can be.
    #[error("has no port from 1 to 65535; write https://host:port, as the control plane prints it when it is set up")]
    Port,
    /// No host.
    #[error(
        "has no host: `{0}` is neither a host name nor an IP address (IPv6 stands in brackets, as https://[::1]:50443)"
    )]
    Host(String),
}

impl FromStr for HomeUrl {
    type Err = UrlError;

    fn from_str(text: &str) -> Result<Self, UrlError> {
        let rest = text.trim().strip_prefix(SCHEME).ok_or(UrlError::Scheme)?;
        let place = rest.strip_suffix('/').unwrap_or(rest);
        if place.contains(['/', '?', '#', '@']) {
            return Err(UrlError::Rest);
        }
        let (host, port) = place.rsplit_once(':').ok_or(UrlError::Port)?;
        let port = port.parse().ok().filter(|port| *port != 0).ok_or(UrlError::Port)?;
        let bad = || UrlError::Host(mujina_core::text::sanitise(host, LONGEST_HOST));
        let bare = match host.strip_prefix('[') {
            Some(inner) => inner.strip_suffix(']').filter(|inner| inner.contains(':')).ok_or_else(bad)?,
            None if host.contains(':') => return Err(bad()),
            None => host,
        };
        check_host(bare).map(drop).map_err(|_: TlsError| bad())?;
        Ok(Self { host: bare.to_ascii_lowercase(), port })
    }
}

impl fmt::Display for HomeUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port } = self;
        if host.contains(':') { write!(f, "{SCHEME}[{host}]:{port}") } else { write!(f, "{SCHEME}{host}:{port}") }
    }
}

impl TryFrom<String> for HomeUrl {
    type Error = UrlError;

    fn try_from(text: String) -> Result<Self, UrlError> {
        text.parse()
    }
}

impl From<HomeUrl> for String {
    fn from(url: HomeUrl) -> Self {
        url.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_and_port_are_read_and_shown_as_they_were_written() {
        for (text, host, port) in [
            ("https://control.example.org:50443", "control.example.org", 50443),
            ("https://192.0.2.7:443", "192.0.2.7", 443),
            ("https://[2001:db8::1]:50443", "2001:db8::1", 50443),
        ] {
            let url: HomeUrl = text.parse().unwrap();
            assert_eq!((url.host.as_str(), url.port, url.to_string().as_str()), (host, port, text));
            assert_eq!(format!(" {text}/\n").parse(), Ok(url));
        }
        assert_eq!("https://Control.Example:1".parse::<HomeUrl>().unwrap().host, "control.example");
    }

    #[test]
    fn what_is_no_address_of_a_control_plane_is_refused_with_what_is_wrong() {
        let error = |text: &str| text.parse::<HomeUrl>().unwrap_err();
        for text in ["", "http://a:1", "a:1", "HTTPS//a:1"] {
            assert_eq!(error(text), UrlError::Scheme, "{text}");
        }
        for text in ["https://a:1/api", "https://u@a:1", "https://a:1?x", "https://a:1#x", "https://a:1//"] {
            assert_eq!(error(text), UrlError::Rest, "{text}");
        }
        for text in ["https://a", "https://a:", "https://a:0", "https://a:65536", "https://a:x", "https://"] {
            assert_eq!(error(text), UrlError::Port, "{text}");
        }
        for text in ["https://:1", "https://a b:1", "https://::1:1", "https://[::1:1", "https://[a]:1", "https://[]:1"]
        {
            assert!(matches!(error(text), UrlError::Host(_)), "{text}");
        }
    }
}
