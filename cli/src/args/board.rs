//! The words of `board`.

use clap::{Args as ClapArgs, Subcommand};
use mujina_core::units::duration;
use std::time::Duration;

/// `board`
#[derive(Debug, Subcommand)]
pub(crate) enum Board {
    /// The boards, a line each; `-o wide` shows more
    List(BoardList),
    /// Everything that is known of one board
    Get(BoardName),
    /// The chips of a board, as a table or a map
    Chips(BoardChips),
    /// What may be asked of the tuning of a board, and why no more
    Constraints(BoardName),
    /// Change clock and voltage, limits and fan of a board, or of all boards of a model
    Tune(Box<BoardTune>),
    /// Let the LED of a board show where it is
    Locate(BoardLocate),
    /// Test rails, fan, sensors and every chip of a board; it does not mine meanwhile
    SelfTest(BoardName),
    /// Make a board safe and bring it up from the beginning
    Reinit(BoardName),
}

/// `board list`
#[derive(Debug, ClapArgs)]
pub(crate) struct BoardList {
    /// Show them again after every change, until Ctrl-C
    #[arg(short, long)]
    pub(crate) watch: bool,
}

/// Which board.
#[derive(Debug, ClapArgs)]
pub(crate) struct BoardName {
    /// Id of the board, as `board list` shows it
    pub(crate) board: String,
}

/// `board chips`
#[derive(Debug, ClapArgs)]
pub(crate) struct BoardChips {
    #[command(flatten)]
    pub(crate) name: BoardName,
    /// Draw a map: the rate of each chip against its nominal one, with a letter for what is wrong
    #[arg(long)]
    pub(crate) map: bool,
}

/// `board tune`
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  mujinactl board tune bitaxe-gamma-1 --frequency 550MHz --voltage 1.15V
  mujinactl board tune bitaxe-gamma --power 15W --soft-limit asic=65C    # every board of the model
  mujinactl board tune emberone-1 --hash-rate 2.5TH --fan-target 55C --dry-run
  mujinactl board tune emberone-1 --default --no-soft-limit asic
  mujinactl board tune emberone-1 --reset                                # all as the model has it

`board constraints` shows what may be asked. What is said of a board wins over what is said of its model.")]
pub(crate) struct BoardTune {
    /// Id of a board, or a model; one that is not there yet is tuned when it comes
    pub(crate) board: String,
    /// Clock of the chips, such as 525MHz; needs --voltage
    #[arg(long, value_name = "MHZ", value_parser = quantity::megahertz, requires = "voltage",
        conflicts_with_all = ["power", "hash_rate", "default"])]
    pub(crate) frequency: Option<f64>,
    /// Core voltage, such as 1.15V or 1150mV; over the whole stack where chips are in series
    #[arg(long, value_name = "VOLTS", value_parser = quantity::volts, requires = "frequency")]
    pub(crate) voltage: Option<f64>,
    /// As fast as this power allows, such as 15W
    #[arg(long, value_name = "WATTS", value_parser = quantity::watts, conflicts_with_all = ["hash_rate", "default"])]
    pub(crate) power: Option<f64>,
    /// As little power as this rate needs, such as 1.1TH
    #[arg(long, value_name = "RATE", value_parser = quantity::hashes_per_second, conflicts_with = "default")]
    pub(crate) hash_rate: Option<f64>,
    /// Clock and voltage as the model has them
    #[arg(long)]
    pub(crate) default: bool,
    /// Temperature from which on the clock goes down, such as asic=65C; can only be tighter than the model's
    #[arg(long, value_name = "SENSOR=CELSIUS", value_parser = quantity::limit)]
    pub(crate) soft_limit: Vec<(String, f64)>,
    /// Temperature from which on the board stops, such as asic=72C; can only be tighter than the model's
    #[arg(long, value_name = "SENSOR=CELSIUS", value_parser = quantity::limit)]
    pub(crate) hard_limit: Vec<(String, f64)>,
    /// The model's own limit again
    #[arg(long, value_name = "SENSOR")]
    pub(crate) no_soft_limit: Vec<String>,
    /// The model's own limit again
    #[arg(long, value_name = "SENSOR")]
    pub(crate) no_hard_limit: Vec<String>,
    /// Temperature that the fan aims at, such as 55C
    #[arg(long, value_name = "CELSIUS", value_parser = quantity::celsius, conflicts_with = "no_fan_target")]
    pub(crate) fan_target: Option<f64>,
    /// The model's own fan target again
    #[arg(long)]
    pub(crate) no_fan_target: bool,
    /// Forget everything that was said of it before
    #[arg(long)]
    pub(crate) reset: bool,
    /// Only say what would change
    #[arg(long)]
    pub(crate) dry_run: bool,
}

