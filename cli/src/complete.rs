//! Completion of names that only a service knows. Short of patience, and silent whatever goes wrong.

use crate::{command::names, config::Surroundings, context, saved::Contexts};
use clap_complete::CompletionCandidate;
use std::{ffi::OsStr, thread, time::Duration};

/// A person waits at the prompt.
const PATIENCE: Duration = Duration::from_millis(800);

/// Names of miners.
pub(crate) fn miners(begin: &OsStr) -> Vec<CompletionCandidate> {
    asked(begin, names::Kind::Miners)
}

/// Names of pools, of the miners that are known.
pub(crate) fn pools(begin: &OsStr) -> Vec<CompletionCandidate> {
    asked(begin, names::Kind::Pools)
}

/// Names of profiles.
pub(crate) fn profiles(begin: &OsStr) -> Vec<CompletionCandidate> {
    asked(begin, names::Kind::Profiles)
}

/// Names of contexts, which are on this machine.
pub(crate) fn contexts(begin: &OsStr) -> Vec<CompletionCandidate> {
    let Surroundings { environment, .. } = Surroundings::of_process();
    let found = Contexts::new(environment.config_dir).names().unwrap_or_default();
    candidates(begin, found.iter().map(ToString::to_string).collect())
}

fn asked(begin: &OsStr, kind: names::Kind) -> Vec<CompletionCandidate> {
    // A thread of its own: whoever asks may have a runtime already.
    let asking = thread::spawn(move || {
        let Surroundings { environment, .. } = Surroundings::of_process();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().ok()?;
        let found = runtime.block_on(async {
            let way = context::way_without_flags(&environment).ok()?;
            let asking = async { names::ask(&context::connect(way).await.ok()?.1, kind).await.ok() };
            tokio::time::timeout(PATIENCE, asking).await.ok().flatten()
        });
        runtime.shutdown_background();
        found
    });
    candidates(begin, asking.join().ok().flatten().unwrap_or_default())
}

fn candidates(begin: &OsStr, names: Vec<String>) -> Vec<CompletionCandidate> {
    let begin = begin.to_string_lossy();
    names.into_iter().filter(|name| name.starts_with(&*begin)).map(CompletionCandidate::new).collect()
}
