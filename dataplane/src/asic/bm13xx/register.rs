//! Registers by name, and the fields of those that have more than one.
//!
//! All have 32 bits. Bits that are given no name here are kept as captured firmware has them.

/// Chip id, and the chip's own address.
pub const CHIP_ID: u8 = 0x00;
/// Clock: see `pll`.
pub const PLL0: u8 = 0x08;
/// Where the sweep of each core starts, on chips that do not take it from their address.
pub const CHIP_NONCE_OFFSET: u8 = 0x0c;
/// Ticks that a sweep lasts: see `nonce_space`.
pub const HASH_COUNTING_NUMBER: u8 = 0x10;
/// Bits of the hash that must be zero: see `ticket`.
pub const TICKET_MASK: u8 = 0x14;
/// Which cores may return nonces, and much else; on a BM1397 the rate of the line.
pub const MISC_CONTROL: u8 = 0x18;
/// Clock ordering of a BM1397.
pub const ORDERED_CLOCK_ENABLE: u8 = 0x20;
/// Rate of the line; on a BM1397 a divider of another PLL.
pub const FAST_UART: u8 = 0x28;
/// Which chips relay answers, and with what gap.
pub const UART_RELAY: u8 = 0x2c;
/// The way to registers of cores.
pub const CORE_MAILBOX: u8 = 0x3c;
/// Hashes that failed, in units of 2^32.
pub const NONCE_ERROR_COUNT: u8 = 0x4c;
/// What the analogue pins are connected to.
pub const ANALOG_MUX: u8 = 0x54;
/// Strength of the line drivers.
pub const IO_DRIVER_STRENGTH: u8 = 0x58;
/// Another PLL of a BM1397; pads of ring oscillators on others.
pub const PLL3: u8 = 0x68;
/// Dividers behind the clock of a BM1397.
pub const PLL0_DIVIDER: u8 = 0x70;
/// Clock ordering of a BM1397.
pub const CLOCK_ORDER_0: u8 = 0x80;
/// Clock ordering of a BM1397.
pub const CLOCK_ORDER_1: u8 = 0x84;
/// Hashes of the whole chip, in units of 2^32; not on BM1362 and BM1397.
pub const HASH_COUNT: u8 = 0x8c;
/// Rolling of versions.
pub const MIDSTATE_CONFIG: u8 = 0xa4;
/// Resets of parts of the chip.
pub const SOFT_RESET: u8 = 0xa8;
/// Part of the on-die converter of a BM1370; written around the analogue multiplexer.
pub const ADC: u8 = 0xb9;

/// [`CHIP_ID`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChipId {
    /// For example 0x1370.
    pub chip_id: u16,
    /// Means something on BM1397 and BM1362 only.
    pub core_number: u8,
    /// Address that the chip has now.
    pub address: u8,
}

impl ChipId {
    /// From the register.
    #[must_use]
    pub fn decode(value: u32) -> Self {
        let [a, b, core_number, address] = value.to_be_bytes();
        Self { chip_id: u16::from_be_bytes([a, b]), core_number, address }
    }

    /// As the register has it.
    #[must_use]
    pub fn encode(self) -> u32 {
        let [a, b] = self.chip_id.to_be_bytes();
        u32::from_be_bytes([a, b, self.core_number, self.address])
    }
}

/// [`CORE_MAILBOX`]: writes a register of all cores of a chip.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CoreWrite {
    /// Register of the core, 0 to 31.
    pub register: u8,
    /// Its value.
    pub value: u8,
}

/// Delay of a core's clock.
pub const CORE_CLOCK_DELAY: u8 = 0x00;
/// Lets cores hash.
pub const CORE_ENABLE: u8 = 0x02;
/// Choice of a core's clock on BM1362 and BM1366.
pub const CORE_CLOCK_SELECT: u8 = 0x05;
/// Choice of a core's clock on BM1368 and BM1370.
pub const CORE_CLOCK_SELECT_NEW: u8 = 0x0b;
/// What a core does when its nonces are not fetched in time.
pub const CORE_OVERFLOW: u8 = 0x0d;

