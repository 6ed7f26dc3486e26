//! Watches: snapshots in pages, places to begin again from, gaps.

use crate::{
    miner::FakeMiner,
    world::{Control, PATIENCE, config},
};
use mujina_control::{
    MinerConfig,
    store::{Store, restore},
};
use mujina_proto::{
    control::v1::{self, operation_action::Action},
    failure::Failure,
};
use prost::Message;
use std::{collections::BTreeMap, path::Path};
use tokio::time::timeout;
use tonic::{Code, Streaming};

/// What a client takes that sets no bound of its own.
const LIMIT: usize = 4 << 20;
const MANY: usize = 1200;

/// The next message, in time.
async fn next<T>(stream: &mut Streaming<T>) -> Option<T> {
    timeout(PATIENCE, stream.message()).await.expect("a message in time").unwrap()
}

async fn follow_miners(control: &Control, resume_token: &str) -> Streaming<v1::WatchMinersResponse> {
    let resume_token = resume_token.into();
    let request = v1::WatchMinersRequest { resume_token, ..v1::WatchMinersRequest::default() };
    control.registry().watch_miners(request).await.unwrap().into_inner()
}

/// Miners that nobody serves, each with labels of about 5 KB.
fn big_miners(folder: &Path) -> BTreeMap<mujina_core::id::MinerName, MinerConfig> {
    let labels: BTreeMap<_, _> = (0..40).map(|i| (format!("{i:x<60}"), "x".repeat(60))).collect();
    let miner = |i| {
        let address = format!("unix://{}", folder.join("nobody.sock").display()).parse().unwrap();
        (format!("rig{i:04}").parse().unwrap(), MinerConfig { address, labels: labels.clone() })
    };
    (0..MANY).map(miner).collect()
}

#[tokio::test]
async fn fleet_that_is_bigger_than_a_message_is_told_in_pages() {
    let folder = tempfile::tempdir().unwrap();
    let mut settings = config(folder.path(), &[]);
    settings.miners = big_miners(folder.path());
    let control = Control::start(settings).await;
    let mut stream = follow_miners(&control, "").await;
    let (mut names, mut bytes, mut pages) = (Vec::new(), 0, 0);
    let token = loop {
        let page = next(&mut stream).await.unwrap();
        assert!(page.snapshot && !page.gap && page.encoded_len() < LIMIT / 4, "{} bytes", page.encoded_len());
        assert_eq!(page.partial, page.resume_token.is_empty());
        bytes += page.encoded_len();
        pages += 1;
        names.extend(page.miners.into_iter().map(|miner| miner.name));
        if !page.partial {
            break page.resume_token;
        }
    };
    assert!(bytes > LIMIT && pages > 4, "{bytes} bytes in {pages} pages");
    assert_eq!(names, (0..MANY).map(|i| format!("rig{i:04}")).collect::<Vec<_>>());
    let last = v1::MinerSelection { miners: vec!["rig1199".into()], ..v1::MinerSelection::default() };
    let set = [("rack".to_owned(), "7".to_owned())].into();
    let change = v1::LabelMinersRequest { selection: Some(last), set, ..v1::LabelMinersRequest::default() };
    control.registry().label_miners(change).await.unwrap();
    // By the reader of the snapshot, and by one that begins where it ended.
    for mut stream in [stream, follow_miners(&control, &token).await] {
        loop {
            let news = next(&mut stream).await.unwrap();
            assert!(!news.snapshot && !news.partial && !news.resume_token.is_empty() && news.encoded_len() < LIMIT / 4);
            if news.miners.iter().any(|miner| miner.name == "rig1199" && miner.labels.contains_key("rack")) {
                break;
            }
        }
    }
    control.stop().await;
}

async fn follow(control: &Control, id: &str, resume_token: &str) -> Streaming<v1::WatchOperationResponse> {
    let request = v1::WatchOperationRequest { operation_id: id.into(), resume_token: resume_token.into() };
    control.operations().watch_operation(request).await.unwrap().into_inner()
}

/// All of an operation, or what is new of it: its targets as they were at last, and the last message.
async fn until_ended(
    mut stream: Streaming<v1::WatchOperationResponse>,
) -> (BTreeMap<String, v1::TargetState>, v1::WatchOperationResponse) {
    let (mut targets, mut last) = (BTreeMap::new(), None);
    while let Some(news) = next(&mut stream).await {
        let told = news.operation.iter().flat_map(|operation| &operation.targets);
        targets.extend(told.map(|target| (target.miner.clone(), target.state())));
        last = Some(news);
    }
    (targets, last.unwrap())
}

