//! Rollouts: plans, waves, what gates found, and miners.

use super::{clean, effects, profile::names};
use crate::output::{Cell, Paint, Table, Tone, clock, word};
use mujina_proto::{
    control::v1::{
        PlanRolloutResponse, Rollout, RolloutFinding, RolloutProgress, RolloutStage, RolloutState, RolloutTarget,
        RolloutTargetState, RolloutWave, rollout_change::Change,
    },
    convert::time,
};

/// What a rollout would do.
pub(crate) fn rollout_plan(answer: &PlanRolloutResponse, paint: Paint) -> String {
    let rollout = answer.rollout.clone().unwrap_or_default();
    format!("{}{}{}", effects(&answer.effects, paint), waves(&rollout, paint), approvals(&rollout))
}

/// Approvals that a plan still lacks.
pub(crate) fn approvals_missing(rollout: &Rollout) -> usize {
    usize::try_from(rollout.approvals_needed).unwrap_or(usize::MAX).saturating_sub(rollout.approvals.len())
}

/// Who approved a plan and how many must.
fn approvals(rollout: &Rollout) -> String {
    if rollout.approvals_needed == 0 && rollout.approvals.is_empty() {
        return String::new();
    }
    let given = rollout.approvals.iter().map(|one| format!("  {}  {}\n", clock(time(one.at)), clean(&one.who)));
    format!("approvals {}\n{}", approved(rollout), given.collect::<String>())
}

fn approved(rollout: &Rollout) -> String {
    format!("{} of {}", rollout.approvals.len(), rollout.approvals_needed)
}

fn waves(rollout: &Rollout, paint: Paint) -> String {
    let mut text = String::new();
    for (index, wave) in rollout.waves.iter().enumerate() {
        let miners: Vec<_> = wave.miners.iter().map(String::as_str).collect();
        let title = paint.text(&format!("wave {} of {}", index + 1, rollout.waves.len()), Tone::Strong);
        text.push_str(&format!("{title}  {}\n", names(&miners)));
        text.extend(wave.findings.iter().map(|found| finding(found, paint)));
    }
    text
}

fn finding(found: &RolloutFinding, paint: Paint) -> String {
    let RolloutFinding { gate, verdict, detail } = found;
    let tone = match verdict.as_str() {
        "holds" => Tone::Good,
        "fails" => Tone::Bad,
        _ => Tone::Warn,
    };
    let (gate, verdict) = (clean(&word(gate, "")), clean(&word(verdict, "")));
    format!("  {gate} {}: {}\n", paint.text(&verdict, tone), clean(detail))
}

/// Rollouts, newest first.
pub(crate) fn rollouts(rollouts: &[Rollout], paint: Paint) -> String {
    if rollouts.is_empty() {
        return "there was no rollout yet\n".into();
    }
    let mut table =
        Table::new(&["ID", "CHANGES", "STATE", ">WAVE", ">PROVED", ">FAILED", ">ALL", "PLANNED", "BY", "REASON"]);
    for rollout in rollouts {
        let RolloutProgress { total, proved, failed, .. } = rollout.progress.unwrap_or_default();
        let (state, tone) = state(rollout);
        table.row([
            Cell::new(&rollout.rollout_id, Tone::Strong),
            subject(rollout).into(),
            Cell::new(state, tone),
            format!("{} of {}", at_wave(rollout), rollout.waves.len()).into(),
            proved.into(),
            Cell::new(failed, if failed > 0 { Tone::Bad } else { Tone::Plain }),
            total.into(),
            clock(time(rollout.created_at)).into(),
            (&rollout.created_by).into(),
            Cell::new(&rollout.reason, Tone::Dim),
        ]);
    }
    table.render(paint)
}

/// One rollout with its waves and miners.
pub(crate) fn rollout(rollout: &Rollout, paint: Paint) -> String {
    format!("{}\n{}", rollout_line(rollout), rollout_parts(rollout, paint))
}

/// Its waves and miners.
pub(crate) fn rollout_parts(rollout: &Rollout, paint: Paint) -> String {
    let mut text = format!("{}{}", waves(rollout, paint), approvals(rollout));
    if !rollout.targets.is_empty() {
        let mut table = Table::new(&["MINER", "STATE", ">GENERATION", ">BEFORE", "REASON"]);
        for target in &rollout.targets {
            table.row(row(target));
        }
        text.push('\n');
        text.push_str(&table.render(paint));
    }
    text
}

