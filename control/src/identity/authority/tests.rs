use super::*;
use std::os::unix::fs::PermissionsExt;

fn names() -> Vec<String> {
    vec!["control.example.org".into(), "127.0.0.1".into()]
}

fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_790_000_000)
}

fn days(days: u64) -> Duration {
    Duration::from_secs(days * 24 * 60 * 60)
}

fn request() -> (NewKey, String) {
    let key = NewKey::generate().unwrap();
    let request = key.request("anything").unwrap();
    (key, request)
}

#[test]
fn authority_is_the_same_when_it_is_opened_and_is_never_made_twice() {
    let folder = tempfile::tempdir().unwrap();
    let made = Authority::create(folder.path(), &names(), now()).unwrap();
    let opened = Authority::open(folder.path(), now()).unwrap();
    assert_eq!(opened.fingerprint(), made.fingerprint());
    assert_eq!(opened.roots().to_pem(), made.roots().to_pem());
    let error = Authority::create(folder.path(), &names(), now()).unwrap_err();
    assert!(matches!(&error, AuthorityError::Exists(path) if path.ends_with(AUTHORITY)), "{error:?}");
    assert_eq!(Authority::open(folder.path(), now()).unwrap().fingerprint(), made.fingerprint());
    let mode = |file: &str| fs::metadata(folder.path().join(file)).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(AUTHORITY), mode(SERVER), mode(CERTIFICATE)), (0o600, 0o600, 0o644));
    let public = Roots::load(&folder.path().join(CERTIFICATE)).unwrap();
    assert_eq!(public.fingerprints().collect::<Vec<_>>(), [made.fingerprint()]);
    // Killed before it had written everything.
    fs::remove_file(folder.path().join(CERTIFICATE)).unwrap();
    Authority::open(folder.path(), now()).unwrap();
    assert_eq!(Roots::load(&folder.path().join(CERTIFICATE)).unwrap().to_pem(), made.roots().to_pem());
    let other = tempfile::tempdir().unwrap();
    assert_ne!(Authority::create(other.path(), &names(), now()).unwrap().fingerprint(), made.fingerprint());
    let end = now() + AUTHORITY_LIFE;
    assert!(matches!(Authority::open(folder.path(), end), Err(AuthorityError::OutOfTime)));
}

#[test]
fn authority_whose_file_is_open_to_others_or_put_together_is_refused() {
    let (folder, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    Authority::create(folder.path(), &names(), now()).unwrap();
    let other = Authority::create(other.path(), &names(), now()).unwrap();
    let path = folder.path().join(AUTHORITY);
    let text = fs::read_to_string(&path).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    assert!(matches!(Authority::open(folder.path(), now()), Err(AuthorityError::Tls(TlsError::Exposed { .. }))));
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    let (key, _) = text.split_once("-----BEGIN CERTIFICATE").unwrap();
    fs::write(&path, format!("{key}{}", other.roots().to_pem())).unwrap();
    assert!(matches!(Authority::open(folder.path(), now()), Err(AuthorityError::Mismatch(_))));
    fs::write(&path, key).unwrap();
    assert!(matches!(
        Authority::open(folder.path(), now()),
        Err(AuthorityError::Tls(TlsError::Missing("certificate")))
    ));
}

#[test]
fn certificate_of_a_miner_holds_its_key_and_nothing_else_that_it_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::create(folder.path(), &names(), now()).unwrap();
    let mut params = CertificateParams::new(vec!["control.example.org".into()]).unwrap();
    params.subject_alt_names.push(SanType::URI("mujina://operator/root".try_into().unwrap()));
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let key = KeyPair::generate().unwrap();
    let greedy = params.serialize_request(&key).unwrap().pem().unwrap();
    let issued = authority.issue_miner(&"rig-7".parse().unwrap(), &greedy, now()).unwrap();
    assert_eq!(issued.peer.to_string(), "miner/rig-7");
    assert_eq!(issued.key, Fingerprint::of(&key.subject_public_key_info()));
    assert_eq!(issued.peer.not_before, now() - SKEW);
    assert_eq!(issued.peer.not_after, now() + days(30));
    let identity = Identity::from_pem(&format!("{}{}", key.serialize_pem(), issued.chain)).unwrap();
    assert!(!identity.is_for("control.example.org").unwrap());
    let own = issued.chain.split_inclusive("-----END CERTIFICATE-----\n").next().unwrap();
    assert!(matches!(Roots::from_pem(own), Err(TlsError::NoAuthority)));
}

