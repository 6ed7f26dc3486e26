//! Where a pool may send us.   Pure; the pool's own words are hostile until they are checked.
//!
//! Source: stratum-client R1 to R3, V13. A V2 pool may name any host, because whoever answers there must hold the pool's
//! authority key; a V1 pool only its own host, or in verified
//! TLS those that the operator listed. A target is tried once: when it
//! fails, the pool's own address is next.

use crate::pool::Target;
use mujina_core::{
    pool::{Host, PoolEndpoint, PoolSpec, TlsMode},
    text::{PEER_TEXT_BYTES, sanitise},
};
use std::{
    collections::VecDeque,
    net::IpAddr,
    time::{Duration, Instant},
};

/// Redirects that are followed within [`SPAN`] (stratum-client R3).
const MOST: usize = 3;
const SPAN: Duration = Duration::from_secs(300);

/// Redirects of one pool that were followed lately.
#[derive(Debug, Default)]
pub(super) struct Redirects(VecDeque<Instant>);

impl Redirects {
    /// Where to go, counted as gone.
    ///
    /// # Errors
    /// Why we stay, for a person.
    pub(super) fn follow(&mut self, spec: &PoolSpec, host: &str, port: u16, now: Instant) -> Result<Target, String> {
        let target = check(spec, host, port)?;
        self.0.retain(|at| now.saturating_duration_since(*at) < SPAN);
        if self.0.len() >= MOST {
            return Err(format!("it did so {MOST} times within {} s; it is left alone for a while", SPAN.as_secs()));
        }
        self.0.push_back(now);
        Ok(target)
    }
}

fn check(spec: &PoolSpec, host: &str, port: u16) -> Result<Target, String> {
    let own = spec.endpoint.host();
    let port = if port == 0 { spec.endpoint.port() } else { port };
    if host.is_empty() {
        return Ok(Target { host: own.clone(), port });
    }
    let shown = sanitise(host, PEER_TEXT_BYTES);
    let named: Host = host.parse().map_err(|_| format!("`{shown}` is no host"))?;
    if named == *own {
        return Ok(Target { host: named, port });
    }
    if is_local(&named) && !is_local(own) {
        return Err(format!("`{shown}` is a local address"));
    }
    match &spec.endpoint {
        PoolEndpoint::V2 { .. } => Ok(Target { host: named, port }),
        PoolEndpoint::V1 { tls: TlsMode::None | TlsMode::Insecure, .. } => {
            Err(format!("`{shown}` is another host, which is not followed without proof of who it is; use TLS"))
        }
        PoolEndpoint::V1 { .. } if spec.options.allows_redirect_to(&named) => Ok(Target { host: named, port }),
        PoolEndpoint::V1 { .. } => Err(format!("`{shown}` is not among the pool's redirect_hosts")),
    }
}

/// Loopback, link-local, multicast and the like: nothing that a pool elsewhere has a reason to name.
fn is_local(host: &Host) -> bool {
    match host {
        Host::Name(name) => name.as_str() == "localhost" || name.as_str().ends_with(".localhost"),
        Host::Ip(address) => match address.to_canonical() {
            IpAddr::V4(v4) => v4.is_loopback() || v4.is_link_local() || v4.is_multicast() || v4.is_unspecified(),
            IpAddr::V6(v6) => {
                v6.is_loopback() || v6.is_unicast_link_local() || v6.is_multicast() || v6.is_unspecified()
            }
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::state::tests::group;

    fn pool(url: &str) -> PoolSpec {
        PoolSpec { endpoint: url.parse().unwrap(), ..group(&["a"]).pools.remove(0) }
    }

    fn v2() -> PoolSpec {
        pool("stratum2+tcp://pool.example:3336/9auqWEzQDVyd2oe1JVGFLMLHZtCo2FFqZwtKA5gd9xbuEu7PH72")
    }

    fn text(target: Result<Target, String>) -> String {
        target.map_or_else(|error| error, |Target { host, port }| format!("{host}:{port}"))
    }

    // R1
    #[test]
    fn empty_host_and_port_mean_the_pools_own() {
        assert_eq!(text(check(&v2(), "", 0)), "pool.example:3336");
        assert_eq!(text(check(&v2(), "", 99)), "pool.example:99");
        assert_eq!(text(check(&v2(), "other.example", 0)), "other.example:3336");
    }

    // R3, D21
    #[test]
    fn local_hosts_and_junk_are_refused_unless_the_pool_is_local_itself() {
        for host in ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "169.254.1.1", "224.0.0.1", "[fe80::1]", "0.0.0.0"]
        {
            assert!(check(&v2(), host, 1).is_err(), "{host}");
        }
        assert!(check(&v2(), "a b\u{1b}[2J", 1).unwrap_err().starts_with("`a b"));
        let local = pool("stratum2+tcp://127.0.0.1/9auqWEzQDVyd2oe1JVGFLMLHZtCo2FFqZwtKA5gd9xbuEu7PH72");
        assert_eq!(text(check(&local, "127.0.0.2", 7)), "127.0.0.2:7");
    }

    // V13, SEC3
    #[test]
    fn v1_stays_with_its_host_but_for_what_the_operator_listed_in_tls() {
        let mut plain = pool("stratum+tcp://pool.example:3333");
        plain.options.redirect_hosts = vec!["pool.example".parse().unwrap()];
        assert_eq!(text(check(&plain, "pool.example", 4444)), "pool.example:4444");
        assert!(check(&plain, "eu.pool.example", 4444).unwrap_err().contains("TLS"));
        let mut tls = pool("stratum+ssl://pool.example:3333");
        assert!(check(&tls, "eu.pool.example", 4444).unwrap_err().contains("redirect_hosts"));
        tls.options.redirect_hosts = plain.options.redirect_hosts;
        assert_eq!(text(check(&tls, "eu.pool.example", 4444)), "eu.pool.example:4444");
    }

    // R3
    #[test]
    fn three_in_five_minutes_are_enough() {
        let (mut redirects, now) = (Redirects::default(), Instant::now());
        for _ in 0..MOST {
            redirects.follow(&v2(), "", 0, now).unwrap();
        }
        assert!(redirects.follow(&v2(), "", 0, now).unwrap_err().contains("3 times"));
        assert!(redirects.follow(&v2(), "", 0, now + SPAN).is_ok());
    }
}
