//! Boards from the terminal through both planes: looked at, asked, tuned and refused.

use crate::rig::Rig;
use mujina_proto::types::v1::BoardState;
use mujina_testbed::{
    log_watcher::LogWatcher,
    world::{HostedControl, Telling, control_config, mujinactl},
};

#[tokio::test(flavor = "multi_thread")]
async fn boards_are_looked_at_and_asked_on_a_miner_and_through_control() {
    let rig = Rig::with(None, &Telling::default()).await;
    let control_log = LogWatcher::new("control");
    let config = control_config(&rig.folder.path().join("control"), &[("rig1", &rig.miner.address)]);
    let control = HostedControl::start(config, &Telling::default(), Some(&control_log)).await.unwrap();
    let status = rig.wait_for(|status| status.boards.iter().any(|board| board.state() == BoardState::Mining)).await;
    assert_eq!(status.boards[0].hottest_celsius, None, "nobody measures the CPU");
    for address in [&rig.miner.address, &control.address] {
        for words in [
            &["board", "list"][..],
            &["board", "list", "-o", "wide"],
            &["board", "list", "-o", "json"],
            &["board", "get", "cpu"],
            &["board", "chips", "cpu", "--map"],
            &["board", "constraints", "cpu"],
        ] {
            let said = mujinactl(address, words).await;
            assert_eq!(said.code, 0, "{words:?}: {said:?}");
            assert!(!said.out.is_empty(), "{words:?}");
        }
        for words in [
            &["board", "locate", "cpu", "--for", "5s"][..],
            &["board", "self-test", "cpu"],
            &["board", "reinit", "cpu"],
        ] {
            let said = mujinactl(address, words).await;
            assert_eq!(said.code, 7, "{words:?}: {said:?}");
            assert!(said.err.contains("board cpu: "), "{words:?}: {said:?}");
        }
        let said = mujinactl(address, &["board", "get", "nope"]).await;
        assert_eq!(said.code, 8, "{said:?}");
    }
    control.stop().await.unwrap();
    control_log.finish();
    rig.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tuning_that_a_board_refuses_is_a_fault_and_ends_the_wait_through_both_planes() {
    let rig = Rig::with(None, &Telling::default()).await;
    let control_log = LogWatcher::new("control");
    let config = control_config(&rig.folder.path().join("control"), &[("rig1", &rig.miner.address)]);
    let control = HostedControl::start(config, &Telling::default(), Some(&control_log)).await.unwrap();
    // The miner alone first: afterwards it is the control plane's, and a change on it would be drift.
    for address in [&rig.miner.address, &control.address] {
        let said = mujinactl(address, &["board", "tune", "cpu", "--power", "5W", "--wait"]).await;
        assert_eq!(said.code, 7, "{said:?}");
        assert!(said.err.contains("board cpu: "), "{said:?}");
        let refused = |reasons: &[String]| reasons.iter().any(|reason| reason == "TUNING_REFUSED");
        let reasons = |status: &mujina_proto::types::v1::MinerStatus| {
            status.faults.iter().map(|fault| fault.reason.clone()).collect::<Vec<_>>()
        };
        rig.wait_for(|status| refused(&reasons(status))).await;
        let said = mujinactl(address, &["board", "tune", "cpu", "--reset", "--wait"]).await;
        assert_eq!(said.code, 0, "{said:?}");
        rig.wait_for(|status| !refused(&reasons(status))).await;
    }
    control.stop().await.unwrap();
    control_log.finish();
    rig.finish().await;
}
