//! The boards that are known: how they are recognised, and every figure that a driver needs.   Source: boards 1 to 4.
//!
//! One table. A device's strings name its family; which Bitaxe it is, its chip says once it has power, and which regulator
//! it has, the I2C bus does. What is recognised and cannot be driven says why.

use crate::{
    asic::bm13xx::{ChainSpec, Model},
    board::{
        limits::{BoardLimits, FanLimits, Range, SensorLimits},
        power::{Curve, Ramp},
    },
    peripheral::{
        emc2101::{BM1370_DIODE, ChipSensor},
        tps546::configuration::{self, Configuration},
    },
};
use mujina_core::units::{Amperes, Celsius, Frequency, Volts, Watts};

/// Chips are asked for so many results a second each: enough to see within seconds that one is silent, and a fiftieth of
/// what the slowest line carries.
const RESULTS_PER_CHIP: f64 = 5.0;
/// Leading zero bits that real chips demand of every result.
pub const SILICON_GATE_BITS: u8 = 32;

/// What a device's strings say that it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Device {
    /// A board of this family; which model, only probing tells.
    Family(Family),
    /// A board that is known and cannot be driven.
    Refused {
        /// Its model.
        model: &'static str,
        /// Why, and what to do.
        reason: &'static str,
    },
}

/// Boards that are brought up the same way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// One chip, a fan, 5 V.
    Bitaxe,
    /// A stack of chips, cooled from outside, 12 V.
    EmberOne,
}

/// Why boards with a DS4432U are refused (boards 4).
pub const NO_DS4432U: &str = "this board sets its core voltage with a DS4432U, and bitaxe-raw cannot reach the line that \
     turns its core supply on; run it with its own firmware";

/// What the strings of a device say; `None` for what is no board.
#[must_use]
pub fn device(manufacturer: &str, product: &str) -> Option<Device> {
    match (manufacturer, product) {
        ("OSMU", "Bitaxe") => Some(Device::Family(Family::Bitaxe)),
        ("256F", "EmberOne00") => Some(Device::Family(Family::EmberOne)),
        (_, "BitaxeBonanza") => Some(Device::Refused {
            model: "bitaxe-bonanza",
            reason: "its controller frames its replies in a way that is not known well enough; run it with its own firmware",
        }),
        _ => None,
    }
}

/// Whether a device with these strings is a board, be it one that cannot be driven.
#[must_use]
pub fn is_board(manufacturer: &str, product: &str) -> bool {
    device(manufacturer, product).is_some()
}

/// A model, with everything that does not change from one piece to the next.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Board {
    /// Stable name for machines.
    pub name: &'static str,
    /// Name for people.
    pub title: &'static str,
    /// How it is brought up.
    pub family: Family,
    /// Its chips.
    pub chip: Model,
    /// How many it has.
    pub chips: u8,
    /// Step between their addresses.
    address_interval: u16,
    /// Clocks in MHz: least, default, greatest.
    megahertz: [f64; 3],
    /// Core voltages in mV: least, default, greatest.
    millivolts: [u32; 3],
    /// Power in W: least that makes sense, typical, greatest.
    watts: [f64; 3],
    /// Core current in A from which on the clock goes down: what the regulator warns of.
    amperes: f64,
    /// Input in mV below which the supply is too weak.
    least_input: u32,
    /// Sensor that tells the temperature of its chip, where that is the fan controller's.
    pub sensor: Option<ChipSensor>,
}

/// Bitaxe Gamma 600 to 603.
pub const GAMMA: Board = Board {
    name: "bitaxe-gamma",
    title: "Bitaxe Gamma",
    family: Family::Bitaxe,
    chip: Model::Bm1370,
    chips: 1,
    address_interval: 256,
    megahertz: [400.0, 525.0, 625.0],
    millivolts: [1000, 1150, 1250],
    watts: [8.0, 22.0, 40.0],
    amperes: 25.0,
    least_input: 4700,
    sensor: Some(ChipSensor::Diode(Some(BM1370_DIODE))),
};

/// Bitaxe Ultra 207, the only one of the Ultras with a TPS546.
pub const ULTRA: Board = Board {
    name: "bitaxe-ultra",
    title: "Bitaxe Ultra",
    chip: Model::Bm1366,
    megahertz: [400.0, 485.0, 575.0],
    millivolts: [1100, 1200, 1300],
    watts: [6.0, 12.0, 25.0],
    sensor: Some(ChipSensor::Diode(None)),
    ..GAMMA
};

