use super::*;
use crate::asic::bm13xx::fixtures::{self, Clock};
use proptest::prelude::*;

fn solve(model: Model, megahertz: f64) -> Option<Pll> {
    Pll::solve(model, Frequency::from_megahertz(megahertz))
}

#[test]
fn worked_clocks_have_their_registers() {
    let check = |model: Model, clocks: &[Clock]| {
        for (megahertz, register) in clocks {
            let pll = solve(model, *megahertz).unwrap();
            assert_eq!(format!("{:08x}", pll.encode(model)), format!("{register:08x}"), "{model} {megahertz}");
            assert_eq!(pll.frequency().megahertz(), *megahertz, "{model}");
            assert_eq!(Pll::decode(model, register | LOCKED), Some(pll), "{model} {megahertz}");
        }
    };
    check(Model::Bm1370, &fixtures::BM1370_CLOCKS);
    check(Model::Bm1366, &fixtures::BM1366_CLOCKS);
    check(Model::Bm1368, &fixtures::BM1366_CLOCKS);
    check(Model::Bm1362, &fixtures::BM1362_CLOCKS);
    check(Model::Bm1397, &fixtures::BM1397_CLOCKS);
    // Out of reset, by register notes of the BM1397.
    assert_eq!(Pll::decode(Model::Bm1397, 0xc060_0161).unwrap().frequency().megahertz(), 400.0);
}

#[test]
fn ramp_of_an_s19j_pro_has_our_dividers_or_a_higher_vco() {
    let captured: Vec<_> = fixtures::S19J_PRO_RAMP
        .split_whitespace()
        .map(|digits| {
            let word = u32::from_str_radix(digits, 16).unwrap();
            Pll::decode(Model::Bm1362, ENABLE | (word >> 8) << 16 | 2 << 8 | word & 0xff).unwrap()
        })
        .collect();
    assert_eq!(captured.len(), 76);
    let mut other = Vec::new();
    for (step, captured) in (0..).zip(captured) {
        let frequency = Frequency::from_megahertz(56.25 + 6.25 * f64::from(step));
        let ours = Pll::solve(Model::Bm1362, frequency).unwrap();
        assert_eq!((captured.frequency(), ours.frequency()), (frequency, frequency));
        if ours != captured {
            assert!(ours.feedback < captured.feedback, "{frequency}");
            other.push(frequency.megahertz());
        }
    }
    assert_eq!(other, fixtures::LOWER_VCO);
}

#[test]
fn other_solvers_clocks_are_read_too() {
    // A Bitaxe Gamma with older firmware at 62.5 and 525 MHz; captured.
    for (register, megahertz) in [(0x50d2_0265, 62.5), (0x50d2_0240, 525.0)] {
        assert_eq!(Pll::decode(Model::Bm1370, register).unwrap().frequency().megahertz(), megahertz);
    }
    assert_eq!(Pll::decode(Model::Bm1397, 0x4040_0201), None, "divided by zero");
    assert_eq!(Pll::decode(Model::Bm1370, 0x4000_0200), None, "no clock at all");
}

#[test]
fn what_no_divider_gives_is_refused() {
    for (model, megahertz) in
        [(Model::Bm1370, 20.0), (Model::Bm1370, 5000.0), (Model::Bm1362, 0.0), (Model::Bm1397, 3000.0)]
    {
        assert_eq!(solve(model, megahertz), None, "{model} {megahertz}");
    }
}

/// All dividers that a model takes.
fn every(model: Model) -> impl Iterator<Item = Pll> {
    let limits = &model.constants().pll;
    let (least, greatest) = limits.feedback;
    let all = (least..=greatest).flat_map(|feedback| {
        (1..=2).flat_map(move |reference| {
            (1..=7).flat_map(move |post1| (1..=post1).map(move |post2| Pll { feedback, reference, post1, post2 }))
        })
    });
    all.filter(|pll| {
        let vco = 25.0 * f64::from(pll.feedback) / f64::from(pll.reference);
        (limits.equal_posts || pll.post1 > pll.post2)
            && (f64::from(limits.vco.0)..=f64::from(limits.vco.1)).contains(&vco)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]
    #[test]
    fn no_dividers_are_nearer_and_none_as_near_have_a_lower_vco(megahertz in 40.0..900.0_f64, model in 0..5_usize) {
        let model = Model::ALL[model];
        let wanted = whole_hertz(Frequency::from_megahertz(megahertz)).unwrap();
        let best = every(model).min_by(|a, b| a.worse_than(wanted).cmp(&b.worse_than(wanted))).unwrap();
        let (error, divisor) = best.error(wanted);
        let expected = (error < 3_125_000 * divisor).then_some(best);
        prop_assert_eq!(solve(model, megahertz), expected);
    }

    #[test]
    fn registers_round_trip(feedback in 16..=250_u16, reference in 1..=2_u8, post1 in 1..=7_u8, post2 in 1..=7_u8, model in 0..5_usize) {
        let (model, pll) = (Model::ALL[model], Pll { feedback, reference, post1, post2 });
        prop_assert_eq!(Pll::decode(model, pll.encode(model)), Some(pll));
        prop_assert_eq!(pll.encode(model) & !(DIVIDERS | ENABLE | FAST_VCO), 0);
    }
}
