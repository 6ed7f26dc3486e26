use super::{follow::Place, *};
use crate::{
    MinerConfig,
    access::{Binding, METHODS, Role, Subject},
    event::Events,
    registry::Registry,
    store::{FolderLock, Store},
};
use std::time::Duration;
use tempfile::TempDir;

struct World {
    registry: Registry,
    store: Store,
    _lock: FolderLock,
    _folder: TempDir,
}

impl World {
    async fn new(miners: usize) -> Self {
        Self::of_big(miners, 0).await
    }

    /// Miners that take at least so many bytes each.
    async fn of_big(miners: usize, bytes: usize) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (store, lock) = Store::open(folder.path()).await.unwrap();
        let config = |i: usize| {
            let address = format!("unix:///nowhere/{i}.sock").parse().unwrap();
            let site = if i.is_multiple_of(2) { "even" } else { "odd" };
            let labels = [("site".to_owned(), site.to_owned()), ("note".to_owned(), "x".repeat(bytes))].into();
            (format!("rig{i}").parse().unwrap(), MinerConfig { address, labels })
        };
        let registry = Registry::new(&(0..miners).map(config).collect(), Vec::new()).unwrap();
        Self { registry, store, _lock: lock, _folder: folder }
    }

    async fn label(&self, miner: &str, key: &str, value: &str) {
        let change = LabelChange { set: [(key.to_owned(), value.to_owned())].into(), ..LabelChange::default() };
        let miners = [self.registry.get(&miner.parse().unwrap()).unwrap()];
        self.registry.label(&self.store, &miners, &change, &owner(), false).await.unwrap();
    }

    fn follow(&self, caller: Caller, selector: &str, token: &str) -> Following {
        let request = v1::WatchMinersRequest {
            selector: selector.into(),
            resume_token: token.into(),
            view: v1::MinerView::Basic.into(),
        };
        Following::begin(self.registry.clone(), caller, request).unwrap()
    }
}

fn owner() -> Caller {
    Caller::itself("test", "test")
}

/// Somebody who sees one site alone.
fn viewer_of(site: &str) -> Caller {
    let subject = Subject::Certificate { operator: "alice".into() };
    let bound = "operator:alice".parse().unwrap();
    let binding = Binding { id: "b".into(), subject: bound, role: Role::Viewer, selector: site.parse().unwrap() };
    let row = METHODS.iter().find(|row| row.name.ends_with("WatchMiners")).unwrap();
    Caller::new(subject, "unix".into(), row, [binding].into())
}

fn names(news: &v1::WatchMinersResponse) -> Vec<&str> {
    news.miners.iter().map(|miner| miner.name.as_str()).collect()
}

#[tokio::test]
async fn reader_is_told_of_changes_alone_and_begins_again_from_any_token() {
    let world = World::new(4).await;
    let (first, reader) = world.follow(owner(), "", "").next().await.unwrap();
    assert!(first.snapshot && !first.gap && first.miners.len() == 4);
    world.label("rig2", "rack", "7").await;
    let (news, _) = reader.next().await.unwrap();
    assert_eq!((names(&news), news.snapshot), (vec!["rig2"], false));
    world.label("rig3", "rack", "8").await;
    let (again, _) = world.follow(owner(), "", &first.resume_token).next().await.unwrap();
    assert_eq!((names(&again), again.snapshot, again.gap), (vec!["rig2", "rig3"], false, false));
    let (last, _) = world.follow(owner(), "", &news.resume_token).next().await.unwrap();
    assert_eq!(names(&last), ["rig3"]);
}

