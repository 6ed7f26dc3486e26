//! The kernel in plain Rust: runs everywhere, and is what the others are checked by.
//!
//! What does not depend on the nonce is computed once per header: rounds 0 to 2, and the constant parts of the schedule.
//! Round 3 is linear in the nonce. The second hash ends after round 60, when its last word is known.

use super::{
    block::{DIGEST_BITS, HEADER_BITS, IV, K, Midstate, PAD, Tail, round, small_sigma0, small_sigma1},
    lanes::Lanes,
};

/// One midstate, one nonce at a time.
#[derive(Debug, Default)]
pub(super) struct Portable {
    midstate: [u32; 8],
    /// State after round 3 for a nonce word of zero: the nonce adds to its `a` and `e`.
    after_round_3: [u32; 8],
    /// Schedule words 16 to 31 for a nonce word of zero, as far as they do not depend on it otherwise.
    fixed: Fixed,
    filter: u32,
}

/// Parts of the schedule that no nonce changes.
#[derive(Debug, Default)]
struct Fixed {
    w16: u32,
    w17: u32,
    /// Without the nonce's own term.
    w18: u32,
    w19: u32,
}

impl Lanes for Portable {
    fn width(&self) -> usize {
        1
    }

    fn load(&mut self, tail: Tail, midstates: &[Midstate], filter: u32) {
        let Some(Midstate(midstate)) = midstates.first() else { return };
        let chunk = tail.chunk(0);
        self.midstate = *midstate;
        self.after_round_3 =
            K.into_iter().zip(chunk).take(4).fold(*midstate, |state, (k, w)| round(state, k.wrapping_add(w)));
        let [w0, w1, w2, ..] = chunk;
        let w16 = small_sigma0(w1).wrapping_add(w0);
        let w17 = small_sigma1(HEADER_BITS).wrapping_add(small_sigma0(w2)).wrapping_add(w1);
        self.fixed = Fixed {
            w16,
            w17,
            w18: small_sigma1(w16).wrapping_add(w2),
            w19: small_sigma1(w17).wrapping_add(small_sigma0(PAD)),
        };
        self.filter = filter;
    }

    fn scan(&mut self, first: u32, count: u32, candidate: &mut dyn FnMut(usize, u32)) {
        for step in 0..count {
            let nonce = first.wrapping_add(step);
            if self.last_word(nonce.swap_bytes()) & self.filter == 0 {
                candidate(0, nonce);
            }
        }
    }
}

/// One round that moves no word: the caller names the eight in the order of the round instead.
macro_rules! round {
    ($a:ident $b:ident $c:ident $d:ident $e:ident $f:ident $g:ident $h:ident, $kw:expr) => {
        let sigma1 = $e.rotate_right(6) ^ $e.rotate_right(11) ^ $e.rotate_right(25);
        let t1 = $h.wrapping_add($kw).wrapping_add(sigma1).wrapping_add($g ^ ($e & ($f ^ $g)));
        let sigma0 = $a.rotate_right(2) ^ $a.rotate_right(13) ^ $a.rotate_right(22);
        $d = $d.wrapping_add(t1);
        $h = t1.wrapping_add(sigma0).wrapping_add(($a & $b) | ($c & ($a | $b)));
    };
}

/// Five rounds, from round `$k` with word `$o` of the window.
macro_rules! five_rounds {
    ($a:ident $b:ident $c:ident $d:ident $e:ident $f:ident $g:ident $h:ident, $k:literal, $w:ident, $o:literal) => {
        round!($a $b $c $d $e $f $g $h, K[$k].wrapping_add($w[$o]));
        round!($h $a $b $c $d $e $f $g, K[$k + 1].wrapping_add($w[$o + 1]));
        round!($g $h $a $b $c $d $e $f, K[$k + 2].wrapping_add($w[$o + 2]));
        round!($f $g $h $a $b $c $d $e, K[$k + 3].wrapping_add($w[$o + 3]));
        round!($e $f $g $h $a $b $c $d, K[$k + 4].wrapping_add($w[$o + 4]));
    };
}

