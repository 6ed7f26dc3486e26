//! The chain in memory: hands out templates and judges blocks from first principles. Neither waits nor looks at a clock.

use crate::header::merkle_root;
use std::collections::BTreeMap;
use stratum_apps::stratum_core::{
    binary_sv2::U256Owned,
    bitcoin::{
        Amount, BlockHash, CompactTarget, ScriptBuf, Target, Transaction, TxMerkleNode, TxOut,
        block::{Header, Version},
        consensus::{deserialize, serialize},
        hashes::{Hash, sha256d},
    },
    template_distribution_sv2::{NewTemplateOwned, SetNewPrevHashOwned, SubmitSolutionOwned},
};

const FIRST_HEIGHT: u32 = 900_000;
const SUBSIDY: u64 = 312_500_000;
/// Templates that a late solution may still name.
const REMEMBERED: usize = 1024;
/// Bits a miner may change (BIP 323).
const ROLLABLE: u32 = 0x1fff_ffe0;
const VERSION: u32 = 0x2000_0000;

/// A block that passed every check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Solution {
    /// What it was built from.
    pub template_id: u64,
    /// Its hash.
    pub block_hash: BlockHash,
    /// Its height.
    pub height: u32,
}

/// What is wrong with a block.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SolutionError {
    /// Never handed out, or long ago.
    #[error("template {0} is unknown; look at what the pool mixed up")]
    UnknownTemplate(u64),
    /// Not a transaction.
    #[error("coinbase does not parse; look at how the pool joins its parts")]
    Coinbase,
    /// Does not begin with the block's height.
    #[error("coinbase lacks height {0}; look at how the pool joins its parts")]
    Height(u32),
    /// Pays more than there is.
    #[error("coinbase pays {paid} of {available}; look at the pool's outputs")]
    Overpaid {
        /// Sum of its outputs.
        paid: Amount,
        /// Subsidy and fees.
        available: Amount,
    },
    /// An output that the template demands is missing.
    #[error("coinbase lacks the witness commitment; look at the pool's outputs")]
    Outputs,
    /// A bit that is not the miner's was changed.
    #[error("version {0:#010x} has bits that may not be rolled; look at the version mask")]
    Version(u32),
    /// Not enough work.
    #[error("block {0} is above the network target; look at how the header was built")]
    AboveTarget(BlockHash),
    /// The chain has gone on.
    #[error("block {0} does not extend the tip; it came too late")]
    DeadTip(BlockHash),
}

#[derive(Clone)]
struct Template {
    message: NewTemplateOwned,
    prev_hash: BlockHash,
    height: u32,
    nbits: u32,
}

pub(super) struct Chain {
    /// Of the block that is being built.
    height: u32,
    tip: BlockHash,
    nbits: u32,
    merkle_depth: u8,
    last_id: u64,
    templates: BTreeMap<u64, Template>,
}

impl Chain {
    pub(super) fn new(nbits: u32, merkle_depth: u8) -> Self {
        let tip = BlockHash::from_byte_array([0xab; 32]);
        Self { height: FIRST_HEIGHT, tip, nbits, merkle_depth, last_id: 0, templates: BTreeMap::new() }
    }

    /// Holds from the next block on.
    pub(super) fn set_nbits(&mut self, nbits: u32) {
        self.nbits = nbits;
    }

    /// Holds from the next template on.
    pub(super) fn set_merkle_depth(&mut self, depth: u8) {
        self.merkle_depth = depth;
    }

    pub(super) fn height(&self) -> u32 {
        self.height
    }

    /// Better fees on the same tip.
    pub(super) fn refresh(&mut self) -> NewTemplateOwned {
        self.template(false)
    }

    /// What makes the tip current for somebody: a future template and its activation.
    pub(super) fn tip(&mut self, now: u32) -> (NewTemplateOwned, SetNewPrevHashOwned) {
        let template = self.template(true);
        let target = Target::from_compact(CompactTarget::from_consensus(self.nbits));
        let activation = SetNewPrevHashOwned {
            template_id: template.template_id,
            prev_hash: self.tip.to_byte_array().into(),
            header_timestamp: now,
            n_bits: self.nbits,
            target: target.to_le_bytes().into(),
        };
        (template, activation)
    }

    /// Somebody else found the block.
    pub(super) fn foreign_block(&mut self) {
        let hash = BlockHash::hash(&self.height.to_le_bytes());
        self.advance(hash);
    }

