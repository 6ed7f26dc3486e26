//! How fast each kernel hashes on this machine, beside what others would use: the `sha2` and the `bitcoin` crate.
//!
//! All take turns in short bursts, timed by the thread's own clock, because neighbours on the machine and the CPU's frequency
//! change from one moment to the next: only numbers of one report compare. Cycles are those of a chain of dependent
//! additions, one cycle each on every CPU, that runs around each burst.

use super::{HeaderScanner, Kernel, choose, supported};
use crate::job::header::HEADER_LEN;
use mujina_core::units::{HashRate, ShareTarget};
use sha2::{Digest, Sha256};
use std::{hint::black_box, time::Duration};

/// Length of a burst.
const BURST: Duration = Duration::from_millis(20);
/// Least number of bursts of each contestant.
const LEAST_BURSTS: u32 = 3;

/// What ratios refer to. With the feature `soft-sha2` the crate does without SHA extensions.
const SHA2: &str = if cfg!(feature = "soft-sha2") { "sha2 crate, soft" } else { "sha2 crate" };

/// What was measured.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// The CPU as it names itself; empty when it does not.
    pub cpu: String,
    /// Median frequency while it was measured, in hertz.
    pub frequency: f64,
    /// One per contestant: the `sha2` crate first, then the `bitcoin` crate, then the kernels, and last, on a CPU with SHA
    /// extensions, the bare instructions for the rounds of a hash, which bound those kernels.
    pub rows: Vec<Row>,
}

/// One contestant.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// Kernel or crate.
    pub name: String,
    /// Whether it hashed several versions of a header at once; crates hash whole headers.
    pub rolled: bool,
    /// Median over the bursts, of one thread.
    pub hash_rate: HashRate,
    /// Of the fastest burst.
    pub fastest: HashRate,
    /// Median over the bursts.
    pub cycles_per_hash: f64,
    /// Median rate as a multiple of the `sha2` crate's.
    pub ratio: f64,
}

/// Measures everything that runs on this CPU, in about `time`.
#[must_use]
pub fn bench(time: Duration) -> Report {
    let mut contestants =
        vec![Contestant::new(SHA2, false, hash_with_sha2), Contestant::new("bitcoin crate", false, hash_with_bitcoin)];
    contestants
        .extend(supported().into_iter().flat_map(|kernel| [true, false].map(|rolled| of_kernel(kernel, rolled))));
    contestants.extend(rounds_alone());
    let turn = BURST * u32::try_from(contestants.len()).unwrap_or(u32::MAX);
    let turns = (time.as_nanos() / turn.as_nanos()).try_into().unwrap_or(u32::MAX).max(LEAST_BURSTS);
    for _ in 0..turns {
        contestants.iter_mut().for_each(Contestant::burst);
    }
    let baseline = contestants.first().map_or(0.0, |first| median(&first.rates));
    let frequencies: Vec<_> =
        contestants.iter().flat_map(|contestant| contestant.frequencies.iter().copied()).collect();
    Report {
        cpu: cpu_name(),
        frequency: median(&frequencies),
        rows: contestants.into_iter().map(|contestant| contestant.row(baseline)).collect(),
    }
}

/// Hashes at least so many headers, and returns how many.
type Hasher = Box<dyn FnMut() -> u64>;

struct Contestant {
    name: String,
    rolled: bool,
    hash: Hasher,
    rates: Vec<f64>,
    cycles: Vec<f64>,
    frequencies: Vec<f64>,
}

impl Contestant {
    fn new(name: &str, rolled: bool, hash: impl FnMut() -> u64 + 'static) -> Self {
        let (rates, cycles, frequencies) = (Vec::new(), Vec::new(), Vec::new());
        Self { name: name.into(), rolled, hash: Box::new(hash), rates, cycles, frequencies }
    }

    fn burst(&mut self) {
        let before = frequency();
        let begin = choose::thread_time();
        let mut hashes = 0;
        let elapsed = loop {
            hashes += (self.hash)();
            let elapsed = choose::thread_time().saturating_sub(begin);
            if elapsed >= BURST {
                break elapsed.as_secs_f64();
            }
        };
        let frequency = f64::midpoint(before, frequency());
        let rate = hashes as f64 / elapsed;
        self.rates.push(rate);
        self.cycles.push(frequency / rate);
        self.frequencies.push(frequency);
    }

