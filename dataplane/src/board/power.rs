//! Clock and voltage together: which voltage a clock needs, and in which steps a board goes from one set point to another.
//! Pure.
//!
//! A chip that gets too little voltage for its clock makes errors or stops; in a stack it then puts its voltage on its
//! neighbours. So going up, voltage comes first; going down, the clock does.

#[cfg(test)]
mod tests;

use crate::board::limits::BoardLimits;
use mujina_core::units::{Frequency, Volts};
use std::time::Duration;

/// Where clock and voltage stand, or should.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SetPoint {
    /// Clock of the chips.
    pub frequency: Frequency,
    /// Core voltage; over the whole stack where chips are in series.
    pub voltage: Volts,
}

/// One thing to do on the way to a set point. Each is done when the one before is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum PowerStep {
    /// Set the core voltage.
    Voltage(Volts),
    /// Let the chips ramp to this clock.
    Frequency(Frequency),
    /// Let it settle.
    Wait(Duration),
}

/// Voltage over clock: straight lines between points, level beyond them on the low side, on along the last line above.
#[derive(Debug, Clone, PartialEq)]
pub struct Curve {
    first: SetPoint,
    /// Volts for each megahertz above the first point.
    slope: f64,
    /// Never less than this.
    least: Volts,
    /// Never more than this.
    greatest: Volts,
}

impl Curve {
    /// Bitaxe Gamma. No source has a curve for its chip. The emulator's need of boards.md 6.2 (1.00 V at 400 MHz, 0.6 mV
    /// for each megahertz more) plus 75 mV gives just the default of the model, 1.150 V at 525 MHz; within 1.00 to 1.25 V.
    #[must_use]
    pub fn bitaxe_gamma() -> Self {
        Self {
            first: set_point(525.0, 1.150),
            slope: 0.0006,
            least: Volts::from_millivolts(1000),
            greatest: Volts::from_millivolts(1250),
        }
    }

    /// EmberOne/00, from the only source there is (boards.md 3.2): 0.25625 V a chip at 56.25 MHz to 0.300 V at 500 MHz, for
    /// twelve chips, never above 4.0 V; 3.04 V is what it starts with.
    #[must_use]
    pub fn emberone() -> Self {
        Self {
            first: set_point(56.25, 3.075),
            slope: (3.600 - 3.075) / (500.0 - 56.25),
            least: Volts::from_millivolts(3040),
            greatest: Volts::from_millivolts(4000),
        }
    }

    /// A board that is always set to one voltage.
    #[must_use]
    pub fn level(voltage: Volts) -> Self {
        Self { first: SetPoint { frequency: Frequency::ZERO, voltage }, slope: 0.0, least: voltage, greatest: voltage }
    }

    /// A line through two points, within two voltages, for a board that is not named here.
    ///
    /// The points may come in any order; with one and the same clock the line is level.
    #[must_use]
    pub fn through(a: SetPoint, b: SetPoint, least: Volts, greatest: Volts) -> Self {
        let run = b.frequency.megahertz() - a.frequency.megahertz();
        let rise = b.voltage.volts() - a.voltage.volts();
        let slope = if run.abs() > f64::EPSILON { (rise / run).max(0.0) } else { 0.0 };
        Self { first: a, slope, least, greatest }
    }

    /// The voltage that a clock needs.
    #[must_use]
    pub fn at(&self, frequency: Frequency) -> Volts {
        let above = frequency.megahertz() - self.first.frequency.megahertz();
        let volts = above.mul_add(self.slope, self.first.voltage.volts());
        // To the millivolt: regulators are no finer, and equal set points shall compare equal.
        let volts = (volts * 1e3).round() / 1e3;
        Volts::from_volts(volts.clamp(self.least.volts(), self.greatest.volts()))
    }
}

fn set_point(megahertz: f64, volts: f64) -> SetPoint {
    SetPoint { frequency: Frequency::from_megahertz(megahertz), voltage: Volts::from_volts(volts) }
}

