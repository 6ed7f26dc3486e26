//! Boards: lists, everything that is known of one, constraints, self-tests.

use super::{clean, elapsed, hash_rate, rate_of_minute, rates, with_error};
use crate::output::{Cell, Paint, Table, Tone, age, clock, percent, word};
use mujina_core::units::{Celsius, Frequency, Volts, Watts};
use mujina_proto::{
    convert::time,
    dataplane::v1::SelfTestResult,
    types::v1::{
        Board, BoardConstraint, BoardSensor, BoardState, BoardStatus, ChipErrors, ChipTotals, SelfTestOutcome,
        SelfTestStep,
    },
};
use std::time::SystemTime;

/// Part of nonces that fail from which on something is wrong with a chip or a board.
pub(super) const MANY_ERRORS: f64 = 0.005;

/// What there is to see where no board is.
const NO_BOARDS: &str =
    "the miner has no board; plug one in, or see `cpu.enabled` and `usb.enabled` in its configuration\n";

/// A line a board.
pub(crate) fn boards(boards: &[Board], paint: Paint) -> String {
    if boards.is_empty() {
        return NO_BOARDS.into();
    }
    let mut table = Table::new(&[
        "BOARD",
        "STATE",
        ">RATE",
        ">TEMP",
        ">POWER",
        ">CLOCK",
        ">VOLTAGE",
        ">CHIPS",
        ">ERRORS",
        "LIMITED BY",
        "REASON",
    ]);
    for board in boards {
        let status = board.status.clone().unwrap_or_default();
        table.row([
            Cell::new(&status.board_id, Tone::Strong),
            state(&status),
            rate(board, &status).into(),
            hottest(board, &status),
            status.power_watts.map(watts).unwrap_or_default().into(),
            status.frequency_megahertz.map(megahertz).unwrap_or_default().into(),
            status.voltage_volts.map(volts).unwrap_or_default().into(),
            chips_found(&status),
            errors(board, &status),
            status.limited_by.join(", ").into(),
            Cell::new(&status.state_reason, Tone::Dim),
        ]);
    }
    table.render(paint)
}

/// A line a board, with more in it.
pub(crate) fn boards_wide(boards: &[Board], paint: Paint) -> String {
    if boards.is_empty() {
        return NO_BOARDS.into();
    }
    let mut table = Table::new(&[
        "BOARD",
        "MODEL",
        "STATE",
        "SINCE",
        ">RATE",
        ">EXPECTED",
        ">TEMP",
        ">FAN",
        ">POWER",
        ">CLOCK",
        ">VOLTAGE",
        ">CHIPS",
        ">ERRORS",
        ">DUPLICATES",
        ">ACCEPTED",
        ">STARTS",
        "LIMITED BY",
        "FAULTS",
        "REASON",
    ]);
    for board in boards {
        let status = board.status.clone().unwrap_or_default();
        let fan = board.fans.first().map(|fan| fan_words(fan.duty_percent, fan.speed_rpm)).unwrap_or_default();
        table.row([
            Cell::new(&status.board_id, Tone::Strong),
            status.model.as_str().into(),
            state(&status),
            clock(time(status.state_since)).into(),
            rate(board, &status).into(),
            status.nominal_hash_rate_hps.and_then(hash_rate).unwrap_or_default().into(),
            hottest(board, &status),
            fan.into(),
            status.power_watts.map(watts).unwrap_or_default().into(),
            status.frequency_megahertz.map(megahertz).unwrap_or_default().into(),
            status.voltage_volts.map(volts).unwrap_or_default().into(),
            chips_found(&status),
            errors(board, &status),
            board.chips.as_ref().map(|chips| chips.duplicates.to_string()).unwrap_or_default().into(),
            status.totals.clone().unwrap_or_default().accepted.into(),
            board.starts.into(),
            status.limited_by.join(", ").into(),
            Cell::new(status.fault_reasons.join(", "), Tone::Bad),
            Cell::new(&status.state_reason, Tone::Dim),
        ]);
    }
    table.render(paint)
}

/// Why boards on USB cannot be found.
pub(crate) fn usb_problem(problem: &str, paint: Paint) -> String {
    match problem {
        "" => String::new(),
        problem => {
            let text = format!("boards on USB cannot be found: {}", clean(problem));
            format!("{}\n", paint.text(&text, Tone::Warn))
        }
    }
}

/// A temperature as it is shown everywhere.
pub(super) fn celsius(degrees: f64) -> String {
    Celsius::from_degrees(degrees).to_string()
}

pub(super) fn watts(watts: f64) -> String {
    Watts::from_watts(watts).to_string()
}

fn megahertz(megahertz: f64) -> String {
    Frequency::from_megahertz(megahertz).to_string()
}

