//! What is said over an SV2 connection, as the session sees it, and its way to and from frames.
//!
//! Source: Stratum V2 specification 05 and 08; stratum-client F5 to F10, 6.2. `extensions` has what is no part of the mining
//! protocol itself. Types of the wire crates end here. What is
//! not known, or of no use to an extended channel, is `Ignored`; what is known but malformed is an error.

pub(super) mod extensions;
mod share_frame;

use super::transport::{ClearFrame, Frame, HEADER};
use bytes::Bytes;
use mujina_core::{
    extranonce::Extranonce,
    text::{PEER_TEXT_BYTES, sanitise},
    units::ShareTarget,
};
use std::sync::Arc;
use stratum_apps::stratum_core::{
    binary_sv2::{self, Deserialize, GetSize, Serialize, Str0255},
    common_messages_sv2 as common, mining_sv2 as mining,
};

/// A message of the pool.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Incoming {
    SetupSuccess { used_version: u16, flags: u32 },
    SetupError { flags: u32, code: String },
    OpenSuccess(OpenSuccess),
    OpenError { request_id: u32, code: String },
    NewJob(NewJob),
    NewTip(NewTip),
    SetTarget { channel_id: u32, share_target: ShareTarget },
    SetExtranoncePrefix { channel_id: u32, prefix: Bytes },
    SetGroupChannel { group_channel_id: u32, channel_ids: Vec<u32> },
    SharesAccepted { channel_id: u32, last_sequence_number: u32, count: u32, shares_sum: u64 },
    ShareRefused { channel_id: u32, sequence_number: u32, code: String },
    UpdateRefused { channel_id: u32, code: String },
    CloseChannel { channel_id: u32, reason: String },
    Reconnect { host: String, port: u16 },
    EndpointChanged { channel_id: u32 },
    ExtensionsGranted { request_id: u16, extensions: Vec<u16> },
    ExtensionsRefused { request_id: u16, required: Vec<u16> },
    Ignored { extension: u16, kind: u8 },
}

impl Incoming {
    /// What the specification calls it.
    pub(super) fn name(&self) -> String {
        let name = match self {
            Self::SetupSuccess { .. } => "SetupConnection.Success",
            Self::SetupError { .. } => "SetupConnection.Error",
            Self::OpenSuccess(_) => "OpenExtendedMiningChannel.Success",
            Self::OpenError { .. } => "OpenMiningChannel.Error",
            Self::NewJob(_) => "NewExtendedMiningJob",
            Self::NewTip(_) => "SetNewPrevHash",
            Self::SetTarget { .. } => "SetTarget",
            Self::SetExtranoncePrefix { .. } => "SetExtranoncePrefix",
            Self::SetGroupChannel { .. } => "SetGroupChannel",
            Self::SharesAccepted { .. } => "SubmitShares.Success",
            Self::ShareRefused { .. } => "SubmitShares.Error",
            Self::UpdateRefused { .. } => "UpdateChannel.Error",
            Self::CloseChannel { .. } => "CloseChannel",
            Self::Reconnect { .. } => "Reconnect",
            Self::EndpointChanged { .. } => "ChannelEndpointChanged",
            Self::ExtensionsGranted { .. } => "RequestExtensions.Success",
            Self::ExtensionsRefused { .. } => "RequestExtensions.Error",
            Self::Ignored { extension, kind } => return format!("message 0x{kind:02x} of extension 0x{extension:04x}"),
        };
        name.into()
    }
}

/// The pool opened our channel.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct OpenSuccess {
    pub(super) request_id: u32,
    pub(super) channel_id: u32,
    pub(super) share_target: ShareTarget,
    pub(super) extranonce_size: u16,
    pub(super) extranonce_prefix: Bytes,
    pub(super) group_channel_id: u32,
}

/// A job as it came.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct NewJob {
    pub(super) channel_id: u32,
    pub(super) job_id: u32,
    /// `None` = a future job.
    pub(super) min_ntime: Option<u32>,
    pub(super) version: u32,
    pub(super) version_rolling_allowed: bool,
    pub(super) merkle_path: Vec<[u8; 32]>,
    pub(super) coinbase_tx_prefix: Bytes,
    pub(super) coinbase_tx_suffix: Bytes,
}

