//! Numbers of PMBus devices.   Source: peripherals 3.1.
//!
//! - SLINEAR11: five bits of exponent, eleven of mantissa, both two's complement: mantissa × 2^exponent.
//! - ULINEAR16: sixteen bits without sign; the exponent is in `VOUT_MODE` and the same for all voltages of a device.

/// The value of an SLINEAR11 word.
#[must_use]
pub fn linear11(word: u16) -> f64 {
    let exponent = i32::from(signed(word >> 11, 5));
    let mantissa = f64::from(signed(word & 0x7FF, 11));
    mantissa * 2_f64.powi(exponent)
}

/// The SLINEAR11 word nearest to a value: the finest exponent among those that are equally near. `None` beyond the scale.
///
/// Positive mantissas stay below 1024, so that a reader that takes them as unsigned reads the same.
#[must_use]
pub fn to_linear11(value: f64) -> Option<u16> {
    let mut nearest: Option<(f64, u16)> = None;
    for exponent in -16_i16..=15 {
        let scale = 2_f64.powi(i32::from(exponent));
        let mantissa = (value / scale).round();
        if !(-1024.0..=1023.0).contains(&mantissa) {
            continue;
        }
        let error = (mantissa * scale - value).abs();
        if nearest.is_none_or(|(least, _)| error < least) {
            #[expect(clippy::cast_possible_truncation, reason = "the range was checked two lines above")]
            let mantissa = mantissa as i16;
            let word = (exponent.cast_unsigned() << 11) | (mantissa.cast_unsigned() & 0x7FF);
            nearest = Some((error, word));
        }
    }
    nearest.map(|(_, word)| word)
}

/// How a device writes its output voltage: `VOUT_MODE`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VoutMode {
    exponent: i8,
    is_relative: bool,
}

impl VoutMode {
    /// Reads the register; `None` for formats other than linear.
    #[must_use]
    pub fn new(register: u8) -> Option<Self> {
        let is_linear = register & 0x60 == 0;
        let exponent = i8::try_from(signed(u16::from(register & 0x1F), 5)).unwrap_or(0);
        is_linear.then_some(Self { exponent, is_relative: register & 0x80 != 0 })
    }

    /// Whether limits of the output are parts of the commanded voltage, and not voltages.
    #[must_use]
    pub fn is_relative(self) -> bool {
        self.is_relative
    }

    /// The value of a ULINEAR16 word, in volts or as a ratio.
    #[must_use]
    pub fn value(self, word: u16) -> f64 {
        f64::from(word) * 2_f64.powi(i32::from(self.exponent))
    }

    /// The word nearest to a value; `None` beyond the scale.
    #[must_use]
    pub fn word(self, value: f64) -> Option<u16> {
        let word = (value / 2_f64.powi(i32::from(self.exponent))).round();
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "in the range of the type")]
        (0.0..=f64::from(u16::MAX)).contains(&word).then_some(word as u16)
    }
}

/// A number of so many bits in two's complement.
fn signed(bits: u16, width: u32) -> i16 {
    let shift = 16 - width;
    (bits << shift).cast_signed() >> shift
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TPS546: u8 = 0x97;

    #[test]
    fn worked_words_of_linear11_are_encoded() {
        let worked = [
            (4.8, 0xCA66),
            (4.5, 0xCA40),
            (6.5, 0xCB40),
            (11.0, 0xD2C0),
            (10.5, 0xD2A0),
            (14.0, 0xD380),
            (14.8, 0xD3B3),
            (0.25, 0xAA00),
            (0.125, 0xA200),
            (25.0, 0xDB20),
            (30.0, 0xDBC0),
            (50.0, 0xE320),
            (55.0, 0xE370),
            (650.0, 0x028A),
            (325.0, 0xFA8A),
            (105.0, 0xEB48),
            (145.0, 0xF244),
            (3.0, 0xC300),
        ];
        for (value, word) in worked {
            assert_eq!(to_linear11(value), Some(word), "{value}");
        }
    }

    #[test]
    fn worked_words_of_linear11_are_decoded() {
        for (word, value) in
            [(0xD2E6, 11.59375), (0xFBFF, 511.5), (0x07FF, -1.0), (0xCA66, 4.796_875), (0xD3B3, 14.796_875)]
        {
            assert!((linear11(word) - value).abs() < 1e-12, "{word:#06x}: {}", linear11(word));
        }
        // What other firmware writes for the same values.
        for (word, value) in
            [(0x0145, 325.0), (0x0069, 105.0), (0x0091, 145.0), (0x0003, 3.0), (0xC880, 1.0), (0xE000, 0.0)]
        {
            assert!((linear11(word) - value).abs() < 1e-12, "{word:#06x}: {}", linear11(word));
        }
    }

    #[test]
    fn worked_voltages_are_encoded() {
        let mode = VoutMode::new(TPS546).unwrap();
        let worked = [
            (1.0, 0x0200),
            (1.15, 0x024D),
            (1.166, 0x0255),
            (1.2, 0x0266),
            (1.25, 0x0280),
            (1.16, 0x0252),
            (1.1, 0x0233),
            (0.9, 0x01CD),
            (0.75, 0x0180),
            (2.0, 0x0400),
            (3.0, 0x0600),
            (3.04, 0x0614),
            (3.5, 0x0700),
            (4.0, 0x0800),
        ];
        for (value, word) in worked {
            assert_eq!(mode.word(value), Some(word), "{value}");
        }
        assert!((mode.value(0x0266) - 1.199_218_75).abs() < 1e-12);
    }

    #[test]
    fn mode_says_format_and_whether_limits_are_ratios() {
        assert!(VoutMode::new(TPS546).unwrap().is_relative());
        assert!(!VoutMode::new(0x17).unwrap().is_relative());
        for other in [0x20, 0x40, 0x60, 0xFF] {
            assert_eq!(VoutMode::new(other), None, "{other:#04x}");
        }
    }

    #[test]
    fn what_is_beyond_the_scale_is_refused() {
        for value in [f64::NAN, f64::INFINITY, -f64::INFINITY, 1e9, -1e9] {
            assert_eq!(to_linear11(value), None, "{value}");
        }
        let mode = VoutMode::new(TPS546).unwrap();
        for value in [f64::NAN, -0.1, 128.0, f64::INFINITY] {
            assert_eq!(mode.word(value), None, "{value}");
        }
    }

    proptest! {
        #[test]
        fn linear11_word_is_as_near_as_any(value in -33_000_000.0..33_000_000.0_f64) {
            let found = linear11(to_linear11(value).unwrap());
            // Half a step of the finest exponent that holds it: eleven bits with a sign.
            let step = (value.abs() / 1023.0).max(2_f64.powi(-16)) * 2.0;
            prop_assert!((found - value).abs() <= step / 2.0, "{value} became {found}");
        }

        #[test]
        fn every_linear11_word_keeps_its_value(word: u16) {
            let value = linear11(word);
            prop_assert_eq!(to_linear11(value).map(linear11), Some(value));
        }

        #[test]
        fn every_voltage_word_keeps_its_value(word: u16, register: u8) {
            if let Some(mode) = VoutMode::new(register & 0x9F) {
                prop_assert_eq!(mode.word(mode.value(word)), Some(word));
            }
        }
    }
}
