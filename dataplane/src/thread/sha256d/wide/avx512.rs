//! Sixteen lanes: AVX-512F and BW.   Rotation and any logic of three inputs are one instruction each.

#![expect(clippy::indexing_slicing, reason = "constant bounds into arrays of constant size, unrolled by the compiler")]

use super::{Start, Stop, Work, loops::vector_loop};
use crate::thread::sha256d::block::{DIGEST_BITS, IV, K, PAD};
use std::arch::x86_64::{
    __m512i as Vector, _mm512_add_epi32, _mm512_ror_epi32, _mm512_set_epi32, _mm512_set1_epi32, _mm512_shuffle_epi8,
    _mm512_srli_epi32, _mm512_ternarylogic_epi32, _mm512_testn_epi32_mask,
};

pub(super) const LANES: u32 = 16;

vector_loop!("avx512f,avx512bw");

/// Truth tables of three inputs.
const XOR3: i32 = 0x96;
const CHOICE: i32 = 0xca;
const MAJORITY: i32 = 0xe8;

#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn splat(word: u32) -> Vector {
    _mm512_set1_epi32(word.cast_signed())
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn add(a: Vector, b: Vector) -> Vector {
    _mm512_add_epi32(a, b)
}

/// Consecutive nonces as message words: bytes swapped.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn message_words(first: u32) -> Vector {
    let lanes = _mm512_set_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
    let swap = _mm512_set_epi32(
        0x0c0d_0e0f,
        0x0809_0a0b,
        0x0405_0607,
        0x0001_0203,
        0x0c0d_0e0f,
        0x0809_0a0b,
        0x0405_0607,
        0x0001_0203,
        0x0c0d_0e0f,
        0x0809_0a0b,
        0x0405_0607,
        0x0001_0203,
        0x0c0d_0e0f,
        0x0809_0a0b,
        0x0405_0607,
        0x0001_0203,
    );
    _mm512_shuffle_epi8(add(splat(first), lanes), swap)
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn small_sigma0(x: Vector) -> Vector {
    _mm512_ternarylogic_epi32::<XOR3>(_mm512_ror_epi32::<7>(x), _mm512_ror_epi32::<18>(x), _mm512_srli_epi32::<3>(x))
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn small_sigma1(x: Vector) -> Vector {
    _mm512_ternarylogic_epi32::<XOR3>(_mm512_ror_epi32::<17>(x), _mm512_ror_epi32::<19>(x), _mm512_srli_epi32::<10>(x))
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn big_sigma0(x: Vector) -> Vector {
    _mm512_ternarylogic_epi32::<XOR3>(_mm512_ror_epi32::<2>(x), _mm512_ror_epi32::<13>(x), _mm512_ror_epi32::<22>(x))
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn big_sigma1(x: Vector) -> Vector {
    _mm512_ternarylogic_epi32::<XOR3>(_mm512_ror_epi32::<6>(x), _mm512_ror_epi32::<11>(x), _mm512_ror_epi32::<25>(x))
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn choice(e: Vector, f: Vector, g: Vector) -> Vector {
    _mm512_ternarylogic_epi32::<CHOICE>(e, f, g)
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn majority(a: Vector, b: Vector, c: Vector) -> Vector {
    _mm512_ternarylogic_epi32::<MAJORITY>(a, b, c)
}

/// Lanes that have no bit of the filter.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn lanes_without(words: Vector, filter: u32) -> u32 {
    _mm512_testn_epi32_mask(words, splat(filter)).into()
}
