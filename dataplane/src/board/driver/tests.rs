//! Drivers against emulated boards, over pseudo-terminals.

use super::*;
use crate::{
    board::{
        hardware::{OpenError, Opened, Opener},
        safe::Registry,
    },
    simulate::{BoardKind, Event, Fault, Options, RegulatorFault, Remote, SimulatedBoard},
};
use mujina_core::id::BoardId;

struct Rig {
    board: SimulatedBoard,
    remote: Remote,
}

impl Rig {
    fn new(kind: BoardKind) -> Self {
        Self::with(kind, Options::of(kind))
    }

    fn with(kind: BoardKind, options: Options) -> Self {
        let board = SimulatedBoard::start(kind, options).unwrap();
        let remote = board.remote();
        Self { board, remote }
    }

    async fn try_open(&self) -> Result<Opened<Driver>, OpenError> {
        let id: BoardId = "board-1".parse().unwrap();
        Drivers::new(Registry::default()).open(&self.board.device(), &id).await
    }

    async fn open(&self) -> Opened<Driver> {
        self.try_open().await.unwrap()
    }

    /// With power and its chips out of reset.
    async fn running(&self, voltage: Volts) -> Driver {
        let mut hardware = self.open().await.hardware;
        hardware.power_up(voltage).await.unwrap();
        hardware.restart_chips().await.unwrap();
        hardware
    }

    /// Lines that were driven and switches of the core since a moment of the record.
    fn order(&self, from: usize) -> Vec<String> {
        let told = self.remote.record().into_iter().skip(from).filter_map(|record| match record.event {
            Event::Gpio { line, high } => Some(format!("line {line} {}", u8::from(high))),
            Event::CorePower(on) => Some(format!("core {}", u8::from(on))),
            Event::Running(runs) => Some(format!("chips {}", u8::from(runs))),
            _ => None,
        });
        told.collect()
    }

    fn seen(&self) -> usize {
        self.remote.record().len()
    }

    fn assert_off(&self) {
        let physics = self.remote.physics();
        assert!(!physics.running && physics.core.volts() < 0.01, "{physics:?}");
    }

    fn assert_no_violation(&self) {
        assert_eq!(self.remote.violations(), []);
    }
}

fn gamma() -> Volts {
    Volts::from_millivolts(1150)
}

fn ember_one() -> Volts {
    Volts::from_millivolts(3040)
}

#[tokio::test]
async fn gamma_is_known_by_its_chip_and_left_off() {
    let rig = Rig::new(BoardKind::BitaxeGamma);
    let Opened { board, facts, .. } = rig.open().await;
    assert_eq!((board.name, facts["chip"].as_str()), ("bitaxe-gamma", "0x1370"));
    rig.assert_off();
    rig.assert_no_violation();
}

#[tokio::test]
async fn ultra_and_supra_with_a_tps546_are_known_by_their_chips() {
    for (kind, name) in [(BoardKind::BitaxeUltra, "bitaxe-ultra"), (BoardKind::BitaxeSupra, "bitaxe-supra")] {
        let rig = Rig::new(kind);
        assert_eq!(rig.open().await.board.name, name);
        rig.assert_off();
        rig.assert_no_violation();
    }
}

#[tokio::test]
async fn board_with_a_ds4432u_is_refused_and_left_in_reset() {
    let rig = Rig::new(BoardKind::BitaxeMax);
    let refused = rig.try_open().await.unwrap_err();
    assert!(matches!(&refused, OpenError::Unsupported { reason, .. } if reason.contains("DS4432U")), "{refused}");
    assert!(!rig.remote.physics().running);
}

