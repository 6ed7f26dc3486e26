//! What time it is, as far as this machine can be trusted with that.
//!
//! Source: stratum-client SEC5, D15. The clock judges certificates and the times of jobs; it is never set by a peer. A clock
//! that stands before this program was written was never set by anybody.

use std::time::{SystemTime, UNIX_EPOCH};

/// First second of 2026: no version of this program is older.
pub(super) const EARLIEST: u32 = 1_767_225_600;

/// Unix seconds; `None` when the clock stands where it cannot be.
pub(super) fn wall() -> Option<u32> {
    plausible(SystemTime::now())
}

fn plausible(time: SystemTime) -> Option<u32> {
    let since = time.duration_since(UNIX_EPOCH).ok()?;
    u32::try_from(since.as_secs()).ok().filter(|seconds| *seconds >= EARLIEST)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    // SEC5
    #[test]
    fn clock_that_was_never_set_is_not_believed() {
        let at = |seconds| plausible(UNIX_EPOCH + Duration::from_secs(seconds));
        assert_eq!((at(0), at(u64::from(EARLIEST) - 1), at(1 << 32)), (None, None, None));
        assert_eq!(at(EARLIEST.into()), Some(EARLIEST));
        assert_eq!(plausible(UNIX_EPOCH - Duration::from_secs(1)), None);
        assert!(wall().is_some());
    }
}
