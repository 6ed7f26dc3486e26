//! What a Bitaxe has: a fan controller that reads the chip's diode as well.

use crate::{
    board::{
        hardware::HardwareError,
        known::{self, Board},
        thermal::{FanReading, Readings},
    },
    bridge::Bridge,
    peripheral::{
        BusError,
        emc2101::{ChipSensor, Emc2101, Emc2101Error},
        tps546::configuration::{self, Configuration},
    },
    transport::serial::SerialPort,
};

/// Parts of a Bitaxe.
#[derive(Debug)]
pub(super) struct Bitaxe {
    fan: Emc2101,
    /// What the fan was told, once it was.
    duty: Option<f64>,
    /// Why it could not be told.
    write_failed: Option<String>,
}

impl Default for Bitaxe {
    /// One of which is not known yet which it is.
    fn default() -> Self {
        Self { fan: Emc2101::new(ChipSensor::Diode(None)), duty: None, write_failed: None }
    }
}

/// The regulator of all of them, at the voltage that all chips stand.
pub(super) fn configuration_to_identify() -> Configuration {
    configuration::bitaxe(known::bitaxe_identified_at())
}

impl Bitaxe {
    pub(super) fn becomes(&mut self, board: &Board) {
        if let Some(sensor) = board.sensor {
            self.fan = Emc2101::new(sensor);
        }
    }

    /// The fan at full speed, before anything gets warm.
    pub(super) async fn prepare(&mut self, bridge: &mut Bridge<SerialPort>) -> Result<(), HardwareError> {
        self.duty = None;
        let started = self.fan.start(bridge).await;
        started.map_err(|error| match error {
            Emc2101Error::Bus(BusError::Gone(problem)) => HardwareError::Gone(problem),
            other => HardwareError::Part { part: "fan controller", problem: other.to_string() },
        })?;
        (self.duty, self.write_failed) = (Some(100.0), None);
        Ok(())
    }

    pub(super) async fn look(&mut self, bridge: &mut Bridge<SerialPort>, readings: &mut Readings) {
        let temperature = self.fan.chip_temperature(bridge).await.map_err(|error| error.to_string());
        readings.temperatures.insert("asic".into(), temperature);
        let rpm = self.fan.rpm(bridge).await.ok();
        // Of a fan that nobody has told anything, the controller knows what it does.
        let duty = match self.duty {
            Some(duty) => Some(duty),
            None => self.fan.duty(bridge).await.ok(),
        };
        let write_failed = self.write_failed.clone();
        readings.fan = duty.map(|duty| FanReading { duty, rpm, write_failed });
    }

    pub(super) async fn drive_fan(&mut self, bridge: &mut Bridge<SerialPort>, percent: f64) {
        match self.fan.drive(bridge, percent).await {
            Ok(duty) => (self.duty, self.write_failed) = (Some(duty), None),
            Err(error) => self.write_failed = Some(error.to_string()),
        }
    }
}
