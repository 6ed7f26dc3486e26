//! Commands that change something.

use super::{World, sample::URL};
use crate::{Phase, ReconnectCall, exit, reconnect};
use mujina_proto::{
    control::v1::{RolloutState, SyncState, operation_action::Action},
    trace::{Telemetry, TelemetrySettings},
};
use std::time::Duration;
use tracing::dispatcher;

#[tokio::test]
async fn pools_are_set_added_and_removed() {
    let world = World::of_miner().await;
    let said = world.answer(&format!("pool set {URL} --user alice")).await;
    insta::assert_snapshot!(said, @r"
    + pool_groups: main
    + pool_groups[main].pools: primary
    + pool_groups[main].pools[primary].url: stratum2+tcp://pool.example/9auqWEzQDVyd2oe1JVGFLMLHZtCo2FFqZwtKA5gd9xbuEu7PH72
    + pool_groups[main].pools[primary].user: alice
    + pool_groups[main].strategy: FAILOVER
    generation 1 is accepted; --wait waits until it is in force
    ");
    world.answer(&format!("pool add {URL} --user bob --first")).await;
    world.answer(&format!("pool add {URL} --user carol --name night --group cheap")).await;
    assert_eq!(world.pools(), ["pool-2", "primary", "night"]);
    world.answer("pool remove primary").await;
    assert_eq!(world.pools(), ["pool-2", "night"]);
    world.answer(&format!("pool set {URL} --user dave -q")).await;
    assert_eq!(world.pools(), ["primary"]);
}

#[tokio::test]
async fn dry_run_says_what_would_change_and_changes_nothing() {
    let world = World::of_miner().await;
    let said = world.answer(&format!("pool set {URL} --user alice --dry-run")).await;
    assert!(said.contains("+ pool_groups[main].pools[primary].user: alice\n"), "{said}");
    assert!(said.ends_with("nothing was changed (dry run)\n"), "{said}");
    assert_eq!(world.pools(), Vec::<String>::new());
}

#[tokio::test]
async fn passwords_come_from_a_file_or_standard_input_and_never_show() {
    let world = World::of_miner().await;
    let stored = || world.miner.state().shelf.spec.pools().next().unwrap().password.clone();
    let said = world.run_with_stdin(&format!("pool set {URL} --user alice --password-stdin"), "hunter2\n").await;
    assert_eq!(said.code, exit::OK, "{}", said.err);
    assert_eq!(stored().unwrap().expose(), "hunter2");
    assert!(!said.out.contains("hunter2") && said.out.contains("password: ***"), "{}", said.out);
    world.answer(&format!("pool set {URL} --user bob")).await;
    assert_eq!(stored().unwrap().expose(), "hunter2", "a password that is not said is kept");
    let file = world.file("password", "hunter3");
    world.answer(&format!("pool set {URL} --user bob --password-file {file}")).await;
    assert_eq!(stored().unwrap().expose(), "hunter3");
    assert!(!world.answer("spec get").await.contains("hunter"));
}

#[tokio::test]
async fn wait_tells_what_happens_until_the_change_is_in_force() {
    let world = World::of_miner().await;
    let ran = world.run(&format!("pool set {URL} --user alice --wait")).await;
    assert_eq!(ran.code, exit::OK);
    assert!(ran.out.ends_with("generation 1 is in force\n"), "{}", ran.out);
    insta::assert_snapshot!(ran.err, @r"
    pool primary is ready, live
    pool spare is backing off: nobody listens; retrying
    ");
}

#[tokio::test]
async fn change_that_somebody_overtook_is_made_once_more() {
    let world = World::of_miner().await;
    world.miner.state().shelf.overtaken = 1;
    world.answer(&format!("pool set {URL} --user alice")).await;
    assert_eq!(world.pools(), ["primary"]);
    world.miner.state().shelf.overtaken = 2;
    let ran = world.run("pool remove primary").await;
    assert_eq!(ran.code, exit::PRECONDITION);
    insta::assert_snapshot!(ran.err, @r"
    error: cannot change the pools of the miner: the spec is another by now; read it again
    hint: somebody else changed it at the same time; look at it and repeat the command
    ");
    assert_eq!(world.pools(), ["primary"]);
}

#[tokio::test]
async fn change_whose_answer_was_lost_is_made_only_once() {
    let miner = World::of_miner().await;
    miner.miner.state().shelf.loses_answer = true;
    let said = miner.answer(&format!("pool set {URL} --user alice")).await;
    assert!(said.contains("user: alice") && said.contains("generation 1 is accepted"), "{said}");
    let control = World::of_control(&["rig1"]).await;
    control.control.state().shelf.loses_answer = true;
    let said = control.answer(&format!("pool set {URL} --user alice")).await;
    assert!(said.contains("user: alice") && said.contains("generation 1 is accepted"), "{said}");
}

#[tokio::test]
async fn spec_that_was_read_can_be_edited_and_applied() {
    let world = World::of_miner().await;
    world.answer(&format!("pool set {URL} --user alice")).await;
    let text = world.answer("spec get").await;
    let file = world.file("spec.yaml", &text.replace("alice", "bob"));
    let difference = world.answer(&format!("spec diff -f {file}")).await;
    insta::assert_snapshot!(difference, @r"
    - pool_groups[main].pools[primary].user: alice
    + pool_groups[main].pools[primary].user: bob
    ");
    world.answer(&format!("spec apply -f {file} --wait -q")).await;
    assert_eq!(
        world
            .answer(&format!(
                "spec diff -f {}",
                world.file("again", &text.replace("alice", "bob").replace("etag: e1", ""))
            ))
            .await,
        "no difference\n"
    );
    // The etag in the file is that of the version before.
    assert_eq!(world.run(&format!("spec apply -f {file}")).await.code, exit::PRECONDITION);
    for format in ["json", "yaml"] {
        let answer = world.answer(&format!("spec get -o {format}")).await;
        world.answer(&format!("spec apply -q -f {}", world.file("answer", &answer))).await;
    }
}

#[tokio::test]
async fn desired_state_is_written_through_the_control_plane() {
    let world = World::of_control(&["rig1"]).await;
    world.control.state().sync = SyncState::InSync;
    let ran = world.run(&format!("pool set {URL} --user alice --wait")).await;
    assert_eq!(ran.code, exit::OK, "{}", ran.err);
    assert_eq!(world.control.state().shelf.spec.pools().count(), 1);
    assert_eq!(world.json("spec get").await["desired"]["miner"], "rig1");
    assert!(world.miner.state().calls.is_empty(), "no write goes past the desired state");
    world.control.state().sync = SyncState::Rejected;
    let ran = world.run(&format!("pool set {URL} --user bob --wait")).await;
    assert_eq!(ran.code, exit::PRECONDITION);
    assert!(ran.err.contains("rig1 refused generation 2: no such pool"), "{}", ran.err);
}

#[tokio::test]
async fn miner_is_paused_and_resumed() {
    let world = World::of_miner().await;
    assert_eq!(world.answer("pause --reason maintenance").await, "paused (generation 1)\n");
    assert!(world.miner.state().shelf.spec.paused);
    assert_eq!(world.answer("resume").await, "resumed (generation 2)\n");
    assert!(!world.miner.state().shelf.spec.paused);
}

#[tokio::test]
async fn fleet_is_paused_by_an_operation() {
    let world = World::of_control(&["rig1", "rig2"]).await;
    let said = world.answer("pause --all --reason maintenance --yes").await;
    assert!(said.ends_with("operation op-1 is under way; `mujinactl op watch op-1` follows it to its end\n"), "{said}");
    let started = world.control.state().started.clone().unwrap();
    assert!(started.all && started.miners.is_empty());
    assert!(matches!(started.action.unwrap().action, Some(Action::Pause(pause)) if pause.reason == "maintenance"));
    let ran = world.run("resume --miner rig2 --wait").await;
    assert_eq!((ran.code, world.control.state().started.clone().unwrap().miners), (exit::OK, vec!["rig2".into()]));
    insta::assert_snapshot!(ran.err, @r"
    operation op-1: running; of 1 miners 0 ok, 0 failed, 0 skipped, 1 in flight
    operation op-1: succeeded; of 1 miners 1 ok, 0 failed, 0 skipped, 0 in flight
    ");
}

#[tokio::test]
async fn operation_that_fails_on_some_miners_is_partial() {
    let world = World::of_control(&["rig1", "rig2"]).await;
    world.control.state().failing.insert("rig2");
    let ran = world.run("pool reconnect --all --yes").await;
    assert_eq!(ran.code, exit::PARTIAL);
    insta::assert_snapshot!(format!("{}---\n{}", ran.out, ran.err), @r"
    rig1  dns                 1.0 ms  192.0.2.7:3333
    rig1  noise                12 ms
    rig1  switch                 0 s  2 threads
    rig2  dns                 1.0 ms  192.0.2.7:3333
    rig2  noise                12 ms
    rig2  switch                 0 s  2 threads
    MINER  STATE        TIME  WORK GAP  LOST  REASON
    rig1   succeeded  250 ms       0 s     0  -
    rig2   failed     250 ms         -     -  rig2 is not reached; start it
    ---
    error: 1 of 2 miners failed
      rig2: rig2 is not reached; start it
    hint: the others were done; correct the cause and repeat the command with --miner
    ");
    let ran = world.run("pool reconnect --miner rig2 -o json").await;
    let told: serde_json::Value = serde_json::from_str(&ran.err).unwrap();
    assert_eq!((ran.code, &told["error"]["reason"]), (exit::UNREACHABLE, &"MINER_UNREACHABLE".into()));
}

#[tokio::test]
async fn reconnect_shows_its_phases_and_its_result() {
    let world = World::of_miner().await;
    insta::assert_snapshot!(world.answer("pool reconnect").await, @r"
    dns                 1.0 ms  192.0.2.7:3333
    noise                12 ms
    switch                 0 s  2 threads
    reconnected primary (connection 4); work gap 0 s, shares lost 0
    ");
    assert_eq!(world.answer("pool reconnect -q").await.lines().count(), 1);
    let told = world.json("pool reconnect").await;
    assert_eq!(told["result"]["connectionId"], "4");
    let through = World::of_control(&["rig1"]).await;
    assert_eq!(through.answer("pool reconnect").await, world.answer("pool reconnect").await);
}

#[tokio::test]
async fn operation_is_followed_over_a_restart_of_the_control_plane() {
    let world = World::of_control(&["rig1"]).await;
    world.control.state().breaks = 1;
    let said = world.answer("pool reconnect").await;
    assert_eq!(said.matches("dns ").count(), 1, "{said}");
    assert!(said.ends_with("shares lost 0\n"), "{said}");
    assert_eq!(world.control.state().resumed, ["", "1"]);
}

#[tokio::test]
async fn what_was_told_before_a_restart_of_the_control_plane_is_known_after_it() {
    let world = World::of_control(&["rig1", "rig2", "rig3"]).await;
    let ended = |told: &serde_json::Value| {
        let states = told["operation"]["targets"].as_array().unwrap().iter().map(|target| target["state"].clone());
        states.collect::<Vec<_>>()
    };
    world.control.state().breaks = 1;
    let told = world.json("op run restart --all --yes").await;
    assert_eq!(ended(&told), ["TARGET_STATE_SUCCEEDED"; 3]);
    world.control.state().breaks = 1;
    world.control.state().rollout_ends = RolloutState::Succeeded;
    let shown = world.answer("rollout watch ro-1").await;
    assert_eq!(world.control.state().resumed, ["", "1", "", "1"]);
    assert_eq!(shown.matches("rollout ro-1: running").count(), 1, "{shown}");
    assert_eq!(shown.matches("rollout ro-1: succeeded").count(), 1, "{shown}");
    assert!(shown.contains("\nrig1   reverted") && shown.contains("\nrig3   waiting"), "{shown}");
}

/// Two, of which one is used: while there is but one, `tracing` asks the default of whichever thread comes first whether a
/// span is wanted, and other tests have none.
fn telemetries() -> [Telemetry; 2] {
    let log = "off".into();
    let settings =
        TelemetrySettings { service: "test", instance: String::new(), log, otlp_endpoint: None, frequent_spans: &[] };
    [(); 2].map(|()| Telemetry::new(&settings, None).unwrap())
}

#[tokio::test]
async fn hosts_make_the_same_call_and_get_its_numbers_and_its_trace() {
    let [telemetry, _other] = telemetries();
    let _guard = dispatcher::set_default(&telemetry.dispatch());
    for (world, socket, miner) in [
        (World::of_miner().await, "api.sock", None),
        (World::of_control(&["rig1"]).await, "control.sock", Some("rig1".to_owned())),
    ] {
        let deadline = Duration::from_secs(20);
        let call =
            ReconnectCall { address: world.address(socket), miner: None, pool: None, immediate: false, deadline };
        let mut told = Vec::new();
        let report = reconnect(call, |phase: &Phase| told.push(phase.clone())).await.unwrap();
        assert_eq!((report.miner, report.pool.as_str(), report.shares_lost), (miner, "primary", 0));
        assert_eq!(report.phases, told);
        assert_eq!(told.iter().map(|phase| phase.name.as_str()).collect::<Vec<_>>(), ["dns", "noise", "switch"]);
        let trace = report.trace_id.unwrap();
        let names: Vec<_> = telemetry.spans().of_trace(&trace).into_iter().map(|span| span.name).collect();
        assert_eq!(names.first().map(String::as_str), Some("mujinactl pool reconnect"), "{names:?}");
        assert!(
            names.iter().any(|name| name.ends_with("/ReconnectPool") || name.ends_with("/StartOperation")),
            "{names:?}"
        );
    }
}

#[tokio::test]
async fn trace_of_a_command_is_printed_and_travels_with_its_calls() {
    let [telemetry, _other] = telemetries();
    let _guard = dispatcher::set_default(&telemetry.dispatch());
    let world = World::of_miner().await;
    let ran = world.run("pool list --trace").await;
    let id = ran.err.strip_prefix("trace: ").and_then(|rest| rest.strip_suffix('\n')).unwrap().to_owned();
    let parent = world.miner.state().traceparent.clone().unwrap();
    assert!(id.len() == 32 && parent.contains(&id), "{id} {parent}");
}
