//! The URL of a pool, which is security input: it says whom to trust.

use mujina_core::pool::{EndpointError, Host, PoolEndpoint, TlsMode};
use std::collections::HashSet;

#[test]
fn any_text_is_an_endpoint_that_prints_as_it_parses_or_an_error_fit_to_be_shown() {
    bolero::check!().with_iterations(3000).with_max_len(1200).for_each(|input: &[u8]| {
        let text = String::from_utf8_lossy(input);
        check(&text);
        // Most texts have no scheme, and would say nothing of what follows it.
        for scheme in ["stratum2+tcp", "stratum+tcp", "stratum+ssl"] {
            check(&format!("{scheme}://{text}"));
        }
        check_host(&text);
    });
}

#[test]
fn corpus_has_every_endpoint_and_every_error() {
    let folder = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/fuzz/__fuzz__/endpoint__any_text_is_an_endpoint_that_prints_as_it_parses_or_an_error_fit_to_be_shown/corpus"
    );
    let (mut endpoints, mut errors) = (HashSet::new(), HashSet::new());
    for entry in std::fs::read_dir(folder).expect("the corpus") {
        let input = std::fs::read(entry.expect("an input").path()).expect("an input");
        match String::from_utf8_lossy(&input).parse::<PoolEndpoint>() {
            Ok(PoolEndpoint::V1 { tls, .. }) => drop(endpoints.insert(Some(tls))),
            Ok(PoolEndpoint::V2 { .. }) => drop(endpoints.insert(None)),
            Err(error) => drop(errors.insert(std::mem::discriminant(&error))),
        }
    }
    // Errors of keys that are base58 but no key are left to the tests of the parser.
    assert!(endpoints.len() == 4 && errors.len() >= 11, "{endpoints:?} {errors:?}");
}

fn check(url: &str) {
    match url.parse::<PoolEndpoint>() {
        Ok(endpoint) => check_endpoint(url, &endpoint),
        Err(error) => check_error(url, &error),
    }
}

fn check_endpoint(url: &str, endpoint: &PoolEndpoint) {
    let printed = endpoint.to_string();
    assert_eq!(printed.parse().as_ref(), Ok(endpoint), "{url} prints as {printed}");
    assert_ne!(endpoint.port(), 0);
    check_host(&endpoint.host().to_string());
    assert_eq!(endpoint.host().to_string().parse().as_ref(), Ok(endpoint.host()));
    // The scheme alone says what is spoken, and only the words for it take who is not known.
    let scheme = url.split("://").next().unwrap_or_default().to_ascii_lowercase();
    let (has_key, tls) = match endpoint {
        PoolEndpoint::V2 { .. } => (true, TlsMode::None),
        PoolEndpoint::V1 { tls, .. } => (false, *tls),
    };
    assert_eq!(scheme == "stratum2+tcp", has_key);
    assert_eq!(endpoint.authority().is_some(), has_key);
    let in_tls = ["stratum+ssl", "stratum+tls", "ssl", "tls"].contains(&scheme.as_str());
    assert_eq!(in_tls, tls != TlsMode::None);
    assert_eq!(url.ends_with("?tls=insecure"), tls == TlsMode::Insecure);
    assert_eq!(url.contains('?'), tls == TlsMode::Insecure);
    assert!(!url.contains(['@', '#']) && !url.contains(char::is_whitespace));
}

fn check_error(url: &str, error: &EndpointError) {
    let message = error.to_string();
    assert!(message.len() < 250 && !message.contains(char::is_control), "{message:?}");
    // A user and a password are never repeated, wherever in the URL they stand.
    if let Some((_, rest)) = url.split_once("://")
        && rest.contains('@')
    {
        let before_it = matches!(
            error,
            EndpointError::TooLong
                | EndpointError::BlankInUrl
                | EndpointError::MissingScheme
                | EndpointError::UnsupportedScheme { .. }
        );
        assert!(before_it || *error == EndpointError::UserInUrl, "{message}");
    }
}

fn check_host(text: &str) {
    match text.parse::<Host>() {
        Ok(host) => {
            let printed = host.to_string();
            assert_eq!(printed.parse().as_ref(), Ok(&host), "{text} prints as {printed}");
            if let Host::Name(name) = &host {
                // What a resolver would read as an address is none of these.
                assert!(name.as_str().parse::<std::net::IpAddr>().is_err());
                assert!(name.as_str().len() <= 253 && name.as_str().is_ascii());
                assert!(!host.is_loopback());
            }
        }
        Err(error) => assert!(error.to_string().len() < 250),
    }
}