fn volts(volts: f64) -> String {
    Volts::from_volts(volts).to_string()
}

/// What a board is doing.
pub(super) fn state(status: &BoardStatus) -> Cell {
    Cell::new(word(status.state().as_str_name(), "BOARD_STATE"), tone(status.state()))
}

fn tone(state: BoardState) -> Tone {
    match state {
        BoardState::Mining => Tone::Good,
        BoardState::Starting | BoardState::Idle | BoardState::Paused | BoardState::Waiting => Tone::Warn,
        BoardState::Fault | BoardState::Unsupported => Tone::Bad,
        BoardState::Gone | BoardState::Unspecified => Tone::Dim,
    }
}

/// What its chips reach while they run, else what its nonces that counted say: fewer, where the pool wants hard shares.
fn rate(board: &Board, status: &BoardStatus) -> String {
    let of_chips = board.chips.as_ref().filter(|_| status.state() == BoardState::Mining);
    let of_chips = of_chips.and_then(|chips| with_error(chips.hash_rate_hps?, chips.relative_standard_error_ratio));
    of_chips.unwrap_or_else(|| rate_of_minute(&status.rates))
}

/// The reading that is nearest to its limit.
fn hottest(board: &Board, status: &BoardStatus) -> Cell {
    let Some(degrees) = status.hottest_celsius else { return "".into() };
    let sensor = board.sensors.iter().find(|sensor| sensor.name == status.hottest_sensor);
    Cell::new(format!("{} {}", celsius(degrees), status.hottest_sensor), sensor.map_or(Tone::Plain, heat))
}

fn heat(sensor: &BoardSensor) -> Tone {
    match sensor.temperature_celsius {
        None => Tone::Warn,
        Some(reading) if reading >= sensor.hard_limit_celsius => Tone::Bad,
        Some(reading) if reading >= sensor.soft_limit_celsius => Tone::Warn,
        Some(_) => Tone::Plain,
    }
}

fn chips_found(status: &BoardStatus) -> Cell {
    let BoardStatus { expected_chips, found_chips, .. } = status;
    if *expected_chips == 0 && *found_chips == 0 {
        return "".into();
    }
    Cell::new(
        format!("{found_chips}/{expected_chips}"),
        if found_chips == expected_chips { Tone::Plain } else { Tone::Bad },
    )
}

/// Nonces that failed, with their part of all; of a board without chips, those of its ledger.
fn errors(board: &Board, status: &BoardStatus) -> Cell {
    let totals = status.totals.clone().unwrap_or_default();
    let (failed, of) = match &board.chips {
        Some(chips) => (sum(chips.errors.as_ref()), chips.verified.saturating_add(sum(chips.errors.as_ref()))),
        None => (totals.hardware_error, totals.found),
    };
    errors_cell(failed, of)
}

pub(super) fn errors_cell(failed: u64, of: u64) -> Cell {
    match part(failed, of) {
        Some(ratio) => Cell::new(
            format!("{failed} ({})", percent(ratio)),
            if ratio >= MANY_ERRORS { Tone::Warn } else { Tone::Plain },
        ),
        None => failed.into(),
    }
}

/// A part of a whole; `None` of nothing, and where there is none.
#[expect(clippy::cast_precision_loss, reason = "a ratio for people needs no 53 bits")]
pub(super) fn part(some: u64, of: u64) -> Option<f64> {
    (some > 0 && of > 0).then(|| some as f64 / of as f64)
}

pub(super) fn sum(errors: Option<&ChipErrors>) -> u64 {
    let ChipErrors { wrong_hash, wrong_version, unknown_job } = errors.copied().unwrap_or_default();
    wrong_hash.saturating_add(wrong_version).saturating_add(unknown_job)
}

fn fan_words(duty: Option<f64>, speed: Option<u32>) -> String {
    let duty = duty.map(|duty| format!("{duty:.0} %"));
    let speed = speed.map(|speed| format!("{speed} rpm"));
    [duty, speed].into_iter().flatten().collect::<Vec<_>>().join(", ")
}

/// Everything that is known of one board. Ages are by this machine's clock.
pub(crate) fn board(board: &Board, now: SystemTime, paint: Paint) -> String {
    let status = board.status.clone().unwrap_or_default();
    let mut text: String = lines(board, &status, now)
        .into_iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(name, value)| format!("{}  {value}\n", paint.text(&format!("{name:<9}"), Tone::Strong)))
        .collect();
    let mut section = |title: &str, table: String| {
        text.push_str(&format!("\n{}\n{table}", paint.text(title, Tone::Strong)));
    };
    if !board.sensors.is_empty() {
        section("Temperatures", sensors(board, paint));
    }
    if !board.rails.is_empty() {
        section("Supplies", rails(board, paint));
    }
    if !board.fans.is_empty() {
        section("Fans", fans(board, paint));
    }
    if !status.threads.is_empty() {
        section("Threads", super::status::threads(&status, paint));
    }
    if !board.faults.is_empty() {
        section("Faults", super::status::faults(&board.faults, now, paint));
    }
    text
}

