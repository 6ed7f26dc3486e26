//! What was set of miners since they were configured or enrolled: labels, and whether anything is sent to them.
//!
//! The store holds it, with a revision that counts its writes; a miner takes only what is newer than what it has.

use super::{Miner, Registry, Remembered};
use crate::{
    access::Caller,
    event::{Event, EventKind, Events},
    finish::regardless,
    selector::{LabelError, Labels, check_label},
    store::{Store, StoreError},
};
use mujina_core::id::MinerName;
use serde_json::json;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};
use tracing::{info, warn};

/// Most labels that one miner has.
pub const MAX_LABELS: usize = 64;

/// What was set of one miner.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Marks {
    /// Labels over those that it came with; `None` = taken away.
    pub labels: BTreeMap<String, Option<String>>,
    /// Why nothing is sent to it.
    pub quarantine: Option<String>,
    /// Counts the writes.
    pub revision: u64,
}

/// Labels to set and to take away.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LabelChange {
    /// Set.
    pub set: Labels,
    /// Taken away.
    pub remove: BTreeSet<String>,
}

/// Why nothing was marked.
#[derive(Debug, thiserror::Error)]
pub enum MarkError {
    /// Not known.
    #[error("no miner is named {0}; see the list of miners")]
    UnknownMiner(MinerName),
    /// It would have more labels than any miner may.
    #[error("miner {0} would have more than {MAX_LABELS} labels; remove some first")]
    TooManyLabels(MinerName),
    /// Nothing to lift.
    #[error("miner {0} is not in quarantine; nothing was changed")]
    NotInQuarantine(MinerName),
    /// It did not enrol.
    #[error("miner {0} stands in the configuration; remove it there and start mujina-control anew")]
    Configured(MinerName),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Marks {
    /// Labels that a miner has which came with `base`.
    #[must_use]
    pub fn over(&self, base: &Labels) -> Labels {
        let mut labels = base.clone();
        for (key, value) in &self.labels {
            match value {
                Some(value) => drop(labels.insert(key.clone(), value.clone())),
                None => drop(labels.remove(key)),
            }
        }
        labels
    }

    /// These with a change, for a miner that came with `base`. What says the same as `base` is not kept: should that change,
    /// it counts again.
    #[must_use]
    pub fn changed(&self, change: &LabelChange, base: &Labels) -> Self {
        let mut next = self.clone();
        for (key, value) in &change.set {
            if base.get(key) == Some(value) {
                next.labels.remove(key);
            } else {
                next.labels.insert(key.clone(), Some(value.clone()));
            }
        }
        for key in &change.remove {
            if base.contains_key(key) {
                next.labels.insert(key.clone(), None);
            } else {
                next.labels.remove(key);
            }
        }
        next
    }
}

impl LabelChange {
    /// What is wrong with it, by field; empty when nothing is.
    #[must_use]
    pub fn problems(&self) -> Vec<(String, String)> {
        let wrong =
            |field: String, checked: Result<(), LabelError>| checked.err().map(|error| (field, error.to_string()));
        let set = self
            .set
            .iter()
            .filter_map(|(key, value)| wrong(format!("set[{}]", key.escape_debug()), check_label(key, value)));
        let removed = self.remove.iter().filter_map(|key| wrong("remove".into(), check_label(key, "")));
        let both = self
            .remove
            .iter()
            .filter(|key| self.set.contains_key(*key))
            .map(|key| ("remove".to_owned(), format!("`{key}` is also set; do one of the two")));
        let nothing = (self.set.is_empty() && self.remove.is_empty())
            .then(|| ("set".to_owned(), "is empty, and so is `remove`; name a label".to_owned()));
        set.chain(removed).chain(both).chain(nothing).collect()
    }
}

impl Registry {
    /// Takes what the store knows of miners: those that are known now, and those that come later.
    ///
    /// # Errors
    /// The database failed.
    pub async fn restore(&self, store: &Store) -> Result<(), StoreError> {
        let (marks, power) = (store.all_marks().await?, store.all_power().await?);
        for miner in self.all().values() {
            if let Some(marks) = marks.get(&miner.name) {
                miner.mark(marks);
            }
            if let Some(power) = power.get(&miner.name) {
                miner.remembered().power = Some(*power);
            }
        }
        self.0.kept.send_replace(Arc::new(marks));
        Ok(())
    }