/// How clock and voltage move together.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Ramp {
    /// The whole voltage, then the whole clock (the chain ramps its PLL by itself), or the other way round.
    AtOnce,
    /// In small steps of both, for chips in series.
    Together {
        /// Clock of one step.
        step: Frequency,
        /// After the voltage of a step.
        settle: Duration,
        /// After the clock of a step.
        rest: Duration,
    },
}

/// After a change of voltage as a whole: TON_RISE of 3 ms and a margin that costs nothing.
const SETTLE: Duration = Duration::from_millis(50);

/// No way is longer than this; a ramp with finer steps takes coarser ones.
const MOST_STEPS: u32 = 200;

impl Ramp {
    /// EmberOne/00: 6.25 MHz every 100 ms, 50 ms of them after the voltage (boards.md 3.2).
    #[must_use]
    pub fn emberone() -> Self {
        Self::Together {
            step: Frequency::from_megahertz(6.25),
            settle: Duration::from_millis(50),
            rest: Duration::from_millis(50),
        }
    }

    /// Clocks on the way, the last being where it ends.
    fn clocks(self, from: Frequency, to: Frequency) -> Vec<Frequency> {
        let Self::Together { step, .. } = self else { return vec![to] };
        let (start, way) = (from.megahertz(), to.megahertz() - from.megahertz());
        let step = step.megahertz().max(way.abs() / f64::from(MOST_STEPS));
        let on_the_way = (1..MOST_STEPS).map(|number| f64::from(number) * step).take_while(|gone| *gone < way.abs());
        on_the_way.map(|gone| Frequency::from_megahertz(start + gone.copysign(way))).chain([to]).collect()
    }

    fn waits(self) -> (Duration, Duration) {
        match self {
            Self::AtOnce => (SETTLE, Duration::ZERO),
            Self::Together { settle, rest, .. } => (settle, rest),
        }
    }
}

/// The steps from one set point to another. The destination is brought within the greatest clock and voltage of the
/// limits, whatever was asked; a clock below the least is let through, for chips start and end there.
#[must_use]
pub fn steps(from: SetPoint, to: SetPoint, limits: &BoardLimits) -> Vec<PowerStep> {
    let to = within(to, limits);
    if from == to {
        return Vec::new();
    }
    let (settle, rest) = limits.ramp.waits();
    let mut found = Vec::new();
    let mut at = from;
    for frequency in limits.ramp.clocks(from.frequency, to.frequency) {
        let next = SetPoint { frequency, voltage: on_the_way(from, to, frequency, limits) };
        let voltage =
            (next.voltage != at.voltage).then_some([PowerStep::Voltage(next.voltage), PowerStep::Wait(settle)]);
        let clock = (frequency != at.frequency).then_some(PowerStep::Frequency(frequency));
        if frequency < at.frequency {
            found.extend(clock);
            found.extend(voltage.into_iter().flatten());
        } else {
            found.extend(voltage.into_iter().flatten());
            found.extend(clock);
        }
        found.extend((!rest.is_zero()).then_some(PowerStep::Wait(rest)));
        at = next;
    }
    found
}

/// A set point as the limits let it be.
#[must_use]
pub fn within(wanted: SetPoint, limits: &BoardLimits) -> SetPoint {
    let greatest = limits.frequency.greatest;
    let frequency = if wanted.frequency > greatest { greatest } else { wanted.frequency };
    SetPoint { frequency, voltage: limits.voltage.clamp(wanted.voltage) }
}

/// The voltage at a clock on the way: what the curve says, and as far beside it as the ends are.
fn on_the_way(from: SetPoint, to: SetPoint, frequency: Frequency, limits: &BoardLimits) -> Volts {
    if frequency == to.frequency {
        return to.voltage;
    }
    let curve = &limits.curve;
    let beside = |point: SetPoint| point.voltage.volts() - curve.at(point.frequency).volts();
    let way = to.frequency.megahertz() - from.frequency.megahertz();
    let part = ((frequency.megahertz() - from.frequency.megahertz()) / way).clamp(0.0, 1.0);
    let offset = beside(from).mul_add(1.0 - part, beside(to) * part);
    limits.voltage.clamp(Volts::from_volts(curve.at(frequency).volts() + offset))
}
