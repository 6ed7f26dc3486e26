//! Turns stacked values into settings. Goes on after a mistake, so that all of them are found.

use super::{
    Config, ConfigError, Mistake, Origin, PoolSettings, draft,
    layers::{self, Layers, keys},
    limits::{self, Bounds, LIMITS},
    simulate::{self, Simulate},
};
use crate::{
    board::cpu::{CpuConfig, ThreadCount, ThreadPriority},
    identity,
    pool::backoff::Delays,
    source::{SourcePolicy, synthetic::SyntheticWork},
    spec,
    thread::sha256d::{KernelChoice, KernelError},
};
use figment::{
    Figment, Profile, Provider,
    value::{Dict, Value},
};
use mujina_core::{
    place::{MINER_SOCKET, default_state_dir},
    pool::PoolSpec,
    spec::Problem,
    text::Secret,
    units::{DutyPercent, duration},
};
use mujina_proto::{
    dial::MAX_SOCKET_PATH,
    serve::{ListenOn, ServeError},
    trace::telemetry::check_filter,
};
use std::{
    collections::BTreeMap,
    ffi::OsString,
    fs::File,
    io::Read,
    net::{IpAddr, SocketAddr},
    num::NonZeroU32,
    path::{Path, PathBuf},
    time::Duration,
};

/// Most CPU threads: more than any machine has cores, so a greater number is a slip.
const MOST_THREADS: u64 = 1024;
/// Fewest shares a minute that can be wished for: about one a week.
const LEAST_SHARES: f64 = 0.0001;
/// Most shares a minute that can be wished for: a hundred a second, beyond which counting costs more than hashing.
const MOST_SHARES: f64 = 6000.0;
/// Shortest time between two status lines.
const SHORTEST_STATUS_LINE: Duration = Duration::from_secs(1);
/// Shortest delay between two attempts at a pool.
const LEAST_RETRY: Duration = Duration::from_millis(100);
/// Longest time of the failover policy: what should wait longer is no failover.
const LONGEST_PATIENCE: Duration = Duration::from_secs(86_400);
/// Longest password file in bytes.
const LONGEST_PASSWORD: u64 = 4096;

/// Reads all settings.
///
/// # Errors
/// All mistakes at once.
pub(crate) fn config(layers: Layers) -> Result<Config, ConfigError> {
    let Layers { values, mistakes, surroundings } = layers;
    let mut reader = Reader { values, mistakes };
    reader.unknown_keys();
    let variable = |name: &str| surroundings.get(name).map(OsString::as_os_str);
    let state_dir = reader
        .take("state_dir", path)
        .unwrap_or_else(|| default_state_dir(variable("XDG_STATE_HOME"), variable("HOME")));
    let defaults = Config::new(&state_dir);
    let name = reader.take("name", |given| identity::check_name(given.text()?));
    let pool = reader.pool();
    let cpu = reader.cpu();
    let usb = reader.take("usb.enabled", Given::switch).unwrap_or(defaults.usb);
    let simulate = reader.simulate();
    let api = reader.api(&state_dir);
    let log = reader.take("log", log_filter).unwrap_or(defaults.log);
    let status_line = reader.take("status_line", status_line).unwrap_or(defaults.status_line);
    let synthetic = reader.synthetic();
    let share_every = reader.take("forced_rate.shares_per_minute", share_every);
    let Bounds { pool: pool_limits, v1: pool_limits_v1, scheduler: scheduler_limits } = reader.limits().shared();
    let failover = reader.failover();
    let otlp_endpoint = reader.collector(&surroundings);
    let config = Config {
        state_dir,
        name,
        pool,
        cpu,
        usb,
        simulate,
        api,
        log,
        status_line,
        synthetic,
        share_every,
        pool_limits,
        pool_limits_v1,
        scheduler_limits,
        failover,
        otlp_endpoint,
    };
    if reader.mistakes.is_empty() { Ok(config) } else { Err(ConfigError(reader.mistakes)) }
}

/// A value that was written somewhere.
pub(super) struct Given {
    value: Value,
    origin: Origin,
}

