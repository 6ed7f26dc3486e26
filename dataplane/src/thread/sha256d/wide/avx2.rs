//! Eight lanes: AVX2.   A rotation is two shifts and an or.

#![expect(clippy::indexing_slicing, reason = "constant bounds into arrays of constant size, unrolled by the compiler")]

use super::{Start, Stop, Work, loops::vector_loop};
use crate::thread::sha256d::block::{DIGEST_BITS, IV, K, PAD};
use std::arch::x86_64::{
    __m256i as Vector, _mm256_add_epi32, _mm256_and_si256, _mm256_castsi256_ps, _mm256_cmpeq_epi32, _mm256_movemask_ps,
    _mm256_or_si256, _mm256_set_epi32, _mm256_set1_epi32, _mm256_setzero_si256, _mm256_shuffle_epi8, _mm256_slli_epi32,
    _mm256_srli_epi32, _mm256_xor_si256,
};

pub(super) const LANES: u32 = 8;

vector_loop!("avx2");

#[inline]
#[target_feature(enable = "avx2")]
fn splat(word: u32) -> Vector {
    _mm256_set1_epi32(word.cast_signed())
}

#[inline]
#[target_feature(enable = "avx2")]
fn add(a: Vector, b: Vector) -> Vector {
    _mm256_add_epi32(a, b)
}

/// Consecutive nonces as message words: bytes swapped.
#[inline]
#[target_feature(enable = "avx2")]
fn message_words(first: u32) -> Vector {
    let lanes = _mm256_set_epi32(7, 6, 5, 4, 3, 2, 1, 0);
    let swap = _mm256_set_epi32(
        0x0c0d_0e0f,
        0x0809_0a0b,
        0x0405_0607,
        0x0001_0203,
        0x0c0d_0e0f,
        0x0809_0a0b,
        0x0405_0607,
        0x0001_0203,
    );
    _mm256_shuffle_epi8(add(splat(first), lanes), swap)
}

/// Rotation to the right by `R`; `L` is 32 less that.
#[inline]
#[target_feature(enable = "avx2")]
fn rotate<const R: i32, const L: i32>(x: Vector) -> Vector {
    _mm256_or_si256(_mm256_srli_epi32::<R>(x), _mm256_slli_epi32::<L>(x))
}

#[inline]
#[target_feature(enable = "avx2")]
fn xor3(a: Vector, b: Vector, c: Vector) -> Vector {
    _mm256_xor_si256(_mm256_xor_si256(a, b), c)
}

#[inline]
#[target_feature(enable = "avx2")]
fn small_sigma0(x: Vector) -> Vector {
    xor3(rotate::<7, 25>(x), rotate::<18, 14>(x), _mm256_srli_epi32::<3>(x))
}

#[inline]
#[target_feature(enable = "avx2")]
fn small_sigma1(x: Vector) -> Vector {
    xor3(rotate::<17, 15>(x), rotate::<19, 13>(x), _mm256_srli_epi32::<10>(x))
}

#[inline]
#[target_feature(enable = "avx2")]
fn big_sigma0(x: Vector) -> Vector {
    xor3(rotate::<2, 30>(x), rotate::<13, 19>(x), rotate::<22, 10>(x))
}

#[inline]
#[target_feature(enable = "avx2")]
fn big_sigma1(x: Vector) -> Vector {
    xor3(rotate::<6, 26>(x), rotate::<11, 21>(x), rotate::<25, 7>(x))
}

#[inline]
#[target_feature(enable = "avx2")]
fn choice(e: Vector, f: Vector, g: Vector) -> Vector {
    _mm256_xor_si256(g, _mm256_and_si256(e, _mm256_xor_si256(f, g)))
}

#[inline]
#[target_feature(enable = "avx2")]
fn majority(a: Vector, b: Vector, c: Vector) -> Vector {
    _mm256_or_si256(_mm256_and_si256(a, b), _mm256_and_si256(c, _mm256_or_si256(a, b)))
}

/// Lanes that have no bit of the filter.
#[inline]
#[target_feature(enable = "avx2")]
fn lanes_without(words: Vector, filter: u32) -> u32 {
    let none = _mm256_cmpeq_epi32(_mm256_and_si256(words, splat(filter)), _mm256_setzero_si256());
    _mm256_movemask_ps(_mm256_castsi256_ps(none)).cast_unsigned()
}
