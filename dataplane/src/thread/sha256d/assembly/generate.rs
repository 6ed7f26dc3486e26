//! Writes the assembly beside this file: SHA-256d loops with a plan for every register.
//!
//! Part of the tests only: `tests.rs` compares what is written here with the files that are compiled. The text is Intel
//! syntax for `naked_asm!`; names in braces are offsets of fields of `Context`.
//!
//! Both loops keep several hashes in flight, because `sha256rnds2` takes one cycle and its result comes after four. It
//! takes schedule words with their constants from xmm0 only, two at a time, and like the other SHA instructions it reaches
//! xmm0 to xmm15 only. So xmm0 is for schedule words, xmm1 to xmm12 hold states, xmm13 and xmm14 are scratch. The schedules
//! themselves live in xmm16 to xmm31 or, for CPUs without AVX-512, in memory. The upper half of schedule words comes from
//! memory too: a store and a load are free where a shuffle is not.

use std::fmt::Write as _;

#[path = "generate/pipelined.rs"]
mod pipelined;

use self::pipelined::{Batch, Pipelined};

/// Where the message schedules live.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Schedules {
    /// xmm16 to xmm31: AVX-512VL.
    Registers,
    /// AVX.
    Memory,
}

/// Scratch registers.
const T: &str = "xmm13";
const U: &str = "xmm14";
/// Places that take turns to give back the upper half of schedule words.
const SPILLS: usize = 8;
/// Hashes that [`rolled`] takes through one phase at once.
const ROLLED_WAYS: usize = 3;
/// Batches of [`ROLLED_WAYS`] midstates per nonce.
const ROLLED_BATCHES: usize = 2;
/// Hashes that [`fixed`] has in flight.
const FIXED_WAYS: usize = 4;

/// The loop over nonces for six midstates that share one schedule.
///
/// Software-pipelined: while three hashes are in their second chunk, three others, of the batch before, are in their second
/// hash, and in between the schedule of the next nonce is made. The first results are those of registers as they were
/// found; the caller drops them.
///
/// In: rdi = context, esi = nonce, rdx = iterations, one more than nonces to judge. Out: `found` and `found_len`, and in
/// `stop` the nonce of the last iteration, whose own results are not complete.
pub(super) fn rolled(schedules: Schedules) -> String {
    Rolled { out: Listing::default(), schedules, spill: 0 }.write()
}

/// The loop over nonces for one midstate, four nonces at a time.
///
/// In: rdi = context, esi = nonce, rdx = batches. Out: eax = which hashes of the batch that begins at `stop` are candidates;
/// zero when the batches are done.
pub(super) fn fixed() -> String {
    Fixed { out: Listing::default(), spill: 0 }.write()
}

/// The loop over nonces for six midstates, for any CPU with SHA instructions and AVX; in and out as [`rolled`].
pub(super) fn pipelined_midstates() -> String {
    Pipelined::new(Batch::Midstates).write()
}

/// The loop over nonces for one midstate, three nonces at a time. In and out as [`rolled`], but for three nonces where
/// [`rolled`] has six midstates: rdx = iterations, one more than batches to judge.
pub(super) fn pipelined_nonces() -> String {
    Pipelined::new(Batch::Nonces).write()
}

#[derive(Default)]
struct Listing(String);

impl Listing {
    fn op(&mut self, line: impl AsRef<str>) {
        writeln!(self.0, "    {}", line.as_ref()).expect("writing to a string");
    }

    fn ops(&mut self, lines: &[String]) {
        for line in lines {
            self.op(line);
        }
    }

    fn label(&mut self, number: u32) {
        writeln!(self.0, "{number}:").expect("writing to a string");
    }

    fn remark(&mut self, text: &str) {
        writeln!(self.0, "    # {text}").expect("writing to a string");
    }
}

/// A field of the context, as an operand.
fn field(name: &str) -> String {
    format!("[rdi+{{{name}}}]")
}

/// A part of a field, `bytes` from its beginning.
fn part(name: &str, bytes: usize) -> String {
    format!("[rdi+{{{name}}}+{bytes}]")
}

/// Round constants of a group of four rounds.
fn constants(group: usize) -> String {
    part("k", 16 * group)
}

/// Two rounds: the state's CDGH becomes its next ABEF.
fn two_rounds(cdgh: &str, abef: &str) -> String {
    format!("sha256rnds2 {cdgh}, {abef}")
}

