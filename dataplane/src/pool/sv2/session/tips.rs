//! How often the chain moves, by what a pool says.   Source: stratum-client D14. Pure.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

/// What the counts are per.
const MINUTE: Duration = Duration::from_secs(60);

/// What stands out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pace {
    Usual,
    /// Worth a warning, once.
    Suspicious,
    /// No chain moves like that.
    Flood,
}

/// Tips of the last minute.
#[derive(Debug)]
pub(super) struct TipWatch {
    many: usize,
    flood: usize,
    tips: VecDeque<Instant>,
    warned: bool,
}

impl TipWatch {
    pub(super) fn new(many: usize, flood: usize) -> Self {
        Self { many, flood, tips: VecDeque::new(), warned: false }
    }

    /// The chain moved.
    pub(super) fn moved(&mut self, now: Instant) -> Pace {
        while self.tips.pop_front_if(|at| now.saturating_duration_since(*at) >= MINUTE).is_some() {}
        self.tips.push_back(now);
        if self.tips.len() > self.flood {
            Pace::Flood
        } else if self.tips.len() > self.many && !std::mem::replace(&mut self.warned, true) {
            Pace::Suspicious
        } else {
            Pace::Usual
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // D14
    #[test]
    fn tips_are_counted_over_a_minute() {
        let start = Instant::now();
        let mut watch = TipWatch::new(2, 4);
        let mut at = |seconds| watch.moved(start + Duration::from_secs(seconds));
        let paces = [at(0), at(1), at(2), at(3), at(60), at(61), at(61), at(62)];
        use Pace::{Flood, Suspicious, Usual};
        assert_eq!(paces, [Usual, Usual, Suspicious, Usual, Usual, Usual, Flood, Flood]);
    }
}
