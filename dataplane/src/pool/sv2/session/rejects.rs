//! What refusals say about us when they come together. Single codes are only counted: peers choose the text.
//!
//! Source: stratum-client A6, T5, S4. Pure; the session does what follows.

use mujina_core::share::RejectReason;

/// Verdicts that a ratio is taken over.
const WINDOW: u32 = 1000;
/// Fewest of a kind that are no accident.
const FEWEST: u32 = 5;
/// Refusals for rolled versions after which fewer bits are rolled.
const VERSION_REFUSALS: u32 = 3;

/// What stands out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Finding {
    /// Shares come too late: more than one in twenty.
    ManyStale,
    /// The search space overlaps somewhere: more than one in two hundred.
    ManyDuplicates,
    /// Both sides hold different job tables.
    UnknownJobs,
    /// The pool does not take the version bits that are rolled.
    VersionBits,
}

/// Verdicts of one channel.
#[derive(Debug)]
pub(super) struct RejectWatch {
    /// Shares refused for an unknown job in a row that are a burst.
    burst: u32,
    verdicts: u32,
    stale: u32,
    duplicates: u32,
    unknown_jobs: u32,
    version_bits: u32,
}

impl RejectWatch {
    pub(super) fn new(burst: u32) -> Self {
        Self { burst, verdicts: 0, stale: 0, duplicates: 0, unknown_jobs: 0, version_bits: 0 }
    }

    /// The pool counted shares.
    pub(super) fn accepted(&mut self, count: u32) -> Option<Finding> {
        if count > 0 {
            self.unknown_jobs = 0;
        }
        self.judged(count)
    }

    /// The pool refused a share that passed all our checks.
    pub(super) fn refused(&mut self, reason: RejectReason) -> Option<Finding> {
        let (count, enough, finding) = match reason {
            RejectReason::UnknownJob => (&mut self.unknown_jobs, self.burst, Finding::UnknownJobs),
            RejectReason::VersionRolling => (&mut self.version_bits, VERSION_REFUSALS, Finding::VersionBits),
            RejectReason::Stale => {
                self.stale += 1;
                return self.judged(1);
            }
            RejectReason::Duplicate => {
                self.duplicates += 1;
                return self.judged(1);
            }
            _ => return self.judged(1),
        };
        *count += 1;
        if *count >= enough {
            *count = 0;
            return Some(finding);
        }
        self.judged(1)
    }

    /// Looks at the ratios once per window.
    fn judged(&mut self, count: u32) -> Option<Finding> {
        self.verdicts = self.verdicts.saturating_add(count);
        if self.verdicts < WINDOW {
            return None;
        }
        let share = |part: u32, limit: u32| part >= FEWEST && u64::from(part) * u64::from(limit) > self.verdicts.into();
        let (stale, duplicates) = (share(self.stale, 20), share(self.duplicates, 200));
        (self.verdicts, self.stale, self.duplicates) = (0, 0, 0);
        match (duplicates, stale) {
            (true, _) => Some(Finding::ManyDuplicates),
            (false, true) => Some(Finding::ManyStale),
            (false, false) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // A6
    #[test]
    fn ratios_are_looked_at_over_a_thousand_verdicts_and_single_codes_mean_nothing() {
        let mut watch = RejectWatch::new(5);
        for reason in [RejectReason::Stale, RejectReason::Duplicate, RejectReason::Other] {
            assert_eq!(watch.refused(reason), None);
        }
        assert_eq!(watch.accepted(997), None);
        for _ in 0..51 {
            assert_eq!(watch.refused(RejectReason::Stale), None);
        }
        assert_eq!(watch.accepted(949), Some(Finding::ManyStale));
        for _ in 0..6 {
            assert_eq!(watch.refused(RejectReason::Duplicate), None);
        }
        assert_eq!(watch.accepted(u32::MAX), None);
        for _ in 0..6 {
            assert_eq!(watch.refused(RejectReason::Duplicate), None);
        }
        assert_eq!(watch.accepted(994), Some(Finding::ManyDuplicates));
    }

    // A6, S4
    #[test]
    fn burst_is_broken_by_an_accepted_share() {
        let mut watch = RejectWatch::new(3);
        let mut unknown = |accepted| {
            watch.accepted(accepted);
            watch.refused(RejectReason::UnknownJob)
        };
        assert_eq!([unknown(0), unknown(0), unknown(1), unknown(0)], [None; 4]);
        assert_eq!(unknown(0), Some(Finding::UnknownJobs));
        assert_eq!(watch.refused(RejectReason::VersionRolling), None);
        assert_eq!(watch.refused(RejectReason::VersionRolling), None);
        assert_eq!(watch.refused(RejectReason::VersionRolling), Some(Finding::VersionBits));
    }
}
