//! The two things that are wanted from an X.509 certificate and that the TLS library does not show: its validity, and its
//! public key as it is pinned.
//!
//! Source: RFC 5280 §4.1; X.690 for the encoding. Reads no more than the way to these fields, and checks nothing else:
//! whether a certificate is to be trusted is decided by `tls`.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

const SEQUENCE: u8 = 0x30;
const INTEGER: u8 = 0x02;
const EXPLICIT_VERSION: u8 = 0xa0;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;

/// What is read of a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Certificate<'a> {
    pub(super) not_before: SystemTime,
    pub(super) not_after: SystemTime,
    /// The whole SubjectPublicKeyInfo, tag and length included.
    pub(super) public_key: &'a [u8],
}

impl<'a> Certificate<'a> {
    /// `None` for what is no certificate.
    pub(super) fn read(der: &'a [u8]) -> Option<Self> {
        let (certificate, _) = Element::read(der, SEQUENCE)?;
        let (to_be_signed, _) = Element::read(certificate.content, SEQUENCE)?;
        let mut rest = to_be_signed.content;
        if let Some((_version, after)) = Element::read(rest, EXPLICIT_VERSION) {
            rest = after;
        }
        let (_serial, rest) = Element::read(rest, INTEGER)?;
        let (_algorithm, rest) = Element::read(rest, SEQUENCE)?;
        let (_issuer, rest) = Element::read(rest, SEQUENCE)?;
        let (validity, rest) = Element::read(rest, SEQUENCE)?;
        let (_subject, rest) = Element::read(rest, SEQUENCE)?;
        let (public_key, _) = Element::read(rest, SEQUENCE)?;
        let (not_before, after) = time(validity.content)?;
        let (not_after, _) = time(after)?;
        Some(Self { not_before, not_after, public_key: public_key.whole })
    }
}

struct Element<'a> {
    whole: &'a [u8],
    content: &'a [u8],
}

impl<'a> Element<'a> {
    /// Takes an element of this tag off the front.
    fn read(bytes: &'a [u8], tag: u8) -> Option<(Self, &'a [u8])> {
        let (first, after) = bytes.split_first()?;
        let (short, after) = after.split_first()?;
        let (length, after) = match short {
            ..=0x7f => (usize::from(*short), after),
            0x81..=0x83 => {
                let (digits, after) = after.split_at_checked(usize::from(short & 0x7f))?;
                (digits.iter().fold(0, |length, digit| length << 8 | usize::from(*digit)), after)
            }
            _ => return None,
        };
        let (content, rest) = after.split_at_checked(length)?;
        let (whole, _) = bytes.split_at_checked(bytes.len() - rest.len())?;
        (*first == tag).then_some((Self { whole, content }, rest))
    }
}

/// A time in UTC with seconds, which is the only form that certificates may have.
fn time(bytes: &[u8]) -> Option<(SystemTime, &[u8])> {
    let (text, rest, century_digits) = match (Element::read(bytes, UTC_TIME), Element::read(bytes, GENERALIZED_TIME)) {
        (Some((element, rest)), _) => (element.content, rest, false),
        (_, Some((element, rest))) => (element.content, rest, true),
        _ => return None,
    };
    let (pairs, [b'Z']) = text.as_chunks::<2>() else { return None };
    let digit = |byte: u8| byte.is_ascii_digit().then(|| u64::from(byte - b'0'));
    let numbers: Option<Vec<u64>> = pairs.iter().map(|[high, low]| Some(digit(*high)? * 10 + digit(*low)?)).collect();
    let (year, rest_of_it) = match (numbers.as_deref()?, century_digits) {
        ([century, year, rest @ ..], true) => (century * 100 + year, rest),
        // RFC 5280 §4.1.2.5.1
        ([year, rest @ ..], false) => (year + if *year < 50 { 2000 } else { 1900 }, rest),
        _ => return None,
    };
    let [month @ 1..=12, day @ 1..=31, hour @ ..=23, minute @ ..=59, second @ ..=60] = *rest_of_it else { return None };
    let seconds = days_since_1970(year, month, day)? * 86_400 + hour * 3_600 + minute * 60 + second;
    Some((UNIX_EPOCH + Duration::from_secs(seconds), rest))
}

/// Counts years from March on, so that the leap day is the last of a year. `None` before 1970.
fn days_since_1970(year: u64, month: u64, day: u64) -> Option<u64> {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year.checked_sub(1)?, month + 9) };
    let leap_days = year / 4 - year / 100 + year / 400;
    let days = year * 365 + leap_days + (153 * month + 2) / 5 + day - 1;
    days.checked_sub(719_468)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pool::sv1::testing::TlsIdentity;
    use proptest::prelude::*;

    fn unix(text: &[u8], tag: u8) -> Option<u64> {
        let bytes: Vec<u8> = [tag, u8::try_from(text.len()).unwrap()].into_iter().chain(text.iter().copied()).collect();
        time(&bytes).map(|(time, _)| time.duration_since(UNIX_EPOCH).unwrap().as_secs())
    }

    #[test]
    fn times_are_read_in_both_forms() {
        assert_eq!(unix(b"700101000000Z", UTC_TIME), Some(0));
        assert_eq!(unix(b"000229235959Z", UTC_TIME), Some(951_868_799));
        assert_eq!(unix(b"491231235959Z", UTC_TIME), Some(2_524_607_999));
        assert_eq!(unix(b"20500101000000Z", GENERALIZED_TIME), Some(2_524_608_000));
        assert_eq!(unix(b"20260301000000Z", GENERALIZED_TIME), Some(1_772_323_200));
        for bad in [&b"691231235959Z"[..], b"700101000000", b"7001010000Z", b"701301000000Z", b"70x101000000Z"] {
            assert_eq!(unix(bad, UTC_TIME), None, "{bad:?}");
        }
    }

    #[test]
    fn fields_of_a_certificate_are_found() {
        let identity = TlsIdentity::valid_from(1_700_000_000, 1_800_000_000);
        let certificate = Certificate::read(identity.certificate()).unwrap();
        let at = |seconds| UNIX_EPOCH + Duration::from_secs(seconds);
        assert_eq!((certificate.not_before, certificate.not_after), (at(1_700_000_000), at(1_800_000_000)));
        assert_eq!(certificate.public_key, identity.public_key());
    }

    proptest! {
        #[test]
        fn garbage_is_no_certificate_and_no_panic(at in 0_usize..2_000, flip in any::<u8>(), cut in 0_usize..2_000) {
            let mut der = TlsIdentity::valid_from(1_700_000_000, 1_800_000_000).certificate().to_vec();
            if let Some(byte) = der.get_mut(at) {
                *byte ^= flip;
            }
            der.truncate(cut);
            let _ = Certificate::read(&der);
        }
    }
}
