//! A raw SV2 miner: it says what it is told to say and hashes in the caller's task. It shows what a pool really answers,
//! with nothing of the data plane between.

use crate::{
    header::{HeaderParts, meets},
    sv2_wire::{Peer, WireError, connect},
};
use std::net::SocketAddr;
use stratum_apps::stratum_core::{
    binary_sv2::U256Owned,
    common_messages_sv2::{Protocol, SetupConnectionOwned, SetupConnectionSuccessOwned},
    mining_sv2::{
        NewExtendedMiningJobOwned, OpenExtendedMiningChannelOwned, OpenExtendedMiningChannelSuccessOwned,
        SetNewPrevHashOwned, SubmitSharesErrorOwned, SubmitSharesExtendedOwned, SubmitSharesSuccessOwned,
    },
    parsers_sv2::{AnyMessageOwned, CommonMessagesOwned, MiningOwned},
};
use tokio::net::TcpStream;

/// A connection to a pool.
pub struct Sv2Client {
    peer: Peer,
    address: SocketAddr,
}

/// What a share is mined with.
#[derive(Clone, Debug)]
pub struct Work {
    /// The channel.
    pub channel: OpenExtendedMiningChannelSuccessOwned,
    /// The job.
    pub job: NewExtendedMiningJobOwned,
    /// Its tip.
    pub tip: SetNewPrevHashOwned,
}

impl Work {
    /// Searches nonces from `from` on for a share; its sequence number is to be set. Different extranonces give different
    /// shares.
    ///
    /// # Panics
    /// When no nonce is a share.
    #[must_use]
    pub fn mine(&self, extranonce: &[u8], from: u32) -> SubmitSharesExtendedOwned {
        let target = self.channel.target.to_array();
        let header = self.parts(extranonce, &self.path()).header();
        let nonce = (from..=u32::MAX).find(|nonce| meets(&header.hash(*nonce), &target));
        self.share(extranonce, nonce.expect("a target for tests is easy"))
    }

    /// A share of this nonce, whether it meets the target or not.
    ///
    /// # Panics
    /// When the extranonce is longer than 32 bytes.
    #[must_use]
    pub fn share(&self, extranonce: &[u8], nonce: u32) -> SubmitSharesExtendedOwned {
        SubmitSharesExtendedOwned {
            channel_id: self.channel.channel_id,
            sequence_number: 0,
            job_id: self.job.job_id,
            nonce,
            ntime: self.tip.min_ntime,
            version: self.job.version,
            extranonce: extranonce.to_vec().try_into().expect("an extranonce has at most 32 bytes"),
        }
    }

    fn path(&self) -> Vec<[u8; 32]> {
        self.job.merkle_path.as_slice().iter().map(U256Owned::to_array).collect()
    }

    fn parts<'a>(&'a self, extranonce: &'a [u8], merkle_path: &'a [[u8; 32]]) -> HeaderParts<'a> {
        HeaderParts {
            version: self.job.version,
            prev_hash: self.tip.prev_hash.to_array(),
            coinbase: [
                self.job.coinbase_tx_prefix.as_bytes(),
                self.channel.extranonce_prefix.as_bytes(),
                extranonce,
                self.job.coinbase_tx_suffix.as_bytes(),
            ],
            merkle_path,
            ntime: self.tip.min_ntime,
            nbits: self.tip.nbits,
        }
    }
}

impl Sv2Client {
    /// Connects and shakes hands.
    ///
    /// # Errors
    /// When there is no pool, or its certificate is not good.
    pub async fn connect(address: SocketAddr, authority_key: [u8; 32]) -> Result<Self, WireError> {
        let stream = TcpStream::connect(address).await?;
        Ok(Self { peer: Peer::new(connect(stream, authority_key).await?), address })
    }

    /// What it can do as any peer.
    pub fn peer(&mut self) -> &mut Peer {
        &mut self.peer
    }

