//! The way home against a small control plane, over real connections; and what is kept of it.

mod authority;
mod control;

use self::{
    authority::{Authority, DAY},
    control::{Control, PATIENCE},
};
use super::{
    EnrolError, EnrolRequest, Enrolled, Home, HomeError, enrol,
    files::{Files, Place},
    leave, run,
};
use crate::log_lines::LogLines;
use mujina_proto::{
    control::v1,
    failure::Failure,
    serve::standard_routes,
    tls::{Identity, PeerKind, Token},
};
use std::{fs, os::unix::fs::PermissionsExt, path::Path, time::Duration};
use tokio::{task::JoinSet, time::timeout};
use tokio_util::sync::CancellationToken;
use tonic::Code;

fn place(control: &Control) -> Place {
    Place { url: control.url.clone(), name: "rig1".parse().unwrap() }
}

/// An enrolment with a certificate of this age.
fn keep(folder: &Path, control: &Control, age: Duration) -> Identity {
    let identity = control.authority.identity(PeerKind::Miner, "rig1", age);
    Files::open(folder).unwrap().keep(&place(control), &identity, &control.authority.roots()).unwrap();
    identity
}

/// A miner that calls home until it is stopped.
struct Calling {
    stop: CancellationToken,
    task: JoinSet<()>,
}

impl Calling {
    fn start(folder: &Path) -> Self {
        let home = Home::find(folder).unwrap().expect("it is enrolled");
        let (stop, mut task) = (CancellationToken::new(), JoinSet::new());
        task.spawn(run(home, standard_routes().0.routes(), stop.clone()));
        Self { stop, task }
    }

    async fn stop(mut self) {
        self.stop.cancel();
        timeout(PATIENCE, self.task.join_next()).await.expect("it stops").unwrap().unwrap();
    }
}

async fn ask(folder: &Path, control: &Control, edit: impl FnOnce(&mut EnrolRequest)) -> Result<Enrolled, EnrolError> {
    let token = Token::generate(control.authority.fingerprint()).unwrap().expose();
    let mut request = EnrolRequest::new(folder, control.url.to_string(), token);
    request.name = Some("rig1".into());
    edit(&mut request);
    timeout(PATIENCE, enrol(request)).await.expect("an enrolment ends")
}

#[tokio::test]
async fn enrolled_miner_is_called_at_home_until_it_stops() {
    let (folder, mut control) = (tempfile::tempdir().unwrap(), Control::start().await);
    let enrolled = ask(folder.path(), &control, |_| {}).await.unwrap();
    assert_eq!((enrolled.name.as_str(), enrolled.authority), ("rig1", control.authority.fingerprint()));
    let calling = Calling::start(folder.path());
    let arrived = control.next().await;
    assert_eq!((arrived.peer.kind, arrived.peer.name.as_str()), (PeerKind::Miner, "rig1"));
    calling.stop().await;
    timeout(PATIENCE, arrived.attached.ended()).await.unwrap();
}

#[tokio::test]
async fn connection_that_ends_is_made_again_with_the_ticket_of_the_one_before() {
    let (folder, mut control) = (tempfile::tempdir().unwrap(), Control::start().await);
    keep(folder.path(), &control, DAY);
    let calling = Calling::start(folder.path());
    let first = control.next().await;
    assert!(!first.resumed);
    first.attached.close();
    assert!(control.next().await.resumed);
    calling.stop().await;
}

#[tokio::test]
async fn old_certificate_is_renewed_and_shown_on_a_new_connection() {
    let (folder, mut control) = (tempfile::tempdir().unwrap(), Control::start().await);
    let old = keep(folder.path(), &control, 25 * DAY);
    let calling = Calling::start(folder.path());
    let mut arrived = control.next().await;
    // It may have called with the old one first.
    if arrived.peer.serial == old.peer().serial {
        arrived = control.next().await;
    }
    assert_ne!(arrived.peer.serial, old.peer().serial);
    calling.stop().await;
    let kept = Home::find(folder.path()).unwrap().unwrap();
    assert_eq!(kept.identity.peer(), &arrived.peer);
}

#[tokio::test]
async fn revoked_miner_says_so_even_if_it_came_back_with_a_ticket() {
    let (lines, _guard) = LogLines::take();
    let (folder, mut control) = (tempfile::tempdir().unwrap(), Control::start().await);
    let identity = keep(folder.path(), &control, DAY);
    let calling = Calling::start(folder.path());
    let arrived = control.next().await;
    control.revoke(identity.peer());
    arrived.attached.close();
    timeout(PATIENCE, lines.until("revoked")).await.expect("it is told");
    calling.stop().await;
}

#[tokio::test]
async fn certificate_of_somebody_else_is_not_kept() {
    let (folder, control) = (tempfile::tempdir().unwrap(), Control::start().await);
    let other = control.authority.identity(PeerKind::Miner, "rig2", DAY).to_pem();
    let chain = other.split_once("-----BEGIN CERTIFICATE").map(|(_, rest)| format!("-----BEGIN CERTIFICATE{rest}"));
    let answer = v1::EnrollResponse { certificate_chain: chain.unwrap(), ..Default::default() };
    control.answers.lock().unwrap().push_back(Ok(answer));
    let error = ask(folder.path(), &control, |_| {}).await.unwrap_err();
    assert!(matches!(error, EnrolError::Tls(_)), "{error}");
    assert!(Home::find(folder.path()).unwrap().is_none());
}

