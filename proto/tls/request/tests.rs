use super::*;
use rcgen::{KeyPair, PKCS_ECDSA_P384_SHA384, PKCS_ED25519, SigningKey};

fn request(key: &KeyPair) -> Vec<u8> {
    CertificateParams::new(vec!["example.org".into()]).unwrap().serialize_request(key).unwrap().der().to_vec()
}

fn text(der: &[u8]) -> String {
    super::super::identity::block("CERTIFICATE REQUEST", der)
}

#[test]
fn key_comes_out_of_a_request_as_its_holder_shows_it() {
    let key = NewKey::generate().unwrap();
    let taken = PublicKey::from_request(&key.request("rig-7").unwrap()).unwrap();
    assert_eq!(taken.fingerprint(), key.fingerprint());
    for algorithm in [&PKCS_ECDSA_P384_SHA384, &PKCS_ED25519] {
        let key = KeyPair::generate_for(algorithm).unwrap();
        let taken = PublicKey::from_request(&text(&request(&key))).unwrap();
        assert_eq!(taken.info(), key.subject_public_key_info());
    }
}

#[test]
fn key_that_was_saved_asks_again_as_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("new-key.pem");
    let key = NewKey::generate().unwrap();
    key.save(&path).unwrap();
    let again = NewKey::load(&path).unwrap();
    assert_eq!(again.fingerprint(), key.fingerprint());
    let taken = PublicKey::from_request(&again.request("rig-7").unwrap()).unwrap();
    assert_eq!(taken.fingerprint(), key.fingerprint());
    assert!(!format!("{again:?}").contains("KeyPair"));
    private_file::write_private(&path, "nothing").unwrap();
    assert!(matches!(NewKey::load(&path), Err(TlsError::Within(..))));
}

#[test]
fn request_that_another_key_signed_is_refused() {
    let (key, other) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
    // The same length of everything, so that the keys can be exchanged in the bytes.
    let der = request(&key);
    let at = der.windows(65).position(|window| window == key.public_key_raw()).unwrap();
    let mut swapped = der.clone();
    swapped[at..at + 65].copy_from_slice(other.public_key_raw());
    assert!(PublicKey::from_request(&text(&der)).is_ok());
    let error = PublicKey::from_request(&text(&swapped)).unwrap_err();
    assert!(matches!(error, TlsError::Request("is not signed by its own key")), "{error:?}");
}

#[test]
fn changed_request_is_refused_or_still_of_the_key_that_signed_it() {
    let der = request(&KeyPair::generate().unwrap());
    let key = PublicKey::from_request(&text(&der)).unwrap();
    let signed = X509CertificationRequest::from_der(&der).unwrap().1.certification_request_info.raw;
    let signed =
        signed.as_ptr().addr() - der.as_ptr().addr()..signed.as_ptr().addr() - der.as_ptr().addr() + signed.len();
    for at in 0..der.len() {
        for bit in 0..8 {
            let mut changed = der.clone();
            changed[at] ^= 1 << bit;
            match PublicKey::from_request(&text(&changed)) {
                // The frame of the signature has bits that mean nothing.
                Ok(taken) => assert!(taken == key && !signed.contains(&at), "{at}"),
                Err(error) => assert!(matches!(error, TlsError::Request(_) | TlsError::KeyType), "{error:?}"),
            }
        }
        assert!(PublicKey::from_request(&text(&der[..at])).is_err(), "{at}");
    }
}

#[test]
fn keys_of_other_types_and_texts_of_other_kinds_are_refused() {
    // The public key of an RSA request, as another tool makes it; its signature is not reached.
    let rsa = x509_parser::oid_registry::OID_PKCS1_RSAENCRYPTION;
    let key = KeyPair::generate().unwrap();
    let der = request(&key);
    let (_, mut parsed) = X509CertificationRequest::from_der(&der).unwrap();
    assert!(is_taken(&parsed.certification_request_info.subject_pki));
    parsed.certification_request_info.subject_pki.algorithm.algorithm = rsa;
    assert!(!is_taken(&parsed.certification_request_info.subject_pki));
    let other = super::super::identity::block("CERTIFICATE", &der);
    assert!(matches!(PublicKey::from_request(&other), Err(TlsError::Request("is a PEM block of something else"))));
    assert!(matches!(PublicKey::from_request("hello"), Err(TlsError::Request("is not in PEM form"))));
    let long = "x".repeat(LONGEST + 1);
    assert!(matches!(PublicKey::from_request(&long), Err(TlsError::Request("is longer than any should be"))));
    let trailing = text(&[&der[..], b"x"].concat());
    assert!(matches!(PublicKey::from_request(&trailing), Err(TlsError::Request("cannot be read"))));
    assert!(key.sign(b"x").is_ok());
}
