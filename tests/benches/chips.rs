//! What a frame to chips and one from them cost: `cargo bench -p mujina-testbed --bench chips`.
//!
//! The machine may be busy, so each figure is the median of many short runs, beside the best of them. That no frame takes
//! memory from the allocator is a test of the data plane (`tests/allocation.rs`).

use mujina_dataplane::asic::bm13xx::{
    frame::{Decoder, ResponseForm},
    layout,
    response::Response,
    slots::JobId,
};
use std::{hint::black_box, time::Instant};

/// Runs per figure.
const RUNS: usize = 400;
/// Frames per run: about 50 µs.
const FRAMES: u32 = 1000;
/// A nonce of a Bitaxe Gamma, captured.
const NONCE: [u8; 11] = [0xaa, 0x55, 0x4c, 0x03, 0x52, 0x75, 0x0c, 0xd2, 0x05, 0xa2, 0x9c];

fn main() {
    let mut header: [u8; layout::HEADER_LEN] = [0x5a; layout::HEADER_LEN];
    let mut number = 0_u32;
    report("job of 88 bytes encoded", 110, || {
        number = number.wrapping_add(1);
        header[68..72].copy_from_slice(&number.to_le_bytes());
        black_box(layout::whole(JobId(0x68), black_box(&header)));
    });
    report("job of 152 bytes encoded, with four midstates", 0, || {
        number = number.wrapping_add(1);
        header[36..40].copy_from_slice(&number.to_le_bytes());
        black_box(layout::midstates(JobId(0x18), black_box(&header), 0x1fff_e000, [0; 4]));
    });
    let stream = NONCE.repeat(usize::try_from(FRAMES).unwrap_or(1));
    let mut decoder = Decoder::new(ResponseForm::Long);
    let mut rest = &stream[..];
    report("nonce of 11 bytes decoded", 15, || {
        if rest.is_empty() {
            rest = black_box(&stream[..]);
        }
        let response = decoder.next(&mut rest);
        assert!(matches!(black_box(response), Some(Response::Nonce(_))), "a good frame is read");
    });
    let mut dirty = Vec::new();
    for _ in 0..FRAMES {
        dirty.extend_from_slice(&[0xff; 11]);
        dirty.extend_from_slice(&NONCE);
    }
    let mut rest = &dirty[..];
    report("the same behind 11 bytes of garbage", 0, || {
        if rest.is_empty() {
            rest = black_box(&dirty[..]);
        }
        assert!(black_box(decoder.next(&mut rest)).is_some(), "garbage costs no good frame");
    });
}

/// Measures, and prints the time of one frame; `goal` in nanoseconds, 0 = none.
fn report(what: &str, goal: u32, mut frame: impl FnMut()) {
    let mut times: Vec<f64> = (0..RUNS)
        .map(|_| {
            let begin = Instant::now();
            (0..FRAMES).for_each(|_| frame());
            begin.elapsed().as_secs_f64() * 1e9 / f64::from(FRAMES)
        })
        .collect();
    times.sort_unstable_by(f64::total_cmp);
    let (best, median) = (times.first().copied(), times.get(RUNS / 2).copied());
    let (best, median) = (best.unwrap_or_default(), median.unwrap_or_default());
    let goal = if goal > 0 { format!(", at most {goal} wanted") } else { String::new() };
    println!("{what:<48} {median:6.1} ns median, {best:6.1} ns best{goal}");
}
