//! The loops for any CPU with SHA instructions and AVX: schedules live in memory, and what is short is instructions.
//!
//! Three hashes are in their second chunk while three others, of the batch before, are in their second hash. Time is counted
//! in slots of four rounds of all six. A schedule is made in bursts of a few groups, whose words pass from step to step in
//! registers, because a way through memory takes longer than a slot; between bursts the two newest groups are kept there.
//! Rounds find schedule words with their constants in memory.

mod schedule;

use self::schedule::Schedule;
use super::{Listing, T, U, constants, field, part, small_sigma0, two_rounds};

/// Scratch register beside T and U.
const V: &str = "xmm15";
/// Hashes in each of the two phases.
const WAYS: usize = 3;
/// Slots of a phase.
const SLOTS: usize = 15;
/// Groups of a burst: words 16 to 63 are twelve groups.
const BURST: usize = 3;
/// Bursts of a schedule.
const BURSTS: usize = 4;

/// What the hashes of a batch differ in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Batch {
    /// Midstates: the second chunk's schedule is shared, also by the other batches of the same nonce.
    Midstates,
    /// Nonces: each has its own schedule.
    Nonces,
}

impl Batch {
    /// Batches in one iteration of the loop.
    fn per_iteration(self) -> usize {
        match self {
            Self::Midstates => 2,
            Self::Nonces => 1,
        }
    }

    /// Nonces of an iteration.
    fn nonces(self) -> usize {
        match self {
            Self::Midstates => 1,
            Self::Nonces => WAYS,
        }
    }
}

pub(super) struct Pipelined {
    out: Listing,
    batch: Batch,
}

impl Pipelined {
    pub(super) fn new(batch: Batch) -> Self {
        Self { out: Listing::default(), batch }
    }

    /// State in the second chunk.
    fn chunk(way: usize) -> (String, String) {
        (format!("xmm{}", 1 + 2 * way), format!("xmm{}", 2 + 2 * way))
    }

    /// State in the second hash.
    fn hash(way: usize) -> (String, String) {
        Self::chunk(WAYS + way)
    }

    /// A part of the midstate of a way: 0, 16 = start; 32, 48 = to be added.
    fn midstate(&self, batch: usize, way: usize, bytes: usize) -> String {
        let number = match self.batch {
            Batch::Midstates => WAYS * batch + way,
            Batch::Nonces => 0,
        };
        part("starts", 64 * number + bytes)
    }

    pub(super) fn write(mut self) -> String {
        self.out.op("xor r10d, r10d");
        if self.batch == Batch::Midstates {
            self.out.op("lea rcx, [rdi+{schedules}]");
            self.out.op("lea r11, [rdi+{schedules}+240]");
        }
        if self.batch == Batch::Nonces {
            for way in 0..WAYS {
                Schedule::Chunk(way).burst(0).iter().for_each(|step| self.out.ops(step));
            }
        }
        self.out.op(".p2align 6");
        self.out.label(2);
        for batch in 0..self.batch.per_iteration() {
            self.batch(batch);
        }
        if self.batch == Batch::Midstates {
            self.out.op("xchg rcx, r11");
        }
        self.out.op("mov [rdi+{stop}], esi");
        self.out.op(format!("add esi, {}", self.batch.nonces()));
        self.out.remark("room for the results of one more iteration?");
        self.out.op("cmp r10d, {room}");
        self.out.op("ja 6f");
        self.out.op("dec rdx");
        self.out.op("jnz 2b");
        self.out.label(6);
        self.out.op("mov [rdi+{found_len}], r10d");
        self.out.op("ret");
        for batch in 0..self.batch.per_iteration() {
            self.report(batch);
        }
        self.out.0
    }

    /// Sends one batch into the second chunk and the one before through the second hash.
    fn batch(&mut self, batch: usize) {
        self.out.remark(&format!("batch {batch}"));
        let before = (batch + self.batch.per_iteration() - 1) % self.batch.per_iteration();
        for way in 0..WAYS {
            self.turn_around(before, way);
        }
        for way in 0..WAYS {
            let (abef, cdgh) = Self::chunk(way);
            if self.batch == Batch::Nonces || way == 0 {
                self.out.op(format!("vmovddup {T}, {}", part("words", 16 * way)));
            }
            self.out.op(format!("vpaddd {abef}, {T}, {}", self.midstate(batch, way, 0)));
            self.out.op(format!("vmovdqa {cdgh}, {}", self.midstate(batch, way, 16)));
        }
        for slot in 0..SLOTS {
            self.slot(batch, slot);
        }
        for way in 0..WAYS {
            let (abef, cdgh) = Self::hash(way);
            self.out.op(format!("vmovdqa xmm0, {}", Schedule::Hash(way).kw(15, 0)));
            self.out.op(two_rounds(&cdgh, &abef));
        }
        self.check(batch);
    }

