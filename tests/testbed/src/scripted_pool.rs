//! An SV2 pool that does what a test tells it, illegal things included, and says what it was told.
//!
//! It has no task of its own: a connection waits in the listener until the test asks for it, and the pool is mute at any
//! step at which the test is.

pub mod message;
mod verifier;

pub use message::JobPlan;
pub use verifier::{Verifier, Violation};

use crate::{
    PATIENCE,
    arrival::Arrivals,
    sv2_wire::{Authority, Certificate, Frame, Peer, WireError, accept},
};
use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    os::fd::AsFd,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};
use stratum_apps::stratum_core::{
    common_messages_sv2::{SetupConnectionErrorOwned, SetupConnectionOwned, SetupConnectionSuccessOwned},
    mining_sv2::{
        OpenExtendedMiningChannelOwned, OpenExtendedMiningChannelSuccessOwned, OpenMiningChannelErrorOwned,
        SubmitSharesExtendedOwned, UpdateChannelOwned,
    },
    parsers_sv2::{AnyMessageOwned, CommonMessagesOwned, MiningOwned},
};
use tokio::{
    net::{TcpListener, TcpStream},
    time::timeout,
};

/// One hash in 4096 is a share; little-endian.
pub const EASY_TARGET: [u8; 32] = {
    let mut target = [0xff; 32];
    target[31] = 0;
    target[30] = 0x0f;
    target
};

/// How it introduces itself.
#[derive(Clone, Debug)]
pub struct ScriptedOptions {
    /// Signs its certificate.
    pub authority: Authority,
    /// Stands in its URL. Another one than `authority` makes an impostor of it.
    pub advertised: Authority,
    /// When its certificate is valid.
    pub certificate: Certificate,
    /// Bits that miners may roll.
    pub version_mask: u32,
}

impl Default for ScriptedOptions {
    fn default() -> Self {
        Self {
            authority: Authority::usual(),
            advertised: Authority::usual(),
            certificate: Certificate::VALID,
            version_mask: 0x1fff_e000,
        }
    }
}

/// The channel it gives.
#[derive(Clone, Debug)]
pub struct ChannelPlan {
    /// Own id.
    pub id: u32,
    /// Group's id.
    pub group: u32,
    /// Fixed bytes before the miner's.
    pub extranonce_prefix: Vec<u8>,
    /// Bytes of the miner.
    pub extranonce_size: u16,
    /// Little-endian.
    pub target: [u8; 32],
}

impl Default for ChannelPlan {
    fn default() -> Self {
        Self {
            id: 2,
            group: 1,
            extranonce_prefix: vec![0xa0, 0xa1, 0xa2, 0xa3],
            extranonce_size: 8,
            target: EASY_TARGET,
        }
    }
}

impl ChannelPlan {
    /// Bytes of prefix and extranonce, for [`JobPlan`].
    #[must_use]
    pub fn extranonce_length(&self) -> usize {
        self.extranonce_prefix.len() + usize::from(self.extranonce_size)
    }
}

/// A pool under a test's control.
pub struct ScriptedPool {
    listener: TcpListener,
    address: SocketAddr,
    options: ScriptedOptions,
    verifier: Arc<Mutex<Verifier>>,
}

impl ScriptedPool {
    /// Listens on a free loopback port.
    ///
    /// # Errors
    /// When no port can be had.
    pub async fn start(options: ScriptedOptions) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let verifier = Arc::new(Mutex::new(Verifier::new(options.version_mask)));
        Ok(Self { listener, address, options, verifier })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What a miner is configured with.
    #[must_use]
    pub fn url(&self) -> String {
        format!("stratum2+tcp://{}/{}", self.address, self.options.advertised.key())
    }

    /// The options, to be changed for the connections to come.
    pub fn options(&mut self) -> &mut ScriptedOptions {
        &mut self.options
    }

    /// The next connection, to which nothing is said. Drop it, or keep it and stay mute.
    ///
    /// # Errors
    /// [`WireError::Late`] when none comes.
    pub async fn mute(&self) -> Result<TcpStream, WireError> {
        let late = |_| WireError::Late { waited_for: "connection".into(), seen: "nothing".into() };
        Ok(timeout(PATIENCE, self.listener.accept()).await.map_err(late)??.0)
    }

    /// The next connection after its handshake. A miner that does not believe the certificate leaves only then:
    /// [`Peer::ended`].
    ///
    /// # Errors
    /// When none comes or it sends no first act.
    pub async fn session(&self) -> Result<Session, WireError> {
        let stream = self.mute().await?;
        self.verifier().reconnected();
        let arrivals = Arrivals::of(stream.as_fd().try_clone_to_owned()?)?;
        let halves = accept(stream, &self.options.authority, self.options.certificate).await?;
        let (verifier, channel) = (Arc::clone(&self.verifier), ChannelPlan::default());
        Ok(Session { peer: Peer::new(halves), arrivals, verifier, channel })
    }

