//! Jobs as the chips take them from the line. Source: BM13xx fact sheet, section 5.

use super::frame::JobForm;

/// A job that chips work on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ChipJob {
    /// Counts the jobs of a chain: tells two equal jobs apart.
    pub(super) serial: u64,
    /// As it was sent.
    pub(super) byte: u8,
    pub(super) body: Body,
}

/// What is hashed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Body {
    /// A whole header without nonce, in header order; the chip rolls its version.
    Header([u8; 76]),
    /// States after the first 64 bytes of headers, and what follows up to the nonce.
    Midstates { states: Vec<[u32; 8]>, tail: [u8; 12] },
}

impl ChipJob {
    /// Takes job data apart: all between the length byte and the checksum. `None` when it is too short for its form.
    pub(super) fn parse(data: &[u8], form: JobForm, serial: u64) -> Option<Self> {
        let byte = *data.first()?;
        let (nbits, ntime) = (data.get(6..10)?, data.get(10..14)?);
        let body = match form {
            JobForm::Header => {
                let (root, previous, version) = (data.get(14..46)?, data.get(46..78)?, data.get(78..82)?);
                let mut header = version.to_vec();
                header.extend(words_reversed(previous));
                header.extend(words_reversed(root));
                header.extend(ntime);
                header.extend(nbits);
                Body::Header(header.try_into().ok()?)
            }
            JobForm::Midstates => {
                let count = usize::from(*data.get(1)?);
                let tail = [data.get(14..18)?, ntime, nbits].concat();
                let states: Vec<_> = data.get(18..)?.chunks_exact(32).take(count).map(state).collect();
                (states.len() == count).then_some(Body::Midstates { states, tail: tail.try_into().ok()? })?
            }
        };
        Some(Self { serial, byte, body })
    }
}

/// Eight words in reverse order, bytes in each as they are.
fn words_reversed(bytes: &[u8]) -> Vec<u8> {
    bytes.rchunks(4).flatten().copied().collect()
}

/// Words h7 to h0, each with its most significant byte first.
fn state(bytes: &[u8]) -> [u32; 8] {
    let mut state = [0; 8];
    for (place, word) in state.iter_mut().rev().zip(bytes.chunks_exact(4)) {
        *place = word.iter().fold(0, |word, byte| word << 8 | u32::from(*byte));
    }
    state
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Example A of the sheet: a job that a Bitaxe Gamma was given, and what it answered.
    pub(in crate::simulate) const EXAMPLE_A: &str = "55AA2156680100000000043A0217D76854685519A7CB044F88726355919E61A98BCF71A0C28795EA54DB8C36414B06DDF5F0\
         0000000000000000965201001D3996BCA3F4670DFCD4F201C162B96DFD55646B00000020721C";
    pub(in crate::simulate) const HEADER_A: &str = "00000020fd55646bc162b96dfcd4f201a3f4670d1d3996bc96520100000000000000000006ddf5f08c36414b95ea54db71a0c287\
         61a98bcf6355919e044f88725519a7cbd7685468043a0217";

    #[test]
    fn header_of_a_captured_job_is_rebuilt() {
        let frame = hex::decode(EXAMPLE_A).unwrap();
        let job = ChipJob::parse(&frame[4..86], JobForm::Header, 1).unwrap();
        let header: [u8; 76] = hex::decode(HEADER_A).unwrap().try_into().unwrap();
        assert_eq!(job, ChipJob { serial: 1, byte: 0x68, body: Body::Header(header) });
        assert_eq!(ChipJob::parse(&frame[4..85], JobForm::Header, 1), None);
    }

    #[test]
    fn words_of_a_midstate_come_last_first() {
        let frame =
            "04010000000001DD0517D88B6564C604A8464D3185F25F7D5DE0E3591741CB21CAE11574DDD65D490D3D68739F8A52EADF91";
        let job = ChipJob::parse(&hex::decode(frame).unwrap(), JobForm::Midstates, 7).unwrap();
        let Body::Midstates { states, tail } = job.body else { panic!("midstates") };
        let words =
            [0x52ea_df91, 0x6873_9f8a, 0x5d49_0d3d, 0x1574_ddd6, 0xcb21_cae1, 0xe359_1741, 0x5f7d_5de0, 0x4d31_85f2];
        assert_eq!((states, hex::encode(tail)), (vec![words], "c604a846d88b656401dd0517".to_owned()));
    }
}
