//! What the fuzz targets of both protocols have in common: bytes as a script, and the laws that every connection keeps.

use super::{ConnectionEvent, Verdict};
use crate::job::{Job, JobHandle, extranonce::MAX_EXTRANONCE};
use mujina_core::id::ShareId;
use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    time::Duration,
};

/// Steps of a script that are played: enough for every bound to be met, few enough for many scripts a second.
const STEPS: usize = 600;

/// Bytes that say what happens next.
pub(crate) struct Script<'a> {
    rest: &'a [u8],
    steps: usize,
}

impl<'a> Script<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes, steps: 0 }
    }

    /// The next step, 0 at least and below `kinds`; `None` at the end of the script.
    pub(crate) fn step(&mut self, kinds: u8) -> Option<u8> {
        self.steps += 1;
        if self.rest.is_empty() || self.steps > STEPS {
            return None;
        }
        Some(self.below(kinds))
    }

    /// A byte; 0 behind the end.
    pub(crate) fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.rest.split_first() else { return 0 };
        self.rest = rest;
        *first
    }

    /// A number below `end`.
    pub(crate) fn below(&mut self, end: u8) -> u8 {
        self.byte() % end
    }

    /// True for one byte in `many`, and not at the end of a script.
    pub(crate) fn rarely(&mut self, many: u8) -> bool {
        self.byte() % many == 1
    }

    pub(crate) fn word(&mut self) -> u32 {
        u32::from_le_bytes(std::array::from_fn(|_| self.byte()))
    }

    /// As many bytes, fewer at the end.
    pub(crate) fn bytes(&mut self, count: usize) -> &'a [u8] {
        let (taken, rest) = self.rest.split_at(count.min(self.rest.len()));
        self.rest = rest;
        taken
    }

    /// Everything that is left.
    pub(crate) fn rest(self) -> &'a [u8] {
        self.rest
    }

    /// One of them.
    pub(crate) fn pick<T: Copy>(&mut self, all: &[T]) -> T {
        all[usize::from(self.byte()) % all.len()]
    }

    /// A step of the clock, from nothing to an hour.
    pub(crate) fn time(&mut self) -> Duration {
        Duration::from_millis(
            self.pick(&[0, 1, 40, 50, 500, 1_000, 5_000, 10_000, 61_000, 301_000, 1_801_000, 3_600_000]),
        )
    }
}

/// Where a share stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    Handed,
    Sent,
    Accepted,
    Settled,
}

/// What a connection said, held against the laws of [`ConnectionEvent`].
#[derive(Debug, Default)]
pub(crate) struct Audit {
    shares: BTreeMap<ShareId, Standing>,
    handles: BTreeSet<JobHandle>,
    opened: Option<u8>,
    ended: bool,
    /// Kinds of event that were seen.
    pub(crate) seen: BTreeSet<&'static str>,
}

impl Audit {
    pub(crate) fn handed(&mut self, share: ShareId) {
        assert_eq!(self.shares.insert(share, Standing::Handed), None);
    }

    pub(crate) fn event(&mut self, event: &ConnectionEvent) {
        assert!(!self.ended, "after the end: {event:?}");
        let kind = match event {
            ConnectionEvent::Phase { .. } => "phase",
            ConnectionEvent::Opened { extranonce_size } => {
                assert_eq!(self.opened.replace(*extranonce_size), None, "opened twice");
                "opened"
            }
            ConnectionEvent::Facts(facts) => {
                assert!(facts.extranonce_prefix.len() + usize::from(facts.extranonce_size) <= MAX_EXTRANONCE);
                "facts"
            }
            ConnectionEvent::Job(_) => unreachable!("a session gives jobs without their span"),
            ConnectionEvent::Cleared { .. } => "cleared",
            ConnectionEvent::Sent { share } => self.turn(*share, Standing::Handed, Standing::Sent, "sent"),
            ConnectionEvent::NotSent { share, .. } => {
                self.turn(*share, Standing::Handed, Standing::Settled, "not sent")
            }
            ConnectionEvent::Judged { share, verdict: Verdict::Accepted, .. } => {
                self.turn(*share, Standing::Sent, Standing::Accepted, "accepted")
            }
            ConnectionEvent::Judged { share, verdict: Verdict::Rejected(_), .. } => {
                self.turn(*share, Standing::Sent, Standing::Settled, "rejected")
            }
            ConnectionEvent::Judged { share, verdict: Verdict::Lost, .. } => {
                self.turn(*share, Standing::Sent, Standing::Settled, "lost")
            }
            ConnectionEvent::Reclassified { share, .. } => {
                self.turn(*share, Standing::Accepted, Standing::Settled, "reclassified")
            }
            ConnectionEvent::Ended { .. } => unreachable!("a session has an end of its own"),
        };
        self.seen.insert(kind);
    }

    pub(crate) fn job(&mut self, job: &Job) {
        assert!(!self.ended, "after the end: {job:?}");
        assert_eq!(Some(job.extranonce_size), self.opened, "a job before its channel, or of another size");
        assert!(job.extranonce_prefix.len() + usize::from(job.extranonce_size) <= MAX_EXTRANONCE);
        assert!(job.merkle_path.len() <= 32);
        assert_eq!(job.first, !self.seen.contains("job"), "the first job is marked, and only that");
        assert!(self.handles.insert(job.handle), "a handle is never used again");
        self.seen.insert("job");
    }

    /// The end, by which every share has had its last word.
    pub(crate) fn end(&mut self) {
        assert!(!std::mem::replace(&mut self.ended, true), "ended twice");
        let is_open = |standing: &Standing| matches!(standing, Standing::Handed | Standing::Sent);
        let open: Vec<_> = self.shares.iter().filter(|(_, standing)| is_open(standing)).collect();
        assert!(open.is_empty(), "left open: {open:?}");
        self.seen.insert("end");
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.ended
    }

    fn turn(&mut self, share: ShareId, from: Standing, to: Standing, what: &'static str) -> &'static str {
        let before = self.shares.insert(share, to);
        assert_eq!(before, Some(from), "{share:?} {what}");
        what
    }
}

/// Where the corpus of a target lies, by the file that it is in and its name.
pub(crate) fn corpus(file: &str, target: &str) -> PathBuf {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the package lies in the workspace");
    workspace.join(file).with_file_name("__fuzz__").join(target).join("corpus")
}

/// Plays the corpus of a target.
pub(crate) fn replay(file: &str, target: &str, mut play: impl FnMut(&[u8])) {
    let folder = corpus(file, target);
    let mut inputs = 0;
    for entry in std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
        play(&std::fs::read(entry.unwrap().path()).unwrap());
        inputs += 1;
    }
    assert!(inputs > 0, "{} is empty", folder.display());
}

/// Writes inputs into the corpus of a target.
pub(crate) fn write(file: &str, target: &str, inputs: &[(&str, Vec<u8>)]) {
    let folder = corpus(file, target);
    std::fs::create_dir_all(&folder).unwrap();
    for (name, input) in inputs {
        std::fs::write(folder.join(name), input).unwrap();
    }
}