/// `board locate`
#[derive(Debug, ClapArgs)]
pub(crate) struct BoardLocate {
    #[command(flatten)]
    pub(crate) name: BoardName,
    /// For how long, such as 30s; up to 1h
    #[arg(long = "for", value_name = "DURATION", value_parser = duration::parse, required_unless_present = "off",
        conflicts_with = "off")]
    pub(crate) duration: Option<Duration>,
    /// End it
    #[arg(long)]
    pub(crate) off: bool,
}

/// Numbers with their units. A unit must be said: 1150 is no voltage that anybody means.
pub(crate) mod quantity {
    /// A unit as it is written, in small letters, and its power of ten.
    type Unit = (&'static str, i32);

    pub(super) fn megahertz(text: &str) -> Result<f64, String> {
        read(text, &[("mhz", 0), ("ghz", 3)], "525MHz")
    }

    pub(super) fn volts(text: &str) -> Result<f64, String> {
        read(text, &[("mv", -3), ("v", 0)], "1.15V or 1150mV")
    }

    pub(super) fn watts(text: &str) -> Result<f64, String> {
        read(text, &[("kw", 3), ("w", 0)], "15W")
    }

    pub(super) fn hashes_per_second(text: &str) -> Result<f64, String> {
        let rate = text.trim().strip_suffix("/s").unwrap_or(text);
        read(rate, &[("kh", 3), ("mh", 6), ("gh", 9), ("th", 12), ("ph", 15), ("h", 0)], "1.1TH or 550GH")
    }

    pub(super) fn celsius(text: &str) -> Result<f64, String> {
        read(text, &[("°c", 0), ("c", 0)], "65C")
    }

    pub(super) fn limit(text: &str) -> Result<(String, f64), String> {
        let (sensor, limit) =
            text.split_once('=').ok_or_else(|| "has no sensor; write for example asic=65C".to_owned())?;
        Ok((sensor.to_owned(), celsius(limit)?))
    }

    fn read(text: &str, units: &[Unit], example: &str) -> Result<f64, String> {
        let small = text.trim().to_lowercase();
        let found = units.iter().find_map(|(unit, power)| Some((small.strip_suffix(unit)?, power)));
        let (number, power) = found.ok_or_else(|| format!("has no unit that is known; write for example {example}"))?;
        // Read as one decimal number, so that 1150mV is exactly 1.15 V.
        let number = format!("{}e{power}", number.trim()).parse().ok().filter(|number: &f64| number.is_finite());
        number.ok_or_else(|| format!("is no number; write for example {example}"))
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn units_are_read_in_any_case_and_never_guessed() {
            assert_eq!(megahertz("525MHz"), Ok(525.0));
            assert_eq!(volts(" 1150 mV "), Ok(1.15));
            assert_eq!(volts("1.15v"), Ok(1.15));
            assert_eq!(hashes_per_second("1.5TH/s"), Ok(1.5e12));
            assert_eq!(hashes_per_second("7h"), Ok(7.0));
            assert_eq!(celsius("65°C"), Ok(65.0));
            assert_eq!(limit("asic=65C"), Ok(("asic".to_owned(), 65.0)));
            for wrong in [volts("1150"), watts("15V"), watts("manyW"), watts("infW"), celsius("")] {
                assert!(wrong.unwrap_err().contains("for example"));
            }
            assert!(limit("65C").unwrap_err().contains("asic=65C"));
        }
    }
}
