//! Tests of whole chains and boards against raw bytes of the sheets.

mod chain;

use super::{BoardKind, Chain, ChipModel, Options, Pacing, Supply};
use std::time::{Duration, Instant};

/// Bytes from text with any spaces.
fn bytes(text: &str) -> Vec<u8> {
    hex::decode(text.split_whitespace().collect::<String>()).unwrap()
}

/// Bring-up of a BM1370 as in section 17, the ramp left out, at 525 MHz with the HCN of the sheet.
const BM1370: &[&str] = &[
    "55AA510900A49000FFFF1C 55AA510900A49000FFFF1C 55AA510900A49000FFFF1C",
    "55AA510900A8000700000 3 55AA51090018F000C10004 55AA5305000003 55AA400500001C",
    "55AA5109003C80008B0012 55AA5109003C8000800C11 55AA51090014000000FF08 55AA51090058000111110D",
    "55AA410900A8000701F015 55AA41090018F000C1000C 55AA4109003C80008B001A 55AA4109003C8000800C19 55AA4109003C800082AA05",
    "55AA510900B90000448 00D 55AA510900540000000218 55AA510900B9000044800D 55AA5109003C80008DEE1B",
    "55AA5109000840A8023003 55AA510900A49000FFFF1C",
];

/// Ticket of difficulty 1 instead of 256, and the HCN of a Gamma at 525 MHz.
const HCN_525: &str = "55AA51090010000C2FB718";

/// Any command frame with a right checksum.
fn frame(body: &str) -> Vec<u8> {
    let mut frame = bytes(body);
    frame.push(super::crc::crc5(&frame));
    [vec![0x55, 0xaa], frame].concat()
}

/// Bring-up of chips with an address interval, at 525 MHz, without a ticket. The HCN is the caller's.
fn bring_up_bm1362(chips: u8, interval: u8, hcn: u32) -> Vec<u8> {
    let mut all = bytes("55AA510900A49000FFFF1C 55AA510900A80000000001 55AA51090018B000C10014 55AA5305000003");
    (0..chips).for_each(|chip| all.extend(frame(&format!("4005{:02X}00", chip * interval))));
    all.extend(bytes("55AA5109003C800085400C 55AA5109003C8000800805 55AA51090054000000031D 55AA51090058000111110D"));
    for chip in 0..chips {
        let address = chip * interval;
        all.extend(frame(&format!("4109{address:02X}A800000002")));
        all.extend(frame(&format!("4109{address:02X}18B000C100")));
        all.extend(frame(&format!("4109{address:02X}3C800082AA")));
    }
    all.extend(bytes("55AA5109000840A8023003"));
    all.extend(frame(&format!("51090010{hcn:08X}")));
    all
}

/// Options for tests that drive a chain: nothing waits for the line.
fn options(gate_bits: u8) -> Options {
    Options { gate_bits, pacing: Pacing::Immediate, ..Options::of(BoardKind::BitaxeGamma) }
}

/// A chain with power that listens from now on.
fn chain(model: ChipModel, chips: u8, options: &Options) -> (Chain, Instant) {
    let begin = Instant::now();
    let mut chain = Chain::new(model, chips, options, begin);
    chain.supply(Supply::GOOD, begin);
    (chain, begin + Duration::from_millis(10))
}

/// Job frames that differ in ntime.
fn job(byte: u8, ntime: u32) -> Vec<u8> {
    let mut frame = bytes(super::job::tests::EXAMPLE_A);
    frame[4] = byte;
    frame[14..18].copy_from_slice(&ntime.to_le_bytes());
    let sum = super::crc::crc16(&frame[2..86]);
    frame[86..].copy_from_slice(&sum.to_be_bytes());
    frame
}

/// Nonce frames among replies of eleven bytes.
fn nonces(replies: &[u8]) -> Vec<Vec<u8>> {
    replies.chunks(11).filter(|frame| frame.last().is_some_and(|tail| tail & 0x80 != 0)).map(<[u8]>::to_vec).collect()
}
