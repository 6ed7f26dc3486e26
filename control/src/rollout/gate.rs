//! Judges a wave by what was counted of it and of the targets that were not touched yet. Pure.
//!
//! Counts come from the collected share statistics, over two spans of each miner: *before* its wave, and *during* the soak.
//! They are looked at once, when the soak is over: whoever looks again and again finds chance sooner or later.
//!
//! **Rejects.** Fisher's exact test of two proportions, one-sided: given as many rejects among all judged shares of the wave
//! and of its reference, how likely does the wave get so many or more of them by chance? It fails when that is less likely
//! than 1 − confidence, against the untouched rest *and* against the wave's own time before: miners that always had more
//! rejects, and pools that refuse everybody today, are not the change's fault.
//!
//! **Hash rate.** Submitted work stands for hashes. Each miner's rate before, times its seconds of the soak, is the work Eᵢ
//! that was to be expected of it. The rest says by how much everybody's rate moved: ρ = ΣW / ΣE over the rest. The wave's
//! drop is 1 − ΣW / (ρ ΣE). Shares are found at random, so that a sum of n of the same work is known to 1/√n of it; hence
//! the error of the drop is ε² = Σ Eᵢ² (1/nᵢ + 1/bᵢ) / (ΣE)² + the same of the rest, where bᵢ are the shares before, and nᵢ
//! those that Eᵢ is worth at the work of a share during the soak. It fails when the drop exceeds `errors` · ε, 3 as a rule.
//! For a group of equal miners ε² is 1/n + 1/b with the shares of the whole group. Where the work of a share changes, few
//! great ones count for more: the variance of a sum is V = Σ w²/n over its buckets, bᵢ is W²/V, and a share is worth V/W.
//!
//! **Silence.** Error bars of few shares are wide, but a miner that hands in none at all is told sooner: with b shares in
//! the time t before, all b fall there and none into the soak s by chance (t / (t + ρs))ᵇ. It fails when that is less likely
//! than 1 in 1000 for any miner of the wave, unless as many of the rest fell silent. Where nothing is known of a miner's
//! time before, it is compared with the mean of the rest during the soak.
//!
//! Where too little was counted to tell, that is said, and it does not fail the wave. Where shares were due and the counts of
//! the soak were not collected from anybody, it fails.

mod fisher;
mod silence;

use super::Gates;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// What was counted of one miner over a span.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Counts {
    /// Time that the counts cover, with or without shares in it.
    pub span: Duration,
    /// Shares handed to pools.
    pub submitted: u64,
    /// Expected hashes of those.
    pub submitted_work: f64,
    /// The variance of that: the square of each bucket's work divided by its shares, summed.
    pub work_variance: f64,
    /// Of them, counted by the pools.
    pub accepted: u64,
    /// Of them, refused.
    pub rejected: u64,
}

impl Counts {
    /// Whether something can be expected by them.
    fn has_rate(&self) -> bool {
        self.submitted > 0 && self.submitted_work > 0.0 && self.work_variance > 0.0 && !self.span.is_zero()
    }

    /// What a share is worth, each by its own weight; 0 without shares.
    fn share(&self) -> f64 {
        if self.submitted_work > 0.0 { self.work_variance / self.submitted_work } else { 0.0 }
    }
}

/// What was counted of one miner.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Measured {
    /// Before its wave.
    pub before: Counts,
    /// During the soak.
    pub during: Counts,
    /// Whether it is known what happened during the soak, or at least at its begin.
    pub is_collected: bool,
}

/// What a gate found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// Which gate.
    pub gate: Gate,
    /// Whether the wave passes it.
    pub verdict: Verdict,
    /// The figures, for a person.
    pub detail: String,
}

/// What a wave must pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Gate {
    /// Everybody is back in sync and has had a share accepted.
    Targets,
    /// No fault is new.
    Faults,
    /// Not more rejects than chance gives.
    Rejects,
    /// The hash rate did not drop by more than its error bars.
    HashRate,
}

/// Whether a wave passes a gate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It does.
    Holds,
    /// It does not.
    Fails,
    /// Too little was counted; it passes.
    CannotTell,
}

/// Judges the counts of a wave by those of the untouched rest.
#[must_use]
pub fn judge(wave: &[Measured], rest: &[Measured], gates: &Gates) -> Vec<Finding> {
    let rejects = gates.reject_confidence.map(|confidence| reject_gate(wave, rest, confidence));
    let rates = gates.hash_rate_errors.map(|errors| rate_gate(wave, rest, errors, gates.least_drop));
    rejects.into_iter().chain(rates).collect()
}

/// Refused and judged shares.
#[derive(Clone, Copy)]
struct Rejects {
    refused: u64,
    judged: u64,
}

