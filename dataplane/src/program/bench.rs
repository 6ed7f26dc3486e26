//! `bench hash`: how fast this machine hashes with each kernel, as a table or as JSON.

use crate::thread::sha256d::bench::{Report, Row, bench};
use clap::{Args, Subcommand, ValueEnum};
use mujina_core::units::duration;
use serde_json::json;
use std::time::Duration;

/// What can be measured.
#[derive(Debug, Subcommand)]
pub(super) enum Bench {
    /// Double SHA-256 of block headers, by one thread, with every kernel that runs here and two crates beside them
    Hash(HashArgs),
}

#[derive(Debug, Args)]
pub(super) struct HashArgs {
    /// How long to measure, for example 10s
    #[arg(long = "for", value_parser = duration::parse, value_name = "DURATION", default_value = "5s")]
    lasts: Duration,
    /// How to show it
    #[arg(short, long, value_enum, default_value_t = Format::Table)]
    output: Format,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    Table,
    Json,
}

/// Measures, and returns what to print.
pub(super) fn run(what: &Bench) -> String {
    let Bench::Hash(HashArgs { lasts, output }) = what;
    let report = bench(*lasts);
    match output {
        Format::Table => table(&report),
        Format::Json => json(&report),
    }
}

fn table(report: &Report) -> String {
    let Report { cpu, frequency, rows } = report;
    let cpu = if cpu.is_empty() { "unknown CPU" } else { cpu };
    let mut text = format!("{cpu}, {:.2} GHz while measured; one thread\n\n", frequency / 1e9);
    text +=
        &format!("{:<16} {:<7} {:>10} {:>10} {:>8} {:>9}\n", "", "rolled", "median", "fastest", "cycles", "vs sha2");
    for Row { name, rolled, hash_rate, fastest, cycles_per_hash, ratio } in rows {
        let rolled = if *rolled { "yes" } else { "no" };
        text += &format!("{name:<16} {rolled:<7} {hash_rate:>10} {fastest:>10} {cycles_per_hash:>8.1} {ratio:>8.2}x\n");
    }
    text
}

fn json(report: &Report) -> String {
    let Report { cpu, frequency, rows } = report;
    let row = |row: &Row| {
        let Row { name, rolled, hash_rate, fastest, cycles_per_hash, ratio } = row;
        json!({
            "name": name,
            "rolled": rolled,
            "hash_rate_hps": hash_rate.hashes_per_second(),
            "fastest_hps": fastest.hashes_per_second(),
            "cycles_per_hash": cycles_per_hash,
            "sha2_ratio": ratio,
        })
    };
    format!("{}\n", json!({ "cpu": cpu, "frequency_hz": frequency, "rows": rows.iter().map(row).collect::<Vec<_>>() }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use mujina_core::units::HashRate;

    fn report() -> Report {
        let row = Row {
            name: "portable".into(),
            rolled: true,
            hash_rate: HashRate::from_megahashes_per_second(9.5),
            fastest: HashRate::from_megahashes_per_second(10.0),
            cycles_per_hash: 370.25,
            ratio: 1.5,
        };
        Report { cpu: "Some CPU".into(), frequency: 3.5e9, rows: vec![row] }
    }

    #[test]
    fn table_names_the_cpu_and_lines_up() {
        let text = table(&report());
        assert!(text.starts_with("Some CPU, 3.50 GHz"), "{text}");
        assert!(text.contains("portable         yes      9.50 MH/s  10.0 MH/s    370.2     1.50x"), "{text}");
    }

    #[test]
    fn json_holds_the_numbers_in_their_units() {
        let value: serde_json::Value = serde_json::from_str(&json(&report())).unwrap();
        assert_eq!(value["rows"][0]["hash_rate_hps"], 9.5e6);
        assert_eq!(value["frequency_hz"], 3.5e9);
    }
}
