//! Serial ports of boards: raw bytes, eight data bits, no parity, no flow control.   Used by `bridge` and by chains.
//!
//! Works on CDC-ACM devices and on pseudo-terminals alike. A port is not locked, so that the last-resort path can hold a
//! handle of its own on it; DTR is left as opening sets it (bitaxe-raw 1: the firmware waits for the host to open).

use std::{
    fmt, io,
    path::{Path, PathBuf},
    pin::Pin,
    task::{Context, Poll},
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_serial::{DataBits, FlowControl, Parity, SerialPort as _, SerialStream, StopBits};

/// Why a port cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SerialError {
    /// It does not open.
    #[error("cannot open {}; check that the board is plugged in and that this user may read and write the device", .path.display())]
    Open {
        /// Which.
        path: PathBuf,
        /// What the system says.
        #[source]
        cause: io::Error,
    },
    /// It does not take that rate.
    #[error("{} does not take {baud} baud; use another rate", .path.display())]
    Baud {
        /// Which.
        path: PathBuf,
        /// What was asked.
        baud: u32,
        /// What the system says.
        #[source]
        cause: io::Error,
    },
}

/// An open serial port.
///
/// A device that is gone is an error of every read and write, never an end of file that could be taken for silence.
pub struct SerialPort {
    stream: SerialStream,
    path: PathBuf,
}

impl SerialPort {
    /// Opens a port at this rate, on the runtime of the caller.
    ///
    /// # Errors
    /// It does not open or does not take the rate.
    pub fn open(path: &Path, baud: u32) -> Result<Self, SerialError> {
        let fail = |cause: io::Error| SerialError::Open { path: path.to_owned(), cause };
        let Some(name) = path.to_str() else {
            return Err(fail(io::Error::new(io::ErrorKind::InvalidInput, "the path is no text")));
        };
        let port = tokio_serial::new(name, baud)
            .data_bits(DataBits::Eight)
            .parity(Parity::None)
            .stop_bits(StopBits::One)
            .flow_control(FlowControl::None)
            .exclusive(false);
        let stream = SerialStream::open(&port).map_err(|cause| fail(cause.into()))?;
        Ok(Self { stream, path: path.to_owned() })
    }

    /// Changes the rate. What was written before should have left the port: wait for it first.
    ///
    /// # Errors
    /// The port does not take it.
    pub fn set_baud(&mut self, baud: u32) -> Result<(), SerialError> {
        let fail =
            |cause: tokio_serial::Error| SerialError::Baud { path: self.path.clone(), baud, cause: cause.into() };
        self.stream.set_baud_rate(baud).map_err(fail)
    }

    /// The rate that the port is set to.
    ///
    /// # Errors
    /// The port is gone.
    pub fn baud(&self) -> io::Result<u32> {
        self.stream.baud_rate().map_err(io::Error::from)
    }

    /// Its device.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl fmt::Debug for SerialPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SerialPort({})", self.path.display())
    }
}

impl AsyncRead for SerialPort {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = std::task::ready!(Pin::new(&mut self.stream).poll_read(cx, buffer));
        let ended = read.is_ok() && buffer.filled().len() == before && buffer.remaining() > 0;
        Poll::Ready(if ended { Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the device is gone")) } else { read })
    }
}

impl AsyncWrite for SerialPort {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    /// Nothing is kept back here, and waiting until the line is idle would block the thread.
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests;