impl NewJob {
    /// Bytes that it takes to keep it, roughly.
    pub(super) fn size(&self) -> usize {
        self.coinbase_tx_prefix.len() + self.coinbase_tx_suffix.len() + 32 * self.merkle_path.len()
    }
}

impl Incoming {
    /// Bytes that it takes to keep it, roughly.
    pub(super) fn size(&self) -> usize {
        match self {
            Self::NewJob(job) => job.size(),
            Self::SetGroupChannel { channel_ids, .. } => 4 * channel_ids.len(),
            Self::ExtensionsGranted { extensions, .. } => 2 * extensions.len(),
            Self::ExtensionsRefused { required, .. } => 2 * required.len(),
            _ => 0,
        }
    }
}

/// The chain moved, and one of the future jobs is for the new tip.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct NewTip {
    pub(super) channel_id: u32,
    pub(super) job_id: u32,
    pub(super) prev_hash: [u8; 32],
    pub(super) min_ntime: u32,
    pub(super) nbits: u32,
}

/// A message of ours.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Outgoing {
    Setup(Setup),
    RequestExtensions { request_id: u16, extensions: Vec<u16> },
    Open { request_id: u32, user: String, hash_rate: f32, max_target: ShareTarget, min_extranonce_size: u16 },
    Update { channel_id: u32, hash_rate: f32, max_target: ShareTarget },
    Share(Share),
    Close { channel_id: u32, reason: &'static str },
}

/// What is said of us first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Setup {
    pub(super) flags: u32,
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) vendor: String,
    pub(super) hardware_version: String,
    pub(super) firmware: String,
}

/// A share on its way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Share {
    pub(super) channel_id: u32,
    pub(super) sequence_number: u32,
    pub(super) job_id: u32,
    pub(super) nonce: u32,
    pub(super) ntime: u32,
    pub(super) version: u32,
    pub(super) extranonce: Extranonce,
    /// Who found it, if the pool is to know (U11): at most 32 bytes.
    pub(super) worker: Option<Arc<str>>,
}

/// A known message that cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("message 0x{0:02x} of the pool cannot be read; the connection is given up")]
pub(super) struct Malformed(pub(super) u8);

