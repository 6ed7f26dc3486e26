//! Every kernel against the portable one.

use mujina_core::units::ShareTarget;
use mujina_dataplane::thread::sha256d::{HeaderScanner, Hit, Kernel, MAX_WIDTH, Midstate, Tail, supported};

/// Inputs that are tried beside the corpus in an ordinary run.
const ITERATIONS: usize = 64;

#[test]
fn every_kernel_finds_what_the_portable_one_finds() {
    bolero::check!().with_iterations(ITERATIONS).for_each(|input: &[u8]| {
        let case = Case::of(input);
        for kernel in supported() {
            let mut scanner = HeaderScanner::new(kernel).expect("listed as supported");
            for width in [1, scanner.width(), case.width] {
                assert_eq!(case.found(&mut scanner, width), case.right(width), "{kernel} {width} {case:?}");
            }
        }
    });
}

/// What is scanned.
#[derive(Debug)]
struct Case {
    headers: [[u8; 80]; MAX_WIDTH],
    share_target: ShareTarget,
    first: u32,
    count: u32,
    /// A number of midstates that is not the kernel's own.
    width: usize,
}

impl Case {
    /// Reads a header, count, leading zero bits of the target, width, first nonce, rolled versions; what is missing is zero.
    fn of(input: &[u8]) -> Self {
        let mut bytes = input.iter().copied().chain(std::iter::repeat(0));
        let mut take = || bytes.next().unwrap_or_default();
        let header: [u8; 80] = std::array::from_fn(|_| take());
        let (count, zeros, width) = (u32::from(take()), i32::from(take() % 16), usize::from(take()) % MAX_WIDTH + 1);
        let mut word = || u32::from_le_bytes([take(), take(), take(), take()]);
        let first = word();
        let headers = std::array::from_fn(|_| {
            let mut rolled = header;
            rolled.iter_mut().zip(word().to_le_bytes()).for_each(|(byte, roll)| *byte ^= roll);
            rolled
        });
        let share_target = ShareTarget::from_expected_hashes(2_f64.powi(zeros) * 1.3);
        Self { headers, share_target, first, count, width }
    }

    fn found(&self, scanner: &mut HeaderScanner, width: usize) -> Vec<Hit> {
        let midstates: Vec<_> = self.headers.iter().map(Midstate::of).take(width).collect();
        scanner.load(Tail::of(&self.headers[0]), &midstates);
        scanner.set_target(self.share_target);
        let mut found = Vec::new();
        scanner.scan(self.first, self.count, |hit| found.push(hit));
        found.sort_unstable_by_key(|hit| (hit.midstate, hit.nonce));
        found
    }

    fn right(&self, width: usize) -> Vec<Hit> {
        let mut portable = HeaderScanner::new(Kernel::Portable).expect("runs everywhere");
        self.found(&mut portable, width)
    }
}
