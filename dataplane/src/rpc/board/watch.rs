//! Boards as they change: all of them first, then what differs from what was told last.

use super::{message, read_board};
use crate::{
    backplane::BoardReports,
    rpc::check::{Checks, Refused},
    scheduler::Snapshot,
};
use mujina_core::id::BoardId;
use mujina_proto::{dataplane::v1, types::v1::Board};
use std::{collections::BTreeMap, sync::Arc, time::Duration};
use tokio::sync::watch::Receiver;
use tokio_stream::{Stream, StreamExt, wrappers::WatchStream};

/// Time between two messages of a watch that does not say.
const INTERVAL: Duration = Duration::from_secs(1);
/// Shortest time between two messages of a watch.
const LEAST_INTERVAL: Duration = Duration::from_millis(100);

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    pub(super) board: Option<BoardId>,
    interval: Duration,
}

pub(super) fn read(request: v1::WatchBoardsRequest) -> Result<Wanted, Refused> {
    let v1::WatchBoardsRequest { min_interval, board_id } = request;
    let mut checks = Checks::default();
    let interval = checks.period("min_interval", min_interval, INTERVAL, LEAST_INTERVAL);
    let board = if board_id.is_empty() { None } else { read_board(&mut checks, &board_id) };
    checks.done().map(|()| Wanted { board, interval })
}

/// Messages with something new, at least the interval apart. A slow reader gets the newest, whatever it missed.
pub(super) fn answers(
    reports: Receiver<Arc<BoardReports>>,
    counted: Receiver<Arc<Snapshot>>,
    wanted: Wanted,
) -> impl Stream<Item = v1::WatchBoardsResponse> + Send {
    let Wanted { board, interval } = wanted;
    let mut told = Told::default();
    let changes = WatchStream::new(reports.clone()).map(|_| ()).merge(WatchStream::new(counted.clone()).map(|_| ()));
    changes.throttle(interval).filter_map(move |()| {
        let (reports, counted) = (reports.borrow().clone(), counted.borrow().clone());
        let wanted = reports.boards.values().filter(|report| board.as_ref().is_none_or(|wanted| report.id == *wanted));
        let boards = wanted.map(|report| (report.id.clone(), message(report, &counted))).collect();
        told.news(boards, reports.usb_problem.clone())
    })
}

/// What the reader knows.
#[derive(Debug, Default)]
struct Told {
    boards: Option<BTreeMap<BoardId, Board>>,
    usb_problem: String,
}

impl Told {
    /// What is new to the reader; everything is to one that was told nothing yet.
    fn news(&mut self, now: BTreeMap<BoardId, Board>, usb_problem: String) -> Option<v1::WatchBoardsResponse> {
        let before = self.boards.as_ref();
        let knows = |id: &BoardId, board: &Board| before.is_some_and(|before| before.get(id) == Some(board));
        let news = v1::WatchBoardsResponse {
            snapshot: before.is_none(),
            boards: now.iter().filter(|(id, board)| !knows(id, board)).map(|(_, board)| board.clone()).collect(),
            removed_board_ids: before
                .iter()
                .flat_map(|before| before.keys())
                .filter(|id| !now.contains_key(*id))
                .map(ToString::to_string)
                .collect(),
            usb_problem: usb_problem.clone(),
        };
        let is_new = news.snapshot
            || !news.boards.is_empty()
            || !news.removed_board_ids.is_empty()
            || self.usb_problem != usb_problem;
        *self = Self { boards: Some(now), usb_problem };
        is_new.then_some(news)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rpc::check::fields;

    fn boards(starts: &[(&str, u32)]) -> BTreeMap<BoardId, Board> {
        let board = |starts| Board { starts, ..Board::default() };
        starts.iter().map(|(id, starts)| (id.parse().unwrap(), board(*starts))).collect()
    }

    #[test]
    fn all_boards_come_first_and_then_only_what_changed() {
        let mut told = Told::default();
        let first = told.news(boards(&[("a", 1), ("b", 1)]), String::new()).unwrap();
        assert_eq!((first.snapshot, first.boards.len()), (true, 2));
        assert_eq!(told.news(boards(&[("a", 1), ("b", 1)]), String::new()), None);
        let changed = told.news(boards(&[("a", 2), ("c", 1)]), String::new()).unwrap();
        assert_eq!(
            (changed.snapshot, changed.boards.len(), changed.removed_board_ids),
            (false, 2, vec!["b".to_owned()])
        );
        let usb = told.news(boards(&[("a", 2), ("c", 1)]), "no sysfs".into()).unwrap();
        assert_eq!((usb.boards.len(), usb.usb_problem.as_str()), (0, "no sysfs"));
    }

    #[test]
    fn miner_without_boards_is_a_snapshot_too() {
        let first = Told::default().news(BTreeMap::new(), String::new()).unwrap();
        assert!(first.snapshot && first.boards.is_empty());
    }

    #[test]
    fn bad_interval_and_bad_id_are_reported_together() {
        let request = v1::WatchBoardsRequest {
            min_interval: Some(prost_types::Duration { seconds: -1, nanos: 0 }),
            board_id: "No Board".into(),
        };
        assert_eq!(fields(&read(request).unwrap_err()), ["min_interval", "board_id"]);
        assert_eq!(read(v1::WatchBoardsRequest::default()), Ok(Wanted { board: None, interval: INTERVAL }));
    }
}
