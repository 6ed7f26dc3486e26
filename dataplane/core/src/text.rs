//! Text that must not be trusted, and text that must not be seen.
//!
//! [`sanitise`] makes what a peer wrote (error codes, messages, host names) fit for logs, terminals, API answers and
//! metric labels. [`Secret`] carries a password through configuration and specs without showing it anywhere.
//! Source: rules SEC7 and invariant 6 of the design; Unicode TR36 for the invisible characters, ECMA-48 for escapes.

use std::fmt;
use std::str::Chars;

use serde::de::{Deserialize, Deserializer, Error, Visitor};

/// Longest peer text that reaches a log or an answer, in bytes. The string fields of Stratum V2 end at 255 as well.
pub const PEER_TEXT_BYTES: usize = 255;

/// Returns the visible part of `text`, at most `max_bytes` long and cut between characters.
///
/// Removed are control characters (line breaks too), whole ANSI escape sequences with their parameters, bidirectional
/// overrides, and zero-width or otherwise invisible characters. An escape sequence that never ends hides what follows
/// it, as it would on a terminal. Applying it twice changes nothing more.
#[must_use]
pub fn sanitise(text: &str, max_bytes: usize) -> String {
    let mut clean = String::new();
    let mut chars = text.chars();
    while let Some(character) = chars.next() {
        match character {
            '\u{1b}' => skip_escape(&mut chars),
            '\u{9b}' => skip_control_sequence(&mut chars),
            '\u{90}' | '\u{98}' | '\u{9d}'..='\u{9f}' => skip_control_string(&mut chars),
            hidden if hidden.is_control() || is_invisible(hidden) => {}
            visible if clean.len() + visible.len_utf8() <= max_bytes => clean.push(visible),
            _ => break,
        }
    }
    clean
}

/// Skips what belongs to an ESC that was just read: a control sequence, a control string or a short escape.
fn skip_escape(chars: &mut Chars<'_>) {
    match chars.clone().next() {
        Some('[') => {
            chars.next();
            skip_control_sequence(chars);
        }
        Some('P' | 'X' | ']' | '^' | '_') => {
            chars.next();
            skip_control_string(chars);
        }
        _ => {
            skip_while(chars, |c| matches!(c, ' '..='/'));
            skip_one_if(chars, |c| matches!(c, '0'..='~'));
        }
    }
}

/// Skips parameters, intermediates and the final byte of a control sequence (CSI).
fn skip_control_sequence(chars: &mut Chars<'_>) {
    skip_while(chars, |c| matches!(c, ' '..='?'));
    skip_one_if(chars, |c| matches!(c, '@'..='~'));
}

/// Skips a device, system or privacy string up to its terminator (ST, in either form, or BEL).
fn skip_control_string(chars: &mut Chars<'_>) {
    while let Some(character) = chars.next() {
        match character {
            '\u{7}' | '\u{9c}' => return,
            '\u{1b}' => return skip_one_if(chars, |c| c == '\\'),
            _ => {}
        }
    }
}

fn skip_while(chars: &mut Chars<'_>, belongs: impl Fn(char) -> bool) {
    while chars.clone().next().is_some_and(&belongs) {
        chars.next();
    }
}

fn skip_one_if(chars: &mut Chars<'_>, belongs: impl Fn(char) -> bool) {
    if chars.clone().next().is_some_and(belongs) {
        chars.next();
    }
}

/// Whether a character that is no control character still shows nothing, or reorders what is around it.
fn is_invisible(character: char) -> bool {
    matches!(character,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{180b}'..='\u{180f}'    // soft hyphen, joiners, Arabic and Mongolian marks
        | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'           // zero width, direction marks, separators, overrides
        | '\u{2060}'..='\u{206f}' | '\u{feff}'                        // invisible operators, isolates, byte order mark
        | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{3164}' | '\u{ffa0}' // fillers that print as nothing
        | '\u{fe00}'..='\u{fe0f}' | '\u{fff0}'..='\u{fffb}'           // variation selectors, annotations
        | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}') // musical format controls, tags
}

/// A password or token: carried and compared, but never printed.
///
/// `Debug` and `Display` show `***`. It can be read from configuration but has no `Serialize`: nothing writes it by
/// accident. The memory is not wiped on drop, and comparing takes time that depends on the text; both are fine for a
/// pool password, which the protocol sends in clear anyway.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps a text that must not be shown from here on.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself, for the one place that sends or stores it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether there is no text at all, which most pools accept as a password.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad("***")
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(SecretVisitor)
    }
}

