//! Settings of the control plane: defaults < file (TOML) < `MUJINA_CONTROL_*` environment < flags.
//!
//! Read once, all mistakes reported together, each with its key and where it was written. The keys are described in
//! docs/configuration-control.md. The environment is read here and nowhere else.

use crate::{rollout::MOST_APPROVALS, selector::check_label, statistics::KeepStatistics};
use figment::{
    Figment, Metadata, Profile, Provider,
    providers::{Format, Serialized, Toml},
    value::{Dict, Map, Value},
};
use mujina_core::{
    id::MinerName,
    place::{CONTROL_SOCKET, MINER_SOCKET, default_state_dir},
    units::{Watts, duration},
};
use mujina_proto::{dial::Address, tls::check_host, trace::telemetry::check_filter};
use std::{
    collections::BTreeMap,
    ffi::OsString,
    fmt,
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

/// Begin of the variables that are ours; the rest of the name is the key, `__` for each dot.
const PREFIX: &str = "MUJINA_CONTROL_";
/// How long collected statistics are kept: sums over hours and days for a year and some weeks, so that a month can be compared
/// with its last one; finer ones, which take nearly all of the disk, as long as people look for what happened.
const KEEP_STATISTICS: KeepStatistics =
    KeepStatistics { ten_seconds: days(7), minute: days(60), hour: days(400), day: days(400) };
const fn days(days: u64) -> Duration {
    Duration::from_secs(days * 24 * 60 * 60)
}

/// Name of the file in the state folder.
pub(crate) const CONFIG: &str = "control.toml";
/// The miner that is known when none is configured.
const LOCAL: &str = "local";

/// All settings.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// Holds the database.
    pub state_dir: PathBuf,
    /// Unix socket of the API; `None` = none.
    pub socket: Option<PathBuf>,
    /// Loopback address of the API; `None` = none.
    pub listen: Option<SocketAddr>,
    /// The API on the network, in TLS; `None` = none.
    pub tls: Option<TlsConfig>,
    /// The miners by name.
    pub miners: BTreeMap<MinerName, MinerConfig>,
    /// What goes to the log.
    pub log: String,
    /// Collector of spans (OTLP over gRPC).
    pub otlp_endpoint: Option<String>,
    /// How long collected statistics are kept.
    pub keep_statistics: KeepStatistics,
    /// People other than the planner who must approve a rollout, whatever its plan says.
    pub rollout_approvals: u32,
    /// Most power that pausing and resuming miners may switch per second, whatever asks for it; `None` = no bound.
    pub ramp: Option<Watts>,
}

/// The API on the network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsConfig {
    /// Where to listen.
    pub listen: SocketAddr,
    /// Names and addresses by which miners and operators reach it: its certificate is made out to them.
    pub names: Vec<String>,
}

/// One miner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MinerConfig {
    /// Where its API is.
    pub address: Address,
    /// For people and their tools.
    pub labels: BTreeMap<String, String>,
}

/// Settings on the command line.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct Flags {
    /// TOML file with settings [default: control.toml in the state folder, where there is one].
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Folder of the database and the socket [default: the user's state folder].
    #[arg(long, value_name = "DIR")]
    pub state_dir: Option<PathBuf>,
    /// Unix socket of the API [default: control.sock in the state folder].
    #[arg(long, value_name = "PATH")]
    pub socket: Option<PathBuf>,
    /// Loopback address of the API, for example 127.0.0.1:50052 [default: none].
    #[arg(long, value_name = "ADDRESS")]
    pub listen: Option<String>,
    /// What goes to the log, for example `info` or `mujina_control=debug,warn`.
    #[arg(long, value_name = "FILTER")]
    pub log: Option<String>,
}

/// Variables of the process, as far as they matter.
#[derive(Debug, Clone, Default)]
pub struct Environment(BTreeMap<String, OsString>);

/// All that is wrong with the settings.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the configuration cannot be used:{}", self.0.iter().map(|one| format!("\n  {one}")).collect::<String>())]
pub struct ConfigError(pub Vec<String>);

