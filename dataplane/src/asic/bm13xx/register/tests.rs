use super::*;
use proptest::prelude::*;

#[test]
fn core_writes_are_those_of_captures() {
    let word = |register, value| CoreWrite { register, value }.encode();
    assert_eq!(word(CORE_CLOCK_SELECT_NEW, 0), 0x8000_8b00);
    assert_eq!(word(CORE_CLOCK_SELECT, 0x40), 0x8000_8540);
    assert_eq!(word(CORE_ENABLE, 0xaa), 0x8000_82aa);
    assert_eq!(word(CORE_OVERFLOW, 0xee), 0x8000_8dee);
    assert_eq!(CoreWrite::decode(0x0000_82aa), None, "one core only");
}

#[test]
fn version_mask_of_a_pool_is_cut_to_what_chips_roll() {
    assert_eq!(VersionRolling::within(0xffff_ffff).encode(), 0x9000_ffff);
    assert_eq!(VersionRolling::within(0x1fff_ffe0).encode(), 0x9000_ffff);
    assert_eq!(VersionRolling::within(0x0000_e000).encode(), 0x9000_0007);
    assert_eq!(VersionRolling::within(0).encode(), 0x9000_0000);
    // Reset value of a BM1366.
    assert_eq!(VersionRolling::decode(0x0000_ffff), None);
}

#[test]
fn rates_of_the_line_have_the_registers_of_known_firmware() {
    let of = |baud| BaudDivider::nearest(baud).unwrap();
    assert_eq!((of(1_000_000).fast_uart(), of(1_000_000).baud()), (0x1130_0200, 1_041_667));
    assert_eq!((of(3_125_000).fast_uart(), of(3_125_000).baud()), (0x1130_0000, 3_125_000));
    assert_eq!((of(115_200).misc_control(), of(115_200).baud()), (0x0000_7a31, 115_741));
    assert_eq!(of(3_125_000).misc_control(), 0x0000_6031);
    assert_eq!(of(1_562_500).misc_control(), 0x0000_6131);
    let known = [(223_214, 13), (347_222, 8), (390_625, 7), (1_041_667, 2), (1_562_500, 1)];
    assert!(
        known
            .into_iter()
            .all(|(baud, divider)| BaudDivider(divider).baud() == baud && of(baud) == BaudDivider(divider))
    );
    for never in [0, 1, 5_000, 2_000_000, 6_000_000, u32::MAX] {
        assert_eq!(BaudDivider::nearest(never), None, "{never}");
    }
}

#[test]
fn nonce_offsets_are_those_of_an_s21_pro() {
    let of = |index, chips| NonceOffset::of(index, chips).unwrap();
    let captured = [0x0000, 0x03f1, 0x07e1, 0x0bd1];
    assert!((0..).zip(captured).all(|(index, offset)| of(index, 65) == NonceOffset(offset)));
    assert_eq!(of(64, 65), NonceOffset(0xfc10));
    assert_eq!(of(1, 2).encode(), 0x8000_8000);
    let twelve = [0, 0x1556, 0x2aab, 0x4000, 0x5556, 0x6aab, 0x8000, 0x9556, 0xaaab, 0xc000, 0xd556, 0xeaab];
    assert_eq!((0..12).map(|index| of(index, 12).0).collect::<Vec<_>>(), twelve);
    assert_eq!(NonceOffset::of(3, 3), None);
}

proptest! {
    #[test]
    fn registers_round_trip(value: u32, register in 0..32_u8, low: u8) {
        prop_assert_eq!(ChipId::decode(value).encode(), value);
        let rolling = VersionRolling::within(value);
        prop_assert_eq!(VersionRolling::decode(rolling.encode()), Some(rolling));
        let write = CoreWrite { register, value: low };
        prop_assert_eq!(CoreWrite::decode(write.encode()), Some(write));
    }

    #[test]
    fn rate_of_the_chip_is_within_five_percent_of_the_hosts(baud: u32) {
        if let Some(divider) = BaudDivider::nearest(baud) {
            let (chip, host) = (f64::from(divider.baud()), f64::from(baud));
            prop_assert!((chip / host - 1.0).abs() <= 0.05);
        }
    }
}