/// Reads a string and refuses the rest itself, because serde's own message would quote the value it refuses.
struct SecretVisitor;

impl SecretVisitor {
    fn refuse<E: Error>() -> Result<Secret, E> {
        Err(E::custom("a secret must be a string; put it in quotes"))
    }
}

impl Visitor<'_> for SecretVisitor {
    type Value = Secret;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a secret as a string")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Secret, E> {
        Ok(Secret::new(text))
    }

    fn visit_string<E: Error>(self, text: String) -> Result<Secret, E> {
        Ok(Secret(text))
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<Secret, E> {
        Self::refuse()
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<Secret, E> {
        Self::refuse()
    }

    fn visit_i128<E: Error>(self, _: i128) -> Result<Secret, E> {
        Self::refuse()
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<Secret, E> {
        Self::refuse()
    }

    fn visit_u128<E: Error>(self, _: u128) -> Result<Secret, E> {
        Self::refuse()
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<Secret, E> {
        Self::refuse()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Secret, is_invisible, sanitise};

    #[test]
    fn plain_text_passes_unchanged() {
        assert_eq!(sanitise("invalid-job-id: 17 šachta 矿", 255), "invalid-job-id: 17 šachta 矿");
    }

    #[test]
    fn text_is_cut_between_characters() {
        assert_eq!(sanitise("aé矿b", 3), "aé");
        assert_eq!(sanitise("aé矿b", 5), "aé");
        assert_eq!(sanitise("aé矿b", 6), "aé矿");
        assert_eq!(sanitise("a", 0), "");
    }

    #[test]
    fn control_characters_are_stripped() {
        assert_eq!(sanitise("one\r\ntwo\t\0three\u{7f}\u{85}", 255), "onetwothree");
    }

    #[test]
    fn escape_sequences_go_with_their_parameters() {
        assert_eq!(sanitise("\u{1b}[1;31mred\u{1b}[0m", 255), "red");
        assert_eq!(sanitise("\u{9b}2Jgone", 255), "gone");
        assert_eq!(sanitise("a\u{1b}]0;title\u{7}b\u{1b}]8;;http://x\u{1b}\\c\u{9d}t\u{9c}d", 255), "abcd");
        assert_eq!(sanitise("a\u{1b}(Bb\u{1b}cc\u{1b}", 255), "abc");
    }

    #[test]
    fn an_endless_escape_string_hides_the_rest() {
        assert_eq!(sanitise("seen\u{1b}]0;hidden", 255), "seen");
    }

    #[test]
    fn bidi_and_zero_width_characters_are_stripped() {
        assert_eq!(sanitise("a\u{202e}b\u{2066}c\u{200b}d\u{feff}e\u{ad}f\u{e0041}g\u{2028}h", 255), "abcdefgh");
    }

    #[test]
    fn a_secret_shows_three_stars() {
        let secret = Secret::new("hunter2");
        assert_eq!(format!("{secret} {secret:?} {:?}", Some(&secret)), "*** *** Some(***)");
        assert_eq!(secret.expose(), "hunter2");
        assert!(!secret.is_empty());
        assert!(Secret::default().is_empty());
    }

    #[test]
    fn a_secret_is_read_from_a_string() {
        let secret: Secret = serde_json::from_str(r#""x\u0031""#).unwrap();
        assert_eq!(secret, Secret::new("x1"));
    }

    #[test]
    fn a_refused_secret_is_not_quoted_in_the_error() {
        for json in ["73571", "-73571", "7357.1", "true", "[73571]", r#"{"73571":1}"#] {
            let message = serde_json::from_str::<Secret>(json).unwrap_err().to_string();
            assert!(!message.contains("7357") && !message.contains("true"), "{message}");
        }
    }

    proptest! {
        #[test]
        fn sanitised_text_is_short_and_visible(text in ".{0,80}|[\u{1b}\u{9b}\u{9d}\\[\\];0-9a-z\u{7}\u{202e}]{0,80}", max in 0_usize..60) {
            let clean = sanitise(&text, max);
            prop_assert!(clean.len() <= max);
            prop_assert!(!clean.chars().any(|c| c.is_control() || is_invisible(c)));
            prop_assert_eq!(sanitise(&clean, max), clean);
        }
    }
}