#[tokio::test]
async fn board_whose_regulator_is_silent_is_left_without_a_last_resort_that_cannot_help() {
    for (kind, registry) in [(BoardKind::BitaxeMax, Registry::default()), (BoardKind::EmberOne, Registry::default())] {
        let rig = Rig::new(kind);
        rig.remote.inject(Fault::NoInput);
        let id: BoardId = "board-1".parse().unwrap();
        let failure = Drivers::new(registry.clone()).open(&rig.board.device(), &id).await.unwrap_err();
        assert!(!failure.to_string().contains("cut its power"), "{kind}: {failure}");
        assert_eq!(registry.make_all_safe("the test looks who is armed"), [], "{kind}");
        assert!(!rig.remote.physics().running);
    }
}

#[tokio::test]
async fn another_chip_is_refused_with_its_id() {
    let rig = Rig::new(BoardKind::BitaxeGamma);
    rig.remote.inject(Fault::WrongChipId);
    let refused = rig.try_open().await.unwrap_err();
    assert!(matches!(&refused, OpenError::Unsupported { model, .. } if model.contains("0x")), "{refused}");
    rig.assert_off();
}

#[tokio::test]
async fn gamma_gets_power_only_in_reset_and_loses_it_only_in_reset() {
    let rig = Rig::new(BoardKind::BitaxeGamma);
    let mut hardware = rig.open().await.hardware;
    let from = rig.seen();
    hardware.power_up(gamma()).await.unwrap();
    hardware.restart_chips().await.unwrap();
    let survey = hardware.survey().await;
    assert!(survey.readings.answered, "{survey:?}");
    let told = survey.rails.iter().find(|rail| rail.name == "core").unwrap();
    assert_eq!(told.set, Some(gamma()));
    assert!((told.voltage.unwrap().volts() - 1.15).abs() < 0.03, "{told:?}");
    assert!(survey.readings.temperatures["asic"].is_ok() && survey.readings.temperatures["regulator"].is_ok());
    let fan = survey.readings.fan.unwrap();
    assert_eq!((fan.duty, fan.write_failed), (100.0, None));
    let safe = hardware.make_safe("the test ends").await;
    assert!(safe.confirmed && safe.reason == "the test ends", "{safe:?}");
    let expected = ["line 0 0", "core 1", "line 0 0", "line 0 1", "chips 1", "line 0 0", "chips 0", "core 0"];
    assert_eq!(rig.order(from), expected);
    rig.assert_off();
    rig.assert_no_violation();
}

#[tokio::test]
async fn ember_one_gets_its_supplies_in_order_and_gives_them_back_in_order() {
    let rig = Rig::new(BoardKind::EmberOne);
    let mut hardware = rig.open().await.hardware;
    let from = rig.seen();
    hardware.power_up(ember_one()).await.unwrap();
    hardware.restart_chips().await.unwrap();
    hardware.set_voltage(Volts::from_millivolts(3100)).await.unwrap();
    let survey = hardware.survey().await;
    for name in ["asic", "pcb-left", "pcb-right", "regulator"] {
        assert!(survey.readings.temperatures[name].is_ok(), "{name}: {survey:?}");
    }
    let core = survey.rails.iter().find(|rail| rail.name == "core").unwrap().voltage.unwrap();
    assert!((core.volts() - 3.1).abs() < 0.05, "{core}");
    hardware.shine(Rgb { red: 1, green: 2, blue: 3 }).await;
    assert!(rig.remote.record().iter().any(|record| record.event == Event::Led([1, 2, 3])));
    assert!(hardware.make_safe("the test ends").await.confirmed);
    let expected = [
        "line 0 0", "line 1 1", "line 2 1", "core 1", "line 0 0", "line 0 1", "chips 1", "line 0 0", "chips 0",
        "core 0", "line 1 0", "line 2 0",
    ];
    assert_eq!(rig.order(from), expected);
    rig.assert_off();
    rig.assert_no_violation();
}

#[tokio::test]
async fn host_that_comes_back_finds_chips_hashing_and_stops_them_first() {
    let rig = Rig::new(BoardKind::BitaxeGamma);
    let before = rig.running(gamma()).await;
    assert!(rig.remote.physics().running);
    // As after `kill -9`: nobody made it safe.
    before.guard.disarm();
    drop(before);
    assert!(rig.remote.physics().running);
    let from = rig.seen();
    rig.open().await;
    let order = rig.order(from);
    assert_eq!(order.first().map(String::as_str), Some("line 0 0"), "{order:?}");
    rig.assert_off();
}

