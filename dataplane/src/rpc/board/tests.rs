//! The service over a real socket, with boards that do as the test tells them.

use super::*;
use crate::rpc::tests::world::{DEADLINE, INTERVAL, failure, listen, within};
use mujina_core::{
    board::{
        BoardConstraints, BoardState, ChipErrors, ChipReport, Constraint, SelfTestOutcome, SelfTestStep, TuningReport,
    },
    units::HashRate,
};
use mujina_proto::{
    dataplane::v1::{board_service_client::BoardServiceClient, self_test_response::Event},
    dial::{Client, dial},
    failure::Failure,
    serve::{ServeError, standard_routes},
    types::v1::Board,
};
use std::{
    collections::BTreeMap,
    time::{Duration, UNIX_EPOCH},
};
use tokio::{
    sync::{mpsc, oneshot, watch as channel},
    task::JoinSet,
};
use tonic::Code;

/// A Bitaxe Gamma with one chip, mining.
pub(super) fn gamma() -> BoardReport {
    BoardReport {
        id: id("gamma-1"),
        model: "bitaxe-gamma".into(),
        state: BoardState::Mining,
        state_reason: String::new(),
        state_since: UNIX_EPOCH,
        facts: BTreeMap::new(),
        expected_chips: 1,
        chips: vec![ChipReport {
            index: 0,
            address: 0,
            chip_id: 0x1370,
            verified: 7,
            errors: ChipErrors::default(),
            duplicates: 0,
            hash_rate: None,
            relative_error: None,
            nominal_hash_rate: HashRate::from_terahashes_per_second(1.071),
            last_nonce_at: None,
            notes: Vec::new(),
        }],
        sensors: Vec::new(),
        fans: Vec::new(),
        rails: Vec::new(),
        tuning: TuningReport::default(),
        constraints: BoardConstraints(vec![Constraint {
            name: "frequency_mhz".into(),
            least: 50.0,
            greatest: 625.0,
            default: 525.0,
            reason: "known to run".into(),
        }]),
        led: None,
        locate_until: None,
        safe_state: None,
        starts: 1,
        faults: Vec::new(),
    }
}

fn id(text: &str) -> BoardId {
    text.parse().unwrap()
}

/// One board behind a real socket. The test is the board.
struct World {
    client: BoardServiceClient<Client>,
    reports: channel::Sender<Arc<BoardReports>>,
    commands: mpsc::Receiver<BoardCommand>,
    stop: CancellationToken,
    serving: JoinSet<Result<(), ServeError>>,
    _counted: channel::Sender<Arc<Snapshot>>,
    _folder: tempfile::TempDir,
}

fn reports(boards: impl IntoIterator<Item = BoardReport>) -> Arc<BoardReports> {
    let boards = boards.into_iter().map(|board| (board.id.clone(), board)).collect();
    Arc::new(BoardReports { boards, usb_problem: "no sysfs".into(), ..BoardReports::default() })
}

impl World {
    async fn new() -> Self {
        let (published, watched) = channel::channel(reports([gamma()]));
        let (sender, commands) = mpsc::channel(4);
        let counted = Snapshot {
            at: UNIX_EPOCH,
            since: UNIX_EPOCH,
            live: None,
            paused: false,
            hashing: true,
            miner: Default::default(),
            pools: BTreeMap::new(),
            connections: BTreeMap::new(),
            boards: BTreeMap::new(),
            threads: Vec::new(),
            unknown_verdicts: 0,
            share_work: None,
        };
        let (_counted, counted) = channel::channel(Arc::new(counted));
        let stop = CancellationToken::new();
        let boards = BoardsHandle { reports: watched, commands: sender };
        let service = Service { boards, counted, cancel: stop.clone() };
        let (mut routes, _) = standard_routes();
        routes.add_service(v1::board_service_server::BoardServiceServer::new(service));
        let folder = tempfile::tempdir().unwrap();
        let (address, listeners) = listen(folder.path()).await;
        let (mut serving, routes, cancel) = (JoinSet::new(), routes.routes(), stop.clone());
        serving.spawn(async move { listeners.serve(routes, cancel).await });
        let client = BoardServiceClient::new(dial(&address, DEADLINE).await.unwrap());
        Self { client, reports: published, commands, stop, serving, _counted, _folder: folder }
    }

