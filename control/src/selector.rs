//! Label selectors as kubectl writes them: which miners something is for.
//!
//! ```text
//! site=a            the label is there with this value; == is the same
//! model!=x          it is not there, or has another value
//! rack in (1,2)     it is there with one of these values
//! tier notin (z)    it is not there, or has none of these values
//! gpu    !old       it is there, it is not there
//! ```
//! Commas join what must all hold; an empty selector selects everything. Pure.
//! Source: Kubernetes documentation, "Labels and Selectors".

mod parse;
#[cfg(test)]
mod tests;

use crate::scan::{Misread, Scanner};
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    str::FromStr,
};

/// Longest selector in bytes.
pub const MAX_SELECTOR_BYTES: usize = 2048;
/// Longest key or value of a label in bytes.
pub const MAX_LABEL_BYTES: usize = 63;

/// Labels of a miner.
pub type Labels = BTreeMap<String, String>;

/// Selects by labels; the default selects everything. Printing gives a text that reads as the same selector.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Selector(Vec<Requirement>);

/// One thing that the labels must fulfil.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Requirement {
    key: String,
    condition: Condition,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Condition {
    Is(String),
    IsNot(String),
    In(BTreeSet<String>),
    NotIn(BTreeSet<String>),
    Exists,
    Missing,
}

impl Selector {
    /// Whether labels like these are selected.
    #[must_use]
    pub fn matches(&self, labels: &Labels) -> bool {
        self.0.iter().all(|Requirement { key, condition }| {
            let value = labels.get(key);
            match condition {
                Condition::Is(wanted) => value == Some(wanted),
                Condition::IsNot(other) => value != Some(other),
                Condition::In(wanted) => value.is_some_and(|value| wanted.contains(value)),
                Condition::NotIn(others) => value.is_none_or(|value| !others.contains(value)),
                Condition::Exists => value.is_some(),
                Condition::Missing => value.is_none(),
            }
        })
    }

    /// Whether it selects everything, for it asks for nothing.
    #[must_use]
    pub fn is_everything(&self) -> bool {
        self.0.is_empty()
    }
}

impl FromStr for Selector {
    type Err = Misread;

    fn from_str(text: &str) -> Result<Self, Misread> {
        let selector = Self(parse::selector(text)?);
        // What is kept is the printed text, which has blanks where a person may leave them out.
        Scanner::new(&selector.to_string(), "selector", MAX_SELECTOR_BYTES)?;
        Ok(selector)
    }
}

impl TryFrom<String> for Selector {
    type Error = Misread;

    fn try_from(text: String) -> Result<Self, Misread> {
        text.parse()
    }
}

impl From<Selector> for String {
    fn from(selector: Selector) -> Self {
        selector.to_string()
    }
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, Requirement { key, condition }) in self.0.iter().enumerate() {
            let comma = if i == 0 { "" } else { "," };
            f.write_str(comma)?;
            match condition {
                Condition::Is(value) => write!(f, "{key}={value}"),
                Condition::IsNot(value) => write!(f, "{key}!={value}"),
                Condition::In(values) => write!(f, "{key} in ({})", Listed(values)),
                Condition::NotIn(values) => write!(f, "{key} notin ({})", Listed(values)),
                Condition::Exists => f.write_str(key),
                Condition::Missing => write!(f, "!{key}"),
            }?;
        }
        Ok(())
    }
}

/// Values between commas. The empty value is what stands between two commas, or a comma and a parenthesis.
struct Listed<'a>(&'a BTreeSet<String>);

impl fmt::Display for Listed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A lone empty value must not look like no value.
        if self.0.len() == 1 && self.0.contains("") {
            return f.write_str(",");
        }
        for (i, value) in self.0.iter().enumerate() {
            let comma = if i == 0 { "" } else { "," };
            write!(f, "{comma}{value}")?;
        }
        Ok(())
    }
}

/// Why a label could not be selected by.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LabelError {
    /// No key.
    #[error("a label has no key; write it as key=value")]
    NoKey,
    /// Longer than [`MAX_LABEL_BYTES`].
    #[error("`{0}` has more than {MAX_LABEL_BYTES} bytes; shorten it")]
    TooLong(String),
    /// A character that selectors do not read.
    #[error("`{text}` contains {character:?}; use only letters without accents, digits, '-', '_', '.' and '/'")]
    BadCharacter {
        /// The key or value.
        text: String,
        /// What is wrong in it.
        character: char,
    },
}

/// Checks that selectors can name a label and its value, which may be empty.
///
/// # Errors
/// See [`LabelError`].
pub fn check_label(key: &str, value: &str) -> Result<(), LabelError> {
    if key.is_empty() {
        return Err(LabelError::NoKey);
    }
    for text in [key, value] {
        if text.len() > MAX_LABEL_BYTES {
            let short = text.chars().take(20).collect::<String>();
            return Err(LabelError::TooLong(format!("{}…", short.escape_debug())));
        }
        if let Some(character) = text.chars().find(|c| !belongs(*c)) {
            return Err(LabelError::BadCharacter { text: text.escape_debug().to_string(), character });
        }
    }
    Ok(())
}

/// Whether a character may be part of a key or value.
fn belongs(character: char) -> bool {
    character.is_ascii_alphanumeric() || matches!(character, '-' | '_' | '.' | '/')
}
