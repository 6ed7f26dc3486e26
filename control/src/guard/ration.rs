//! Bounds how many calls that changed nothing each caller has written down: each record is a synced write of the only writer.
//! Pure; the caller gives the time.

use crate::debt::{Debt, Rate, make_room};
use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

/// What one caller may have written down.
const RATE: Rate = Rate { burst: 60, interval: Duration::from_secs(1) };
/// Callers that are remembered: about 100 bytes each.
const MOST: usize = 4096;

/// What callers have had written down of late.
#[derive(Debug, Default)]
pub(super) struct Ration(HashMap<String, Share>);

/// Of one caller.
#[derive(Debug, Clone, Copy)]
struct Share {
    debt: Debt,
    /// Calls since the last one that was written down.
    left_out: u64,
}

impl Ration {
    /// Whether a call of this person is written down, and with how many of its calls before that were not.
    pub(super) fn take(&mut self, person: &str, now: Instant) -> Option<u64> {
        if !self.0.contains_key(person) {
            make_room(&mut self.0, MOST, |share| share.debt.is_owed(now) || share.left_out > 0, |share| share.debt);
        }
        let share = self.0.entry(person.to_owned()).or_insert(Share { debt: Debt::none(now), left_out: 0 });
        if !share.debt.wait(RATE, now).is_zero() {
            share.left_out = share.left_out.saturating_add(1);
            return None;
        }
        share.debt.charge(RATE, now);
        Some(std::mem::take(&mut share.left_out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn caller_that_goes_on_is_written_down_once_a_second_with_what_was_left_out() {
        let (mut ration, now) = (Ration::default(), Instant::now());
        for _ in 0..RATE.burst {
            assert_eq!(ration.take("operator:ci", now), Some(0));
        }
        for _ in 0..1000 {
            assert_eq!(ration.take("operator:ci", now), None);
        }
        assert_eq!(ration.take("operator:ann", now), Some(0), "others have their own");
        assert_eq!(ration.take("operator:ci", now + RATE.interval), Some(1000));
        assert_eq!(ration.take("operator:ci", now + RATE.interval), None);
        assert_eq!(ration.take("operator:ci", now + 2 * RATE.interval), Some(1));
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