#[tokio::test]
async fn regulator_without_input_power_is_told_with_the_way_out() {
    for kind in [BoardKind::BitaxeGamma, BoardKind::EmberOne] {
        let rig = Rig::new(kind);
        rig.remote.inject(Fault::NoInput);
        let failure = match rig.try_open().await {
            Err(failure) => failure.to_string(),
            Ok(mut opened) => opened.hardware.power_up(ember_one()).await.unwrap_err().to_string(),
        };
        assert!(failure.contains("input power"), "{kind}: {failure}");
        rig.assert_off();
    }
}

#[tokio::test]
async fn regulator_that_does_not_turn_on_is_an_error_and_the_board_can_be_made_safe() {
    let rig = Rig::new(BoardKind::EmberOne);
    let mut hardware = rig.open().await.hardware;
    rig.remote.inject(Fault::OperationRefused);
    let failure = hardware.power_up(ember_one()).await.unwrap_err();
    assert!(failure.to_string().contains("did not turn on"), "{failure}");
    assert!(hardware.make_safe("it did not turn on").await.confirmed);
    rig.assert_off();
}

#[tokio::test]
async fn latched_fault_of_the_regulator_is_seen_in_the_next_look() {
    let rig = Rig::new(BoardKind::BitaxeGamma);
    let mut hardware = rig.running(gamma()).await;
    rig.remote.inject(Fault::Regulator(RegulatorFault::OverCurrent));
    let survey = hardware.survey().await;
    let word = survey.readings.regulator.unwrap().status_word;
    assert!(word & crate::board::thermal::REGULATOR_FAULTS != 0, "{word:#06x}");
    assert!(hardware.make_safe("a fault").await.confirmed);
}

#[tokio::test]
async fn open_or_shorted_diode_is_no_temperature() {
    for fault in [Fault::DiodeOpen, Fault::DiodeShort] {
        for (kind, voltage) in [(BoardKind::BitaxeGamma, gamma()), (BoardKind::EmberOne, ember_one())] {
            let rig = Rig::new(kind);
            let mut hardware = rig.running(voltage).await;
            rig.remote.inject(fault);
            let survey = hardware.survey().await;
            assert!(survey.readings.temperatures["asic"].is_err(), "{kind} {fault:?}: {survey:?}");
            assert!(survey.readings.temperatures["regulator"].is_ok(), "one sensor takes another with it");
            hardware.make_safe("the test ends").await;
        }
    }
}

#[tokio::test]
async fn fan_that_stands_still_turns_no_more_in_the_next_look() {
    let rig = Rig::with(BoardKind::BitaxeGamma, Options { time_scale: 60.0, ..Options::of(BoardKind::BitaxeGamma) });
    let mut hardware = rig.running(gamma()).await;
    hardware.drive_fan(50.0).await;
    rig.remote.inject(Fault::FanStall);
    let stopped = async {
        loop {
            let fan = hardware.survey().await.readings.fan.unwrap();
            if fan.rpm == Some(0) {
                return fan;
            }
        }
    };
    let fan = timeout(Duration::from_secs(60), stopped).await.unwrap();
    assert!((fan.duty - 50.0).abs() < 2.0, "{fan:?}");
    hardware.make_safe("the test ends").await;
}

