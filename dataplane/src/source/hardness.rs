//! Notices a pool whose share target is so hard that nothing will be found (stratum-client D9).   One per connection.

use mujina_core::units::{Difficulty, HashRate};
use std::time::{Duration, Instant};

/// Mean time between shares that is too long.
const TOO_LONG: Duration = Duration::from_secs(3600);
/// How long it may be so before work goes elsewhere: pools take a while to find a miner's rate.
const PATIENCE: Duration = Duration::from_secs(1800);
/// Expected hashes of a share of difficulty 1.
const HASHES_PER_DIFFICULTY: f64 = 4_295_032_833.0;

/// Since when the target is too hard.
#[derive(Debug, Default)]
pub(super) struct Hardness {
    since: Option<Instant>,
}

impl Hardness {
    /// Looks at the newest target. `Some` with the mean time between shares when it was too long for too long; then it
    /// begins anew.
    pub(super) fn look(
        &mut self,
        difficulty: Option<Difficulty>,
        hash_rate: Option<HashRate>,
        now: Instant,
    ) -> Option<Duration> {
        let (difficulty, hash_rate) = difficulty.zip(hash_rate.filter(|rate| *rate > HashRate::ZERO))?;
        let seconds = difficulty.as_f64() * HASHES_PER_DIFFICULTY / hash_rate.hashes_per_second();
        let interval = Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX);
        if interval <= TOO_LONG {
            self.since = None;
            return None;
        }
        let since = *self.since.get_or_insert(now);
        if now.saturating_duration_since(since) < PATIENCE {
            return None;
        }
        self.since = None;
        Some(interval)
    }

    /// When to look again.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.since.map(|since| since + PATIENCE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mujina_core::units::ShareTarget;

    fn target(difficulty: f64) -> Difficulty {
        ShareTarget::from_expected_hashes(difficulty * HASHES_PER_DIFFICULTY).difficulty()
    }

    // D9
    #[test]
    fn target_that_yields_less_than_a_share_an_hour_is_put_up_with_for_half_an_hour() {
        let (mut hardness, now) = (Hardness::default(), Instant::now());
        let rate = Some(HashRate::from_megahashes_per_second(50.0));
        let hard = Some(target(100.0));
        assert_eq!(hardness.look(hard, rate, now), None);
        assert_eq!(hardness.deadline(), Some(now + PATIENCE));
        assert_eq!(hardness.look(hard, rate, now + PATIENCE / 2), None);
        let interval = hardness.look(hard, rate, now + PATIENCE).unwrap();
        assert!((interval.as_secs_f64() / 8590.0 - 1.0).abs() < 0.01, "{interval:?}");
        hardness.look(hard, rate, now);
        assert_eq!(hardness.look(Some(target(1.0)), rate, now), None);
        assert_eq!((hardness.deadline(), hardness.look(hard, None, now + 2 * PATIENCE)), (None, None));
    }
}
