//! Writes down what sessions must not forget, that of many together: a profile changes a thousand miners at once.

use crate::{
    reconcile::{LocalChange, Trial},
    store::{Hand, Store, StoreError, Together, Write, Writer, together},
};
use mujina_core::{id::MinerName, units::Watts};

/// What is noted.
#[derive(Debug)]
pub(crate) enum Note {
    /// How far a trial is.
    Trial(Trial),
    /// The change made on the miner; `None` = it is over.
    Local(Option<LocalChange>),
    /// What it draws, before it is paused.
    Power(Watts),
}

/// How notes of sessions are stored.
#[derive(Debug)]
pub(crate) struct Sessions;

/// Takes notes.
pub(crate) type Notes = Hand<Sessions>;

/// Both ends.
pub(crate) fn notes(store: Store) -> (Notes, Writer<Sessions>) {
    together(store, Sessions)
}

impl Together for Sessions {
    type Item = (MinerName, Note);
    type Answer = ();
    const WHAT: &'static str = "what is known of miners";
    const MOST: usize = 512;

    async fn store(&self, write: &mut Write, items: &[Self::Item]) -> Result<Vec<()>, StoreError> {
        let (mut trials, mut powers) = (Vec::new(), Vec::new());
        for (miner, note) in items {
            match note {
                Note::Trial(trial) => trials.push((miner, trial)),
                Note::Power(power) => powers.push((miner.as_str(), power.watts())),
                Note::Local(local) => write.put_local_change(miner, local.as_ref()).await?,
            }
        }
        write.put_trials(&trials).await?;
        if !powers.is_empty() {
            write.set_power(&powers).await?;
        }
        Ok(vec![(); items.len()])
    }
}
