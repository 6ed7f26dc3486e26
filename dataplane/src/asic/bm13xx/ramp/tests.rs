use super::*;
use crate::asic::bm13xx::{command::CommandFrame, fixtures, pll::LOCKED};
use proptest::prelude::*;

fn way(from: f64, to: f64) -> Vec<f64> {
    let (mut at, end) = (Frequency::from_megahertz(from), Frequency::from_megahertz(to));
    let mut steps = Vec::new();
    while at != end {
        at = next(at, end);
        steps.push(at.megahertz());
    }
    steps
}

#[test]
fn way_up_and_down_has_the_steps_of_a_captured_ramp() {
    let up = way(50.0, 525.0);
    assert_eq!((up.len(), up[0], up[1], up[75]), (76, 56.25, 62.5, 525.0));
    let down = way(525.0, 50.0);
    assert_eq!(down.iter().rev().skip(1).copied().collect::<Vec<_>>(), up[..75]);
}

#[test]
fn end_between_two_steps_is_reached_exactly() {
    assert_eq!(way(480.0, 490.0), [481.25, 487.5, 490.0]);
    assert_eq!(way(490.0, 485.0), [487.5, 485.0]);
    assert_eq!(way(525.0, 525.0), [] as [f64; 0]);
    assert_eq!(way(100.0, 101.0), [101.0]);
}

#[test]
fn bm1397_is_told_everything_twice() {
    let pll = Pll::decode(Model::Bm1397, 0x4044_0221 | LOCKED).unwrap();
    let frames: Vec<_> = writes(Model::Bm1397, &pll).into_iter().map(|(command, _)| command.encode()).collect();
    let known = ["55AA 51 09 00 70 0F0F0F00 19", "55AA 51 09 00 08 40440221 07"].map(fixtures::bytes);
    let expected = [&known[0], &known[0], &known[1], &known[1]];
    assert!(frames.iter().map(CommandFrame::as_bytes).eq(expected.iter().map(|bytes| &bytes[..])), "{frames:?}");
    assert_eq!(writes(Model::Bm1370, &Pll::solve(Model::Bm1370, Frequency::from_megahertz(525.0)).unwrap()).len(), 1);
}

proptest! {
    #[test]
    fn steps_are_never_longer_than_a_step_and_never_turn_back(from in 40.0..700.0_f64, to in 40.0..700.0_f64) {
        let mut at = from;
        for step in way(from, to) {
            prop_assert!((step - at).abs() <= STEP);
            prop_assert!((step - at) * (to - from) > 0.0);
            at = step;
        }
        prop_assert_eq!(at, to);
    }
}
