//! The payout guard, from two admins to the miners.

use crate::{
    door::{Fleet, failure},
    miner::FakeMiner,
    world::{URL, spec, unbound},
};
use mujina_proto::{
    control::v1::{
        self, access_service_client::AccessServiceClient, audit_service_client::AuditServiceClient,
        enrollment_service_client::EnrollmentServiceClient, profile_service_client::ProfileServiceClient,
        rollout_change, rollout_service_client::RolloutServiceClient, spec_service_client::SpecServiceClient,
    },
    failure::Failure,
    home::Client,
    tls::{Identity, NewKey},
};
use tonic::{
    Code, Request,
    metadata::{Ascii, MetadataValue},
};

const OTHER_URL: &str = "stratum2+tcp://else.example/9auqWEzQDVyd2oe1JVGFLMLHZtCo2FFqZwtKA5gd9xbuEu7PH72";

/// The list: the pool of `spec` with its account and that account's workers.
fn list(user: &str) -> v1::ProposePayoutChangeRequest {
    let entry = v1::PayoutEntry { url: URL.into(), user: user.into(), tls_pins: Vec::new() };
    v1::ProposePayoutChangeRequest { entries: vec![entry], turn_off: false }
}

/// The pools of `spec` with another account, as part of a spec.
pub(crate) fn pools_of(user: &str) -> v1::SpecFragment {
    let mut groups = spec(None).pool_groups;
    groups.iter_mut().flat_map(|group| &mut group.pools).for_each(|pool| pool.user = user.into());
    v1::SpecFragment { pool_groups: Some(v1::PoolGroupList { groups }), ..v1::SpecFragment::default() }
}

fn assert_refused(refused: &Failure, field: &str, says: &str) {
    assert_eq!((refused.code, refused.reason.as_str()), (Code::FailedPrecondition, "PAYOUT_NOT_ALLOWED"));
    let [problem] = refused.problems.as_slice() else { panic!("{refused:?}") };
    assert_eq!(problem.field, field);
    assert!(problem.reason.contains(says), "{}", problem.reason);
}

/// Somebody with a token of an operator, bound to a role, by an admin.
pub(crate) async fn bearer(admin: &Client, operator: &str, role: &str) -> MetadataValue<Ascii> {
    let (binding, token) = appointment(operator, role);
    let mut access = AccessServiceClient::new(admin.clone());
    access.create_binding(binding).await.unwrap();
    shown(&access.create_operator_token(token).await.unwrap().into_inner())
}

/// The same by an owner of the machine.
pub(crate) async fn bearer_by_owner(fleet: &Fleet, operator: &str, role: &str) -> MetadataValue<Ascii> {
    let (binding, token) = appointment(operator, role);
    let mut access = AccessServiceClient::new(fleet.control.client.clone());
    access.create_binding(binding).await.unwrap();
    shown(&access.create_operator_token(token).await.unwrap().into_inner())
}

pub(crate) fn appointment(operator: &str, role: &str) -> (v1::CreateBindingRequest, v1::CreateOperatorTokenRequest) {
    let binding = v1::Binding { subject: format!("operator:{operator}"), role: role.into(), ..v1::Binding::default() };
    let token = v1::CreateOperatorTokenRequest { operator: operator.into(), ..Default::default() };
    (v1::CreateBindingRequest { binding: Some(binding) }, token)
}

pub(crate) fn shown(made: &v1::CreateOperatorTokenResponse) -> MetadataValue<Ascii> {
    format!("Bearer {}", made.text).parse().unwrap()
}

pub(crate) fn by<T>(bearer: &MetadataValue<Ascii>, message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.metadata_mut().insert("authorization", bearer.clone());
    request
}

