//! Worked frames of bitaxe-raw 6, and what is no frame.

use super::*;
use crate::bridge::request::{AdcInput, RequestError};
use proptest::prelude::*;

mod fuzz;

fn bytes(hex: &str) -> Vec<u8> {
    hex.split_whitespace().map(|byte| u8::from_str_radix(byte, 16).unwrap()).collect()
}

fn write(address: u8, data: &str) -> Request {
    Request::I2cWrite { address, bytes: bytes(data) }
}

fn write_read(address: u8, data: &str, count: u8) -> Request {
    Request::I2cWriteRead { address, bytes: bytes(data), count }
}

/// Name, request, its bytes, the reply of V0, its data.
fn worked() -> Vec<(&'static str, Request, &'static str, &'static str, &'static str)> {
    vec![
        (
            "i2c_100k",
            Request::I2cFrequency(100_000),
            "0A 00 01 00 05 10 A0 86 01 00",
            "04 00 01 A0 86 01 00",
            "A0 86 01 00",
        ),
        (
            "i2c_400k",
            Request::I2cFrequency(400_000),
            "0A 00 01 00 05 10 80 1A 06 00",
            "04 00 01 80 1A 06 00",
            "80 1A 06 00",
        ),
        ("write", write(0x4F, "DE"), "08 00 01 00 05 20 4F DE", "01 00 01 01", "01"),
        ("read", Request::I2cRead { address: 0x4C, count: 1 }, "08 00 01 00 05 30 4C 01", "01 00 01 5A", "5A"),
        ("write_read", write_read(0x32, "FE", 2), "09 00 01 00 05 40 32 FE 02", "02 00 01 12 34", "12 34"),
        ("emc2101_id", write_read(0x4C, "FD", 1), "09 00 02 00 05 40 4C FD 01", "01 00 02 16", "16"),
        ("emc2101_fan", write(0x4C, "4C 3F"), "09 00 03 00 05 20 4C 4C 3F", "01 00 03 02", "02"),
        (
            "tps546_id",
            write_read(0x24, "AD", 7),
            "09 00 04 00 05 40 24 AD 07",
            "07 00 04 06 54 49 54 6D 24 41",
            "06 54 49 54 6D 24 41",
        ),
        ("tps546_vout", write(0x24, "21 4D 02"), "0A 00 05 00 05 20 24 21 4D 02", "01 00 05 03", "03"),
        ("tps546_on", write(0x24, "01 80"), "09 00 06 00 05 20 24 01 80", "01 00 06 02", "02"),
        ("tps546_off", write(0x24, "01 00"), "09 00 06 00 05 20 24 01 00", "01 00 06 02", "02"),
        ("tps546_clear", write(0x24, "03"), "08 00 07 00 05 20 24 03", "01 00 07 01", "01"),
        ("tps546_status", write_read(0x24, "79", 2), "09 00 08 00 05 40 24 79 02", "02 00 08 00 00", "00 00"),
        ("reset_low", Request::GpioWrite(0, false), "07 00 09 00 06 00 00", "01 00 09 00", "00"),
        ("reset_high", Request::GpioWrite(0, true), "07 00 0A 00 06 00 01", "01 00 0A 01", "01"),
        ("reset_read", Request::GpioRead(0), "06 00 00 00 06 00", "01 00 00 01", "01"),
        ("power_on", Request::GpioWrite(1, true), "07 00 0B 00 06 01 01", "01 00 0B 01", "01"),
        ("io_power_on", Request::GpioWrite(2, true), "07 00 0C 00 06 02 01", "01 00 0C 01", "01"),
        ("adc_vdd", Request::Adc(AdcInput::Vdd), "06 00 00 00 07 50", "02 00 00 34 12", "34 12"),
        ("led_magenta", Request::Led([0xFF, 0, 0xFF]), "09 00 00 00 08 10 FF 00 FF", "03 00 00 FF 00 FF", "FF 00 FF"),
        ("tmp1075", write_read(0x4A, "00", 2), "09 00 0E 00 05 40 4A 00 02", "02 00 0E 1A 20", "1A 20"),
        ("captured", write_read(0x4A, "00", 2), "09 00 AA 00 05 40 4A 00 02", "02 00 AA 1A 20", "1A 20"),
    ]
}

