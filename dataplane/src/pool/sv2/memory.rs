//! What is remembered of a pool beyond a connection: what it does not do, and how often it sent us elsewhere.
//!
//! Source: stratum-client E2, S5, R3. Kept in the process only, by the pool's URL; connections of one pool follow one
//! another, so nobody waits for the lock.

use super::limits::Limits;
use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

/// Requests for extensions in a row that a pool may leave unanswered before it is not asked again (E2).
const ASK: u32 = 2;
/// Pools that are remembered: more than any spec has. Beyond, everything is forgotten, which costs a second try.
const POOLS: usize = 256;

/// Shared by all connections of a process.
#[derive(Debug, Clone, Default)]
pub struct Memory(Arc<Mutex<HashMap<String, Known>>>);

#[derive(Debug, Default)]
struct Known {
    /// Requests for extensions that were not answered, and the newest.
    ignored: Option<(u32, Instant)>,
    /// Flags of SetupConnection that were refused, and when.
    refused_flags: Option<(u32, Instant)>,
    redirects: VecDeque<Instant>,
}

impl Memory {
    /// Whether it makes sense to ask the pool for extensions.
    pub(super) fn may_ask_extensions(&self, pool: &str, limits: &Limits, now: Instant) -> bool {
        let ignored = self.pools().get(pool).and_then(|known| known.ignored);
        let is_fresh = |at: Instant| now.saturating_duration_since(at) < limits.extensions_memory;
        !ignored.is_some_and(|(count, at)| count >= ASK && is_fresh(at))
    }

    /// The pool did not answer a request for extensions.
    pub(super) fn extensions_ignored(&self, pool: &str, now: Instant) {
        self.learn(pool, |known| {
            let before = known.ignored.map_or(0, |(count, _)| count);
            known.ignored = Some((before.saturating_add(1), now));
        });
    }

    /// Flags that need not be tried: the pool refused them lately.
    pub(super) fn refused_flags(&self, pool: &str, limits: &Limits, now: Instant) -> u32 {
        let refused = self.pools().get(pool).and_then(|known| known.refused_flags);
        let fresh = refused.filter(|(_, at)| now.saturating_duration_since(*at) < limits.extensions_memory);
        fresh.map_or(0, |(flags, _)| flags)
    }

    /// The pool refused a connection because of these flags.
    pub(super) fn flags_refused(&self, pool: &str, flags: u32, now: Instant) {
        self.learn(pool, |known| {
            let before = known.refused_flags.map_or(0, |(flags, _)| flags);
            known.refused_flags = Some((before | flags, now));
        });
    }

    /// Whether a request to connect elsewhere is followed.
    pub(super) fn may_redirect(&self, pool: &str, limits: &Limits, now: Instant) -> bool {
        let pools = self.pools();
        let is_fresh = |at: &&Instant| now.saturating_duration_since(**at) < limits.redirect_window;
        pools.get(pool).map_or(0, |known| known.redirects.iter().filter(is_fresh).count()) < limits.redirects
    }

    /// A request to connect elsewhere is followed.
    pub(super) fn redirected(&self, pool: &str, limits: &Limits, now: Instant) {
        self.learn(pool, |known| {
            known.redirects.push_back(now);
            while known.redirects.len() > limits.redirects {
                known.redirects.pop_front();
            }
        });
    }

    fn learn(&self, pool: &str, note: impl FnOnce(&mut Known)) {
        let mut pools = self.pools();
        if pools.len() >= POOLS && !pools.contains_key(pool) {
            pools.clear();
        }
        note(pools.entry(pool.to_owned()).or_default());
    }

    fn pools(&self) -> MutexGuard<'_, HashMap<String, Known>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    // E2
    #[test]
    fn pool_that_ignores_two_requests_is_not_asked_for_a_day() {
        let (memory, limits, start) = (Memory::default(), Limits::default(), Instant::now());
        let at = |hours: u64| start + Duration::from_secs(hours * 3600);
        memory.extensions_ignored("a", at(0));
        assert!(memory.may_ask_extensions("a", &limits, at(0)));
        memory.extensions_ignored("a", at(0));
        assert!(!memory.may_ask_extensions("a", &limits, at(23)) && memory.may_ask_extensions("b", &limits, at(23)));
        assert!(memory.may_ask_extensions("a", &limits, at(24)));
    }

    // R3, D21
    #[test]
    fn three_redirects_in_five_minutes_are_enough() {
        let (memory, limits, start) = (Memory::default(), Limits::default(), Instant::now());
        for minute in 0..3 {
            let now = start + Duration::from_secs(60 * minute);
            assert!(memory.may_redirect("a", &limits, now));
            memory.redirected("a", &limits, now);
        }
        assert!(!memory.may_redirect("a", &limits, start + Duration::from_secs(299)));
        assert!(memory.may_redirect("a", &limits, start + Duration::from_secs(300)));
    }

    // S5
    #[test]
    fn refused_flags_add_up_and_are_forgotten_after_a_day() {
        let (memory, limits, start) = (Memory::default(), Limits::default(), Instant::now());
        memory.flags_refused("a", 4, start);
        memory.flags_refused("a", 1, start);
        assert_eq!(memory.refused_flags("a", &limits, start), 5);
        assert_eq!(memory.refused_flags("a", &limits, start + Duration::from_secs(86_400)), 0);
    }
}
