//! Whether a board with power was above a hard limit for longer than a polling period. Pure.
//!
//! An instrument looks at the chips every few milliseconds. From the moment at which it sees them above the limit, one poll of
//! the driver may begin, sees it too, and cuts the power; a second one must not come. That is the rule whatever this machine
//! does meanwhile; how long it took is told beside it.

use mujina_core::units::Celsius;
use mujina_dataplane::simulate::{BoardKind, Event, PhysicsReport, Record};
use std::{collections::VecDeque, time::Duration};

/// Above the limit by this much, it is seen: the coarsest step of a sensor, and a correction that rounds.
const STEP: f64 = 0.25;
/// Polls that are remembered: more than come between two looks at them.
const REMEMBERED: usize = 4096;
/// Hard limit of all regulators.
const REGULATOR: f64 = 105.0;

/// One time above a limit, with power.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Hot {
    /// Polls of the driver that began meanwhile.
    pub(super) polls: usize,
    /// For how long.
    pub(super) lasted: Duration,
    /// How far above, at most.
    pub(super) over: f64,
}

/// Watches over one board.
#[derive(Debug)]
pub(super) struct HardLimits {
    asic: Celsius,
    regulator: Celsius,
    /// I2C address of what reads the chip's diode.
    diode: u8,
    since: Option<(Duration, f64)>,
    /// Times above the limit that are over, until what the driver did meanwhile is known.
    open: Vec<(Duration, Duration, f64)>,
    polls: VecDeque<Duration>,
    cuts: VecDeque<Duration>,
    /// The hottest that the chips were with power.
    pub(super) hottest: f64,
}

impl HardLimits {
    /// Those of the board's model.
    pub(super) fn of(kind: BoardKind) -> Self {
        let (asic, diode) = if kind == BoardKind::EmberOne { (80.0, 0x49) } else { (78.0, 0x4c) };
        Self {
            asic: Celsius::from_degrees(asic),
            regulator: Celsius::from_degrees(REGULATOR),
            diode,
            since: None,
            open: Vec::new(),
            polls: VecDeque::new(),
            cuts: VecDeque::new(),
            hottest: f64::NEG_INFINITY,
        }
    }

    /// Takes what an instrument shows.
    pub(super) fn see(&mut self, at: Duration, physics: &PhysicsReport) {
        let powered = physics.core.volts() > 0.01;
        let above = |temperature: Celsius, limit: Celsius| temperature.degrees() - limit.degrees();
        let over = above(physics.chip, self.asic).max(above(physics.regulator, self.regulator));
        if powered {
            self.hottest = self.hottest.max(physics.chip.degrees());
        }
        match (&mut self.since, powered && over >= STEP) {
            (None, true) => self.since = Some((at, over)),
            (Some((_, worst)), true) => *worst = worst.max(over),
            (Some((since, worst)), false) => {
                self.open.push((*since, at, *worst));
                self.since = None;
            }
            (None, false) => {}
        }
    }

    /// Takes what was done to the board.
    pub(super) fn hear(&mut self, Record { at, event }: &Record) {
        let list = match event {
            // Only a read has the register and nothing else.
            Event::I2cWrite { address, bytes } if *address == self.diode && bytes[..] == [0x01] => &mut self.polls,
            Event::CorePower(false) => &mut self.cuts,
            _ => return,
        };
        if list.len() >= REMEMBERED {
            list.pop_front();
        }
        list.push_back(*at);
    }

    /// Times above a limit that are over by now. All records up to now were heard.
    pub(super) fn judge(&mut self) -> Vec<Hot> {
        let (polls, cuts) = (&self.polls, &self.cuts);
        let judge = |(since, seen_over, over)| {
            // The power goes a moment before the instrument shows it.
            let cut = cuts.iter().copied().find(|at| (since..=seen_over).contains(at)).unwrap_or(seen_over);
            let polls = polls.iter().filter(|at| (since..=cut).contains(*at)).count();
            Hot { polls, lasted: cut.saturating_sub(since), over }
        };
        self.open.drain(..).map(judge).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mujina_core::units::{Amperes, Frequency, Volts, Watts};

    fn physics(degrees: f64, volts: f64) -> PhysicsReport {
        PhysicsReport {
            chip: Celsius::from_degrees(degrees),
            regulator: Celsius::from_degrees(40.0),
            input: Volts::from_volts(5.0),
            core: Volts::from_volts(volts),
            current: Amperes::from_amperes(10.0),
            power: Watts::from_watts(10.0),
            rpm: 0.0,
            fan_duty: 0.0,
            clock: Frequency::ZERO,
            running: volts > 0.0,
            hung: false,
        }
    }

    fn milliseconds(at: u64) -> Duration {
        Duration::from_millis(at)
    }

    fn poll(at: u64) -> Record {
        Record { at: milliseconds(at), event: Event::I2cWrite { address: 0x4c, bytes: vec![0x01] } }
    }

    fn seen(points: &[(u64, f64, f64)]) -> HardLimits {
        let mut limits = HardLimits::of(BoardKind::BitaxeGamma);
        points.iter().for_each(|(at, degrees, volts)| limits.see(milliseconds(*at), &physics(*degrees, *volts)));
        limits
    }

    #[test]
    fn poll_that_sees_the_heat_and_cuts_the_power_is_in_time() {
        let mut limits = seen(&[(0, 77.0, 1.1), (500, 79.0, 1.1), (1000, 81.0, 1.1), (1040, 81.2, 0.0)]);
        limits.hear(&poll(400));
        limits.hear(&poll(1005));
        limits.hear(&Record { at: milliseconds(1020), event: Event::CorePower(false) });
        let [hot] = &limits.judge()[..] else { panic!("one time") };
        assert_eq!((hot.polls, hot.lasted), (1, milliseconds(520)));
        assert!((hot.over - 3.0).abs() < 1e-9, "{hot:?}");
        assert_eq!(limits.judge(), []);
    }

    #[test]
    fn second_poll_while_it_is_too_hot_is_seen() {
        let mut limits = seen(&[(500, 79.0, 1.1), (2600, 79.0, 1.1), (2700, 70.0, 1.1)]);
        [600, 1600, 2600].iter().for_each(|at| limits.hear(&poll(*at)));
        assert_eq!(limits.judge()[0].polls, 3);
    }

    #[test]
    fn board_without_power_may_be_as_hot_as_it_is() {
        let mut limits = seen(&[(0, 90.0, 0.0), (1000, 90.0, 0.0)]);
        assert_eq!(limits.judge(), []);
    }
}
