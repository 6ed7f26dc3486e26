//! Watches: snapshots in pages, places to begin again from, gaps.

use crate::world::{Control, PATIENCE, config};
use mujina_control::MinerConfig;
use mujina_proto::control::v1;
use prost::Message;
use std::{collections::BTreeMap, path::Path};
use tokio::time::timeout;
use tonic::Streaming;

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