/// A message that cannot be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0} does not fit Stratum V2; make it at most 255 bytes long")]
pub(super) struct Unsendable(pub(super) &'static str);

/// Reads a frame.
pub(super) fn decode(mut frame: Frame) -> Result<Incoming, Malformed> {
    let Frame { extension, kind, .. } = frame;
    let payload = frame.payload.as_mut_slice();
    match extension {
        0 => {}
        extensions::NEGOTIATION => return extensions::decode(kind, payload),
        _ => return Ok(Incoming::Ignored { extension, kind }),
    }
    Ok(match kind {
        common::MESSAGE_TYPE_SETUP_CONNECTION_SUCCESS => {
            let common::SetupConnectionSuccess { used_version, flags } = read(kind, payload)?;
            Incoming::SetupSuccess { used_version, flags }
        }
        common::MESSAGE_TYPE_SETUP_CONNECTION_ERROR => {
            let common::SetupConnectionError { flags, error_code } = read(kind, payload)?;
            Incoming::SetupError { flags, code: text(&error_code) }
        }
        common::MESSAGE_TYPE_RECONNECT => {
            let common::Reconnect { new_host, new_port } = read(kind, payload)?;
            // As it came: what is stripped for a log must not turn one host into another (R3).
            let host = String::from_utf8_lossy(new_host.as_bytes()).into_owned();
            Incoming::Reconnect { host, port: new_port }
        }
        common::MESSAGE_TYPE_CHANNEL_ENDPOINT_CHANGED => {
            let common::ChannelEndpointChanged { channel_id } = read(kind, payload)?;
            Incoming::EndpointChanged { channel_id }
        }
        mining::MESSAGE_TYPE_OPEN_EXTENDED_MINING_CHANNEL_SUCCESS => {
            let message: mining::OpenExtendedMiningChannelSuccess<'_> = read(kind, payload)?;
            Incoming::OpenSuccess(OpenSuccess {
                request_id: message.request_id,
                channel_id: message.channel_id,
                share_target: ShareTarget::from_le_bytes(message.target.to_array()),
                extranonce_size: message.extranonce_size,
                extranonce_prefix: Bytes::copy_from_slice(message.extranonce_prefix.as_bytes()),
                group_channel_id: message.group_channel_id,
            })
        }
        mining::MESSAGE_TYPE_OPEN_MINING_CHANNEL_ERROR => {
            let mining::OpenMiningChannelError { request_id, error_code } = read(kind, payload)?;
            Incoming::OpenError { request_id, code: text(&error_code) }
        }
        mining::MESSAGE_TYPE_NEW_EXTENDED_MINING_JOB => Incoming::NewJob(new_job(read(kind, payload)?)),
        mining::MESSAGE_TYPE_MINING_SET_NEW_PREV_HASH => {
            let mining::SetNewPrevHash { channel_id, job_id, prev_hash, min_ntime, nbits } = read(kind, payload)?;
            Incoming::NewTip(NewTip { channel_id, job_id, prev_hash: prev_hash.to_array(), min_ntime, nbits })
        }
        mining::MESSAGE_TYPE_SET_TARGET => {
            let mining::SetTarget { channel_id, maximum_target } = read(kind, payload)?;
            Incoming::SetTarget { channel_id, share_target: ShareTarget::from_le_bytes(maximum_target.to_array()) }
        }
        mining::MESSAGE_TYPE_SET_EXTRANONCE_PREFIX => {
            let mining::SetExtranoncePrefix { channel_id, extranonce_prefix } = read(kind, payload)?;
            Incoming::SetExtranoncePrefix { channel_id, prefix: Bytes::copy_from_slice(extranonce_prefix.as_bytes()) }
        }
        // Once the number of another message (stratum-client G5): what cannot be read as this one is that one.
        mining::MESSAGE_TYPE_SET_GROUP_CHANNEL => match read::<mining::SetGroupChannel<'_>>(kind, payload) {
            Ok(mining::SetGroupChannel { group_channel_id, channel_ids }) => {
                Incoming::SetGroupChannel { group_channel_id, channel_ids: channel_ids.into_inner() }
            }
            Err(Malformed(_)) => Incoming::Ignored { extension, kind },
        },
        mining::MESSAGE_TYPE_SUBMIT_SHARES_SUCCESS => {
            let message: mining::SubmitSharesSuccess = read(kind, payload)?;
            Incoming::SharesAccepted {
                channel_id: message.channel_id,
                last_sequence_number: message.last_sequence_number,
                count: message.new_submits_accepted_count,
                shares_sum: message.new_shares_sum,
            }
        }
        mining::MESSAGE_TYPE_SUBMIT_SHARES_ERROR => {
            let mining::SubmitSharesError { channel_id, sequence_number, error_code } = read(kind, payload)?;
            Incoming::ShareRefused { channel_id, sequence_number, code: text(&error_code) }
        }
        mining::MESSAGE_TYPE_UPDATE_CHANNEL_ERROR => {
            let mining::UpdateChannelError { channel_id, error_code } = read(kind, payload)?;
            Incoming::UpdateRefused { channel_id, code: text(&error_code) }
        }
        mining::MESSAGE_TYPE_CLOSE_CHANNEL => {
            let mining::CloseChannel { channel_id, reason_code } = read(kind, payload)?;
            Incoming::CloseChannel { channel_id, reason: text(&reason_code) }
        }
        _ => Incoming::Ignored { extension, kind },
    })
}

fn new_job(message: mining::NewExtendedMiningJob<'_>) -> NewJob {
    NewJob {
        channel_id: message.channel_id,
        job_id: message.job_id,
        min_ntime: message.min_ntime.into_inner(),
        version: message.version,
        version_rolling_allowed: message.version_rolling_allowed,
        merkle_path: message.merkle_path.into_inner().into_iter().map(binary_sv2::U256::to_array).collect(),
        coinbase_tx_prefix: Bytes::copy_from_slice(message.coinbase_tx_prefix.as_bytes()),
        coinbase_tx_suffix: Bytes::copy_from_slice(message.coinbase_tx_suffix.as_bytes()),
    }
}

