//! Large and small numbers in three significant digits with a decimal prefix.

const PREFIXES: [&str; 9] = ["", "k", "M", "G", "T", "P", "E", "Z", "Y"];

/// Writes `value`, which is finite and not negative, as digits, a space and prefix with unit: `25.7 MH/s`, `0 H/s`.
/// Without prefix and unit the space is left out: `1.00`. Below a hundredth and above the prefixes it is scientific.
pub(super) fn three_digits(value: f64, unit: &str) -> String {
    let (digits, prefix) = scale(value);
    if prefix.is_empty() && unit.is_empty() { digits } else { format!("{digits} {prefix}{unit}") }
}

fn scale(value: f64) -> (String, &'static str) {
    if value == 0.0 {
        return ("0".to_owned(), "");
    }
    if value >= 0.009_995 {
        let mut scaled = value;
        for prefix in PREFIXES {
            // From here on three digits would round up to 1000.
            if scaled < 999.5 {
                return (digits(scaled), prefix);
            }
            scaled /= 1000.0;
        }
    }
    (format!("{value:.2e}"), "")
}

fn digits(scaled: f64) -> String {
    let decimals = match scaled {
        _ if scaled < 0.099_95 => 4,
        _ if scaled < 0.9995 => 3,
        _ if scaled < 9.995 => 2,
        _ if scaled < 99.95 => 1,
        _ => 0,
    };
    format!("{scaled:.decimals$}")
}

#[cfg(test)]
mod tests {
    use super::three_digits;

    #[test]
    fn every_size_has_three_digits() {
        for (value, text) in [
            (0.0, "0 x"),
            (4.66e-6, "4.66e-6 x"),
            (0.01, "0.0100 x"),
            (0.25, "0.250 x"),
            (0.9996, "1.00 x"),
            (1.0, "1.00 x"),
            (99.96, "100 x"),
            (999.4, "999 x"),
            (999.6, "1.00 kx"),
            (29_600.0, "29.6 kx"),
            (1.2e12, "1.20 Tx"),
            (1e26, "100 Yx"),
            (2e30, "2.00e30 x"),
        ] {
            assert_eq!(three_digits(value, "x"), text);
        }
    }

    #[test]
    fn no_unit_leaves_no_trailing_space() {
        assert_eq!(three_digits(1.0, ""), "1.00");
        assert_eq!(three_digits(29_600.0, ""), "29.6 k");
    }
}
