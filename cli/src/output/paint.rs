//! Colours, or none: the caller decides once whether its reader sees them.

/// What a text means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tone {
    /// Nothing in particular.
    Plain,
    /// As it should be.
    Good,
    /// Under way, or to be watched.
    Warn,
    /// Somebody must act.
    Bad,
    /// Beside the point.
    Dim,
    /// A heading.
    Strong,
}

/// Whether tones become colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Paint(pub(crate) bool);

impl Paint {
    /// The text in its tone.
    pub(crate) fn text(self, text: &str, tone: Tone) -> String {
        let code = match tone {
            Tone::Plain => return text.to_owned(),
            Tone::Good => "32",
            Tone::Warn => "33",
            Tone::Bad => "31",
            Tone::Dim => "2",
            Tone::Strong => "1",
        };
        if self.0 { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }

    /// What clears the screen before a redraw; without a terminal, drawings follow one another.
    pub(crate) fn redraw(self) -> &'static str {
        if self.0 { "\x1b[H\x1b[2J" } else { "" }
    }
}