/// Bitaxe Supra 402 and 403, those of the Supras with a TPS546.
pub const SUPRA: Board = Board {
    name: "bitaxe-supra",
    title: "Bitaxe Supra",
    chip: Model::Bm1368,
    megahertz: [400.0, 490.0, 575.0],
    millivolts: [1100, 1166, 1300],
    watts: [6.0, 12.0, 40.0],
    sensor: Some(ChipSensor::Diode(None)),
    ..GAMMA
};

/// EmberOne/00 of version 5.
pub const EMBER_ONE: Board = Board {
    name: "emberone-00",
    title: "EmberOne/00",
    family: Family::EmberOne,
    chip: Model::Bm1362,
    chips: 12,
    // Captured S19j Pros have 2, which gives a chip so little to search that jobs must be renewed every two seconds.
    address_interval: 16,
    megahertz: [200.0, 500.0, 600.0],
    millivolts: [3040, 3600, 4000],
    watts: [20.0, 100.0, 120.0],
    amperes: 50.0,
    least_input: 11_000,
    sensor: None,
};

/// All models that are driven.
pub const BOARDS: [Board; 4] = [GAMMA, ULTRA, SUPRA, EMBER_ONE];

/// Voltage at which a Bitaxe is asked what it is: one that all chips of the family stand.
#[must_use]
pub fn bitaxe_identified_at() -> Volts {
    Volts::from_millivolts(1100)
}

/// The Bitaxe with that chip.
///
/// # Errors
/// Why there is none.
pub fn bitaxe(chip_id: u16) -> Result<Board, UnknownChip> {
    let is_it = |board: &Board| board.family == Family::Bitaxe && board.chip.constants().chip_id == chip_id;
    let found = BOARDS.into_iter().find(is_it);
    found.ok_or(UnknownChip(chip_id))
}

/// A chip that no known board of the family has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("its chip says it is {0:#06x}, which no Bitaxe has that this version drives; run it with its own firmware")]
pub struct UnknownChip(pub u16);

impl Board {
    /// Its chain, as the driver of the chips wants it. `gate_bits`: 32 but for emulated chips.
    #[must_use]
    pub fn chain(&self, gate_bits: u8) -> ChainSpec {
        let [_, _, greatest] = self.megahertz;
        ChainSpec {
            model: self.chip,
            chips: self.chips,
            address_interval: self.address_interval,
            // The rate out of reset carries all that they say, and what bridges make of others is not documented.
            baud: None,
            gate_bits,
            results_per_second: RESULTS_PER_CHIP * f64::from(self.chips),
            greatest_frequency: Frequency::from_megahertz(greatest),
        }
    }

    /// What its regulator is set to.
    #[must_use]
    pub fn regulator(&self) -> Configuration {
        let [_, default, _] = self.millivolts;
        match self.family {
            Family::Bitaxe => configuration::bitaxe(Volts::from_millivolts(default)),
            Family::EmberOne => configuration::ember_one(),
        }
    }

    /// What it may do.
    #[must_use]
    pub fn limits(&self, gate_bits: u8) -> BoardLimits {
        let [least_watts, watts, most_watts] = self.watts;
        BoardLimits {
            sensors: self.sensors().into_iter().map(|(name, limits)| (name.to_owned(), limits)).collect(),
            fan: (self.family == Family::Bitaxe).then(|| FanLimits {
                sensor: "asic".into(),
                target: range([35.0, 60.0, 65.0], Celsius::from_degrees),
                least_duty: 25.0,
            }),
            frequency: range(self.megahertz, Frequency::from_megahertz),
            voltage: range(self.millivolts, Volts::from_millivolts),
            power: range([least_watts, watts, most_watts], Watts::from_watts),
            current: Amperes::from_amperes(self.amperes),
            least_input: Volts::from_millivolts(self.least_input),
            curve: self.curve(),
            undervolt: Volts::from_millivolts(if self.chips > 1 { 0 } else { 50 }),
            ramp: if self.chips > 1 { Ramp::emberone() } else { Ramp::AtOnce },
            hash_rate_per_megahertz: self.chain(gate_bits).nominal_hash_rate(Frequency::from_megahertz(1.0)),
            series: self.chips > 1,
        }
    }

    fn curve(&self) -> Curve {
        match (self.family, self.chip) {
            (Family::EmberOne, _) => Curve::emberone(),
            (Family::Bitaxe, Model::Bm1370) => Curve::bitaxe_gamma(),
            // No source has a curve for these.
            (Family::Bitaxe, _) => Curve::level(Volts::from_millivolts(self.millivolts[1])),
        }
    }

