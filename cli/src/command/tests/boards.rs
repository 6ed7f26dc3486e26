//! Boards: lists, chips, tuning, locate, self-tests.

use super::World;
use crate::{Environment, exit};

#[tokio::test]
async fn boards_are_a_line_each_with_what_holds_them_back() {
    let world = World::of_miner().await;
    insta::assert_snapshot!(world.answer("board list").await, @r"
    BOARD           STATE                RATE          TEMP   POWER       CLOCK  VOLTAGE  CHIPS      ERRORS  LIMITED BY   REASON
    bitaxe-gamma-1  mining  1.01 TH/s ± 2.1 %  70.5 °C asic  18.2 W  500.00 MHz  1.150 V    1/1  10 (1.0 %)  temperature  -
    cpu             mining   25.0 MH/s ± 10 %             -       -           -        -      -           0  -            -
    emberone-1      fault                   -             -       -           -        -  11/12           0  -            chip 11 of 12 does not answer
    boards on USB cannot be found: /sys is not mounted; mount it
    ");
    let wide = world.answer("board list -o wide").await;
    for part in ["1.07 TH/s", "100 %, 4210 rpm", "CHIP_SILENT", "bitaxe-gamma  mining", "2026-09-21 14:14:20Z"] {
        assert!(wide.contains(part), "{part}: {wide}");
    }
    let told = world.json("board list").await;
    assert_eq!(told["boards"][0]["status"]["state"], "BOARD_STATE_MINING");
    assert!(told["boards"][1]["status"].get("hottestCelsius").is_none(), "{told}");
    assert_eq!(told["usbProblem"], "/sys is not mounted; mount it");
}

/// Asks for the end once it was told of something.
struct Until {
    told: String,
    of: &'static str,
    interrupt: tokio_util::sync::CancellationToken,
}

impl std::io::Write for Until {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.told.push_str(std::str::from_utf8(bytes).unwrap());
        if self.told.contains(self.of) {
            self.interrupt.cancel();
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn watched_boards_are_those_that_are_there_after_each_change() {
    let world = World::of_miner().await;
    let environment = world.environment();
    let mut out = Until { told: String::new(), of: "emberone-1", interrupt: environment.interrupt.clone() };
    let mut err = Vec::new();
    let words = ["mujinactl", "board", "list", "--watch"].map(Into::into);
    assert_eq!(crate::run(words, environment, &mut out, &mut err).await, exit::OK);
    let ids: Vec<_> = out.told.lines().map(|line| line.split(' ').next().unwrap()).collect();
    assert_eq!(ids, ["BOARD", "bitaxe-gamma-1", "cpu", "BOARD", "cpu", "emberone-1"]);
}

/// Ages depend on the clock of the test.
fn without_ages(text: &str) -> String {
    let line = |line: &str| match line.split_once(" for ") {
        Some((state, rest)) if line.starts_with("State") => {
            format!("{state}{}", rest.split_once(':').map(|(_, reason)| format!(":{reason}")).unwrap_or_default())
        }
        _ => line.to_owned(),
    };
    text.lines().map(line).collect::<Vec<_>>().join("\n")
}

#[tokio::test]
async fn everything_that_is_known_of_a_board_is_shown_and_nothing_else() {
    let world = World::of_miner().await;
    insta::assert_snapshot!(without_ages(&world.answer("board get bitaxe-gamma-1").await), @r"
    Board      bitaxe-gamma-1 (bitaxe-gamma), brought up 2 times
    State      mining
    Rate       1.25 TH/s ± 50 % over 5 s, 1.00 TH/s ± 10 % over 1 m, 1.00 TH/s ± 3.2 % over 5 m (expected 1.07 TH/s)
    Shares     120 found, 114 accepted, 1 lost
    Chips      1 of 1 answered at 1.01 TH/s ± 2.1 %; 990 nonces verified, 10 failed (9 wrong hash, 0 wrong version, 1 unknown job), 2 duplicates
    Tuning     as fast as 20.0 W allow
    Now        500.00 MHz, 1.150 V, 18.2 W
    Limited    temperature
    Learnt     525 MHz was too hot at 1.150 V
    LED        mining
    Made safe  2026-09-21 14:13:20Z, confirmed: started (reset low, core 0.000 V)
    Facts      firmware 1.2, place 1-2

    Temperatures
    SENSOR     READING  SLOWER FROM  STOPS AT  PROBLEM
    asic       70.5 °C      70.0 °C   80.0 °C  -
    regulator  unknown      70.0 °C   80.0 °C  no answer from the regulator

    Supplies
    SUPPLY      SET  MEASURED  CURRENT   POWER
    core    1.150 V   1.148 V  13.20 A  15.2 W
    input         -   5.020 V        -  18.2 W

    Fans
    FAN   DUTY     SPEED
    fan  100 %  4210 rpm
    ");
    let fault = world.answer("board get emberone-1").await;
    assert!(fault.contains("chip 11 returns nothing; reseat the board") && !fault.contains("Temperatures"), "{fault}");
    let cpu = world.answer("board get cpu").await;
    for absent in ["Chips", "Tuning", "Temperatures", "Supplies", "LED", "Made safe"] {
        assert!(!cpu.contains(absent), "{absent}: {cpu}");
    }
    assert!(cpu.contains("cpu-1") && cpu.contains("kernel sha-ni"), "{cpu}");
    let ran = world.run("board get nope").await;
    assert_eq!(ran.code, exit::NOT_FOUND);
    assert!(ran.err.contains("`mujinactl board list` shows those there are"), "{}", ran.err);
}

#[tokio::test]
async fn chips_are_a_table_over_all_pages() {
    let world = World::of_miner().await;
    let table = world.answer("board chips emberone-1").await;
    let lines: Vec<_> = table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    assert_eq!(lines.len(), 13, "{table}");
    assert!(lines[4].starts_with("3 0x1362 60 167 GH/s ± 3.2 % 62 % 1000 0 0"), "{table}");
    assert!(lines[4].ends_with("slower than its neighbours"), "{table}");
    assert!(lines[6].contains("22 (2.2 %)"), "{table}");
    assert!(lines[8].starts_with("7 0x1362 140 - - 0 0 0 -"), "{table}");
    assert_eq!(lines[12], "1 of 12 chips did not answer");
    assert_eq!(world.json("board chips emberone-1").await["chips"].as_array().unwrap().len(), 11);
    assert_eq!(world.answer("board chips cpu").await, "cpu has no chips of its own\n");
    assert_eq!(world.answer("board chips bitaxe-gamma-1 --map").await, "no chip of bitaxe-gamma-1 has answered\n");
}

#[tokio::test]
async fn map_of_chips_is_read_without_colours_and_has_them_on_a_terminal() {
    let world = World::of_miner().await;
    let map = world.answer("board chips emberone-1 --map").await;
    insta::assert_snapshot!(map, @r"
    emberone-1, nearest to the host first; rates in percent of nominal
       0  ██ 100  ██ 100  ▓▓  90  ▒▒  62n ░░  10  ██ 100e ██ 100d ··   -
       8  ██ 100  ██ 100  ██ 100
    1 of 12 chips did not answer

    ██ 95 % and more   ▓▓ 80 to 95 %   ▒▒ 50 to 80 %   ░░ 0 to 50 %   ·· no nonce yet
    e 0.5 % of its nonces or more failed   d 0.1 % or more came twice   n see its notes in `board chips`
    ");
    let styled = Environment { styled: true, ..world.environment() };
    let coloured = world.run_in(styled, "board chips emberone-1 --map").await.out;
    assert!(coloured.contains("\x1b[31m░░\x1b[0m") && coloured.contains("\x1b[32m██\x1b[0m 100"), "{coloured}");
    let plain: String = {
        let mut plain = coloured.clone();
        for code in ["\x1b[31m", "\x1b[32m", "\x1b[33m", "\x1b[2m", "\x1b[1m", "\x1b[0m"] {
            plain = plain.replace(code, "");
        }
        plain
    };
    assert_eq!(plain, map);
}

#[tokio::test]
async fn constraints_are_in_the_units_that_their_names_say() {
    let world = World::of_miner().await;
    insta::assert_snapshot!(world.answer("board constraints bitaxe-gamma-1").await, @r"
    WHAT                          LEAST    GREATEST     DEFAULT  WHY
    frequency_mhz             50.00 MHz  625.00 MHz  525.00 MHz  what the model is built for
    voltage_volts               1.000 V     1.250 V     1.150 V  what the model is built for
    power_watts                   5.0 W      40.0 W      22.0 W  what the model is built for
    hash_rate_hps              102 GH/s   1.27 TH/s   1.07 TH/s  what the model is built for
    soft_limit_celsius[asic]    40.0 °C     70.0 °C     70.0 °C  what the model is built for
    ");
    assert_eq!(world.answer("board constraints cpu").await, "the board has nothing to tune\n");
}

#[tokio::test]
async fn tuning_is_written_with_its_differences_and_taken_back_bit_by_bit() {
    let world = World::of_miner().await;
    let said = world
        .answer("board tune bitaxe-gamma-1 --frequency 550MHz --voltage 1150mV --soft-limit asic=65C --fan-target 55C")
        .await;
    insta::assert_snapshot!(said, @r"
    + boards[bitaxe-gamma-1].fan_target_celsius: 55
    + boards[bitaxe-gamma-1].fixed.frequency_megahertz: 550
    + boards[bitaxe-gamma-1].fixed.voltage_volts: 1.15
    + boards[bitaxe-gamma-1].soft_limits_celsius[asic]: 65
    generation 1 is accepted; --wait waits until it is in force
    ");
    world.answer("board tune bitaxe-gamma-1 --power 15W --no-soft-limit asic --hard-limit asic=75C").await;
    let tuning = world.json("spec get").await["state"]["spec"]["boards"]["bitaxe-gamma-1"].clone();
    assert_eq!((&tuning["powerWatts"], &tuning["fanTargetCelsius"]), (&15.0.into(), &55.0.into()));
    assert_eq!(tuning["softLimitsCelsius"], serde_json::json!({}));
    assert_eq!(tuning["hardLimitsCelsius"]["asic"], 75.0);
    world.answer("board tune bitaxe-gamma-1 --reset --hash-rate 1TH").await;
    let tuning = world.json("spec get").await["state"]["spec"]["boards"]["bitaxe-gamma-1"].clone();
    assert!(tuning["hashRateHps"] == 1e12 && tuning.get("fanTargetCelsius").is_none(), "{tuning}");
    let dry = world.answer("board tune bitaxe-gamma-1 --default --dry-run").await;
    assert!(dry.ends_with("nothing was changed (dry run)\n"), "{dry}");
    world.answer("board tune bitaxe-gamma-1 --default").await;
    assert_eq!(world.json("spec get").await["state"]["spec"]["boards"], serde_json::json!({}));
    let ran = world.run("board tune bitaxe-gamma-1").await;
    assert_eq!(ran.code, exit::USAGE);
    assert!(ran.err.contains("nothing is said of bitaxe-gamma-1; give --frequency"), "{}", ran.err);
}

#[tokio::test]
async fn tuning_of_a_model_or_of_a_board_that_is_not_there_waits_for_it() {
    let world = World::of_miner().await;
    world.answer("board tune bitaxe-gamma --power 15W").await;
    let ran = world.run("board tune bitaxe-ultra-9 --power 10W").await;
    assert_eq!(ran.code, exit::OK);
    assert!(ran.err.contains("no board here has the id or the model bitaxe-ultra-9"), "{}", ran.err);
    let ran = world.run("board tune bitaxe-gamma --soft-limit asic=900C").await;
    assert_eq!(ran.code, exit::USAGE);
    assert!(ran.err.contains("boards[bitaxe-gamma].soft_limits_celsius[asic]"), "{}", ran.err);
}

#[tokio::test]
async fn tuning_that_the_board_refuses_ends_the_wait_with_its_reason() {
    let world = World::of_miner().await;
    world.miner.state().refuses_tuning = true;
    let ran = world.run("board tune bitaxe-gamma-1 --frequency 900MHz --voltage 1.2V --wait").await;
    assert_eq!(ran.code, exit::PRECONDITION, "{}", ran.err);
    assert!(ran.err.contains("not in force: board bitaxe-gamma-1: 900.00 MHz is beyond 625.00 MHz"), "{}", ran.err);
}

#[tokio::test]
async fn board_is_located_for_a_time_or_no_longer() {
    let world = World::of_miner().await;
    assert_eq!(
        world.answer("board locate bitaxe-gamma-1 --for 30s").await,
        "bitaxe-gamma-1 shows where it is until 2026-09-21 14:13:50Z\n"
    );
    assert_eq!(world.answer("board locate bitaxe-gamma-1 --off").await, "bitaxe-gamma-1 shows its state again\n");
    assert_eq!(world.miner.state().located, Some(0));
    let ran = world.run("board locate cpu --for 30s").await;
    assert_eq!(ran.code, exit::PRECONDITION);
    assert!(ran.err.contains("board cpu: it has no light"), "{}", ran.err);
}

#[tokio::test]
async fn self_test_tells_its_steps_and_fails_with_what_failed() {
    let world = World::of_miner().await;
    insta::assert_snapshot!(world.answer("board self-test bitaxe-gamma-1").await, @r"
    passed   rails                       12 ms  core 1.148 V of 1.150 V
    passed   fan                         12 ms  4210 rpm at 100 %
    skipped  light                       12 ms
    the board passed: 2 passed, 0 failed, 1 skipped
    ");
    assert_eq!(world.json("board self-test bitaxe-gamma-1").await["result"]["passed"], true);
    world.miner.state().stalled = true;
    let ran = world.run("board self-test bitaxe-gamma-1").await;
    assert_eq!(ran.code, exit::FAILURE);
    assert!(ran.out.ends_with("the board did not pass: 1 passed, 1 failed, 1 skipped\n"), "{}", ran.out);
    insta::assert_snapshot!(ran.err, @r"
    error: the board did not pass: fan: 0 rpm at 100 %
    hint: see `mujinactl board get` for its readings and faults
    ");
}

#[tokio::test]
async fn board_that_is_brought_up_is_shown_and_one_that_is_not_says_why() {
    let world = World::of_miner().await;
    let ran = world.run("board reinit bitaxe-gamma-1").await;
    assert_eq!((ran.code, ran.err.as_str()), (exit::OK, "board bitaxe-gamma-1 is made safe and brought up\n"));
    assert!(ran.out.contains("bitaxe-gamma-1  mining"), "{}", ran.out);
    let ran = world.run("board reinit emberone-1").await;
    assert_eq!(ran.code, exit::PRECONDITION);
    assert!(ran.err.contains("11 of 12 chips answered; check its cables"), "{}", ran.err);
}

#[tokio::test]
async fn boards_of_a_fleet_are_reached_by_the_name_of_their_miner() {
    let world = World::of_control(&["rig1", "rig2"]).await;
    for line in [
        "board list",
        "board get cpu",
        "board constraints cpu",
        "board locate bitaxe-gamma-1 --for 5s",
        "board self-test bitaxe-gamma-1",
    ] {
        world.answer(&format!("{line} --miner rig2")).await;
    }
    world.answer("board reinit bitaxe-gamma-1 -q --miner rig2").await;
    let calls = world.miner.state().calls.clone();
    let expected = ["ListBoards", "GetBoard", "GetConstraints", "Locate", "SelfTest", "Reinitialize"];
    assert_eq!(calls, expected.map(|call| format!("{call}@rig2")));
    world.answer("board tune bitaxe-gamma --power 15W --miner rig2").await;
    assert_eq!(world.miner.state().calls.last().map(String::as_str), Some("ListBoards@rig2"));
    let ran = world.run("board list").await;
    assert_eq!(ran.code, exit::USAGE);
    assert!(ran.err.contains("choose one of rig1, rig2 with --miner"), "{}", ran.err);
}
