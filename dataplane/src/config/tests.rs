use super::*;
use crate::{
    board::cpu::{ThreadCount, ThreadPriority},
    simulate::BoardKind,
    thread::sha256d::{Kernel, KernelChoice},
};
use mujina_core::units::DutyPercent;
use std::{collections::BTreeMap, fs, path::Path};

const URL: &str = "stratum2+tcp://pool.example/9auqWEzQDVyd2oe1JVGFLMLHZtCo2FFqZwtKA5gd9xbuEu7PH72";
const OTHER_URL: &str = "stratum2+tcp://other.example/9auqWEzQDVyd2oe1JVGFLMLHZtCo2FFqZwtKA5gd9xbuEu7PH72";

/// A machine with a home folder of its own.
struct Machine {
    home: tempfile::TempDir,
    variables: BTreeMap<String, String>,
    flags: Flags,
}

impl Machine {
    fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        let variables = BTreeMap::from([("HOME".to_owned(), home.path().display().to_string())]);
        Self { home, variables, flags: Flags::default() }
    }

    fn with(mut self, variables: &[(&str, &str)]) -> Self {
        self.variables.extend(variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        self
    }

    /// The file in its usual place.
    fn file(self, text: &str) -> Self {
        fs::create_dir_all(self.usual().parent().unwrap()).unwrap();
        fs::write(self.usual(), text).unwrap();
        self
    }

    fn usual(&self) -> PathBuf {
        self.home.path().join(".config/mujina/dataplane.toml")
    }

    fn load(&self) -> Result<Config, ConfigError> {
        let variables = self.variables.iter().map(|(name, value)| (name.into(), value.into()));
        Config::from_sources(variables, &self.flags)
    }

    fn good(&self) -> Config {
        self.load().unwrap_or_else(|error| panic!("{error}"))
    }

    /// Each mistake as `key (origin)`, home folder cut off.
    fn mistakes(&self) -> Vec<String> {
        let ConfigError(mistakes) = self.load().unwrap_err();
        let home = format!("{}/", self.home.path().display());
        mistakes
            .iter()
            .map(|Mistake { key, origin, .. }| match origin {
                Some(origin) => format!("{key} ({origin})").replace(&home, "~/"),
                None => key.clone(),
            })
            .collect()
    }

    fn only_reason(&self) -> String {
        let ConfigError(mistakes) = self.load().unwrap_err();
        assert_eq!(mistakes.len(), 1, "{mistakes:?}");
        mistakes[0].reason.clone()
    }
}

#[test]
fn bare_machine_has_the_defaults() {
    let machine = Machine::new();
    let config = machine.good();
    assert_eq!(config, Config::new(machine.home.path().join(".local/state/mujina")));
    assert_eq!(config.api.socket, Some(machine.home.path().join(".local/state/mujina/api.sock")));
}

#[test]
fn environment_alone_is_enough_to_mine() {
    let config = Machine::new()
        .with(&[
            ("MUJINA_POOL_URL", URL),
            ("MUJINA_POOL_USER", "bc1q"),
            ("MUJINA_POOL_PASS", "12345"),
            ("MUJINA_CPU__THREADS", "2"),
            ("MUJINA_CPU__DUTY_PERCENT", "50"),
            ("MUJINA_USB__ENABLED", "false"),
            ("MUJINA_STATE_DIR", "/var/lib/rig"),
            ("MUJINA_API__LISTEN", "[::1]:0"),
        ])
        .good();
    let pool = config.pool.unwrap();
    assert_eq!((pool.url.to_string(), pool.user.as_str()), (URL.parse::<PoolEndpoint>().unwrap().to_string(), "bc1q"));
    assert_eq!(pool.password, Some(Secret::from("12345")));
    let cpu = config.cpu.unwrap();
    assert_eq!((cpu.threads, cpu.duty.get()), (ThreadCount::from(2), 50));
    assert!(!config.usb);
    assert_eq!(config.state_dir, Path::new("/var/lib/rig"));
    assert_eq!(config.api.socket.as_deref(), Some(Path::new("/var/lib/rig/api.sock")));
    assert_eq!(config.api.tcp, Some("[::1]:0".parse().unwrap()));
}