impl Given {
    pub(super) fn text(&self) -> Result<&str, String> {
        // The value stays out of it: it may be a secret.
        self.value.as_str().ok_or_else(|| format!("is {}; write text in quotes", kind(&self.value)))
    }

    /// A list of texts, or one text with commas between them.
    pub(super) fn texts(&self) -> Result<Vec<String>, String> {
        let wrong = || format!("is {}; write a list of texts, or one text with commas between them", kind(&self.value));
        if let Some(list) = self.value.as_array() {
            return list.iter().map(|item| item.as_str().map(str::to_owned).ok_or_else(wrong)).collect();
        }
        let text = self.value.as_str().ok_or_else(wrong)?;
        Ok(text.split(',').map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned).collect())
    }

    pub(super) fn number(&self) -> Result<u64, String> {
        let number = match self.value.as_str() {
            Some(text) if self.origin.is_text() => text.trim().parse().ok(),
            _ => self.value.to_i128().and_then(|number| number.try_into().ok()),
        };
        number.ok_or_else(|| "is no whole number; write one without quotes or sign".into())
    }

    pub(super) fn real(&self) -> Result<f64, String> {
        let number = match self.value.as_str() {
            Some(text) if self.origin.is_text() => text.trim().parse().ok(),
            _ => self.value.to_f64().or_else(|| self.number().ok().and_then(|whole| whole.to_string().parse().ok())),
        };
        number.ok_or_else(|| "is no number; write one without quotes".into())
    }

    pub(super) fn switch(&self) -> Result<bool, String> {
        let switch = match self.value.as_str() {
            Some(text) if self.origin.is_text() => text.trim().parse().ok(),
            _ => self.value.to_bool(),
        };
        switch.ok_or_else(|| "is neither true nor false; write one of them without quotes".into())
    }
}

/// What a value is, without the value.
fn kind(value: &Value) -> &'static str {
    match value {
        Value::String(..) | Value::Char(..) => "text",
        Value::Bool(..) => "a truth value",
        Value::Num(..) => "a number",
        Value::Empty(..) => "nothing",
        Value::Dict(..) => "a table",
        Value::Array(..) => "a list",
    }
}

struct Reader {
    values: Figment,
    mistakes: Vec<Mistake>,
}

impl Reader {
    fn refuse(&mut self, key: &str, origin: Option<Origin>, reason: impl Into<String>) {
        self.mistakes.push(Mistake { key: key.into(), origin, reason: reason.into() });
    }

    fn given(&self, key: &str) -> Option<Given> {
        let value = self.values.find_value(key).ok()?;
        let origin = layers::origin(&self.values, &value)?;
        Some(Given { value, origin })
    }

    fn origin(&self, key: &str) -> Option<Origin> {
        self.given(key).map(|given| given.origin)
    }

    /// The setting, if it was written and is right; a mistake noted if it is wrong.
    fn take<T>(&mut self, key: &str, read: impl FnOnce(&Given) -> Result<T, String>) -> Option<T> {
        let given = self.given(key)?;
        match read(&given) {
            Ok(value) => Some(value),
            Err(reason) => {
                self.refuse(key, Some(given.origin), reason);
                None
            }
        }
    }

    fn unknown_keys(&mut self) {
        let all = self.values.data().ok().and_then(|mut profiles| profiles.remove(&Profile::Default));
        let mut leaves = Vec::new();
        collect(&all.unwrap_or_default(), "", &mut leaves);
        for (key, value) in leaves {
            if is_key(&key) && key != "config" {
                continue;
            }
            let origin = layers::origin(&self.values, &value);
            let inside = keys().find(|known| known.starts_with(&format!("{key}.")));
            let reason = match (inside, layers::meant(&key)) {
                (Some(known), _) => format!("is a table of settings; write for example `{known}`"),
                (None, Some(meant)) if meant != "config" => format!("is no setting; did you mean `{meant}`?"),
                _ => "is no setting; docs/configuration.md lists them all".into(),
            };
            self.refuse(&key, origin, reason);
        }
    }