impl Config {
    /// The defaults, with everything in `state_dir`: one miner, `local`, on the data plane's socket there.
    #[must_use]
    pub fn new(state_dir: impl Into<PathBuf>) -> Self {
        let state_dir = state_dir.into();
        let local = MinerConfig { address: Address::Unix(state_dir.join(MINER_SOCKET)), labels: BTreeMap::new() };
        let name = LOCAL.parse().expect("a valid name");
        Self {
            socket: Some(state_dir.join(CONTROL_SOCKET)),
            listen: None,
            tls: None,
            miners: BTreeMap::from([(name, local)]),
            log: "info".into(),
            otlp_endpoint: None,
            keep_statistics: KEEP_STATISTICS,
            rollout_approvals: 0,
            ramp: None,
            state_dir,
        }
    }

    /// Reads all settings.
    ///
    /// # Errors
    /// All mistakes at once.
    pub fn load(flags: &Flags, environment: &Environment) -> Result<Self, ConfigError> {
        let mut figment = Figment::new();
        if let Some(file) = flags.config.clone().or_else(|| file_of(flags, environment)) {
            figment = figment.merge(Toml::file_exact(file));
        }
        let figment = figment.merge(environment).merge(flags);
        let all: Dict = figment.extract().map_err(|error| {
            let lines = error.into_iter().map(|one| format!("{one}; correct the file"));
            ConfigError(lines.collect())
        })?;
        let mut read = Reading { figment, mistakes: Vec::new() };
        let config = read.config(&all, environment);
        if read.mistakes.is_empty() { Ok(config) } else { Err(ConfigError(read.mistakes)) }
    }
}

impl fmt::Display for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            state_dir,
            socket,
            listen,
            tls,
            miners,
            log,
            otlp_endpoint,
            keep_statistics,
            rollout_approvals,
            ramp,
        } = self;
        writeln!(f, "state_dir = {}", state_dir.display())?;
        if let Some(socket) = socket {
            writeln!(f, "api.socket = {}", socket.display())?;
        }
        if let Some(listen) = listen {
            writeln!(f, "api.listen = {listen}")?;
        }
        if let Some(TlsConfig { listen, names }) = tls {
            writeln!(f, "api.listen_tls = {listen}, as {}", names.join(", "))?;
        }
        writeln!(f, "log = {log}")?;
        let KeepStatistics { ten_seconds, minute, hour, day } = keep_statistics;
        for (key, kept) in [("10s", ten_seconds), ("1m", minute), ("1h", hour), ("1d", day)] {
            writeln!(f, "statistics.keep_{key} = {}", duration::human(*kept))?;
        }
        writeln!(f, "rollouts.approvals = {rollout_approvals}")?;
        if let Some(ramp) = ramp {
            writeln!(f, "power.ramp = {ramp} per second")?;
        }
        if let Some(endpoint) = otlp_endpoint {
            writeln!(f, "spans go to {endpoint}")?;
        }
        for (i, (name, miner)) in miners.iter().enumerate() {
            let end = if i + 1 == miners.len() { "" } else { "\n" };
            write!(f, "miners.{name} = {}{end}", miner.address)?;
        }
        Ok(())
    }
}

impl Environment {
    /// The variables of this process.
    #[must_use]
    pub fn of_process() -> Self {
        let ours = |name: &str| {
            name.starts_with(PREFIX)
                || ["HOME", "XDG_STATE_HOME", "OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"]
                    .contains(&name)
        };
        let named = std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value)));
        Self(named.filter(|(name, _)| ours(name)).collect())
    }

    fn text(&self, name: &str) -> Option<String> {
        self.0.get(name).and_then(|value| value.to_str()).filter(|value| !value.is_empty()).map(Into::into)
    }

    fn state_dir(&self) -> PathBuf {
        let value = |name: &str| self.0.get(name).map(OsString::as_os_str);
        default_state_dir(value("XDG_STATE_HOME"), value("HOME"))
    }
}

