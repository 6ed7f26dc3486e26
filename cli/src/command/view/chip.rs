//! Chips: a table, and a map that can be read without colours.

use super::{
    board::{MANY_ERRORS, errors_cell, part, sum},
    clean, with_error,
};
use crate::output::{Cell, Paint, Table, Tone, age, percent};
use mujina_proto::{
    convert::time,
    types::v1::{BoardStatus, Chip},
};
use std::time::SystemTime;

/// Chips in a row of the map: easy to count, and narrow enough for any terminal.
const ROW: usize = 8;
/// Part of nonces that came before from which on something is wrong.
const MANY_DUPLICATES: f64 = 0.001;

/// Shades of a rate against the nominal one, from this part of it on.
const SHADES: [(f64, char, Tone); 4] =
    [(0.95, '█', Tone::Good), (0.8, '▓', Tone::Good), (0.5, '▒', Tone::Warn), (0.0, '░', Tone::Bad)];

/// A line a chip.
pub(crate) fn chips(status: &BoardStatus, chips: &[Chip], now: SystemTime, paint: Paint) -> String {
    if chips.is_empty() {
        return none(status);
    }
    let mut table = Table::new(&[
        ">CHIP",
        "ID",
        ">ADDRESS",
        ">RATE",
        ">OF NOMINAL",
        ">VERIFIED",
        ">ERRORS",
        ">DUPLICATES",
        ">LAST NONCE",
        "NOTES",
    ]);
    for chip in chips {
        let failed = sum(chip.errors.as_ref());
        let rate = chip.hash_rate_hps.and_then(|rate| with_error(rate, chip.relative_standard_error_ratio));
        let tone = ratio(chip).map_or(Tone::Dim, |ratio| shade(ratio).1);
        let tone = if tone == Tone::Good { Tone::Plain } else { tone };
        table.row([
            chip.index.into(),
            format!("{:#06x}", chip.chip_id).into(),
            chip.address.into(),
            rate.unwrap_or_default().into(),
            Cell::new(ratio(chip).map(percent).unwrap_or_default(), tone),
            chip.verified.into(),
            errors_cell(failed, chip.verified.saturating_add(failed)),
            Cell::new(chip.duplicates, if has_duplicates(chip) { Tone::Warn } else { Tone::Plain }),
            age(time(chip.last_nonce_at), now).into(),
            Cell::new(chip.notes.join("; "), Tone::Warn),
        ]);
    }
    format!("{}{}", table.render(paint), missing(status, paint))
}

/// A square a chip: its shade is the rate against the nominal one, a letter says what is wrong.
pub(crate) fn chip_map(status: &BoardStatus, chips: &[Chip], _now: SystemTime, paint: Paint) -> String {
    if chips.is_empty() {
        return none(status);
    }
    let squares: Vec<_> = chips.iter().map(|chip| square(chip, paint)).collect();
    let rows = squares.chunks(ROW).enumerate().map(|(row, squares)| {
        let first = paint.text(&format!("{:>4}", row.saturating_mul(ROW)), Tone::Dim);
        format!("{first}  {}\n", squares.join(" ").trim_end())
    });
    let title = format!("{}, nearest to the host first; rates in percent of nominal\n", clean(&status.board_id));
    format!("{title}{}{}{}", rows.collect::<String>(), missing(status, paint), legend(paint))
}

/// Two characters of shade, the rate, and one for what is wrong: `██  99n`.
fn square(chip: &Chip, paint: Paint) -> String {
    let (shaded, number) = match ratio(chip) {
        Some(ratio) => {
            let (shade, tone) = shade(ratio);
            (paint.text(&shade.to_string().repeat(2), tone), format!("{:>4.0}", (ratio * 100.0).min(999.0)))
        }
        None => (paint.text("··", Tone::Dim), "   -".into()),
    };
    let wrong = match wrong(chip) {
        ' ' => " ".into(),
        letter => paint.text(&letter.to_string(), Tone::Bad),
    };
    format!("{shaded}{number}{wrong}")
}

/// What is wrong with a chip, the worst first.
fn wrong(chip: &Chip) -> char {
    let failed = sum(chip.errors.as_ref());
    let many = part(failed, chip.verified.saturating_add(failed)).is_some_and(|ratio| ratio >= MANY_ERRORS);
    match () {
        () if many => 'e',
        () if has_duplicates(chip) => 'd',
        () if !chip.notes.is_empty() => 'n',
        () => ' ',
    }
}

fn has_duplicates(chip: &Chip) -> bool {
    part(chip.duplicates, chip.verified.saturating_add(chip.duplicates)).is_some_and(|ratio| ratio >= MANY_DUPLICATES)
}

/// The rate as a part of the nominal one; `None` while either is unknown.
fn ratio(chip: &Chip) -> Option<f64> {
    let nominal = chip.nominal_hash_rate_hps;
    chip.hash_rate_hps.filter(|rate| *rate >= 0.0 && nominal > 0.0).map(|rate| rate / nominal)
}

fn shade(ratio: f64) -> (char, Tone) {
    let [.., (_, lightest, bad)] = SHADES;
    SHADES.iter().find(|(from, ..)| ratio >= *from).map_or((lightest, bad), |(_, shade, tone)| (*shade, *tone))
}

fn legend(paint: Paint) -> String {
    let mut above: Option<f64> = None;
    let mut shades = Vec::new();
    for (from, shade, tone) in SHADES {
        let range = match above {
            None => format!("{:.0} % and more", from * 100.0),
            Some(above) => format!("{:.0} to {:.0} %", from * 100.0, above * 100.0),
        };
        shades.push(format!("{} {range}", paint.text(&shade.to_string().repeat(2), tone)));
        above = Some(from);
    }
    format!(
        "\n{}   {} no nonce yet\ne {} of its nonces or more failed   d {} or more came twice   n see its notes in `board chips`\n",
        shades.join("   "),
        paint.text("··", Tone::Dim),
        percent(MANY_ERRORS),
        percent(MANY_DUPLICATES),
    )
}

fn missing(status: &BoardStatus, paint: Paint) -> String {
    let missing = status.expected_chips.saturating_sub(status.found_chips);
    if missing == 0 {
        return String::new();
    }
    let text = format!("{missing} of {} chips did not answer", status.expected_chips);
    format!("{}\n", paint.text(&text, Tone::Bad))
}

fn none(status: &BoardStatus) -> String {
    if status.expected_chips == 0 {
        format!("{} has no chips of its own\n", clean(&status.board_id))
    } else {
        let reason =
            if status.state_reason.is_empty() { String::new() } else { format!(": {}", clean(&status.state_reason)) };
        format!("no chip of {} has answered{reason}\n", clean(&status.board_id))
    }
}
