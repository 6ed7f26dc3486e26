use super::*;
use proptest::{prelude::*, test_runner::TestRng};

/// Counts of a miner that does `rate` hashes per second in shares of `share` hashes each.
fn counts(seconds: u64, submitted: u64, share: f64, rejected: u64) -> Counts {
    Counts {
        span: Duration::from_secs(seconds),
        submitted,
        submitted_work: float(submitted) * share,
        work_variance: float(submitted) * share * share,
        accepted: submitted - rejected,
        rejected,
    }
}

fn measured(before: (u64, u64), during: (u64, u64)) -> Measured {
    let (before, during) = (counts(3600, before.0, 1e9, before.1), counts(600, during.0, 1e9, during.1));
    Measured { before, during, is_collected: true }
}

fn verdict(wave: &[Measured], rest: &[Measured], gate: Gate) -> Verdict {
    let findings = judge(wave, rest, &Gates::default());
    findings.iter().find(|finding| finding.gate == gate).unwrap().verdict
}

#[test]
fn one_reject_among_few_shares_is_chance_and_many_are_not() {
    let rest = [measured((6000, 10), (1000, 2)); 10];
    for (during, expected) in [
        ((3, 1), Verdict::Holds),
        ((1000, 4), Verdict::Holds),
        ((1000, 40), Verdict::Fails),
        ((20, 20), Verdict::Fails),
        ((0, 0), Verdict::CannotTell),
    ] {
        assert_eq!(verdict(&[measured((6000, 10), during)], &rest, Gate::Rejects), expected, "{during:?}");
    }
}

#[test]
fn rejects_that_the_rest_or_the_time_before_had_as_well_are_not_the_changes_fault() {
    // The pool refuses everybody today.
    let rest = [measured((6000, 10), (1000, 300)); 10];
    assert_eq!(verdict(&[measured((6000, 10), (1000, 310))], &rest, Gate::Rejects), Verdict::Holds);
    // These miners always had more.
    let rest = [measured((6000, 10), (1000, 2)); 10];
    assert_eq!(verdict(&[measured((6000, 240), (1000, 41))], &rest, Gate::Rejects), Verdict::Holds);
    // In the last wave there is no rest.
    assert_eq!(verdict(&[measured((6000, 10), (1000, 40))], &[], Gate::Rejects), Verdict::Fails);
    assert_eq!(verdict(&[measured((0, 0), (1000, 40))], &[], Gate::Rejects), Verdict::CannotTell);
}

#[test]
fn drop_of_the_hash_rate_fails_beyond_three_standard_errors() {
    // 10 miners: 60,000 shares before, 10,000 to be expected: one standard error is √(1/10,000 + 1/60,000) = 1.08 %.
    let rest = [measured((1_000_000, 0), (166_667, 0)); 100];
    for (shares, expected) in
        [(1000, Verdict::Holds), (970, Verdict::Holds), (960, Verdict::Fails), (1400, Verdict::Holds)]
    {
        assert_eq!(verdict(&[measured((6000, 0), (shares, 0)); 10], &rest, Gate::HashRate), expected, "{shares}");
    }
    let finding = &judge(&[measured((6000, 0), (1000, 0)); 10], &[], &Gates::default())[1];
    assert!(finding.detail.contains("± 3.24% (3 standard errors)"), "{}", finding.detail);
}

#[test]
fn drop_that_everybody_shares_is_not_the_changes_fault_and_one_that_only_the_rest_avoids_is() {
    let cold = [measured((60_000, 0), (8000, 0)); 10];
    assert_eq!(verdict(&[measured((60_000, 0), (8000, 0)); 10], &cold, Gate::HashRate), Verdict::Holds);
    let faster = [measured((60_000, 0), (11_500, 0)); 10];
    assert_eq!(verdict(&[measured((60_000, 0), (10_000, 0)); 10], &faster, Gate::HashRate), Verdict::Fails);
}

