//! Six midstates: three hashes in their second chunk, three of the batch before in their second hash.

use super::{
    super::{Listing, T, U, constants, field, part, small_sigma0, two_rounds},
    SPILLS, Words,
};

/// Hashes that go through one phase at once.
const WAYS: usize = 3;
/// Batches of [`WAYS`] midstates per nonce.
const BATCHES: usize = 2;

#[derive(Default)]
pub(in super::super) struct Rolled {
    out: Listing,
    spill: usize,
}

impl Rolled {
    /// State in the second chunk.
    fn chunk(way: usize) -> (String, String) {
        (format!("xmm{}", 1 + 2 * way), format!("xmm{}", 2 + 2 * way))
    }

    /// State in the second hash.
    fn hash(way: usize) -> (String, String) {
        let first = 1 + 2 * WAYS + 2 * way;
        (format!("xmm{first}"), format!("xmm{}", first + 1))
    }

    fn words(way: usize) -> Words {
        Words(16 + 4 * way)
    }

    /// The next nonce's schedule, shared by all its hashes.
    fn shared_words() -> Words {
        Self::words(WAYS)
    }

    /// A part of the midstate of a way: 0, 16 = start; 32, 48 = to be added.
    fn midstate(batch: usize, way: usize, bytes: usize) -> String {
        part("starts", 64 * (WAYS * batch + way) + bytes)
    }

    pub(in super::super) fn write(mut self) -> String {
        self.out.op("xor r10d, r10d");
        self.out.op("lea rcx, [rdi+{schedules}]");
        self.out.op("lea r11, [rdi+{schedules}+240]");
        self.out.op(".p2align 6");
        self.out.label(2);
        self.out.remark("the nonce as a message word, where it is added to ABEF");
        self.out.op("mov eax, esi");
        self.out.op("bswap eax");
        self.out.op("shl rax, 32");
        self.out.op(format!("vmovq {T}, rax"));
        self.out.op(format!("vpunpcklqdq {T}, {T}, {T}"));
        self.out.op(format!("vmovdqa {}, {T}", field("word")));
        for batch in 0..BATCHES {
            self.batch(batch);
        }
        self.out.op("xchg rcx, r11");
        self.out.op("mov [rdi+{stop}], esi");
        self.out.op("inc esi");
        self.out.remark("room for the results of one more iteration?");
        self.out.op("cmp r10d, {room}");
        self.out.op("ja 6f");
        self.out.op("dec rdx");
        self.out.op("jnz 2b");
        self.out.label(6);
        self.out.op("mov [rdi+{found_len}], r10d");
        self.out.op("ret");
        for batch in 0..BATCHES {
            self.report(batch);
        }
        self.out.0
    }

    /// Sends one batch into the second chunk and the one before through the second hash.
    fn batch(&mut self, batch: usize) {
        self.out.remark(&format!("batch {batch}"));
        let before = (batch + BATCHES - 1) % BATCHES;
        for way in 0..WAYS {
            let (abef, cdgh) = Self::chunk(way);
            self.out.op(format!("vpaddd {abef}, {abef}, {}", Self::midstate(before, way, 32)));
            self.out.op(format!("vpaddd {cdgh}, {cdgh}, {}", Self::midstate(before, way, 48)));
        }
        for way in 0..WAYS {
            let ((abef, cdgh), words) = (Self::chunk(way), Self::words(way));
            self.out.op(format!("vshufps {}, {abef}, {cdgh}, 0xbb", words.place(0)));
            self.out.op(format!("vshufps {}, {abef}, {cdgh}, 0x11", words.place(1)));
        }
        self.out.op(format!("vmovdqa {T}, {}", field("word")));
        for way in 0..WAYS {
            let (abef, cdgh) = Self::chunk(way);
            self.out.op(format!("vpaddd {abef}, {T}, {}", Self::midstate(batch, way, 0)));
            self.out.op(format!("vmovdqa {cdgh}, {}", Self::midstate(batch, way, 16)));
        }
        for way in 0..WAYS {
            let (abef, cdgh) = Self::hash(way);
            self.out.op(format!("vmovdqa {abef}, {}", field("iv_abef")));
            self.out.op(format!("vmovdqa {cdgh}, {}", field("iv_cdgh")));
        }
        if batch == 0 {
            self.out.remark("the next nonce's own terms of words 18 and 19");
            self.out.op("lea eax, [rsi+1]");
            self.out.op("bswap eax");
            small_sigma0().into_iter().for_each(|line| self.out.op(line));
            self.out.op("or r9, rax");
        }
        for group in 0..15 {
            self.group(batch, group);
        }
        for way in 0..WAYS {
            let (abef, cdgh) = Self::hash(way);
            let words = Self::words(way);
            self.out.ops(&words.second_hash(15));
            self.out.op(format!("vpaddd xmm0, {T}, {}", constants(15)));
            self.out.op(two_rounds(&cdgh, &abef));
        }
        self.check(batch);
    }

