//! Frames on the line between host and chips: commands taken apart, replies put together. Sections 2 to 6 of the sheet.

use super::crc::{crc5, crc16, response_crc5};

/// Longest frame there is: a job of four midstates.
const LONGEST: usize = 152;

/// A command frame whose checksum is right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Command {
    SetAddress(u8),
    ChainInactive,
    /// `None` for all chips.
    Read {
        address: Option<u8>,
        register: u8,
    },
    Write {
        address: Option<u8>,
        register: u8,
        value: u32,
    },
    /// Job data without header, length and checksum.
    Job(Vec<u8>),
}

/// How the chips read jobs now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum JobForm {
    Header,
    Midstates,
}

/// What the beginning of a buffer is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Parsed {
    /// More bytes must come.
    Incomplete,
    /// So many bytes are a frame.
    Frame(Command, usize),
    /// So many bytes are none, because of this.
    Refused(Refusal, usize),
}

/// Why bytes are no frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    NoPreamble,
    Header,
    Length,
    Checksum,
    Midstates,
}

/// Looks at the beginning of a buffer.
pub(super) fn parse(buffer: &[u8], form: JobForm) -> Parsed {
    let (first, second) = (buffer.first(), buffer.get(1));
    if first.is_none() || (first == Some(&0x55) && second.is_none()) {
        return Parsed::Incomplete;
    }
    if first != Some(&0x55) || second != Some(&0xaa) {
        let next = buffer.iter().skip(1).position(|byte| *byte == 0x55);
        return Parsed::Refused(Refusal::NoPreamble, next.map_or(buffer.len(), |at| at + 1));
    }
    let Some([header, length]) = buffer.get(2..4).and_then(|two| <[u8; 2]>::try_from(two).ok()) else {
        return Parsed::Incomplete;
    };
    let wanted = match header {
        0x40 | 0x42 | 0x52 | 0x53 => 5,
        0x41 | 0x51 => 9,
        0x21 => return parse_job(buffer, form),
        _ => return Parsed::Refused(Refusal::Header, 2),
    };
    if length != wanted {
        return Parsed::Refused(Refusal::Length, 2);
    }
    let whole = 2 + usize::from(wanted);
    let Some(body) = buffer.get(2..whole) else { return Parsed::Incomplete };
    let Some((tail, checked)) = body.split_last() else { return Parsed::Incomplete };
    if crc5(checked) != *tail {
        return Parsed::Refused(Refusal::Checksum, 2);
    }
    let at = |index: usize| checked.get(index).copied().unwrap_or_default();
    let value = u32::from_be_bytes([at(4), at(5), at(6), at(7)]);
    let command = match header {
        0x40 => Command::SetAddress(at(2)),
        0x53 => Command::ChainInactive,
        0x42 => Command::Read { address: Some(at(2)), register: at(3) },
        0x52 => Command::Read { address: None, register: at(3) },
        0x41 => Command::Write { address: Some(at(2)), register: at(3), value },
        _ => Command::Write { address: None, register: at(3), value },
    };
    Parsed::Frame(command, whole)
}

/// The length byte is not looked at: hosts in production send different ones.
fn parse_job(buffer: &[u8], form: JobForm) -> Parsed {
    let whole = match form {
        JobForm::Header => 88,
        JobForm::Midstates => {
            let Some(midstates) = buffer.get(5) else { return Parsed::Incomplete };
            if !matches!(midstates, 1 | 4) {
                return Parsed::Refused(Refusal::Midstates, 2);
            }
            2 + 22 + 32 * usize::from(*midstates)
        }
    };
    debug_assert!(whole <= LONGEST);
    let Some(frame) = buffer.get(..whole) else { return Parsed::Incomplete };
    let Some((checked, sum)) = frame.get(2..).and_then(<[u8]>::split_last_chunk::<2>) else {
        return Parsed::Incomplete;
    };
    if crc16(checked).to_be_bytes() != *sum {
        return Parsed::Refused(Refusal::Checksum, 2);
    }
    Parsed::Frame(Command::Job(checked.get(2..).unwrap_or_default().to_vec()), whole)
}

/// A register's value as a chip tells it: nine bytes, or eleven once versions are rolled.
pub(super) fn register_reply(value: u32, address: u8, register: u8, long: bool) -> Vec<u8> {
    let mut body = value.to_be_bytes().to_vec();
    body.extend([address, register]);
    if long {
        body.extend([0, 0]);
    }
    reply(&body, 0)
}

/// A nonce. `version` is absent in the short form.
pub(super) fn nonce_reply(nonce: [u8; 4], excess: u8, result: u8, version: Option<u16>) -> Vec<u8> {
    let mut body = nonce.to_vec();
    body.extend([excess, result]);
    body.extend(version.into_iter().flat_map(u16::to_be_bytes));
    reply(&body, 4)
}

