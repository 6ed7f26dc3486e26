//! Where and how urgently a hash thread runs: below everything else by default, so that neither jobs nor the API ever wait
//! for hashing; on one core if that is wanted.

// JUSTIFICATION: neither the standard library nor `nix` can set the scheduling policy of a thread; without it hashing on
// all cores costs the API twenty times its latency.

use nix::{
    errno::Errno,
    libc,
    sched::{CpuSet, sched_getaffinity, sched_setaffinity},
    unistd::Pid,
};

/// The calling thread, for system calls on scheduling.
const THIS_THREAD: Pid = Pid::from_raw(0);

/// Cores that the calling thread may use, in order.
pub(crate) fn cores() -> Vec<usize> {
    let allowed = sched_getaffinity(THIS_THREAD).unwrap_or_default();
    (0..CpuSet::count()).filter(|core| allowed.is_set(*core).unwrap_or(false)).collect()
}

/// Keeps this thread on one core.
///
/// # Errors
/// The core does not exist or is not allowed; the thread then runs where it did.
pub(super) fn stay_on(core: usize) -> Result<(), Errno> {
    let mut set = CpuSet::new();
    set.set(core)?;
    sched_setaffinity(THIS_THREAD, &set)
}

/// Lets this thread run only when nothing else wants its CPU.
///
/// # Errors
/// What the kernel says; the thread then keeps its priority.
#[expect(unsafe_code, reason = "a system call without a safe wrapper")]
pub(crate) fn yield_to_everybody() -> Result<(), Errno> {
    let parameters = libc::sched_param { sched_priority: 0 };
    // SAFETY: 0 names the calling thread, and the parameters live until the call returns; the kernel copies them.
    let answer = unsafe { libc::sched_setscheduler(0, libc::SCHED_IDLE, &raw const parameters) };
    Errno::result(answer).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pinned_thread_has_one_core_left() {
        let all = cores();
        let core = *all.last().expect("this test runs somewhere");
        let pinned = std::thread::spawn(move || stay_on(core).map(|()| cores())).join().unwrap();
        assert_eq!(pinned, Ok(vec![core]));
        assert_eq!(cores(), all, "other threads are not touched");
    }

    #[test]
    #[expect(unsafe_code, reason = "a system call without a safe wrapper")]
    fn only_the_calling_thread_becomes_idle_work() {
        // SAFETY: 0 names the calling thread; the call takes no pointer.
        let policy = || unsafe { libc::sched_getscheduler(0) };
        let before = policy();
        let of_thread = std::thread::spawn(move || yield_to_everybody().map(|()| policy())).join().unwrap();
        assert_eq!(of_thread, Ok(libc::SCHED_IDLE));
        assert_eq!(policy(), before);
    }
}
