//! How answers look: formats, colours, tables, and the words for times and states. Knows no message and no service.

mod paint;
mod phrase;
mod table;

use clap::ValueEnum;
pub(crate) use paint::{Paint, Tone};
pub(crate) use phrase::{age, clock, percent, word};
pub(crate) use table::{Cell, Table};

/// How to answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people
    Table,
    /// One JSON document, or one a line for watches
    Json,
    /// YAML documents
    Yaml,
}
