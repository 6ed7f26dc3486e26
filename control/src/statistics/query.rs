//! What a question about statistics amounts to: whole steps, and the widest sums that fit them. Pure.

use super::RESOLUTIONS;
use crate::store::{from_millis, millis};
use std::time::{Duration, SystemTime};

/// Most points of a series.
pub const MAX_POINTS: u64 = 2000;
/// Points of a series whose step was left open.
const USUAL_POINTS: u64 = 200;
/// Range that is meant when its begin was left open.
const USUAL_RANGE: Duration = Duration::from_secs(60 * 60);
/// Length of a bucket, in milliseconds.
const BUCKET: i64 = 10_000;
/// Longest range of which the buckets themselves are read, in days: as long as they are kept by default.
const BUCKET_DAYS: i64 = 7;
/// A day, in milliseconds.
const DAY: i64 = 24 * 60 * 60_000;

/// A range of whole steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Plan {
    /// Begin, a multiple of the step since the epoch; milliseconds.
    pub begin_ms: i64,
    /// End, exclusive; a multiple as well.
    pub end_ms: i64,
    /// Width of a point in milliseconds.
    pub step_ms: i64,
    /// Width of the sums to read; `None` = the buckets.
    pub resolution_ms: Option<i64>,
}

/// Why there is no such series.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// The wrong way round.
    #[error("lies before `begin`")]
    EndBeforeBegin,
    /// Narrower than a bucket, or not made of whole ones.
    #[error("is not a multiple of 10 s; use at least 10 s")]
    Step,
    /// More than [`MAX_POINTS`].
    #[error("gives {0} points; use a wider step, for at most {MAX_POINTS}")]
    TooManyPoints(u64),
    /// Sums do not fit, and there would be too many buckets.
    #[error(
        "is not a multiple of a minute, which needs every bucket; use whole minutes, or at most {BUCKET_DAYS} days"
    )]
    TooManyBuckets,
}

/// What was counted over one step.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Point {
    /// Begin of the step.
    pub begin_ms: i64,
    /// Time that the counts cover, over all miners.
    pub covered_ms: u64,
    /// Shares handed in.
    pub submitted: u64,
    /// Of them, counted.
    pub accepted: u64,
    /// Of them, refused.
    pub rejected: u64,
    /// Not handed in because a newer block had come.
    pub stale: u64,
    /// Expected hashes of the accepted shares.
    pub accepted_work: f64,
    /// Variance of that: the squares of the work of each share, summed. Within one row that was stored all shares are taken to
    /// be as hard; what is known of them is their number.
    pub work_variance: f64,
}

/// Plans a series. The range is widened to whole steps; of the sums those are read that are widest, for they are kept for
/// longest and are fewest.
///
/// # Errors
/// See [`PlanError`].
pub fn plan(
    begin: Option<SystemTime>,
    end: Option<SystemTime>,
    step: Option<Duration>,
    now: SystemTime,
) -> Result<Plan, PlanError> {
    let end = end.unwrap_or(now);
    let begin = begin.unwrap_or_else(|| end.checked_sub(USUAL_RANGE).unwrap_or(SystemTime::UNIX_EPOCH));
    let (begin, end) = (millis(begin), millis(end));
    if end < begin {
        return Err(PlanError::EndBeforeBegin);
    }
    let within = |step: i64| {
        let (first, last) = (begin - begin.rem_euclid(step), end.saturating_add(step - 1));
        let last = last - last.rem_euclid(step);
        (first, last, u64::try_from((last - first) / step).unwrap_or(u64::MAX))
    };
    let step = match step {
        None => {
            let widths = [BUCKET].into_iter().chain(RESOLUTIONS);
            let fits = widths.filter(|step| within(*step).2 <= USUAL_POINTS).min();
            fits.or(RESOLUTIONS.last().copied()).unwrap_or(BUCKET)
        }
        Some(step) => {
            let millis = i64::try_from(step.as_millis()).map_err(|_| PlanError::Step)?;
            if millis < BUCKET || millis % BUCKET != 0 || step.subsec_nanos() % 1_000_000 != 0 {
                return Err(PlanError::Step);
            }
            millis
        }
    };
    let (begin_ms, end_ms, points) = within(step);
    if points > MAX_POINTS {
        return Err(PlanError::TooManyPoints(points));
    }
    let resolution_ms = RESOLUTIONS.into_iter().rev().find(|resolution| step % resolution == 0);
    if resolution_ms.is_none() && end_ms.saturating_sub(begin_ms) > BUCKET_DAYS * DAY + 2 * step.min(DAY) {
        return Err(PlanError::TooManyBuckets);
    }
    Ok(Plan { begin_ms, end_ms, step_ms: step, resolution_ms })
}