impl FromIterator<(String, String)> for Environment {
    fn from_iter<I: IntoIterator<Item = (String, String)>>(variables: I) -> Self {
        Self(variables.into_iter().map(|(name, value)| (name, value.into())).collect())
    }
}

impl Provider for &Environment {
    fn metadata(&self) -> Metadata {
        Metadata::named("environment")
    }

    fn data(&self) -> figment::error::Result<Map<Profile, Dict>> {
        let mut dict = Dict::new();
        for (name, value) in &self.0 {
            let Some(key) = name.strip_prefix(PREFIX).filter(|key| !key.is_empty()) else { continue };
            let Some(value) = value.to_str() else {
                return Err(format!("{name} is no valid text").into());
            };
            let key = key.to_ascii_lowercase().replace("__", ".");
            let nested = figment::util::nest(&key, Value::from(value));
            merge(&mut dict, nested.into_dict().unwrap_or_default());
        }
        Ok(Profile::Default.collect(dict))
    }
}

/// Adds one nested key to others.
fn merge(into: &mut Dict, more: Dict) {
    for (key, value) in more {
        match (into.get_mut(&key), value) {
            (Some(Value::Dict(_, known)), Value::Dict(_, more)) => merge(known, more),
            (_, value) => drop(into.insert(key, value)),
        }
    }
}

impl Provider for &Flags {
    fn metadata(&self) -> Metadata {
        Metadata::named("command line")
    }

    fn data(&self) -> figment::error::Result<Map<Profile, Dict>> {
        let Flags { config: _, state_dir, socket, listen, log } = self;
        let path = |path: &Option<PathBuf>| path.as_ref().map(|path| path.display().to_string());
        let mut dict = Dict::new();
        for (key, value) in [
            ("state_dir", path(state_dir)),
            ("api.socket", path(socket)),
            ("api.listen", listen.clone()),
            ("log", log.clone()),
        ] {
            if let Some(value) = value {
                merge(&mut dict, figment::util::nest(key, Value::from(value)).into_dict().unwrap_or_default());
            }
        }
        // Checked like any other value.
        Serialized::defaults(dict).data()
    }
}

/// Power above zero with its unit, as `mujinactl` takes it.
fn watts(text: &str) -> Result<Watts, String> {
    let number = [("kW", 1e3), ("MW", 1e6), ("W", 1.0)]
        .into_iter()
        .find_map(|(unit, factor)| Some(text.strip_suffix(unit)?.trim_end().parse::<f64>().ok()? * factor));
    number
        .and_then(|watts| Watts::try_from(watts).ok())
        .filter(|watts| watts.watts() >= 1.0)
        .ok_or_else(|| "is no power from 1 W up; write it with its unit, for example 5kW".into())
}

/// The file that `init` makes, where it is.
fn file_of(flags: &Flags, environment: &Environment) -> Option<PathBuf> {
    let named = environment.text(&format!("{PREFIX}STATE_DIR")).map(PathBuf::from);
    let folder = flags.state_dir.clone().or(named).unwrap_or_else(|| environment.state_dir());
    Some(folder.join(CONFIG)).filter(|path| path.exists())
}

/// Reads values and notes what is wrong with them.
struct Reading {
    figment: Figment,
    mistakes: Vec<String>,
}