#[tokio::test]
async fn spec_outside_the_list_is_refused_with_the_field_whoever_writes_it_and_however() {
    let folder = tempfile::tempdir().unwrap();
    let miner = FakeMiner::new(folder.path(), "rig1");
    let _serving = miner.serve().await;
    let fleet = Fleet::start_with(&[("rig1", &miner)]).await;
    fleet.control.until_connected("rig1").await;
    let admin = fleet.admin().await;
    let client = admin.client.clone();
    // The first list only forbids, and takes one admin.
    let mut access = AccessServiceClient::new(client.clone());
    let set_up = access.propose_payout_change(list("alice.*")).await.unwrap().into_inner();
    assert_eq!(set_up.proposal, None);
    let mut specs = SpecServiceClient::new(client.clone());
    specs.apply_spec(unbound("rig1")).await.unwrap();
    miner.until("the listed pool", |state| !state.spec.pool_groups.is_empty()).await;
    let mut worker = unbound("rig1");
    worker.spec.as_mut().unwrap().pool_groups[0].pools[0].user = "alice.rig1".into();
    specs.apply_spec(worker).await.unwrap();
    miner.until("its worker", |state| state.spec.pool_groups[0].pools[0].user == "alice.rig1").await;

    let field = |name: &str| format!("pool_groups[main].pools[main].{name}");
    let mut thief = unbound("rig1");
    thief.spec.as_mut().unwrap().pool_groups[0].pools[0].user = "mallory".into();
    let refused = failure(specs.apply_spec(thief.clone()).await);
    assert_refused(&refused, &format!("spec.{}", field("user")), "`mallory` is not an account");
    let dry = v1::ApplySpecRequest { validate_only: true, ..thief };
    assert_refused(&failure(specs.apply_spec(dry).await), &format!("spec.{}", field("user")), "mallory");
    let mut elsewhere = unbound("rig1");
    elsewhere.spec.as_mut().unwrap().pool_groups[0].pools[0].url = OTHER_URL.into();
    let refused = failure(specs.apply_spec(elsewhere).await);
    assert_refused(&refused, &format!("spec.{}", field("url")), "is not a pool of the payout allow-list");

    // The same by a profile and by a rollout.
    let profile = v1::Profile { name: "pools".into(), spec: Some(pools_of("mallory")), ..v1::Profile::default() };
    let applied = v1::ApplyProfileRequest { profile: Some(profile.clone()), ..Default::default() };
    let refused = failure(ProfileServiceClient::new(client.clone()).apply_profile(applied).await);
    assert_refused(&refused, &format!("profile.spec.{}", field("user")), "mallory");
    let selection = Some(v1::MinerSelection { all: true, ..Default::default() });
    let change = |change, selection| v1::PlanRolloutRequest {
        change: Some(v1::RolloutChange { change: Some(change), selection }),
        request_id: "plan".into(),
        ..Default::default()
    };
    let mut rollouts = RolloutServiceClient::new(client.clone());
    let of_specs = change(rollout_change::Change::Spec(pools_of("mallory")), selection);
    let refused = failure(rollouts.plan_rollout(of_specs).await);
    assert_eq!(
        (refused.code, refused.reason.as_str()),
        (Code::FailedPrecondition, "PAYOUT_NOT_ALLOWED"),
        "{refused:?}"
    );
    let of_profile = change(rollout_change::Change::Profile(profile), None);
    let refused = failure(rollouts.plan_rollout(of_profile).await);
    assert_eq!(
        (refused.code, refused.reason.as_str()),
        (Code::FailedPrecondition, "PAYOUT_NOT_ALLOWED"),
        "{refused:?}"
    );
    // Whoever has the machine is no exception.
    let mut local = unbound("rig1");
    local.spec.as_mut().unwrap().pool_groups[0].pools[0].user = "mallory".into();
    let refused = failure(fleet.control.specs().apply_spec(local).await);
    assert_refused(&refused, &format!("spec.{}", field("user")), "mallory");
    let applied = miner.state().applied.clone();
    let mut told = applied.iter().flat_map(|one| &one.spec.as_ref().unwrap().pool_groups[0].pools);
    assert!(told.all(|pool| pool.user.starts_with("alice")), "a refused spec reached the miner");
    // Each refusal stands in the log with its reason.
    let mut audit = AuditServiceClient::new(client);
    let records = audit.list_audit_records(v1::ListAuditRecordsRequest::default()).await.unwrap().into_inner().records;
    let refused = records.iter().filter(|record| record.method.ends_with("SpecService/ApplySpec"));
    let refused: Vec<_> = refused.filter(|record| record.outcome == "failed").map(|one| one.detail.as_str()).collect();
    for reason in [format!("{}: `mallory`", field("user")), format!("{}: else.example", field("url"))] {
        assert!(refused.iter().any(|detail| detail.contains(&reason)), "{reason}: {refused:#?}");
    }
}

#[tokio::test]
async fn list_that_is_set_up_is_changed_and_ended_by_two_admins_alone() {
    let fleet = Fleet::start().await;
    let admin = fleet.admin().await;
    // What one admin makes for another is the first one's as well.
    let second = bearer_by_owner(&fleet, "bob", "admin").await;
    let operator = bearer(&admin.client, "carol", "operator").await;
    let mut first = AccessServiceClient::new(admin.client.clone());
    let stranger = fleet.dial(None).await;
    let mut others = AccessServiceClient::new(stranger.client.clone());
    assert_eq!(failure(others.propose_payout_change(by(&operator, list("alice"))).await).code, Code::PermissionDenied);
    let set_up = first.propose_payout_change(list("alice")).await.unwrap().into_inner();
    assert_eq!(set_up.proposal, None);
    let guard = async |access: &mut AccessServiceClient<Client>| {
        let guard = access.get_payout_guard(v1::GetPayoutGuardRequest {}).await.unwrap().into_inner();
        let users: Vec<_> = guard.entries.iter().map(|entry| entry.user.clone()).collect();
        (guard.enabled, users, guard.version)
    };
    assert_eq!(guard(&mut first).await, (true, vec!["alice".to_owned()], 1));

    let decide = |proposal: &v1::PayoutProposal, approve| v1::DecidePayoutChangeRequest {
        proposal_id: proposal.proposal_id.clone(),
        approve,
    };
    let proposed = first.propose_payout_change(list("mallory")).await.unwrap().into_inner().proposal.unwrap();
    let own = failure(first.decide_payout_change(decide(&proposed, true)).await);
    assert_eq!(own.code, Code::PermissionDenied);
    assert!(own.message.contains("another admin must approve it"), "{}", own.message);
    let denied = failure(others.decide_payout_change(by(&operator, decide(&proposed, true))).await);
    assert_eq!(denied.code, Code::PermissionDenied);
    assert_eq!(guard(&mut first).await, (true, vec!["alice".to_owned()], 1));
    // Turned down, it is gone.
    others.decide_payout_change(by(&second, decide(&proposed, false))).await.unwrap();
    let gone = failure(others.decide_payout_change(by(&second, decide(&proposed, true))).await);
    assert_eq!(gone.code, Code::NotFound);

    let wanted = first.propose_payout_change(list("alice.*")).await.unwrap().into_inner().proposal.unwrap();
    let end = v1::ProposePayoutChangeRequest { entries: Vec::new(), turn_off: true };
    let end = others.propose_payout_change(by(&second, end)).await.unwrap().into_inner().proposal.unwrap();
    others.decide_payout_change(by(&second, decide(&wanted, true))).await.unwrap();
    assert_eq!(guard(&mut first).await, (true, vec!["alice.*".to_owned()], 2));
    // What was proposed for the list before does not count for the new one.
    let stale = failure(first.decide_payout_change(decide(&end, true)).await);
    assert_eq!(stale.code, Code::FailedPrecondition, "{stale:?}");
    assert_eq!(guard(&mut first).await, (true, vec!["alice.*".to_owned()], 2));
}

