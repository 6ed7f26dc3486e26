//! What this process holds: threads, descriptors, memory, and the tasks of the miner's runtimes.

use super::{BoardSoakError, DEADLINE, LOOK_EVERY};
use crate::log_watcher::LogWatcher;
use std::{
    collections::BTreeMap,
    fmt, fs, io,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};
use tokio::{runtime::Handle, time::sleep};
use tracing::{Dispatch, Event, Subscriber, level_filters::LevelFilter};
use tracing_subscriber::{
    Registry,
    layer::{Context, Layer, SubscriberExt},
};

/// Looks of which the least counts, and the time between them: a connection on its way out has a task as well.
const LOOKS: (u32, Duration) = (10, Duration::from_millis(100));

/// What the process holds at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Process {
    /// Names of its threads, sorted.
    pub threads: Vec<String>,
    /// Open descriptors, one for this look among them.
    pub files: usize,
    /// Memory in KiB.
    pub resident: u64,
    /// Tasks by the thread of their runtime, where somebody looked.
    pub tasks: BTreeMap<String, usize>,
}

impl Process {
    /// Looks.
    pub(super) fn now() -> io::Result<Self> {
        let names = fs::read_dir("/proc/self/task")?.map(|thread| fs::read_to_string(thread?.path().join("comm")));
        // One that has just ended is none.
        let mut threads: Vec<_> = names.filter_map(Result::ok).map(|name| name.trim().to_owned()).collect();
        threads.sort_unstable();
        let files = fs::read_dir("/proc/self/fd")?.count();
        let status = fs::read_to_string("/proc/self/status")?;
        let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix("kB"));
        let resident = resident.and_then(|kib| kib.trim().parse().ok()).unwrap_or_default();
        Ok(Self { threads, files, resident, tasks: BTreeMap::new() })
    }

    /// Looks until it is so, or for as long as anything may take.
    pub(super) async fn wait_for(is_so: impl Fn(&Self) -> bool) -> io::Result<Self> {
        let give_up = Instant::now() + DEADLINE;
        loop {
            let seen = Self::now()?;
            if is_so(&seen) || Instant::now() >= give_up {
                return Ok(seen);
            }
            sleep(LOOK_EVERY).await;
        }
    }

    /// Whether it holds no more than another, memory aside.
    fn is_within(&self, before: &Self) -> bool {
        let fewer_tasks = |(of, count): (&String, &usize)| before.tasks.get(of).is_some_and(|before| count <= before);
        self.threads.len() <= before.threads.len() && self.files <= before.files && self.tasks.iter().all(fewer_tasks)
    }
}

impl fmt::Display for Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { threads, files, resident, tasks } = self;
        write!(f, "{} threads, {files} descriptors, {:.1} MiB", threads.len(), kib(*resident) / 1024.0)?;
        tasks.iter().try_for_each(|(of, count)| write!(f, ", {count} tasks of {of}"))
    }
}

fn kib(resident: u64) -> f64 {
    u32::try_from(resident).unwrap_or(u32::MAX).into()
}

/// The runtimes of the miner, found by what is logged on them: it hands none of them out.
#[derive(Debug, Clone, Default)]
pub(super) struct Runtimes(Arc<Mutex<BTreeMap<String, Handle>>>);

impl Runtimes {
    /// For the miner to log to, with a watch on what it says.
    pub(super) fn dispatch(&self, log: &LogWatcher) -> Dispatch {
        Dispatch::new(Registry::default().with(LevelFilter::INFO).with(log.layer()).with(Finder(self.clone())))
    }

    fn look(&self) -> io::Result<Process> {
        let runtimes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let tasks = runtimes.iter().map(|(of, runtime)| (of.clone(), runtime.metrics().num_alive_tasks())).collect();
        Ok(Process { tasks, ..Process::now()? })
    }

    /// What is held while all is well: the least of some looks, or what is no more than it was `before`.
    ///
    /// # Errors
    /// It stays more.
    pub(super) async fn settled(&self, before: Option<&Process>) -> Result<Process, BoardSoakError> {
        let (count, pause) = LOOKS;
        let give_up = Instant::now() + DEADLINE;
        let mut least = self.look()?;
        for _ in 1..count {
            sleep(pause).await;
            least = least.least(self.look()?);
        }
        let Some(before) = before else { return Ok(least) };
        while !least.is_within(before) {
            if Instant::now() >= give_up {
                let describe = |held: &Process| format!("{held}: {:?}", held.threads);
                return Err(BoardSoakError::Leaked { before: describe(before), after: describe(&least) });
            }
            sleep(pause).await;
            least = least.least(self.look()?);
        }
        Ok(least)
    }
}

impl Process {
    fn least(self, other: Self) -> Self {
        let threads = if other.threads.len() < self.threads.len() { other.threads } else { self.threads };
        let mut tasks = self.tasks;
        for (of, count) in other.tasks {
            tasks.entry(of).and_modify(|least| *least = (*least).min(count)).or_insert(count);
        }
        Self { threads, files: self.files.min(other.files), resident: other.resident, tasks }
    }
}

struct Finder(Runtimes);

impl<S: Subscriber> Layer<S> for Finder {
    fn on_event(&self, _: &Event<'_>, _: Context<'_, S>) {
        let thread = std::thread::current();
        let Some(name) = thread.name().filter(|name| ["mujina-mining", "mujina-boards"].contains(name)) else { return };
        let Ok(runtime) = Handle::try_current() else { return };
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner).entry(name.to_owned()).or_insert(runtime);
    }
}
