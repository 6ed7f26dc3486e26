//! The checksums of the line: CRC5 under commands and responses, CRC16 under jobs. Table driven, with tables made by the
//! compiler.
//!
//! Both take bits with the most significant first, reflect nothing and invert nothing at the end. Polynomials and starts are
//! those of captured frames: x^5 + x^2 + 1 from 0x1f, and CRC-16/CCITT-FALSE.

/// Bytes of the longest response behind its preamble.
const LONGEST: usize = 9;
/// Bytes that the CRC16 takes in one step.
const STRIDE: usize = 8;

/// One byte in the five-bit register.
static CRC5: [u8; 256] = crc5_table();
/// What a byte adds to the remainder of a response, by its distance from the end; the end comes last.
static RESIDUE: [[u8; 256]; LONGEST] = residue_tables();
/// What a byte adds to the CRC16, by its distance from the end of a stride; the end comes last.
static CRC16: [[u16; 256]; STRIDE] = crc16_tables();

/// CRC5 of whole bytes, in the low five bits.
#[must_use]
pub fn crc5(bytes: &[u8]) -> u8 {
    bytes.iter().fold(0x1f, |crc, byte| look(&CRC5, crc << 3 ^ byte))
}

/// Whether the bytes of a response behind its preamble are as they were sent. The sum covers them all but for its own five
/// bits, so with those the remainder is zero.
#[must_use]
pub fn is_intact<const N: usize>(body: &[u8; N]) -> bool {
    const { assert!(N > 0 && N <= LONGEST) };
    let tables = RESIDUE.get(LONGEST - N..).unwrap_or_default();
    // To start from ones is to find the first five bits inverted. Each byte counts for itself, so none waits for another.
    let first = std::iter::once(0xf8).chain(std::iter::repeat(0));
    body.iter().zip(first).zip(tables).fold(0, |sum, ((byte, start), table)| sum ^ look(table, byte ^ start)) == 0
}

/// CRC5 under the bytes of a response and the three bits of its type: the last byte as it is sent.
#[must_use]
pub fn tail(body: &[u8], kind: u8) -> u8 {
    let mut crc = body.iter().fold(0x1f, |crc, byte| look(&CRC5, crc << 3 ^ byte));
    for bit in [kind >> 2, kind >> 1, kind] {
        let feedback = (crc >> 4 ^ bit) & 1;
        crc = (crc << 1 & 0x1f) ^ (feedback * 5);
    }
    kind << 5 | crc
}

/// CRC16 of whole bytes.
#[must_use]
pub fn crc16(bytes: &[u8]) -> u16 {
    let (strides, rest) = bytes.as_chunks::<STRIDE>();
    let crc = strides.iter().fold(0xffff_u16, |crc, stride| {
        let start = crc.to_be_bytes().into_iter().chain(std::iter::repeat(0));
        let parts = stride.iter().zip(start).zip(&CRC16);
        parts.fold(0, |sum, ((byte, start), table)| sum ^ look(table, byte ^ start))
    });
    let [.., last] = &CRC16;
    rest.iter().fold(crc, |crc, byte| {
        let [high, low] = crc.to_be_bytes();
        u16::from_be_bytes([low, 0]) ^ look(last, high ^ byte)
    })
}

fn look<T: Copy + Default>(table: &[T; 256], index: u8) -> T {
    table.get(usize::from(index)).copied().unwrap_or_default()
}

/// One byte through a register of five bits that stands at the top of the byte.
const fn crc5_of(mut register: u8) -> u8 {
    let mut bit = 0;
    while bit < 8 {
        register = if register & 0x80 != 0 { register << 1 ^ 5 << 3 } else { register << 1 };
        bit += 1;
    }
    register >> 3
}

#[expect(clippy::indexing_slicing, clippy::cast_possible_truncation, reason = "constant bounds, at compile time")]
const fn crc5_table() -> [u8; 256] {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = crc5_of(byte as u8);
        byte += 1;
    }
    table
}