#[test]
fn operators_and_miners_get_numbers_of_their_own() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::create(folder.path(), &names(), now()).unwrap();
    let (key, request) = request();
    let alice = "alice".parse().unwrap();
    let issue = || authority.issue_operator(&alice, &request, None, now()).unwrap();
    let serials: std::collections::BTreeSet<_> = (0..50).map(|_| issue().peer.serial).collect();
    assert_eq!(serials.len(), 50);
    // 16 random bytes: some are longer than 120 bits, none longer than 128.
    assert!(serials.iter().all(|serial| serial.to_string().len() <= 32));
    assert!(serials.iter().any(|serial| serial.to_string().len() == 32));
    let identity = key.into_identity(&issue().chain, authority.roots()).unwrap();
    assert_eq!(identity.peer().to_string(), "operator/alice");
    let (other_key, _) = self::request();
    assert!(matches!(other_key.into_identity(&issue().chain, authority.roots()), Err(TlsError::Mismatch)));
    let until = |end| authority.issue_operator(&alice, &request, Some(end), now()).unwrap().peer.not_after;
    assert_eq!((until(now() + days(3)), until(now() + days(99))), (now() + days(3), now() + days(30)));
}

#[test]
fn bad_requests_and_bad_names_get_no_certificate() {
    let folder = tempfile::tempdir().unwrap();
    assert!(matches!(Authority::create(folder.path(), &[], now()), Err(AuthorityError::NoNames)));
    let bad = ["a b".to_owned()];
    assert!(matches!(Authority::create(folder.path(), &bad, now()), Err(AuthorityError::Tls(TlsError::Host(_)))));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    let authority = Authority::create(folder.path(), &names(), now()).unwrap();
    let miner = "rig-7".parse().unwrap();
    let issue = |request: &str| authority.issue_miner(&miner, request, now()).unwrap_err();
    assert!(matches!(issue("nothing"), AuthorityError::Tls(TlsError::Request(_))));
    let (_, request) = request();
    // In the middle of what is signed.
    let (begin, end) = request.split_at(100);
    let changed = format!("{begin}{}{}", if end.starts_with('A') { 'B' } else { 'A' }, &end[1..]);
    assert!(matches!(issue(&changed), AuthorityError::Tls(TlsError::Request(_))));
    assert!(authority.issue_miner(&miner, &request, now()).is_ok());
}

#[test]
fn no_certificate_outlives_its_authority() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::create(folder.path(), &names(), now()).unwrap();
    let (_, request) = request();
    let end = authority.roots().expires_at().unwrap();
    let late = authority.issue_miner(&"rig-7".parse().unwrap(), &request, end - days(10)).unwrap();
    assert_eq!(late.peer.not_after, end);
    let too_late = authority.issue_miner(&"rig-7".parse().unwrap(), &request, end + SKEW);
    assert!(matches!(too_late, Err(AuthorityError::OutOfTime)));
}

#[test]
fn server_keeps_its_certificate_until_it_is_due_or_has_another_name() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::create(folder.path(), &names(), now()).unwrap();
    let server = |names: &[String], now| authority.server(names, now).unwrap();
    let first = server(&names(), now());
    assert_eq!(first.peer().to_string(), "server/control");
    assert!(names().iter().all(|name| first.is_for(name).unwrap()));
    assert_eq!(server(&names(), now() + days(19)).fingerprint(), first.fingerprint());
    // Fewer names are no reason for another.
    assert_eq!(server(&names()[..1], now()).fingerprint(), first.fingerprint());
    let renewed = server(&names(), now() + days(20));
    assert_ne!(renewed.fingerprint(), first.fingerprint());
    assert_eq!(server(&names(), now() + days(20)).fingerprint(), renewed.fingerprint());
    let moved = server(&["10.0.0.7".into()], now() + days(20));
    assert!(moved.is_for("10.0.0.7").unwrap() && !moved.is_for("127.0.0.1").unwrap());
    fs::remove_file(folder.path().join(SERVER)).unwrap();
    assert_ne!(server(&["10.0.0.7".into()], now() + days(20)).fingerprint(), moved.fingerprint());
    fs::write(folder.path().join(SERVER), "rubbish").unwrap();
    fs::set_permissions(folder.path().join(SERVER), fs::Permissions::from_mode(0o600)).unwrap();
    assert!(matches!(authority.server(&names(), now()), Err(AuthorityError::Tls(TlsError::Within(..)))));
}
