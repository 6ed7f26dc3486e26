//! Which miners somebody means, and may reach.

use super::{Labels, Miner, Registry, reading};
use crate::{access::Caller, filter::Filter, selector::Selector};
use mujina_core::{
    id::MinerName,
    spec::{Problem, Problems},
};
use mujina_proto::{control::v1, failure::Failure};
use std::{iter, ops::Bound, sync::Arc, time::SystemTime};
use tonic::Code;

/// The miners of a selection in order of their names, each of which the caller may make its call about. Miners that are named
/// must be known and permitted, all of them; of the others those are meant that the caller reaches.
///
/// # Errors
/// What is wrong with the selection; a miner that is not known, or not for this caller.
pub(crate) fn select(
    registry: &Registry,
    selection: &v1::MinerSelection,
    caller: &Caller,
) -> Result<Vec<Arc<Miner>>, Failure> {
    let v1::MinerSelection { miners, all, selector, filter } = selection;
    let by_labels = !selector.is_empty() || !filter.is_empty();
    let ways = [!miners.is_empty(), *all, by_labels].into_iter().filter(|is_way| *is_way).count();
    if ways != 1 {
        let reason = match ways {
            0 => "is empty; name miners, give a selector or a filter, or set `all`",
            _ => "must be empty with `all`, a selector or a filter; select in one way",
        };
        return Err(Failure::invalid_field("miners", reason));
    }
    if miners.is_empty() {
        let matching = Matching::parse(selector, filter)?;
        return Ok(matching.of(registry, caller).collect());
    }
    named(registry, miners, caller)
}

fn named(registry: &Registry, names: &[String], caller: &Caller) -> Result<Vec<Arc<Miner>>, Failure> {
    let (mut found, mut problems, mut unknown) = (Vec::new(), Vec::new(), Vec::new());
    for (i, text) in names.iter().enumerate() {
        match text.parse::<MinerName>() {
            Ok(name) => match registry.get(&name) {
                Some(miner) => found.push(miner),
                None => unknown.push(name.to_string()),
            },
            Err(error) => problems.push(Problem {
                field: format!("miners[{i}]"),
                reason: format!("`{}` {error}", text.chars().take(80).collect::<String>().escape_debug()),
            }),
        }
    }
    if !problems.is_empty() {
        return Err(Failure::invalid(Problems(problems)));
    }
    if !unknown.is_empty() {
        let message =
            format!("no miner is named {}; see the list of miners, or add it to the configuration", unknown.join(", "));
        return Err(Failure::new(Code::NotFound, "MINER_NOT_FOUND", message));
    }
    for miner in &found {
        caller.decide(Some(&miner.labels())).map_err(|denied| Failure::from(denied).with("miner", &miner.name))?;
    }
    found.sort_by(|a, b| a.name.cmp(&b.name));
    found.dedup_by(|a, b| a.name == b.name);
    Ok(found)
}

/// A selector and a filter that were read.
#[derive(Debug, Clone, Default)]
pub(crate) struct Matching {
    selector: Selector,
    filter: Filter,
}

impl Matching {
    /// Reads both; an empty text is true of every miner.
    ///
    /// # Errors
    /// What is wrong with them, by field.
    pub(crate) fn parse(selector: &str, filter: &str) -> Result<Self, Failure> {
        let problem = |field: &str, error: &dyn ToString| Problem { field: field.into(), reason: error.to_string() };
        let selector = selector.parse::<Selector>().map_err(|error| problem("selector", &error));
        let filter = Filter::parse(filter, reading::FIELDS).map_err(|error| problem("filter", &error));
        match (selector, filter) {
            (Ok(selector), Ok(filter)) => Ok(Self { selector, filter }),
            (selector, filter) => {
                Err(Failure::invalid(Problems(selector.err().into_iter().chain(filter.err()).collect())))
            }
        }
    }

    /// Whether a miner with these labels is meant, as far as labels say.
    pub(crate) fn selects(&self, labels: &Labels) -> bool {
        self.selector.matches(labels)
    }

    /// Whether a miner is meant.
    pub(crate) fn is_true_of(&self, miner: &Miner, now: SystemTime) -> bool {
        let labels = miner.labels();
        self.selector.matches(&labels)
            && (self.filter.is_everything() || {
                let view = miner.view();
                self.filter.matches(|field| reading::reading(field, miner, &view, &labels, now))
            })
    }

    /// The miners that are meant and that the caller reaches, in order of their names.
    pub(crate) fn of<'a>(&'a self, registry: &Registry, caller: &'a Caller) -> impl Iterator<Item = Arc<Miner>> + 'a {
        self.after(registry, caller, None)
    }

    /// Those of them after a name. What is not taken costs nothing.
    pub(crate) fn after<'a>(
        &'a self,
        registry: &Registry,
        caller: &'a Caller,
        after: Option<MinerName>,
    ) -> impl Iterator<Item = Arc<Miner>> + 'a {
        let (all, now) = (registry.all(), SystemTime::now());
        let mut begin = after.map_or(Bound::Unbounded, Bound::Excluded);
        let next = move || {
            let (name, miner) = all.range((begin.clone(), Bound::Unbounded)).next()?;
            begin = Bound::Excluded(name.clone());
            Some(miner.clone())
        };
        iter::from_fn(next).filter(move |miner| caller.sees(&miner.labels()) && self.is_true_of(miner, now))
    }
}
