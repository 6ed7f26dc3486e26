//! Holds the walls of the house: which package may know which, and where foreign types may be named.
//! The rules and their reasons stand in ARCHITECTURE.md.

use std::{
    fs,
    path::{Path, PathBuf},
};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// All Rust files under a folder, as paths relative to the root with their text, comments left out.
fn sources(folder: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push((relative(&path), code(&fs::read_to_string(&path).unwrap())));
            }
        }
    }
    assert!(!found.is_empty(), "no sources in {folder}");
    found
}

fn relative(path: &Path) -> String {
    path.strip_prefix(root()).unwrap_or(path).display().to_string()
}

fn code(text: &str) -> String {
    text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

/// Whether the word stands in the text, and not as the end of a longer one (`sv1::` is no `v1::`).
fn names(text: &str, word: &str) -> bool {
    text.match_indices(word)
        .any(|(at, _)| !text.get(..at).is_some_and(|before| before.ends_with(|c: char| c.is_ascii_alphanumeric())))
}

/// Files of `folder` that name one of `words`, but for those under an allowed path.
fn offenders(folder: &str, words: &[&str], allowed: &[&str]) -> Vec<String> {
    let is_allowed = |path: &str| allowed.iter().any(|allowed| path.starts_with(allowed));
    let mut found: Vec<_> = sources(folder)
        .into_iter()
        .filter(|(path, _)| !is_allowed(path))
        .flat_map(|(path, text)| {
            let named = words.iter().filter(|word| names(&text, word)).map(|word| format!("{path}: {word}"));
            named.collect::<Vec<_>>()
        })
        .collect();
    found.sort();
    found
}

fn manifest(package: &str) -> String {
    let path: PathBuf = root().join(package).join("Cargo.toml");
    let text = fs::read_to_string(path).unwrap();
    // What tests need is not what the product links.
    text.split("[dev-dependencies]").next().unwrap_or_default().to_owned()
}

#[test]
fn planes_and_command_line_never_depend_on_each_other() {
    for (package, others) in [
        ("dataplane", ["mujina-control", "mujinactl", "mujina-testbed"]),
        ("control", ["mujina-dataplane", "mujinactl", "mujina-testbed"]),
        ("cli", ["mujina-dataplane", "mujina-control", "mujina-testbed"]),
    ] {
        for other in others {
            let needle = format!("\n{other}");
            assert!(!manifest(package).contains(&needle), "{package} depends on {other}");
        }
    }
}

#[test]
fn core_is_plain_values() {
    for dependency in ["tokio", "tonic", "prost", "tracing", "mujina-proto"] {
        assert!(!manifest("dataplane/core").contains(&format!("\n{dependency}")), "core depends on {dependency}");
    }
    let clocks_and_io = ["Instant::now", "SystemTime::now", "std::fs", "std::net::Tcp", "std::env", "async fn"];
    assert_eq!(offenders("dataplane/core/src", &clocks_and_io, &[]), Vec::<String>::new());
}

#[test]
fn wire_types_stop_at_the_door() {
    let wire = ["v1::", "tonic::", "prost"];
    let doors = [
        "dataplane/core/",
        "dataplane/src/home/ask.rs",
        "dataplane/src/home/error.rs",
        "dataplane/src/home/task.rs",
        "dataplane/src/home/tests",
        "dataplane/src/rpc",
    ];
    assert_eq!(offenders("dataplane/src", &wire, &doors), Vec::<String>::new());
    let doors = [
        "control/src/access/caller.rs",
        "control/src/access/tests",
        "control/src/api",
        "control/src/door",
        "control/src/guard",
        "control/src/registry",
        "control/src/relay",
    ];
    assert_eq!(offenders("control/src", &wire, &doors), Vec::<String>::new());
    let doors = ["cli/src/lib.rs", "cli/src/error", "cli/src/command"];
    assert_eq!(offenders("cli/src", &wire, &doors), Vec::<String>::new());
}

#[test]
fn stratum_v2_types_stay_in_their_module() {
    assert_eq!(offenders("dataplane/src", &["stratum_apps"], &["dataplane/src/pool/sv2"]), Vec::<String>::new());
}

#[test]
fn types_of_the_tls_library_stay_in_their_module() {
    assert_eq!(offenders("dataplane/src", &["rustls"], &["dataplane/src/pool/sv1"]), Vec::<String>::new());
    let libraries = ["rustls", "x509_parser", "rcgen"];
    let mut found = offenders("proto", &libraries, &["proto/tls.rs", "proto/tls/"]);
    found.extend(offenders("control/src", &libraries, &["control/src/identity/authority"]));
    found.extend(offenders("cli/src", &libraries, &["cli/src/command/tests/door.rs"]));
    assert_eq!(found, Vec::<String>::new());
}

#[test]
fn nothing_that_mines_knows_the_service_around_it() {
    let service =
        ["crate::rpc", "crate::spec", "crate::telemetry", "crate::diagnostics", "crate::config", "mujina_proto"];
    let mut found = Vec::new();
    for part in
        ["job", "pool", "source", "scheduler", "thread", "board", "backplane", "bridge", "peripheral", "transport"]
    {
        found.extend(offenders(&format!("dataplane/src/{part}"), &service, &[]));
    }
    let files = [
        "job",
        "pool",
        "source",
        "scheduler",
        "ledger",
        "thread",
        "board",
        "backplane",
        "bridge",
        "peripheral",
        "transport",
    ];
    for (path, text) in sources("dataplane/src") {
        let mines = files.iter().any(|file| path == format!("dataplane/src/{file}.rs"));
        found
            .extend(service.iter().filter(|word| mines && text.contains(**word)).map(|word| format!("{path}: {word}")));
    }
    assert_eq!(found, Vec::<String>::new());
}

#[test]
fn types_of_serial_ports_stay_in_transport() {
    let allowed = ["dataplane/src/transport"];
    assert_eq!(offenders("dataplane/src", &["tokio_serial", "serialport"], &allowed), Vec::<String>::new());
}

#[test]
fn scheduler_knows_no_protocol_and_no_board() {
    let others = ["pool::sv2", "pool::sv1", "crate::board", "crate::source", "thread::cpu"];
    assert_eq!(offenders("dataplane/src/scheduler", &others, &[]), Vec::<String>::new());
    let scheduler = code(&fs::read_to_string(root().join("dataplane/src/scheduler.rs")).unwrap());
    assert!(others.iter().all(|word| !scheduler.contains(word)));
}

#[test]
fn chips_know_nothing_of_what_they_sit_on() {
    let others = [
        "crate::board",
        "crate::bridge",
        "crate::transport",
        "crate::peripheral",
        "crate::thread",
        "crate::scheduler",
        "crate::pool",
        "crate::simulate",
        "tokio",
    ];
    assert_eq!(offenders("dataplane/src/asic", &others, &[]), Vec::<String>::new());
}

/// Files below a folder that hold product code, which tests follow in files of their own.
fn product(folder: &str) -> Vec<String> {
    let tests = |path: &str| path.ends_with("/tests.rs") || path.contains("/tests/") || path.ends_with("/fixtures.rs");
    sources(folder).into_iter().map(|(path, _)| path).filter(|path| !tests(path)).collect()
}

#[test]
fn emulated_boards_share_no_code_with_the_drivers() {
    let drivers = [
        "crate::asic",
        "crate::bridge",
        "crate::peripheral",
        "crate::board",
        "crate::backplane",
        "crate::scheduler",
        "crate::pool",
        "thread::chain",
    ];
    let mut found = offenders("dataplane/src/simulate", &drivers, &[]);
    let root = code(&fs::read_to_string(root().join("dataplane/src/simulate.rs")).unwrap());
    found.extend(drivers.iter().filter(|word| root.contains(**word)).map(|word| format!("simulate.rs: {word}")));
    assert_eq!(found, Vec::<String>::new());
}

#[test]
fn only_the_composition_root_knows_drivers_and_emulated_boards() {
    let allowed = ["dataplane/src/simulate", "dataplane/src/miner/boards.rs", "dataplane/src/config"];
    let tests = |offender: &String| offender.contains("/tests.rs") || offender.contains("/tests/");
    let mut found = offenders("dataplane/src", &["crate::simulate", "simulate::SimulatedBoard"], &allowed);
    found.retain(|offender| !tests(offender));
    assert_eq!(found, Vec::<String>::new());
}

#[test]
fn pure_files_neither_wait_nor_look_at_a_clock() {
    let impure = [".await", "Instant::now", "SystemTime::now", "tokio::time", "tokio::net", "std::net::Tcp"];
    let files = [
        "dataplane/src/ledger.rs",
        "dataplane/src/asic.rs",
        "dataplane/src/job.rs",
        "dataplane/src/token_bucket.rs",
        "dataplane/src/board/led.rs",
        "dataplane/src/board/limits.rs",
        "dataplane/src/board/limits/constraints.rs",
        "dataplane/src/board/limits/refusal.rs",
        "dataplane/src/board/power.rs",
        "dataplane/src/board/task/cause.rs",
        "dataplane/src/board/task/machine.rs",
        "dataplane/src/board/task/machine/command.rs",
        "dataplane/src/board/task/machine/ramp.rs",
        "dataplane/src/board/task/machine/report.rs",
        "dataplane/src/board/task/machine/start.rs",
        "dataplane/src/board/task/machine/test.rs",
        "dataplane/src/board/task/machine/watch.rs",
        "dataplane/src/backplane/names.rs",
        "dataplane/src/home/reconnect.rs",
        "dataplane/src/home/renewal/due.rs",
        "dataplane/src/home/url.rs",
        "dataplane/src/board/thermal.rs",
        "dataplane/src/board/thermal/ceiling.rs",
        "dataplane/src/board/thermal/fan.rs",
        "dataplane/src/board/thermal/readings.rs",
        "dataplane/src/board/thermal/restart.rs",
        "dataplane/src/board/thermal/sensors.rs",
        "dataplane/src/board/thermal/stop.rs",
        "dataplane/src/board/tuner.rs",
        "dataplane/src/board/tuner/cause.rs",
        "dataplane/src/board/tuner/learnt.rs",
        "dataplane/src/board/tuner/plan.rs",
        "dataplane/src/board/tuner/window.rs",
        "dataplane/src/pool/backoff.rs",
        "dataplane/src/pool/in_flight.rs",
        "dataplane/src/pool/sv1/der.rs",
        "dataplane/src/pool/sv1/jobs.rs",
        "dataplane/src/pool/sv1/message.rs",
        "dataplane/src/pool/sv1/message/encode.rs",
        "dataplane/src/pool/sv1/message/notify.rs",
        "dataplane/src/pool/sv1/message/results.rs",
        "dataplane/src/pool/sv1/pending.rs",
        "dataplane/src/pool/sv1/refusal.rs",
        "dataplane/src/pool/sv1/session.rs",
        "dataplane/src/pool/sv1/session/bring_up.rs",
        "dataplane/src/pool/sv1/session/due.rs",
        "dataplane/src/pool/sv1/session/mining.rs",
        "dataplane/src/pool/sv2/session.rs",
        "dataplane/src/pool/sv2/session/bring_up.rs",
        "dataplane/src/pool/sv2/session/channel.rs",
        "dataplane/src/pool/sv2/session/due.rs",
        "dataplane/src/pool/sv2/session/extensions.rs",
        "dataplane/src/pool/sv2/session/gate.rs",
        "dataplane/src/pool/sv2/session/rejects.rs",
        "dataplane/src/pool/sv2/session/target_guard.rs",
        "dataplane/src/pool/sv2/session/tips.rs",
        "dataplane/src/pool/sv2/session/traffic.rs",
        "dataplane/src/pool/sv2/jobs.rs",
        "dataplane/src/pool/sv2/pending.rs",
        "dataplane/src/pool/queue.rs",
        "dataplane/src/pool/rate.rs",
        "dataplane/src/source/selector.rs",
        "dataplane/src/source/state.rs",
        "dataplane/src/scheduler/assignments.rs",
        "dataplane/src/scheduler/estimate.rs",
        "dataplane/src/scheduler/members.rs",
        "dataplane/src/scheduler/share.rs",
        "dataplane/src/scheduler/starvation.rs",
        "dataplane/src/scheduler/state.rs",
        "dataplane/src/scheduler/told.rs",
        "dataplane/src/scheduler/verify.rs",
        "dataplane/src/scheduler/waiting.rs",
        "dataplane/src/spec/begin.rs",
        "dataplane/src/spec/step.rs",
        "dataplane/src/spec/trial.rs",
        "dataplane/src/bridge/frame.rs",
        "dataplane/src/bridge/request.rs",
        "dataplane/src/board/known.rs",
        "dataplane/src/peripheral/pmbus.rs",
        "dataplane/src/peripheral/tps546/configuration.rs",
        "dataplane/src/peripheral/tps546/status.rs",
        "dataplane/src/transport/usb/watch.rs",
        "dataplane/src/thread/chain/state.rs",
        "dataplane/src/thread/chain/state/nonces.rs",
        "dataplane/src/thread/chain/state/orders.rs",
        "dataplane/src/thread/chain/state/statistics.rs",
        "dataplane/src/thread/chain/state/work.rs",
        "dataplane/src/telemetry/buckets.rs",
        "dataplane/src/telemetry/lifetime.rs",
        "dataplane/src/telemetry/status/assemble.rs",
        "dataplane/src/spec/begin.rs",
        "dataplane/src/spec/step.rs",
        "control/src/debt.rs",
        "control/src/guard/ration.rs",
        "control/src/identity/attempts.rs",
        "control/src/identity/authority.rs",
        "control/src/identity/enrolment.rs",
        "control/src/identity/token.rs",
        "control/src/access.rs",
        "control/src/access/binding.rs",
        "control/src/access/content.rs",
        "control/src/access/decide.rs",
        "control/src/access/decide/question.rs",
        "control/src/access/methods.rs",
        "control/src/access/payout.rs",
        "control/src/access/payout/change.rs",
        "control/src/access/payout/entry.rs",
        "control/src/access/subject.rs",
        "control/src/access/token.rs",
        "control/src/audit.rs",
        "control/src/audit/diff.rs",
        "control/src/audit/export.rs",
        "control/src/audit/mask.rs",
        "control/src/filter.rs",
        "control/src/filter/parse.rs",
        "control/src/operation/bundle.rs",
        "control/src/operation/ramp.rs",
        "control/src/operation/target.rs",
        "control/src/profile.rs",
        "control/src/profile/fragment.rs",
        "control/src/profile/permit.rs",
        "control/src/profile/resolve.rs",
        "control/src/reconcile/evidence.rs",
        "control/src/reconcile/judge.rs",
        "control/src/reconcile/plan.rs",
        "control/src/reconcile/trial.rs",
        "control/src/rollout.rs",
        "control/src/rollout/change.rs",
        "control/src/rollout/gate.rs",
        "control/src/rollout/gate/fisher.rs",
        "control/src/rollout/plan.rs",
        "control/src/rollout/ramp.rs",
        "control/src/rollout/state.rs",
        "control/src/rollout/state/steer.rs",
        "control/src/rollout/state/step.rs",
        "control/src/rollout/state/step/actions.rs",
        "control/src/rollout/state/step/target.rs",
        "control/src/rollout/state/step/wave.rs",
        "control/src/rollout/strategy.rs",
        "control/src/scan.rs",
        "control/src/selector.rs",
        "control/src/selector/parse.rs",
        "control/src/statistics/page.rs",
        "control/src/statistics/query.rs",
        "control/src/statistics/sums.rs",
        "control/src/spec/merge.rs",
        "control/src/spec/own.rs",
    ];
    let chips = product("dataplane/src/asic");
    for file in files.into_iter().chain(chips.iter().map(String::as_str)) {
        let text = fs::read_to_string(root().join(file)).unwrap_or_else(|error| panic!("{file}: {error}"));
        let product = code(&text);
        let product = product.split("#[cfg(test)]").next().unwrap_or_default();
        for word in impure {
            assert!(!product.contains(word), "{file} contains `{word}`");
        }
    }
}
