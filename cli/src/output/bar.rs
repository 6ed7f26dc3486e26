//! A bar of progress on a terminal.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// The bar; one that is not shown takes what it is told and shows nothing.
#[derive(Debug, Clone)]
pub(crate) struct Bar(Option<ProgressBar>);

impl Bar {
    /// A bar of nothing yet.
    pub(crate) fn new(shown: bool) -> Self {
        let style = ProgressStyle::with_template("[{bar:30}] {msg}").unwrap_or_else(|_| ProgressStyle::default_bar());
        let bar = || ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::stderr()).with_style(style);
        Self(shown.then(bar))
    }

    /// Draws it; says whether anybody sees it.
    pub(crate) fn show(&self, done: u32, all: u32, text: &str) -> bool {
        let Some(bar) = &self.0 else { return false };
        bar.set_length(all.into());
        bar.set_position(done.into());
        bar.set_message(text.to_owned());
        true
    }

    /// Takes it away.
    pub(crate) fn clear(&self) {
        if let Some(bar) = &self.0 {
            bar.finish_and_clear();
        }
    }
}
