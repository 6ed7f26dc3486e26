//! What an EmberOne/00 has: two sensors on the board, one of which reads the diode of the chip nearest to the host.

use crate::{
    board::{hardware::HardwareError, thermal::Readings},
    bridge::Bridge,
    peripheral::{
        BusError,
        tmp451::{Tmp451, Tmp451Error},
        tmp1075::{Tmp1075, Tmp1075Error},
    },
    transport::serial::SerialPort,
};
use std::time::Duration;
use tokio::time::sleep;

/// Address of the sensor on the left (peripherals 4).
const LEFT: u8 = 0x4A;
/// Address of the sensor on the right (peripherals 5).
const RIGHT: u8 = 0x49;
/// What the diode of the chip shows too much (Mujina).
const DIODE_OFFSET: i8 = -7;
/// Time that the supply of the chips' inputs and outputs needs: a soft start of half a millisecond, and some.
const IO_RISES: Duration = Duration::from_millis(5);

/// Parts of an EmberOne/00.
#[derive(Debug)]
pub(super) struct EmberOne {
    left: Tmp1075,
    right: Tmp451,
}

impl Default for EmberOne {
    fn default() -> Self {
        Self { left: Tmp1075::new(LEFT), right: Tmp451::new(RIGHT) }
    }
}

impl EmberOne {
    /// Sensors are there before anything gets warm.
    pub(super) async fn prepare(&mut self, bridge: &mut Bridge<SerialPort>) -> Result<(), HardwareError> {
        sleep(IO_RISES).await;
        self.left.start(bridge).await.map_err(|error| match error {
            Tmp1075Error::Bus(BusError::Gone(problem)) => HardwareError::Gone(problem),
            other => HardwareError::Part { part: "left sensor", problem: other.to_string() },
        })?;
        self.right.start(bridge, DIODE_OFFSET).await.map_err(|error| match error {
            Tmp451Error::Bus(BusError::Gone(problem)) => HardwareError::Gone(problem),
            other => HardwareError::Part { part: "right sensor", problem: other.to_string() },
        })
    }

    pub(super) async fn look(&mut self, bridge: &mut Bridge<SerialPort>, readings: &mut Readings) {
        let left = self.left.temperature(bridge).await;
        let right = self.right.local(bridge).await;
        let chip = self.right.remote(bridge).await;
        for (name, reading) in [("pcb-left", left), ("pcb-right", right), ("asic", chip)] {
            readings.temperatures.insert(name.into(), reading.map_err(|error| error.to_string()));
        }
    }
}
