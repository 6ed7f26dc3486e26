//! Miners as a control plane sees them.

use super::{
    clean, labels_of, rate_of_minute,
    status::{status, tone_of_miner},
};
use crate::output::{Cell, Paint, Table, Tone, age, clock, word};
use mujina_proto::{
    control::v1::{Miner, MinerReachability, SummarizeMinersResponse, SyncState},
    convert::time,
    types::v1::MinerStatus,
};
use std::time::SystemTime;

const HEADERS: [&str; 9] = ["NAME", "STATE", "REACHED", "SYNC", "POOL", ">RATE", ">ACCEPTED", ">REJECTED", "REASON"];

/// A row a miner. Of those that are not reached, what was last known.
pub(crate) fn fleet(miners: &[Miner], now: SystemTime, paint: Paint) -> String {
    if miners.is_empty() {
        return "the control plane knows no miner; see `mujinactl enroll token create`\n".into();
    }
    let mut table = Table::new(&HEADERS);
    for miner in miners {
        table.row(row(miner, now));
    }
    table.render(paint)
}

/// The same with labels and addresses.
pub(crate) fn fleet_wide(miners: &[Miner], now: SystemTime, paint: Paint) -> String {
    let headers: Vec<_> = HEADERS.into_iter().chain(["KNOWN", "LABELS", "ADDRESS"]).collect();
    let mut table = Table::new(&headers);
    for miner in miners {
        let address = if miner.address.is_empty() { "calls home" } else { &miner.address };
        let more = [age_of(miner, now).into(), labels_of(&miner.labels).into(), Cell::new(address, Tone::Dim)];
        table.row(row(miner, now).into_iter().chain(more));
    }
    table.render(paint)
}

/// How the miners are together.
pub(crate) fn miners_summary(summary: &SummarizeMinersResponse, paint: Paint) -> String {
    let SummarizeMinersResponse { total, connected, unreachable, sync_states, hash_rate_hps, faults } = summary;
    let mut table = Table::new(&["MINERS", ">COUNT"]);
    let bad = |count: u32| if count > 0 { Tone::Bad } else { Tone::Plain };
    table.row(["all".into(), Cell::new(total, Tone::Strong)]);
    table.row(["reached".into(), connected.into()]);
    table.row(["not reached".into(), Cell::new(unreachable, bad(*unreachable))]);
    for count in sync_states {
        table.row([sync(count.state()).into(), Cell::new(count.miners, tone(count.state()))]);
    }
    let rate = super::hash_rate(*hash_rate_hps).unwrap_or_else(|| "-".into());
    format!("{}hash rate {rate}, {faults} faults\n", table.render(paint))
}

/// How old what is shown is, where it is not of now.
fn age_of(miner: &Miner, now: SystemTime) -> String {
    match miner.reachability() {
        MinerReachability::Connected => "now".into(),
        _ if miner.status.is_none() => "never".into(),
        _ => format!("{} ago", age(time(miner.status_at), now)),
    }
}

fn row(miner: &Miner, now: SystemTime) -> [Cell; 9] {
    let stale = || match miner.reachability() {
        MinerReachability::Connected => String::new(),
        _ if miner.status.is_none() => "nothing known yet".into(),
        _ => format!("as known {}", age_of(miner, now)),
    };
    let reason: Vec<_> =
        [miner.quarantine_reason.clone(), stale(), miner.unreachable_reason.clone(), miner.sync_reason.clone()]
            .into_iter()
            .filter(|reason| !reason.is_empty())
            .collect();
    let reached = miner.reachability() == MinerReachability::Connected;
    let reachability = match miner.reachability() {
        MinerReachability::Connected => Cell::new("yes", Tone::Good),
        MinerReachability::Unreachable => {
            Cell::new(format!("no, for {}", age(time(miner.reachability_since), now)), Tone::Bad)
        }
        MinerReachability::Unspecified => Cell::new("not tried", Tone::Dim),
    };
    let synced = Cell::new(sync_until(miner), tone(miner.sync_state()));
    let [state, pool, rate, accepted, rejected] = observed(miner.status.as_ref(), reached);
    let reason = Cell::new(reason.join("; "), Tone::Dim);
    [Cell::new(&miner.name, Tone::Strong), state, reachability, synced, pool, rate, accepted, rejected, reason]
}

/// The one miner that answered by itself, in the same columns.
pub(crate) fn lone(status: &MinerStatus, paint: Paint) -> String {
    let mut table = Table::new(&HEADERS);
    let [state, pool, rate, accepted, rejected] = observed(Some(status), true);
    let (name, reached) = (Cell::new(&status.name, Tone::Strong), Cell::new("yes", Tone::Good));
    table.row([
        name,
        state,
        reached,
        "".into(),
        pool,
        rate,
        accepted,
        rejected,
        Cell::new(&status.state_reason, Tone::Dim),
    ]);
    table.render(paint)
}