fn lines(board: &Board, status: &BoardStatus, now: SystemTime) -> Vec<(&'static str, String)> {
    let mut facts: Vec<_> = status.facts.iter().map(|(name, value)| format!("{name} {value}")).collect();
    facts.sort();
    let reason =
        if status.state_reason.is_empty() { String::new() } else { format!(": {}", clean(&status.state_reason)) };
    let state = word(status.state().as_str_name(), "BOARD_STATE");
    let expected = status.nominal_hash_rate_hps.and_then(hash_rate);
    let expected = expected.map(|rate| format!(" (expected {rate})")).unwrap_or_default();
    let totals = status.totals.clone().unwrap_or_default();
    let led = word(board.led().as_str_name(), "LED_STATE");
    let located = time(board.locate_until).map(|end| format!(" until {}", clock(Some(end)))).unwrap_or_default();
    vec![
        ("Board", format!("{} ({}), {}", clean(&status.board_id), clean(&status.model), starts(board.starts))),
        ("State", format!("{state} for {}{reason}", age(time(status.state_since), now))),
        ("Rate", format!("{}{expected}", rates(&status.rates))),
        ("Shares", format!("{} found, {} accepted, {} lost", totals.found, totals.accepted, totals.lost)),
        ("Chips", board.chips.as_ref().map(|chips| chips_line(status, chips)).unwrap_or_default()),
        ("Tuning", tuning(board)),
        ("Now", set_points(status)),
        ("Limited", status.limited_by.iter().map(|cause| clean(cause)).collect::<Vec<_>>().join(", ")),
        ("Learnt", learnt(board)),
        ("LED", if board.led == 0 { String::new() } else { format!("{led}{located}") }),
        ("Made safe", safe_state(board)),
        ("Facts", clean(&facts.join(", "))),
    ]
}

fn starts(count: u32) -> String {
    match count {
        0 => "never brought up".into(),
        1 => "brought up once".into(),
        count => format!("brought up {count} times"),
    }
}

fn chips_line(status: &BoardStatus, chips: &ChipTotals) -> String {
    let ChipTotals { verified, errors, duplicates, odd_chips, hash_rate_hps, relative_standard_error_ratio } = chips;
    let rate = hash_rate_hps.and_then(|rate| with_error(rate, *relative_standard_error_ratio));
    let rate = rate.map(|rate| format!(" at {rate}")).unwrap_or_default();
    let ChipErrors { wrong_hash, wrong_version, unknown_job } = errors.unwrap_or_default();
    let odd =
        if *odd_chips > 0 { format!("; something is odd about {odd_chips}, see `board chips`") } else { String::new() };
    format!(
        "{} of {} answered{rate}; {verified} nonces verified, {} failed ({wrong_hash} wrong hash, {wrong_version} wrong \
         version, {unknown_job} unknown job), {duplicates} duplicates{odd}",
        status.found_chips,
        status.expected_chips,
        sum(errors.as_ref())
    )
}

fn tuning(board: &Board) -> String {
    use mujina_proto::types::v1::{FixedTuning, board_tuning_status::Wanted};
    match board.tuning.as_ref().map(|tuning| &tuning.wanted) {
        // A board without a clock of its own has nothing to tune.
        None | Some(None) if board.chips.is_none() => String::new(),
        None | Some(None) => "as the model has it".into(),
        Some(Some(Wanted::Fixed(FixedTuning { frequency_megahertz, voltage_volts }))) => {
            format!("{} at {}", megahertz(*frequency_megahertz), volts(*voltage_volts))
        }
        Some(Some(Wanted::PowerWatts(power))) => format!("as fast as {} allow", watts(*power)),
        Some(Some(Wanted::HashRateHps(rate))) => {
            format!("as little power as {} need", hash_rate(*rate).unwrap_or_default())
        }
    }
}

