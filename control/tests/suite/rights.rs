//! What operators with tokens may see and do, and that it ends when they may no longer.

use crate::{
    door::{Fleet, failure},
    miner::FakeMiner,
    world::PATIENCE,
};
use mujina_control::relay::MINER;
use mujina_proto::{
    control::v1::{
        self, access_service_client::AccessServiceClient, miner_registry_service_client::MinerRegistryServiceClient,
    },
    dataplane::v1::{
        self as wire, miner_service_client::MinerServiceClient, pool_service_client::PoolServiceClient,
        test_pool_request::Target,
    },
    dial::Client,
    failure::Failure,
    types::v1::PoolSpec,
};
use tokio::time::timeout;
use tonic::{Code, Request, Streaming};

type Access = AccessServiceClient<Client>;

/// An operator with one binding and one token.
struct Operator {
    binding_id: String,
    token_id: String,
    text: String,
}

impl Operator {
    async fn new(access: &mut Access, name: &str, role: &str) -> Self {
        let binding = v1::Binding { subject: format!("operator:{name}"), role: role.into(), ..Default::default() };
        let bound = access.create_binding(v1::CreateBindingRequest { binding: Some(binding) }).await.unwrap();
        let asked = v1::CreateOperatorTokenRequest { operator: name.into(), label: String::new(), ttl: None };
        let made = access.create_operator_token(asked).await.unwrap().into_inner();
        let binding_id = bound.into_inner().binding.unwrap().binding_id;
        Self { binding_id, token_id: made.token.unwrap().token_id, text: made.text }
    }

    fn asks<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        request.metadata_mut().insert("authorization", format!("Bearer {}", self.text).parse().unwrap());
        request
    }

    /// The same of one miner.
    fn asks_rig1<T>(&self, message: T) -> Request<T> {
        let mut request = self.asks(message);
        request.metadata_mut().insert(MINER, "rig1".parse().unwrap());
        request
    }
}

/// Why a stream ends.
async fn end_of<T>(stream: &mut Streaming<T>) -> Failure {
    let wait = async {
        loop {
            match stream.message().await {
                Ok(Some(_)) => {}
                Ok(None) => panic!("it ended without a word"),
                Err(status) => return Failure::from(&status),
            }
        }
    };
    timeout(PATIENCE, wait).await.expect("the stream ends")
}

#[tokio::test]
async fn open_streams_end_with_the_token_or_the_binding_of_their_reader_and_those_of_others_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let miner = FakeMiner::new(folder.path(), "rig1");
    let serving = miner.serve().await;
    let fleet = Fleet::start_with(&[("rig1", &miner)]).await;
    fleet.control.until_connected("rig1").await;
    let mut access = AccessServiceClient::new(fleet.control.client.clone());
    let revoked = Operator::new(&mut access, "ann", "viewer").await;
    let unbound = Operator::new(&mut access, "bob", "viewer").await;
    let other = Operator::new(&mut access, "eve", "viewer").await;
    let network = fleet.dial(None).await;
    let watch = async |by: &Operator| {
        let mut registry = MinerRegistryServiceClient::new(network.client.clone());
        let mut stream = registry.watch_miners(by.asks(v1::WatchMinersRequest::default())).await.unwrap().into_inner();
        timeout(PATIENCE, stream.message()).await.unwrap().unwrap().expect("what there is");
        stream
    };
    let (mut first, mut second, mut third) = (watch(&revoked).await, watch(&unbound).await, watch(&other).await);
    let mut miners = MinerServiceClient::new(network.client.clone());
    let relayed = miners.watch_miner(revoked.asks_rig1(wire::WatchMinerRequest::default())).await;
    let mut relayed = relayed.unwrap().into_inner();

    let token_id = revoked.token_id.clone();
    access.revoke_operator_token(v1::RevokeOperatorTokenRequest { token_id }).await.unwrap();
    let binding_id = unbound.binding_id.clone();
    access.delete_binding(v1::DeleteBindingRequest { binding_id }).await.unwrap();
    for ended in [end_of(&mut first).await, end_of(&mut relayed).await] {
        assert_eq!((ended.code, ended.reason.as_str()), (Code::Unauthenticated, "UNAUTHENTICATED"));
    }
    let ended = end_of(&mut second).await;
    assert_eq!((ended.code, ended.reason.as_str()), (Code::PermissionDenied, "PERMISSION_DENIED"));

    // News still come to the third.
    drop(serving);
    let news = async {
        while let Some(news) = third.message().await.unwrap() {
            let is_away = |miner: &v1::Miner| miner.reachability() != v1::MinerReachability::Connected;
            if news.miners.iter().any(is_away) {
                return;
            }
        }
        panic!("it ended");
    };
    timeout(PATIENCE, news).await.unwrap();
    let binding = v1::Binding { subject: "operator:eve".into(), role: "auditor".into(), ..Default::default() };
    access.create_binding(v1::CreateBindingRequest { binding: Some(binding) }).await.unwrap();
    let ended = end_of(&mut third).await;
    assert_eq!((ended.code, ended.reason.as_str()), (Code::Unavailable, "ACCESS_CHANGED"));
}

#[tokio::test]
async fn test_of_any_pool_takes_more_than_one_of_a_pool_of_the_spec() {
    let folder = tempfile::tempdir().unwrap();
    let miner = FakeMiner::new(folder.path(), "rig1");
    let _serving = miner.serve().await;
    let fleet = Fleet::start_with(&[("rig1", &miner)]).await;
    fleet.control.until_connected("rig1").await;
    let mut access = AccessServiceClient::new(fleet.control.client.clone());
    let operator = Operator::new(&mut access, "ann", "operator").await;
    let energy = Operator::new(&mut access, "bob", "energy").await;
    let network = fleet.dial(None).await;
    let mut pools = PoolServiceClient::new(network.client.clone());
    let of = |target| wire::TestPoolRequest { target: Some(target) };
    let any = || Target::Spec(PoolSpec { url: "stratum+tcp://pool.example".into(), ..Default::default() });
    let refused = failure(pools.test_pool(operator.asks_rig1(of(any()))).await);
    assert_eq!((refused.code, refused.reason.as_str()), (Code::PermissionDenied, "PERMISSION_DENIED"));
    // The miner is asked, and knows no such pool.
    let asked = failure(pools.test_pool(operator.asks_rig1(of(Target::Pool("nope".into())))).await);
    assert_eq!(asked.reason, "POOL_NOT_FOUND");
    let refused = failure(pools.test_pool(energy.asks_rig1(of(Target::Pool("main".into())))).await);
    assert_eq!(refused.code, Code::PermissionDenied);
    let mut confirm = MinerServiceClient::new(network.client.clone());
    let refused = failure(confirm.confirm_spec(energy.asks_rig1(wire::ConfirmSpecRequest { generation: 1 })).await);
    assert_eq!((refused.code, refused.reason.as_str()), (Code::FailedPrecondition, "USE_DESIRED_STATE"));
}
