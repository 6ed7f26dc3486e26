//! Boards behind a bitaxe-raw controller: how the steps of their bring-up and shutdown are taken.   Used by board tasks.
//!
//! What all have in common is here: lines of the controller, the core supply behind a TPS546, the safe state. What a family
//! has of its own, parts and waits, is in a file of its own; [`Drivers`] opens a device and finds out what it is. Orders and
//! waits are those of boards 2.2, 2.3, 3.2 and 3.3.

mod bitaxe;
mod emberone;
mod identify;
mod open;
#[cfg(test)]
mod tests;

pub use open::Drivers;

use super::{
    hardware::{Hardware, HardwareError, Survey},
    known::{Board, Family},
    led::Rgb,
    safe::{self, SafeGuard, SafeStep, gpio},
    thermal::RegulatorReading,
};
use crate::{
    bridge::{Bridge, BridgeError, Recovery, request::Request},
    peripheral::{
        self,
        tps546::{Telemetry, Tps546, Tps546Error, configuration::Configuration},
    },
    transport::serial::SerialPort,
};
use bitaxe::Bitaxe;
use emberone::EmberOne;
use mujina_core::{
    board::{RailReport, SafeStateReport},
    units::Volts,
};
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout};

/// Most time for bringing the core supply up: the waits of the sheets are about a second, the rest are some fifty requests.
const POWER_UP: Duration = Duration::from_secs(15);
/// Most time for one short step.
const STEP: Duration = Duration::from_secs(5);
/// Most time for a look at everything. A part that hangs costs a second.
const SURVEY: Duration = Duration::from_secs(4);
/// Times that a step towards the safe state is taken.
const SAFE_TRIES: u32 = 2;
/// Most time for the way to the safe state over the bridge; a controller that is well needs a tenth. The last resort has what
/// is left of [`safe::WITHIN`].
const SAFE_STEPS: Duration = Duration::from_millis(800);
/// Time that chips are held in reset (ESP-Miner).
const RESET: Duration = Duration::from_millis(100);
/// Time that the core supply has after it was turned on, until it is measured.
const SUPPLY_SETTLES: Duration = Duration::from_millis(500);
/// The same after a small move.
const MOVE_SETTLES: Duration = Duration::from_millis(50);
/// Said of a board whose lines are not as they were driven.
const RESTARTED: &str =
    "the reset line is not as it was driven: the board's controller has restarted; check its cable and supply";
/// The greatest temperature that a regulator can still tell of itself, in degrees.
const HOTTEST_REGULATOR: f64 = 150.0;

/// A board that was opened.
#[derive(Debug)]
pub struct Driver {
    bridge: Bridge<SerialPort>,
    guard: SafeGuard,
    parts: Parts,
    configuration: Configuration,
    /// Once it was configured. Its temperature is looked at while the output is off, too: a board that got too hot starts
    /// again by it.
    regulator: Option<Tps546>,
    set: Option<Volts>,
    /// What the reset line was driven to, once it was: whether chips run.
    released: Option<bool>,
}

/// What a family has besides the core supply.
#[derive(Debug)]
enum Parts {
    Bitaxe(Bitaxe),
    EmberOne(EmberOne),
}

impl Parts {
    /// How far the core may be from what it was told.
    fn tolerance(&self, told: Volts) -> Volts {
        match self {
            Self::Bitaxe(_) => Volts::from_volts(told.volts() * 0.05),
            Self::EmberOne(_) => Volts::from_millivolts(200),
        }
    }

    /// Time from the end of reset until chips listen.
    fn wake(&self) -> Duration {
        match self {
            Self::Bitaxe(_) => Duration::from_millis(200),
            Self::EmberOne(_) => Duration::from_millis(500),
        }
    }
}

/// Bounds a step, whatever hangs in it.
async fn within<T>(
    deadline: Duration,
    part: &'static str,
    step: impl Future<Output = Result<T, HardwareError>>,
) -> Result<T, HardwareError> {
    match timeout(deadline, step).await {
        Ok(done) => done,
        Err(_) => {
            let problem = format!("not done within {} s; plug the board in again if this stays", deadline.as_secs());
            Err(HardwareError::Part { part, problem })
        }
    }
}

impl Driver {
    fn new(bridge: Bridge<SerialPort>, guard: SafeGuard, family: Family) -> Self {
        let (parts, configuration) = match family {
            Family::Bitaxe => (Parts::Bitaxe(Bitaxe::default()), bitaxe::configuration_to_identify()),
            Family::EmberOne => (Parts::EmberOne(EmberOne::default()), super::known::EMBER_ONE.regulator()),
        };
        Self { bridge, guard, parts, configuration, regulator: None, set: None, released: None }
    }

