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
        job.merkle_path = [
            "21af451ddb51e887ff1feb5592b87290098565035eb8500031aedcc776d4e72a",
            "c5af269519c809a9546d5a58ca6445d3dbb80cb7045448ecc48309af034da8f8",
            "fb9f8f9959f6bb0ceb63fa53aed1d5a615c6b6d3f50a468ea89a45a1234bda74",
            "a4f4fee8e5fc19ca8d93e67b9236c37ddb864982010434745c0abfe9b914980c",
            "33092206642744fbe5499c3e621cd5c6b52733e54fbebd869f070082b807f740",
            "3b857e32c5cff4864efab967b9a456ca03b2167ab96bd9076ce294c8a67a7fe2",
            "881a07cd881d0c3e590b4b090ea8d58e1439dc56c63686f7de23c47045441e30",
            "315e4dbcc8e7b1c9d594a73978268791880dddb2c26eec8e75768668dad99d80",
            "69952b77c632be16b1ac7ac7048f13d4e962b2e215d79a343f01e6e281d7c304",
            "fc63eb4392c4d6c6d689788875fca35143fdcd4f4a82e8698e0e441751a70b4a",
            "09e419bbe20aa3a7640f1b91f50599ceddff899e90d3f18951ad5418c4850a6b",
            "004978aa346b4f1880bcadb3ca3792d771ee6aeca427f61e74baba44b75cfb88",
        ]
        .map(|hex| bytes(hex).try_into().unwrap())
        .to_vec();
        let version = 0x20b4_4000;
        assert!(job.allows_version(version));
        let header = assemble(&job, &bytes("17000000"), version, 0x6854_68d7, 0x7552_034c);
        let difficulty = ShareTarget::from_le_bytes(hash(&header)).difficulty().as_f64();
        assert!((difficulty - 29_588.01).abs() < 0.01, "{difficulty}");
    }
}
