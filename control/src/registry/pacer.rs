//! Spaces the switches of power that desired states ask for: when a profile or a rollout pauses or resumes a thousand
//! miners, each session asks for its turn before it sends, and gets it as the [`Ramp`] allows.
//!
//! Pauses go before resumes: who pauses many may have to, at once. Resumes wait no longer for that than the pauses of all
//! that hash take, for a miner that is paused must be resumed, in its turn, before it is paused again.
//!
//! Nothing of it is kept: whoever waited when a process ended asks the next one. Who waits no more drops it.

use crate::rollout::{Ramp, RampError};
use mujina_core::{id::MinerName, units::Watts};
use std::{collections::HashMap, time::Duration};
use tokio::{
    sync::{mpsc, oneshot},
    time::{Instant, sleep_until},
};
use tokio_util::sync::CancellationToken;

/// They are taken at once; more than that at a time wait for a moment.
const QUEUE: usize = 1024;
/// What a process before this one switched is over then.
const AFTER_RESTART: Duration = Duration::from_secs(1);

/// Gives turns. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Pacer(Option<Asks>);

#[derive(Debug, Clone)]
struct Asks {
    queue: mpsc::Sender<Ask>,
    budget: Watts,
}

/// Comes at the time; dropped, it makes nobody wait.
pub(super) type Ticket = oneshot::Receiver<()>;

#[derive(Debug)]
struct Ask {
    miner: MinerName,
    power: Option<Watts>,
    switch: Switch,
    turn: oneshot::Sender<()>,
}

/// What is done to a miner's power.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Switch {
    Pause,
    Resume,
}

/// Who waits.
#[derive(Debug)]
struct Waiting {
    switch: Switch,
    turn: oneshot::Sender<()>,
}

/// Decides whose turn it is.
#[derive(Debug)]
pub(crate) struct Pace {
    ramp: Ramp,
    asked: mpsc::Receiver<Ask>,
}

/// Both ends, for a budget of so much per second.
///
/// # Errors
/// Nothing could ever be switched.
pub(crate) fn pacer(budget: Watts) -> Result<(Pacer, Pace), RampError> {
    let ramp = Ramp::new(&[], budget)?;
    let (queue, asked) = mpsc::channel(QUEUE);
    Ok((Pacer(Some(Asks { queue, budget })), Pace { ramp, asked }))
}

impl Pacer {
    /// Makes nobody wait.
    pub(crate) fn unbounded() -> Self {
        Self(None)
    }

    /// What may be switched per second; `None` = anything.
    pub(super) fn budget(&self) -> Option<Watts> {
        self.0.as_ref().map(|asks| asks.budget)
    }

    /// Asks for a turn to switch so much; `None` = how much is not known. A ticket that the miner has already comes to
    /// nothing, but its place is kept, if it was for the same.
    pub(super) async fn ask(&self, miner: &MinerName, power: Option<Watts>, switch: Switch) -> Ticket {
        let (turn, ticket) = oneshot::channel();
        if let Some(Asks { queue, .. }) = &self.0 {
            // It fails at the end of the process only.
            let _ = queue.send(Ask { miner: miner.clone(), power, switch, turn }).await;
        }
        ticket
    }
}

impl Pace {
    /// Runs until `cancel`.
    pub(crate) async fn run(self, cancel: CancellationToken) {
        let _ = cancel.clone().run_until_cancelled(self.give_turns()).await;
        cancel.cancelled().await;
    }

    async fn give_turns(self) {
        let Self { mut ramp, mut asked } = self;
        // Not the time of day, which somebody may set.
        let begun = Instant::now() + AFTER_RESTART;
        sleep_until(begun).await;
        let (mut waiting, mut next) = (HashMap::<MinerName, Waiting>::new(), None);
        loop {
            tokio::select! {
                ask = asked.recv() => {
                    let Some(ask) = ask else { return };
                    if !join(&mut ramp, &mut waiting, ask) && next.is_some() {
                        // Others are before it.
                        continue;
                    }
                }
                () = sleep_until(next.unwrap_or(begun)), if next.is_some() => {
                    waiting.retain(|_, one| !one.turn.is_closed());
                    ramp.keep(|miner| waiting.contains_key(miner));
                }
            }
            let switching = ramp.step(begun.elapsed());
            for Waiting { turn, .. } in switching.now.iter().filter_map(|miner| waiting.remove(miner)) {
                // Who left at this very moment has wasted it.
                let _ = turn.send(());
            }
            next = switching.next.map(|after| begun + after);
        }
    }
}

