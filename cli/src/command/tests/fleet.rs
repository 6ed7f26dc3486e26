//! Fleets: miners that are selected, plans that are agreed to, profiles, rollouts, operations.

use super::World;
use crate::{Environment, exit};
use mujina_proto::control::v1::{RolloutState, SyncState, rollout_change::Change};
use std::io::Cursor;

const PROFILE: &str = "{kind: Profile, name: north, selector: site=north, spec: {paused: true}}";

fn three() -> [&'static str; 3] {
    ["rig1", "rig2", "rig3"]
}

/// A terminal at which somebody types this.
fn typing(world: &World, text: &'static str) -> Environment {
    Environment { interactive: true, stdin: Box::new(Cursor::new(text)), ..world.environment() }
}

#[tokio::test]
async fn miners_are_listed_by_selector_and_filter_and_wide() {
    let world = World::of_control(&three()).await;
    let wide = world.answer("miner list -l site=north --filter hashrate_1h.ratio<0.9 -o wide").await;
    assert!(wide.contains("LABELS") && wide.contains("site=north") && wide.contains("unix:///run/rig3.sock"), "{wide}");
    let asked = world.control.state().listed.clone().unwrap();
    assert_eq!(asked, ("site=north".into(), "hashrate_1h.ratio<0.9".into()));
    assert_eq!(world.answer("miner list -l site=nowhere").await, "no miner is selected\n");
    assert_eq!(world.json("miner list").await["miners"].as_array().unwrap().len(), 3);
    let alone = World::of_miner().await;
    assert_eq!(alone.run("miner list -l site=north").await.code, exit::USAGE);
}

#[tokio::test]
async fn what_is_kept_of_miners_is_changed_by_name_and_by_selector() {
    let world = World::of_control(&three()).await;
    assert_eq!(world.answer("miner label rig1 site=south rack-").await, "labelled rig1\n");
    let labelled = world.control.state().labelled.clone().unwrap();
    assert_eq!((labelled.set["site"].as_str(), labelled.remove), ("south", vec!["rack".to_owned()]));
    let ran = world.run("miner label -l site=north zone=7").await;
    assert_eq!((ran.code, ran.out.as_str()), (exit::USAGE, ""));
    assert!(ran.err.contains("2 miners: rig1, rig2") && ran.err.contains("--yes"), "{}", ran.err);
    assert_eq!(world.answer("miner label -l site=north zone=7 --yes").await, "labelled 2 miners: rig1, rig2\n");
    for wrong in ["miner label rig1", "miner label site=a", "miner label rig1 -l a=b c=d", "miner label Rig1 a=b"] {
        assert_eq!(world.run(wrong).await.code, exit::USAGE, "{wrong}");
    }
    assert!(world.answer("miner remove rig1").await.contains("certificates are revoked"));
    assert_eq!(world.run("miner remove rig9").await.code, exit::NOT_FOUND);
    assert!(world.answer("miner release rig1").await.contains("out of quarantine"));
    assert!(world.answer("miner summary").await.contains("hash rate 2.00 TH/s, 1 faults"));
}

#[tokio::test]
async fn change_of_several_miners_is_shown_and_asked_about() {
    let world = World::of_control(&three()).await;
    let path = world.file("north.yaml", PROFILE);
    let ran = world.run(&format!("apply -f {path}")).await;
    assert_eq!((ran.code, ran.out.as_str()), (exit::USAGE, ""), "{}", ran.err);
    insta::assert_snapshot!("plan_that_nobody_agreed_to", ran.err);
    let ran = world.run_in(typing(&world, "n\n"), &format!("apply -f {path}")).await;
    assert_eq!(ran.code, exit::FAILURE);
    assert!(ran.err.contains("this changes 3 miners. Go on? [y/N]"), "{}", ran.err);
    assert_eq!(world.control.state().asked, ["check profile", "check profile"]);
    let ran = world.run_in(typing(&world, "y\n"), &format!("apply -f {path}")).await;
    assert_eq!(ran.code, exit::OK, "{}", ran.err);
    assert_eq!(world.control.state().asked.last().unwrap(), "apply profile");
    let told = world.json(&format!("apply -f {path} --yes")).await;
    assert_eq!(told["documents"][0]["answer"]["effects"][2]["miner"], "rig3");
    assert!(world.answer(&format!("diff -f {path}")).await.contains("2 miners: rig1, rig2"));
    assert!(world.answer(&format!("profile apply -f {path} --dry-run")).await.ends_with("(dry run)\n"));
    let wrong = world.file("wrong.yaml", "kind: Profile\nnaem: x");
    let ran = world.run(&format!("apply -f {wrong}")).await;
    assert_eq!(ran.code, exit::USAGE);
    assert!(ran.err.contains("document 1: naem: is not known"), "{}", ran.err);
}

