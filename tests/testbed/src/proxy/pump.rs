//! One direction of one proxied connection.

use super::{Flow, PIECE};
use socket2::SockRef;
use std::{future::pending, io, net::Shutdown, time::Duration};
use tokio::{net::TcpStream, sync::watch, time::sleep};

/// The behaviour of both directions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Flows {
    pub(super) upstream: Flow,
    pub(super) downstream: Flow,
}

/// Passes bytes as `pick` of the flows says at each moment, until `from` says that no more come.
pub(super) async fn forward(
    from: &TcpStream,
    to: &TcpStream,
    mut flows: watch::Receiver<Flows>,
    pick: impl Fn(&Flows) -> Flow,
    passed: impl Fn(u64),
) -> io::Result<()> {
    let mut held = Vec::with_capacity(PIECE);
    loop {
        let flow = pick(&flows.borrow_and_update());
        if flow == Flow::Stall {
            changed(&mut flows).await;
            continue;
        }
        if held.is_empty() {
            tokio::select! {
                biased;
                () = changed(&mut flows) => continue,
                ready = from.readable() => ready?,
            }
            if read(from, &mut held)? == Some(0) {
                return SockRef::from(to).shutdown(Shutdown::Write);
            }
            continue;
        }
        let (bytes, pause) = match flow {
            Flow::Pass | Flow::Stall => (held.len(), Duration::ZERO),
            Flow::Split { bytes, pause } => (bytes.clamp(1, held.len()), pause),
            Flow::Throttle { bytes_per_second } => throttled(bytes_per_second, held.len()),
            Flow::Blackhole => {
                held.clear();
                continue;
            }
        };
        tokio::select! {
            biased;
            () = changed(&mut flows) => continue,
            ready = to.writable() => ready?,
        }
        let Some(written) = write(to, held.get(..bytes).unwrap_or(&held))? else { continue };
        held.drain(..written);
        passed(written as u64);
        if !pause.is_zero() {
            tokio::select! {
                () = changed(&mut flows) => {}
                () = sleep(pause) => {}
            }
        }
    }
}

/// Bytes to write now, and the pause they are worth.
fn throttled(bytes_per_second: u32, held: usize) -> (usize, Duration) {
    let rate = bytes_per_second.max(1);
    // Some twenty writes a second, unless the rate is below that.
    let bytes = usize::try_from(rate / 20).unwrap_or(usize::MAX).clamp(1, held);
    let pause = Duration::from_secs(1) * u32::try_from(bytes).unwrap_or(u32::MAX) / rate;
    (bytes, pause)
}

/// `None` when there is nothing after all.
fn read(from: &TcpStream, held: &mut Vec<u8>) -> io::Result<Option<usize>> {
    match from.try_read_buf(held) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
        Err(error) => Err(error),
    }
}

/// `None` when there is no room after all.
fn write(to: &TcpStream, bytes: &[u8]) -> io::Result<Option<usize>> {
    match to.try_write(bytes) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
        Err(error) => Err(error),
    }
}

/// Never returns once the proxy is gone; its connections are cancelled then.
async fn changed(flows: &mut watch::Receiver<Flows>) {
    if flows.changed().await.is_err() {
        pending::<()>().await;
    }
}
