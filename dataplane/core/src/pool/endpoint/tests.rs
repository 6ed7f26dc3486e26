//! Examples of every URL form and every mistake, and the round trip over generated endpoints.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use bitcoin::base58;
use proptest::prelude::*;
use proptest::sample::Index;

use super::{AuthorityKey, EndpointError, Host, HostFault, PoolEndpoint, TlsMode};

/// The key of the Stratum V2 specification's own examples and the key of the reference implementation's test pools.
const KEYS: [&str; 2] =
    ["9bXiEd8boQVhq7WddEcERUL5tyyJVFYdU8th3HfbNXK3Yw6GRXh", "9auqWEzQDVyd2oe1JVGFLMLHZtCo2FFqZwtKA5gd9xbuEu7PH72"];

fn parse(url: &str) -> Result<PoolEndpoint, EndpointError> {
    url.parse()
}

fn refused(url: &str) -> EndpointError {
    parse(url).expect_err(url)
}

fn v2(location: &str) -> Result<PoolEndpoint, EndpointError> {
    parse(&format!("stratum2+tcp://{location}/{}", KEYS[0]))
}

fn host_fault(location: &str) -> HostFault {
    match parse(&format!("stratum+tcp://{location}")) {
        Err(EndpointError::BadHost { fault, .. }) => fault,
        other => panic!("{location}: {other:?}"),
    }
}

/// A text whose checksum is right, whatever it holds.
fn key_of(payload: &[u8]) -> String {
    base58::encode_check(payload)
}

#[test]
fn v2_url_carries_its_key() {
    let endpoint = parse(&format!("stratum2+tcp://pool.example:3336/{}", KEYS[1])).unwrap();
    let expected =
        PoolEndpoint::V2 { host: "pool.example".parse().unwrap(), port: 3336, authority: KEYS[1].parse().unwrap() };
    assert_eq!(endpoint, expected);
    assert_eq!(endpoint.authority(), Some(&KEYS[1].parse().unwrap()));
    assert_eq!(endpoint.scheme(), "stratum2+tcp");
}

// V21
#[test]
fn ssl_and_tls_are_the_same_endpoint() {
    let ssl = parse("stratum+ssl://pool.example:4444").unwrap();
    for scheme in ["stratum+tls", "ssl", "tls"] {
        assert_eq!(ssl, parse(&format!("{scheme}://pool.example:4444")).unwrap());
    }
    assert_eq!(ssl.to_string(), "stratum+ssl://pool.example:4444");
    assert_eq!(ssl.authority(), None);
}

// V21
#[test]
fn whoever_answers_is_taken_only_where_the_url_says_so() {
    let tls = |url| match parse(url) {
        Ok(PoolEndpoint::V1 { tls, .. }) => tls,
        other => panic!("{url} gave {other:?}"),
    };
    assert_eq!(tls("stratum+tcp://pool.example"), TlsMode::None);
    assert_eq!(tls("stratum+ssl://pool.example"), TlsMode::Verified);
    assert_eq!(tls("stratum+ssl://pool.example?tls=insecure"), TlsMode::Insecure);
    assert_eq!(tls("ssl://pool.example:4444/?tls=insecure"), TlsMode::Insecure);
    assert_eq!(
        parse("tls://pool.example/?tls=insecure").unwrap().to_string(),
        "stratum+ssl://pool.example?tls=insecure"
    );
    for url in ["stratum+tcp://pool.example?tls=insecure", "stratum+ssl://pool.example?tls=insecure&x=1"] {
        assert_eq!(refused(url), EndpointError::UnexpectedQuery, "{url}");
    }
    assert_eq!(
        refused(&format!("stratum2+tcp://pool.example/{}?tls=insecure", KEYS[0])),
        EndpointError::UnexpectedQuery
    );
}

#[test]
fn port_is_printed_only_when_it_is_not_the_default() {
    for (url, port, printed) in [
        (format!("stratum2+tcp://a.example/{}", KEYS[0]), 34254, format!("stratum2+tcp://a.example/{}", KEYS[0])),
        ("stratum+tcp://a.example".into(), 3333, "stratum+tcp://a.example".into()),
        ("stratum+tcp://a.example:3333/".into(), 3333, "stratum+tcp://a.example".into()),
        ("stratum+tls://a.example".into(), 443, "stratum+ssl://a.example".into()),
        ("stratum+tcp://a.example:443".into(), 443, "stratum+tcp://a.example:443".into()),
    ] {
        let endpoint = parse(&url).unwrap();
        assert_eq!((endpoint.port(), endpoint.to_string()), (port, printed), "{url}");
    }
}

#[test]
fn scheme_and_name_ignore_case_and_a_final_dot() {
    let endpoint = parse("Stratum+TCP://Pool.EXAMPLE.:3334").unwrap();
    assert_eq!(endpoint.to_string(), "stratum+tcp://pool.example:3334");
}

