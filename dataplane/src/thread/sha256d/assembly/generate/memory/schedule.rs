//! Schedules of the loops in `memory`, a burst at a time.

use super::{
    super::{T, U, constants, field, part},
    BURST, V, WAYS,
};

/// A schedule, and where in the context it is.
#[derive(Debug, Clone, Copy)]
pub(super) enum Schedule {
    /// Of the second hash of a way.
    Hash(usize),
    /// Of the second chunk of a way.
    Chunk(usize),
    /// Of the second chunk of all midstates, for the next nonce.
    Shared,
}

impl Schedule {
    fn field(self, name: &str, group: usize) -> String {
        let number = match self {
            Self::Hash(way) => way,
            Self::Chunk(way) => WAYS + way,
            Self::Shared => WAYS,
        };
        part(name, 256 * number + 16 * group)
    }

    /// Words of a group, if they had to leave the registers.
    fn words(self, group: usize) -> String {
        match (self, group) {
            (Self::Hash(_), 3) => field("w12"),
            _ => self.field("w", group),
        }
    }

    /// Words of a group with their constants, from a byte on.
    pub(super) fn kw(self, group: usize, byte: usize) -> String {
        match self {
            Self::Shared => format!("[r11+{}]", 16 * (group - 1) + byte),
            _ => self.field("kw_of", group).replace(']', &format!("+{byte}]")),
        }
    }

    /// `sha256msg1` of the words 16 and 12 before a group.
    pub(super) fn early(self, group: usize) -> String {
        match (self, group) {
            (Self::Hash(_), 6) => field("w8"),
            (Self::Chunk(_) | Self::Shared, 6) => field("m24"),
            (Self::Chunk(_) | Self::Shared, 7) => field("m28"),
            _ => self.field("early", group),
        }
    }

    /// The steps of a burst, one for each of its groups. They share the scratch registers, and leave xmm0 spent.
    pub(super) fn burst(self, number: usize) -> Vec<Vec<String>> {
        let first = 4 + BURST * number;
        let last = first + BURST - 1;
        let [mut newest, mut older, mut free] = [T, V, U];
        let step = |group| {
            let mut lines = self.make(group, group > first, [newest, older, free]);
            lines.push(format!("vpaddd xmm0, {free}, {}", constants(group)));
            lines.push(format!("vmovdqa {}, xmm0", self.kw(group, 0)));
            (older, newest, free) = (newest, free, older);
            lines.extend(self.keep(group, group == last, [newest, older, free]));
            lines
        };
        (first..=last).map(step).collect()
    }

    /// Makes the words of a group in `free`. When the burst goes on, `newest` holds those of the group before, and `free` the
    /// words seven back.
    fn make(self, group: usize, goes_on: bool, [newest, older, free]: [&str; 3]) -> Vec<String> {
        let add_early = format!("vpaddd {free}, {free}, {}", self.early(group));
        let add_newest = format!("sha256msg2 {free}, {newest}");
        match (self, group) {
            (Self::Hash(_), 4) => vec![
                format!("vmovdqa {newest}, {}", self.words(3)),
                format!("vmovdqa {free}, {}", self.early(4)),
                add_newest,
            ],
            (Self::Chunk(way), 4) => vec![
                format!("vmovdqa {free}, {}", field("w16")),
                format!("vpaddd {free}, {free}, {}", part("sigmas", 16 * way)),
            ],
            (Self::Shared, 4) => vec![
                format!("vmovdqa {older}, {}", field("w16")),
                format!("vmovq {free}, r9"),
                format!("vpslldq {free}, {free}, 8"),
                format!("vpaddd {free}, {free}, {older}"),
            ],
            (Self::Chunk(_) | Self::Shared, 5) => vec![format!("vmovdqa {free}, {}", field("x20")), add_newest],
            _ if goes_on => vec![add_early, add_newest],
            _ => vec![
                format!("vmovdqa {newest}, {}", self.words(group - 1)),
                format!("vpalignr {free}, {newest}, {}, 4", self.words(group - 2)),
                add_early,
                add_newest,
            ],
        }
    }

    /// Keeps what later groups need of a group in `newest` and of the one before in `older`.
    fn keep(self, group: usize, ends: bool, [newest, older, free]: [&str; 3]) -> Vec<String> {
        let mut lines = Vec::new();
        if matches!((self, group), (Self::Chunk(_) | Self::Shared, 4)) {
            // The next two groups begin with what no nonce changes.
            return lines;
        }
        if !ends {
            lines.push(format!("vpalignr {free}, {newest}, {older}, 4"));
        } else if group < 15 {
            lines.push(format!("vmovdqa {}, {newest}", self.words(group)));
            lines.push(format!("vmovdqa {}, {older}", self.words(group - 1)));
        }
        if group + 3 <= 15 {
            lines.push(format!("sha256msg1 {older}, {newest}"));
            lines.push(format!("vmovdqa {}, {older}", self.early(group + 3)));
        }
        lines
    }
}
