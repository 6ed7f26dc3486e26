//! A Bitaxe that its temperature holds back, and an EmberOne with chips of every kind.

use super::{at, millis, rates, totals};
use mujina_proto::types::v1::{
    Board, BoardConstraint, BoardFan, BoardRail, BoardSensor, BoardState, BoardStatus, BoardTuningStatus, Chip,
    ChipErrors, ChipTotals, Fault, LedState, SafeState, SelfTestOutcome, SelfTestStep, board_tuning_status::Wanted,
};

pub(crate) fn gamma() -> Board {
    Board {
        status: Some(BoardStatus {
            board_id: "bitaxe-gamma-1".into(),
            model: "bitaxe-gamma".into(),
            totals: Some(totals()),
            rates: rates(1.0e12),
            facts: [("firmware".to_owned(), "1.2".to_owned()), ("place".to_owned(), "1-2".to_owned())].into(),
            state: BoardState::Mining.into(),
            state_since: at(60),
            expected_chips: 1,
            found_chips: 1,
            nominal_hash_rate_hps: Some(1.071e12),
            hottest_celsius: Some(70.5),
            hottest_sensor: "asic".into(),
            power_watts: Some(18.2),
            frequency_megahertz: Some(500.0),
            voltage_volts: Some(1.15),
            limited_by: vec!["temperature".into()],
            ..BoardStatus::default()
        }),
        sensors: vec![sensor("asic", Some(70.5), ""), sensor("regulator", None, "no answer from the regulator")],
        fans: vec![BoardFan { name: "fan".into(), duty_percent: Some(100.0), speed_rpm: Some(4210) }],
        rails: vec![
            BoardRail {
                name: "core".into(),
                set_volts: Some(1.15),
                measured_volts: Some(1.148),
                measured_amperes: Some(13.2),
                power_watts: Some(15.2),
            },
            BoardRail {
                name: "input".into(),
                measured_volts: Some(5.02),
                power_watts: Some(18.2),
                ..BoardRail::default()
            },
        ],
        tuning: Some(BoardTuningStatus {
            wanted: Some(Wanted::PowerWatts(20.0)),
            frequency_megahertz: Some(500.0),
            voltage_volts: Some(1.15),
            limited_by: vec!["temperature".into()],
            learnt: vec!["525 MHz was too hot at 1.150 V".into()],
        }),
        chips: Some(ChipTotals {
            verified: 990,
            errors: Some(ChipErrors { wrong_hash: 9, wrong_version: 0, unknown_job: 1 }),
            duplicates: 2,
            odd_chips: 0,
            hash_rate_hps: Some(1.01e12),
            relative_standard_error_ratio: Some(0.021),
        }),
        led: LedState::Mining.into(),
        locate_until: None,
        safe_state: Some(SafeState {
            at: at(0),
            reason: "started".into(),
            confirmed: true,
            detail: "reset low, core 0.000 V".into(),
        }),
        starts: 2,
        faults: Vec::new(),
    }
}

pub(crate) fn emberone() -> Board {
    let fault = Fault {
        reason: "CHIP_SILENT".into(),
        subject: "board/emberone-1".into(),
        message: "chip 11 returns nothing; reseat the board".into(),
        since: at(7000),
    };
    Board {
        status: Some(BoardStatus {
            board_id: "emberone-1".into(),
            model: "emberone".into(),
            state: BoardState::Fault.into(),
            state_reason: "chip 11 of 12 does not answer".into(),
            state_since: at(7000),
            expected_chips: 12,
            found_chips: 11,
            fault_reasons: vec!["CHIP_SILENT".into()],
            ..BoardStatus::default()
        }),
        tuning: Some(BoardTuningStatus::default()),
        chips: Some(ChipTotals { odd_chips: 1, ..ChipTotals::default() }),
        led: LedState::Fault.into(),
        starts: 1,
        faults: vec![fault],
        ..Board::default()
    }
}

/// The CPU, which has neither chips nor readings.
pub(crate) fn cpu() -> Board {
    let status = super::status().boards.into_iter().next();
    Board { status, starts: 1, ..Board::default() }
}

fn sensor(name: &str, reading: Option<f64>, problem: &str) -> BoardSensor {
    BoardSensor {
        name: name.into(),
        temperature_celsius: reading,
        soft_limit_celsius: 70.0,
        hard_limit_celsius: 80.0,
        problem: problem.into(),
    }
}

/// Eleven of twelve: good ones, a slow one, one with errors, one with duplicates, one without a nonce.
pub(crate) fn chips() -> Vec<Chip> {
    let chip = |index: u32, part: f64| Chip {
        index,
        address: index * 20,
        chip_id: 0x1362,
        verified: 1000,
        errors: Some(ChipErrors::default()),
        hash_rate_hps: Some(part * 0.27e12),
        relative_standard_error_ratio: Some(0.032),
        nominal_hash_rate_hps: 0.27e12,
        last_nonce_at: at(7490),
        ..Chip::default()
    };
    let mut chips: Vec<_> = (0..11).map(|index| chip(index, 1.0)).collect();
    chips[2] = chip(2, 0.9);
    chips[3] = Chip { notes: vec!["slower than its neighbours".into()], ..chip(3, 0.62) };
    chips[4] = chip(4, 0.1);
    chips[5].errors = Some(ChipErrors { wrong_hash: 20, wrong_version: 1, unknown_job: 1 });
    chips[6].duplicates = 3;
    chips[7] = Chip {
        verified: 0,
        hash_rate_hps: None,
        relative_standard_error_ratio: None,
        last_nonce_at: None,
        ..chip(7, 1.0)
    };
    chips
}

pub(crate) fn constraints() -> Vec<BoardConstraint> {
    let constraint = |name: &str, least, greatest, default| BoardConstraint {
        name: name.into(),
        least,
        greatest,
        default,
        reason: "what the model is built for".into(),
    };
    vec![
        constraint("frequency_mhz", 50.0, 625.0, 525.0),
        constraint("voltage_volts", 1.0, 1.25, 1.15),
        constraint("power_watts", 5.0, 40.0, 22.0),
        constraint("hash_rate_hps", 1.02e11, 1.275e12, 1.071e12),
        constraint("soft_limit_celsius[asic]", 40.0, 70.0, 70.0),
    ]
}

pub(crate) fn steps(fan: SelfTestOutcome) -> Vec<SelfTestStep> {
    let step = |name: &str, outcome: SelfTestOutcome, detail: &str| SelfTestStep {
        name: name.into(),
        outcome: outcome.into(),
        detail: detail.into(),
        elapsed: millis(12),
    };
    vec![
        step("rails", SelfTestOutcome::Passed, "core 1.148 V of 1.150 V"),
        step("fan", fan, if fan == SelfTestOutcome::Failed { "0 rpm at 100 %" } else { "4210 rpm at 100 %" }),
        step("light", SelfTestOutcome::Skipped, ""),
    ]
}
