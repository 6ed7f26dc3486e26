//! Fisher's exact test of two proportions, one-sided. Pure.

use super::float;

/// The probability that, of `hits + other_hits` hits spread at random over `draws + other_draws` draws, at least `hits` fall
/// into the first `draws`. 1 when the counts are no counts of hits among draws.
pub(super) fn at_least(hits: u64, draws: u64, other_hits: u64, other_draws: u64) -> f64 {
    if hits == 0 || hits > draws || other_hits > other_draws {
        return 1.0;
    }
    let is_above_mean = float(hits) * float(other_draws) > float(other_hits) * float(draws);
    if is_above_mean {
        return tail(hits, draws, other_hits, other_draws);
    }
    // Else the rest: one hit fewer here is at least one more there.
    if other_hits == other_draws { 1.0 } else { 1.0 - tail(other_hits + 1, other_draws, hits - 1, draws) }
}

/// The same from above the mean, from where the terms only shrink.
fn tail(hits: u64, draws: u64, other_hits: u64, other_draws: u64) -> f64 {
    let (all_hits, all) = (hits.saturating_add(other_hits), draws.saturating_add(other_draws));
    // P(k) = C(draws, k) C(other, hits − k) / C(all, hits); from k to k + 1 it changes by a fraction.
    let first = ln_choose(draws, hits) + ln_choose(other_draws, other_hits) - ln_choose(all, all_hits);
    let (mut term, mut sum) = (first.exp(), 0.0);
    for k in hits..=draws.min(all_hits) {
        sum += term;
        let rest = other_draws.saturating_sub(all_hits.saturating_sub(k));
        term *= float(all_hits - k) * float(draws - k) / (float(k + 1) * float(rest + 1));
        if term < sum * 1e-12 {
            break;
        }
    }
    sum.min(1.0)
}

fn ln_choose(n: u64, k: u64) -> f64 {
    ln_factorial(n) - ln_factorial(k) - ln_factorial(n.saturating_sub(k))
}

/// Natural logarithm of n!: summed where that is quick, else by Stirling's series, which is good to 1e-12 there.
fn ln_factorial(n: u64) -> f64 {
    if n < 32 {
        return (2..=n).map(|k| float(k).ln()).sum();
    }
    let n = float(n);
    let series = 1.0 / (12.0 * n) - 1.0 / (360.0 * n.powi(3)) + 1.0 / (1260.0 * n.powi(5));
    n * n.ln() - n + 0.5 * (2.0 * std::f64::consts::PI * n).ln() + series
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tails_are_those_of_counting_by_hand() {
        for (hits, draws, other_hits, other_draws, expected) in [
            // The tea: all four of four found, one way in 70; three or more, 17 in 70.
            (4, 4, 0, 4, 1.0 / 70.0),
            (3, 4, 1, 4, 17.0 / 70.0),
            // One hit somewhere among 1003 draws falls into the first three.
            (1, 3, 0, 1000, 3.0 / 1003.0),
            (0, 5, 3, 5, 1.0),
            (2, 2, 0, 1, 1.0 / 3.0),
            // Below the mean: all but the ways in which none or one of four falls there.
            (2, 4, 2, 4, 53.0 / 70.0),
            (1, 4, 3, 4, 69.0 / 70.0),
            (2, 4, 1, 1, 1.0),
        ] {
            let found = at_least(hits, draws, other_hits, other_draws);
            assert!((found / expected - 1.0).abs() < 1e-9, "{hits}/{draws} {other_hits}/{other_draws}: {found}");
        }
    }

    #[test]
    fn big_counts_agree_with_the_normal_curve() {
        // 2 % of 100,000 against 1.9 % of a million: z = 2.17 with the usual correction, one-sided 0.0150.
        let found = at_least(2000, 100_000, 19_000, 1_000_000);
        assert!((0.0140..0.0160).contains(&found), "{found}");
        let sure = at_least(3000, 100_000, 19_000, 1_000_000);
        assert!(sure < 1e-80, "{sure}");
        assert!(at_least(444, 2279, 1061, 1061) > 0.999_999);
        assert!((at_least(1900, 100_000, 19_000, 1_000_000) - 0.5).abs() < 0.02);
    }

    #[test]
    fn nonsense_is_no_evidence() {
        for (hits, draws, other_hits, other_draws) in [(5, 3, 0, 1), (1, 1, 9, 3), (0, 0, 0, 0)] {
            assert!(at_least(hits, draws, other_hits, other_draws) >= 1.0);
        }
    }
}
