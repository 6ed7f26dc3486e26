//! Statistics over time: grouped, with error bars, and as files.

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
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A minute of long ago.
const BEGIN: u64 = 1_700_000_040;

fn at(seconds: u64) -> Option<prost_types::Timestamp> {
    Some(timestamp(UNIX_EPOCH + Duration::from_secs(BEGIN + seconds)))
}

fn bucket(sequence: u64, seconds: u64, pool: &str) -> types::v1::ShareBucket {
    types::v1::ShareBucket {
        sequence,
        begin: at(seconds),
        length: Some(duration(Duration::from_secs(10))),
        pool: pool.into(),
        added: Some(types::v1::ShareTotals {
            since: at(seconds),
            found: 5,
            submitted: 5,
            accepted: 4,
            rejected: 1,
            rejected_by_reason: [("stale".to_owned(), 1)].into(),
            accepted_work_hashes: 4e12,
            submitted_work_hashes: 5e12,
            balanced: true,
            ..types::v1::ShareTotals::default()
        }),
        pending_delta: 0,
        hashes: 10.0,
    }
}

/// Two miners: one works for two pools for a minute, the other for one pool for half of it.
async fn world(folder: &std::path::Path) -> (Control, Vec<crate::host::Hosted>) {
    let (one, two) = (FakeMiner::new(folder, "rig1"), FakeMiner::new(folder, "rig2"));
    let pools = |i: u64| [bucket(2 * i + 1, 10 * i, "main"), bucket(2 * i + 2, 10 * i, "spare")];
    one.change(|state| state.buckets = (0..6).flat_map(pools).collect());
    two.change(|state| state.buckets = (0..3).map(|i| bucket(i + 1, 10 * i, "main")).collect());
    let serving = vec![one.serve().await, two.serve().await];
    let control = Control::start(config(folder, &[("rig1", &one), ("rig2", &two)])).await;
    one.until("its buckets are stored", |state| state.collected == 12).await;
    two.until("its buckets are stored", |state| state.collected == 3).await;
    (control, serving)
}

fn query(step: u64, group_by: &[&str]) -> v1::QueryStatisticsRequest {
    v1::QueryStatisticsRequest {
        selection: None,
        begin: at(0),
        end: at(60),
        step: Some(duration(Duration::from_secs(step))),
        group_by: group_by.iter().map(|&one| one.into()).collect(),
    }
}

async fn ask(control: &Control, query: v1::QueryStatisticsRequest) -> v1::QueryStatisticsResponse {
    control.statistics().query_statistics(query).await.unwrap().into_inner()
}

fn covered(point: &v1::StatisticsPoint) -> i64 {
    point.covered.as_ref().unwrap().seconds
}

#[tokio::test]
async fn sums_of_a_minute_are_those_of_its_buckets_however_they_are_grouped() {
    let folder = tempfile::tempdir().unwrap();
    let (control, _serving) = world(folder.path()).await;
    let all = ask(&control, query(60, &[])).await;
    let [series] = &all.series[..] else { panic!("{all:?}") };
    let [point] = &series.points[..] else { panic!("{series:?}") };
    assert_eq!((point.submitted, point.accepted, point.rejected), (75, 60, 15));
    // Two pools cover the same minute once.
    assert_eq!(covered(point), 90);
    let rate = 60e12 / 60.0;
    assert!((point.hash_rate_hps - rate).abs() < 1.0 && (point.hash_rate_error_hps - rate / 60_f64.sqrt()).abs() < 1.0);
    let miners = ask(&control, query(60, &["miner"])).await;
    let found: Vec<_> =
        miners.series.iter().map(|one| (one.group["miner"].as_str(), covered(&one.points[0]))).collect();
    assert_eq!(found, [("rig1", 60), ("rig2", 30)]);
    let pools = ask(&control, query(60, &["pool", "label:site"])).await;
    let group = |one: &v1::StatisticsSeries| (one.group["pool"].clone(), one.group["label:site"].clone());
    let found: Vec<_> =
        pools.series.iter().map(|one| (group(one), covered(&one.points[0]), one.points[0].accepted)).collect();
    let cellar = |pool: &str| (pool.to_owned(), "cellar".to_owned());
    assert_eq!(found, [(cellar("main"), 90, 36), (cellar("spare"), 60, 24)]);
    // Buckets, sums of a minute and sums of an hour say the same.
    for step in [10, 30, 60, 3600] {
        let response = ask(&control, query(step, &[])).await;
        let accepted: u64 = response.series.iter().flat_map(|one| &one.points).map(|point| point.accepted).sum();
        assert_eq!(accepted, 60, "step {step}");
    }
    control.stop().await;
}

#[tokio::test]
async fn selection_and_steps_are_checked_and_followed() {
    let folder = tempfile::tempdir().unwrap();
    let (control, _serving) = world(folder.path()).await;
    let one = v1::MinerSelection { miners: vec!["rig2".into()], ..v1::MinerSelection::default() };
    let response = ask(&control, v1::QueryStatisticsRequest { selection: Some(one), ..query(10, &["miner"]) }).await;
    let begins: Vec<_> = response.series[0].points.iter().map(|point| point.begin.unwrap().seconds).collect();
    assert_eq!((response.series.len(), begins.len()), (1, 3));
    assert!(begins.is_sorted());
    let refused = async |query: v1::QueryStatisticsRequest| {
        Failure::from(&control.statistics().query_statistics(query).await.unwrap_err()).problems[0].field.clone()
    };
    assert_eq!(refused(query(15, &[])).await, "step");
    assert_eq!(refused(query(10, &["rack"])).await, "group_by[0]");
    assert_eq!(refused(v1::QueryStatisticsRequest { end: at(0), begin: at(1), ..query(10, &[]) }).await, "end");
    let long = v1::QueryStatisticsRequest { end: Some(timestamp(SystemTime::now())), begin: None, ..query(10, &[]) };
    assert!(ask(&control, long).await.series.is_empty(), "nothing was counted in the last hour");
    control.stop().await;
}

#[tokio::test]
async fn files_hold_the_same_rows() {
    let folder = tempfile::tempdir().unwrap();
    let (control, _serving) = world(folder.path()).await;
    let file = async |format: v1::ExportFormat| {
        let query = Some(query(10, &["miner", "pool"]));
        let request = v1::ExportStatisticsRequest { query, format: format.into() };
        let mut parts = control.statistics().export_statistics(request).await.unwrap().into_inner();
        let mut bytes = Vec::new();
        while let Some(part) = parts.message().await.unwrap() {
            bytes.extend(part.data);
        }
        bytes
    };
    let text = String::from_utf8(file(v1::ExportFormat::Csv).await).unwrap();
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines.len(), 1 + 15, "{text}");
    assert!(lines[0].starts_with("miner,pool,begin,step_seconds,"));
    assert!(lines[1].starts_with("rig1,main,2023-11-14T22:14:00Z,10,10,5,4,1,0,4000000000000,"), "{}", lines[1]);
    let parquet = file(v1::ExportFormat::Parquet).await;
    assert!(parquet.starts_with(b"PAR1") && parquet.ends_with(b"PAR1"));
    control.stop().await;
}