#[test]
fn every_setting_can_stand_in_the_file() {
    let machine = Machine::new().file(&format!(
        r#"
        state_dir = "state"
        name = "rig"
        log = "debug"
        status_line = "off"
        [pool]
        url = "{URL}"
        user = "alice"
        pass_file = "secret"
        [cpu]
        enabled = true
        threads = "auto"
        duty_percent = 7
        kernel = "portable"
        priority = "normal"
        pin = true
        [usb]
        enabled = false
        [simulate]
        boards = ["bitaxe-gamma", "emberone", "bitaxe-gamma"]
        gate_bits = 16
        time_scale = 60
        [api]
        socket = "/run/rig.sock"
        listen = "127.0.0.1:50051"
        [synthetic]
        enabled = true
        shares_per_minute = 30
        [forced_rate]
        shares_per_minute = 10
        [pool_limits]
        dns = "2s"
        allow_unsynced_clock = true
        future_jobs = 3
        share_rate = 5
        rate_difference = 0.5
        "#
    ));
    fs::write(machine.usual().with_file_name("secret"), "hunter2\n").unwrap();
    let config = machine.good();
    let folder = machine.home.path().join(".config/mujina");
    // Paths in a file count from the folder of the file.
    assert_eq!(config.state_dir, folder.join("state"));
    assert_eq!((config.name.as_deref(), config.log.as_str(), config.status_line), (Some("rig"), "debug", None));
    assert_eq!(config.pool.unwrap().password, Some(Secret::from("hunter2")));
    let cpu = CpuConfig {
        threads: ThreadCount::Auto,
        duty: DutyPercent::try_from(7_u64).unwrap(),
        kernel: KernelChoice::Only(Kernel::Portable),
        priority: ThreadPriority::Normal,
        pin: true,
    };
    assert_eq!(config.cpu, Some(cpu));
    let boards = vec![BoardKind::BitaxeGamma, BoardKind::EmberOne, BoardKind::BitaxeGamma];
    assert_eq!(config.simulate, Simulate { boards, gate_bits: 16, time_scale: 60.0 });
    assert_eq!(config.api, ListenOn { socket: Some("/run/rig.sock".into()), tcp: "127.0.0.1:50051".parse().ok() });
    assert_eq!(config.synthetic.unwrap().share_every, Duration::from_secs(2));
    assert_eq!(config.share_every, Some(Duration::from_secs(6)));
    let defaults = sv2::Limits::default();
    let limits = sv2::Limits {
        dns: Duration::from_secs(2),
        allow_unsynced_clock: true,
        future_jobs: 3,
        rate: sv2::RateTerms { difference: 0.5, ..defaults.rate },
        ..defaults
    };
    assert_eq!(config.pool_limits, limits);
    assert_eq!(config.scheduler_limits, scheduler::Limits { share_rate: 5.0, ..Default::default() });
}

#[test]
fn every_limit_is_read_into_a_place_of_its_own_and_listed_in_the_paper() {
    let paper = include_str!("../../../docs/configuration.md");
    let mut seen = Vec::new();
    for key in super::layers::keys().filter(|key| key.starts_with("pool_limits.")) {
        assert!(paper.contains(&format!("| `{key}` |")), "{key} is not in docs/configuration.md");
        let variable = format!("MUJINA_{}", key.replace('.', "__").to_uppercase());
        let changed =
            ["true", "off", "2h", "61s", "42s", "90s", "7s", "200000", "5000000", "1000", "32", "20", "0.5", "11"]
                .into_iter()
                .filter_map(|value| Machine::new().with(&[(&variable, value)]).load().ok())
                .map(|config| (config.pool_limits, config.pool_limits_v1, config.scheduler_limits))
                .find(|limits| {
                    *limits != (sv2::Limits::default(), sv1::Limits::default(), scheduler::Limits::default())
                });
        let changed = changed.unwrap_or_else(|| panic!("{key} takes no value"));
        assert!(!seen.contains(&changed), "{key} sets what another key sets");
        seen.push(changed);
    }
    assert_eq!(seen.len(), super::limits::LIMITS.len());
}

