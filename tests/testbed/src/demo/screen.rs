//! The live view: one block that is drawn over itself on a terminal, a line every five seconds elsewhere.

use super::{
    report::{ReconnectSummary, Summary, best_rate},
    tour::TourSummary,
};
use mujina_core::units::{HashRate, duration};
use mujina_proto::{dial::Address, types::v1::MinerStatus};
use std::{
    io::{self, IsTerminal, Write},
    time::Duration,
};

/// Seconds between two lines where nothing can be drawn over.
const LINE_EVERY: u64 = 5;

pub(super) struct Screen {
    json: bool,
    redraws: bool,
    drawn: usize,
    said_at: u64,
}

impl Screen {
    /// With `json` the last line of standard output is for machines, and people are told on standard error.
    pub(super) fn new(json: bool) -> Self {
        let redraws = if json { io::stderr().is_terminal() } else { io::stdout().is_terminal() };
        Self { json, redraws, drawn: 0, said_at: 0 }
    }

    pub(super) fn say(&mut self, text: &str) {
        let text = format!("{text}\n");
        // A reader that went away is told nothing more.
        let _ =
            if self.json { io::stderr().write_all(text.as_bytes()) } else { io::stdout().write_all(text.as_bytes()) };
        let _ = io::stdout().flush();
    }

    /// What to try in a second terminal.
    pub(super) fn introduce(&mut self, control: &Address, miner: &Address) {
        self.say(&format!(
            "\nIn a second terminal:\n\n    \
             alias mujinactl='cargo run --quiet --release --bin mujinactl --'\n    \
             export MUJINA_ADDRESS={control}\n    \
             mujinactl status\n    \
             mujinactl pool reconnect --trace\n    \
             mujinactl shares tail\n    \
             mujinactl board list\n    \
             mujinactl board chips emberone-00-5eed0002 --map\n    \
             mujinactl pause --wait && mujinactl resume --wait\n    \
             mujinactl --address {miner} status\n"
        ));
    }

    pub(super) fn show(&mut self, status: &MinerStatus, reconnect: Option<&ReconnectSummary>, elapsed: Duration) {
        if !self.redraws {
            if elapsed.as_secs() >= self.said_at + LINE_EVERY {
                self.said_at = elapsed.as_secs();
                let text = lines(status, reconnect, elapsed).join("  ");
                self.say(&text);
            }
            return;
        }
        let lines = lines(status, reconnect, elapsed);
        let up = if self.drawn > 0 { format!("\x1b[{}A", self.drawn) } else { String::new() };
        let block: Vec<_> = lines.iter().map(|line| format!("\x1b[2K{line}")).collect();
        self.drawn = lines.len();
        self.say(&format!("{up}{}", block.join("\n")));
    }

    pub(super) fn end(&mut self, summary: &Summary) {
        let Summary { accepted, rejected, pending, lost, found, balanced, .. } = summary;
        let books = if *balanced { "the books balance" } else { "THE BOOKS DO NOT BALANCE" };
        self.say(&format!(
            "\n{found} nonces found: {accepted} shares accepted, {rejected} rejected, {pending} pending, {lost} lost; {books}"
        ));
        if self.json {
            let line = serde_json::to_string(summary).expect("numbers and text have a JSON form");
            println!("{line}");
        }
    }
}

impl Screen {
    pub(super) fn end_tour(&mut self, summary: &TourSummary) {
        let TourSummary { accepted, rejected, lost, balanced, .. } = summary;
        let books = if *balanced { "the books balance" } else { "THE BOOKS DO NOT BALANCE" };
        self.say(&format!("{accepted} shares accepted, {rejected} rejected, {lost} lost; {books}"));
        if self.json {
            let line = serde_json::to_string(summary).expect("numbers and text have a JSON form");
            println!("{line}");
        }
    }
}

fn lines(status: &MinerStatus, reconnect: Option<&ReconnectSummary>, elapsed: Duration) -> Vec<String> {
    let totals = status.totals.clone().unwrap_or_default();
    let rate = best_rate(&status.rates).map_or_else(
        || "-".into(),
        |rate| {
            let shown = HashRate::from_hashes_per_second(rate.hash_rate_hps.unwrap_or_default());
            let error = rate.relative_standard_error_ratio.unwrap_or(1.0) * 100.0;
            format!("{shown} ±{error:.0} %")
        },
    );
    let reconnect = reconnect.map_or_else(
        || "-".into(),
        |one| format!("work gap {:.3} ms, {} shares lost, trace {}", one.work_gap_ms, one.shares_lost, one.trace_id),
    );
    let boards = status.boards.iter().map(|board| {
        let accepted = board.totals.as_ref().map_or(0, |totals| totals.accepted);
        format!("{} {accepted}", board.board_id)
    });
    let boards: Vec<_> = boards.collect();
    vec![
        format!("up {}", duration::human(elapsed)),
        format!("hash rate {rate}"),
        format!("pool {}", if status.live_pool.is_empty() { "-" } else { &status.live_pool }),
        format!("shares accepted {}, rejected {}, lost {}", totals.accepted, totals.rejected, totals.lost),
        format!("accepted by board: {}", boards.join(", ")),
        format!("last reconnect: {reconnect}"),
    ]
}