    /// Rebuilds the block that `claim` says was found, and goes on from it when it is one.
    pub(super) fn submit(&mut self, claim: &SubmitSolutionOwned) -> Result<Solution, SolutionError> {
        let known = self.templates.get(&claim.template_id);
        let template = known.cloned().ok_or(SolutionError::UnknownTemplate(claim.template_id))?;
        let coinbase: Transaction = deserialize(claim.coinbase_tx.as_bytes()).map_err(|_| SolutionError::Coinbase)?;
        check_coinbase(&coinbase, &template)?;
        if (claim.version ^ VERSION) & !ROLLABLE != 0 {
            return Err(SolutionError::Version(claim.version));
        }
        let path: Vec<_> = template.message.merkle_path.as_slice().iter().map(U256Owned::to_array).collect();
        let root = merkle_root(coinbase.compute_txid().to_byte_array(), &path);
        let header = Header {
            version: Version::from_consensus(claim.version.cast_signed()),
            prev_blockhash: template.prev_hash,
            merkle_root: TxMerkleNode::from_byte_array(root),
            time: claim.header_timestamp,
            bits: CompactTarget::from_consensus(template.nbits),
            nonce: claim.header_nonce,
        };
        let block_hash = header.block_hash();
        if !header.target().is_met_by(block_hash) {
            return Err(SolutionError::AboveTarget(block_hash));
        }
        if template.prev_hash != self.tip {
            return Err(SolutionError::DeadTip(block_hash));
        }
        self.advance(block_hash);
        Ok(Solution { template_id: claim.template_id, block_hash, height: template.height })
    }

    fn advance(&mut self, tip: BlockHash) {
        self.tip = tip;
        self.height += 1;
    }

    fn template(&mut self, future_template: bool) -> NewTemplateOwned {
        self.last_id += 1;
        let id = self.last_id;
        let branch =
            |level: u8| sha256d::Hash::hash(&[&[level][..], &id.to_le_bytes()].concat()).to_byte_array().into();
        let path: Vec<_> = (0..self.merkle_depth).map(branch).collect();
        let message = NewTemplateOwned {
            template_id: id,
            future_template,
            version: VERSION,
            coinbase_tx_version: 2,
            coinbase_prefix: height_push(self.height).try_into().expect("a height takes few bytes"),
            coinbase_tx_input_sequence: 0xffff_ffff,
            coinbase_tx_value_remaining: SUBSIDY + id, // fees grow with every template
            coinbase_tx_outputs_count: 1,
            coinbase_tx_outputs: serialize(&witness_commitment()).try_into().expect("an output takes few bytes"),
            coinbase_tx_locktime: 0,
            merkle_path: path.try_into().expect("a depth is below 256"),
        };
        let known = Template { message: message.clone(), prev_hash: self.tip, height: self.height, nbits: self.nbits };
        self.templates.insert(id, known);
        while self.templates.len() > REMEMBERED {
            self.templates.pop_first();
        }
        message
    }
}

fn check_coinbase(coinbase: &Transaction, template: &Template) -> Result<(), SolutionError> {
    let script = coinbase.input.first().filter(|_| coinbase.is_coinbase()).ok_or(SolutionError::Coinbase)?;
    if !script.script_sig.as_bytes().starts_with(&height_push(template.height)) {
        return Err(SolutionError::Height(template.height));
    }
    let paid = coinbase.output.iter().map(|output| output.value).sum();
    let available = Amount::from_sat(template.message.coinbase_tx_value_remaining);
    if paid > available {
        return Err(SolutionError::Overpaid { paid, available });
    }
    if !coinbase.output.contains(&witness_commitment()) {
        return Err(SolutionError::Outputs);
    }
    Ok(())
}

/// What BIP 34 wants first in a coinbase's script. Heights here never have their top bit set.
pub(crate) fn height_push(height: u32) -> Vec<u8> {
    let [a, b, c, _] = height.to_le_bytes();
    vec![3, a, b, c]
}

/// BIP 141's commitment for a block of a coinbase alone.
fn witness_commitment() -> TxOut {
    let mut script = vec![0x6a, 0x24, 0xaa, 0x21, 0xa9, 0xed];
    script.extend_from_slice(sha256d::Hash::hash(&[0; 64]).as_ref());
    TxOut { value: Amount::ZERO, script_pubkey: ScriptBuf::from_bytes(script) }
}

#[cfg(test)]
mod tests;
