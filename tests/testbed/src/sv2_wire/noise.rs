//! The Noise handshake from either side, and the halves of the connection it gives.

use super::{Authority, Certificate, Frame, WireError};
use crate::PATIENCE;
use rand_08::thread_rng;
use std::time::{SystemTime, UNIX_EPOCH};
use stratum_apps::stratum_core::{
    codec_sv2::{
        Decoded, Decrypted, ExpectsHandshakeMessage, Handshake, HandshakeMessage, InitiatorSent, NoiseDecoder,
        NoiseEncoder, Transport, TransportDecryptState, TransportEncryptState,
    },
    noise_sv2::{Initiator, Responder},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    time::timeout,
};

/// Shakes hands as a client that knows the server's authority.
///
/// # Errors
/// [`WireError::Codec`] for a certificate that is not good.
pub async fn connect(stream: TcpStream, authority_key: [u8; 32]) -> Result<(Reader, Writer), WireError> {
    let initiator = Initiator::from_raw_k(authority_key).map_err(WireError::codec)?;
    let (first, sent) = Handshake::initiator(initiator).step_0().map_err(WireError::codec)?;
    let mut halves = Halves::of(stream)?;
    halves.write(first).await?;
    let second = halves.read::<InitiatorSent>().await?;
    let second = second.payload().try_into().map_err(WireError::codec)?;
    Ok(halves.into_transport(sent.step_2(second).map_err(WireError::codec)?))
}

/// Shakes hands as a server with this authority's certificate. Success does not mean that the client believes it.
///
/// # Errors
/// When the client leaves or sends no first act.
pub async fn accept(
    stream: TcpStream,
    authority: &Authority,
    certificate: Certificate,
) -> Result<(Reader, Writer), WireError> {
    let responder = Handshake::responder(authority.responder(certificate.lifetime));
    let mut halves = Halves::of(stream)?;
    let first = halves.read::<Responder>().await?;
    let first = first.payload().try_into().map_err(WireError::codec)?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_err(WireError::codec)?.as_secs();
    let begins = u32::try_from(now.saturating_add_signed(certificate.begins_in)).map_err(WireError::codec)?;
    let (second, transport) =
        responder.step_1_with_now_rng(first, begins, &mut thread_rng()).map_err(WireError::codec)?;
    halves.write(second).await?;
    Ok(halves.into_transport(transport))
}

struct Halves {
    input: OwnedReadHalf,
    output: OwnedWriteHalf,
    decoder: NoiseDecoder,
    encoder: NoiseEncoder,
}

impl Halves {
    fn of(stream: TcpStream) -> Result<Self, WireError> {
        stream.set_nodelay(true)?;
        let (input, output) = stream.into_split();
        Ok(Self { input, output, decoder: NoiseDecoder::new(), encoder: NoiseEncoder::new() })
    }

    async fn read<R: ExpectsHandshakeMessage>(&mut self) -> Result<HandshakeMessage, WireError> {
        loop {
            let mut bytes = vec![0; self.decoder.writable_len()];
            let read = timeout(PATIENCE, self.input.read_exact(&mut bytes)).await;
            read.map_err(|_| WireError::Late { waited_for: "act of the handshake".into(), seen: "nothing".into() })??;
            self.decoder.writable().copy_from_slice(&bytes);
            if let Decoded::Frame(frame) = self.decoder.next_handshake_frame::<R>().map_err(WireError::codec)? {
                return Ok(frame);
            }
        }
    }

    async fn write(&mut self, act: HandshakeMessage) -> Result<(), WireError> {
        let bytes = self.encoder.encode_handshake(act);
        Ok(self.output.write_all(bytes.as_ref()).await?)
    }

    fn into_transport(self, transport: Transport) -> (Reader, Writer) {
        let (encrypt, decrypt) = transport.split();
        let reader =
            Reader { input: self.input, decoder: self.decoder, state: Some(decrypt), chunk: Vec::new(), filled: 0 };
        (reader, Writer { output: self.output, encoder: self.encoder, state: encrypt })
    }
}

/// Receives frames.
pub struct Reader {
    input: OwnedReadHalf,
    decoder: NoiseDecoder,
    /// `None` once decryption has failed.
    state: Option<TransportDecryptState>,
    /// The encrypted piece that is arriving, of which `filled` bytes are there.
    chunk: Vec<u8>,
    filled: usize,
}

impl Reader {
    /// Waits for the next frame.
    ///
    /// # Errors
    /// [`WireError::Closed`] or [`WireError::Io`] at the end, [`WireError::Codec`] when it cannot be decrypted.
    ///
    /// # Cancel safety
    /// Safe: what has arrived stays in `self`.
    pub async fn next(&mut self) -> Result<Frame, WireError> {
        loop {
            let wanted = self.decoder.writable_len();
            if self.chunk.len() != wanted {
                self.chunk.resize(wanted, 0);
                self.filled = 0;
            }
            while let Some(missing) = self.chunk.get_mut(self.filled..).filter(|missing| !missing.is_empty()) {
                match self.input.read(missing).await? {
                    0 => return Err(WireError::Closed),
                    read => self.filled += read,
                }
            }
            self.decoder.writable().copy_from_slice(&self.chunk);
            self.chunk.clear();
            self.filled = 0;
            let state = self.state.take().ok_or(WireError::Closed)?;
            match self.decoder.next_transport_frame(state).map_err(WireError::codec)? {
                Decrypted::Incomplete(_, state) => self.state = Some(state),
                Decrypted::Frame(mut frame, state) => {
                    self.state = Some(state);
                    let header = frame.header();
                    return Ok(Frame::new(header.ext_type(), header.msg_type(), frame.payload().to_vec()));
                }
            }
        }
    }
}

/// Sends frames.
pub struct Writer {
    output: OwnedWriteHalf,
    encoder: NoiseEncoder,
    state: TransportEncryptState,
}

impl Writer {
    /// Encrypts and sends a frame.
    ///
    /// # Errors
    /// [`WireError::Io`] when the connection is gone.
    pub async fn send(&mut self, frame: Frame) -> Result<(), WireError> {
        let bytes = self.encoder.encode_transport(frame, &mut self.state).map_err(WireError::codec)?;
        self.send_bytes(bytes.as_ref()).await
    }

    /// Sends bytes as they are, which no peer can decrypt.
    ///
    /// # Errors
    /// [`WireError::Io`] when the connection is gone.
    pub async fn send_bytes(&mut self, bytes: &[u8]) -> Result<(), WireError> {
        let written = timeout(PATIENCE, self.output.write_all(bytes)).await;
        let late = |_| WireError::Late { waited_for: "room in the socket".into(), seen: "nothing".into() };
        Ok(written.map_err(late)??)
    }

    /// Makes the end of this connection a reset instead of an orderly close, once its reader is gone too.
    ///
    /// # Errors
    /// [`WireError::Io`] when the socket is gone already.
    pub fn reset(self) -> Result<(), WireError> {
        self.output.as_ref().set_zero_linger()?;
        // Its drop would close in order.
        self.output.forget();
        Ok(())
    }
}