#[test]
fn flags_go_over_variables_over_the_file_over_defaults() {
    let mut machine = Machine::new()
        .file("log = 'warn'\nname = 'file'\n[cpu]\nthreads = 1\nduty_percent = 1\nkernel = 'portable'")
        .with(&[("MUJINA_CPU__THREADS", "2"), ("MUJINA_CPU__DUTY_PERCENT", "2"), ("MUJINA_NAME", "variable")]);
    machine.flags.threads = Some("3".into());
    let config = machine.good();
    let cpu = config.cpu.unwrap();
    assert_eq!(cpu.threads, ThreadCount::from(3));
    assert_eq!((cpu.duty.get(), cpu.kernel), (2, KernelChoice::Only(Kernel::Portable)));
    assert_eq!((config.name.as_deref(), config.log.as_str()), (Some("variable"), "warn"));
    assert_eq!(config.status_line, Some(DEFAULT_STATUS_LINE));
}

#[test]
fn named_file_stands_in_for_the_usual_one_and_must_be_there() {
    let machine = Machine::new().file("name = 'usual'");
    let named = machine.home.path().join("named.toml");
    fs::write(&named, "name = 'named'").unwrap();
    let mut machine = machine.with(&[("MUJINA_CONFIG", &named.display().to_string())]);
    assert_eq!(machine.good().name.as_deref(), Some("named"));
    machine.flags.config = Some(machine.usual());
    assert_eq!(machine.good().name.as_deref(), Some("usual"));
    machine.flags.config = Some(machine.home.path().join("missing.toml"));
    assert_eq!(machine.mistakes(), ["config (from --config)"]);
    machine.flags.config = None;
    fs::remove_file(named).unwrap();
    assert_eq!(machine.mistakes(), ["config (from MUJINA_CONFIG)"]);
}

#[test]
fn all_mistakes_of_all_layers_are_reported_at_once_with_their_origin() {
    let mut machine = Machine::new()
        .file("nmae = 'x'\nstatus_line = 30\n[pool]\nurl = 'stratum2+tcp://pool.example'\n[cpu]\nduty = 5")
        .with(&[
            ("MUJINA_CPU__DUTY_PERCENT", "101"),
            ("MUJINA_CPU_THREADS", "2"),
            ("MUJINA_USB__ENABLED", "maybe"),
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "localhost:4317"),
        ]);
    machine.flags.threads = Some("two".into());
    machine.flags.listen = Some("0.0.0.0:50051".into());
    machine.flags.log = Some("mujina=loud".into());
    let mut mistakes = machine.mistakes();
    mistakes.sort();
    assert_eq!(
        mistakes,
        [
            "MUJINA_CPU_THREADS",
            "OTEL_EXPORTER_OTLP_ENDPOINT",
            "api.listen (from --listen)",
            "cpu.duty (in ~/.config/mujina/dataplane.toml)",
            "cpu.duty_percent (from MUJINA_CPU__DUTY_PERCENT)",
            "cpu.threads (from --threads)",
            "log (from --log)",
            "nmae (in ~/.config/mujina/dataplane.toml)",
            "pool.url (in ~/.config/mujina/dataplane.toml)",
            "pool.user",
            "status_line (in ~/.config/mujina/dataplane.toml)",
            "usb.enabled (from MUJINA_USB__ENABLED)",
        ]
    );
    assert_eq!(machine.load().unwrap_err().to_string().lines().count(), 12);
}

