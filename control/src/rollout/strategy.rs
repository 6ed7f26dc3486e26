//! How a rollout is to go about: sizes, order, limits, gates. Pure.

use crate::selector::Selector;
use mujina_core::spec::{Problem, Problems};
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr, time::Duration};

/// Most waves that may be named: the last one is repeated anyway.
const MAX_WAVES: usize = 32;
/// Longest span of any kind: a week, so that a slip of a unit is noticed.
const LONGEST: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// How a rollout goes about.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Strategy {
    /// Sizes of the waves, each of all targets; the last size is repeated until no target is left.
    pub waves: Vec<Size>,
    /// Most targets that may be on their way, up to their first accepted share or back to their previous generation, at
    /// the same time.
    pub max_unavailable: Size,
    /// After a wave that held, before the next.
    pub pause_between: Duration,
    /// How long a wave is watched after its last target was proved. Hash rates and rejects are judged over this span.
    pub soak: Duration,
    /// Who goes first.
    pub order: Order,
    /// Targets that go before all others, in the same order among themselves; `None` = the order alone decides.
    pub canary: Option<Selector>,
    /// What to do when a gate fails.
    pub on_failure: OnFailure,
    /// Targets that may fail before the gate does. They still go back to their previous generation.
    pub max_failed: u32,
    /// How long a target may take from the stored generation to the first accepted share; then it reverts by itself.
    pub confirm_within: Duration,
    /// What a wave must pass.
    pub gates: Gates,
}

/// What a wave must pass besides being back in sync.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Gates {
    /// Every target had a share accepted since.
    pub first_share: bool,
    /// Confidence, 0.5 to 1 exclusive, with which a rise of the reject ratio must be more than chance to fail the wave.
    pub reject_confidence: Option<f64>,
    /// By how many standard errors the hash rate may drop.
    pub hash_rate_errors: Option<f64>,
    /// A drop of the hash rate smaller than this part of it never fails, however certain it is.
    pub least_drop: f64,
    /// No fault that was not there before.
    pub new_faults: bool,
}

/// In which order targets are changed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// By name.
    #[default]
    Name,
    /// At random; the same seed gives the same order.
    Random(u64),
    /// By the value of this label, then by name; those without it last.
    Label(String),
}

/// What to do when a gate fails.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnFailure {
    /// Change no more and wait for a person.
    #[default]
    Pause,
    /// Change no more and end; what holds stays.
    Abort,
    /// Take every target back to its previous generation.
    RollBack,
}

/// So many, or such a part of all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Size {
    /// So many.
    Count(u32),
    /// 1 to 100 of a hundred, rounded up.
    Percent(u8),
}

/// A text is no size.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no size; give a count of at least 1, for example `5`, or 1% to 100%, for example `10%`")]
pub struct SizeError(String);

impl Size {
    /// Of `total` targets; at least one, at most all.
    #[must_use]
    pub fn of(self, total: usize) -> usize {
        let wanted = match self {
            Self::Count(count) => usize::try_from(count).unwrap_or(usize::MAX),
            Self::Percent(percent) => total.saturating_mul(usize::from(percent)).div_ceil(100),
        };
        wanted.max(1).min(total)
    }

    fn is_sound(self) -> bool {
        match self {
            Self::Count(count) => count > 0,
            Self::Percent(percent) => (1..=100).contains(&percent),
        }
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Count(count) => write!(f, "{count}"),
            Self::Percent(percent) => write!(f, "{percent}%"),
        }
    }
}

impl FromStr for Size {
    type Err = SizeError;

    fn from_str(text: &str) -> Result<Self, SizeError> {
        let size = match text.strip_suffix('%') {
            Some(percent) => percent.parse().ok().map(Self::Percent),
            None => text.parse().ok().map(Self::Count),
        };
        let bad = || SizeError(text.chars().take(40).filter(|c| !c.is_control()).collect());
        size.filter(|size| size.is_sound()).ok_or_else(bad)
    }
}

