//! Profiles, and what they mean for each miner.

use super::{changes, clean};
use crate::output::{Cell, Paint, Table, Tone};
use mujina_proto::{
    control::v1::{Profile, ProfileEffect, ResolveSpecResponse},
    types::v1::SpecChange,
};

/// Names of miners that are told of those with the same changes.
const LISTED: usize = 10;

/// A row a profile.
pub(crate) fn profiles(profiles: &[Profile], paint: Paint) -> String {
    if profiles.is_empty() {
        return "there is no profile; store one with `mujinactl apply -f FILE`\n".into();
    }
    let mut table = Table::new(&["NAME", "SELECTOR", ">PRIORITY", ">GENERATION", "SAYS"]);
    for profile in profiles {
        let spec = profile.spec.clone().unwrap_or_default();
        let says: Vec<_> = [
            spec.pool_groups.map(|list| {
                let pools: usize = list.groups.iter().map(|group| group.pools.len()).sum();
                format!("{pools} pools")
            }),
            spec.paused.map(|paused| if paused { "paused".into() } else { "not paused".into() }),
            (!spec.boards.is_empty()).then(|| format!("tuning of {} boards", spec.boards.len())),
        ]
        .into_iter()
        .flatten()
        .collect();
        let selector = if profile.selector.is_empty() { "(all)" } else { &profile.selector };
        table.row([
            Cell::new(&profile.name, Tone::Strong),
            selector.into(),
            profile.priority.into(),
            profile.generation.into(),
            says.join(", ").into(),
        ]);
    }
    table.render(paint)
}

/// Changes per miner, miners with equal ones together.
pub(crate) fn effects(effects: &[ProfileEffect], paint: Paint) -> String {
    if effects.is_empty() {
        return "no miner changes\n".into();
    }
    let mut groups: Vec<(&[SpecChange], Vec<&str>)> = Vec::new();
    for effect in effects {
        match groups.iter_mut().find(|(changes, _)| *changes == effect.changes.as_slice()) {
            Some((_, miners)) => miners.push(&effect.miner),
            None => groups.push((&effect.changes, vec![&effect.miner])),
        }
    }
    let group = |(same, miners): &(&[SpecChange], Vec<&str>)| {
        let lines: String = changes(same, paint).lines().map(|line| format!("  {line}\n")).collect();
        format!("{}\n{lines}", paint.text(&names(miners), Tone::Strong))
    };
    groups.iter().map(group).collect()
}

/// `rig1`, or `12 miners: rig1, rig2 and 10 more`.
pub(crate) fn names(miners: &[&str]) -> String {
    let shown: Vec<_> = miners.iter().take(LISTED).map(|name| clean(name)).collect();
    match (miners.len(), miners.len().saturating_sub(LISTED)) {
        (1, _) => shown.concat(),
        (all, 0) => format!("{all} miners: {}", shown.join(", ")),
        (all, more) => format!("{all} miners: {} and {more} more", shown.join(", ")),
    }
}

/// What profiles come to for a miner.
pub(crate) fn resolved(answer: &ResolveSpecResponse, spec: &str, paint: Paint) -> String {
    let ResolveSpecResponse { spec: _, origins, stored, problem } = answer;
    if !problem.is_empty() {
        return format!("{} {}\n", paint.text("nothing follows:", Tone::Bad), clean(problem));
    }
    let mut table = Table::new(&["FIELD", "SAID BY"]);
    for origin in origins {
        let by = if origin.profile.is_empty() {
            "the miner's own spec".into()
        } else {
            format!("profile {}", origin.profile)
        };
        table.row([Cell::new(&origin.path, Tone::Strong), by.into()]);
    }
    let stored = if *stored {
        "what is wanted of the miner says the same"
    } else {
        "what is wanted of the miner differs yet: a write or a rollout is on its way"
    };
    format!("{spec}\n{}\n{stored}\n", table.render(paint))
}
