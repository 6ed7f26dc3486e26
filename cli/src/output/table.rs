//! Tables: columns as wide as their content, no lines, nothing that depends on the terminal's width.

use super::{Paint, Tone};
use comfy_table::{Attribute, CellAlignment, Color, ContentArrangement, presets};
use mujina_core::text::sanitise;

/// Longest text of a cell in bytes; URLs fit.
const LONGEST: usize = 512;

/// One field of a table.
#[derive(Debug, Clone)]
pub(crate) struct Cell {
    text: String,
    tone: Tone,
}

impl Cell {
    /// Text in a tone. What a peer may have written is made fit for a terminal.
    #[expect(clippy::needless_pass_by_value, reason = "numbers and references are handed over alike")]
    pub(crate) fn new(text: impl ToString, tone: Tone) -> Self {
        Self { text: sanitise(&text.to_string(), LONGEST), tone }
    }
}

impl<T: ToString> From<T> for Cell {
    fn from(text: T) -> Self {
        Self::new(text, Tone::Plain)
    }
}

/// Rows under a header.
#[derive(Debug)]
pub(crate) struct Table(comfy_table::Table);

impl Table {
    /// An empty table; headers that begin with `>` are of columns whose content stands at the right.
    pub(crate) fn new(headers: &[&str]) -> Self {
        let mut table = comfy_table::Table::new();
        table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
        let header = |text: &&str| comfy_table::Cell::new(text.trim_start_matches('>')).add_attribute(Attribute::Bold);
        table.set_header(headers.iter().map(header));
        for (index, text) in headers.iter().enumerate() {
            if let Some(column) = table.column_mut(index) {
                column.set_padding((0, 2));
                if text.starts_with('>') {
                    column.set_cell_alignment(CellAlignment::Right);
                }
            }
        }
        Self(table)
    }

    /// Adds a row.
    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = Cell>) {
        let cell = |Cell { text, tone }| {
            let cell = comfy_table::Cell::new_owned(if text.is_empty() { "-".into() } else { text });
            match tone {
                Tone::Plain => cell,
                Tone::Good => cell.fg(Color::Green),
                Tone::Warn => cell.fg(Color::Yellow),
                Tone::Bad => cell.fg(Color::Red),
                Tone::Dim => cell.add_attribute(Attribute::Dim),
                Tone::Strong => cell.add_attribute(Attribute::Bold),
            }
        };
        self.0.add_row(cells.into_iter().map(cell));
    }

    /// The table as lines, each with its end.
    pub(crate) fn render(mut self, paint: Paint) -> String {
        if paint.0 {
            self.0.enforce_styling();
        } else {
            self.0.force_no_tty();
        }
        self.0.lines().map(|line| format!("{}\n", line.trim_end())).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Table {
        let mut table = Table::new(&["NAME", ">COUNT", "STATE"]);
        table.row(["a".into(), 7.into(), Cell::new("ready", Tone::Good)]);
        table.row(["longer-name".into(), 12_345.into(), Cell::new("", Tone::Plain)]);
        table
    }

    #[test]
    fn columns_are_as_wide_as_their_content() {
        insta::assert_snapshot!(sample().render(Paint(false)), @r"
        NAME         COUNT  STATE
        a                7  ready
        longer-name  12345  -
        ");
    }

    #[test]
    fn colours_are_written_only_when_asked_for() {
        assert!(!sample().render(Paint(false)).contains('\x1b'));
        assert!(sample().render(Paint(true)).contains("ready"));
        assert!(sample().render(Paint(true)).contains('\x1b'));
    }

    #[test]
    fn what_a_peer_wrote_cannot_move_the_cursor() {
        let mut table = Table::new(&["NAME"]);
        table.row(["evil\x1b[2J\nname".into()]);
        assert_eq!(table.render(Paint(false)), "NAME\nevilname\n");
    }
}
