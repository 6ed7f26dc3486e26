//! What matters most of a board's report, for lists and for the status of its miner.

use super::{BoardReport, BoardState, ChipErrors, ChipReport, RailReport, SensorReport};
use crate::{
    fault::FaultReason,
    units::{Celsius, Frequency, HashRate, Volts, Watts},
};
use std::time::SystemTime;

/// A board at a glance. Absent readings are unknown, never zero.
#[derive(Debug, Clone, PartialEq)]
pub struct BoardSummary {
    /// What it is doing.
    pub state: BoardState,
    /// Why, for a person.
    pub state_reason: String,
    /// Since when.
    pub state_since: SystemTime,
    /// Chips that the model has.
    pub expected_chips: u32,
    /// Chips that answered.
    pub found_chips: u32,
    /// The temperature that is nearest to its limit, with its sensor.
    pub hottest: Option<(String, Celsius)>,
    /// What it takes from its supply.
    pub power: Option<Watts>,
    /// Clock that is aimed at.
    pub frequency: Option<Frequency>,
    /// Core voltage that is aimed at.
    pub voltage: Option<Volts>,
    /// What keeps it from more; empty = it is where it is wanted.
    pub limited_by: Vec<String>,
    /// What needs attention.
    pub faults: Vec<FaultReason>,
}

/// Sums over the chips of a board.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct ChipTotals {
    /// Nonces whose header hash met the ticket target.
    pub verified: u64,
    /// Nonces that failed, by kind.
    pub errors: ChipErrors,
    /// Nonces that were returned before.
    pub duplicates: u64,
    /// Chips that something is odd about.
    pub odd_chips: u32,
    /// Sum of the rates of its chips; absent before the first is known.
    pub hash_rate: Option<HashRate>,
    /// One standard error of `hash_rate`, as a part of it; absent while that of a chip is not known.
    pub relative_error: Option<f64>,
}

impl BoardReport {
    /// The board at a glance.
    #[must_use]
    pub fn summary(&self) -> BoardSummary {
        BoardSummary {
            state: self.state,
            state_reason: self.state_reason.clone(),
            state_since: self.state_since,
            expected_chips: self.expected_chips,
            found_chips: u32::try_from(self.chips.len()).unwrap_or(u32::MAX),
            hottest: self.hottest(),
            power: self.power(),
            frequency: self.tuning.frequency,
            voltage: self.tuning.voltage,
            limited_by: self.tuning.limited_by.clone(),
            faults: self.faults.iter().map(|fault| fault.reason).collect(),
        }
    }

    /// Sums over its chips; absent for a board that has none of its own.
    #[must_use]
    pub fn chip_totals(&self) -> Option<ChipTotals> {
        let has_chips = self.expected_chips > 0 || !self.chips.is_empty();
        has_chips.then(|| {
            let (hash_rate, relative_error) = self.chips_rate();
            ChipTotals { hash_rate, relative_error, ..self.chips.iter().fold(ChipTotals::default(), ChipTotals::with) }
        })
    }

    /// The rate of all chips with its relative error: those of chips are independent of one another.
    fn chips_rate(&self) -> (Option<HashRate>, Option<f64>) {
        let rated =
            || self.chips.iter().filter_map(|chip| Some((chip.hash_rate?.hashes_per_second(), chip.relative_error)));
        if rated().next().is_none() {
            return (None, None);
        }
        let sum: f64 = rated().map(|(rate, _)| rate).sum();
        let variance: Option<f64> = rated().map(|(rate, error)| Some((rate * error?).powi(2))).sum();
        let relative_error = variance.filter(|_| sum > 0.0).map(|variance| variance.sqrt() / sum);
        (Some(HashRate::from_hashes_per_second(sum)), relative_error)
    }

    /// The reading with the fewest degrees left to its hard limit.
    fn hottest(&self) -> Option<(String, Celsius)> {
        let left = |sensor: &SensorReport| {
            sensor.temperature.map(|reading| (sensor.hard_limit.degrees() - reading.degrees(), reading))
        };
        let readings = self.sensors.iter().filter_map(|sensor| Some((sensor, left(sensor)?)));
        let nearest = readings.min_by(|(_, (one, _)), (_, (other, _))| one.total_cmp(other));
        nearest.map(|(sensor, (_, reading))| (sensor.name.clone(), reading))
    }

    /// Of the input where that is measured, which has all losses in it; else of the core alone.
    fn power(&self) -> Option<Watts> {
        let of = |name: &str| self.rails.iter().find(|rail| rail.name == name).and_then(RailReport::power_taken);
        of("input").or_else(|| of("core"))
    }
}

impl RailReport {
    fn power_taken(&self) -> Option<Watts> {
        self.power.or_else(|| Some(self.voltage?.times(self.current?)))
    }
}

