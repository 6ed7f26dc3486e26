//! Readers that do not read: what they are not told costs nothing, and nobody waits for them.

use crate::{
    door::Fleet,
    miner::{FLOOD_BYTES, FakeMiner},
    process::{Process, connected, program},
    world::{Control, PATIENCE},
};
use mujina_control::relay::MINER;
use mujina_proto::{
    control::v1::{
        self, event_service_client::EventServiceClient, miner_registry_service_client::MinerRegistryServiceClient,
    },
    dataplane::v1::{
        GetMinerRequest, UnpinPoolRequest, WatchSharesRequest, miner_service_client::MinerServiceClient,
        pool_service_client::PoolServiceClient, share_service_client::ShareServiceClient,
    },
    failure::Failure,
    home::{self, Attached},
};
use std::{path::Path, time::Duration};
use tokio::{net::UnixStream, time::timeout};
use tonic::{Code, Streaming};

/// For an answer that needs no waiting, on a machine that does other things.
const SOON: Duration = Duration::from_secs(10);
const CONNECTIONS: usize = 25;
/// Watches on each of them.
const EACH: usize = 40;
/// What a change of a miner adds to every message about it.
const LONG: usize = 8 << 10;

/// Watches that are open, and whose messages nobody takes.
struct Unread {
    _connection: Attached,
    miners: Vec<Streaming<v1::WatchMinersResponse>>,
    events: Vec<Streaming<v1::WatchEventsResponse>>,
}

impl Unread {
    async fn open(connection: Attached) -> Self {
        let (mut miners, mut events) = (Vec::new(), Vec::new());
        for _ in 0..EACH / 2 {
            let mut registry = MinerRegistryServiceClient::new(connection.client.clone());
            miners.push(registry.watch_miners(v1::WatchMinersRequest::default()).await.unwrap().into_inner());
            let mut client = EventServiceClient::new(connection.client.clone());
            events.push(client.watch_events(v1::WatchEventsRequest::default()).await.unwrap().into_inner());
        }
        Self { _connection: connection, miners, events }
    }

    fn watches(&self) -> usize {
        self.miners.len() + self.events.len()
    }
}

/// Another client, which reads.
struct Reader {
    registry: MinerRegistryServiceClient<home::Client>,
    news: Streaming<v1::WatchMinersResponse>,
    _connection: Attached,
}

impl Reader {
    async fn open(connection: Attached) -> Self {
        let mut registry = MinerRegistryServiceClient::new(connection.client.clone());
        let news = registry.watch_miners(v1::WatchMinersRequest::default()).await.unwrap().into_inner();
        Self { registry, news, _connection: connection }
    }

    /// A miner changes, is seen to have, and a call is answered.
    async fn sees_change(&mut self, miner: &FakeMiner, round: usize) {
        let boot_id = format!("{round} {}", "x".repeat(LONG));
        miner.change(|state| state.boot_id.clone_from(&boot_id));
        let seen = async {
            loop {
                let news = self.news.message().await.unwrap().expect("the watch goes on");
                let is_new = |one: &v1::Miner| one.status.as_ref().is_some_and(|status| status.boot_id == boot_id);
                if news.miners.iter().any(is_new) {
                    return;
                }
            }
        };
        timeout(SOON, seen).await.unwrap_or_else(|_| panic!("change {round} is not told"));
        let call = self.registry.list_miners(v1::ListMinersRequest::default());
        timeout(SOON, call).await.unwrap_or_else(|_| panic!("call {round} is not answered")).unwrap();
    }
}

async fn until_tasks(control: &Control, what: &str, holds: impl Fn(usize) -> bool) {
    let wait = async {
        while !holds(control.tasks()) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(PATIENCE, wait).await.unwrap_or_else(|_| panic!("{what}: {} tasks", control.tasks()));
}

#[tokio::test]
async fn thousand_watchers_that_never_read_hold_nobody_up_and_end_with_their_connections() {
    let fleet = Fleet::start().await;
    let identity = fleet.enrol("rig1").await;
    let miner = FakeMiner::new(fleet.folder.path(), "rig1");
    let _served = fleet.call_home(&miner, &identity).await.unwrap();
    fleet.control.until_connected("rig1").await;
    let mut reader = Reader::open(fleet.admin().await).await;
    let before = fleet.control.tasks();
    let mut unread = Vec::new();
    for _ in 0..CONNECTIONS {
        unread.push(Unread::open(fleet.admin().await).await);
    }
    let watches = unread.iter().map(Unread::watches).sum();
    assert_eq!(watches, 1000);
    until_tasks(&fleet.control, "a task for each watch", |tasks| tasks >= watches).await;
    for round in 0..10 {
        reader.sees_change(&miner, round).await;
    }
    drop(unread);
    until_tasks(&fleet.control, "none is left", |tasks| tasks < before + EACH).await;
    reader.sees_change(&miner, 10).await;
}

/// Memory of a process that is in use, in bytes.
#[cfg(target_os = "linux")]
fn resident(process: &Process) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{}/status", process.0.id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() << 10
}

