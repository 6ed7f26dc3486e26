//! Approvals of a plan by others than its planner. Plans do not change once they are stored, so an approval is for all of it.
//! Pure.

use crate::access::apart::ApartError;
use serde::{Deserialize, Serialize};
use std::time::SystemTime;

/// Most that may be asked for.
pub const MOST_APPROVALS: u32 = 5;

/// That somebody approved a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approval {
    /// The person.
    pub who: String,
    /// When.
    pub at: SystemTime,
}

/// Why a plan is not approved, or not begun.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ApprovalError {
    /// The planner does not approve.
    #[error("{0} planned this rollout, so another person must approve it")]
    OwnPlan(String),
    /// Somebody may approve as two.
    #[error(transparent)]
    Apart(#[from] ApartError),
    /// Others must approve first.
    #[error(
        "rollout {id} lacks {missing} of its {needed} approvals; people other than {planner} give them with `mujinactl rollout approve {id}`"
    )]
    Missing {
        /// Its id.
        id: String,
        /// How many are missing.
        missing: usize,
        /// How many it takes.
        needed: u32,
        /// Who does not count.
        planner: String,
    },
}

/// The approvals of a plan.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Approvals {
    /// How many it takes.
    pub needed: u32,
    /// Those that were given, in order; each person is there once.
    pub given: Vec<Approval>,
}

impl Approvals {
    /// Takes one more; whether it is news.
    ///
    /// # Errors
    /// The planner approves.
    pub fn give(&mut self, planner: &str, who: &str, at: SystemTime) -> Result<bool, ApprovalError> {
        if who == planner {
            return Err(ApprovalError::OwnPlan(planner.into()));
        }
        if self.given.iter().any(|given| given.who == who) {
            return Ok(false);
        }
        self.given.push(Approval { who: who.into(), at });
        Ok(true)
    }

    /// Whether the plan may begin. `least` = what every plan takes by now.
    ///
    /// # Errors
    /// Some are missing.
    pub fn expect_enough(&self, id: &str, planner: &str, least: u32) -> Result<(), ApprovalError> {
        let needed = self.needed.max(least);
        match usize::try_from(needed).unwrap_or(usize::MAX).saturating_sub(self.given.len()) {
            0 => Ok(()),
            missing => Err(ApprovalError::Missing { id: id.into(), missing, needed, planner: planner.into() }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: SystemTime = SystemTime::UNIX_EPOCH;

    #[test]
    fn each_person_but_the_planner_counts_once() {
        let mut approvals = Approvals { needed: 2, ..Approvals::default() };
        assert_eq!(approvals.give("alice", "alice", NOW), Err(ApprovalError::OwnPlan("alice".into())));
        assert_eq!(approvals.give("alice", "bob", NOW), Ok(true));
        assert_eq!(approvals.give("alice", "bob", NOW), Ok(false));
        let error = approvals.expect_enough("r1", "alice", 0).unwrap_err();
        assert!(matches!(error, ApprovalError::Missing { missing: 1, needed: 2, .. }), "{error}");
        assert!(error.to_string().contains("`mujinactl rollout approve r1`"), "{error}");
        assert_eq!(approvals.give("alice", "carol", NOW), Ok(true));
        assert_eq!(approvals.expect_enough("r1", "alice", 0), Ok(()));
    }

    #[test]
    fn what_every_plan_takes_by_now_counts_where_it_is_more() {
        let none = Approvals::default();
        assert_eq!(none.expect_enough("r1", "alice", 0), Ok(()));
        assert!(matches!(none.expect_enough("r1", "alice", 1), Err(ApprovalError::Missing { missing: 1, .. })));
    }
}
