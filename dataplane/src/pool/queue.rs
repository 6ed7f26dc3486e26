//! Shares that wait for the socket: blocks first, then in the order of their finding.
//!
//! Source: stratum-client U9.

use crate::pool::ShareSubmission;
use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

/// A bounded queue.
#[derive(Debug)]
pub(super) struct ShareQueue {
    shares: VecDeque<(Instant, ShareSubmission)>,
    capacity: usize,
    max_age: Duration,
}

impl ShareQueue {
    pub(super) fn new(capacity: usize, max_age: Duration) -> Self {
        Self { shares: VecDeque::new(), capacity, max_age }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.shares.is_empty()
    }

    /// Adds a share and returns the one that finds no place any more: the oldest that is no block.
    pub(super) fn push(&mut self, share: ShareSubmission, now: Instant) -> Option<ShareSubmission> {
        let mut dropped = None;
        if self.shares.len() >= self.capacity {
            let oldest = self.shares.iter().position(|(_, waiting)| !waiting.block);
            match oldest.and_then(|at| self.shares.remove(at)) {
                Some((_, oldest)) => dropped = Some(oldest),
                None => return Some(share),
            }
        }
        if share.block {
            let blocks = self.shares.iter().take_while(|(_, waiting)| waiting.block).count();
            self.shares.insert(blocks, (now, share));
        } else {
            self.shares.push_back((now, share));
        }
        dropped
    }

    pub(super) fn pop(&mut self) -> Option<ShareSubmission> {
        self.shares.pop_front().map(|(_, share)| share)
    }

    /// Takes out the shares that fail `keep`.
    pub(super) fn purge(&mut self, keep: impl Fn(&ShareSubmission) -> bool) -> Vec<ShareSubmission> {
        self.take_out(|_, share| !keep(share))
    }

    /// Takes out the shares that waited too long; blocks wait on.
    pub(super) fn expire(&mut self, now: Instant) -> Vec<ShareSubmission> {
        let max_age = self.max_age;
        self.take_out(|since, share| !share.block && now.saturating_duration_since(since) >= max_age)
    }

    /// When to call `expire`.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.shares.iter().find(|(_, share)| !share.block).map(|(since, _)| *since + self.max_age)
    }

    fn take_out(&mut self, leaves: impl Fn(Instant, &ShareSubmission) -> bool) -> Vec<ShareSubmission> {
        let (gone, kept) = std::mem::take(&mut self.shares)
            .into_iter()
            .partition::<VecDeque<_>, _>(|(since, share)| leaves(*since, share));
        self.shares = kept;
        gone.into_iter().map(|(_, share)| share).collect()
    }
}
