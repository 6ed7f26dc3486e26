//! A small scripted pool for tests: lines as told, in clear or in TLS, and the certificates for that.

use super::limits::Limits;
use mujina_core::pool::{PoolEndpoint, SpkiPin};
use rcgen::{CertificateParams, CertifiedIssuer, DistinguishedName, DnType, IsCa, KeyPair, PublicKeyData};
use rustls::{
    RootCertStore, ServerConfig,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer},
};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::{sync::Arc, time::Duration};
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader, Lines, ReadHalf, WriteHalf, split},
    net::{TcpListener, TcpStream},
    time::timeout,
};
use tokio_rustls::TlsAcceptor;

/// Longer than anything here takes.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);

/// A key with a certificate, signed by an authority of its own.
pub(super) struct TlsIdentity {
    certificate: CertificateDer<'static>,
    key: KeyPair,
    authority: CertificateDer<'static>,
}

impl TlsIdentity {
    /// For `localhost` and 127.0.0.1, between two times in Unix seconds.
    pub(super) fn valid_from(not_before: i64, not_after: i64) -> Self {
        let mut authority = CertificateParams::new(Vec::new()).unwrap();
        authority.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        authority.distinguished_name = DistinguishedName::new();
        authority.distinguished_name.push(DnType::CommonName, "an authority");
        let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
        let mut params = CertificateParams::new(vec!["localhost".into(), "127.0.0.1".into()]).unwrap();
        let at = |seconds| rcgen::date_time_ymd(1970, 1, 1) + Duration::from_secs(u64::try_from(seconds).unwrap());
        (params.not_before, params.not_after) = (at(not_before), at(not_after));
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &authority).unwrap();
        Self { certificate: certificate.der().clone(), key, authority: authority.der().clone() }
    }

    /// Good for the next centuries.
    pub(super) fn good() -> Self {
        Self::valid_from(1_700_000_000, 9_000_000_000)
    }

    pub(super) fn certificate(&self) -> &[u8] {
        &self.certificate
    }

    pub(super) fn public_key(&self) -> Vec<u8> {
        self.key.subject_public_key_info()
    }

    pub(super) fn pin(&self) -> SpkiPin {
        SpkiPin::from_bytes(Sha256::digest(self.public_key()).into())
    }

    /// What to trust to trust it.
    pub(super) fn roots(&self) -> Arc<RootCertStore> {
        let mut roots = RootCertStore::empty();
        roots.add(self.authority.clone()).unwrap();
        Arc::new(roots)
    }

    pub(super) fn acceptor(&self, versions: &[&'static rustls::SupportedProtocolVersion]) -> TlsAcceptor {
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(self.key.serialize_der()));
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(versions)
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![self.certificate.clone()], key)
            .unwrap();
        TlsAcceptor::from(Arc::new(config))
    }
}

/// A pool that listens.
pub(super) struct ScriptedPool {
    pub(super) listener: TcpListener,
    tls: Option<TlsAcceptor>,
}

impl ScriptedPool {
    pub(super) async fn in_clear() -> Self {
        Self { listener: TcpListener::bind("127.0.0.1:0").await.unwrap(), tls: None }
    }

    pub(super) async fn in_tls(identity: &TlsIdentity) -> Self {
        let tls = identity.acceptor(&[&rustls::version::TLS13, &rustls::version::TLS12]);
        Self { tls: Some(tls), ..Self::in_clear().await }
    }

    pub(super) fn endpoint(&self, scheme: &str, tail: &str) -> PoolEndpoint {
        let address = self.listener.local_addr().unwrap();
        format!("{scheme}://{address}{tail}").parse().unwrap()
    }

    pub(super) async fn accept_tcp(&self) -> TcpStream {
        let (stream, _) = timeout(PATIENCE, self.listener.accept()).await.unwrap().unwrap();
        stream.set_nodelay(true).unwrap();
        stream
    }

    pub(super) async fn accept(&self) -> PoolLine {
        let stream = self.accept_tcp().await;
        match &self.tls {
            None => PoolLine::new(stream),
            Some(tls) => PoolLine::new(timeout(PATIENCE, tls.accept(stream)).await.unwrap().unwrap()),
        }
    }
}

/// What a line goes over.
pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// The pool's end of a connection.
pub(super) struct PoolLine {
    lines: Lines<BufReader<ReadHalf<Box<dyn Stream>>>>,
    write: WriteHalf<Box<dyn Stream>>,
}

impl PoolLine {
    fn new(stream: impl Stream + 'static) -> Self {
        let (read, write) = split(Box::new(stream) as Box<dyn Stream>);
        Self { lines: BufReader::new(read).lines(), write }
    }

    pub(super) async fn say(&mut self, message: &Value) {
        self.say_raw(format!("{message}\n").as_bytes()).await;
    }

    pub(super) async fn say_raw(&mut self, bytes: &[u8]) {
        self.write.write_all(bytes).await.unwrap();
        self.write.flush().await.unwrap();
    }

    /// The next message, or the end.
    pub(super) async fn hear(&mut self) -> Option<Value> {
        let line = timeout(PATIENCE, self.lines.next_line()).await.expect("a line or the end");
        line.ok().flatten().map(|line| serde_json::from_str(&line).unwrap())
    }

    /// The next message, which is this request; its id and parameters.
    pub(super) async fn hear_request(&mut self, method: &str) -> (Value, Value) {
        let message = self.hear().await.expect("a line");
        assert_eq!(message["method"], method, "{message}");
        (message["id"].clone(), message["params"].clone())
    }

    /// Answers what a miner says first, with 4 bytes of extranonce1 and `size` of extranonce2.
    pub(super) async fn set_up(&mut self, size: u8) {
        let (configure, _) = self.hear_request("mining.configure").await;
        let (subscribe, _) = self.hear_request("mining.subscribe").await;
        let (authorize, _) = self.hear_request("mining.authorize").await;
        let mask = json!({"version-rolling": true, "version-rolling.mask": "1fffe000"});
        self.say(&json!({"id": configure, "result": mask, "error": null})).await;
        self.say(&json!({"id": subscribe, "result": [[], "01020304", size], "error": null})).await;
        self.say(&json!({"id": authorize, "result": true, "error": null})).await;
    }

    /// A difficulty that every hash meets, and a job.
    pub(super) async fn give_job(&mut self, job_id: &str) {
        self.say(&json!({"id": null, "method": "mining.set_difficulty", "params": [1e-9]})).await;
        self.say(&notify(job_id, true)).await;
    }
}

/// A job on an invented tip.
pub(super) fn notify(job_id: &str, clean_jobs: bool) -> Value {
    let branches = ["05".repeat(32), "06".repeat(32)];
    let (prefix, suffix) = ("02000000ff".repeat(4), "ffffffff".repeat(4));
    let params =
        json!([job_id, "07".repeat(32), prefix, suffix, branches, "20000000", "1d00ffff", "6553f100", clean_jobs]);
    json!({"id": null, "method": "mining.notify", "params": params})
}

/// Deadlines that a test can wait for.
pub(super) fn impatient() -> Limits {
    let short = Duration::from_millis(300);
    Limits { tls: short, setup: short, first_job: short, bring_up: PATIENCE, ..Limits::default() }
}
