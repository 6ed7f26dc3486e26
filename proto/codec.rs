//! Messages on the wire, in buffers that grow with what they hold.
//!
//! The usual codec of tonic sets 8 KiB aside for each stream in each direction, which a control plane that follows thousands
//! of miners, each a stream of small messages, would pay for all of them.

use prost::Message;
use std::marker::PhantomData;
use tonic::codec::{BufferSettings, Codec};
use tonic_prost::{ProstDecoder, ProstEncoder};

/// What a stream begins with. A status tree of a small miner fits.
const BUFFER: usize = 1024;
/// As much is written before the connection gets a turn: tonic's own bound.
const YIELD: usize = 32 * 1024;

/// Protocol Buffers in small buffers.
#[derive(Debug, Clone)]
pub struct Compact<T, U>(PhantomData<(T, U)>);

impl<T, U> Default for Compact<T, U> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<T, U> Codec for Compact<T, U>
where
    T: Message + Send + 'static,
    U: Message + Default + Send + 'static,
{
    type Encode = T;
    type Decode = U;
    type Encoder = ProstEncoder<T>;
    type Decoder = ProstDecoder<U>;

    fn encoder(&mut self) -> ProstEncoder<T> {
        ProstEncoder::new(BufferSettings::new(BUFFER, YIELD))
    }

    fn decoder(&mut self) -> ProstDecoder<U> {
        ProstDecoder::new(BufferSettings::new(BUFFER, YIELD))
    }
}