impl Rejects {
    fn of<'a>(counts: impl Iterator<Item = &'a Counts>) -> Self {
        let zero = Self { refused: 0, judged: 0 };
        counts.fold(zero, |sum, counts| Self {
            refused: sum.refused.saturating_add(counts.rejected),
            judged: sum.judged.saturating_add(counts.rejected).saturating_add(counts.accepted),
        })
    }

    fn percent(self) -> f64 {
        100.0 * float(self.refused) / float(self.judged).max(1.0)
    }

    /// How likely chance alone gives the wave as many or more, compared with `reference`; `None` without shares there.
    fn chance(self, reference: Self) -> Option<f64> {
        (reference.judged > 0).then(|| fisher::at_least(self.refused, self.judged, reference.refused, reference.judged))
    }
}

fn reject_gate(wave: &[Measured], rest: &[Measured], confidence: f64) -> Finding {
    let mine = Rejects::of(wave.iter().map(|one| &one.during));
    let references = [
        ("of the rest", Rejects::of(rest.iter().map(|one| &one.during))),
        ("before", Rejects::of(wave.iter().map(|one| &one.before))),
    ];
    let compared: Vec<_> =
        references.iter().filter_map(|(what, other)| Some((what, other, mine.chance(*other)?))).collect();
    let verdict = match () {
        () if mine.judged == 0 || compared.is_empty() => Verdict::CannotTell,
        () if compared.iter().all(|(.., chance)| *chance < 1.0 - confidence) => Verdict::Fails,
        () => Verdict::Holds,
    };
    let mut detail = format!("{:.2}% of {} shares rejected", mine.percent(), mine.judged);
    for (what, other, chance) in compared {
        detail += &format!("; {:.2}% of {} {what} (chance {chance:.1e})", other.percent(), other.judged);
    }
    Finding { gate: Gate::Rejects, verdict, detail }
}

/// Work of a group, against what was to be expected of it.
#[derive(Default)]
struct Group {
    expected: f64,
    found: f64,
    /// Variance of `found`, and of `expected`, by the shares that they rest on.
    variance: f64,
    shares: u64,
}

impl Group {
    /// Miners of which nothing is known from before count for nothing: nothing can be expected of them.
    fn of(miners: &[Measured]) -> Self {
        let mut group = Self::default();
        for Measured { before, during, is_collected: _ } in miners {
            let (known, seconds) = (before.span.as_secs_f64(), during.span.as_secs_f64());
            if !before.has_rate() || seconds <= 0.0 {
                continue;
            }
            let expected = before.submitted_work / known * seconds;
            // Without a share during the soak, one is taken to be worth what it was before.
            let share = if during.share() > 0.0 { during.share() } else { before.share() };
            group.expected += expected;
            group.found += during.submitted_work;
            group.variance +=
                expected * share + expected.powi(2) * before.work_variance / before.submitted_work.powi(2);
            group.shares = group.shares.saturating_add(during.submitted);
        }
        group
    }

    /// What was found of what was expected, and the square of its relative error; `None` when there is nothing to tell.
    fn ratio(&self) -> Option<(f64, f64)> {
        (self.expected > 0.0).then(|| (self.found / self.expected, self.variance / self.expected.powi(2)))
    }
}

fn rate_gate(wave: &[Measured], rest: &[Measured], errors: f64, least_drop: f64) -> Finding {
    let (group, reference) = (Group::of(wave), Group::of(rest));
    // A rest that stands still says nothing of how miners do today.
    let (moved, rest_error) = reference.ratio().filter(|(ratio, _)| *ratio > 0.0).unwrap_or((1.0, 0.0));
    let found = |verdict, detail| Finding { gate: Gate::HashRate, verdict, detail };
    let mut due = wave.iter().filter(|one| one.before.has_rate()).peekable();
    if due.peek().is_some() && due.all(|one| !one.is_collected) {
        let detail = "hash rate unknown: no statistics of the soak were collected; see the connections and the clocks";
        return found(Verdict::Fails, detail.into());
    }
    if let Some(detail) = silence::found(wave, rest, moved) {
        return found(Verdict::Fails, detail);
    }
    let Some((ratio, error)) = group.ratio() else {
        return found(Verdict::CannotTell, "no shares of before to compare with".into());
    };
    let drop = 1.0 - ratio / moved;
    let bar = errors * (error + rest_error).sqrt();
    let verdict = match () {
        () if drop > bar.max(least_drop) => Verdict::Fails,
        // Not even standing still would show.
        () if bar >= 1.0 => Verdict::CannotTell,
        () => Verdict::Holds,
    };
    let detail = format!(
        "hash rate {:+.2}% ± {:.2}% ({errors} standard errors) from {} shares, against {:+.2}% of the rest from {}",
        -100.0 * drop,
        100.0 * bar,
        group.shares,
        100.0 * (moved - 1.0),
        reference.shares,
    );
    found(verdict, detail)
}

#[expect(clippy::cast_precision_loss, reason = "counts beyond 2^53 do not occur, and statistics bear the rounding")]
fn float(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests;
