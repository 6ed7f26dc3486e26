//! The two checksums of the chips, bit by bit as the sheet defines them (section 3).

/// Five bits: x^5 + x^2 + 1, from 1F, most significant bit first.
pub(super) fn crc5(bytes: &[u8]) -> u8 {
    let all = bytes.iter().flat_map(|byte| (0..8).rev().map(move |bit| byte >> bit & 1));
    all.fold(0x1f, step)
}

/// A response's: over its body and then the three bits of its type.
pub(super) fn response_crc5(body: &[u8], kind: u8) -> u8 {
    [kind >> 2 & 1, kind >> 1 & 1, kind & 1].into_iter().fold(crc5(body), step)
}

fn step(crc: u8, bit: u8) -> u8 {
    let feedback = (crc >> 4 & 1) ^ bit;
    let shifted = (crc << 1) & 0x1f;
    if feedback == 1 { shifted ^ 0x05 } else { shifted }
}

/// Sixteen bits: 1021 from FFFF, most significant bit first.
pub(super) fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0xffff, |crc, byte| {
        (0..8).fold(
            crc ^ (u16::from(*byte) << 8),
            |crc: u16, _| {
                if crc & 0x8000 == 0 { crc << 1 } else { (crc << 1) ^ 0x1021 }
            },
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn check_values_are_those_of_the_sheet() {
        assert_eq!((crc5(b"123456789"), crc16(b"123456789")), (0x0f, 0x29b1));
        assert_eq!(crc5(&[0x52, 0x05, 0, 0]), 0x0a);
        assert_eq!(response_crc5(&[0x4c, 0x03, 0x52, 0x75, 0x0c, 0xd2, 0x05, 0xa2], 4), 0x1c);
    }
}
