//! The merkle root of a job for one extranonce.

use super::Job;
use bitcoin::hashes::{Hash, HashEngine, sha256d};

/// The root in internal byte order. The coinbase is hashed as raw bytes, so that one that is no valid transaction still
/// counts as what the pool meant (stratum-client J9).
#[must_use]
pub fn root(job: &Job, extranonce: &[u8]) -> [u8; 32] {
    let parts = [&job.coinbase_tx_prefix[..], &job.extranonce_prefix[..], extranonce, &job.coinbase_tx_suffix[..]];
    fold(hash(&parts), &job.merkle_path)
}

/// Climbs from the hash of the first transaction to the root: each sibling stands to the right.
#[must_use]
pub fn fold(coinbase: [u8; 32], path: &[[u8; 32]]) -> [u8; 32] {
    path.iter().fold(coinbase, |node, sibling| hash(&[&node, sibling]))
}

fn hash(parts: &[&[u8]]) -> [u8; 32] {
    let mut engine = sha256d::Hash::engine();
    for part in parts {
        engine.input(part);
    }
    sha256d::Hash::from_engine(engine).to_byte_array()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn path_of_one_pair_hashes_both_in_order() {
        let both: Vec<u8> = [[1; 32], [2; 32]].concat();
        assert_eq!(fold([1; 32], &[[2; 32]]), sha256d::Hash::hash(&both).to_byte_array());
        assert_eq!(fold([1; 32], &[]), [1; 32]);
    }

    #[test]
    fn root_of_block_100000_is_reached_from_its_coinbase() {
        // The four transactions of mainnet block 100,000, as explorers show them, and the path of the first.
        let id = |hex: &str| {
            let mut bytes: [u8; 32] = hex::decode(hex).unwrap().try_into().unwrap();
            bytes.reverse();
            bytes
        };
        let coinbase = id("8c14f0db3df150123e6f3dbbf30f8b955a8249b62ac1d1ff16284aefa3d06d87");
        let second = id("fff2525b8931402dd09222c50775608f75787bd2b87e56995a7bdd30f79702c4");
        let third = id("6359f0868171b1d194cbee1af2f16ea598ae8fad666d9b012c8ed2b79a236ec4");
        let fourth = id("e9a66845e05d5abc0ad04ec80f774a7e585c6e8db975962d069a522137b80c1d");
        let path = [second, fold(third, &[fourth])];
        assert_eq!(fold(coinbase, &path), id("f3e94742aca4b5ef85488dc37c06c3282295ffec960994b2c0d5ac2a25a95766"));
    }
}