/// Lower sigma 0 of eax into r9d; eax stays.
fn small_sigma0() -> [&'static str; 7] {
    [
        "rorx r8d, eax, 7",
        "rorx r9d, eax, 18",
        "xor r9d, r8d",
        "mov r8d, eax",
        "shr r8d, 3",
        "xor r9d, r8d",
        "shl rax, 32",
    ]
}

/// The schedule of one hash: where its group of four words is.
struct Words {
    /// Its first register, if it lives in registers.
    register: Option<usize>,
    /// Its first byte in the field `w`.
    memory: usize,
}

impl Words {
    fn place(&self, group: usize) -> String {
        match self.register {
            Some(first) => format!("xmm{}", first + group % 4),
            None => part("w", self.memory + 16 * (group % 4)),
        }
    }

    fn load(&self, register: &str, group: usize) -> String {
        let mnemonic = if self.register.is_some() { "vmovdqa64" } else { "vmovdqa" };
        format!("{mnemonic} {register}, {}", self.place(group))
    }

    fn store(&self, group: usize, register: &str) -> String {
        let mnemonic = if self.register.is_some() { "vmovdqa64" } else { "vmovdqa" };
        format!("{mnemonic} {}, {register}", self.place(group))
    }

    /// A SHA instruction on T with a group: from a high register it goes through U.
    fn with(&self, mnemonic: &str, group: usize) -> Vec<String> {
        match self.register {
            Some(_) => vec![self.load(U, group), format!("{mnemonic} {T}, {U}")],
            None => vec![format!("{mnemonic} {T}, {}", self.place(group))],
        }
    }

    /// Adds words 7 back to T: the last three of `group - 2` and the first of `group - 1`.
    fn add_seven_back(&self, group: usize) -> Vec<String> {
        let aligned = match self.register {
            Some(_) => vec![format!("vpalignr {U}, {}, {}, 4", self.place(group - 1), self.place(group - 2))],
            None => vec![self.load(U, group - 1), format!("vpalignr {U}, {U}, {}, 4", self.place(group - 2))],
        };
        [aligned, vec![format!("vpaddd {T}, {T}, {U}")]].concat()
    }

    /// The general step: T = words of `group` from the four groups before.
    fn step(&self, group: usize) -> Vec<String> {
        let msg1 = [vec![self.load(T, group - 4)], self.with("sha256msg1", group - 3)].concat();
        [msg1, self.add_seven_back(group), self.with("sha256msg2", group - 1)].concat()
    }

    /// T = words of a group of the second hash, 4 to 15; words 8 to 15 of its message are constants.
    fn second_hash(&self, group: usize) -> Vec<String> {
        match group {
            4 => [vec![self.load(T, 0)], self.with("sha256msg1", 1), vec![format!("sha256msg2 {T}, {}", field("w12"))]]
                .concat(),
            5 => {
                let aligned = match self.register {
                    Some(_) => vec![format!("vpalignr {U}, {}, {}, 4", self.place(4), field("w12"))],
                    None => vec![self.load(U, 4), format!("vpalignr {U}, {U}, {}, 4", field("w12"))],
                };
                [
                    vec![self.load(T, 1), format!("sha256msg1 {T}, {}", field("w8"))],
                    aligned,
                    vec![format!("vpaddd {T}, {T}, {U}")],
                    self.with("sha256msg2", 4),
                ]
                .concat()
            }
            6 => [vec![format!("vmovdqa {T}, {}", field("w8"))], self.add_seven_back(6), self.with("sha256msg2", 5)]
                .concat(),
            7 => [
                vec![format!("vmovdqa {T}, {}", field("w12"))],
                self.with("sha256msg1", 4),
                self.add_seven_back(7),
                self.with("sha256msg2", 6),
            ]
            .concat(),
            _ => self.step(group),
        }
    }

    /// T = words of a group of the second chunk, 5 to 15; `start` is the field that holds what the nonce does not change.
    fn second_chunk(&self, group: usize) -> Vec<String> {
        match group {
            5 => [vec![format!("vmovdqa {T}, {}", field("x20"))], self.with("sha256msg2", 4)].concat(),
            6 | 7 => {
                let start = field(if group == 6 { "m24" } else { "m28" });
                [vec![format!("vmovdqa {T}, {start}")], self.add_seven_back(group), self.with("sha256msg2", group - 1)]
                    .concat()
            }
            _ => self.step(group),
        }
    }
}

struct Rolled {
    out: Listing,
    schedules: Schedules,
    spill: usize,
}

impl Rolled {
    /// State in the second chunk.
    fn chunk(way: usize) -> (String, String) {
        (format!("xmm{}", 1 + 2 * way), format!("xmm{}", 2 + 2 * way))
    }

