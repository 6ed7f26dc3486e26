use super::*;
use mujina_core::units::Frequency;
use proptest::prelude::*;

fn pll(model: Model, megahertz: f64) -> Pll {
    Pll::solve(model, Frequency::from_megahertz(megahertz)).unwrap()
}

fn spec(model: Model, chips: u8, address_interval: u16) -> ChainSpec {
    ChainSpec {
        model,
        chips,
        address_interval,
        baud: None,
        gate_bits: 32,
        results_per_second: 1.0,
        greatest_frequency: Frequency::from_megahertz(625.0),
    }
}

/// The figure without a guard, for comparing with sources that have another.
fn ticks(model: Model, megahertz: f64, address_interval: u16) -> u32 {
    let guarded = hash_counting_number(model, &pll(model, megahertz), address_interval).unwrap();
    guarded + model.constants().overrun_guard
}

#[test]
fn counting_numbers_are_those_of_the_worked_cases() {
    let of = |model, megahertz, interval| hash_counting_number(model, &pll(model, megahertz), interval);
    // ESP-Miner: Gamma at 525 and at 600 MHz, two chips.
    assert_eq!(of(Model::Bm1370, 525.0, 256), Some(798_647));
    assert_eq!(of(Model::Bm1370, 600.0, 256), Some(698_782));
    assert_eq!(of(Model::Bm1370, 525.0, 128), Some(399_189));
    // EmberOne with the guard of Mujina.
    assert_eq!(of(Model::Bm1362, 525.0, 2), Some(6041));
    assert_eq!(of(Model::Bm1362, 525.0, 16), Some(49_732));
    assert_eq!(of(Model::Bm1362, 525.0, 20), Some(62_215));
    // Without a guard, as ESP-Miner has it: Ultra, Supra, and an EmberOne.
    assert_eq!(ticks(Model::Bm1366, 485.0, 256), 864_804);
    assert_eq!(ticks(Model::Bm1368, 490.0, 256), 855_980);
    assert_eq!(ticks(Model::Bm1362, 525.0, 16), 49_932);
    // The whole slice of one chip, and of four at 615 MHz, which are 615.625 in truth and for which others take 170500.
    assert_eq!(ticks(Model::Bm1370, 525.0, 256), 798_915);
    assert_eq!(ticks(Model::Bm1370, 615.0, 64), 170_327);
    assert_eq!(of(Model::Bm1397, 425.0, 256), None);
}

#[test]
fn epochs_are_the_shorter_of_the_known_figures() {
    let epoch = |spec: &ChainSpec, megahertz| {
        Cadence::of(spec, &pll(spec.model, megahertz), 0x1fff_e000, 115_200).epoch.as_secs_f64()
    };
    // Mujina's figures for full windows, and 2.02 s for an EmberOne two addresses apart.
    assert!((epoch(&spec(Model::Bm1370, 1, 256), 525.0) - 130.85).abs() < 0.05);
    assert!((epoch(&spec(Model::Bm1366, 1, 256), 485.0) - 283.3).abs() < 0.1);
    assert!((epoch(&spec(Model::Bm1362, 12, 2), 525.0) - 1.98).abs() < 0.01);
    // ESP-Miner: four versions at 425 and at 450 MHz.
    assert!((epoch(&spec(Model::Bm1397, 1, 256), 425.0) - 0.039_476).abs() < 1e-5);
    assert!((epoch(&spec(Model::Bm1397, 1, 256), 450.0) - 0.037_283).abs() < 1e-5);
}

#[test]
fn work_is_renewed_within_its_epoch_and_at_least_every_second() {
    let cadence = |spec: &ChainSpec, megahertz, mask, baud| Cadence::of(spec, &pll(spec.model, megahertz), mask, baud);
    let millis = |cadence: Cadence| cadence.renewal.as_millis();
    let gamma = cadence(&spec(Model::Bm1370, 1, 256), 525.0, 0x1fff_e000, 115_200);
    assert_eq!(gamma.renewal, Duration::from_secs(1));
    assert!((gamma.frame_time.as_secs_f64() - 0.007_64).abs() < 1e-5);
    assert_eq!(millis(cadence(&spec(Model::Bm1362, 12, 2), 525.0, 0x1fff_e000, 3_125_000)), 1000);
    assert_eq!(millis(cadence(&spec(Model::Bm1370, 65, 2), 600.0, 0x1fff_e000, 3_125_000)), 595, "0.7 of 0.85 s");
    assert_eq!(millis(cadence(&spec(Model::Bm1397, 1, 256), 425.0, 0x1fff_e000, 3_125_000)), 27);
    // A version that is fixed leaves 4 ms of search: the line and the host set the pace.
    let fixed = cadence(&spec(Model::Bm1370, 1, 256), 525.0, 0, 1_000_000);
    assert_eq!(fixed.renewal, Duration::from_millis(20));
    assert!(fixed.epoch < Duration::from_millis(5), "{fixed:?}");
    assert_eq!(millis(cadence(&spec(Model::Bm1397, 1, 256), 425.0, 0, 115_200)), 26, "two frames");
}

proptest! {
    #[test]
    fn window_with_its_overrun_never_exceeds_the_slice(megahertz in 60.0..600.0_f64, step in 1..=128_u16, model in 1..5_usize) {
        let (model, interval) = (Model::ALL[model], step * 2);
        let Some(pll) = Pll::solve(model, Frequency::from_megahertz(megahertz)) else { return Ok(()) };
        let hcn = hash_counting_number(model, &pll, interval).unwrap();
        let (hertz, divisor) = pll.ratio();
        // Sweeps overrun by 130 ticks, measured on a BM1370.
        let window = (u128::from(hcn) + 130) * 2 * u128::from(hertz);
        let slice = u128::from(slice(interval)) * 25_000_000 * u128::from(divisor);
        prop_assert!(window <= slice || hcn == 1);
        let next = window + (u128::from(model.constants().overrun_guard) + 2) * 2 * u128::from(hertz);
        prop_assert!(next > slice, "as long as it may be");
    }

    #[test]
    fn faster_clock_never_has_the_longer_window(a in 60.0..600.0_f64, b in 60.0..600.0_f64) {
        let of = |megahertz| pll(Model::Bm1370, megahertz);
        let (slow, fast) = if of(a).frequency() <= of(b).frequency() { (of(a), of(b)) } else { (of(b), of(a)) };
        let hcn = |pll| hash_counting_number(Model::Bm1370, &pll, 256);
        prop_assert!(hcn(fast) <= hcn(slow));
    }
}
