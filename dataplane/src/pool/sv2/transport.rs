//! Encrypted frames over a byte stream: one reader, one writer, both with bounds and deadlines.
//!
//! Source: Stratum V2 specification 03 §3.2 and 04 §4.6; stratum-client N10, N11, F1 to F5, D1 to D3, D22. A frame is a
//! header of 6 bytes, encrypted alone, and a payload in chunks. Each half lives in a task of its own, which owns its
//! cipher state; nothing here is cancelled and then used again.

use super::limits::Limits;
use crate::pool::flood::Flood;
use smallvec::SmallVec;
use std::{io, sync::Arc, time::Duration};
use stratum_apps::stratum_core::noise_sv2::{AEAD_MAC_LEN, NoiseDecryptor, NoiseEncryptor};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader},
    sync::{OwnedSemaphorePermit, Semaphore, mpsc},
    time::{Instant, timeout, timeout_at},
};

/// Bytes of a frame's header in the clear: extension type, message type, payload length.
pub(super) const HEADER: usize = 6;
/// Most bytes of a payload that are encrypted at once (04 §4.6).
const CHUNK: usize = 65_519;

/// A frame to send, in the clear. Shares are kept in place; longer messages spill.
pub(super) type ClearFrame = SmallVec<[u8; 112]>;

/// A received frame.
#[derive(Debug)]
pub(super) struct Frame {
    /// Without the channel bit: peers set that one differently (F5).
    pub(super) extension: u16,
    pub(super) kind: u8,
    pub(super) payload: Vec<u8>,
    /// Its part of the inbound bytes, given back when it is dropped.
    _budget: Option<OwnedSemaphorePermit>,
}

impl Frame {
    pub(super) fn new(extension: u16, kind: u8, payload: Vec<u8>) -> Self {
        Self { extension, kind, payload, _budget: None }
    }
}

/// Why the stream is of no further use.
#[derive(Debug, thiserror::Error)]
pub(super) enum TransportError {
    #[error("the pool closed the connection; it is tried again")]
    Closed,
    #[error("the connection to the pool broke; check the network")]
    Io(#[source] io::Error),
    #[error("a frame of the pool does not decrypt; the connection is given up")]
    Garbled,
    #[error("the pool announced a frame of {0} bytes; the connection is given up")]
    TooLarge(usize),
    #[error("the pool did not complete a frame within {0:?}; check the network")]
    Slow(Duration),
    #[error("the pool sends more than {0} frames a second; the connection is given up")]
    Flood(u32),
    #[error("the pool takes no bytes for {0:?}; check the network")]
    WriteBlocked(Duration),
}

impl From<io::Error> for TransportError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::UnexpectedEof => Self::Closed,
            _ => Self::Io(error),
        }
    }
}

/// The receiving half.
pub(super) struct Reader<R> {
    stream: BufReader<R>,
    cipher: NoiseDecryptor,
    limits: Limits,
}

impl<R: AsyncRead + Unpin> Reader<R> {
    pub(super) fn new(stream: R, cipher: NoiseDecryptor, limits: Limits) -> Self {
        Self { stream: BufReader::new(stream), cipher, limits }
    }

    /// Reads until the stream fails or nobody listens; the last item is the failure.
    pub(super) async fn run(mut self, frames: mpsc::Sender<Result<Frame, TransportError>>) {
        let budget = Arc::new(Semaphore::new(self.limits.inbound_bytes));
        let mut flood = Flood::new(Instant::now());
        loop {
            let mut next = self.next().await;
            if let Ok(frame) = &mut next {
                if flood.is_one(Instant::now(), self.limits.flood_frames, self.limits.flood_seconds) {
                    next = Err(TransportError::Flood(self.limits.flood_frames));
                } else {
                    let bytes = frame.payload.len().clamp(1, self.limits.inbound_bytes);
                    let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
                    frame._budget = budget.clone().acquire_many_owned(bytes).await.ok();
                }
            }
            let failed = next.is_err();
            if frames.send(next).await.is_err() || failed {
                return;
            }
        }
    }

