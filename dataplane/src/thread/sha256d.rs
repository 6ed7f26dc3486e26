//! Double SHA-256 of block headers, as fast as this CPU can: one [`HeaderScanner`] over several kernels.
//!
//! Used by `thread::cpu`, and by emulated chips. A header is 80 bytes: the first 64 give a [`Midstate`] that does not depend
//! on the nonce, the rest is the [`Tail`]. Rolling version bits changes the midstate only, so several rolled versions share
//! the message schedule of the second chunk ("AsicBoost"): kernels with a width above one compute it once per nonce.
//! Source: FIPS 180-4; the protocol of block headers.

#[cfg(target_arch = "aarch64")]
mod aarch64;
#[cfg(target_arch = "x86_64")]
mod assembly;
pub mod bench;
mod block;
mod choose;
mod lanes;
mod portable;
#[cfg(target_arch = "x86_64")]
mod prepare;
#[cfg(target_arch = "x86_64")]
mod rounds;
mod scanner;
#[cfg(target_arch = "x86_64")]
mod shani;
#[cfg(test)]
mod tests;
#[cfg(target_arch = "x86_64")]
mod wide;

pub(in crate::thread) use self::choose::thread_time;
pub use self::{
    block::{Midstate, Tail},
    choose::{Choice, choose, together},
    scanner::{HeaderScanner, Hit},
};
use std::{fmt, str::FromStr};

/// Most midstates that any kernel takes at once.
pub const MAX_WIDTH: usize = 8;

impl Midstate {
    /// One that was computed elsewhere: the eight state words, as the chips of midstate jobs are given them.
    #[must_use]
    pub fn from_words(words: [u32; 8]) -> Self {
        Self(words)
    }
}

/// An implementation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kernel {
    /// Plain Rust.
    Portable,
    /// Eight lanes of AVX2.
    Avx2,
    /// Sixteen lanes of AVX-512.
    Avx512,
    /// SHA extensions of x86-64, by the compiler's intrinsics.
    ShaNi,
    /// SHA extensions of x86-64, with generated assembly for rolled versions.
    ShaNiAsm,
    /// The same with the registers of AVX-512.
    ShaNiAvx512,
    /// SHA2 instructions of AArch64.
    ArmSha2,
}

impl Kernel {
    /// All of them, whether this CPU has them or not.
    pub const ALL: [Self; 7] =
        [Self::Portable, Self::Avx2, Self::Avx512, Self::ShaNi, Self::ShaNiAsm, Self::ShaNiAvx512, Self::ArmSha2];

    /// Stable name for configuration and people.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Portable => "portable",
            Self::Avx2 => "avx2",
            Self::Avx512 => "avx512",
            Self::ShaNi => "sha-ni",
            Self::ShaNiAsm => "sha-ni-asm",
            Self::ShaNiAvx512 => "sha-ni-avx512",
            Self::ArmSha2 => "arm-sha2",
        }
    }

    /// Whether this CPU has the instructions.
    #[must_use]
    pub fn is_supported(self) -> bool {
        scanner::lanes(self).is_some()
    }
}

impl fmt::Display for Kernel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// What is wanted: a certain kernel, or the fastest.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum KernelChoice {
    /// The fastest that computes right, by a test at start.
    #[default]
    Auto,
    /// This one.
    Only(Kernel),
}

impl fmt::Display for KernelChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.pad("auto"),
            Self::Only(kernel) => kernel.fmt(f),
        }
    }
}

impl FromStr for KernelChoice {
    type Err = KernelError;

    fn from_str(text: &str) -> Result<Self, KernelError> {
        if text == "auto" {
            return Ok(Self::Auto);
        }
        let named = Kernel::ALL.into_iter().find(|kernel| kernel.as_str() == text);
        named.map(Self::Only).ok_or_else(|| KernelError::Unknown { found: text.to_owned() })
    }
}

/// Why a kernel cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KernelError {
    /// No kernel of that name.
    #[error("no kernel is called `{found}`; use `auto` or one of {others}", others = names(&Kernel::ALL))]
    Unknown {
        /// The refused name.
        found: String,
    },
    /// The CPU lacks its instructions.
    #[error("this CPU cannot run the kernel `{0}`; use `auto` or one of {others}", others = names(&supported()))]
    Unsupported(Kernel),
    /// It computed a wrong hash.
    #[error("the kernel `{0}` computes wrong hashes on this machine; use `portable`, and check the machine")]
    Wrong(Kernel),
}

/// Kernels that this CPU can run.
#[must_use]
pub fn supported() -> Vec<Kernel> {
    Kernel::ALL.into_iter().filter(|kernel| kernel.is_supported()).collect()
}

fn names(kernels: &[Kernel]) -> String {
    kernels.iter().map(|kernel| format!("`{kernel}`")).collect::<Vec<_>>().join(", ")
}