fn read<'a, T: Deserialize<'a>>(kind: u8, payload: &'a mut [u8]) -> Result<T, Malformed> {
    binary_sv2::from_bytes(payload).map_err(|_| Malformed(kind))
}

fn text(field: &Str0255<'_>) -> String {
    sanitise(&String::from_utf8_lossy(field.as_bytes()), PEER_TEXT_BYTES)
}

/// Writes a message as a frame in the clear.
pub(super) fn encode(message: &Outgoing) -> Result<ClearFrame, Unsendable> {
    match message {
        Outgoing::Setup(setup) => {
            let Setup { flags, host, port, vendor, hardware_version, firmware } = setup;
            let message = common::SetupConnection {
                protocol: common::Protocol::MiningProtocol,
                min_version: 2,
                max_version: 2,
                flags: *flags,
                endpoint_host: string("the pool's host", host)?,
                endpoint_port: *port,
                vendor: string("the vendor", vendor)?,
                hardware_version: string("the hardware version", hardware_version)?,
                firmware: string("the firmware version", firmware)?,
                device_id: string("the device id", "")?,
            };
            frame(common::MESSAGE_TYPE_SETUP_CONNECTION, common::CHANNEL_BIT_SETUP_CONNECTION, message)
        }
        Outgoing::RequestExtensions { request_id, extensions } => extensions::request(*request_id, extensions),
        Outgoing::Open { request_id, user, hash_rate, max_target, min_extranonce_size } => {
            let target = max_target.to_le_bytes();
            let message = mining::OpenExtendedMiningChannel {
                request_id: *request_id,
                user_identity: string("the user", user)?,
                nominal_hash_rate: *hash_rate,
                max_target: (&target).into(),
                min_extranonce_size: *min_extranonce_size,
            };
            let bit = mining::CHANNEL_BIT_OPEN_EXTENDED_MINING_CHANNEL;
            frame(mining::MESSAGE_TYPE_OPEN_EXTENDED_MINING_CHANNEL, bit, message)
        }
        Outgoing::Update { channel_id, hash_rate, max_target } => {
            let target = max_target.to_le_bytes();
            let message = mining::UpdateChannel {
                channel_id: *channel_id,
                nominal_hash_rate: *hash_rate,
                maximum_target: (&target).into(),
            };
            frame(mining::MESSAGE_TYPE_UPDATE_CHANNEL, mining::CHANNEL_BIT_UPDATE_CHANNEL, message)
        }
        Outgoing::Share(share) => share_frame::encode(share),
        Outgoing::Close { channel_id, reason } => {
            let message = mining::CloseChannel { channel_id: *channel_id, reason_code: string("a reason", reason)? };
            frame(mining::MESSAGE_TYPE_CLOSE_CHANNEL, mining::CHANNEL_BIT_CLOSE_CHANNEL, message)
        }
    }
}

fn string<'a>(what: &'static str, text: &'a str) -> Result<Str0255<'a>, Unsendable> {
    text.try_into().map_err(|_| Unsendable(what))
}

pub(super) fn frame<T: Serialize + GetSize>(kind: u8, channel_bit: bool, message: T) -> Result<ClearFrame, Unsendable> {
    let payload = binary_sv2::to_bytes(message).map_err(|_| Unsendable("a message"))?;
    let mut frame = ClearFrame::from_slice(&header(kind, channel_bit, payload.len())?);
    frame.extend_from_slice(&payload);
    Ok(frame)
}

/// The header of a frame without an extension.
fn header(kind: u8, channel_bit: bool, payload: usize) -> Result<[u8; HEADER], Unsendable> {
    let length = u32::try_from(payload).map_err(|_| Unsendable("a message"))?;
    let [low, middle, high, 0] = length.to_le_bytes() else { return Err(Unsendable("a message")) };
    Ok([0, if channel_bit { 0x80 } else { 0 }, kind, low, middle, high])
}

#[cfg(test)]
mod tests;
