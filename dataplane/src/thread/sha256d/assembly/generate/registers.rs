//! The loops that keep schedules in xmm16 to xmm31.

#[path = "registers/fixed.rs"]
mod fixed;
#[path = "registers/rolled.rs"]
mod rolled;

pub(super) use self::{fixed::Fixed, rolled::Rolled};
use super::{T, U, field};

/// Places that take turns to give back the upper half of schedule words.
const SPILLS: usize = 8;

/// The schedule of one hash, in registers from this one on.
struct Words(usize);

impl Words {
    fn place(&self, group: usize) -> String {
        format!("xmm{}", self.0 + group % 4)
    }

    fn load(&self, register: &str, group: usize) -> String {
        format!("vmovdqa64 {register}, {}", self.place(group))
    }

    fn store(&self, group: usize, register: &str) -> String {
        format!("vmovdqa64 {}, {register}", self.place(group))
    }

    /// A SHA instruction on T with a group, which has to go through U.
    fn with(&self, mnemonic: &str, group: usize) -> Vec<String> {
        vec![self.load(U, group), format!("{mnemonic} {T}, {U}")]
    }

    /// Adds words 7 back to T: the last three of `group - 2` and the first of `group - 1`.
    fn add_seven_back(&self, group: usize) -> Vec<String> {
        vec![
            format!("vpalignr {U}, {}, {}, 4", self.place(group - 1), self.place(group - 2)),
            format!("vpaddd {T}, {T}, {U}"),
        ]
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
            5 => [
                vec![
                    self.load(T, 1),
                    format!("sha256msg1 {T}, {}", field("w8")),
                    format!("vpalignr {U}, {}, {}, 4", self.place(4), field("w12")),
                    format!("vpaddd {T}, {T}, {U}"),
                ],
                self.with("sha256msg2", 4),
            ]
            .concat(),
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
