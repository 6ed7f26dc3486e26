//! What tuning taught about boards, kept in the state folder as `learnt.json`, so that a restart need not find it out again.
//!
//! Nothing of it is needed: a file that cannot be read is set aside, and boards begin at the values of their model. What is
//! read is brought within the limits of the board by its tuner.

use crate::{backplane::BoardReports, board::tuner::Learnt, state_dir::StateDir};
use mujina_core::id::BoardId;
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    io,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tracing::warn;

/// Its name.
const FILE: &str = "learnt.json";
/// Far above what all boards of a host fill: some hundred bytes each.
const LIMIT: u64 = 1 << 20;
/// Between two writes: flash memory wears out.
const EVERY: Duration = Duration::from_secs(60);
/// What this program writes; raised when an older program could not understand the file.
const VERSION: u32 = 1;

type All = BTreeMap<BoardId, Learnt>;

#[derive(Serialize, Deserialize)]
struct Document {
    version: u32,
    boards: BTreeMap<String, Learnt>,
}

/// What the last process kept. Blocks.
pub(crate) fn find(folder: &StateDir, now: SystemTime) -> All {
    let problem = match folder.read(FILE, LIMIT) {
        Ok(None) => return All::new(),
        Ok(Some(content)) => match read(&content) {
            Ok(learnt) => return learnt,
            Err(problem) => problem,
        },
        Err(error) => error.to_string(),
    };
    let seconds = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    match folder.set_aside(FILE, &format!("{FILE}.unreadable-{seconds}")) {
        Ok(aside) => warn!(problem, aside, "what was learnt of boards cannot be read; they are tuned anew"),
        Err(error) => warn!(problem, %error, "what was learnt of boards cannot be read, nor set aside"),
    }
    All::new()
}

fn read(content: &[u8]) -> Result<All, String> {
    let Document { version, boards } = serde_json::from_slice(content).map_err(|error| error.to_string())?;
    if version > VERSION {
        return Err(format!("it has version {version} and this program knows up to {VERSION}"));
    }
    let board = |(id, learnt): (String, Learnt)| match id.parse() {
        Ok(id) => Ok((id, learnt)),
        Err(error) => Err(format!("`{}` {error}", id.escape_debug())),
    };
    boards.into_iter().map(board).collect()
}

fn write(folder: &StateDir, learnt: &All) -> io::Result<()> {
    let boards = learnt.iter().map(|(id, learnt)| (id.to_string(), learnt.clone())).collect();
    let mut text = serde_json::to_vec_pretty(&Document { version: VERSION, boards })?;
    text.push(b'\n');
    folder.write(FILE, &text)
}

/// Writes what is new, at most once a minute and at the end. Boards must have stopped before `stop`.
pub(crate) async fn keep(folder: StateDir, mut reports: watch::Receiver<Arc<BoardReports>>, stop: CancellationToken) {
    let mut kept = reports.borrow_and_update().learnt.clone();
    loop {
        let changed = async {
            // Boards that are gone for good teach no more; what they taught last is written at the end.
            while reports.changed().await.is_ok() {
                if reports.borrow_and_update().learnt != kept {
                    return;
                }
            }
            std::future::pending::<()>().await;
        };
        let over = stop.run_until_cancelled(changed).await.is_none();
        let learnt = reports.borrow_and_update().learnt.clone();
        if learnt != kept {
            let (folder, news) = (folder.clone(), learnt.clone());
            match tokio::task::spawn_blocking(move || write(&folder, &news)).await {
                Ok(Ok(())) => kept = learnt,
                Ok(Err(error)) => warn!(%error, "what was learnt of boards was not kept; tried again"),
                Err(error) => warn!(%error, "what was learnt of boards was not kept; tried again"),
            }
        }
        if over {
            return;
        }
        let _ = stop.run_until_cancelled(tokio::time::sleep(EVERY)).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::board::tuner::{Cause, LearntCeiling};
    use mujina_core::units::Frequency;
    use std::fs;

    fn folder() -> (tempfile::TempDir, StateDir) {
        let root = tempfile::tempdir().unwrap();
        let folder = StateDir::open(root.path()).unwrap();
        (root, folder)
    }

    fn learnt() -> All {
        let ceiling = LearntCeiling { frequency: Frequency::from_megahertz(512.5), times: 2 };
        let of_gamma = Learnt {
            ceilings: [(Cause::HardwareErrors, ceiling)].into(),
            below_curve_millivolts: 20,
            ..Learnt::default()
        };
        [("bitaxe-aa".parse().unwrap(), of_gamma)].into()
    }

    #[tokio::test(start_paused = true)]
    async fn news_are_on_the_disk_and_come_back() {
        let (_root, folder) = folder();
        assert_eq!(find(&folder, UNIX_EPOCH), All::new());
        let (reports, watched) = watch::channel(Arc::<BoardReports>::default());
        let stop = CancellationToken::new();
        let telling = async {
            reports.send_replace(Arc::new(BoardReports { learnt: learnt(), ..BoardReports::default() }));
            stop.cancel();
        };
        // The first looks at what there is before the second has its turn.
        tokio::join!(keep(folder.clone(), watched, stop.clone()), telling);
        assert_eq!(find(&folder, UNIX_EPOCH), learnt());
    }

    #[test]
    fn file_that_cannot_be_used_is_set_aside_whole() {
        for content in ["", "{\"version\": 2, \"boards\": {}}", "{\"version\": 1, \"boards\": {\"no id!\": {}}}"] {
            let (root, folder) = folder();
            fs::write(root.path().join(FILE), content).unwrap();
            assert_eq!(find(&folder, UNIX_EPOCH), All::new());
            let aside = root.path().join(format!("{FILE}.unreadable-0"));
            assert_eq!(fs::read_to_string(aside).unwrap(), content);
        }
    }
}