    fn publish(&self, boards: impl IntoIterator<Item = BoardReport>) {
        self.reports.send_replace(reports(boards));
    }

    async fn end(mut self) {
        self.stop.cancel();
        within(self.serving.join_next()).await.unwrap().unwrap().unwrap();
    }
}

/// What a board does with the next command.
async fn command(commands: &mut mpsc::Receiver<BoardCommand>) -> BoardCommand {
    within(commands.recv()).await.expect("a command comes")
}

async fn self_test(
    commands: &mut mpsc::Receiver<BoardCommand>,
) -> (mpsc::Sender<Option<SelfTestStep>>, oneshot::Sender<Result<(), BoardRefusal>>) {
    match command(commands).await {
        BoardCommand::SelfTest(board, steps, reply) if board == id("gamma-1") => (steps, reply),
        other => panic!("{other:?}"),
    }
}

fn cannot(reason: &str) -> Result<(), BoardRefusal> {
    Err(BoardRefusal::Cannot { board: id("gamma-1"), reason: reason.into() })
}

fn states(boards: &[Board]) -> Vec<(String, i32)> {
    let status = |board: &Board| board.status.clone().map(|status| (status.board_id, status.state));
    boards.iter().filter_map(status).collect()
}

#[tokio::test]
async fn boards_their_chips_and_constraints_are_read() {
    let world = World::new().await;
    let mut client = world.client.clone();
    let list = client.list_boards(v1::ListBoardsRequest {}).await.unwrap().into_inner();
    assert_eq!((states(&list.boards), list.usb_problem.as_str()), (vec![("gamma-1".into(), 2)], "no sysfs"));
    let board = client.get_board(v1::GetBoardRequest { board_id: "gamma-1".into() }).await.unwrap().into_inner();
    assert_eq!(board.board.as_ref(), list.boards.first());
    let chips = v1::ListChipsRequest { board_id: "gamma-1".into(), ..Default::default() };
    let chips = client.list_chips(chips).await.unwrap().into_inner().chips;
    assert_eq!((chips.len(), chips[0].verified, chips[0].hash_rate_hps), (1, 7, None));
    let constraints = v1::GetConstraintsRequest { board_id: "gamma-1".into() };
    let constraints = client.get_constraints(constraints).await.unwrap().into_inner().constraints;
    assert_eq!((constraints[0].name.as_str(), constraints[0].greatest), ("frequency_mhz", 625.0));
    world.end().await;
}

#[tokio::test]
async fn board_that_is_not_there_is_not_found_and_one_that_cannot_be_is_refused() {
    let world = World::new().await;
    let mut client = world.client.clone();
    for board_id in ["gamma-2", "No Board"] {
        let board_id = || board_id.to_owned();
        let chips = v1::ListChipsRequest { board_id: board_id(), ..Default::default() };
        let watch = v1::WatchBoardsRequest { board_id: board_id(), ..Default::default() };
        for refused in [
            failure(client.get_board(v1::GetBoardRequest { board_id: board_id() }).await),
            failure(client.list_chips(chips).await),
            failure(client.watch_boards(watch).await),
            failure(client.get_constraints(v1::GetConstraintsRequest { board_id: board_id() }).await),
        ] {
            if board_id() == "gamma-2" {
                assert_eq!((refused.code, refused.reason.as_str()), (Code::NotFound, "BOARD_NOT_FOUND"));
                assert!(refused.message.contains("mujinactl board list") && refused.facts["board_id"] == "gamma-2");
            } else {
                assert_eq!((refused.code, refused.problems[0].field.as_str()), (Code::InvalidArgument, "board_id"));
            }
        }
    }
    world.end().await;
}

