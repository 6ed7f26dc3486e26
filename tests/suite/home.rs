//! A miner that enrols and calls home, and what it does when its control plane goes away, comes back, or wants it no more.

use crate::rig::totals;
use mujina_control::{TlsConfig, setup::Setup};
use mujina_dataplane::home::{EnrolError, EnrolRequest, Enrolled, Progress, enrol, leave};
use mujina_proto::{
    control::v1::{self, enrollment_service_client::EnrollmentServiceClient},
    dataplane::v1::{GetMinerRequest, miner_service_client::MinerServiceClient},
    dial::Client,
    types::v1::MinerStatus,
};
use mujina_testbed::{
    PATIENCE,
    log_watcher::LogWatcher,
    sv2_pool::{PoolOptions, Sv2Pool},
    world::{HostedControl, HostedMiner, Telling, miner_config},
};
use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};
use tempfile::TempDir;
use tokio::{sync::mpsc, time::timeout};
use tonic::Request;

/// Where miners find it.
const NAME: &str = "localhost";
/// Lines of a miner about its way home.
const HOME: &str = "mujina_dataplane::home";

/// A control plane that was set up for a fleet, and what a miner keeps.
struct Fleet {
    control: HostedControl,
    log: LogWatcher,
    folder: TempDir,
}

impl Fleet {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let setup = Setup {
            state_dir: folder.path().join("control"),
            listen: anywhere(),
            names: vec![NAME.into()],
            admin: "admin".parse().unwrap(),
        };
        setup.run(SystemTime::now()).await.unwrap();
        let log = LogWatcher::new("control");
        let control = start_control(folder.path(), anywhere(), &log).await;
        Self { control, log, folder }
    }

    fn url(&self) -> String {
        format!("https://{NAME}:{}", self.control.tls.unwrap().port())
    }

    fn miner_dir(&self) -> PathBuf {
        self.folder.path().join("miner")
    }

    fn enrolments(&self) -> EnrollmentServiceClient<Client> {
        EnrollmentServiceClient::new(self.control.clients.channel())
    }

    async fn token(&self, needs_approval: bool) -> String {
        let request = v1::CreateEnrollTokenRequest { uses: 2, needs_approval, ..Default::default() };
        self.enrolments().create_enroll_token(request).await.unwrap().into_inner().text
    }

    async fn enrol(&self) -> Result<Enrolled, EnrolError> {
        self.enrol_with(self.token(false).await, |_| {}).await
    }

    async fn enrol_with(&self, token: String, edit: impl FnOnce(&mut EnrolRequest)) -> Result<Enrolled, EnrolError> {
        let mut request = EnrolRequest::new(self.miner_dir(), self.url(), token);
        request.name = Some("rig1".into());
        edit(&mut request);
        timeout(PATIENCE, enrol(request)).await.expect("an enrolment ends")
    }

    async fn miner(&self, pool_url: &str, log: &LogWatcher) -> HostedMiner {
        let config = miner_config(&self.miner_dir(), Some(pool_url), 1);
        HostedMiner::start(config, &Telling::default(), Some(log)).await.unwrap()
    }

    /// Stops it and starts it again, where miners know it to be.
    async fn restart(self) -> Self {
        let Self { control, log, folder } = self;
        let address = control.tls.unwrap();
        control.stop().await.unwrap();
        let control = start_control(folder.path(), address, &log).await;
        Self { control, log, folder }
    }

    async fn until_connected(&self) {
        let connected = v1::MinerReachability::Connected;
        let is_there = |miner: &v1::Miner| miner.reachability() == connected && miner.status.is_some();
        self.control.clients.wait_for_known("rig1", is_there).await.unwrap();
    }

    async fn relayed_status(&self) -> MinerStatus {
        let mut request = Request::new(GetMinerRequest {});
        request.metadata_mut().insert("mujina-miner", "rig1".parse().unwrap());
        let answer = MinerServiceClient::new(self.control.clients.channel()).get_miner(request).await.unwrap();
        answer.into_inner().miner.unwrap()
    }

    async fn finish(self) {
        self.control.stop().await.unwrap();
        self.log.finish();
    }
}

fn anywhere() -> SocketAddr {
    "127.0.0.1:0".parse().unwrap()
}