    /// Labels miners; the names of those whose labels change. With `validate_only` nothing changes.
    ///
    /// # Errors
    /// See [`MarkError`].
    ///
    /// # Cancel safety
    /// Safe: what has begun comes to its end, and what is stored is in force.
    pub async fn label(
        &self,
        store: &Store,
        miners: &[Arc<Miner>],
        change: &LabelChange,
        by: &Caller,
        validate_only: bool,
    ) -> Result<Vec<MinerName>, MarkError> {
        let (registry, store, miners) = (self.clone(), store.clone(), miners.to_vec());
        let (change, by) = (change.clone(), by.clone());
        regardless(async move { registry.label_to_the_end(&store, &miners, &change, &by, validate_only).await }).await
    }

    async fn label_to_the_end(
        &self,
        store: &Store,
        miners: &[Arc<Miner>],
        change: &LabelChange,
        by: &Caller,
        validate_only: bool,
    ) -> Result<Vec<MinerName>, MarkError> {
        let mut write = store.write().await?;
        let (mut news, mut known) = (Vec::new(), Vec::new());
        for miner in miners {
            let (before, base) = (write.marks(&miner.name).await?, miner.base());
            let mut after = before.changed(change, &base);
            let labels = after.over(&base);
            if labels == before.over(&base) {
                known.push((miner, before));
                continue;
            }
            if labels.len() > MAX_LABELS {
                return Err(MarkError::TooManyLabels(miner.name.clone()));
            }
            after.revision += 1;
            write.set_marks(&miner.name, &after).await?;
            news.push((miner, after));
        }
        let names: Vec<_> = news.iter().map(|(miner, _)| miner.name.clone()).collect();
        // Dropping the changes undoes them.
        if validate_only {
            return Ok(names);
        }
        // What the disk says already is in force as well.
        for (miner, marks) in &known {
            self.keep(&miner.name, marks);
        }
        if names.is_empty() {
            return Ok(names);
        }
        let target = match names.as_slice() {
            [only] => only.to_string(),
            many => format!("{} miners", many.len()),
        };
        let listed: Vec<_> = names.iter().map(MinerName::as_str).collect();
        let diff = json!({ "set": change.set, "remove": change.remove, "miners": listed });
        write.append_audit(by.record(target, diff)).await?;
        write.commit().await?;
        for (miner, marks) in &news {
            self.keep(&miner.name, marks);
        }
        info!(miners = names.len(), "labels changed");
        self.0.miners.send_modify(|_| {});
        Ok(names)
    }

    /// Keeps anything from being sent to a miner whose identity two machines use, until somebody lifts it, and tells people.
    ///
    /// # Errors
    /// See [`MarkError`].
    ///
    /// # Cancel safety
    /// Safe: as [`Registry::label`].
    pub async fn quarantine(
        &self,
        store: &Store,
        events: &Events,
        name: &MinerName,
        reason: &str,
        by: &Caller,
    ) -> Result<(), MarkError> {
        let (registry, store, events, name) = (self.clone(), store.clone(), events.clone(), name.clone());
        let (reason, by) = (reason.to_owned(), by.clone());
        regardless(async move { registry.quarantine_to_the_end(&store, &events, &name, &reason, &by).await }).await
    }

    async fn quarantine_to_the_end(
        &self,
        store: &Store,
        events: &Events,
        name: &MinerName,
        reason: &str,
        by: &Caller,
    ) -> Result<(), MarkError> {
        self.get(name).ok_or_else(|| MarkError::UnknownMiner(name.clone()))?;
        let mut write = store.write().await?;
        let before = write.marks(name).await?;
        let reason = mujina_core::text::sanitise(reason, mujina_core::text::PEER_TEXT_BYTES);
        let quarantine = Some(reason.clone());
        if before.quarantine == quarantine {
            self.keep(name, &before);
            return Ok(());
        }
        let diff = json!([{ "path": "quarantine", "before": before.quarantine, "after": quarantine }]);
        let marks = Marks { quarantine, revision: before.revision + 1, ..before };
        write.set_marks(name, &marks).await?;
        write.append_audit(by.record(name, diff)).await?;
        // In the same write: nobody must miss it.
        let event = Event::new(EventKind::IdentityCloned, Some(name), "", &reason);
        let number = write.append_events(&[event], 0).await?;
        write.commit().await?;
        self.keep(name, &marks);
        events.kept(number);
        warn!(miner.name = %name, reason, "miner in quarantine");
        Ok(())
    }

    /// Lifts a quarantine.
    ///
    /// # Errors
    /// See [`MarkError`].
    ///
    /// # Cancel safety
    /// Safe: as [`Registry::label`].
    pub async fn release(&self, store: &Store, name: &MinerName, by: &Caller) -> Result<(), MarkError> {
        let (registry, store, name, by) = (self.clone(), store.clone(), name.clone(), by.clone());
        regardless(async move { registry.release_to_the_end(&store, &name, &by).await }).await
    }