/// One miner: its place in the control plane, then its status.
pub(crate) fn known(miner: &Miner, now: SystemTime, paint: Paint) -> String {
    let mut text = fleet(std::slice::from_ref(miner), now, paint);
    let labels = labels_of(&miner.labels).replace(',', " ");
    let Miner { address, desired_generation, acknowledged_generation, .. } = miner;
    let labels = if labels.is_empty() { String::new() } else { format!("; labels {labels}") };
    let address = if address.is_empty() { "calls home".into() } else { format!("at {address}") };
    let place =
        format!("{address}; desired generation {desired_generation}, acknowledged {acknowledged_generation}{labels}");
    text.push_str(&format!("{}\n", clean(&place)));
    match &miner.status {
        None => text.push_str("\nno status yet\n"),
        Some(last) => {
            if miner.reachability() != MinerReachability::Connected {
                let stale = format!("what was known {} ago:", age(time(miner.status_at), now));
                text.push_str(&format!("\n{}\n", paint.text(&stale, Tone::Warn)));
            } else {
                text.push('\n');
            }
            text.push_str(&status(last, paint));
        }
    }
    text
}

fn observed(status: Option<&MinerStatus>, reached: bool) -> [Cell; 5] {
    let Some(status) = status else { return ["", "", "", "", ""].map(Cell::from) };
    let totals = status.totals.clone().unwrap_or_default();
    let tone = if reached { tone_of_miner(status.state()) } else { Tone::Dim };
    let shown = if reached { Tone::Plain } else { Tone::Dim };
    [
        Cell::new(word(status.state().as_str_name(), "MINER_STATE"), tone),
        Cell::new(&status.live_pool, shown),
        Cell::new(rate_of_minute(&status.rates), shown),
        Cell::new(totals.accepted, shown),
        Cell::new(totals.rejected, shown),
    ]
}

/// How a miner stands to what is wanted, with the end of a change that is respected until then.
fn sync_until(miner: &Miner) -> String {
    let word = sync(miner.sync_state());
    match time(miner.overridden_until).filter(|_| miner.sync_state() == SyncState::Overridden) {
        Some(until) => format!("{word} until {}", clock(Some(until))),
        None => word,
    }
}

/// Whether a miner does what is wanted; nothing may be wanted of it yet.
pub(crate) fn sync(state: SyncState) -> String {
    if state == SyncState::Unspecified { "not managed".into() } else { word(state.as_str_name(), "SYNC_STATE") }
}

fn tone(state: SyncState) -> Tone {
    match state {
        SyncState::InSync => Tone::Good,
        SyncState::Applying | SyncState::Overridden => Tone::Warn,
        SyncState::Drifted | SyncState::Rejected | SyncState::Unreachable => Tone::Bad,
        SyncState::Unspecified => Tone::Dim,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Duration, UNIX_EPOCH};

    #[test]
    fn what_is_not_of_now_says_how_old_it_is_and_an_override_when_it_ends() {
        let at = |seconds: i64| Some(prost_types::Timestamp { seconds: 1_790_000_000 + seconds, nanos: 0 });
        let now = UNIX_EPOCH + Duration::from_secs(1_790_000_184);
        let miner = Miner {
            name: "rig1".into(),
            reachability: MinerReachability::Unreachable.into(),
            reachability_since: at(10),
            unreachable_reason: "nobody answers".into(),
            sync_state: SyncState::Overridden.into(),
            overridden_until: at(3600),
            status: Some(MinerStatus::default()),
            status_at: at(0),
            ..Miner::default()
        };
        let paint = Paint(false);
        let wide = fleet_wide(std::slice::from_ref(&miner), now, paint);
        assert!(wide.contains("no, for 2m 54s") && wide.contains("as known 3m 04s ago"), "{wide}");
        for text in [wide, known(&miner, now, paint)] {
            assert!(text.contains("overridden until 2026-09-21 15:13:20Z"), "{text}");
        }
        assert!(known(&miner, now, paint).contains("what was known 3m 04s ago:"));
        let never = Miner { status: None, status_at: None, ..miner.clone() };
        let wide = fleet_wide(std::slice::from_ref(&never), now, paint);
        assert!(wide.contains("nothing known yet") && wide.contains("never"), "{wide}");
        let back = Miner { reachability: MinerReachability::Connected.into(), ..miner };
        assert!(!fleet_wide(&[back], now, paint).contains("ago"));
    }
}
