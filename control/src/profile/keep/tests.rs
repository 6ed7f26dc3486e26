use super::*;
use crate::config::MinerConfig;
use mujina_core::spec::{BoardTuningDraft, TuningModeDraft};

fn paused(paused: bool) -> Fragment {
    Fragment { paused: Some(paused), ..Fragment::default() }
}

/// Miners rig1 at site a and rig2 at site b, which nobody dials.
async fn world(folder: &std::path::Path) -> (Profiles, Store, crate::store::FolderLock) {
    let (store, lock) = Store::open(folder).await.unwrap();
    let miner = |site: &str| MinerConfig {
        address: "unix:/nonexistent/mujina.sock".parse().unwrap(),
        labels: [("site".to_owned(), site.to_owned())].into(),
    };
    let miners = [("rig1".parse().unwrap(), miner("a")), ("rig2".parse().unwrap(), miner("b"))].into();
    let registry = Registry::new(&miners, Vec::new()).unwrap();
    let events = Events::open(store.clone()).await.unwrap();
    (Profiles::new(store.clone(), registry, events), store, lock)
}

fn put(name: &str, selector: &str, priority: i32, fragment: Fragment) -> ProfileRequest {
    let content = Some((selector.parse().unwrap(), priority, fragment));
    let by = Caller::itself("test", "test");
    let (etag, key) = (String::new(), RequestKey::none());
    ProfileRequest { name: name.parse().unwrap(), content, etag, key, validate_only: false, by }
}

#[tokio::test]
async fn write_tells_whom_it_affects_and_a_check_stores_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (profiles, store, _lock) = world(folder.path()).await;
    let request = put("night", "site=a", 1, paused(true));
    let checked = profiles.write(ProfileRequest { validate_only: true, ..request.clone() }).await.unwrap();
    assert_eq!(profiles.list().await.unwrap(), []);
    let written = profiles.write(request).await.unwrap();
    assert_eq!(checked.affected, written.affected);
    let affected: Vec<_> = written.affected.iter().map(|one| one.miner.as_str()).collect();
    assert_eq!((affected, written.affected[0].changes[0].path.as_str()), (vec!["rig1"], "paused"));
    assert_eq!(profiles.list().await.unwrap(), [written.profile.unwrap()]);
    let resolved = profiles.resolved(&"rig1".parse().unwrap()).await.unwrap().resolved.unwrap();
    assert_eq!(resolved.provenance["paused"].to_string(), "profile night");
    store.close().await;
}

#[tokio::test]
async fn write_over_a_profile_that_somebody_else_changed_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (profiles, store, _lock) = world(folder.path()).await;
    let fresh = ProfileRequest { etag: "none".into(), ..put("night", "", 1, paused(true)) };
    let first = profiles.write(fresh.clone()).await.unwrap().profile.unwrap();
    // A second one that believes it is the first.
    let error = profiles.write(fresh).await.unwrap_err();
    assert!(matches!(&error, ProfileError::EtagMismatch { current } if *current == first.etag), "{error:?}");
    let second = ProfileRequest { etag: first.etag.clone(), ..put("night", "", 1, paused(false)) };
    let second = profiles.write(second).await.unwrap().profile.unwrap();
    let delete = ProfileRequest { content: None, etag: first.etag, ..put("night", "", 1, paused(true)) };
    assert!(matches!(profiles.write(delete.clone()).await, Err(ProfileError::EtagMismatch { .. })));
    let gone = profiles.write(ProfileRequest { etag: second.etag, ..delete.clone() }).await.unwrap();
    assert_eq!((gone.profile, &gone.affected[0].let_go[..]), (None, &["paused".to_owned()][..]));
    let again = ProfileRequest { etag: String::new(), ..delete };
    assert!(matches!(profiles.write(again).await, Err(ProfileError::Unknown(_))));
    store.close().await;
}

#[tokio::test]
async fn write_that_leaves_a_miner_without_an_answer_is_refused_whole() {
    let folder = tempfile::tempdir().unwrap();
    let (profiles, store, _lock) = world(folder.path()).await;
    profiles.write(put("night", "site=a", 1, paused(true))).await.unwrap();
    let error = profiles.write(put("day", "", 1, paused(false))).await.unwrap_err();
    assert!(error.to_string().starts_with("for miner rig1: profiles day and night both say paused"), "{error}");
    let tuning = BoardTuningDraft { mode: TuningModeDraft::Power(-5.0), ..BoardTuningDraft::default() };
    let tuning = super::super::TuningFragment { mode: Some(tuning.mode), ..Default::default() };
    let bad = Fragment { boards: [("cpu".to_owned(), tuning)].into(), ..Fragment::default() };
    let error = profiles.write(put("power", "site=nowhere", 9, bad.clone())).await.unwrap_err();
    assert!(matches!(&error, ProfileError::Invalid(problems) if problems.0[0].field == "boards[cpu].power_watts"));
    assert_eq!(profiles.list().await.unwrap().len(), 1);
    store.close().await;
}

