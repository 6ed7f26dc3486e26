//! Shares that pools refused.

use super::{difficulty, elapsed};
use crate::output::{Cell, Paint, Table, Tone, clock};
use mujina_proto::{convert::time, dataplane::v1::Reject};

/// Rejects with the headers that were sent.
pub(crate) fn rejects(rejects: &[Reject], paint: Paint) -> String {
    let mut table = Table::new(&["AT", "POOL", "REASON", "JOB", ">DIFFICULTY", ">OF", "THREAD", "HEADER"]);
    for reject in rejects {
        let share = reject.share.clone().unwrap_or_default();
        table.row([
            clock(time(reject.rejected_at)).into(),
            share.pool.as_str().into(),
            Cell::new(&share.reject_reason, Tone::Bad),
            share.job_id.as_str().into(),
            difficulty(share.difficulty).into(),
            difficulty(share.share_difficulty).into(),
            share.thread.as_str().into(),
            hex::encode(&share.header).into(),
        ]);
    }
    if rejects.is_empty() { "no reject is remembered\n".into() } else { table.render(paint) }
}

/// Rejects with everything that is needed to compute them again.
pub(crate) fn rejects_wide(rejects: &[Reject], paint: Paint) -> String {
    let mut table = Table::new(&[
        "AT",
        "POOL",
        ">CONNECTION",
        "REASON",
        "JOB",
        ">DIFFICULTY",
        ">OF",
        "THREAD",
        ">VERDICT",
        "PREFIX",
        "EXTRANONCE",
        "HEADER",
        "HASH",
        "TARGET",
        "TRACE",
    ]);
    for reject in rejects {
        let share = reject.share.clone().unwrap_or_default();
        table.row([
            clock(time(reject.rejected_at)).into(),
            share.pool.as_str().into(),
            share.connection_id.into(),
            Cell::new(&share.reject_reason, Tone::Bad),
            share.job_id.as_str().into(),
            difficulty(share.difficulty).into(),
            difficulty(share.share_difficulty).into(),
            share.thread.as_str().into(),
            elapsed(share.latency).into(),
            hex::encode(&share.extranonce_prefix).into(),
            hex::encode(&share.extranonce).into(),
            hex::encode(&share.header).into(),
            hex::encode(&share.hash).into(),
            hex::encode(&share.share_target).into(),
            Cell::new(&share.trace_id, Tone::Dim),
        ]);
    }
    if rejects.is_empty() { self::rejects(rejects, paint) } else { table.render(paint) }
}