impl Reading {
    fn config(&mut self, all: &Dict, environment: &Environment) -> Config {
        self.refuse_unknown("", all, &["state_dir", "log", "api", "miners", "statistics", "rollouts", "power"]);
        for (part, keys) in [
            ("api", ["socket", "listen", "listen_tls", "names"].as_slice()),
            ("statistics", &["keep", "keep_10s", "keep_1m", "keep_1h", "keep_1d"]),
            ("rollouts", &["approvals"]),
            ("power", &["ramp"]),
        ] {
            match all.get(part) {
                Some(Value::Dict(_, inner)) => self.refuse_unknown(part, inner, keys),
                Some(_) => self.mistake(part, "must be a table"),
                None => {}
            }
        }
        let state_dir = self.path("state_dir").unwrap_or_else(|| environment.state_dir());
        let mut config = Config::new(state_dir);
        if let Some(socket) = self.path("api.socket") {
            config.socket = Some(socket);
        }
        config.listen = self.parsed("api.listen", |text| {
            let address: SocketAddr = text.parse().map_err(|_| "is no address; use for example 127.0.0.1:50052")?;
            if address.ip().is_loopback() {
                Ok(address)
            } else {
                Err("can be reached from the network, which needs TLS; use a loopback address such as 127.0.0.1:50052"
                    .into())
            }
        });
        config.tls = self.tls(all);
        if let Some(log) =
            self.parsed("log", |text| check_filter(&text).map(|()| text).map_err(|error| error.to_string()))
        {
            config.log = log;
        }
        config.keep_statistics = self.keep_statistics();
        config.rollout_approvals = self.rollout_approvals();
        config.ramp = self.parsed("power.ramp", |text| watts(&text));
        config.otlp_endpoint = environment
            .text("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
            .or_else(|| environment.text("OTEL_EXPORTER_OTLP_ENDPOINT"));
        match all.get("miners") {
            Some(Value::Dict(_, miners)) if !miners.is_empty() => config.miners = self.miners(miners),
            // Where miners call home, nobody expects one beside it.
            Some(Value::Dict(..)) | None if config.tls.is_some() => config.miners.clear(),
            Some(Value::Dict(..)) | None => {}
            Some(_) => self.mistake("miners", "must be a table with one entry per miner"),
        }
        config
    }

    fn tls(&mut self, all: &Dict) -> Option<TlsConfig> {
        let listen = self.parsed("api.listen_tls", |text| {
            text.parse::<SocketAddr>().map_err(|_| "is no address; use for example 0.0.0.0:7650".into())
        });
        let names = match all.get("api") {
            Some(Value::Dict(_, api)) => api.get("names"),
            _ => None,
        };
        let texts = match names {
            Some(Value::Array(_, values)) => values.iter().map(|value| value.as_str().map(Into::into)).collect(),
            // As a variable gives it.
            Some(value) => value.as_str().map(|text| text.split(',').map(|one| one.trim().to_owned()).collect()),
            None => Some(Vec::new()),
        };
        let Some(names) = texts else {
            self.mistake("api.names", "must be a list of texts, for example [\"control.example\"]");
            return None;
        };
        for name in &names {
            if let Err(error) = check_host(name) {
                self.mistake("api.names", &error.to_string());
            }
        }
        let listen = listen?;
        if names.is_empty() {
            self.mistake(
                "api.names",
                "is missing; name the hosts and addresses by which miners reach `api.listen_tls`",
            );
        }
        Some(TlsConfig { listen, names })
    }

    fn keep_statistics(&mut self) -> KeepStatistics {
        let mut kept = |key: &str| self.parsed(key, |text| duration::parse(&text).map_err(|error| error.to_string()));
        let KeepStatistics { ten_seconds, minute, hour, day } =
            kept("statistics.keep").map_or(KEEP_STATISTICS, KeepStatistics::all);
        KeepStatistics {
            ten_seconds: kept("statistics.keep_10s").unwrap_or(ten_seconds),
            minute: kept("statistics.keep_1m").unwrap_or(minute),
            hour: kept("statistics.keep_1h").unwrap_or(hour),
            day: kept("statistics.keep_1d").unwrap_or(day),
        }
    }

    /// A number, in quotes where it comes from a variable.
    fn rollout_approvals(&mut self) -> u32 {
        const KEY: &str = "rollouts.approvals";
        let Ok(value) = self.figment.find_value(KEY) else { return 0 };
        let number = value.to_i128().or_else(|| value.as_str()?.parse().ok());
        match number.and_then(|number| u32::try_from(number).ok()).filter(|number| *number <= MOST_APPROVALS) {
            Some(number) => number,
            None => {
                self.mistake(KEY, &format!("must be a number from 0 to {MOST_APPROVALS}"));
                0
            }
        }
    }

    fn miners(&mut self, miners: &Dict) -> BTreeMap<MinerName, MinerConfig> {
        let mut found = BTreeMap::new();
        for (name, value) in miners {
            let key = format!("miners.{name}");
            let name = name.parse::<MinerName>().map_err(|error| self.mistake(&key, &format!("the name {error}"))).ok();
            let Value::Dict(_, inner) = value else {
                self.mistake(&key, "must be a table with an address");
                continue;
            };
            self.refuse_unknown(&key, inner, &["address", "labels"]);
            let labels = self.labels(&key, inner);
            if !inner.contains_key("address") {
                self.mistake(&key, "has no address; add one such as unix:///run/mujina/api.sock");
            }
            let address = self
                .parsed(&format!("{key}.address"), |text| text.parse::<Address>().map_err(|error| error.to_string()));
            if let (Some(name), Some(address)) = (name, address) {
                found.insert(name, MinerConfig { address, labels });
            }
        }
        found
    }

    fn labels(&mut self, miner: &str, inner: &Dict) -> BTreeMap<String, String> {
        let key = format!("{miner}.labels");
        let labels = match inner.get("labels") {
            Some(Value::Dict(_, labels)) => labels,
            Some(_) => {
                self.mistake(&key, "must be a table of texts");
                return BTreeMap::new();
            }
            None => return BTreeMap::new(),
        };
        let mut found = BTreeMap::new();
        for (name, value) in labels {
            match value.as_str() {
                Some(text) => match check_label(name, text) {
                    Ok(()) => drop(found.insert(name.clone(), text.into())),
                    Err(error) => self.mistake(&format!("{key}.{name}"), &error.to_string()),
                },
                None => self.mistake(&format!("{key}.{name}"), "must be a text; put it in quotes"),
            }
        }
        found
    }

    fn refuse_unknown(&mut self, part: &str, inner: &Dict, known: &[&str]) {
        for key in inner.keys().filter(|key| !known.contains(&key.as_str())) {
            let key = if part.is_empty() { key.clone() } else { format!("{part}.{key}") };
            self.mistake(&key, &format!("is not known; known here are {}", known.join(", ")));
        }
    }

    fn path(&mut self, key: &str) -> Option<PathBuf> {
        self.parsed(key, |text| match text.as_str() {
            "" => Err("is empty; give a path or leave it out".into()),
            text => std::path::absolute(Path::new(text)).map_err(|error| error.to_string()),
        })
    }

    /// The value of a key; `None` when it is not given, or is wrong, which is noted.
    fn parsed<T>(&mut self, key: &str, parse: impl FnOnce(String) -> Result<T, String>) -> Option<T> {
        let value = self.figment.find_value(key).ok()?;
        let parsed = match value.into_string() {
            Some(text) => parse(text.clone()).map_err(|error| {
                // Some errors quote what they refuse.
                if error.contains('`') { error } else { format!("`{text}` {error}") }
            }),
            None => Err("must be a text; put it in quotes".into()),
        };
        parsed.map_err(|error| self.mistake(key, &error)).ok()
    }

    fn mistake(&mut self, key: &str, reason: &str) {
        let origin =
            self.figment.find_value(key).ok().and_then(|value| self.figment.get_metadata(value.tag()).cloned());
        let origin = match origin {
            Some(origin) if origin.name == "environment" => {
                format!(" (environment variable {PREFIX}{})", key.to_ascii_uppercase().replace('.', "__"))
            }
            Some(origin) => match origin.source.as_ref().and_then(|source| source.file_path()) {
                Some(file) => format!(" ({})", file.display()),
                None => format!(" ({})", origin.name),
            },
            None => String::new(),
        };
        self.mistakes.push(format!("{key}{origin}: {reason}"));
    }
}

#[cfg(test)]
mod tests;
