//! Bounds how many calls that changed nothing each caller has written down: each record is a synced write of the only writer.
//! Pure; the caller gives the time.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

/// So many at once, then one for each interval.
const BURST: u32 = 60;
const INTERVAL: Duration = Duration::from_secs(1);
/// Callers that are remembered: about 100 bytes each.
const MOST: usize = 4096;

/// What callers have had written down of late.
#[derive(Debug, Default)]
pub(super) struct Ration(HashMap<String, Share>);

/// Of one caller.
#[derive(Debug, Clone, Copy)]
struct Share {
    /// When all that it had is paid for.
    paid_at: Instant,
    /// Calls since the last one that was written down.
    left_out: u64,
}

impl Ration {
    /// Whether a call of this person is written down, and with how many of its calls before that were not.
    pub(super) fn take(&mut self, person: &str, now: Instant) -> Option<u64> {
        if !self.0.contains_key(person) {
            self.make_room(now);
        }
        let share = self.0.entry(person.to_owned()).or_insert(Share { paid_at: now, left_out: 0 });
        if share.paid_at.saturating_duration_since(now) > INTERVAL.saturating_mul(BURST - 1) {
            share.left_out = share.left_out.saturating_add(1);
            return None;
        }
        share.paid_at = share.paid_at.max(now) + INTERVAL;
        Some(std::mem::take(&mut share.left_out))
    }

    /// Forgets those who owe nothing and have nothing left out, or else the one who owes least.
    fn make_room(&mut self, now: Instant) {
        if self.0.len() < MOST {
            return;
        }
        self.0.retain(|_, share| share.paid_at > now || share.left_out > 0);
        if self.0.len() >= MOST
            && let Some(least) = self.0.iter().min_by_key(|(_, share)| share.paid_at).map(|(person, _)| person.clone())
        {
            self.0.remove(&least);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn caller_that_goes_on_is_written_down_once_a_second_with_what_was_left_out() {
        let (mut ration, now) = (Ration::default(), Instant::now());
        for _ in 0..BURST {
            assert_eq!(ration.take("operator:ci", now), Some(0));
        }
        for _ in 0..1000 {
            assert_eq!(ration.take("operator:ci", now), None);
        }
        assert_eq!(ration.take("operator:ann", now), Some(0), "others have their own");
        assert_eq!(ration.take("operator:ci", now + INTERVAL), Some(1000));
        assert_eq!(ration.take("operator:ci", now + INTERVAL), None);
        assert_eq!(ration.take("operator:ci", now + 2 * INTERVAL), Some(1));
    }

    #[test]
    fn callers_that_are_remembered_are_bounded() {
        let (mut ration, now) = (Ration::default(), Instant::now());
        for number in 0..2 * MOST {
            assert_eq!(ration.take(&format!("miner:{number}"), now), Some(0));
        }
        assert!(ration.0.len() <= MOST);
    }
}
