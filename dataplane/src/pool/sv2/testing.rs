//! A small scripted pool for tests: a real Noise responder of the reference implementation, and messages as told.

use super::{
    limits::Limits,
    message::{Incoming, NewJob, NewTip, OpenSuccess, frame},
    transport::{ClearFrame, Frame, Reader, Writer},
};
use bitcoin::secp256k1::{Keypair, Secp256k1};
use bytes::Bytes;
use mujina_core::{
    pool::{AuthorityKey, PoolEndpoint},
    units::ShareTarget,
};
use rand_08::rngs::OsRng;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use stratum_apps::stratum_core::{
    binary_sv2::{self, Seq064K, Seq0255, Sv2Option},
    common_messages_sv2 as common, extensions_sv2 as ext, mining_sv2 as mining,
    noise_sv2::{NoiseEngine, Responder},
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    time::timeout,
};

/// Longer than anything here takes.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);
/// The channel that a scripted pool opens, and its group.
pub(super) const CHANNEL: u32 = 2;
pub(super) const GROUP: u32 = 1;

/// An authority, by a number of ours.
#[derive(Debug, Clone, Copy)]
pub(super) struct Authority {
    secret: [u8; 32],
    pub(super) key: AuthorityKey,
}

impl Authority {
    pub(super) fn new(number: u8) -> Self {
        let secret = [number; 32];
        let pair = Keypair::from_seckey_slice(&Secp256k1::new(), &secret).unwrap();
        Self { secret, key: AuthorityKey::from_bytes(pair.x_only_public_key().0.serialize()).unwrap() }
    }

    /// Reads act 1 and says what act 2 is, by a clock that is `ahead` seconds off; certificates last an hour.
    pub(super) fn answer(&self, act_1: [u8; 64], ahead: i64) -> ([u8; 234], NoiseEngine) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        let now = u32::try_from(now.checked_add_signed(ahead).unwrap()).unwrap();
        let lifetime = Duration::from_secs(3600);
        let mut responder = Responder::from_authority_kp(&self.key.to_bytes(), &self.secret, lifetime).unwrap();
        responder.step_1_with_now_rng(act_1, now, &mut OsRng).unwrap()
    }

    /// Shakes hands.
    pub(super) async fn respond<S: AsyncRead + AsyncWrite + Unpin>(&self, stream: &mut S, ahead: i64) -> NoiseEngine {
        let mut act_1 = [0; 64];
        stream.read_exact(&mut act_1).await.unwrap();
        let (act_2, engine) = self.answer(act_1, ahead);
        stream.write_all(&act_2).await.unwrap();
        engine
    }
}

/// A pool that listens.
pub(super) struct ScriptedPool {
    pub(super) authority: Authority,
    listener: TcpListener,
}

impl ScriptedPool {
    pub(super) async fn listen() -> Self {
        Self { authority: Authority::new(1), listener: TcpListener::bind("127.0.0.1:0").await.unwrap() }
    }

    pub(super) fn endpoint(&self) -> PoolEndpoint {
        let address = self.listener.local_addr().unwrap();
        format!("stratum2+tcp://{address}/{}", self.authority.key).parse().unwrap()
    }

    pub(super) async fn accept_tcp(&self) -> TcpStream {
        let (stream, _) = timeout(PATIENCE, self.listener.accept()).await.unwrap().unwrap();
        stream.set_nodelay(true).unwrap();
        stream
    }

    pub(super) async fn accept(&self) -> Line {
        let mut stream = self.accept_tcp().await;
        let engine = self.authority.respond(&mut stream, 0).await;
        let (read, write) = stream.into_split();
        let (encrypt, decrypt) = engine.into_split();
        let limits = Limits::default();
        Line { reader: Reader::new(read, decrypt, limits), writer: Writer::new(write, encrypt, limits) }
    }
}

/// The pool's end of a connection.
pub(super) struct Line {
    reader: Reader<OwnedReadHalf>,
    writer: Writer<OwnedWriteHalf>,
}

impl Line {
    pub(super) async fn say(&mut self, message: &Incoming) {
        self.say_raw(&encode(message)).await;
    }

    pub(super) async fn say_raw(&mut self, frame: &[u8]) {
        self.writer.send(frame).await.unwrap();
    }

    pub(super) async fn hear(&mut self) -> Option<Frame> {
        timeout(PATIENCE, self.reader.next()).await.expect("a frame or the end").ok()
    }

