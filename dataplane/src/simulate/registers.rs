//! A chip's registers: their reset values, and which exist. Source: BM13xx fact sheet, section 9.

use super::ChipModel;

pub(super) const CHIP_ID: u8 = 0x00;
pub(super) const HASH_RATE: u8 = 0x04;
pub(super) const PLL0: u8 = 0x08;
pub(super) const NONCE_OFFSET: u8 = 0x0c;
pub(super) const HASH_COUNTING: u8 = 0x10;
pub(super) const TICKET_MASK: u8 = 0x14;
pub(super) const MISC_CONTROL: u8 = 0x18;
pub(super) const FAST_UART: u8 = 0x28;
pub(super) const CORE_MAILBOX: u8 = 0x3c;
pub(super) const ERROR_FLAG: u8 = 0x48;
pub(super) const NONCE_ERRORS: u8 = 0x4c;
pub(super) const DOMAIN_COUNTERS: std::ops::RangeInclusive<u8> = 0x88..=0x8b;
pub(super) const TOTAL_COUNTER: u8 = 0x8c;
pub(super) const MIDSTATE_CONFIG: u8 = 0xa4;
pub(super) const SOFT_RESET: u8 = 0xa8;
pub(super) const TEMPERATURE_RESULT: u8 = 0xb4;
pub(super) const ADC_START: u8 = 0xb8;
pub(super) const ADC_RESULT: u8 = 0xbd;

/// Values as they were stored.
#[derive(Debug, Clone)]
pub(super) struct Registers(Box<[u32; 256]>);

impl Registers {
    /// After reset.
    pub(super) fn reset(model: ChipModel) -> Self {
        let mut registers = Self(Box::new([0; 256]));
        for (register, value) in resets(model) {
            registers.set(*register, *value);
        }
        registers.set(CHIP_ID, model.id());
        registers
    }

    pub(super) fn get(&self, register: u8) -> u32 {
        self.0.get(usize::from(register)).copied().unwrap_or_default()
    }

    pub(super) fn set(&mut self, register: u8, value: u32) {
        if let Some(place) = self.0.get_mut(usize::from(register)) {
            *place = value;
        }
    }
}

/// The clock of chips whose reset value is not known is taken to be 50 MHz, as ESP-Miner assumes.
fn resets(model: ChipModel) -> &'static [(u8, u32)] {
    match model {
        ChipModel::Bm1397 => &[
            (HASH_RATE, 0x8000_0000),
            (PLL0, 0xc060_0161),
            (MISC_CONTROL, 0x0000_3a01),
            (0x1c, 0x0100_0000),
            (0x20, 0x0000_ffff),
            (FAST_UART, 0x0600_000f),
            (0x2c, 0x000f_0000),
            (CORE_MAILBOX, 0x0000_4000),
            (0x44, 0x0000_0100),
            (ERROR_FLAG, 0xff00_0000),
            (0x58, 0x0211_2111),
            (0x5c, 0x0000_ffff),
            (0x60, 0x0064_0111),
            (0x64, 0x0068_0111),
            (0x68, 0x0070_0111),
            (0x70, 0x0304_0607),
            (0x74, 0x0304_0506),
            (0x78, 0x0304_0506),
            (0x7c, 0x0304_0506),
            (0x80, 0xd95c_8410),
            (0x84, 0xfb73_ea62),
            (0x90, 0x0000_0070),
            (0x94, 0x0037_6400),
            (0x98, 0x3030_3030),
            (0x9c, 0x0000_ffff),
        ],
        ChipModel::Bm1366 => &[
            (PLL0, 0x40a8_0265),
            (MISC_CONTROL, 0x0000_c100),
            (FAST_UART, 0x0130_1a00),
            (0x60, 0x2050_0174),
            (MIDSTATE_CONFIG, 0x0000_ffff),
            (SOFT_RESET, 0x0007_0000),
        ],
        ChipModel::Bm1368 | ChipModel::Bm1370 => &[
            (PLL0, 0x40a8_0265),
            (MISC_CONTROL, 0x0000_c100),
            (FAST_UART, 0x0130_1a00),
            (MIDSTATE_CONFIG, 0x0000_ffff),
            (SOFT_RESET, 0x0007_0000),
        ],
        ChipModel::Bm1362 => &[
            (PLL0, 0x40a8_0265),
            (MISC_CONTROL, 0x0000_c100),
            (FAST_UART, 0x0130_1a00),
            (MIDSTATE_CONFIG, 0x0000_ffff),
        ],
    }
}

/// Whether the chip has this register.
pub(super) fn exists(model: ChipModel, register: u8) -> bool {
    let everywhere =
        matches!(register, 0x00 | 0x08 | 0x0c | 0x10 | 0x14 | 0x18 | 0x28 | 0x2c | 0x3c | 0x4c | 0x54 | 0x58);
    let own = match model {
        ChipModel::Bm1397 => {
            matches!(register, 0x04 | 0x1c | 0x20 | 0x38 | 0x40 | 0x44 | 0x48 | 0x50 | 0x5c | 0x60..=0xa0)
        }
        // One host writes the post divider of other chips too; stock does not.
        ChipModel::Bm1362 => matches!(register, 0x60 | 0x64 | 0x70 | 0xa4 | 0xa8),
        ChipModel::Bm1366 => matches!(register, 0x60 | 0x64 | 0x70 | 0x88..=0x8c | 0xa4 | 0xa8),
        ChipModel::Bm1368 | ChipModel::Bm1370 => {
            matches!(register, 0x60 | 0x64 | 0x68 | 0x70 | 0x88..=0x8c | 0xa4 | 0xa8 | 0xb0 | 0xb4 | 0xb8..=0xbd)
        }
    };
    everywhere || own
}

/// Whether writing it is a mistake.
pub(super) fn is_read_only(register: u8) -> bool {
    matches!(register, CHIP_ID | HASH_RATE | NONCE_ERRORS | TOTAL_COUNTER | TEMPERATURE_RESULT | ADC_RESULT)
        || DOMAIN_COUNTERS.contains(&register)
}
