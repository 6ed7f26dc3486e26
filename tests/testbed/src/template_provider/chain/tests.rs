use super::*;
use crate::template_provider::ALL_BLOCKS;
use stratum_apps::stratum_core::bitcoin::{
    OutPoint, Sequence, TxIn, Witness, absolute::LockTime, transaction::Version as TxVersion,
};

const NOW: u32 = 1_700_000_000;

/// A chain with one template handed out.
fn chain() -> (Chain, NewTemplateOwned) {
    let mut chain = Chain::new(ALL_BLOCKS, 3);
    let (template, _) = chain.tip(NOW);
    (chain, template)
}

/// The coinbase a good pool makes of a template.
fn coinbase(template: &NewTemplateOwned) -> Transaction {
    let script_sig = [template.coinbase_prefix.as_bytes(), &[4, 1, 2, 3, 4]].concat();
    let reward = TxOut {
        value: Amount::from_sat(template.coinbase_tx_value_remaining),
        script_pubkey: ScriptBuf::from_bytes(vec![0x51]),
    };
    Transaction {
        version: TxVersion(2),
        lock_time: LockTime::ZERO,
        input: vec![TxIn {
            previous_output: OutPoint::null(),
            script_sig: ScriptBuf::from_bytes(script_sig),
            sequence: Sequence::MAX,
            witness: Witness::new(),
        }],
        output: vec![reward, witness_commitment()],
    }
}

fn claim(template: &NewTemplateOwned, coinbase: &Transaction, nonce: u32) -> SubmitSolutionOwned {
    SubmitSolutionOwned {
        template_id: template.template_id,
        version: template.version,
        header_timestamp: NOW,
        header_nonce: nonce,
        coinbase_tx: serialize(coinbase).try_into().unwrap(),
    }
}

/// Tries nonces, of which every other is a block, until the answer is not about the work.
fn mined(chain: &mut Chain, claim: &SubmitSolutionOwned) -> Result<Solution, SolutionError> {
    let mut tries = (0..200).map(|header_nonce| chain.submit(&SubmitSolutionOwned { header_nonce, ..claim.clone() }));
    tries.find(|result| !matches!(result, Err(SolutionError::AboveTarget(_)))).expect("one of 200 nonces is a block")
}

#[test]
fn good_block_moves_the_tip_and_is_good_once() {
    let (mut chain, template) = chain();
    let claim = claim(&template, &coinbase(&template), 0);
    let solution = mined(&mut chain, &claim).unwrap();
    assert_eq!((solution.template_id, solution.height), (1, FIRST_HEIGHT));
    let (_, activation) = chain.tip(NOW);
    assert_eq!(activation.prev_hash.to_array(), solution.block_hash.to_byte_array());
    assert!(matches!(mined(&mut chain, &claim), Err(SolutionError::DeadTip(_))));
}

#[test]
fn block_without_enough_work_is_refused() {
    let mut chain = Chain::new(crate::template_provider::NO_BLOCKS, 0);
    let template = chain.refresh();
    let refused = chain.submit(&claim(&template, &coinbase(&template), 7));
    assert!(matches!(refused, Err(SolutionError::AboveTarget(_))));
}

#[test]
fn block_on_a_tip_that_somebody_else_replaced_is_refused() {
    let (mut chain, template) = chain();
    chain.foreign_block();
    let refused = mined(&mut chain, &claim(&template, &coinbase(&template), 0));
    assert!(matches!(refused, Err(SolutionError::DeadTip(_))));
    assert_eq!(chain.height(), FIRST_HEIGHT + 1);
}

#[test]
fn what_the_block_was_built_from_must_be_right() {
    let (mut chain, template) = chain();
    let good = coinbase(&template);
    let mut unknown = claim(&template, &good, 0);
    unknown.template_id = 99;
    assert_eq!(chain.submit(&unknown), Err(SolutionError::UnknownTemplate(99)));
    let mut version = claim(&template, &good, 0);
    version.version ^= 1;
    assert_eq!(chain.submit(&version), Err(SolutionError::Version(0x2000_0001)));
    let mut garbage = claim(&template, &good, 0);
    garbage.coinbase_tx = vec![1, 2, 3].try_into().unwrap();
    assert_eq!(chain.submit(&garbage), Err(SolutionError::Coinbase));

    let mut height = good.clone();
    height.input[0].script_sig = ScriptBuf::from_bytes(vec![3, 0, 0, 1, 1, 1]);
    assert_eq!(chain.submit(&claim(&template, &height, 0)), Err(SolutionError::Height(FIRST_HEIGHT)));
    let mut greedy = good.clone();
    greedy.output[0].value += Amount::from_sat(1);
    assert!(matches!(chain.submit(&claim(&template, &greedy, 0)), Err(SolutionError::Overpaid { .. })));
    let mut bare = good;
    bare.output.truncate(1);
    assert_eq!(chain.submit(&claim(&template, &bare, 0)), Err(SolutionError::Outputs));
}

#[test]
fn network_target_and_depth_change_with_what_comes_next() {
    let (mut chain, first) = chain();
    chain.set_nbits(crate::template_provider::NO_BLOCKS);
    chain.set_merkle_depth(0);
    let (next, activation) = chain.tip(NOW);
    assert_eq!((first.merkle_path.as_slice().len(), next.merkle_path.as_slice().len()), (3, 0));
    assert_eq!(activation.n_bits, crate::template_provider::NO_BLOCKS);
    // A template keeps the target it was handed out with.
    assert!(mined(&mut chain, &claim(&first, &coinbase(&first), 0)).is_ok());
}
