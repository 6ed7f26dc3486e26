//! BM1370, as ESP-Miner, Mujina and a capture of a Bitaxe Gamma have it.

use super::Writer;
use crate::asic::bm13xx::register::{self, BaudDivider, CoreWrite};
use std::time::Duration;

/// Clock delay. S21 Pro and ESP-Miner; the S21 has 0x18, the driver of GekkoScience 0x0e.
const CLOCK_DELAY: u8 = 0x0c;
const MISC_CONTROL: u32 = 0xf000_c100;
const CLOCK_SELECT: CoreWrite = CoreWrite { register: register::CORE_CLOCK_SELECT_NEW, value: 0 };
const DELAY: CoreWrite = CoreWrite { register: register::CORE_CLOCK_DELAY, value: CLOCK_DELAY };

pub(super) fn write(to: &mut Writer) {
    to.rolling();
    to.rolling();
    to.rolling();
    to.count();
    to.rolling();
    to.all(register::SOFT_RESET, 0x0007_0000);
    to.all(register::MISC_CONTROL, MISC_CONTROL);
    to.inactive(Duration::from_millis(10));
    to.addresses();
    to.cores(CLOCK_SELECT.register, CLOCK_SELECT.value);
    to.cores(DELAY.register, DELAY.value);
    to.ticket();
    to.all(register::IO_DRIVER_STRENGTH, 0x0001_1111);
    to.open_cores(0x0007_01f0, MISC_CONTROL, [CLOCK_SELECT, DELAY], Duration::ZERO);
    // The temperature diode to the board's sensor, which reads nonsense otherwise.
    to.all(register::ADC, 0x0000_4480);
    to.all(register::ANALOG_MUX, 2);
    to.all(register::ADC, 0x0000_4480);
    to.cores(register::CORE_OVERFLOW, 0xee);
    to.clock();
    to.rolling();
    to.baud(register::FAST_UART, BaudDivider::fast_uart);
}