#[test]
fn unknown_names_say_what_was_probably_meant() {
    for (file, meant) in [
        ("[cpu]\nthread = 2", "`cpu.threads`"),
        ("[pool]\nusr = 'a'", "`pool.user`"),
        ("duty_percent = 50", "`cpu.duty_percent`"),
        ("pool = 'x'", "`pool.pass`"),
        ("[colour]\nred = 1", "docs/configuration.md"),
        ("config = 'x'", "docs/configuration.md"),
    ] {
        let reason = Machine::new().file(file).only_reason();
        assert!(reason.contains(meant), "{file}: {reason}");
    }
    for (variable, meant) in [
        ("MUJINA_CPU_DUTY_PERCENT", "MUJINA_CPU__DUTY_PERCENT?"),
        ("MUJINA_POOL_PASSWD", "MUJINA_POOL_PASS?"),
        ("MUJINA_API_LISTEN", "MUJINA_API__LISTEN?"),
    ] {
        let reason = Machine::new().with(&[(variable, "1")]).only_reason();
        assert!(reason.contains(meant), "{variable}: {reason}");
    }
}

#[test]
fn variables_of_others_and_empty_ones_are_left_alone() {
    Machine::new()
        .with(&[
            ("MUJINA_ADDRESS", "/run/x"),
            ("MUJINA_CONTROL__LISTEN", "x"),
            ("MUJINA_PORT", "tcp://10.0.0.1:80"),
            ("MUJINA_POOL_USER", ""),
            ("MUJINA_CPU__THREADS", ""),
        ])
        .good();
}

#[test]
fn every_bad_value_is_refused_with_a_way_out() {
    for (file, expected) in [
        ("[cpu]\nthreads = 0", "cpu.enabled = false"),
        ("[cpu]\nthreads = -1", "auto"),
        ("[cpu]\nthreads = '2'", "auto"),
        ("[cpu]\nthreads = 1025", "at most 1024"),
        ("[cpu]\nthreads = 1.5", "auto"),
        ("[cpu]\nduty_percent = 0", "1 to 100"),
        ("[cpu]\nduty_percent = true", "whole number"),
        ("[cpu]\nkernel = 'gpu'", "portable"),
        ("[cpu]\npriority = 'high'", "`idle` or `normal`"),
        ("[cpu]\npin = 1", "true nor false"),
        ("[cpu]\nenabled = 'yes'", "true nor false"),
        ("[usb]\nenabled = 1", "true nor false"),
        ("[simulate]\nboards = ['antminer']", "use one of `bitaxe-gamma`"),
        ("[simulate]\nboards = [1]", "list of texts"),
        ("[simulate]\nboards = 3", "list of texts"),
        ("[simulate]\ngate_bits = 7", "use 8 to 32"),
        ("[simulate]\ngate_bits = 33", "use 8 to 32"),
        ("[simulate]\ntime_scale = 0", "use 0.1 to 1000"),
        ("[simulate]\ntime_scale = nan", "use 0.1 to 1000"),
        ("[simulate]\ntime_scale = 'fast'", "no number"),
        ("status_line = '30'", "unit"),
        ("status_line = '0s'", "1s or more"),
        ("log = 'info,='", "log filter"),
        ("name = ''", "is empty"),
        ("name = 5", "a number; write text in quotes"),
        ("state_dir = ''", "is empty"),
        ("[api]\nlisten = '::1'", "has no port"),
        ("[api]\nlisten = 'localhost'", "no address"),
        ("[api]\nlisten = '192.168.1.2:1'", "TLS"),
        ("[synthetic]\nshares_per_minute = 0", "from 0.0001"),
        ("[synthetic]\nshares_per_minute = nan", "from 0.0001"),
        ("[pool]\nuser = 'a'", "without `pool.url`"),
        ("[pool]\npass_file = '/nonexistent'\nurl = 'x'\nuser = 'a'", "cannot read /nonexistent"),
        ("[pool_limits]\ndns = '0s'", "from 1"),
        ("[pool_limits]\ndns = 5", "duration"),
        ("[pool_limits]\nfuture_jobs = 0", "from 1 to 1024"),
        ("[pool_limits]\npayload = 1000", "from 139253"),
        ("[pool_limits]\nshare_rate = nan", "from 0.1"),
        ("[failover]\nhard_target_patience = 'never'", "duration"),
        ("[failover]\nshun = '2d'", "too long"),
        ("[failover]\npatience_failures = 0", "from 1 to 100"),
        ("[failover]\nretry_first = '1ms'", "100ms or more"),
        ("[failover]\nretry_longest = '500ms'", "less than `failover.retry_first`"),
        ("[failover]\nslow_retry_first = '2m'\nslow_retry_longest = '1m'", "less than"),
        ("[pool_limits]\nhard_idle = '5m'", "`soft_idle` and `probe`"),
        ("[pool_limits]\nmany_tips = 60", "below `tip_flood`"),
        ("[pool_limits]\nold_job = '1h'", "not before `same_job`"),
        ("[cpu", "no TOML at line 1"),
        ("a = 1\na = 2", "no TOML at line 2"),
    ] {
        let reason = Machine::new().file(file).only_reason();
        assert!(reason.contains(expected), "{file}: {reason}");
    }
}

