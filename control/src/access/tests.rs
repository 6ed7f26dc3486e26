use super::*;
use crate::selector::Labels;
use proptest::{collection, prelude::*, sample::select};
use prost::Message;
use std::collections::BTreeSet;

const APPLY: &str = "mujina.control.v1.SpecService/ApplySpec";
const LIST: &str = "mujina.control.v1.MinerRegistryService/ListMiners";
const SPANS: &str = "mujina.control.v1.DiagnosticsService/ListSpans";
const LOCATE: &str = "mujina.dataplane.v1.BoardService/Locate";
const HEALTH: &str = "grpc.health.v1.Health/Check";

fn labels(pairs: &[(&str, &str)]) -> Labels {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

fn operator(name: &str) -> Subject {
    Subject::Certificate { operator: name.into() }
}

fn binding(subject: &str, role: Role, selector: &str) -> Binding {
    let (subject, selector) = (subject.parse().unwrap(), selector.parse().unwrap());
    Binding { id: format!("{subject}/{role}"), subject, role, selector }
}

fn described(bytes: &[u8]) -> BTreeSet<String> {
    let set = prost_types::FileDescriptorSet::decode(bytes).unwrap();
    let files = set.file.iter().flat_map(|file| file.service.iter().map(move |service| (file.package(), service)));
    let calls = files.flat_map(|(package, service)| {
        service.method.iter().map(move |method| format!("{package}.{}/{}", service.name(), method.name()))
    });
    calls.collect()
}

#[test]
fn every_call_has_a_row_and_every_row_a_call() {
    let ours = described(mujina_proto::DESCRIPTORS);
    let mut calls: BTreeSet<_> = ours.iter().filter(|call| call.starts_with("mujina.")).cloned().collect();
    for plane in ["mujina.control.v1.", "mujina.dataplane.v1."] {
        assert!(calls.iter().any(|call| call.starts_with(plane)), "no calls of {plane}");
    }
    calls.extend(described(tonic_health::pb::FILE_DESCRIPTOR_SET));
    calls.extend(described(tonic_reflection::pb::v1::FILE_DESCRIPTOR_SET));
    let rows: BTreeSet<_> = METHODS.iter().map(|method| method.name.to_owned()).collect();
    let without_row: Vec<_> = calls.difference(&rows).collect();
    let without_call: Vec<_> = rows.difference(&calls).collect();
    assert!(without_row.is_empty(), "give these a row in access/methods.rs: {without_row:?}");
    assert!(without_call.is_empty(), "these rows are for no call: {without_call:?}");
}

#[test]
fn table_is_in_order_and_finds_each_call() {
    assert!(METHODS.is_sorted_by(|a, b| a.name < b.name));
    for row in METHODS {
        assert_eq!(methods::method(&format!("/{}", row.name)), Some(row));
    }
    assert_eq!(methods::method("mujina.control.v1.SpecService/Nothing"), None);
}

#[test]
fn calls_that_only_look_need_only_to_look() {
    for row in METHODS {
        let looks = match row.needs {
            Needs::Nothing | Needs::One(Permission::Read | Permission::ReadAccess | Permission::ReadAudit) => true,
            // Operators renew their own certificates; for others the method asks for more.
            Needs::AnyRole => row.name != "mujina.control.v1.EnrollmentService/IssueOperatorCertificate",
            Needs::One(_) | Needs::ByContent(_) => false,
            // Enrolment and renewal.
            Needs::Proof | Needs::Miner => continue,
        };
        assert_eq!(row.changes, !looks, "{}", row.name);
    }
}

#[test]
fn roles_are_those_described() {
    use Permission::*;
    let of = |role: Role| role.permissions().iter().copied().collect::<BTreeSet<_>>();
    assert_eq!(of(Role::Viewer), BTreeSet::from([Read]));
    assert_eq!(of(Role::Technician), BTreeSet::from([Read, Locate, SelfTest, Restart]));
    assert_eq!(of(Role::Operator), BTreeSet::from([Read, Pools, Pause, Reconnect, Rollout]));
    assert_eq!(of(Role::Energy), BTreeSet::from([Read, Pause, Power]));
    assert_eq!(of(Role::Auditor), BTreeSet::from([Read, ReadAudit, ReadAccess]));
    assert_eq!(of(Role::Admin).len(), Permission::ALL.len());
    assert_eq!(Role::with_any_of(&[Locate]), [Role::Technician, Role::Admin]);
}

#[test]
fn root_and_the_services_own_user_are_admins_and_others_are_nobody() {
    for uid in [0, 990] {
        let allowed = decide(&Subject::unix_peer(uid, uid, None, 990), &[], APPLY, None).unwrap();
        assert_eq!(allowed.by, By::Owner);
        assert!(Permission::ALL.iter().all(|one| allowed.permits(*one)));
    }
    let alice = Subject::unix_peer(1000, 100, Some("alice".into()), 990);
    assert_eq!(decide(&alice, &[], LIST, None).unwrap_err().refusal, Refusal::NoBinding);
    for bound in ["uid:1000", "user:alice", "anonymous"] {
        let allowed = decide(&alice, &[binding(bound, Role::Viewer, "")], LIST, None).unwrap();
        assert_eq!(allowed.by, By::Binding(format!("{bound}/viewer")));
    }
    for bound in ["uid:1001", "user:bob", "operator:alice"] {
        assert!(decide(&alice, &[binding(bound, Role::Admin, "")], LIST, None).is_err(), "{bound}");
    }
}

#[test]
fn certificate_and_token_of_an_operator_have_the_same_roles() {
    let bindings = [binding("operator:ann", Role::Technician, "")];
    for subject in [operator("ann"), Subject::Token { operator: "ann".into(), id: "1".into() }] {
        assert!(decide(&subject, &bindings, LOCATE, Some(&Labels::new())).is_ok());
    }
    assert!(decide(&operator("bob"), &bindings, LOCATE, Some(&Labels::new())).is_err());
}

#[test]
fn selector_limits_a_role_to_the_miners_it_selects() {
    let bindings = [binding("operator:ann", Role::Operator, "site=a"), binding("operator:ann", Role::Viewer, "")];
    let (here, there) = (labels(&[("site", "a")]), labels(&[("site", "b")]));
    let allowed = decide(&operator("ann"), &bindings, APPLY, Some(&here)).unwrap();
    assert!(
        allowed.permits(Permission::Pools)
            && !allowed.permits(Permission::Power)
            && !allowed.permits(Permission::AnyPool)
    );
    assert_eq!(decide(&operator("ann"), &bindings, APPLY, Some(&there)).unwrap_err().refusal, Refusal::Selector);
    // A miner that is not known has no labels to be selected by.
    assert_eq!(decide(&operator("ann"), &bindings, APPLY, None).unwrap_err().refusal, Refusal::Selector);
    let only_a = &bindings[..1];
    assert!(decide(&operator("ann"), only_a, LIST, None).is_ok());
    assert_eq!(decide(&operator("ann"), only_a, LIST, Some(&there)).unwrap_err().refusal, Refusal::Selector);
    assert_eq!(decide(&operator("ann"), only_a, SPANS, None).unwrap_err().refusal, Refusal::NotAllMiners);
}

#[test]
fn permissions_of_a_binding_for_other_miners_are_not_lent() {
    let bindings = [binding("operator:ann", Role::Operator, "site=a"), binding("operator:ann", Role::Energy, "site=b")];
    let allowed = decide(&operator("ann"), &bindings, APPLY, Some(&labels(&[("site", "a")]))).unwrap();
    assert!(allowed.permits(Permission::Pools) && !allowed.permits(Permission::Power));
}

#[test]
fn denial_says_why_and_which_role_would_do() {
    let denied = decide(&operator("ann"), &[binding("operator:ann", Role::Viewer, "")], LOCATE, None).unwrap_err();
    assert_eq!(
        denied.to_string(),
        "operator:ann may not call mujina.dataplane.v1.BoardService/Locate: its roles (viewer) do not permit that; \
         ask an admin to bind one of the roles technician, admin"
    );
    assert!(!denied.is_unauthenticated());
    let nobody = decide(&Subject::Anonymous, &[], LIST, None).unwrap_err();
    assert!(nobody.is_unauthenticated() && nobody.refusal == Refusal::Anonymous);
    let unknown = decide(&Subject::unix_peer(0, 0, None, 0), &[], "a/\u{1b}[1mB", None).unwrap_err();
    assert_eq!((unknown.refusal.clone(), unknown.method.as_str()), (Refusal::UnknownMethod, "a/B"));
}

#[test]
fn miners_are_no_operators_and_health_is_for_everybody() {
    let miner = Subject::Miner { id: "m1".into() };
    assert_eq!(
        decide(&miner, &[binding("anonymous", Role::Viewer, "")], LIST, None).unwrap_err().refusal,
        Refusal::Miner
    );
    for subject in [miner, Subject::Anonymous] {
        assert_eq!(decide(&subject, &[], HEALTH, None).unwrap().by, By::Open);
    }
}

#[test]
fn calls_of_miners_are_for_miners_and_proofs_let_anybody_in() {
    let row = |needs| Method { name: "a.S/M", needs, changes: true, about: About::Service };
    let subjects =
        [Subject::unix_peer(0, 0, None, 0), operator("ann"), Subject::Miner { id: "m".into() }, Subject::Anonymous];
    let bindings = [binding("operator:ann", Role::Admin, "")];
    let let_in =
        |needs| subjects.clone().map(|subject| decide::decide_row(&subject, &bindings, &row(needs), None).is_ok());
    assert_eq!(let_in(Needs::Proof), [true, true, true, true]);
    assert_eq!(let_in(Needs::Miner), [false, false, true, false]);
    assert_eq!(let_in(Needs::Nothing), [true, true, true, false]);
    assert_eq!(let_in(Needs::AnyRole), [true, true, false, false]);
}

#[test]
fn bindings_of_anonymous_callers_only_look_on() {
    assert_eq!(binding("anonymous", Role::Viewer, "site=a").check(), Ok(()));
    assert_eq!(binding("anonymous", Role::Energy, "").check(), Err(BindingError::Anonymous(Role::Energy)));
    for bad in ["", "root", "uid:", "uid:+1", "uid:4294967296", "user:", "operator:a b", "group:1"] {
        assert!(bad.parse::<Bound>().is_err(), "{bad}");
    }
}

#[test]
fn can_i_answers_as_the_call_would_be() {
    let bindings = [binding("operator:ann", Role::Operator, "site=a")];
    let (ann, here) = (operator("ann"), labels(&[("site", "a")]));
    let ask = |question: &str, labels| can_i(&ann, &bindings, question.parse().unwrap(), labels).is_ok();
    assert!(ask("pause", Some(&here)) && !ask("pause", None) && !ask("power", Some(&here)));
    assert!(ask("mujina.control.v1.SpecService/ApplySpec", Some(&here)) && !ask("BoardService/Locate", Some(&here)));
    assert!(
        can_i(&Subject::Anonymous, &[binding("anonymous", Role::Admin, "")], "pause".parse().unwrap(), None).is_err()
    );
    assert!(matches!("GetSpec".parse::<Question>(), Err(QuestionError::Ambiguous { .. })));
    assert!(matches!("pauze".parse::<Question>(), Err(QuestionError::Unknown { .. })));
    let can = what_can(&ann, &bindings);
    let names: Vec<_> = can.iter().map(|(permission, _)| permission.name()).collect();
    assert_eq!(names, ["read", "reconnect", "pause", "pools", "rollout"]);
    assert_eq!(can[0].1, ["site=a".parse().unwrap()]);
}

fn any_binding() -> impl Strategy<Value = Binding> {
    let subject = select(vec!["uid:7", "user:u", "operator:ann", "anonymous"]);
    let selector = select(vec!["", "site=a", "!site", "site!=a"]);
    (subject, select(Role::ALL), selector).prop_map(|(subject, role, selector)| binding(subject, role, selector))
}

fn any_subject() -> impl Strategy<Value = Subject> {
    select(vec![
        Subject::unix_peer(7, 7, Some("u".into()), 990),
        operator("ann"),
        Subject::Token { operator: "ann".into(), id: "1".into() },
        Subject::Miner { id: "m".into() },
        Subject::Anonymous,
    ])
}

fn any_labels() -> impl Strategy<Value = Option<Labels>> {
    select(vec![None, Some(Labels::new()), Some(labels(&[("site", "a")])), Some(labels(&[("site", "b")]))])
}

proptest! {
    #[test]
    fn anonymous_callers_and_miners_never_change_anything(
        bindings in collection::vec(any_binding(), 0..6), row in select(METHODS), labels in any_labels(),
    ) {
        prop_assume!(row.changes && !matches!(row.needs, Needs::Proof | Needs::Miner));
        for subject in [Subject::Anonymous, Subject::Miner { id: "m".into() }] {
            prop_assert!(decide(&subject, &bindings, row.name, labels.as_ref()).is_err());
        }
    }

    #[test]
    fn another_binding_never_takes_anything_away(
        subject in any_subject(), bindings in collection::vec(any_binding(), 0..5), more in any_binding(),
        row in select(METHODS), labels in any_labels(),
    ) {
        if let Ok(before) = decide(&subject, &bindings, row.name, labels.as_ref()) {
            let all: Vec<_> = bindings.into_iter().chain([more]).collect();
            let after = decide(&subject, &all, row.name, labels.as_ref()).unwrap();
            prop_assert!(Permission::ALL.iter().all(|one| after.permits(*one) || !before.permits(*one)));
        }
    }

    #[test]
    fn what_a_denial_recommends_is_enough(
        bindings in collection::vec(any_binding(), 0..5), row in select(METHODS), labels in any_labels(),
    ) {
        // What only miners do, no role can.
        prop_assume!(row.needs != Needs::Miner);
        let subject = operator("ann");
        if let Err(denied) = decide(&subject, &bindings, row.name, labels.as_ref()) {
            prop_assert!(!denied.roles.is_empty());
            for role in denied.roles {
                let all: Vec<_> = bindings.iter().cloned().chain([binding("operator:ann", role, "")]).collect();
                prop_assert!(decide(&subject, &all, row.name, labels.as_ref()).is_ok());
            }
        }
    }

    #[test]
    fn permission_comes_from_a_binding_that_reaches_the_miner(
        subject in any_subject(), bindings in collection::vec(any_binding(), 0..5), row in select(METHODS), labels in any_labels(),
    ) {
        let Some(labels) = labels else { return Ok(()) };
        if let Ok(allowed) = decide(&subject, &bindings, row.name, Some(&labels)) {
            for permission in Permission::ALL.iter().filter(|one| allowed.permits(**one)) {
                let gives = |one: &Binding| one.subject.is_for(&subject) && one.role.permits(*permission) && one.selector.matches(&labels);
                prop_assert!(bindings.iter().any(gives), "{}", permission);
            }
        }
    }
}
