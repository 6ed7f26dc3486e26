//! `[pool_limits]`: every deadline and bound towards pools, with the range that makes sense.
//!
//! Defaults and meanings stand beside the fields of [`sv2::Limits`], [`sv1::Limits`] and [`scheduler::Limits`]; docs/configuration.md lists
//! them. Source of the constants: stratum-client 6.6.

use super::read::Given;
use crate::{
    pool::{sv1, sv2},
    scheduler,
};
use Kind::{Bytes, Count, Real, Size, Switch, Time};
use mujina_core::units::duration;
use std::time::Duration;

const MILLISECOND: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(86_400);

/// What the section sets.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Bounds {
    pub(super) pool: sv2::Limits,
    pub(super) v1: sv1::Limits,
    pub(super) scheduler: scheduler::Limits,
}

impl Bounds {
    /// What both protocols have is set for both.
    pub(super) fn shared(mut self) -> Self {
        let sv2::Limits { dns, tcp, noise, setup, bring_up, first_job, frame, write, flush, .. } = self.pool;
        let sv2::Limits { share_queue, share_queue_age, inbound_frames, inbound_bytes, .. } = self.pool;
        let sv2::Limits { flood_frames, flood_seconds, outbound_frames, .. } = self.pool;
        self.v1 = sv1::Limits {
            dns,
            tcp,
            tls: noise,
            setup,
            bring_up,
            first_job,
            line: frame,
            write,
            flush,
            share_queue,
            share_queue_age,
            inbound_lines: inbound_frames,
            inbound_bytes,
            flood_lines: flood_frames,
            flood_seconds,
            outbound_lines: outbound_frames,
            ..self.v1
        };
        self
    }
}

/// One setting of the section.
pub(super) struct Limit {
    pub(super) key: &'static str,
    kind: Kind,
}

enum Kind {
    Time(Duration, Duration, fn(&mut Bounds) -> &mut Duration),
    Size(usize, usize, fn(&mut Bounds) -> &mut usize),
    Count(u32, u32, fn(&mut Bounds) -> &mut u32),
    Bytes(u16, u16, fn(&mut Bounds) -> &mut u16),
    Real(f64, f64, fn(&mut Bounds) -> &mut f64),
    Switch(fn(&mut Bounds) -> &mut bool),
}

impl Limit {
    const fn new(key: &'static str, kind: Kind) -> Self {
        Self { key, kind }
    }

    /// Takes a value over, if it is of the right kind and in range.
    pub(super) fn read(&self, given: &Given, bounds: &mut Bounds) -> Result<(), String> {
        match self.kind {
            Kind::Time(least, most, place) => *place(bounds) = time(given, least, most)?,
            Kind::Size(least, most, place) => *place(bounds) = whole(given, least, most)?,
            Kind::Count(least, most, place) => *place(bounds) = whole(given, least, most)?,
            Kind::Bytes(least, most, place) => *place(bounds) = whole(given, least, most)?,
            Kind::Real(least, most, place) => {
                let real = given.real()?;
                if !(least..=most).contains(&real) {
                    return Err(format!("is {real}; use a number from {least} to {most}"));
                }
                *place(bounds) = real;
            }
            Kind::Switch(place) => *place(bounds) = given.switch()?,
        }
        Ok(())
    }
}

fn time(given: &Given, least: Duration, most: Duration) -> Result<Duration, String> {
    let text = given.text().map_err(|_| "is no duration; write for example \"30s\"".to_owned())?;
    let time = duration::parse(text).map_err(|error| error.to_string())?;
    if (least..=most).contains(&time) {
        Ok(time)
    } else {
        let (least, most) = (duration::human(least), duration::human(most));
        Err(format!("is {}; use a duration from {least} to {most}", duration::human(time)))
    }
}

fn whole<T: TryFrom<u64> + PartialOrd + std::fmt::Display + Copy>(
    given: &Given,
    least: T,
    most: T,
) -> Result<T, String> {
    let number = given.number()?;
    let refused = || format!("is {number}; use a whole number from {least} to {most}");
    T::try_from(number).ok().filter(|number| (least..=most).contains(number)).ok_or_else(refused)
}

