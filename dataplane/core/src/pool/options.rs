//! What a pool account may say beyond address and user. Every option is off, or what nearly everybody wants, by default.
//!
//! [`PoolOptionsDraft`] is the unchecked form that configuration, API and files share; [`PoolOptions`] is the checked one.

use super::endpoint::{AuthorityKey, Host};
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// Most entries of each list: enough to change keys or certificates without a gap.
const MAX_LIST: usize = 8;
/// Longest worker name in bytes: the TLV of extension 0x0002 (stratum-client U11).
const MAX_WORKER_NAME: usize = 32;

/// Options of one pool account.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PoolOptions {
    /// V2: name told with every share where the pool speaks extension 0x0002; `None` = the extension is not asked for.
    pub worker_name: Option<String>,
    /// V2: roll the eight extra version bits of BIP323 (5 to 12) as well. Only for pools that check by the new mask.
    pub wide_version_rolling: bool,
    /// V2: authority keys that are as good as the one in the URL, while an operator changes keys (stratum-client SEC1).
    pub authority_keys: Vec<AuthorityKey>,
    /// V1 in TLS: the server's key must be one of these, whoever signed its certificate; empty = the web's authorities count.
    pub tls_pins: Vec<SpkiPin>,
    /// V1: `client.reconnect` may lead to these hosts and to names below them (stratum-client V13). V2 needs none: its
    /// authority key says who may take over.
    pub redirect_hosts: Vec<Host>,
    /// V1: do not send `mining.extranonce.subscribe`, for pools that drop miners over it.
    pub no_extranonce_subscribe: bool,
    /// V1: do not send `mining.suggest_difficulty`.
    pub no_suggest_difficulty: bool,
}

impl PoolOptions {
    /// Whether the name or address is one that `client.reconnect` may lead to.
    #[must_use]
    pub fn allows_redirect_to(&self, host: &Host) -> bool {
        let name = host.to_string();
        self.redirect_hosts.iter().any(|allowed| match allowed {
            Host::Ip(_) => allowed == host,
            Host::Name(allowed) => {
                let allowed = allowed.as_str();
                name == allowed || name.strip_suffix(allowed).is_some_and(|rest| rest.ends_with('.'))
            }
        })
    }
}

/// Unchecked [`PoolOptions`], as configuration, API and files carry them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(missing_docs, reason = "the fields are those of the checked form")]
pub struct PoolOptionsDraft {
    pub worker_name: String,
    pub wide_version_rolling: bool,
    pub authority_keys: Vec<String>,
    pub tls_pins: Vec<String>,
    pub redirect_hosts: Vec<String>,
    pub no_extranonce_subscribe: bool,
    pub no_suggest_difficulty: bool,
}

impl PoolOptionsDraft {
    /// Whether nothing is said.
    #[must_use]
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// Checks everything; each problem comes with the name of its field.
    ///
    /// # Errors
    /// All fields that do not check out, with what to do.
    pub fn check(self) -> Result<PoolOptions, Vec<(&'static str, String)>> {
        let Self {
            worker_name,
            wide_version_rolling,
            authority_keys,
            tls_pins,
            redirect_hosts,
            no_extranonce_subscribe,
            no_suggest_difficulty,
        } = self;
        let mut problems = Vec::new();
        if worker_name.len() > MAX_WORKER_NAME {
            problems.push(("worker_name", format!("has {} bytes; use at most {MAX_WORKER_NAME}", worker_name.len())));
        } else if let Some(control) = worker_name.chars().find(|c| c.is_control()) {
            problems.push(("worker_name", format!("contains the control character {control:?}; remove it")));
        }
        let options = PoolOptions {
            worker_name: Some(worker_name).filter(|name| !name.is_empty()),
            wide_version_rolling,
            authority_keys: list("authority_keys", &authority_keys, &mut problems),
            tls_pins: list("tls_pins", &tls_pins, &mut problems),
            redirect_hosts: list("redirect_hosts", &redirect_hosts, &mut problems),
            no_extranonce_subscribe,
            no_suggest_difficulty,
        };
        if problems.is_empty() { Ok(options) } else { Err(problems) }
    }
}

fn list<T: FromStr>(name: &'static str, texts: &[String], problems: &mut Vec<(&'static str, String)>) -> Vec<T>
where
    T::Err: fmt::Display,
{
    if texts.len() > MAX_LIST {
        problems.push((name, format!("has {} entries; use at most {MAX_LIST}", texts.len())));
        return Vec::new();
    }
    let mut values = Vec::new();
    for text in texts {
        match text.parse::<T>() {
            Ok(value) => values.push(value),
            Err(error) => problems.push((name, error.to_string())),
        }
    }
    values
}

