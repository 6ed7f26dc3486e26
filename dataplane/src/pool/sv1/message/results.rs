//! The results of our requests: the subscription, and the version bits that may be rolled.
//!
//! Source: stratum-client V5, V7, V12; BIP310.

use super::{MAX_EXTRANONCE2, notify};
use crate::pool::sv1::refusal::integer;
use bytes::Bytes;
use serde_json::Value;

/// The extranonce that a subscription grants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Subscription {
    pub(crate) extranonce1: Bytes,
    /// Bytes of extranonce2, 0 to 16.
    pub(crate) size: u8,
}

impl Subscription {
    /// Reads `[subscriptions, extranonce1, extranonce2_size]`. The first may be anything: it only names what we can hear
    /// anyway, and an id to resume by, which a connection that lives once has no use for.
    pub(crate) fn read(result: &Value) -> Result<Self, String> {
        let Value::Array(parts) = result else { return Err("a subscription without an extranonce".into()) };
        let (extranonce1, size) = extranonce(parts.get(1..).unwrap_or_default())?;
        Ok(Self { extranonce1, size: size.ok_or("no size of extranonce2")? })
    }
}

/// Reads `extranonce1, extranonce2_size`.
pub(super) fn extranonce(params: &[Value]) -> Result<(Bytes, Option<u8>), String> {
    let extranonce1 = match params.first() {
        Some(value @ Value::String(_)) => notify::bytes(value).ok_or("an extranonce1 that is no hex")?,
        _ => return Err("no extranonce1".into()),
    };
    let size = match params.get(1) {
        None | Some(Value::Null) => None,
        Some(size) => {
            let granted =
                integer(size).and_then(|size| u8::try_from(size).ok()).filter(|size| *size <= MAX_EXTRANONCE2);
            Some(granted.ok_or("a size of extranonce2 that is none, or above 16")?)
        }
    };
    Ok((extranonce1, size))
}

/// The version bits that the pool lets us roll, as it answers `mining.configure`: none unless it plainly says so.
pub(crate) fn granted_mask(result: &Value, requested: u32) -> u32 {
    let granted = match result.get("version-rolling") {
        Some(Value::Bool(granted)) => *granted,
        Some(Value::String(text)) => text.eq_ignore_ascii_case("true"),
        Some(Value::Number(number)) => number.as_i64() == Some(1),
        _ => false,
    };
    match result.get("version-rolling.mask") {
        _ if !granted => 0,
        None | Some(Value::Null) => requested,
        Some(mask) => mask.as_str().and_then(notify::word).unwrap_or_default() & requested,
    }
}