    fn pool(&mut self) -> Option<PoolSettings> {
        let found = self.mistakes.len();
        let url = self.take("pool.url", |given| given.text().map(str::to_owned));
        let user = self.take("pool.user", |given| given.text().map(str::to_owned));
        let password = self.password();
        if self.origin("pool.url").is_none() {
            for key in ["pool.user", "pool.pass", "pool.pass_file"] {
                if let Some(origin) = self.origin(key) {
                    self.refuse(key, Some(origin), "has no effect without `pool.url`; set that too, or leave this out");
                }
            }
            return None;
        }
        if self.mistakes.len() > found {
            return None;
        }
        match spec::check_configured(draft(url?, user.unwrap_or_default(), password)) {
            Ok(groups) => groups.into_iter().flat_map(|group| group.pools).next().map(|pool| {
                let PoolSpec { name: _, endpoint, user, password, nominal_hash_rate: _, quota: _, options: _ } = pool;
                PoolSettings { url: endpoint, user, password }
            }),
            Err(problems) => {
                for Problem { field, reason } in problems.0 {
                    let key = format!("pool.{}", field.rsplit('.').next().unwrap_or_default());
                    self.refuse(&key, self.origin(&key), reason);
                }
                None
            }
        }
    }

    /// From the variable or from a file; of two, the one in the higher layer.
    fn password(&mut self) -> Option<Secret> {
        let (direct, file) = (self.origin("pool.pass"), self.origin("pool.pass_file"));
        if let (Some(direct), Some(file)) = (&direct, &file) {
            if direct.layer() == file.layer() {
                self.refuse("pool.pass_file", Some(file.clone()), "is set beside `pool.pass`; leave one of them out");
                return None;
            }
            if direct.layer() > file.layer() {
                return self.take("pool.pass", |given| given.text().map(Secret::from));
            }
        }
        match file {
            Some(_) => self.take("pool.pass_file", |given| password_from(&path(given)?)),
            None => self.take("pool.pass", |given| given.text().map(Secret::from)),
        }
    }

    fn cpu(&mut self) -> Option<CpuConfig> {
        let settings = CpuConfig {
            threads: self.take("cpu.threads", threads).unwrap_or_default(),
            duty: self.take("cpu.duty_percent", duty).unwrap_or_default(),
            kernel: self.take("cpu.kernel", kernel).unwrap_or_default(),
            priority: self.take("cpu.priority", priority).unwrap_or_default(),
            pin: self.take("cpu.pin", Given::switch).unwrap_or(false),
        };
        self.take("cpu.enabled", Given::switch).unwrap_or(true).then_some(settings)
    }

    fn simulate(&mut self) -> Simulate {
        let usual = Simulate::default();
        Simulate {
            boards: self.take("simulate.boards", simulate::boards).unwrap_or(usual.boards),
            gate_bits: self.take("simulate.gate_bits", simulate::gate_bits).unwrap_or(usual.gate_bits),
            time_scale: self.take("simulate.time_scale", simulate::time_scale).unwrap_or(usual.time_scale),
        }
    }

    fn synthetic(&mut self) -> Option<SyntheticWork> {
        let mut work = SyntheticWork::default();
        if let Some(share_every) = self.take("synthetic.shares_per_minute", share_every) {
            work.share_every = share_every;
        }
        self.take("synthetic.enabled", Given::switch).unwrap_or(true).then_some(work)
    }

    fn limits(&mut self) -> Bounds {
        let (mut bounds, found) = (Bounds::default(), self.mistakes.len());
        for limit in &LIMITS {
            self.take(limit.key, |given| limit.read(given, &mut bounds));
        }
        if self.mistakes.len() == found {
            for (key, reason) in limits::contradictions(&bounds) {
                self.refuse(key, self.origin(key), reason);
            }
        }
        bounds
    }

    fn failover(&mut self) -> SourcePolicy {
        let usual = SourcePolicy::default();
        let delays = self.retry_delays(usual.delays);
        let mut time = |key, usual| self.take(key, patience).unwrap_or(usual);
        SourcePolicy {
            patience_time: time("failover.patience", usual.patience_time),
            return_after: time("failover.return_after", usual.return_after),
            grace: time("failover.grace", usual.grace),
            shun: time("failover.shun", usual.shun),
            hard_target: time("failover.hard_target", usual.hard_target),
            hard_target_patience: time("failover.hard_target_patience", usual.hard_target_patience),
            quota_slice: time("failover.quota_slice", usual.quota_slice),
            patience_failures: self.take("failover.patience_failures", failures).unwrap_or(usual.patience_failures),
            delays,
        }
    }

