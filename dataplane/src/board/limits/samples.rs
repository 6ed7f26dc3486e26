//! Limits of a board with a fan and of a stack of chips, to test policies with. The product has its own table.

use super::{BoardLimits, FanLimits, Range, SensorLimits};
use crate::board::power::{Curve, Ramp};
use mujina_core::units::{Amperes, Celsius, Frequency, HashRate, Volts, Watts};

fn celsius(degrees: f64) -> Celsius {
    Celsius::from_degrees(degrees)
}

fn sensor(soft: f64, hard: f64, readable_when_off: bool) -> SensorLimits {
    SensorLimits { soft: celsius(soft), hard: celsius(hard), readable_when_off, reason: "what the part bears" }
}

/// One chip, a regulator and a fan (boards.md 2.4).
pub(crate) fn single_chip() -> BoardLimits {
    BoardLimits {
        sensors: [("asic".into(), sensor(70.0, 78.0, false)), ("regulator".into(), sensor(95.0, 105.0, true))].into(),
        fan: Some(FanLimits {
            sensor: "asic".into(),
            target: Range { least: celsius(35.0), greatest: celsius(65.0), default: celsius(60.0) },
            least_duty: 25.0,
        }),
        frequency: Range {
            least: Frequency::from_megahertz(400.0),
            greatest: Frequency::from_megahertz(625.0),
            default: Frequency::from_megahertz(525.0),
        },
        voltage: Range {
            least: Volts::from_millivolts(1000),
            greatest: Volts::from_millivolts(1250),
            default: Volts::from_millivolts(1150),
        },
        power: Range {
            least: Watts::from_watts(8.0),
            greatest: Watts::from_watts(40.0),
            default: Watts::from_watts(22.0),
        },
        current: Amperes::from_amperes(25.0),
        least_input: Volts::from_millivolts(4700),
        curve: Curve::bitaxe_gamma(),
        undervolt: Volts::from_millivolts(50),
        ramp: Ramp::AtOnce,
        hash_rate_per_megahertz: HashRate::from_hashes_per_second(2_040e6),
        series: false,
    }
}

/// Twelve chips in series, cooled from outside (boards.md 3.4).
pub(crate) fn stack() -> BoardLimits {
    BoardLimits {
        sensors: [
            ("asic".into(), sensor(70.0, 80.0, false)),
            ("pcb".into(), sensor(75.0, 85.0, true)),
            ("regulator".into(), sensor(95.0, 105.0, true)),
        ]
        .into(),
        fan: None,
        frequency: Range {
            least: Frequency::from_megahertz(200.0),
            greatest: Frequency::from_megahertz(600.0),
            default: Frequency::from_megahertz(500.0),
        },
        voltage: Range {
            least: Volts::from_millivolts(3040),
            greatest: Volts::from_millivolts(4000),
            default: Volts::from_millivolts(3600),
        },
        power: Range {
            least: Watts::from_watts(20.0),
            greatest: Watts::from_watts(120.0),
            default: Watts::from_watts(100.0),
        },
        current: Amperes::from_amperes(50.0),
        least_input: Volts::from_millivolts(11_000),
        curve: Curve::emberone(),
        undervolt: Volts::ZERO,
        ramp: Ramp::emberone(),
        hash_rate_per_megahertz: HashRate::from_hashes_per_second(6_170e6),
        series: true,
    }
}
