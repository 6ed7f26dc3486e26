//! What a pool says, built to be correct; a test that wants it wrong changes the fields or sends a frame of its own.

use crate::template_provider::height_push;
use stratum_apps::stratum_core::{
    binary_sv2::{Seq0255Owned, Sv2OptionOwned},
    bitcoin::hashes::{Hash, sha256d},
    common_messages_sv2::ReconnectOwned,
    mining_sv2::{
        CloseChannelOwned, NewExtendedMiningJobOwned, SetExtranoncePrefixOwned, SetGroupChannelOwned,
        SetNewPrevHashOwned, SetTargetOwned, SubmitSharesErrorOwned, SubmitSharesSuccessOwned,
    },
    parsers_sv2::{AnyMessageOwned, CommonMessagesOwned, MiningOwned},
};

/// A job to be announced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobPlan {
    /// As it stands on the wire.
    pub id: u32,
    /// `None` makes it a future job.
    pub min_ntime: Option<u32>,
    /// Before rolling.
    pub version: u32,
    /// Whether miners may roll it.
    pub version_rolling_allowed: bool,
    /// Branches of its merkle path.
    pub merkle_depth: u8,
    /// Bytes of extranonce prefix and extranonce together, for which the coinbase leaves room.
    pub extranonce_length: usize,
    /// More bytes at the end of the coinbase, in an output that pays nothing.
    pub padding: usize,
}

impl JobPlan {
    /// A future job, with room for this many bytes of extranonce.
    #[must_use]
    pub fn future(id: u32, extranonce_length: usize) -> Self {
        Self {
            id,
            min_ntime: None,
            version: 0x2000_0000,
            version_rolling_allowed: true,
            merkle_depth: 2,
            extranonce_length,
            padding: 0,
        }
    }

    /// A job on the present tip.
    #[must_use]
    pub fn immediate(id: u32, extranonce_length: usize, min_ntime: u32) -> Self {
        Self { min_ntime: Some(min_ntime), ..Self::future(id, extranonce_length) }
    }
}

/// NewExtendedMiningJob. The channel may be a group.
///
/// # Panics
/// When the plan does not fit the message.
#[must_use]
pub fn job(channel_id: u32, plan: &JobPlan) -> MiningOwned {
    job_with(channel_id, plan, |_| {})
}

/// NewExtendedMiningJob with something changed that no plan has.
///
/// # Panics
/// When the plan does not fit the message.
#[must_use]
pub fn job_with(channel_id: u32, plan: &JobPlan, change: impl FnOnce(&mut NewExtendedMiningJobOwned)) -> MiningOwned {
    let (prefix, suffix) = coinbase(plan);
    let branch =
        |level: u8| sha256d::Hash::hash(&[&[level][..], &plan.id.to_le_bytes()].concat()).to_byte_array().into();
    let mut job = NewExtendedMiningJobOwned {
        channel_id,
        job_id: plan.id,
        min_ntime: Sv2OptionOwned::new(plan.min_ntime),
        version: plan.version,
        version_rolling_allowed: plan.version_rolling_allowed,
        merkle_path: Seq0255Owned::new((0..plan.merkle_depth).map(branch).collect()).expect("a depth is below 256"),
        coinbase_tx_prefix: prefix.try_into().expect("a prefix is below 64 KiB"),
        coinbase_tx_suffix: suffix.try_into().expect("the padding fits 64 KiB"),
    };
    change(&mut job);
    MiningOwned::NewExtendedMiningJob(job)
}

