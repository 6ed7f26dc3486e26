//! What is wanted of boards, as it arrives from outside, and the check that turns it into [`BoardTuning`]s.
//!
//! Only what is wrong for every board is refused here. What a board may do is known to the board alone; it refuses the rest.

use super::Problem;
use crate::{
    board::{BoardTuning, TuningMode},
    id::BoardId,
    units::{Celsius, Frequency, HashRate, Volts, Watts},
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Most boards and models that a spec may speak of.
pub const MAX_BOARDS: usize = 64;
/// Most temperatures of a board that limits may be given for.
const MAX_SENSORS: usize = 16;
/// Longest name of a sensor in bytes.
const MAX_SENSOR: usize = 63;

/// An unchecked tuning.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BoardTuningDraft {
    /// Clock and voltage; the model's set points when nothing is said.
    #[serde(skip_serializing_if = "TuningModeDraft::is_default")]
    pub mode: TuningModeDraft,
    /// Degrees Celsius by sensor.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub soft_limits: BTreeMap<String, f64>,
    /// Degrees Celsius by sensor.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub hard_limits: BTreeMap<String, f64>,
    /// Degrees Celsius.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fan_target: Option<f64>,
}

/// An unchecked mode.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TuningModeDraft {
    /// Set points of the model.
    #[default]
    Default,
    /// Exactly these.
    Fixed {
        /// Clock of the chips.
        frequency_megahertz: f64,
        /// Core voltage.
        voltage_volts: f64,
    },
    /// As fast as so many watts allow.
    Power(f64),
    /// As little power as so many hashes per second need.
    HashRate(f64),
}

impl TuningModeDraft {
    fn is_default(&self) -> bool {
        *self == Self::Default
    }
}

impl From<&BoardTuning> for BoardTuningDraft {
    fn from(tuning: &BoardTuning) -> Self {
        let BoardTuning { mode, soft_limits, hard_limits, fan_target } = tuning;
        let mode = match *mode {
            TuningMode::Default => TuningModeDraft::Default,
            TuningMode::Fixed { frequency, voltage } => {
                TuningModeDraft::Fixed { frequency_megahertz: frequency.megahertz(), voltage_volts: voltage.volts() }
            }
            TuningMode::Power(power) => TuningModeDraft::Power(power.watts()),
            TuningMode::HashRate(rate) => TuningModeDraft::HashRate(rate.hashes_per_second()),
        };
        let degrees = |limits: &BTreeMap<String, Celsius>| {
            limits.iter().map(|(sensor, limit)| (sensor.clone(), limit.degrees())).collect()
        };
        Self {
            mode,
            soft_limits: degrees(soft_limits),
            hard_limits: degrees(hard_limits),
            fan_target: fan_target.map(Celsius::degrees),
        }
    }
}

/// Checks what is wanted of all boards; what is wrong goes to `refuse`.
pub(super) fn check(
    drafts: BTreeMap<String, BoardTuningDraft>,
    refuse: &mut impl FnMut(Problem),
) -> BTreeMap<String, BoardTuning> {
    let mut wrong = |field: String, reason: String| refuse(Problem { field, reason });
    if drafts.len() > MAX_BOARDS {
        wrong("boards".into(), format!("speaks of {} boards; use at most {MAX_BOARDS}", drafts.len()));
    }
    let mut tunings = BTreeMap::new();
    for (name, draft) in drafts {
        let path = format!("boards[{}]", crate::text::sanitise(&name, MAX_SENSOR));
        if let Err(error) = name.parse::<BoardId>() {
            wrong(path.clone(), error.to_string());
        }
        let tuning = one(&path, draft, &mut wrong);
        tunings.insert(name, tuning);
    }
    tunings
}

fn one(path: &str, draft: BoardTuningDraft, wrong: &mut impl FnMut(String, String)) -> BoardTuning {
    let BoardTuningDraft { mode, soft_limits, hard_limits, fan_target } = draft;
    let mode = match mode {
        TuningModeDraft::Default => TuningMode::Default,
        TuningModeDraft::Fixed { frequency_megahertz, voltage_volts } => {
            positive(&format!("{path}.fixed.frequency_megahertz"), "megahertz", frequency_megahertz, wrong);
            positive(&format!("{path}.fixed.voltage_volts"), "volts", voltage_volts, wrong);
            TuningMode::Fixed {
                frequency: Frequency::from_megahertz(frequency_megahertz),
                voltage: Volts::from_volts(voltage_volts),
            }
        }
        TuningModeDraft::Power(watts) => {
            positive(&format!("{path}.power_watts"), "watts", watts, wrong);
            TuningMode::Power(Watts::from_watts(watts))
        }
        TuningModeDraft::HashRate(hashes) => {
            positive(&format!("{path}.hash_rate_hps"), "hashes per second", hashes, wrong);
            TuningMode::HashRate(HashRate::from_hashes_per_second(hashes))
        }
    };
    let soft_limits = limits(&format!("{path}.soft_limits_celsius"), soft_limits, wrong);
    let hard_limits = limits(&format!("{path}.hard_limits_celsius"), hard_limits, wrong);
    for (sensor, soft) in &soft_limits {
        if hard_limits.get(sensor).is_some_and(|hard| hard <= soft) {
            let reason =
                "is not below the hard limit of the same sensor; the clock could not come down before the board stops";
            wrong(format!("{path}.soft_limits_celsius[{sensor}]"), reason.into());
        }
    }
    let fan_target = fan_target.and_then(|target| degrees(&format!("{path}.fan_target_celsius"), target, wrong));
    BoardTuning { mode, soft_limits, hard_limits, fan_target }
}

