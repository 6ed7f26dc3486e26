//! What we say.
//!
//! Source: stratum-client V2, V7, V12, V14 to V16; BIP310.

use bytes::Bytes;
use mujina_core::{text::Secret, units::Difficulty};
use serde_json::{Value, json};

/// A message of ours.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Outgoing {
    Configure { id: u64, version_mask: u32 },
    Subscribe { id: u64, agent: String },
    Authorize { id: u64, user: String, password: Secret },
    SubscribeExtranonce { id: u64 },
    SuggestDifficulty { id: u64, difficulty: Difficulty },
    Submit(Box<Submit>),
    Reply { id: Value, reply: Reply },
}

/// A share on its way.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Submit {
    pub(crate) id: u64,
    pub(crate) user: String,
    pub(crate) job_id: Value,
    pub(crate) extranonce2: Bytes,
    pub(crate) ntime: u32,
    pub(crate) nonce: u32,
    /// The version that was hashed, where it may be rolled; `None` = not said.
    pub(crate) version_bits: Option<u32>,
}

/// What a request of the pool is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reply {
    Version,
    Pong,
    Unsupported,
}

impl Reply {
    pub(super) fn to(method: &str) -> Self {
        match method {
            "client.get_version" => Self::Version,
            "mining.ping" => Self::Pong,
            _ => Self::Unsupported,
        }
    }
}

impl Outgoing {
    /// The line, with its end. `agent` is what the program calls itself.
    pub(crate) fn line(&self, agent: &str) -> Vec<u8> {
        let request = |id: &u64, method: &str, params: Value| json!({"id": id, "method": method, "params": params});
        let message = match self {
            Self::Configure { id, version_mask } => {
                let wanted = json!({
                    "version-rolling.mask": format!("{version_mask:08x}"),
                    "version-rolling.min-bit-count": 2,
                });
                request(id, "mining.configure", json!([["version-rolling"], wanted]))
            }
            Self::Subscribe { id, agent } => request(id, "mining.subscribe", json!([agent])),
            Self::Authorize { id, user, password } => request(id, "mining.authorize", json!([user, password.expose()])),
            Self::SubscribeExtranonce { id } => request(id, "mining.extranonce.subscribe", json!([])),
            Self::SuggestDifficulty { id, difficulty } => {
                request(id, "mining.suggest_difficulty", json!([suggestion(*difficulty)]))
            }
            Self::Submit(submit) => {
                let Submit { id, user, job_id, extranonce2, ntime, nonce, version_bits } = &**submit;
                let word = |word: u32| format!("{word:08x}");
                let mut params = json!([user, job_id, hex::encode(extranonce2), word(*ntime), word(*nonce)]);
                if let (Some(bits), Value::Array(params)) = (version_bits, &mut params) {
                    params.push(word(*bits).into());
                }
                request(id, "mining.submit", params)
            }
            Self::Reply { id, reply: Reply::Version } => json!({"id": id, "result": agent, "error": null}),
            Self::Reply { id, reply: Reply::Pong } => json!({"id": id, "result": "pong", "error": null}),
            Self::Reply { id, reply: Reply::Unsupported } => {
                json!({"id": id, "result": null, "error": [20, "Unsupported method", null]})
            }
        };
        let mut line = message.to_string().into_bytes();
        line.push(b'\n');
        line
    }
}

/// A whole number from 1 up, which is what most pools can read; a fraction below.
fn suggestion(difficulty: Difficulty) -> Value {
    let difficulty = difficulty.as_f64();
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the cast saturates, and it is a wish")]
    let whole = difficulty.round() as u64;
    if difficulty < 1.0 { difficulty.into() } else { whole.into() }
}
