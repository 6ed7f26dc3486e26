use super::*;
use crate::board::limits::samples;
use mujina_core::units::{HashRate, Volts};

mod plant;
mod walk;

fn megahertz(megahertz: f64) -> Frequency {
    Frequency::from_megahertz(megahertz)
}

/// A board whose readings a test chooses, and which follows every order at once. Polled every two seconds.
struct World {
    tuner: Tuner,
    reading: TunerReading,
    now: Instant,
}

impl World {
    fn new(limits: BoardLimits, mode: TuningMode) -> Self {
        Self::with(limits, mode, Learnt::default())
    }

    fn with(limits: BoardLimits, mode: TuningMode, learnt: Learnt) -> Self {
        let reading = TunerReading {
            power: Some(Watts::from_watts(10.0)),
            current: Some(Amperes::from_amperes(5.0)),
            headroom: Some(20.0),
            ..TunerReading::default()
        };
        Self { tuner: Tuner::new(limits, mode, learnt), reading, now: Instant::now() }
    }

    fn poll(&mut self) -> TunerStep {
        self.now += Duration::from_secs(2);
        self.reading.verified += 10;
        let step = self.tuner.poll(&self.reading, self.now);
        self.reading.running = Some(step.wanted);
        step
    }

    fn polls(&mut self, seconds: u64) -> TunerStep {
        (0..seconds / 2).map(|_| self.poll()).last().unwrap()
    }

    /// One of so many results is wrong, for so long.
    fn polls_with_errors(&mut self, seconds: u64, errors: u64) -> TunerStep {
        let each = |world: &mut Self| {
            world.reading.errors += errors;
            world.poll()
        };
        (0..seconds / 2).map(|_| each(self)).last().unwrap()
    }

    /// One of eleven results is wrong until it reacts.
    fn errs_until_it_moves(&mut self) -> TunerStep {
        let before = self.tuner.wanted(None);
        (0..100).map(|_| self.polls_with_errors(2, 1)).find(|step| step.wanted != before).unwrap()
    }
}

fn fixed(clock: f64, volts: f64) -> TuningMode {
    TuningMode::Fixed { frequency: megahertz(clock), voltage: Volts::from_volts(volts) }
}

#[test]
fn set_points_are_taken_at_once() {
    let mut world = World::new(samples::single_chip(), TuningMode::Default);
    let expected = SetPoint { frequency: megahertz(525.0), voltage: Volts::from_millivolts(1150) };
    assert_eq!(world.poll(), TunerStep { wanted: expected, limited_by: Vec::new(), give_up: None });
    world.tuner.set(samples::single_chip(), fixed(600.0, 1.2));
    let expected = SetPoint { frequency: megahertz(600.0), voltage: Volts::from_millivolts(1200) };
    assert_eq!(world.poll().wanted, expected);
}

#[test]
fn heat_takes_the_clock_and_the_voltage_that_it_no_longer_needs() {
    let mut world = World::new(samples::single_chip(), fixed(600.0, 1.25));
    world.polls(100);
    world.reading.ceiling = Some(megahertz(500.0));
    let step = world.poll();
    // The owner's 1.250 V are 55 mV above the curve; they stay so.
    assert_eq!(step.wanted, SetPoint { frequency: megahertz(500.0), voltage: Volts::from_millivolts(1190) });
    assert_eq!(step.limited_by, ["temperature"]);
    world.reading.ceiling = None;
    world.reading.headroom = Some(4.0);
    let step = world.polls(600);
    assert_eq!((step.wanted.frequency, step.limited_by), (megahertz(500.0), vec!["temperature".to_owned()]));
    world.reading.headroom = Some(6.0);
    let step = world.polls(600);
    assert_eq!((step.wanted.frequency, step.limited_by), (megahertz(600.0), Vec::new()));
}

