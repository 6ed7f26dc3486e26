//! Heat, current and voltage. Pure: time is given.
//!
//! Constants are placeholders from the board sheet, sections 6.2 and 6.3, chosen so that its limits can be reached; a real
//! board differs in all of them.

use super::BoardKind;

/// Time constants in seconds.
const CHIP_LAG: f64 = 20.0;
const BOARD_LAG: f64 = 60.0;
const FAN_LAG: f64 = 1.0;
/// Kelvin for each watt of a chip, at a still and at a full fan.
const RESISTANCE: (f64, f64) = (6.0, 1.6);
/// Kelvin for each ampere of the regulator.
const REGULATOR: f64 = 1.5;
/// Part of a chip's power that flows whether it hashes or not.
const LEAKAGE: f64 = 0.05;
const IDLE: f64 = 0.10;
/// Volts that the input loses for each ampere out of it.
const SAG: f64 = 0.02;
const FULL_RPM: f64 = 5500.0;
/// Below the least voltage by this part a chip hangs.
const HANGS_BELOW: f64 = 0.05;

/// What is fixed about a board.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Board {
    /// Watts of the core at the reference point.
    power: f64,
    /// Hertz.
    clock: f64,
    /// Volts at the output of the regulator.
    pub(super) volts: f64,
    /// Volts of the supply.
    input: f64,
    /// Chips in series, each with its part of the voltage and the power.
    series: f64,
    /// Least volts of a chip at a clock in megahertz: at `.1`, and more for each megahertz above.
    least: (f64, f64, f64),
    /// Volts of a chip that it does not survive.
    pub(super) most: f64,
    has_fan: bool,
}

impl Board {
    pub(super) fn of(kind: BoardKind) -> Self {
        let bitaxe = |power, megahertz: f64, volts, most| Self {
            power,
            clock: megahertz * 1e6,
            volts,
            input: 5.1,
            series: 1.0,
            // The slope of the Gamma, and its margin of 75 mV at the default.
            least: (volts - 0.075, megahertz, 0.0006),
            most,
            has_fan: true,
        };
        match kind {
            BoardKind::BitaxeGamma => bitaxe(14.0, 525.0, 1.15, 1.30),
            BoardKind::BitaxeUltra => bitaxe(12.0, 485.0, 1.20, 1.35),
            BoardKind::BitaxeSupra => bitaxe(11.0, 490.0, 1.166, 1.35),
            BoardKind::BitaxeMax => bitaxe(12.0, 425.0, 1.40, 1.55),
            BoardKind::EmberOne => Self {
                power: 90.0,
                clock: 525e6,
                volts: 3.6,
                input: 12.2,
                series: 12.0,
                least: (0.235, 56.25, 0.000_098_6),
                most: 0.36,
                has_fan: false,
            },
        }
    }

    /// Least volts of a chip for a clock in hertz.
    fn least_volts(&self, clock: f64) -> f64 {
        let (volts, megahertz, slope) = self.least;
        volts + (clock / 1e6 - megahertz) * slope
    }
}

/// What drives the state.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Drive {
    /// Volts at the output of the regulator; 0 when it is off.
    pub(super) core: f64,
    /// Hertz.
    pub(super) clock: f64,
    /// Part of the chips that hash, from 0 to 1.
    pub(super) activity: f64,
    /// Whether the input has power.
    pub(super) has_input: bool,
    /// From 0 to 1.
    pub(super) fan_duty: f64,
    pub(super) fan_stalls: bool,
    /// Degrees Celsius.
    pub(super) ambient: f64,
    /// Degrees per second from outside.
    pub(super) heating: f64,
}

/// The state.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Physics {
    board: Board,
    /// Degrees that an outside source has added.
    extra: f64,
    pub(super) chip: f64,
    pub(super) circuit_board: f64,
    pub(super) regulator: f64,
    pub(super) input: f64,
    /// Amperes and watts of the core.
    pub(super) current: f64,
    pub(super) power: f64,
    pub(super) rpm: f64,
}

/// How a chip takes its voltage.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Health {
    /// Part of nonces that come out wrong.
    pub(super) wrong: f64,
    pub(super) hangs: bool,
}

impl Physics {
    pub(super) fn new(board: Board, ambient: f64) -> Self {
        Self {
            board,
            extra: 0.0,
            chip: ambient,
            circuit_board: ambient,
            regulator: ambient,
            input: board.input,
            current: 0.0,
            power: 0.0,
            rpm: 0.0,
        }
    }

