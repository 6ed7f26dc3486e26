//! One end of a connection with what came and was not asked for yet.

use super::LineError;
use crate::PATIENCE;
use serde_json::Value;
use socket2::SockRef;
use std::{collections::VecDeque, future::Future, time::Duration};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadHalf, WriteHalf},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::TlsStream;

/// What waits to be asked for; a test that lets more pile up has lost its way.
const BACKLOG: usize = 4096;

/// TCP or TLS.
trait Wire: AsyncRead + AsyncWrite + Unpin + Send {
    fn tcp(&self) -> &TcpStream;
}

impl Wire for TcpStream {
    fn tcp(&self) -> &TcpStream {
        self
    }
}

impl Wire for TlsStream<TcpStream> {
    fn tcp(&self) -> &TcpStream {
        self.get_ref().0
    }
}

/// A line that calls a method, from either end.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// Null in a notification.
    pub id: Value,
    /// Method.
    pub method: String,
    /// Usually an array.
    pub params: Value,
}

impl Request {
    /// A line as a request, if it calls a method.
    #[must_use]
    pub fn of(line: &Value) -> Option<Self> {
        let field = |name: &str| line.get(name).cloned().unwrap_or(Value::Null);
        let method = line.get("method")?.as_str()?.to_owned();
        Some(Self { id: field("id"), method, params: field("params") })
    }
}

/// Sends bytes, and waits for lines of a kind. Lines of other kinds stay for later waits, in their order.
pub struct LinePeer {
    reader: ReadHalf<Box<dyn Wire>>,
    writer: WriteHalf<Box<dyn Wire>>,
    /// Read, and not a whole line yet.
    rest: Vec<u8>,
    backlog: VecDeque<Value>,
}

impl LinePeer {
    /// In clear.
    #[must_use]
    pub fn plain(stream: TcpStream) -> Self {
        Self::new(Box::new(stream))
    }

    /// In TLS, of either end.
    #[must_use]
    pub fn tls(stream: impl Into<TlsStream<TcpStream>>) -> Self {
        Self::new(Box::new(stream.into()))
    }

    fn new(wire: Box<dyn Wire>) -> Self {
        // It may be gone already; then the next write says so.
        let _ = wire.tcp().set_nodelay(true);
        let (reader, writer) = tokio::io::split(wire);
        Self { reader, writer, rest: Vec::new(), backlog: VecDeque::new() }
    }

    /// Sends bytes as they are, with no newline of its own, in one segment as far as the socket goes.
    ///
    /// # Errors
    /// [`LineError::Io`] when the connection is gone, [`LineError::Late`] when the other end does not read.
    pub async fn send_bytes(&mut self, bytes: &[u8]) -> Result<(), LineError> {
        let sent = async {
            self.writer.write_all(bytes).await?;
            self.writer.flush().await
        };
        let late = |_| LineError::Late { waited_for: "the other end to read".into(), seen: "a full socket".into() };
        Ok(timeout(PATIENCE, sent).await.map_err(late)??)
    }

    /// The next line as it is, without its newline. Lines that were passed over are not seen here.
    ///
    /// # Errors
    /// [`LineError::Late`], or why the connection ended.
    pub async fn next_line(&mut self) -> Result<String, LineError> {
        let late = |_| LineError::Late { waited_for: "any line".into(), seen: "nothing".into() };
        timeout(PATIENCE, self.read_line()).await.map_err(late)?
    }

    /// The first line that `pick` wants, from those passed over and those to come; `see` is shown each that comes.
    ///
    /// # Errors
    /// [`LineError::Late`] with what came instead, [`LineError::NotJson`], or why the connection ended.
    pub async fn expect<T>(
        &mut self,
        what: &str,
        pick: impl Fn(&Value) -> Option<T>,
        mut see: impl FnMut(&Value),
    ) -> Result<T, LineError> {
        let position = self.backlog.iter().position(|line| pick(line).is_some());
        if let Some(line) = position.and_then(|position| self.backlog.remove(position)) {
            return Ok(pick(&line).expect("the position is that of a match"));
        }
        let come = async {
            while self.backlog.len() < BACKLOG {
                let line = self.read_value().await?;
                see(&line);
                match pick(&line) {
                    Some(picked) => return Ok(Some(picked)),
                    None => self.backlog.push_back(line),
                }
            }
            Ok(None)
        };
        match timeout(PATIENCE, come).await {
            Ok(Err(error)) => Err(error),
            Ok(Ok(Some(picked))) => Ok(picked),
            Ok(Ok(None)) | Err(_) => {
                let seen: Vec<_> = self.backlog.iter().rev().take(5).map(Value::to_string).collect();
                Err(LineError::Late { waited_for: what.into(), seen: seen.join(", ") })
            }
        }
    }

    /// Whether such a line came and was passed over; does not wait.
    pub fn has_come(&self, is_it: impl Fn(&Value) -> bool) -> bool {
        self.backlog.iter().any(is_it)
    }

    /// Whether nothing at all comes for this long. The one wait whose length is its meaning.
    ///
    /// # Cancel safety
    /// Safe.
    pub async fn is_silent_for(&mut self, time: Duration) -> bool {
        match timeout(time, self.read_value()).await {
            Err(_) => true,
            Ok(line) => {
                self.backlog.extend(line.ok());
                false
            }
        }
    }

    /// Waits for the other end to leave; `see` is shown every line until then.
    ///
    /// # Errors
    /// [`LineError::Late`] when it stays.
    pub async fn ended(&mut self, mut see: impl FnMut(&Value)) -> Result<(), LineError> {
        let left = async {
            while let Ok(line) = self.read_value().await {
                see(&line);
                self.backlog.push_back(line);
                if self.backlog.len() > BACKLOG {
                    self.backlog.pop_front();
                }
            }
        };
        let late = |_| LineError::Late { waited_for: "end of the connection".into(), seen: "it is open".into() };
        timeout(PATIENCE, left).await.map_err(late)
    }

    /// Ends the connection with a reset, in TLS without a farewell.
    ///
    /// # Errors
    /// [`LineError::Io`] when it is gone already.
    pub fn reset(self) -> Result<(), LineError> {
        let Self { reader, writer, .. } = self;
        let wire = reader.unsplit(writer);
        SockRef::from(wire.tcp()).set_linger(Some(Duration::ZERO))?;
        Ok(())
    }

    async fn read_value(&mut self) -> Result<Value, LineError> {
        let line = self.read_line().await?;
        serde_json::from_str(&line).map_err(|_| LineError::NotJson(line))
    }

    /// Cancel-safe: what is not a whole line yet stays in `rest`.
    async fn read_line(&mut self) -> Result<String, LineError> {
        loop {
            if let Some(end) = self.rest.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.rest.drain(..=end).collect();
                return Ok(String::from_utf8_lossy(line.trim_ascii_end()).into_owned());
            }
            if self.reader.read_buf(&mut self.rest).await? == 0 {
                return Err(LineError::Closed);
            }
        }
    }
}

/// Gives a step of a connection the usual patience.
///
/// # Errors
/// [`LineError::Late`], or what the step says.
pub(crate) async fn patiently<T>(what: &str, step: impl Future<Output = std::io::Result<T>>) -> Result<T, LineError> {
    let late = |_| LineError::Late { waited_for: what.into(), seen: "nothing".into() };
    Ok(timeout(PATIENCE, step).await.map_err(late)??)
}