/// One more waits, unless it has its place already; whether it is the first now.
fn join(ramp: &mut Ramp, waiting: &mut HashMap<MinerName, Waiting>, ask: Ask) -> bool {
    let Ask { miner, power, switch, turn } = ask;
    match waiting.insert(miner.clone(), Waiting { switch, turn }) {
        Some(before) if before.switch == switch => return false,
        Some(_) => ramp.keep(|other| *other != miner),
        None => {}
    }
    let resumes = |other: &MinerName| waiting.get(other).is_none_or(|other| other.switch == Switch::Resume);
    ramp.join(miner, power, |other| switch == Switch::Pause && resumes(other))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::{task::JoinSet, time::timeout};

    const PATIENCE: Duration = Duration::from_secs(60);

    struct World {
        pacer: Pacer,
        tasks: JoinSet<()>,
        begun: Instant,
    }

    impl World {
        /// The first turn comes when nothing of another process counts any more.
        fn new(watts: f64) -> Self {
            let (pacer, pace) = pacer(Watts::from_watts(watts)).unwrap();
            let mut tasks = JoinSet::new();
            tasks.spawn(pace.run(CancellationToken::new()));
            Self { pacer, tasks, begun: Instant::now() + AFTER_RESTART }
        }

        async fn ask(&self, miner: &str, watts: Option<f64>) -> Ticket {
            self.ask_to(Switch::Resume, miner, watts).await
        }

        async fn ask_to(&self, switch: Switch, miner: &str, watts: Option<f64>) -> Ticket {
            self.pacer.ask(&miner.parse().unwrap(), watts.map(Watts::from_watts), switch).await
        }

        /// When it came, in seconds.
        async fn comes(&self, ticket: Ticket) -> u64 {
            timeout(PATIENCE, ticket).await.unwrap().unwrap();
            self.begun.elapsed().as_secs()
        }
    }

    #[tokio::test(start_paused = true)]
    async fn turns_come_in_order_and_in_no_second_more_than_the_budget() {
        let world = World::new(5000.0);
        let mut tickets = Vec::new();
        for i in 0..100 {
            tickets.push(world.ask(&format!("rig{i}"), Some(2000.0)).await);
        }
        let mut seconds = Vec::new();
        for ticket in tickets {
            seconds.push(world.comes(ticket).await);
        }
        assert_eq!(seconds, (0..100).map(|i| i / 2).collect::<Vec<_>>());
        // One more, when all is over, does not wait.
        tokio::time::sleep(PATIENCE).await;
        let begun = Instant::now();
        world.comes(world.ask("late", Some(2000.0)).await).await;
        assert_eq!(begun.elapsed(), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn miner_that_no_longer_waits_takes_nobodys_time_and_one_that_asks_again_keeps_its_place() {
        let world = World::new(1000.0);
        let first = world.ask("first", None).await;
        let gone: Vec<_> = [world.ask("gone1", None).await, world.ask("gone2", None).await].into();
        let stale = world.ask("again", Some(600.0)).await;
        let last = world.ask("last", Some(600.0)).await;
        drop(stale);
        let again = world.ask("again", Some(600.0)).await;
        drop(gone);
        assert_eq!(world.comes(first).await, 0);
        assert_eq!(world.comes(again).await, 1);
        assert_eq!(world.comes(last).await, 2);
    }

    #[tokio::test(start_paused = true)]
    async fn pauses_go_before_resumes_that_wait_and_in_their_own_order() {
        let world = World::new(1000.0);
        // The second is used up.
        world.comes(world.ask("first", None).await).await;
        let resumed = [world.ask("resumed1", None).await, world.ask("resumed2", None).await];
        let first = world.ask_to(Switch::Pause, "paused1", None).await;
        let stale = world.ask("turned", None).await;
        let second = world.ask_to(Switch::Pause, "paused2", None).await;
        // It is to be paused after all.
        let third = world.ask_to(Switch::Pause, "turned", None).await;
        let mut seconds = Vec::new();
        for ticket in [first, second, third].into_iter().chain(resumed) {
            seconds.push(world.comes(ticket).await);
        }
        assert_eq!(seconds, [1, 2, 3, 4, 5]);
        assert!(stale.await.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn pause_for_which_there_is_room_does_not_wait_for_a_resume_for_which_there_is_none() {
        let world = World::new(1000.0);
        let first = world.ask("resumed1", Some(600.0)).await;
        let second = world.ask("resumed2", Some(600.0)).await;
        assert_eq!(world.comes(first).await, 0);
        let pause = world.ask_to(Switch::Pause, "paused", Some(300.0)).await;
        assert_eq!(world.comes(pause).await, 0);
        assert_eq!(world.comes(second).await, 1);
    }

    #[tokio::test(start_paused = true)]
    async fn pace_waits_for_the_stop() {
        let World { pacer, mut tasks, .. } = World::new(1.0);
        drop(pacer);
        assert!(timeout(PATIENCE, tasks.join_next()).await.is_err());
        let (_pacer, pace) = super::pacer(Watts::from_watts(1.0)).unwrap();
        let cancel = CancellationToken::new();
        cancel.cancel();
        timeout(PATIENCE, pace.run(cancel)).await.unwrap();
        assert_eq!(super::pacer(Watts::ZERO).unwrap_err(), RampError::NoBudget);
    }
}
