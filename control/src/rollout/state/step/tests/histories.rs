//! Random histories: miners of all kinds, people who change their minds or set the clock, and a process that is killed at any
//! point.

use super::*;
use crate::rollout::Strategy;
use proptest::{prelude::*, strategy::Strategy as _};

/// What happens at a step besides the time that passes.
#[derive(Debug, Clone, Copy)]
enum Happening {
    Nothing,
    /// Killed after so many of the actions, before their results were written down.
    Killed(usize),
    /// Killed before the step itself was written down: nothing was done yet.
    Forgotten,
    Pause,
    Resume,
    AcceptWave,
    Abort,
    RollBack,
}

fn happenings() -> impl proptest::strategy::Strategy<Value = Happening> {
    prop_oneof![
        30 => Just(Happening::Nothing),
        10 => (0..4_usize).prop_map(Happening::Killed),
        5 => Just(Happening::Forgotten),
        2 => Just(Happening::Pause),
        4 => Just(Happening::Resume),
        1 => Just(Happening::AcceptWave),
        1 => Just(Happening::Abort),
        1 => Just(Happening::RollBack),
    ]
}

fn kinds() -> impl proptest::strategy::Strategy<Value = Vec<Kind>> {
    let kind = prop_oneof![3 => Just(Kind::Good), 1 => prop::sample::select(&Kind::ALL[..])];
    prop::collection::vec(kind, 1..10)
}

fn strategies() -> impl proptest::strategy::Strategy<Value = Strategy> {
    let failure = prop::sample::select(&[OnFailure::Pause, OnFailure::Abort, OnFailure::RollBack][..]);
    (1..4_u32, 1..4_u32, 0..3_u32, failure, any::<bool>()).prop_map(|(first, most, may_fail, on_failure, counted)| {
        Strategy {
            waves: vec![Size::Count(first), Size::Percent(50)],
            max_unavailable: Size::Count(most),
            max_failed: may_fail,
            on_failure,
            gates: if counted { Gates::default() } else { Gates::without_hashing() },
            ..strategy()
        }
    })
}

/// Seconds until the next step. Somebody may set the clock meanwhile.
fn pauses() -> impl proptest::strategy::Strategy<Value = i64> {
    prop_oneof![20 => 1..90_i64, 1 => -3600..0_i64, 1 => 90..1_000_000_i64]
}

fn written_down(rollout: &Rollout) -> Rollout {
    serde_json::from_str(&serde_json::to_string(rollout).unwrap()).unwrap()
}

impl World {
    /// A step of a process that writes the rollout down before it acts and after each result.
    fn step(&mut self, happening: Happening) {
        let now = self.now;
        // Most are refused most of the time.
        let _ = match happening {
            Happening::Pause => self.rollout.pause("by hand"),
            Happening::Resume => self.rollout.resume(now),
            Happening::AcceptWave => self.rollout.accept_wave(now),
            Happening::Abort => self.rollout.abort("by hand"),
            Happening::RollBack => self.rollout.roll_back("by hand"),
            Happening::Nothing | Happening::Killed(_) | Happening::Forgotten => Ok(()),
        };
        self.stranger_writes();
        let mut rollout = written_down(&self.rollout);
        let actions = rollout.step(now, &self.seen(), None);
        if matches!(happening, Happening::Forgotten) {
            return;
        }
        self.note_orders(&rollout);
        self.rollout = written_down(&rollout);
        for (done, action) in actions.iter().enumerate() {
            self.perform(action, &mut rollout);
            if matches!(happening, Happening::Killed(after) if done >= after) {
                // The last result is lost.
                return;
            }
            self.rollout = written_down(&rollout);
        }
    }

    fn check(&self) -> Result<(), TestCaseError> {
        let most = self.rollout.course.strategy.max_unavailable.of(self.miners.len());
        prop_assert!(self.rollout.count(&IN_FLIGHT) <= most);
        for miner in self.miners.values() {
            prop_assert!(miner.applied <= 1 && miner.reverted <= 1, "{:?}", miner);
        }
        // Nobody of a later wave is touched before the earlier ones are through.
        let touched = |name: &MinerName| self.rollout.targets[name].phase != Phase::Waiting;
        for (wave, names) in self.rollout.course.waves.iter().enumerate() {
            prop_assert!(wave <= self.rollout.course.wave || !names.iter().any(touched));
        }
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn whatever_happens_nothing_is_done_twice_and_the_end_is_one_that_was_asked_for(
        kinds in kinds(), strategy in strategies(), history in prop::collection::vec((happenings(), pauses()), 0..80),
    ) {
        let mut world = World::new(&kinds, strategy);
        for (happening, seconds) in history {
            world.step(happening);
            world.check()?;
            let by = Duration::from_secs(seconds.unsigned_abs());
            world.now = if seconds < 0 { world.now - by } else { world.now + by };
        }
        world.run();
        world.check()?;
        let outcome = match &world.rollout.course.status {
            Status::Finished { outcome, .. } => Some(outcome),
            _ => None,
        };
        for (name, target) in &world.rollout.targets {
            let miner = &world.miners[name];
            prop_assert_eq!(miner.applied == 1, target.applied.is_some(), "{} {:?}", name, target);
            match target.phase {
                Phase::Proved => {
                    // Whoever writes after the end is nobody's business any more.
                    let is_so = miner.is_new() || miner.spec == world::STRANGE;
                    prop_assert!(is_so && !matches!(outcome, Some(Outcome::RolledBack(_))));
                }
                Phase::Reverted | Phase::RevertFailed => prop_assert!(!miner.is_new() && miner.reverted == 1),
                Phase::Superseded => prop_assert_eq!(miner.spec, world::STRANGE),
                Phase::Waiting => prop_assert!(miner.applied == 0 && outcome != Some(&Outcome::Succeeded)),
                other => prop_assert!(false, "{name} ended {other:?}"),
            }
        }
    }

    #[test]
    fn being_killed_at_every_step_changes_nothing_of_the_end(
        // Nobody may stop the rollout, or the end would depend on who was on his way just then.
        kinds in prop::collection::vec(prop::sample::select(&Kind::ALL[..5]), 1..8),
        strategy in strategies().prop_map(|strategy| Strategy { max_failed: 8, ..strategy }),
        kills in prop::collection::vec(0..5_usize, 1..20),
    ) {
        let (mut calm, mut killed) = (World::new(&kinds, strategy.clone()), World::new(&kinds, strategy));
        calm.run();
        for after in kills.iter().cycle().take(150) {
            killed.step(Happening::Forgotten);
            killed.step(Happening::Killed(*after));
            killed.check()?;
            killed.now += Duration::from_secs(7);
        }
        killed.run();
        let end = |world: &World| {
            let targets = world.rollout.targets.values();
            let phases: Vec<_> = targets.map(|target| (target.phase, target.failure.is_some())).collect();
            let specs: Vec<_> = world.miners.values().map(|miner| (miner.spec, miner.applied, miner.reverted)).collect();
            (world.rollout.course.status.name(), world.rollout.course.wave, phases, specs)
        };
        prop_assert_eq!(end(&calm), end(&killed));
    }
}
