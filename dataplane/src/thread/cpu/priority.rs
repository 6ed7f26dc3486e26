//! The priority of a hash thread: below everything else, so that neither jobs nor the API ever wait for hashing.

// JUSTIFICATION: neither the standard library nor `nix` can set the scheduling policy of a thread; without it hashing on
// all cores costs the API twenty times its latency.

use nix::{errno::Errno, libc};

/// Lets this thread run only when nothing else wants its CPU.
///
/// # Errors
/// What the kernel says; the thread then keeps its priority.
#[expect(unsafe_code, reason = "a system call without a safe wrapper")]
pub(super) fn yield_to_everybody() -> Result<(), Errno> {
    let parameters = libc::sched_param { sched_priority: 0 };
    // SAFETY: 0 names the calling thread, and the parameters live until the call returns; the kernel copies them.
    let answer = unsafe { libc::sched_setscheduler(0, libc::SCHED_IDLE, &raw const parameters) };
    Errno::result(answer).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

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
