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
    use crate::job::tests::{BITAXE_PATH, job};
    use mujina_core::units::ShareTarget;

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

    /// From the order in which explorers show hashes.
    fn shown(hex: &str) -> [u8; 32] {
        let mut bytes: [u8; 32] = hex::decode(hex).unwrap().try_into().unwrap();
        bytes.reverse();
        bytes
    }

    #[test]
    fn block_881_423_has_its_hash() {
        let mut job = job();
        let bytes = |hex: &str| -> [u8; 32] { hex::decode(hex).unwrap().try_into().unwrap() };
        job.prev_hash = bytes("e3c96a8a70ca15fe215e99f84ab64c43e1b5d2c43b5401000000000000000000");
        job.nbits = 0x1702_9a8a;
        job.network_target = ShareTarget::from_compact(job.nbits).unwrap();
        let root = bytes("76f63a35f1b8b5016d3eb0cce2eebbdf58bf8fbea4e870c8f770346bdfcf622d");
        let header = with_root(&job, &root, 0x2e59_6000, 0x679a_c169, 0xff05_fb02);
        let expected = shown("0000000000000000000269d52c24ea451225613aab095d90d771d4e29aa96cdd");
        assert_eq!(hash(&header), expected);
        assert!(job.is_block(expected));
    }

    #[test]
    fn share_that_a_bm1370_found_has_its_difficulty() {
        // A share that a public pool accepted from a Bitaxe Gamma: job, coinbase and path as `mining.notify` gave them.
        let mut job = job();
        let bytes = |hex: &str| hex::decode(hex).unwrap();
        job.version = 0x2000_0000;
        job.prev_hash = shown("000000000000000000015296bc96391d0d67f4a301f2d4fc6db962c16b6455fd");
        job.nbits = 0x1702_3a04;
        job.coinbase_tx_prefix = bytes(concat!(
            "02000000010000000000000000000000000000000000000000000000000000000000000000ffffffff17",
            "0330c30d5075626c69632d506f6f6c"
        ))
        .into();
        job.extranonce_prefix = bytes("4128064f").into();
        job.coinbase_tx_suffix = bytes(concat!(
            "ffffffff02e5b5c61200000000220020984a77c289084ff2d434c316bdada021c6c183d507c8a20d3b159b09ac02fe28",
            "0000000000000000266a24aa21a9edb98ee50410ed4abd48401ed484fc874409d086a3faf0816136a8ad6168314c5800000000"
        ))
        .into();
        job.merkle_path = BITAXE_PATH.map(|hex| bytes(hex).try_into().unwrap()).to_vec();
        let version = 0x20b4_4000;
        assert!(job.allows_version(version));
        let header = assemble(&job, &bytes("17000000"), version, 0x6854_68d7, 0x7552_034c);
        let difficulty = ShareTarget::from_le_bytes(hash(&header)).difficulty().as_f64();
        assert!((difficulty - 29_588.01).abs() < 0.01, "{difficulty}");
    }
}