#[expect(clippy::indexing_slicing, reason = "constant bounds, at compile time")]
const fn residue_tables() -> [[u8; 256]; LONGEST] {
    let one = crc5_table();
    let mut tables = [one; LONGEST];
    let mut place = LONGEST - 1;
    while place > 0 {
        let mut byte = 0;
        while byte < 256 {
            tables[place - 1][byte] = one[(tables[place][byte] << 3) as usize];
            byte += 1;
        }
        place -= 1;
    }
    tables
}

#[expect(clippy::indexing_slicing, clippy::cast_possible_truncation, reason = "constant bounds, at compile time")]
const fn crc16_tables() -> [[u16; 256]; STRIDE] {
    let mut one = [0_u16; 256];
    let mut byte = 0;
    while byte < 256 {
        let mut register = (byte as u16) << 8;
        let mut bit = 0;
        while bit < 8 {
            register = if register & 0x8000 != 0 { register << 1 ^ 0x1021 } else { register << 1 };
            bit += 1;
        }
        one[byte] = register;
        byte += 1;
    }
    let mut tables = [one; STRIDE];
    let mut place = STRIDE - 1;
    while place > 0 {
        let mut byte = 0;
        while byte < 256 {
            let after = tables[place][byte];
            tables[place - 1][byte] = after << 8 ^ one[(after >> 8) as usize];
            byte += 1;
        }
        place -= 1;
    }
    tables
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// CRC5 by its definition, a bit at a time.
    fn by_bits(bits: impl Iterator<Item = bool>) -> u8 {
        bits.fold(0x1f, |crc, bit| {
            let feedback = (crc & 0x10 != 0) != bit;
            (crc << 1 & 0x1f) ^ if feedback { 5 } else { 0 }
        })
    }

    fn bits(bytes: &[u8]) -> impl Iterator<Item = bool> {
        bytes.iter().flat_map(|byte| (0..8).rev().map(move |bit| byte >> bit & 1 != 0))
    }

    #[test]
    fn check_values_are_those_of_the_catalogue() {
        assert_eq!(crc5(b"123456789"), 0x0f);
        assert_eq!(crc16(b"123456789"), 0x29b1);
    }

    #[test]
    fn register_passes_the_states_of_the_worked_example() {
        // Read the chip id, `52 05 00 00`: after 52 the register holds 0x18, then 0x18, 0x09, 0x0a.
        let command = [0x52, 0x05, 0x00, 0x00];
        let states: Vec<_> = (1..=4).map(|end| crc5(&command[..end])).collect();
        assert_eq!(states, [0x18, 0x18, 0x09, 0x0a]);
        assert_eq!(tail(&[0x4c, 0x03, 0x52, 0x75, 0x0c, 0xd2, 0x05, 0xa2], 4), 0x9c);
    }

    proptest! {
        #[test]
        fn tables_agree_with_bits(bytes: Vec<u8>) {
            prop_assert_eq!(crc5(&bytes), by_bits(bits(&bytes)));
            let crc = bits(&bytes).fold(0xffff_u16, |crc, bit| {
                crc << 1 ^ if (crc & 0x8000 != 0) == bit { 0 } else { 0x1021 }
            });
            prop_assert_eq!(crc16(&bytes), crc);
        }

        #[test]
        fn responses_of_both_lengths_are_intact_exactly_with_their_tail(body: [u8; 8], kind in 0..8_u8, wrong in 1..=255_u8) {
            let right = tail(&body, kind);
            let with = |tail| { let mut all = [0; 9]; all[..8].copy_from_slice(&body); all[8] = tail; all };
            prop_assert!(is_intact(&with(right)));
            prop_assert_eq!(is_intact(&with(right ^ wrong)), by_bits(bits(&with(right ^ wrong))) == 0);
            let mut short = [0; 7];
            short[..6].copy_from_slice(&body[..6]);
            short[6] = tail(&body[..6], kind);
            prop_assert!(is_intact(&short));
            short[usize::from(wrong) % 7] ^= wrong;
            prop_assert_eq!(is_intact(&short), by_bits(bits(&short)) == 0);
        }
    }
}
