//! Who may let a rollout happen: people with the permissions that its change takes, however it was planned.

use crate::{
    door::{Fleet, failure},
    miner::FakeMiner,
    payouts::{bearer, by, pools_of},
    world::unbound,
};
use mujina_proto::{
    control::v1::{
        self, rollout_change, rollout_service_client::RolloutServiceClient, spec_service_client::SpecServiceClient,
    },
    convert::duration,
    home::Client,
};
use std::time::Duration;
use tonic::Code;

/// All miners to the account of `bob`; its first wave is watched for a day.
fn plan(request_id: &str) -> v1::PlanRolloutRequest {
    v1::PlanRolloutRequest {
        change: Some(v1::RolloutChange {
            change: Some(rollout_change::Change::Spec(pools_of("bob"))),
            selection: Some(v1::MinerSelection { all: true, ..v1::MinerSelection::default() }),
        }),
        strategy: Some(v1::RolloutStrategy {
            soak: Some(duration(Duration::from_secs(24 * 60 * 60))),
            gates: Some(v1::RolloutGates { skip_first_share: true, ..v1::RolloutGates::default() }),
            ..v1::RolloutStrategy::default()
        }),
        request_id: request_id.into(),
        ..v1::PlanRolloutRequest::default()
    }
}

async fn planned(rollouts: &mut RolloutServiceClient<Client>, plan: v1::PlanRolloutRequest) -> v1::Rollout {
    rollouts.plan_rollout(plan).await.unwrap().into_inner().rollout.unwrap()
}

#[tokio::test]
async fn operator_lets_no_change_happen_that_takes_more_than_an_operator_may() {
    let folder = tempfile::tempdir().unwrap();
    let miner = FakeMiner::new(folder.path(), "rig1");
    let _serving = miner.serve().await;
    let fleet = Fleet::start_with(&[("rig1", &miner)]).await;
    fleet.control.until_connected("rig1").await;
    let (admin, stranger) = (fleet.admin().await, fleet.dial(None).await);
    SpecServiceClient::new(admin.client.clone()).apply_spec(unbound("rig1")).await.unwrap();
    let carol = bearer(&admin.client, "carol", "operator").await;
    let mut admins = RolloutServiceClient::new(admin.client.clone());
    let mut operators = RolloutServiceClient::new(stranger.client.clone());
    // While there is no allow-list, pools are for admins.
    let rollout_id = planned(&mut admins, plan("1")).await.rollout_id;
    let start = v1::StartRolloutRequest { rollout_id: rollout_id.clone() };
    let refused = failure(operators.start_rollout(by(&carol, start.clone())).await);
    assert_eq!(refused.code, Code::PermissionDenied, "{refused:?}");
    assert!(refused.message.contains("any-pool"), "{}", refused.message);
    admins.start_rollout(start).await.unwrap();
    // To stop is never refused to who may steer.
    let pause = v1::PauseRolloutRequest { rollout_id: rollout_id.clone(), reason: String::new() };
    operators.pause_rollout(by(&carol, pause)).await.unwrap();
    for accept_wave in [false, true] {
        let resume = v1::ResumeRolloutRequest { rollout_id: rollout_id.clone(), accept_wave };
        let refused = failure(operators.resume_rollout(by(&carol, resume)).await);
        assert_eq!(refused.code, Code::PermissionDenied, "{refused:?}");
    }
    let back = v1::RollBackRolloutRequest { rollout_id: rollout_id.clone(), reason: String::new() };
    let refused = failure(operators.roll_back_rollout(by(&carol, back.clone())).await);
    assert_eq!(refused.code, Code::PermissionDenied, "{refused:?}");
    admins.resume_rollout(v1::ResumeRolloutRequest { rollout_id, accept_wave: false }).await.unwrap();
    admins.roll_back_rollout(back).await.unwrap();
}