#[test]
fn standing_still_fails_where_shares_were_due_and_cannot_be_told_where_they_were_not() {
    assert_eq!(verdict(&[measured((600, 0), (0, 0))], &[], Gate::HashRate), Verdict::Fails);
    assert_eq!(verdict(&[measured((12, 0), (0, 0))], &[], Gate::HashRate), Verdict::CannotTell);
    assert_eq!(verdict(&[measured((0, 0), (100, 0))], &[], Gate::HashRate), Verdict::CannotTell);
    assert_eq!(verdict(&[], &[], Gate::HashRate), Verdict::CannotTell);
}

#[test]
fn miner_that_falls_silent_fails_the_wave_unless_chance_or_the_rest_explain_it() {
    let (busy, slow, silent) = (measured((60, 0), (10, 0)), measured((60, 0), (9, 0)), measured((60, 0), (0, 0)));
    let mut wave = [busy; 10];
    assert_eq!(verdict(&wave, &[busy; 10], Gate::HashRate), Verdict::Holds);
    // A tenth less is within the error bars; one that was due ten shares and found none is not.
    wave[3] = silent;
    let finding = &judge(&wave, &[busy; 10], &Gates::default())[1];
    assert_eq!(finding.verdict, Verdict::Fails);
    assert_eq!(finding.detail, "hash rate: 1 of 10 miners handed in no share during the soak");
    assert_eq!(verdict(&wave, &[busy, silent, slow], Gate::HashRate), Verdict::Holds, "the rest falls silent as well");
    // Five due shares are too few to tell, by its own time before and by that of others.
    assert_eq!(verdict(&[measured((30, 0), (0, 0))], &[busy; 10], Gate::HashRate), Verdict::CannotTell);
    let new = |during| Measured { before: Counts::default(), ..measured((0, 0), (during, 0)) };
    assert_eq!(verdict(&[new(0)], &[new(5); 20], Gate::HashRate), Verdict::CannotTell);
    assert_eq!(verdict(&[new(0)], &[new(10); 20], Gate::HashRate), Verdict::Fails);
    // One that was idle before may stay so.
    assert_eq!(verdict(&[measured((0, 0), (0, 0))], &[busy; 10], Gate::HashRate), Verdict::CannotTell);
}

#[test]
fn soak_of_which_nothing_was_collected_is_not_passed_where_shares_were_due() {
    let unknown = |before| Measured { during: Counts::default(), is_collected: false, ..measured((before, 0), (0, 0)) };
    assert_eq!(verdict(&[unknown(600)], &[measured((600, 0), (100, 0))], Gate::HashRate), Verdict::Fails);
    assert_eq!(verdict(&[unknown(0)], &[measured((600, 0), (100, 0))], Gate::HashRate), Verdict::CannotTell);
    // One that is away does not speak for the others.
    assert_eq!(verdict(&[unknown(600), measured((600, 0), (100, 0))], &[], Gate::HashRate), Verdict::Holds);
}

#[test]
fn certain_but_tiny_drop_does_not_fail_and_difficulty_of_the_new_pool_does_not_matter() {
    let huge = Measured {
        before: counts(3600, 60_000_000, 1e9, 0),
        // 0.5 % less, some 15 standard errors.
        during: counts(600, 9_950_000, 1e9, 0),
        is_collected: true,
    };
    assert_eq!(verdict(&[huge], &[], Gate::HashRate), Verdict::Holds);
    let (before, during) = (counts(3600, 6000, 1e9, 0), counts(600, 10, 1e11, 0));
    let harder = Measured { before, during, is_collected: true };
    assert_eq!(verdict(&[harder], &[], Gate::HashRate), Verdict::Holds);
}

