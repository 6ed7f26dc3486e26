use super::*;
use crate::pool::backoff::Delays;
use std::time::Duration;

const POLICY: SourcePolicy = SourcePolicy {
    patience_failures: 3,
    patience_time: Duration::from_secs(60),
    return_after: Duration::from_secs(600),
    grace: Duration::from_secs(2),
    shun: Duration::from_secs(600),
    hard_target: Duration::from_secs(3600),
    hard_target_patience: Duration::from_secs(1800),
    quota_slice: Duration::from_secs(60),
    delays: Delays {
        first: Duration::from_secs(1),
        longest: Duration::from_secs(60),
        slow_first: Duration::from_secs(30),
        slow_longest: Duration::from_secs(300),
    },
};

struct World {
    pools: Vec<Candidate>,
    standing: Standing,
    now: Instant,
}

impl World {
    /// Pools of one failover group that have been wanted for ten seconds.
    fn of(pools: usize) -> Self {
        let now = Instant::now();
        let candidate = Candidate {
            group: 0,
            strategy: PoolStrategy::Failover,
            usable: false,
            fresh: true,
            failures: 0,
            parked: false,
            unusable_since: now,
            on_trial_until: None,
            shunned_until: None,
            turn: false,
        };
        Self { pools: vec![candidate; pools], standing: Standing::default(), now: now + Duration::from_secs(10) }
    }

    fn with(mut self, at: usize, change: impl FnOnce(&mut Candidate)) -> Self {
        change(&mut self.pools[at]);
        self
    }

    fn usable(self, at: usize) -> Self {
        self.with(at, |one| one.usable = true)
    }

    fn live(mut self, at: usize) -> Self {
        self.standing.live = Some(at);
        self.usable(at)
    }

    fn selector(&self) -> Selector<'_> {
        Selector { candidates: &self.pools, standing: self.standing, policy: &POLICY, now: self.now }
    }

    fn choice(&self) -> Option<usize> {
        self.selector().choice()
    }

    fn wanted(&self) -> Vec<usize> {
        self.selector().wanted().iter().enumerate().filter(|(_, wanted)| **wanted).map(|(at, _)| at).collect()
    }
}

#[test]
fn first_usable_pool_is_worked_for_and_the_next_stands_by() {
    let world = World::of(4).live(0).usable(1).usable(2);
    assert_eq!((world.choice(), world.wanted()), (Some(0), vec![0, 1]));
}

#[test]
fn one_pool_is_in_reserve_from_the_beginning() {
    assert_eq!(World::of(3).wanted(), [0, 1]);
    assert_eq!(World::of(1).wanted(), [0]);
    let none = World::of(0);
    assert_eq!((none.choice(), none.wanted(), none.selector().deadline()), (None, vec![], None));
}

// R5
#[test]
fn pool_that_had_its_chance_makes_room_for_the_next() {
    for change in [|one: &mut Candidate| one.failures = 3, |one: &mut Candidate| one.parked = true] {
        assert_eq!(World::of(4).with(0, change).wanted(), [0, 1, 2]);
    }
    assert_eq!(World::of(4).with(0, |one| one.failures = 2).wanted(), [0, 1]);
    let mut world = World::of(4);
    for pool in &mut world.pools[1..] {
        pool.unusable_since = world.now;
    }
    world.now = world.pools[0].unusable_since + POLICY.patience_time;
    assert_eq!(world.wanted(), [0, 1, 2]);
}

#[test]
fn reserve_that_does_not_come_up_is_replaced_by_the_next() {
    let world = World::of(4).live(0).with(1, |one| one.failures = 3);
    assert_eq!(world.wanted(), [0, 1, 2]);
}

// R5: no flapping
#[test]
fn work_returns_only_after_the_preferred_pool_has_held_a_job() {
    let mut world = World::of(3).live(1).usable(0);
    let until = world.now + POLICY.return_after;
    world.pools[0].on_trial_until = Some(until);
    assert_eq!(world.choice(), Some(1));
    assert_eq!(world.selector().deadline(), Some(world.pools[2].unusable_since + POLICY.patience_time));
    world.now = until;
    assert_eq!(world.choice(), Some(0));
}

#[test]
fn pool_on_trial_is_better_than_none_and_then_stays() {
    let mut world = World::of(2).usable(1);
    world.pools[1].on_trial_until = Some(world.now + POLICY.return_after);
    world.pools[0].fresh = false;
    assert_eq!(world.choice(), Some(1));
    world.standing.live = Some(1);
    assert_eq!(world.choice(), Some(1));
}

// A6
#[test]
fn pool_that_refuses_shares_is_passed_over_while_there_is_another() {
    let mut world = World::of(2).live(0).usable(1);
    world.pools[0].shunned_until = Some(world.now + POLICY.shun);
    assert_eq!(world.choice(), Some(1));
    let alone = World::of(1).live(0).with(0, |one| one.shunned_until = Some(one.unusable_since + POLICY.shun));
    assert_eq!(alone.choice(), Some(0));
}

#[test]
fn quicker_pool_waits_a_moment_for_the_preferred_one() {
    let mut world = World::of(2).usable(1);
    world.now = world.pools[0].unusable_since;
    assert_eq!(world.choice(), None);
    assert_eq!(world.selector().deadline(), Some(world.now + POLICY.grace));
    let failed = World { pools: world.pools.clone(), ..world }.with(0, |one| one.fresh = false);
    assert_eq!(failed.choice(), Some(1));
    let later = World::of(2).usable(1);
    assert_eq!(later.choice(), Some(1), "ten seconds are enough");
}

#[test]
fn pin_counts_more_than_order_trial_and_refusals() {
    let mut world = World::of(4).live(0).usable(1).usable(3);
    world.standing.pinned = Some(3);
    world.pools[3].on_trial_until = Some(world.now + POLICY.return_after);
    world.pools[3].shunned_until = Some(world.now + POLICY.shun);
    assert_eq!((world.choice(), world.wanted()), (Some(3), vec![0, 1, 3]));
    world.pools[3].usable = false;
    assert_eq!(world.choice(), Some(0));
    assert!(world.wanted().contains(&3));
}

#[test]
fn members_of_a_quota_group_are_wanted_together_and_take_turns() {
    let mut world = World::of(5);
    for (at, pool) in world.pools.iter_mut().enumerate() {
        pool.group = usize::from(at >= 3);
        pool.strategy = if at < 3 { PoolStrategy::Quota } else { PoolStrategy::Failover };
        pool.usable = at < 3;
    }
    world.pools[2].turn = true;
    assert_eq!((world.choice(), world.wanted()), (Some(2), vec![0, 1, 2]));
    world.pools[2].shunned_until = Some(world.now + POLICY.shun);
    assert_eq!(world.choice(), Some(0));
}

#[test]
fn later_quota_group_begins_only_when_earlier_pools_fail() {
    let mut world = World::of(4).live(0);
    for pool in &mut world.pools[1..] {
        (pool.group, pool.strategy) = (1, PoolStrategy::Quota);
    }
    assert_eq!(world.wanted(), [0, 1, 2, 3], "a group stands by as a whole");
    assert_eq!(world.choice(), Some(0));
}

#[test]
fn wish_is_open_while_a_preferred_pool_has_not_had_its_chance() {
    let world = World::of(2).live(1);
    assert!(world.selector().is_waiting());
    assert!(!World::of(2).live(1).with(0, |one| one.fresh = false).selector().is_waiting());
    assert!(!World::of(2).live(0).selector().is_waiting());
    assert!(World::of(2).selector().is_waiting());
}
