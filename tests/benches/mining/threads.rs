//! CPU time of this process's threads, as Linux counts it in `/proc/self/task`.

use std::{fs, io, path::Path, time::Duration};

/// How hash threads are called.
const HASH_THREADS: &str = "cpu-";

/// CPU time by what it went to.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct CpuTimes {
    /// Hash threads of the miner.
    pub(super) hashing: Duration,
    /// All others that still run.
    pub(super) others: Duration,
}

/// The whole process. Threads that ended are not in it.
///
/// # Errors
/// There is no `/proc`.
pub(super) fn of_process() -> io::Result<CpuTimes> {
    let mut times = CpuTimes::default();
    for task in fs::read_dir("/proc/self/task")? {
        let folder = task?.path();
        // A thread that ends meanwhile counts no more.
        let Ok(name) = fs::read_to_string(folder.join("comm")) else { continue };
        let time = of_task(&folder);
        if name.starts_with(HASH_THREADS) { times.hashing += time } else { times.others += time }
    }
    Ok(times)
}

/// The calling thread.
pub(super) fn this_thread() -> Duration {
    of_task(Path::new("/proc/thread-self"))
}

fn of_task(folder: &Path) -> Duration {
    let text = fs::read_to_string(folder.join("schedstat")).unwrap_or_default();
    text.split_whitespace().next().and_then(|word| word.parse().ok()).map_or(Duration::ZERO, Duration::from_nanos)
}