#[tokio::test]
async fn question_that_fails_is_asked_again_with_the_same_key_and_token() {
    let (folder, control) = (tempfile::tempdir().unwrap(), Control::start().await);
    let late = |wait| Failure::new(Code::ResourceExhausted, "TOO_MANY_ATTEMPTS", "").retry_after(wait);
    // One turn in a queue is waited for, and no longer one.
    let (long, short) = (Duration::from_secs(90), Duration::from_millis(20));
    let pending = v1::EnrollResponse { pending: true, ..Default::default() };
    control.answers.lock().unwrap().extend([Err(late(long).into()), Err(late(short).into()), Ok(pending)]);
    let token = Token::generate(control.authority.fingerprint()).unwrap().expose();
    let again = |request: &mut EnrolRequest| {
        request.token.clone_from(&token);
        request.wait = Duration::ZERO;
    };
    let error = ask(folder.path(), &control, again).await.unwrap_err();
    assert!(matches!(error, EnrolError::TooManyAttempts(wait) if wait == long), "{error}");
    let error = ask(folder.path(), &control, again).await.unwrap_err();
    assert!(matches!(error, EnrolError::StillPending(_)), "{error}");
    let key = fs::read_dir(folder.path().join("home")).unwrap().map(|entry| entry.unwrap().path());
    let key = key.into_iter().find(|path| path.display().to_string().contains("pending")).unwrap();
    assert_eq!(fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);
    ask(folder.path(), &control, again).await.unwrap();
    assert!(!key.exists(), "it is in the identity now");
    let asked = control.asked.lock().unwrap();
    let keys: Vec<_> = asked
        .iter()
        .map(|one| mujina_proto::tls::PublicKey::from_request(&one.certificate_request).unwrap().fingerprint())
        .collect();
    assert_eq!(keys.len(), 4);
    assert!(keys.iter().all(|key| key == keys.first().unwrap()));
}

#[tokio::test]
async fn enrolment_is_replaced_only_by_force_and_only_by_one_that_came() {
    let (folder, control) = (tempfile::tempdir().unwrap(), Control::start().await);
    let old = keep(folder.path(), &control, DAY);
    let error = ask(folder.path(), &control, |_| {}).await.unwrap_err();
    assert!(matches!(error, EnrolError::Enrolled { .. }), "{error}");
    let over = Failure::new(Code::PermissionDenied, "TOKEN_OVER", "the token has expired");
    control.answers.lock().unwrap().push_back(Err(over.into()));
    let error = ask(folder.path(), &control, |request| request.force = true).await.unwrap_err();
    assert!(matches!(error, EnrolError::TokenRefused(_)), "{error}");
    assert_eq!(Home::find(folder.path()).unwrap().unwrap().identity.peer(), old.peer());
    ask(folder.path(), &control, |request| request.force = true).await.unwrap();
    assert_ne!(Home::find(folder.path()).unwrap().unwrap().identity.peer(), old.peer());
}

#[tokio::test]
async fn miner_that_calls_home_keeps_its_files_to_itself() {
    let (folder, control) = (tempfile::tempdir().unwrap(), Control::start().await);
    keep(folder.path(), &control, DAY);
    let calling = Calling::start(folder.path());
    let error = ask(folder.path(), &control, |request| request.force = true).await.unwrap_err();
    assert!(matches!(error, EnrolError::Home(HomeError::InUse(_))), "{error}");
    assert!(matches!(leave(folder.path()), Err(HomeError::InUse(_))));
    calling.stop().await;
    assert!(leave(folder.path()).unwrap().is_some());
    assert!(!folder.path().join("home").exists());
}

#[tokio::test]
async fn files_that_do_not_belong_together_are_named() {
    let (folder, control) = (tempfile::tempdir().unwrap(), Control::start().await);
    keep(folder.path(), &control, DAY);
    let home = folder.path().join("home");
    fs::write(home.join("authority.pem"), Authority::new().roots().to_pem()).unwrap();
    assert!(matches!(Home::find(folder.path()), Err(HomeError::Mixed(_))));
    let good = fs::read_to_string(home.join("home.json")).unwrap();
    fs::write(home.join("home.json"), good.replace("\"version\": 1", "\"version\": 2")).unwrap();
    assert!(matches!(Home::find(folder.path()), Err(HomeError::Newer { found: 2, .. })));
    for length in 0..good.len() - 2 {
        fs::write(home.join("home.json"), &good[..length]).unwrap();
        assert!(matches!(Home::find(folder.path()), Err(HomeError::Damaged(_))), "{length}");
    }
    fs::write(home.join("home.json"), good).unwrap();
    fs::set_permissions(home.join("identity.pem"), fs::Permissions::from_mode(0o644)).unwrap();
    assert!(matches!(Home::find(folder.path()), Err(HomeError::Tls(_))));
}

#[tokio::test]
async fn what_is_not_a_url_a_token_or_a_name_is_refused_before_anything_is_touched() {
    let (folder, control) = (tempfile::tempdir().unwrap(), Control::start().await);
    let state = folder.path().join("state");
    let bad = [
        ask(&state, &control, |request| request.url = "http://a:1".into()).await.unwrap_err(),
        ask(&state, &control, |request| request.token.truncate(40)).await.unwrap_err(),
        ask(&state, &control, |request| request.name = Some("Rig 1".into())).await.unwrap_err(),
    ];
    assert!(matches!(bad, [EnrolError::Url(_), EnrolError::TokenText(_), EnrolError::Name(_)]), "{bad:?}");
    assert!(!state.exists());
    let shown = format!("{:?}", EnrolRequest::new(&state, "https://a:1", "mujina1_secret"));
    assert!(!shown.contains("secret"), "{shown}");
}