fn limits(
    path: &str,
    drafts: BTreeMap<String, f64>,
    wrong: &mut impl FnMut(String, String),
) -> BTreeMap<String, Celsius> {
    if drafts.len() > MAX_SENSORS {
        wrong(path.to_owned(), format!("names {} sensors; no board has more than {MAX_SENSORS}", drafts.len()));
    }
    let mut found = BTreeMap::new();
    for (sensor, limit) in drafts {
        let field = format!("{path}[{}]", crate::text::sanitise(&sensor, MAX_SENSOR));
        if sensor.is_empty() || sensor.len() > MAX_SENSOR || sensor.chars().any(char::is_control) {
            wrong(field.clone(), format!("is no name of a sensor; use 1 to {MAX_SENSOR} bytes, for example `asic`"));
        }
        if let Some(limit) = degrees(&field, limit, wrong) {
            found.insert(sensor, limit);
        }
    }
    found
}

fn positive(field: &str, unit: &str, value: f64, wrong: &mut impl FnMut(String, String)) {
    if !(value.is_finite() && value > 0.0) {
        wrong(field.to_owned(), format!("is {value}; use a positive number of {unit}"));
    }
}

fn degrees(field: &str, value: f64, wrong: &mut impl FnMut(String, String)) -> Option<Celsius> {
    let fits = value.is_finite() && (0.0..=150.0).contains(&value);
    if !fits {
        wrong(field.to_owned(), format!("is {value}; use 0 to 150 degrees Celsius"));
    }
    fits.then(|| Celsius::from_degrees(value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::{Problems, SpecDraft};

    fn spec(name: &str, tuning: BoardTuningDraft) -> SpecDraft {
        SpecDraft { boards: [(name.to_owned(), tuning)].into(), ..SpecDraft::default() }
    }

    #[test]
    fn everything_wrong_with_a_tuning_is_named_with_its_field() {
        let draft = BoardTuningDraft {
            mode: TuningModeDraft::Fixed { frequency_megahertz: f64::NAN, voltage_volts: -1.0 },
            soft_limits: [("asic".into(), 60.0), ("pcb".into(), 900.0)].into(),
            hard_limits: [("asic".into(), 50.0)].into(),
            fan_target: Some(f64::INFINITY),
        };
        let Problems(problems) = spec("bitaxe-gamma", draft).check(None).unwrap_err();
        let fields: Vec<_> = problems.iter().map(|problem| problem.field.as_str()).collect();
        assert_eq!(
            fields,
            [
                "boards[bitaxe-gamma].fixed.frequency_megahertz",
                "boards[bitaxe-gamma].fixed.voltage_volts",
                "boards[bitaxe-gamma].soft_limits_celsius[pcb]",
                "boards[bitaxe-gamma].soft_limits_celsius[asic]",
                "boards[bitaxe-gamma].fan_target_celsius",
            ]
        );
        let Problems(problems) = spec("No Board\n", BoardTuningDraft::default()).check(None).unwrap_err();
        assert!(problems[0].field.starts_with("boards[No Board"), "{problems:?}");
    }

    #[test]
    fn checked_tuning_is_the_draft_that_it_came_from() {
        let drafts = [
            TuningModeDraft::Default,
            TuningModeDraft::Fixed { frequency_megahertz: 525.0, voltage_volts: 1.15 },
            TuningModeDraft::Power(15.0),
            TuningModeDraft::HashRate(1e12),
        ];
        for mode in drafts {
            let draft = BoardTuningDraft {
                mode,
                soft_limits: [("asic".into(), 60.0)].into(),
                hard_limits: [("asic".into(), 70.0)].into(),
                fan_target: Some(50.0),
            };
            let checked = spec("bitaxe-gamma", draft.clone()).check(None).unwrap();
            assert_eq!(BoardTuningDraft::from(&checked.boards["bitaxe-gamma"]), draft);
        }
    }
}