#[tokio::test]
async fn override_of_one_miner_counts_before_profiles_until_it_is_cleared() {
    let folder = tempfile::tempdir().unwrap();
    let (profiles, store, _lock) = world(folder.path()).await;
    profiles.write(put("night", "site=a", 1, paused(true))).await.unwrap();
    let rig1: MinerName = "rig1".parse().unwrap();
    let resolved = async || profiles.resolved(&rig1).await.unwrap().resolved.unwrap();
    let mut write = store.write().await.unwrap();
    write.put_own_fragment(&rig1, &paused(false)).await.unwrap();
    write.commit().await.unwrap();
    assert_eq!(resolved().await.provenance["paused"].to_string(), "the miner's own override");
    let by = || Caller::itself("test", "test");
    // Nobody knows yet what the miner does, so that nothing can be stored for it.
    let early = profiles.clear_override(rig1.clone(), false, by()).await;
    assert!(matches!(early, Err(ProfileError::Spec(SpecError::NeverSeen(_)))), "{early:?}");
    let nobody = profiles.clear_override("rig9".parse().unwrap(), false, by()).await;
    assert!(matches!(nobody, Err(ProfileError::UnknownMiner(_))));
    store.close().await;
}

#[tokio::test]
async fn repeated_write_is_answered_as_the_first_and_passwords_are_kept_for_the_same_pool() {
    let folder = tempfile::tempdir().unwrap();
    let (profiles, store, _lock) = world(folder.path()).await;
    let pools = |password: Option<&str>, url: &str| {
        let pool = mujina_core::spec::PoolDraft {
            name: "a".into(),
            url: url.into(),
            user: "alice".into(),
            password: password.map(Into::into),
            ..Default::default()
        };
        let strategy = Some(mujina_core::pool::PoolStrategy::Failover);
        let group = mujina_core::spec::GroupDraft { name: "main".into(), strategy, pools: vec![pool] };
        Fragment { pool_groups: Some(vec![group]), ..Fragment::default() }
    };
    let (url, other) = ("stratum+tcp://pool.example", "stratum+tcp://other.example");
    let first = ProfileRequest { key: RequestKey::own("r1"), ..put("base", "", 1, pools(Some("x"), url)) };
    let first_outcome = profiles.write(first.clone()).await.unwrap();
    profiles.write(put("base", "", 2, pools(None, url))).await.unwrap();
    let known = |all: Vec<Profile>| all[0].fragment.pool_groups.clone().unwrap()[0].pools[0].password.clone();
    assert_eq!(known(profiles.list().await.unwrap()), Some("x".into()));
    assert_eq!(profiles.write(first).await.unwrap(), first_outcome);
    assert_eq!(profiles.list().await.unwrap()[0].priority, 2, "the repeat did nothing");
    profiles.write(put("base", "", 2, pools(None, other))).await.unwrap();
    assert_eq!(known(profiles.list().await.unwrap()), None);
    let log = store.audit_before(None, Some("profile base"), 10).await.unwrap();
    assert_eq!(log.len(), 3);
    assert!(!format!("{log:?}").contains("\"x\""));
    store.close().await;
}

#[tokio::test]
async fn profile_is_stored_with_what_follows_for_a_thousand_miners() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _lock) = Store::open(folder.path()).await.unwrap();
    let miner = |number: usize| {
        let address = "unix:/nonexistent/mujina.sock".parse().unwrap();
        let labels = [("site".to_owned(), "a".to_owned())].into();
        (format!("rig{number}").parse::<MinerName>().unwrap(), MinerConfig { address, labels })
    };
    let miners: std::collections::BTreeMap<_, _> = (0..1000).map(miner).collect();
    let mut write = store.write().await.unwrap();
    let mut new = Vec::new();
    for name in miners.keys() {
        let wanted = crate::spec::WantedSpec::default();
        let (claim, base) = (crate::spec::Claim::TakesOver, crate::spec::Base::default());
        let checked = crate::spec::Checked {
            miner: name,
            latest: None,
            base,
            wanted,
            changes: &[],
            confirm_within: None,
            claim,
            rollout: "",
        };
        new.push(crate::spec::new_desired(checked, None));
    }
    crate::spec::store_new(&mut write, &new).await.unwrap();
    write.commit().await.unwrap();
    let registry = Registry::new(&miners, store.all_desired().await.unwrap()).unwrap();
    let events = Events::open(store.clone()).await.unwrap();
    let profiles = Profiles::new(store.clone(), registry.clone(), events);
    let begun = std::time::Instant::now();
    let written = profiles.write(put("night", "site=a", 1, paused(true))).await.unwrap();
    println!("1000 miners in {:?}", begun.elapsed());
    assert_eq!(written.affected.len(), 1000);
    let followed = registry.all().values().all(|miner| {
        miner.desired().is_some_and(|desired| desired.generation == Generation(2) && desired.wanted.spec.paused)
    });
    assert!(followed);
    assert_eq!(store.audit_before(None, None, 10).await.unwrap().len(), 1);
    store.close().await;
}
