//! The API on the network: who is let in, what they may, and how they are shown out.

use crate::{
    host::Hosted,
    miner::FakeMiner,
    world::{Control, PATIENCE, config, unbound},
};
use mujina_control::{
    TlsConfig,
    setup::{ADMIN_CONTEXT, Setup},
};
use mujina_proto::{
    control::v1::{
        self, access_service_client::AccessServiceClient, audit_service_client::AuditServiceClient,
        enrollment_service_client::EnrollmentServiceClient, miner_registry_service_client::MinerRegistryServiceClient,
    },
    dataplane::v1::{
        GetMinerRequest, LocateRequest, board_service_client::BoardServiceClient,
        miner_service_client::MinerServiceClient,
    },
    failure::Failure,
    home::{self, Attached, Client},
    tls::{Alpn, ClientTls, Identity, NewKey, Roots, Token, client_config, client_config_pinned, explain},
};
use std::{
    net::SocketAddr,
    time::{Duration, SystemTime},
};
use tokio::{io::AsyncReadExt, net::TcpStream, sync::oneshot, time::timeout};
use tokio_util::sync::CancellationToken;
use tonic::{Code, Request, Status};

/// A control plane that was set up for a fleet.
pub(crate) struct Fleet {
    pub(crate) control: Control,
    admin: Identity,
    pub(crate) roots: Roots,
    address: SocketAddr,
    pub(crate) folder: tempfile::TempDir,
}

impl Fleet {
    pub(crate) async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// With miners that it dials.
    pub(crate) async fn start_with(miners: &[(&str, &FakeMiner)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let listen: SocketAddr = "127.0.0.1:0".parse().unwrap();
        let names = vec!["localhost".to_owned()];
        let setup =
            Setup { state_dir: folder.path().into(), listen, names: names.clone(), admin: "admin".parse().unwrap() };
        setup.run(SystemTime::now()).await.unwrap();
        let text = std::fs::read_to_string(folder.path().join(ADMIN_CONTEXT)).unwrap();
        let part =
            |key: &str| text.split(&format!("{key} = '''\n")).nth(1).unwrap().split("'''").next().unwrap().to_owned();
        let (admin, roots) =
            (Identity::from_pem(&part("identity")).unwrap(), Roots::from_pem(&part("authority")).unwrap());
        let mut config = config(folder.path(), miners);
        config.tls = Some(TlsConfig { listen, names });
        let control = Control::start(config).await;
        let address = control.tls.unwrap();
        Self { control, admin, roots, address, folder }
    }

    /// A client's connection, as `identity` or as nobody.
    pub(crate) async fn dial(&self, identity: Option<&Identity>) -> Attached {
        let tls = client_config(identity, &self.roots, Alpn::Http2).unwrap();
        Dialling { tls, address: self.address }.dial().await
    }

    pub(crate) async fn admin(&self) -> Attached {
        self.dial(Some(&self.admin)).await
    }

    /// What an operator's connections are made of.
    pub(crate) fn operator(&self) -> Dialling {
        Dialling { tls: client_config(Some(&self.admin), &self.roots, Alpn::Http2).unwrap(), address: self.address }
    }

    /// A miner's certificate, by a token that is made for it.
    pub(crate) async fn enrol(&self, name: &str) -> Identity {
        self.enrol_with(name, &[("site", "a")]).await
    }

    /// The same by a token with other labels.
    async fn enrol_with(&self, name: &str, labels: &[(&str, &str)]) -> Identity {
        let admin = self.admin().await;
        let labels = labels.iter().map(|&(key, value)| (key.into(), value.into())).collect();
        let request = v1::CreateEnrollTokenRequest { labels, ..Default::default() };
        let made = EnrollmentServiceClient::new(admin.client.clone()).create_enroll_token(request).await.unwrap();
        self.enrol_by(&made.into_inner().text, name).await.unwrap()
    }

    async fn enrol_by(&self, token: &str, name: &str) -> Result<Identity, Status> {
        let parsed: Token = token.parse().unwrap();
        let pinned = client_config_pinned(parsed.authority(), Alpn::Http2).unwrap();
        let stranger = connect(&pinned, self.address).await.unwrap();
        let key = NewKey::generate().unwrap();
        let certificate_request = key.request(name).unwrap();
        let request = v1::EnrollRequest { token: token.into(), certificate_request, miner: name.into() };
        let answer = EnrollmentServiceClient::new(stranger.client.clone()).enroll(request).await?.into_inner();
        Ok(key.into_identity(&answer.certificate_chain, &self.roots).unwrap())
    }

    /// A miner calls home and is served until the answer is dropped.
    pub(crate) async fn call_home(&self, miner: &FakeMiner, identity: &Identity) -> Result<Hosted, std::io::Error> {
        let tls = client_config(Some(identity), &self.roots, Alpn::Home).unwrap();
        let (routes, address) = (miner.routes(), self.address);
        let (dialled, is_dialled) = oneshot::channel();
        let hosted = Hosted::start(move || async move {
            match stream(&tls, address).await {
                Ok(stream) => {
                    dialled.send(Ok(())).unwrap();
                    // How it ends is the test's affair.
                    let _ = home::serve(stream, routes, CancellationToken::new()).await;
                }
                Err(error) => dialled.send(Err(error)).unwrap(),
            }
        });
        timeout(PATIENCE, is_dialled).await.unwrap().unwrap().map(|()| hosted)
    }
}

/// Makes connections, also in other threads.
#[derive(Clone)]
pub(crate) struct Dialling {
    tls: ClientTls,
    address: SocketAddr,
}

impl Dialling {
    pub(crate) async fn dial(&self) -> Attached {
        connect(&self.tls, self.address).await.unwrap()
    }

