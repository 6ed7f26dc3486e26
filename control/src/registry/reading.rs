//! What a filter can ask of a miner: each field with its reading, from the newest view.
//!
//! Readings of the status tree are those that arrived last, however old; `connected` and `status_age` say what they are
//! worth.

use super::{Labels, Miner, MinerView, Reachability};
use crate::{
    filter::{Field, Kind, Value},
    reconcile::SyncState,
};
use mujina_core::units::Watts;
use mujina_proto::types::v1;
use std::time::{Duration, SystemTime};

const STATES: &[&str] =
    &["UNTRIED", "UNREACHABLE", "STARTING", "MINING", "PAUSED", "NO_WORK", "NO_POOL", "STOPPING", "UNKNOWN"];
const SYNC_STATES: &[&str] =
    &["NOTHING_WANTED", "IN_SYNC", "APPLYING", "DRIFTED", "OVERRIDDEN", "REJECTED", "UNREACHABLE"];

/// Boards that are started one after the other and tuned to their set points are there well before.
const SPIN_UP: Duration = Duration::from_secs(5 * 60);

/// Shortens the table.
const fn field(name: &'static str, kind: Kind) -> Field {
    Field { name, kind }
}

/// All fields of a miner.
///
/// | field | reading |
/// |---|---|
/// | `name` `address` | of the miner; the address of one that calls home is empty |
/// | `label.KEY` | value of a label; not there without the label |
/// | `connected` | whether its API answers |
/// | `state` | `UNTRIED` or `UNREACHABLE`, else what it does, such as `MINING` |
/// | `sync` | whether it does what is wanted |
/// | `quarantined` | whether nothing is sent to it |
/// | `version` `pool` | of its data plane; the pool that it hashes for, empty without one |
/// | `pinned` | whether a pool is pinned |
/// | `hashrate_5s` to `hashrate_24h` | hashes per second over that window, from verified nonces |
/// | `hashrate_5s.ratio` to `hashrate_24h.ratio` | that, of what its boards are expected to reach |
/// | `nominal` | hashes per second that its boards are expected to reach |
/// | `rejected.ratio` `stale.ratio` | part of all judged, of all found shares since its data plane started |
/// | `power` `temperature` | watts of its boards; degrees Celsius of its hottest board |
/// | `boards` `boards.mining` `chips.missing` | how many |
/// | `pools` `pools.ready` | how many pools its spec has; those that have a job |
/// | `faults` `fault.REASON` | how many; whether it has one with that reason |
/// | `uptime` `status_age` | seconds since its data plane started; since its status arrived |
/// | `generation` `desired_generation` | that it accepted last; that is wanted |
pub const FIELDS: &[Field] = &[
    field("name", Kind::Text),
    field("address", Kind::Text),
    field("label.", Kind::Text),
    field("connected", Kind::Truth),
    field("state", Kind::OneOf(STATES)),
    field("sync", Kind::OneOf(SYNC_STATES)),
    field("quarantined", Kind::Truth),
    field("version", Kind::Text),
    field("pool", Kind::Text),
    field("pinned", Kind::Truth),
    field("hashrate_5s", Kind::Number),
    field("hashrate_1m", Kind::Number),
    field("hashrate_5m", Kind::Number),
    field("hashrate_15m", Kind::Number),
    field("hashrate_1h", Kind::Number),
    field("hashrate_24h", Kind::Number),
    field("hashrate_5s.ratio", Kind::Number),
    field("hashrate_1m.ratio", Kind::Number),
    field("hashrate_5m.ratio", Kind::Number),
    field("hashrate_15m.ratio", Kind::Number),
    field("hashrate_1h.ratio", Kind::Number),
    field("hashrate_24h.ratio", Kind::Number),
    field("nominal", Kind::Number),
    field("rejected.ratio", Kind::Number),
    field("stale.ratio", Kind::Number),
    field("power", Kind::Number),
    field("temperature", Kind::Number),
    field("boards", Kind::Number),
    field("boards.mining", Kind::Number),
    field("chips.missing", Kind::Number),
    field("pools", Kind::Number),
    field("pools.ready", Kind::Number),
    field("faults", Kind::Number),
    field("fault.", Kind::Truth),
    field("uptime", Kind::Number),
    field("status_age", Kind::Number),
    field("generation", Kind::Number),
    field("desired_generation", Kind::Number),
];

/// The reading of a field; `None` = there is none.
pub(super) fn reading(field: &str, miner: &Miner, view: &MinerView, labels: &Labels, now: SystemTime) -> Option<Value> {
    if let Some(key) = field.strip_prefix("label.") {
        return labels.get(key).cloned().map(Value::Text);
    }
    let text = |text: &str| Some(Value::Text(text.into()));
    match field {
        "name" => text(miner.name.as_str()),
        "address" => Some(Value::Text(miner.address.as_ref().map(ToString::to_string).unwrap_or_default())),
        "connected" => Some(Value::Truth(view.reachability == Reachability::Connected)),
        "state" => text(state(view)),
        "sync" => text(sync(view.agreement.state)),
        "quarantined" => Some(Value::Truth(miner.quarantine().is_some())),
        "generation" => Some(Value::Number(number(view.confirmed.as_ref()?.control_generation.0))),
        "desired_generation" => Some(Value::Number(number(view.desired_generation.0))),
        _ => {
            let (status, at) = view.status.as_ref()?;
            of_status(field, status, *at, now)
        }
    }
}

