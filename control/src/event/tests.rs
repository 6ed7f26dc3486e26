use super::*;

fn event(number: usize) -> Event {
    let (at, kind) = (store::now(), "OVERRIDDEN".into());
    Event { at, kind, miner: None, subject: String::new(), message: format!("event {number}") }
}

#[tokio::test]
async fn events_are_told_in_order_and_outlive_the_process() {
    let folder = tempfile::tempdir().unwrap();
    let (store, lock) = Store::open(folder.path()).await.unwrap();
    let events = Events::open(store.clone()).await.unwrap();
    let cancel = CancellationToken::new();
    let mut keeping = tokio::task::JoinSet::new();
    keeping.spawn(events.clone().keep(cancel.clone()));
    let rig1: MinerName = "rig1".parse().unwrap();
    events.tell(EventKind::Overridden, Some(&rig1), "", "by hand");
    events.tell(EventKind::RolloutPaused, None, "r1", "look\u{7} at it");
    events.newest().wait_for(|newest| *newest == 2).await.unwrap();
    // What is told before the end is kept as well.
    events.tell(EventKind::OverrideEnded, Some(&rig1), "", "over");
    cancel.cancel();
    keeping.join_next().await.unwrap().unwrap();
    store.close().await;
    drop((events, store, lock));
    let (store, _lock) = Store::open(folder.path()).await.unwrap();
    let kept = store.events_after(0, 10).await.unwrap();
    let kinds: Vec<_> = kept.iter().map(|one| (one.sequence, one.event.kind.as_str())).collect();
    assert_eq!(kinds, [(1, "OVERRIDDEN"), (2, "ROLLOUT_PAUSED"), (3, "OVERRIDE_ENDED")]);
    assert!(!kept[1].event.message.contains('\u{7}'), "{:?}", kept[1].event.message);
    let of_it = store.events_before(Some(3), Some(&rig1), 10).await.unwrap();
    assert_eq!(of_it.iter().map(|one| one.sequence).collect::<Vec<_>>(), [1]);
    assert_eq!(*Events::open(store.clone()).await.unwrap().newest().borrow(), 3);
    store.close().await;
}

#[tokio::test]
async fn events_that_do_not_fit_are_missing_in_the_count_and_old_ones_are_dropped() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _lock) = Store::open(folder.path()).await.unwrap();
    let events = Events::open(store.clone()).await.unwrap();
    for _ in 0..QUEUE + 3 {
        events.tell(EventKind::Overridden, None, "", "x");
    }
    let cancel = CancellationToken::new();
    cancel.cancel();
    events.clone().keep(cancel).await;
    let newest = store.newest_event().await.unwrap();
    assert_eq!(newest, u64::try_from(QUEUE).unwrap() + 3);
    assert_eq!(store.events_after(0, 1).await.unwrap()[0].sequence, 4, "three are missing");
    let mut write = store.write().await.unwrap();
    let many: Vec<_> = (0..3000).map(event).collect();
    let newest = write.append_events(&many, 0).await.unwrap();
    write.commit().await.unwrap();
    let oldest = store.events_after(0, 1).await.unwrap()[0].sequence;
    assert_eq!(newest - oldest + 1, 10_000);
    store.close().await;
}
