use super::*;
use rcgen::{CertificateParams, KeyPair, SanType, SerialNumber};

fn certificate(uris: &[&str], serial: &[u8]) -> Vec<u8> {
    let mut params = CertificateParams::new(vec!["localhost".into()]).unwrap();
    params.subject_alt_names.extend(uris.iter().map(|uri| SanType::URI((*uri).try_into().unwrap())));
    params.serial_number = Some(SerialNumber::from_slice(serial));
    params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().to_vec()
}

#[test]
fn holder_is_read_from_its_uri() {
    for kind in PeerKind::ALL {
        let uri = Peer::uri(kind, &"rig-7".parse().unwrap());
        let peer = Peer::read(&certificate(&[&uri], &[0xab, 0xcd])).unwrap();
        assert_eq!((peer.kind, peer.name.as_str()), (kind, "rig-7"));
        assert_eq!(peer.serial.to_string(), "abcd");
        assert_eq!(uri, format!("mujina://{kind}/rig-7"));
        assert!(peer.not_before < peer.not_after);
    }
}

#[test]
fn uri_that_differs_in_anything_names_nobody() {
    for uris in [
        &[][..],
        &["mujina://miner/a", "mujina://operator/a"],
        &["mujina://miner/a", "https://example.org"],
        &["https://example.org/miner/a"],
        &["mujina:miner/a"],
        &["MUJINA://miner/a"],
        &["mujina://Miner/a"],
        &["mujina://root/a"],
        &["mujina://miner"],
        &["mujina://miner/"],
        &["mujina://miner/a/b"],
        &["mujina://miner/a?x"],
        &["mujina://miner/A"],
        &["mujina://miner/a%2f"],
        &["mujina://miner/-a"],
        &[" mujina://miner/a"],
        &["mujina://x@miner/a"],
    ] {
        let error = Peer::read(&certificate(uris, &[1])).unwrap_err();
        assert!(matches!(error, TlsError::Field("alternative name `mujina://<kind>/<name>`")), "{uris:?}: {error:?}");
    }
}

#[test]
fn bytes_that_are_no_certificate_are_refused_wherever_they_are_cut_or_changed() {
    let whole = certificate(&["mujina://miner/rig-7"], &[7; 16]);
    for length in 0..whole.len() {
        assert!(Peer::read(&whole[..length]).is_err(), "{length}");
    }
    let trailing = [&whole[..], b"x"].concat();
    assert!(matches!(Peer::read(&trailing), Err(TlsError::Field("encoding"))));
    // Whatever comes out of a changed certificate (its signature is not looked at here), nothing panics.
    for at in 0..whole.len() {
        for bit in 0..8 {
            let mut changed = whole.clone();
            changed[at] ^= 1 << bit;
            let _ = Peer::read(&changed);
        }
    }
}

#[test]
fn serial_is_shown_and_read_without_leading_zeros() {
    for (bytes, shown) in [(&[0, 0, 0x0a][..], "0a"), (&[0xff; 20], &*"ff".repeat(20)), (&[0], "00"), (&[], "00")] {
        let serial = Serial::from_bytes(bytes).unwrap();
        assert_eq!(serial.to_string(), shown);
        assert_eq!(shown.parse(), Ok(serial));
    }
    assert_eq!("a".parse::<Serial>().unwrap(), "000A".parse().unwrap());
    assert_eq!(Serial::from_bytes(&[1; 21]), None);
    assert!(Serial::from_bytes(&[&[0; 9][..], &[1; 20]].concat()).is_some());
    for bad in ["", "xyz", "0x1", &"1".repeat(41), "é"] {
        assert_eq!(bad.parse::<Serial>(), Err(SerialError(bad.into())));
    }
}
