//! Miners that hand in no share at all where some were due. Pure.

use super::{Measured, float};

/// How likely chance may be for silence to be none.
const CHANCE: f64 = 0.001;

/// What is to be said of the silence of a wave; `None` when it is none, or may be chance. `moved` is by how much everybody's
/// rate is greater than before.
pub(super) fn found(wave: &[Measured], rest: &[Measured], moved: f64) -> Option<String> {
    let usual = Usual::of(rest);
    // With so many looks, one of them finds chance sooner.
    let fell_silent = |group: &[Measured]| {
        let least = (CHANCE / float(group.len().try_into().unwrap_or(u64::MAX)).max(1.0)).ln();
        group.iter().filter(|one| usual.log_chance(one, moved) < least).count()
    };
    let (mine, others) = (fell_silent(wave), fell_silent(rest));
    let is_whole = wave.iter().all(|one| one.during.submitted == 0);
    let is_general = others > 0 && others.saturating_mul(wave.len()) >= mine.saturating_mul(rest.len());
    (mine > 0 && (is_whole || !is_general))
        .then(|| format!("hash rate: {mine} of {} miners handed in no share during the soak", wave.len()))
}

/// What the rest handed in during the soak.
struct Usual {
    shares: u64,
    seconds: f64,
}

impl Usual {
    fn of(rest: &[Measured]) -> Self {
        rest.iter().fold(Self { shares: 0, seconds: 0.0 }, |sum, one| Self {
            shares: sum.shares.saturating_add(one.during.submitted),
            seconds: sum.seconds + one.during.span.as_secs_f64(),
        })
    }

    /// Logarithm of the chance that a miner hands in nothing; 0 where it did, or where nothing was due.
    fn log_chance(&self, one: &Measured, moved: f64) -> f64 {
        let seconds = one.during.span.as_secs_f64();
        if one.during.submitted > 0 || seconds <= 0.0 {
            return 0.0;
        }
        if one.before.span.is_zero() {
            return log_none(self.shares, self.seconds, seconds);
        }
        log_none(one.before.submitted, one.before.span.as_secs_f64(), seconds * moved)
    }
}

/// Logarithm of the chance that of so many shares all fall into the first of two spans.
fn log_none(shares: u64, first: f64, second: f64) -> f64 {
    if shares == 0 || first <= 0.0 { 0.0 } else { float(shares) * (first / (first + second)).ln() }
}
