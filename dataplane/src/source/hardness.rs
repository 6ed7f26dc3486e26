//! Notices a pool whose share target is so hard that nothing will be found (stratum-client D9).   One per connection.

use super::policy::SourcePolicy;
use mujina_core::units::{Difficulty, HashRate};
use std::time::{Duration, Instant};

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
        policy: &SourcePolicy,
        now: Instant,
    ) -> Option<Duration> {
        let (difficulty, hash_rate) = difficulty.zip(hash_rate.filter(|rate| *rate > HashRate::ZERO))?;
        let seconds = difficulty.as_f64() * HASHES_PER_DIFFICULTY / hash_rate.hashes_per_second();
        let interval = Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX);
        if interval <= policy.hard_target {
            self.since = None;
            return None;
        }
        let since = *self.since.get_or_insert(now);
        if now.saturating_duration_since(since) < policy.hard_target_patience {
            return None;
        }
        self.since = None;
        Some(interval)
    }

    /// When to look again.
    pub(super) fn deadline(&self, policy: &SourcePolicy) -> Option<Instant> {
        self.since.map(|since| since + policy.hard_target_patience)
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
        let policy = SourcePolicy::default();
        let rate = Some(HashRate::from_megahashes_per_second(50.0));
        let hard = Some(target(100.0));
        assert_eq!(hardness.look(hard, rate, &policy, now), None);
        assert_eq!(hardness.deadline(&policy), Some(now + policy.hard_target_patience));
        assert_eq!(hardness.look(hard, rate, &policy, now + policy.hard_target_patience / 2), None);
        let interval = hardness.look(hard, rate, &policy, now + policy.hard_target_patience).unwrap();
        assert!((interval.as_secs_f64() / 8590.0 - 1.0).abs() < 0.01, "{interval:?}");
        hardness.look(hard, rate, &policy, now);
        assert_eq!(hardness.look(Some(target(1.0)), rate, &policy, now), None);
        assert_eq!(
            (hardness.deadline(&policy), hardness.look(hard, None, &policy, now + 2 * policy.hard_target_patience)),
            (None, None)
        );
    }
}
