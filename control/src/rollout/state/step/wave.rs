//! One wave: ordering its targets, watching them, judging them by the untouched rest. Pure.

use super::super::{Measurements, Phase, Rollout, Seen, Stage, Status, Target, WaveReport};
use super::target::{is_ready, why};
use crate::{
    reconcile::SyncState,
    rollout::{
        Outcome,
        gate::{self, Finding, Gate, Measured, Verdict},
    },
};
use mujina_core::id::MinerName;
use std::{collections::BTreeMap, time::SystemTime};

type AllSeen = BTreeMap<MinerName, Seen>;

impl Rollout {
    /// Whether the wave moved.
    pub(super) fn advance_wave(&mut self, now: SystemTime, seen: &AllSeen, measured: Option<&Measurements>) -> bool {
        if self.course.strategy.gates.new_faults {
            self.note_new_faults(seen);
        }
        if self.trips_over_targets(now) {
            return true;
        }
        match self.course.stage {
            Stage::Changing { since } => self.change(since, now, seen),
            Stage::Soaking { begun, since } => self.soak((begun, since), now, seen),
            Stage::Judging { begun: _, since, until: _ } => self.judge(since, now, measured),
            Stage::Resting { until } => self.rest(until, now),
        }
    }

    fn change(&mut self, since: SystemTime, now: SystemTime, seen: &AllSeen) -> bool {
        let wave = self.current();
        if wave.iter().all(|name| self.is_in(name, Phase::Waiting)) {
            // From here on, what is new is compared with this moment.
            for (name, target) in self.targets.iter_mut().filter(|(_, target)| target.phase == Phase::Waiting) {
                let known = seen.get(name).filter(|seen| seen.is_current());
                target.faults_before = known.map(|seen| seen.faults.clone());
            }
        }
        let room = self.room();
        let is_next = |name: &&MinerName| self.is_in(name, Phase::Waiting) && is_ready(seen.get(*name), since, now);
        let next: Vec<_> = wave.iter().filter(is_next).take(room).cloned().collect();
        for name in next {
            if let Some(target) = self.targets.get_mut(&name) {
                target.order(seen.get(&name));
            }
        }
        let is_through = self.wave_targets().all(|(_, target)| target.is_through());
        if is_through {
            self.course.stage = Stage::Soaking { begun: since, since: now };
            self.pause_without_proof(now);
        }
        is_through
    }

    fn soak(&mut self, (begun, since): (SystemTime, SystemTime), now: SystemTime, seen: &AllSeen) -> bool {
        let until = since + self.course.strategy.soak;
        let is_over = now >= until && self.are_back(until, now, seen);
        if is_over {
            self.course.stage = Stage::Judging { begun, since, until };
        }
        is_over
    }

    /// Once and for all: what is looked at again and again finds chance sooner or later.
    fn judge(&mut self, since: SystemTime, now: SystemTime, measured: Option<&Measurements>) -> bool {
        if self.pause_without_proof(now) {
            return true;
        }
        let mut findings = vec![self.targets_finding()];
        if self.course.strategy.gates.need_counts() {
            let of_now = measured.filter(|measured| measured.wave == self.course.wave && measured.since == Some(since));
            let Some(measured) = of_now else { return false };
            let (wave, rest) = self.measured_groups();
            let counts = |names: Vec<MinerName>| -> Vec<Measured> {
                names.iter().filter_map(|name| measured.counts.get(name).copied()).collect()
            };
            findings.extend(gate::judge(&counts(wave), &counts(rest), &self.course.strategy.gates));
        }
        let failed: Vec<_> = findings.iter().filter(|finding| finding.verdict == Verdict::Fails).collect();
        let because: Vec<_> = failed.iter().map(|finding| finding.detail.as_str()).collect();
        let because = (!because.is_empty()).then(|| format!("wave {}: {}", self.course.wave + 1, because.join("; ")));
        self.course.reports.push(WaveReport { wave: self.course.wave, at: now, findings });
        match because {
            Some(because) => self.trip(because),
            None => self.course.stage = Stage::Resting { until: now + self.course.strategy.pause_between },
        }
        true
    }

    fn rest(&mut self, until: SystemTime, now: SystemTime) -> bool {
        if self.course.wave + 1 >= self.course.waves.len() {
            self.course.status = Status::Finished { outcome: Outcome::Succeeded, at: now };
            return true;
        }
        let is_over = now >= until;
        if is_over {
            self.course.wave += 1;
            self.course.stage = Stage::Changing { since: now };
        }
        is_over
    }

    /// Whether every proved target of the wave is in sync at the end of the soak; those that will not be are marked as
    /// failed. One that is away gets the time that it would have to confirm.
    fn are_back(&mut self, due: SystemTime, now: SystemTime, seen: &AllSeen) -> bool {
        let is_patient = now < due + self.course.strategy.confirm_within;
        let mut are_back = true;
        for name in self.current() {
            let Some(target) = self.targets.get_mut(&name) else { continue };
            if target.phase != Phase::Proved || target.failure.is_some() {
                continue;
            }
            let of_it = seen.get(&name).filter(|seen| Some(seen.desired) == target.generation());
            let sync = of_it.map_or(SyncState::NothingWanted, |seen| seen.sync);
            match sync {
                SyncState::InSync => {}
                SyncState::NothingWanted | SyncState::Applying | SyncState::Unreachable if is_patient => {
                    are_back = false;
                }
                _ => {
                    let why = of_it.map_or_else(|| "nothing was heard of it".into(), why);
                    target.failure = Some(format!("fell out of sync after it was proved: its spec {why}"));
                }
            }
        }
        are_back
    }