#[tokio::test]
async fn watch_tells_all_boards_then_those_that_change_until_the_stop() {
    let world = World::new().await;
    let request = v1::WatchBoardsRequest { min_interval: Some(convert::duration(INTERVAL)), board_id: String::new() };
    let mut watch = world.client.clone().watch_boards(request).await.unwrap().into_inner();
    let first = within(watch.message()).await.unwrap().unwrap();
    assert_eq!((first.snapshot, states(&first.boards)), (true, vec![("gamma-1".into(), 2)]));
    world.publish([gamma(), BoardReport { id: id("gamma-2"), state: BoardState::Starting, ..gamma() }]);
    let added = within(watch.message()).await.unwrap().unwrap();
    assert_eq!((added.snapshot, states(&added.boards)), (false, vec![("gamma-2".into(), 1)]));
    world.publish([BoardReport { id: id("gamma-2"), state: BoardState::Gone, ..gamma() }]);
    let gone = within(watch.message()).await.unwrap().unwrap();
    assert_eq!((states(&gone.boards), gone.removed_board_ids), (vec![("gamma-2".into(), 8)], vec!["gamma-1".into()]));
    world.stop.cancel();
    let ended = Failure::from(&within(watch.message()).await.unwrap_err());
    assert_eq!((ended.code, ended.reason.as_str()), (Code::Unavailable, "SHUTTING_DOWN"));
    world.end().await;
}

#[tokio::test]
async fn reinitialised_board_is_shown_as_it_is_then_and_a_failure_has_its_cause() {
    let mut world = World::new().await;
    let mut client = world.client.clone();
    let request = || v1::ReinitializeRequest { board_id: "gamma-1".into() };
    let (answer, ()) = tokio::join!(client.reinitialize(request()), async {
        let BoardCommand::Reinitialize(board, reply) = command(&mut world.commands).await else { panic!() };
        assert_eq!(board, id("gamma-1"));
        world.reports.send_replace(reports([BoardReport { starts: 2, ..gamma() }]));
        reply.send(Ok(())).unwrap();
    });
    assert_eq!(answer.unwrap().into_inner().board.unwrap().starts, 2);
    let (answer, ()) = tokio::join!(client.reinitialize(request()), async {
        let BoardCommand::Reinitialize(_, reply) = command(&mut world.commands).await else { panic!() };
        reply.send(cannot("no chip answered; check the cable")).unwrap();
    });
    let refused = failure(answer);
    assert_eq!((refused.code, refused.reason.as_str()), (Code::FailedPrecondition, "BOARD_REFUSED"));
    assert!(refused.message.ends_with("check the cable"), "{refused:?}");
    world.end().await;
}

#[tokio::test]
async fn board_shows_where_it_is_for_as_long_as_was_asked() {
    let mut world = World::new().await;
    let mut client = world.client.clone();
    for seconds in [30, 0] {
        let duration = Some(prost_types::Duration { seconds, nanos: 0 });
        let request = v1::LocateRequest { board_id: "gamma-1".into(), duration };
        let (answer, ()) = tokio::join!(client.locate(request), async {
            let BoardCommand::Locate(_, duration, reply) = command(&mut world.commands).await else { panic!() };
            assert_eq!(i64::try_from(duration.as_secs()).unwrap(), seconds);
            reply.send(Ok(())).unwrap();
        });
        assert_eq!(answer.unwrap().into_inner().expires_at.is_some(), seconds > 0);
    }
    world.end().await;
}

fn step(name: &str, outcome: SelfTestOutcome) -> SelfTestStep {
    SelfTestStep { name: name.into(), outcome, detail: String::new(), elapsed: Duration::from_millis(3) }
}

