//! Boards: what is seen of them and their chips, and what may be asked of them besides their tuning, which is in the spec.

mod list;
mod locate;
mod self_test;
mod watch;

use super::{
    check::{Checks, Refused},
    failure::shutting_down,
    stream::{Answers, endless, until_stop},
};
use crate::{
    backplane::{BoardCommand, BoardRefusal, BoardReports, BoardsHandle},
    scheduler::Snapshot,
    telemetry::board_status,
};
use mujina_core::{board::BoardReport, id::BoardId, spec::Problems};
use mujina_proto::{
    convert,
    dataplane::v1::{self, board_service_server::BoardService},
    types,
};
use std::sync::Arc;
use tokio::sync::watch::Receiver;
use tokio_stream::StreamExt;
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status};

#[derive(Debug)]
pub(super) struct Service {
    pub(super) boards: BoardsHandle,
    /// Ledgers, rates and threads.
    pub(super) counted: Receiver<Arc<Snapshot>>,
    pub(super) cancel: CancellationToken,
}

#[tonic::async_trait]
impl BoardService for Service {
    type WatchBoardsStream = Answers<v1::WatchBoardsResponse>;
    type SelfTestStream = Answers<v1::SelfTestResponse>;

    async fn list_boards(&self, _: Request<v1::ListBoardsRequest>) -> Result<Response<v1::ListBoardsResponse>, Status> {
        let (reports, counted) = (self.reports(), self.counted());
        let boards = reports.boards.values().map(|report| message(report, &counted)).collect();
        Ok(Response::new(v1::ListBoardsResponse { boards, usb_problem: reports.usb_problem.clone() }))
    }

    async fn get_board(&self, request: Request<v1::GetBoardRequest>) -> Result<Response<v1::GetBoardResponse>, Status> {
        let v1::GetBoardRequest { board_id } = request.into_inner();
        Ok(Response::new(v1::GetBoardResponse { board: Some(self.board(&read(&board_id)?)?) }))
    }

    async fn list_chips(
        &self,
        request: Request<v1::ListChipsRequest>,
    ) -> Result<Response<v1::ListChipsResponse>, Status> {
        let wanted = list::read(request.into_inner())?;
        let reports = self.reports();
        Ok(Response::new(list::page(find(&reports, &wanted.board)?, &wanted)))
    }

    async fn watch_boards(
        &self,
        request: Request<v1::WatchBoardsRequest>,
    ) -> Result<Response<Self::WatchBoardsStream>, Status> {
        let wanted = watch::read(request.into_inner())?;
        if let Some(board) = &wanted.board {
            find(&self.reports(), board)?;
        }
        Ok(Response::new(endless(watch::answers(self.boards.reports(), self.counted.clone(), wanted), &self.cancel)))
    }

    async fn get_constraints(
        &self,
        request: Request<v1::GetConstraintsRequest>,
    ) -> Result<Response<v1::GetConstraintsResponse>, Status> {
        let v1::GetConstraintsRequest { board_id } = request.into_inner();
        let reports = self.reports();
        let constraints = &find(&reports, &read(&board_id)?)?.constraints;
        Ok(Response::new(v1::GetConstraintsResponse { constraints: constraints.0.iter().map(Into::into).collect() }))
    }

    async fn reinitialize(
        &self,
        request: Request<v1::ReinitializeRequest>,
    ) -> Result<Response<v1::ReinitializeResponse>, Status> {
        let v1::ReinitializeRequest { board_id } = request.into_inner();
        let board = read(&board_id)?;
        self.ask(self.boards.ask(|reply| BoardCommand::Reinitialize(board.clone(), reply))).await?;
        Ok(Response::new(v1::ReinitializeResponse { board: Some(self.board(&board)?) }))
    }

    async fn locate(&self, request: Request<v1::LocateRequest>) -> Result<Response<v1::LocateResponse>, Status> {
        let locate::Wanted { board, duration } = locate::read(request.into_inner())?;
        let begun = std::time::SystemTime::now();
        self.ask(self.boards.ask(|reply| BoardCommand::Locate(board, duration, reply))).await?;
        let expires_at = (!duration.is_zero()).then(|| convert::timestamp(begun + duration));
        Ok(Response::new(v1::LocateResponse { expires_at }))
    }

    async fn self_test(&self, request: Request<v1::SelfTestRequest>) -> Result<Response<Self::SelfTestStream>, Status> {
        let v1::SelfTestRequest { board_id } = request.into_inner();
        let mut steps = self_test::begin(self.boards.clone(), read(&board_id)?);
        // A board that refuses is an error of the call, not of its stream.
        let first = tokio::select! {
            first = steps.try_next() => first?,
            () = self.cancel.cancelled() => return Err(shutting_down()),
        };
        let answers = tokio_stream::iter(first.map(Ok)).chain(steps);
        Ok(Response::new(until_stop(answers, &self.cancel)))
    }
}

impl Service {
    /// Cloned, not borrowed: whoever holds a watched value keeps its publisher waiting.
    fn reports(&self) -> Arc<BoardReports> {
        self.boards.reports().borrow().clone()
    }

    fn counted(&self) -> Arc<Snapshot> {
        self.counted.borrow().clone()
    }

    fn board(&self, board: &BoardId) -> Result<types::v1::Board, BoardRefusal> {
        let reports = self.reports();
        Ok(message(find(&reports, board)?, &self.counted()))
    }

    /// Waits for a board's answer, but not beyond the stop of the API.
    async fn ask(
        &self,
        answer: impl Future<Output = Result<Result<(), BoardRefusal>, BoardRefusal>>,
    ) -> Result<(), Status> {
        let answered = self.cancel.run_until_cancelled(answer).await.ok_or_else(shutting_down)?;
        Ok(answered.flatten()?)
    }
}

fn find<'a>(reports: &'a BoardReports, board: &BoardId) -> Result<&'a BoardReport, BoardRefusal> {
    reports.boards.get(board).ok_or_else(|| BoardRefusal::Unknown(board.to_string()))
}

fn message(report: &BoardReport, counted: &Snapshot) -> types::v1::Board {
    convert::board::board(report, &board_status(report, counted), counted.since)
}

/// Reads a request that says nothing but which board.
fn read(board_id: &str) -> Result<BoardId, Refused> {
    let mut checks = Checks::default();
    let board = read_board(&mut checks, board_id);
    checks.done()?;
    board.ok_or_else(|| Refused(Problems(Vec::new())))
}

fn read_board(checks: &mut Checks, board_id: &str) -> Option<BoardId> {
    let read = board_id.parse::<BoardId>();
    read.map_err(|error| checks.refuse("board_id", error.to_string())).ok()
}

#[cfg(test)]
mod tests;