#[tokio::test]
async fn documents_that_were_stored_before_one_that_failed_are_told() {
    let world = World::of_control(&["rig1"]).await;
    let profile =
        |name: &str| format!("---\n{{kind: Profile, name: {name}, selector: site=a, spec: {{paused: true}}}}\n");
    let path = world.file("all.yaml", &["a", "b", "c"].map(profile).concat());
    world.control.state().refused = Some("b");
    let ran = world.run(&format!("apply -f {path}")).await;
    assert_eq!((ran.code, ran.out.starts_with("profile a\n")), (exit::PARTIAL, true), "{}", ran.out);
    assert!(!ran.out.contains("profile b"), "{}", ran.out);
    insta::assert_snapshot!(ran.err, @r"
    error: cannot apply the profile b: 1 field is refused; stored before it: profile a; not tried: profile c
      profile.selector: selects too much
    hint: correct the cause and apply all of it again: what is stored already does not change by that
    ");
    let told: serde_json::Value =
        serde_json::from_str(&world.run(&format!("apply -f {path} -o json")).await.err).unwrap();
    assert_eq!((&told["error"]["exitCode"], &told["error"]["code"]), (&3.into(), &"INVALID_ARGUMENT".into()));
    // What fails first has changed nothing.
    world.control.state().refused = Some("a");
    let ran = world.run(&format!("apply -f {path}")).await;
    assert_eq!(ran.code, exit::USAGE);
    assert!(ran.err.contains("hint: nothing was changed"), "{}", ran.err);
}

#[tokio::test]
async fn wait_that_ends_early_names_the_miners_that_have_not_followed() {
    let world = World::of_control(&["rig1"]).await;
    let path = world.file("north.yaml", PROFILE);
    {
        let mut state = world.control.state();
        (state.desired, state.sync) = (true, SyncState::Unreachable);
    }
    let ran = world.run(&format!("apply -f {path} --wait --timeout 500ms")).await;
    assert_eq!(ran.code, exit::DEADLINE, "{}", ran.err);
    assert!(ran.err.contains("not followed yet: rig1 (unreachable)"), "{}", ran.err);
    world.control.state().sync = SyncState::Overridden;
    let ran = world.run(&format!("apply -f {path} --wait")).await;
    assert_eq!(ran.code, exit::FAILURE, "{}", ran.err);
    assert!(ran.err.contains("rig1: overridden until 2026-09-21 16:43:20Z"), "{}", ran.err);
}

#[tokio::test]
async fn profiles_are_shown_as_they_are_written() {
    let world = World::of_control(&["rig1"]).await;
    let mut said = String::new();
    for line in ["profile list", "profile get north", "profile resolve rig1", "profile delete north --dry-run"] {
        said.push_str(&format!("$ {line}\n{}", world.answer(line).await));
    }
    insta::assert_snapshot!("profiles", said);
    assert!(world.answer("profile delete north").await.contains("is deleted"));
    assert_eq!(world.control.state().asked.last().unwrap(), "delete profile");
    assert!(world.answer("profile clear-override rig1").await.contains("profiles count"));
    let path = world.file("again.yaml", &world.answer("profile get north").await);
    assert_eq!(world.run(&format!("apply -f {path} --yes")).await.code, exit::OK);
}

#[tokio::test]
async fn rollout_that_is_taken_back_has_an_exit_code_of_its_own() {
    let world = World::of_control(&three()).await;
    let path = world.file("north.yaml", PROFILE);
    world.control.state().rollout_ends = RolloutState::RolledBack;
    let line =
        format!("rollout start -f {path} --waves 1,100% --canary rack=7 --soak 30s --on-failure rollback --yes --wait");
    let ran = world.run(&line).await;
    assert_eq!(ran.code, exit::ROLLOUT);
    insta::assert_snapshot!("rollout_that_is_taken_back", format!("{}---\n{}", ran.out, ran.err));
    let planned = world.control.state().planned.clone().unwrap();
    let strategy = planned.strategy.unwrap();
    assert_eq!(
        (strategy.waves.as_slice(), strategy.canary.as_str()),
        (["1".to_owned(), "100%".to_owned()].as_slice(), "rack=7")
    );
    assert!(matches!(planned.change.unwrap().change, Some(Change::Profile(profile)) if profile.name == "north"));
    world.control.state().rollout_ends = RolloutState::Succeeded;
    let ran = world.run("rollout watch ro-1").await;
    assert_eq!((ran.code, ran.err.as_str()), (exit::OK, ""));
    world.control.state().rollout_ends = RolloutState::Paused;
    let ran = world.run("rollout start ro-1 --yes --wait").await;
    assert_eq!(ran.code, exit::ROLLOUT);
    assert!(ran.err.contains("the rollout ro-1 is paused: rejects rose"), "{}", ran.err);
}

#[tokio::test]
async fn rollouts_are_planned_listed_and_steered() {
    let world = World::of_control(&three()).await;
    let fragment = world.file("part.yaml", "spec: {paused: false}");
    let mut said = String::new();
    for line in [
        "rollout list",
        "rollout show ro-1",
        "rollout pause ro-1",
        "rollout resume ro-1 --accept-wave --yes",
        "rollout abort ro-1 --reason noise",
        "rollout rollback ro-1 --yes",
    ] {
        said.push_str(&format!("$ {line}\n{}", world.answer(line).await));
    }
    insta::assert_snapshot!("rollouts", said);
    assert!(world.answer(&format!("rollout plan -f {fragment} -l site=north")).await.contains("wave 1 of 2"));
    for (line, why) in [
        (format!("rollout plan -f {fragment}"), "for which miners?"),
        (format!("rollout plan -f {} --all", world.file("north.yaml", PROFILE)), "a profile says itself"),
        ("rollout start ro-1".into(), "--yes"),
        ("rollout resume ro-1".into(), "this changes 3 miners"),
        ("rollout rollback ro-1".into(), "this changes 3 miners"),
        ("rollout start ro-1 --approvals 1".into(), "cannot be used with"),
        (format!("rollout plan -f {fragment} --all --approvals 6"), "--approvals"),
        ("rollout start".into(), "required"),
    ] {
        let ran = world.run(&line).await;
        assert_eq!(ran.code, exit::USAGE, "{line}");
        assert!(ran.err.contains(why), "{line}: {}", ran.err);
    }
}

#[tokio::test]
async fn operations_run_on_selections_after_their_plan_is_agreed_to() {
    let world = World::of_control(&three()).await;
    let ran = world.run("op run pause --all --ramp 5kW").await;
    assert_eq!(ran.code, exit::USAGE);
    assert!(ran.err.starts_with("pause 3 miners: rig1, rig2, rig3; the last of them after 2.0 s\n"), "{}", ran.err);
    assert!(world.control.state().started.is_none());
    let ran = world.run_in(typing(&world, "yes\n"), "op run restart -l site=north --detach").await;
    assert_eq!(ran.code, exit::OK, "{}", ran.err);
    assert_eq!(world.control.state().started.clone().unwrap().miners, ["rig1", "rig2"]);
    world.control.state().failing.insert("rig2");
    let ran = world.run("op run test-pool rig1 rig2 --pool primary --yes").await;
    assert_eq!(ran.code, exit::PARTIAL, "{}", ran.err);
    assert!(ran.err.contains("of 2 miners 1 ok, 1 failed, 0 skipped, 0 in flight"), "{}", ran.err);
    let mut said = String::new();
    for line in ["op list", "op show op-1", "op cancel op-1", "op retry op-1 --detach"] {
        said.push_str(&format!("$ {line}\n{}", world.answer(line).await));
    }
    insta::assert_snapshot!("operations", said);
    assert_eq!(world.run("op watch op-1").await.code, exit::OK);
    world.control.state().failing.extend(["rig1", "rig2"]);
    let ran = world.run("op retry op-1").await;
    assert_eq!(ran.code, exit::USAGE);
    assert!(ran.err.starts_with("try again on 2 miners: rig1, rig2\n") && ran.err.contains("--yes"), "{}", ran.err);
    assert_eq!(world.run("op retry op-1 --yes").await.code, exit::OK);
    assert_eq!(world.answer("op bundle op-1 rig1").await, "{\"miner\":\"rig1\"}\n");
    let to = world.path("bundle.json");
    world.answer(&format!("op bundle op-1 rig2 --to {}", to.display())).await;
    assert_eq!(std::fs::read_to_string(to).unwrap(), "{\"miner\":\"rig2\"}\n");
    assert_eq!(world.run("op run self-test rig1 --all").await.code, exit::USAGE);
    assert_eq!(World::of_miner().await.run("op run reconnect").await.code, exit::USAGE);
}

#[tokio::test]
async fn interrupted_command_says_how_to_come_back() {
    let world = World::of_control(&["rig1"]).await;
    world.control.state().rollout_ends = RolloutState::Running;
    let environment = world.environment();
    let interrupt = environment.interrupt.clone();
    let control = world.control.clone();
    let (ran, ()) = tokio::join!(world.run_in(environment, "rollout start ro-1 --wait"), async move {
        while control.state().asked.last().is_none_or(|call| call != "watch rollout") {
            tokio::task::yield_now().await;
        }
        interrupt.cancel();
    });
    assert_eq!(ran.code, exit::INTERRUPTED);
    assert!(ran.err.contains("come back with `mujinactl rollout watch ro-1`"), "{}", ran.err);
}

#[tokio::test]
async fn plan_that_takes_approvals_says_who_must_do_what() {
    let world = World::of_control(&three()).await;
    let path = world.file("north.yaml", PROFILE);
    let ran = world.run(&format!("rollout plan -f {path} --approvals 2")).await;
    assert_eq!(ran.code, exit::OK, "{}", ran.err);
    assert!(ran.out.contains("approvals 0 of 2\n"), "{}", ran.out);
    let next = "it lacks 2 of its 2 approvals: people other than operator:alice give them with `mujinactl rollout approve ro-1`";
    assert!(ran.err.contains(next) || ran.out.contains(next), "{}{}", ran.out, ran.err);
    let ran = world.run(&format!("rollout start -f {path} --approvals 2 --yes")).await;
    assert_eq!(ran.code, exit::OK, "{}", ran.err);
    assert!(ran.err.contains(next) || ran.out.contains(next), "{}{}", ran.out, ran.err);
    assert!(world.control.state().asked.iter().all(|call| call != "start rollout"), "it waits for its approvals");
    let ran = world.run("rollout approve ro-1").await;
    assert_eq!(ran.code, exit::OK, "{}", ran.err);
    assert!(ran.out.contains("rollout ro-1: planned (1 of 2 approved)"), "{}", ran.out);
    assert_eq!(world.control.state().asked.last().unwrap(), "approve rollout");
    let ran = world.run(&format!("rollout start -f {path} --yes")).await;
    assert_eq!(ran.code, exit::OK, "{}", ran.err);
    assert_eq!(world.control.state().asked.last().unwrap(), "start rollout");
}

#[tokio::test]
async fn command_that_is_interrupted_while_it_starts_a_rollout_says_that_it_may_have_started() {
    let world = World::of_control(&["rig1"]).await;
    world.control.state().start_hangs = true;
    let environment = world.environment();
    let interrupt = environment.interrupt.clone();
    let control = world.control.clone();
    let (ran, ()) = tokio::join!(world.run_in(environment, "rollout start ro-1"), async move {
        while control.state().asked.last().is_none_or(|call| call != "start rollout") {
            tokio::task::yield_now().await;
        }
        interrupt.cancel();
    });
    assert_eq!(ran.code, exit::INTERRUPTED);
    assert!(ran.err.contains("rollout ro-1 may have been started; see `mujinactl rollout list`"), "{}", ran.err);
}