fn set_points(status: &BoardStatus) -> String {
    let clock = status.frequency_megahertz.map(megahertz);
    let points = [clock, status.voltage_volts.map(volts), status.power_watts.map(watts)];
    points.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

fn learnt(board: &Board) -> String {
    let learnt = board.tuning.as_ref().map(|tuning| tuning.learnt.as_slice()).unwrap_or_default();
    clean(&learnt.join("; "))
}

fn safe_state(board: &Board) -> String {
    let Some(safe) = &board.safe_state else { return String::new() };
    let confirmed = if safe.confirmed { "confirmed" } else { "NOT CONFIRMED, cut its power" };
    format!("{}, {confirmed}: {} ({})", clock(time(safe.at)), clean(&safe.reason), clean(&safe.detail))
}

fn sensors(board: &Board, paint: Paint) -> String {
    let mut table = Table::new(&["SENSOR", ">READING", ">SLOWER FROM", ">STOPS AT", "PROBLEM"]);
    for sensor in &board.sensors {
        table.row([
            sensor.name.as_str().into(),
            Cell::new(sensor.temperature_celsius.map_or_else(|| "unknown".into(), celsius), heat(sensor)),
            celsius(sensor.soft_limit_celsius).into(),
            celsius(sensor.hard_limit_celsius).into(),
            Cell::new(&sensor.problem, Tone::Bad),
        ]);
    }
    table.render(paint)
}

fn rails(board: &Board, paint: Paint) -> String {
    let mut table = Table::new(&["SUPPLY", ">SET", ">MEASURED", ">CURRENT", ">POWER"]);
    for rail in &board.rails {
        table.row([
            rail.name.as_str().into(),
            rail.set_volts.map(volts).unwrap_or_default().into(),
            rail.measured_volts.map(volts).unwrap_or_default().into(),
            rail.measured_amperes.map(|amperes| format!("{amperes:.2} A")).unwrap_or_default().into(),
            rail.power_watts.map(watts).unwrap_or_default().into(),
        ]);
    }
    table.render(paint)
}

fn fans(board: &Board, paint: Paint) -> String {
    let mut table = Table::new(&["FAN", ">DUTY", ">SPEED"]);
    for fan in &board.fans {
        table.row([
            fan.name.as_str().into(),
            fan_words(fan.duty_percent, None).into(),
            fan_words(None, fan.speed_rpm).into(),
        ]);
    }
    table.render(paint)
}

/// What may be asked of a board.
pub(crate) fn constraints(constraints: &[BoardConstraint], paint: Paint) -> String {
    if constraints.is_empty() {
        return "the board has nothing to tune\n".into();
    }
    let mut table = Table::new(&["WHAT", ">LEAST", ">GREATEST", ">DEFAULT", "WHY"]);
    for BoardConstraint { name, least, greatest, default, reason } in constraints {
        let shown = |number: &f64| quantity(name, *number);
        let numbers = [shown(least), shown(greatest), shown(default)].map(Cell::from);
        let [least, greatest, default] = numbers;
        table.row([name.as_str().into(), least, greatest, default, Cell::new(reason, Tone::Dim)]);
    }
    table.render(paint)
}

/// A number in the unit that its name ends with.
fn quantity(name: &str, number: f64) -> String {
    let name = name.split('[').next().unwrap_or_default();
    match name.rsplit('_').next().unwrap_or_default() {
        "mhz" => megahertz(number),
        "volts" => volts(number),
        "watts" => watts(number),
        "celsius" => celsius(number),
        "hps" => hash_rate(number).unwrap_or_default(),
        _ => number.to_string(),
    }
}

/// A board that shows where it is, or no longer does.
pub(crate) fn located(board: &str, until: Option<SystemTime>) -> String {
    match until {
        Some(end) => format!("{} shows where it is until {}\n", clean(board), clock(Some(end))),
        None => format!("{} shows its state again\n", clean(board)),
    }
}

/// One step of a self-test: `passed   rails               12 ms  core 1.150 V`.
pub(crate) fn self_test_step(step: &SelfTestStep) -> String {
    let outcome = word(step.outcome().as_str_name(), "SELF_TEST_OUTCOME");
    let line = format!("{outcome:<8} {:<24} {:>8}  {}", clean(&step.name), elapsed(step.elapsed), clean(&step.detail));
    line.trim_end().to_owned()
}

/// A step that failed, in short.
pub(crate) fn self_test_failure(step: &SelfTestStep) -> String {
    if step.detail.is_empty() { clean(&step.name) } else { format!("{}: {}", clean(&step.name), clean(&step.detail)) }
}

/// The verdict of a self-test, after its steps.
pub(crate) fn self_tested(result: &SelfTestResult, paint: Paint) -> String {
    let count = |outcome| result.steps.iter().filter(|step| step.outcome() == outcome).count();
    let counts = format!(
        "{} passed, {} failed, {} skipped",
        count(SelfTestOutcome::Passed),
        count(SelfTestOutcome::Failed),
        count(SelfTestOutcome::Skipped)
    );
    let (verdict, tone) =
        if result.passed { ("the board passed", Tone::Good) } else { ("the board did not pass", Tone::Bad) };
    format!("{}\n", paint.text(&format!("{verdict}: {counts}"), tone))
}
