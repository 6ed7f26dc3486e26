//! Which shares a reader wants, and where its next page begins.

use crate::rpc::check::Checks;
use mujina_core::{id::ShareId, share::ShareOutcome};
use mujina_proto::types::v1;
use std::fmt;

/// A set of outcomes, one bit for each by its number on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct OutcomeFilter(u32);

impl OutcomeFilter {
    /// Every outcome, those of later versions too.
    pub(super) const ALL: Self = Self(u32::MAX);

    /// Reads a list of outcomes; an empty one means all.
    pub(super) fn read(checks: &mut Checks, field: &str, outcomes: &[i32]) -> Self {
        if outcomes.is_empty() {
            return Self::ALL;
        }
        let mut filter = Self(0);
        for (i, &number) in outcomes.iter().enumerate() {
            match v1::ShareOutcome::try_from(number) {
                Ok(v1::ShareOutcome::Unspecified) | Err(_) => checks.refuse(
                    &format!("{field}[{i}]"),
                    format!("{number} is no outcome that this version knows; name known ones, or none for all"),
                ),
                Ok(outcome) => filter.0 |= bit(outcome),
            }
        }
        filter
    }

    pub(super) fn wants(self, outcome: ShareOutcome) -> bool {
        self.0 & bit(outcome.into()) != 0
    }
}

fn bit(outcome: v1::ShareOutcome) -> u32 {
    u32::try_from(i32::from(outcome)).ok().and_then(|number| 1_u32.checked_shl(number)).unwrap_or_default()
}

/// Where a next page begins. Callers hand it back as it is; it holds for the outcomes of its first page only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct PageToken {
    /// Only shares older than this one.
    pub(super) before: ShareId,
    /// What the first page asked for.
    pub(super) filter: OutcomeFilter,
}

impl fmt::Display for PageToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}{:08x}", self.before.0, self.filter.0)
    }
}

impl PageToken {
    /// Reads a token of an earlier page; none = the first page.
    pub(super) fn read(checks: &mut Checks, field: &str, token: &str, filter: OutcomeFilter) -> Option<ShareId> {
        if token.is_empty() {
            return None;
        }
        match Self::parse(token) {
            None => checks.refuse(field, "is of no earlier answer; send one unchanged, or none for the newest shares"),
            Some(token) if token.filter != filter => {
                checks.refuse(field, "belongs to other `outcomes`; repeat those of the first page, or send no token");
            }
            Some(token) => return Some(token.before),
        }
        None
    }

    fn parse(token: &str) -> Option<Self> {
        // Otherwise a sign would pass for a digit.
        let is_whole = token.len() == 24 && token.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        let (before, filter) = token.split_at_checked(16).filter(|_| is_whole)?;
        Some(Self {
            before: ShareId(u64::from_str_radix(before, 16).ok()?),
            filter: OutcomeFilter(u32::from_str_radix(filter, 16).ok()?),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rpc::check::fields;
    use mujina_core::share::{DropReason, RejectReason};
    use proptest::prelude::*;

    fn filter(outcomes: &[v1::ShareOutcome]) -> OutcomeFilter {
        let numbers: Vec<i32> = outcomes.iter().map(|&outcome| outcome.into()).collect();
        let mut checks = Checks::default();
        let filter = OutcomeFilter::read(&mut checks, "outcomes", &numbers);
        checks.done().unwrap();
        filter
    }

    #[test]
    fn filter_wants_what_it_names_and_an_empty_one_everything() {
        let some = filter(&[v1::ShareOutcome::Rejected, v1::ShareOutcome::Stale]);
        for (outcome, wanted) in [
            (ShareOutcome::Dropped(DropReason::Stale), true),
            (ShareOutcome::Dropped(DropReason::Duplicate), false),
            (ShareOutcome::Rejected(RejectReason::Other), true),
            (ShareOutcome::Pending, false),
            (ShareOutcome::Lost, false),
        ] {
            assert_eq!((some.wants(outcome), filter(&[]).wants(outcome)), (wanted, true), "{outcome:?}");
        }
    }

    #[test]
    fn every_unknown_outcome_is_named() {
        let mut checks = Checks::default();
        OutcomeFilter::read(&mut checks, "outcomes", &[8, 0, 77, -1]);
        assert_eq!(fields(&checks.done().unwrap_err()), ["outcomes[1]", "outcomes[2]", "outcomes[3]"]);
    }

    #[test]
    fn token_of_another_filter_or_of_nobody_is_refused() {
        let accepted = filter(&[v1::ShareOutcome::Accepted]);
        let token = PageToken { before: ShareId(9), filter: accepted }.to_string();
        for (token, filter) in [(token.as_str(), OutcomeFilter::ALL), ("+000000000000009ffffffff", OutcomeFilter::ALL)]
        {
            let mut checks = Checks::default();
            assert_eq!(PageToken::read(&mut checks, "page_token", token, filter), None);
            assert_eq!(fields(&checks.done().unwrap_err()), ["page_token"]);
        }
    }

    proptest! {
        #[test]
        fn token_survives_the_way_to_the_caller_and_back(before in any::<u64>(), bits in any::<u32>()) {
            let token = PageToken { before: ShareId(before), filter: OutcomeFilter(bits) };
            let mut checks = Checks::default();
            let read = PageToken::read(&mut checks, "page_token", &token.to_string(), token.filter);
            prop_assert_eq!((read, checks.done()), (Some(token.before), Ok(())));
        }

        #[test]
        fn garbage_is_no_token(token in "\\PC{1,40}") {
            prop_assume!(token.len() != 24 || !token.bytes().all(|byte| byte.is_ascii_hexdigit()));
            prop_assert_eq!(PageToken::parse(&token), None);
        }
    }
}