/// The smallest valid coinbase around the extranonce. The job's id is in it, so that no two jobs are alike.
fn coinbase(plan: &JobPlan) -> (Vec<u8>, Vec<u8>) {
    let height = height_push(900_000);
    let tag = plan.id.to_le_bytes();
    let length = |bytes: usize| u8::try_from(bytes).expect("a coinbase script is below 253 bytes");
    let mut prefix = vec![2, 0, 0, 0, 1];
    prefix.extend([0; 32]);
    prefix.extend([0xff; 4]);
    prefix.push(length(height.len() + 1 + tag.len() + plan.extranonce_length));
    prefix.extend(height);
    prefix.push(length(tag.len()));
    prefix.extend(tag);
    let mut suffix = vec![0xff; 4];
    suffix.push(if plan.padding == 0 { 1 } else { 2 });
    suffix.extend(312_500_000_u64.to_le_bytes());
    suffix.extend([1, 0x51]); // anyone can spend
    if plan.padding > 0 {
        suffix.extend(0_u64.to_le_bytes());
        suffix.push(0xfd);
        suffix.extend(u16::try_from(plan.padding).expect("the padding is below 64 KiB").to_le_bytes());
        suffix.resize(suffix.len() + plan.padding, 0x6a);
    }
    suffix.extend([0; 4]);
    (prefix, suffix)
}

/// SetNewPrevHash on difficulty 1. The channel may be a group.
#[must_use]
pub fn tip(channel_id: u32, job_id: u32, prev_hash: [u8; 32], min_ntime: u32) -> MiningOwned {
    MiningOwned::SetNewPrevHash(SetNewPrevHashOwned {
        channel_id,
        job_id,
        prev_hash: prev_hash.into(),
        min_ntime,
        nbits: 0x1d00_ffff,
    })
}

/// SetTarget, little-endian. The channel may be a group.
#[must_use]
pub fn target(channel_id: u32, target: [u8; 32]) -> MiningOwned {
    MiningOwned::SetTarget(SetTargetOwned { channel_id, maximum_target: target.into() })
}

/// SetExtranoncePrefix.
///
/// # Panics
/// When it is longer than 32 bytes.
#[must_use]
pub fn extranonce_prefix(channel_id: u32, prefix: &[u8]) -> MiningOwned {
    let extranonce_prefix = prefix.to_vec().try_into().expect("a prefix has at most 32 bytes");
    MiningOwned::SetExtranoncePrefix(SetExtranoncePrefixOwned { channel_id, extranonce_prefix })
}

/// SetGroupChannel.
///
/// # Panics
/// When there are too many channels.
#[must_use]
pub fn group(group_channel_id: u32, channel_ids: &[u32]) -> MiningOwned {
    let channel_ids = channel_ids.to_vec().try_into().expect("a list is below 65 536");
    MiningOwned::SetGroupChannel(SetGroupChannelOwned { group_channel_id, channel_ids })
}

/// CloseChannel. The channel may be a group.
///
/// # Panics
/// When the reason is longer than 255 bytes.
#[must_use]
pub fn close(channel_id: u32, reason: &str) -> MiningOwned {
    let reason_code = reason.try_into().expect("a reason has at most 255 bytes");
    MiningOwned::CloseChannel(CloseChannelOwned { channel_id, reason_code })
}

/// SubmitShares.Success for this many shares, the last with this sequence number.
#[must_use]
pub fn accepted(channel_id: u32, last_sequence_number: u32, count: u32) -> MiningOwned {
    MiningOwned::SubmitSharesSuccess(SubmitSharesSuccessOwned {
        channel_id,
        last_sequence_number,
        new_submits_accepted_count: count,
        new_shares_sum: u64::from(count),
    })
}

/// SubmitShares.Error.
///
/// # Panics
/// When the code is longer than 255 bytes.
#[must_use]
pub fn rejected(channel_id: u32, sequence_number: u32, code: &str) -> MiningOwned {
    let error_code = code.try_into().expect("a code has at most 255 bytes");
    MiningOwned::SubmitSharesError(SubmitSharesErrorOwned { channel_id, sequence_number, error_code })
}

/// Reconnect; an empty host and port 0 mean the present ones.
///
/// # Panics
/// When the host is longer than 255 bytes.
#[must_use]
pub fn reconnect(host: &str, port: u16) -> AnyMessageOwned {
    let new_host = host.try_into().expect("a host has at most 255 bytes");
    AnyMessageOwned::Common(CommonMessagesOwned::Reconnect(ReconnectOwned { new_host, new_port: port }))
}