#[tokio::test]
async fn snapshot_comes_in_pages_and_what_changes_meanwhile_is_told_after_it() {
    let world = World::of_big(8, 100_000).await;
    let (first, reader) = world.follow(owner(), "", "").next().await.unwrap();
    assert_eq!((names(&first), first.resume_token.as_str()), (vec!["rig0", "rig1", "rig2"], ""));
    assert!(first.snapshot && first.partial);
    // One that was told, and one that is not yet.
    for miner in ["rig1", "rig7"] {
        world.label(miner, "rack", "7").await;
    }
    let (second, reader) = reader.next().await.unwrap();
    assert_eq!((names(&second), second.snapshot, second.partial), (vec!["rig3", "rig4", "rig5"], true, true));
    let (last, reader) = reader.next().await.unwrap();
    assert_eq!((names(&last), last.snapshot, last.partial), (vec!["rig6", "rig7"], true, false));
    assert!([&first, &second, &last].iter().all(|page| !page.gap));
    let (news, _) = reader.next().await.unwrap();
    assert_eq!((names(&news), news.snapshot, news.partial), (vec!["rig1", "rig7"], false, false));
    let (again, _) = world.follow(owner(), "", &last.resume_token).next().await.unwrap();
    assert_eq!(names(&again), ["rig1", "rig7"], "the token is of the begin of the snapshot");
}

#[tokio::test]
async fn snapshot_without_any_miner_is_whole() {
    let world = World::new(2).await;
    let (first, _) = world.follow(owner(), "site=nowhere", "").next().await.unwrap();
    assert!(first.snapshot && !first.partial && first.miners.is_empty() && !first.resume_token.is_empty());
}

#[tokio::test]
async fn changes_of_many_miners_come_in_pages_with_a_token_each() {
    let world = World::of_big(8, 100_000).await;
    let mut reader = world.follow(owner(), "", "");
    while !matches!(reader.place, Place::At(_)) {
        reader = reader.next().await.unwrap().1;
    }
    let order: Vec<_> = (0..8).rev().map(|i| format!("rig{i}")).collect();
    for miner in &order {
        world.label(miner, "rack", "7").await;
    }
    let (mut told, mut tokens) = (Vec::new(), Vec::new());
    while told.len() < order.len() {
        let (news, next) = reader.next().await.unwrap();
        assert!(!news.snapshot && news.miners.len() <= 3, "{:?}", names(&news));
        told.extend(names(&news).into_iter().map(str::to_owned));
        tokens.push(news.resume_token);
        reader = next;
    }
    assert_eq!((&told, tokens.len()), (&order, 3));
    let (again, _) = world.follow(owner(), "", &tokens[0]).next().await.unwrap();
    assert_eq!((names(&again), again.gap), (vec!["rig4", "rig3", "rig2"], false));
}

#[tokio::test]
async fn token_of_another_process_is_answered_with_everything_and_a_gap() {
    let world = World::new(2).await;
    let other = World::new(2).await;
    let (first, _) = other.follow(owner(), "", "").next().await.unwrap();
    let (news, _) = world.follow(owner(), "", &first.resume_token).next().await.unwrap();
    assert!(news.snapshot && news.gap && news.miners.len() == 2);
    let token = format!("{}:{}", world.registry.instance(), u64::MAX);
    assert!(world.follow(owner(), "", &token).next().await.unwrap().0.gap);
}

#[tokio::test]
async fn miner_that_no_longer_matches_is_removed_and_others_are_not_named() {
    let world = World::new(4).await;
    let (first, reader) = world.follow(viewer_of("site=even"), "", "").next().await.unwrap();
    assert_eq!(names(&first), ["rig0", "rig2"]);
    world.label("rig1", "rack", "1").await;
    world.label("rig2", "site", "odd").await;
    let (news, reader) = reader.next().await.unwrap();
    assert!(names(&news).is_empty());
    assert_eq!(news.removed, ["rig2"]);
    world.label("rig3", "site", "even").await;
    assert_eq!(names(&reader.next().await.unwrap().0), ["rig3"]);
}

#[tokio::test]
async fn reader_that_is_told_nothing_gets_a_new_token_now_and_then() {
    let world = World::new(4).await;
    let (first, reader) = world.follow(owner(), "site=even", "").next().await.unwrap();
    world.label("rig1", "rack", "1").await;
    // Not before: the database has a clock of its own.
    tokio::time::pause();
    let asked = tokio::time::Instant::now();
    let (news, _) = reader.next().await.unwrap();
    assert!(news.miners.is_empty() && news.removed.is_empty() && !news.snapshot);
    assert_ne!(news.resume_token, first.resume_token);
    assert!(asked.elapsed() >= Duration::from_secs(9), "{:?}", asked.elapsed());
}