/// A certificate for bob, asked for by `request`, with a key of whoever asks.
async fn certificate_of_bob(
    fleet: &Fleet,
    client: &Client,
    asked_by: impl FnOnce(v1::IssueOperatorCertificateRequest) -> Request<v1::IssueOperatorCertificateRequest>,
) -> Identity {
    let key = NewKey::generate().unwrap();
    let certificate_request = key.request("bob").unwrap();
    let asked = asked_by(v1::IssueOperatorCertificateRequest { operator: "bob".into(), certificate_request });
    let issued = EnrollmentServiceClient::new(client.clone()).issue_operator_certificate(asked).await.unwrap();
    key.into_identity(&issued.into_inner().certificate_chain, &fleet.roots).unwrap()
}

#[tokio::test]
async fn admin_alone_changes_the_list_by_no_credential_and_no_admin_that_it_makes() {
    let fleet = Fleet::start().await;
    let (admin, stranger) = (fleet.admin().await, fleet.dial(None).await);
    let bob = bearer_by_owner(&fleet, "bob", "admin").await;
    let (mut first, mut others) =
        (AccessServiceClient::new(admin.client.clone()), AccessServiceClient::new(stranger.client.clone()));
    first.propose_payout_change(list("alice")).await.unwrap();

    let early = bearer(&admin.client, "bob", "admin").await;
    let by_token = certificate_of_bob(&fleet, &stranger.client, |asked| by(&early, asked)).await;
    let signed = certificate_of_bob(&fleet, &admin.client, Request::new).await;
    let eve = bearer(&admin.client, "eve", "admin").await;
    let wanted = first.propose_payout_change(list("mallory")).await.unwrap().into_inner().proposal.unwrap();
    let late = bearer(&admin.client, "bob", "admin").await;
    let approve = |proposal: &v1::PayoutProposal| v1::DecidePayoutChangeRequest {
        proposal_id: proposal.proposal_id.clone(),
        approve: true,
    };
    for (what, token) in [("early", &early), ("eve", &eve)] {
        let refused = failure(others.decide_payout_change(by(token, approve(&wanted))).await);
        assert_eq!((refused.code, refused.reason.as_str()), (Code::PermissionDenied, "MAYBE_ONE_PERSON"), "{what}");
    }
    let refused = failure(others.decide_payout_change(by(&late, approve(&wanted))).await);
    assert!(refused.message.contains("newer") || refused.message.contains("one person"), "{refused:?}");
    for identity in [by_token, signed] {
        let dialled = fleet.dial(Some(&identity)).await;
        let mut access = AccessServiceClient::new(dialled.client.clone());
        let refused = failure(access.decide_payout_change(approve(&wanted)).await);
        assert_eq!((refused.code, refused.reason.as_str()), (Code::PermissionDenied, "MAYBE_ONE_PERSON"));
    }
    // Nor by proposing as bob and approving as itself.
    let as_bob =
        others.propose_payout_change(by(&early, list("mallory"))).await.unwrap().into_inner().proposal.unwrap();
    let refused = failure(first.decide_payout_change(approve(&as_bob)).await);
    assert_eq!((refused.code, refused.reason.as_str()), (Code::PermissionDenied, "MAYBE_ONE_PERSON"));
    let guard = first.get_payout_guard(v1::GetPayoutGuardRequest {}).await.unwrap().into_inner();
    assert_eq!((guard.version, guard.entries[0].user.as_str()), (1, "alice"));
    // What an owner made for bob is bob's.
    others.decide_payout_change(by(&bob, approve(&wanted))).await.unwrap();
}