    /// Sends SetupConnection for mining and waits for success.
    ///
    /// # Errors
    /// When the pool does not agree.
    pub async fn set_up(&mut self, flags: u32) -> Result<SetupConnectionSuccessOwned, WireError> {
        let setup = SetupConnectionOwned {
            protocol: Protocol::MiningProtocol,
            min_version: 2,
            max_version: 2,
            flags,
            endpoint_host: self.address.ip().to_string().try_into().map_err(WireError::codec)?,
            endpoint_port: self.address.port(),
            vendor: "testbed".try_into().map_err(WireError::codec)?,
            hardware_version: "raw".try_into().map_err(WireError::codec)?,
            firmware: "1".try_into().map_err(WireError::codec)?,
            device_id: "".try_into().map_err(WireError::codec)?,
        };
        self.peer.send(AnyMessageOwned::Common(CommonMessagesOwned::SetupConnection(setup))).await?;
        let success = |message: &CommonMessagesOwned| match message {
            CommonMessagesOwned::SetupConnectionSuccess(success) => Some(*success),
            _ => None,
        };
        self.peer.expect_common("SetupConnection.Success", success).await
    }

    /// Opens an extended channel and waits for success.
    ///
    /// # Errors
    /// When the pool does not agree.
    pub async fn open(
        &mut self,
        user: &str,
        hash_rate: f32,
        extranonce_size: u16,
    ) -> Result<OpenExtendedMiningChannelSuccessOwned, WireError> {
        let open = OpenExtendedMiningChannelOwned {
            request_id: 7,
            user_identity: user.try_into().map_err(WireError::codec)?,
            nominal_hash_rate: hash_rate,
            max_target: [0xff; 32].into(),
            min_extranonce_size: extranonce_size,
        };
        self.peer.send(AnyMessageOwned::Mining(MiningOwned::OpenExtendedMiningChannel(open))).await?;
        let success = |message: &MiningOwned| match message {
            MiningOwned::OpenExtendedMiningChannelSuccess(success) => Some(success.clone()),
            _ => None,
        };
        self.peer.expect_mining("OpenExtendedMiningChannel.Success", success).await
    }

    /// Waits for the next tip and finds its job.
    ///
    /// # Errors
    /// When either does not come.
    pub async fn work(&mut self, channel: &OpenExtendedMiningChannelSuccessOwned) -> Result<Work, WireError> {
        let tip = |message: &MiningOwned| match message {
            MiningOwned::SetNewPrevHash(tip) => Some(tip.clone()),
            _ => None,
        };
        let tip = self.peer.expect_mining("SetNewPrevHash", tip).await?;
        let job = |message: &MiningOwned| match message {
            MiningOwned::NewExtendedMiningJob(job) if job.job_id == tip.job_id => Some(job.clone()),
            _ => None,
        };
        let job = self.peer.expect_mining("NewExtendedMiningJob", job).await?;
        Ok(Work { channel: channel.clone(), job, tip })
    }

    /// Submits a share under this sequence number.
    ///
    /// # Errors
    /// When the connection is gone.
    pub async fn submit(&mut self, share: SubmitSharesExtendedOwned, sequence_number: u32) -> Result<(), WireError> {
        let share = SubmitSharesExtendedOwned { sequence_number, ..share };
        self.peer.send(AnyMessageOwned::Mining(MiningOwned::SubmitSharesExtended(share))).await
    }

    /// Waits for the next verdict.
    ///
    /// # Errors
    /// When none comes.
    pub async fn verdict(&mut self) -> Result<Result<SubmitSharesSuccessOwned, SubmitSharesErrorOwned>, WireError> {
        let verdict = |message: &MiningOwned| match message {
            MiningOwned::SubmitSharesSuccess(success) => Some(Ok(success.clone())),
            MiningOwned::SubmitSharesError(error) => Some(Err(error.clone())),
            _ => None,
        };
        self.peer.expect_mining("a verdict", verdict).await
    }
}
