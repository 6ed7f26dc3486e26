//! Spreads switches of power over time, so that a site's supply sees a ramp and not a step. Pure.
//!
//! Pausing or resuming a miner moves its whole draw at once. What a ramp limits is the sum of those moves: in no span of one
//! second, wherever it begins, do more watts switch than the budget per second allows. Measured from decision to decision;
//! what a miner takes to obey comes on top. Times are those that passed since the ramp began, by a clock that nobody sets.

use mujina_core::{id::MinerName, units::Watts};
use serde::{Deserialize, Serialize};
use std::{collections::VecDeque, time::Duration};

/// The span that a budget is for.
const SECOND: Duration = Duration::from_secs(1);

/// Miners that wait to be switched, and what was switched within the last second.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ramp {
    /// Milliwatts in any second: whole numbers, so that nothing is lost in sums.
    budget: u64,
    waiting: VecDeque<(MinerName, u64)>,
    recent: VecDeque<(Duration, u64)>,
    /// Newest time that was told; an earlier one does not bring a budget back.
    latest: Duration,
}

/// Why switches cannot be spread so.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum RampError {
    /// No budget at all.
    #[error("a ramp of no watts per second never ends; give a positive rate, for example 5 kW/s")]
    NoBudget,
    /// The switch of one miner alone is more than the budget.
    #[error(
        "miner {miner} alone switches {watts} W, more than the {budget} W that may switch in a second; raise the ramp, or switch this miner by itself"
    )]
    TooBig {
        /// Which.
        miner: MinerName,
        /// Its draw.
        watts: f64,
        /// The budget.
        budget: f64,
    },
}

/// What to do now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Switching {
    /// Switch these.
    pub now: Vec<MinerName>,
    /// Then ask again at this time; `None` when nobody is left.
    pub next: Option<Duration>,
}

impl Ramp {
    /// A ramp over `miners` in this order, each with the power that switching it moves; `budget` is per second.
    ///
    /// # Errors
    /// See [`RampError`].
    pub fn new(miners: &[(MinerName, Watts)], budget: Watts) -> Result<Self, RampError> {
        let allowed = milliwatts(budget.watts(), f64::floor);
        if allowed == 0 {
            return Err(RampError::NoBudget);
        }
        let mut waiting = VecDeque::new();
        for (miner, power) in miners {
            let moved = milliwatts(power.watts(), f64::ceil);
            if moved > allowed {
                let (miner, watts, budget) = (miner.clone(), power.watts(), budget.watts());
                return Err(RampError::TooBig { miner, watts, budget });
            }
            waiting.push_back((miner.clone(), moved));
        }
        Ok(Self { budget: allowed, waiting, recent: VecDeque::new(), latest: Duration::ZERO })
    }

    /// One more waits, behind all others but those that it goes before, which are the last; whether it is the first now.
    /// Of unknown power, or of more than the budget, it has a second for itself.
    pub fn join(&mut self, miner: MinerName, power: Option<Watts>, goes_before: impl Fn(&MinerName) -> bool) -> bool {
        let moved = power.map_or(self.budget, |power| milliwatts(power.watts(), f64::ceil).min(self.budget));
        let place = self.waiting.partition_point(|(other, _)| !goes_before(other));
        self.waiting.insert(place, (miner, moved));
        place == 0
    }

    /// Lets go of those that wait no more.
    pub fn keep(&mut self, waits: impl Fn(&MinerName) -> bool) {
        self.waiting.retain(|(miner, _)| waits(miner));
    }

    /// Whom to switch when `now` has passed since the begin. Whoever is named counts as switched: write the ramp down before switching, so that a
    /// restart neither switches twice nor too much.
    pub fn step(&mut self, now: Duration) -> Switching {
        let now = self.latest.max(now);
        self.latest = now;
        self.recent.retain(|(at, _)| *at + SECOND > now);
        let mut used: u64 = self.recent.iter().map(|(_, moved)| *moved).fold(0, u64::saturating_add);
        let mut switched = Vec::new();
        while let Some((miner, moved)) =
            self.waiting.pop_front_if(|(_, moved)| used.saturating_add(*moved) <= self.budget)
        {
            used = used.saturating_add(moved);
            if moved > 0 {
                self.recent.push_back((now, moved));
            }
            switched.push(miner);
        }
        Switching { now: switched, next: self.next() }
    }

    /// When enough of the last second's switches are over for the first that waits.
    fn next(&self) -> Option<Duration> {
        let (_, moved) = self.waiting.front()?;
        let mut used: u64 = self.recent.iter().map(|(_, moved)| *moved).fold(0, u64::saturating_add);
        for (at, over) in &self.recent {
            used = used.saturating_sub(*over);
            if used.saturating_add(*moved) <= self.budget {
                return Some(*at + SECOND);
            }
        }
        Some(self.latest)
    }

    /// Miners that still wait.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// When each miner is switched if every step comes on time, counted from the first: the preview.
    #[must_use]
    pub fn preview(&self) -> Vec<(Duration, MinerName)> {
        let mut ramp = self.clone();
        let begin = ramp.latest;
        let mut plan = Vec::new();
        let mut at = Some(begin);
        while let Some(now) = at {
            let Switching { now: switched, next } = ramp.step(now);
            let after = now.saturating_sub(begin);
            plan.extend(switched.into_iter().map(|miner| (after, miner)));
            at = next;
        }
        plan
    }
}

/// Whole milliwatts; more than a number holds is all of it.
fn milliwatts(watts: f64, round: impl Fn(f64) -> f64) -> u64 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "`as` saturates, and no power is negative"
    )]
    let milliwatts = round(watts * 1000.0).max(0.0) as u64;
    milliwatts
}

#[cfg(test)]
mod tests;
