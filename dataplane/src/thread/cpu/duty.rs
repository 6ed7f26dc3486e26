//! The duty cycle: hashing earns rest, in proportion, and rest is taken when it is worth a sleep.
//!
//! Work is counted by the thread's CPU time, so that what other processes take counts as neither. A sleep that was longer
//! than asked is set off against the next one: the duty is right on average, whatever the timer's grain.

use crate::thread::sha256d::thread_time;
use mujina_core::units::DutyPercent;
use std::time::{Duration, Instant};

/// Shortest sleep: far above the timer's grain of some 50 µs, far below what anybody sees in a hash rate.
const LEAST_REST: Duration = Duration::from_millis(4);
/// Most rest that is owed or in advance: a thread that was suspended does not make up for it.
const MOST_REST: Duration = Duration::from_millis(500);

/// Balance of work and rest.
#[derive(Debug)]
pub(super) struct Duty {
    /// Rest per work; 0 = none.
    ratio: f64,
    worked_until: Duration,
    /// Rest that is owed, in seconds; below zero after an oversleep.
    owed: f64,
    resting_since: Option<Instant>,
}

impl Duty {
    pub(super) fn new(duty: DutyPercent) -> Self {
        let ratio = (1.0 - duty.ratio()) / duty.ratio();
        Self { ratio, worked_until: Duration::ZERO, owed: 0.0, resting_since: None }
    }

    /// How long to sleep now that a unit of work is done; `None` = go on.
    pub(super) fn rest(&mut self) -> Option<Duration> {
        if self.ratio <= 0.0 {
            return None;
        }
        self.step(thread_time(), Instant::now())
    }

    fn step(&mut self, thread_time: Duration, now: Instant) -> Option<Duration> {
        let worked = thread_time.saturating_sub(std::mem::replace(&mut self.worked_until, thread_time));
        if let Some(since) = self.resting_since.take() {
            // Between then and now lie the rest and the unit that has just ended.
            let rested = now.saturating_duration_since(since).saturating_sub(worked);
            self.owed -= rested.as_secs_f64();
        }
        let most = MOST_REST.as_secs_f64();
        self.owed = worked.as_secs_f64().mul_add(self.ratio, self.owed).clamp(-most, most);
        if self.owed < LEAST_REST.as_secs_f64() {
            return None;
        }
        self.resting_since = Some(now);
        Some(Duration::from_secs_f64(self.owed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Works in units and sleeps `lateness` longer than asked; returns the part of the time that was work.
    fn simulate(percent: u64, unit: Duration, lateness: Duration) -> f64 {
        let mut duty = Duty::new(DutyPercent::try_from(percent).unwrap());
        let (mut thread_time, mut now) = (Duration::ZERO, Instant::now());
        let begin = now;
        for _ in 0..20_000 {
            thread_time += unit;
            now += unit;
            if let Some(rest) = duty.step(thread_time, now) {
                now += rest + lateness;
            }
        }
        thread_time.as_secs_f64() / (now - begin).as_secs_f64()
    }

    #[test]
    fn duty_is_kept_whatever_the_timer_adds() {
        for percent in [1, 25, 50, 90, 99] {
            for lateness in [Duration::ZERO, Duration::from_micros(60), Duration::from_millis(3)] {
                let wanted = percent as f64 / 100.0;
                let got = simulate(percent, Duration::from_micros(250), lateness);
                assert!((got / wanted - 1.0).abs() < 0.02, "{percent} % became {got} with {lateness:?}");
            }
        }
    }

    #[test]
    fn full_duty_never_rests() {
        let mut duty = Duty::new(DutyPercent::FULL);
        assert!((0..1000).all(|_| duty.rest().is_none()));
    }

    #[test]
    fn sleep_that_was_cut_short_stays_owed() {
        let mut duty = Duty::new(DutyPercent::try_from(50_u64).unwrap());
        let now = Instant::now();
        let ms = Duration::from_millis;
        assert_eq!(duty.step(ms(10), now), Some(ms(10)));
        // Woken after 2 ms, then 1 ms of work: 8 ms are left of the old rest, and 1 ms comes on top.
        let rest = duty.step(ms(11), now + ms(3)).unwrap();
        assert!((rest.as_secs_f64() - 0.009).abs() < 1e-9, "{rest:?}");
    }
}
