//! Reads the small languages that people type (selectors, filters) and says where they are wrong. Pure.

/// A text that is not in its language: where, and what to write instead.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("at character {column}: {reason}")]
pub struct Misread {
    /// The character that is wrong, counted from 1; one past the last when the text ends too early.
    pub column: usize,
    /// What is wrong and what to do.
    pub reason: String,
}

/// A place in a text.
#[derive(Debug, Clone)]
pub(crate) struct Scanner<'a> {
    text: &'a str,
    /// Byte index, always between characters.
    at: usize,
}

impl<'a> Scanner<'a> {
    /// The begin of a text of at most `max_bytes`.
    pub(crate) fn new(text: &'a str, what: &str, max_bytes: usize) -> Result<Self, Misread> {
        if text.len() > max_bytes {
            let reason = format!("the {what} has {} bytes; write one of at most {max_bytes}", text.len());
            return Err(Misread { column: 1, reason });
        }
        Ok(Self { text, at: 0 })
    }

    /// What has not been read yet.
    pub(crate) fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    /// Goes on to what is no blank, and says whether anything is left.
    pub(crate) fn skip_blanks(&mut self) -> bool {
        self.take_while(char::is_whitespace);
        !self.rest().is_empty()
    }

    /// Reads `token` if it comes next.
    pub(crate) fn take(&mut self, token: &str) -> bool {
        let is_next = self.rest().starts_with(token);
        if is_next {
            self.at += token.len();
        }
        is_next
    }

    /// Reads all characters that belong; empty when the next does not.
    pub(crate) fn take_while(&mut self, belongs: impl Fn(char) -> bool) -> &'a str {
        let rest = self.rest();
        let (taken, _) = rest.split_at(rest.find(|c| !belongs(c)).unwrap_or(rest.len()));
        self.at += taken.len();
        taken
    }

    /// Reads `word` if it comes next and no longer word does.
    pub(crate) fn take_word(&mut self, word: &str, belongs: impl Fn(char) -> bool) -> bool {
        let mut ahead = self.clone();
        let is_next = ahead.take_while(belongs) == word;
        if is_next {
            *self = ahead;
        }
        is_next
    }

    /// A complaint about what comes next: `found` and its quotation are put before `reason`.
    pub(crate) fn unexpected(&self, reason: &str) -> Misread {
        let found = match self.rest().chars().next() {
            Some(next) => format!("found {next:?}"),
            None => "the text ends here".to_owned(),
        };
        self.misread(format!("{found}, but {reason}"))
    }

    /// A complaint about this place.
    pub(crate) fn misread(&self, reason: impl Into<String>) -> Misread {
        let before = self.text.get(..self.at).unwrap_or_default();
        Misread { column: before.chars().count() + 1, reason: reason.into() }
    }
}