#[test]
fn pool_is_checked_like_any_other_spec() {
    let with = |url: &str, user: &str| Machine::new().with(&[("MUJINA_POOL_URL", url), ("MUJINA_POOL_USER", user)]);
    assert_eq!(with("stratum://pool.example", "alice").mistakes(), ["pool.url (from MUJINA_POOL_URL)"]);
    assert!(with("stratum+tcp://pool.example", "alice").load().is_ok());
    assert_eq!(with(URL, &"a".repeat(256)).mistakes(), ["pool.user (from MUJINA_POOL_USER)"]);
    assert_eq!(with(URL, "").mistakes(), ["pool.user"]);
}

#[test]
fn two_names_of_one_setting_are_one_too_many() {
    let machine =
        Machine::new().with(&[("MUJINA_POOL_URL", URL), ("MUJINA_POOL__URL", OTHER_URL), ("MUJINA_POOL_USER", "a")]);
    assert_eq!(machine.mistakes(), ["pool.url (from MUJINA_POOL__URL)"]);
}

#[test]
fn of_password_and_password_file_the_higher_layer_wins() {
    let pool = format!("[pool]\nurl = '{URL}'\nuser = 'a'\n");
    let machine = Machine::new().file(&format!("{pool}pass_file = 'missing'")).with(&[("MUJINA_POOL_PASS", "over")]);
    assert_eq!(machine.good().pool.unwrap().password, Some(Secret::from("over")));
    let machine = Machine::new().file(&format!("{pool}pass_file = 'a'\npass = 'b'"));
    assert!(machine.only_reason().contains("leave one of them out"));
    let mut machine = Machine::new().file(&format!("{pool}pass = 'under'"));
    let file = machine.home.path().join("pass");
    for (content, password) in [("p w\r\n", Some("p w")), ("two\nlines\n", Some("two\nlines")), ("\n", None)] {
        fs::write(&file, content).unwrap();
        machine.flags.pool_pass_file = Some(file.clone().into());
        let found = machine.load().ok().map(|config| config.pool.unwrap().password.unwrap());
        assert_eq!(found, password.map(Secret::from), "{content:?}");
    }
    fs::write(&file, "x".repeat(5000)).unwrap();
    assert!(machine.only_reason().contains("right file"));
}

#[test]
fn too_long_socket_path_is_found_before_the_start() {
    let long = format!("/{}", "a".repeat(100));
    assert_eq!(Machine::new().with(&[("MUJINA_STATE_DIR", &long)]).mistakes(), ["api.socket (from MUJINA_STATE_DIR)"]);
    Machine::new().with(&[("MUJINA_STATE_DIR", &long), ("MUJINA_API__SOCKET", "/run/a.sock")]).good();
}

#[test]
fn boards_and_invented_work_can_be_switched_off() {
    let config = Machine::new().file("[cpu]\nenabled = false\n[synthetic]\nenabled = false").good();
    assert_eq!((config.cpu, config.synthetic), (None, None));
}

#[test]
fn collector_of_traces_goes_before_the_general_one() {
    let general = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://one:4317");
    let special = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://two:4317");
    assert_eq!(Machine::new().with(&[general]).good().otlp_endpoint.as_deref(), Some("http://one:4317"));
    assert_eq!(Machine::new().with(&[general, special]).good().otlp_endpoint.as_deref(), Some("http://two:4317"));
}