#[test]
fn addresses_are_read_as_addresses() {
    assert_eq!(v2("192.0.2.7:1").unwrap().host(), &Host::Ip(Ipv4Addr::new(192, 0, 2, 7).into()));
    let v6 = v2("[2001:DB8::1]:3336").unwrap();
    assert_eq!(v6.host(), &Host::Ip("2001:db8::1".parse().unwrap()));
    assert_eq!(v6.to_string(), format!("stratum2+tcp://[2001:db8::1]:3336/{}", KEYS[0]));
    assert_eq!(v2("[2001:db8::1]").unwrap().port(), 34254);
}

#[test]
fn host_and_key_may_be_percent_encoded() {
    let encoded: String = KEYS[0].bytes().map(|byte| format!("%{byte:02x}")).collect();
    let endpoint = parse(&format!("stratum2+tcp://p%6Fol.example/{encoded}")).unwrap();
    assert_eq!(endpoint, v2("pool.example").unwrap());
}

#[test]
fn missing_scheme_is_told() {
    for url in ["", "pool.example:3333", "://pool.example", "pool.example:3333/x://y", "7://x", "/"] {
        assert_eq!(refused(url), EndpointError::MissingScheme, "{url}");
    }
}

#[test]
fn unsupported_scheme_is_named() {
    for scheme in ["stratum", "tcp", "http", "https", "stratum2", "stratum2+ssl"] {
        let expected = EndpointError::UnsupportedScheme { scheme: scheme.into() };
        assert_eq!(refused(&format!("{}://pool.example:3333", scheme.to_uppercase())), expected);
    }
}

#[test]
fn missing_host_is_told() {
    for location in ["", ":3333", ".", "%2e"] {
        assert!(matches!(v2(location), Err(EndpointError::MissingHost | EndpointError::BadHost { .. })), "{location}");
    }
    assert_eq!(refused("stratum+tcp://"), EndpointError::MissingHost);
    assert_eq!(refused("stratum+tcp://:3333"), EndpointError::MissingHost);
}

#[test]
fn every_bad_host_has_its_reason() {
    let long_label = "a".repeat(64);
    let long_name = ["a".repeat(63).as_str(); 4].join(".");
    for (location, fault) in [
        ("[2001:db8::1", HostFault::OpenBracket),
        ("[2001:db8::1]3333", HostFault::TextAfterBracket),
        ("2001:db8::1", HostFault::NoBrackets),
        ("[pool.example]", HostFault::NotIpv6),
        ("[192.0.2.1]", HostFault::NotIpv6),
        ("[]", HostFault::NotIpv6),
        ("[fe80::1%eth0]:3333", HostFault::Zone),
        ("[fe80::1%25eth0]:3333", HostFault::Zone),
        ("127.1", HostFault::NotIpv4),
        ("256.0.0.1", HostFault::NotIpv4),
        ("2130706433", HostFault::NotIpv4),
        ("0x7f000001", HostFault::NotIpv4),
        ("0.0.0.0", HostFault::NotOneMachine),
        ("255.255.255.255", HostFault::NotOneMachine),
        ("[::]", HostFault::NotOneMachine),
        ("[::ffff:0.0.0.0]", HostFault::NotOneMachine),
        ("[ff02::1]", HostFault::NotOneMachine),
        ("bergbaupool-süd.example", HostFault::NotAscii),
        ("%ff.example", HostFault::NotAscii),
        ("pool!.example", HostFault::BadCharacter),
        ("pool%00.example", HostFault::BadCharacter),
        ("pool%20x.example", HostFault::BadCharacter),
        ("pool%2fx.example", HostFault::BadCharacter),
        ("u%40pool.example", HostFault::BadCharacter),
        ("pool%zz.example", HostFault::BadCharacter),
        ("pool..example", HostFault::EmptyLabel),
        (".example", HostFault::EmptyLabel),
        (".", HostFault::EmptyLabel),
        (long_label.as_str(), HostFault::LongLabel),
        ("-pool.example", HostFault::EdgeHyphen),
        (long_name.as_str(), HostFault::LongName),
    ] {
        assert_eq!(host_fault(location), fault, "{location}");
    }
}

#[test]
fn longest_name_is_accepted() {
    let name = format!("{}.{}", ["a".repeat(63).as_str(); 3].join("."), "b".repeat(61));
    assert_eq!(v2(&name).unwrap().host().to_string(), name);
}

#[test]
fn bad_ports_are_refused() {
    for port in ["", "0", "00", "65536", "+3333", "-1", "33x", "3333333333333333333333", "٣"] {
        let error = parse(&format!("stratum+tcp://pool.example:{port}"));
        assert_eq!(error, Err(EndpointError::BadPort { port: port.into() }));
    }
    assert!(matches!(refused("stratum+tcp://[::1]:"), EndpointError::BadPort { .. }));
}