#[tokio::test]
async fn mute_controller_is_no_reading_and_still_made_safe_once_it_answers() {
    let rig = Rig::new(BoardKind::BitaxeGamma);
    let mut hardware = rig.running(gamma()).await;
    for fault in [Fault::ControlMute, Fault::WrongReplyId] {
        rig.remote.inject(fault);
        let survey = hardware.survey().await;
        assert!(!survey.readings.answered && !survey.readings.problem.is_empty(), "{fault:?}: {survey:?}");
        rig.remote.clear(fault);
    }
    assert!(hardware.survey().await.readings.answered);
    rig.remote.inject(Fault::ControlMute);
    let from = rig.seen();
    let safe = hardware.make_safe("supervision is lost").await;
    assert!(!safe.confirmed && safe.detail.contains("not proven"), "{safe:?}");
    // Once over the bridge, where a request waits for a second; then the last resort with its two tries.
    let asked = rig.order(from).iter().filter(|event| *event == "line 0 0").count();
    assert!((1..=3).contains(&asked), "{asked}");
    // It was done all the same, though nobody said so.
    rig.assert_off();
    rig.remote.clear(Fault::ControlMute);
    assert!(hardware.make_safe("supervision is lost").await.confirmed);
}

#[tokio::test]
async fn controller_that_restarted_is_no_reading() {
    let rig = Rig::new(BoardKind::BitaxeGamma);
    let mut hardware = rig.running(gamma()).await;
    assert!(hardware.survey().await.readings.answered);
    // Its lines are at rest again, though nobody drove them.
    hardware.bridge.ask(&Request::GpioWrite(gpio::RESET, false)).await.unwrap();
    let survey = hardware.survey().await;
    assert!(!survey.readings.answered && survey.readings.problem.contains("restarted"), "{survey:?}");
    assert!(hardware.make_safe("it restarted").await.confirmed);
    assert!(hardware.survey().await.readings.answered);
}

#[tokio::test]
async fn voltage_that_does_not_follow_is_an_error() {
    let rig = Rig::new(BoardKind::EmberOne);
    let mut hardware = rig.running(ember_one()).await;
    rig.remote.inject(Fault::Regulator(RegulatorFault::InputLow));
    let failure = hardware.set_voltage(Volts::from_millivolts(3100)).await.unwrap_err();
    assert!(failure.to_string().contains("core supply"), "{failure}");
    assert!(hardware.make_safe("the test ends").await.confirmed);
}

#[tokio::test]
async fn regulator_of_an_ember_one_is_read_before_it_ever_got_power() {
    let rig = Rig::new(BoardKind::EmberOne);
    let mut hardware = rig.open().await.hardware;
    let survey = hardware.survey().await;
    assert!(survey.readings.temperatures["regulator"].is_ok(), "{survey:?}");
    rig.assert_off();
    rig.assert_no_violation();
}

#[tokio::test]
async fn part_whose_every_answer_is_an_error_keeps_no_other_from_being_read() {
    let rig = Rig::new(BoardKind::EmberOne);
    let mut hardware = rig.running(ember_one()).await;
    rig.remote.inject(Fault::PartSilent { address: 0x4a });
    let survey = hardware.survey().await;
    assert!(survey.readings.temperatures["pcb-left"].is_err() && survey.readings.temperatures["pcb-right"].is_ok());
    rig.remote.inject(Fault::I2cError);
    let survey = hardware.survey().await;
    assert!(survey.readings.answered && survey.readings.regulator.is_none(), "{survey:?}");
    rig.remote.clear(Fault::I2cError);
    assert!(hardware.make_safe("the test ends").await.confirmed);
}

#[tokio::test]
async fn cable_pulled_in_the_middle_of_the_start_is_told_as_gone() {
    let rig = Rig::new(BoardKind::BitaxeGamma);
    let mut hardware = rig.open().await.hardware;
    let pulling = async {
        let from = rig.seen();
        while !rig.order(from).contains(&"core 1".to_owned()) {
            sleep(Duration::from_millis(5)).await;
        }
        rig.remote.unplug();
    };
    let both = async { tokio::join!(hardware.power_up(gamma()), pulling) };
    let (failure, ()) = timeout(Duration::from_secs(60), both).await.expect("the core comes on in time");
    assert!(failure.unwrap_err().is_gone());
    let safe = hardware.make_safe("the cable").await;
    assert!(!safe.confirmed, "{safe:?}");
}
