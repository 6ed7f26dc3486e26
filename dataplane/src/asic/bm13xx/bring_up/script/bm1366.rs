//! BM1366, as ESP-Miner has it.

use super::{PACE, Writer};
use crate::asic::bm13xx::{
    command::Command,
    register::{self, BaudDivider, CoreWrite},
};
use std::time::Duration;

const MISC_CONTROL: u32 = 0xf000_c100;
const CLOCK_SELECT: CoreWrite = CoreWrite { register: register::CORE_CLOCK_SELECT, value: 0x40 };
const DELAY: CoreWrite = CoreWrite { register: register::CORE_CLOCK_DELAY, value: 0x20 };

pub(super) fn write(to: &mut Writer) {
    to.rolling();
    to.rolling();
    to.rolling();
    to.count();
    to.all(register::SOFT_RESET, 0x0007_0000);
    to.all(register::MISC_CONTROL, 0xff0f_c100);
    to.inactive(Duration::from_millis(10));
    to.addresses();
    to.cores(CLOCK_SELECT.register, CLOCK_SELECT.value);
    to.cores(DELAY.register, DELAY.value);
    to.ticket();
    to.all(register::ANALOG_MUX, 3);
    to.all(register::IO_DRIVER_STRENGTH, 0x0211_1111);
    // The chip nearest to the host.
    to.step(Command::write(0, register::UART_RELAY, 0x007c_0003), PACE);
    to.open_cores(0x0007_01f0, MISC_CONTROL, [CLOCK_SELECT, DELAY], Duration::ZERO);
    to.clock();
    to.rolling();
    to.baud(register::FAST_UART, BaudDivider::fast_uart);
}