    async fn release_to_the_end(&self, store: &Store, name: &MinerName, by: &Caller) -> Result<(), MarkError> {
        self.get(name).ok_or_else(|| MarkError::UnknownMiner(name.clone()))?;
        let mut write = store.write().await?;
        let before = write.marks(name).await?;
        let Some(reason) = &before.quarantine else {
            self.keep(name, &before);
            return Err(MarkError::NotInQuarantine(name.clone()));
        };
        let diff = json!([{ "path": "quarantine", "before": reason, "after": null }]);
        let marks = Marks { quarantine: None, revision: before.revision + 1, ..before };
        write.set_marks(name, &marks).await?;
        write.append_audit(by.record(name, diff)).await?;
        write.commit().await?;
        self.keep(name, &marks);
        info!(miner.name = %name, "quarantine lifted");
        Ok(())
    }

    /// Forgets a miner that enrolled, and revokes its certificates in the same step. Whoever lets miners in must look at the
    /// revocations anew then.
    ///
    /// # Errors
    /// See [`MarkError`].
    ///
    /// # Cancel safety
    /// Safe: as [`Registry::label`].
    pub async fn remove(&self, store: &Store, name: &MinerName, by: &Caller) -> Result<(), MarkError> {
        let (registry, store, name, by) = (self.clone(), store.clone(), name.clone(), by.clone());
        regardless(async move { registry.remove_to_the_end(&store, &name, &by).await }).await
    }

    async fn remove_to_the_end(&self, store: &Store, name: &MinerName, by: &Caller) -> Result<(), MarkError> {
        let miner = self.get(name).ok_or_else(|| MarkError::UnknownMiner(name.clone()))?;
        if miner.address.is_some() {
            return Err(MarkError::Configured(name.clone()));
        }
        let mut write = store.write().await?;
        let revoked = write.revoke_miner(name, &by.person(), "the miner was removed").await?;
        write.forget_miner(name).await?;
        write.append_audit(by.record(name, json!({ "revoked": revoked }))).await?;
        write.commit().await?;
        self.forget(&miner);
        info!(miner.name = %name, certificates = revoked.len(), "miner removed");
        Ok(())
    }

    /// Remembers what was set of a miner, and has it in force.
    fn keep(&self, name: &MinerName, marks: &Marks) {
        // Nothing was ever set.
        if marks.revision == 0 {
            return;
        }
        self.0.kept.send_modify(|kept| {
            let known = Arc::make_mut(kept).entry(name.clone()).or_default();
            if known.revision < marks.revision {
                *known = marks.clone();
            }
        });
        if let Some(miner) = self.get(name) {
            miner.mark(marks);
        }
    }
}

impl Miner {
    /// Takes what was set of it, unless it has something newer.
    pub(super) fn mark(&self, marks: &Marks) {
        {
            let mut remembered = self.remembered();
            if remembered.marks.revision >= marks.revision {
                return;
            }
            remembered.marks = marks.clone();
        }
        // The newest of the moment, should somebody else mark it at the same time.
        self.quarantine.send_if_modified(|known| {
            let next: Option<Arc<str>> = self.remembered().marks.quarantine.as_deref().map(Into::into);
            let is_other = *known != next;
            *known = next;
            is_other
        });
        self.relabel();
        self.change(|_| {});
    }

    /// It enrolled anew and comes with these labels from now on; those that were set stay over them. `false` = it came with
    /// the same before.
    pub(super) fn come_with(&self, base: Labels) -> bool {
        {
            let mut remembered = self.remembered();
            if *remembered.base == base {
                return false;
            }
            remembered.base = Arc::new(base);
        }
        self.relabel();
        self.change(|_| {});
        true
    }

    /// Labels that it came with.
    fn base(&self) -> Arc<Labels> {
        self.remembered().base.clone()
    }

