//! A desired state that pauses or resumes the miner waits for its turn on the ramp of power; the session goes on.

use super::{Session, notes::Note};
use crate::{
    reconcile::Plan,
    registry::pacer::{Switch, Ticket},
    spec::DesiredState,
};
use std::future::pending;

/// A turn to switch the miner's power.
#[derive(Debug)]
pub(super) enum Turn {
    NotAsked,
    Awaited(Switch, Ticket),
    Come,
}

impl Turn {
    pub(super) fn is_awaited(&self) -> bool {
        matches!(self, Self::Awaited(..))
    }

    /// Waits for it, for ever when it is not asked for.
    ///
    /// # Cancel safety
    /// Safe: a turn that has come is kept.
    pub(super) async fn comes(&mut self) {
        let Self::Awaited(_, ticket) = self else { return pending().await };
        if ticket.await.is_ok() {
            *self = Self::Come;
        } else {
            // The process ends.
            *self = Self::NotAsked;
            pending::<()>().await;
        }
    }
}

impl Session {
    /// What to wait for before `plan` is done, if it switches the miner's power and its turn has not come. A turn that
    /// has come is used up by that, and one that is not needed is left to others.
    pub(super) async fn await_turn(&mut self, desired: Option<&DesiredState>, plan: &Plan) -> Option<Plan> {
        let budget = self.around.pacer.budget()?;
        let switched = desired.filter(|desired| matches!(plan, Plan::Send(_)) && self.switches_power(desired));
        let Some(desired) = switched else {
            self.turn = Turn::NotAsked;
            return None;
        };
        let switch = if desired.wanted.spec.paused { Switch::Pause } else { Switch::Resume };
        match self.turn {
            Turn::Come => {
                self.turn = Turn::NotAsked;
                return None;
            }
            Turn::Awaited(awaited, _) if awaited == switch => {}
            Turn::Awaited(..) | Turn::NotAsked => {
                let power = self.miner.power();
                if let Some(power) = power.filter(|_| desired.wanted.spec.paused) {
                    // What it is to draw when it is resumed.
                    self.note(Note::Power(power)).await;
                }
                self.turn = Turn::Awaited(switch, self.around.pacer.ask(&self.miner.name, power, switch).await);
            }
        }
        let what = match switch {
            Switch::Pause => "paused",
            Switch::Resume => "resumed",
        };
        Some(Plan::Wait(format!(
            "it is {what} when its turn comes: no more than {budget} may be switched per second (`power.ramp`)"
        )))
    }

    /// Whether the desired state pauses or resumes the miner, by what it said last. When that cannot be read, it may.
    fn switches_power(&self, desired: &DesiredState) -> bool {
        let confirmed = self.spec.as_ref().and_then(|spec| spec.confirmed.spec.as_ref());
        confirmed.is_none_or(|spec| spec.paused != desired.wanted.spec.paused)
    }
}
