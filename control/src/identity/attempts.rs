//! Bounds how often tokens are tried. Secrets of 256 bits are not guessed; what this keeps small is the work that trying makes.
//!
//! A wrong token is charged to its source; a right one costs nothing and is never kept waiting for wrong ones. Each source and
//! all of them together have a burst and a rate after it.

use crate::debt::{Debt, Rate, make_room};
use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    time::{Duration, Instant},
};

/// A rack behind one address whose token has expired is told so.
const SOURCE: Rate = Rate { burst: 30, interval: Duration::from_secs(2) };
/// A hall as well; a verification takes far less than this interval.
const ALL: Rate = Rate { burst: 200, interval: Duration::from_millis(50) };
/// Sources that are remembered: about 100 bytes each.
const MOST_SOURCES: usize = 4096;

/// Failed attempts of late, per source and in all. Pure; the caller gives the time.
#[derive(Debug)]
pub(super) struct Attempts {
    sources: HashMap<IpAddr, Debt>,
    all: Debt,
}

impl Attempts {
    /// No attempts yet.
    #[must_use]
    pub(super) fn new(now: Instant) -> Self {
        Self { sources: HashMap::new(), all: Debt::none(now) }
    }

    /// How long until a source may be wrong again; zero = now.
    pub(super) fn wait(&self, source: IpAddr, now: Instant) -> Duration {
        let known = self.sources.get(&network(source)).copied().unwrap_or(Debt::none(now));
        known.wait(SOURCE, now).max(self.all.wait(ALL, now))
    }

    /// Charges an attempt that failed, unless there were too many.
    ///
    /// # Errors
    /// How long to wait before the next one; nothing is charged.
    pub(super) fn charge(&mut self, source: IpAddr, now: Instant) -> Result<(), Duration> {
        let wait = self.wait(source, now);
        if !wait.is_zero() {
            return Err(wait);
        }
        let source = network(source);
        self.make_room(source, now);
        self.sources.entry(source).or_insert(Debt::none(now)).charge(SOURCE, now);
        self.all.charge(ALL, now);
        Ok(())
    }

    /// At most 20 times a second, by the rate of all.
    fn make_room(&mut self, source: IpAddr, now: Instant) {
        if !self.sources.contains_key(&source) {
            make_room(&mut self.sources, MOST_SOURCES, |debt| debt.is_owed(now), |debt| *debt);
        }
    }
}

/// What one customer of a network has: an IPv4 address, or the 64 bits of an IPv6 network.
fn network(source: IpAddr) -> IpAddr {
    match source.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(number: u32) -> IpAddr {
        IpAddr::from(number.to_be_bytes())
    }

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    /// As many as a source may fail at once.
    fn burst(attempts: &mut Attempts, source: IpAddr, now: Instant) {
        for number in 0..SOURCE.burst {
            assert_eq!(attempts.charge(source, now), Ok(()), "{number}");
        }
    }

    #[test]
    fn source_that_fails_waits_exactly_as_long_as_it_is_told() {
        let now = Instant::now();
        let mut attempts = Attempts::new(now);
        burst(&mut attempts, source(1), now);
        // Being refused costs nothing more.
        for _ in 0..1000 {
            assert_eq!(attempts.charge(source(1), now), Err(seconds(2)));
        }
        assert_eq!(attempts.charge(source(2), now), Ok(()));
        assert_eq!(attempts.charge(source(1), now + seconds(1)), Err(seconds(1)));
        assert_eq!(attempts.charge(source(1), now + seconds(2)), Ok(()));
        assert_eq!(attempts.charge(source(1), now + seconds(2)), Err(seconds(2)));
        // After a minute of rest it has its burst again.
        burst(&mut attempts, source(1), now + seconds(62));
        assert!(attempts.charge(source(1), now + seconds(62)).is_err());
    }

    #[test]
    fn addresses_of_one_network_are_one_source() {
        let now = Instant::now();
        let mut attempts = Attempts::new(now);
        for host in 0..30 {
            let address = IpAddr::from([0x2001, 0xdb8, 1, 2, host, 0, 0, 1]);
            assert_eq!(attempts.charge(address, now), Ok(()));
        }
        assert!(attempts.charge(IpAddr::from([0x2001, 0xdb8, 1, 2, 99, 9, 9, 9]), now).is_err());
        assert_eq!(attempts.charge(IpAddr::from([0x2001, 0xdb8, 1, 3, 0, 0, 0, 1]), now), Ok(()));
        burst(&mut attempts, "192.0.2.1".parse().unwrap(), now);
        assert!(attempts.charge("::ffff:192.0.2.1".parse().unwrap(), now).is_err());
    }

    #[test]
    fn many_sources_together_are_bounded_in_rate_and_memory() {
        let mut now = Instant::now();
        let mut attempts = Attempts::new(now);
        for number in 0..200 {
            assert_eq!(attempts.charge(source(number), now), Ok(()), "{number}");
        }
        assert_eq!(attempts.charge(source(200), now), Err(ALL.interval));
        for number in 0..10_000 {
            now += ALL.interval;
            assert_eq!(attempts.charge(source(1000 + number), now), Ok(()), "{number}");
            assert!(attempts.sources.len() <= MOST_SOURCES);
        }
    }

    #[test]
    fn full_memory_forgets_the_source_that_owes_least() {
        let now = Instant::now();
        let mut attempts = Attempts::new(now);
        for number in 0..u32::try_from(MOST_SOURCES).unwrap() {
            let mut debt = Debt::none(now);
            debt.charge(SOURCE, now + seconds(u64::from(number != 7) * 60));
            attempts.sources.insert(source(number), debt);
        }
        assert_eq!(attempts.charge(source(1_000_000), now), Ok(()));
        assert_eq!(attempts.sources.len(), MOST_SOURCES);
        assert!(!attempts.sources.contains_key(&source(7)));
        assert!(attempts.sources.contains_key(&source(1_000_000)));
    }
}