impl TryFrom<String> for Size {
    type Error = SizeError;

    fn try_from(text: String) -> Result<Self, SizeError> {
        text.parse()
    }
}

impl From<Size> for String {
    fn from(size: Size) -> Self {
        size.to_string()
    }
}

impl Default for Gates {
    fn default() -> Self {
        Self {
            first_share: true,
            reject_confidence: Some(0.999),
            hash_rate_errors: Some(3.0),
            least_drop: 0.01,
            new_faults: true,
        }
    }
}

impl Gates {
    /// For a change after which the targets do not hash: that they are in sync is all there is to see.
    #[must_use]
    pub fn without_hashing() -> Self {
        Self { first_share: false, reject_confidence: None, hash_rate_errors: None, ..Self::default() }
    }

    /// Whether shares must be counted to judge a wave.
    pub(super) fn need_counts(&self) -> bool {
        self.reject_confidence.is_some() || self.hash_rate_errors.is_some()
    }
}

impl Default for Strategy {
    fn default() -> Self {
        Self {
            waves: vec![Size::Count(1), Size::Percent(10), Size::Percent(100)],
            max_unavailable: Size::Percent(10),
            pause_between: Duration::from_secs(60),
            soak: Duration::from_secs(10 * 60),
            order: Order::default(),
            canary: None,
            on_failure: OnFailure::default(),
            max_failed: 0,
            confirm_within: Duration::from_secs(5 * 60),
            gates: Gates::default(),
        }
    }
}

impl Strategy {
    /// Checks everything and tells all that is wrong at once.
    ///
    /// # Errors
    /// Every field that does not check out.
    pub fn check(&self) -> Result<(), Problems> {
        let mut problems = Vec::new();
        let mut refuse = |field: &str, reason: String| problems.push(Problem { field: field.into(), reason });
        if self.waves.is_empty() || self.waves.len() > MAX_WAVES {
            refuse("waves", format!("has {} sizes; give 1 to {MAX_WAVES}", self.waves.len()));
        }
        for (i, size) in self.waves.iter().enumerate().filter(|(_, size)| !size.is_sound()) {
            refuse(&format!("waves[{i}]"), SizeError(size.to_string()).to_string());
        }
        if !self.max_unavailable.is_sound() {
            refuse("max_unavailable", SizeError(self.max_unavailable.to_string()).to_string());
        }
        let spans =
            [("pause_between", self.pause_between), ("soak", self.soak), ("confirm_within", self.confirm_within)];
        for (field, span) in spans {
            if span > LONGEST {
                refuse(field, "is longer than a week; use a shorter span".into());
            }
        }
        if self.confirm_within.is_zero() {
            refuse("confirm_within", "is zero; give the targets time to accept the change and find a share".into());
        }
        let Gates { first_share: _, reject_confidence, hash_rate_errors, least_drop, new_faults: _ } = self.gates;
        if let Some(confidence) = reject_confidence.filter(|part| !(0.5..1.0).contains(part)) {
            refuse("gates.reject_confidence", format!("is {confidence}; use 0.5 up to but not 1, for example 0.999"));
        }
        if let Some(errors) = hash_rate_errors.filter(|errors| !(errors.is_finite() && *errors > 0.0)) {
            refuse("gates.hash_rate_errors", format!("is {errors}; use a positive number, for example 3"));
        }
        if !(0.0..1.0).contains(&least_drop) {
            refuse("gates.least_drop", format!("is {least_drop}; use 0 up to but not 1, for example 0.01"));
        }
        if self.gates.need_counts() && self.soak.is_zero() {
            refuse(
                "soak",
                "is zero, and shares cannot be judged over no time; give a span or leave those gates out".into(),
            );
        }
        if problems.is_empty() { Ok(()) } else { Err(Problems(problems)) }
    }
}

#[cfg(test)]
mod tests;