    /// Lets so many seconds pass.
    pub(super) fn step(&mut self, seconds: f64, drive: &Drive) {
        let board = self.board;
        let share = LEAKAGE + IDLE + (1.0 - IDLE) * drive.activity * drive.clock / board.clock;
        self.power = board.power * share * (drive.core / board.volts).powi(2);
        self.current = if drive.core > 0.0 { self.power / drive.core } else { 0.0 };
        // Nine tenths of the input's power reach the core.
        let drawn = self.power / 0.9 / board.input;
        self.input = if drive.has_input { board.input - SAG * drawn } else { 0.0 };
        let duty = if drive.fan_stalls { 0.0 } else { drive.fan_duty };
        let resistance = RESISTANCE.0 + (RESISTANCE.1 - RESISTANCE.0) * duty;
        self.extra = if drive.heating > 0.0 { self.extra + drive.heating * seconds } else { 0.0 };
        let towards = |value: f64, goal: f64, lag: f64| goal + (value - goal) * (-seconds / lag).exp();
        let goal = drive.ambient + self.power / board.series * resistance;
        // Heat from outside is there at once: what it does to the rest is not of interest.
        self.chip = towards(self.chip, goal, CHIP_LAG).max(drive.ambient + self.extra);
        self.circuit_board = towards(self.circuit_board, drive.ambient + (self.chip - drive.ambient) / 2.0, BOARD_LAG);
        self.regulator = towards(self.regulator, drive.ambient + REGULATOR * self.current, CHIP_LAG);
        let rpm = if board.has_fan { FULL_RPM * duty } else { 0.0 };
        self.rpm = towards(self.rpm, rpm, FAN_LAG);
    }

    /// How chips take this voltage at this clock.
    pub(super) fn health(&self, core: f64, clock: f64) -> Health {
        let least = self.board.least_volts(clock);
        let missing = (least - core / self.board.series) / (least * HANGS_BELOW);
        Health { wrong: missing.clamp(0.0, 1.0), hangs: missing >= 1.0 }
    }

    /// Volts of one chip.
    pub(super) fn chip_volts(&self, core: f64) -> f64 {
        core / self.board.series
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HASHING: Drive = Drive {
        core: 1.15,
        clock: 525e6,
        activity: 1.0,
        has_input: true,
        fan_duty: 1.0,
        fan_stalls: false,
        ambient: 25.0,
        heating: 0.0,
    };

    fn after(seconds: f64, drive: &Drive) -> Physics {
        let mut physics = Physics::new(Board::of(BoardKind::BitaxeGamma), 25.0);
        (0..100).for_each(|_| physics.step(seconds / 100.0, drive));
        physics
    }

    #[test]
    fn chip_warms_with_its_time_constant() {
        let (soon, late) = (after(20.0, &HASHING), after(300.0, &HASHING));
        let part = (soon.chip - 25.0) / (late.chip - 25.0);
        assert!((part - (1.0 - (-1.0_f64).exp())).abs() < 0.01, "{part}");
        assert!((45.0..55.0).contains(&late.chip), "{}", late.chip);
        assert!((12.0..14.0).contains(&late.current), "{}", late.current);
        assert!((5450.0..5501.0).contains(&late.rpm));
    }

    #[test]
    fn slow_fan_reaches_the_limits_and_a_stalled_one_stands() {
        let slow = after(300.0, &Drive { fan_duty: 0.25, ..HASHING });
        assert!(slow.chip > 80.0, "{}", slow.chip);
        let stalled = after(60.0, &Drive { fan_stalls: true, ..HASHING });
        assert!(stalled.rpm < 1.0 && stalled.chip > slow.chip * 0.9);
    }

    #[test]
    fn heat_from_outside_ramps_and_ends() {
        let hot = after(60.0, &Drive { heating: 1.0, ..HASHING });
        assert!((hot.chip - 85.0).abs() < 1.0, "{}", hot.chip);
        let mut cooled = hot;
        (0..300).for_each(|_| cooled.step(1.0, &HASHING));
        assert!(cooled.chip < 55.0);
    }

    #[test]
    fn voltage_must_follow_the_clock() {
        let gamma = Physics::new(Board::of(BoardKind::BitaxeGamma), 25.0);
        assert_eq!(gamma.health(1.15, 525e6), Health { wrong: 0.0, hangs: false });
        let marginal = gamma.health(1.05, 525e6);
        assert!(marginal.wrong > 0.3 && marginal.wrong < 0.7 && !marginal.hangs, "{marginal:?}");
        assert!(gamma.health(1.0, 625e6).hangs);
        // The curve of the EmberOne: 3.075 V at 56.25 MHz, 3.60 V at 500 MHz.
        let ember = Physics::new(Board::of(BoardKind::EmberOne), 25.0);
        for (volts, megahertz) in [(3.04, 50.0), (3.075, 56.25), (3.60, 500.0), (3.63, 525.0)] {
            assert_eq!(ember.health(volts, megahertz * 1e6), Health { wrong: 0.0, hangs: false });
        }
        assert!(ember.health(3.04, 525e6).hangs);
    }

    #[test]
    fn nothing_flows_without_power() {
        let off = after(10.0, &Drive { core: 0.0, has_input: false, fan_duty: 0.0, ..HASHING });
        assert_eq!((off.current, off.power, off.input), (0.0, 0.0, 0.0));
        assert!((off.chip - 25.0).abs() < 1e-9);
    }
}
