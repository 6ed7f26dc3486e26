use super::*;
use mujina_core::{
    board::BoardConstraints,
    fault::{Fault, FaultReason},
    share::ShareTotals,
};
use std::time::{Duration, UNIX_EPOCH};

fn chip() -> ChipReport {
    ChipReport {
        index: 3,
        address: 64,
        chip_id: 0x1362,
        verified: 500,
        errors: ChipErrors { wrong_hash: 1, wrong_version: 2, unknown_job: 3 },
        duplicates: 4,
        hash_rate: None,
        relative_error: None,
        nominal_hash_rate: HashRate::from_hashes_per_second(2.7e11),
        last_nonce_at: None,
        notes: vec!["slow".into()],
    }
}

fn report() -> BoardReport {
    BoardReport {
        id: "emberone-1".parse().unwrap(),
        model: "emberone".into(),
        state: BoardState::Waiting,
        state_reason: "cools down".into(),
        state_since: UNIX_EPOCH + Duration::from_secs(7),
        facts: [("place".to_owned(), "1-2".to_owned())].into(),
        expected_chips: 12,
        chips: vec![chip()],
        sensors: vec![SensorReport {
            name: "asic".into(),
            temperature: None,
            soft_limit: Celsius::from_degrees(70.0),
            hard_limit: Celsius::from_degrees(80.0),
            problem: "no answer".into(),
        }],
        fans: vec![FanReport { name: "fan".into(), duty_percent: Some(100.0), rpm: None }],
        rails: vec![RailReport {
            name: "core".into(),
            set: Some(Volts::from_volts(3.6)),
            voltage: Some(Volts::from_volts(0.0)),
            current: None,
            power: None,
        }],
        tuning: TuningReport {
            wanted: TuningMode::Power(Watts::from_watts(80.0)),
            limited_by: vec!["temperature".into()],
            ..TuningReport::default()
        },
        constraints: BoardConstraints::default(),
        led: Some(LedState::Fault),
        locate_until: None,
        safe_state: Some(SafeStateReport {
            at: UNIX_EPOCH,
            reason: "too hot".into(),
            confirmed: true,
            detail: "reset low".into(),
        }),
        starts: 2,
        faults: vec![Fault {
            reason: FaultReason::BoardOverheated,
            subject: "board/emberone-1".into(),
            message: "let it cool".into(),
            since: UNIX_EPOCH,
        }],
    }
}

fn status(report: &BoardReport) -> BoardStatus {
    BoardStatus {
        id: report.id.clone(),
        model: report.model.clone(),
        threads: Vec::new(),
        totals: ShareTotals { found: 9, ..ShareTotals::default() },
        rates: Vec::new(),
        facts: report.facts.clone(),
        nominal_hash_rate: None,
        summary: report.summary(),
    }
}

#[test]
fn what_is_unknown_of_a_board_is_absent_and_a_measured_zero_is_zero() {
    let report = report();
    let told = board(&report, &status(&report), UNIX_EPOCH);
    assert_eq!((told.sensors[0].temperature_celsius, told.sensors[0].problem.as_str()), (None, "no answer"));
    assert_eq!((told.fans[0].speed_rpm, told.fans[0].duty_percent), (None, Some(100.0)));
    assert_eq!((told.rails[0].measured_volts, told.rails[0].measured_amperes), (Some(0.0), None));
    let tuning = told.tuning.unwrap();
    assert_eq!((tuning.frequency_megahertz, tuning.voltage_volts), (None, None));
    assert_eq!(tuning.wanted, Some(v1::board_tuning_status::Wanted::PowerWatts(80.0)));
    let status = told.status.unwrap();
    assert_eq!((status.hottest_celsius, status.power_watts, status.nominal_hash_rate_hps), (None, None, None));
    assert_eq!(told.locate_until, None);
}

#[test]
fn board_keeps_its_state_counts_and_faults() {
    let report = report();
    let told = board(&report, &status(&report), UNIX_EPOCH);
    let chips = told.chips.unwrap();
    assert_eq!((chips.verified, chips.errors.unwrap().unknown_job, chips.duplicates, chips.odd_chips), (500, 3, 4, 1));
    assert_eq!((chips.hash_rate_hps, chips.relative_standard_error_ratio), (None, None));
    assert_eq!((told.led(), told.starts), (v1::LedState::Fault, 2));
    let safe = told.safe_state.unwrap();
    assert!(safe.confirmed && safe.reason == "too hot" && safe.detail == "reset low");
    assert_eq!(told.faults[0].reason, "BOARD_OVERHEATED");
    let status = told.status.unwrap();
    assert_eq!((status.state(), status.state_reason.as_str()), (v1::BoardState::Waiting, "cools down"));
    assert_eq!((status.expected_chips, status.found_chips), (12, 1));
    assert_eq!((status.totals.unwrap().found, status.limited_by), (9, vec!["temperature".to_owned()]));
    assert_eq!(status.fault_reasons, ["BOARD_OVERHEATED"]);
    assert_eq!(status.state_since.unwrap().seconds, 7);
}

#[test]
fn board_without_chips_or_light_has_neither() {
    let report = BoardReport { expected_chips: 0, chips: Vec::new(), led: None, ..report() };
    let told = board(&report, &status(&report), UNIX_EPOCH);
    assert_eq!((told.chips, told.led()), (None, v1::LedState::Unspecified));
}

#[test]
fn chip_without_a_rate_says_nothing_of_one() {
    let told = v1::Chip::from(&chip());
    assert_eq!((told.index, told.address, told.chip_id), (3, 64, 0x1362));
    assert_eq!((told.hash_rate_hps, told.relative_standard_error_ratio, told.last_nonce_at), (None, None, None));
    assert_eq!((told.nominal_hash_rate_hps, told.notes), (2.7e11, vec!["slow".to_owned()]));
    let rated = ChipReport {
        hash_rate: Some(HashRate::ZERO),
        relative_error: Some(0.1),
        last_nonce_at: Some(UNIX_EPOCH),
        ..chip()
    };
    let told = v1::Chip::from(&rated);
    assert_eq!((told.hash_rate_hps, told.relative_standard_error_ratio), (Some(0.0), Some(0.1)));
    assert!(told.last_nonce_at.is_some());
}

#[test]
fn step_of_a_self_test_keeps_its_outcome_and_its_time() {
    for (outcome, expected) in [
        (SelfTestOutcome::Passed, v1::SelfTestOutcome::Passed),
        (SelfTestOutcome::Failed, v1::SelfTestOutcome::Failed),
        (SelfTestOutcome::Skipped, v1::SelfTestOutcome::Skipped),
    ] {
        let step = SelfTestStep {
            name: "fan".into(),
            outcome,
            detail: "4200 turns".into(),
            elapsed: Duration::from_millis(1500),
        };
        let told = v1::SelfTestStep::from(&step);
        assert_eq!((told.outcome(), told.name.as_str(), told.detail.as_str()), (expected, "fan", "4200 turns"));
        assert_eq!(told.elapsed.unwrap().nanos, 500_000_000);
    }
}
