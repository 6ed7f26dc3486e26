//! The CPU as a board: hash threads on the cores of this machine.
//!
//! Started by `miner`. Kernel and expected rate come from a short test at start (`thread::sha256d`).

use super::BoardError;
use crate::thread::{
    self, ThreadEntry, ThreadEvent,
    cpu::{self, CpuThreadPlan},
    mailbox::mailbox,
    sha256d::{self, HeaderScanner, KernelChoice},
};
use mujina_core::{
    id::BoardId,
    units::{DutyPercent, HashRate},
};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::{collections::BTreeMap, fmt, num::NonZeroU32, str::FromStr, thread::JoinHandle};
use tokio::sync::mpsc;
use tracing::{error, info};

/// Most threads: more than any machine has cores, so a greater number is a slip.
const MOST_THREADS: u32 = 1024;

/// How the CPU is to be used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CpuConfig {
    /// Hash threads.
    pub threads: ThreadCount,
    /// Part of the time that each of them hashes.
    pub duty: DutyPercent,
    /// What they hash with.
    pub kernel: KernelChoice,
    /// How urgently they run.
    pub priority: ThreadPriority,
    /// Whether each stays on a core of its own, as far as there are cores.
    pub pin: bool,
}

/// How urgently hash threads run. As text and in files: `idle` or `normal`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ThreadPriority {
    /// Only when nothing else wants the core: jobs and the API never wait for hashing.
    #[default]
    Idle,
    /// Like any other thread; costs the API twenty times its latency.
    Normal,
}

/// A number of threads. As text and in files: `auto` or 0 for one per core, or a number.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ThreadCount {
    /// One per core that this process may use.
    #[default]
    Auto,
    /// So many.
    Exactly(NonZeroU32),
}

impl ThreadCount {
    fn resolve(self) -> Result<u32, BoardError> {
        let wanted = match self {
            Self::Auto => {
                std::thread::available_parallelism().map_or(1, |cores| u32::try_from(cores.get()).unwrap_or(1))
            }
            Self::Exactly(count) => count.get(),
        };
        if wanted > MOST_THREADS {
            return Err(BoardError::TooManyThreads { wanted, most: MOST_THREADS });
        }
        Ok(wanted)
    }
}

impl From<u32> for ThreadCount {
    fn from(count: u32) -> Self {
        NonZeroU32::new(count).map_or(Self::Auto, Self::Exactly)
    }
}

impl fmt::Display for ThreadCount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.pad("auto"),
            Self::Exactly(count) => count.fmt(f),
        }
    }
}

/// Text that is no number of threads.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{found}` is no number of threads; give `auto` or a whole number")]
pub struct ThreadCountError {
    /// The refused text.
    pub found: String,
}

impl FromStr for ThreadCount {
    type Err = ThreadCountError;

    fn from_str(text: &str) -> Result<Self, ThreadCountError> {
        match text {
            "auto" => Ok(Self::Auto),
            number => number.parse::<u32>().map(Self::from).map_err(|_| ThreadCountError { found: number.to_owned() }),
        }
    }
}

impl<'de> Deserialize<'de> for ThreadCount {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Written {
            Number(i64),
            Text(String),
        }
        let text = match Written::deserialize(deserializer)? {
            Written::Number(number) => number.to_string(),
            Written::Text(text) => text,
        };
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl Serialize for ThreadCount {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Auto => serializer.serialize_str("auto"),
            Self::Exactly(count) => serializer.serialize_u32(count.get()),
        }
    }
}

/// The board, running. Its threads end when the scheduler says so or drops their mailboxes.
#[derive(Debug)]
pub struct CpuBoard {
    facts: BTreeMap<String, String>,
    threads: Vec<JoinHandle<()>>,
}

impl CpuBoard {
    /// Tests the CPU (up to 0.3 s, once per process), then starts the threads. They wait for work.
    ///
    /// # Errors
    /// The configuration does not fit this machine, or threads cannot be had.
    #[expect(clippy::needless_pass_by_value, reason = "the threads own the way out: it closes when they have ended")]
    pub fn start(
        config: &CpuConfig,
        events: mpsc::Sender<ThreadEvent>,
    ) -> Result<(Vec<ThreadEntry>, Self), BoardError> {
        let CpuConfig { threads, duty, kernel, priority, pin } = *config;
        let cores = if pin { cpu::priority::cores() } else { Vec::new() };
        let mut cores = cores.iter().copied().cycle();
        let count = threads.resolve()?;
        let choice = sha256d::choose(kernel)?;
        let full_hash_rate = sha256d::together(&choice, count)?;
        let nominal_hash_rate = full_hash_rate.scaled(duty.ratio());
        let mut entries = Vec::new();
        let mut board = Self { facts: facts(count, duty, &choice, full_hash_rate), threads: Vec::new() };
        for number in 0..count {
            let (index, id) = (thread::fresh_index(), format!("cpu-{number}").parse().expect("a name by construction"));
            let scanner = HeaderScanner::of(&choice)?;
            let (writer, reader) = mailbox();
            entries.push(ThreadEntry { index, id, board: board.id(), nominal_hash_rate, mailbox: writer });
            let id = format!("cpu-{number}").parse().expect("a name by construction");
            let plan = CpuThreadPlan {
                index,
                id,
                scanner,
                full_hash_rate,
                duty,
                yields: priority == ThreadPriority::Idle,
                core: cores.next(),
                mailbox: reader,
                events: events.clone(),
            };
            board.threads.push(cpu::spawn(plan).map_err(BoardError::Thread)?);
        }
        info!(
            board.id = %board.id(), threads = count, cpu.kernel = %choice.kernel, cpu.kernel.fixed = %choice.fixed, cpu.duty = duty.get(),
            cpu.hash_rate = %nominal_hash_rate, "CPU board is up"
        );
        Ok((entries, board))
    }

