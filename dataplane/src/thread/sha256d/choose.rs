//! Which kernel this machine hashes best with: flags say what can run, a short test says what computes right and fast.
//!
//! Rates are taken with the clock of the thread, so that time which other processes had does not count. What the miner first
//! tells its pool is the rate of all its threads at once, because cores share power, caches and sometimes pipelines.

use super::{HeaderScanner, Kernel, KernelChoice, KernelError, Midstate, Tail, block, supported};
use crate::job::header::HEADER_LEN;
use mujina_core::units::{HashRate, ShareTarget};
use nix::time::{ClockId, clock_gettime};
use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// Time for all speed tests together.
const BUDGET: Duration = Duration::from_millis(100);
/// Bursts of each kernel, taken in turn: neighbours on the same machine change its speed from one moment to the next.
const BURSTS: u32 = 5;
/// Nonces that the test of correctness compares.
const COMPARED: u32 = 4096;

/// Time that all threads together are measured for, of each thread's own clock and by the clock on the wall.
const TOGETHER: Duration = Duration::from_millis(60);
const TOGETHER_AT_MOST: Duration = Duration::from_millis(150);

/// Kernels with what the test found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Choice {
    /// Which, where versions can be rolled.
    pub kernel: Kernel,
    /// Which for one midstate.
    pub fixed: Kernel,
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

/// Rate of each of `threads` threads while all of them hash. The answer is kept: later calls cost nothing.
///
/// # Errors
/// The CPU cannot run the kernel.
pub fn together(choice: &Choice, threads: u32) -> Result<HashRate, KernelError> {
    static KNOWN: Mutex<Option<HashMap<(Kernel, u32), HashRate>>> = Mutex::new(None);
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    let known = known.get_or_insert_default();
    let key = (choice.kernel, threads);
    if let Some(rate) = known.get(&key) {
        return Ok(*rate);
    }
    let rate = measure_together(choice, threads)?;
    known.insert(key, rate);
    Ok(rate)
}

fn measure_together(choice: &Choice, threads: u32) -> Result<HashRate, KernelError> {
    let cores = std::thread::available_parallelism().map_or(1, |cores| u32::try_from(cores.get()).unwrap_or(u32::MAX));
    // More threads than cores hash no more than one for each core.
    let measured = threads.min(cores).max(1);
    let scanners: Vec<_> = (0..measured).map(|_| HeaderScanner::of(choice)).collect::<Result<_, _>>()?;
    let sum: f64 = std::thread::scope(|scope| {
        let deadline = Instant::now() + TOGETHER_AT_MOST;
        let rate = move |mut scanner: HeaderScanner| {
            let width = scanner.width();
            scanner.set_target(ShareTarget::from_be_bytes([0; 32]));
            load(&mut scanner, width);
            measure(&mut scanner, TOGETHER, deadline).hashes_per_second()
        };
        let others: Vec<_> = scanners.into_iter().map(|scanner| scope.spawn(move || rate(scanner))).collect();
        // A thread that panicked counts as the one that was measured alone.
        let alone = choice.hash_rate.hashes_per_second();
        others.into_iter().map(|thread| thread.join().unwrap_or(alone)).sum()
    });
    Ok(HashRate::from_hashes_per_second(sum / f64::from(threads.max(1))))
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
    let fastest = |rate: fn(&Speed) -> HashRate| {
        rates.iter().max_by(|a, b| rate(a).hashes_per_second().total_cmp(&rate(b).hashes_per_second()))
    };
    let (rolled, fixed) = (fastest(|speed| speed.rolled), fastest(|speed| speed.fixed));
    let (rolled, fixed) = rolled.zip(fixed).ok_or(KernelError::Wrong(Kernel::Portable))?;
    Ok(Choice { kernel: rolled.kernel, fixed: fixed.kernel, hash_rate: rolled.rolled })
}

/// What a kernel reaches.
#[derive(Debug)]
struct Speed {
    kernel: Kernel,
    /// With as many midstates as it takes.
    rolled: HashRate,
    /// With one.
    fixed: HashRate,
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

/// Rates of all scanners in both shapes, measured in turn; the best burst of each counts.
fn speeds(scanners: &mut [HeaderScanner]) -> Vec<Speed> {
    let count = u32::try_from(scanners.len()).unwrap_or(u32::MAX).max(1);
    let burst = BUDGET / BURSTS / 2 / count;
    let none =
        |scanner: &HeaderScanner| Speed { kernel: scanner.kernel(), rolled: HashRate::ZERO, fixed: HashRate::ZERO };
    let mut speeds: Vec<_> = scanners.iter().map(none).collect();
    for _ in 0..BURSTS {
        for (scanner, Speed { rolled, fixed, .. }) in scanners.iter_mut().zip(&mut speeds) {
            for (width, best) in [(scanner.width(), rolled), (1, fixed)] {
                scanner.set_target(ShareTarget::from_be_bytes([0; 32]));
                load(scanner, width);
                let measured = measure(scanner, burst, Instant::now() + BUDGET);
                if measured > *best {
                    *best = measured;
                }
            }
        }
    }
    speeds
}

/// Hashes for about `burst` of this thread's time, but not beyond the deadline.
fn measure(scanner: &mut HeaderScanner, burst: Duration, deadline: Instant) -> HashRate {
    const NONCES: u32 = 256;
    let begin = thread_time();
    let mut nonces = 0_u32;
    loop {
        scanner.scan(nonces, NONCES, |_| {});
        nonces += NONCES;
        let elapsed = thread_time().saturating_sub(begin);
        if elapsed >= burst || Instant::now() >= deadline {
            let hashes = f64::from(nonces) * scanner.loaded() as f64;
            return HashRate::from_hashes_per_second(hashes / elapsed.max(Duration::from_nanos(1)).as_secs_f64());
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
        assert!(choice.kernel.is_supported() && choice.fixed.is_supported());
        assert!(choice.hash_rate > HashRate::from_hashes_per_second(1e4), "{choice:?}");
        assert_eq!(choose(KernelChoice::Auto), Ok(choice), "the answer is kept");
        let only = choose(KernelChoice::Only(Kernel::Portable)).unwrap();
        assert_eq!((only.kernel, only.fixed), (Kernel::Portable, Kernel::Portable));
    }

    #[test]
    fn threads_beyond_the_cores_add_nothing_to_what_is_expected() {
        let choice = choose(KernelChoice::Only(Kernel::Portable)).unwrap();
        let cores = u32::try_from(std::thread::available_parallelism().unwrap().get()).unwrap();
        let of_all = |threads: u32| together(&choice, threads).unwrap().hashes_per_second() * f64::from(threads);
        // Speeds of a busy machine differ from one moment to the next, but not by this much.
        let ratio = of_all(16 * cores) / of_all(cores);
        assert!((0.25..4.0).contains(&ratio), "{ratio}");
        assert_eq!(together(&choice, cores), together(&choice, cores), "the answer is kept");
    }

    #[test]
    fn scanner_of_a_choice_rolls_with_one_kernel_and_keeps_the_version_with_the_other() {
        let kernels = supported();
        for (rolled, fixed) in [(kernels[0], *kernels.last().unwrap()), (*kernels.last().unwrap(), kernels[0])] {
            let mut scanner = HeaderScanner::of(&Choice { kernel: rolled, fixed, hash_rate: HashRate::ZERO }).unwrap();
            assert_eq!((scanner.kernel(), scanner.width()), (rolled, HeaderScanner::new(rolled).unwrap().width()));
            assert!(is_right(&mut scanner), "{rolled} {fixed}");
        }
    }
}