async fn reconnect(control: &Control) -> String {
    let action = Some(v1::OperationAction { action: Some(Action::Reconnect(v1::ReconnectAction::default())) });
    let request = v1::StartOperationRequest { action, all: true, ..v1::StartOperationRequest::default() };
    control.operations().start_operation(request).await.unwrap().into_inner().operation.unwrap().operation_id
}

#[tokio::test]
async fn operation_is_followed_over_a_restart_without_its_targets_being_told_again() {
    let folder = tempfile::tempdir().unwrap();
    let (one, two) = (FakeMiner::new(folder.path(), "rig1"), FakeMiner::new(folder.path(), "rig2"));
    two.change(|state| state.hold_reconnects = true);
    let (_one, _two) = (one.serve().await, two.serve().await);
    let settings = || config(folder.path(), &[("rig1", &one), ("rig2", &two)]);
    let control = Control::start(settings()).await;
    let id = reconnect(&control).await;
    two.until("reconnect begun", |state| state.reconnect_calls.len() == 1).await;
    let mut stream = follow(&control, &id, "").await;
    let first = next(&mut stream).await.unwrap();
    assert!(first.snapshot && !first.gap);
    assert_eq!(first.operation.as_ref().map(|operation| operation.targets.len()), Some(2));
    let mut news = first;
    while news.operation.as_ref().is_some_and(|operation| operation.progress.unwrap().succeeded == 0) {
        news = next(&mut stream).await.unwrap();
    }
    control.kill();
    let control = Control::start(settings()).await;
    let stream = follow(&control, &id, &news.resume_token).await;
    two.change(|state| state.hold_reconnects = false);
    let (targets, last) = until_ended(stream).await;
    let expected = [("rig2".to_owned(), v1::TargetState::Succeeded)];
    assert_eq!((targets, last.snapshot, last.gap), (expected.into(), false, false));
    assert_eq!(last.operation.as_ref().map(v1::Operation::state), Some(v1::OperationState::Succeeded));

    // Who was told the end is told that it was the end; who cannot be told what is new is told everything.
    let (targets, again) = until_ended(follow(&control, &id, &last.resume_token).await).await;
    assert_eq!((targets.len(), again.snapshot, again.gap), (0, false, false));
    assert_eq!(again.operation.map(|operation| operation.progress), last.operation.map(|operation| operation.progress));
    let other = reconnect(&control).await;
    let ahead = format!("{}0000", last.resume_token);
    for (id, token) in [(&other, &last.resume_token), (&id, &ahead)] {
        let first = next(&mut follow(&control, id, token).await).await.unwrap();
        assert!(first.snapshot && first.gap && first.operation.unwrap().targets.len() == 2, "{token}");
    }
    let request = v1::WatchOperationRequest { operation_id: id.clone(), resume_token: "x".into() };
    let refused = Failure::from(&control.operations().watch_operation(request).await.unwrap_err());
    assert_eq!(refused.code, Code::InvalidArgument);
    assert_eq!(refused.problems.first().map(|one| one.field.as_str()), Some("resume_token"));
    control.stop().await;
}

#[tokio::test]
async fn token_of_the_database_before_a_restore_is_answered_with_everything_and_a_gap() {
    let folder = tempfile::tempdir().unwrap();
    let miner = FakeMiner::new(folder.path(), "rig1");
    let _serving = miner.serve().await;
    let control = Control::start(config(folder.path(), &[("rig1", &miner)])).await;
    let id = reconnect(&control).await;
    let (_, last) = until_ended(follow(&control, &id, "").await).await;
    control.stop().await;
    let backup = folder.path().join("backup.db");
    Store::back_up(folder.path(), &backup).await.unwrap();
    restore(folder.path(), &backup).await.unwrap();
    let control = Control::start(config(folder.path(), &[("rig1", &miner)])).await;
    let first = next(&mut follow(&control, &id, &last.resume_token).await).await.unwrap();
    assert!(first.snapshot && first.gap && first.operation.unwrap().targets.len() == 1);
    control.stop().await;
}
