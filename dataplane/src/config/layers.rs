//! Finds the layers of a configuration and stacks them, each value with the place where it was written.

use super::{
    flags::Flags,
    limits::LIMITS,
    mistake::{Mistake, Origin},
};
use figment::{
    Figment, Metadata, Profile, Provider, Source,
    providers::{Format, Toml},
    util::nest,
    value::{Dict, Map, Value},
};
use std::{
    collections::BTreeMap,
    ffi::{OsStr, OsString},
    fs,
    path::{Path, PathBuf},
};

/// All settings but for those of `[pool_limits]`, and last the file itself, which is no setting of a file.
const KEYS: [&str; 36] = [
    "api.listen",
    "api.socket",
    "cpu.duty_percent",
    "cpu.enabled",
    "cpu.kernel",
    "cpu.pin",
    "cpu.priority",
    "cpu.threads",
    "failover.grace",
    "failover.hard_target",
    "failover.hard_target_patience",
    "failover.patience",
    "failover.patience_failures",
    "failover.quota_slice",
    "failover.retry_first",
    "failover.retry_longest",
    "failover.return_after",
    "failover.shun",
    "failover.slow_retry_first",
    "failover.slow_retry_longest",
    "forced_rate.shares_per_minute",
    "log",
    "name",
    "pool.pass",
    "pool.pass_file",
    "pool.url",
    "pool.user",
    "simulate.boards",
    "simulate.gate_bits",
    "simulate.time_scale",
    "state_dir",
    "status_line",
    "synthetic.enabled",
    "synthetic.shares_per_minute",
    "usb.enabled",
    "config",
];
/// All settings.
pub(crate) fn keys() -> impl Iterator<Item = &'static str> {
    KEYS.into_iter().chain(LIMITS.iter().map(|limit| limit.key))
}

/// Variables with a name of their own, besides the one that follows from the key.
const ALIASES: [(&str, &str); 4] = [
    ("MUJINA_POOL_URL", "pool.url"),
    ("MUJINA_POOL_USER", "pool.user"),
    ("MUJINA_POOL_PASS", "pool.pass"),
    ("MUJINA_POOL_PASS_FILE", "pool.pass_file"),
];
/// Names that the other programs of Mujina use.
const OTHERS: [&str; 2] = ["MUJINA_ADDRESS", "MUJINA_CONTROL"];
/// Likeness from which an unknown name is taken for a slip.
const SLIP: f64 = 0.8;

/// The layers, and what was wrong with them as such.
pub(crate) struct Layers {
    pub(crate) values: Figment,
    pub(crate) mistakes: Vec<Mistake>,
    /// Variables of other origin: `HOME`, `XDG_*`, `OTEL_*`.
    pub(crate) surroundings: BTreeMap<String, OsString>,
}

/// Stacks the file, the environment and the flags.
pub(crate) fn stack(environment: impl IntoIterator<Item = (OsString, OsString)>, flags: &Flags) -> Layers {
    let mut layers = Layers { values: Figment::new(), mistakes: Vec::new(), surroundings: BTreeMap::new() };
    let mut ours = Vec::new();
    for (name, value) in environment {
        // An empty variable is one that was not set: service managers cannot tell the two apart.
        let Some(name) = name.to_str().filter(|_| !value.is_empty()) else { continue };
        if name.starts_with("MUJINA_") {
            ours.push((name.to_owned(), value));
        } else {
            layers.surroundings.insert(name.to_owned(), value);
        }
    }
    ours.sort();
    layers.file(&ours, flags);
    layers.environment(ours);
    for (flag, key, value) in flags.given() {
        layers.put(Origin::Flag(flag.into()), key, value);
    }
    layers
}

impl Layers {
    fn refuse(&mut self, key: &str, origin: Origin, reason: String) {
        self.mistakes.push(Mistake { key: key.into(), origin: Some(origin), reason });
    }

    /// The file that somebody named must be there; the one in the usual place may.
    fn file(&mut self, ours: &[(String, OsString)], flags: &Flags) {
        let variable = ours.iter().find(|(name, _)| name == "MUJINA_CONFIG").map(|(_, value)| PathBuf::from(value));
        let (path, origin) = match (&flags.config, variable) {
            (Some(path), _) => (path.clone(), Some(Origin::Flag("--config".into()))),
            (None, Some(path)) => (path, Some(Origin::Variable("MUJINA_CONFIG".into()))),
            (None, None) => (self.usual_file(), None),
        };
        let path = std::path::absolute(&path).unwrap_or(path);
        match (fs::read_to_string(&path), origin) {
            (Ok(text), _) => self.toml(path, &text),
            (Err(error), None) if error.kind() == std::io::ErrorKind::NotFound => {}
            (Err(error), origin) => {
                let reason = format!("cannot read {} ({error}); check the path and its permissions", path.display());
                self.refuse("config", origin.unwrap_or(Origin::File(path)), reason);
            }
        }
    }

