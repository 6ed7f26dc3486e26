//! SubmitSharesExtended as bytes, written by hand: the one message that is sent all the time takes no memory from the allocator.
//!
//! Source: Stratum V2 specification 05 §5.3.12 and the extension Worker-Specific Hashrate Tracking; stratum-client F5, U1,
//! U11, U12.

use super::{ClearFrame, Share, Unsendable, extensions::worker_field, header};
use stratum_apps::stratum_core::mining_sv2 as mining;

/// The frame in the clear.
pub(super) fn encode(share: &Share) -> Result<ClearFrame, Unsendable> {
    let Share { channel_id, sequence_number, job_id, nonce, ntime, version, extranonce, worker } = share;
    let extranonce = extranonce.as_bytes();
    let length = u8::try_from(extranonce.len()).map_err(|_| Unsendable("an extranonce"))?;
    let field = worker.as_deref().map(worker_field).transpose()?.unwrap_or_default();
    let numbers = [*channel_id, *sequence_number, *job_id, *nonce, *ntime, *version];
    let payload = size_of_val(&numbers) + 1 + extranonce.len() + field.len();
    let (kind, bit) = (mining::MESSAGE_TYPE_SUBMIT_SHARES_EXTENDED, mining::CHANNEL_BIT_SUBMIT_SHARES_EXTENDED);
    let mut frame = ClearFrame::from_slice(&header(kind, bit, payload)?);
    for number in numbers {
        frame.extend_from_slice(&number.to_le_bytes());
    }
    frame.push(length);
    frame.extend_from_slice(extranonce);
    frame.extend_from_slice(&field);
    Ok(frame)
}

#[cfg(test)]
mod tests {
    use super::*;
    use mujina_core::extranonce::Extranonce;
    use proptest::prelude::*;
    use stratum_apps::stratum_core::binary_sv2;

    proptest! {
        #[test]
        fn frame_is_what_the_library_would_write_and_stays_in_place(
            numbers: [u32; 6],
            extranonce in proptest::collection::vec(any::<u8>(), 0..=32),
            worker in proptest::option::of("[a-z]{1,32}"),
        ) {
            let [channel_id, sequence_number, job_id, nonce, ntime, version] = numbers;
            let share = Share {
                channel_id,
                sequence_number,
                job_id,
                nonce,
                ntime,
                version,
                extranonce: Extranonce::new(&extranonce).unwrap(),
                worker: worker.as_deref().map(Into::into),
            };
            let frame = encode(&share).unwrap();
            let message = mining::SubmitSharesExtended {
                channel_id,
                sequence_number,
                job_id,
                nonce,
                ntime,
                version,
                extranonce: extranonce.as_slice().try_into().unwrap(),
            };
            let mut expected = binary_sv2::to_bytes(message).unwrap();
            expected.extend(worker.as_deref().map(worker_field).transpose().unwrap().unwrap_or_default());
            prop_assert_eq!(&frame[6..], expected.as_slice());
            prop_assert_eq!(&frame[..3], [0, 0x80, 0x1b]);
            prop_assert_eq!(usize::from(frame[3]), expected.len());
            prop_assert!(!frame.spilled());
        }
    }
}
