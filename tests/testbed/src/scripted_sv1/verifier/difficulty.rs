//! From a difficulty to the target that a hash must meet, exact to the last bit, for it is what the pool's own books say.

/// Bits behind the leading 16 of the target of difficulty 1: 0xffff × 2^208.
const SHIFT: i32 = 208;

/// floor(0xffff × 2^208 / difficulty), little-endian; the greatest number of 256 bits when that is greater.
///
/// Bit by bit as on paper, with the difficulty as the fraction of integers that its binary form is.
pub(super) fn target(difficulty: f64) -> [u8; 32] {
    let (divisor, exponent) = fraction(difficulty);
    let mut remainder = 0_u128;
    let mut quotient = [0; 32];
    for bit in 0..(16 + SHIFT - exponent).max(0) {
        remainder = (remainder << 1) | u128::from(bit < 16);
        let fits = remainder >= divisor;
        remainder -= if fits { divisor } else { 0 };
        if push(&mut quotient, fits) {
            return [0xff; 32];
        }
    }
    quotient
}

/// A positive finite number as integer × 2^exponent.
fn fraction(number: f64) -> (u128, i32) {
    let bits = number.to_bits();
    let exponent = i32::try_from((bits >> 52) & 0x7ff).expect("eleven bits");
    let mantissa = u128::from(bits & ((1 << 52) - 1));
    if exponent == 0 { (mantissa, -1074) } else { (mantissa | (1 << 52), exponent - 1075) }
}

/// Shifts one more bit in from below; whether one fell out at the top.
fn push(number: &mut [u8; 32], bit: bool) -> bool {
    let mut carry = u8::from(bit);
    for byte in number {
        (carry, *byte) = (*byte >> 7, (*byte << 1) | carry);
    }
    carry == 1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(difficulty: f64) -> String {
        target(difficulty).iter().rev().map(|byte| format!("{byte:02x}")).collect()
    }

    #[test]
    fn targets_are_those_of_the_reference() {
        assert_eq!(shown(1.0), format!("00000000ffff{}", "0".repeat(52)));
        assert_eq!(shown(16_383.75), format!("000000000004{}", "0".repeat(52)));
        assert!(shown(0.001).starts_with("000003e7fc17ffff"), "{}", shown(0.001));
        assert_eq!(shown(65_536.0), format!("000000000000ffff{}", "0".repeat(48)));
        assert_eq!(shown(1e-300), "f".repeat(64));
    }
}
