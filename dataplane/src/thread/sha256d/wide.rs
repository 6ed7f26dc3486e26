//! Kernels for wide vectors, one nonce a lane: for x86-64 CPUs without SHA extensions, or with slow ones.
//!
//! The message schedule of the second chunk is made once for a vector of nonces and serves all rolled versions. The two
//! instruction sets differ in the width and in what one instruction does; `loops` is written once for both.

// JUSTIFICATION: the kernels are made of target-feature intrinsics; only the step from code without the features to code
// with them is unsafe.

mod avx2;
mod avx512;
mod loops;

use super::{
    block::{K, Midstate, Tail, round},
    lanes::Lanes,
};
use std::fmt;

/// Midstates that share a schedule in the rolled kernels.
const ROLLED: usize = 4;

/// Whether the CPU has what the kernel for 8 lanes uses.
pub(super) fn is_avx2_supported() -> bool {
    std::arch::is_x86_feature_detected!("avx2")
}

/// Whether the CPU has what the kernel for 16 lanes uses.
pub(super) fn is_avx512_supported() -> bool {
    std::arch::is_x86_feature_detected!("avx512f") && std::arch::is_x86_feature_detected!("avx512bw")
}

/// The kernels for 8 lanes: for several midstates and for one. Only where [`is_avx2_supported`].
pub(super) fn avx2() -> (impl Lanes + 'static, impl Lanes + 'static) {
    assert!(is_avx2_supported(), "the scanner asks before it makes a kernel");
    (Wide::<ROLLED>::new(avx2::scan::<ROLLED>, avx2::LANES), Wide::<1>::new(avx2::scan::<1>, avx2::LANES))
}

/// The kernels for 16 lanes: for several midstates and for one. Only where [`is_avx512_supported`].
pub(super) fn avx512() -> (impl Lanes + 'static, impl Lanes + 'static) {
    assert!(is_avx512_supported(), "the scanner asks before it makes a kernel");
    (Wide::<ROLLED>::new(avx512::scan::<ROLLED>, avx512::LANES), Wide::<1>::new(avx512::scan::<1>, avx512::LANES))
}

/// A midstate, ready for round 4.
#[derive(Debug, Clone, Copy, Default)]
struct Start {
    midstate: [u32; 8],
    /// After round 3, but for the nonce's own term in `a` and `e`.
    after_round_3: [u32; 8],
}

/// What a loop needs to know.
#[derive(Debug, Clone, Copy)]
struct Work<const M: usize> {
    starts: [Start; M],
    /// Second chunk for a nonce of zero.
    chunk: [u32; 16],
    filter: u32,
}

/// Where a loop stopped: at the first batch with a candidate, or at the last one.
#[derive(Debug, Clone, Copy)]
struct Stop<const M: usize> {
    /// First nonce of the batch.
    first: u32,
    /// Lanes that are candidates, for each midstate.
    lanes: [u32; M],
}

/// Scans whole batches, so many, from a nonce on.
type Loop<const M: usize> = unsafe fn(work: &Work<M>, first: u32, batches: u32) -> Stop<M>;

struct Wide<const M: usize> {
    work: Work<M>,
    run: Loop<M>,
    lanes: u32,
}

impl<const M: usize> fmt::Debug for Wide<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wide").field("lanes", &self.lanes).finish_non_exhaustive()
    }
}

impl<const M: usize> Wide<M> {
    fn new(run: Loop<M>, lanes: u32) -> Self {
        Self { work: Work { starts: [Start::default(); M], chunk: [0; 16], filter: 0 }, run, lanes }
    }
}

impl<const M: usize> Lanes for Wide<M> {
    fn width(&self) -> usize {
        M
    }

    fn load(&mut self, tail: Tail, midstates: &[Midstate], filter: u32) {
        let chunk = tail.chunk(0);
        for (place, Midstate(midstate)) in self.work.starts.iter_mut().zip(midstates) {
            let rounds = K.into_iter().zip(chunk).take(4);
            let after_round_3 = rounds.fold(*midstate, |state, (k, w)| round(state, k.wrapping_add(w)));
            *place = Start { midstate: *midstate, after_round_3 };
        }
        (self.work.chunk, self.work.filter) = (chunk, filter);
    }

    #[expect(unsafe_code, reason = "enters code compiled for the CPU's features")]
    fn scan(&mut self, first: u32, count: u32, candidate: &mut dyn FnMut(usize, u32)) {
        let (mut nonce, mut left) = (first, count);
        while left > 0 {
            // SAFETY: the constructor of this value has seen that the CPU has the features of the loop.
            let stop = unsafe { (self.run)(&self.work, nonce, left.div_ceil(self.lanes)) };
            let done = stop.first.wrapping_sub(nonce);
            for (index, lanes) in stop.lanes.into_iter().enumerate() {
                // The last batch may reach beyond the range.
                for lane in (0..self.lanes).filter(|lane| lanes >> lane & 1 != 0 && done + lane < left) {
                    candidate(index, stop.first.wrapping_add(lane));
                }
            }
            left = left.saturating_sub(done.saturating_add(self.lanes));
            nonce = stop.first.wrapping_add(self.lanes);
        }
    }
}
