//! What the content of a call needs, where its name alone does not say. Pure.

use super::{Permission, payout::PayoutGuard};
use crate::operation::{Action, TestedPool};
use mujina_core::spec::SpecChange;
use std::collections::BTreeSet;

/// Fields of a board that keep it from harm rather than say what it should do, as they begin in a path.
const LIMITS: [&str; 3] = ["].soft_limits", "].hard_limits", "].fan_target"];

/// All that a change of a spec may need.
pub const OF_SPECS: [Permission; 5] =
    [Permission::Pools, Permission::AnyPool, Permission::Pause, Permission::Power, Permission::Limits];

/// What the changes of a spec need: each part that changes, and only those, so that whoever may pause may also write a whole
/// spec in which nothing else is new.
#[must_use]
pub fn of_changes(changes: &[SpecChange], guard: &PayoutGuard) -> BTreeSet<Permission> {
    let pools = if guard.is_on() { Permission::Pools } else { Permission::AnyPool };
    let needs = |change: &SpecChange| match change.path.split(['.', '[']).next() {
        Some("pool_groups") => pools,
        Some("paused") => Permission::Pause,
        Some("boards") if LIMITS.iter().any(|field| change.path.contains(field)) => Permission::Limits,
        Some("boards") => Permission::Power,
        // A part that is newer than this table is for admins.
        _ => Permission::ManageAccess,
    };
    changes.iter().map(needs).collect()
}

/// What an operation needs of each of its targets.
#[must_use]
pub fn of_action(action: &Action) -> Permission {
    match action {
        Action::Reconnect { .. } => Permission::Reconnect,
        Action::Pause { .. } | Action::Resume => Permission::Pause,
        Action::Restart { .. } => Permission::Restart,
        Action::SelfTest { .. } => Permission::SelfTest,
        Action::TestPool(TestedPool::All | TestedPool::Named(_)) => Permission::Pools,
        // It makes a miner connect to wherever the caller says.
        Action::TestPool(TestedPool::Url { .. }) => Permission::AnyPool,
        Action::CollectBundle => Permission::Read,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mujina_core::{
        pool::PoolStrategy,
        spec::{BoardTuningDraft, GroupDraft, MinerSpec, PoolDraft, SpecDraft, TuningModeDraft},
    };

    /// What it takes to come from a miner that is not set up to this spec.
    fn needs(draft: SpecDraft, guard: &PayoutGuard) -> BTreeSet<Permission> {
        of_changes(&MinerSpec::default().diff(&draft.check(None).unwrap()), guard)
    }

    fn pools() -> SpecDraft {
        let (url, user) = ("stratum+tcp://pool.example".into(), "a".into());
        let pool = PoolDraft { name: "a".into(), url, user, ..PoolDraft::default() };
        let group = GroupDraft { name: "main".into(), strategy: Some(PoolStrategy::Failover), pools: vec![pool] };
        SpecDraft { pool_groups: vec![group], ..SpecDraft::default() }
    }

    #[test]
    fn each_part_of_a_spec_needs_its_own_permission() {
        let paused = SpecDraft { paused: true, ..SpecDraft::default() };
        let board = |tuning| SpecDraft { boards: [("bitaxe".into(), tuning)].into(), ..SpecDraft::default() };
        let slower = BoardTuningDraft { mode: TuningModeDraft::Power(10.0), ..BoardTuningDraft::default() };
        let hotter = BoardTuningDraft { fan_target: Some(60.0), ..BoardTuningDraft::default() };
        let on = PayoutGuard::On(Vec::new());
        assert_eq!(needs(SpecDraft::default(), &on), BTreeSet::new());
        assert_eq!(needs(paused, &on), BTreeSet::from([Permission::Pause]));
        assert_eq!(needs(board(slower), &on), BTreeSet::from([Permission::Power]));
        assert!(needs(board(hotter), &on).contains(&Permission::Limits));
        assert_eq!(needs(pools(), &on), BTreeSet::from([Permission::Pools]));
        assert_eq!(needs(pools(), &PayoutGuard::Off), BTreeSet::from([Permission::AnyPool]));
        let all = SpecDraft { paused: true, ..pools() };
        assert_eq!(needs(all, &on), BTreeSet::from([Permission::Pools, Permission::Pause]));
    }

    #[test]
    fn part_that_the_table_does_not_know_is_for_admins() {
        let change = SpecChange { path: "firmware.url".into(), before: String::new(), after: "x".into() };
        let needs = of_changes(&[change], &PayoutGuard::Off);
        assert!(needs.iter().all(|one| crate::access::Role::with_any_of(&[*one]) == [crate::access::Role::Admin]));
        assert_eq!(needs.len(), 1);
    }
}
