//! Who may do what: enrolment, roles, tokens, the audit log; and what happened.

use super::World;
use crate::exit;

#[tokio::test]
async fn miners_come_in_by_tokens_and_by_a_persons_word() {
    let world = World::of_control(&["rig1"]).await;
    let mut said = String::new();
    for line in [
        "enroll token create --ttl 1h --uses 3 --label site=north --approval",
        "enroll token list",
        "enroll list",
        "enroll certificates",
    ] {
        said.push_str(&format!("$ {line}\n{}", world.answer(line).await));
    }
    insta::assert_snapshot!("enrolment", said);
    for line in [
        "enroll token revoke 0123",
        "enroll approve 2",
        "enroll refuse 2 --reason unknown",
        "enroll revoke --miner rig1",
        "enroll revoke --operator bob",
        "enroll revoke --serial 0a",
    ] {
        world.answer(line).await;
    }
    insta::assert_snapshot!("enrolment_calls", world.control.state().asked.join("\n"));
    assert_eq!(world.json("enroll list --pending").await["enrollments"].as_array().unwrap().len(), 1);
    for wrong in ["enroll revoke", "enroll revoke --miner a --operator b", "enroll token create --label x"] {
        assert_eq!(world.run(wrong).await.code, exit::USAGE, "{wrong}");
    }
}

#[tokio::test]
async fn roles_tokens_and_the_payout_list_are_kept() {
    let world = World::of_control(&["rig1"]).await;
    let mut said = String::new();
    for line in [
        "access binding list",
        "access binding add operator:bob viewer -l site=north",
        "access binding remove b1",
        "access token create bob --ttl 12h",
        "access token list",
        "access token revoke ff",
        "access payout show",
        "access payout propose --turn-off",
        "access payout approve p1",
        "access payout reject p1",
        "auth whoami",
        "auth can-i pause --miner rig1",
    ] {
        said.push_str(&format!("$ {line}\n{}", world.answer(line).await));
    }
    insta::assert_snapshot!("access", said);
    let list = world.file("list.yaml", "entries: [{url: u, user: alice.*}]");
    assert_eq!(world.answer(&format!("access payout propose -f {list}")).await, "the list is in force\n");
    assert_eq!(world.run("access payout propose").await.code, exit::USAGE);
    let ran = world.run("auth can-i payout").await;
    assert_eq!((ran.code, ran.err.as_str()), (exit::AUTH, "error: no: ask an admin\n"));
}

#[tokio::test]
async fn audit_log_is_read_verified_and_exported() {
    let world = World::of_control(&["rig1"]).await;
    let mut said = String::new();
    for line in ["audit list", "audit list -o wide", "audit verify", "audit export"] {
        said.push_str(&format!("$ {line}\n{}", world.answer(line).await));
    }
    insta::assert_snapshot!("audit", said);
    // The pages of a list are joined as far as they are wanted.
    let newest = world.answer("audit list -n 1 -o json").await;
    assert!(newest.contains("denied") && !newest.contains("done"), "{newest}");
    let to = world.path("audit.jsonl");
    let told = world.answer(&format!("audit export --after 1 --to {}", to.display())).await;
    assert!(told.starts_with("1 records are in"), "{told}");
    assert_eq!(std::fs::read_to_string(to).unwrap().lines().count(), 1);
    world.control.state().tampered = true;
    let ran = world.run("audit verify").await;
    assert_eq!(ran.code, exit::FAILURE);
    assert!(ran.err.contains("the audit log is not intact: record 2 does not follow record 1"), "{}", ran.err);
    assert_eq!(world.run("audit verify --after 3").await.code, exit::USAGE);
}

#[tokio::test]
async fn events_and_figures_are_shown_and_exported() {
    let world = World::of_control(&["rig1", "rig2"]).await;
    let mut said = String::new();
    for line in ["event list", "stats query -l site=north --step 1m --since 1h --group-by label:site", "stats export"] {
        said.push_str(&format!("$ {line}\n{}", world.answer(line).await));
    }
    insta::assert_snapshot!("figures", said);
    let ran = world.run("event watch").await;
    assert_eq!(ran.code, exit::UNREACHABLE, "{}", ran.err);
    assert_eq!(ran.out.lines().count(), 3, "{}", ran.out);
    let to = world.path("rows.parquet");
    world.answer(&format!("stats export --format parquet --to {}", to.display())).await;
    assert_eq!(std::fs::read(to).unwrap(), b"PAR1\xff");
    assert_eq!(world.run("stats query --since 1h --until 2h").await.code, exit::USAGE);
}
