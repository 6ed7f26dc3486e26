//! One midstate, four nonces at a time, each phase for all four.

use super::{
    super::{Listing, T, U, constants, field, part, small_sigma0, two_rounds},
    SPILLS, Words,
};

/// Hashes in flight.
const WAYS: usize = 4;

#[derive(Default)]
pub(in super::super) struct Fixed {
    out: Listing,
    spill: usize,
}

impl Fixed {
    fn state(way: usize) -> (String, String) {
        (format!("xmm{}", 1 + 2 * way), format!("xmm{}", 2 + 2 * way))
    }

    fn words(way: usize) -> Words {
        Words(16 + 4 * way)
    }

    pub(in super::super) fn write(mut self) -> String {
        self.out.remark("lanes 2 and 3");
        self.out.op("mov eax, 12");
        self.out.op("kmovw k1, eax");
        self.out.op(".p2align 6");
        self.out.label(2);
        self.begin();
        for group in 0..3 {
            self.same_words(&part("kw", 16 * group), &part("kw", 16 * group + 8));
        }
        for group in 4..16 {
            self.group(group, true);
        }
        self.feed_forward();
        self.group(0, false);
        self.group(1, false);
        self.same_words(&field("k8"), &part("k8", 8));
        self.same_words(&field("k12"), &part("k12", 8));
        for group in 4..15 {
            self.group(group, false);
        }
        for way in 0..WAYS {
            let (abef, cdgh) = Self::state(way);
            self.out.ops(&Self::words(way).second_hash(15));
            self.out.op(format!("vpaddd xmm0, {T}, {}", constants(15)));
            self.out.op(two_rounds(&cdgh, &abef));
        }
        self.check();
        self.out.0
    }

    /// The nonces of the batch as message words, and states after round 3.
    fn begin(&mut self) {
        for way in 0..WAYS {
            self.out.op(format!("lea eax, [rsi+{way}]"));
            self.out.op("bswap eax");
            small_sigma0().into_iter().for_each(|line| self.out.op(line));
            self.out.op(format!("mov {}, rax", part("words", 16 * way)));
            self.out.op("or r9, rax");
            self.out.op(format!("mov {}, r9", part("words", 16 * way + 8)));
        }
        for way in 0..WAYS {
            let (abef, cdgh) = Self::state(way);
            self.out.op(format!("vmovddup {T}, {}", part("words", 16 * way)));
            self.out.op(format!("vpaddd {abef}, {T}, {}", field("starts")));
            self.out.op(format!("vmovdqa {cdgh}, {}", part("starts", 16)));
        }
    }

    /// Four rounds with words that all hashes share.
    fn same_words(&mut self, lower: &str, upper: &str) {
        self.out.op(format!("vmovdqa xmm0, {lower}"));
        for way in 0..WAYS {
            let (abef, cdgh) = Self::state(way);
            self.out.op(two_rounds(&cdgh, &abef));
        }
        self.out.op(format!("vmovq xmm0, {upper}"));
        for way in 0..WAYS {
            let (abef, cdgh) = Self::state(way);
            self.out.op(two_rounds(&abef, &cdgh));
        }
    }

    /// Four rounds with each hash's own words; the upper two come one hash later, when the spilled words are back.
    fn group(&mut self, group: usize, chunk: bool) {
        let mut pending: Option<(usize, usize)> = None;
        for way in 0..WAYS {
            let (abef, cdgh) = Self::state(way);
            let words = Self::words(way);
            match (chunk, group) {
                (false, 0 | 1) => self.out.op(format!("vpaddd xmm0, {}, {}", words.place(group), constants(group))),
                (true, 4) => {
                    self.out.op(format!("vmovdqa {T}, {}", field("w16")));
                    self.out.op(format!("vmovddup {U}, {}", part("words", 16 * way + 8)));
                    self.out.op(format!("vpaddd {T}{{{{k1}}}}, {T}, {U}"));
                    self.keep(&words, group);
                }
                (true, _) => {
                    self.out.ops(&words.second_chunk(group));
                    self.keep(&words, group);
                }
                (false, _) => {
                    self.out.ops(&words.second_hash(group));
                    self.keep(&words, group);
                }
            }
            self.spill = (self.spill + 1) % SPILLS;
            self.out.op(format!("vmovdqa {}, xmm0", part("spill", 16 * self.spill)));
            self.out.op(two_rounds(&cdgh, &abef));
            self.upper_half(pending.replace((way, self.spill)));
        }
        self.upper_half(pending);
    }

    fn keep(&mut self, words: &Words, group: usize) {
        self.out.op(words.store(group, T));
        self.out.op(format!("vpaddd xmm0, {T}, {}", constants(group)));
    }

    fn upper_half(&mut self, pending: Option<(usize, usize)>) {
        if let Some((way, spill)) = pending {
            let (abef, cdgh) = Self::state(way);
            self.out.op(format!("vmovq xmm0, {}", part("spill", 16 * spill + 8)));
            self.out.op(two_rounds(&abef, &cdgh));
        }
    }

    /// The first hash is complete; the second begins with its digest as words 0 to 7.
    fn feed_forward(&mut self) {
        for way in 0..WAYS {
            let ((abef, cdgh), words) = (Self::state(way), Self::words(way));
            self.out.op(format!("vpaddd {abef}, {abef}, {}", part("starts", 32)));
            self.out.op(format!("vpaddd {cdgh}, {cdgh}, {}", part("starts", 48)));
            self.out.op(format!("vshufps {}, {abef}, {cdgh}, 0xbb", words.place(0)));
            self.out.op(format!("vshufps {}, {abef}, {cdgh}, 0x11", words.place(1)));
        }
        for way in 0..WAYS {
            let (abef, cdgh) = Self::state(way);
            self.out.op(format!("vmovdqa {abef}, {}", field("iv_abef")));
            self.out.op(format!("vmovdqa {cdgh}, {}", field("iv_cdgh")));
        }
    }

    fn check(&mut self) {
        let [first, second, third, fourth] = std::array::from_fn(|way| Self::state(way).1);
        self.out.op(format!("vpunpckldq {T}, {first}, {second}"));
        self.out.op(format!("vpunpckldq {U}, {third}, {fourth}"));
        self.out.op(format!("vpunpcklqdq {T}, {T}, {U}"));
        self.out.op(format!("vpaddd {T}, {T}, {}", field("iv7")));
        self.out.op(format!("vptestnmd k2, {T}, {}", field("filter")));
        self.out.op("kmovw eax, k2");
        self.out.op("mov [rdi+{stop}], esi");
        self.out.op(format!("and eax, {}", (1 << WAYS) - 1));
        self.out.op("jnz 3f");
        self.out.op(format!("add esi, {WAYS}"));
        self.out.op("dec rdx");
        self.out.op("jnz 2b");
        self.out.label(3);
        self.out.op("ret");
    }
}