    pub(super) async fn hear_kind(&mut self, kind: u8) -> Vec<u8> {
        let frame = self.hear().await.expect("a frame");
        assert_eq!((frame.extension, frame.kind), (0, kind));
        frame.payload
    }

    pub(super) async fn set_up(&mut self) {
        self.hear_kind(common::MESSAGE_TYPE_SETUP_CONNECTION).await;
        self.say(&Incoming::SetupSuccess { used_version: 2, flags: 0 }).await;
    }

    pub(super) async fn open(&mut self, extranonce_size: u16) {
        self.hear_kind(mining::MESSAGE_TYPE_OPEN_EXTENDED_MINING_CHANNEL).await;
        self.say(&Incoming::OpenSuccess(OpenSuccess {
            request_id: 1,
            channel_id: CHANNEL,
            share_target: ShareTarget::MAX,
            extranonce_size,
            extranonce_prefix: Bytes::from_static(&[1, 2, 3, 4]),
            group_channel_id: GROUP,
        }))
        .await;
    }

    /// A future job and its tip, with a coinbase of `size` bytes.
    pub(super) async fn give_job(&mut self, job_id: u32, size: usize) {
        self.say(&Incoming::NewJob(NewJob {
            channel_id: CHANNEL,
            job_id,
            min_ntime: None,
            version: 0x2000_0000,
            version_rolling_allowed: true,
            merkle_path: vec![[5; 32]; 3],
            coinbase_tx_prefix: Bytes::from_static(&[2, 0, 0, 0, 1]),
            coinbase_tx_suffix: vec![8; size].into(),
        }))
        .await;
        let prev_hash = [7; 32];
        self.say(&Incoming::NewTip(NewTip {
            channel_id: GROUP,
            job_id,
            prev_hash,
            min_ntime: 1000,
            nbits: 0x1d00_ffff,
        }))
        .await;
    }

    /// Hears a share, and says its sequence number and extranonce.
    pub(super) async fn hear_share(&mut self) -> (u32, Vec<u8>) {
        let mut payload = self.hear_kind(mining::MESSAGE_TYPE_SUBMIT_SHARES_EXTENDED).await;
        let share: mining::SubmitSharesExtended<'_> = binary_sv2::from_bytes(&mut payload).unwrap();
        assert_eq!(share.channel_id, CHANNEL);
        (share.sequence_number, share.extranonce.as_bytes().to_vec())
    }
}

fn of_negotiation(mut frame: ClearFrame) -> ClearFrame {
    frame[0] = 1;
    frame
}