impl From<&PoolOptions> for PoolOptionsDraft {
    fn from(options: &PoolOptions) -> Self {
        fn texts<T: ToString>(values: &[T]) -> Vec<String> {
            values.iter().map(ToString::to_string).collect()
        }
        let PoolOptions {
            worker_name,
            wide_version_rolling,
            authority_keys,
            tls_pins,
            redirect_hosts,
            no_extranonce_subscribe,
            no_suggest_difficulty,
        } = options;
        Self {
            worker_name: worker_name.clone().unwrap_or_default(),
            wide_version_rolling: *wide_version_rolling,
            authority_keys: texts(authority_keys),
            tls_pins: texts(tls_pins),
            redirect_hosts: texts(redirect_hosts),
            no_extranonce_subscribe: *no_extranonce_subscribe,
            no_suggest_difficulty: *no_suggest_difficulty,
        }
    }
}

/// SHA-256 of a certificate's SubjectPublicKeyInfo. Prints as 64 hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SpkiPin([u8; 32]);

/// A text is no pin.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no pin; give the SHA-256 of the certificate's public key as 64 hexadecimal digits")]
pub struct PinError(String);

impl SpkiPin {
    /// Takes the hash as it is.
    #[must_use]
    pub fn from_bytes(hash: [u8; 32]) -> Self {
        Self(hash)
    }

    /// The 32 bytes of the hash.
    #[must_use]
    pub fn to_bytes(self) -> [u8; 32] {
        self.0
    }
}

impl FromStr for SpkiPin {
    type Err = PinError;

    fn from_str(text: &str) -> Result<Self, PinError> {
        let bad = || PinError(text.chars().take(80).filter(|c| !c.is_control()).collect());
        let digits: Vec<u8> = text
            .chars()
            .map(|c| c.to_digit(16).and_then(|digit| u8::try_from(digit).ok()))
            .collect::<Option<_>>()
            .ok_or_else(bad)?;
        let (pairs, []) = digits.as_chunks::<2>() else { return Err(bad()) };
        let bytes: Vec<u8> = pairs.iter().map(|[high, low]| high << 4 | low).collect();
        bytes.try_into().map(Self).map_err(|_| bad())
    }
}

impl fmt::Display for SpkiPin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "9auqWEzQDVyd2oe1JVGFLMLHZtCo2FFqZwtKA5gd9xbuEu7PH72";

    fn draft() -> PoolOptionsDraft {
        PoolOptionsDraft {
            worker_name: "shed-3".into(),
            wide_version_rolling: true,
            authority_keys: vec![KEY.into()],
            tls_pins: vec!["0f".repeat(32)],
            redirect_hosts: vec!["pool.example".into(), "192.0.2.7".into()],
            no_extranonce_subscribe: true,
            no_suggest_difficulty: true,
        }
    }

    #[test]
    fn what_was_checked_reads_back_as_it_was_written() {
        assert_eq!(PoolOptionsDraft::from(&draft().check().unwrap()), draft());
        assert!(PoolOptionsDraft::from(&PoolOptionsDraft::default().check().unwrap()).is_default());
    }

    #[test]
    fn every_mistake_is_named_with_its_field() {
        let bad = PoolOptionsDraft {
            worker_name: "x".repeat(33),
            authority_keys: vec!["nonsense".into()],
            tls_pins: vec!["0f".into(), "zz".repeat(32)],
            redirect_hosts: vec!["127.1".into()],
            ..draft()
        };
        let fields: Vec<_> = bad.check().unwrap_err().into_iter().map(|(field, _)| field).collect();
        assert_eq!(fields, ["worker_name", "authority_keys", "tls_pins", "tls_pins", "redirect_hosts"]);
        let many = PoolOptionsDraft { redirect_hosts: vec!["a.example".into(); MAX_LIST + 1], ..draft() };
        assert_eq!(many.check().unwrap_err().len(), 1);
    }

    // V13
    #[test]
    fn redirect_goes_to_listed_hosts_and_names_below_them_alone() {
        let options = draft().check().unwrap();
        let allows = |host: &str| options.allows_redirect_to(&host.parse().unwrap());
        assert!(allows("pool.example") && allows("eu.pool.example") && allows("192.0.2.7"));
        assert!(!allows("evilpool.example") && !allows("pool.example.evil.example") && !allows("192.0.2.8"));
    }
}