#[test]
fn every_bad_key_has_its_reason() {
    let mut typo = KEYS[0].to_owned();
    typo.replace_range(9..10, "j");
    let x = KEYS[0].parse::<AuthorityKey>().unwrap().to_bytes();
    // 5 is the smallest x without a point on secp256k1: 5³ + 7 = 132 is no square.
    let mut off_curve = [0; 32];
    off_curve[31] = 5;
    for (key, error) in [
        (String::new(), EndpointError::MissingKey),
        (KEYS[0].replace('9', "0"), EndpointError::KeyNotBase58),
        ("%ff".into(), EndpointError::KeyNotBase58),
        ("schlüssel".into(), EndpointError::KeyNotBase58),
        (typo, EndpointError::KeyChecksum),
        ("2g".into(), EndpointError::KeyLength { found: 0 }),
        // The form of early drafts, without a version; still seen on old pages.
        ("u95GEReVMjK6k5YqiSFNqqTnKU4ypU2Wm8awa6tmbmDmk1bWt".into(), EndpointError::KeyLength { found: 32 }),
        (key_of(&[&[1, 0], &x[..], &[0]].concat()), EndpointError::KeyLength { found: 35 }),
        (key_of(&[1]), EndpointError::KeyLength { found: 1 }),
        (key_of(&[&[0, 1], &x[..]].concat()), EndpointError::KeyVersion { found: 256 }),
        (key_of(&[&[2, 0], &x[..]].concat()), EndpointError::KeyVersion { found: 2 }),
        (key_of(&[&[1, 0], &off_curve[..]].concat()), EndpointError::KeyNotOnCurve),
        (key_of(&[&[1, 0], &[0xff; 32][..]].concat()), EndpointError::KeyNotOnCurve),
    ] {
        assert_eq!(refused(&format!("stratum2+tcp://pool.example/{key}")), error, "{key}");
    }
    assert_eq!(refused("stratum2+tcp://pool.example"), EndpointError::MissingKey);
    assert_eq!("1".repeat(1025).parse::<AuthorityKey>(), Err(EndpointError::TooLong));
}

#[test]
fn key_on_a_v1_url_is_told_from_any_other_path() {
    for scheme in ["stratum+tcp", "stratum+ssl"] {
        assert_eq!(refused(&format!("{scheme}://pool.example/{}", KEYS[0])), EndpointError::KeyOnV1);
        assert_eq!(refused(&format!("{scheme}://pool.example/mining")), EndpointError::UnexpectedPath);
    }
}

#[test]
fn path_beyond_the_key_is_refused() {
    for path in [format!("{}/", KEYS[0]), format!("{}/x", KEYS[0]), format!("/{}", KEYS[0])] {
        assert_eq!(refused(&format!("stratum2+tcp://pool.example/{path}")), EndpointError::UnexpectedPath);
    }
}

#[test]
fn query_and_fragment_are_refused() {
    for tail in ["?tls=secure", "?TLS=insecure", "#top", "/?", "/#"] {
        assert_eq!(refused(&format!("stratum+ssl://pool.example{tail}")), EndpointError::UnexpectedQuery);
    }
}

#[test]
fn user_in_the_url_is_refused_without_repeating_it() {
    for user in ["alice", "alice:hunter2", "alice:hun/ter2", "alice:hun?ter2", "alice:hun#ter2", "a@b"] {
        let error = refused(&format!("stratum+tcp://{user}@pool.example:3333"));
        assert_eq!(error, EndpointError::UserInUrl);
        assert!(!error.to_string().contains("alice"));
    }
}

#[test]
fn blanks_and_controls_are_refused() {
    for url in [" stratum+tcp://a.example", "stratum+tcp://a.example\n", "stratum+tcp://a\0b", "stratum+tcp://a b"] {
        assert_eq!(refused(url), EndpointError::BlankInUrl);
    }
}

#[test]
fn endless_url_is_refused() {
    assert_eq!(refused(&format!("stratum+tcp://{}", "a.".repeat(600))), EndpointError::TooLong);
}

#[test]
fn what_an_error_repeats_is_short_and_visible() {
    let message = refused(&format!("stratum+tcp://\u{202e}{}", "x".repeat(500))).to_string();
    assert!(message.len() < 150 && !message.contains('\u{202e}'), "{message}");
    assert!(message.contains("xxx..."), "{message}");
}

