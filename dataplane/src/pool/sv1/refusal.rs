//! What a pool said against a request, in any of the shapes that pools use for it.
//!
//! Source: stratum-client V20. No text of a peer leaves this file as it came (SEC7).

use mujina_core::{
    share::RejectReason,
    text::{PEER_TEXT_BYTES, sanitise},
};
use serde_json::{Map, Value};
use std::fmt;

/// A refused request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    code: Option<i64>,
    text: String,
}

/// What a refused share asks of us besides being counted (V20).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reaction {
    /// Nothing.
    None,
    /// The pool has forgotten who we are.
    Authorize,
    /// The pool has forgotten the connection.
    Reconnect,
}

impl Refusal {
    /// The refusal in an answer; `None` when there is none.
    pub(super) fn in_answer(answer: &Map<String, Value>) -> Option<Self> {
        let refused = answer.get("result") == Some(&Value::Bool(false));
        match answer.get("error").and_then(Self::from_error) {
            Some(refusal) => Some(refusal),
            None if refused => Some(Self::new(None, reason_beside(answer))),
            None => None,
        }
    }

    /// Whatever is not plainly "no error" is one.
    fn from_error(error: &Value) -> Option<Self> {
        match error {
            Value::Null | Value::Bool(false) => None,
            Value::Bool(true) => Some(Self::new(None, "")),
            Value::Number(_) => Some(Self::new(integer(error), "")),
            Value::String(text) => (!text.is_empty()).then(|| Self::new(None, text)),
            Value::Array(parts) => {
                let first = parts.first()?;
                let code = integer(first);
                let texts = parts.iter().filter(|part| code.is_none() || *part != first);
                Some(Self::new(code, texts.filter_map(Value::as_str).next().unwrap_or_default()))
            }
            Value::Object(parts) => {
                let text = ["message", "data", "reason"].iter().find_map(|key| parts.get(*key)?.as_str());
                let code = parts.get("code").and_then(integer);
                (!parts.is_empty()).then(|| Self::new(code, text.unwrap_or_default()))
            }
        }
    }

    fn new(code: Option<i64>, text: &str) -> Self {
        Self { code, text: sanitise(text, PEER_TEXT_BYTES) }
    }

    /// The bucket it is counted in.
    pub(super) fn reason(&self) -> RejectReason {
        RejectReason::from_sv1_error(self.code, &self.text)
    }

    /// What follows for the connection.
    pub(super) fn reaction(&self) -> Reaction {
        match (self.code, self.reason()) {
            (Some(25), _) => Reaction::Reconnect,
            (_, RejectReason::Unauthorized) if self.text.to_ascii_lowercase().contains("not subscribed") => {
                Reaction::Reconnect
            }
            (_, RejectReason::Unauthorized) => Reaction::Authorize,
            _ => Reaction::None,
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self { code: None, text } if text.is_empty() => f.write_str("without a reason"),
            Self { code: None, text } => write!(f, "`{text}`"),
            Self { code: Some(code), text } => write!(f, "`{text}` (code {code})"),
        }
    }
}

/// ckpool says why beside the answer, not in it.
fn reason_beside(answer: &Map<String, Value>) -> &str {
    ["reject-reason", "reject_reason"].iter().find_map(|key| answer.get(*key)?.as_str()).unwrap_or_default()
}

/// A whole number, or the decimals of one in a string (V4, V20).
pub(super) fn integer(value: &Value) -> Option<i64> {
    match value {
        Value::Number(number) => number.as_i64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn refusal(answer: &Value) -> Option<Refusal> {
        Refusal::in_answer(answer.as_object().unwrap())
    }

    // V20
    #[test]
    fn every_shape_of_an_error_is_read() {
        use RejectReason::{Duplicate, LowDifficulty, Other, Stale, Unauthorized};
        for (answer, reason) in [
            (json!({"id": 4, "result": null, "error": [21, "Job not found", null]}), Stale),
            (json!({"id": 4, "result": false, "error": [23, "Low difficulty share", ""]}), LowDifficulty),
            (json!({"error": {"code": 22, "message": "duplicate share", "data": null}}), Duplicate),
            (json!({"jsonrpc": "2.0", "error": {"code": 22, "message": "", "data": null}, "result": null}), Duplicate),
            (json!({"result": null, "error": "Stale"}), Stale),
            (json!({"result": false, "error": null, "reject-reason": "Above target 2"}), LowDifficulty),
            (json!({"result": false, "error": null}), Other),
            (json!({"result": false}), Other),
            (json!({"error": [21]}), Stale),
            (json!({"error": ["22", "?"]}), Duplicate),
            (json!({"error": {"code": "24"}}), Unauthorized),
            (json!({"error": ["Duplicate"]}), Duplicate),
            (json!({"error": [null, "stale share"]}), Stale),
            (json!({"error": 23}), LowDifficulty),
            (json!({"error": true}), Other),
            (json!({"error": [{"deep": [1]}, 7]}), Other),
            (json!({"result": true, "error": [20, "Invalid JobID", null]}), Stale),
        ] {
            assert_eq!(refusal(&answer).map(|refusal| refusal.reason()), Some(reason), "{answer}");
        }
        for answer in [
            json!({"result": true, "error": null}),
            json!({"result": true}),
            json!({"result": null, "error": null}),
            json!({"result": true, "error": []}),
            json!({"result": true, "error": ""}),
            json!({"result": true, "error": false}),
            json!({"result": true, "error": {}}),
            json!({}),
        ] {
            assert_eq!(refusal(&answer), None, "{answer}");
        }
    }

    // V20
    #[test]
    fn codes_24_and_25_ask_for_more_than_a_count() {
        let reaction = |error: Value| refusal(&json!({ "error": error })).unwrap().reaction();
        assert_eq!(reaction(json!([24, "Unauthorized worker", null])), Reaction::Authorize);
        assert_eq!(reaction(json!("unauthorized")), Reaction::Authorize);
        assert_eq!(reaction(json!([25, "", null])), Reaction::Reconnect);
        assert_eq!(reaction(json!([20, "Not subscribed", null])), Reaction::Reconnect);
        assert_eq!(reaction(json!([21, "unauthorized", null])), Reaction::None);
    }

    // SEC7
    #[test]
    fn text_of_a_refusal_is_fit_for_a_log() {
        let text = refusal(&json!({"error": format!("\u{1b}[31mred\n{}", "x".repeat(999))})).unwrap().to_string();
        assert!(text.starts_with("`redx") && text.len() <= PEER_TEXT_BYTES + 2, "{text}");
        assert_eq!(refusal(&json!({"error": [21, "a"]})).unwrap().to_string(), "`a` (code 21)");
        assert_eq!(refusal(&json!({"result": false})).unwrap().to_string(), "without a reason");
    }
}