#[test]
fn few_great_shares_among_many_small_ones_widen_the_error_bars() {
    // Half of the work before in 3000 shares, half of it in 30 that are worth a hundred each.
    let mixed = Counts { submitted: 3030, work_variance: 3000.0 * 1e18 + 30.0 * 1e22, ..counts(3600, 6000, 1e9, 0) };
    let miner = |before| Measured { before, during: counts(600, 850, 1e9, 0), is_collected: true };
    assert_eq!(verdict(&[miner(counts(3600, 6000, 1e9, 0))], &[], Gate::HashRate), Verdict::Fails);
    let finding = &judge(&[miner(mixed)], &[], &Gates::default())[1];
    // √(1/1000 + (3000 + 300,000)/6000²) = 9.7 %.
    assert_eq!(finding.verdict, Verdict::Holds);
    assert!(finding.detail.contains("-15.00% ± 29.1"), "{}", finding.detail);
}

#[test]
fn gates_that_are_not_asked_for_find_nothing() {
    assert_eq!(judge(&[measured((1, 0), (1, 1))], &[], &Gates::without_hashing()), []);
}

/// Shares in a span in which `mean` are to be expected: by counting exponential waits.
fn poisson(rng: &mut TestRng, mean: f64) -> u64 {
    let (mut count, mut left) = (0, mean);
    loop {
        left += (1.0 - f64::from(rng.random::<u32>()) / 4_294_967_296.0).ln();
        if left < 0.0 {
            return count;
        }
        count += 1;
    }
}

/// Fleets in which nothing changed, and how many of them each gate fails, of 1000.
#[test]
fn gates_raise_no_more_false_alarms_than_they_say() {
    let mut rng = TestRng::deterministic_rng(proptest::test_runner::RngAlgorithm::ChaCha);
    let (mut rejects, mut rates) = (0, 0);
    for _ in 0..1000 {
        let mut miner = || {
            let mut some = |seconds: u64, mean| {
                let submitted = poisson(&mut rng, mean);
                counts(seconds, submitted, 1e9, poisson(&mut rng, mean * 0.02).min(submitted))
            };
            Measured { before: some(3600, 120.0), during: some(600, 20.0), is_collected: true }
        };
        let wave: Vec<_> = (0..4).map(|_| miner()).collect();
        let rest: Vec<_> = (0..12).map(|_| miner()).collect();
        let findings = judge(&wave, &rest, &Gates { least_drop: 0.0, ..Gates::default() });
        let fails = |gate| findings.iter().any(|one| one.gate == gate && one.verdict == Verdict::Fails);
        rejects += u32::from(fails(Gate::Rejects));
        rates += u32::from(fails(Gate::HashRate));
    }
    // One in a thousand at most, and that against two references at once; three standard errors on one side are 1.35 in a
    // thousand, and three standard errors of that more.
    assert!(rejects <= 3, "{rejects}");
    assert!(rates <= 5, "{rates}");
}

proptest! {
    #[test]
    fn no_counts_upset_the_gates_and_verdicts_follow_the_figures(
        wave in prop::collection::vec((0..5000_u64, 0..5000_u64, 0..5000_u64, 0..5000_u64), 0..5),
        rest in prop::collection::vec((0..5000_u64, 0..5000_u64, 0..5000_u64, 0..5000_u64), 0..5),
    ) {
        let group = |counts: &[(u64, u64, u64, u64)]| -> Vec<_> {
            counts.iter().map(|(b, br, d, dr)| measured((*b, *br.min(b)), (*d, *dr.min(d)))).collect()
        };
        let (wave, rest) = (group(&wave), group(&rest));
        for finding in judge(&wave, &rest, &Gates::default()) {
            prop_assert!(!finding.detail.contains("NaN"), "{}", finding.detail);
        }
        // Fewer rejects never make a wave fail that held with more.
        let better: Vec<_> = wave.iter().map(|one| {
            let during = Counts { rejected: one.during.rejected / 2, accepted: one.during.submitted - one.during.rejected / 2, ..one.during };
            Measured { during, ..*one }
        }).collect();
        if verdict(&wave, &rest, Gate::Rejects) == Verdict::Holds {
            prop_assert_eq!(verdict(&better, &rest, Gate::Rejects), Verdict::Holds);
        }
    }
}
