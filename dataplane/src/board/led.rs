//! What a status LED shows, and which light that is at a moment. Pure.
//!
//! Patterns, colours and the correction of the LED are those of peripherals.md 7 (Mujina). One thing differs on purpose:
//! there the whole value, already dimmed to a tenth, is raised to 2.5, so that full white becomes (1, 0, 1), which is all but
//! dark and magenta. Here gamma corrects the colour first and the dimming comes after it.

#[cfg(test)]
mod tests;

use mujina_core::board::LedState;
use std::time::{Duration, Instant};

/// A light, as it is sent to the LED.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Rgb {
    /// Red.
    pub red: u8,
    /// Green.
    pub green: u8,
    /// Blue.
    pub blue: u8,
}

/// How a light moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Motion {
    /// Always the same.
    Steady,
    /// Swells and fades once in this time.
    Breathing(Duration),
    /// So long on, so long off.
    Blinking(Duration),
}

/// Colour and motion of a state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pattern {
    /// Before any correction.
    pub colour: Rgb,
    /// How it moves.
    pub motion: Motion,
}

const ORANGE: Rgb = Rgb { red: 255, green: 40, blue: 0 };
const WHITE: Rgb = Rgb { red: 255, green: 255, blue: 255 };
const RED: Rgb = Rgb { red: 255, green: 0, blue: 0 };
const BLUE: Rgb = Rgb { red: 0, green: 0, blue: 255 };
const DARK: Rgb = Rgb { red: 0, green: 0, blue: 0 };

const BREATH: Duration = Duration::from_secs(3);
const FLASH: Duration = Duration::from_millis(150);

/// Between two updates of a light that moves.
pub const UPDATE: Duration = Duration::from_millis(50);

/// Gain of each channel, that white looks white.
const BALANCE: (f64, f64, f64) = (1.0, 0.69, 0.94);
const GAMMA: f64 = 2.5;
/// Part of the full light, for an LED that somebody may sit beside.
const DIMMED: f64 = 0.10;

/// What a state looks like. "Paused" is ours: no source has it.
#[must_use]
pub fn pattern(state: LedState) -> Pattern {
    let (colour, motion) = match state {
        LedState::Starting => (ORANGE, Motion::Breathing(BREATH)),
        LedState::Mining => (WHITE, Motion::Breathing(BREATH)),
        LedState::NoPool => (WHITE, Motion::Steady),
        LedState::Paused => (ORANGE, Motion::Steady),
        LedState::Fault => (RED, Motion::Blinking(Duration::from_millis(500))),
        LedState::Locate => (BLUE, Motion::Blinking(Duration::from_millis(125))),
        LedState::Off => (DARK, Motion::Steady),
    };
    Pattern { colour, motion }
}

/// The light of a state, so long after it began.
#[must_use]
pub fn colour(state: LedState, elapsed: Duration) -> Rgb {
    let Pattern { colour, motion } = pattern(state);
    corrected(colour, brightness(motion, elapsed))
}

/// From dark (0) to full (1).
fn brightness(motion: Motion, elapsed: Duration) -> f64 {
    match motion {
        Motion::Steady => 1.0,
        Motion::Blinking(half) => {
            let halves = elapsed.as_nanos().checked_div(half.as_nanos()).unwrap_or_default();
            if halves % 2 == 0 { 1.0 } else { 0.0 }
        }
        Motion::Breathing(period) => {
            let part = (elapsed.as_secs_f64() / period.as_secs_f64()).fract();
            let swell = (std::f64::consts::TAU.mul_add(part, -std::f64::consts::FRAC_PI_2)).sin().exp();
            let least = std::f64::consts::E.recip();
            ((swell - least) / (std::f64::consts::E - least)).clamp(0.0, 1.0)
        }
    }
}

fn corrected(colour: Rgb, brightness: f64) -> Rgb {
    let channel = |value: u8, gain: f64| {
        let light = (f64::from(value) / 255.0 * gain).powf(GAMMA) * brightness * DIMMED;
        byte(255.0 * light)
    };
    let (red, green, blue) = BALANCE;
    Rgb { red: channel(colour.red, red), green: channel(colour.green, green), blue: channel(colour.blue, blue) }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "rounded and within 0 to 255")]
fn byte(value: f64) -> u8 {
    value.round().clamp(0.0, 255.0) as u8
}

/// The LED of one board: its state, and what covers it for a while.
#[derive(Debug, Clone)]
pub struct Led {
    state: LedState,
    since: Instant,
    locate: Option<(Instant, Instant)>,
    flash_until: Option<Instant>,
}

impl Led {
    /// One that shows a state from now on.
    #[must_use]
    pub fn new(state: LedState, now: Instant) -> Self {
        Self { state, since: now, locate: None, flash_until: None }
    }

    /// Shows another state; the same one again goes on without a jolt.
    pub fn show(&mut self, state: LedState, now: Instant) {
        if state != self.state {
            self.state = state;
            self.since = now;
        }
    }

    /// Shows where the board is, for so long; zero ends it.
    pub fn locate(&mut self, duration: Duration, now: Instant) {
        self.locate = (!duration.is_zero()).then_some((now, now + duration));
    }

    /// A share was accepted: a short flash.
    pub fn accepted(&mut self, now: Instant) {
        self.flash_until = Some(now + FLASH);
    }

    /// What it shows.
    #[must_use]
    pub fn state(&self, now: Instant) -> LedState {
        self.locating(now).map_or(self.state, |_| LedState::Locate)
    }

    /// The light of this moment.
    #[must_use]
    pub fn colour(&self, now: Instant) -> Rgb {
        if let Some(since) = self.locating(now) {
            return colour(LedState::Locate, now.saturating_duration_since(since));
        }
        let flashes = self.flash_until.is_some_and(|until| now < until) && self.state == LedState::Mining;
        if flashes { corrected(ORANGE, 1.0) } else { colour(self.state, now.saturating_duration_since(self.since)) }
    }

    /// Since when it shows where the board is, if it does.
    fn locating(&self, now: Instant) -> Option<Instant> {
        self.locate.filter(|(_, until)| now < *until).map(|(since, _)| since)
    }
}
