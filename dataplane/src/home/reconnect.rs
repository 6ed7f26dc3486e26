//! When to dial home again, and what to say about it.   Called by `task`; randomness comes from there.
//!
//! Pure. A control plane that restarts meets its whole fleet at once, so the wait is anything between nothing and a cap (full
//! jitter): as long as home has been away by now. So whoever comes back after so many seconds has its fleet again after about
//! as many more, while a cap that counts attempts sends those away for long who happened to try often. Who was refused waits
//! long: only a person or a clock can mend that. A log that says the same thing
//! every minute hides the others, so a trouble is told when it begins, and then slowly.

use mujina_proto::tls::Refusal;
use std::time::{Duration, Instant};

/// First and last cap of the wait.
const FIRST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(60);
/// A connection of this length was a good one.
const LASTED: Duration = Duration::from_secs(30);
/// Between two lines about the same trouble.
const TELL_EVERY: Duration = Duration::from_secs(600);

/// What keeps this miner from its control plane.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trouble {
    /// Nobody answers, or the connection breaks before it is one.
    Unreachable,
    /// One end refuses the other.
    Refused(Refusal),
    /// It was connected, and the control plane ended it or went away.
    Ended,
}

/// How an attempt ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct End {
    pub(super) trouble: Trouble,
    /// How long the control plane was there.
    pub(super) connected: Duration,
}

/// What to do now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Next {
    /// How long to wait before the next attempt.
    pub(super) wait: Duration,
    /// Whether people are told of this end.
    pub(super) tell: bool,
}

/// Attempts so far.
#[derive(Debug, Default)]
pub(super) struct Reconnect {
    /// When home was lost.
    lost_at: Option<Instant>,
    /// When which trouble was told; there are few kinds.
    told: Vec<(Trouble, Instant)>,
}

impl Reconnect {
    /// Decides after the end of an attempt; `jitter` is in 0..1.
    pub(super) fn after(&mut self, end: End, now: Instant, jitter: f64) -> Next {
        let End { trouble, connected } = end;
        if connected >= LASTED {
            *self = Self::default();
        }
        let away = now.saturating_duration_since(*self.lost_at.get_or_insert(now));
        let jitter = jitter.clamp(0.0, 1.0);
        let wait = match trouble {
            Trouble::Refused(_) => LONGEST.mul_f64(0.5 + jitter / 2.0),
            Trouble::Unreachable | Trouble::Ended => away.clamp(FIRST, LONGEST).mul_f64(jitter),
        };
        Next { wait, tell: self.is_news(trouble, now) }
    }

    fn is_news(&mut self, trouble: Trouble, now: Instant) -> bool {
        match self.told.iter_mut().find(|(known, _)| *known == trouble) {
            Some((_, at)) if now.saturating_duration_since(*at) < TELL_EVERY => return false,
            Some((_, at)) => *at = now,
            None => self.told.push((trouble, now)),
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const UNREACHABLE: End = End { trouble: Trouble::Unreachable, connected: Duration::ZERO };
    const REVOKED: End = End { trouble: Trouble::Refused(Refusal::Revoked), connected: Duration::ZERO };

    fn seconds(after: &[End], jitter: f64) -> Vec<u64> {
        let (mut reconnect, mut now) = (Reconnect::default(), Instant::now());
        let wait = |end: &End| {
            now += end.connected;
            let wait = reconnect.after(*end, now, jitter).wait;
            now += wait;
            wait.as_secs()
        };
        after.iter().map(wait).collect()
    }

    #[test]
    fn wait_is_anything_up_to_the_time_that_home_has_been_away_and_at_most_a_minute() {
        assert_eq!(seconds(&[UNREACHABLE; 9], 1.0), [1, 1, 2, 4, 8, 16, 32, 60, 60]);
        assert_eq!(seconds(&[UNREACHABLE; 8], 0.0), [0; 8]);
    }

    /// Those who come are those who notice at once, and those whose wait ends; by then all are back.
    #[test]
    fn fleet_is_back_as_soon_again_as_home_was_away() {
        let begin = Instant::now();
        for away in [2, 5, 30] {
            let mut last = begin;
            for miner in 0..1000_u64 {
                let (mut reconnect, mut now) = (Reconnect::default(), begin);
                for attempt in 0.. {
                    if now >= begin + Duration::from_secs(away) {
                        break;
                    }
                    let jitter = f64::from(u32::try_from((miner * 7919 + attempt * 104_729) % 1000).unwrap()) / 1000.0;
                    now += reconnect.after(UNREACHABLE, now, jitter).wait + Duration::from_millis(1);
                }
                last = last.max(now);
            }
            assert!(last <= begin + Duration::from_secs(2 * away), "away for {away} s, back after {:?}", last - begin);
        }
    }

    #[test]
    fn connection_that_lasted_begins_anew_and_one_that_did_not_goes_on() {
        let ended = |seconds| End { trouble: Trouble::Ended, connected: Duration::from_secs(seconds) };
        let ends = [UNREACHABLE, UNREACHABLE, UNREACHABLE, ended(2), ended(30), ended(2)];
        assert_eq!(seconds(&ends, 1.0), [1, 1, 2, 6, 1, 3]);
    }

    #[test]
    fn who_was_refused_waits_long_at_once() {
        assert_eq!(seconds(&[REVOKED; 3], 0.0), [30; 3]);
        assert_eq!(seconds(&[REVOKED; 3], 1.0), [60; 3]);
    }

    #[test]
    fn trouble_is_told_when_it_begins_and_then_slowly() {
        let mut reconnect = Reconnect::default();
        let begin = Instant::now();
        let mut tell = |end, seconds| reconnect.after(end, begin + Duration::from_secs(seconds), 0.5).tell;
        assert!(tell(UNREACHABLE, 0));
        assert!(!tell(UNREACHABLE, 60) && !tell(UNREACHABLE, 599));
        assert!(tell(REVOKED, 599), "another trouble is news");
        assert!(!tell(UNREACHABLE, 599), "one that comes and goes is not");
        assert!(!tell(REVOKED, 700));
        assert!(tell(REVOKED, 1199));
        assert!(tell(End { connected: LASTED, ..UNREACHABLE }, 1200), "it was well in between");
        let told = (1201..1201 + 86_400).filter(|second| tell(UNREACHABLE, *second)).count();
        assert_eq!(told, 144, "a day of trouble is one line in ten minutes");
    }

    proptest! {
        #[test]
        fn no_wait_is_ever_longer_than_a_minute(
            ends in proptest::collection::vec((0..3_u8, 0..100_u64, -2.0..2.0_f64), 0..80),
        ) {
            let (mut reconnect, now) = (Reconnect::default(), Instant::now());
            for (kind, connected, jitter) in ends {
                let trouble = match kind {
                    0 => Trouble::Unreachable,
                    1 => Trouble::Refused(Refusal::Expired),
                    _ => Trouble::Ended,
                };
                let end = End { trouble, connected: Duration::from_secs(connected) };
                prop_assert!(reconnect.after(end, now, jitter).wait <= LONGEST);
            }
        }
    }
}
