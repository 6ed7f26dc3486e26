//! A spec of which every field may be left out. Pure.

use crate::spec::SpecParts;
use mujina_core::spec::{BoardTuningDraft, GroupDraft, Problems, SpecDraft, TuningModeDraft};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Some fields of a spec.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Fragment {
    /// All groups with all pools, or nothing said.
    pub pool_groups: Option<Vec<GroupDraft>>,
    /// Whether to hash, or nothing said.
    pub paused: Option<bool>,
    /// By board id or by model; what is said of each.
    pub boards: BTreeMap<String, TuningFragment>,
}

/// Some fields of what is wanted of a board.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TuningFragment {
    /// Clock and voltage. That it shall be the model's is something said, too.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mode: Option<TuningModeDraft>,
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

/// One field that a fragment says: the smallest part that profiles can take from one another.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Field {
    PoolGroups(Vec<GroupDraft>),
    Paused(bool),
    Board(String, BoardField),
}

/// One field of what is wanted of a board. `Named` says nothing but that the board is spoken of, which overrules its model.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum BoardField {
    Named,
    Mode(TuningModeDraft),
    Soft(String, f64),
    Hard(String, f64),
    FanTarget(f64),
}

impl Fragment {
    /// Whether it says nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The parts of a spec that it says something of.
    #[must_use]
    pub fn parts(&self) -> SpecParts {
        let Self { pool_groups, paused, boards } = self;
        SpecParts { pool_groups: pool_groups.is_some(), paused: paused.is_some(), boards: !boards.is_empty() }
    }

    /// As a draft of a whole spec, with nothing where it is silent.
    #[must_use]
    pub fn draft(&self) -> SpecDraft {
        let Self { pool_groups, paused, boards } = self;
        let tuning = |tuning: &TuningFragment| {
            let TuningFragment { mode, soft_limits, hard_limits, fan_target } = tuning.clone();
            BoardTuningDraft { mode: mode.unwrap_or_default(), soft_limits, hard_limits, fan_target }
        };
        SpecDraft {
            pool_groups: pool_groups.clone().unwrap_or_default(),
            paused: paused.unwrap_or_default(),
            boards: boards.iter().map(|(name, said)| (name.clone(), tuning(said))).collect(),
        }
    }

    /// Checks what it says by itself; together with other profiles it may still not check out.
    ///
    /// # Errors
    /// Every field that does not check out.
    pub fn check(&self) -> Result<(), Problems> {
        self.draft().check(None).map(|_| ())
    }

    /// The paths of what it says.
    #[must_use]
    pub fn paths(&self) -> Vec<String> {
        self.fields().into_iter().map(|(path, _)| path).collect()
    }

    /// What it says, field by field, each with its path.
    pub(super) fn fields(&self) -> Vec<(String, Field)> {
        let Self { pool_groups, paused, boards } = self;
        let mut fields = Vec::new();
        fields.extend(pool_groups.clone().map(|groups| ("pool_groups".into(), Field::PoolGroups(groups))));
        fields.extend(paused.map(|paused| ("paused".into(), Field::Paused(paused))));
        for (board, tuning) in boards {
            let TuningFragment { mode, soft_limits, hard_limits, fan_target } = tuning;
            let path = format!("boards[{board}]");
            let mut put = |path: String, field| fields.push((path, Field::Board(board.clone(), field)));
            if *tuning == TuningFragment::default() {
                put(path.clone(), BoardField::Named);
            }
            if let Some(mode) = mode {
                put(format!("{path}.mode"), BoardField::Mode(*mode));
            }
            for (sensor, limit) in soft_limits {
                put(format!("{path}.soft_limits_celsius[{sensor}]"), BoardField::Soft(sensor.clone(), *limit));
            }
            for (sensor, limit) in hard_limits {
                put(format!("{path}.hard_limits_celsius[{sensor}]"), BoardField::Hard(sensor.clone(), *limit));
            }
            if let Some(target) = fan_target {
                put(format!("{path}.fan_target_celsius"), BoardField::FanTarget(*target));
            }
        }
        fields
    }

    /// Says one more field; one that was said before is replaced.
    pub(super) fn say(&mut self, field: Field) {
        match field {
            Field::PoolGroups(groups) => self.pool_groups = Some(groups),
            Field::Paused(paused) => self.paused = Some(paused),
            Field::Board(board, field) => {
                let tuning = self.boards.entry(board).or_default();
                match field {
                    BoardField::Named => {}
                    BoardField::Mode(mode) => tuning.mode = Some(mode),
                    BoardField::Soft(sensor, limit) => {
                        tuning.soft_limits.insert(sensor, limit);
                    }
                    BoardField::Hard(sensor, limit) => {
                        tuning.hard_limits.insert(sensor, limit);
                    }
                    BoardField::FanTarget(target) => tuning.fan_target = Some(target),
                }
            }
        }
    }
}
