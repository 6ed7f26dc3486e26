//! The ledger: where every nonce went, and that the sums hold.

use super::{difficulty, rate_of_minute};
use crate::output::{Cell, Paint, Table, Tone, clock};
use mujina_proto::{
    control::v1::SummarizeSharesResponse,
    convert::{share::totals_from, time},
    dataplane::v1::{GetShareStatisticsResponse, ShareScope},
    types::v1::ShareTotals,
};

/// The two sums in words, with their check.
pub(super) fn lines(totals: &ShareTotals, paint: Paint) -> Vec<(&'static str, String)> {
    let ShareTotals { found, submitted, accepted, rejected, pending, lost, .. } = totals;
    // Checked here too: a miner that says so must be right.
    let holds = totals.balanced && totals_from(totals.clone()).is_balanced();
    let check = if holds { paint.text("balanced", Tone::Good) } else { paint.text("NOT BALANCED", Tone::Bad) };
    let best = totals.best_difficulty.map(|best| format!("; best difficulty {}", difficulty(best))).unwrap_or_default();
    let blocks = if totals.blocks > 0 { format!("; {} blocks", totals.blocks) } else { String::new() };
    let dropped = dropped(totals);
    vec![
        ("Ledger", format!("{found} found = {submitted} submitted + {dropped} not sent{}; {check}", not_sent(totals))),
        (
            "Submitted",
            format!(
                "{accepted} accepted, {rejected} rejected{}, {pending} pending, {lost} lost{best}{blocks}",
                reasons(totals)
            ),
        ),
    ]
}

fn dropped(totals: &ShareTotals) -> u64 {
    causes(totals).iter().map(|(_, count)| count).sum()
}

fn causes(totals: &ShareTotals) -> [(&'static str, u64); 6] {
    [
        ("stale", totals.stale),
        ("duplicate", totals.duplicate),
        ("below target", totals.below_target),
        ("out of window", totals.out_of_window),
        ("hardware error", totals.hardware_error),
        ("suppressed", totals.suppressed),
    ]
}

/// Why nonces were not sent: ` (2 stale, 1 duplicate)`.
fn not_sent(totals: &ShareTotals) -> String {
    let causes = listed(causes(totals).iter().map(|(cause, count)| (*cause, *count)));
    if causes.is_empty() { causes } else { format!(" ({causes})") }
}

/// Why shares were refused: ` (2 stale, 1 duplicate)`.
fn reasons(totals: &ShareTotals) -> String {
    let reasons = by_reason(totals);
    if reasons.is_empty() { reasons } else { format!(" ({reasons})") }
}

/// Why shares were refused: `2 stale, 1 duplicate`.
pub(super) fn by_reason(totals: &ShareTotals) -> String {
    let mut reasons: Vec<_> =
        totals.rejected_by_reason.iter().map(|(reason, count)| (reason.as_str(), *count)).collect();
    reasons.sort_unstable();
    listed(reasons.into_iter())
}

fn listed<'a>(counts: impl Iterator<Item = (&'a str, u64)>) -> String {
    let shown: Vec<_> =
        counts.filter(|(_, count)| *count > 0).map(|(name, count)| format!("{count} {}", super::clean(name))).collect();
    shown.join(", ")
}

/// Ledgers of the miner, its pools, boards and threads.
pub(crate) fn statistics(response: &GetShareStatisticsResponse, paint: Paint) -> String {
    let GetShareStatisticsResponse { miner, pools, boards, threads } = response;
    let mut table = Table::new(&[
        "SCOPE",
        "NAME",
        ">FOUND",
        ">NOT SENT",
        ">SUBMITTED",
        ">ACCEPTED",
        ">REJECTED",
        ">PENDING",
        ">LOST",
        "SUMS",
        ">RATE",
    ]);
    let scopes = [("pool", pools), ("board", boards), ("thread", threads)];
    let scopes = scopes.iter().flat_map(|(kind, scopes)| scopes.iter().map(|scope| (*kind, scope)));
    for (kind, scope) in miner.iter().map(|scope| ("miner", scope)).chain(scopes) {
        table.row(row(kind, scope));
    }
    let mut text = table.render(paint);
    if let Some(totals) = miner.as_ref().and_then(|scope| scope.totals.as_ref()) {
        text.push('\n');
        for (name, value) in lines(totals, paint) {
            text.push_str(&format!("{}  {value}\n", paint.text(&format!("{name:<9}"), Tone::Strong)));
        }
    }
    text
}

fn row(kind: &str, scope: &ShareScope) -> [Cell; 11] {
    let totals = scope.totals.clone().unwrap_or_default();
    let holds = totals.balanced && totals_from(totals.clone()).is_balanced();
    let warn = |count: u64| Cell::new(count, if count > 0 { Tone::Warn } else { Tone::Plain });
    [
        kind.into(),
        scope.name.as_str().into(),
        totals.found.into(),
        warn(dropped(&totals)),
        totals.submitted.into(),
        totals.accepted.into(),
        warn(totals.rejected),
        totals.pending.into(),
        warn(totals.lost),
        if holds { Cell::new("balanced", Tone::Good) } else { Cell::new("NOT BALANCED", Tone::Bad) },
        rate_of_minute(&scope.rates).into(),
    ]
}

/// Sums over all miners.
pub(crate) fn summary(response: &SummarizeSharesResponse, paint: Paint) -> String {
    let SummarizeSharesResponse { totals, buckets, missing_buckets, hashes } = response;
    let totals = totals.clone().unwrap_or_default();
    let mut rows = lines(&totals, paint);
    rows.insert(0, ("Since", clock(time(totals.since))));
    let missing = format!("{buckets} collected, {missing_buckets} missing");
    let tone = if *missing_buckets > 0 { Tone::Bad } else { Tone::Plain };
    rows.push(("Buckets", paint.text(&missing, tone)));
    rows.push(("Work", format!("{hashes:.3e} hashes")));
    rows.into_iter()
        .map(|(name, value)| format!("{}  {value}\n", paint.text(&format!("{name:<9}"), Tone::Strong)))
        .collect()
}