    /// One on which nothing is said yet.
    pub(crate) async fn stream(&self) -> Stream {
        stream(&self.tls, self.address).await.unwrap()
    }
}

pub(crate) type Stream = mujina_proto::tls::ClientStream<TcpStream>;

async fn stream(tls: &ClientTls, address: SocketAddr) -> Result<Stream, std::io::Error> {
    let tcp = TcpStream::connect(address).await.unwrap();
    tcp.set_nodelay(true).unwrap();
    let connected = tls.connect("localhost", tcp, PATIENCE).await.map_err(std::io::Error::other)?;
    Ok(connected.stream)
}

async fn connect(tls: &ClientTls, address: SocketAddr) -> Result<Attached, std::io::Error> {
    home::attach(stream(tls, address).await?).await.map_err(std::io::Error::other)
}

pub(crate) fn failure<T: std::fmt::Debug>(answer: Result<T, Status>) -> Failure {
    Failure::from(&answer.unwrap_err())
}

#[tokio::test]
async fn strangers_may_ask_who_they_are_and_nothing_else() {
    let fleet = Fleet::start().await;
    let stranger = fleet.dial(None).await;
    let mut access = AccessServiceClient::new(stranger.client.clone());
    let who = access.who_am_i(v1::WhoAmIRequest {}).await.unwrap().into_inner();
    assert_eq!((who.subject.as_str(), who.permissions.len()), ("anonymous", 0));
    let read = failure(
        MinerRegistryServiceClient::new(stranger.client.clone()).list_miners(v1::ListMinersRequest::default()).await,
    );
    assert_eq!((read.code, read.reason.as_str()), (Code::Unauthenticated, "UNAUTHENTICATED"));
    let mut enrollment = EnrollmentServiceClient::new(stranger.client.clone());
    let write = failure(enrollment.create_enroll_token(v1::CreateEnrollTokenRequest::default()).await);
    assert_eq!(write.code, Code::Unauthenticated);
    let mut locate = Request::new(LocateRequest::default());
    locate.metadata_mut().insert("mujina-miner", "rig1".parse().unwrap());
    let relayed = failure(BoardServiceClient::new(stranger.client.clone()).locate(locate).await);
    assert_eq!(relayed.code, Code::Unauthenticated);
    let authority = enrollment.get_authority(v1::GetAuthorityRequest {}).await.unwrap().into_inner();
    assert_eq!(Some(authority.fingerprint), fleet.roots.fingerprints().next().map(|one| one.to_string()));
}

#[tokio::test]
async fn miner_enrols_calls_home_is_called_and_shown_out_when_it_is_revoked() {
    let fleet = Fleet::start().await;
    let identity = fleet.enrol("rig1").await;
    let miner = FakeMiner::new(fleet.folder.path(), "rig1");
    let served = fleet.call_home(&miner, &identity).await.unwrap();
    let seen = fleet.control.until_connected("rig1").await;
    assert_eq!((seen.address.as_str(), seen.labels.get("site").map(String::as_str)), ("", Some("a")));
    let admin = fleet.admin().await;
    let mut relayed = Request::new(GetMinerRequest {});
    relayed.metadata_mut().insert("mujina-miner", "rig1".parse().unwrap());
    let answer = MinerServiceClient::new(admin.client.clone()).get_miner(relayed).await.unwrap().into_inner();
    assert_eq!(answer.miner.unwrap().boot_id, "boot-1");
    // Its certificate is for calling home, and nothing else.
    let as_miner = fleet.dial(Some(&identity)).await;
    let denied = failure(
        MinerRegistryServiceClient::new(as_miner.client.clone()).list_miners(v1::ListMinersRequest::default()).await,
    );
    assert_eq!(denied.code, Code::PermissionDenied);

    let target = v1::revoke_certificates_request::Target::Miner("rig1".into());
    let revoke = v1::RevokeCertificatesRequest { target: Some(target), reason: "stolen".into() };
    let revoked = EnrollmentServiceClient::new(admin.client.clone()).revoke_certificates(revoke).await.unwrap();
    assert_eq!(revoked.into_inner().revoked, 1);
    timeout(PATIENCE, served.finished()).await.unwrap();
    timeout(PATIENCE, as_miner.ended()).await.unwrap();
    fleet.control.until("rig1", "gone", |miner| miner.reachability() == v1::MinerReachability::Unreachable).await;
    // In TLS 1.3 the refusal of a certificate comes with the first read.
    let tls = client_config(Some(&identity), &fleet.roots, Alpn::Home).unwrap();
    let refused = match stream(&tls, fleet.address).await {
        Err(error) => error,
        Ok(mut stream) => timeout(PATIENCE, stream.read(&mut [0; 64])).await.unwrap().unwrap_err(),
    };
    let explained = explain(refused).to_string();
    assert!(explained.contains("revoked"), "{explained}");
}

#[tokio::test]
async fn miner_that_enrols_anew_has_the_labels_of_its_new_token_at_once() {
    let fleet = Fleet::start().await;
    fleet.enrol_with("rig1", &[("site", "a"), ("rack", "1")]).await;
    let admin = fleet.admin().await;
    let mut registry = MinerRegistryServiceClient::new(admin.client.clone());
    let label = v1::LabelMinersRequest {
        selection: Some(v1::MinerSelection { miners: vec!["rig1".into()], ..Default::default() }),
        set: [("rack".into(), "set".into())].into(),
        ..Default::default()
    };
    registry.label_miners(label).await.unwrap();
    let target = Some(v1::revoke_certificates_request::Target::Miner("rig1".into()));
    let revoke = v1::RevokeCertificatesRequest { target, reason: "moved".into() };
    EnrollmentServiceClient::new(admin.client.clone()).revoke_certificates(revoke).await.unwrap();
    fleet.enrol_with("rig1", &[("site", "b"), ("rack", "2")]).await;
    let miner = registry.get_miner(v1::GetMinerRequest { name: "rig1".into() }).await.unwrap();
    let labels = miner.into_inner().miner.unwrap().labels;
    let labels = ["site", "rack"].map(|key| labels.get(key).map(String::as_str));
    assert_eq!(labels, [Some("b"), Some("set")]);
}

#[tokio::test]
async fn miner_that_comes_back_is_the_same_and_takes_the_place_of_its_dead_connection() {
    let fleet = Fleet::start().await;
    let identity = fleet.enrol("rig1").await;
    let miner = FakeMiner::new(fleet.folder.path(), "rig1");
    let first = fleet.call_home(&miner, &identity).await.unwrap();
    fleet.control.until_connected("rig1").await;
    // The same process dials anew while its first connection still answers.
    let second = fleet.call_home(&miner, &identity).await.unwrap();
    timeout(PATIENCE, first.finished()).await.unwrap();
    fleet.control.until_connected("rig1").await;
    drop(second);
    fleet.control.until("rig1", "gone", |miner| miner.reachability() == v1::MinerReachability::Unreachable).await;
    // Another process with the same key, after the first is gone.
    miner.change(|state| state.boot_id = "boot-2".into());
    let _third = fleet.call_home(&miner, &identity).await.unwrap();
    let back =
        fleet.control.until("rig1", "back", |miner| miner.reachability() == v1::MinerReachability::Connected).await;
    assert_eq!(back.status.unwrap().boot_id, "boot-2");
}

#[tokio::test]
async fn connection_that_looks_open_and_answers_nothing_gives_its_place_to_the_next() {
    let fleet = Fleet::start().await;
    let identity = fleet.enrol("rig1").await;
    let (lost, new) = (FakeMiner::new(fleet.folder.path(), "rig1"), FakeMiner::new(fleet.folder.path(), "again"));
    new.change(|state| state.boot_id = "boot-2".into());
    let first = fleet.call_home(&lost, &identity).await.unwrap();
    fleet.control.until_connected("rig1").await;
    let standstill = first.stand_still();
    let _second = fleet.call_home(&new, &identity).await.unwrap();
    let is_new = |miner: &v1::Miner| miner.status.as_ref().is_some_and(|status| status.boot_id == "boot-2");
    let seen = fleet.control.until("rig1", "the second in its place", is_new).await;
    assert_eq!((seen.reachability(), seen.quarantine_reason.as_str()), (v1::MinerReachability::Connected, ""));
    // The first was hung up, which it hears when it can.
    drop(standstill);
    timeout(PATIENCE, first.finished()).await.unwrap();
    fleet.control.until_connected("rig1").await;
}

#[tokio::test]
async fn two_machines_with_one_identity_are_told_apart_and_nothing_is_sent_to_them() {
    let fleet = Fleet::start().await;
    let identity = fleet.enrol("rig1").await;
    let (right, wrong) = (FakeMiner::new(fleet.folder.path(), "rig1"), FakeMiner::new(fleet.folder.path(), "copy"));
    wrong.change(|state| state.boot_id = "boot-of-the-copy".into());
    let _right = fleet.call_home(&right, &identity).await.unwrap();
    fleet.control.until_connected("rig1").await;
    let copy = fleet.call_home(&wrong, &identity).await.unwrap();
    timeout(PATIENCE, copy.finished()).await.unwrap();
    let seen = fleet.control.until("rig1", "in quarantine", |miner| !miner.quarantine_reason.is_empty()).await;
    assert!(seen.quarantine_reason.contains("two machines"), "{}", seen.quarantine_reason);
    let told = fleet.control.until_event("IDENTITY_CLONED").await;
    assert_eq!((told.miner.as_str(), &told.message), ("rig1", &seen.quarantine_reason));
    assert_eq!(seen.reachability(), v1::MinerReachability::Connected, "the first stays");
    let admin = fleet.admin().await;
    fleet.control.apply(unbound("rig1")).await;
    let held = |miner: &v1::Miner| miner.desired_generation == 1 && miner.sync_reason.contains("nothing is sent");
    fleet.control.until("rig1", "wanted and not sent", held).await;
    let mut locate = Request::new(LocateRequest::default());
    locate.metadata_mut().insert("mujina-miner", "rig1".parse().unwrap());
    let refused = failure(BoardServiceClient::new(admin.client.clone()).locate(locate).await);
    assert_eq!(refused.reason, "IDENTITY_QUARANTINED");
    assert!(right.state().applied.is_empty() && wrong.state().applied.is_empty());
    let mut registry = MinerRegistryServiceClient::new(admin.client.clone());
    registry.release_miner(v1::ReleaseMinerRequest { name: "rig1".into() }).await.unwrap();
    fleet.control.until("rig1", "released", |miner| miner.quarantine_reason.is_empty()).await;
    right.until("what was wanted is sent", |state| state.control_generation == 1).await;
    assert!(wrong.state().applied.is_empty());
}

#[tokio::test]
async fn token_of_an_operator_counts_until_it_is_revoked_and_wrong_ones_are_slowed_down() {
    let fleet = Fleet::start().await;
    let admin = fleet.admin().await;
    let mut access = AccessServiceClient::new(admin.client.clone());
    let binding = v1::Binding { subject: "operator:ci".into(), role: "viewer".into(), ..Default::default() };
    access.create_binding(v1::CreateBindingRequest { binding: Some(binding) }).await.unwrap();
    let asked = v1::CreateOperatorTokenRequest { operator: "ci".into(), label: "nightly".into(), ttl: None };
    let other = access.create_operator_token(asked.clone()).await.unwrap().into_inner();
    let made = access.create_operator_token(asked).await.unwrap().into_inner();
    let stranger = fleet.dial(None).await;
    let bearer = |text: &str| {
        let mut request = Request::new(v1::ListMinersRequest::default());
        request.metadata_mut().insert("authorization", format!("Bearer {text}").parse().unwrap());
        request
    };
    let mut registry = MinerRegistryServiceClient::new(stranger.client.clone());
    registry.list_miners(bearer(&made.text)).await.unwrap();
    let wrong = format!("{}{}", &made.text[..made.text.len() - 1], if made.text.ends_with('0') { '1' } else { '0' });
    let refused = failure(registry.list_miners(bearer(&wrong)).await);
    assert_eq!(refused.code, Code::Unauthenticated);
    // The token itself is no id, and is repeated nowhere.
    let pasted = v1::RevokeOperatorTokenRequest { token_id: made.text.clone() };
    let refused_id = failure(access.revoke_operator_token(pasted).await);
    assert_eq!((refused_id.code, refused_id.problems[0].field.as_str()), (Code::InvalidArgument, "token_id"));
    let records = AuditServiceClient::new(admin.client.clone())
        .list_audit_records(v1::ListAuditRecordsRequest::default())
        .await
        .unwrap();
    let told = format!("{:?} {refused_id:?}", records.into_inner().records);
    assert!(told.contains("RevokeOperatorToken") && !told.contains(&made.text), "{told}");
    let token_id = made.token.unwrap().token_id;
    access.revoke_operator_token(v1::RevokeOperatorTokenRequest { token_id }).await.unwrap();
    assert_eq!(failure(registry.list_miners(bearer(&made.text)).await).code, Code::Unauthenticated);
    let mut last = refused;
    for _ in 0..40 {
        last = failure(registry.list_miners(bearer(&wrong)).await);
    }
    assert_eq!((last.code, last.reason.as_str()), (Code::ResourceExhausted, "TOO_MANY_ATTEMPTS"));
    assert!(last.retry_after.is_some());
    // The right one of the same address is not slowed down with them, nor are others.
    registry.list_miners(bearer(&other.text)).await.unwrap();
    access.who_am_i(v1::WhoAmIRequest {}).await.unwrap();
}

#[tokio::test]
async fn certificates_that_an_operator_gets_by_a_token_end_with_it() {
    let fleet = Fleet::start().await;
    let (admin, stranger) = (fleet.admin().await, fleet.dial(None).await);
    let mut access = AccessServiceClient::new(admin.client.clone());
    let binding = v1::Binding { subject: "operator:bob".into(), role: "viewer".into(), ..Default::default() };
    access.create_binding(v1::CreateBindingRequest { binding: Some(binding) }).await.unwrap();
    let asked = v1::CreateOperatorTokenRequest { operator: "bob".into(), ..Default::default() };
    let made = access.create_operator_token(asked).await.unwrap().into_inner();
    let token = made.token.unwrap();
    let get = async |client: &Client, bearer: Option<&str>| {
        let key = NewKey::generate().unwrap();
        let certificate_request = key.request("bob").unwrap();
        let mut asked =
            Request::new(v1::IssueOperatorCertificateRequest { operator: "bob".into(), certificate_request });
        if let Some(text) = bearer {
            asked.metadata_mut().insert("authorization", format!("Bearer {text}").parse().unwrap());
        }
        let issued = EnrollmentServiceClient::new(client.clone()).issue_operator_certificate(asked).await.unwrap();
        key.into_identity(&issued.into_inner().certificate_chain, &fleet.roots).unwrap()
    };
    let by_token = get(&stranger.client, Some(&made.text)).await;
    let first = fleet.dial(Some(&by_token)).await;
    let renewed = get(&first.client, None).await;
    let second = fleet.dial(Some(&renewed)).await;
    // What an admin gives to another ends with nothing of the admin's.
    let given = fleet.dial(Some(&get(&admin.client, None).await)).await;
    let expires_at = SystemTime::try_from(token.expires_at.unwrap()).unwrap();
    assert!(by_token.expires_at() <= expires_at && renewed.expires_at() <= expires_at);

    access.revoke_operator_token(v1::RevokeOperatorTokenRequest { token_id: token.token_id }).await.unwrap();
    timeout(PATIENCE, first.ended()).await.unwrap();
    timeout(PATIENCE, second.ended()).await.unwrap();
    let who = AccessServiceClient::new(given.client.clone()).who_am_i(v1::WhoAmIRequest {}).await.unwrap().into_inner();
    assert_eq!(who.subject, "operator:bob");
    let mut audit = AuditServiceClient::new(admin.client.clone());
    let records = audit.list_audit_records(v1::ListAuditRecordsRequest::default()).await.unwrap().into_inner().records;
    let serials = [by_token, renewed].map(|identity| identity.peer().serial.to_string());
    assert!(serials.iter().all(|serial| records[0].diff_json.contains(serial.as_str())), "{}", records[0].diff_json);
}

#[tokio::test]
async fn what_is_changed_or_denied_stands_in_the_log() {
    let fleet = Fleet::start().await;
    let admin = fleet.admin().await;
    let mut access = AccessServiceClient::new(admin.client.clone());
    let binding = v1::Binding { subject: "operator:eve".into(), role: "viewer".into(), ..Default::default() };
    access.create_binding(v1::CreateBindingRequest { binding: Some(binding) }).await.unwrap();
    let asked = v1::CreateOperatorTokenRequest { operator: "eve".into(), ..Default::default() };
    let text = access.create_operator_token(asked).await.unwrap().into_inner().text;
    let stranger = fleet.dial(None).await;
    let mut request = Request::new(v1::CreateEnrollTokenRequest::default());
    request.metadata_mut().insert("authorization", format!("Bearer {text}").parse().unwrap());
    let denied = failure(EnrollmentServiceClient::new(stranger.client.clone()).create_enroll_token(request).await);
    assert_eq!(denied.code, Code::PermissionDenied);
    assert!(denied.message.contains("admin"), "{}", denied.message);

    let mut audit = AuditServiceClient::new(admin.client.clone());
    let records = audit.list_audit_records(v1::ListAuditRecordsRequest::default()).await.unwrap().into_inner().records;
    let [newest, ..] = records.as_slice() else { panic!("no record") };
    assert_eq!(
        (newest.outcome.as_str(), newest.method.as_str()),
        ("denied", "mujina.control.v1.EnrollmentService/CreateEnrollToken")
    );
    assert!(newest.who.starts_with("operator:eve"), "{}", newest.who);
    let done: Vec<_> =
        records.iter().filter(|record| record.outcome == "done").map(|record| record.method.as_str()).collect();
    assert_eq!(done.len(), 4, "{done:?}");
    assert!(!records.iter().any(|record| record.diff_json.contains(&text)));
    // What only checks leaves no record.
    let selection = Some(v1::MinerSelection { all: true, ..Default::default() });
    let set = [("rack".into(), "1".into())].into();
    let only_checked = v1::LabelMinersRequest { selection, set, validate_only: true, ..Default::default() };
    MinerRegistryServiceClient::new(admin.client.clone()).label_miners(only_checked).await.unwrap();
    let verified = audit.verify_audit(v1::VerifyAuditRequest::default()).await.unwrap().into_inner();
    assert!(verified.intact && verified.last_sequence == 5, "{verified:?}");
}

#[tokio::test]
async fn strangers_that_fail_leave_no_records_and_others_that_go_on_few() {
    const CALLS: usize = 300;
    let fleet = Fleet::start().await;
    let (admin, stranger) = (fleet.admin().await, fleet.dial(None).await);
    let mut asking = EnrollmentServiceClient::new(stranger.client.clone());
    for token in ["", "no token"] {
        let ask = v1::EnrollRequest { token: token.into(), ..Default::default() };
        assert_eq!(failure(asking.enroll(ask).await).code, Code::Unauthenticated);
    }
    let mut enrollment = EnrollmentServiceClient::new(admin.client.clone());
    for _ in 0..CALLS {
        let unknown = v1::RevokeEnrollTokenRequest { token_id: "none".into() };
        assert_eq!(failure(enrollment.revoke_enroll_token(unknown).await).code, Code::InvalidArgument);
    }
    let all = v1::ListAuditRecordsRequest { page_size: 1000, ..Default::default() };
    let records = AuditServiceClient::new(admin.client.clone()).list_audit_records(all).await.unwrap();
    let records = records.into_inner().records;
    assert!(!records.iter().any(|record| record.method.ends_with("/Enroll")), "{records:#?}");
    let failed = records.iter().filter(|record| record.outcome == "failed").count();
    assert!((60..CALLS).contains(&failed), "{failed}");
}

#[tokio::test]
async fn foreign_certificates_and_those_that_never_finish_their_handshake_keep_nobody_out() {
    let fleet = Fleet::start().await;
    let other = Fleet::start().await;
    // Another authority's admin.
    let tls = client_config(Some(&other.admin), &fleet.roots, Alpn::Http2).unwrap();
    let refused = match stream(&tls, fleet.address).await {
        Err(_) => true,
        Ok(mut stream) => timeout(PATIENCE, stream.read(&mut [0; 64])).await.unwrap().is_err(),
    };
    assert!(refused);
    // One that trusts another authority refuses this server.
    let tls = client_config(None, &other.roots, Alpn::Http2).unwrap();
    assert!(stream(&tls, fleet.address).await.is_err());
    let mut silent = Vec::new();
    for _ in 0..100 {
        silent.push(TcpStream::connect(fleet.address).await.unwrap());
    }
    let admin = timeout(Duration::from_secs(20), fleet.admin()).await.unwrap();
    AccessServiceClient::new(admin.client.clone()).who_am_i(v1::WhoAmIRequest {}).await.unwrap();
    drop(silent);
}

#[tokio::test]
async fn token_enrols_as_many_as_it_may_and_no_name_twice() {
    let fleet = Fleet::start().await;
    let admin = fleet.admin().await;
    let mut enrollment = EnrollmentServiceClient::new(admin.client.clone());
    let request = v1::CreateEnrollTokenRequest { uses: 2, ..Default::default() };
    let token = enrollment.create_enroll_token(request).await.unwrap().into_inner().text;
    fleet.enrol_by(&token, "rig1").await.unwrap();
    let taken = Failure::from(&fleet.enrol_by(&token, "rig1").await.unwrap_err());
    assert_eq!((taken.code, taken.reason.as_str()), (Code::AlreadyExists, "NAME_TAKEN"));
    fleet.enrol_by(&token, "rig2").await.unwrap();
    let replayed = Failure::from(&fleet.enrol_by(&token, "rig3").await.unwrap_err());
    assert_eq!((replayed.code, replayed.reason.as_str()), (Code::PermissionDenied, "TOKEN_OVER"));
    let listed = enrollment.list_enroll_tokens(v1::ListEnrollTokensRequest {}).await.unwrap().into_inner().tokens;
    assert_eq!(listed.iter().map(|token| token.uses_left).collect::<Vec<_>>(), [0]);
}

#[tokio::test]
async fn enrolment_that_a_person_must_approve_waits_and_is_told_apart_by_its_key() {
    let fleet = Fleet::start().await;
    let admin = fleet.admin().await;
    let mut enrollment = EnrollmentServiceClient::new(admin.client.clone());
    let request = v1::CreateEnrollTokenRequest { needs_approval: true, ..Default::default() };
    let token = enrollment.create_enroll_token(request).await.unwrap().into_inner().text;
    let key = NewKey::generate().unwrap();
    let ask = v1::EnrollRequest { token, certificate_request: key.request("rig1").unwrap(), miner: "rig1".into() };
    let stranger = fleet.dial(None).await;
    let mut asking = EnrollmentServiceClient::new(stranger.client.clone());
    let first = asking.enroll(ask.clone()).await.unwrap().into_inner();
    assert!(first.pending && first.certificate_chain.is_empty() && first.retry_after.is_some());
    let pending = v1::ListEnrollmentsRequest { decision: v1::EnrollmentDecision::Pending.into(), ..Default::default() };
    let listed = enrollment.list_enrollments(pending).await.unwrap().into_inner().enrollments;
    let [waiting] = listed.as_slice() else { panic!("{listed:?}") };
    assert_eq!((waiting.miner.as_str(), waiting.key_fingerprint.clone()), ("rig1", key.fingerprint().to_string()));
    let approve = v1::DecideEnrollmentRequest {
        number: waiting.number,
        decision: v1::EnrollmentDecision::Approved.into(),
        reason: String::new(),
    };
    enrollment.decide_enrollment(approve).await.unwrap();
    let second = asking.enroll(ask).await.unwrap().into_inner();
    assert!(!second.pending);
    let identity = key.into_identity(&second.certificate_chain, &fleet.roots).unwrap();
    let _served = fleet.call_home(&FakeMiner::new(fleet.folder.path(), "rig1"), &identity).await.unwrap();
    fleet.control.until_connected("rig1").await;
}

#[tokio::test]
async fn message_that_is_too_long_is_refused_and_the_connection_goes_on() {
    let fleet = Fleet::start().await;
    let admin = fleet.admin().await;
    let mut access = AccessServiceClient::new(admin.client.clone());
    let question = "x".repeat(5 << 20);
    let refused = access.can_i(v1::CanIRequest { question, miner: String::new() }).await.unwrap_err();
    assert!(matches!(refused.code(), Code::OutOfRange | Code::ResourceExhausted), "{refused}");
    access.who_am_i(v1::WhoAmIRequest {}).await.unwrap();
}
