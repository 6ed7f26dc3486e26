//! Rebuilds block headers from their parts, independent of what the data plane does. Used by everything here that mines or
//! judges. All hashes are 32 bytes in the order they are hashed in, which is the reverse of what explorers show.

use stratum_apps::stratum_core::bitcoin::hashes::{Hash, HashEngine, sha256d};

/// What a header consists of, the coinbase transaction still in its pieces.
#[derive(Clone, Copy, Debug)]
pub struct HeaderParts<'a> {
    /// With rolled bits.
    pub version: u32,
    /// Hash of the header before.
    pub prev_hash: [u8; 32],
    /// Prefix, extranonce prefix, extranonce, suffix; without witness.
    pub coinbase: [&'a [u8]; 4],
    /// From the coinbase up.
    pub merkle_path: &'a [[u8; 32]],
    /// Seconds since 1970.
    pub ntime: u32,
    /// Compact network target.
    pub nbits: u32,
}

impl HeaderParts<'_> {
    /// The header, with nonce 0.
    #[must_use]
    pub fn header(&self) -> Header {
        let mut bytes = Vec::with_capacity(80);
        bytes.extend(self.version.to_le_bytes());
        bytes.extend(self.prev_hash);
        bytes.extend(merkle_root(hash(&self.coinbase), self.merkle_path));
        bytes.extend(self.ntime.to_le_bytes());
        bytes.extend(self.nbits.to_le_bytes());
        Header(bytes)
    }
}

/// The 76 bytes of a header before its nonce.
#[derive(Clone, Debug)]
pub struct Header(Vec<u8>);

impl Header {
    /// Double SHA-256 with this nonce.
    #[must_use]
    pub fn hash(&self, nonce: u32) -> [u8; 32] {
        hash(&[&self.0, &nonce.to_le_bytes()])
    }
}

/// Folds a coinbase's id up the path.
#[must_use]
pub fn merkle_root(coinbase_txid: [u8; 32], path: &[[u8; 32]]) -> [u8; 32] {
    path.iter().fold(coinbase_txid, |root, branch| hash(&[&root, branch]))
}

/// `hash` as a number is at most `target`; both little-endian.
#[must_use]
pub fn meets(hash: &[u8; 32], target: &[u8; 32]) -> bool {
    hash.iter().rev().le(target.iter().rev())
}

fn hash(pieces: &[&[u8]]) -> [u8; 32] {
    let mut engine = sha256d::Hash::engine();
    for piece in pieces {
        engine.input(piece);
    }
    sha256d::Hash::from_engine(engine).to_byte_array()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn header_of_the_genesis_block_hashes_to_its_known_hash() {
        // Bitcoin's block 0: the coinbase is its only transaction, so its id is the merkle root.
        let message = b"The Times 03/Jan/2009 Chancellor on brink of second bailout for banks";
        let key = "04678afdb0fe5548271967f1a67130b7105cd6a828e03909a67962e0ea1f61deb649f6bc3f4cef38c4f35504e51ec112de5c384df7ba0b8d578a4c702b6bf11d5f";
        let mut start = vec![1, 0, 0, 0, 1];
        start.extend([0; 32]);
        start.extend([0xff, 0xff, 0xff, 0xff, 77, 4, 0xff, 0xff, 0, 0x1d, 1, 4, 69]);
        let mut end = vec![0xff, 0xff, 0xff, 0xff, 1];
        end.extend(50_0000_0000_u64.to_le_bytes());
        end.extend([67, 65]);
        end.extend((0..key.len()).step_by(2).map(|at| u8::from_str_radix(&key[at..at + 2], 16).unwrap()));
        end.extend([0xac, 0, 0, 0, 0]);
        let parts = HeaderParts {
            version: 1,
            prev_hash: [0; 32],
            coinbase: [&start, message, &[], &end],
            merkle_path: &[],
            ntime: 1_231_006_505,
            nbits: 0x1d00_ffff,
        };
        let mut hash = parts.header().hash(2_083_236_893);
        hash.reverse();
        let text: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(text, "000000000019d6689c085ae165831e934ff763ae46a2a6c172b3f1b60a8ce26f");
    }

    #[test]
    fn targets_compare_as_little_endian_numbers() {
        let mut low = [0xff; 32];
        low[31] = 0;
        let mut high = [0; 32];
        high[31] = 1;
        assert!(meets(&low, &high) && meets(&high, &high) && !meets(&high, &low));
    }
}
