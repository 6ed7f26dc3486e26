//! What is wrong with a configuration, for the person who wrote it.

use std::{fmt, path::PathBuf};

/// Where a value was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// In a file.
    File(PathBuf),
    /// In an environment variable.
    Variable(String),
    /// In a flag.
    Flag(String),
}

impl Origin {
    /// Whether the value had to be written as text, whatever it means.
    pub(crate) fn is_text(&self) -> bool {
        !matches!(self, Self::File(_))
    }

    /// Which layer it belongs to; a higher one wins.
    pub(crate) fn layer(&self) -> u8 {
        match self {
            Self::File(_) => 0,
            Self::Variable(_) => 1,
            Self::Flag(_) => 2,
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "in {}", path.display()),
            Self::Variable(name) => write!(f, "from {name}"),
            Self::Flag(name) => write!(f, "from {name}"),
        }
    }
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// Key of the setting, for example `cpu.threads`.
    pub key: String,
    /// Where it was written; `None` when it was not.
    pub origin: Option<Origin>,
    /// What is wrong and what to do. Never holds a secret.
    pub reason: String,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { key, origin, reason } = self;
        match origin {
            Some(origin) => write!(f, "{key} ({origin}): {reason}"),
            None => write!(f, "{key}: {reason}"),
        }
    }
}

/// Everything that is wrong with a configuration; never empty. Shows one mistake a line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct ConfigError(pub Vec<Mistake>);

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, mistake) in self.0.iter().enumerate() {
            let separator = if i == 0 { "" } else { "\n" };
            write!(f, "{separator}{mistake}")?;
        }
        Ok(())
    }
}
