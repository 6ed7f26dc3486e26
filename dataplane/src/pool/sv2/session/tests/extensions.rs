//! Extensions that are asked for, granted, refused and ignored: stratum-client E1 to E5, U11, R8, D26.

use super::*;
use crate::pool::sv2::message::extensions::WORKER_TRACKING;

/// A session of an operator who wants workers tracked; SetupConnection was answered.
fn asking() -> World {
    let mut world = World::wanting(&[WORKER_TRACKING]);
    world.hear(set_up());
    world
}

fn granted(request_id: u16, extensions: &[u16]) -> Incoming {
    Incoming::ExtensionsGranted { request_id, extensions: extensions.to_vec() }
}

fn worker_of_a_share(world: &mut World) -> Option<String> {
    let id = 100 + u32::try_from(world.shares).unwrap();
    let active = only_job(world.hear(job(id, Some(1000))));
    world.find(&active);
    world.sent_shares().remove(0).worker.map(|worker| worker.to_string())
}

/// Opens the channel and gives a tip.
fn bring_up(world: &mut World) {
    assert!(matches!(world.sent().as_slice(), [Outgoing::Open { .. }]));
    world.hear(opened());
    world.hear(job(10, None));
    world.hear(tip(10, 1));
}

// E1, E5
#[test]
fn nothing_is_asked_for_by_default() {
    let mut world = World::new();
    world.hear(set_up());
    assert!(matches!(world.sent().as_slice(), [Outgoing::Open { .. }]));
    world.hear(opened());
    world.hear(job(10, None));
    world.hear(tip(10, 1));
    assert_eq!(worker_of_a_share(&mut world), None);
}

// E1, E3, E4, U11, D26
#[test]
fn extension_is_agreed_before_the_channel_and_every_share_names_its_worker() {
    let mut world = asking();
    let request = Outgoing::RequestExtensions { request_id: 1, extensions: vec![WORKER_TRACKING] };
    assert_eq!(world.sent(), [request]);
    world.hear(granted(9, &[WORKER_TRACKING])); // E4
    assert_eq!(world.sent(), []);
    let all: Vec<u16> = (0..=u16::MAX).rev().collect();
    world.hear(granted(1, &all));
    bring_up(&mut world);
    for _ in 0..3 {
        assert_eq!(worker_of_a_share(&mut world).as_deref(), Some("rig"));
    }
}

// E3, U11
#[test]
fn extension_that_was_not_granted_is_not_used() {
    for granted_ones in [&[][..], &[0x4001]] {
        let mut world = asking();
        world.sent();
        world.hear(granted(1, granted_ones));
        bring_up(&mut world);
        assert_eq!(worker_of_a_share(&mut world), None);
    }
}

// E3
#[test]
fn pool_that_insists_on_what_we_lack_is_left_and_any_other_refusal_is_lived_with() {
    let refused = |required: &[u16]| {
        let mut world = asking();
        world.sent();
        (world.hear(Incoming::ExtensionsRefused { request_id: 1, required: required.to_vec() }), world)
    };
    assert_eq!(failure(refused(&[0x4001]).0), Some((FailureKind::Refused, Recovery::Park)));
    for required in [&[][..], &[WORKER_TRACKING]] {
        let (actions, mut world) = refused(required);
        assert!(!has_ended(&actions));
        bring_up(&mut world);
        assert_eq!(worker_of_a_share(&mut world), None);
    }
}

// E3
#[test]
fn extension_that_the_pool_requires_is_asked_for_once_more() {
    let mut world = World::wanting(&[0x7777]);
    world.hear(set_up());
    world.sent();
    let refusal = |request_id| Incoming::ExtensionsRefused { request_id, required: vec![WORKER_TRACKING] };
    assert!(!has_ended(&world.hear(refusal(1))));
    let request = Outgoing::RequestExtensions { request_id: 2, extensions: vec![0x7777, WORKER_TRACKING] };
    assert_eq!(world.sent(), [request]);
    world.hear(granted(2, &[WORKER_TRACKING]));
    bring_up(&mut world);
    assert_eq!(worker_of_a_share(&mut world).as_deref(), Some("rig"));
}

// E2
#[test]
fn pool_that_says_nothing_is_given_twice_the_time_of_the_connect() {
    for (connect, patience) in [(40, 250), (400, 800)] {
        let mut world = World::wanting(&[WORKER_TRACKING]);
        world.session.profile.connect_time = Duration::from_millis(connect);
        world.hear(set_up());
        assert_eq!(world.session.deadline(), Some(world.now + Duration::from_millis(patience)));
        assert_eq!(failure(world.wait(1)), Some((FailureKind::Mute, Recovery::Retry)));
    }
}

// R8
#[test]
fn other_endpoint_of_the_channel_agrees_its_extensions_anew_and_keeps_the_jobs() {
    let mut world = asking();
    world.sent();
    world.hear(granted(1, &[WORKER_TRACKING]));
    bring_up(&mut world);
    assert!(world.hear(Incoming::EndpointChanged { channel_id: 77 }).is_empty());
    assert_eq!(world.sent(), []);
    let active = only_job(world.hear(job(11, Some(1000))));
    assert!(world.hear(Incoming::EndpointChanged { channel_id: CHANNEL }).is_empty());
    assert!(matches!(world.sent().as_slice(), [Outgoing::RequestExtensions { request_id: 2, .. }]));
    world.find(&active);
    assert_eq!(world.sent_shares()[0].worker, None);
    world.hear(granted(2, &[WORKER_TRACKING]));
    world.find(&active);
    assert_eq!(world.sent_shares()[0].worker.as_deref(), Some("rig"));
    assert!(!has_ended(&world.wait(10)));
}