fn reply(body: &[u8], kind: u8) -> Vec<u8> {
    let mut frame = vec![0xaa, 0x55];
    frame.extend(body);
    frame.push(kind << 5 | response_crc5(body, kind));
    frame
}

#[cfg(test)]
mod tests {
    use super::*;

    fn command(frame: &str) -> Command {
        let bytes = hex::decode(frame.replace(' ', "")).unwrap();
        match parse(&bytes, JobForm::Header) {
            Parsed::Frame(command, length) if length == bytes.len() => command,
            other => panic!("{frame}: {other:?}"),
        }
    }

    #[test]
    fn commands_of_the_sheet_are_understood() {
        assert_eq!(command("55 AA 52 05 00 00 0A"), Command::Read { address: None, register: 0 });
        assert_eq!(command("55 AA 42 05 02 08 1E"), Command::Read { address: Some(2), register: 8 });
        assert_eq!(command("55 AA 53 05 00 00 03"), Command::ChainInactive);
        assert_eq!(command("55 AA 40 05 04 00 03"), Command::SetAddress(4));
        let write = Command::Write { address: Some(2), register: 0x18, value: 0xf000_c100 };
        assert_eq!(command("55 AA 41 09 02 18 F0 00 C1 00 13"), write);
        let write = Command::Write { address: None, register: 0xa4, value: 0x9000_ffff };
        assert_eq!(command("55 AA 51 09 00 A4 90 00 FF FF 1C"), write);
    }

    #[test]
    fn replies_are_those_of_the_sheet() {
        let hex = |frame: Vec<u8>| hex::encode_upper(frame);
        assert_eq!(hex(register_reply(0x1370_0000, 0, 0, false)), "AA55137000000000".to_owned() + "06");
        assert_eq!(hex(register_reply(0x1370_0000, 0, 0, true)), "AA5513700000000000".to_owned() + "0010");
        assert_eq!(hex(register_reply(0x0000_c100, 0, 0x18, false)), "AA550000C100001802");
        assert_eq!(hex(register_reply(0x8000_080c, 0, 0xb4, true)), "AA558000080C00B400001A");
        assert_eq!(hex(register_reply(0x1397_1800, 0, 0, false)), "AA5513971800000006");
        assert_eq!(hex(register_reply(0x1362_0300, 0, 0, true)), "AA551362030000000000".to_owned() + "1E");
        assert_eq!(hex(nonce_reply([0x4c, 3, 0x52, 0x75], 0x0c, 0xd2, Some(0x05a2))), "AA554C0352750CD205A29C");
        assert_eq!(hex(nonce_reply([0x9b, 4, 0x4c, 0x0a], 0, 0x1a, None)), "AA559B044C0A001A94");
    }

    #[test]
    fn damaged_frames_are_refused_and_the_next_is_found() {
        let good = hex::decode("55AA520500000A").unwrap();
        for flipped in 0..good.len() * 8 {
            let mut bytes = good.clone();
            bytes[flipped / 8] ^= 1 << (flipped % 8);
            bytes.extend(&good);
            let mut rest = bytes.as_slice();
            let mut found = Vec::new();
            loop {
                match parse(rest, JobForm::Header) {
                    Parsed::Frame(command, length) => {
                        found.push(command);
                        rest = &rest[length..];
                    }
                    Parsed::Refused(_, length) => rest = &rest[length..],
                    Parsed::Incomplete => break,
                }
            }
            // A flip may make a job's header of it, which waits for 88 bytes, or another command with a longer length.
            if !rest.is_empty() {
                continue;
            }
            assert_eq!(found, [Command::Read { address: None, register: 0 }], "bit {flipped}");
        }
    }

    #[test]
    fn job_frames_of_the_sheet_have_the_right_checksum() {
        let stock = "55AA2136000100000000267702176E49B66790523E5B37DF504AE0A13FC0F2CB93B94A6B42224F7521631476B5D6DC20CC27\
                     0000000000000000DD4100007DF8A587A31DD9FFE1CC3AAD8B1F17EEFA0284080000002062B9";
        assert!(matches!(command(stock), Command::Job(data) if data.len() == 82));
        let midstates = "55AA219604040000000001DD0517D88B6564C604A8464D3185F25F7D5DE0E3591741CB21CAE11574DDD65D490D3D6873\
            9F8A52EADF911223A956E9EF56CB49D27F0829C7AFEAD0908EAD93772919D4BC33EFCB6996584176317EF2641293A3EF\
            FCA4188675380C97DAA32F37D00D3228F08966C0B97D73828AE1E589678BC3F03B5A863835599CD73C42E3B67BBDC47F\
            5B51EAEC465A1F08";
        let bytes = hex::decode(midstates).unwrap();
        assert!(
            matches!(parse(&bytes, JobForm::Midstates), Parsed::Frame(Command::Job(data), 152) if data.len() == 146)
        );
    }
}