    /// Whether nobody connects for this long.
    ///
    /// # Cancel safety
    /// Safe.
    pub async fn is_left_alone_for(&self, time: Duration) -> bool {
        timeout(time, self.listener.accept()).await.is_err()
    }

    fn verifier(&self) -> std::sync::MutexGuard<'_, Verifier> {
        self.verifier.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One connection of a miner, from the pool's side. Ends with an orderly close when dropped.
pub struct Session {
    peer: Peer,
    arrivals: Arrivals,
    verifier: Arc<Mutex<Verifier>>,
    channel: ChannelPlan,
}

impl Session {
    /// What it can do as any peer: wait for any message, send any frame or byte.
    pub fn peer(&mut self) -> &mut Peer {
        &mut self.peer
    }

    /// When what the miner sends arrives.
    #[must_use]
    pub fn arrivals(&self) -> &Arrivals {
        &self.arrivals
    }

    /// The channel that was given.
    #[must_use]
    pub fn channel(&self) -> &ChannelPlan {
        &self.channel
    }

    /// Says it, and remembers it for the judgement of shares.
    ///
    /// # Errors
    /// When the connection is gone.
    pub async fn send(&mut self, message: MiningOwned) -> Result<(), WireError> {
        self.verifier().sent(&message, Instant::now());
        self.peer.send(AnyMessageOwned::Mining(message)).await
    }

    /// Says it in a frame of the test's making, and remembers it as [`Session::send`] does.
    ///
    /// # Errors
    /// When the connection is gone.
    pub async fn send_as(&mut self, message: MiningOwned, frame: Frame) -> Result<(), WireError> {
        self.verifier().sent(&message, Instant::now());
        self.send_frame(frame).await
    }

    /// Sends a frame that need not be legal. Shares are not judged by it.
    ///
    /// # Errors
    /// When the connection is gone.
    pub async fn send_frame(&mut self, frame: Frame) -> Result<(), WireError> {
        self.peer.writer().send(frame).await
    }

    /// Waits for SetupConnection.
    ///
    /// # Errors
    /// When it does not come.
    pub async fn expect_setup(&mut self) -> Result<SetupConnectionOwned, WireError> {
        let setup = |message: &CommonMessagesOwned| match message {
            CommonMessagesOwned::SetupConnection(setup) => Some(setup.clone()),
            _ => None,
        };
        self.peer.expect_common("SetupConnection", setup).await
    }

    /// Agrees to the set-up, with the pool's flags.
    ///
    /// # Errors
    /// When the connection is gone.
    pub async fn agree(&mut self, flags: u32) -> Result<(), WireError> {
        let success = SetupConnectionSuccessOwned { used_version: 2, flags };
        self.peer.send(AnyMessageOwned::Common(CommonMessagesOwned::SetupConnectionSuccess(success))).await
    }

    /// Refuses the set-up.
    ///
    /// # Errors
    /// When the connection is gone.
    pub async fn refuse(&mut self, flags: u32, code: &str) -> Result<(), WireError> {
        let error = SetupConnectionErrorOwned { flags, error_code: code.try_into().map_err(WireError::codec)? };
        self.peer.send(AnyMessageOwned::Common(CommonMessagesOwned::SetupConnectionError(error))).await
    }

    /// Waits for OpenExtendedMiningChannel.
    ///
    /// # Errors
    /// When it does not come.
    pub async fn expect_open(&mut self) -> Result<OpenExtendedMiningChannelOwned, WireError> {
        let open = |message: &MiningOwned| match message {
            MiningOwned::OpenExtendedMiningChannel(open) => Some(open.clone()),
            _ => None,
        };
        self.peer.expect_mining("OpenExtendedMiningChannel", open).await
    }

    /// Gives a channel for this request.
    ///
    /// # Errors
    /// When the connection is gone.
    pub async fn open(&mut self, request_id: u32, channel: &ChannelPlan) -> Result<(), WireError> {
        self.channel = channel.clone();
        let success = OpenExtendedMiningChannelSuccessOwned {
            request_id,
            channel_id: channel.id,
            target: channel.target.into(),
            extranonce_size: channel.extranonce_size,
            extranonce_prefix: channel.extranonce_prefix.clone().try_into().map_err(WireError::codec)?,
            group_channel_id: channel.group,
        };
        self.send(MiningOwned::OpenExtendedMiningChannelSuccess(success)).await
    }