    /// `$XDG_CONFIG_HOME/mujina/dataplane.toml`, else below `$HOME/.config`, else below `/etc`.
    fn usual_file(&self) -> PathBuf {
        let absolute = |name: &str| self.surroundings.get(name).map(PathBuf::from).filter(|path| path.is_absolute());
        absolute("XDG_CONFIG_HOME")
            .or_else(|| absolute("HOME").map(|home| home.join(".config")))
            .unwrap_or_else(|| "/etc".into())
            .join("mujina/dataplane.toml")
    }

    fn toml(&mut self, path: PathBuf, text: &str) {
        match Toml::from_str::<Dict>(text) {
            Ok(values) => self.merge(Layer { origin: Origin::File(path), values }),
            Err(error) => {
                // The error's own text shows the line, which may hold a password.
                let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
                let line = before.matches('\n').count() + 1;
                let reason = format!("is no TOML at line {line}: {}", error.message().trim());
                self.refuse("config", Origin::File(path), reason);
            }
        }
    }

    fn environment(&mut self, ours: Vec<(String, OsString)>) {
        let mut seen: BTreeMap<&str, String> = BTreeMap::new();
        for (name, value) in ours {
            let Some(key) = key_of(&name) else {
                if let Some(meant) = slip(&name) {
                    let reason = format!("is no setting; did you mean {meant}?");
                    self.mistakes.push(Mistake { key: name, origin: None, reason });
                }
                continue;
            };
            if let Some(other) = seen.insert(key, name.clone()) {
                self.refuse(key, Origin::Variable(name), format!("is set by {other} too; unset one of the two"));
            } else if key != "config" {
                self.put(Origin::Variable(name), key, &value);
            }
        }
    }

    fn put(&mut self, origin: Origin, key: &str, value: &OsStr) {
        match value.to_str() {
            Some(text) => {
                if let Some(values) = nest(key, text.into()).into_dict() {
                    self.merge(Layer { origin, values });
                }
            }
            None => self.refuse(key, origin, "is not UTF-8 text; write it anew".into()),
        }
    }

    fn merge(&mut self, layer: Layer) {
        self.values = std::mem::take(&mut self.values).merge(layer);
    }
}

/// Values with their origin.
struct Layer {
    origin: Origin,
    values: Dict,
}

impl Provider for Layer {
    fn metadata(&self) -> Metadata {
        match &self.origin {
            Origin::File(path) => Metadata::from("file", Source::File(path.clone())),
            Origin::Variable(name) => Metadata::from("variable", name.as_str()),
            Origin::Flag(name) => Metadata::from("flag", name.as_str()),
        }
    }

    fn data(&self) -> Result<Map<Profile, Dict>, figment::Error> {
        Ok(Map::from([(Profile::Default, self.values.clone())]))
    }
}

/// Where a stacked value was written.
pub(crate) fn origin(values: &Figment, value: &Value) -> Option<Origin> {
    let metadata = values.get_metadata(value.tag())?;
    match (metadata.name.as_ref(), metadata.source.as_ref()?) {
        (_, Source::File(path)) => Some(Origin::File(path.clone())),
        ("variable", Source::Custom(name)) => Some(Origin::Variable(name.clone())),
        (_, Source::Custom(name)) => Some(Origin::Flag(name.clone())),
        _ => None,
    }
}

/// `cpu.duty_percent` is set by `MUJINA_CPU__DUTY_PERCENT`.
fn variable_of(key: &str) -> String {
    format!("MUJINA_{}", key.replace('.', "__").to_uppercase())
}

fn key_of(variable: &str) -> Option<&'static str> {
    let alias = ALIASES.iter().find(|(name, _)| *name == variable).map(|(_, key)| *key);
    alias.or_else(|| keys().find(|key| variable_of(key) == variable))
}

/// The variable that was probably meant, unless the name is somebody else's.
fn slip(variable: &str) -> Option<String> {
    if OTHERS.iter().any(|other| variable.starts_with(other)) {
        return None;
    }
    let known = keys().map(variable_of).chain(ALIASES.iter().map(|(name, _)| (*name).to_owned()));
    let rest = |name: &str| name.trim_start_matches("MUJINA_").to_owned();
    nearest(&rest(variable), known, |name| rest(name))
}

/// The key that was probably meant.
pub(crate) fn meant(key: &str) -> Option<String> {
    let ends_alike = |known: &str| known.rsplit('.').next() == key.rsplit('.').next();
    let like = nearest(key, keys().map(str::to_owned), str::to_owned);
    like.or_else(|| keys().find(|known| ends_alike(known)).map(str::to_owned))
}

fn nearest(text: &str, known: impl Iterator<Item = String>, seen: impl Fn(&str) -> String) -> Option<String> {
    known
        .map(|name| (strsim::normalized_damerau_levenshtein(text, &seen(&name)), name))
        .filter(|(likeness, _)| *likeness >= SLIP)
        .max_by(|(one, _), (other, _)| one.total_cmp(other))
        .map(|(_, name)| name)
}

/// A path as it was written: one in a file counts from the folder of the file, others from the working folder.
pub(crate) fn resolve(path: &str, origin: &Origin) -> PathBuf {
    let path = match origin {
        Origin::File(file) => file.parent().unwrap_or(Path::new("/")).join(path),
        Origin::Variable(_) | Origin::Flag(_) => path.into(),
    };
    std::path::absolute(&path).unwrap_or(path)
}
