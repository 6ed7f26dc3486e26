//! From a device to a board: contact, chips into reset, and what it is.

use super::{Driver, STEP, identify, within};
use crate::{
    board::{
        hardware::{Hardware, HardwareError, OpenError, Opened, Opener},
        known::{self, Board, Device, Family},
        safe::{self, Registry, SafeGuard, gpio},
    },
    bridge::{Bridge, Takeover, frame::Protocol, request::Request},
    peripheral::{
        BusError, I2c,
        tps546::{self, Tps546},
    },
    transport::{device::BoardDevice, serial::SerialPort},
};
use mujina_core::id::BoardId;
use std::{collections::BTreeMap, time::Duration};

/// The control port has no rate of its own; any is taken.
const CONTROL_BAUD: u32 = 115_200;
/// Most time for finding out what a device is.
const IDENTIFY: Duration = Duration::from_secs(20);
/// Regulator of boards that cannot be driven (peripherals 6).
const DS4432U: u8 = 0x48;

/// Opens devices of this machine, and emulated ones.
#[derive(Debug, Clone)]
pub struct Drivers {
    /// Who makes their boards safe when nobody else does.
    registry: Registry,
}

impl Drivers {
    /// With this last resort.
    #[must_use]
    pub fn new(registry: Registry) -> Self {
        Self { registry }
    }
}

impl Opener for Drivers {
    type Hardware = Driver;

    async fn open(&mut self, device: &BoardDevice, id: &BoardId) -> Result<Opened<Driver>, OpenError> {
        let family = match known::device(&device.manufacturer, &device.product) {
            Some(Device::Family(family)) => family,
            Some(Device::Refused { model, reason }) => {
                return Err(OpenError::Unsupported { model: model.into(), reason: reason.into() });
            }
            None => {
                let reason = "it is no board that this version knows".into();
                return Err(OpenError::Unsupported { model: device.product.clone(), reason });
            }
        };
        let mut driver = contact(&self.registry, device, id, family).await?;
        match driver.begin(device, family).await {
            Ok(board) => {
                let facts = facts(device, &driver, &board);
                Ok(Opened { board, hardware: driver, facts })
            }
            Err(failure) => {
                // It may be armed yet: then its end blocks for as long as the last resort needs, other boards must not wait.
                let _ = tokio::task::spawn_blocking(move || drop(driver)).await;
                Err(failure)
            }
        }
    }
}

/// The way to the controller. Nothing but its I2C clock was set.
async fn contact(registry: &Registry, device: &BoardDevice, id: &BoardId, family: Family) -> Result<Driver, OpenError> {
    let port = SerialPort::open(&device.control, CONTROL_BAUD).map_err(|error| OpenError::Port(error.to_string()))?;
    let takeover = Takeover::default();
    let mut bridge = Bridge::new(port, Protocol::of_release(device.release), takeover.clone());
    bridge.open().await.map_err(HardwareError::from)?;
    let steps = match family {
        Family::Bitaxe => safe::bitaxe_steps(),
        Family::EmberOne => safe::ember_one_steps(),
    };
    let guard = SafeGuard::new(registry, id.clone(), &device.control, bridge.protocol(), steps, takeover)
        .map_err(|error| OpenError::Port(error.to_string()))?;
    // Its chips may be hashing for somebody who is gone.
    guard.arm();
    Ok(Driver::new(bridge, guard, family))
}

impl Driver {
    /// Finds out what it is and makes it safe, whatever comes of that.
    async fn begin(&mut self, device: &BoardDevice, family: Family) -> Result<Board, OpenError> {
        let identified = self.identify(device, family).await;
        let safe = self.make_safe("it was opened").await;
        if !safe.confirmed && self.is_held_without_regulator().await {
            // Nothing more can be done, and nothing more is needed.
            self.guard.disarm();
            let problem =
                "its regulator does not answer, its chips are held in reset; check the input power".to_owned();
            return Err(identified.err().unwrap_or_else(|| HardwareError::Part { part: "board", problem }.into()));
        }
        let board = identified?;
        if !safe.confirmed {
            let problem = format!("could not be proven safe: {}; cut its power", safe.detail);
            return Err(HardwareError::Part { part: "board", problem }.into());
        }
        self.becomes(&board);
        // Configured, and off: from now on its temperature is known before it gets power.
        let regulator =
            within(STEP, "core supply", async { Ok(Tps546::start(&mut self.bridge, &self.configuration).await?) });
        self.regulator = Some(regulator.await?);
        Ok(board)
    }

    /// Whether its chips are held in reset and there is no TPS546 that answers: one without input power, or a board with
    /// another regulator. What is not told to clock draws next to nothing.
    async fn is_held_without_regulator(&mut self) -> bool {
        let reset = self.bridge.ask(&Request::GpioRead(gpio::RESET)).await;
        if !reset.is_ok_and(|level| level == [0]) {
            return false;
        }
        let (address, register) = tps546::off_read_back();
        let asked = self.bridge.write_read(address, &[register], &mut [0]).await;
        matches!(asked, Err(BusError::NoAnswer { .. }))
    }

    async fn identify(&mut self, device: &BoardDevice, family: Family) -> Result<Board, OpenError> {
        match family {
            // Its strings say all; its chips are counted when they are brought up.
            Family::EmberOne => Ok(known::EMBER_ONE),
            Family::Bitaxe => {
                let chip_id = within(IDENTIFY, "board", self.bitaxe_chip(device)).await;
                let chip_id = match chip_id {
                    Err(HardwareError::Regulator(silent)) if self.has_ds4432u().await => {
                        tracing::debug!(cause = %silent, "no TPS546");
                        let (model, reason) = ("bitaxe".into(), known::NO_DS4432U.into());
                        return Err(OpenError::Unsupported { model, reason });
                    }
                    other => other?,
                };
                known::bitaxe(chip_id).map_err(|unknown| {
                    let model = format!("bitaxe with chip {chip_id:#06x}");
                    OpenError::Unsupported { model, reason: unknown.to_string() }
                })
            }
        }
    }

    async fn bitaxe_chip(&mut self, device: &BoardDevice) -> Result<u16, HardwareError> {
        self.supply_up(known::bitaxe_identified_at()).await?;
        self.restart_chips().await?;
        identify::chip_id(&device.data).await
    }

    /// Only asked when there is no TPS546.
    async fn has_ds4432u(&mut self) -> bool {
        let mut register = [0];
        self.bridge.write_read(DS4432U, &[0xF8], &mut register).await.is_ok()
    }
}

fn facts(device: &BoardDevice, driver: &Driver, board: &Board) -> BTreeMap<String, String> {
    let BoardDevice { place, serial, release, .. } = device;
    let [revision, firmware] = release.to_be_bytes();
    let protocol = match driver.bridge.protocol() {
        Protocol::V0 => "0",
        Protocol::V1 => "1",
    };
    let facts = [
        ("title", board.title.to_owned()),
        ("place", place.clone()),
        ("serial", serial.clone()),
        ("chip", format!("{:#06x}", board.chip.constants().chip_id)),
        ("hardware_revision", if revision == 0 { String::new() } else { revision.to_string() }),
        ("controller_firmware", format!("{}.{}", firmware >> 4, firmware & 0x0F)),
        ("controller_protocol", protocol.to_owned()),
    ];
    facts.into_iter().filter(|(_, value)| !value.is_empty()).map(|(name, value)| (name.to_owned(), value)).collect()
}
