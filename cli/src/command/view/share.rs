//! Single shares.

use super::{clean, difficulty, elapsed};
use crate::output::{Cell, Paint, Table, Tone, clock, word};
use mujina_proto::{
    convert::time,
    types::v1::{Share, ShareOutcome},
};

/// Header over [`share_line`].
pub(crate) const SHARE_HEADER: &str =
    "FOUND                 OUTCOME         POOL              THREAD        DIFFICULTY    VERDICT  REASON";

/// A share in a line of fixed columns: rows that come one by one cannot wait for the widest.
pub(crate) fn share_line(share: &Share) -> String {
    let outcome = word(share.outcome().as_str_name(), "SHARE_OUTCOME");
    let (pool, thread) = (clean(&share.pool), clean(&share.thread));
    let line = format!(
        "{:<20}  {outcome:<14}  {pool:<16}  {thread:<12}  {:>10}  {:>9}  {}",
        clock(time(share.found_at)),
        difficulty(share.difficulty),
        elapsed(share.latency),
        remark(share),
    );
    format!("{}\n", line.trim_end())
}

/// Shares as a table.
pub(crate) fn shares(shares: &[Share], paint: Paint) -> String {
    if shares.is_empty() {
        return "no share is remembered\n".into();
    }
    let mut table =
        Table::new(&["FOUND", "OUTCOME", "POOL", "THREAD", ">DIFFICULTY", ">OF", ">VERDICT", "REASON", "TRACE"]);
    for share in shares {
        table.row([
            clock(time(share.found_at)).into(),
            Cell::new(word(share.outcome().as_str_name(), "SHARE_OUTCOME"), tone(share.outcome())),
            share.pool.as_str().into(),
            share.thread.as_str().into(),
            difficulty(share.difficulty).into(),
            difficulty(share.share_difficulty).into(),
            elapsed(share.latency).into(),
            remark(share).into(),
            Cell::new(&share.trace_id, Tone::Dim),
        ]);
    }
    table.render(paint)
}

fn remark(share: &Share) -> String {
    let block = if share.block { "BLOCK " } else { "" };
    format!("{block}{}", clean(&share.reject_reason)).trim_end().to_owned()
}

fn tone(outcome: ShareOutcome) -> Tone {
    match outcome {
        ShareOutcome::Accepted => Tone::Good,
        ShareOutcome::Rejected | ShareOutcome::Lost | ShareOutcome::HardwareError => Tone::Bad,
        ShareOutcome::Pending | ShareOutcome::Unspecified => Tone::Dim,
        ShareOutcome::Stale
        | ShareOutcome::Duplicate
        | ShareOutcome::BelowTarget
        | ShareOutcome::OutOfWindow
        | ShareOutcome::Suppressed => Tone::Warn,
    }
}