    /// Gives no channel.
    ///
    /// # Errors
    /// When the connection is gone.
    pub async fn refuse_open(&mut self, request_id: u32, code: &str) -> Result<(), WireError> {
        let error_code = code.try_into().map_err(WireError::codec)?;
        self.send(MiningOwned::OpenMiningChannelError(OpenMiningChannelErrorOwned { request_id, error_code })).await
    }

    /// From set-up to the first job, number 1, as a well-behaved pool. What the miner asked for is returned.
    ///
    /// # Errors
    /// When the miner does not follow.
    pub async fn bring_up(
        &mut self,
        channel: &ChannelPlan,
    ) -> Result<(SetupConnectionOwned, OpenExtendedMiningChannelOwned), WireError> {
        let setup = self.expect_setup().await?;
        self.agree(0).await?;
        let open = self.expect_open().await?;
        self.open(open.request_id, channel).await?;
        self.send(message::job(channel.id, &JobPlan::future(1, channel.extranonce_length()))).await?;
        self.send(message::tip(channel.id, 1, [0x11; 32], now())).await?;
        Ok((setup, open))
    }

    /// Waits for a share.
    ///
    /// # Errors
    /// When none comes.
    pub async fn expect_share(&mut self) -> Result<SubmitSharesExtendedOwned, WireError> {
        let share = |message: &MiningOwned| match message {
            MiningOwned::SubmitSharesExtended(share) => Some(share.clone()),
            _ => None,
        };
        self.peer.expect_mining("SubmitSharesExtended", share).await
    }

    /// Waits for a share of this job and passes over those of others, judging each.
    ///
    /// # Errors
    /// When none comes.
    pub async fn expect_share_of(
        &mut self,
        job_id: u32,
    ) -> Result<(SubmitSharesExtendedOwned, Result<[u8; 32], Violation>), WireError> {
        let give_up = tokio::time::Instant::now() + PATIENCE;
        while tokio::time::Instant::now() < give_up {
            let share = self.expect_share().await?;
            let verdict = self.judge(&share);
            if share.job_id == job_id {
                return Ok((share, verdict));
            }
        }
        Err(WireError::Late { waited_for: format!("share of job {job_id}"), seen: "shares of other jobs".into() })
    }

    /// Waits for this many shares, acknowledges each and returns them.
    ///
    /// # Errors
    /// When they do not come.
    ///
    /// # Panics
    /// When one of them is not as it must be.
    pub async fn accept_shares(&mut self, count: usize) -> Result<Vec<SubmitSharesExtendedOwned>, WireError> {
        let mut shares = Vec::with_capacity(count);
        while shares.len() < count {
            let share = self.expect_share().await?;
            if let Err(violation) = self.judge(&share) {
                panic!("{violation}: {share}");
            }
            self.accept(&share).await?;
            shares.push(share);
        }
        Ok(shares)
    }

    /// Waits for UpdateChannel.
    ///
    /// # Errors
    /// When it does not come.
    pub async fn expect_update(&mut self) -> Result<UpdateChannelOwned, WireError> {
        let update = |message: &MiningOwned| match message {
            MiningOwned::UpdateChannel(update) => Some(update.clone()),
            _ => None,
        };
        self.peer.expect_mining("UpdateChannel", update).await
    }

    /// Judges a share by what was sent on this connection. Each share once: the second time it is a repetition.
    ///
    /// # Errors
    /// With what is wrong with it.
    pub fn judge(&self, share: &SubmitSharesExtendedOwned) -> Result<[u8; 32], Violation> {
        self.verifier().verify(share, Instant::now())
    }

    /// Acknowledges one share.
    ///
    /// # Errors
    /// When the connection is gone.
    pub async fn accept(&mut self, share: &SubmitSharesExtendedOwned) -> Result<(), WireError> {
        self.send(message::accepted(share.channel_id, share.sequence_number, 1)).await
    }

    /// Refuses one share.
    ///
    /// # Errors
    /// When the connection is gone.
    pub async fn reject(&mut self, share: &SubmitSharesExtendedOwned, code: &str) -> Result<(), WireError> {
        self.send(message::rejected(share.channel_id, share.sequence_number, code)).await
    }

    /// Ends the connection with a reset.
    ///
    /// # Errors
    /// When it is gone already.
    pub fn reset(self) -> Result<(), WireError> {
        self.peer.reset()
    }

    fn verifier(&self) -> std::sync::MutexGuard<'_, Verifier> {
        self.verifier.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Seconds since 1970.
///
/// # Panics
/// Before then and after 2106.
#[must_use]
pub fn now() -> u32 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("the clock is past 1970");
    u32::try_from(since.as_secs()).expect("the clock is before 2106")
}

#[cfg(test)]
mod tests;
