//! Clocks, voltages and powers that the tuner plans with.

use super::{Cause, Learnt, Tuner};
use crate::board::{limits::BoardLimits, power::SetPoint};
use mujina_core::{
    board::TuningMode,
    units::{Frequency, Volts, Watts},
};

/// Steps of the clock, in megahertz: the coarsest that fits is taken. The finest is what the PLL does (bm13xx.md).
pub(super) const STEPS: [f64; 3] = [COARSEST, 12.5, FINEST];
pub(super) const COARSEST: f64 = 25.0;
pub(super) const FINEST: f64 = 6.25;

/// Part of a limit that a step may be expected to reach, so that a wrong guess or a noisy reading does not pass it.
pub(super) const ROOM: f64 = 0.98;

/// A mode as what was learnt names it.
pub(super) fn describe(mode: TuningMode) -> String {
    match mode {
        TuningMode::Default => "the default of the model".to_owned(),
        TuningMode::Fixed { frequency, voltage } => format!("{frequency} at {voltage}"),
        TuningMode::Power(power) => power.to_string(),
        TuningMode::HashRate(rate) => rate.to_string(),
    }
}

pub(super) fn less(from: Frequency, megahertz: f64, limits: &BoardLimits) -> Frequency {
    limits.frequency.clamp(Frequency::from_megahertz(from.megahertz() - megahertz))
}

pub(super) fn more(from: Frequency, megahertz: f64, goal: Frequency) -> Frequency {
    let next = Frequency::from_megahertz(from.megahertz() + megahertz);
    if next > goal { goal } else { next }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates, and no voltage is negative")]
pub(super) fn millivolts(voltage: Volts) -> u32 {
    (voltage.volts() * 1e3).round() as u32
}

impl Tuner {
    /// The clock that is wanted if nothing speaks against it.
    pub(super) fn goal(&self) -> Frequency {
        let range = &self.limits.frequency;
        match self.mode {
            TuningMode::Default => range.default,
            TuningMode::Fixed { frequency, .. } => range.clamp(frequency),
            TuningMode::Power(_) => range.greatest,
            TuningMode::HashRate(rate) => {
                let per_megahertz = self.limits.hash_rate_per_megahertz.hashes_per_second();
                let exact = rate.hashes_per_second() / per_megahertz.max(f64::MIN_POSITIVE);
                // The next step of the PLL, for the rate shall be reached.
                range.clamp(Frequency::from_megahertz((exact / FINEST - 1e-6).ceil() * FINEST))
            }
        }
    }

    /// The clock to begin with: where it came to rest before; what is wanted; for a power or a rate what the defaults of
    /// the model suggest, with some room. Never more than was learnt to be good.
    pub(super) fn start(&self) -> Frequency {
        let Learnt { ceilings, settled, .. } = &self.learnt;
        let range = &self.limits.frequency;
        let rested = settled.as_ref().filter(|settled| settled.mode == describe(self.mode));
        let begin = match self.mode {
            _ if rested.is_some() => rested.map_or(range.least, |settled| settled.frequency),
            TuningMode::Default | TuningMode::Fixed { .. } => self.goal(),
            TuningMode::HashRate(_) => least_of(self.goal(), range.default),
            TuningMode::Power(power) => least_of(self.suggested(power), range.default),
        };
        let begin = if begin > self.goal() { self.goal() } else { begin };
        range.clamp(ceilings.values().map(|ceiling| ceiling.frequency).fold(begin, least_of))
    }

    /// The clock at which a board of this model should take nine tenths of a power.
    fn suggested(&self, power: Watts) -> Frequency {
        let (range, typical) = (&self.limits.frequency, self.limits.power.default.watts());
        let usual = SetPoint { frequency: range.default, voltage: self.voltage(range.default) };
        let mut at = range.default;
        while at > range.least && self.expected(typical, 2, usual, at) > power.watts() * 0.9 {
            at = less(at, FINEST, &self.limits);
        }
        at
    }

    /// The greatest power, and what it is called.
    pub(super) fn power_cap(&self) -> (Watts, Cause) {
        let greatest = self.limits.power.greatest;
        match self.mode {
            TuningMode::Power(power) if power < greatest => (power, Cause::PowerTarget),
            _ => (greatest, Cause::PowerLimit),
        }
    }

    /// The voltage at a clock: the curve, and as far beside it as the set points of model or owner are, or as was learnt.
    pub(super) fn voltage(&self, frequency: Frequency) -> Volts {
        let curve = &self.limits.curve;
        let beside = |clock: Frequency, voltage: Volts| voltage.volts() - curve.at(clock).volts();
        let offset = match self.mode {
            TuningMode::Default => beside(self.limits.frequency.default, self.limits.voltage.default),
            TuningMode::Fixed { frequency, voltage } => beside(frequency, voltage),
            TuningMode::Power(_) | TuningMode::HashRate(_) => -f64::from(self.learnt.below_curve_millivolts) / 1e3,
        };
        let volts = curve.at(frequency).volts() + offset;
        self.limits.voltage.clamp(Volts::from_volts((volts * 1e3).round() / 1e3))
    }

    /// A reading as it should become at another clock: proportional to the clock and to so many powers of the voltage
    /// (boards.md 6.3).
    pub(super) fn expected(&self, reading: f64, voltages: i32, running: SetPoint, next: Frequency) -> f64 {
        let clock = next.megahertz() / running.frequency.megahertz().max(f64::MIN_POSITIVE);
        let voltage = self.voltage(next).volts() / running.voltage.volts().max(f64::MIN_POSITIVE);
        reading * clock * voltage.powi(voltages)
    }

    /// The greatest clock at which a reading that is above its limit should fit it; `None` when it is not above.
    pub(super) fn fitting(
        &self,
        reading: Option<f64>,
        limit: f64,
        voltages: i32,
        running: SetPoint,
    ) -> Option<Frequency> {
        let reading = reading.filter(|reading| *reading > limit)?;
        let mut next = less(self.frequency, FINEST, &self.limits);
        while next > self.limits.frequency.least && self.expected(reading, voltages, running, next) > limit * ROOM {
            next = less(next, FINEST, &self.limits);
        }
        Some(next)
    }
}

fn least_of(a: Frequency, b: Frequency) -> Frequency {
    if b < a { b } else { a }
}