    /// From now on it is one of this model.
    fn becomes(&mut self, board: &Board) {
        self.configuration = board.regulator();
        if let Parts::Bitaxe(parts) = &mut self.parts {
            parts.becomes(board);
        }
    }

    /// Drives a line of the controller, and reads it back.
    async fn drive(&mut self, line: u8, high: bool, part: &'static str) -> Result<(), HardwareError> {
        if line == gpio::RESET {
            self.released = Some(high);
        }
        self.bridge.ask(&Request::GpioWrite(line, high)).await?;
        let level = self.bridge.ask(&Request::GpioRead(line)).await?;
        if level == [u8::from(high)] {
            Ok(())
        } else {
            let problem = format!("reads back {level:02x?} after it was told {}; update the firmware", u8::from(high));
            Err(HardwareError::Part { part, problem })
        }
    }

    async fn supply_up(&mut self, voltage: Volts) -> Result<(), HardwareError> {
        self.drive(gpio::RESET, false, "reset line").await?;
        if matches!(self.parts, Parts::EmberOne(_)) {
            self.drive(gpio::POWER, true, "power line").await?;
            self.drive(gpio::IO_POWER, true, "I/O power line").await?;
        }
        match &mut self.parts {
            Parts::Bitaxe(parts) => parts.prepare(&mut self.bridge).await?,
            Parts::EmberOne(parts) => parts.prepare(&mut self.bridge).await?,
        }
        let regulator = Tps546::start(&mut self.bridge, &self.configuration).await?;
        self.regulator = Some(regulator);
        sleep(RESET).await;
        regulator.set_voltage(&mut self.bridge, voltage).await?;
        self.set = Some(voltage);
        regulator.turn_on(&mut self.bridge).await?;
        sleep(SUPPLY_SETTLES).await;
        self.check_supply(regulator, voltage).await
    }

    async fn check_supply(&mut self, regulator: Tps546, told: Volts) -> Result<(), HardwareError> {
        let measured = regulator.telemetry(&mut self.bridge).await.map_err(Tps546Error::from)?;
        let status = regulator.status(&mut self.bridge).await.map_err(Tps546Error::from)?;
        let off = (measured.vout.volts() - told.volts()).abs();
        if off > self.parts.tolerance(told).volts() {
            let problem = format!("gives {} though it was told {told}; check the input power", measured.vout);
            return Err(HardwareError::Part { part: "core supply", problem });
        }
        if status.has_fault() {
            let problem = format!("{status} after it was told {told}; check the input power");
            return Err(HardwareError::Part { part: "core supply", problem });
        }
        Ok(())
    }

    /// The steps to the safe state. `None` once the controller does not answer as it should: then only the last resort is
    /// left, which asks in another way.
    async fn safe_steps(&mut self) -> Option<Vec<Result<String, String>>> {
        let mut seen = Vec::new();
        for step in self.guard.steps().to_vec() {
            seen.push(self.safe_step(&step).await?);
        }
        Some(seen)
    }

    /// Takes one step towards the safe state, and proves it.
    async fn safe_step(&mut self, step: &SafeStep) -> Option<Result<String, String>> {
        let answers = |asked: &Result<Vec<u8>, BridgeError>| {
            asked.as_ref().err().is_none_or(|error| error.recovery() == Recovery::Refused)
        };
        let mut seen = Ok(String::new());
        for _ in 0..SAFE_TRIES {
            let done = Some(self.bridge.ask(&step.request).await).filter(answers)?;
            let Some((question, expected)) = &step.proof else { return Some(Ok(step.helped(done))) };
            let answer = Some(self.bridge.ask(question).await).filter(answers)?;
            seen = step.proven(answer, expected);
            if seen.is_ok() {
                break;
            }
        }
        Some(seen)
    }

