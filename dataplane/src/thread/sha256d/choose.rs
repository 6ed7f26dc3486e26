//! Which kernel this machine hashes best with: flags say what can run, a short test says what computes right and fast.
//!
//! The test's rate is what the miner first tells its pool, so it is taken with the clock of the thread: time that other
//! processes had does not count.

use super::{HeaderScanner, Kernel, KernelChoice, KernelError, Midstate, Tail, block, supported};
use crate::job::header::HEADER_LEN;
use mujina_core::units::{HashRate, ShareTarget};
use nix::time::{ClockId, clock_gettime};
use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

/// Time for all speed tests together.
const BUDGET: Duration = Duration::from_millis(100);
/// Bursts of each kernel, taken in turn: neighbours on the same machine change its speed from one moment to the next.
const BURSTS: u32 = 5;
/// Nonces that the test of correctness compares.
const COMPARED: u32 = 4096;

/// A kernel with what the test found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Choice {
    /// Which.
    pub kernel: Kernel,
    /// Rate of one thread that hashes all the time, with rolled versions.
    pub hash_rate: HashRate,
}

/// Tests kernels and takes the fastest of those allowed. The answer is kept: later calls cost nothing.
///
/// # Errors
/// The wanted kernel cannot run here, or computes wrong hashes.
pub fn choose(wanted: KernelChoice) -> Result<Choice, KernelError> {
    static KNOWN: Mutex<Option<HashMap<KernelChoice, Choice>>> = Mutex::new(None);
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    let known = known.get_or_insert_default();
    if let Some(choice) = known.get(&wanted) {
        return Ok(*choice);
    }
    let choice = test(wanted)?;
    known.insert(wanted, choice);
    Ok(choice)
}

fn test(wanted: KernelChoice) -> Result<Choice, KernelError> {
    let mut scanners = match wanted {
        KernelChoice::Only(kernel) => {
            let mut scanner = HeaderScanner::new(kernel)?;
            if !is_right(&mut scanner) {
                return Err(KernelError::Wrong(kernel));
            }
            vec![scanner]
        }
        KernelChoice::Auto => {
            let scanners = supported().into_iter().filter_map(|kernel| HeaderScanner::new(kernel).ok());
            scanners.filter_map(|mut scanner| is_right(&mut scanner).then_some(scanner)).collect()
        }
    };
    let rates = speeds(&mut scanners);
    let best =
        rates.into_iter().max_by(|a, b| a.hash_rate.hashes_per_second().total_cmp(&b.hash_rate.hashes_per_second()));
    best.ok_or(KernelError::Wrong(Kernel::Portable))
}

/// A header that is none: every byte counts.
fn sample(seed: u8) -> [u8; HEADER_LEN] {
    let mut state = seed;
    std::array::from_fn(|_| {
        state = state.wrapping_mul(141).wrapping_add(47);
        state
    })
}

pub(super) fn load(scanner: &mut HeaderScanner, midstates: usize) -> (Tail, Vec<Midstate>) {
    let headers = (1..=midstates).filter_map(|seed| u8::try_from(seed).ok()).map(sample);
    let midstates: Vec<_> = headers.map(|header| Midstate::of(&header)).collect();
    let tail = Tail::of(&sample(0));
    scanner.load(tail, &midstates);
    (tail, midstates)
}

/// Whether it finds exactly what the definition of the hash says, with several midstates and with one.
fn is_right(scanner: &mut HeaderScanner) -> bool {
    // One hash in 64 is a hit: all lanes get some.
    let share_target = ShareTarget::from_expected_hashes(64.0);
    scanner.set_target(share_target);
    [scanner.width(), 1].into_iter().all(|width| {
        let (tail, midstates) = load(scanner, width);
        let first = u32::MAX - COMPARED / 2;
        let mut found = Vec::new();
        scanner.scan(first, COMPARED, |hit| found.push((hit.midstate, hit.nonce)));
        let nonces = (0..COMPARED).map(|step| first.wrapping_add(step));
        let mut right: Vec<_> = nonces
            .flat_map(|nonce| midstates.iter().enumerate().map(move |(index, midstate)| (index, *midstate, nonce)))
            .filter(|(_, midstate, nonce)| share_target.is_met_by(block::double_hash(*midstate, tail, *nonce)))
            .map(|(index, _, nonce)| (index, nonce))
            .collect();
        found.sort_unstable();
        right.sort_unstable();
        !right.is_empty() && found == right
    })
}

/// Rates of all scanners, measured in turn; the best burst of each counts.
fn speeds(scanners: &mut [HeaderScanner]) -> Vec<Choice> {
    let burst = BUDGET / BURSTS / u32::try_from(scanners.len()).unwrap_or(u32::MAX).max(1);
    let mut rates = vec![HashRate::ZERO; scanners.len()];
    for scanner in &mut *scanners {
        let width = scanner.width();
        scanner.set_target(ShareTarget::from_be_bytes([0; 32]));
        load(scanner, width);
    }
    for _ in 0..BURSTS {
        for (scanner, rate) in scanners.iter_mut().zip(&mut rates) {
            let measured = measure(scanner, burst);
            if measured > *rate {
                *rate = measured;
            }
        }
    }
    scanners.iter().zip(rates).map(|(scanner, hash_rate)| Choice { kernel: scanner.kernel(), hash_rate }).collect()
}

/// Hashes for about `burst` of this thread's time.
fn measure(scanner: &mut HeaderScanner, burst: Duration) -> HashRate {
    const NONCES: u32 = 256;
    let begin = thread_time();
    let mut nonces = 0_u32;
    loop {
        scanner.scan(nonces, NONCES, |_| {});
        nonces += NONCES;
        let elapsed = thread_time().saturating_sub(begin);
        if elapsed >= burst {
            let hashes = f64::from(nonces) * scanner.loaded() as f64;
            return HashRate::from_hashes_per_second(hashes / elapsed.as_secs_f64());
        }
    }
}

/// CPU time that this thread has had; zero on a machine that does not say.
pub(in crate::thread) fn thread_time() -> Duration {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).map(Duration::from).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chosen_kernel_is_one_that_runs_here_and_has_a_rate() {
        let choice = choose(KernelChoice::Auto).unwrap();
        assert!(choice.kernel.is_supported());
        assert!(choice.hash_rate > HashRate::from_hashes_per_second(1e4), "{choice:?}");
        assert_eq!(choose(KernelChoice::Auto), Ok(choice), "the answer is kept");
        assert_eq!(choose(KernelChoice::Only(Kernel::Portable)).unwrap().kernel, Kernel::Portable);
    }
}
