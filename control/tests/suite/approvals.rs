//! Who may let a rollout happen: people with the permissions that its change takes, however it was planned.

use crate::{
    door::{Fleet, failure},
    host::Hosted,
    miner::FakeMiner,
    payouts::{appointment, bearer, bearer_by_owner, by, pools_of, shown},
    world::{Control, config, unbound},
};
use mujina_control::Config;
use mujina_proto::{
    control::v1::{
        self, access_service_client::AccessServiceClient, audit_service_client::AuditServiceClient, rollout_change,
        rollout_service_client::RolloutServiceClient, spec_service_client::SpecServiceClient,
    },
    convert::duration,
    home::Client,
};
use std::{path::Path, time::Duration};
use tonic::{
    Code,
    metadata::{Ascii, MetadataValue},
};

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

/// A fleet with rig1, which is connected, and what serves that.
async fn fleet_of_one(folder: &Path) -> (Fleet, Hosted) {
    let miner = FakeMiner::new(folder, "rig1");
    let serving = miner.serve().await;
    let fleet = Fleet::start_with(&[("rig1", &miner)]).await;
    fleet.control.until_connected("rig1").await;
    (fleet, serving)
}

async fn planned(rollouts: &mut RolloutServiceClient<Client>, plan: v1::PlanRolloutRequest) -> v1::Rollout {
    rollouts.plan_rollout(plan).await.unwrap().into_inner().rollout.unwrap()
}

