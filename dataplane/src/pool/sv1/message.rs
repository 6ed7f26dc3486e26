//! What is said over an SV1 connection, as the session sees it, and its way to and from lines of JSON.
//!
//! Source: stratum-client V1, V4, V5, V7 to V16. Tolerant of everything that pools in the wild do; what is known but
//! cannot be understood is an error, what is not known is `Ignored`.

mod encode;
mod notify;
mod results;
#[cfg(test)]
mod tests;

use super::refusal::{Refusal, integer};
use bytes::Bytes;
pub(super) use encode::{Outgoing, Reply, Submit};
use mujina_core::{
    text::{PEER_TEXT_BYTES, sanitise},
    units::Difficulty,
};
pub(super) use notify::Notify;
pub(super) use results::{Subscription, granted_mask};
use serde_json::{Map, Value};
use std::time::Duration;

/// Deepest nesting of a line (V1).
const MAX_DEPTH: usize = 16;
/// Difficulties that a pool may set (V9).
const DIFFICULTIES: std::ops::RangeInclusive<f64> = 1e-9..=281_474_976_710_656.0;
/// Most bytes of extranonce2 (V5).
const MAX_EXTRANONCE2: u8 = 16;
/// Most bytes of a name that is said back: a job's or a request's.
const MAX_NAME: usize = 255;

/// A message of the pool.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Incoming {
    Answer(Answer),
    Notify(Box<Notify>),
    SetDifficulty(Difficulty),
    /// For the jobs that come later; no size = as before.
    SetExtranonce {
        extranonce1: Bytes,
        size: Option<u8>,
    },
    SetVersionMask(u32),
    /// Empty and 0 = as before.
    Reconnect {
        host: String,
        port: u16,
        wait: Duration,
    },
    ShowMessage(String),
    /// A request that wants an answer, with its id.
    Request {
        id: Value,
        reply: Reply,
    },
    Ignored {
        what: String,
    },
}

/// An answer to a request of ours.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Answer {
    /// `None` = of no request, as far as one can tell.
    pub(super) id: Option<u64>,
    /// As it came; `Null` when there was none.
    pub(super) result: Value,
    pub(super) refusal: Option<Refusal>,
}

/// A line that cannot be understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Malformed {
    #[error("a line that is no JSON object: `{0}`")]
    Garbage(String),
    #[error("{0}")]
    Message(String),
}

/// Reads one line, with or without its end.
///
/// # Errors
/// See [`Malformed`].
pub(super) fn decode(line: &[u8]) -> Result<Incoming, Malformed> {
    // A text that is no UTF-8 is rather a show_message in the script of its author than an attack.
    let text = String::from_utf8_lossy(line);
    let text = text.trim_start_matches('\u{feff}').trim();
    let garbage = || Malformed::Garbage(sanitise(text, 80));
    if depth(text) > MAX_DEPTH {
        return Err(garbage());
    }
    let Ok(Value::Object(message)) = serde_json::from_str(text) else { return Err(garbage()) };
    match message.get("method") {
        Some(Value::String(method)) => called(method, &message),
        None | Some(Value::Null) => Ok(Incoming::Answer(answer(message))),
        Some(_) => Err(Malformed::Message("a method without a name".into())),
    }
}

/// How deep brackets nest outside strings.
fn depth(text: &str) -> usize {
    let (mut depth, mut deepest, mut quoted, mut escaped) = (0_usize, 0, false, false);
    for byte in text.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b'[' | b'{' if !quoted => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b']' | b'}' if !quoted => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

fn answer(mut message: Map<String, Value>) -> Answer {
    let refusal = Refusal::in_answer(&message);
    let id = message.get("id").and_then(integer).and_then(|id| u64::try_from(id).ok());
    Answer { id, result: message.remove("result").unwrap_or_default(), refusal }
}

/// A request or a notification of the pool.
fn called(method: &str, message: &Map<String, Value>) -> Result<Incoming, Malformed> {
    let params = match message.get("params") {
        Some(Value::Array(params)) => params.as_slice(),
        _ => &[],
    };
    let malformed = |what: String| Malformed::Message(format!("{method} with {what}"));
    let ignored = |what: &str| Incoming::Ignored { what: format!("{method} with {what}") };
    Ok(match method {
        "mining.notify" => Incoming::Notify(Box::new(Notify::read(params).map_err(malformed)?)),
        "mining.set_difficulty" => match params.first().and_then(number).filter(|d| DIFFICULTIES.contains(d)) {
            Some(difficulty) => Incoming::SetDifficulty(Difficulty::try_from(difficulty).unwrap_or_default()),
            None => ignored("a difficulty that is none"),
        },
        "mining.set_extranonce" => {
            let (extranonce1, size) = results::extranonce(params).map_err(malformed)?;
            Incoming::SetExtranonce { extranonce1, size }
        }
        "mining.set_version_mask" => match params.first().and_then(Value::as_str).and_then(notify::word) {
            Some(mask) => Incoming::SetVersionMask(mask),
            None => ignored("a mask that is none"),
        },
        "client.reconnect" => reconnect(params),
        "client.show_message" => {
            Incoming::ShowMessage(sanitise(params.first().and_then(Value::as_str).unwrap_or_default(), 256))
        }
        _ => match message.get("id").filter(|id| is_name(id)) {
            Some(id) => Incoming::Request { id: id.clone(), reply: Reply::to(method) },
            None => Incoming::Ignored { what: sanitise(method, PEER_TEXT_BYTES) },
        },
    })
}

fn reconnect(params: &[Value]) -> Incoming {
    let host = params.first().and_then(Value::as_str).unwrap_or_default().trim();
    let port = match params.get(1) {
        None | Some(Value::Null) => Some(0),
        Some(Value::String(text)) if text.trim().is_empty() => Some(0),
        Some(port) => integer(port).and_then(|port| u16::try_from(port).ok()),
    };
    let wait = params.get(2).and_then(number).filter(|seconds| *seconds > 0.0).unwrap_or_default();
    match port {
        Some(port) if host.len() <= MAX_NAME => Incoming::Reconnect {
            host: host.to_owned(),
            port,
            wait: Duration::try_from_secs_f64(wait).unwrap_or(Duration::MAX),
        },
        _ => Incoming::Ignored { what: "client.reconnect to no address".into() },
    }
}

/// A number, or the text of one (V9).
fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse().ok().filter(|number: &f64| number.is_finite()),
        _ => None,
    }
}

/// Whether a value may be said back to the pool.
fn is_name(value: &Value) -> bool {
    match value {
        Value::Number(_) => true,
        Value::String(text) => text.len() <= MAX_NAME,
        _ => false,
    }
}
