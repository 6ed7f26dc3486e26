//! Lines over a byte stream: one reader, one writer, both with bounds and deadlines.
//!
//! Source: stratum-client V1, V21, N14, D1 to D3, D22. What was read stays in the reader until a whole line is there, so
//! nothing is lost when a wait is given up.

use super::limits::Limits;
use crate::pool::flood::Flood;
use bytes::{Bytes, BytesMut};
use std::{io, sync::Arc, time::Duration};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    sync::{OwnedSemaphorePermit, Semaphore, mpsc},
    time::{Instant, timeout, timeout_at},
};

/// Bytes that are read at once.
const CHUNK: usize = 16 << 10;
/// First bytes of a TLS record: an alert, or a handshake. No line of JSON begins like that.
const TLS_RECORDS: [u8; 2] = [0x15, 0x16];

/// A received line, without its end, never empty.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) text: Bytes,
    /// Its part of the inbound bytes, given back when it is dropped.
    _budget: Option<OwnedSemaphorePermit>,
}

/// Why the stream is of no further use.
#[derive(Debug, thiserror::Error)]
pub(super) enum TransportError {
    #[error("the pool closed the connection; it is tried again")]
    Closed,
    #[error("the connection to the pool broke; check the network")]
    Io(#[source] io::Error),
    #[error("the pool speaks TLS on this port; write stratum+ssl:// in its URL, or take its port for plain text")]
    SpeaksTls,
    #[error("the pool sent a line of more than {0} bytes; the connection is given up")]
    TooLong(usize),
    #[error("the pool did not complete a line within {0:?}; check the network")]
    Slow(Duration),
    #[error("the pool sends more than {0} lines a second; the connection is given up")]
    Flood(u32),
    #[error("the pool takes no bytes for {0:?}; check the network")]
    WriteBlocked(Duration),
}

impl From<io::Error> for TransportError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            // A pool that hangs up in TLS often does so without saying goodbye.
            io::ErrorKind::UnexpectedEof => Self::Closed,
            _ => Self::Io(error),
        }
    }
}

/// The receiving half.
pub(super) struct Reader<R> {
    stream: R,
    limits: Limits,
    buffer: BytesMut,
    /// Bytes of the buffer that hold no end of a line.
    searched: usize,
    /// By when the line that has begun must be whole.
    complete_by: Option<Instant>,
    /// Nothing was read yet.
    fresh: bool,
}

impl<R: AsyncRead + Unpin> Reader<R> {
    pub(super) fn new(stream: R, limits: Limits) -> Self {
        Self { stream, limits, buffer: BytesMut::new(), searched: 0, complete_by: None, fresh: true }
    }

    /// Reads until the stream fails or nobody listens; the last item is the failure.
    pub(super) async fn run(mut self, lines: mpsc::Sender<Result<Line, TransportError>>) {
        let budget = Arc::new(Semaphore::new(self.limits.inbound_bytes));
        let mut flood = Flood::new(Instant::now());
        loop {
            let next = match self.next().await {
                Ok(_) if flood.is_one(Instant::now(), self.limits.flood_lines, self.limits.flood_seconds) => {
                    Err(TransportError::Flood(self.limits.flood_lines))
                }
                Ok(text) => {
                    let bytes = text.len().clamp(1, self.limits.inbound_bytes);
                    let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
                    Ok(Line { text, _budget: budget.clone().acquire_many_owned(bytes).await.ok() })
                }
                Err(error) => Err(error),
            };
            let failed = next.is_err();
            if lines.send(next).await.is_err() || failed {
                return;
            }
        }
    }

    /// Waits for the next line that is not blank.   Cancel-safe: what was read stays.
    pub(super) async fn next(&mut self) -> Result<Bytes, TransportError> {
        loop {
            if let Some(line) = self.take_line()? {
                return Ok(line);
            }
            self.buffer.reserve(CHUNK);
            let read = self.stream.read_buf(&mut self.buffer);
            let read = match self.complete_by {
                Some(by) => timeout_at(by, read).await.map_err(|_| TransportError::Slow(self.limits.line))??,
                None => read.await?,
            };
            if read == 0 {
                return Err(TransportError::Closed);
            }
            if std::mem::take(&mut self.fresh) && self.buffer.first().is_some_and(|byte| TLS_RECORDS.contains(byte)) {
                return Err(TransportError::SpeaksTls);
            }
        }
    }

    fn take_line(&mut self) -> Result<Option<Bytes>, TransportError> {
        loop {
            let unseen = self.buffer.get(self.searched..).unwrap_or_default();
            let Some(end) = unseen.iter().position(|byte| *byte == b'\n') else { break };
            let line = self.buffer.split_to(self.searched + end + 1).freeze();
            self.searched = 0;
            self.complete_by = None;
            if line.len() > self.limits.line_bytes {
                return Err(TransportError::TooLong(self.limits.line_bytes));
            }
            if !line.trim_ascii().is_empty() {
                return Ok(Some(line.slice_ref(line.trim_ascii())));
            }
        }
        self.searched = self.buffer.len();
        if self.buffer.len() > self.limits.line_bytes {
            return Err(TransportError::TooLong(self.limits.line_bytes));
        }
        if !self.buffer.is_empty() {
            self.complete_by.get_or_insert_with(|| Instant::now() + self.limits.line);
        }
        Ok(None)
    }
}

/// The sending half.
pub(super) struct Writer<W> {
    stream: W,
    limits: Limits,
}

impl<W: AsyncWrite + Unpin> Writer<W> {
    pub(super) fn new(stream: W, limits: Limits) -> Self {
        Self { stream, limits }
    }

    /// Sends lines until there are no more, then says so to the peer (FIN).
    pub(super) async fn run(mut self, mut lines: mpsc::Receiver<Vec<u8>>) -> Result<(), TransportError> {
        while let Some(line) = lines.recv().await {
            let blocked = TransportError::WriteBlocked(self.limits.write);
            let write = async {
                self.stream.write_all(&line).await?;
                self.stream.flush().await
            };
            timeout(self.limits.write, write).await.map_err(|_| blocked)??;
        }
        // The peer may have closed first.
        let _ = timeout(self.limits.flush, self.stream.shutdown()).await;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
