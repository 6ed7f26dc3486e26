//! Calls that operations make of a miner, beside reconnects: each answered in words that a person reads.

use super::{
    CallError, CallKind, Link,
    link::{PHASE, QUICK, broken, late, next, untraced, within},
};
use crate::audit::mask;
use mujina_core::text::{PEER_TEXT_BYTES, sanitise};
use mujina_proto::{
    DESCRIPTORS,
    convert::length,
    dataplane::v1::{
        self as wire, board_service_client::BoardServiceClient, diagnostics_service_client::DiagnosticsServiceClient,
        miner_service_client::MinerServiceClient, pool_service_client::PoolServiceClient,
        share_service_client::ShareServiceClient,
    },
    failure::Failure,
    types::v1,
};
use prost::Message;
use prost_reflect::{DescriptorPool, DynamicMessage, SerializeOptions};
use serde_json::{Map, Value, json};
use std::{
    sync::LazyLock,
    time::{Duration, SystemTime},
};
use tonic::Code;

/// For a board to be made safe and brought up again, rests between attempts included.
const REINITIALISE: Duration = Duration::from_secs(300);
/// Newest entries of each list of a bundle.
const NEWEST: u32 = 100;

static POOL: LazyLock<DescriptorPool> =
    LazyLock::new(|| DescriptorPool::decode(DESCRIPTORS).expect("our own descriptors are whole"));

/// A board, as far as operations care.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct KnownBoard {
    pub(crate) id: String,
    /// It has chips of its own, and this version of the miner can drive them.
    pub(crate) is_driven: bool,
}

/// What a test found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Finding {
    pub(crate) is_good: bool,
    pub(crate) words: String,
}

/// A pool to test.
#[derive(Debug, Clone, Copy)]
pub(crate) enum PoolToTest<'a> {
    /// One of the miner's spec.
    Named(&'a str),
    /// Any.
    Url { url: &'a str, user: &'a str },
}

impl Link {
    /// The boards of the miner.
    pub(crate) async fn boards(&self) -> Result<Vec<KnownBoard>, CallError> {
        let mut client = BoardServiceClient::new(self.way.clone());
        let answer = late(QUICK, client.list_boards(within(QUICK, wire::ListBoardsRequest {}))).await?;
        let known = |board: v1::Board| {
            let status = board.status.unwrap_or_default();
            let is_there = !matches!(status.state(), v1::BoardState::Gone | v1::BoardState::Unsupported);
            KnownBoard { is_driven: is_there && status.expected_chips > 0, id: status.board_id }
        };
        Ok(answer.boards.into_iter().map(known).collect())
    }

    /// Starts a board anew; answers when it runs.
    pub(crate) async fn reinitialise(&self, board: &str) -> Result<(), CallError> {
        self.permitted()?;
        let mut client = BoardServiceClient::new(self.way.clone());
        let request = within(REINITIALISE, wire::ReinitializeRequest { board_id: board.into() });
        late(REINITIALISE, client.reinitialize(request)).await.map(|_| ())
    }

    /// Lets a board test itself.
    pub(crate) async fn self_test(&self, board: &str) -> Result<Finding, CallError> {
        self.permitted()?;
        let mut client = BoardServiceClient::new(self.way.clone());
        let mut events = late(PHASE, client.self_test(wire::SelfTestRequest { board_id: board.into() })).await?;
        loop {
            match next(PHASE, &mut events).await?.event {
                Some(wire::self_test_response::Event::Step(_)) => {}
                Some(wire::self_test_response::Event::Result(result)) => return Ok(verdict(board, &result)),
                None => return Err(unknown_event("a self-test")),
            }
        }
    }

    /// The pools of the miner's spec, by name.
    pub(crate) async fn pools(&self) -> Result<Vec<String>, CallError> {
        let mut client = PoolServiceClient::new(self.way.clone());
        let answer = late(QUICK, client.list_pools(within(QUICK, wire::ListPoolsRequest {}))).await?;
        let in_spec = answer.pools.into_iter().filter(|pool| pool.state() != v1::PoolState::Draining);
        Ok(in_spec.map(|pool| pool.name).collect())
    }

