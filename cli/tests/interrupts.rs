//! Ctrl-C at the program itself.

#![expect(clippy::unwrap_used, reason = "a world that cannot be set up fails its test")]

use std::{
    fs,
    io::Read,
    os::unix::fs::OpenOptionsExt,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

/// Longer than a process takes to end on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// Contexts whose list is longer than any pipe holds: they cannot be used, and each says why with its path.
fn write_contexts(folder: &std::path::Path) {
    let folder = folder.join("mujina/contexts");
    fs::create_dir_all(&folder).unwrap();
    for number in 0..2_000 {
        let path = folder.join(format!("{}{number}.toml", "a".repeat(40)));
        fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path).unwrap();
    }
}

#[test]
fn second_interrupt_ends_a_command_whose_output_nobody_takes() {
    let folder = tempfile::tempdir().unwrap();
    write_contexts(folder.path());
    let mut child = Command::new(env!("CARGO_BIN_EXE_mujinactl"))
        .args(["context", "list"])
        .env("XDG_CONFIG_HOME", folder.path())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    // Once something is written, interrupts are heeded; nothing more is taken after that.
    child.stdout.as_mut().unwrap().read_exact(&mut [0]).unwrap();
    let begun = Instant::now();
    let ended = loop {
        let sent = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
        assert!(sent.success());
        match child.try_wait().unwrap() {
            Some(ended) => break ended,
            None if begun.elapsed() < PATIENCE => {}
            None => {
                child.kill().unwrap();
                panic!("it does not end");
            }
        }
    };
    assert_eq!(ended.code(), Some(130));
}
