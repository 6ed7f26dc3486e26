use super::*;
use crate::{
    registry::{Pacer, Registry},
    spec::WantedSpec,
    trace::TraceParent,
};
use std::collections::BTreeMap;
use tokio::{task::JoinSet, time::timeout};

/// A miner that enrolled and of which something is wanted, with what its session works with.
async fn enrolled(folder: &std::path::Path) -> (Arc<Miner>, Around, crate::store::FolderLock) {
    let (store, lock) = Store::open(folder).await.unwrap();
    let registry = Registry::new(&BTreeMap::new(), Vec::new()).unwrap();
    let name = "rig1".parse().unwrap();
    let desired = DesiredState {
        miner: "rig1".parse().unwrap(),
        wanted: WantedSpec::default(),
        generation: Generation(1),
        etag: "e1".into(),
        stored_at: SystemTime::UNIX_EPOCH,
        trace_parent: TraceParent::parse("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
        taken_over: Generation(0),
    };
    assert!(registry.enrolled(&name, BTreeMap::new(), Some(desired)));
    let specs = Specs::new(store.clone(), registry.clone());
    let events = Events::open(store.clone()).await.unwrap();
    let (notes, _) = notes(store.clone());
    (registry.get(&name).unwrap(), Around { store, specs, events, notes, pacer: Pacer::unbounded() }, lock)
}

#[tokio::test]
async fn miner_that_never_calls_home_is_unreachable_when_it_had_the_time_to() {
    let folder = tempfile::tempdir().unwrap();
    let (miner, around, _lock) = enrolled(folder.path()).await;
    let (receivers, cancel) = (miner.home.receiver_count(), CancellationToken::new());
    let mut running = JoinSet::new();
    running.spawn(Session::new(miner.clone(), around.clone()).run(cancel.clone()));
    // It has read what it needs, and waits for a call. Not before: the database has a clock of its own.
    while miner.home.receiver_count() == receivers {
        tokio::task::yield_now().await;
    }
    tokio::time::pause();
    let begun = Instant::now();
    let before = miner.view();
    let mut views = miner.views();
    let tried = views.wait_for(|view| view.reachability != Reachability::Untried);
    let view = timeout(HOMECOMING * 2, tried).await.expect("it is given up").unwrap().clone();
    let (waited, second) = (begun.elapsed(), Duration::from_secs(1));
    assert!(waited > HOMECOMING - 30 * second && waited < HOMECOMING + second, "{waited:?}");
    let reason = NotAtHome.to_string();
    assert_eq!(view.reachability, Reachability::Unreachable(reason.clone()));
    assert_eq!(view.agreement, Agreement { state: SyncState::Unreachable, reason, at: Some(view.since) });
    assert!(view.since > before.since && view.revision > before.revision);
    // And stays so, since the same time.
    tokio::time::advance(HOMECOMING * 10).await;
    assert_eq!(miner.view().since, view.since);
    tokio::time::resume();
    cancel.cancel();
    running.join_next().await.unwrap().unwrap();
    around.store.close().await;
}
