//! The boards of the made-up miner: one, that remembers what it was asked.

use super::{Answers, FakeMiner};
use mujina_proto::{
    convert::duration,
    dataplane::v1::{self as wire, board_service_server::BoardService, self_test_response::Event},
    failure::Failure,
    types::v1,
};
use std::time::Duration;
use tonic::{Code, Request, Response, Status};

/// The board.
fn board() -> v1::Board {
    let status = v1::BoardStatus {
        board_id: "gamma-1".into(),
        state: v1::BoardState::Mining.into(),
        expected_chips: 4,
        found_chips: 4,
        ..v1::BoardStatus::default()
    };
    v1::Board { status: Some(status), ..v1::Board::default() }
}

/// Whether it is that one.
fn known(board_id: &str) -> Result<(), Status> {
    let unknown = || Failure::new(Code::NotFound, "BOARD_NOT_FOUND", "no such board").with("board_id", board_id);
    if board_id == "gamma-1" { Ok(()) } else { Err(unknown().into()) }
}

#[tonic::async_trait]
impl BoardService for FakeMiner {
    type WatchBoardsStream = Answers<wire::WatchBoardsResponse>;
    type SelfTestStream = Answers<wire::SelfTestResponse>;

    async fn list_boards(
        &self,
        _: Request<wire::ListBoardsRequest>,
    ) -> Result<Response<wire::ListBoardsResponse>, Status> {
        Ok(Response::new(wire::ListBoardsResponse { boards: vec![board()], usb_problem: String::new() }))
    }

    async fn get_board(
        &self,
        request: Request<wire::GetBoardRequest>,
    ) -> Result<Response<wire::GetBoardResponse>, Status> {
        known(&request.into_inner().board_id)?;
        Ok(Response::new(wire::GetBoardResponse { board: Some(board()) }))
    }

    async fn list_chips(
        &self,
        request: Request<wire::ListChipsRequest>,
    ) -> Result<Response<wire::ListChipsResponse>, Status> {
        known(&request.into_inner().board_id)?;
        let chips = vec![v1::Chip { index: 0, chip_id: 0x1370, ..v1::Chip::default() }];
        Ok(Response::new(wire::ListChipsResponse { chips, next_page_token: String::new() }))
    }

    /// All boards, then silence.
    async fn watch_boards(
        &self,
        _: Request<wire::WatchBoardsRequest>,
    ) -> Result<Response<Self::WatchBoardsStream>, Status> {
        let first = wire::WatchBoardsResponse { snapshot: true, boards: vec![board()], ..Default::default() };
        let first = tokio_stream::once(Ok(first));
        Ok(Response::new(Box::pin(tokio_stream::StreamExt::chain(first, tokio_stream::pending()))))
    }

    async fn get_constraints(
        &self,
        request: Request<wire::GetConstraintsRequest>,
    ) -> Result<Response<wire::GetConstraintsResponse>, Status> {
        known(&request.into_inner().board_id)?;
        let constraint = v1::BoardConstraint { name: "frequency_mhz".into(), ..v1::BoardConstraint::default() };
        Ok(Response::new(wire::GetConstraintsResponse { constraints: vec![constraint] }))
    }

    async fn reinitialize(
        &self,
        request: Request<wire::ReinitializeRequest>,
    ) -> Result<Response<wire::ReinitializeResponse>, Status> {
        known(&request.into_inner().board_id)?;
        let mut changes = self.changes.subscribe();
        self.change(|state| state.board_calls.push("reinitialize".into()));
        while self.state().hold_boards {
            changes.changed().await.unwrap();
        }
        Ok(Response::new(wire::ReinitializeResponse { board: Some(board()) }))
    }

    async fn locate(&self, request: Request<wire::LocateRequest>) -> Result<Response<wire::LocateResponse>, Status> {
        let wire::LocateRequest { board_id, duration } = request.into_inner();
        known(&board_id)?;
        let seconds = duration.unwrap_or_default().seconds;
        self.change(|state| state.board_calls.push(format!("locate {seconds}")));
        Ok(Response::new(wire::LocateResponse { expires_at: None }))
    }

    async fn self_test(
        &self,
        request: Request<wire::SelfTestRequest>,
    ) -> Result<Response<Self::SelfTestStream>, Status> {
        known(&request.into_inner().board_id)?;
        let step = v1::SelfTestStep {
            name: "fan".into(),
            outcome: v1::SelfTestOutcome::Failed.into(),
            detail: "0 rpm".into(),
            elapsed: Some(duration(Duration::from_millis(5))),
        };
        let result = wire::SelfTestResult { passed: false, steps: vec![step.clone()] };
        let events = [Event::Step(step), Event::Result(result)];
        let answers = events.map(|event| Ok(wire::SelfTestResponse { event: Some(event) }));
        Ok(Response::new(Box::pin(tokio_stream::iter(answers))))
    }
}