/// The names of the steps, then the verdict.
async fn follow(client: &mut BoardServiceClient<Client>) -> Result<(Vec<String>, v1::SelfTestResult), Failure> {
    let request = v1::SelfTestRequest { board_id: "gamma-1".into() };
    let mut stream = client.self_test(request).await.map_err(|status| Failure::from(&status))?.into_inner();
    let (mut steps, mut verdict) = (Vec::new(), None);
    while let Some(message) = stream.message().await.map_err(|status| Failure::from(&status))? {
        assert_eq!(verdict, None, "the verdict is the last");
        match message.event.unwrap() {
            Event::Step(step) => steps.push(step.name),
            Event::Result(result) => verdict = Some(result),
        }
    }
    Ok((steps, verdict.unwrap()))
}

#[tokio::test]
async fn self_test_tells_its_steps_and_then_the_verdict_over_all() {
    let mut world = World::new().await;
    let mut client = world.client.clone();
    for answers_first in [true, false] {
        let board = async {
            let (steps, reply) = self_test(&mut world.commands).await;
            let mut reply = Some(reply);
            if answers_first {
                reply.take().unwrap().send(Ok(())).unwrap();
            }
            for one in [step("rails", SelfTestOutcome::Passed), step("fan", SelfTestOutcome::Failed)] {
                steps.send(Some(one)).await.unwrap();
            }
            steps.send(None).await.unwrap();
            if let Some(reply) = reply {
                reply.send(Ok(())).unwrap();
            }
        };
        let (followed, ()) = tokio::join!(within(follow(&mut client)), board);
        let (steps, verdict) = followed.unwrap();
        assert_eq!((steps.len(), verdict.passed, verdict.steps.len()), (2, false, 2), "{answers_first}");
    }
    world.end().await;
}

#[tokio::test]
async fn self_test_that_is_refused_is_an_error_of_the_call() {
    let mut world = World::new().await;
    let mut client = world.client.clone();
    let (followed, ()) = tokio::join!(within(follow(&mut client)), async {
        let (_, reply) = self_test(&mut world.commands).await;
        reply.send(cannot("it is being brought up; try again when it mines")).unwrap();
    });
    let refused = followed.unwrap_err();
    assert_eq!((refused.code, refused.reason.as_str()), (Code::FailedPrecondition, "BOARD_REFUSED"));
    world.end().await;
}

#[tokio::test]
async fn self_test_that_breaks_off_ends_with_the_cause_and_not_with_a_verdict() {
    let mut world = World::new().await;
    let mut client = world.client.clone();
    let (followed, ()) = tokio::join!(within(follow(&mut client)), async {
        let (steps, reply) = self_test(&mut world.commands).await;
        steps.send(Some(step("rails", SelfTestOutcome::Passed))).await.unwrap();
        reply.send(cannot("it was unplugged")).unwrap();
    });
    assert_eq!(followed.unwrap_err().reason, "BOARD_REFUSED");
    world.end().await;
}

#[tokio::test]
async fn self_test_whose_board_vanishes_has_not_passed() {
    let mut world = World::new().await;
    let mut client = world.client.clone();
    let (followed, ()) = tokio::join!(within(follow(&mut client)), async {
        let (steps, reply) = self_test(&mut world.commands).await;
        reply.send(Ok(())).unwrap();
        steps.send(Some(step("rails", SelfTestOutcome::Passed))).await.unwrap();
    });
    let broken = followed.unwrap_err();
    assert!(broken.message.contains("in the middle of the test"), "{broken:?}");
    world.end().await;
}

#[tokio::test]
async fn board_that_never_answers_does_not_hold_up_the_stop() {
    let mut world = World::new().await;
    let mut client = world.client.clone();
    let request = v1::ReinitializeRequest { board_id: "gamma-1".into() };
    let stop = world.stop.clone();
    let (answer, held) = tokio::join!(within(client.reinitialize(request)), async {
        let held = command(&mut world.commands).await;
        stop.cancel();
        held
    });
    assert_eq!(failure(answer).reason, "SHUTTING_DOWN");
    drop(held);
    world.end().await;
}