    /// Completes a first hash and begins the second: its digest is words 0 to 7.
    fn turn_around(&mut self, batch: usize, way: usize) {
        let ((abef, cdgh), schedule) = (Self::chunk(way), Schedule::Hash(way));
        self.out.op(format!("vpaddd {abef}, {abef}, {}", self.midstate(batch, way, 32)));
        self.out.op(format!("vpaddd {cdgh}, {cdgh}, {}", self.midstate(batch, way, 48)));
        self.out.op(format!("vshufps {T}, {abef}, {cdgh}, 0xbb"));
        self.out.op(format!("vshufps {U}, {abef}, {cdgh}, 0x11"));
        let (abef, cdgh) = Self::hash(way);
        self.out.op(format!("vmovdqa {abef}, {}", field("iv_abef")));
        self.out.op(format!("vmovdqa {cdgh}, {}", field("iv_cdgh")));
        self.out.op(format!("vpaddd xmm0, {T}, {}", constants(0)));
        self.out.op(format!("vmovdqa {}, xmm0", schedule.kw(0, 0)));
        self.out.op(two_rounds(&cdgh, &abef));
        self.out.op(format!("vpaddd {V}, {U}, {}", constants(1)));
        self.out.op(format!("vmovdqa {}, {V}", schedule.kw(1, 0)));
        self.out.op(format!("sha256msg1 {T}, {U}"));
        self.out.op(format!("vmovdqa {}, {T}", schedule.early(4)));
        self.out.op(format!("sha256msg1 {U}, {}", field("w8")));
        self.out.op(format!("vmovdqa {}, {U}", schedule.early(5)));
    }

    /// Group `slot` of the second hash, and the one after of the second chunk.
    fn slot(&mut self, batch: usize, slot: usize) {
        let rounds = self.rounds(slot);
        let steps = self.steps(batch, slot);
        // Steps are spread over the rounds.
        let mut steps = steps.into_iter().enumerate().peekable();
        let count = steps.len();
        for (number, lines) in rounds.iter().enumerate() {
            self.out.ops(lines);
            while let Some((_, step)) = steps.next_if(|(step, _)| step * rounds.len() / count.max(1) <= number) {
                self.out.ops(&step);
            }
        }
    }

    /// The rounds of a slot, in parts that begin with other words in xmm0.
    fn rounds(&self, slot: usize) -> Vec<Vec<String>> {
        let mut lower = Vec::new();
        let mut upper = Vec::new();
        let chunks: Vec<_> = (0..WAYS).map(Self::chunk).collect();
        let hashes: Vec<_> = (0..WAYS).map(Self::hash).collect();
        let shared = match (self.batch, slot) {
            (Batch::Midstates, _) => Some((format!("[rcx+{}]", 16 * slot), format!("[rcx+{}]", 16 * slot + 8))),
            (Batch::Nonces, 0..3) => Some((part("kw", 16 * slot), part("kw", 16 * slot + 8))),
            (Batch::Nonces, _) => None,
        };
        let own = |place: String, state: &(String, String)| (place, vec![state.clone()]);
        match shared {
            Some((low, high)) => {
                lower.push((low, chunks.clone()));
                upper.push((high, chunks.clone()));
            }
            None => {
                for (way, state) in chunks.iter().enumerate() {
                    lower.push(own(Schedule::Chunk(way).kw(slot + 1, 0), state));
                    upper.push(own(Schedule::Chunk(way).kw(slot + 1, 8), state));
                }
            }
        }
        match slot {
            2 | 3 => {
                let name = if slot == 2 { "k8" } else { "k12" };
                lower.push((field(name), hashes.clone()));
                upper.push((part(name, 8), hashes.clone()));
            }
            _ => {
                for (way, state) in hashes.iter().enumerate() {
                    if slot > 0 {
                        lower.push(own(Schedule::Hash(way).kw(slot, 0), state));
                    }
                    upper.push(own(Schedule::Hash(way).kw(slot, 8), state));
                }
            }
        }
        let lower = lower.into_iter().map(|(place, states)| {
            let rounds = states.into_iter().map(|(abef, cdgh)| two_rounds(&cdgh, &abef));
            std::iter::once(format!("vmovdqa xmm0, {place}")).chain(rounds).collect()
        });
        let upper = upper.into_iter().map(|(place, states)| {
            let rounds = states.into_iter().map(|(abef, cdgh)| two_rounds(&abef, &cdgh));
            std::iter::once(format!("vmovq xmm0, {place}")).chain(rounds).collect()
        });
        lower.chain(upper).collect()
    }