impl ChipTotals {
    fn with(self, chip: &ChipReport) -> Self {
        let ChipErrors { wrong_hash, wrong_version, unknown_job } = self.errors;
        Self {
            verified: self.verified.saturating_add(chip.verified),
            errors: ChipErrors {
                wrong_hash: wrong_hash.saturating_add(chip.errors.wrong_hash),
                wrong_version: wrong_version.saturating_add(chip.errors.wrong_version),
                unknown_job: unknown_job.saturating_add(chip.errors.unknown_job),
            },
            duplicates: self.duplicates.saturating_add(chip.duplicates),
            odd_chips: self.odd_chips.saturating_add(u32::from(!chip.notes.is_empty())),
            ..self
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::Amperes;
    use std::time::UNIX_EPOCH;

    fn report() -> BoardReport {
        let id = "bitaxe-gamma-1".parse().unwrap();
        let report = BoardReport::new(id, "bitaxe-gamma", BoardState::Mining, UNIX_EPOCH);
        BoardReport { expected_chips: 2, starts: 1, ..report }
    }

    fn sensor(name: &str, temperature: Option<f64>, hard: f64) -> SensorReport {
        SensorReport {
            name: name.into(),
            temperature: temperature.map(Celsius::from_degrees),
            soft_limit: Celsius::from_degrees(hard - 10.0),
            hard_limit: Celsius::from_degrees(hard),
            problem: String::new(),
        }
    }

    fn rail(name: &str, power: Option<f64>, current: Option<f64>) -> RailReport {
        RailReport {
            name: name.into(),
            set: None,
            voltage: Some(Volts::from_volts(5.0)),
            current: current.map(Amperes::from_amperes),
            power: power.map(Watts::from_watts),
        }
    }

    #[test]
    fn hottest_is_what_has_the_fewest_degrees_left_and_unknown_is_not_cold() {
        let board = |sensors| BoardReport { sensors, ..report() }.summary().hottest;
        let warm =
            [sensor("regulator", Some(90.0), 105.0), sensor("asic", Some(66.0), 75.0), sensor("pcb", None, 60.0)];
        assert_eq!(board(warm.to_vec()), Some(("asic".into(), Celsius::from_degrees(66.0))));
        assert_eq!(board(vec![sensor("asic", None, 75.0)]), None);
    }

    #[test]
    fn power_is_that_of_the_input_before_that_of_the_core() {
        let board = |rails| BoardReport { rails, ..report() }.summary().power;
        assert_eq!(
            board(vec![rail("core", Some(14.0), None), rail("input", None, Some(4.0))]),
            Some(Watts::from_watts(20.0))
        );
        assert_eq!(
            board(vec![rail("core", Some(14.0), None), rail("input", None, None)]),
            Some(Watts::from_watts(14.0))
        );
        assert_eq!(board(vec![rail("core", None, None)]), None);
    }

    fn chip(index: u32, verified: u64, rate: Option<(f64, Option<f64>)>) -> ChipReport {
        ChipReport {
            index,
            address: 0,
            chip_id: 0x1370,
            verified,
            errors: ChipErrors { wrong_hash: 1, wrong_version: 2, unknown_job: 3 },
            duplicates: 4,
            hash_rate: rate.map(|(rate, _)| HashRate::from_hashes_per_second(rate)),
            relative_error: rate.and_then(|(_, error)| error),
            nominal_hash_rate: HashRate::ZERO,
            last_nonce_at: None,
            notes: Vec::new(),
        }
    }

    #[test]
    fn chips_are_summed_and_a_board_without_chips_has_no_sums() {
        let odd = ChipReport { notes: vec!["slow".into()], ..chip(1, u64::MAX, None) };
        let board = BoardReport { chips: vec![chip(0, 10, None), odd], ..report() };
        let sums = board.chip_totals().unwrap();
        assert_eq!((sums.verified, sums.errors.sum(), sums.duplicates, sums.odd_chips), (u64::MAX, 12, 8, 1));
        assert_eq!(board.summary().found_chips, 2);
        assert_eq!(BoardReport { expected_chips: 0, ..report() }.chip_totals(), None);
        assert_eq!(report().chip_totals(), Some(ChipTotals::default()));
    }

    #[test]
    fn rate_of_all_chips_has_the_error_of_independent_ones_and_is_unknown_without_any() {
        let rate = |chips| {
            let sums = BoardReport { chips, ..report() }.chip_totals().unwrap();
            (sums.hash_rate.map(HashRate::hashes_per_second), sums.relative_error)
        };
        assert_eq!(rate(vec![chip(0, 0, None)]), (None, None));
        let two = vec![chip(0, 1, Some((3.0, Some(0.4)))), chip(1, 1, Some((4.0, Some(0.4)))), chip(2, 0, None)];
        let (sum, error) = rate(two);
        assert!(sum == Some(7.0) && error.is_some_and(|error| (error - 2.0 / 7.0).abs() < 1e-12), "{error:?}");
        assert_eq!(rate(vec![chip(0, 1, Some((3.0, None)))]), (Some(3.0), None));
        assert_eq!(rate(vec![chip(0, 1, Some((0.0, Some(0.1))))]), (Some(0.0), None));
    }
}
