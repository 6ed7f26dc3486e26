//! Block headers as bytes.

use super::{Job, merkle};

/// Length of a block header.
pub const HEADER_LEN: usize = 80;

/// The 80 bytes that are hashed, in consensus encoding. `extranonce` is without the pool's prefix.
#[must_use]
pub fn assemble(job: &Job, extranonce: &[u8], version: u32, ntime: u32, nonce: u32) -> [u8; HEADER_LEN] {
    with_root(job, &merkle::root(job, extranonce), version, ntime, nonce)
}

/// Like [`assemble`], with a merkle root that is known already (internal byte order).
#[must_use]
pub fn with_root(job: &Job, merkle_root: &[u8; 32], version: u32, ntime: u32, nonce: u32) -> [u8; HEADER_LEN] {
    let fields = [
        &version.to_le_bytes()[..],
        &job.prev_hash,
        merkle_root,
        &ntime.to_le_bytes(),
        &job.nbits.to_le_bytes(),
        &nonce.to_le_bytes(),
    ];
    let mut header = [0; HEADER_LEN];
    for (place, byte) in header.iter_mut().zip(fields.into_iter().flatten()) {
        *place = *byte;
    }
    header
}

/// Double SHA-256 of a header in internal byte order (reverse of what explorers show).
#[must_use]
pub fn hash(header: &[u8; HEADER_LEN]) -> [u8; 32] {
    use bitcoin::hashes::{Hash, sha256d};
    sha256d::Hash::hash(header).to_byte_array()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::tests::job;

    #[test]
    fn fields_stand_where_consensus_has_them() {
        let job = job();
        let header = with_root(&job, &[9; 32], 0x2000_e000, 0x6553_f101, 0xdead_beef);
        let decoded: bitcoin::block::Header = bitcoin::consensus::deserialize(&header).unwrap();
        assert_eq!(decoded.version.to_consensus(), 0x2000_e000);
        assert_eq!((decoded.time, decoded.nonce), (0x6553_f101, 0xdead_beef));
        assert_eq!(decoded.bits.to_consensus(), job.nbits);
        assert_eq!(bitcoin::hashes::Hash::to_byte_array(decoded.prev_blockhash), job.prev_hash);
        assert_eq!(bitcoin::hashes::Hash::to_byte_array(decoded.block_hash()), hash(&header));
    }
}
