//! A frame with nothing checked: any header, any payload, any announced length.

use super::WireError;
use stratum_apps::stratum_core::{
    codec_sv2::{EncodableFrame, MessageFrame},
    framing_sv2::{self, header::Header},
    parsers_sv2::{AnyMessage, AnyMessageOwned, MiningOwned},
};

/// One SV2 frame in plain text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// With the channel bit (0x8000).
    pub extension_type: u16,
    /// Within the extension.
    pub message_type: u8,
    /// What follows the header.
    pub payload: Vec<u8>,
    /// What the header says of the payload's length when that is a lie.
    pub announced: Option<u32>,
}

impl Frame {
    /// An honest frame.
    #[must_use]
    pub fn new(extension_type: u16, message_type: u8, payload: Vec<u8>) -> Self {
        Self { extension_type, message_type, payload, announced: None }
    }

    /// A message as the specification wants it framed.
    ///
    /// # Panics
    /// When the message does not fit a frame.
    #[must_use]
    pub fn of(message: AnyMessageOwned) -> Self {
        let frame = MessageFrame::<AnyMessageOwned>::try_from(message).expect("a message fits a frame");
        let header = frame.header();
        let mut bytes = vec![0; frame.encoded_length()];
        frame.encode_into(&mut bytes).expect("the length is the one it asked for");
        Self::new(header.ext_type(), header.msg_type(), bytes.split_off(Header::SIZE))
    }

    /// The same of the mining protocol.
    ///
    /// # Panics
    /// When the message does not fit a frame.
    #[must_use]
    pub fn of_mining(message: MiningOwned) -> Self {
        Self::of(AnyMessageOwned::Mining(message))
    }

    /// The message in the frame.
    ///
    /// # Errors
    /// [`WireError::Unparsable`] when it is unknown or malformed.
    pub fn message(&self) -> Result<AnyMessageOwned, WireError> {
        let unparsable = |reason: String| WireError::Unparsable {
            extension_type: self.extension_type,
            message_type: self.message_type,
            reason,
        };
        let header = Header::from_bytes(&self.header()).map_err(|error| unparsable(format!("{error:?}")))?;
        let mut payload = self.payload.clone();
        let message = AnyMessage::try_from((header, payload.as_mut_slice()));
        message.map(AnyMessage::into_owned).map_err(|error| unparsable(format!("{error:?}")))
    }

    fn header(&self) -> [u8; 6] {
        let length = u32::try_from(self.payload.len()).expect("a frame is below 16 MiB");
        let [low, high] = self.extension_type.to_le_bytes();
        let [a, b, c, _] = self.announced.unwrap_or(length).to_le_bytes();
        [low, high, self.message_type, a, b, c]
    }
}

impl EncodableFrame for Frame {
    fn encoded_length(&self) -> usize {
        Header::SIZE + self.payload.len()
    }

    fn encode_into(self, destination: &mut [u8]) -> Result<(), framing_sv2::Error> {
        let mut bytes = self.header().to_vec();
        bytes.extend(&self.payload);
        destination.copy_from_slice(&bytes);
        Ok(())
    }
}
