//! Pools: tests, pins, moves of the work, channels, rejects, options.

use super::{World, sample, sample::URL};
use crate::exit;
use mujina_proto::dataplane::v1::test_pool_request::Target;

#[tokio::test]
async fn wide_list_has_all_that_is_known_of_a_pool() {
    let world = World::of_miner().await;
    let list = world.answer("pool list -o wide").await;
    insta::assert_snapshot!(list, @r"
    NAME     STATE  SINCE                 ROLE  DIFFICULTY  VERDICT P50    P99  ACCEPTED  REJECTED  WHY               PENDING  LOST  WORK  WANTED  EVER                                                          USER   URL                                                                              REASON
    primary  ready  2026-09-21 14:14:20Z  live     1.00e-3        42 ms  90 ms       114         1  1 low-difficulty        1     1  74 %    75 %  9000 accepted, 7 rejected, 2 lost since 2026-09-20 14:13:20Z  alice  stratum2+tcp://pool.example/9auqWEzQDVyd2oe1JVGFLMLHZtCo2FFqZwtKA5gd9xbuEu7PH72  -
    ");
    assert_eq!(world.json("pool list").await["pools"][0]["achievedWorkRatio"], 0.742);
    // Where there is no more to show, it is the table.
    assert_eq!(world.answer("shares stats -o wide").await, world.answer("shares stats").await);
}

#[tokio::test]
async fn test_shows_its_phases_and_what_the_pool_is() {
    let world = World::of_miner().await;
    insta::assert_snapshot!(world.answer(&format!("pool test {URL}")).await, @r"
    dns                 1.0 ms  192.0.2.7:3333
    noise                12 ms
    the pool gives work (job 5); nothing was moved to it
    Peer       192.0.2.7:3333
    Key        0123456789abcdef, proven by the pool
    Valid      until 2026-09-22 14:13:20Z by its certificate
    Channel    channel 7, difficulty 1.00e-3, extranonce 00ab and 8 bytes, version mask 1fffe000
    Told       a hash rate of 25.0 MH/s
    ");
    let Some(Target::Spec(pool)) = world.miner.state().tested.clone() else { panic!() };
    assert_eq!((pool.url.as_str(), pool.user.as_str(), pool.password, pool.options), (URL, "test", None, None));
    assert_eq!(world.json(&format!("pool test {URL}")).await["result"]["usable"], true);
    assert!(!world.answer(&format!("pool test {URL} -q")).await.contains("dns"));
}

#[tokio::test]
async fn test_of_an_impostor_fails_with_its_cause() {
    let world = World::of_miner().await;
    world.miner.state().impostor = true;
    let ran = world.run("pool test primary").await;
    assert_eq!(ran.code, exit::FAILURE);
    insta::assert_snapshot!(format!("{}---\n{}", ran.out, ran.err), @r"
    dns                 1.0 ms  192.0.2.7:3333
    noise                12 ms
    the pool gave no work: failed in noise, authentication failed
    Peer       192.0.2.7:3333
    Key        0123456789abcdef, not proven
    ---
    error: the pool cannot be mined on: the peer does not hold the key in the URL; check the URL with the pool
    hint: nothing was changed; correct the cause, or give another URL or --user
    ");
    assert_eq!(world.miner.state().tested, Some(Target::Pool("primary".into())));
    let ran = world.run("pool test primary -o json").await;
    let told: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!((ran.code, &told["result"]["failedPhase"]), (exit::FAILURE, &"noise".into()));
}

#[tokio::test]
async fn test_takes_an_account_for_a_url_and_none_for_a_name() {
    let world = World::of_miner().await;
    let line = format!("pool test {URL} --user alice --password-stdin --worker-name shed --tls-pin 0f --tls-pin 1f");
    let ran = world.run_with_stdin(&line, "hunter2\n").await;
    assert_eq!(ran.code, exit::OK, "{}", ran.err);
    let Some(Target::Spec(pool)) = world.miner.state().tested.clone() else { panic!() };
    let options = pool.options.unwrap();
    assert_eq!((pool.user.as_str(), pool.password.as_deref()), ("alice", Some("hunter2")));
    assert_eq!((options.worker_name.as_str(), options.tls_pins.len()), ("shed", 2));
    assert!(!ran.out.contains("hunter2"));
    let ran = world.run("pool test primary --user alice").await;
    assert_eq!(ran.code, exit::USAGE, "{}", ran.err);
}

#[tokio::test]
async fn refused_test_says_when_to_try_again() {
    let world = World::of_miner().await;
    let busy = mujina_proto::failure::Failure::new(
        tonic::Code::ResourceExhausted,
        "TOO_MANY_TESTS",
        "2 pools are being tested already; wait until one of the tests has ended",
    );
    world.miner.state().failure = Some(busy);
    let ran = world.run("pool test primary").await;
    assert_eq!(ran.code, exit::FAILURE);
    assert!(ran.err.contains("wait until one of the tests has ended"), "{}", ran.err);
}

#[tokio::test]
async fn pin_shows_in_the_status_until_it_is_ended() {
    let world = World::of_miner().await;
    assert_eq!(
        world.answer("pool pin spare --for 2h").await,
        "pinned spare until 2026-09-21 16:13:20Z; then the order holds again\n"
    );
    world.miner.state().pin = Some(sample::pin());
    let status = world.answer("status").await;
    let line = status.lines().find(|line| line.starts_with("Pool ")).unwrap();
    insta::assert_snapshot!(line, @"Pool       primary; pinned to spare until 2026-09-21 16:59:20Z, 41m 00s more");
    assert_eq!(world.answer("pool unpin").await, "the pin of spare is ended; the order holds again\n");
    assert_eq!(world.answer("pool unpin").await, "no pool was pinned\n");
    assert!(!world.answer("status").await.contains("pinned"));
    let ran = world.run("pool pin other --for 1h").await;
    assert_eq!(ran.code, exit::NOT_FOUND, "{}", ran.err);
}

#[tokio::test]
async fn moves_of_the_work_are_told_newest_first() {
    let world = World::of_miner().await;
    insta::assert_snapshot!(world.answer("pool history").await, @r"
    NO  AT                    FROM        TO          WHY          WORK GAP  LOST  THREADS  DETAIL
     2  2026-09-21 14:15:20Z  primary #1  spare #2    failed over       0 s     3        2  the pool closed the connection
     1  2026-09-21 14:14:20Z  -           primary #1  started         31 ms     0        2  -
    ");
    insta::assert_snapshot!(world.answer("pool history -o wide").await.split_once("\n\n").unwrap().1, @r"
    1: primary #1
    dns                 1.0 ms  192.0.2.7:3333
    noise                12 ms
    switch                 0 s  2 threads
    ");
    assert_eq!(world.json("pool history -n 1").await["transitions"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn open_channels_are_told_with_their_ledgers() {
    let world = World::of_miner().await;
    insta::assert_snapshot!(world.answer("pool channels").await, @r"
    NO  POOL     ROLE      CHANNEL  GROUP  DIFFICULTY  EXTRANONCE  JOB  JOBS  ACCEPTED  REJECTED  PENDING  LOST  SINCE                 PEER
     2  primary  draining        4      1     1.00e-3  00ab + 8    5      12       114         1        1     1  2026-09-21 14:14:20Z  192.0.2.7:3333
     3  primary  live            7      1     1.00e-3  00ab + 8    5      12       114         1        1     1  2026-09-21 14:14:20Z  192.0.2.7:3333
    ");
}

#[tokio::test]
async fn rejects_come_with_the_header_that_was_sent() {
    let world = World::of_miner().await;
    insta::assert_snapshot!(world.answer("shares rejects").await, @r"
    AT                    POOL     REASON          JOB  DIFFICULTY       OF  THREAD  HEADER
    2026-09-21 14:13:23Z  primary  low-difficulty  5        0.0125  1.00e-3  cpu-0   000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f404142434445464748494a4b4c4d4e4f
    ");
    let wide = world.answer("shares rejects -o wide").await;
    for part in ["PREFIX", "00ab", "0102", &"0f".repeat(32), &"1f".repeat(32)] {
        assert!(wide.contains(part), "{part}: {wide}");
    }
    assert_eq!(world.answer("shares rejects --pool other").await, "no reject is remembered\n");
    assert_eq!(world.answer("shares rejects --pool other -o wide").await, "no reject is remembered\n");
}

#[tokio::test]
async fn quotas_and_options_of_a_pool_are_written() {
    let world = World::of_miner().await;
    let key = URL.rsplit_once('/').unwrap().1;
    world.answer(&format!("pool set {URL} -u alice --quota 3")).await;
    let said = world
        .answer(&format!(
            "pool add {URL} -u bob --worker-name shed --authority-key {key} --redirect-host pool.example \
             --wide-version-rolling --no-suggest-difficulty --tls-pin {}",
            "0f".repeat(32)
        ))
        .await;
    assert!(said.contains("worker_name"), "{said}");
    let spec = world.json("spec get").await["state"]["spec"].clone();
    let group = &spec["poolGroups"][0];
    assert_eq!((&group["strategy"], &group["pools"][0]["quota"]), (&"POOL_STRATEGY_QUOTA".into(), &3.into()));
    let options = &group["pools"][1]["options"];
    assert_eq!((&options["workerName"], &options["authorityKeys"][0]), (&"shed".into(), &key.into()));
    assert_eq!((&options["wideVersionRolling"], &options["noExtranonceSubscribe"]), (&true.into(), &false.into()));
    let ran = world.run(&format!("pool add {URL} -u carol --quota 2 --strategy failover --group other")).await;
    assert_eq!(ran.code, exit::USAGE, "{}", ran.err);
    assert!(ran.err.contains("quota"), "{}", ran.err);
}

#[test]
fn pool_without_a_key_is_told_by_what_it_proved() {
    use crate::{command::view, output::Paint};
    use mujina_proto::{dataplane::v1::TestPoolResult, types::v1::PoolConnection};
    let told = |authenticated, jobs| {
        let connection = PoolConnection { authenticated, jobs, ..PoolConnection::default() };
        view::tested(
            &TestPoolResult { usable: jobs > 0, connection: Some(connection), ..Default::default() },
            Paint(false),
        )
    };
    assert!(told(true, 1).contains("proved its name with its certificate"));
    assert!(told(false, 1).contains("can pose as this pool"));
    assert!(!told(false, 0).contains("Key"));
}