#[test]
fn loopback_is_known_for_literals_only() {
    for (host, loopback) in [
        ("127.0.0.1", true),
        ("127.9.9.9", true),
        ("::1", true),
        ("[::1]", true),
        ("[::ffff:127.0.0.1]", true),
        ("192.0.2.1", false),
        ("localhost", false),
    ] {
        assert_eq!(host.parse::<Host>().unwrap().is_loopback(), loopback, "{host}");
    }
}

#[test]
fn host_alone_is_checked_like_in_a_url() {
    assert!(matches!("[::1".parse::<Host>(), Err(EndpointError::BadHost { fault: HostFault::OpenBracket, .. })));
    assert!(matches!("a:b".parse::<Host>(), Err(EndpointError::BadHost { fault: HostFault::NotIpv6, .. })));
    assert!(matches!("a b".parse::<Host>(), Err(EndpointError::BadHost { fault: HostFault::BadCharacter, .. })));
    assert_eq!("".parse::<Host>(), Err(EndpointError::MissingHost));
}

#[test]
fn keys_print_as_they_were_written() {
    for text in KEYS {
        let key: AuthorityKey = text.parse().unwrap();
        assert_eq!(key.to_string(), text);
        assert_eq!(AuthorityKey::from_bytes(key.to_bytes()), Ok(key));
    }
}

#[test]
fn fingerprint_is_the_head_of_sha256() {
    let key: AuthorityKey = KEYS[1].parse().unwrap();
    assert_eq!(key.fingerprint(), "41b27417f9fb38d7");
}

#[test]
fn endpoint_is_a_string_in_serde() {
    let json = format!("\"stratum2+tcp://pool.example/{}\"", KEYS[0]);
    let endpoint: PoolEndpoint = serde_json::from_str(&json).unwrap();
    assert_eq!(serde_json::to_string(&endpoint).unwrap(), json);
    let message = serde_json::from_str::<PoolEndpoint>("\"tcp://x\"").unwrap_err().to_string();
    assert!(message.starts_with("scheme `tcp` is not supported"), "{message}");
}

fn host() -> impl Strategy<Value = Host> {
    let name =
        proptest::string::string_regex("([a-z0-9_]([a-z0-9_-]{0,20}[a-z0-9_])?\\.){0,4}[a-z]([a-z0-9-]{0,20}[a-z])?");
    prop_oneof![
        any::<Ipv4Addr>().prop_map(|ip| IpAddr::V4(ip).to_string()),
        any::<Ipv6Addr>().prop_map(|ip| format!("[{ip}]")),
        name.unwrap(),
    ]
    .prop_filter_map("no address of one machine", |text| text.parse().ok())
}

fn endpoint() -> impl Strategy<Value = PoolEndpoint> {
    let key = any::<[u8; 32]>().prop_filter_map("not on the curve", |x| AuthorityKey::from_bytes(x).ok());
    let port = prop_oneof![1..=u16::MAX, Just(super::DEFAULT_PORT_V1), Just(super::DEFAULT_PORT_V2), Just(443)];
    let tls = prop_oneof![Just(TlsMode::None), Just(TlsMode::Verified), Just(TlsMode::Insecure)];
    prop_oneof![
        (host(), port.clone(), tls).prop_map(|(host, port, tls)| PoolEndpoint::V1 { host, port, tls }),
        (host(), port, key).prop_map(|(host, port, authority)| PoolEndpoint::V2 { host, port, authority }),
    ]
}

proptest! {
    #[test]
    fn printing_and_parsing_is_the_identity(endpoint in endpoint()) {
        let printed = endpoint.to_string();
        let parsed = parse(&printed);
        prop_assert_eq!(parsed.as_ref(), Ok(&endpoint));
        prop_assert_eq!(parsed.unwrap().to_string(), printed);
    }

    #[test]
    fn any_text_parses_or_is_refused_but_never_panics(text in "\\PC{0,60}", scheme in "(stratum2?\\+(tcp|ssl)://)?") {
        let url = format!("{scheme}{text}");
        if let Ok(endpoint) = parse(&url) {
            prop_assert_eq!(parse(&endpoint.to_string()), Ok(endpoint));
        }
    }

    #[test]
    fn damaged_url_never_panics_and_what_is_accepted_round_trips(
        endpoint in endpoint(), at in any::<Index>(), damage in prop_oneof![any::<char>(), prop::char::range(' ', '~')], kind in 0..3_u8,
    ) {
        let mut characters: Vec<char> = endpoint.to_string().chars().collect();
        let at = at.index(characters.len());
        match kind {
            0 => characters[at] = damage,
            1 => characters.insert(at, damage),
            _ => characters.truncate(at),
        }
        match parse(&characters.iter().collect::<String>()) {
            Ok(accepted) => prop_assert_eq!(parse(&accepted.to_string()), Ok(accepted)),
            Err(error) => prop_assert!(error.to_string().len() < 250),
        }
    }
}
