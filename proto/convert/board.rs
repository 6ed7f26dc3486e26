//! Boards, their chips, constraints and self-tests.

use super::{duration, timestamp};
use crate::types::v1;
use mujina_core::{
    board::{
        BoardReport, BoardState, ChipErrors, ChipReport, ChipTotals, Constraint, FanReport, LedState, RailReport,
        SafeStateReport, SelfTestOutcome, SelfTestStep, SensorReport, TuningMode, TuningReport,
    },
    status::BoardStatus,
    units::{Amperes, Celsius, Frequency, HashRate, Volts, Watts},
};
use std::time::SystemTime;

/// A board with what was counted of it since `since`.
#[must_use]
pub fn board(report: &BoardReport, status: &BoardStatus, since: SystemTime) -> v1::Board {
    let chips = report.chip_totals().as_ref().map(Into::into);
    let BoardReport {
        // In the status.
        id: _,
        model: _,
        state: _,
        state_reason: _,
        state_since: _,
        facts: _,
        expected_chips: _,
        // Told one by one elsewhere.
        chips: _,
        constraints: _,
        sensors,
        fans,
        rails,
        tuning,
        led,
        locate_until,
        safe_state,
        starts,
        faults,
    } = report;
    v1::Board {
        status: Some(super::status::board(status, since)),
        sensors: sensors.iter().map(Into::into).collect(),
        fans: fans.iter().map(Into::into).collect(),
        rails: rails.iter().map(Into::into).collect(),
        tuning: Some(tuning.into()),
        chips,
        led: led.map_or(v1::LedState::Unspecified, v1::LedState::from).into(),
        locate_until: locate_until.map(timestamp),
        safe_state: safe_state.as_ref().map(Into::into),
        starts: *starts,
        faults: faults.iter().map(Into::into).collect(),
    }
}

impl From<BoardState> for v1::BoardState {
    fn from(state: BoardState) -> Self {
        match state {
            BoardState::Starting => Self::Starting,
            BoardState::Mining => Self::Mining,
            BoardState::Idle => Self::Idle,
            BoardState::Paused => Self::Paused,
            BoardState::Waiting => Self::Waiting,
            BoardState::Fault => Self::Fault,
            BoardState::Unsupported => Self::Unsupported,
            BoardState::Gone => Self::Gone,
        }
    }
}

impl From<&SensorReport> for v1::BoardSensor {
    fn from(sensor: &SensorReport) -> Self {
        let SensorReport { name, temperature, soft_limit, hard_limit, problem } = sensor;
        Self {
            name: name.clone(),
            temperature_celsius: temperature.map(Celsius::degrees),
            soft_limit_celsius: soft_limit.degrees(),
            hard_limit_celsius: hard_limit.degrees(),
            problem: problem.clone(),
        }
    }
}

impl From<&FanReport> for v1::BoardFan {
    fn from(fan: &FanReport) -> Self {
        let FanReport { name, duty_percent, rpm } = fan;
        Self { name: name.clone(), duty_percent: *duty_percent, speed_rpm: *rpm }
    }
}

impl From<&RailReport> for v1::BoardRail {
    fn from(rail: &RailReport) -> Self {
        let RailReport { name, set, voltage, current, power } = rail;
        Self {
            name: name.clone(),
            set_volts: set.map(Volts::volts),
            measured_volts: voltage.map(Volts::volts),
            measured_amperes: current.map(Amperes::amperes),
            power_watts: power.map(Watts::watts),
        }
    }
}