/// A message of the pool as a frame in the clear.
pub(super) fn encode(message: &Incoming) -> ClearFrame {
    let owned = |text: &String| -> binary_sv2::Str0255<'static> { text.clone().leak().as_bytes().try_into().unwrap() };
    match message {
        Incoming::SetupSuccess { used_version, flags } => {
            let message = common::SetupConnectionSuccess { used_version: *used_version, flags: *flags };
            frame(common::MESSAGE_TYPE_SETUP_CONNECTION_SUCCESS, false, message)
        }
        Incoming::SetupError { flags, code } => {
            let message = common::SetupConnectionError { flags: *flags, error_code: owned(code) };
            frame(common::MESSAGE_TYPE_SETUP_CONNECTION_ERROR, false, message)
        }
        Incoming::OpenSuccess(success) => {
            let target = success.share_target.to_le_bytes();
            let message = mining::OpenExtendedMiningChannelSuccess {
                request_id: success.request_id,
                channel_id: success.channel_id,
                target: (&target).into(),
                extranonce_size: success.extranonce_size,
                extranonce_prefix: success.extranonce_prefix.as_ref().try_into().unwrap(),
                group_channel_id: success.group_channel_id,
            };
            frame(mining::MESSAGE_TYPE_OPEN_EXTENDED_MINING_CHANNEL_SUCCESS, false, message)
        }
        Incoming::OpenError { request_id, code } => {
            let message = mining::OpenMiningChannelError { request_id: *request_id, error_code: owned(code) };
            frame(mining::MESSAGE_TYPE_OPEN_MINING_CHANNEL_ERROR, false, message)
        }
        Incoming::NewJob(job) => {
            let path = job.merkle_path.iter().map(Into::into).collect();
            let message = mining::NewExtendedMiningJob {
                channel_id: job.channel_id,
                job_id: job.job_id,
                min_ntime: Sv2Option::new(job.min_ntime),
                version: job.version,
                version_rolling_allowed: job.version_rolling_allowed,
                merkle_path: Seq0255::new(path).unwrap(),
                coinbase_tx_prefix: job.coinbase_tx_prefix.as_ref().try_into().unwrap(),
                coinbase_tx_suffix: job.coinbase_tx_suffix.as_ref().try_into().unwrap(),
            };
            frame(mining::MESSAGE_TYPE_NEW_EXTENDED_MINING_JOB, true, message)
        }
        Incoming::NewTip(tip) => {
            let message = mining::SetNewPrevHash {
                channel_id: tip.channel_id,
                job_id: tip.job_id,
                prev_hash: (&tip.prev_hash).into(),
                min_ntime: tip.min_ntime,
                nbits: tip.nbits,
            };
            frame(mining::MESSAGE_TYPE_MINING_SET_NEW_PREV_HASH, true, message)
        }
        Incoming::SetTarget { channel_id, share_target } => {
            let target = share_target.to_le_bytes();
            let message = mining::SetTarget { channel_id: *channel_id, maximum_target: (&target).into() };
            frame(mining::MESSAGE_TYPE_SET_TARGET, true, message)
        }
        Incoming::SetExtranoncePrefix { channel_id, prefix } => {
            let extranonce_prefix = prefix.as_ref().try_into().unwrap();
            let message = mining::SetExtranoncePrefix { channel_id: *channel_id, extranonce_prefix };
            frame(mining::MESSAGE_TYPE_SET_EXTRANONCE_PREFIX, true, message)
        }
        Incoming::SetGroupChannel { group_channel_id, channel_ids } => {
            let channel_ids = Seq064K::new(channel_ids.clone()).unwrap();
            let message = mining::SetGroupChannel { group_channel_id: *group_channel_id, channel_ids };
            frame(mining::MESSAGE_TYPE_SET_GROUP_CHANNEL, false, message)
        }
        Incoming::SharesAccepted { channel_id, last_sequence_number, count, shares_sum } => {
            let message = mining::SubmitSharesSuccess {
                channel_id: *channel_id,
                last_sequence_number: *last_sequence_number,
                new_submits_accepted_count: *count,
                new_shares_sum: *shares_sum,
            };
            frame(mining::MESSAGE_TYPE_SUBMIT_SHARES_SUCCESS, true, message)
        }
        Incoming::ShareRefused { channel_id, sequence_number, code } => {
            let (channel_id, sequence_number) = (*channel_id, *sequence_number);
            let message = mining::SubmitSharesError { channel_id, sequence_number, error_code: owned(code) };
            frame(mining::MESSAGE_TYPE_SUBMIT_SHARES_ERROR, true, message)
        }
        Incoming::UpdateRefused { channel_id, code } => {
            let message = mining::UpdateChannelError { channel_id: *channel_id, error_code: owned(code) };
            frame(mining::MESSAGE_TYPE_UPDATE_CHANNEL_ERROR, true, message)
        }
        Incoming::CloseChannel { channel_id, reason } => {
            let message = mining::CloseChannel { channel_id: *channel_id, reason_code: owned(reason) };
            frame(mining::MESSAGE_TYPE_CLOSE_CHANNEL, true, message)
        }
        Incoming::Reconnect { host, port } => {
            let message = common::Reconnect { new_host: owned(host), new_port: *port };
            frame(common::MESSAGE_TYPE_RECONNECT, false, message)
        }
        Incoming::EndpointChanged { channel_id } => {
            let message = common::ChannelEndpointChanged { channel_id: *channel_id };
            frame(common::MESSAGE_TYPE_CHANNEL_ENDPOINT_CHANGED, true, message)
        }
        Incoming::ExtensionsGranted { request_id, extensions } => {
            let supported_extensions = Seq064K::new(extensions.clone()).unwrap();
            let message = ext::RequestExtensionsSuccess { request_id: *request_id, supported_extensions };
            frame(ext::MESSAGE_TYPE_REQUEST_EXTENSIONS_SUCCESS, false, message).map(of_negotiation)
        }
        Incoming::ExtensionsRefused { request_id, required } => {
            let message = ext::RequestExtensionsError {
                request_id: *request_id,
                unsupported_extensions: Seq064K::new(Vec::new()).unwrap(),
                required_extensions: Seq064K::new(required.clone()).unwrap(),
            };
            frame(ext::MESSAGE_TYPE_REQUEST_EXTENSIONS_ERROR, false, message).map(of_negotiation)
        }
        Incoming::Ignored { extension, kind } => {
            let [low, high] = extension.to_le_bytes();
            Ok(ClearFrame::from_slice(&[low, high, *kind, 0, 0, 0]))
        }
    }
    .unwrap()
}