    /// Connects to a pool from where the miner is.
    pub(crate) async fn test_pool(&self, pool: PoolToTest<'_>) -> Result<Finding, CallError> {
        use wire::{test_pool_request::Target, test_pool_response::Event};
        self.permitted()?;
        let (name, target) = match pool {
            PoolToTest::Named(name) => (name, Target::Pool(name.into())),
            PoolToTest::Url { url, user } => (
                url,
                Target::Spec(v1::PoolSpec {
                    name: "test".into(),
                    url: url.into(),
                    user: user.into(),
                    ..v1::PoolSpec::default()
                }),
            ),
        };
        let mut client = PoolServiceClient::new(self.way.clone());
        let mut events = late(PHASE, client.test_pool(wire::TestPoolRequest { target: Some(target) })).await?;
        let mut phases = Vec::new();
        loop {
            match next(PHASE, &mut events).await?.event {
                Some(Event::Phase(phase)) => phases.push(phase),
                Some(Event::Result(result)) => return Ok(tested(name, &result, &phases)),
                None => return Err(unknown_event("a test of a pool")),
            }
        }
    }

    /// What helps to find a fault, without secrets. What the miner does not tell is there as the reason why not; one that is
    /// not reached has no bundle.
    pub(crate) async fn bundle(&self) -> Result<Value, CallError> {
        let (way, mut parts) = (|| self.way.clone(), Map::new());
        macro_rules! part {
            ($name:literal, $client:ident . $method:ident ( $request:expr ), $answer:literal) => {
                let mut client = $client::new(way());
                let answered = late(QUICK, client.$method(untraced(within(QUICK, $request)))).await;
                parts.insert($name.into(), said(answered.map(|answer| document($answer, &answer)))?);
            };
        }
        part!("status", MinerServiceClient.get_miner(wire::GetMinerRequest {}), "GetMinerResponse");
        part!("spec", MinerServiceClient.get_spec(wire::GetSpecRequest {}), "GetSpecResponse");
        part!("pools", PoolServiceClient.list_pools(wire::ListPoolsRequest {}), "ListPoolsResponse");
        part!(
            "channels",
            PoolServiceClient.list_pool_channels(wire::ListPoolChannelsRequest {}),
            "ListPoolChannelsResponse"
        );
        let request = wire::ListPoolTransitionsRequest { page_size: NEWEST };
        part!("transitions", PoolServiceClient.list_pool_transitions(request), "ListPoolTransitionsResponse");
        part!("boards", BoardServiceClient.list_boards(wire::ListBoardsRequest {}), "ListBoardsResponse");
        let request = wire::ListRejectsRequest { page_size: NEWEST, pool: String::new() };
        let mut client = ShareServiceClient::new(way());
        let answered = late(QUICK, client.list_rejects(untraced(within(QUICK, request)))).await;
        let traces = answered.as_ref().map(traces).unwrap_or_default();
        parts.insert("rejects".into(), said(answered.map(|answer| document("ListRejectsResponse", &answer)))?);
        let mut spans = Map::new();
        for trace in traces {
            let request = wire::ListSpansRequest { trace_id: trace.clone() };
            let mut client = DiagnosticsServiceClient::new(way());
            let answered = late(QUICK, client.list_spans(untraced(within(QUICK, request)))).await;
            spans.insert(trace, said(answered.map(|answer| document("ListSpansResponse", &answer)))?);
        }
        parts.insert("spans".into(), Value::Object(spans));
        let mut bundle = Value::Object(parts);
        mask(&mut bundle);
        Ok(bundle)
    }
}

/// Traces of the newest refused shares, each once: what came before a refusal is what one looks for.
fn traces(rejects: &wire::ListRejectsResponse) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for share in rejects.rejects.iter().filter_map(|reject| reject.share.as_ref()) {
        if !share.trace_id.is_empty() && !found.contains(&share.trace_id) && found.len() < 5 {
            found.push(share.trace_id.clone());
        }
    }
    found
}

/// A failure is part of the picture, unless nobody is there.
fn said(answered: Result<Value, CallError>) -> Result<Value, CallError> {
    match answered {
        Err(error) if error.kind == CallKind::Unreachable => Err(error),
        Err(error) => Ok(json!({ "failure": error.to_string() })),
        Ok(value) => Ok(value),
    }
}