#[tokio::test]
async fn operator_lets_no_change_happen_that_takes_more_than_an_operator_may() {
    let folder = tempfile::tempdir().unwrap();
    let (fleet, _serving) = fleet_of_one(folder.path()).await;
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

/// An admin whom another one makes, who has a token.
async fn bearer_by(client: &Client, admin: &MetadataValue<Ascii>, operator: &str, role: &str) -> MetadataValue<Ascii> {
    let (binding, token) = appointment(operator, role);
    let mut access = AccessServiceClient::new(client.clone());
    access.create_binding(by(admin, binding)).await.unwrap();
    shown(&access.create_operator_token(by(admin, token)).await.unwrap().into_inner())
}

/// What approves a plan.
fn approve(rollout: &v1::Rollout) -> v1::ApproveRolloutRequest {
    v1::ApproveRolloutRequest { rollout_id: rollout.rollout_id.clone(), request_id: String::new() }
}

#[tokio::test]
async fn rollout_that_takes_approvals_starts_when_two_others_gave_them() {
    let folder = tempfile::tempdir().unwrap();
    let (fleet, _serving) = fleet_of_one(folder.path()).await;
    let (admin, stranger) = (fleet.admin().await, fleet.dial(None).await);
    SpecServiceClient::new(admin.client.clone()).apply_spec(unbound("rig1")).await.unwrap();
    // What the planner makes for another is the planner's as well.
    let [bob, carol] = [bearer_by_owner(&fleet, "bob", "admin").await, bearer_by_owner(&fleet, "carol", "admin").await];
    let eve = bearer(&admin.client, "eve", "admin").await;
    let frank = bearer_by(&stranger.client, &bob, "frank", "admin").await;
    let dave = bearer(&admin.client, "dave", "operator").await;
    let mut planner = RolloutServiceClient::new(admin.client.clone());
    let mut others = RolloutServiceClient::new(stranger.client.clone());
    let many = failure(planner.plan_rollout(v1::PlanRolloutRequest { approvals: 6, ..plan("6") }).await);
    assert_eq!(many.problems.first().map(|problem| problem.field.as_str()), Some("approvals"), "{many:?}");
    let rollout = planned(&mut planner, v1::PlanRolloutRequest { approvals: 2, ..plan("2") }).await;
    assert_eq!((rollout.approvals_needed, rollout.approvals.len()), (2, 0));
    let next = planned(&mut planner, v1::PlanRolloutRequest { approvals: 1, ..plan("3") }).await;
    let start = v1::StartRolloutRequest { rollout_id: rollout.rollout_id.clone() };
    let early = failure(planner.start_rollout(start.clone()).await);
    assert_eq!((early.code, early.reason.as_str()), (Code::FailedPrecondition, "APPROVALS_MISSING"));
    let way_out = format!("lacks 2 of its 2 approvals; people other than {}", rollout.created_by);
    assert!(early.message.contains(&way_out) && early.message.contains("rollout approve"), "{}", early.message);
    let own = failure(planner.approve_rollout(approve(&rollout)).await);
    assert_eq!((own.code, own.reason.as_str()), (Code::PermissionDenied, "OWN_PLAN"));
    // Who may not make the change may not approve it.
    let denied = failure(others.approve_rollout(by(&dave, approve(&rollout))).await);
    assert_eq!(denied.code, Code::PermissionDenied, "{denied:?}");
    let first = v1::ApproveRolloutRequest { request_id: "a".into(), ..approve(&rollout) };
    for request in [first.clone(), first.clone(), approve(&rollout)] {
        let answer = others.approve_rollout(by(&bob, request)).await.unwrap().into_inner().rollout.unwrap();
        let who: Vec<_> = answer.approvals.iter().map(|one| (one.who.as_str(), one.at.is_some())).collect();
        assert_eq!(who, [("operator:bob", true)]);
    }
    // Nor may they approve whom the planner, or who approved before, could be.
    for (what, token) in [("the planner's", &eve), ("bob's", &frank)] {
        let refused = failure(others.approve_rollout(by(token, approve(&rollout))).await);
        assert_eq!((refused.code, refused.reason.as_str()), (Code::PermissionDenied, "MAYBE_ONE_PERSON"), "{what}");
    }
    let late = bearer_by_owner(&fleet, "grace", "admin").await;
    let refused = failure(others.approve_rollout(by(&late, approve(&rollout))).await);
    assert_eq!((refused.code, refused.reason.as_str()), (Code::FailedPrecondition, "APPROVER_TOO_NEW"), "{refused:?}");
    let early = failure(planner.start_rollout(start.clone()).await);
    assert!(early.message.contains("lacks 1 of its 2 approvals"), "{}", early.message);
    others.approve_rollout(by(&carol, approve(&rollout))).await.unwrap();
    planner.start_rollout(start).await.unwrap();
    // A repeat is answered, a late approval is not taken, and an id is for one request.
    others.approve_rollout(by(&bob, first.clone())).await.unwrap();
    let late = failure(others.approve_rollout(by(&bob, approve(&rollout))).await);
    assert_eq!(late.reason, "ROLLOUT_STATE", "{late:?}");
    let reused = v1::ApproveRolloutRequest { rollout_id: next.rollout_id, ..first };
    let reused = failure(others.approve_rollout(by(&bob, reused)).await);
    assert_eq!(reused.problems.first().map(|problem| problem.field.as_str()), Some("request_id"), "{reused:?}");
    let mut audit = AuditServiceClient::new(admin.client.clone());
    let records = audit.list_audit_records(v1::ListAuditRecordsRequest::default()).await.unwrap().into_inner().records;
    let of_dave = records.iter().find(|one| one.who.starts_with("operator:dave")).map(|one| one.outcome.as_str());
    assert_eq!(of_dave, Some("denied"), "what a method denies is denied: {records:#?}");
    let approved = records.iter().filter(|one| one.method.ends_with("ApproveRollout") && one.outcome == "done");
    let changes = approved.filter(|one| one.diff_json.contains("approvals")).count();
    assert_eq!(changes, 2, "{records:#?}");
}

#[tokio::test]
async fn control_plane_may_ask_for_more_approvals_than_a_plan() {
    let folder = tempfile::tempdir().unwrap();
    let miner = FakeMiner::new(folder.path(), "rig1");
    let _serving = miner.serve().await;
    let control = Control::start(Config { rollout_approvals: 1, ..config(folder.path(), &[("rig1", &miner)]) }).await;
    control.until_connected("rig1").await;
    control.apply(unbound("rig1")).await;
    let rollout = control.rollouts().plan_rollout(plan("1")).await.unwrap().into_inner().rollout.unwrap();
    assert_eq!(rollout.approvals_needed, 1);
    let start = v1::StartRolloutRequest { rollout_id: rollout.rollout_id.clone() };
    assert_eq!(failure(control.rollouts().start_rollout(start).await).reason, "APPROVALS_MISSING");
    control.stop().await;
}
