//! The thread that hashes for a board's chips. At normal priority: chips that starve look like chips that are silent.

use super::hasher::{Found, Hasher, Portion};
use std::{
    io::{self, Write},
    os::unix::net::UnixStream,
    sync::mpsc::{Receiver, SyncSender},
    thread::JoinHandle,
};

/// Portions with what was found in each.
pub(super) type Results = Vec<(Portion, Vec<Found>)>;

/// Starts it. It ends when nobody gives it portions any more. After each batch it writes a byte to `wake`.
pub(super) fn start(
    name: &str,
    portions: Receiver<Vec<Portion>>,
    results: SyncSender<Results>,
    mut wake: UnixStream,
) -> io::Result<JoinHandle<()>> {
    std::thread::Builder::new().name(format!("{name}-hash")).spawn(move || {
        let mut hasher = Hasher::new();
        while let Ok(batch) = portions.recv() {
            let batch = batch.into_iter().map(|portion| {
                let found = hasher.hash(&portion);
                (portion, found)
            });
            if results.send(batch.collect()).is_err() {
                return;
            }
            // A full pipe wakes as well.
            let _ = wake.write(&[0]);
        }
    })
}