/// What does not go together, as key and reason.
pub(super) fn contradictions(bounds: &Bounds) -> Vec<(&'static str, String)> {
    let Bounds { pool, v1: _, scheduler } = bounds;
    let mut found = Vec::new();
    let mut refuse = |wrong: bool, key, reason: &str| {
        if wrong {
            found.push((key, reason.to_owned()));
        }
    };
    refuse(
        pool.soft_idle + pool.probe > pool.hard_idle,
        "pool_limits.hard_idle",
        "ends before `soft_idle` and `probe` together; make it longer",
    );
    refuse(pool.old_job >= pool.same_job, "pool_limits.old_job", "is not before `same_job`; make it shorter");
    refuse(pool.many_tips >= pool.tip_flood, "pool_limits.many_tips", "is not below `tip_flood`; make it smaller");
    refuse(
        pool.payload > pool.inbound_bytes,
        "pool_limits.payload",
        "is greater than `inbound_bytes`; make that one greater",
    );
    refuse(
        scheduler.share_rate > scheduler.share_burst,
        "pool_limits.share_burst",
        "is below `share_rate`; make it greater",
    );
    found
}

/// All of them, in the order of docs/configuration.md.
pub(super) const LIMITS: [Limit; 65] = [
    Limit::new("pool_limits.dns", Time(MILLISECOND, MINUTE, |b| &mut b.pool.dns)),
    Limit::new("pool_limits.tcp", Time(MILLISECOND, MINUTE, |b| &mut b.pool.tcp)),
    Limit::new("pool_limits.noise", Time(MILLISECOND, MINUTE, |b| &mut b.pool.noise)),
    Limit::new("pool_limits.setup", Time(MILLISECOND, MINUTE, |b| &mut b.pool.setup)),
    Limit::new("pool_limits.extensions", Time(MILLISECOND, MINUTE, |b| &mut b.pool.extensions)),
    Limit::new("pool_limits.hash_rate", Time(MILLISECOND, HOUR, |b| &mut b.pool.hash_rate)),
    Limit::new("pool_limits.open", Time(MILLISECOND, MINUTE, |b| &mut b.pool.open)),
    Limit::new("pool_limits.bring_up", Time(MILLISECOND, HOUR, |b| &mut b.pool.bring_up)),
    Limit::new("pool_limits.first_job", Time(MILLISECOND, HOUR, |b| &mut b.pool.first_job)),
    Limit::new("pool_limits.frame", Time(SECOND, HOUR, |b| &mut b.pool.frame)),
    Limit::new("pool_limits.write", Time(SECOND, HOUR, |b| &mut b.pool.write)),
    Limit::new("pool_limits.flush", Time(MILLISECOND, MINUTE, |b| &mut b.pool.flush)),
    Limit::new("pool_limits.soft_idle", Time(SECOND, DAY, |b| &mut b.pool.soft_idle)),
    Limit::new("pool_limits.probe", Time(SECOND, DAY, |b| &mut b.pool.probe)),
    Limit::new("pool_limits.hard_idle", Time(SECOND, DAY, |b| &mut b.pool.hard_idle)),
    Limit::new("pool_limits.old_job", Time(SECOND, DAY, |b| &mut b.pool.old_job)),
    Limit::new("pool_limits.same_job", Time(SECOND, DAY, |b| &mut b.pool.same_job)),
    Limit::new("pool_limits.job_age", Time(MINUTE, DAY, |b| &mut b.pool.job_life.max_age)),
    Limit::new("pool_limits.ntime_advance", Count(0, 7199, |b| &mut b.pool.job_life.ntime_advance)),
    Limit::new("pool_limits.future_ntime", Time(MINUTE, DAY, |b| &mut b.pool.future_ntime)),
    Limit::new("pool_limits.orphan_tip", Time(MILLISECOND, HOUR, |b| &mut b.pool.orphan_tip)),
    Limit::new("pool_limits.reopen", Time(MILLISECOND, HOUR, |b| &mut b.pool.reopen)),
    Limit::new("pool_limits.verdict", Time(SECOND, DAY, |b| &mut b.pool.verdict)),
    Limit::new("pool_limits.fixed_version", Time(SECOND, DAY, |b| &mut b.pool.fixed_version)),
    Limit::new("pool_limits.certificate_leeway", Time(Duration::ZERO, HOUR, |b| &mut b.pool.certificate_leeway)),
    Limit::new("pool_limits.allow_unsynced_clock", Switch(|b| &mut b.pool.allow_unsynced_clock)),
    Limit::new("pool_limits.extensions_memory", Time(SECOND, DAY, |b| &mut b.pool.extensions_memory)),
    Limit::new("pool_limits.redirects", Size(0, 100, |b| &mut b.pool.redirects)),
    Limit::new("pool_limits.redirect_window", Time(SECOND, DAY, |b| &mut b.pool.redirect_window)),
    Limit::new("pool_limits.payload", Size(139_253, 0x00ff_ffff, |b| &mut b.pool.payload)),
    Limit::new("pool_limits.inbound_frames", Size(1, 65_536, |b| &mut b.pool.inbound_frames)),
    Limit::new("pool_limits.inbound_bytes", Size(139_253, 1 << 28, |b| &mut b.pool.inbound_bytes)),
    Limit::new("pool_limits.flood_frames", Count(100, 1_000_000, |b| &mut b.pool.flood_frames)),
    Limit::new("pool_limits.flood_seconds", Count(1, 3600, |b| &mut b.pool.flood_seconds)),
    Limit::new("pool_limits.outbound_frames", Size(1, 1024, |b| &mut b.pool.outbound_frames)),
    Limit::new("pool_limits.job_rate", Count(1, 1000, |b| &mut b.pool.job_rate)),
    Limit::new("pool_limits.job_bytes", Size(139_253, 1 << 28, |b| &mut b.pool.job_bytes)),
    Limit::new("pool_limits.future_jobs", Size(1, 1024, |b| &mut b.pool.future_jobs)),
    Limit::new("pool_limits.past_jobs", Size(1, 1024, |b| &mut b.pool.past_jobs)),
    Limit::new("pool_limits.merkle_path", Size(15, 255, |b| &mut b.pool.merkle_path)),
    Limit::new("pool_limits.many_tips", Size(1, 10_000, |b| &mut b.pool.many_tips)),
    Limit::new("pool_limits.tip_flood", Size(2, 100_000, |b| &mut b.pool.tip_flood)),
    Limit::new("pool_limits.unknown_jobs", Count(1, 10_000, |b| &mut b.pool.unknown_jobs)),
    Limit::new("pool_limits.pending_shares", Size(16, 1 << 20, |b| &mut b.pool.pending_shares)),
    Limit::new("pool_limits.share_queue", Size(1, 65_536, |b| &mut b.pool.share_queue)),
    Limit::new("pool_limits.share_queue_age", Time(SECOND, HOUR, |b| &mut b.pool.share_queue_age)),
    Limit::new("pool_limits.share_rate", Real(0.1, 10_000.0, |b| &mut b.scheduler.share_rate)),
    Limit::new("pool_limits.share_burst", Real(1.0, 100_000.0, |b| &mut b.scheduler.share_burst)),
    Limit::new("pool_limits.seen_hashes", Size(64, 1 << 20, |b| &mut b.scheduler.seen_hashes)),
    Limit::new("pool_limits.dispatch_rate", Real(1.0, 1000.0, |b| &mut b.scheduler.dispatch_rate)),
    Limit::new("pool_limits.starvation_shares", Real(10.0, 1000.0, |b| &mut b.scheduler.starvation_shares)),
    Limit::new("pool_limits.starvation_time", Time(SECOND, DAY, |b| &mut b.scheduler.starvation_time)),
    Limit::new("pool_limits.rate_difference", Real(0.01, 1.0, |b| &mut b.pool.rate.difference)),
    Limit::new("pool_limits.rate_sustained", Time(SECOND, DAY, |b| &mut b.pool.rate.sustained)),
    Limit::new("pool_limits.rate_apart", Time(SECOND, DAY, |b| &mut b.pool.rate.apart)),
    Limit::new("pool_limits.min_extranonce_size", Bytes(1, 32, |b| &mut b.pool.min_extranonce_size)),
    Limit::new("pool_limits.v1_difficulty", Time(MILLISECOND, MINUTE, |b| &mut b.v1.difficulty)),
    Limit::new("pool_limits.v1_idle", Time(SECOND, DAY, |b| &mut b.v1.idle)),
    Limit::new("pool_limits.v1_same_job", Time(SECOND, DAY, |b| &mut b.v1.same_job)),
    Limit::new("pool_limits.v1_verdict", Time(SECOND, DAY, |b| &mut b.v1.verdict)),
    Limit::new("pool_limits.v1_reconnect_wait", Time(Duration::ZERO, HOUR, |b| &mut b.v1.reconnect_wait)),
    Limit::new("pool_limits.v1_reauthorize", Time(SECOND, HOUR, |b| &mut b.v1.reauthorize)),
    Limit::new("pool_limits.v1_line_bytes", Size(16 << 10, 16 << 20, |b| &mut b.v1.line_bytes)),
    Limit::new("pool_limits.v1_in_flight", Size(1, 4096, |b| &mut b.v1.in_flight)),
    Limit::new("pool_limits.v1_share_every", Time(MILLISECOND, HOUR, |b| &mut b.v1.share_every)),
];
