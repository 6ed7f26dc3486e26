//! Clients that do harm, by mistake or by design, and those beside them.

use crate::{
    door::{Dialling, Fleet, failure},
    host::Hosted,
    miner::FakeMiner,
    world::PATIENCE,
};
use futures_util::{FutureExt, StreamExt, future::join_all, stream::FuturesUnordered};
use mujina_proto::{
    control::v1::{
        self, access_service_client::AccessServiceClient, miner_registry_service_client::MinerRegistryServiceClient,
    },
    home::Attached,
};
use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::{io::AsyncWriteExt, time::timeout};
use tonic::Code;

/// For the answer to one call of somebody who does no harm.
const SOON: Duration = Duration::from_secs(10);
/// Calls that a connection takes at a time.
const MOST: usize = 256;

/// A client on a thread of its own that goes on until it is dropped.
struct Abuser {
    name: &'static str,
    rounds: Arc<AtomicUsize>,
    _hosted: Hosted,
}

impl Abuser {
    /// One that does this again and again, on a new connection when the one before was ended.
    fn start(name: &'static str, dialling: Dialling, round: impl AsyncFn(&Attached) + Send + 'static) -> Self {
        let rounds = Arc::new(AtomicUsize::new(0));
        let counted = rounds.clone();
        let hosted = Hosted::start(move || async move {
            loop {
                let connection = dialling.dial().await;
                while !connection.has_ended() {
                    round(&connection).await;
                    counted.fetch_add(1, Ordering::Relaxed);
                }
            }
        });
        Self { name, rounds, _hosted: hosted }
    }

    /// One that writes probes and never reads an answer: HTTP/2 by hand, because every client reads.
    fn deaf(dialling: Dialling) -> Self {
        let rounds = Arc::new(AtomicUsize::new(0));
        let counted = rounds.clone();
        let settings = [0, 0, 0, 4, 0, 0, 0, 0, 0];
        let ping = [0, 0, 8, 6, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8];
        let hosted = Hosted::start(move || async move {
            let mut stream = dialling.stream().await;
            stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await.unwrap();
            stream.write_all(&settings).await.unwrap();
            // In the end they are taken no more, or it is shown out.
            while stream.write_all(&ping.repeat(100)).await.is_ok() {
                counted.fetch_add(1, Ordering::Relaxed);
            }
        });
        Self { name: "deaf", rounds, _hosted: hosted }
    }

    fn rounds(&self) -> usize {
        self.rounds.load(Ordering::Relaxed)
    }
}

async fn floods(connection: &Attached) {
    let call = || async {
        let mut access = AccessServiceClient::new(connection.client.clone());
        // It may have been shown out.
        let _ = access.who_am_i(v1::WhoAmIRequest {}).await;
    };
    join_all((0..200).map(|_| call())).await;
}

async fn says_too_much(connection: &Attached) {
    let mut access = AccessServiceClient::new(connection.client.clone());
    let question = "x".repeat(5 << 20);
    let refused = failure(access.can_i(v1::CanIRequest { question, miner: String::new() }).await);
    assert_eq!(refused.code, Code::OutOfRange, "{refused:?}");
    assert!(refused.message.contains("message length too large"), "{refused:?}");
}

async fn resets(connection: &Attached) {
    for _ in 0..100 {
        let mut registry = MinerRegistryServiceClient::new(connection.client.clone());
        let mut call = Box::pin(registry.watch_miners(v1::WatchMinersRequest::default()));
        // It is sent, and taken back before an answer can come.
        assert!((&mut call).now_or_never().is_none_or(|answer| answer.is_err()));
        tokio::task::yield_now().await;
    }
}

async fn asks_and_goes(connection: &Attached) {
    let watch = || async {
        let mut registry = MinerRegistryServiceClient::new(connection.client.clone());
        registry.watch_miners(v1::WatchMinersRequest::default()).await.ok()
    };
    drop(join_all((0..MOST).map(|_| watch())).await);
}

#[tokio::test]
async fn client_that_does_all_the_harm_it_can_delays_neither_others_nor_miners() {
    let fleet = Fleet::start().await;
    let identities = [fleet.enrol("rig1").await, fleet.enrol("rig2").await];
    let miners = ["rig1", "rig2"].map(|name| FakeMiner::new(fleet.folder.path(), name));
    let _first = fleet.call_home(&miners[0], &identities[0]).await.unwrap();
    fleet.control.until_connected("rig1").await;
    let other = fleet.admin().await;
    let mut registry = MinerRegistryServiceClient::new(other.client.clone());

    let abusers = [
        Abuser::start("floods", fleet.operator(), floods),
        Abuser::start("says too much", fleet.operator(), says_too_much),
        Abuser::start("resets", fleet.operator(), resets),
        Abuser::start("asks and goes", fleet.operator(), asks_and_goes),
        Abuser::deaf(fleet.operator()),
    ];
    let calls = async {
        while abusers.iter().any(|abuser| abuser.rounds() < 10) {
            let call = registry.list_miners(v1::ListMinersRequest::default());
            timeout(SOON, call).await.expect("the others are answered").unwrap();
        }
    };
    timeout(PATIENCE, calls).await.unwrap_or_else(|_| {
        let rounds: Vec<_> = abusers.iter().map(|abuser| (abuser.name, abuser.rounds())).collect();
        panic!("{rounds:?}")
    });
    // One more comes home meanwhile, and the one before is heard.
    let home = async {
        let second = fleet.call_home(&miners[1], &identities[1]).await.unwrap();
        fleet.control.until_connected("rig2").await;
        second
    };
    let _second = timeout(SOON, home).await.expect("miners are let in");
    miners[0].change(|state| state.boot_id = "boot-2".into());
    let heard = |miner: &v1::Miner| miner.status.as_ref().is_some_and(|status| status.boot_id == "boot-2");
    timeout(SOON, fleet.control.until("rig1", "heard", heard)).await.expect("miners are heard");
    drop(abusers);
    timeout(SOON, registry.list_miners(v1::ListMinersRequest::default())).await.unwrap().unwrap();
}

#[tokio::test]
async fn connection_takes_so_many_calls_at_a_time_and_the_next_when_one_ends() {
    let fleet = Fleet::start().await;
    let (greedy, other) = (fleet.admin().await, fleet.admin().await);
    let watch = || async {
        let mut registry = MinerRegistryServiceClient::new(greedy.client.clone());
        registry.watch_miners(v1::WatchMinersRequest::default()).await.unwrap().into_inner()
    };
    let mut calls: FuturesUnordered<_> = (0..MOST + 10).map(|_| watch()).collect();
    let mut open = Vec::new();
    while open.len() < MOST {
        open.push(timeout(SOON, calls.next()).await.expect("there is room").unwrap());
    }
    let mut registry = MinerRegistryServiceClient::new(other.client.clone());
    for _ in 0..50 {
        timeout(SOON, registry.list_miners(v1::ListMinersRequest::default())).await.unwrap().unwrap();
        assert!(calls.next().now_or_never().is_none(), "more than {MOST}");
    }
    open.pop();
    open.push(timeout(SOON, calls.next()).await.expect("one ended").unwrap());
    drop(open);
}
