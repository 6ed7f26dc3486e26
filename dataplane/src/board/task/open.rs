//! Opening the device: tried again after a rest that doubles, like every other start.

use super::{Memory, TaskOrder, Told, machine::Beginning, run::Seat};
use crate::{
    backplane::BoardRefusal,
    board::{
        hardware::{Hardware as _, OpenError, Opened, Opener},
        known::{self, Device, Family},
        task::chain::Chains,
        thermal::{MOST_FAILURES, Restarts},
    },
    transport::device::BoardDevice,
};
use mujina_core::{
    board::{BoardReport, BoardState},
    fault::{Fault, FaultReason},
    id::BoardId,
};
use std::time::SystemTime;
use tokio::time::{Instant, sleep_until};
use tracing::{info, warn};

/// Why it waits instead of opening.
enum Rest {
    Until(Instant),
    /// Until somebody asks.
    ForEver,
}

impl<O: Opener, C: Chains> Seat<O, C> {
    /// Opens the device, however long it takes. `None`: the task is to end.
    pub(super) async fn open(&mut self, restarts: &mut Restarts) -> Option<Opened<O::Hardware>> {
        loop {
            self.tell_unopened(BoardState::Starting, "is opened and identified", None);
            let opened = tokio::select! {
                biased;
                () = self.unplugged.cancelled() => return None,
                () = self.stop.cancelled() => return None,
                opened = self.opener.open(&self.device, &self.id) => opened,
            };
            let failure = match opened {
                Ok(opened) => return Some(opened),
                Err(failure) => failure,
            };
            let rest = self.rest(&failure, restarts);
            if let Some(reply) = self.reinit.take() {
                // Who asked may have gone.
                let _ = reply.send(Err(self.refusal(&failure.to_string())));
            }
            if !self.sleep(&rest, &failure.to_string(), restarts).await {
                return None;
            }
        }
    }

    /// Tells what failed, and for how long nothing is tried.
    fn rest(&mut self, failure: &OpenError, restarts: &mut Restarts) -> Rest {
        let fault = |reason, message: String| {
            let subject = format!("board/{}", self.id);
            Some(Fault { reason, subject, message, since: SystemTime::now() })
        };
        match failure {
            OpenError::Unsupported { model, reason } => {
                info!(board.id = %self.id, model, reason, "board cannot be driven");
                let fault = fault(FaultReason::BoardUnsupported, failure.to_string());
                self.model.clone_from(model);
                self.tell_unopened(BoardState::Unsupported, reason, fault);
                Rest::ForEver
            }
            OpenError::Failed(_) | OpenError::Port(_) => {
                let now = Instant::now();
                restarts.failed(now.into_std());
                let failures = restarts.failures();
                warn!(board.id = %self.id, cause = %failure, failures, "board could not be opened");
                if failures >= MOST_FAILURES {
                    let message = format!("{failure}; not tried again by itself: `mujinactl board reinit` starts it");
                    let fault = fault(FaultReason::BoardFailed, message.clone());
                    self.tell_unopened(BoardState::Fault, &message, fault);
                    return Rest::ForEver;
                }
                let rest = restarts.rest();
                let reason = format!("{failure}; tried again after {} s", rest.as_secs());
                let fault = fault(FaultReason::BoardFailed, failure.to_string());
                self.tell_unopened(BoardState::Waiting, &reason, fault);
                Rest::Until(now + rest)
            }
        }
    }

    /// Rests. `false`: the task is to end.
    async fn sleep(&mut self, rest: &Rest, why: &str, restarts: &mut Restarts) -> bool {
        loop {
            let over = async {
                match rest {
                    Rest::Until(until) => sleep_until(*until).await,
                    Rest::ForEver => std::future::pending().await,
                }
            };
            let order = tokio::select! {
                biased;
                () = self.unplugged.cancelled() => return false,
                () = self.stop.cancelled() => return false,
                order = self.orders.recv() => order,
                () = over => return true,
            };
            match order {
                // Whoever gives orders is gone, and the end comes by another way.
                None => return false,
                Some(TaskOrder::Reinitialize(reply)) => {
                    restarts.forgive();
                    self.reinit = Some(reply);
                    return true;
                }
                Some(TaskOrder::Locate(_, reply) | TaskOrder::SelfTest(_, reply)) => {
                    let _ = reply.send(Err(self.refusal(why)));
                }
            }
        }
    }

    fn refusal(&self, why: &str) -> BoardRefusal {
        BoardRefusal::Cannot { board: self.id.clone(), reason: format!("it is not open: {why}") }
    }

    fn tell_unopened(&mut self, state: BoardState, reason: &str, fault: Option<Fault>) {
        let report = BoardReport {
            safe_state: self.memory.safe.clone(),
            starts: self.memory.starts,
            faults: fault.into_iter().collect(),
            ..unopened(&self.id, &self.model, &self.device, state, reason)
        };
        self.teller.tell(Told { report, memory: self.memory.clone(), limits: None });
    }

    pub(super) fn beginning(&mut self, opened: &Opened<O::Hardware>, restarts: Restarts) -> Beginning {
        let wishes = self.wishes.borrow_and_update();
        Beginning {
            id: self.id.clone(),
            board: opened.board,
            gate_bits: self.gate_bits,
            facts: opened.facts.clone(),
            has_led: opened.hardware.has_led(),
            tuning: wishes.tuning_of(&self.id, opened.board.name),
            paused: wishes.paused,
            memory: self.memory.clone(),
            restarts,
            reinit: self.reinit.take(),
        }
    }
}

impl Memory {
    /// What is told of a board before it is open.
    pub(crate) fn begin(&self, id: &BoardId, device: &BoardDevice) -> Told {
        let report = BoardReport {
            safe_state: self.safe.clone(),
            starts: self.starts,
            ..unopened(id, &provisional_model(device), device, BoardState::Starting, "was found")
        };
        Told { report, memory: self.clone(), limits: None }
    }
}

/// What a device says that it is: its family, until it is open.
pub(crate) fn provisional_model(device: &BoardDevice) -> String {
    match known::device(&device.manufacturer, &device.product) {
        Some(Device::Family(Family::Bitaxe)) => "bitaxe".to_owned(),
        Some(Device::Family(Family::EmberOne)) => known::EMBER_ONE.name.to_owned(),
        Some(Device::Refused { model, .. }) => model.to_owned(),
        None => device.product.to_lowercase(),
    }
}

/// A board of which no more is known than its device says.
pub(crate) fn unopened(
    id: &BoardId,
    model: &str,
    device: &BoardDevice,
    state: BoardState,
    reason: &str,
) -> BoardReport {
    let facts = [("place", &device.place), ("serial", &device.serial), ("product", &device.product)];
    let facts = facts.into_iter().filter(|(_, value)| !value.is_empty());
    BoardReport {
        state_reason: reason.to_owned(),
        facts: facts.map(|(name, value)| (name.to_owned(), value.clone())).collect(),
        ..BoardReport::new(id.clone(), model, state, SystemTime::now())
    }
}
