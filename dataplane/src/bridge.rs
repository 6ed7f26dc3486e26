//! The management controller of a board, over its control port: I2C, lines, analogue inputs, LED.   Used by board tasks.
//!
//! Source: bitaxe-raw. One request at a time, each written in one go and answered within a deadline. After anything but a
//! whole reply the line must be quiet for a while before the next request, so that no late reply is taken for another.

pub mod frame;
mod i2c;
pub mod request;

use frame::{Malformed, Protocol, Refusal, decode};
use request::{NO_ID, Request, RequestError};
use std::{
    future::poll_fn,
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::Poll,
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf},
    time::{Instant, timeout_at},
};

/// A reply comes within this time, or not at all.
const REPLY: Duration = Duration::from_secs(1);
/// The line is quiet once nothing came for so long.
const QUIET: Duration = Duration::from_millis(20);
/// A line that is not quiet by then never will be.
const QUIET_WITHIN: Duration = Duration::from_secs(1);
/// I2C clock that every board is run at (peripherals 1).
const I2C_FREQUENCY: u32 = 100_000;

/// Why something was not done.
#[derive(Debug, thiserror::Error)]
pub enum BridgeError {
    /// It must not be asked.
    #[error(transparent)]
    Request(#[from] RequestError),
    /// The controller understood and refused or failed.
    #[error("the board's controller refused: {0}; check the board's supply and that the firmware fits the board")]
    Refused(Refusal),
    /// No whole reply in time.
    #[error("the board's controller did not answer within {0:?}; plug the board in again if this stays")]
    Silent(Duration),
    /// Something else than a reply.
    #[error("the board's controller answered {0}; check that no other program uses the port")]
    Garbled(#[from] Malformed),
    /// It says that it did something else.
    #[error("the board's controller answered that it did something else; update its firmware")]
    NotDone,
    /// Input that does not end.
    #[error("the control port does not stop sending; plug the board in again")]
    NeverQuiet,
    /// The port failed: the device is gone.
    #[error("the control port is gone; check the cable")]
    Gone(#[source] io::Error),
    /// The board is being made safe by somebody else.
    #[error("the board is being made safe")]
    TakenOver,
}

/// Whether it makes sense to ask again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recovery {
    /// The next request may succeed.
    Repeat,
    /// The same request will fail the same way.
    Refused,
    /// Not before the device is back.
    Gone,
}

impl BridgeError {
    /// What may help.
    #[must_use]
    pub fn recovery(&self) -> Recovery {
        match self {
            Self::Silent(_) | Self::Garbled(_) | Self::NeverQuiet => Recovery::Repeat,
            Self::Request(_) | Self::Refused(_) | Self::NotDone => Recovery::Refused,
            Self::Gone(_) | Self::TakenOver => Recovery::Gone,
        }
    }
}

/// Takes a control port away from its user: from then on he neither reads nor writes.
#[derive(Debug, Clone, Default)]
pub struct Takeover(Arc<AtomicBool>);

impl Takeover {
    /// Takes it. There is no way back.
    pub fn take(&self) {
        self.0.store(true, Ordering::SeqCst);
    }

    /// Whether it was taken.
    #[must_use]
    pub fn is_taken(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}

/// The way to a controller.
#[derive(Debug)]
pub struct Bridge<P> {
    port: P,
    protocol: Protocol,
    takeover: Takeover,
    next_id: u8,
    /// Whether bytes of an earlier reply may still come.
    is_unsettled: bool,
}

impl<P: AsyncRead + AsyncWrite + Unpin + Send> Bridge<P> {
    /// A way over this port. What it held before is not trusted.
    pub fn new(port: P, protocol: Protocol, takeover: Takeover) -> Self {
        Self { port, protocol, takeover, next_id: 0, is_unsettled: true }
    }

    /// What it speaks.
    #[must_use]
    pub fn protocol(&self) -> Protocol {
        self.protocol
    }

    /// Makes contact and sets the I2C clock. If the controller does not frame its replies as its release says, it is asked
    /// once more in the other way; whichever it answers to is kept.
    ///
    /// # Errors
    /// It answers neither way.
    pub async fn open(&mut self) -> Result<(), BridgeError> {
        let announced = self.ask(&Request::I2cFrequency(I2C_FREQUENCY)).await;
        match announced {
            Err(error) if error.recovery() == Recovery::Repeat => {
                self.protocol = self.protocol.other();
                let other = self.ask(&Request::I2cFrequency(I2C_FREQUENCY)).await;
                if other.is_err() {
                    self.protocol = self.protocol.other();
                    return Err(error);
                }
                Ok(())
            }
            answered => answered.map(drop),
        }
    }

    /// Asks one thing and returns the data of the reply.
    ///
    /// # Cancel safety
    /// Safe: a reply that was not waited for is thrown away before the next request. Whether it was done is then unknown.
    ///
    /// # Errors
    /// It was not done, or that is unknown.
    pub async fn ask(&mut self, request: &Request) -> Result<Vec<u8>, BridgeError> {
        request.check()?;
        self.settle().await?;
        if self.takeover.is_taken() {
            return Err(BridgeError::TakenOver);
        }
        let id = self.next_id;
        self.next_id = if id + 1 == NO_ID { 0 } else { id + 1 };
        self.is_unsettled = true;
        let deadline = Instant::now() + REPLY;
        let exchange = self.exchange(request, id);
        let (data, is_clean) = timeout_at(deadline, exchange).await.map_err(|_| BridgeError::Silent(REPLY))??;
        self.is_unsettled = !is_clean;
        let data = data.map_err(BridgeError::Refused)?;
        if request.is_done(&data) { Ok(data) } else { Err(BridgeError::NotDone) }
    }

    /// Sends a request and reads until its reply is whole; also whether nothing came behind it.
    async fn exchange(&mut self, request: &Request, id: u8) -> Result<(Result<Vec<u8>, Refusal>, bool), BridgeError> {
        // In one go: the controller throws away what is not complete after 4 ms (bitaxe-raw 5.2).
        self.port.write_all(&request.encode(id)).await.map_err(BridgeError::Gone)?;
        if request.reply_length().is_none() {
            return Ok((Ok(Vec::new()), false));
        }
        let mut received = Vec::with_capacity(frame::MOST_REPLY_BYTES);
        loop {
            self.read(&mut received).await?;
            if let Some(reply) = decode(self.protocol, request, id, &received)? {
                return Ok((reply.answer.map(<[u8]>::to_vec), reply.length == received.len()));
            }
        }
    }

    /// Lets the line go quiet if something may still come.
    async fn settle(&mut self) -> Result<(), BridgeError> {
        let deadline = Instant::now() + QUIET_WITHIN;
        let mut thrown_away = Vec::new();
        while self.is_unsettled {
            if Instant::now() >= deadline {
                return Err(BridgeError::NeverQuiet);
            }
            match timeout_at(Instant::now() + QUIET, self.read(&mut thrown_away)).await {
                Ok(read) => read?,
                Err(_) => self.is_unsettled = false,
            }
            thrown_away.clear();
        }
        Ok(())
    }

    /// Appends what comes next. Nothing is read any more once the port was taken over.
    async fn read(&mut self, received: &mut Vec<u8>) -> Result<(), BridgeError> {
        let mut chunk = [0; 2 * frame::MOST_REPLY_BYTES];
        let mut buffer = ReadBuf::new(&mut chunk);
        poll_fn(|cx| {
            if self.takeover.is_taken() {
                return Poll::Ready(Err(BridgeError::TakenOver));
            }
            Pin::new(&mut self.port).poll_read(cx, &mut buffer).map_err(BridgeError::Gone)
        })
        .await?;
        if buffer.filled().is_empty() {
            return Err(BridgeError::Gone(io::ErrorKind::UnexpectedEof.into()));
        }
        received.extend_from_slice(buffer.filled());
        Ok(())
    }
}

#[cfg(test)]
mod tests;