/// A message of a miner as a JSON value.
fn document<M: Message>(name: &str, message: &M) -> Value {
    let decode = || {
        let descriptor = POOL.get_message_by_name(&format!("mujina.dataplane.v1.{name}"))?;
        DynamicMessage::decode(descriptor, message.encode_to_vec().as_slice()).ok()
    };
    let Some(dynamic) = decode() else { return Value::Null };
    let options = SerializeOptions::new().skip_default_fields(true);
    dynamic
        .serialize_with_options(serde_json::value::Serializer, &options)
        .unwrap_or_else(|error| json!({ "failure": format!("the answer holds what JSON cannot: {error}") }))
}

fn verdict(board: &str, result: &wire::SelfTestResult) -> Finding {
    let wire::SelfTestResult { passed, steps } = result;
    let failed = steps.iter().filter(|step| step.outcome() == v1::SelfTestOutcome::Failed);
    let failed: Vec<_> = failed.map(|step| format!("{} ({})", step.name, step.detail)).collect();
    let words = match (passed, failed.as_slice()) {
        (true, _) => format!("{board}: passed {} steps", steps.len()),
        (false, []) => format!("{board}: no step was taken"),
        (false, failed) => format!("{board}: failed {}", failed.join(", ")),
    };
    Finding { is_good: *passed, words: sanitise(&words, 2 * PEER_TEXT_BYTES) }
}

fn tested(name: &str, result: &wire::TestPoolResult, phases: &[v1::ConnectPhase]) -> Finding {
    let took: Duration = phases.iter().filter_map(|phase| length("elapsed", phase.elapsed).ok().flatten()).sum();
    let words = if result.usable {
        format!("{name}: usable, first job after {} ms", took.as_millis())
    } else {
        let phase = if result.failed_phase.is_empty() { String::new() } else { format!(" at {}", result.failed_phase) };
        format!("{name}: not usable{phase}: {}", result.failure)
    };
    Finding { is_good: result.usable, words: sanitise(&words, 2 * PEER_TEXT_BYTES) }
}

fn unknown_event(what: &str) -> CallError {
    broken(format!("the miner sent an event of {what} that is not known; update mujina-control"))
}

/// There is no board to do it to.
pub(crate) fn no_boards() -> Failure {
    let message = "the miner has no board with chips of its own that could be started anew or tested";
    Failure::new(Code::FailedPrecondition, "NO_BOARDS", message)
}

/// When a bundle was collected, as its first line says.
pub(crate) fn headed(bundle: &Value, miner: &str, at: SystemTime) -> Value {
    let at = prost_types::Timestamp::from(at).to_string();
    json!({ "miner": miner, "collected_at": at, "answers": bundle })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn document_of_a_spec_holds_no_password_even_if_a_miner_sends_one() {
        let pool = v1::PoolSpec { name: "main".into(), password: Some("hunter2".into()), ..v1::PoolSpec::default() };
        let group = v1::PoolGroup { name: "g".into(), pools: vec![pool], ..v1::PoolGroup::default() };
        let spec = v1::MinerSpec { pool_groups: vec![group], ..v1::MinerSpec::default() };
        let state = v1::SpecState { spec: Some(spec), ..v1::SpecState::default() };
        let mut document = document("GetSpecResponse", &wire::GetSpecResponse { state: Some(state) });
        mask(&mut document);
        let text = document.to_string();
        assert!(text.contains("main") && !text.contains("hunter2"), "{text}");
    }

    #[test]
    fn findings_say_what_failed_in_words() {
        let step = |name: &str, outcome: v1::SelfTestOutcome| v1::SelfTestStep {
            name: name.into(),
            outcome: outcome.into(),
            detail: "0 rpm".into(),
            ..v1::SelfTestStep::default()
        };
        let steps = vec![step("rail", v1::SelfTestOutcome::Passed), step("fan", v1::SelfTestOutcome::Failed)];
        let found = verdict("gamma-1", &wire::SelfTestResult { passed: false, steps: steps.clone() });
        assert_eq!(found, Finding { is_good: false, words: "gamma-1: failed fan (0 rpm)".into() });
        let found = verdict("gamma-1", &wire::SelfTestResult { passed: true, steps });
        assert_eq!(found, Finding { is_good: true, words: "gamma-1: passed 2 steps".into() });
        let refused = wire::TestPoolResult {
            failure: "nobody listens".into(),
            failed_phase: "tcp".into(),
            ..wire::TestPoolResult::default()
        };
        assert_eq!(tested("main", &refused, &[]).words, "main: not usable at tcp: nobody listens");
    }
}