    /// Its name.
    #[must_use]
    pub fn id(&self) -> BoardId {
        "cpu".parse().expect("a name by construction")
    }

    /// What never changes of it, for people and machines.
    #[must_use]
    pub fn facts(&self) -> BTreeMap<String, String> {
        self.facts.clone()
    }

    /// Waits for the end of all threads. Call it after they were told to stop, or after their events' receiver was dropped.
    pub fn join(self) {
        for thread in self.threads {
            let name = thread.thread().name().unwrap_or_default().to_owned();
            if thread.join().is_err() {
                error!(thread.id = name, "hash thread panicked while it ended; please report this with the log");
            }
        }
    }
}

fn facts(threads: u32, duty: DutyPercent, choice: &sha256d::Choice, full: HashRate) -> BTreeMap<String, String> {
    let rate = |rate: HashRate| format!("{:.0}", rate.hashes_per_second());
    let facts = [
        ("kernel", choice.kernel.to_string()),
        ("kernel_without_rolling", choice.fixed.to_string()),
        ("threads", threads.to_string()),
        ("duty_percent", duty.get().to_string()),
        ("thread_hash_rate_hps", rate(full)),
        ("nominal_hash_rate_hps", rate(full.scaled(duty.ratio() * f64::from(threads)))),
    ];
    facts.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::thread::Assignment;

    #[test]
    fn thread_counts_read_as_people_write_them() {
        let two = ThreadCount::Exactly(NonZeroU32::new(2).unwrap());
        for (text, count) in [("auto", ThreadCount::Auto), ("0", ThreadCount::Auto), ("2", two)] {
            assert_eq!(text.parse(), Ok(count));
        }
        for text in ["", "-1", "two", "4294967296"] {
            assert!(text.parse::<ThreadCount>().is_err(), "{text}");
        }
        assert_eq!(serde_json::from_str::<ThreadCount>("2").unwrap(), two);
        assert_eq!(serde_json::from_str::<ThreadCount>("\"auto\"").unwrap(), ThreadCount::Auto);
        assert_eq!(serde_json::from_str::<ThreadCount>("\"2\"").unwrap(), two);
        assert!(serde_json::from_str::<ThreadCount>("-2").is_err());
        assert_eq!(serde_json::to_string(&ThreadCount::Auto).unwrap(), "\"auto\"");
    }

    #[test]
    fn absurd_number_of_threads_is_refused() {
        let (events, _receiver) = mpsc::channel(8);
        let config = CpuConfig { threads: 100_000.into(), ..CpuConfig::default() };
        let error = CpuBoard::start(&config, events).map(drop).unwrap_err();
        assert!(error.to_string().contains("at most 1024"), "{error}");
    }

    #[test]
    fn board_brings_its_threads_and_ends_with_them() {
        let (events, mut receiver) = mpsc::channel(8);
        let config =
            CpuConfig { threads: 2.into(), duty: DutyPercent::try_from(50_u64).unwrap(), ..CpuConfig::default() };
        let (entries, board) = CpuBoard::start(&config, events).unwrap();
        let ids: Vec<_> = entries.iter().map(|entry| entry.id.as_str()).collect();
        assert_eq!(ids, ["cpu-0", "cpu-1"]);
        let full: f64 = board.facts().get("thread_hash_rate_hps").unwrap().parse().unwrap();
        let nominal = entries[0].nominal_hash_rate.hashes_per_second();
        assert!((nominal * 2.0 / full - 1.0).abs() < 0.01, "half the duty is half the rate");
        assert_eq!(board.facts().get("duty_percent").unwrap(), "50");
        entries[0].mailbox.put(Assignment::Stop);
        drop(entries);
        board.join();
        let mut ended = 0;
        while let Ok(event) = receiver.try_recv() {
            assert!(matches!(event, ThreadEvent::Ended { failure: None, .. }), "{event:?}");
            ended += 1;
        }
        assert_eq!(ended, 2);
    }
}
