//! Checks of requests: all problems of a request are found before any is reported, each with its field and the way out.

use mujina_core::spec::{Problem, Problems};
use mujina_proto::{convert, failure::Failure};
use std::time::Duration;
use tonic::Status;

/// Longest text that a caller may send for us to log or remember, in bytes.
const MAX_TEXT: usize = 255;
/// Longest period between messages that is taken at its word: keeps clocks far from their end.
const MAX_PERIOD: Duration = Duration::from_secs(60 * 60);

/// A request that was refused. Nothing was done.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Refused(pub(super) Problems);

impl From<Refused> for Status {
    fn from(Refused(problems): Refused) -> Self {
        Failure::invalid(problems).into()
    }
}

/// The problems of a request so far. What a check hands back for a bad field is never used: [`Self::done`] refuses.
#[derive(Debug, Default)]
pub(super) struct Checks(Vec<Problem>);

impl Checks {
    /// Notes a problem.
    pub(super) fn refuse(&mut self, field: &str, reason: impl Into<String>) {
        self.0.push(Problem { field: field.into(), reason: reason.into() });
    }

    /// Notes problems that somebody else found.
    pub(super) fn extend(&mut self, problems: Problems) {
        self.0.extend(problems.0);
    }

    pub(super) fn found_any(&self) -> bool {
        !self.0.is_empty()
    }

    /// A text for the log or to be remembered: short, and without control characters.
    pub(super) fn text(&mut self, field: &str, text: String) -> String {
        if text.len() > MAX_TEXT {
            self.refuse(field, format!("has {} bytes; use at most {MAX_TEXT}", text.len()));
        }
        if text.chars().any(char::is_control) {
            self.refuse(field, "contains control characters; use one line of plain text");
        }
        text
    }

    /// A period, `default` when absent. What is shorter than `least` or longer than an hour is taken as that.
    pub(super) fn period(
        &mut self,
        field: &str,
        sent: Option<prost_types::Duration>,
        default: Duration,
        least: Duration,
    ) -> Duration {
        self.length(field, sent).unwrap_or(default).clamp(least, MAX_PERIOD)
    }

    /// A time to wait, zero when absent. What is longer than `most` is taken as that.
    pub(super) fn wait(&mut self, field: &str, sent: Option<prost_types::Duration>, most: Duration) -> Duration {
        self.length(field, sent).unwrap_or_default().min(most)
    }

    /// A time, however long.
    pub(super) fn length(&mut self, field: &str, sent: Option<prost_types::Duration>) -> Option<Duration> {
        convert::length(field, sent).unwrap_or_else(|problem| {
            self.0.push(problem);
            None
        })
    }

    /// Refuses the request if anything was wrong with it.
    pub(super) fn done(self) -> Result<(), Refused> {
        if self.0.is_empty() { Ok(()) } else { Err(Refused(Problems(self.0))) }
    }
}

/// How many entries a page has: `default` for 0, never more than `most`.
pub(super) fn page_size(asked: u32, default: u32, most: u32) -> usize {
    let size = if asked == 0 { default } else { asked.min(most) };
    usize::try_from(size).unwrap_or(usize::MAX)
}

#[cfg(test)]
pub(super) fn fields(refused: &Refused) -> Vec<&str> {
    refused.0.0.iter().map(|problem| problem.field.as_str()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_problem_of_a_request_is_reported() {
        let mut checks = Checks::default();
        checks.text("reason", "two\nlines".into());
        checks.text("request_id", "x".repeat(256));
        checks.wait("wait", Some(prost_types::Duration { seconds: -1, nanos: 0 }), Duration::from_secs(30));
        let refused = checks.done().unwrap_err();
        assert_eq!(fields(&refused), ["reason", "request_id", "wait"]);
        assert!(refused.0.to_string().contains("at most 255"), "{}", refused.0);
    }

    #[test]
    fn good_fields_pass_with_their_limits() {
        let mut checks = Checks::default();
        let least = Duration::from_millis(100);
        let mut period = |sent: Option<Duration>| {
            checks.period("min_interval", sent.map(convert::duration), Duration::from_secs(1), least)
        };
        assert_eq!(period(None), Duration::from_secs(1));
        assert_eq!(period(Some(Duration::ZERO)), least);
        assert_eq!(period(Some(Duration::from_millis(250))), Duration::from_millis(250));
        assert_eq!(period(Some(Duration::from_secs(u64::MAX))), MAX_PERIOD);
        assert_eq!(checks.wait("wait", None, least), Duration::ZERO);
        assert_eq!(checks.text("reason", "x".repeat(255)).len(), 255);
        assert_eq!(checks.done(), Ok(()));
        assert_eq!([page_size(0, 50, 1000), page_size(7, 50, 1000), page_size(u32::MAX, 50, 1000)], [50, 7, 1000]);
    }
}