    fn row(self, baseline: f64) -> Row {
        let Self { name, rolled, rates, cycles, .. } = self;
        let hash_rate = median(&rates);
        Row {
            name,
            rolled,
            hash_rate: HashRate::from_hashes_per_second(hash_rate),
            fastest: HashRate::from_hashes_per_second(rates.into_iter().fold(0.0, f64::max)),
            cycles_per_hash: median(&cycles),
            ratio: if baseline > 0.0 { hash_rate / baseline } else { 0.0 },
        }
    }
}

/// No kernel: the bound of all that are made of the SHA extensions.
fn rounds_alone() -> Option<Contestant> {
    #[cfg(target_arch = "x86_64")]
    return super::rounds::hasher().map(|hash| Contestant::new("rounds alone", false, hash));
    #[cfg(not(target_arch = "x86_64"))]
    None
}

fn of_kernel(kernel: Kernel, rolled: bool) -> Contestant {
    const NONCES: u32 = 4096;
    let mut scanner = HeaderScanner::new(kernel).expect("listed as supported");
    scanner.set_target(ShareTarget::from_be_bytes([0; 32]));
    let midstates = if rolled { scanner.width() } else { 1 };
    choose::load(&mut scanner, midstates);
    let mut nonce = 0_u32;
    Contestant::new(kernel.as_str(), rolled, move || {
        scanner.scan(nonce, NONCES, |_| {});
        nonce = nonce.wrapping_add(NONCES);
        u64::from(NONCES) * midstates as u64
    })
}

/// Headers that a crate hashes before the clock is looked at.
const WHOLE_HEADERS: u32 = 2000;

fn headers() -> impl Iterator<Item = [u8; HEADER_LEN]> {
    (0..WHOLE_HEADERS).map(|nonce| {
        let mut header = [0x5a; HEADER_LEN];
        if let Some(place) = header.last_chunk_mut() {
            *place = nonce.to_le_bytes();
        }
        header
    })
}

fn hash_with_sha2() -> u64 {
    headers().for_each(|header| {
        black_box(Sha256::digest(Sha256::digest(header)));
    });
    WHOLE_HEADERS.into()
}

fn hash_with_bitcoin() -> u64 {
    use bitcoin::hashes::{Hash, sha256d};
    headers().for_each(|header| {
        black_box(sha256d::Hash::hash(&header));
    });
    WHOLE_HEADERS.into()
}

/// Cycles per second, by a chain in which each addition and exclusive or waits for the one before.
fn frequency() -> f64 {
    const STEPS: u32 = 200_000;
    let (add, flip) = (black_box(0x0123_4567_89ab_cdef_u64), black_box(0x5555_1234_aaaa_4321_u64));
    let begin = choose::thread_time();
    let chain = (0..STEPS).fold(1_u64, |x, _| (x ^ flip).wrapping_add(add));
    black_box(chain);
    let elapsed = choose::thread_time().saturating_sub(begin).as_secs_f64();
    if elapsed > 0.0 { 2.0 * f64::from(STEPS) / elapsed } else { 0.0 }
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or_default()
}

/// As `/proc/cpuinfo` has it.
fn cpu_name() -> String {
    let text = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let names = text.lines().filter_map(|line| line.split_once(':')).filter(|(key, _)| key.trim() == "model name");
    names.map(|(_, name)| name.trim().to_owned()).next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn report_has_a_row_for_everything_that_runs_here() {
        let report = bench(Duration::from_millis(1));
        let names: Vec<_> = report.rows.iter().map(|row| row.name.as_str()).collect();
        assert_eq!(names[..4], [SHA2, "bitcoin crate", "portable", "portable"]);
        let bound = usize::from(names.last() == Some(&"rounds alone"));
        assert_eq!(report.rows.len(), 2 + 2 * supported().len() + bound);
        assert_eq!(report.rows[0].ratio, 1.0);
        for row in &report.rows {
            assert!(row.fastest >= row.hash_rate && row.hash_rate > HashRate::ZERO, "{row:?}");
            assert!(row.cycles_per_hash > 0.0 && row.ratio > 0.0, "{row:?}");
        }
        assert!(report.frequency > 1e8, "{report:?}");
    }
}
