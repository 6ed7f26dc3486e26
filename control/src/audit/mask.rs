//! Takes secrets out of values that are written down, by the names of their fields. Pure.

use serde_json::Value;

/// What stands for a secret.
pub const MASK: &str = "***";

/// Parts of names of secret fields, without their case, `_`, `-` and `.`. Keys of pools and hashes are no secrets.
const SECRETS: [&str; 11] = [
    "password",
    "passwd",
    "passphrase",
    "secret",
    "token",
    "credential",
    "privatekey",
    "keypem",
    "authorization",
    "cookie",
    "apikey",
];
/// Names that are secret as a whole: as parts they would match too much.
const WHOLE: [&str; 3] = ["pass", "pwd", "psk"];
/// Field whose text names the field that its neighbours are values of.
const PATH: &str = "path";

/// Whether a field of this name, or any field of this path, holds a secret. What stands in brackets is chosen by people
/// (`pool_groups[token].pools[main].url`) and must not be able to hide anything.
#[must_use]
pub fn is_secret(path: &str) -> bool {
    let mut in_brackets = false;
    let outside = |c: &char| {
        in_brackets = (in_brackets || *c == '[') && *c != ']';
        !in_brackets
    };
    let fields: String = path.chars().filter(outside).collect();
    fields.split(['.', '/']).any(|field| {
        let plain: String = field.chars().filter(char::is_ascii_alphanumeric).collect();
        let plain = plain.to_ascii_lowercase();
        SECRETS.iter().any(|secret| plain.contains(secret)) || WHOLE.contains(&plain.as_str())
    })
}

/// Replaces all that stands below the name of a secret: texts and numbers, and lists and objects whole. What is null, true
/// or false stays, for it says only whether there is one. In an object that names a field (`path`), the neighbours count as
/// values of that field.
pub fn mask(value: &mut Value) {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        Value::Array(items) => items.iter_mut().for_each(mask),
        Value::Object(fields) => {
            let is_of_secret = fields.get(PATH).and_then(Value::as_str).is_some_and(is_secret);
            for (name, value) in fields.iter_mut() {
                let is_path = name == PATH && value.is_string();
                if is_secret(name) || (is_of_secret && !is_path) {
                    hide(value);
                } else {
                    mask(value);
                }
            }
        }
    }
}

/// For what is a secret as a whole.
pub(super) fn hide(value: &mut Value) {
    match value {
        Value::Null | Value::Bool(_) => {}
        Value::Number(_) | Value::String(_) | Value::Array(_) | Value::Object(_) => *value = MASK.into(),
    }
}
