use super::*;
use crate::{
    MinerConfig,
    filter::Filter,
    registry::{Miners, Registry},
};
use mujina_proto::convert::{duration, timestamp};
use std::{collections::BTreeMap, sync::Arc};

fn miner() -> Arc<Miner> {
    let address = "unix:///run/mujina/a.sock".parse().unwrap();
    let config = MinerConfig { address, labels: [("site".to_owned(), "a".to_owned())].into() };
    let registry = Registry::new(&BTreeMap::from([("rig1".parse().unwrap(), config)]), Vec::new()).unwrap();
    let all: Arc<Miners> = registry.all();
    all.values().next().unwrap().clone()
}

fn at(seconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
}

fn status() -> v1::MinerStatus {
    let rate = |seconds: u64, rate: f64| v1::RateEstimate {
        window: Some(duration(Duration::from_secs(seconds))),
        hash_rate_hps: Some(rate),
        ..v1::RateEstimate::default()
    };
    let board = |watts: Option<f64>, celsius: f64| v1::BoardStatus {
        state: v1::BoardState::Mining.into(),
        expected_chips: 4,
        found_chips: 3,
        power_watts: watts,
        hottest_celsius: Some(celsius),
        ..v1::BoardStatus::default()
    };
    v1::MinerStatus {
        version: "0.2.0".into(),
        state: v1::MinerState::Mining.into(),
        live_pool: "main".into(),
        started_at: Some(timestamp(at(1000))),
        rates: vec![rate(60, 1e12), rate(3600, 8e11)],
        nominal_hash_rate_hps: Some(1e12),
        boards: vec![board(Some(15.0), 61.0), board(None, 58.5)],
        pools: vec![v1::PoolStatus { state: v1::PoolState::Ready.into(), ..v1::PoolStatus::default() }],
        faults: vec![v1::Fault { reason: "CHIPS_MISSING".into(), ..v1::Fault::default() }],
        totals: Some(v1::ShareTotals { found: 100, stale: 5, accepted: 90, rejected: 10, ..Default::default() }),
        ..v1::MinerStatus::default()
    }
}

fn holds(miner: &Miner, filter: &str) -> bool {
    let filter = Filter::parse(filter, FIELDS).unwrap_or_else(|error| panic!("{filter}: {error}"));
    let (view, labels) = (miner.view(), miner.labels());
    filter.matches(|field| reading(field, miner, &view, &labels, at(1500)))
}

#[tokio::test]
async fn every_field_has_a_reading_of_its_kind_once_a_miner_was_seen() {
    let miner = miner();
    miner.change(|view| {
        view.reachability = Reachability::Connected;
        view.status = Some((Arc::new(status()), at(1490)));
    });
    for filter in [
        "name=rig1 and address=unix:///run/mujina/a.sock and label.site=a and connected and state=MINING",
        "sync=NOTHING_WANTED and not quarantined and version=0.2.0 and pool=main and not pinned",
        "hashrate_1m=1e12 and hashrate_1h.ratio<0.9 and hashrate_1h.ratio>0.7 and nominal=1e12",
        "rejected.ratio=0.1 and stale.ratio=0.05 and power=15 and temperature=61",
        "boards=2 and boards.mining=2 and chips.missing=2 and pools=1 and pools.ready=1",
        "faults=1 and fault.CHIPS_MISSING and not fault.FAN_STOPPED and uptime=500 and status_age=10",
        "desired_generation=0 and not known(generation) and not known(hashrate_5s) and not known(label.rack)",
    ] {
        assert!(holds(&miner, filter), "{filter}");
    }
    let (view, labels) = (miner.view(), miner.labels());
    for field in FIELDS {
        let name = if field.name.ends_with('.') { format!("{}site", field.name) } else { field.name.into() };
        let value = reading(&name, &miner, &view, &labels, at(1500));
        let fits = match (&value, field.kind) {
            (Some(Value::Number(_)), Kind::Number) | (Some(Value::Truth(_)), Kind::Truth) => true,
            (Some(Value::Text(_)), Kind::Text) => true,
            (Some(Value::Text(text)), Kind::OneOf(known)) => known.contains(&text.as_str()),
            // Those that this miner has not.
            (None, _) => {
                ["generation", "hashrate_5", "hashrate_15m", "hashrate_24h"].iter().any(|one| name.starts_with(one))
            }
            _ => false,
        };
        assert!(fits, "{name}: {value:?}");
    }
}

#[tokio::test]
async fn miner_that_was_never_seen_has_readings_of_the_registry_alone() {
    let miner = miner();
    assert!(holds(&miner, "state=UNTRIED and not connected"));
    assert!(holds(&miner, "not known(power) and not known(faults) and not known(uptime)"));
    assert!(!holds(&miner, "faults=0") && !holds(&miner, "faults!=0"));
}

#[tokio::test]
async fn draw_of_a_miner_is_remembered_when_it_pauses() {
    let miner = miner();
    miner.change(|view| {
        view.reachability = Reachability::Connected;
        view.status = Some((Arc::new(status()), at(0)));
    });
    let paused = v1::MinerStatus { state: v1::MinerState::Paused.into(), boards: Vec::new(), ..status() };
    miner.change(|view| view.status = Some((Arc::new(paused), at(1))));
    assert_eq!(miner.power(), Some(Watts::from_watts(15.0)));
}

#[test]
fn less_counts_only_when_the_miner_has_spun_up_and_more_at_once() {
    let watts = Watts::from_watts;
    for (known, reading, hashing, counts) in [
        (None, 40.0, 0, 40.0),
        (Some(1000.0), 40.0, 0, 1000.0),
        (Some(1000.0), 900.0, 299, 1000.0),
        (Some(1000.0), 900.0, 300, 900.0),
        (Some(1000.0), 1100.0, 0, 1100.0),
    ] {
        let counted = settled(known.map(watts), watts(reading), Duration::from_secs(hashing));
        assert_eq!(counted, watts(counts), "{known:?} {reading} after {hashing} s");
    }
}

#[tokio::test(start_paused = true)]
async fn miner_that_was_just_resumed_counts_as_what_it_drew_before() {
    let miner = miner();
    let says = |state: v1::MinerState, watts: f64| {
        let boards = vec![v1::BoardStatus { power_watts: Some(watts), ..v1::BoardStatus::default() }];
        let told = v1::MinerStatus { state: state.into(), boards, ..status() };
        miner.change(|view| {
            view.reachability = Reachability::Connected;
            view.status = Some((Arc::new(told), at(0)));
        });
        miner.power().map(Watts::watts)
    };
    assert_eq!(says(v1::MinerState::Mining, 1000.0), Some(1000.0));
    tokio::time::advance(SPIN_UP).await;
    assert_eq!(says(v1::MinerState::Paused, 5.0), Some(1000.0));
    assert_eq!(says(v1::MinerState::Mining, 40.0), Some(1000.0));
    tokio::time::advance(SPIN_UP).await;
    assert_eq!(says(v1::MinerState::Mining, 800.0), Some(800.0), "it is tuned to less now");
}