fn of_status(field: &str, status: &v1::MinerStatus, at: SystemTime, now: SystemTime) -> Option<Value> {
    if let Some(reason) = field.strip_prefix("fault.") {
        return Some(Value::Truth(status.faults.iter().any(|fault| fault.reason == reason)));
    }
    if let Some(window) = field.strip_prefix("hashrate_") {
        let (window, of_nominal) = window.strip_suffix(".ratio").map_or((window, false), |window| (window, true));
        let rate = hash_rate(status, window)?;
        return if of_nominal { ratio(rate, status.nominal_hash_rate_hps?) } else { Some(Value::Number(rate)) };
    }
    let amount = match field {
        "version" => return Some(Value::Text(status.version.clone())),
        "pool" => return Some(Value::Text(status.live_pool.clone())),
        "pinned" => return Some(Value::Truth(status.pool_pin.is_some())),
        "nominal" => status.nominal_hash_rate_hps?,
        "rejected.ratio" => {
            let totals = status.totals.as_ref()?;
            return ratio(number(totals.rejected), number(totals.rejected.saturating_add(totals.accepted)));
        }
        "stale.ratio" => {
            let totals = status.totals.as_ref()?;
            return ratio(number(totals.stale), number(totals.found));
        }
        "power" => power(status)?.watts(),
        "temperature" => status.boards.iter().filter_map(|board| board.hottest_celsius).reduce(f64::max)?,
        "boards" => counted(status.boards.len()),
        "boards.mining" => {
            counted(status.boards.iter().filter(|board| board.state() == v1::BoardState::Mining).count())
        }
        "chips.missing" => {
            let missing = |board: &v1::BoardStatus| board.expected_chips.saturating_sub(board.found_chips);
            status.boards.iter().map(|board| f64::from(missing(board))).sum()
        }
        "pools" => counted(status.pools.len()),
        "pools.ready" => counted(status.pools.iter().filter(|pool| pool.state() == v1::PoolState::Ready).count()),
        "faults" => counted(status.faults.len()),
        "uptime" => {
            let started = SystemTime::try_from(status.started_at?).ok()?;
            now.duration_since(started).ok()?.as_secs_f64()
        }
        "status_age" => now.duration_since(at).unwrap_or_default().as_secs_f64(),
        _ => return None,
    };
    Some(Value::Number(amount))
}

/// What a miner draws while it hashes; `None` when it does not, or when that is not measured.
pub(super) fn hashing_power(view: &MinerView) -> Option<Watts> {
    let (status, _) = view.status.as_ref()?;
    let hashes = view.reachability == Reachability::Connected && status.state() == v1::MinerState::Mining;
    if hashes { power(status) } else { None }
}

/// What counts as the draw of a miner that has hashed for so long without a break, `known` so far. More counts at once; less
/// only when it has spun up, or one that was just resumed would seem to move few watts when it is paused again.
pub(super) fn settled(known: Option<Watts>, reading: Watts, hashing: Duration) -> Watts {
    known.filter(|known| *known > reading && hashing < SPIN_UP).unwrap_or(reading)
}

/// Watts of the boards that measure it; `None` when none does.
fn power(status: &v1::MinerStatus) -> Option<Watts> {
    let measured = status.boards.iter().filter_map(|board| board.power_watts);
    measured.reduce(|sum, more| sum + more).map(Watts::from_watts)
}

fn hash_rate(status: &v1::MinerStatus, window: &str) -> Option<f64> {
    let seconds = match window {
        "5s" => 5,
        "1m" => 60,
        "5m" => 5 * 60,
        "15m" => 15 * 60,
        "1h" => 60 * 60,
        "24h" => 24 * 60 * 60,
        _ => return None,
    };
    let window = Duration::from_secs(seconds);
    let is_meant = |rate: &&v1::RateEstimate| {
        rate.window.and_then(|length| Duration::try_from(length).ok()).is_some_and(|length| length == window)
    };
    status.rates.iter().find(is_meant)?.hash_rate_hps
}

fn state(view: &MinerView) -> &'static str {
    match &view.reachability {
        Reachability::Untried => "UNTRIED",
        Reachability::Unreachable(_) => "UNREACHABLE",
        Reachability::Connected => match view.status.as_ref().map(|(status, _)| status.state()) {
            Some(v1::MinerState::Starting) => "STARTING",
            Some(v1::MinerState::Mining) => "MINING",
            Some(v1::MinerState::Paused) => "PAUSED",
            Some(v1::MinerState::NoWork) => "NO_WORK",
            Some(v1::MinerState::NoPool) => "NO_POOL",
            Some(v1::MinerState::Stopping) => "STOPPING",
            Some(v1::MinerState::Unspecified) | None => "UNKNOWN",
        },
    }
}

fn sync(state: SyncState) -> &'static str {
    match state {
        SyncState::NothingWanted => "NOTHING_WANTED",
        SyncState::InSync => "IN_SYNC",
        SyncState::Applying => "APPLYING",
        SyncState::Drifted => "DRIFTED",
        SyncState::Overridden => "OVERRIDDEN",
        SyncState::Rejected => "REJECTED",
        SyncState::Unreachable => "UNREACHABLE",
    }
}

/// Of nothing there is no part.
fn ratio(part: f64, whole: f64) -> Option<Value> {
    (whole > 0.0).then(|| Value::Number(part / whole))
}

fn counted(count: usize) -> f64 {
    number(u64::try_from(count).unwrap_or(u64::MAX))
}

#[expect(clippy::cast_precision_loss, reason = "counters are compared with what a person wrote")]
fn number(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests;
