//! What a board complains of, but for what the trouble of the moment excuses. Pure.
//!
//! - A supply that goes by itself leaves chips without power that the driver still writes to. Until it has seen that and holds
//!   them in reset, it cannot know better.
//! - What makes a silent controller's board safe asks again after a moment: a controller that comes back meanwhile finds both
//!   requests at once. And it goes on to the supply when the reset line did not answer: of one that comes back in between, the
//!   power is cut while the chips run.

use super::troubles::{History, Trouble, TroubleKind};
use mujina_dataplane::simulate::{Event, Record, Violation, ViolationRecord};
use std::{ops::RangeInclusive, time::Duration};

/// Of one board, from its records as they come.
#[derive(Debug, Clone, Default)]
pub(super) struct Excuses {
    history: History,
    /// Whether the chips are out of reset.
    released: bool,
    /// When their supply went by itself; since then nobody has held them in reset.
    gone_at: Option<Duration>,
    unseen: Vec<RangeInclusive<Duration>>,
}

impl Excuses {
    /// With the troubles that the board has.
    pub(super) fn of(history: History) -> Self {
        Self { history, ..Self::default() }
    }

    /// Takes the next record.
    pub(super) fn hear(&mut self, Record { at, event }: &Record) {
        match event {
            Event::Gpio { line: 0, high } => {
                self.released = *high;
                if !high {
                    self.close(*at);
                }
            }
            Event::CorePower(false) if self.released => self.gone_at = Some(*at),
            // What comes after is another life.
            Event::Plugged(_) => self.close(*at),
            _ => {}
        }
    }

    fn close(&mut self, at: Duration) {
        self.unseen.extend(self.gone_at.take().map(|gone_at| gone_at..=at));
    }

    /// Whether the driver could not know better.
    pub(super) fn cover(&self, one: &ViolationRecord) -> bool {
        match one.violation {
            Violation::ChipsOff => {
                let is_open = self.gone_at.is_some_and(|gone_at| one.at >= gone_at);
                is_open || self.unseen.iter().any(|unseen| unseen.contains(&one.at))
            }
            Violation::Pipelined | Violation::Discarded | Violation::PowerCutWhileRunning => {
                let trouble = self.history.at(one.at);
                matches!(trouble, Some(Trouble { kind: TroubleKind::ControlLine, .. }))
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::board_soak::troubles::Way;
    use mujina_dataplane::simulate::Fault;

    fn at(seconds: u64, event: Event) -> Record {
        Record { at: Duration::from_secs(seconds), event }
    }

    fn off(seconds: u64) -> ViolationRecord {
        ViolationRecord { at: Duration::from_secs(seconds), violation: Violation::ChipsOff, bytes: Vec::new() }
    }

    #[test]
    fn requests_at_once_are_excused_while_a_controller_is_silent() {
        let (history, second) = (History::default(), Duration::from_secs);
        let way = Way::While(Fault::ControlDead);
        history.begins(Trouble { kind: TroubleKind::ControlLine, way }, second(10));
        let excuses = Excuses::of(history.clone());
        let complaint = |at, violation| ViolationRecord { violation, ..off(at) };
        assert!(excuses.cover(&complaint(12, Violation::Pipelined)));
        assert!(!excuses.cover(&complaint(12, Violation::UnknownRequest)));
        history.ends(second(20));
        assert!(!excuses.cover(&complaint(21, Violation::Pipelined)));
        history.begins(Trouble { kind: TroubleKind::Heat, way }, second(30));
        assert!(!excuses.cover(&complaint(31, Violation::PowerCutWhileRunning)));
    }

    #[test]
    fn bytes_to_chips_are_excused_from_the_loss_of_their_supply_until_they_are_held_in_reset() {
        let mut excuses = Excuses::default();
        excuses.hear(&at(1, Event::Gpio { line: 0, high: true }));
        assert!(!excuses.cover(&off(2)));
        excuses.hear(&at(3, Event::CorePower(false)));
        assert!(excuses.cover(&off(4)));
        assert!(!excuses.cover(&ViolationRecord { violation: Violation::NoFrame, ..off(4) }));
        excuses.hear(&at(5, Event::Gpio { line: 0, high: false }));
        assert!(excuses.cover(&off(4)) && !excuses.cover(&off(6)));
        // This time it was the driver.
        excuses.hear(&at(7, Event::CorePower(false)));
        assert!(!excuses.cover(&off(8)));
    }
}
