//! Answers for people: messages as text. Pure; the clock is a parameter where it is needed.

mod access;
mod audit;
mod board;
mod chip;
mod enroll;
mod event;
mod fleet;
mod ledger;
mod operation;
mod pool;
mod profile;
mod reject;
mod rollout;
mod share;
mod status;

pub(crate) use access::{allowed, bindings, new_operator_token, operator_tokens, payout_guard, proposed, who};
pub(crate) use audit::{audit_records, audit_verified};
pub(crate) use board::{
    board, boards, boards_wide, constraints, located, self_test_failure, self_test_step, self_tested, usb_problem,
};
pub(crate) use chip::{chip_map, chips};
pub(crate) use enroll::{certificates, enroll_tokens, enrollments, new_enroll_token};
pub(crate) use event::{event_lines, events, series};
pub(crate) use fleet::{fleet, fleet_wide, known, lone, miners_summary, sync};
pub(crate) use ledger::{statistics, summary};
pub(crate) use operation::{operation, operation_done, operation_line, operation_plan, operations, phase, reconnected};
pub(crate) use pool::{channels, pinned, pools_wide, tested, transitions, transitions_with_phases, unpinned};
pub(crate) use profile::{effects, names, profiles, resolved};
pub(crate) use reject::{rejects, rejects_wide};
pub(crate) use rollout::{
    RolloutTold, approvals_missing, rollout, rollout_line, rollout_parts, rollout_plan, rollouts,
};
pub(crate) use share::{SHARE_HEADER, share_line, shares};
pub(crate) use status::{pools, status};

use crate::output::{Paint, Tone, percent};
use mujina_core::{
    text::sanitise,
    units::{Difficulty, HashRate, duration},
};
use mujina_proto::{
    convert::length,
    types::v1::{RateEstimate, SpecChange, SpecState},
};
use std::{collections::BTreeMap, time::Duration};

/// Longest line of what a peer said, in bytes.
const LONGEST: usize = 512;

/// Differences between two specs, as a patch shows them.
pub(crate) fn changes(changes: &[SpecChange], paint: Paint) -> String {
    if changes.is_empty() {
        return "no difference\n".into();
    }
    let line = |sign: &str, path: &str, value: &str, tone| match value {
        "" => String::new(),
        value => format!("{}\n", paint.text(&clean(&format!("{sign} {path}: {value}")), tone)),
    };
    let change = |SpecChange { path, before, after }: &SpecChange| {
        format!("{}{}", line("-", path, before, Tone::Bad), line("+", path, after, Tone::Good))
    };
    changes.iter().map(change).collect()
}

/// What pausing or resuming came to.
pub(crate) fn switched(what: &str, state: Option<&SpecState>) -> String {
    state.map_or_else(|| format!("{what}\n"), |state| format!("{what} (generation {})\n", state.generation))
}

/// `site=a,zone=7`, in order of the keys.
fn labels_of(labels: &BTreeMap<String, String>) -> String {
    let labels: Vec<_> = labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
    labels.join(",")
}

/// A rate with one standard error: `25.7 MH/s ± 3.2 %`; `None` while nothing was observed.
fn rate(estimate: &RateEstimate) -> Option<String> {
    with_error(estimate.hash_rate_hps?, estimate.relative_standard_error_ratio)
}

fn with_error(hps: f64, relative_error: Option<f64>) -> Option<String> {
    let rate = hash_rate(hps)?;
    Some(match relative_error {
        Some(error) => format!("{rate} ± {}", percent(error)),
        None => rate,
    })
}

/// The rate over the window that says most at a glance: a minute, else the shortest that is known.
fn rate_of_minute(rates: &[RateEstimate]) -> String {
    let minute = rates.iter().filter(|one| window(one) == Duration::from_secs(60));
    minute.chain(rates).find_map(rate).unwrap_or_default()
}

/// All known rates with their windows. Of windows that reach back further than was looked, the shortest says it all.
fn rates(rates: &[RateEstimate]) -> String {
    let whole = |one: &&RateEstimate| one.observed.is_some_and(|observed| Some(observed) == one.window);
    let last = rates.iter().take_while(whole).count();
    let known = rates.iter().take(last + 1);
    let shown: Vec<_> = known.filter_map(|one| Some(format!("{} over {}", rate(one)?, span(window(one))))).collect();
    if shown.is_empty() { "not known yet".into() } else { shown.join(", ") }
}

/// A window in whole units: `5 s`, `1 m`, `24 h`.
fn span(window: Duration) -> String {
    match window.as_secs() {
        seconds if seconds >= 3600 && seconds % 3600 == 0 => format!("{} h", seconds / 3600),
        seconds if seconds >= 60 && seconds % 60 == 0 => format!("{} m", seconds / 60),
        seconds if window.subsec_nanos() == 0 => format!("{seconds} s"),
        _ => duration::human(window),
    }
}

fn window(estimate: &RateEstimate) -> Duration {
    length("window", estimate.window).ok().flatten().unwrap_or_default()
}

fn hash_rate(hps: f64) -> Option<String> {
    HashRate::try_from(hps).ok().map(|rate| rate.to_string())
}

fn difficulty(value: f64) -> String {
    Difficulty::try_from(value).map_or_else(|_| "-".into(), |difficulty| difficulty.to_string())
}

fn elapsed(of: Option<prost_types::Duration>) -> String {
    length("elapsed", of).ok().flatten().map_or_else(|| "-".into(), duration::human)
}

fn clean(text: &str) -> String {
    sanitise(text, LONGEST)
}
