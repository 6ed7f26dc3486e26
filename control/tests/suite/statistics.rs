//! Buckets, collected exactly once.

use crate::{
    miner::FakeMiner,
    world::{Control, config},
};
use mujina_proto::{
    control::v1,
    convert::{duration, timestamp},
    failure::Failure,
    types,
};
use std::time::{Duration, UNIX_EPOCH};
use tonic::Code;

fn bucket(sequence: u64) -> types::v1::ShareBucket {
    let begin = timestamp(UNIX_EPOCH + Duration::from_secs(1_700_000_000 + 10 * sequence));
    let rejected_by_reason = [("stale".to_owned(), 1)].into();
    types::v1::ShareBucket {
        sequence,
        begin: Some(begin),
        length: Some(duration(Duration::from_secs(10))),
        pool: "main".into(),
        added: Some(types::v1::ShareTotals {
            since: Some(begin),
            found: 3,
            submitted: 3,
            accepted: 2,
            rejected: 1,
            rejected_by_reason,
            balanced: true,
            ..types::v1::ShareTotals::default()
        }),
        pending_delta: 0,
        hashes: 10.0,
    }
}

async fn summary(control: &Control) -> v1::SummarizeSharesResponse {
    control.statistics().summarize_shares(v1::SummarizeSharesRequest::default()).await.unwrap().into_inner()
}

/// Waits until the buckets of a miner are stored up to this one.
async fn until_stored(control: &Control, miner: &FakeMiner, sequence: u64) -> v1::SummarizeSharesResponse {
    miner.until(&format!("bucket {sequence} stored"), |state| state.collected >= sequence).await;
    summary(control).await
}

async fn all_sequences(control: &Control) -> Vec<u64> {
    let mut request = v1::ListShareBucketsRequest { miner: "rig1".into(), page_size: 50, ..Default::default() };
    let mut found = Vec::new();
    loop {
        let page = control.statistics().list_share_buckets(request.clone()).await.unwrap().into_inner();
        found.extend(page.buckets.iter().map(|bucket| bucket.sequence));
        if page.next_page_token.is_empty() {
            return found;
        }
        request.page_token = page.next_page_token;
    }
}

#[tokio::test]
async fn control_plane_that_is_killed_again_and_again_stores_every_bucket_once() {
    let folder = tempfile::tempdir().unwrap();
    let miner = FakeMiner::new(folder.path(), "rig1");
    miner.change(|state| state.buckets = (1..=200).map(bucket).collect());
    let _serving = miner.serve().await;
    let mut stored = 0;
    while stored < 150 {
        let control = Control::start(config(folder.path(), &[("rig1", &miner)])).await;
        stored = until_stored(&control, &miner, stored + 20).await.buckets;
        control.kill();
    }
    let control = Control::start(config(folder.path(), &[("rig1", &miner)])).await;
    until_stored(&control, &miner, 200).await;
    miner.change(|state| state.buckets.push(bucket(201)));
    let sums = until_stored(&control, &miner, 201).await;
    assert_eq!(all_sequences(&control).await, (1..=201).collect::<Vec<_>>());
    let totals = sums.totals.unwrap();
    assert_eq!((totals.found, totals.accepted, totals.rejected_by_reason["stale"]), (603, 402, 201));
    assert!(totals.balanced);
    assert_eq!((sums.missing_buckets, sums.hashes), (0, 2010.0));
    control.stop().await;
}

#[tokio::test]
async fn new_database_of_a_miner_is_collected_beside_the_old_one_and_what_it_dropped_is_counted() {
    let folder = tempfile::tempdir().unwrap();
    let miner = FakeMiner::new(folder.path(), "rig1");
    miner.change(|state| state.buckets = (1..=3).map(bucket).collect());
    let serving = miner.serve().await;
    let control = Control::start(config(folder.path(), &[("rig1", &miner)])).await;
    until_stored(&control, &miner, 3).await;
    drop(serving);
    miner.change(|state| {
        state.database_id = "database-2".into();
        state.collected = 0;
        state.buckets = (3..=5).map(bucket).collect();
    });
    let _serving = miner.serve().await;
    let sums = until_stored(&control, &miner, 5).await;
    assert_eq!((sums.buckets, sums.missing_buckets), (6, 2));
    assert_eq!(all_sequences(&control).await, [1, 2, 3, 3, 4, 5]);
    let range = v1::SummarizeSharesRequest { begin: bucket(5).begin, ..Default::default() };
    assert_eq!(control.statistics().summarize_shares(range).await.unwrap().into_inner().buckets, 1);
    control.stop().await;
}

#[tokio::test]
async fn bad_questions_name_the_field() {
    let folder = tempfile::tempdir().unwrap();
    let miner = FakeMiner::new(folder.path(), "rig1");
    let control = Control::start(config(folder.path(), &[("rig1", &miner)])).await;
    let ask = |request: v1::ListShareBucketsRequest| async {
        Failure::from(&control.statistics().list_share_buckets(request).await.unwrap_err())
    };
    let request = v1::ListShareBucketsRequest { miner: "rig1".into(), ..Default::default() };
    let failure = ask(v1::ListShareBucketsRequest { page_token: "x".into(), ..request.clone() }).await;
    assert_eq!(failure.problems[0].field, "page_token");
    let (begin, end) = (bucket(2).begin, bucket(1).begin);
    assert_eq!(ask(v1::ListShareBucketsRequest { begin, end, ..request.clone() }).await.problems[0].field, "end");
    assert_eq!(ask(v1::ListShareBucketsRequest { miner: "rig2".into(), ..request }).await.code, Code::NotFound);
    control.stop().await;
}
