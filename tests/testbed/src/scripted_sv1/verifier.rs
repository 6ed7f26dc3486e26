//! Judges SV1 shares by rebuilding every header from what the pool sent, never from what the miner says about it.
//!
//! It holds a miner to the letter: extranonce and difficulty pinned per notify, version bits that every pool rebuilds alike,
//! ntime no faster than the clock, no header twice, not even over a reconnect. Neither waits nor looks at a clock. Source:
//! BIP 310 and how the common pools check a `mining.submit`; the code is the testbed's own.

mod difficulty;
mod job;
mod reading;
mod share;

pub use reading::Notify;
pub(crate) use reading::bytes;
pub use share::{Sv1Share, Violation};

use crate::sv1_wire::Request;
use job::Job;
use serde_json::Value;
use std::{
    collections::{HashMap, HashSet},
    time::Instant,
};

/// What is known of a good share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Judged {
    /// Of its header, in hashing order.
    pub hash: [u8; 32],
    /// Which notify of this connection it belongs to, from 0; of several with the same job id the newest that fits.
    pub notify: usize,
    /// The version that it was mined with.
    pub version: u32,
}

/// What the pool said on this connection, and every header it was ever given.
#[derive(Default)]
pub struct Sv1Verifier {
    /// Requests of the miner by id, as text; how often and for which method.
    asked: HashMap<String, (usize, String)>,
    workers: HashSet<String>,
    extranonce1: Option<Vec<u8>>,
    extranonce2_size: usize,
    difficulty: Option<f64>,
    /// What the miner asked to roll.
    requested_mask: u32,
    /// What it may roll now.
    mask: u32,
    jobs: Vec<Job>,
    /// Never pruned: tests are short.
    seen: HashSet<[u8; 32]>,
}

impl Sv1Verifier {
    /// Another connection: everything but the headers is forgotten.
    pub fn reconnected(&mut self) {
        *self = Self { seen: std::mem::take(&mut self.seen), ..Self::default() };
    }

    /// How many jobs were announced on this connection.
    #[must_use]
    pub fn notifies(&self) -> usize {
        self.jobs.len()
    }

    /// The miner said this.
    pub fn received(&mut self, line: &Value) {
        let Some(request) = Request::of(line) else { return };
        if request.method == "mining.authorize" {
            self.workers.extend(reading::text_at(&request.params, 0));
        }
        if request.method == "mining.configure" {
            self.requested_mask = reading::requested_mask(&request.params);
        }
        let (times, _) = self.asked.entry(reading::id_text(&request.id)).or_insert((0, request.method));
        *times += 1;
    }

    /// The pool said this, legal or not; what no miner can read changes nothing.
    pub fn sent(&mut self, line: &Value, now: Instant) {
        match Request::of(line) {
            Some(request) => self.called(&request, now),
            None => self.answered(line),
        }
    }

    fn called(&mut self, request: &Request, now: Instant) {
        let params = &request.params;
        match request.method.as_str() {
            "mining.set_difficulty" => {
                let Some(difficulty) = reading::difficulty(params) else { return };
                self.difficulty = Some(difficulty);
                // Before the first difficulty a miner waits for it.
                self.jobs.iter_mut().for_each(|job| job.hear_of(difficulty));
            }
            "mining.set_extranonce" => self.extranonces(params, 0),
            "mining.set_version_mask" => {
                self.mask = reading::mask(params.get(0)).map_or(self.mask, |mask| mask & self.requested_mask);
            }
            "mining.notify" => {
                let Some(notify) = Notify::read(params) else { return };
                let job = Job::new(notify, self.extranonce1.clone(), self.extranonce2_size, self.difficulty, now);
                self.notified(job);
            }
            _ => {}
        }
    }

    fn notified(&mut self, mut job: Job) {
        for old in &mut self.jobs {
            let same_id = old.notify.job_id == job.notify.job_id;
            if old.notify.is_repeated_by(&job.notify) {
                // The miner may go on where it is, its clock included.
                job.since = job.since.min(old.since);
            } else if job.notify.clean_jobs || same_id || old.notify.prev_hash != job.notify.prev_hash {
                old.is_dead = true;
            }
        }
        self.jobs.push(job);
    }

    fn answered(&mut self, line: &Value) {
        let id = reading::id_text(line.get("id").unwrap_or(&Value::Null));
        let (Some((_, method)), Some(result)) = (self.asked.get(&id), line.get("result")) else { return };
        match method.as_str() {
            "mining.subscribe" if self.extranonce1.is_none() => {
                self.extranonces(result, 1);
                for job in &mut self.jobs {
                    job.pin(self.extranonce1.clone(), self.extranonce2_size);
                }
            }
            "mining.configure" => self.mask = reading::granted(result, self.requested_mask),
            _ => {}
        }
    }

    /// extranonce1 and the size of extranonce2, from this place on.
    fn extranonces(&mut self, params: &Value, at: usize) {
        let extranonce1 = reading::text_at(params, at).and_then(|text| reading::bytes(&text));
        let size = params.get(at + 1).and_then(reading::size);
        if let (Some(extranonce1), Some(size)) = (extranonce1, size) {
            (self.extranonce1, self.extranonce2_size) = (Some(extranonce1), size);
        }
    }

    /// Whether a share is as it must be; what is known of it when it is.
    ///
    /// # Errors
    /// With the first thing that is wrong with it.
    pub fn verify(&mut self, share: &Sv1Share, now: Instant) -> Result<Judged, Violation> {
        if self.asked.get(&reading::id_text(&share.id)).is_some_and(|(times, _)| *times > 1) {
            return Err(Violation::RepeatedId(share.id.to_string()));
        }
        let worker = share.worker()?;
        if !self.workers.contains(worker) {
            return Err(Violation::Worker(worker.into()));
        }
        let job_id = share.job_id()?;
        // The newest of this id first: what it complains of is what is told.
        let mut why = None;
        let jobs = self.jobs.iter().enumerate().rev().filter(|(_, job)| job.notify.job_id == job_id);
        for (notify, job) in jobs {
            match job.check(share, self.mask, now) {
                Ok((hash, _)) if !self.seen.insert(hash) => {
                    return Err(Violation::Repeated(share::reversed_hex(&hash)));
                }
                Ok((hash, version)) => return Ok(Judged { hash, notify, version }),
                Err(violation) => _ = why.get_or_insert(violation),
            }
        }
        Err(why.unwrap_or(Violation::UnknownJob(job_id.into())))
    }
}

#[cfg(test)]
mod tests;
