//! The block on standard error: what failed, one line a field, what goes on, what to do. Or the same as one JSON object.

use super::CliError;
use crate::output::{Paint, Tone};
use mujina_core::{spec::Problem, text::sanitise};
use serde_json::{Value, json};
use std::error::Error;
use tonic::Code;

/// Longest line of what a peer said, in bytes.
const LONGEST: usize = 2048;

/// A failed command, as it is told.
pub(crate) struct Report<'a> {
    /// What failed.
    pub(crate) error: &'a CliError,
    /// What the command had set going, which does not end with it.
    pub(crate) goes_on: Option<&'a str>,
    /// Trace of the command, when it was asked for.
    pub(crate) trace_id: Option<&'a str>,
}

impl Report<'_> {
    /// For a person.
    pub(crate) fn text(&self, paint: Paint) -> String {
        let mut block = format!("{} {}\n", paint.text("error:", Tone::Bad), clean(&self.message()));
        for Problem { field, reason } in self.problems() {
            block.push_str(&format!("  {}: {}\n", clean(field), clean(reason)));
        }
        if let Some(goes_on) = self.goes_on {
            block.push_str(&format!("note: {}\n", clean(goes_on)));
        }
        if let Some(hint) = self.error.hint() {
            block.push_str(&format!("hint: {hint}\n"));
        }
        if let Some(id) = self.trace_id {
            block.push_str(&format!("trace: {id}\n"));
        }
        block
    }

    /// For a machine: one line.
    pub(crate) fn json(&self) -> String {
        let fields: Vec<Value> =
            self.problems().iter().map(|one| json!({ "field": one.field, "reason": one.reason })).collect();
        let (code, facts) = match self.error.failure() {
            Some(failure) => (Some(name(failure.code)), json!(failure.facts)),
            None => (None, json!({})),
        };
        let object = json!({ "error": {
            "exitCode": self.error.exit_code(),
            "code": code,
            "reason": self.error.reason(),
            "message": self.message(),
            "fields": fields,
            "facts": facts,
            "note": self.goes_on,
            "hint": self.error.hint(),
            "traceId": self.trace_id,
        }});
        format!("{object}\n")
    }

    /// The error and what caused it.
    fn message(&self) -> String {
        let mut message = self.error.to_string();
        // What a dial error says is the message already; its cause is one further down.
        let mut cause = match self.error {
            CliError::Dial(dial) => dial.source(),
            error => error.source(),
        };
        while let Some(error) = cause {
            let text = error.to_string();
            if !message.contains(&text) {
                message.push_str(&format!(": {text}"));
            }
            cause = error.source();
        }
        message
    }

    fn problems(&self) -> &[Problem] {
        match self.error {
            CliError::Fields { problems, .. } => problems,
            CliError::Miners { failed, .. } => failed,
            error => error.failure().map_or(&[], |failure| &failure.problems),
        }
    }
}

/// The code as google.rpc.Code spells it.
fn name(code: Code) -> String {
    let mut name = String::new();
    for letter in format!("{code:?}").chars() {
        if letter.is_uppercase() && !name.is_empty() {
            name.push('_');
        }
        name.push(letter.to_ascii_uppercase());
    }
    name
}

fn clean(text: &str) -> String {
    sanitise(text, LONGEST)
}
