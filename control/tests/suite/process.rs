//! The program itself: exit codes, signals, and what a kill leaves behind.

use crate::{
    miner::FakeMiner,
    world::{PATIENCE, whole},
};
use mujina_proto::{
    control::v1::{self, spec_service_client::SpecServiceClient},
    dial::{Address, Client, dial},
};
use std::{
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

pub(crate) fn program(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mujina-control"));
    command.env_clear().arg("--state-dir").arg(folder).args(["--log", "off"]);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Ends with the test, however that ends.
pub(crate) struct Process(pub(crate) Child);

impl Drop for Process {
    fn drop(&mut self) {
        // Gone already is just as well.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Process {
    pub(crate) async fn ended(&mut self) -> ExitStatus {
        let begun = Instant::now();
        while begun.elapsed() < PATIENCE {
            if let Some(status) = self.0.try_wait().unwrap() {
                return status;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("the program does not end");
    }
}

pub(crate) async fn connected(folder: &Path) -> Client {
    let address = Address::Unix(folder.join("control.sock"));
    let begun = Instant::now();
    loop {
        match dial(&address, PATIENCE).await {
            Ok(client) => return client,
            Err(error) if begun.elapsed() > PATIENCE => panic!("{error}"),
            Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    }
}

#[test]
fn configuration_is_checked_and_a_bad_one_ends_with_its_own_code() {
    let folder = tempfile::tempdir().unwrap();
    let good = program(folder.path()).arg("--check").output().unwrap();
    assert_eq!(good.status.code(), Some(0));
    let text = String::from_utf8(good.stdout).unwrap();
    assert!(text.contains("miners.local = unix:///") && text.contains("control.sock"), "{text}");
    let bad = program(folder.path())
        .args(["--listen", "0.0.0.0:1"])
        .env("MUJINA_CONTROL_MINERS__RIG1__ADDRESS", "ftp://x")
        .output()
        .unwrap();
    assert_eq!(bad.status.code(), Some(2));
    let text = String::from_utf8(bad.stderr).unwrap();
    assert!(text.contains("api.listen (command line): `0.0.0.0:1`"), "{text}");
    assert!(text.contains("MUJINA_CONTROL_MINERS__RIG1__ADDRESS"), "{text}");
}

#[tokio::test]
async fn kill_loses_nothing_that_was_answered_and_a_signal_stops_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let miner = FakeMiner::new(folder.path(), "api");
    let mut killed = Process(program(folder.path()).spawn().unwrap());
    let mut client = SpecServiceClient::new(connected(folder.path()).await);
    let stored = client.apply_spec(whole("local", Some("x"))).await.unwrap().into_inner().desired.unwrap();
    killed.0.kill().unwrap();
    killed.ended().await;
    let _serving = miner.serve().await;
    let mut process = Process(program(folder.path()).spawn().unwrap());
    let mut client = SpecServiceClient::new(connected(folder.path()).await);
    let read = client.get_spec(v1::GetSpecRequest { miner: "local".into() }).await.unwrap().into_inner();
    assert_eq!(read.desired.unwrap(), stored);
    miner.until("spec applied", |state| state.control_generation == 1).await;
    let second = program(folder.path()).output().unwrap();
    assert_eq!(second.status.code(), Some(1));
    assert!(String::from_utf8(second.stderr).unwrap().contains("another control plane uses"));
    let stop = Command::new("kill").arg(process.0.id().to_string()).status().unwrap();
    assert!(stop.success());
    assert_eq!(process.ended().await.code(), Some(0));
    assert!(!folder.path().join("control.sock").exists());
}
