//! What goes wrong, and what is said about it.

use super::{World, sample::URL};
use crate::{Environment, exit};
use mujina_proto::failure::Failure;
use tonic::Code;

#[tokio::test]
async fn nobody_listening_is_unreachable_and_says_what_to_start() {
    let world = World::empty();
    let ran = world.run("status").await;
    assert_eq!(ran.code, exit::UNREACHABLE);
    assert!(ran.err.contains("hint: start mujina-control or mujina-dataplane"), "{}", ran.err);
    let ran = world.run("status --address /nonexistent/a.sock -o json").await;
    let told: serde_json::Value = serde_json::from_str(&ran.err).unwrap();
    assert_eq!((ran.code, &told["error"]["exitCode"]), (exit::UNREACHABLE, &5.into()));
}

#[tokio::test]
async fn control_plane_is_preferred_and_a_dead_one_gives_way_to_the_miner() {
    let both = World::of_control(&["rig1"]).await.with_miner().await;
    assert!(both.answer("miner list").await.contains("yes"));
    assert_eq!(both.json("version").await["server"]["kind"], "control");
    let miner = World::of_miner().await;
    drop(std::os::unix::net::UnixListener::bind(miner.path("control.sock")).unwrap());
    assert!(miner.path("control.sock").exists());
    assert_eq!(miner.json("version").await["server"]["kind"], "miner");
}

#[tokio::test]
async fn address_comes_from_the_flag_before_the_environment() {
    let world = World::of_miner().await;
    let with = |address: &str| Environment { address: Some(address.into()), ..Environment::bare("/nonexistent") };
    let address = world.address("api.sock").to_string();
    assert_eq!(world.run_in(with(&address), "pool list").await.code, exit::OK);
    assert_eq!(
        world.run_in(with("/nonexistent/a.sock"), &format!("pool list --address {address}")).await.code,
        exit::OK
    );
    let ran = world.run_in(with("ftp://a:1"), "pool list").await;
    assert_eq!(ran.code, exit::USAGE);
    assert!(ran.err.starts_with("error: MUJINA_ADDRESS is not usable: scheme `ftp`"), "{}", ran.err);
    let ran = world.run_in(with("https://a:1"), "pool list").await;
    assert_eq!(ran.code, exit::USAGE);
    assert!(ran.err.contains("run `mujinactl login https://a:1`"), "{}", ran.err);
}

