//! A look at the board: what watches over it first, then where clock and voltage should stand.

use super::{Machine, Now, POLL, Phase, Seen};
use crate::board::{
    hardware::Survey,
    led::{self, Rgb},
    power::SetPoint,
    task::cause::Cause,
    thermal::{Readings, Situation},
    tuner::{TunerReading, TunerStep},
};
use mujina_core::{
    board::{BoardState, LedState, RailReport},
    units::Watts,
};
use std::time::Instant;

impl Machine {
    /// Judges what was seen.
    pub(super) fn look(&mut self, survey: Survey, now: Now) {
        let Survey { mut readings, rails } = survey;
        self.dirty = true;
        readings.chips = u32::from(self.board.chips);
        readings.lost_chips = if self.phase == Phase::Up { self.chain.lost_chips } else { 0 };
        let situation = self.situation();
        let verdict = self.guard.poll(&readings, &situation, now.at);
        self.fan = verdict.fan_duty.map(|duty| if self.drives_fan_for_test() { 100.0 } else { duty });
        self.warned_since = if verdict.warnings.is_empty() { None } else { self.warned_since.or(Some(now.wall)) };
        let stop = verdict.stop.clone();
        let (headroom, ceiling) = (verdict.headroom, verdict.ceiling);
        self.verdict = Some(verdict);
        if let Some(reason) = stop {
            match self.phase {
                Phase::Safe if self.unsafe_until.is_some() => self.stop(Cause::Again, now),
                Phase::Safe | Phase::Stopping(_) => {}
                Phase::PowerUp(_) | Phase::Release | Phase::BringUp | Phase::Up => {
                    self.stop(Cause::Guard(reason), now);
                }
            }
        } else if self.phase == Phase::Up {
            self.test_looks(&readings, &rails, now);
            self.aim(&readings, &rails, headroom, ceiling, now);
        }
        self.seen = Some(Seen { answered: readings.answered, fan: readings.fan, rails });
        // A control port that is silent may be another one by now.
        self.needs_opening |= !readings.answered && self.phase == Phase::Safe;
    }

    fn situation(&self) -> Situation {
        let up = self.phase == Phase::Up;
        Situation {
            powered: self.powered,
            released_at: self.released_at,
            hashing: up,
            resting: self.paused || up && !self.chain.hashing,
            frequency: self.at.map(|at| at.frequency).filter(|_| up),
        }
    }

    fn aim(
        &mut self,
        readings: &Readings,
        rails: &[RailReport],
        headroom: Option<f64>,
        ceiling: Option<mujina_core::units::Frequency>,
        now: Now,
    ) {
        let reading = TunerReading {
            running: self.at,
            verified: self.chain.chips.iter().map(|chip| chip.verified).sum(),
            errors: self.chain.chips.iter().map(|chip| chip.errors.sum()).sum(),
            power: core_power(rails),
            current: readings.regulator.as_ref().and_then(|regulator| regulator.current),
            headroom,
            ceiling,
        };
        let TunerStep { wanted, limited_by, give_up } = self.tuner.poll(&reading, now.at);
        self.limited_by = limited_by;
        if let Some(why) = give_up {
            self.stop(Cause::Useless(why), now);
        } else if self.test.is_none() || is_less(wanted, self.at) {
            // A test runs where the board is, unless that is too much.
            self.replan |= self.sent != Some(wanted);
        }
    }

    /// The light of this moment, when it is another than before; and when the next may be.
    pub(super) fn next_light(&mut self, now: Now) -> (Option<Rgb>, Option<Instant>) {
        let state = self.led_state();
        let Some(led) = &mut self.led else { return (None, None) };
        led.show(state, now.at);
        let light = led.colour(now.at);
        let (moves, interval) = match led::pattern(led.state(now.at)).motion {
            // Told again at each poll, for a controller that began anew has forgotten it.
            led::Motion::Steady => (false, POLL),
            led::Motion::Breathing(_) | led::Motion::Blinking(_) => (true, led::UPDATE),
        };
        if let Some((shown, looked_at)) = self.light {
            let due = looked_at + interval;
            if now.at < due {
                return (None, Some(due));
            }
            if moves && shown == light {
                self.light = Some((shown, now.at));
                return (None, Some(now.at + interval));
            }
        }
        self.light = Some((light, now.at));
        (Some(light), None)
    }

    fn led_state(&self) -> LedState {
        match self.board_state().0 {
            BoardState::Starting => LedState::Starting,
            BoardState::Mining => LedState::Mining,
            BoardState::Idle => LedState::NoPool,
            BoardState::Paused => LedState::Paused,
            BoardState::Waiting if self.trouble.is_none() => LedState::Starting,
            BoardState::Waiting | BoardState::Fault => LedState::Fault,
            BoardState::Unsupported | BoardState::Gone => LedState::Off,
        }
    }
}

/// Power of the core supply, as measured.
fn core_power(rails: &[RailReport]) -> Option<Watts> {
    rails.iter().find(|rail| rail.name == "core").and_then(|rail| rail.power)
}

fn is_less(wanted: SetPoint, than: Option<SetPoint>) -> bool {
    than.is_some_and(|at| wanted.frequency < at.frequency)
}
