use super::*;
use crate::{access::Binding, audit::Outcome};
use std::time::UNIX_EPOCH;

fn entry(i: usize) -> Entry {
    Entry::new("owner", "unix", "a.S/M", Outcome::Done).target(format!("rig{}", i % 2)).diff(serde_json::json!([i]))
}

async fn fill(store: &Store, count: usize) -> Vec<Record> {
    let mut records = Vec::new();
    for i in 0..count {
        records.push(store.append_audit(entry(i)).await.unwrap());
    }
    records
}

/// Does to the database what only its owner can: without the guard.
async fn tamper(store: &Store, sql: &'static str) {
    for drop in ["update", "delete"] {
        let sql = format!("DROP TRIGGER IF EXISTS audit_is_never_{drop}d");
        sqlx::query(sqlx::AssertSqlSafe(sql)).execute(&store.writer).await.unwrap();
    }
    sqlx::query(sql).execute(&store.writer).await.unwrap();
}

fn broken(sequence: u64, what: Fault) -> Result<Head, Broken> {
    Err(Broken { sequence, what })
}

#[tokio::test]
async fn log_comes_back_as_it_was_appended_and_verifies_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let (store, lock) = Store::open(folder.path()).await.unwrap();
    let records = fill(&store, PAGE + 3).await;
    store.close().await;
    drop((store, lock));
    let (store, _lock) = Store::open(folder.path()).await.unwrap();
    let end = records.last().unwrap().head();
    assert_eq!(store.verify_audit(None).await.unwrap(), Ok(end));
    assert_eq!(store.verify_audit(Some(records[9].head())).await.unwrap(), Ok(end));
    assert_eq!(store.audit_after(2, 3).await.unwrap(), records[2..5]);
    let newest: Vec<_> =
        store.audit_before(None, Some("rig1"), 2).await.unwrap().iter().map(|one| one.sequence).collect();
    assert_eq!(newest, [502, 500]);
    assert_eq!(store.audit_before(Some(2), None, 9).await.unwrap(), records[..1]);
    assert_eq!(store.audit_record(7).await.unwrap().as_ref(), Some(&records[6]));
    store.close().await;
}

#[tokio::test]
async fn record_is_there_if_and_only_if_its_change_is() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _lock) = Store::open(folder.path()).await.unwrap();
    let binding = Binding {
        id: "b1".into(),
        subject: "operator:ann".parse().unwrap(),
        role: crate::access::Role::Viewer,
        selector: "site=a".parse().unwrap(),
    };
    for is_committed in [false, true] {
        let mut write = store.write().await.unwrap();
        assert!(write.insert_binding(&binding, "owner", UNIX_EPOCH).await.unwrap());
        write.append_audit(entry(0)).await.unwrap();
        if is_committed {
            write.commit().await.unwrap();
        } else {
            drop(write);
        }
        let found = (store.bindings().await.unwrap().len(), store.audit_after(0, 9).await.unwrap().len());
        assert_eq!(found, if is_committed { (1, 1) } else { (0, 0) });
    }
    assert!(store.verify_audit(None).await.unwrap().is_ok());
    store.close().await;
}

#[tokio::test]
async fn database_refuses_to_change_the_log() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _lock) = Store::open(folder.path()).await.unwrap();
    let records = fill(&store, 2).await;
    for sql in [
        "UPDATE audit SET who = 'x' WHERE sequence = 1",
        "DELETE FROM audit",
        "INSERT OR REPLACE INTO audit SELECT * FROM audit WHERE sequence = 1",
    ] {
        let error = sqlx::query(sql).execute(&store.writer).await.unwrap_err();
        assert!(error.to_string().contains("append-only"), "{sql}: {error}");
    }
    assert_eq!(store.audit_after(0, 9).await.unwrap(), records);
    store.close().await;
}

#[tokio::test]
async fn first_record_that_somebody_changed_behind_the_guard_is_found() {
    for (sql, sequence, what) in [
        ("UPDATE audit SET who = 'operator:bob' WHERE sequence = 3", 3, Fault::Altered),
        ("UPDATE audit SET at = at + 1 WHERE sequence = 3", 3, Fault::Altered),
        ("DELETE FROM audit WHERE sequence = 3", 3, Fault::Missing { found: 4 }),
        ("UPDATE audit SET sequence = -sequence WHERE sequence = 1", 1, Fault::Missing { found: 2 }),
        ("DELETE FROM audit WHERE sequence > 3", 4, Fault::CutOff),
        ("DELETE FROM audit", 1, Fault::CutOff),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let (store, _lock) = Store::open(folder.path()).await.unwrap();
        fill(&store, 5).await;
        tamper(&store, sql).await;
        assert_eq!(store.verify_audit(None).await.unwrap(), broken(sequence, what), "{sql}");
        store.close().await;
    }
}

#[tokio::test]
async fn cut_end_shows_even_after_more_was_appended() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _lock) = Store::open(folder.path()).await.unwrap();
    let records = fill(&store, 4).await;
    tamper(&store, "DELETE FROM audit WHERE sequence >= 3").await;
    assert_eq!(store.append_audit(entry(9)).await.unwrap().sequence, 5);
    assert_eq!(store.verify_audit(None).await.unwrap(), broken(3, Fault::Missing { found: 5 }));
    // With the memory of the database cut as well, an end that was noted elsewhere still tells.
    tamper(&store, "DELETE FROM audit WHERE sequence >= 3").await;
    tamper(&store, "UPDATE sqlite_sequence SET seq = 2 WHERE name = 'audit'").await;
    assert!(store.verify_audit(None).await.unwrap().is_ok());
    assert_eq!(store.verify_audit(Some(records[3].head())).await.unwrap(), broken(4, Fault::CutOff));
    fill(&store, 2).await;
    assert_eq!(store.verify_audit(Some(records[3].head())).await.unwrap(), broken(4, Fault::Altered));
    store.close().await;
}