    fn retry_delays(&mut self, usual: Delays) -> Delays {
        let mut pair = |first: &'static str, longest: &'static str, usual: (Duration, Duration)| {
            let least = self.take(first, retry).unwrap_or(usual.0);
            let most = self.take(longest, retry).unwrap_or(usual.1.max(least));
            if most < least {
                let origin = self.origin(longest).or_else(|| self.origin(first));
                self.refuse(longest, origin, format!("is less than `{first}`; set it to that or more"));
            }
            (least, most)
        };
        let (first, longest) = pair("failover.retry_first", "failover.retry_longest", (usual.first, usual.longest));
        let slow = (usual.slow_first, usual.slow_longest);
        let (slow_first, slow_longest) = pair("failover.slow_retry_first", "failover.slow_retry_longest", slow);
        Delays { first, longest, slow_first, slow_longest }
    }

    fn api(&mut self, state_dir: &Path) -> ListenOn {
        let socket = self.take("api.socket", path).unwrap_or_else(|| state_dir.join(MINER_SOCKET));
        if socket.as_os_str().len() > MAX_SOCKET_PATH {
            let origin = self.origin("api.socket").or_else(|| self.origin("state_dir"));
            let length = socket.as_os_str().len();
            let reason = format!(
                "is {length} bytes long ({}); set a shorter `api.socket` or `state_dir`, at most {MAX_SOCKET_PATH} bytes",
                socket.display()
            );
            self.refuse("api.socket", origin, reason);
        }
        ListenOn { socket: Some(socket), tcp: self.take("api.listen", loopback) }
    }

    /// The collector's address by the standard variables, the special one first.
    fn collector(&mut self, surroundings: &BTreeMap<String, OsString>) -> Option<String> {
        let names = ["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"];
        let (name, value) = names.into_iter().find_map(|name| surroundings.get(name).map(|value| (name, value)))?;
        let is_url = |text: &&str| text.starts_with("http://") || text.starts_with("https://");
        match value.to_str().filter(is_url) {
            Some(url) => Some(url.to_owned()),
            None => {
                self.refuse(name, None, "is no URL; write for example http://127.0.0.1:4317, or unset it");
                None
            }
        }
    }
}

fn is_key(key: &str) -> bool {
    keys().any(|known| known == key)
}

/// All values that are no tables, with their keys.
fn collect(dict: &Dict, prefix: &str, leaves: &mut Vec<(String, Value)>) {
    for (name, value) in dict {
        let key = format!("{prefix}{name}");
        match value {
            Value::Dict(_, inner) if !is_key(&key) => collect(inner, &format!("{key}."), leaves),
            _ => leaves.push((key, value.clone())),
        }
    }
}

fn path(given: &Given) -> Result<PathBuf, String> {
    match given.text()? {
        "" => Err("is empty; write a path, or leave it out".into()),
        text => Ok(layers::resolve(text, &given.origin)),
    }
}

fn password_from(path: &Path) -> Result<Secret, String> {
    let unreadable = |cause: &dyn std::fmt::Display| {
        format!("cannot read {} ({cause}); check the path and its permissions", path.display())
    };
    let mut text = String::new();
    let file = File::open(path).map_err(|error| unreadable(&error))?;
    file.take(LONGEST_PASSWORD + 1).read_to_string(&mut text).map_err(|error| unreadable(&error))?;
    let password = text.strip_suffix('\n').unwrap_or(&text);
    let password = password.strip_suffix('\r').unwrap_or(password);
    if password.is_empty() {
        Err(format!("leads to {}, which is empty; write the password into it", path.display()))
    } else if text.len() > usize::try_from(LONGEST_PASSWORD).unwrap_or(usize::MAX) {
        Err(format!("leads to {}, which has more than {LONGEST_PASSWORD} bytes; is it the right file?", path.display()))
    } else {
        Ok(Secret::from(password))
    }
}