#[tokio::test]
async fn thousand_readers_that_take_nothing_hold_no_message_and_are_then_told_in_one() {
    let world = World::new(2).await;
    let mut readers = Vec::new();
    for _ in 0..1000 {
        readers.push(world.follow(owner(), "", "").next().await.unwrap().1);
    }
    let size = std::mem::size_of::<Following>();
    assert!(size <= 512, "a reader takes {size} bytes between two messages");
    for i in 0..50 {
        world.label("rig1", "rack", &i.to_string()).await;
    }
    tokio::time::pause();
    for reader in readers {
        let (news, reader) = reader.next().await.unwrap();
        assert_eq!(names(&news), ["rig1"]);
        assert_eq!(news.miners.first().and_then(|miner| miner.labels.get("rack")).map(String::as_str), Some("49"));
        let more = tokio::time::timeout(Duration::from_secs(60), reader.next()).await;
        assert!(more.is_err(), "all was told in one message");
    }
}

#[tokio::test]
async fn what_was_set_of_miners_outlives_the_process_and_is_audited() {
    let world = World::new(2).await;
    world.label("rig1", "site", "attic").await;
    let name: MinerName = "rig0".parse().unwrap();
    let events = Events::open(world.store.clone()).await.unwrap();
    world.registry.quarantine(&world.store, &events, &name, "it was used twice", &owner()).await.unwrap();
    let miners = world.registry.all();
    let addresses = miners.iter().map(|(name, miner)| {
        let labels = [("site".to_owned(), "new".to_owned()), ("rack".to_owned(), "1".to_owned())].into();
        (name.clone(), MinerConfig { address: miner.address.clone().unwrap(), labels })
    });
    let next = Registry::new(&addresses.collect(), Vec::new()).unwrap();
    next.restore(&world.store).await.unwrap();
    let labelled = next.get(&"rig1".parse().unwrap()).unwrap();
    assert_eq!(labelled.labels().get("site").map(String::as_str), Some("attic"));
    assert_eq!(labelled.labels().get("rack").map(String::as_str), Some("1"));
    let doubted = next.get(&name).unwrap();
    assert_eq!(doubted.quarantine().as_deref(), Some("it was used twice"));
    next.release(&world.store, &name, &owner()).await.unwrap();
    assert_eq!(doubted.quarantine(), None);
    assert!(matches!(next.release(&world.store, &name, &owner()).await, Err(MarkError::NotInQuarantine(_))));
    let records = world.store.audit_after(0, 10).await.unwrap();
    let targets: Vec<_> = records.iter().map(|record| record.target.as_str()).collect();
    assert_eq!(targets, ["rig1", "rig0", "rig0"]);
    assert!(records.iter().all(|record| record.diff != "null"));
}

#[tokio::test]
async fn miner_that_enrolled_is_forgotten_and_one_of_the_configuration_is_not() {
    let world = World::new(1).await;
    let name: MinerName = "home1".parse().unwrap();
    assert!(world.registry.enrolled(&name, [("site".to_owned(), "a".to_owned())].into(), None));
    let (first, reader) = world.follow(owner(), "", "").next().await.unwrap();
    assert_eq!(names(&first), ["home1", "rig0"]);
    world.registry.remove(&world.store, &name, &owner()).await.unwrap();
    assert!(world.registry.get(&name).is_none());
    assert_eq!(reader.next().await.unwrap().0.removed, ["home1"]);
    let configured = world.registry.remove(&world.store, &"rig0".parse().unwrap(), &owner()).await;
    assert!(matches!(configured, Err(MarkError::Configured(_))));
    let again = world.registry.remove(&world.store, &name, &owner()).await;
    assert!(matches!(again, Err(MarkError::UnknownMiner(_))));
}
