//! `docs/fleet.md`, run as it is written: by a shell, with the programs themselves.

use mujina_testbed::ports::free_address;
use std::{
    env, fs,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};
use tokio::time::timeout;

/// Longer than the session takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(600);

/// The client in another language.
const CLIENT: &str = "docs/clients/fleet.py";
/// Names the Python to run it with.
const PYTHON: &str = "MUJINA_PYTHON";

/// Lines that a reader would type.
fn session() -> String {
    let paper = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/fleet.md")).unwrap();
    let blocks: Vec<_> = paper.split("```sh\n").skip(1).filter_map(|rest| rest.split("\n```").next()).collect();
    assert!(blocks.len() > 4, "{} blocks", blocks.len());
    blocks.join("\n")
}

/// Where the programs are, built like this test.
fn programs() -> PathBuf {
    let built = Command::new(env!("CARGO"))
        .args([
            "build",
            "--bins",
            "-p",
            "mujina-control",
            "-p",
            "mujina-dataplane",
            "-p",
            "mujinactl",
            "-p",
            "mujina-testbed",
        ])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .unwrap();
    assert!(built.success(), "the programs do not build");
    let test = env::current_exe().unwrap();
    test.parent().and_then(Path::parent).unwrap().to_owned()
}

/// What the paper says of other languages, done in the session while it is there.
fn other_language() -> String {
    let Some(python) = python() else {
        eprintln!("no Python with grpcio and grpcio-reflection: {CLIENT} is not tried");
        return String::new();
    };
    let client = Path::new(env!("CARGO_MANIFEST_DIR")).join(CLIENT);
    format!(
        "'{}' '{}' control/admin.context.toml rig1 | tee client.txt\n\
         grep -q '^rig1 connected canary=yes,site=cellar' client.txt\n\
         grep -q '^rig3 connected site=cellar' client.txt\n\
         grep -q '^reconnect of rig1 succeeded' client.txt\n",
        python.display(),
        client.display()
    )
}

/// A Python that has what the client needs. One that was named must have it.
#[expect(clippy::disallowed_methods, reason = "a test's own setting")]
fn python() -> Option<PathBuf> {
    let named = env::var_os(PYTHON).map(PathBuf::from);
    let python = named.clone().unwrap_or_else(|| "python3".into());
    let tried =
        Command::new(&python).args(["-c", "import tomllib, grpc, grpc_reflection"]).stderr(Stdio::null()).status();
    let has_all = tried.is_ok_and(|status| status.success());
    assert!(has_all || named.is_none(), "{PYTHON} names {}, which lacks a package", python.display());
    has_all.then_some(python)
}

/// Runs a script in a folder; returns what it wrote, and whether it came to its end.
async fn run(script: String, folder: &Path, programs: &Path) -> (bool, String) {
    let log = folder.join("session.log");
    let (out, err) = (fs::File::create(&log).unwrap(), fs::File::options().append(true).open(&log).unwrap());
    // What is started in the background ends with the session.
    let script = format!(
        "export PATH='{}':\"$PATH\"\ntrap 'trap - TERM; kill -- -$$' EXIT\n{script}\necho end of the session\n\
         trap - EXIT; kill $(jobs -p); wait",
        programs.display()
    );
    let mut command = Command::new("bash");
    command
        .args(["-euxo", "pipefail", "-c", &script])
        .current_dir(folder)
        .env("PORT", free_address().port().to_string())
        .env_remove("MUJINA_ADDRESS")
        .stdin(Stdio::null())
        .stdout(out)
        .stderr(err)
        .process_group(0);
    let waiting = tokio::task::spawn_blocking(move || command.status().unwrap());
    let ended = timeout(PATIENCE, waiting).await.map(|status| status.unwrap().success());
    let text = fs::read_to_string(&log).unwrap();
    (ended.unwrap_or(false) && text.contains("\nend of the session"), text)
}

#[tokio::test]
async fn session_of_the_paper_goes_as_it_says() {
    let folder = tempfile::Builder::new().prefix("mp").tempdir().unwrap();
    let programs = tokio::task::spawn_blocking(programs).await.unwrap();
    let script = format!("{}\n{}", session(), other_language());
    let (ended, text) = run(script, folder.path(), &programs).await;
    assert!(ended, "the session did not come to its end:\n{text}");
}