    /// Marks proved targets of the wave as failed that have faults which they had not before, unless the untouched rest is
    /// struck by as many of the kind.
    fn note_new_faults(&mut self, seen: &AllSeen) {
        let wave: Vec<_> = self.wave_targets().filter(|(_, target)| target.phase == Phase::Proved).collect();
        let rest: Vec<_> = self.targets.iter().filter(|(_, target)| target.phase == Phase::Waiting).collect();
        let struck = |group: &[(&MinerName, &Target)], reason: &str| {
            let has = |(name, target): &&(&MinerName, &Target)| {
                target.new_faults(seen.get(*name)).any(|fault| fault.reason == reason)
            };
            group.iter().filter(has).count()
        };
        let is_general = |reason: &str| {
            let (mine, others) = (struck(&wave, reason), struck(&rest, reason));
            others > 0 && others.saturating_mul(wave.len()) >= mine.saturating_mul(rest.len())
        };
        let mut found = Vec::new();
        for (name, target) in wave.iter().filter(|(_, target)| target.failure.is_none()) {
            let new: Vec<_> = target.new_faults(seen.get(*name)).filter(|fault| !is_general(&fault.reason)).collect();
            if let Some(first) = new.first() {
                let more = if new.len() > 1 { format!(" and {} more", new.len() - 1) } else { String::new() };
                found.push(((*name).clone(), format!("has the new fault {} on {}{more}", first.reason, first.subject)));
            }
        }
        for (name, why) in found {
            if let Some(target) = self.targets.get_mut(&name) {
                target.failure = Some(why);
            }
        }
    }

    /// Whether more targets have failed than may, which trips the rollout.
    fn trips_over_targets(&mut self, now: SystemTime) -> bool {
        let failed: Vec<_> = self
            .targets
            .iter()
            .filter(|(_, target)| !target.forgiven)
            .filter_map(|(name, target)| Some(format!("{name} {}", target.failure.as_deref()?)))
            .collect();
        let may = usize::try_from(self.course.strategy.max_failed).unwrap_or(usize::MAX);
        let (true, Some(first)) = (failed.len() > may, failed.first()) else { return false };
        let more =
            if failed.len() > 1 { format!(", and {} more targets failed", failed.len() - 1) } else { String::new() };
        let detail = format!("{first}{more}");
        let finding = Finding { gate: Gate::Targets, verdict: Verdict::Fails, detail: detail.clone() };
        self.course.reports.push(WaveReport { wave: self.course.wave, at: now, findings: vec![finding] });
        self.trip(format!("wave {}: {detail}", self.course.wave + 1));
        true
    }

    /// Whether nobody of the wave can be judged: nothing speaks for the change then, and a person must look.
    fn pause_without_proof(&mut self, now: SystemTime) -> bool {
        let count = |phase: Option<Phase>| {
            self.wave_targets().filter(|(_, target)| phase.is_none_or(|phase| target.phase == phase)).count()
        };
        if count(Some(Phase::Proved)) > 0 {
            return false;
        }
        let superseded = count(Some(Phase::Superseded));
        let failed = count(None) - superseded;
        let detail = format!("no target is left to be judged: {superseded} superseded, {failed} failed");
        let because = format!("wave {}: {detail}", self.course.wave + 1);
        let finding = Finding { gate: Gate::Targets, verdict: Verdict::Fails, detail };
        self.course.reports.push(WaveReport { wave: self.course.wave, at: now, findings: vec![finding] });
        self.course.status = Status::Paused { because };
        true
    }

    fn targets_finding(&self) -> Finding {
        let mut proved = 0;
        let mut others = 0;
        for (_, target) in self.wave_targets() {
            if target.phase == Phase::Proved && target.failure.is_none() {
                proved += 1;
            } else {
                others += 1;
            }
        }
        let detail = format!("{proved} targets proved, {others} failed or superseded");
        Finding { gate: Gate::Targets, verdict: Verdict::Holds, detail }
    }

    /// Proved targets of the wave, and the untouched rest.
    pub(super) fn measured_groups(&self) -> (Vec<MinerName>, Vec<MinerName>) {
        let wave = self.wave_targets().filter(|(_, target)| target.phase == Phase::Proved);
        let rest = self.targets.iter().filter(|(_, target)| target.phase == Phase::Waiting);
        (wave.map(|(name, _)| name.clone()).collect(), rest.map(|(name, _)| name.clone()).collect())
    }

    pub(super) fn wave_targets(&self) -> impl Iterator<Item = (&MinerName, &Target)> {
        let wave = self.course.waves.get(self.course.wave).into_iter().flatten();
        wave.filter_map(|name| self.targets.get_key_value(name))
    }

    fn current(&self) -> Vec<MinerName> {
        self.course.waves.get(self.course.wave).cloned().unwrap_or_default()
    }

    fn is_in(&self, name: &MinerName, phase: Phase) -> bool {
        self.targets.get(name).is_some_and(|target| target.phase == phase)
    }
}
