//! What is collected from a miner, made fit to be kept. Pure.

use serde_json::{Value, json};

/// Longest bundle in bytes.
pub const MAX_BUNDLE: usize = 1024 * 1024;
/// What is left out of one that is too long, in this order: it helps least, or is longest.
const LEFT_OUT: [&str; 5] = ["spans", "channels", "rejects", "transitions", "boards"];

/// The text of a bundle; what makes it too long is left out and named.
pub(super) fn bytes(mut bundle: Value) -> Option<Vec<u8>> {
    for part in LEFT_OUT {
        let bytes = bundle.to_string().into_bytes();
        if bytes.len() <= MAX_BUNDLE {
            return Some(bytes);
        }
        if let Some(found) = bundle.get_mut("answers").and_then(|answers| answers.get_mut(part)) {
            *found = json!({ "left_out": format!("{} bytes; ask the miner itself", found.to_string().len()) });
        }
    }
    let bytes = bundle.to_string().into_bytes();
    (bytes.len() <= MAX_BUNDLE).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bundle_that_is_too_long_loses_what_helps_least_and_says_so() {
        let long = "x".repeat(700_000);
        let bundle =
            json!({ "miner": "rig1", "answers": { "spans": long, "status": { "state": "MINING" }, "boards": long } });
        let kept: Value = serde_json::from_slice(&bytes(bundle).unwrap()).unwrap();
        assert_eq!(kept["answers"]["spans"]["left_out"], "700002 bytes; ask the miner itself");
        assert_eq!(kept["answers"]["boards"].as_str().map(str::len), Some(700_000));
        assert_eq!(kept["answers"]["status"]["state"], "MINING");
    }

    #[test]
    fn bundle_that_nothing_makes_short_enough_is_none() {
        let bundle = json!({ "answers": { "status": "x".repeat(MAX_BUNDLE) } });
        assert_eq!(bytes(bundle), None);
    }
}
