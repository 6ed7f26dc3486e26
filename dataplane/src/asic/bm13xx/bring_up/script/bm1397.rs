//! BM1397, as ESP-Miner has it, with the pauses of the driver of GekkoScience. It rolls no versions and has no window of
//! nonces; its line's rate stands in another register.

use super::Writer;
use crate::asic::bm13xx::register::{self, BaudDivider};
use std::time::Duration;

const LONG: Duration = Duration::from_millis(100);

pub(super) fn write(to: &mut Writer) {
    to.count();
    to.inactive(LONG);
    to.addresses();
    to.all(register::CLOCK_ORDER_0, 0);
    to.all_then(register::CLOCK_ORDER_1, 0, LONG);
    to.all_then(register::ORDERED_CLOCK_ENABLE, 1, LONG / 2);
    to.all_then(register::CORE_MAILBOX, 0x8000_8074, LONG);
    to.ticket();
    // 2.8 GHz for the line.
    to.all_then(register::PLL3, 0xc070_0111, LONG / 2);
    to.all_then(register::FAST_UART, 0x0600_000f, LONG);
    to.all(register::MISC_CONTROL, 0x0000_7a31);
    to.clock();
    to.baud(register::MISC_CONTROL, BaudDivider::misc_control);
}