    /// What is done for schedules beside the rounds of a slot.
    fn steps(&self, batch: usize, slot: usize) -> Vec<Vec<String>> {
        let mut steps = Vec::new();
        for (way, number) in (0..BURSTS).flat_map(|number| (0..WAYS).map(move |way| (way, number))) {
            // Words are made one slot before they are needed at the latest.
            if slot == 1 + way + BURST * number {
                steps.extend(Schedule::Hash(way).burst(number));
            }
            if self.batch == Batch::Nonces {
                let turn = WAYS * number + way;
                // The first words are those of the next batch.
                let place = turn.checked_sub(WAYS).map_or(SLOTS - WAYS + way, |turn| turn * 4 / 3);
                if slot == place {
                    steps.extend(Schedule::Chunk(way).burst(number));
                }
            }
        }
        match self.batch {
            Batch::Midstates => {
                let number = match (batch, slot) {
                    (0, 13) => Some(0),
                    (0, 14) => Some(1),
                    (1, 0) => Some(2),
                    (1, 13) => Some(3),
                    _ => None,
                };
                if number == Some(0) {
                    steps.push([vec!["lea eax, [rsi+1]".into()], message_word()].concat());
                    steps.push(vec!["mov r8, rax".into()]);
                }
                if let Some(number) = number {
                    steps.extend(Schedule::Shared.burst(number));
                }
                if (batch, slot) == (1, 14) {
                    steps.push(vec![format!("mov {}, r8", part("words", 0))]);
                }
            }
            Batch::Nonces => {
                if let Some(way) = slot.checked_sub(3).filter(|way| *way < WAYS) {
                    let store = vec![
                        format!("mov {}, rax", part("words", 16 * way)),
                        format!("mov {}, r9", part("sigmas", 16 * way + 8)),
                    ];
                    steps.push([vec![format!("lea eax, [rsi+{}]", WAYS + way)], message_word(), store].concat());
                }
            }
        }
        steps
    }

    /// Goes aside when the last word of a hash has none of the filter's bits.
    fn check(&mut self, batch: usize) {
        let [first, second, third] = std::array::from_fn(|way| Self::hash(way).1);
        self.out.op(format!("vpunpckldq {T}, {first}, {second}"));
        self.out.op(format!("vpunpcklqdq {T}, {T}, {third}"));
        self.out.op(format!("vpaddd {T}, {T}, {}", field("iv7")));
        self.out.op(format!("vpand {T}, {T}, {}", field("filter")));
        self.out.op(format!("vpxor {U}, {U}, {U}"));
        self.out.op(format!("vpcmpeqd {T}, {T}, {U}"));
        self.out.op(format!("vmovmskps eax, {T}"));
        self.out.op(format!("and eax, {}", (1 << WAYS) - 1));
        self.out.op(format!("jnz {}f", 30 + batch));
        self.out.label(40 + u32::try_from(batch).expect("few batches"));
    }

    /// Notes a candidate: it is of the batch before the one that has just been through the second chunk.
    fn report(&mut self, batch: usize) {
        self.out.label(30 + u32::try_from(batch).expect("few batches"));
        match batch {
            0 => self.out.op(format!("lea r9d, [rsi-{}]", self.batch.nonces())),
            _ => self.out.op("mov r9d, esi"),
        }
        let before = (batch + self.batch.per_iteration() - 1) % self.batch.per_iteration();
        self.out.op(format!("shl eax, {}", WAYS * before));
        self.out.op("mov [rdi+r10*8+{found}], r9d");
        self.out.op("mov [rdi+r10*8+{found}+4], eax");
        self.out.op("inc r10d");
        self.out.op(format!("jmp {}b", 40 + batch));
    }
}

/// From eax, a nonce: rax = its message word where it is added to ABEF, r9 = the same with its sigma.
fn message_word() -> Vec<String> {
    let lines = std::iter::once("bswap eax").chain(small_sigma0()).chain(std::iter::once("or r9, rax"));
    lines.map(str::to_owned).collect()
}
