use super::*;
use crate::asic::bm13xx::{fixtures, register};
use proptest::prelude::*;

/// What a frame says, read without the encoder.
fn read(frame: &[u8]) -> Command {
    let [0x55, 0xaa, header, length, first, second, rest @ ..] = frame else { panic!("no command: {frame:?}") };
    assert_eq!(usize::from(*length) + 2, frame.len());
    let to = if header & 0x10 == 0 { Destination::Chip(*first) } else { Destination::All };
    match (header & 0xef, rest) {
        (0x43, [_]) => Command::Inactive,
        (0x40, [_]) => Command::SetAddress(*first),
        (0x42, [_]) => Command::Read { to, register: *second },
        (0x41, [a, b, c, d, _]) => {
            Command::Write { to, register: *second, value: u32::from_be_bytes([*a, *b, *c, *d]) }
        }
        _ => panic!("no command: {frame:?}"),
    }
}

#[test]
fn known_frames_are_written_as_they_are_known() {
    for known in fixtures::COMMANDS {
        let frame = fixtures::bytes(known);
        assert_eq!(read(&frame).encode().as_bytes(), frame, "{known}");
    }
}

#[test]
fn frame_of_525_mhz_and_of_the_window_are_those_of_esp_miner() {
    for (command, known) in [
        (Command::write_all(register::PLL0, 0x40a8_0230), "55AA 51 09 00 08 40A80230 03"),
        (Command::write_all(register::PLL0, 0x4044_0221), "55AA 51 09 00 08 40440221 07"),
        (Command::write_all(register::HASH_COUNTING_NUMBER, 0xc_2fb7), "55AA 51 09 00 10 000C2FB7 18"),
        (Command::write_all(register::HASH_COUNTING_NUMBER, 0xc_2ffb), "55AA 51 09 00 10 000C2FFB 06"),
        (Command::write_all(register::HASH_COUNTING_NUMBER, 0x1799), "55AA 51 09 00 10 00001799 00"),
        (Command::write_all(register::HASH_COUNTING_NUMBER, 0xc244), "55AA 51 09 00 10 0000C244 15"),
        (Command::write_all(register::HASH_COUNTING_NUMBER, 0xd_3224), "55AA 51 09 00 10 000D3224 10"),
        (Command::write_all(register::HASH_COUNTING_NUMBER, 0xd_0fac), "55AA 51 09 00 10 000D0FAC 1B"),
        (Command::write_all(register::HASH_COUNTING_NUMBER, 0x1eb5), "55AA 51 09 00 10 00001EB5 0F"),
    ] {
        assert_eq!(command.encode().as_bytes(), fixtures::bytes(known));
    }
}

proptest! {
    #[test]
    fn commands_round_trip(address: u8, register: u8, value: u32) {
        for command in [
            Command::SetAddress(address),
            Command::read(address, register),
            Command::read_all(register),
            Command::write(address, register, value),
            Command::write_all(register, value),
        ] {
            let frame = command.encode();
            prop_assert_eq!(read(frame.as_bytes()), command);
            let (tail, covered) = frame.as_bytes()[2..].split_last().unwrap();
            prop_assert_eq!(*tail, crc::crc5(covered));
        }
    }
}
