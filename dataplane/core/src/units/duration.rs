//! Durations as people write them: shown in logs and by the CLI, read from flags and configuration.

use std::time::Duration;

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// Longest duration that is read: 100 years. It keeps `Instant` arithmetic far from its overflow.
pub const LONGEST: Duration = Duration::from_secs(36_500 * DAY);

/// A text that is no duration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DurationError {
    /// Does not start with a whole number.
    #[error("duration does not start with a whole number; write one with its unit, such as 250ms, 10s, 5m, 2h or 1d")]
    NoNumber,
    /// A number alone, which could mean anything.
    #[error("duration has no unit; write one of ms, s, m, h and d after the number")]
    NoUnit,
    /// Something other than one unit after the number.
    #[error("duration unit is not known; write one of ms, s, m, h and d after the number")]
    UnknownUnit,
    /// More than [`LONGEST`].
    #[error("duration is too long; give at most 36500d")]
    TooLong,
}

/// Reads one whole number with its unit: `250ms`, `10s`, `5m`, `2h`, `1d`. Blanks around either are fine.
///
/// # Errors
/// What is missing or not understood; see [`DurationError`].
pub fn parse(text: &str) -> Result<Duration, DurationError> {
    let text = text.trim();
    let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()));
    if number.is_empty() {
        return Err(DurationError::NoNumber);
    }
    let milliseconds = match unit.trim_start() {
        "ms" => 1,
        "s" => 1000,
        "m" => MINUTE * 1000,
        "h" => HOUR * 1000,
        "d" => DAY * 1000,
        "" => return Err(DurationError::NoUnit),
        _ => return Err(DurationError::UnknownUnit),
    };
    // A number of digits that does not fit a u64 can only be too long.
    let number: u64 = number.parse().map_err(|_| DurationError::TooLong)?;
    let duration = number.checked_mul(milliseconds).map(Duration::from_millis).ok_or(DurationError::TooLong)?;
    if duration <= LONGEST { Ok(duration) } else { Err(DurationError::TooLong) }
}

/// Shows a duration in its two largest units: `850 ns`, `1.2 ms`, `42 s`, `3m 04s`, `2h 05m`, `2d 3h`.
///
/// What is smaller is cut, never rounded up, so no deadline is shown as passed before it has.
#[must_use]
pub fn human(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        0 => human_below_a_second(duration.subsec_nanos()),
        1..10 => format!("{seconds}.{} s", duration.subsec_millis() / 100),
        10..MINUTE => format!("{seconds} s"),
        MINUTE..HOUR => format!("{}m {:02}s", seconds / MINUTE, seconds % MINUTE),
        HOUR..DAY => format!("{}h {:02}m", seconds / HOUR, seconds % HOUR / MINUTE),
        DAY.. => format!("{}d {}h", seconds / DAY, seconds % DAY / HOUR),
    }
}

fn human_below_a_second(nanoseconds: u32) -> String {
    let (unit, size) = match nanoseconds {
        0 => return "0 s".to_owned(),
        1..1000 => return format!("{nanoseconds} ns"),
        1000..1_000_000 => ("µs", 1000),
        _ => ("ms", 1_000_000),
    };
    let (whole, tenth) = (nanoseconds / size, nanoseconds % size / (size / 10));
    if whole < 10 { format!("{whole}.{tenth} {unit}") } else { format!("{whole} {unit}") }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::{DAY, DurationError, HOUR, LONGEST, human, parse};

    #[test]
    fn every_unit_is_read() {
        for (text, milliseconds) in [
            ("250ms", 250),
            ("10s", 10_000),
            ("5m", 300_000),
            ("2h", 7_200_000),
            ("1d", 86_400_000),
            ("0s", 0),
            (" 45 s ", 45_000),
        ] {
            assert_eq!(parse(text), Ok(Duration::from_millis(milliseconds)), "{text}");
        }
        assert_eq!(parse("36500d"), Ok(LONGEST));
    }

    #[test]
    fn every_mistake_has_its_error() {
        for (text, error) in [
            ("", DurationError::NoNumber),
            ("s", DurationError::NoNumber),
            ("-1s", DurationError::NoNumber),
            ("+1s", DurationError::NoNumber),
            ("45", DurationError::NoUnit),
            ("1.5h", DurationError::UnknownUnit),
            ("5 minutes", DurationError::UnknownUnit),
            ("1h30m", DurationError::UnknownUnit),
            ("5M", DurationError::UnknownUnit),
            ("36501d", DurationError::TooLong),
            ("18446744073709551615ms", DurationError::TooLong),
            ("18446744073709551615d", DurationError::TooLong),
            ("99999999999999999999s", DurationError::TooLong),
        ] {
            assert_eq!(parse(text), Err(error), "{text}");
        }
    }

    #[test]
    fn every_size_is_shown_in_its_units() {
        for (nanoseconds, text) in [
            (0, "0 s"),
            (850, "850 ns"),
            (1_000, "1.0 µs"),
            (1_299_999, "1.2 ms"),
            (250_000_000, "250 ms"),
            (999_999_999, "999 ms"),
            (1_000_000_000, "1.0 s"),
            (9_990_000_000, "9.9 s"),
            (59_999_999_999, "59 s"),
        ] {
            assert_eq!(human(Duration::from_nanos(nanoseconds)), text);
        }
        for (seconds, text) in [
            (60, "1m 00s"),
            (184, "3m 04s"),
            (HOUR - 1, "59m 59s"),
            (7500, "2h 05m"),
            (2 * DAY + 3 * HOUR + 59, "2d 3h"),
        ] {
            assert_eq!(human(Duration::from_secs(seconds)), text);
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "[0-9]{0,25} ?\\PC{0,4}") {
            if let Ok(duration) = parse(&text) {
                prop_assert!(duration <= LONGEST);
            }
        }

        #[test]
        fn any_duration_is_shown_briefly(seconds in any::<u64>(), nanoseconds in 0..1_000_000_000_u32) {
            prop_assert!(human(Duration::new(seconds, nanoseconds)).chars().count() <= 20);
        }
    }
}
