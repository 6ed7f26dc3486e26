//! Whatever a pool says and in whatever order: nothing panics, and every share has exactly one fate.

use super::*;
use proptest::{collection::vec, prelude::*};
use std::collections::HashMap;

/// Where a share is, as somebody sees it who hears the events only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Waiting,
    Pending,
    NotSent,
    Judged,
}

/// Counts as the scheduler does, and refuses what makes no sense.
#[derive(Debug, Default)]
struct Ledger {
    fates: HashMap<ShareId, Fate>,
    ended: bool,
}

impl Ledger {
    fn note(&mut self, actions: &[Action]) {
        for action in actions {
            assert!(!self.ended || matches!(action, Action::Event(ConnectionEvent::NotSent { .. })), "{action:?}");
            match action {
                Action::Event(ConnectionEvent::Sent { share }) => self.becomes(*share, Fate::Waiting, Fate::Pending),
                Action::Event(ConnectionEvent::NotSent { share, .. }) => {
                    self.becomes(*share, Fate::Waiting, Fate::NotSent);
                }
                Action::Event(ConnectionEvent::Judged { share, .. }) => {
                    self.becomes(*share, Fate::Pending, Fate::Judged);
                }
                Action::End { .. } => self.ended = true,
                _ => {}
            }
        }
    }

    fn becomes(&mut self, share: ShareId, from: Fate, to: Fate) {
        assert_eq!(self.fates.insert(share, to), Some(from), "{share} to {to:?}");
    }
}

#[derive(Debug, Clone)]
enum Step {
    Hear(Value),
    Garbage,
    Find { newest: bool, block: bool, bits: u32 },
    Write,
    Wait(u32),
    Rate(f64),
    Close,
}

/// Something of JSON, of any kind.
fn anything() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(json!(null)),
        any::<bool>().prop_map(|value| json!(value)),
        (-3_i64..30).prop_map(|value| json!(value)),
        any::<f64>().prop_map(|value| json!(value)),
        "[0-9a-f]{0,8}|[a-z ]{0,12}|.{0,5}".prop_map(|value| json!(value)),
        Just(json!([])),
        Just(json!([21, "Job not found", null])),
        Just(json!({"code": 23, "message": "x"})),
        Just(json!([24])),
        Just(subscription()),
        Just(json!({"version-rolling": true, "version-rolling.mask": "1fffe000"})),
    ]
}

fn good_notify() -> impl Strategy<Value = Value> {
    (0..4_u8, 0..3_u8, any::<bool>(), 0..3_u8).prop_map(|(job_id, tip, clean, content)| {
        let params = changed(notify(&job_id.to_string(), tip, clean), 2, json!(format!("{content:02x}")));
        json!({"method": "mining.notify", "params": params})
    })
}

fn line() -> impl Strategy<Value = Value> {
    let method = prop_oneof![
        Just("mining.notify"),
        Just("mining.set_difficulty"),
        Just("mining.set_extranonce"),
        Just("mining.set_version_mask"),
        Just("client.show_message"),
        Just("client.get_version"),
        Just("mining.ping"),
        Just("what"),
    ];
    prop_oneof![
        6 => good_notify(),
        3 => (1e-9..100.0_f64).prop_map(|d| json!({"method": "mining.set_difficulty", "params": [d]})),
        1 => "([0-9a-f]{2}){0,6}".prop_map(|e1| json!({"method": "mining.set_extranonce", "params": [e1, 8]})),
        1 => "[0-9a-f]{8}".prop_map(|mask| json!({"method": "mining.set_version_mask", "params": [mask]})),
        2 => (method, vec(anything(), 0..4), anything())
            .prop_map(|(method, params, id)| json!({"id": id, "method": method, "params": params})),
        9 => (0_u64..40, anything(), anything())
            .prop_map(|(id, result, error)| json!({"id": id, "result": result, "error": error})),
        6 => (0_u64..40).prop_map(|id| json!({"id": id, "result": true, "error": null})),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        12 => line().prop_map(Step::Hear),
        1 => Just(Step::Garbage),
        8 => (any::<bool>(), any::<bool>(), any::<u32>())
            .prop_map(|(newest, block, bits)| Step::Find { newest, block, bits }),
        8 => Just(Step::Write),
        1 => prop_oneof![Just(0), 1..20_u32, 100..400_u32].prop_map(Step::Wait),
        1 => any::<f64>().prop_map(Step::Rate),
        1 => prop_oneof![30 => Just(Step::Write), 1 => Just(Step::Close)],
    ]
}

fn play(world: &mut World, mut known: Vec<Job>, steps: Vec<Step>) -> Result<(), TestCaseError> {
    let mut ledger = Ledger::default();
    for step in steps {
        let actions = match step {
            Step::Hear(line) => match decode(line.to_string().as_bytes()) {
                Ok(message) => world.act(Input::Message { message, wall: WALL }),
                Err(malformed) => world.act(Input::Failed(malformed.into())),
            },
            Step::Garbage => world.act(Input::Garbage),
            Step::Find { newest, block, bits } => {
                let job = if newest { known.last() } else { known.first() };
                let Some(job) = job.cloned() else { continue };
                let mut share = world.share(&job, block);
                share.version |= bits & job.version_mask;
                ledger.fates.insert(share.id, Fate::Waiting);
                world.act(Input::Share(share))
            }
            Step::Write if world.session.has_outgoing() => world.act(Input::Writable),
            Step::Write => Vec::new(),
            Step::Wait(seconds) => world.wait(seconds.into()),
            Step::Rate(rate) => world.act(Input::HashRate(Some(HashRate::from_hashes_per_second(rate)))),
            Step::Close => world.act(Input::Close),
        };
        ledger.note(&actions);
        prop_assert!(actions.iter().filter(|action| matches!(action, Action::Send(_))).count() <= 1);
        for action in &actions {
            if let Action::Send(message) = action {
                let line = message.line("Mujina/1");
                prop_assert!(serde_json::from_slice::<Value>(&line).is_ok());
                prop_assert_eq!(line.iter().filter(|byte| **byte == b'\n').count(), 1);
            }
        }
        known.extend(jobs(actions));
        prop_assert!(world.session.deadline().is_none_or(|deadline| deadline > world.now));
        prop_assert!(!ledger.ended || world.session.deadline().is_none());
    }
    if !ledger.ended {
        ledger.note(&world.act(Input::Failed(Failure::Aborted)));
    }
    prop_assert!(ledger.ended);
    prop_assert!(ledger.fates.values().all(|fate| matches!(fate, Fate::NotSent | Fate::Judged)));
    Ok(())
}

proptest! {
    #[test]
    fn every_share_has_one_fate_whatever_the_pool_says(steps in vec(step(), 0..80)) {
        let (mut world, job) = World::working();
        play(&mut world, vec![job], steps)?;
    }

    #[test]
    fn no_order_of_messages_harms_a_session_that_is_being_set_up(steps in vec(step(), 0..40)) {
        play(&mut World::new(), Vec::new(), steps)?;
    }
}
