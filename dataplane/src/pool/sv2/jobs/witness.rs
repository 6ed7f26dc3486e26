//! Takes BIP141's marker, flag and witness out of a coinbase, for pools that forgot to (stratum-client J10).

use bytes::{Bytes, BytesMut};

/// A witness that holds one item of 32 bytes, as that of every coinbase does.
const COINBASE_WITNESS: usize = 34;
/// The lock time at the end of a transaction.
const LOCK_TIME: usize = 4;

/// Prefix and suffix without a witness. A transaction has inputs, so a zero in place of their count is the marker.
pub(super) fn without_witness(prefix: Bytes, suffix: Bytes) -> (Bytes, Bytes) {
    let (Some([0, 1]), Some((head, tail))) =
        (prefix.get(4..6), suffix.split_last_chunk::<{ COINBASE_WITNESS + LOCK_TIME }>())
    else {
        return (prefix, suffix);
    };
    let [1, 32, ..] = *tail else { return (prefix, suffix) };
    let lock_time = tail.get(COINBASE_WITNESS..).unwrap_or_default();
    let join = |a: &[u8], b: &[u8]| {
        let mut both = BytesMut::with_capacity(a.len() + b.len());
        both.extend_from_slice(a);
        both.extend_from_slice(b);
        both.freeze()
    };
    let version = prefix.get(..4).unwrap_or_default();
    (join(version, prefix.get(6..).unwrap_or_default()), join(head, lock_time))
}