fn row(target: &RolloutTarget) -> [Cell; 5] {
    let tone = match target.state() {
        RolloutTargetState::Proved => Tone::Good,
        RolloutTargetState::Applying | RolloutTargetState::InForce | RolloutTargetState::Reverting => Tone::Warn,
        RolloutTargetState::Refused | RolloutTargetState::RevertFailed => Tone::Bad,
        RolloutTargetState::Waiting
        | RolloutTargetState::Reverted
        | RolloutTargetState::Superseded
        | RolloutTargetState::Unspecified => Tone::Dim,
    };
    let generation = |number: u64| if number == 0 { String::new() } else { number.to_string() };
    [
        Cell::new(&target.miner, Tone::Strong),
        Cell::new(word(target.state().as_str_name(), "ROLLOUT_TARGET_STATE"), tone),
        generation(target.generation).into(),
        generation(target.previous_generation).into(),
        Cell::new(&target.failure, Tone::Dim),
    ]
}

/// How far a rollout is, in a line.
pub(crate) fn rollout_line(rollout: &Rollout) -> String {
    let RolloutProgress { total, proved, in_flight, failed, reverted, skipped } = rollout.progress.unwrap_or_default();
    let (state, _) = state(rollout);
    let reason = if rollout.reason.is_empty() { String::new() } else { format!(" ({})", clean(&rollout.reason)) };
    let wave = match (rollout.state(), rollout.stage()) {
        (RolloutState::Running | RolloutState::Paused, stage) if stage != RolloutStage::Unspecified => {
            format!(
                ", wave {} of {} {}",
                at_wave(rollout),
                rollout.waves.len(),
                word(stage.as_str_name(), "ROLLOUT_STAGE")
            )
        }
        _ => String::new(),
    };
    let id = clean(&rollout.rollout_id);
    format!(
        "rollout {id}: {state}{reason}{wave}; of {total} miners {proved} proved, {in_flight} in flight, {failed} failed, {reverted} taken back, {skipped} skipped"
    )
}

fn subject(rollout: &Rollout) -> String {
    match rollout.change.as_ref().and_then(|change| change.change.as_ref()) {
        Some(Change::Profile(profile)) => format!("profile {}", profile.name),
        Some(Change::Spec(_)) => "a part of the spec".into(),
        None => String::new(),
    }
}

fn at_wave(rollout: &Rollout) -> u32 {
    let all = u32::try_from(rollout.waves.len()).unwrap_or(u32::MAX);
    rollout.current_wave.saturating_add(1).min(all)
}

fn state(rollout: &Rollout) -> (String, Tone) {
    let state = rollout.state();
    let tone = match state {
        RolloutState::Succeeded => Tone::Good,
        RolloutState::Running | RolloutState::Paused | RolloutState::Aborting | RolloutState::RollingBack => Tone::Warn,
        RolloutState::Aborted | RolloutState::RolledBack => Tone::Bad,
        RolloutState::Planned | RolloutState::Unspecified => Tone::Dim,
    };
    let word = word(state.as_str_name(), "ROLLOUT_STATE");
    if state == RolloutState::Planned && rollout.approvals_needed > 0 {
        return (format!("{word} ({} approved)", approved(rollout)), tone);
    }
    (word, tone)
}

/// What a reader of a rollout was told already.
#[derive(Debug, Default)]
pub(crate) struct RolloutTold {
    line: String,
    waves: Vec<RolloutWave>,
}

impl RolloutTold {
    /// What is new: what gates found, then how far it is.
    pub(crate) fn lines(&mut self, rollout: &Rollout, paint: Paint) -> String {
        let mut text = String::new();
        for (index, wave) in rollout.waves.iter().enumerate() {
            let known = self.waves.get(index).map(|known| known.findings.as_slice()).unwrap_or_default();
            if !wave.findings.is_empty() && wave.findings != known {
                text.push_str(&format!("wave {} was judged\n", index + 1));
                text.extend(wave.findings.iter().map(|found| finding(found, paint)));
            }
        }
        let line = rollout_line(rollout);
        if line != self.line {
            text.push_str(&format!("{line}\n"));
        }
        (self.line, self.waves) = (line, rollout.waves.clone());
        text
    }
}
