//! One interface over all kernels: load midstates that share a tail, scan ranges of nonces.

#[cfg(target_arch = "aarch64")]
use super::aarch64;
use super::{
    Choice, Kernel, KernelError, MAX_WIDTH,
    block::{Midstate, Tail, double_hash},
    lanes::Lanes,
    portable::Portable,
};
#[cfg(target_arch = "x86_64")]
use super::{assembly, shani, wide};
use mujina_core::units::ShareTarget;

/// A nonce whose hash meets the target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hit {
    /// Index of the midstate it was found with.
    pub midstate: usize,
    /// Nonce, as a number.
    pub nonce: u32,
    /// The double hash in internal byte order.
    pub hash: [u8; 32],
}

/// A kernel's loops, for as many midstates as it takes and for one; `None` when this CPU lacks the instructions.
pub(super) fn lanes(kernel: Kernel) -> Option<(Box<dyn Lanes>, Box<dyn Lanes>)> {
    match kernel {
        Kernel::Portable => Some(pair(Portable::default(), Portable::default())),
        #[cfg(target_arch = "x86_64")]
        Kernel::Avx2 => wide::is_avx2_supported().then(wide::avx2).map(|(rolled, fixed)| pair(rolled, fixed)),
        #[cfg(target_arch = "x86_64")]
        Kernel::Avx512 => wide::is_avx512_supported().then(wide::avx512).map(|(rolled, fixed)| pair(rolled, fixed)),
        #[cfg(target_arch = "x86_64")]
        Kernel::ShaNi => shani::is_supported().then(|| pair(shani::rolled(), shani::fixed())),
        #[cfg(target_arch = "x86_64")]
        Kernel::ShaNiAsm => assembly::is_supported().then(assembly::memory).map(|(rolled, fixed)| pair(rolled, fixed)),
        #[cfg(target_arch = "x86_64")]
        Kernel::ShaNiAvx512 => {
            assembly::is_supported_with_avx512().then(assembly::registers).map(|(rolled, fixed)| pair(rolled, fixed))
        }
        #[cfg(target_arch = "aarch64")]
        Kernel::ArmSha2 => aarch64::is_supported().then(aarch64::kernels).map(|(rolled, fixed)| pair(rolled, fixed)),
        #[cfg(not(target_arch = "aarch64"))]
        Kernel::ArmSha2 => None,
        #[cfg(not(target_arch = "x86_64"))]
        Kernel::Avx2 | Kernel::Avx512 | Kernel::ShaNi | Kernel::ShaNiAsm | Kernel::ShaNiAvx512 => None,
    }
}

fn pair(rolled: impl Lanes + 'static, fixed: impl Lanes + 'static) -> (Box<dyn Lanes>, Box<dyn Lanes>) {
    (Box::new(rolled), Box::new(fixed))
}

/// Hashes headers. Allocates when it is made, never while it works.
#[derive(Debug)]
pub struct HeaderScanner {
    kernel: Kernel,
    /// For as many midstates as it takes.
    rolled: Box<dyn Lanes>,
    /// For one midstate at a time.
    fixed: Box<dyn Lanes>,
    tail: Tail,
    midstates: [Midstate; MAX_WIDTH],
    loaded: usize,
    share_target: ShareTarget,
    filter: u32,
}

impl HeaderScanner {
    /// A scanner without work.
    ///
    /// # Errors
    /// The CPU cannot run the kernel.
    pub fn new(kernel: Kernel) -> Result<Self, KernelError> {
        Self::with(kernel, kernel)
    }

    /// A scanner without work, with the kernels that were chosen for several midstates and for one.
    ///
    /// # Errors
    /// The CPU cannot run one of them.
    pub fn of(choice: &Choice) -> Result<Self, KernelError> {
        Self::with(choice.kernel, choice.fixed)
    }

    fn with(kernel: Kernel, fixed: Kernel) -> Result<Self, KernelError> {
        let (rolled, _) = lanes(kernel).ok_or(KernelError::Unsupported(kernel))?;
        let (_, fixed) = lanes(fixed).ok_or(KernelError::Unsupported(fixed))?;
        Ok(Self {
            kernel,
            rolled,
            fixed,
            tail: Tail::default(),
            midstates: [Midstate::default(); MAX_WIDTH],
            loaded: 0,
            share_target: ShareTarget::MAX,
            filter: 0,
        })
    }

    /// Which kernel it runs for several midstates.
    #[must_use]
    pub fn kernel(&self) -> Kernel {
        self.kernel
    }