    fn sensors(&self) -> Vec<(&'static str, SensorLimits)> {
        let sensor = |soft, hard, readable_when_off, reason| SensorLimits {
            soft: Celsius::from_degrees(soft),
            hard: Celsius::from_degrees(hard),
            readable_when_off,
            reason,
        };
        let regulator = sensor(95.0, 105.0, true, "the regulator warns of itself at 105 °C");
        match self.family {
            Family::Bitaxe => vec![
                ("asic", sensor(70.0, 78.0, false, "other firmware stops at 75 to 80 °C")),
                ("regulator", regulator),
            ],
            Family::EmberOne => vec![
                (
                    "asic",
                    sensor(70.0, 80.0, false, "recommended for the chip nearest to the host; no source measured it"),
                ),
                ("pcb-left", sensor(75.0, 85.0, true, "recommended for the board; no source measured it")),
                ("pcb-right", sensor(75.0, 85.0, true, "recommended for the board; no source measured it")),
                ("regulator", regulator),
            ],
        }
    }
}

fn range<N: Copy, T>([least, default, greatest]: [N; 3], unit: impl Fn(N) -> T) -> Range<T> {
    Range { least: unit(least), greatest: unit(greatest), default: unit(default) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_name_the_family_and_nothing_else_does() {
        assert_eq!(device("OSMU", "Bitaxe"), Some(Device::Family(Family::Bitaxe)));
        assert_eq!(device("256F", "EmberOne00"), Some(Device::Family(Family::EmberOne)));
        assert!(matches!(device("OSMU", "BitaxeBonanza"), Some(Device::Refused { .. })));
        for (manufacturer, product) in [("", ""), ("OSMU", ""), ("Logitech", "Mouse"), ("256F", "Bitaxe")] {
            assert!(!is_board(manufacturer, product), "{manufacturer} {product}");
        }
    }

    #[test]
    fn chip_says_which_bitaxe_it_is() {
        let names: Vec<_> = [0x1370, 0x1366, 0x1368].map(|chip| bitaxe(chip).unwrap().name).into();
        assert_eq!(names, ["bitaxe-gamma", "bitaxe-ultra", "bitaxe-supra"]);
        for other in [0x1362, 0x1397, 0, 0xFFFF] {
            assert_eq!(bitaxe(other), Err(UnknownChip(other)), "{other:#06x}");
        }
    }

    #[test]
    fn nominal_rates_are_those_of_the_sheet() {
        for (board, megahertz, expected) in
            [(GAMMA, 525.0, 1.071e12), (ULTRA, 485.0, 433.6e9), (SUPRA, 490.0, 625.2e9), (EMBER_ONE, 525.0, 3.238e12)]
        {
            let rate = board.limits(32).hash_rate_at(Frequency::from_megahertz(megahertz)).hashes_per_second();
            assert!((rate / expected - 1.0).abs() < 1e-3, "{}: {rate}", board.name);
            let emulated = board.limits(12).hash_rate_at(Frequency::from_megahertz(megahertz)).hashes_per_second();
            assert!((emulated * f64::from(1 << 20) / rate - 1.0).abs() < 1e-9);
        }
    }

    #[test]
    fn every_default_is_within_its_limits_and_what_its_regulator_stands() {
        for board in BOARDS {
            let limits = board.limits(SILICON_GATE_BITS);
            let Configuration { vout_min, vout_max, vout_initial, vin_off, iout_fault, .. } = board.regulator();
            assert!(limits.frequency.contains(limits.frequency.default), "{}", board.name);
            assert!(limits.voltage.contains(limits.voltage.default), "{}", board.name);
            assert!(limits.power.contains(limits.power.default), "{}", board.name);
            assert!(vout_min <= limits.voltage.least && limits.voltage.greatest <= vout_max, "{}", board.name);
            assert!(limits.voltage.contains(vout_initial), "{}", board.name);
            assert!(limits.least_input.volts() >= vin_off, "{}", board.name);
            assert!(limits.current.amperes() < iout_fault, "{}", board.name);
            for (name, sensor) in &limits.sensors {
                assert!(sensor.soft < sensor.hard && sensor.hard.degrees() <= 105.0, "{} {name}", board.name);
            }
            assert!(limits.tightened(&mujina_core::board::BoardTuning::default()).is_ok(), "{}", board.name);
            let chain = board.chain(SILICON_GATE_BITS);
            assert!(u32::from(chain.address_interval) * u32::from(chain.chips) <= 256, "{}", board.name);
        }
    }

    #[test]
    fn every_bitaxe_stands_the_voltage_that_it_is_identified_at() {
        for board in BOARDS.into_iter().filter(|board| board.family == Family::Bitaxe) {
            assert!(board.limits(32).voltage.contains(bitaxe_identified_at()), "{}", board.name);
        }
    }
}
