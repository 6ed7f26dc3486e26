use super::*;
use crate::board::limits::samples;
use proptest::prelude::*;

fn point(megahertz: f64, volts: f64) -> SetPoint {
    set_point(megahertz, volts)
}

/// Every set point that is passed on the way, and how long it takes.
fn way(from: SetPoint, steps: &[PowerStep]) -> (Vec<SetPoint>, Duration) {
    let (mut at, mut passed, mut time) = (from, vec![from], Duration::ZERO);
    for step in steps {
        match *step {
            PowerStep::Voltage(voltage) => at.voltage = voltage,
            PowerStep::Frequency(frequency) => at.frequency = frequency,
            PowerStep::Wait(wait) => time += wait,
        }
        passed.push(at);
    }
    (passed, time)
}

#[test]
fn curves_go_through_the_points_of_their_sources() {
    let volts = |curve: &Curve, megahertz| curve.at(Frequency::from_megahertz(megahertz)).volts();
    let gamma = Curve::bitaxe_gamma();
    let found = [50.0, 400.0, 525.0, 625.0, 900.0].map(|megahertz| volts(&gamma, megahertz));
    assert_eq!(found, [1.0, 1.075, 1.150, 1.210, 1.250]);
    let emberone = Curve::emberone();
    let found = [0.0, 56.25, 500.0, 525.0, 2000.0].map(|megahertz| volts(&emberone, megahertz));
    assert_eq!(found, [3.04, 3.075, 3.6, 3.63, 4.0]);
}

#[test]
fn lone_chip_goes_up_with_voltage_first_and_down_with_clock_first() {
    let limits = samples::single_chip();
    let (low, high) = (point(400.0, 1.075), point(525.0, 1.150));
    let wait = PowerStep::Wait(Duration::from_millis(50));
    assert_eq!(
        steps(low, high, &limits),
        [PowerStep::Voltage(high.voltage), wait, PowerStep::Frequency(high.frequency)]
    );
    assert_eq!(steps(high, low, &limits), [PowerStep::Frequency(low.frequency), PowerStep::Voltage(low.voltage), wait]);
    assert_eq!(steps(high, high, &limits), []);
}

#[test]
fn stack_starts_in_steps_of_six_and_a_quarter_megahertz() {
    let limits = samples::stack();
    let from = point(56.25, 3.04);
    let found = steps(from, point(500.0, 3.6), &limits);
    let clocks = found.iter().filter(|step| matches!(step, PowerStep::Frequency(_))).count();
    assert_eq!(clocks, 71);
    let (passed, time) = way(from, &found);
    assert_eq!(passed.last(), Some(&point(500.0, 3.6)));
    assert_eq!(time, Duration::from_millis(7100));
}

#[test]
fn way_ends_within_the_limits_whatever_is_asked() {
    let limits = samples::single_chip();
    let (passed, _) = way(point(525.0, 1.15), &steps(point(525.0, 1.15), point(5000.0, 9.0), &limits));
    assert_eq!(passed.last(), Some(&point(625.0, 1.250)));
}

proptest! {
    #[test]
    fn no_point_on_the_way_has_less_voltage_than_its_clock_needs(
        from in 56.25..600.0_f64, to in 56.25..600.0_f64, more_from in 0.0..0.3_f64, more_to in 0.0..0.3_f64, stack: bool,
    ) {
        let limits = if stack { samples::stack() } else { samples::single_chip() };
        let on_curve = |megahertz: f64, more: f64| {
            let frequency = Frequency::from_megahertz(megahertz);
            let voltage = limits.voltage.clamp(Volts::from_volts(limits.curve.at(frequency).volts() + more));
            SetPoint { frequency, voltage }
        };
        let (from, to) = (on_curve(from, more_from), on_curve(to, more_to));
        let found = steps(from, to, &limits);
        prop_assert!(found.len() <= 1000);
        let (passed, _) = way(from, &found);
        prop_assert_eq!(passed.last(), Some(&to));
        for at in passed {
            prop_assert!(at.voltage.volts() + 0.001 >= limits.curve.at(at.frequency).volts(), "{at:?}");
            prop_assert!(at.voltage <= limits.voltage.greatest && at.voltage >= limits.voltage.least);
            prop_assert!(at.frequency <= limits.frequency.greatest);
        }
    }

    #[test]
    fn nothing_on_the_way_is_beyond_both_of_its_ends(from in 56.25..600.0_f64, to in 56.25..600.0_f64, volts in 3.1..4.0_f64) {
        let limits = samples::stack();
        let from = SetPoint { frequency: Frequency::from_megahertz(from), voltage: limits.curve.at(Frequency::from_megahertz(from)) };
        let to = point(to, volts);
        let (passed, _) = way(from, &steps(from, to, &limits));
        let greatest = if from.voltage > to.voltage { from.voltage } else { to.voltage };
        for at in passed {
            // Between a point on the curve and one above it the way may stand above the straight line, never above both.
            prop_assert!(at.voltage.volts() <= greatest.volts() + 0.3, "{at:?}");
            let (low, high) = if from.frequency < to.frequency { (from, to) } else { (to, from) };
            prop_assert!(at.frequency >= low.frequency && at.frequency <= high.frequency);
        }
    }
}
