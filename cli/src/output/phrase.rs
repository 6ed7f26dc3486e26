//! The words for times, shares of a whole, and states.

use jiff::Timestamp;
use mujina_core::units::duration;
use std::time::SystemTime;

/// How long ago `since` was; `-` when it is not known. A clock that was set back shows as `0 s`.
pub(crate) fn age(since: Option<SystemTime>, now: SystemTime) -> String {
    since.map_or_else(|| "-".into(), |since| duration::human(now.duration_since(since).unwrap_or_default()))
}

/// A moment in UTC: `2026-11-24 19:17:04Z`; `-` when it is not known.
pub(crate) fn clock(at: Option<SystemTime>) -> String {
    let at = at.and_then(|at| Timestamp::try_from(at).ok());
    at.map_or_else(|| "-".into(), |at| at.strftime("%Y-%m-%d %H:%M:%SZ").to_string())
}

/// A part of a whole with two significant digits where it is small: `3.2 %`, `32 %`.
pub(crate) fn percent(ratio: f64) -> String {
    let percent = ratio * 100.0;
    if percent < 9.95 { format!("{percent:.1} %") } else { format!("{percent:.0} %") }
}

/// `POOL_STATE_WAITING_FOR_JOB` without its prefix, for people: `waiting for job`.
pub(crate) fn word(name: &str, prefix: &str) -> String {
    name.strip_prefix(prefix).unwrap_or(name).trim_start_matches('_').replace('_', " ").to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Duration, UNIX_EPOCH};

    #[test]
    fn moments_and_ages_are_read_at_a_glance() {
        let at = UNIX_EPOCH + Duration::from_secs(1_790_000_000);
        assert_eq!(clock(Some(at)), "2026-09-21 14:13:20Z");
        assert_eq!(age(Some(at), at + Duration::from_secs(184)), "3m 04s");
        assert_eq!(age(Some(at), at - Duration::from_secs(5)), "0 s");
        assert_eq!((age(None, at), clock(None)), ("-".into(), "-".into()));
    }

    #[test]
    fn small_parts_keep_a_decimal() {
        assert_eq!([0.0321, 0.0995, 0.32, 1.0].map(percent), ["3.2 %", "10 %", "32 %", "100 %"]);
    }

    #[test]
    fn names_of_states_become_words() {
        assert_eq!(word("POOL_STATE_WAITING_FOR_JOB", "POOL_STATE"), "waiting for job");
    }
}
