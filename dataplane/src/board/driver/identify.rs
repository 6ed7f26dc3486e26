//! Asks a chip what it is, over the port that is its chain's later.

use crate::{
    asic::bm13xx::{
        bring_up::{PACE, RESET_BAUD},
        command::Command,
        frame::{Decoder, ResponseForm},
        register::{self, VersionRolling},
        response::Response,
    },
    board::hardware::HardwareError,
    transport::serial::SerialPort,
};
use std::{io, path::Path, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::{Instant, sleep, timeout_at},
};

/// An answer comes within a few milliseconds, or not at all.
const ANSWER: Duration = Duration::from_millis(200);
/// Times that it is asked: garbage may come while the core powers up.
const TRIES: u32 = 3;
/// Times that it is told to answer in the long form, as Mujina does.
const TOLD: u32 = 3;

/// The chip's id. Chips are out of reset and at their first rate.
pub(super) async fn chip_id(data: &Path) -> Result<u16, HardwareError> {
    let failed = |problem: String| HardwareError::Part { part: "chip", problem };
    let mut port = SerialPort::open(data, RESET_BAUD).map_err(|error| failed(error.to_string()))?;
    for _ in 0..TRIES {
        match ask(&mut port).await {
            Ok(Some(chip_id)) => return Ok(chip_id),
            Ok(None) => {}
            Err(error) => return Err(failed(format!("its port failed: {error}; check the cable"))),
        }
    }
    Err(failed("it does not answer; check that the core supply is on and the firmware fits the board".into()))
}

async fn ask(port: &mut SerialPort) -> io::Result<Option<u16>> {
    let long = Command::write_all(register::MIDSTATE_CONFIG, VersionRolling::within(u32::MAX).encode()).encode();
    for _ in 0..TOLD {
        port.write_all(long.as_bytes()).await?;
        sleep(PACE).await;
    }
    port.write_all(Command::read_all(register::CHIP_ID).encode().as_bytes()).await?;
    let deadline = Instant::now() + ANSWER;
    let mut heard = Vec::new();
    let mut chunk = [0; 256];
    while let Ok(count) = timeout_at(deadline, port.read(&mut chunk)).await {
        heard.extend_from_slice(chunk.get(..count?).unwrap_or_default());
        if let Some(chip_id) = found(&heard) {
            return Ok(Some(chip_id));
        }
    }
    Ok(None)
}

/// In either form: which one the chip answers in before it was told differs between models.
fn found(heard: &[u8]) -> Option<u16> {
    [ResponseForm::Long, ResponseForm::Short].into_iter().find_map(|form| {
        let (mut decoder, mut rest) = (Decoder::new(form), heard);
        std::iter::from_fn(|| decoder.next(&mut rest)).find_map(|response| match response {
            Response::Register(value) if value.register == register::CHIP_ID => u16::try_from(value.value >> 16).ok(),
            _ => None,
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chip_is_found_in_either_form_behind_garbage() {
        // Captured of a BM1370, out of reset and once it rolls versions (BM13xx fact sheet 5).
        let short = [0xaa, 0x55, 0x13, 0x70, 0x00, 0x00, 0x00, 0x00, 0x06];
        let long = [0xaa, 0x55, 0x13, 0x70, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x10];
        for frame in [&short[..], &long[..]] {
            assert_eq!(found(&[&[0xff, 0x00, 0xaa][..], frame].concat()), Some(0x1370), "{frame:02x?}");
        }
        assert_eq!(found(&[0xff, 0x00, 0xaa, 0x55, 0x13]), None);
    }
}