async fn attached(folder: &Path) -> Attached {
    home::attach(UnixStream::connect(folder.join("control.sock")).await.unwrap()).await.unwrap()
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn watchers_that_never_read_hold_no_more_memory_whatever_happens() {
    let folder = tempfile::tempdir().unwrap();
    let miner = FakeMiner::new(folder.path(), "api");
    let _serving = miner.serve().await;
    let process = Process(program(folder.path()).spawn().unwrap());
    connected(folder.path()).await;
    let mut reader = Reader::open(attached(folder.path()).await).await;
    reader.sees_change(&miner, 0).await;
    let mut unread = Vec::new();
    for _ in 0..CONNECTIONS {
        unread.push(Unread::open(attached(folder.path()).await).await);
    }
    // Till what the other ends take unread is full, which is 64 KiB for each watch.
    for round in 1..12 {
        reader.sees_change(&miner, round).await;
    }
    let before = resident(&process);
    for round in 12..27 {
        reader.sees_change(&miner, round).await;
    }
    let grown = resident(&process).saturating_sub(before);
    // Each has one message at most that is made and not taken; kept for them all, the changes would be fifteen a watch.
    assert!(grown < CONNECTIONS * EACH / 2 * 3 * LONG, "{grown} bytes more");
    drop(unread);
}

fn to<T>(miner: &str, message: T) -> tonic::Request<T> {
    let mut request = tonic::Request::new(message);
    request.metadata_mut().insert(MINER, miner.parse().unwrap());
    request
}

/// Many follow a miner, and read nothing of its shares, which never end.
async fn follow_and_never_read(fleet: &Fleet, name: &str, miner: &FakeMiner) {
    const READERS: usize = 8;
    miner.change(|state| state.floods = true);
    fleet.control.until_connected(name).await;
    let mut unread = Vec::new();
    for _ in 0..READERS {
        let connection = fleet.admin().await;
        let mut shares = ShareServiceClient::new(connection.client.clone());
        let watch = shares.watch_shares(to(name, WatchSharesRequest::default()));
        unread.push((timeout(SOON, watch).await.expect("it begins").unwrap().into_inner(), connection));
    }
    // Till what is taken unread is full on both ways: to here, and from the miner.
    miner.until("each is full", |state| state.flooded * FLOOD_BYTES >= READERS * (128 << 10)).await;
    let other = fleet.admin().await;
    let mut client = MinerServiceClient::new(other.client.clone());
    for call in 0..100 {
        let answer = timeout(SOON, client.get_miner(to(name, GetMinerRequest {}))).await;
        answer.unwrap_or_else(|_| panic!("call {call} is not answered")).unwrap();
    }
    // Nor are our own: what the miner says of itself is still heard.
    Reader::open(fleet.admin().await).await.sees_change(miner, 0).await;
    let made = miner.state().flooded;
    assert!(made * FLOOD_BYTES < READERS << 20, "{made} messages were made for {READERS} that read none");
    // Whoever reads after all is told of all of it, and of more.
    let (stream, _) = unread.first_mut().unwrap();
    for _ in 0..=made {
        timeout(SOON, stream.message()).await.expect("it goes on").unwrap().unwrap();
    }
}

#[tokio::test]
async fn answers_of_a_miner_that_nobody_reads_stay_with_it_and_hold_no_other_call_up() {
    let fleet = Fleet::start().await;
    let identity = fleet.enrol("rig1").await;
    let miner = FakeMiner::new(fleet.folder.path(), "rig1");
    let _served = fleet.call_home(&miner, &identity).await.unwrap();
    follow_and_never_read(&fleet, "rig1", &miner).await;
}

#[tokio::test]
async fn answers_of_a_miner_that_is_dialled_hold_no_other_call_up_either() {
    let folder = tempfile::tempdir().unwrap();
    let miner = FakeMiner::new(folder.path(), "rig1");
    let _serving = miner.serve().await;
    let fleet = Fleet::start_with(&[("rig1", &miner)]).await;
    follow_and_never_read(&fleet, "rig1", &miner).await;
}

#[tokio::test]
async fn calls_that_are_handed_on_to_a_miner_leave_room_for_our_own() {
    let fleet = Fleet::start().await;
    let identity = fleet.enrol("rig1").await;
    let miner = FakeMiner::new(fleet.folder.path(), "rig1");
    miner.change(|state| state.floods = true);
    let _served = fleet.call_home(&miner, &identity).await.unwrap();
    fleet.control.until_connected("rig1").await;
    let (mut open, mut refused) = (Vec::new(), Vec::new());
    for _ in 0..3 {
        let connection = fleet.admin().await;
        for _ in 0..100 {
            let mut shares = ShareServiceClient::new(connection.client.clone());
            let call = shares.watch_shares(to("rig1", WatchSharesRequest::default()));
            match timeout(SOON, call).await.expect("it is answered") {
                Ok(answer) => open.push((answer.into_inner(), connection.clone())),
                Err(status) => refused.push(Failure::from(&status)),
            }
        }
    }
    assert_eq!((open.len(), refused.len()), (32, 268), "of one person");
    let Some(failure) = refused.first() else { panic!("all were handed on") };
    assert_eq!((failure.code, failure.reason.as_str()), (Code::ResourceExhausted, "TOO_MANY_CALLS"));
    Reader::open(fleet.admin().await).await.sees_change(&miner, 0).await;
    // Who looks leaves room to those that change something.
    let operator = fleet.admin().await;
    let mut pools = PoolServiceClient::new(operator.client.clone());
    let unpin = pools.unpin_pool(to("rig1", UnpinPoolRequest::default()));
    timeout(SOON, unpin).await.expect("it is answered").unwrap();
    // One that ends makes room for the next.
    open.pop();
    let other = fleet.admin().await;
    let mut client = MinerServiceClient::new(other.client.clone());
    let again = async { while client.get_miner(to("rig1", GetMinerRequest {})).await.is_err() {} };
    timeout(SOON, again).await.expect("there is room");
}