impl CoreWrite {
    const ALL_CORES: u32 = 1 << 31;
    const WRITE: u32 = 1 << 15;

    /// As the register has it.
    #[must_use]
    pub fn encode(self) -> u32 {
        Self::ALL_CORES | Self::WRITE | u32::from(self.register & 0x1f) << 8 | u32::from(self.value)
    }

    /// From the register; `None` when it is no write to all cores.
    #[must_use]
    pub fn decode(value: u32) -> Option<Self> {
        let [_, _, register, low] = value.to_be_bytes();
        let read = Self { register: register & 0x1f, value: low };
        (read.encode() == value).then_some(read)
    }
}

/// Bits of a header's version that chips can roll, BIP320.
pub const ROLLABLE: u32 = 0x1fff_e000;

/// [`MIDSTATE_CONFIG`]: the versions that a chip rolls by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VersionRolling {
    /// Bits of the header's version that it rolls, within [`ROLLABLE`]; 0 = the version stays as it is sent.
    pub mask: u32,
}

impl VersionRolling {
    /// Rolls by itself, which also makes answers long and jobs whole headers; eight midstates at a time.
    const ON: u32 = 0x9000_0000;

    /// What a chip may roll of what a pool allows.
    #[must_use]
    pub fn within(version_mask: u32) -> Self {
        Self { mask: version_mask & ROLLABLE }
    }

    /// As the register has it.
    #[must_use]
    pub fn encode(self) -> u32 {
        Self::ON | (self.mask & ROLLABLE) >> 13
    }

    /// From the register; `None` when the chip does not roll by itself.
    #[must_use]
    pub fn decode(value: u32) -> Option<Self> {
        (value & 1 << 31 != 0).then_some(Self { mask: (value & 0xffff) << 13 })
    }
}

/// [`CHIP_NONCE_OFFSET`]: a share of the nonces for each chip of a chain that does not share them by address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NonceOffset(pub u16);

impl NonceOffset {
    const ENABLE: u32 = 1 << 31;

    /// The offset of a chip of so many, rounded up, as stock firmware of the S21 Pro has it.
    #[must_use]
    pub fn of(index: u8, chips: u8) -> Option<Self> {
        let offset = (u32::from(index) << 16).div_ceil(u32::from(chips).max(1));
        u16::try_from(offset).ok().map(Self)
    }

    /// As the register has it.
    #[must_use]
    pub fn encode(self) -> u32 {
        Self::ENABLE | u32::from(self.0)
    }
}

/// The crystal, in hertz.
pub const CRYSTAL: u32 = 25_000_000;

/// Divider of a line's rate: `25 MHz / (8 × (divider + 1))`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BaudDivider(u8);

impl BaudDivider {
    /// The nearest to a rate that the host is set to; `None` when the two would be more than 5 % apart.
    #[must_use]
    pub fn nearest(baud: u32) -> Option<Self> {
        let eighth = CRYSTAL / 8;
        let wanted = eighth.checked_add(baud / 2)?.checked_div(baud)?;
        let divider = Self(u8::try_from(wanted.checked_sub(1)?).ok()?);
        (u64::from(divider.baud().abs_diff(baud)) * 20 <= u64::from(baud)).then_some(divider)
    }

    /// The rate of the chip, rounded to whole baud.
    #[must_use]
    pub fn baud(self) -> u32 {
        let divider = u32::from(self.0) + 1;
        (CRYSTAL / 8 + divider / 2) / divider
    }

    /// [`FAST_UART`], as ESP-Miner and stock BM1362 firmware have it. What its bit 28 means is not known.
    #[must_use]
    pub fn fast_uart(self) -> u32 {
        0x1130_0000 | u32::from(self.0) << 8
    }

    /// [`MISC_CONTROL`] of a BM1397.
    #[must_use]
    pub fn misc_control(self) -> u32 {
        let divider = u32::from(self.0);
        0x0000_6031 | (divider & 0x1f) << 8 | (divider >> 5) << 24
    }
}

#[cfg(test)]
mod tests;