async fn start_control(folder: &Path, listen: SocketAddr, log: &LogWatcher) -> HostedControl {
    let mut config = mujina_control::Config::new(folder.join("control"));
    config.tls = Some(TlsConfig { listen, names: vec![NAME.into()] });
    HostedControl::start(config, &Telling::default(), Some(log)).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn miner_calls_home_comes_back_after_a_restart_and_mines_on_when_it_is_revoked() {
    let mut pool = Sv2Pool::start(PoolOptions { shares_per_minute: 600.0, ..PoolOptions::default() }).await.unwrap();
    let fleet = Fleet::start().await;
    let enrolled = fleet.enrol().await.unwrap();
    assert_eq!((enrolled.name.as_str(), enrolled.url.to_string()), ("rig1", fleet.url()));
    let log = LogWatcher::new("miner");
    let miner = fleet.miner(&pool.url(), &log).await;
    fleet.until_connected().await;
    let relayed = fleet.relayed_status().await;
    assert_eq!(relayed.miner_id, miner.id.to_string());

    // It may be seen that the control plane is away, but need not.
    log.allow_warn(HOME, "cannot be reached");
    let fleet = fleet.restart().await;
    fleet.until_connected().await;
    log.wait_for_info(HOME, "resumed=true").await;

    log.expect_error(HOME, "revoked");
    let target = v1::revoke_certificates_request::Target::Miner("rig1".into());
    let revoke = v1::RevokeCertificatesRequest { target: Some(target), reason: "sold".into() };
    let revoked = fleet.enrolments().revoke_certificates(revoke).await.unwrap().into_inner();
    assert_eq!(revoked.revoked, 1);
    log.wait_for(HOME, "revoked").await;
    let before = totals(&miner.clients.status().await.unwrap()).accepted;
    let mines = |status: &MinerStatus| totals(status).accepted > before + 5;
    miner.clients.wait_for(mines).await.unwrap();
    let refusals = log.records().into_iter().filter(|record| record.text.contains("revoked")).count();
    assert_eq!(refusals, 1, "{:#?}", log.records());
    miner.stop().await.unwrap();
    log.finish();
    fleet.finish().await;
    pool.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn miner_waits_for_approval_with_one_key_over_an_interruption() {
    let fleet = Fleet::start().await;
    let token = fleet.token(true).await;
    let (progress, mut told) = mpsc::channel(16);
    let tell = |request: &mut EnrolRequest, wait| {
        let progress = progress.clone();
        request.wait = wait;
        request.tell = Some(Box::new(move |step| progress.try_send(step).unwrap()));
    };
    let pending = fleet.enrol_with(token.clone(), |request| tell(request, Duration::ZERO)).await.unwrap_err();
    assert!(matches!(pending, EnrolError::StillPending(_)), "{pending}");
    let Some(Progress::Asking { key: first, authority, .. }) = told.recv().await else { panic!("not told") };

    let enrolling = fleet.enrol_with(token, |request| tell(request, PATIENCE));
    let approving = async {
        let Some(Progress::Asking { key, .. }) = told.recv().await else { panic!("not told") };
        assert_eq!(key, first, "the key that people compare stays");
        assert!(matches!(told.recv().await, Some(Progress::Pending(_))));
        let all = fleet.enrolments().list_enrollments(v1::ListEnrollmentsRequest::default()).await.unwrap();
        let [asked] = all.into_inner().enrollments.try_into().unwrap();
        assert_eq!(asked.key_fingerprint, key.to_string());
        let decision = v1::EnrollmentDecision::Approved.into();
        let decide = v1::DecideEnrollmentRequest { number: asked.number, decision, reason: String::new() };
        fleet.enrolments().decide_enrollment(decide).await.unwrap();
    };
    let (enrolled, ()) = tokio::join!(enrolling, approving);
    assert_eq!(enrolled.unwrap().authority, authority);
    fleet.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn enrolment_that_is_refused_says_why_and_leaves_what_was_there() {
    let (fleet, other) = (Fleet::start().await, Fleet::start().await);
    let foreign = fleet.enrol_with(other.token(false).await, |_| {}).await.unwrap_err();
    assert!(matches!(foreign, EnrolError::OtherAuthority { .. }), "{foreign}");
    let token = fleet.token(false).await;
    let nowhere = fleet.enrol_with(token.clone(), |request| request.url = "https://127.0.0.1:1".into()).await;
    assert!(matches!(nowhere, Err(EnrolError::Link(_))), "{nowhere:?}");
    fleet.enrol_with(token.clone(), |_| {}).await.unwrap();
    let again = fleet.enrol_with(token.clone(), |_| {}).await.unwrap_err();
    assert!(matches!(again, EnrolError::Enrolled { .. }), "{again}");
    let taken = fleet.enrol_with(token, |request| request.force = true).await.unwrap_err();
    assert!(matches!(taken, EnrolError::NameTaken(_)), "{taken}");
    // Whatever failed, it is enrolled as it was.
    let (url, name) = leave(&fleet.miner_dir()).unwrap().unwrap();
    assert_eq!((url.to_string(), name.as_str()), (fleet.url(), "rig1"));
    assert_eq!(leave(&fleet.miner_dir()).unwrap(), None);
    fleet.finish().await;
    other.finish().await;
}
