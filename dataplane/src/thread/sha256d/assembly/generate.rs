//! Writes the assembly beside this file: SHA-256d loops with a plan for every register.
//!
//! Part of the tests only: `tests.rs` compares what is written here with the files that are compiled. The text is Intel
//! syntax for `naked_asm!`; names in braces are offsets of fields of `Context`.
//!
//! All loops keep several hashes in flight, because `sha256rnds2` takes one cycle and its result comes after four. It
//! takes schedule words with their constants from xmm0 only, two at a time, and like the other SHA instructions it reaches
//! xmm0 to xmm15 only. So xmm0 is for schedule words, xmm1 to xmm12 hold states, the rest is scratch. Schedules live in
//! memory, or in xmm16 to xmm31 where there is AVX-512. The upper half of schedule words comes from memory in any case: a
//! store and a load are free where a shuffle is not.

mod memory;
mod registers;

use self::memory::{Batch, Pipelined};
use std::fmt::Write as _;

/// Scratch registers.
const T: &str = "xmm13";
const U: &str = "xmm14";

/// The loop over nonces for six midstates that share one schedule, for AVX.
///
/// Software-pipelined: while three hashes are in their second chunk, three others, of the batch before, are in their second
/// hash, and in between the schedule of the next nonce is made. The first results are those of registers as they were
/// found; the caller drops them.
///
/// In: rdi = context, esi = nonce, rdx = iterations, one more than nonces to judge. Out: `found` and `found_len`, and in
/// `stop` the nonce of the last iteration, whose own results are not complete.
pub(super) fn rolled_memory() -> String {
    Pipelined::new(Batch::Midstates).write()
}

/// The same for AVX-512VL.
pub(super) fn rolled_registers() -> String {
    registers::Rolled::default().write()
}

/// The loop over nonces for one midstate, three nonces at a time, for AVX.
///
/// Pipelined in the same way: three nonces are in their second chunk while the three before are in their second hash. In
/// and out as [`rolled_memory`], for batches of three nonces instead of nonces.
pub(super) fn fixed_memory() -> String {
    Pipelined::new(Batch::Nonces).write()
}

/// The loop over nonces for one midstate, four nonces at a time, for AVX-512VL.
///
/// In: rdi = context, esi = nonce, rdx = batches. Out: eax = which hashes of the batch that begins at `stop` are candidates;
/// zero when the batches are done.
pub(super) fn fixed_registers() -> String {
    registers::Fixed::default().write()
}

#[derive(Default)]
struct Listing(String);

impl Listing {
    fn op(&mut self, line: impl AsRef<str>) {
        writeln!(self.0, "    {}", line.as_ref()).expect("writing to a string");
    }

    fn ops(&mut self, lines: &[String]) {
        for line in lines {
            self.op(line);
        }
    }

    fn label(&mut self, number: u32) {
        writeln!(self.0, "{number}:").expect("writing to a string");
    }

    fn remark(&mut self, text: &str) {
        writeln!(self.0, "    # {text}").expect("writing to a string");
    }
}

/// A field of the context, as an operand.
fn field(name: &str) -> String {
    format!("[rdi+{{{name}}}]")
}

/// A part of a field, `bytes` from its beginning.
fn part(name: &str, bytes: usize) -> String {
    format!("[rdi+{{{name}}}+{bytes}]")
}

/// Round constants of a group of four rounds.
fn constants(group: usize) -> String {
    part("k", 16 * group)
}

/// Two rounds: the state's CDGH becomes its next ABEF.
fn two_rounds(cdgh: &str, abef: &str) -> String {
    format!("sha256rnds2 {cdgh}, {abef}")
}

/// Lower sigma 0 of eax into r9d; eax stays.
fn small_sigma0() -> [&'static str; 7] {
    [
        "rorx r8d, eax, 7",
        "rorx r9d, eax, 18",
        "xor r9d, r8d",
        "mov r8d, eax",
        "shr r8d, 3",
        "xor r9d, r8d",
        "shl rax, 32",
    ]
}