fn threads(given: &Given) -> Result<ThreadCount, String> {
    if given.value.as_str() == Some("auto") {
        return Ok(ThreadCount::Auto);
    }
    let number = given.number().map_err(|_| "is neither a whole number nor `auto`; use one of them".to_owned())?;
    if number > MOST_THREADS {
        return Err(format!("is {number}; use at most {MOST_THREADS}, or `auto` for one per core"));
    }
    let number = u32::try_from(number).ok().and_then(NonZeroU32::new);
    number
        .map(ThreadCount::Exactly)
        .ok_or_else(|| "is 0; use `auto` for one per core, or `cpu.enabled = false` to leave the CPU alone".into())
}

fn duty(given: &Given) -> Result<DutyPercent, String> {
    DutyPercent::try_from(given.number()?).map_err(|error| error.to_string())
}

fn kernel(given: &Given) -> Result<KernelChoice, String> {
    let choice: KernelChoice = given.text()?.parse().map_err(|error: KernelError| error.to_string())?;
    match choice {
        KernelChoice::Only(kernel) if !kernel.is_supported() => Err(KernelError::Unsupported(kernel).to_string()),
        KernelChoice::Only(_) | KernelChoice::Auto => Ok(choice),
    }
}

fn priority(given: &Given) -> Result<ThreadPriority, String> {
    match given.text()? {
        "idle" => Ok(ThreadPriority::Idle),
        "normal" => Ok(ThreadPriority::Normal),
        other => Err(format!("`{other}` is not known; use `idle` or `normal`")),
    }
}

fn share_every(given: &Given) -> Result<Duration, String> {
    let rate = given.real()?;
    if (LEAST_SHARES..=MOST_SHARES).contains(&rate) {
        Ok(Duration::from_secs_f64(60.0 / rate))
    } else {
        Err(format!("is {rate}; use a number from {LEAST_SHARES} to {MOST_SHARES}"))
    }
}

fn log_filter(given: &Given) -> Result<String, String> {
    let filter = given.text()?;
    check_filter(filter).map(|()| filter.to_owned()).map_err(|error| error.to_string())
}

fn status_line(given: &Given) -> Result<Option<Duration>, String> {
    let text = given.text().map_err(|_| "is no duration; write for example \"30s\", or \"off\"".to_owned())?;
    if text == "off" {
        return Ok(None);
    }
    let interval = duration::parse(text).map_err(|error| error.to_string())?;
    if interval < SHORTEST_STATUS_LINE {
        Err("is too short; use 1s or more, or `off`".into())
    } else {
        Ok(Some(interval))
    }
}

fn patience(given: &Given) -> Result<Duration, String> {
    let text = given.text().map_err(|_| "is no duration; write for example \"30s\"".to_owned())?;
    let time = duration::parse(text).map_err(|error| error.to_string())?;
    if time > LONGEST_PATIENCE { Err("is too long; use 1d or less".into()) } else { Ok(time) }
}

/// Pools ban who comes back at once.
fn retry(given: &Given) -> Result<Duration, String> {
    let delay = patience(given)?;
    if delay < LEAST_RETRY { Err("is too short; use 100ms or more".into()) } else { Ok(delay) }
}

fn failures(given: &Given) -> Result<u32, String> {
    match given.number()? {
        number @ 1..=100 => Ok(u32::try_from(number).unwrap_or(u32::MAX)),
        number => Err(format!("is {number}; use a whole number from 1 to 100")),
    }
}

fn loopback(given: &Given) -> Result<SocketAddr, String> {
    let text = given.text()?.trim();
    let no_port = text.parse::<IpAddr>().is_ok();
    let address: SocketAddr = text.parse().map_err(|_| {
        let what = if no_port { "has no port" } else { "is no address with a port" };
        format!("`{text}` {what}; write for example 127.0.0.1:50051 or [::1]:50051")
    })?;
    if address.ip().is_loopback() { Ok(address) } else { Err(ServeError::NotLoopback(address).to_string()) }
}