#[test]
fn unknown_temperature_holds_the_clock() {
    let mut world = World::new(samples::single_chip(), TuningMode::Power(Watts::from_watts(30.0)));
    world.reading.headroom = None;
    let first = world.poll().wanted.frequency;
    let step = world.polls(3600);
    assert_eq!((step.wanted.frequency, step.limited_by), (first, vec!["temperature".to_owned()]));
}

#[test]
fn two_percent_of_errors_lower_the_clock_and_are_remembered() {
    let mut world = World::new(samples::single_chip(), TuningMode::Default);
    world.polls(20);
    let step = world.errs_until_it_moves();
    assert_eq!((step.wanted.frequency, step.limited_by), (megahertz(500.0), vec!["hardware errors".to_owned()]));
    let step = world.polls(20 * 60);
    assert_eq!((step.wanted.frequency, step.limited_by), (megahertz(500.0), vec!["hardware errors".to_owned()]));
    assert_eq!(
        world.tuner.learnt().words(),
        ["no more than 500.00 MHz for hardware errors", "500.00 MHz fits the default of the model"]
    );
    // After half an hour it is tried once more.
    assert_eq!(world.polls(15 * 60).wanted.frequency, megahertz(525.0));
    world.errs_until_it_moves();
    assert_eq!(world.polls(50 * 60).wanted.frequency, megahertz(500.0));
    assert_eq!(world.tuner.learnt().words()[0], "no more than 500.00 MHz for hardware errors, found 2 times");
}

#[test]
fn few_errors_only_keep_it_from_more() {
    let mut world =
        World::new(samples::single_chip(), TuningMode::HashRate(HashRate::from_terahashes_per_second(1.27)));
    world.polls(20);
    for _ in 0..600 {
        world.reading.errors += u64::from(world.reading.verified.is_multiple_of(100));
        world.poll();
    }
    let step = world.poll();
    assert_eq!((step.wanted.frequency, step.limited_by), (megahertz(525.0), vec!["hardware errors".to_owned()]));
}

#[test]
fn nothing_but_errors_at_the_least_clock_is_given_up() {
    let mut world = World::new(samples::single_chip(), TuningMode::Default);
    world.polls(20);
    let step = world.polls_with_errors(30, 5);
    assert_eq!((step.wanted.frequency, step.give_up), (megahertz(400.0), None));
    let step = world.polls_with_errors(100, 5);
    assert!(step.give_up.unwrap().starts_with("33 % of what its chips return is wrong at its least clock"));
}

#[test]
fn what_was_learnt_is_kept_as_text_and_used_again() {
    let mut world = World::new(samples::single_chip(), TuningMode::Default);
    world.polls(20);
    world.errs_until_it_moves();
    world.polls(15 * 60);
    let text = serde_json::to_string(world.tuner.learnt()).unwrap();
    let learnt: Learnt = serde_json::from_str(&text).unwrap();
    assert_eq!(&learnt, world.tuner.learnt());
    let mut next = World::with(samples::single_chip(), TuningMode::Default, learnt);
    assert_eq!(next.poll().wanted.frequency, megahertz(500.0));
    assert_eq!(serde_json::from_str::<Learnt>("{}").unwrap(), Learnt::default());
}

#[test]
fn what_was_learnt_under_other_limits_is_brought_within_these() {
    let learnt = Learnt {
        below_curve_millivolts: 9000,
        settled: Some(Settled { mode: "the default of the model".into(), frequency: megahertz(2000.0) }),
        ..Learnt::default()
    };
    let mut world = World::with(samples::stack(), TuningMode::Default, learnt);
    let step = world.poll();
    assert_eq!(step.wanted, SetPoint { frequency: megahertz(500.0), voltage: Volts::from_millivolts(3600) });
}

#[test]
fn stack_never_gets_less_voltage_than_its_curve() {
    let mut world = World::new(samples::stack(), TuningMode::HashRate(HashRate::from_terahashes_per_second(2.5)));
    for _ in 0..20_000 {
        let SetPoint { frequency, voltage } = world.poll().wanted;
        assert!(voltage >= samples::stack().curve.at(frequency));
    }
}
