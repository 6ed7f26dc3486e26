//! A disk without space, and a folder that cannot be written: nothing half done, nothing that was answered lost.

use super::{RequestKey, Store, desired, miner};
use crate::store::StoreError;
use std::{fs, os::unix::fs::PermissionsExt};

/// Lets the file grow by so many pages and no more, as a full disk would.
async fn limit(store: &Store, pages: i64) {
    let have: (i64,) = sqlx::query_as("PRAGMA page_count").fetch_one(&store.writer).await.unwrap();
    sqlx::query(sqlx::AssertSqlSafe(format!("PRAGMA max_page_count = {}", have.0 + pages)))
        .execute(&store.writer)
        .await
        .unwrap();
}

async fn store_one(store: &Store, generation: u64) -> Result<(), StoreError> {
    let mut write = store.write().await?;
    write.insert_desired(&[&desired(generation)]).await?;
    write.remember("scope", &RequestKey::own(format!("request-{generation}")), &"x".repeat(20_000)).await?;
    write.commit().await
}

#[tokio::test]
async fn full_disk_refuses_whole_changes_keeps_what_was_stored_and_goes_on_when_there_is_space() {
    let folder = tempfile::tempdir().unwrap();
    let (store, lock) = Store::open(folder.path()).await.unwrap();
    limit(&store, 20).await;
    let mut stored = 0;
    let error = loop {
        match store_one(&store, stored + 1).await {
            Ok(()) => stored += 1,
            Err(error) => break error,
        }
        assert!(stored < 100, "it never fills");
    };
    assert!(stored > 0 && error.to_string().contains("check space"), "{stored}: {error}");
    let newest = |store: Store| async move { store.desired_of(&miner()).await.unwrap().unwrap().generation.0 };
    assert_eq!(newest(store.clone()).await, stored);
    let mut write = store.write().await.unwrap();
    assert!(
        write.answer("scope", &RequestKey::own(format!("request-{}", stored + 1))).await.unwrap().is_none(),
        "half a change"
    );
    drop(write);
    limit(&store, 1000).await;
    store_one(&store, stored + 1).await.unwrap();
    store.close().await;
    drop(lock);
    let (store, _lock) = Store::open(folder.path()).await.unwrap();
    assert_eq!(newest(store.clone()).await, stored + 1);
}

#[tokio::test]
async fn disk_that_becomes_read_only_refuses_whole_changes_is_read_on_and_goes_on_when_it_can_be_written() {
    let folder = tempfile::tempdir().unwrap();
    let (store, lock) = Store::open(folder.path()).await.unwrap();
    store_one(&store, 1).await.unwrap();
    sqlx::query("PRAGMA query_only = 1").execute(&store.writer).await.unwrap();
    for _ in 0..2 {
        let error = store_one(&store, 2).await.unwrap_err();
        assert!(error.to_string().contains("permissions of the state folder"), "{error}");
        assert_eq!(store.desired_of(&miner()).await.unwrap().unwrap().generation.0, 1);
    }
    sqlx::query("PRAGMA query_only = 0").execute(&store.writer).await.unwrap();
    store_one(&store, 2).await.unwrap();
    store.close().await;
    drop(lock);
    let (store, _lock) = Store::open(folder.path()).await.unwrap();
    assert_eq!(store.desired_of(&miner()).await.unwrap().unwrap().generation.0, 2);
}

#[tokio::test]
async fn folder_that_cannot_be_written_is_named() {
    // Root writes where it may not.
    if nix::unistd::geteuid().is_root() {
        let error = Store::open(std::path::Path::new("/proc/mujina")).await.unwrap_err();
        assert!(error.to_string().contains("/proc/mujina"), "{error}");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state");
    fs::create_dir(&state).unwrap();
    fs::set_permissions(&state, fs::Permissions::from_mode(0o500)).unwrap();
    let error = Store::open(&state).await.unwrap_err();
    assert!(error.to_string().contains("check that it can be written"), "{error}");
}