    /// Waits for the next frame. Not cancel-safe.
    pub(super) async fn next(&mut self) -> Result<Frame, TransportError> {
        let mut header = vec![0; HEADER + AEAD_MAC_LEN];
        let (first, rest) = header.split_at_mut(1);
        if self.stream.read(first).await? == 0 {
            return Err(TransportError::Closed);
        }
        let deadline = Instant::now() + self.limits.frame;
        let slow = TransportError::Slow(self.limits.frame);
        timeout_at(deadline, self.stream.read_exact(rest)).await.map_err(|_| slow)??;
        self.cipher.decrypt(&mut header).map_err(|_| TransportError::Garbled)?;
        let [ext_low, ext_high, kind, len @ ..] = header.as_slice() else { return Err(TransportError::Garbled) };
        let [low, middle, high] = *len else { return Err(TransportError::Garbled) };
        let extension = u16::from_le_bytes([*ext_low, *ext_high]) & 0x7fff;
        let kind = *kind;
        let length = usize::try_from(u32::from_le_bytes([low, middle, high, 0])).unwrap_or(usize::MAX);
        if length > self.limits.payload {
            return Err(TransportError::TooLarge(length));
        }
        let slow = TransportError::Slow(self.limits.frame);
        let payload = timeout_at(deadline, self.payload(length)).await.map_err(|_| slow)??;
        Ok(Frame::new(extension, kind, payload))
    }

    async fn payload(&mut self, length: usize) -> Result<Vec<u8>, TransportError> {
        let mut payload = Vec::new();
        while payload.len() < length {
            let plain = (length - payload.len()).min(CHUNK);
            let mut chunk = vec![0; plain + AEAD_MAC_LEN];
            self.stream.read_exact(&mut chunk).await?;
            self.cipher.decrypt(&mut chunk).map_err(|_| TransportError::Garbled)?;
            if payload.is_empty() {
                payload = chunk;
            } else {
                payload.append(&mut chunk);
            }
        }
        Ok(payload)
    }
}

/// The sending half.
pub(super) struct Writer<W> {
    stream: W,
    cipher: NoiseEncryptor,
    limits: Limits,
    /// The frame that is sent, encrypted, and the part of it that is being encrypted: kept for the next.
    sealed: Vec<u8>,
    chunk: Vec<u8>,
}

impl<W: AsyncWrite + Unpin> Writer<W> {
    pub(super) fn new(stream: W, cipher: NoiseEncryptor, limits: Limits) -> Self {
        Self { stream, cipher, limits, sealed: Vec::new(), chunk: Vec::new() }
    }

    /// Sends frames until there are no more, then says so to the peer (FIN).
    pub(super) async fn run(mut self, mut frames: mpsc::Receiver<ClearFrame>) -> Result<(), TransportError> {
        while let Some(frame) = frames.recv().await {
            self.send(&frame).await?;
        }
        // The peer may have closed first.
        let _ = timeout(self.limits.flush, self.stream.shutdown()).await;
        Ok(())
    }

    /// Encrypts and sends one frame, header and payload in one write. Not cancel-safe, and useless after an error.
    pub(super) async fn send(&mut self, frame: &[u8]) -> Result<(), TransportError> {
        self.seal(frame)?;
        let blocked = TransportError::WriteBlocked(self.limits.write);
        let write = async {
            self.stream.write_all(&self.sealed).await?;
            self.stream.flush().await
        };
        Ok(timeout(self.limits.write, write).await.map_err(|_| blocked)??)
    }

    fn seal(&mut self, frame: &[u8]) -> Result<(), TransportError> {
        let (header, payload) = frame.split_at_checked(HEADER).ok_or(TransportError::Garbled)?;
        self.sealed.clear();
        for part in std::iter::once(header).chain(payload.chunks(CHUNK)) {
            self.chunk.clear();
            self.chunk.extend_from_slice(part);
            self.cipher.encrypt(&mut self.chunk).map_err(|_| TransportError::Garbled)?;
            self.sealed.extend_from_slice(&self.chunk);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
