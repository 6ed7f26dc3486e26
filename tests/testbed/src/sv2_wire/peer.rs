//! One end of a connection with what came and was not asked for yet.

use super::{Frame, Reader, WireError, Writer};
use crate::PATIENCE;
use std::{collections::VecDeque, time::Duration};
use stratum_apps::stratum_core::parsers_sv2::{AnyMessageOwned, CommonMessagesOwned, MiningOwned};
use tokio::time::timeout;

/// What waits to be asked for; a test that lets more pile up has lost its way.
const BACKLOG: usize = 4096;

/// Sends, and waits for messages of a kind. Messages of other kinds stay for later waits, in their order.
pub struct Peer {
    reader: Reader,
    writer: Writer,
    backlog: VecDeque<AnyMessageOwned>,
}

impl Peer {
    /// Of a connection that has shaken hands.
    #[must_use]
    pub fn new((reader, writer): (Reader, Writer)) -> Self {
        Self { reader, writer, backlog: VecDeque::new() }
    }

    /// Sends a message as it should be framed.
    ///
    /// # Errors
    /// [`WireError::Io`] when the connection is gone.
    pub async fn send(&mut self, message: AnyMessageOwned) -> Result<(), WireError> {
        self.writer.send(Frame::of(message)).await
    }

    /// Ends the connection with a reset.
    ///
    /// # Errors
    /// [`WireError::Io`] when it is gone already.
    pub fn reset(self) -> Result<(), WireError> {
        let Self { reader, writer, backlog: _ } = self;
        writer.reset()?;
        drop(reader);
        Ok(())
    }

    /// The half that sends anything.
    pub fn writer(&mut self) -> &mut Writer {
        &mut self.writer
    }

    /// The next frame as it is, whatever its kind. Messages that were passed over are not seen here.
    ///
    /// # Errors
    /// [`WireError::Late`], or why the connection ended.
    pub async fn next_frame(&mut self) -> Result<Frame, WireError> {
        let late = |_| WireError::Late { waited_for: "any frame".into(), seen: "nothing".into() };
        timeout(PATIENCE, self.reader.next()).await.map_err(late)?
    }

    /// The first message that `pick` wants, from those passed over and those to come.
    ///
    /// # Errors
    /// [`WireError::Late`] with what came instead, [`WireError::Unparsable`], or why the connection ended.
    pub async fn expect<T>(
        &mut self,
        what: &str,
        pick: impl Fn(&AnyMessageOwned) -> Option<T>,
    ) -> Result<T, WireError> {
        let position = self.backlog.iter().position(|message| pick(message).is_some());
        if let Some(message) = position.and_then(|position| self.backlog.remove(position)) {
            return Ok(pick(&message).expect("the position is that of a match"));
        }
        let (reader, backlog) = (&mut self.reader, &mut self.backlog);
        let come = async {
            while backlog.len() < BACKLOG {
                let message = reader.next().await?.message()?;
                match pick(&message) {
                    Some(picked) => return Ok(Some(picked)),
                    None => backlog.push_back(message),
                }
            }
            Ok(None)
        };
        match timeout(PATIENCE, come).await {
            Ok(Err(error)) => Err(error),
            Ok(Ok(Some(picked))) => Ok(picked),
            Ok(Ok(None)) | Err(_) => {
                let seen: Vec<_> = self.backlog.iter().rev().take(5).map(ToString::to_string).collect();
                Err(WireError::Late { waited_for: what.into(), seen: seen.join(", ") })
            }
        }
    }

    /// As [`Peer::expect`], of the mining protocol.
    ///
    /// # Errors
    /// As there.
    pub async fn expect_mining<T>(
        &mut self,
        what: &str,
        pick: impl Fn(&MiningOwned) -> Option<T>,
    ) -> Result<T, WireError> {
        let pick = |message: &AnyMessageOwned| match message {
            AnyMessageOwned::Mining(message) => pick(message),
            _ => None,
        };
        self.expect(what, pick).await
    }

    /// As [`Peer::expect`], of the common messages.
    ///
    /// # Errors
    /// As there.
    pub async fn expect_common<T>(
        &mut self,
        what: &str,
        pick: impl Fn(&CommonMessagesOwned) -> Option<T>,
    ) -> Result<T, WireError> {
        let pick = |message: &AnyMessageOwned| match message {
            AnyMessageOwned::Common(message) => pick(message),
            _ => None,
        };
        self.expect(what, pick).await
    }

    /// Whether nothing at all comes for this long. The one wait whose length is its meaning.
    ///
    /// # Cancel safety
    /// Safe.
    pub async fn is_silent_for(&mut self, time: Duration) -> bool {
        match timeout(time, self.reader.next()).await {
            Err(_) => true,
            Ok(Ok(frame)) => {
                self.backlog.extend(frame.message().ok());
                false
            }
            Ok(Err(_)) => false,
        }
    }

    /// Waits for the other end to leave; messages until then are kept.
    ///
    /// # Errors
    /// [`WireError::Late`] when it stays.
    pub async fn ended(&mut self) -> Result<(), WireError> {
        let (reader, backlog) = (&mut self.reader, &mut self.backlog);
        let left = async {
            while let Ok(frame) = reader.next().await {
                backlog.extend(frame.message().ok().filter(|_| backlog.len() < BACKLOG));
            }
        };
        let late = |_| WireError::Late { waited_for: "end of the connection".into(), seen: "it is open".into() };
        timeout(PATIENCE, left).await.map_err(late)
    }
}
