use super::*;
use crate::{
    profile::TuningFragment,
    reconcile::{LocalChange, Trial, TrialState},
};
use mujina_core::{
    pool::PoolStrategy,
    spec::{GroupDraft, PoolDraft, TuningModeDraft},
    text::Secret,
};
use std::time::{Duration, UNIX_EPOCH};

/// Everything that a fragment can say, whether it makes sense or not.
pub(crate) fn fragment() -> Fragment {
    let said = PoolDraft {
        name: "main".into(),
        url: "nonsense is kept too".into(),
        user: "alice".into(),
        password: Some(Secret::from("x")),
        nominal_hash_rate_hps: Some(1e12),
        quota: 3,
        options: mujina_core::pool::PoolOptionsDraft { worker_name: "shed".into(), ..Default::default() },
    };
    let silent = PoolDraft { name: "spare".into(), password: None, ..PoolDraft::default() };
    let cleared = PoolDraft { name: "third".into(), password: Some(Secret::from("")), ..PoolDraft::default() };
    let group =
        GroupDraft { name: "main".into(), strategy: Some(PoolStrategy::Quota), pools: vec![said, silent, cleared] };
    let vague = GroupDraft { name: "vague".into(), strategy: None, pools: Vec::new() };
    let tuning = TuningFragment {
        mode: Some(TuningModeDraft::Default),
        soft_limits: [("asic".into(), 60.5)].into(),
        hard_limits: [("asic".into(), 70.0)].into(),
        fan_target: Some(55.0),
    };
    Fragment {
        pool_groups: Some(vec![group, vague]),
        paused: Some(false),
        boards: [("bitaxe-gamma".to_owned(), tuning), ("cpu".to_owned(), TuningFragment::default())].into(),
    }
}

fn profile(priority: i32, fragment: Fragment) -> Profile {
    let (name, selector) = ("base".parse().unwrap(), "site=a,!old".parse().unwrap());
    Profile { name, selector, priority, fragment, etag: String::new(), generation: Generation(0) }
}

#[tokio::test]
async fn profile_reads_back_as_it_was_written_and_every_write_changes_its_etag_and_counts() {
    let folder = tempfile::tempdir().unwrap();
    let (store, lock) = Store::open(folder.path()).await.unwrap();
    let name: ProfileName = "base".parse().unwrap();
    let mut write = store.write().await.unwrap();
    assert_eq!(write.profile_etag(&name).await.unwrap(), NOTHING_STORED);
    let first = write.put_profile(&profile(-5, fragment())).await.unwrap();
    assert_eq!((first.generation, &first.fragment), (Generation(1), &fragment()));
    let second = write.put_profile(&profile(7, Fragment::default())).await.unwrap();
    assert_eq!(second.generation, Generation(2));
    assert_ne!(second.etag, first.etag);
    assert_eq!(write.profile_etag(&name).await.unwrap(), second.etag);
    let third = write.put_profile(&profile(-5, fragment())).await.unwrap();
    write.commit().await.unwrap();
    store.close().await;
    drop((store, lock));
    let (store, _lock) = Store::open(folder.path()).await.unwrap();
    assert_eq!(store.profiles().await.unwrap(), [third]);
    let mut write = store.write().await.unwrap();
    assert!(write.delete_profile(&name).await.unwrap() && !write.delete_profile(&name).await.unwrap());
    // Who knew the old one is not deceived by a new one of the same name.
    assert_eq!(write.put_profile(&profile(0, Fragment::default())).await.unwrap().generation, Generation(4));
    drop(write);
    assert_eq!(store.profiles().await.unwrap().len(), 1);
    store.close().await;
}

#[tokio::test]
async fn wishes_for_single_miners_are_kept_until_nothing_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _lock) = Store::open(folder.path()).await.unwrap();
    let miner: MinerName = "rig1".parse().unwrap();
    let mut write = store.write().await.unwrap();
    let own = write.put_own_fragment(&miner, &fragment()).await.unwrap();
    assert_eq!(write.own_fragment(&miner).await.unwrap().as_ref(), Some(&own));
    write.commit().await.unwrap();
    assert_eq!(store.own_fragments().await.unwrap(), [(miner.clone(), own)].into());
    let mut write = store.write().await.unwrap();
    assert_eq!(write.put_own_fragment(&miner, &Fragment::default()).await.unwrap().etag, NOTHING_STORED);
    write.commit().await.unwrap();
    assert_eq!(store.own_fragments().await.unwrap(), [].into());
    store.close().await;
}

#[tokio::test]
async fn profile_that_this_version_cannot_read_is_an_error_and_not_silence() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _lock) = Store::open(folder.path()).await.unwrap();
    let mut write = store.write().await.unwrap();
    write.put_profile(&profile(0, fragment())).await.unwrap();
    sqlx::query(r#"UPDATE profiles SET fragment = '{"paused":true,"later":1}'"#)
        .execute(&mut *write.transaction)
        .await
        .unwrap();
    write.commit().await.unwrap();
    let error = store.profiles().await.unwrap_err();
    assert!(error.to_string().contains("a fragment of base"), "{error}");
    store.close().await;
}

#[tokio::test]
async fn overrides_and_trials_outlive_the_process() {
    let folder = tempfile::tempdir().unwrap();
    let (store, lock) = Store::open(folder.path()).await.unwrap();
    let miner: MinerName = "rig1".parse().unwrap();
    let seen_at = UNIX_EPOCH + Duration::from_secs(1_790_000_000);
    let local = LocalChange {
        generation: Generation(9),
        seen_at,
        until: seen_at + Duration::from_secs(60),
        yields_to: Some(Generation(4)),
        settled: None,
    };
    let trial = |generation: u64| Trial::new(Generation(generation), Generation(1), Duration::from_secs(60), true);
    let mut write = store.write().await.unwrap();
    write.put_local_change(&miner, Some(&local)).await.unwrap();
    for generation in 2..40 {
        let over = Trial { state: TrialState::Confirmed { at: seen_at }, ..trial(generation) };
        write.put_trials(&[(&miner, &over)]).await.unwrap();
    }
    write.put_trials(&[(&miner, &trial(40))]).await.unwrap();
    write.commit().await.unwrap();
    store.close().await;
    drop((store, lock));
    let (store, _lock) = Store::open(folder.path()).await.unwrap();
    assert_eq!(store.local_changes().await.unwrap(), [(miner.clone(), local)].into());
    assert_eq!(store.open_trials().await.unwrap(), [(miner.clone(), trial(40))]);
    let mut write = store.write().await.unwrap();
    let kept: i64 = sqlx::query("SELECT count(*) FROM trials")
        .fetch_one(&mut *write.transaction)
        .await
        .unwrap()
        .try_get(0)
        .unwrap();
    assert_eq!(kept, 20);
    write.put_local_change(&miner, None).await.unwrap();
    write.put_trials(&[(&miner, &Trial { state: TrialState::Superseded, ..trial(40) })]).await.unwrap();
    write.commit().await.unwrap();
    assert_eq!((store.local_changes().await.unwrap().len(), store.open_trials().await.unwrap().len()), (0, 0));
    store.close().await;
}
