//! What changed, as a value for the log. Pure.

use super::mask::{hide, is_secret, mask};
use mujina_core::spec::SpecChange;
use serde_json::{Value, json};

/// The differences of two specs, as they were shown to whoever asked for them.
#[must_use]
pub fn of_changes(changes: &[SpecChange]) -> Value {
    let change =
        |SpecChange { path, before, after }: &SpecChange| json!({ "path": path, "before": before, "after": after });
    changes.iter().map(change).collect()
}

/// The differences of two values: a list of path, before and after; empty when they are equal. A path that is null was not
/// there. Lists are compared as a whole. Secrets are masked: a path cannot always say that it leads to one.
#[must_use]
pub fn between(before: &Value, after: &Value) -> Value {
    let mut found = Vec::new();
    compare("", before, after, &mut found);
    Value::Array(found)
}

fn compare(path: &str, before: &Value, after: &Value, found: &mut Vec<Value>) {
    match (before, after) {
        _ if before == after => {}
        (Value::Object(old), Value::Object(new)) => {
            let mut names: Vec<_> = old.keys().chain(new.keys()).collect();
            names.sort_unstable();
            names.dedup();
            for name in names {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                let [old, new] = [old, new].map(|fields| fields.get(name).unwrap_or(&Value::Null));
                if is_secret(name) {
                    push(&path, old, new, hide, found);
                } else {
                    compare(&path, old, new, found);
                }
            }
        }
        _ => push(path, before, after, mask, found),
    }
}

/// Adds a difference, if it is one.
fn push(path: &str, before: &Value, after: &Value, hide: fn(&mut Value), found: &mut Vec<Value>) {
    if before != after {
        let [before, after] = [before, after].map(|value| {
            let mut value = value.clone();
            hide(&mut value);
            value
        });
        found.push(json!({ "path": path, "before": before, "after": after }));
    }
}