    /// State in the second hash.
    fn hash(way: usize) -> (String, String) {
        let first = 1 + 2 * ROLLED_WAYS + 2 * way;
        (format!("xmm{first}"), format!("xmm{}", first + 1))
    }

    fn words(&self, way: usize) -> Words {
        let register = (self.schedules == Schedules::Registers).then_some(16 + 4 * way);
        Words { register, memory: 64 * way }
    }

    /// The next nonce's schedule, shared by all its hashes.
    fn shared_words(&self) -> Words {
        self.words(ROLLED_WAYS)
    }

    /// A part of the midstate of a way: 0, 16 = start; 32, 48 = to be added.
    fn midstate(batch: usize, way: usize, bytes: usize) -> String {
        part("starts", 64 * (ROLLED_WAYS * batch + way) + bytes)
    }

    fn write(mut self) -> String {
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
        for batch in 0..ROLLED_BATCHES {
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
        for batch in 0..ROLLED_BATCHES {
            self.report(batch);
        }
        self.out.0
    }

    /// Sends one batch into the second chunk and the one before through the second hash.
    fn batch(&mut self, batch: usize) {
        self.out.remark(&format!("batch {batch}"));
        let before = (batch + ROLLED_BATCHES - 1) % ROLLED_BATCHES;
        for way in 0..ROLLED_WAYS {
            let (abef, cdgh) = Self::chunk(way);
            self.out.op(format!("vpaddd {abef}, {abef}, {}", Self::midstate(before, way, 32)));
            self.out.op(format!("vpaddd {cdgh}, {cdgh}, {}", Self::midstate(before, way, 48)));
        }
        for way in 0..ROLLED_WAYS {
            let ((abef, cdgh), words) = (Self::chunk(way), self.words(way));
            match words.register {
                Some(_) => {
                    self.out.op(format!("vshufps {}, {abef}, {cdgh}, 0xbb", words.place(0)));
                    self.out.op(format!("vshufps {}, {abef}, {cdgh}, 0x11", words.place(1)));
                }
                None => {
                    self.out.op(format!("vshufps {T}, {abef}, {cdgh}, 0xbb"));
                    self.out.op(format!("vshufps {U}, {abef}, {cdgh}, 0x11"));
                    self.out.op(words.store(0, T));
                    self.out.op(words.store(1, U));
                }
            }
        }
        self.out.op(format!("vmovdqa {T}, {}", field("word")));
        for way in 0..ROLLED_WAYS {
            let (abef, cdgh) = Self::chunk(way);
            self.out.op(format!("vpaddd {abef}, {T}, {}", Self::midstate(batch, way, 0)));
            self.out.op(format!("vmovdqa {cdgh}, {}", Self::midstate(batch, way, 16)));
        }
        for way in 0..ROLLED_WAYS {
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
        for way in 0..ROLLED_WAYS {
            let (abef, cdgh) = Self::hash(way);
            let words = self.words(way);
            self.out.ops(&words.second_hash(15));
            self.out.op(format!("vpaddd xmm0, {T}, {}", constants(15)));
            self.out.op(two_rounds(&cdgh, &abef));
        }
        self.check(batch);
    }

    /// Rounds `4 × group` to `4 × group + 3` of the second hash, and those four later of the second chunk.
    fn group(&mut self, batch: usize, group: usize) {
        self.out.op(format!("vmovdqa xmm0, [rcx+{}]", 16 * group));
        for way in 0..ROLLED_WAYS {
            let (abef, cdgh) = Self::chunk(way);
            self.out.op(two_rounds(&cdgh, &abef));
        }
        match group {
            2 | 3 => {
                let name = if group == 2 { "k8" } else { "k12" };
                self.out.op(format!("vmovdqa xmm0, {}", field(name)));
                for way in 0..ROLLED_WAYS {
                    let (abef, cdgh) = Self::hash(way);
                    self.out.op(two_rounds(&cdgh, &abef));
                }
                self.shared_schedule(batch, group);
                self.second_half(group);
                self.out.op(format!("vmovq xmm0, {}", part(name, 8)));
                for way in 0..ROLLED_WAYS {
                    let (abef, cdgh) = Self::hash(way);
                    self.out.op(two_rounds(&abef, &cdgh));
                }
            }
            _ => {
                let mut pending: Option<(usize, usize)> = None;
                for way in 0..ROLLED_WAYS {
                    let (abef, cdgh) = Self::hash(way);
                    let words = self.words(way);
                    if group < 2 {
                        if words.register.is_some() {
                            self.out.op(format!("vpaddd xmm0, {}, {}", words.place(group), constants(group)));
                        } else {
                            self.out.op(words.load(T, group));
                            self.out.op(format!("vpaddd xmm0, {T}, {}", constants(group)));
                        }
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
        for way in 0..ROLLED_WAYS {
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
        let slots = 15 * ROLLED_BATCHES;
        let here = 15 * batch + group;
        for number in (0..GROUPS).filter(|number| 2 + number * (slots - 3) / GROUPS == here) {
            let words = self.shared_words();
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
        match self.schedules {
            Schedules::Registers => {
                self.out.op(format!("vptestnmd k1, {T}, {}", field("filter")));
                self.out.op("kmovw eax, k1");
            }
            Schedules::Memory => {
                self.out.op(format!("vpand {T}, {T}, {}", field("filter")));
                self.out.op(format!("vpxor {U}, {U}, {U}"));
                self.out.op(format!("vpcmpeqd {T}, {T}, {U}"));
                self.out.op(format!("vmovmskps eax, {T}"));
            }
        }
        self.out.op(format!("and eax, {}", (1 << ROLLED_WAYS) - 1));
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
        self.out.op(format!("shl eax, {}", ROLLED_WAYS * ((batch + ROLLED_BATCHES - 1) % ROLLED_BATCHES)));
        self.out.op("mov [rdi+r10*8+{found}], r8d");
        self.out.op("mov [rdi+r10*8+{found}+4], eax");
        self.out.op("inc r10d");
        self.out.op(format!("jmp {}b", 40 + batch));
    }
}

struct Fixed {
    out: Listing,
    spill: usize,
}

impl Fixed {
    fn state(way: usize) -> (String, String) {
        (format!("xmm{}", 1 + 2 * way), format!("xmm{}", 2 + 2 * way))
    }

    fn words(way: usize) -> Words {
        Words { register: Some(16 + 4 * way), memory: 0 }
    }

    fn write(mut self) -> String {
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
        for way in 0..FIXED_WAYS {
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
        for way in 0..FIXED_WAYS {
            self.out.op(format!("lea eax, [rsi+{way}]"));
            self.out.op("bswap eax");
            small_sigma0().into_iter().for_each(|line| self.out.op(line));
            self.out.op(format!("mov {}, rax", part("words", 16 * way)));
            self.out.op("or r9, rax");
            self.out.op(format!("mov {}, r9", part("words", 16 * way + 8)));
        }
        for way in 0..FIXED_WAYS {
            let (abef, cdgh) = Self::state(way);
            self.out.op(format!("vmovddup {T}, {}", part("words", 16 * way)));
            self.out.op(format!("vpaddd {abef}, {T}, {}", field("starts")));
            self.out.op(format!("vmovdqa {cdgh}, {}", part("starts", 16)));
        }
    }

    /// Four rounds with words that all hashes share.
    fn same_words(&mut self, lower: &str, upper: &str) {
        self.out.op(format!("vmovdqa xmm0, {lower}"));
        for way in 0..FIXED_WAYS {
            let (abef, cdgh) = Self::state(way);
            self.out.op(two_rounds(&cdgh, &abef));
        }
        self.out.op(format!("vmovq xmm0, {upper}"));
        for way in 0..FIXED_WAYS {
            let (abef, cdgh) = Self::state(way);
            self.out.op(two_rounds(&abef, &cdgh));
        }
    }

    /// Four rounds with each hash's own words; the upper two come one hash later, when the spilled words are back.
    fn group(&mut self, group: usize, chunk: bool) {
        let mut pending: Option<(usize, usize)> = None;
        for way in 0..FIXED_WAYS {
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
        for way in 0..FIXED_WAYS {
            let ((abef, cdgh), words) = (Self::state(way), Self::words(way));
            self.out.op(format!("vpaddd {abef}, {abef}, {}", part("starts", 32)));
            self.out.op(format!("vpaddd {cdgh}, {cdgh}, {}", part("starts", 48)));
            self.out.op(format!("vshufps {}, {abef}, {cdgh}, 0xbb", words.place(0)));
            self.out.op(format!("vshufps {}, {abef}, {cdgh}, 0x11", words.place(1)));
        }
        for way in 0..FIXED_WAYS {
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
        self.out.op(format!("and eax, {}", (1 << FIXED_WAYS) - 1));
        self.out.op("jnz 3f");
        self.out.op(format!("add esi, {FIXED_WAYS}"));
        self.out.op("dec rdx");
        self.out.op("jnz 2b");
        self.out.label(3);
        self.out.op("ret");
    }
}