/// The same in V1: one length, and a status.
fn in_v1(id: u8, data: &[u8]) -> Vec<u8> {
    let length = u8::try_from(4 + data.len()).unwrap();
    [&[length, 0, id, 0], data].concat()
}

#[test]
fn worked_requests_are_encoded_byte_for_byte() {
    for (name, request, frame, _, _) in worked() {
        let frame = bytes(frame);
        assert_eq!(request.encode(frame[2]), frame, "{name}");
        assert_eq!(request.check(), Ok(()), "{name}");
    }
    assert_eq!(Request::Reboot.encode(0x0D), bytes("0A 00 0D 00 09 01 DE AD BE EF"));
    assert_eq!(Request::RebootToBootloader.encode(0x0D), bytes("0A 00 0D 00 09 02 B0 07 10 AD"));
}

#[test]
fn worked_replies_are_read_in_both_protocols() {
    for (name, request, frame, reply, data) in worked() {
        let (id, reply, data) = (bytes(frame)[2], bytes(reply), bytes(data));
        for (protocol, reply) in [(Protocol::V0, reply), (Protocol::V1, in_v1(id, &data))] {
            let whole = Reply { answer: Ok(&data[..]), length: reply.len() };
            assert_eq!(decode(protocol, &request, id, &reply), Ok(Some(whole)), "{name} {protocol}");
            assert!(request.is_done(&data), "{name}");
            for cut in 0..reply.len() {
                assert_eq!(decode(protocol, &request, id, &reply[..cut]), Ok(None), "{name} {protocol} cut at {cut}");
            }
        }
    }
}

#[test]
fn worked_replies_of_v1_are_those_of_the_sheet() {
    assert_eq!(in_v1(0x0E, &[0x1A, 0x20]), bytes("06 00 0E 00 1A 20"));
    assert_eq!(in_v1(0x0A, &[1]), bytes("05 00 0A 00 01"));
}

#[test]
fn error_with_text_is_read_alike_in_both_protocols() {
    let request = write(0x50, "00");
    let reply = bytes("13 00 05 FF 49 32 43 20 57 72 69 74 65 20 45 72 72 6F 72");
    for protocol in [Protocol::V0, Protocol::V1] {
        let answer = Err(Refusal::Text("I2C Write Error".into()));
        assert_eq!(decode(protocol, &request, 5, &reply), Ok(Some(Reply { answer, length: 19 })));
        assert_eq!(decode(protocol, &request, 5, &reply[..18]), Ok(None));
    }
}

#[test]
fn every_text_of_the_firmware_has_the_length_that_is_expected_of_it() {
    for (request, text) in [
        (Request::I2cFrequency(1), "I2C Set Frequency Error"),
        (write(1, "00"), "I2C Write Error"),
        (Request::I2cRead { address: 1, count: 1 }, "I2C Read Error"),
        (write_read(1, "00", 1), "I2C WriteRead Error"),
        (Request::Adc(AdcInput::Vin), "ADC Read Error"),
    ] {
        assert_eq!(request.error_length(), Some(4 + text.len()), "{text}");
        let length = u8::try_from(4 + text.len()).unwrap();
        let reply = [&[length, 0, 9, 0xFF], text.as_bytes()].concat();
        let read = decode(Protocol::V0, &request, 9, &reply).unwrap().unwrap();
        assert_eq!(read.answer, Err(Refusal::Text(text.into())));
    }
}

#[test]
fn what_the_controller_could_not_read_comes_without_its_id() {
    let request = Request::GpioRead(7);
    for (reply, refusal) in
        [("04 00 FF 11", Refusal::Invalid), ("04 00 FF 12", Refusal::Overflow), ("04 00 FF 10", Refusal::Timeout)]
    {
        for protocol in [Protocol::V0, Protocol::V1] {
            let answer = Err(refusal.clone());
            assert_eq!(decode(protocol, &request, 0x34, &bytes(reply)), Ok(Some(Reply { answer, length: 4 })));
        }
    }
}