impl Plan {
    /// Width of a point.
    #[must_use]
    pub fn step(&self) -> Duration {
        Duration::from_millis(self.step_ms.unsigned_abs())
    }
}

impl Point {
    /// Begin of the step.
    #[must_use]
    pub fn begin(&self) -> SystemTime {
        from_millis(self.begin_ms)
    }

    /// Hashes per second by the accepted shares over the length of the step, and one standard error of it: that of independent
    /// events, each of its own weight. Few hard shares weigh more in it than many easy ones. 0 when there were none.
    #[must_use]
    pub fn hash_rate(&self, step: Duration) -> (f64, f64) {
        let seconds = step.as_secs_f64();
        (self.accepted_work / seconds, self.work_variance.sqrt() / seconds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(seconds: u64) -> Option<SystemTime> {
        Some(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds))
    }

    const NOW: u64 = 1_790_000_007;

    fn planned(begin: Option<u64>, step: Option<u64>) -> Result<Plan, PlanError> {
        plan(begin.and_then(at), None, step.map(Duration::from_secs), at(NOW).unwrap())
    }

    #[test]
    fn step_that_is_left_open_is_the_finest_that_gives_few_points() {
        let step = |seconds: u64| planned(Some(NOW - seconds), None).unwrap().step_ms;
        assert_eq!(step(30 * 60), 10_000);
        assert_eq!(step(60 * 60), 60_000);
        assert_eq!(step(24 * 60 * 60), 60 * 60_000);
        assert_eq!(step(100 * 24 * 60 * 60), 24 * 60 * 60_000);
        assert_eq!(planned(None, None).unwrap().step_ms, 60_000, "an hour");
    }

    #[test]
    fn widest_sums_that_fit_are_read() {
        let resolution = |step| planned(None, Some(step)).unwrap().resolution_ms;
        assert_eq!(resolution(30), None);
        assert_eq!(resolution(60), Some(60_000));
        assert_eq!(resolution(90), None);
        assert_eq!(resolution(2 * 60 * 60), Some(60 * 60_000));
        assert_eq!(resolution(48 * 60 * 60), Some(24 * 60 * 60_000));
    }

    #[test]
    fn steps_that_cannot_be_are_refused() {
        assert_eq!(planned(None, Some(5)), Err(PlanError::Step));
        assert_eq!(planned(None, Some(15)), Err(PlanError::Step));
        assert!(matches!(planned(Some(0), Some(10)), Err(PlanError::TooManyPoints(_))));
        assert_eq!(planned(Some(NOW + 1), None), Err(PlanError::EndBeforeBegin));
        let odd = plan(None, None, Some(Duration::from_nanos(10_000_000_001)), at(NOW).unwrap());
        assert_eq!(odd, Err(PlanError::Step));
    }

    #[test]
    fn buckets_themselves_are_read_for_a_week_at_most() {
        let week = 7 * 24 * 60 * 60;
        assert_eq!(planned(Some(NOW - week), Some(610)).unwrap().resolution_ms, None);
        assert_eq!(planned(Some(NOW - week - 2000), Some(610)), Err(PlanError::TooManyBuckets));
        assert_eq!(planned(Some(NOW - 60), Some(10 * 24 * 60 * 60 + 10)), Err(PlanError::TooManyBuckets));
        assert!(planned(Some(NOW - 100 * week), Some(10 * 24 * 60 * 60)).is_ok(), "sums are few");
    }

    #[test]
    fn error_bar_follows_the_number_of_shares_and_their_weight() {
        let point =
            Point { accepted: 100, accepted_work: 6e13, work_variance: 100.0 * 6e11 * 6e11, ..Point::default() };
        assert_eq!(point.hash_rate(Duration::from_secs(60)), (1e12, 1e11));
        assert_eq!(Point::default().hash_rate(Duration::from_secs(60)), (0.0, 0.0));
    }

    proptest! {
        #[test]
        fn range_is_widened_to_whole_steps_and_no_further(begin in 0..2_000_000_u64, length in 0..1_000_000_u64, step in 1..400_u64) {
            let step = Duration::from_secs(step * 10);
            let (from, to) = (at(begin), at(begin + length));
            if let Ok(plan) = plan(from, to, Some(step), at(NOW).unwrap()) {
                let (begin, end) = (millis(from.unwrap()), millis(to.unwrap()));
                prop_assert_eq!((plan.begin_ms % plan.step_ms, plan.end_ms % plan.step_ms), (0, 0));
                prop_assert!(plan.begin_ms <= begin && begin < plan.begin_ms + plan.step_ms);
                prop_assert!(plan.end_ms >= end && end > plan.end_ms - plan.step_ms);
            }
        }
    }
}
