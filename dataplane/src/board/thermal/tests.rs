use super::*;
use crate::board::limits::samples;
use mujina_core::{
    fault::FaultReason,
    units::{Amperes, Volts},
};

mod fan;
mod restart;
mod run;

/// A board that is polled once a second, with readings that a test changes.
struct World {
    guard: Guard,
    limits: BoardLimits,
    readings: Readings,
    situation: Situation,
    now: Instant,
}

fn celsius(degrees: f64) -> Celsius {
    Celsius::from_degrees(degrees)
}

fn megahertz(megahertz: f64) -> Frequency {
    Frequency::from_megahertz(megahertz)
}

impl World {
    /// One that has hashed for a minute at 50 °C.
    fn hashing(limits: BoardLimits) -> Self {
        let now = Instant::now() + Duration::from_secs(60);
        let temperatures = limits.sensors.keys().map(|name| (name.clone(), Ok(celsius(50.0)))).collect();
        let regulator = RegulatorReading {
            voltage: Some(Volts::from_millivolts(1150)),
            current: Some(Amperes::from_amperes(12.0)),
            input: Some(Volts::from_millivolts(12_000)),
            ..RegulatorReading::default()
        };
        let fan = limits.fan.as_ref().map(|_| FanReading { duty: 50.0, rpm: Some(2700), write_failed: None });
        let readings = Readings {
            answered: true,
            temperatures,
            fan,
            regulator: Some(regulator),
            chips: 12,
            ..Readings::default()
        };
        let situation = Situation {
            powered: true,
            released_at: now.checked_sub(Duration::from_secs(60)),
            hashing: true,
            resting: false,
            frequency: Some(limits.frequency.default),
        };
        Self { guard: Guard::new(limits.clone()), limits, readings, situation, now }
    }

    fn poll(&mut self) -> Verdict {
        self.now += Duration::from_secs(1);
        self.guard.poll(&self.readings, &self.situation, self.now)
    }

    fn polls(&mut self, count: usize) -> Vec<Verdict> {
        (0..count).map(|_| self.poll()).collect()
    }

    fn heat(&mut self, sensor: &str, degrees: f64) {
        self.readings.temperatures.insert(sensor.into(), Ok(celsius(degrees)));
    }

    fn lose(&mut self, sensor: &str) {
        self.readings.temperatures.insert(sensor.into(), Err("diode open".into()));
    }

    fn regulator(&mut self) -> &mut RegulatorReading {
        self.readings.regulator.as_mut().unwrap()
    }

    fn fan(&mut self) -> &mut FanReading {
        self.readings.fan.as_mut().unwrap()
    }
}

fn faults(verdicts: &[Verdict]) -> Vec<Option<FaultReason>> {
    verdicts.iter().map(|verdict| verdict.stop.as_ref().map(StopReason::fault)).collect()
}