    /// Has the labels in force that follow from what it came with and what was set.
    fn relabel(&self) {
        let next = |remembered: &Remembered| remembered.marks.over(&remembered.base);
        let known = self.labels();
        if next(&self.remembered()) != *known {
            let apply = || {
                let mut remembered = self.remembered();
                remembered.labels = Arc::new(next(&remembered));
            };
            self.log.departed(&self.name, known, apply);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{config::MinerConfig, finish::cut, repeat::RequestKey};

    fn labels(pairs: &[(&str, &str)]) -> Labels {
        pairs.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect()
    }

    fn change(set: &[(&str, &str)], remove: &[&str]) -> LabelChange {
        LabelChange { set: labels(set), remove: remove.iter().map(|key| (*key).into()).collect() }
    }

    #[test]
    fn labels_are_set_over_those_that_the_miner_came_with() {
        let base = labels(&[("site", "a"), ("rack", "1")]);
        let marks = Marks::default().changed(&change(&[("site", "b"), ("tier", "x")], &["rack"]), &base);
        assert_eq!(marks.over(&base), labels(&[("site", "b"), ("tier", "x")]));
        let back = marks.changed(&change(&[("site", "a"), ("rack", "1")], &["tier"]), &base);
        assert_eq!(back.labels, BTreeMap::new(), "nothing is kept that says the same");
    }

    #[test]
    fn label_that_no_selector_could_name_is_refused_with_its_field() {
        let fields = |change: LabelChange| change.problems().into_iter().map(|(field, _)| field).collect::<Vec<_>>();
        assert_eq!(fields(change(&[("ok", "v"), ("b d", "v")], &[])), ["set[b d]"]);
        assert_eq!(fields(change(&[("a", "b c")], &["d e"])), ["set[a]", "remove"]);
        assert_eq!(fields(change(&[("a", "b")], &["a"])), ["remove"]);
        assert_eq!(fields(LabelChange::default()), ["set"]);
        assert!(fields(change(&[("a", "")], &["b"])).is_empty());
    }
    /// A registry that knows `rig1`, which enrolled.
    async fn world() -> (tempfile::TempDir, Store, crate::store::FolderLock, Registry, Arc<Miner>) {
        let folder = tempfile::tempdir().unwrap();
        let (store, lock) = Store::open(folder.path()).await.unwrap();
        let registry = Registry::new(&BTreeMap::new(), Vec::new()).unwrap();
        assert!(registry.enrolled(&rig1(), BTreeMap::new(), None));
        let miner = registry.get(&rig1()).unwrap();
        (folder, store, lock, registry, miner)
    }

    fn rig1() -> MinerName {
        "rig1".parse().unwrap()
    }

    fn somebody() -> Caller {
        Caller::itself("a test", "TEST")
    }

    #[tokio::test]
    async fn calls_that_are_cut_come_to_their_end_on_disk_and_in_force() {
        const PATIENCE: std::time::Duration = std::time::Duration::from_secs(60);
        let (_folder, store, _lock, registry, miner) = world().await;
        let (mut quarantine, by) = (miner.quarantine.subscribe(), somebody());
        let events = Events::open(store.clone()).await.unwrap();
        cut(registry.quarantine(&store, &events, &rig1(), "it was used twice", &by)).await;
        tokio::time::timeout(PATIENCE, quarantine.wait_for(Option::is_some)).await.unwrap().unwrap();
        cut(registry.release(&store, &rig1(), &by)).await;
        tokio::time::timeout(PATIENCE, quarantine.wait_for(Option::is_none)).await.unwrap().unwrap();
        let mut miners = registry.0.miners.subscribe();
        let miner = [miner];
        cut(registry.label(&store, &miner, &change(&[("site", "b")], &[]), &by, false)).await;
        let labelled = miners.wait_for(|miners| *miners[&rig1()].labels() == labels(&[("site", "b")]));
        tokio::time::timeout(PATIENCE, labelled).await.unwrap().unwrap();
        cut(registry.remove(&store, &rig1(), &by)).await;
        tokio::time::timeout(PATIENCE, miners.wait_for(|miners| miners.is_empty())).await.unwrap().unwrap();
        assert_eq!(store.all_marks().await.unwrap(), BTreeMap::new());
    }

    #[tokio::test]
    async fn what_the_disk_says_already_is_in_force_after_a_repeat() {
        let (_folder, store, _lock, registry, miner) = world().await;
        let marks = Marks {
            labels: [("site".to_owned(), Some("b".to_owned()))].into(),
            quarantine: Some("it was used twice".into()),
            revision: 1,
        };
        let mut write = store.write().await.unwrap();
        write.set_marks(&rig1(), &marks).await.unwrap();
        write.commit().await.unwrap();
        let events = Events::open(store.clone()).await.unwrap();
        registry.quarantine(&store, &events, &rig1(), "it was used twice", &somebody()).await.unwrap();
        assert_eq!(miner.quarantine().as_deref(), Some("it was used twice"));
        assert_eq!(store.newest_event().await.unwrap(), 0, "it is no news");
        let mut write = store.write().await.unwrap();
        let next = Marks { labels: [("site".to_owned(), Some("c".to_owned()))].into(), revision: 2, ..marks };
        write.set_marks(&rig1(), &next).await.unwrap();
        write.commit().await.unwrap();
        let again = change(&[("site", "c")], &[]);
        assert_eq!(registry.label(&store, std::slice::from_ref(&miner), &again, &somebody(), false).await.unwrap(), []);
        assert_eq!(*miner.labels(), labels(&[("site", "c")]));
    }

    #[tokio::test]
    async fn miner_that_enrols_anew_has_the_labels_of_its_new_token_under_those_that_were_set() {
        let (_folder, store, _lock, registry, miner) = world().await;
        registry.arrived(&rig1(), labels(&[("site", "a"), ("rack", "1")]), None);
        assert_eq!(*miner.labels(), labels(&[("site", "a"), ("rack", "1")]));
        let set = change(&[("site", "mine")], &[]);
        registry.label(&store, std::slice::from_ref(&miner), &set, &somebody(), false).await.unwrap();
        let (mut told, seen) = (registry.arrivals(), registry.revision());
        told.mark_unchanged();
        registry.arrived(&rig1(), labels(&[("site", "b"), ("rack", "2")]), None);
        assert_eq!(*miner.labels(), labels(&[("site", "mine"), ("rack", "2")]));
        assert!(told.has_changed().unwrap());
        let news = registry.since(seen, usize::MAX).unwrap();
        assert_eq!(news.changed.iter().map(|(_, name)| name.clone()).collect::<Vec<_>>(), [rig1()]);
        assert_eq!(*news.departures[0].labels, labels(&[("site", "mine"), ("rack", "1")]));
        // What was set is taken away over what it comes with now.
        let away = change(&[], &["rack"]);
        registry.label(&store, std::slice::from_ref(&miner), &away, &somebody(), false).await.unwrap();
        assert_eq!(*miner.labels(), labels(&[("site", "mine")]));
    }

    #[tokio::test]
    async fn labels_of_the_configuration_are_not_those_of_a_token() {
        let config = MinerConfig { address: "unix:///nowhere".parse().unwrap(), labels: labels(&[("site", "a")]) };
        let registry = Registry::new(&[(rig1(), config)].into(), Vec::new()).unwrap();
        registry.arrived(&rig1(), labels(&[("site", "b")]), None);
        assert_eq!(*registry.get(&rig1()).unwrap().labels(), labels(&[("site", "a")]));
    }

    #[tokio::test]
    async fn quarantine_is_stored_with_its_event_and_told_at_once() {
        let (_folder, store, _lock, registry, _miner) = world().await;
        let events = Events::open(store.clone()).await.unwrap();
        let mut newest = events.newest();
        // What is told besides waits for its turn in the queue, and comes after it.
        events.tell(EventKind::Overridden, None, "", "by hand");
        registry.quarantine(&store, &events, &rig1(), "it was used twice", &somebody()).await.unwrap();
        assert_eq!(*newest.borrow_and_update(), 1);
        let cancel = tokio_util::sync::CancellationToken::new();
        cancel.cancel();
        events.clone().keep(cancel).await;
        let kept = store.events_after(0, 10).await.unwrap();
        let told: Vec<_> = kept.iter().map(|one| (one.sequence, one.event.kind.as_str())).collect();
        assert_eq!(told, [(1, "IDENTITY_CLONED"), (2, "OVERRIDDEN")]);
        assert_eq!((kept[0].event.miner.clone(), kept[0].event.message.as_str()), (Some(rig1()), "it was used twice"));
        // The number of one that was overtaken takes nothing back.
        events.kept(1);
        assert_eq!(*newest.borrow_and_update(), 2);
    }

    #[tokio::test]
    async fn miner_that_was_removed_leaves_no_answers_to_its_requests_behind() {
        let (_folder, store, _lock, registry, _miner) = world().await;
        let (mut write, key) = (store.write().await.unwrap(), RequestKey::own("a"));
        write.remember("spec/rig1", &key, "1").await.unwrap();
        write.remember("spec/rig10", &key, "2").await.unwrap();
        write.commit().await.unwrap();
        registry.remove(&store, &rig1(), &somebody()).await.unwrap();
        assert_eq!(store.answered("spec/rig1", &key).await.unwrap(), None);
        assert_eq!(store.answered("spec/rig10", &key).await.unwrap().as_deref(), Some("2"));
    }
}