    /// Midstates that it hashes with the least work for each; any number up to [`MAX_WIDTH`] may be loaded.
    #[must_use]
    pub fn width(&self) -> usize {
        self.rolled.width()
    }

    /// Midstates that are loaded: each nonce that is scanned is so many hashes.
    #[must_use]
    pub fn loaded(&self) -> usize {
        self.loaded
    }

    /// Takes other headers: versions that were rolled over the same rest. What exceeds [`MAX_WIDTH`] is ignored.
    pub fn load(&mut self, tail: Tail, midstates: &[Midstate]) {
        self.tail = tail;
        self.loaded = midstates.len().min(MAX_WIDTH);
        for (place, midstate) in self.midstates.iter_mut().zip(midstates) {
            *place = *midstate;
        }
        self.prepare();
    }

    /// Takes another target: hashes up to and including it are hits.
    pub fn set_target(&mut self, share_target: ShareTarget) {
        self.share_target = share_target;
        self.filter = filter(share_target);
        self.prepare();
    }

    /// Hashes `count` nonces from `first` (after 0xffff_ffff comes 0) with every midstate and reports every hit, in no
    /// certain order. To be interruptible the caller asks for few nonces at a time.
    pub fn scan(&mut self, first: u32, count: u32, mut report: impl FnMut(Hit)) {
        let Self { rolled, fixed, tail, midstates, loaded, share_target, filter, .. } = self;
        let mut judge = |index: usize, nonce: u32| {
            let Some(midstate) = midstates.get(index) else { return };
            let hash = double_hash(*midstate, *tail, nonce);
            if share_target.is_met_by(hash) {
                report(Hit { midstate: index, nonce, hash });
            }
        };
        if *loaded > 1 && *loaded == rolled.width() {
            rolled.scan(first, count, &mut judge);
            return;
        }
        for (index, midstate) in midstates.iter().enumerate().take(*loaded) {
            if *loaded > 1 {
                fixed.load(*tail, std::slice::from_ref(midstate), *filter);
            }
            fixed.scan(first, count, &mut |_, nonce| judge(index, nonce));
        }
    }

    fn prepare(&mut self) {
        let midstates = self.midstates.get(..self.loaded).unwrap_or_default();
        if midstates.len() == 1 {
            self.fixed.load(self.tail, midstates, self.filter);
        } else if midstates.len() == self.rolled.width() {
            self.rolled.load(self.tail, midstates, self.filter);
        }
    }
}

/// Bits of the digest's last word that are zero in every hit: the leading zeros of the target, seen through the digest's
/// byte order (its last word, byte-swapped, is the most significant part of the number).
fn filter(share_target: ShareTarget) -> u32 {
    let [a, b, c, d, ..] = share_target.to_be_bytes();
    let zeros = u32::from_be_bytes([a, b, c, d]).leading_zeros();
    let mask = u32::MAX.checked_shr(zeros).map_or(u32::MAX, |free| !free);
    mask.swap_bytes()
}

/// For tests of what happens when a thread fails.
#[cfg(test)]
impl HeaderScanner {
    pub(crate) fn broken() -> Self {
        #[derive(Debug)]
        struct Broken;
        impl Lanes for Broken {
            fn width(&self) -> usize {
                1
            }
            fn load(&mut self, _: Tail, _: &[Midstate], _: u32) {}
            fn scan(&mut self, _: u32, _: u32, _: &mut dyn FnMut(usize, u32)) {
                panic!("broken as planned")
            }
        }
        let mut scanner = Self::new(Kernel::Portable).expect("runs everywhere");
        scanner.rolled = Box::new(Broken);
        scanner.fixed = Box::new(Broken);
        scanner
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filter_passes_every_hash_that_meets_the_target() {
        assert_eq!(filter(ShareTarget::MAX), 0);
        assert_eq!(filter(ShareTarget::from_be_bytes([0; 32])), u32::MAX);
        // Difficulty 1: the 32 most significant bits are zero.
        assert_eq!(filter(ShareTarget::from_compact(0x1d00_ffff).unwrap()), u32::MAX);
        // 12 zero bits: the last byte of the digest, and the upper half of the one before.
        let mut bytes = [0xff; 32];
        (bytes[0], bytes[1]) = (0, 0x0f);
        assert_eq!(filter(ShareTarget::from_be_bytes(bytes)), 0x0000_f0ff);
    }
}
