//! One connection of a miner, from the pool's side.

use super::{
    Judged, Sv1Job, Sv1Share, Sv1Verifier, Violation, Welcome,
    message::{self, line},
};
use crate::{
    PATIENCE,
    sv1_wire::{LineError, LinePeer, Request},
};
use serde_json::Value;
use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// What a miner asked for while it set up the connection.
#[derive(Clone, Debug)]
pub struct Asked {
    /// `mining.configure`.
    pub configure: Request,
    /// `mining.subscribe`.
    pub subscribe: Request,
    /// `mining.authorize`.
    pub authorize: Request,
}

/// A connection that is up. Ends with an orderly close when dropped.
pub struct Sv1Session {
    peer: LinePeer,
    verifier: Arc<Mutex<Sv1Verifier>>,
    /// Sent, and not a whole line yet.
    unfinished: Vec<u8>,
}

impl Sv1Session {
    pub(super) fn new(peer: LinePeer, verifier: Arc<Mutex<Sv1Verifier>>) -> Self {
        Self { peer, verifier, unfinished: Vec::new() }
    }

    /// Sends bytes as they are. Every line that they end is remembered for the judgement of shares, if a miner can read it.
    ///
    /// # Errors
    /// When the connection is gone or the miner does not read.
    pub async fn send_bytes(&mut self, bytes: &[u8]) -> Result<(), LineError> {
        // Before it is sent: the answer may be here before we are back.
        self.unfinished.extend_from_slice(bytes);
        while let Some(end) = self.unfinished.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.unfinished.drain(..=end).collect();
            let text = line.strip_prefix("\u{feff}".as_bytes()).unwrap_or(&line);
            if let Ok(message) = serde_json::from_slice(text) {
                self.verifier().sent(&message, Instant::now());
            }
        }
        self.peer.send_bytes(bytes).await
    }

    /// Says it in a line of its own.
    ///
    /// # Errors
    /// When the connection is gone.
    pub async fn send(&mut self, message: &Value) -> Result<(), LineError> {
        self.send_bytes(&line(message)).await
    }

    /// Says several things in one segment.
    ///
    /// # Errors
    /// When the connection is gone.
    pub async fn send_together(&mut self, messages: &[Value]) -> Result<(), LineError> {
        self.send_bytes(&messages.iter().flat_map(line).collect::<Vec<_>>()).await
    }

    /// Waits for a call of this method.
    ///
    /// # Errors
    /// When it does not come.
    pub async fn expect_request(&mut self, method: &str) -> Result<Request, LineError> {
        self.expect(method, |line| Request::of(line).filter(|request| request.method == method)).await
    }

    /// Waits for the answer to something that the pool asked under this id.
    ///
    /// # Errors
    /// When it does not come.
    pub async fn expect_answer(&mut self, id: &Value) -> Result<Value, LineError> {
        let answer = |line: &Value| (line.get("method").is_none() && line.get("id") == Some(id)).then(|| line.clone());
        self.expect(&format!("answer to {id}"), answer).await
    }

    /// Waits for all that a miner says without being answered: it must not wait.
    ///
    /// # Errors
    /// When something does not come.
    pub async fn expect_asked(&mut self) -> Result<Asked, LineError> {
        Ok(Asked {
            configure: self.expect_request("mining.configure").await?,
            subscribe: self.expect_request("mining.subscribe").await?,
            authorize: self.expect_request("mining.authorize").await?,
        })
    }

    /// Answers all of that.
    ///
    /// # Errors
    /// When the connection is gone.
    pub async fn welcome(&mut self, asked: &Asked, welcome: &Welcome) -> Result<(), LineError> {
        self.send(&message::result(&asked.configure.id, welcome.configured.clone())).await?;
        self.send(&message::result(&asked.subscribe.id, welcome.subscribed())).await?;
        self.send(&message::result(&asked.authorize.id, Value::Bool(true))).await
    }

    /// From nothing to the first job, as a well-behaved pool. What the miner asked for is returned.
    ///
    /// # Errors
    /// When the miner does not follow.
    pub async fn bring_up(&mut self, welcome: &Welcome, job: &Sv1Job) -> Result<Asked, LineError> {
        let asked = self.expect_asked().await?;
        self.welcome(&asked, welcome).await?;
        self.send(&message::difficulty(welcome.difficulty)).await?;
        self.send(&job.notify()).await?;
        Ok(asked)
    }

    /// Waits for a share.
    ///
    /// # Errors
    /// When none comes.
    pub async fn expect_share(&mut self) -> Result<Sv1Share, LineError> {
        self.expect("mining.submit", Sv1Share::of).await
    }

    /// Waits for a share of this notify, from 0 on this connection, and passes over those of others, judging each. Older
    /// ones may be bad: they were on the way.
    ///
    /// # Errors
    /// When none comes; with what the last one was.
    pub async fn expect_share_of(&mut self, notify: usize) -> Result<(Sv1Share, Judged), LineError> {
        let give_up = tokio::time::Instant::now() + PATIENCE;
        let mut seen = "no share".to_owned();
        while tokio::time::Instant::now() < give_up {
            let share = self.expect_share().await?;
            match self.judge(&share) {
                Ok(judged) if judged.notify == notify => return Ok((share, judged)),
                other => seen = format!("{other:?} of {share:?}"),
            }
        }
        Err(LineError::Late { waited_for: format!("a share of notify {notify}"), seen })
    }

    /// Waits for this many shares, acknowledges each and returns them with what is known of them.
    ///
    /// # Errors
    /// When they do not come.
    ///
    /// # Panics
    /// When one of them is not as it must be.
    pub async fn accept_shares(&mut self, count: usize) -> Result<Vec<(Sv1Share, Judged)>, LineError> {
        let mut shares = Vec::with_capacity(count);
        while shares.len() < count {
            let share = self.expect_share().await?;
            match self.judge(&share) {
                Ok(judged) => {
                    self.accept(&share).await?;
                    shares.push((share, judged));
                }
                Err(violation) => panic!("{violation}: {share:?}"),
            }
        }
        Ok(shares)
    }

    /// Judges a share by what was sent on this connection. Each share once: the second time it is a repetition.
    ///
    /// # Errors
    /// With what is wrong with it.
    pub fn judge(&self, share: &Sv1Share) -> Result<Judged, Violation> {
        self.verifier().verify(share, Instant::now())
    }

    /// Acknowledges one share.
    ///
    /// # Errors
    /// When the connection is gone.
    pub async fn accept(&mut self, share: &Sv1Share) -> Result<(), LineError> {
        self.send(&message::result(&share.id, Value::Bool(true))).await
    }

    /// Refuses one share, with an error of any shape.
    ///
    /// # Errors
    /// When the connection is gone.
    pub async fn reject(&mut self, share: &Sv1Share, error: Value) -> Result<(), LineError> {
        self.send(&message::error(&share.id, error)).await
    }

    /// How many jobs were announced on this connection.
    #[must_use]
    pub fn notifies(&self) -> usize {
        self.verifier().notifies()
    }

    /// Whether such a line came and was passed over; does not wait.
    pub fn has_come(&self, is_it: impl Fn(&Value) -> bool) -> bool {
        self.peer.has_come(is_it)
    }

    /// Whether nothing at all comes for this long.
    pub async fn is_silent_for(&mut self, time: Duration) -> bool {
        self.peer.is_silent_for(time).await
    }

    /// Waits for the miner to leave.
    ///
    /// # Errors
    /// When it stays.
    pub async fn ended(&mut self) -> Result<(), LineError> {
        let verifier = Arc::clone(&self.verifier);
        self.peer.ended(|line| lock(&verifier).received(line)).await
    }

    /// Ends the connection with a reset.
    ///
    /// # Errors
    /// When it is gone already.
    pub fn reset(self) -> Result<(), LineError> {
        self.peer.reset()
    }

    async fn expect<T>(&mut self, what: &str, pick: impl Fn(&Value) -> Option<T>) -> Result<T, LineError> {
        let verifier = Arc::clone(&self.verifier);
        self.peer.expect(what, pick, |line| lock(&verifier).received(line)).await
    }

    fn verifier(&self) -> MutexGuard<'_, Sv1Verifier> {
        lock(&self.verifier)
    }
}

fn lock(verifier: &Mutex<Sv1Verifier>) -> MutexGuard<'_, Sv1Verifier> {
    verifier.lock().unwrap_or_else(PoisonError::into_inner)
}
