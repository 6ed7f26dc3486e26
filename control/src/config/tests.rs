use super::*;
use std::fs;

fn environment(variables: &[(&str, &str)]) -> Environment {
    variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn with_file(text: &str) -> (tempfile::TempDir, Flags) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("control.toml");
    fs::write(&file, text).unwrap();
    let flags = Flags { config: Some(file), ..Flags::default() };
    (folder, flags)
}

#[test]
fn one_local_miner_is_known_when_none_is_configured() {
    let config = Config::load(&Flags::default(), &environment(&[("XDG_STATE_HOME", "/state")])).unwrap();
    assert_eq!(config, Config::new("/state/mujina"));
    let [(name, miner)] = config.miners.iter().collect::<Vec<_>>()[..] else { panic!("{config:?}") };
    assert_eq!((name.as_str(), miner.address.to_string().as_str()), ("local", "unix:///state/mujina/api.sock"));
    assert_eq!(config.socket, Some("/state/mujina/control.sock".into()));
}

#[test]
fn flags_win_over_the_environment_and_that_over_the_file() {
    let (_folder, mut flags) = with_file(
        r#"
        state_dir = "/from/file"
        log = "debug"
        [api]
        socket = "/from/file.sock"
        listen = "127.0.0.1:1"
        [statistics]
        keep = "30d"
        keep_10s = "7d"
        [rollouts]
        approvals = 1
        [power]
        ramp = "1.5 kW"
        [miners.rig1]
        address = "unix:///run/rig1.sock"
        labels = { site = "cellar" }
        "#,
    );
    flags.listen = Some("[::1]:3".into());
    let environment = environment(&[
        ("MUJINA_CONTROL_API__SOCKET", "/from/environment.sock"),
        ("MUJINA_CONTROL_API__LISTEN", "127.0.0.1:2"),
        ("MUJINA_CONTROL_MINERS__RIG2__ADDRESS", "http://127.0.0.1:50051"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4317"),
    ]);
    let config = Config::load(&flags, &environment).unwrap();
    assert_eq!(config.state_dir, PathBuf::from("/from/file"));
    assert_eq!(config.socket, Some("/from/environment.sock".into()));
    assert_eq!(config.listen, Some("[::1]:3".parse().unwrap()));
    assert_eq!(config.log, "debug");
    let days = |days: u64| Duration::from_secs(days * 24 * 60 * 60);
    assert_eq!(config.keep_statistics, KeepStatistics { ten_seconds: days(7), ..KeepStatistics::all(days(30)) });
    assert_eq!(config.rollout_approvals, 1);
    assert_eq!(config.ramp, Some(Watts::from_watts(1500.0)));
    assert_eq!(config.otlp_endpoint.as_deref(), Some("http://127.0.0.1:4317"));
    let miners: Vec<_> = config.miners.iter().map(|(name, miner)| format!("{name} {}", miner.address)).collect();
    assert_eq!(miners, ["rig1 unix:///run/rig1.sock", "rig2 http://127.0.0.1:50051"]);
    assert_eq!(config.miners[&"rig1".parse().unwrap()].labels["site"], "cellar");
}

#[test]
fn fine_statistics_are_kept_for_a_short_time_unless_somebody_says_otherwise() {
    let load = |pairs: &[(&str, &str)]| {
        let pairs = [&[("XDG_STATE_HOME", "/state")], pairs].concat();
        Config::load(&Flags::default(), &environment(&pairs)).unwrap().keep_statistics
    };
    let days = |days: u64| Duration::from_secs(days * 24 * 60 * 60);
    let usual = KeepStatistics { ten_seconds: days(7), minute: days(60), hour: days(400), day: days(400) };
    assert_eq!(load(&[]), usual);
    let minute = load(&[("MUJINA_CONTROL_STATISTICS__KEEP_1M", "90d")]);
    assert_eq!(minute, KeepStatistics { minute: days(90), ..usual });
    assert_eq!(load(&[("MUJINA_CONTROL_STATISTICS__KEEP", "30d")]), KeepStatistics::all(days(30)));
}

#[test]
fn ramp_of_power_is_written_with_its_unit() {
    for wrong in ["", "5", "0W", "-1kW", "infW", "5 kV", "5kw"] {
        let pairs = [("XDG_STATE_HOME", "/state"), ("MUJINA_CONTROL_POWER__RAMP", wrong)];
        let ConfigError(mistakes) = Config::load(&Flags::default(), &environment(&pairs)).unwrap_err();
        assert!(
            mistakes[0].starts_with("power.ramp (environment variable MUJINA_CONTROL_POWER__RAMP): "),
            "{mistakes:?}"
        );
    }
}

#[test]
fn all_mistakes_are_reported_at_once_with_key_and_origin() {
    let (folder, flags) = with_file(
        r#"
        state_dri = "/typo"
        [api]
        listen = "0.0.0.0:50052"
        [miners.Rig]
        address = "10.0.0.1:50051"
        [miners.rig2]
        labels = { site = 7, "bad key" = "x", place = "a b" }
        "#,
    );
    let file = folder.path().join("control.toml").display().to_string();
    let ConfigError(mistakes) = Config::load(
        &flags,
        &environment(&[("MUJINA_CONTROL_LOG", "a=b=c"), ("MUJINA_CONTROL_STATISTICS__KEEP", "1")]),
    )
    .unwrap_err();
    let expected = [
        format!("state_dri ({file}): is not known"),
        format!("api.listen ({file}): `0.0.0.0:50052` can be reached"),
        "log (environment variable MUJINA_CONTROL_LOG): log filter `a=b=c`".into(),
        "statistics.keep (environment variable MUJINA_CONTROL_STATISTICS__KEEP): `1` duration has no unit".into(),
        format!("miners.Rig ({file}): the name contains 'R'"),
        format!("miners.Rig.address ({file}): `10.0.0.1`"),
        format!("miners.rig2.labels.bad key ({file}): `bad key` contains ' '"),
        format!("miners.rig2.labels.place ({file}): `a b` contains ' '"),
        format!("miners.rig2.labels.site ({file}): must be a text"),
        format!("miners.rig2 ({file}): has no address"),
    ];
    assert_eq!(mistakes.len(), expected.len(), "{mistakes:#?}");
    for (mistake, expected) in mistakes.iter().zip(expected) {
        assert!(mistake.starts_with(&expected), "{mistake} instead of {expected}");
    }
}

#[test]
fn file_that_is_missing_or_no_toml_is_named() {
    let missing = Flags { config: Some("/nonexistent/control.toml".into()), ..Flags::default() };
    assert!(
        Config::load(&missing, &Environment::default()).unwrap_err().to_string().contains("/nonexistent/control.toml")
    );
    let (_folder, broken) = with_file("[api");
    assert!(Config::load(&broken, &Environment::default()).unwrap_err().to_string().contains("control.toml"));
}

#[test]
fn approvals_are_a_small_number_in_the_file_and_in_a_variable() {
    let approvals = |text: &str| {
        let environment = environment(&[("MUJINA_CONTROL_ROLLOUTS__APPROVALS", text)]);
        Config::load(&Flags::default(), &environment).map(|config| config.rollout_approvals)
    };
    assert_eq!(approvals("5"), Ok(5));
    for wrong in ["6", "-1", "two"] {
        let mistakes = approvals(wrong).unwrap_err().to_string();
        assert!(mistakes.contains("rollouts.approvals"), "{mistakes}");
        assert!(mistakes.contains("from 0 to 5"), "{mistakes}");
    }
}
