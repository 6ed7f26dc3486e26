//! The ticket mask: how good a hash must be for a chip to return its nonce.
//!
//! The hardware demands a number of leading zero bits by itself (the *gate*: 32 in silicon, fewer in emulated chips); a mask
//! of N ones adds N more. The register holds the mask with the bits of each byte in reverse.

use mujina_core::units::{HashRate, ShareTarget};

/// A mask of so many ones, 0 to 32.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct TicketMask(u8);

impl TicketMask {
    /// Greatest number of ones.
    const MOST: u8 = 32;

    /// A mask of so many ones; more than 32 count as 32.
    #[must_use]
    pub fn new(ones: u8) -> Self {
        Self(ones.min(Self::MOST))
    }

    /// How many ones it has.
    #[must_use]
    pub fn ones(self) -> u8 {
        self.0
    }

    /// The hardest mask that lets every hash through which meets the target, as far as the gate lets it.
    #[must_use]
    pub fn for_target(share_target: ShareTarget, gate_bits: u8) -> Self {
        Self::new(leading_zeros(share_target).saturating_sub(gate_bits))
    }

    /// The easiest mask with which chips that hash this fast return no more than `results_per_second`, within a factor of
    /// two.
    #[must_use]
    pub fn for_rate(hash_rate: HashRate, results_per_second: f64, gate_bits: u8) -> Self {
        let per_second = hash_rate.hashes_per_second() / f64::from(gate_bits).exp2();
        let fits = |ones: u8| per_second / f64::from(ones).exp2() <= results_per_second * std::f64::consts::SQRT_2;
        Self::new((0..=Self::MOST).find(|ones| fits(*ones)).unwrap_or(Self::MOST))
    }

    /// Greatest hash that is let through.
    #[must_use]
    pub fn ticket_target(self, gate_bits: u8) -> ShareTarget {
        let zeros = u32::from(gate_bits) + u32::from(self.0);
        let ones = [0xff_u8; 32];
        let mut left = zeros;
        ShareTarget::from_be_bytes(ones.map(|byte| {
            let here = left.min(8);
            left -= here;
            byte.checked_shr(here).unwrap_or(0)
        }))
    }

    /// As the register has it.
    #[must_use]
    pub fn encode(self) -> u32 {
        let mask = u32::MAX.checked_shr(u32::from(Self::MOST - self.0)).unwrap_or(0);
        u32::from_be_bytes(mask.to_be_bytes().map(u8::reverse_bits))
    }

    /// From the register; `None` when the ones do not stand together at the end.
    #[must_use]
    pub fn decode(value: u32) -> Option<Self> {
        let mask = u32::from_be_bytes(value.to_be_bytes().map(u8::reverse_bits));
        let ones = u8::try_from(mask.trailing_ones()).ok()?;
        (mask.count_ones() == u32::from(ones)).then_some(Self(ones))
    }
}

/// Zero bits that every hash has which meets the target.
fn leading_zeros(share_target: ShareTarget) -> u8 {
    let mut zeros = 0_u32;
    for byte in share_target.to_be_bytes() {
        zeros += byte.leading_zeros();
        if byte != 0 {
            break;
        }
    }
    u8::try_from(zeros).unwrap_or(u8::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn masks_have_the_bytes_of_the_known_difficulties() {
        // Difficulties 2^N of ESP-Miner and Mujina, and what they put on the line.
        let known = [
            (0, 0x0000_0000),
            (1, 0x0000_0080),
            (2, 0x0000_00c0),
            (3, 0x0000_00e0),
            (4, 0x0000_00f0),
            (5, 0x0000_00f8),
            (6, 0x0000_00fc),
            (8, 0x0000_00ff),
            (9, 0x0000_80ff),
            (10, 0x0000_c0ff),
            (11, 0x0000_e0ff),
            (12, 0x0000_f0ff),
            (13, 0x0000_f8ff),
            (14, 0x0000_fcff),
            (15, 0x0000_feff),
            (16, 0x0000_ffff),
        ];
        for (ones, register) in known {
            assert_eq!(TicketMask::new(ones).encode(), register, "{ones}");
            assert_eq!(TicketMask::decode(register), Some(TicketMask::new(ones)));
        }
        assert_eq!(TicketMask::new(200).encode(), u32::MAX);
        assert_eq!(TicketMask::decode(0x0000_00f7), None);
    }

    #[test]
    fn ticket_target_has_gate_and_mask_as_leading_zeros() {
        let shown = TicketMask::new(8).ticket_target(32).to_string();
        assert_eq!(shown, format!("{}{}", "0".repeat(10), "f".repeat(54)));
        assert_eq!(TicketMask::new(3).ticket_target(12).to_string()[..5], *"0001f");
        assert_eq!(TicketMask::new(0).ticket_target(0), ShareTarget::MAX);
        assert!(TicketMask::new(255).ticket_target(255).is_zero());
    }

    #[test]
    fn gamma_at_256_returns_about_one_result_a_second() {
        let gamma = HashRate::from_terahashes_per_second(1.071);
        assert_eq!(TicketMask::for_rate(gamma, 1.0, 32), TicketMask::new(8));
        // Scaled hashing: rate and gate shrink together.
        assert_eq!(TicketMask::for_rate(gamma.scaled(2_f64.powi(-20)), 1.0, 12), TicketMask::new(8));
        assert_eq!(TicketMask::for_rate(gamma, 0.0, 32), TicketMask::new(32));
        assert_eq!(TicketMask::for_rate(HashRate::ZERO, 1.0, 32), TicketMask::new(0));
    }

    proptest! {
        #[test]
        fn mask_for_a_target_lets_every_share_through_and_no_more_than_twice_as_many(bits in 33..60_u32, more in 1.0..2.0_f64) {
            let share_target = ShareTarget::from_expected_hashes(f64::from(bits).exp2() * more);
            let ticket_target = TicketMask::for_target(share_target, 32).ticket_target(32);
            prop_assert!(ticket_target >= share_target);
            prop_assert!(ticket_target.expected_hashes() * 2.0 > share_target.expected_hashes());
        }

        #[test]
        fn registers_round_trip(ones in 0..=32_u8) {
            prop_assert_eq!(TicketMask::decode(TicketMask::new(ones).encode()), Some(TicketMask::new(ones)));
        }
    }
}