#[test]
fn no_message_and_no_debug_output_shows_a_password() {
    for file in [
        "[pool]\npass = ['hunter2']",
        "[pool]\npass = { a = 'hunter2' }",
        "[pool]\npass = 'hunter2",
        "[pool]\npass = 'hunter2' x",
        "[pool]\npass = 'hunter2'\npass = 'hunter2'",
        "[pool]\npass = hunter2",
        "[pool]\npas = 'hunter2'",
    ] {
        let error = Machine::new().file(file).load().unwrap_err();
        assert!(!format!("{error} {error:?}").contains("hunter2"), "{file}: {error}");
    }
    let config = Machine::new()
        .with(&[("MUJINA_POOL_URL", URL), ("MUJINA_POOL_USER", "a"), ("MUJINA_POOL_PASS", "hunter2")])
        .good();
    assert!(!format!("{config:?} {:?}", config.pool.as_ref().unwrap().draft()).contains("hunter2"));
}

#[test]
fn value_that_is_no_text_is_refused_and_not_guessed() {
    use std::os::unix::ffi::OsStringExt;
    let machine = Machine::new();
    let variables =
        [("HOME".into(), machine.home.path().into()), ("MUJINA_NAME".into(), OsString::from_vec(vec![0xff]))];
    let ConfigError(mistakes) = Config::from_sources(variables, &Flags::default()).unwrap_err();
    assert_eq!((mistakes.len(), mistakes[0].key.as_str()), (1, "name"));
}

#[test]
fn emulated_boards_are_named_by_file_variable_or_flag() {
    let boards = |machine: &Machine| machine.good().simulate.boards;
    assert_eq!(boards(&Machine::new()), []);
    let variable = Machine::new().with(&[("MUJINA_SIMULATE__BOARDS", "bitaxe-max, emberone,")]);
    assert_eq!(boards(&variable), [BoardKind::BitaxeMax, BoardKind::EmberOne]);
    let mut flag = variable;
    flag.flags.simulate = Some("bitaxe-gamma".into());
    assert_eq!(boards(&flag), [BoardKind::BitaxeGamma]);
    flag.flags.simulate = Some("bitaxe-gama".into());
    assert_eq!(flag.mistakes(), ["simulate.boards (from --simulate)"]);
    assert!(flag.only_reason().starts_with("no board is called `bitaxe-gama`; use one of"));
    let many = Machine::new().with(&[("MUJINA_SIMULATE__BOARDS", &["emberone"; 17].join(","))]);
    assert!(many.only_reason().contains("at most 16"));
}

#[test]
fn emulated_boards_of_one_kind_are_told_apart_and_share_what_is_configured() {
    let kind = BoardKind::EmberOne;
    let plugged = Simulate { boards: vec![kind, kind], gate_bits: 9, time_scale: 7.0 }.plugged();
    let [(_, one), (_, other)] = plugged.as_slice() else { panic!("{plugged:?}") };
    assert_eq!((one.gate_bits, other.gate_bits, one.time_scale), (9, 9, 7.0));
    assert!(one.place != other.place && one.serial != other.serial && one.seed != other.seed, "{plugged:?}");
    assert_eq!(
        Simulate { boards: vec![kind], ..Simulate::default() }.plugged()[0].1,
        crate::simulate::Options::of(kind)
    );
}

#[test]
fn every_setting_is_listed_in_the_paper() {
    let paper = include_str!("../../../docs/configuration.md");
    let keys: Vec<_> = super::layers::keys().filter(|key| *key != "config").collect();
    assert!(keys.len() > 35);
    for key in keys {
        assert!(paper.contains(&format!("| `{key}` |")), "{key} is not in docs/configuration.md");
    }
    for kind in BoardKind::ALL {
        assert!(paper.contains(&format!("`{kind}`")), "{kind} is not in docs/configuration.md");
    }
}
