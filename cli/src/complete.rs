//! Completion of names that only a service knows. Short of patience, and silent whatever goes wrong.

use crate::{command::names, config::Surroundings, context, saved::Contexts};
use clap_complete::CompletionCandidate;
use mujina_core::id::{MinerName, PeerName};
use mujina_proto::dial::Address;
use std::{ffi::OsStr, str::FromStr, thread, time::Duration};

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
            let Said { address, context, miner } = Said::of_process();
            let way = context::way_of(address.as_ref(), context.as_ref(), &environment).ok()?;
            let asking = async { names::ask(&context::connect(way).await.ok()?.1, kind, miner.as_ref()).await.ok() };
            tokio::time::timeout(PATIENCE, asking).await.ok().flatten()
        });
        runtime.shutdown_background();
        found
    });
    candidates(begin, asking.join().ok().flatten().unwrap_or_default())
}

/// What the line says so far of whom to ask. It is not whole, so that clap would refuse it.
#[derive(Debug, Default, PartialEq)]
struct Said {
    address: Option<Address>,
    context: Option<PeerName>,
    miner: Option<MinerName>,
}

impl Said {
    /// Of the words after the dashes by which a shell hands them over.
    fn of_process() -> Self {
        let words: Vec<_> = std::env::args_os().map(|word| word.to_string_lossy().into_owned()).collect();
        Self::of(&words)
    }

    fn of(words: &[String]) -> Self {
        Self {
            address: value(words, &["--address"]),
            context: value(words, &["--context"]),
            miner: value(words, &["--miner", "-m"]),
        }
    }
}

/// The last value of a flag that is one: the word after it, or what is glued to it.
fn value<T: FromStr>(words: &[String], names: &[&str]) -> Option<T> {
    let apart = words.windows(2).filter_map(|pair| match pair {
        [flag, value] if names.contains(&flag.as_str()) && !value.starts_with('-') => Some(value.as_str()),
        _ => None,
    });
    let glued =
        words.iter().filter_map(|word| names.iter().find_map(|name| word.strip_prefix(name)?.strip_prefix('=')));
    apart.chain(glued).filter_map(|value| value.parse().ok()).next_back()
}

fn candidates(begin: &OsStr, names: Vec<String>) -> Vec<CompletionCandidate> {
    let begin = begin.to_string_lossy();
    names.into_iter().filter(|name| name.starts_with(&*begin)).map(CompletionCandidate::new).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(line: &str) -> Said {
        Said::of(&line.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn line_that_is_not_whole_says_whom_to_ask() {
        let found =
            said("mujinactl -- mujinactl --context lab pool pin -m rig2 --address=https://a.example:8443 --for");
        assert_eq!(found.context, Some("lab".parse().unwrap()));
        assert_eq!(found.miner, Some("rig2".parse().unwrap()));
        assert_eq!(found.address, Some("https://a.example:8443".parse().unwrap()));
    }

    #[test]
    fn what_is_no_value_says_nothing() {
        assert_eq!(said("mujinactl pool list --context --miner"), Said::default());
        assert_eq!(said("mujinactl --address 10.0.0.1:50051 --miner= --miner Rig_1"), Said::default());
    }
}
