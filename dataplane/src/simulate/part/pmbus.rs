//! Number formats of PMBus. Section 3.1 of the sheet.

use super::{high, low, whole};

/// SLINEAR11: eleven bits of mantissa, five of exponent, both two's complement. Takes the finest exponent that fits.
pub(super) fn linear11(value: f64) -> [u8; 2] {
    let exponent = (-16..=15).find(|exponent| (value / f64::from(*exponent).exp2()).abs() <= 1023.0).unwrap_or(15);
    let mantissa = whole(value / f64::from(exponent).exp2(), -1024, 1023);
    let word = (exponent & 0x1f) << 11 | (mantissa & 0x07ff);
    [low(word), high(word)]
}

/// The value of a SLINEAR11 word.
pub(super) fn from_linear11(bytes: [u8; 2]) -> f64 {
    let word = i16::from_le_bytes(bytes);
    let mantissa = (word << 5) >> 5;
    f64::from(mantissa) * f64::from(word >> 11).exp2()
}

/// ULINEAR16 with an exponent of -9: VOUT_MODE 97.
pub(super) fn linear16(value: f64) -> [u8; 2] {
    let word = whole(value * 512.0, 0, 0xffff);
    [low(word), high(word)]
}

/// The value of an ULINEAR16 word.
pub(super) fn from_linear16(bytes: [u8; 2]) -> f64 {
    f64::from(u16::from_le_bytes(bytes)) / 512.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_the_sheet_are_read() {
        for (word, value) in [
            (0xca66_u16, 4.796_875),
            (0xcb40, 6.5),
            (0xdb20, 25.0),
            (0xd2e6, 11.593_75),
            (0xfbff, 511.5),
            (0x07ff, -1.0),
            (0x0069, 105.0),
            (0xeb48, 105.0),
        ] {
            assert_eq!(from_linear11(word.to_le_bytes()), value, "{word:04x}");
        }
        assert_eq!(from_linear16([0x4d, 0x02]), 1.150_390_625);
    }

    #[test]
    fn values_survive_being_written() {
        for value in [0.0, 0.25, 4.8, 12.0, 650.0, -5.5, 105.0] {
            let read = from_linear11(linear11(value));
            assert!((read - value).abs() <= value.abs() / 500.0, "{value} became {read}");
        }
        assert_eq!(linear16(1.15), [0x4d, 0x02]);
        assert_eq!(linear16(3.04), [0x14, 0x06]);
    }
}