#[test]
fn what_is_no_reply_is_known_by_its_first_bytes() {
    let temperature = write_read(0x4A, "00", 2);
    for (protocol, reply, malformed) in [
        (Protocol::V0, "02 00 0D", Malformed::Id { found: 0x0D, expected: 0x0E }),
        (Protocol::V0, "05 00 0E", Malformed::Length(5)),
        (Protocol::V0, "04 00 0E", Malformed::Length(4)),
        (Protocol::V0, "17 00 0E 11", Malformed::Code(0x11)),
        (Protocol::V0, "00 00 FF", Malformed::Length(0)),
        (Protocol::V0, "03 00 FF", Malformed::Length(3)),
        (Protocol::V0, "41 00 FF", Malformed::Length(0x41)),
        (Protocol::V0, "04 00 FF 07", Malformed::Code(7)),
        (Protocol::V1, "05 00 0E 00", Malformed::Length(5)),
        (Protocol::V1, "00 00 0E 11", Malformed::Length(0)),
        (Protocol::V1, "01 00 0E FF", Malformed::Length(1)),
        (Protocol::V1, "02 00 0E 1A", Malformed::Length(2)),
    ] {
        assert_eq!(decode(protocol, &temperature, 0x0E, &bytes(reply)), Err(malformed), "{protocol} {reply}");
    }
}

#[test]
fn protocols_are_never_taken_for_each_other_at_first_contact() {
    let request = Request::I2cFrequency(100_000);
    let data = bytes("A0 86 01 00");
    let v0 = bytes("04 00 01 A0 86 01 00");
    assert!(decode(Protocol::V1, &request, 1, &v0).is_err());
    assert!(decode(Protocol::V0, &request, 1, &in_v1(1, &data)).is_err());
}

#[test]
fn transfers_that_could_be_misread_are_not_asked_for() {
    let read = |count| Request::I2cRead { address: 1, count }.check();
    assert_eq!(read(17), Ok(()));
    assert_eq!(read(18), Err(RequestError::Length(18)));
    assert_eq!(read(0), Err(RequestError::Length(0)));
    assert_eq!(read(33), Err(RequestError::Length(33)));
    assert_eq!(write_read(1, "00", 23).check(), Err(RequestError::Length(23)));
    assert_eq!(write_read(1, "00", 18).check(), Ok(()));
    assert_eq!(write(0x80, "00").check(), Err(RequestError::Address(0x80)));
    assert_eq!(write(0x24, "").check(), Err(RequestError::Length(0)));
}

#[test]
fn release_says_which_protocol() {
    for (release, protocol) in
        [(0x0001, Protocol::V0), (0x0500, Protocol::V0), (0x0510, Protocol::V1), (0x051F, Protocol::V1)]
    {
        assert_eq!(Protocol::of_release(release), protocol, "{release:#06x}");
    }
}

#[test]
fn text_of_the_controller_is_printable() {
    let reply = [&[8, 0, 1, 0xFF], &b"a\x1b[m"[..]].concat();
    let read = decode(Protocol::V1, &write(1, "00"), 1, &reply).unwrap().unwrap();
    assert_eq!(read.answer, Err(Refusal::Text("a.[m".into())));
}

proptest! {
    #[test]
    fn data_of_any_length_come_back_as_they_were_sent(
        data in prop::collection::vec(any::<u8>(), 1..=32),
        id in 0_u8..0xFF,
        v1: bool,
        behind in prop::collection::vec(any::<u8>(), 0..4),
    ) {
        prop_assume!(data.len() != 23);
        let request = write_read(0x24, "00", u8::try_from(data.len()).unwrap());
        let count = u8::try_from(data.len()).unwrap();
        let (protocol, reply) =
            if v1 { (Protocol::V1, in_v1(id, &data)) } else { (Protocol::V0, [&[count, 0, id], &data[..]].concat()) };
        let received = [&reply[..], &behind[..]].concat();
        let read = decode(protocol, &request, id, &received).unwrap().unwrap();
        prop_assert_eq!(read, Reply { answer: Ok(&data[..]), length: reply.len() });
    }
}
