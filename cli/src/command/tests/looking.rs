//! Commands that change nothing.

use super::{World, sample};
use crate::{command::message, exit};
use mujina_proto::dataplane::v1::GetMinerResponse;
use std::time::SystemTime;

#[tokio::test]
async fn status_of_a_miner_is_seen_at_a_glance() {
    let world = World::of_miner().await;
    insta::assert_snapshot!(world.answer("status").await);
}

#[tokio::test]
async fn fleet_is_a_table_and_one_miner_is_shown_in_full() {
    let two = World::of_control(&["rig1", "rig2"]).await;
    insta::assert_snapshot!(two.answer("status").await, @r"
    NAME  STATE   REACHED  SYNC         POOL                 RATE  ACCEPTED  REJECTED  REASON
    rig1  mining  yes      not managed  primary  25.0 MH/s ± 10 %       114         1  -
    rig2  mining  yes      not managed  primary  25.0 MH/s ± 10 %       114         1  -
    ");
    assert_eq!(two.answer("miner list").await, two.answer("status").await);
    let one = World::of_control(&["rig1"]).await;
    let shown = one.answer("status").await;
    assert!(shown.contains("NAME  STATE   REACHED") && shown.contains("\nPools\n"), "{shown}");
}

#[tokio::test]
async fn known_miner_is_shown_with_its_place_in_the_control_plane() {
    let world = World::of_control(&["rig1", "rig2"]).await;
    let shown = world.answer("miner get rig2").await;
    assert!(
        shown.contains("at unix:///run/rig2.sock; desired generation 0, acknowledged 0; labels site=north"),
        "{shown}"
    );
    assert_eq!(world.run("miner get rig2 -m rig1").await.code, exit::USAGE);
    let lone = World::of_miner().await;
    assert!(lone.answer("miner get").await.starts_with("Miner"));
    assert!(lone.answer("miner list").await.contains("rig1"));
}

#[tokio::test]
async fn answers_as_json_are_the_messages() {
    let world = World::of_miner().await;
    let told = world.json("status").await;
    let expected = GetMinerResponse { miner: Some(sample::status()) };
    let mut read: GetMinerResponse = message::from_json(&told).unwrap();
    let miner = read.miner.as_mut().unwrap();
    (miner.generation, miner.observed_generation) = (4, 3);
    assert_eq!(read, expected);
    // 64-bit numbers are text, zero is written, and what is unknown is left out.
    assert_eq!(told["miner"]["totals"]["accepted"], "114");
    assert_eq!(told["miner"]["totals"]["suppressed"], "0");
    assert!(told["miner"]["rates"][3].get("hashRateHps").is_none());
}

#[tokio::test]
async fn answers_as_yaml_say_the_same_as_those_as_json() {
    let world = World::of_miner().await;
    let yaml: serde_json::Value = serde_norway::from_str(&world.answer("pool list -o yaml").await).unwrap();
    assert_eq!(yaml, world.json("pool list").await);
    assert_eq!(yaml["pools"][0]["state"], "POOL_STATE_READY");
}

#[tokio::test]
async fn reads_of_one_miner_are_relayed_by_name() {
    let world = World::of_control(&["rig1", "rig2"]).await;
    for line in ["status", "pool list", "shares stats", "shares list -n 1", "shares tail -n 1", "shares rejects"] {
        world.answer(&format!("{line} --miner rig2")).await;
    }
    for line in ["pool test primary", "pool pin spare --for 1h", "pool unpin", "pool history", "pool channels"] {
        world.answer(&format!("{line} --miner rig2")).await;
    }
    let calls = world.miner.state().calls.clone();
    let expected = [
        "GetMiner",
        "ListPools",
        "GetShareStatistics",
        "ListShares",
        "WatchShares",
        "ListRejects",
        "TestPool",
        "PinPool",
        "UnpinPool",
        "ListPoolTransitions",
        "ListPoolChannels",
    ];
    assert_eq!(calls, expected.map(|call| format!("{call}@rig2")));
}

#[tokio::test]
async fn ledger_is_shown_with_its_sums() {
    let world = World::of_miner().await;
    insta::assert_snapshot!(world.answer("shares stats").await, @r"
    SCOPE  NAME     FOUND  NOT SENT  SUBMITTED  ACCEPTED  REJECTED  PENDING  LOST  SUMS                  RATE
    miner  rig1       120         3        117       114         1        1     1  balanced  25.0 MH/s ± 10 %
    pool   primary    120         3        117       114         1        1     1  balanced  25.0 MH/s ± 10 %
    board  cpu        120         3        117       114         1        1     1  balanced  25.0 MH/s ± 10 %

    Ledger     120 found = 117 submitted + 3 not sent (2 stale, 1 duplicate); balanced
    Submitted  114 accepted, 1 rejected (1 low-difficulty), 1 pending, 1 lost; best difficulty 0.250
    ");
    let fleet = World::of_control(&["rig1", "rig2"]).await;
    insta::assert_snapshot!(fleet.answer("shares stats --all").await, @r"
    Since      2026-09-21 14:13:20Z
    Ledger     120 found = 117 submitted + 3 not sent (2 stale, 1 duplicate); balanced
    Submitted  114 accepted, 1 rejected (1 low-difficulty), 1 pending, 1 lost; best difficulty 0.250
    Buckets    12 collected, 1 missing
    Work       1.500e9 hashes
    ");
}

#[tokio::test]
async fn sums_of_all_miners_are_those_of_the_time_that_is_asked_for() {
    let fleet = World::of_control(&["rig1", "rig2"]).await;
    for (line, hours) in [("shares stats --all", 1), ("shares stats --all --since 2h", 2)] {
        fleet.answer(line).await;
        let begin = fleet.control.state().summed.clone().unwrap().begin.unwrap();
        let ago = SystemTime::now().duration_since(begin.try_into().unwrap()).unwrap();
        assert_eq!(ago.as_secs() / 3600, hours, "{line}");
    }
    for (line, why) in [("shares stats --since 2h", "--all"), ("shares stats --all --since 2", "unit")] {
        let ran = fleet.run(line).await;
        assert_eq!(ran.code, exit::USAGE, "{line}");
        assert!(ran.err.contains(why), "{line}: {}", ran.err);
    }
}

#[tokio::test]
async fn shares_are_listed_over_pages_and_followed_line_by_line() {
    let world = World::of_miner().await;
    insta::assert_snapshot!(world.answer("shares list --outcome rejected").await, @r"
    FOUND                 OUTCOME   POOL     THREAD  DIFFICULTY       OF  VERDICT  REASON          TRACE
    2026-09-21 14:13:22Z  rejected  primary  cpu-0       0.0125  1.00e-3    42 ms  low-difficulty  -
    2026-09-21 14:13:21Z  rejected  primary  cpu-0       0.0125  1.00e-3    42 ms  low-difficulty  -
    ");
    assert_eq!(world.json("shares list --limit 1").await["shares"].as_array().unwrap().len(), 1);
    insta::assert_snapshot!(world.answer("shares tail --limit 3").await, @r"
    FOUND                 OUTCOME         POOL              THREAD        DIFFICULTY    VERDICT  REASON
    2026-09-21 14:13:21Z  pending         primary           cpu-0             0.0125      42 ms
    2026-09-21 14:13:21Z  rejected        primary           cpu-0             0.0125      42 ms  low-difficulty
    ... 7 events missed: this reader was too slow
    ");
    let lines = world.answer("shares tail --limit 3 -o json").await;
    let events: Vec<serde_json::Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((&events[0]["share"]["outcome"], &events[2]["missed"]), (&"SHARE_OUTCOME_PENDING".into(), &"7".into()));
}

#[tokio::test]
async fn trace_is_put_together_from_the_services() {
    let world = World::of_control(&["rig1", "rig2"]).await;
    let ran = world.run("trace show 0AF7651916CD43DD8448EB211C80319C").await;
    assert_eq!((ran.code, ran.err.as_str()), (exit::OK, "rig2 did not answer; its spans are missing\n"));
    insta::assert_snapshot!(ran.out, @r"
    SPAN            SERVICE           BEGIN   TIME  FACTS
    operation.run   mujina-control      0 s  1.0 s  -
      pool.connect  mujina-dataplane    0 s  1.0 s  -
    ");
    let lone = World::of_miner().await;
    assert!(lone.answer("trace show 0af7651916cd43dd8448eb211c80319c").await.contains("pool.connect"));
    assert_eq!(lone.run("trace show 00000000000000000000000000000001").await.code, exit::NOT_FOUND);
    assert_eq!(lone.run("trace show 42").await.code, exit::USAGE);
}

#[tokio::test]
async fn versions_are_told_with_and_without_a_service() {
    let world = World::of_miner().await;
    let told = world.json("version").await;
    assert_eq!((&told["server"]["kind"], &told["server"]["miners"][0]["version"]), (&"miner".into(), &"0.1.0".into()));
    let nobody = World::empty();
    let ran = nobody.run("version").await;
    assert_eq!((ran.code, ran.err.as_str()), (exit::OK, "no service is running here\n"));
    assert!(ran.out.contains(env!("CARGO_PKG_VERSION")));
    assert_eq!(nobody.run("version --address /nonexistent/a.sock").await.code, exit::UNREACHABLE);
}

#[tokio::test]
async fn completion_is_a_script_for_the_shell() {
    let nobody = World::empty();
    for (shell, word) in
        [("bash", "-F _clap_complete_mujinactl mujinactl"), ("zsh", "#compdef mujinactl"), ("fish", "COMPLETE=fish")]
    {
        assert!(nobody.answer(&format!("completion {shell}")).await.contains(word), "{shell}");
    }
}

#[tokio::test]
async fn watches_go_on_until_they_are_interrupted() {
    for (world, line) in [
        (World::of_miner().await, "status --watch -o json"),
        (World::of_control(&["rig1", "rig2"]).await, "status --watch -o json"),
        (World::of_miner().await, "shares tail -o json"),
        (World::of_miner().await, "board list --watch -o json"),
    ] {
        let environment = world.environment();
        let interrupt = environment.interrupt.clone();
        let mut out = Notifying { lines: 0, stop_after: 2, interrupt, text: Vec::new() };
        let words = std::iter::once("mujinactl").chain(line.split_whitespace()).map(Into::into);
        let mut err = Vec::new();
        let code = crate::run(words, environment, &mut out, &mut err).await;
        assert_eq!((code, String::from_utf8(err).unwrap().as_str()), (exit::OK, ""), "{line}");
        assert!(out.lines >= 2, "{line}");
    }
}

#[tokio::test]
async fn fleet_that_comes_in_pages_is_watched_as_a_whole() {
    let world = World::of_control(&["rig1", "rig2"]).await;
    world.control.state().leaves = Some("rig2");
    let watched = async |line: &'static str, stop_after| {
        let environment = world.environment();
        let interrupt = environment.interrupt.clone();
        let mut out = Notifying { lines: 0, stop_after, interrupt, text: Vec::new() };
        let words = std::iter::once("mujinactl").chain(line.split_whitespace()).map(Into::into);
        assert_eq!(crate::run(words, environment, &mut out, &mut Vec::new()).await, exit::OK);
        String::from_utf8(out.text).unwrap()
    };
    let told = watched("status --watch -o json", 3).await;
    let told: Vec<serde_json::Value> = told.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let first: Vec<_> = told[0]["miners"].as_array().unwrap().iter().map(|miner| &miner["name"]).collect();
    assert_eq!(first, ["rig1", "rig2"]);
    assert!(told[0]["snapshot"] == true && told[0]["partial"] == false && told[1]["snapshot"] == false);
    assert_eq!(told[2]["removed"][0], "rig2");
    // Tables of two miners, of two again, and of the one that is left, which is shown in full.
    let shown = watched("status --watch", 8).await;
    assert_eq!((shown.matches("rig2").count(), shown.matches("\nrig1").count()), (2, 3), "{shown}");
}

/// Asks for the end once it has seen some lines.
struct Notifying {
    lines: usize,
    stop_after: usize,
    interrupt: tokio_util::sync::CancellationToken,
    text: Vec<u8>,
}

impl std::io::Write for Notifying {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.text.extend_from_slice(bytes);
        self.lines += bytes.iter().filter(|byte| **byte == b'\n').count();
        if self.lines >= self.stop_after {
            self.interrupt.cancel();
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn reads_of_a_miner_that_is_not_reached_say_how_old_they_are() {
    let world = World::of_control(&["rig1", "rig2"]).await;
    let mut reached = Vec::new();
    for line in ["status", "pool list", "board list"] {
        reached.push((line, world.answer(&format!("{line} --miner rig1")).await));
    }
    world.miner.state().lost = true;
    for (line, now) in &reached {
        let ran = world.run(&format!("{line} --miner rig1 -q")).await;
        assert_eq!(ran.code, exit::OK, "{line}: {}", ran.err);
        assert!(ran.err.starts_with("rig1 as it was "), "{line}: {}", ran.err);
        assert!(ran.err.ends_with(" ago: the miner is not reached: rig1 is not connected\n"), "{line}: {}", ran.err);
        let first =
            |text: &str| text.lines().next().map(|line| line.split_whitespace().map(String::from).collect::<Vec<_>>());
        assert_eq!(first(&ran.out), first(now), "{line}");
    }
    let ran = world.run("status --miner rig1 -o json").await;
    let note: serde_json::Value = serde_json::from_str(&ran.err).unwrap();
    assert!(note["note"].as_str().unwrap().contains("as it was"), "{note}");
    let answer: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(answer["miner"]["livePool"], "primary");
    world.control.state().knows_nothing = true;
    let ran = world.run("status --miner rig1").await;
    assert_eq!(ran.code, exit::UNREACHABLE);
    assert!(ran.err.contains("rig1 is not connected; nothing is known of it yet"), "{}", ran.err);
    // A miner that does not answer itself has nobody who knows it.
    let alone = World::of_miner().await;
    alone.miner.state().lost = true;
    assert_eq!(alone.run("status").await.code, exit::UNREACHABLE);
}
