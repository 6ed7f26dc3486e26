//! BM1362, as a capture of an S19j Pro has it; the driver of GekkoScience agrees on what it writes at all.

use super::Writer;
use crate::asic::bm13xx::register::{self, BaudDivider, CoreWrite};
use std::time::Duration;

/// Clock delay of stock firmware and GekkoScience. Newer Mujina has 0x0c, a Python miner for the EmberOne 0x20.
const CLOCK_DELAY: u8 = 0x08;
const MISC_CONTROL: u32 = 0xb000_c100;
const CLOCK_SELECT: CoreWrite = CoreWrite { register: register::CORE_CLOCK_SELECT, value: 0x40 };
const DELAY: CoreWrite = CoreWrite { register: register::CORE_CLOCK_DELAY, value: CLOCK_DELAY };

pub(super) fn write(to: &mut Writer) {
    to.rolling();
    to.count();
    to.rolling();
    to.rolling();
    to.all(register::SOFT_RESET, 0);
    to.all(register::MISC_CONTROL, MISC_CONTROL);
    to.inactive(Duration::from_millis(100));
    to.addresses();
    to.cores(CLOCK_SELECT.register, CLOCK_SELECT.value);
    to.all_then(register::CORE_MAILBOX, DELAY.encode(), Duration::from_millis(100));
    to.ticket();
    to.all_then(register::ANALOG_MUX, 3, Duration::from_millis(50));
    to.all_then(register::IO_DRIVER_STRENGTH, 0x0001_1111, Duration::from_millis(100));
    to.clock();
    to.open_cores(0x0000_0002, MISC_CONTROL, [CLOCK_SELECT, DELAY], Duration::ZERO);
    to.rolling();
    to.baud(register::FAST_UART, BaudDivider::fast_uart);
}