impl From<&TuningReport> for v1::BoardTuningStatus {
    fn from(tuning: &TuningReport) -> Self {
        use v1::board_tuning_status::Wanted;
        let TuningReport { wanted, frequency, voltage, limited_by, learnt } = tuning;
        let wanted = match *wanted {
            TuningMode::Default => None,
            TuningMode::Fixed { frequency, voltage } => Some(Wanted::Fixed(v1::FixedTuning {
                frequency_megahertz: frequency.megahertz(),
                voltage_volts: voltage.volts(),
            })),
            TuningMode::Power(power) => Some(Wanted::PowerWatts(power.watts())),
            TuningMode::HashRate(rate) => Some(Wanted::HashRateHps(rate.hashes_per_second())),
        };
        Self {
            wanted,
            frequency_megahertz: frequency.map(Frequency::megahertz),
            voltage_volts: voltage.map(Volts::volts),
            limited_by: limited_by.clone(),
            learnt: learnt.clone(),
        }
    }
}

impl From<&ChipTotals> for v1::ChipTotals {
    fn from(totals: &ChipTotals) -> Self {
        let ChipTotals { verified, errors, duplicates, odd_chips, hash_rate, relative_error } = *totals;
        Self {
            verified,
            errors: Some(errors.into()),
            duplicates,
            odd_chips,
            hash_rate_hps: hash_rate.map(HashRate::hashes_per_second),
            relative_standard_error_ratio: relative_error,
        }
    }
}

impl From<ChipErrors> for v1::ChipErrors {
    fn from(errors: ChipErrors) -> Self {
        let ChipErrors { wrong_hash, wrong_version, unknown_job } = errors;
        Self { wrong_hash, wrong_version, unknown_job }
    }
}

impl From<&ChipReport> for v1::Chip {
    fn from(chip: &ChipReport) -> Self {
        let ChipReport {
            index,
            address,
            chip_id,
            verified,
            errors,
            duplicates,
            hash_rate,
            relative_error,
            nominal_hash_rate,
            last_nonce_at,
            notes,
        } = chip;
        Self {
            index: *index,
            address: (*address).into(),
            chip_id: (*chip_id).into(),
            verified: *verified,
            errors: Some((*errors).into()),
            duplicates: *duplicates,
            hash_rate_hps: hash_rate.map(HashRate::hashes_per_second),
            relative_standard_error_ratio: *relative_error,
            nominal_hash_rate_hps: nominal_hash_rate.hashes_per_second(),
            last_nonce_at: last_nonce_at.map(timestamp),
            notes: notes.clone(),
        }
    }
}

impl From<LedState> for v1::LedState {
    fn from(state: LedState) -> Self {
        match state {
            LedState::Starting => Self::Starting,
            LedState::Mining => Self::Mining,
            LedState::NoPool => Self::NoPool,
            LedState::Paused => Self::Paused,
            LedState::Fault => Self::Fault,
            LedState::Locate => Self::Locate,
            LedState::Off => Self::Off,
        }
    }
}

impl From<&SafeStateReport> for v1::SafeState {
    fn from(safe: &SafeStateReport) -> Self {
        let SafeStateReport { at, reason, confirmed, detail } = safe;
        Self { at: Some(timestamp(*at)), reason: reason.clone(), confirmed: *confirmed, detail: detail.clone() }
    }
}

impl From<&Constraint> for v1::BoardConstraint {
    fn from(constraint: &Constraint) -> Self {
        let Constraint { name, least, greatest, default, reason } = constraint;
        Self { name: name.clone(), least: *least, greatest: *greatest, default: *default, reason: reason.clone() }
    }
}

impl From<&SelfTestStep> for v1::SelfTestStep {
    fn from(step: &SelfTestStep) -> Self {
        let SelfTestStep { name, outcome, detail, elapsed } = step;
        let outcome = match outcome {
            SelfTestOutcome::Passed => v1::SelfTestOutcome::Passed,
            SelfTestOutcome::Failed => v1::SelfTestOutcome::Failed,
            SelfTestOutcome::Skipped => v1::SelfTestOutcome::Skipped,
        };
        Self { name: name.clone(), outcome: outcome.into(), detail: detail.clone(), elapsed: Some(duration(*elapsed)) }
    }
}

#[cfg(test)]
mod tests;
