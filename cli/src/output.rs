//! How answers look: formats, colours, tables, and the words for times and states. Knows no message and no service.

mod bar;
mod paint;
mod phrase;
mod table;

pub(crate) use bar::Bar;
use clap::ValueEnum;
pub(crate) use paint::{Paint, Tone};
pub(crate) use phrase::{age, clock, percent, word};
pub(crate) use table::{Cell, Table};

/// How to answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people
    Table,
    /// For people with a wide terminal
    Wide,
    /// One JSON document, or one a line for watches
    Json,
    /// YAML documents
    Yaml,
}

impl Format {
    /// Whether people read it.
    pub(crate) fn is_for_people(self) -> bool {
        matches!(self, Self::Table | Self::Wide)
    }
}