    /// Rounds `4 × group` to `4 × group + 3` of the second hash, and those four later of the second chunk.
    fn group(&mut self, batch: usize, group: usize) {
        self.out.op(format!("vmovdqa xmm0, [rcx+{}]", 16 * group));
        for way in 0..WAYS {
            let (abef, cdgh) = Self::chunk(way);
            self.out.op(two_rounds(&cdgh, &abef));
        }
        match group {
            2 | 3 => {
                let name = if group == 2 { "k8" } else { "k12" };
                self.out.op(format!("vmovdqa xmm0, {}", field(name)));
                for way in 0..WAYS {
                    let (abef, cdgh) = Self::hash(way);
                    self.out.op(two_rounds(&cdgh, &abef));
                }
                self.shared_schedule(batch, group);
                self.second_half(group);
                self.out.op(format!("vmovq xmm0, {}", part(name, 8)));
                for way in 0..WAYS {
                    let (abef, cdgh) = Self::hash(way);
                    self.out.op(two_rounds(&abef, &cdgh));
                }
            }
            _ => {
                let mut pending: Option<(usize, usize)> = None;
                for way in 0..WAYS {
                    let (abef, cdgh) = Self::hash(way);
                    let words = Self::words(way);
                    if group < 2 {
                        self.out.op(format!("vpaddd xmm0, {}, {}", words.place(group), constants(group)));
                    } else {
                        self.out.ops(&words.second_hash(group));
                        self.out.op(words.store(group, T));
                        self.out.op(format!("vpaddd xmm0, {T}, {}", constants(group)));
                    }
                    self.spill = (self.spill + 1) % SPILLS;
                    self.out.op(format!("vmovdqa {}, xmm0", part("spill", 16 * self.spill)));
                    self.out.op(two_rounds(&cdgh, &abef));
                    self.upper_half(pending.replace((way, self.spill)));
                }
                self.shared_schedule(batch, group);
                self.second_half(group);
                self.upper_half(pending);
            }
        }
    }

    /// The other two rounds of the second chunk.
    fn second_half(&mut self, group: usize) {
        self.out.op(format!("vmovq xmm0, [rcx+{}]", 16 * group + 8));
        for way in 0..WAYS {
            let (abef, cdgh) = Self::chunk(way);
            self.out.op(two_rounds(&abef, &cdgh));
        }
    }

    /// The other two rounds of a second hash whose words were spilled.
    fn upper_half(&mut self, pending: Option<(usize, usize)>) {
        if let Some((way, spill)) = pending {
            let (abef, cdgh) = Self::hash(way);
            self.out.op(format!("vmovq xmm0, {}", part("spill", 16 * spill + 8)));
            self.out.op(two_rounds(&abef, &cdgh));
        }
    }

    /// A share of the next nonce's schedule: its twelve groups are spread over the groups of all batches.
    fn shared_schedule(&mut self, batch: usize, group: usize) {
        const GROUPS: usize = 12;
        let slots = 15 * BATCHES;
        let here = 15 * batch + group;
        for number in (0..GROUPS).filter(|number| 2 + number * (slots - 3) / GROUPS == here) {
            let words = Self::shared_words();
            if number == 0 {
                self.out.op(format!("vmovdqa {T}, {}", field("w16")));
                self.out.op(format!("vmovq {U}, r9"));
                self.out.op(format!("vpslldq {U}, {U}, 8"));
                self.out.op(format!("vpaddd {T}, {T}, {U}"));
            } else {
                self.out.ops(&words.second_chunk(number + 4));
            }
            self.out.op(words.store(number + 4, T));
            self.out.op(format!("vpaddd {U}, {T}, {}", constants(number + 4)));
            self.out.op(format!("vmovdqa [r11+{}], {U}", 16 * (number + 3)));
        }
    }

    /// Goes aside when the last word of a hash has none of the filter's bits.
    fn check(&mut self, batch: usize) {
        let [first, second, third] = std::array::from_fn(|way| Self::hash(way).1);
        self.out.op(format!("vpunpckldq {T}, {first}, {second}"));
        self.out.op(format!("vpunpcklqdq {T}, {T}, {third}"));
        self.out.op(format!("vpaddd {T}, {T}, {}", field("iv7")));
        self.out.op(format!("vptestnmd k1, {T}, {}", field("filter")));
        self.out.op("kmovw eax, k1");
        self.out.op(format!("and eax, {}", (1 << WAYS) - 1));
        self.out.op(format!("jnz {}f", 30 + batch));
        self.out.label(40 + u32::try_from(batch).expect("few batches"));
    }

    /// Notes a candidate: it is of the batch before the one that has just been through the second chunk.
    fn report(&mut self, batch: usize) {
        self.out.label(30 + u32::try_from(batch).expect("few batches"));
        match batch {
            0 => self.out.op("lea r8d, [rsi-1]"),
            _ => self.out.op("mov r8d, esi"),
        }
        self.out.op(format!("shl eax, {}", WAYS * ((batch + BATCHES - 1) % BATCHES)));
        self.out.op("mov [rdi+r10*8+{found}], r8d");
        self.out.op("mov [rdi+r10*8+{found}+4], eax");
        self.out.op("inc r10d");
        self.out.op(format!("jmp {}b", 40 + batch));
    }
}