/// Eight rounds, after which each word has its name again.
macro_rules! eight_rounds {
    ($a:ident $b:ident $c:ident $d:ident $e:ident $f:ident $g:ident $h:ident, $k:literal, $w:ident, $o:literal) => {
        five_rounds!($a $b $c $d $e $f $g $h, $k, $w, $o);
        round!($d $e $f $g $h $a $b $c, K[$k + 5].wrapping_add($w[$o + 5]));
        round!($c $d $e $f $g $h $a $b, K[$k + 6].wrapping_add($w[$o + 6]));
        round!($b $c $d $e $f $g $h $a, K[$k + 7].wrapping_add($w[$o + 7]));
    };
}

/// Replaces words of the window by those that come 16 later.
macro_rules! expand {
    ($w:ident, $($i:literal)*) => {
        $($w[$i] = $w[$i]
            .wrapping_add(small_sigma0($w[($i + 1) & 15]))
            .wrapping_add($w[($i + 9) & 15])
            .wrapping_add(small_sigma1($w[($i + 14) & 15]));)*
    };
}

impl Portable {
    /// The last word of the double hash. `word` is the nonce as a message word.
    #[inline]
    fn last_word(&self, word: u32) -> u32 {
        // Twelve rounds to the next multiple of eight: the names are turned by four.
        let [mut e, mut f, mut g, mut h, mut a, mut b, mut c, mut d] = self.after_round_3;
        e = e.wrapping_add(word);
        a = a.wrapping_add(word);
        // The words that are the same in every header are written out, for the compiler to fold them.
        let mut w = [0, 0, 0, 0, PAD, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, HEADER_BITS];
        round!(e f g h a b c d, K[4].wrapping_add(PAD));
        round!(d e f g h a b c, K[5]);
        round!(c d e f g h a b, K[6]);
        round!(b c d e f g h a, K[7]);
        eight_rounds!(a b c d e f g h, 8, w, 8);
        w[0] = self.fixed.w16;
        w[1] = self.fixed.w17;
        w[2] = self.fixed.w18.wrapping_add(small_sigma0(word));
        w[3] = self.fixed.w19.wrapping_add(word);
        expand!(w, 4 5 6 7 8 9 10 11 12 13 14 15);
        eight_rounds!(a b c d e f g h, 16, w, 0);
        eight_rounds!(a b c d e f g h, 24, w, 8);
        expand!(w, 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15);
        eight_rounds!(a b c d e f g h, 32, w, 0);
        eight_rounds!(a b c d e f g h, 40, w, 8);
        expand!(w, 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15);
        eight_rounds!(a b c d e f g h, 48, w, 0);
        eight_rounds!(a b c d e f g h, 56, w, 8);

        let digest = [a, b, c, d, e, f, g, h];
        let mut w = [0; 16];
        for (place, (word, midstate)) in w.iter_mut().zip(digest.into_iter().zip(self.midstate)) {
            *place = word.wrapping_add(midstate);
        }
        w[8] = PAD;
        w[15] = DIGEST_BITS;
        let [mut a, mut b, mut c, mut d, mut e, mut f, mut g, mut h] = IV;
        eight_rounds!(a b c d e f g h, 0, w, 0);
        eight_rounds!(a b c d e f g h, 8, w, 8);
        expand!(w, 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15);
        eight_rounds!(a b c d e f g h, 16, w, 0);
        eight_rounds!(a b c d e f g h, 24, w, 8);
        expand!(w, 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15);
        eight_rounds!(a b c d e f g h, 32, w, 0);
        eight_rounds!(a b c d e f g h, 40, w, 8);
        expand!(w, 0 1 2 3 4 5 6 7 8 9 10 11 12);
        eight_rounds!(a b c d e f g h, 48, w, 0);
        five_rounds!(a b c d e f g h, 56, w, 8);
        // What round 60 has made `e` is `h` three rounds later. The other words are of no use.
        let _ = (a, b, c, d, e, f, g);
        h.wrapping_add(IV[7])
    }
}
