//! The generated loops as functions.

#![expect(unsafe_code, reason = "assembly")]
// JUSTIFICATION: see `assembly`, the only caller.

use super::{Context, ROOM};
use std::{arch::naked_asm, mem::offset_of};

/// A loop from a file, with the offsets that it names.
macro_rules! assembly_loop {
    ($(#[$doc:meta])* $name:ident, $file:literal, [$($field:ident)*], [$($constant:ident = $value:expr)*]) => {
        $(#[$doc])*
        // SAFETY: follows the System V calling convention: changes only registers that a callee may, and no stack.
        #[unsafe(naked)]
        pub(super) unsafe extern "sysv64" fn $name(context: &mut Context, first: u32, count: u64) -> u32 {
            naked_asm!(
                include_str!($file),
                $($field = const offset_of!(Context, $field),)*
                $($constant = const $value,)*
            )
        }
    };
}

assembly_loop!(
    /// Six midstates; needs SHA, AVX, BMI2.
    rolled_memory, "rolled_memory.s",
    [starts w16 x20 m24 m28 k iv_abef iv_cdgh k8 k12 w8 w12 iv7 filter words schedules w early kw_of found found_len stop],
    [room = ROOM]
);
assembly_loop!(
    /// Six midstates; needs AVX-512VL and BW beside.
    rolled_registers, "rolled_registers.s",
    [starts w16 x20 m24 m28 k iv_abef iv_cdgh k8 k12 w8 w12 iv7 filter word spill schedules found found_len stop],
    [room = ROOM]
);
assembly_loop!(
    /// One midstate; needs SHA, AVX, BMI2.
    fixed_memory, "fixed_memory.s",
    [starts kw w16 x20 m24 m28 k iv_abef iv_cdgh k8 k12 w8 w12 iv7 filter words sigmas w early kw_of found found_len stop],
    [room = ROOM]
);
assembly_loop!(
    /// One midstate; needs AVX-512VL and BW beside.
    fixed_registers, "fixed_registers.s",
    [starts kw w16 x20 m24 m28 k iv_abef iv_cdgh k8 k12 w8 w12 iv7 filter words spill stop],
    []
);