    /// The regulator's measurements, if it answers.
    async fn regulator(&mut self, survey: &mut Survey) {
        let Some(regulator) = self.regulator else { return };
        let measured = regulator.telemetry(&mut self.bridge).await;
        let status = regulator.status(&mut self.bridge).await;
        // It does not check what it measures of itself.
        let plausible = |seen: &Telemetry| {
            peripheral::plausible_up_to(HOTTEST_REGULATOR, seen.temperature.degrees())
                .map_err(|error| error.to_string())
        };
        let temperature = measured.as_ref().map_err(ToString::to_string).and_then(plausible);
        survey.readings.temperatures.insert("regulator".into(), temperature);
        let measured = measured.ok();
        survey.readings.regulator = status.ok().map(|status| RegulatorReading {
            status_word: status.word(),
            voltage: measured.map(|seen| seen.vout),
            current: measured.map(|seen| seen.iout),
            input: measured.map(|seen| seen.vin),
        });
        let core = RailReport {
            name: "core".into(),
            set: self.set,
            voltage: measured.map(|seen| seen.vout),
            current: measured.map(|seen| seen.iout),
            power: measured.map(Telemetry::power),
        };
        let input = RailReport {
            name: "input".into(),
            set: None,
            voltage: measured.map(|seen| seen.vin),
            current: None,
            power: None,
        };
        survey.rails = vec![core, input];
    }

    async fn look(&mut self, survey: &mut Survey) {
        // A question that only the controller itself answers.
        match self.bridge.ask(&Request::GpioRead(gpio::RESET)).await {
            Err(silent) => {
                survey.readings.problem = silent.to_string();
                return;
            }
            Ok(level) if self.released.is_some_and(|released| level != [u8::from(released)]) => {
                survey.readings.problem = RESTARTED.into();
                return;
            }
            Ok(_) => survey.readings.answered = true,
        }
        match &mut self.parts {
            Parts::Bitaxe(parts) => parts.look(&mut self.bridge, &mut survey.readings).await,
            Parts::EmberOne(parts) => parts.look(&mut self.bridge, &mut survey.readings).await,
        }
        self.regulator(survey).await;
    }
}

impl Hardware for Driver {
    async fn power_up(&mut self, voltage: Volts) -> Result<(), HardwareError> {
        self.guard.arm();
        within(POWER_UP, "core supply", self.supply_up(voltage)).await
    }

    async fn restart_chips(&mut self) -> Result<(), HardwareError> {
        let wake = self.parts.wake();
        let restart = async {
            self.drive(gpio::RESET, false, "reset line").await?;
            sleep(RESET).await;
            self.drive(gpio::RESET, true, "reset line").await?;
            sleep(wake).await;
            Ok(())
        };
        within(STEP, "reset line", restart).await
    }

    async fn set_voltage(&mut self, voltage: Volts) -> Result<(), HardwareError> {
        let (Some(regulator), Some(_)) = (self.regulator, self.set) else {
            let problem = "it was not turned on".to_owned();
            return Err(HardwareError::Part { part: "core supply", problem });
        };
        let set = async {
            regulator.set_voltage(&mut self.bridge, voltage).await?;
            sleep(MOVE_SETTLES).await;
            self.check_supply(regulator, voltage).await
        };
        within(STEP, "core supply", set).await?;
        self.set = Some(voltage);
        Ok(())
    }

    async fn make_safe(&mut self, reason: &str) -> SafeStateReport {
        let deadline = Instant::now() + safe::WITHIN;
        let seen = timeout(SAFE_STEPS, self.safe_steps()).await.ok().flatten();
        (self.set, self.released) = (None, Some(false));
        if let Some(seen) = seen {
            let outcome = self.guard.conclude(seen);
            if outcome.confirmed {
                return outcome.report(reason);
            }
        }
        // It has another handle on the port and asks in another way. The board stays armed: whoever ends the task tries again.
        let outcome = self.guard.attempt(deadline.into_std()).await;
        if outcome.confirmed {
            self.guard.disarm();
        }
        outcome.report(reason)
    }

    async fn survey(&mut self) -> Survey {
        let mut survey = Survey::default();
        if timeout(SURVEY, self.look(&mut survey)).await.is_err() {
            survey.readings.problem = format!("the board was not read within {} s", SURVEY.as_secs());
            survey.readings.answered = false;
        }
        survey
    }

    async fn drive_fan(&mut self, percent: f64) {
        if let Parts::Bitaxe(parts) = &mut self.parts {
            parts.drive_fan(&mut self.bridge, percent).await;
        }
    }

    async fn shine(&mut self, Rgb { red, green, blue }: Rgb) {
        if self.has_led() {
            // The next light comes in a moment.
            let _ = self.bridge.ask(&Request::Led([red, green, blue])).await;
        }
    }

    fn has_led(&self) -> bool {
        matches!(self.parts, Parts::EmberOne(_))
    }
}