#[tokio::test]
async fn service_that_does_not_answer_ends_at_the_deadline() {
    let world = World::of_miner().await;
    world.miner.state().hangs = true;
    let ran = world.run("pool reconnect --timeout 100ms").await;
    assert_eq!(ran.code, exit::DEADLINE);
    insta::assert_snapshot!(ran.err, @r"
    error: not done within 100ms
    note: the reconnect goes on without this command
    hint: give more time with --timeout, or see `mujinactl status` for what holds it up
    ");
}

#[tokio::test]
async fn interrupted_command_says_what_goes_on_without_it() {
    let world = World::of_miner().await;
    world.miner.state().hangs = true;
    let environment = world.environment();
    let interrupt = environment.interrupt.clone();
    let stop = async {
        world.miner.called.notified().await;
        interrupt.cancel();
    };
    let (ran, ()) = tokio::join!(world.run_in(environment, "pause"), stop);
    assert_eq!(ran.code, exit::INTERRUPTED);
    assert_eq!(ran.err, "error: interrupted\nnote: the miner was asked to pause and may do so yet\n");
}

#[tokio::test]
async fn every_bad_field_is_named_and_nothing_changes() {
    let world = World::of_miner().await;
    let ran = world.run("pool set stratum://pool.example --user alice --name Bad").await;
    assert_eq!(ran.code, exit::USAGE);
    insta::assert_snapshot!(ran.err, @r"
    error: cannot change the pools of the miner: 2 fields are refused
      pool_groups[main].pools[Bad].name: contains 'B'; use only a-z, 0-9 and '-', beginning and ending with a letter or digit
      pool_groups[main].pools[Bad].url: scheme `stratum` is not supported; use stratum2+tcp, stratum+tcp or stratum+ssl
    hint: nothing was changed; correct the fields and try again
    ");
    assert_eq!(world.pools(), Vec::<String>::new());
}

#[tokio::test]
async fn unknown_fields_of_a_file_are_refused_before_anything_is_asked() {
    let world = World::empty();
    let file = world.file("spec.yaml", "pausd: true\npoolGroups: [{nmae: main}]\n");
    let ran = world.run(&format!("spec apply -f {file}")).await;
    assert_eq!(ran.code, exit::USAGE);
    assert!(
        ran.err.contains("\n  pausd: is not known") && ran.err.contains("\n  poolGroups[0].nmae: is not"),
        "{}",
        ran.err
    );
    assert_eq!(world.run("spec apply -f /nonexistent/spec.yaml").await.code, exit::USAGE);
}

#[tokio::test]
async fn which_miner_is_asked_when_there_are_several() {
    let world = World::of_control(&["rig1", "rig2"]).await;
    let ran = world.run("pool list").await;
    assert_eq!(ran.code, exit::USAGE);
    assert_eq!(ran.err, "error: which miner? choose one of rig1, rig2 with --miner\n");
    let ran = world.run("pause").await;
    assert_eq!(
        ran.err,
        "error: which miner? choose one of rig1, rig2 with --miner, several with -l or --filter, or all with --all\n"
    );
    let ran = world.run("pool list --miner rig3").await;
    assert_eq!(
        (ran.code, ran.err.as_str()),
        (exit::NOT_FOUND, "error: no miner is called rig3; there are rig1, rig2\n")
    );
    assert_eq!(world.run("pause --all --miner rig1").await.code, exit::USAGE);
    let empty = World::of_control(&[]).await;
    assert_eq!(empty.run("pool list").await.code, exit::NOT_FOUND);
}

#[tokio::test]
async fn choosing_among_miners_makes_no_sense_on_a_miner() {
    let world = World::of_miner().await;
    for line in ["pool list --miner rig1", "pause --all", "shares stats --all"] {
        let ran = world.run(line).await;
        assert_eq!(ran.code, exit::USAGE, "{line}");
        assert!(ran.err.contains("is a miner itself; leave it out"), "{}", ran.err);
    }
}

#[tokio::test]
async fn what_a_service_says_cannot_move_the_cursor() {
    let world = World::of_miner().await;
    let failure = Failure::new(Code::Internal, "X", "one\x1b[2J\ntwo");
    world.miner.state().failure = Some(failure);
    let ran = world.run("pool reconnect").await;
    assert!(ran.err.starts_with("error: cannot reconnect the pool: onetwo\n"), "{}", ran.err);
}

#[tokio::test]
async fn refused_reconnect_keeps_its_code_and_reason() {
    let world = World::of_miner().await;
    world.miner.state().failure =
        Some(Failure::new(Code::FailedPrecondition, "NO_LIVE_POOL", "no pool is live; add one"));
    let ran = world.run("pool reconnect").await;
    assert_eq!(ran.code, exit::PRECONDITION);
    assert_eq!(ran.err, "error: cannot reconnect the pool: no pool is live; add one\n");
}

#[tokio::test]
async fn words_that_are_not_understood_are_an_object_when_a_machine_asks() {
    let world = World::empty();
    let ran = world.run(&format!("pool set {URL} -o json")).await;
    let told: serde_json::Value = serde_json::from_str(&ran.err).unwrap();
    assert_eq!((ran.code, &told["error"]["exitCode"]), (exit::USAGE, &2.into()));
    assert_eq!(world.run("pool set").await.code, exit::USAGE);
    let help = world.run("--help").await;
    assert_eq!((help.code, help.err.as_str()), (exit::OK, ""));
}

#[test]
fn running_command_can_be_spawned() {
    fn is_send<T: Send>(_: T) {}
    let (mut out, mut err) = (Vec::new(), Vec::new());
    is_send(crate::run([], Environment::bare("/"), &mut out, &mut err));
}
