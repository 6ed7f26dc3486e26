//! Spec files: JSON or YAML, as a person writes them or as `spec get` answered.

use crate::{
    command::message::{Named, from_json},
    context::Context,
    error::CliError,
};
use mujina_core::spec::Problem;
use mujina_proto::{
    control::v1::{self as control, DesiredSpec},
    dataplane::v1 as dataplane,
    types::v1::{MinerSpec, SpecState},
};
use serde_json::Value;
use std::path::Path;

/// A spec to apply.
#[derive(Debug, PartialEq)]
pub(super) struct SpecFile {
    /// The spec.
    pub(super) spec: MinerSpec,
    /// Write only over this; empty = over any.
    pub(super) etag: String,
}

/// Reads a file.
pub(super) async fn read(context: &mut Context<'_>, path: &Path) -> Result<SpecFile, CliError> {
    let text = context.read(path).await?;
    let refused = |problems| CliError::Fields { doing: format!("read the spec in {}", path.display()), problems };
    parse(&text).map_err(refused)
}

/// Reads what a file says. JSON is YAML too.
fn parse(text: &str) -> Result<SpecFile, Vec<Problem>> {
    let refuse = |field: &str, reason: String| vec![Problem { field: field.into(), reason }];
    let mut value: Value = serde_norway::from_str(text).map_err(|error| refuse("file", error.to_string()))?;
    let Value::Object(fields) = &mut value else {
        return Err(refuse("file", "is no mapping; write a spec with poolGroups and paused".into()));
    };
    let absent = || refuse("spec", "is missing; the answer of `spec get` holds one".into());
    if fields.contains_key("state") {
        let answer: dataplane::GetSpecResponse = from_json(&value)?;
        return answer.state.and_then(of_state).ok_or_else(absent);
    }
    if fields.contains_key("desired") || fields.contains_key("confirmed") {
        let answer: control::GetSpecResponse = from_json(&value)?;
        // The etag of what a miner confirmed says nothing to the control plane.
        let confirmed = || answer.confirmed.and_then(of_state).map(|file| SpecFile { etag: String::new(), ..file });
        return answer.desired.and_then(of_desired).or_else(confirmed).ok_or_else(absent);
    }
    if fields.contains_key("spec") {
        let desired = fields.contains_key("miner");
        let file = if desired { of_desired(from_json(&value)?) } else { of_state(from_json(&value)?) };
        return file.ok_or_else(absent);
    }
    let etag = match fields.remove("etag") {
        None => String::new(),
        Some(Value::String(etag)) => etag,
        Some(_) => return Err(refuse("etag", "is no text; put it in quotes or leave it out".into())),
    };
    if fields.is_empty() {
        let known: Vec<_> = MinerSpec::descriptor().fields().map(|field| field.json_name().to_owned()).collect();
        let reason = format!("says nothing; write {} (`paused: false` alone takes all pools out)", known.join(" and "));
        return Err(refuse("file", reason));
    }
    Ok(SpecFile { spec: from_json(&value)?, etag })
}

fn of_state(state: SpecState) -> Option<SpecFile> {
    let etag = state.etag;
    state.spec.map(|spec| SpecFile { spec, etag })
}

fn of_desired(desired: DesiredSpec) -> Option<SpecFile> {
    let etag = desired.etag;
    desired.spec.map(|spec| SpecFile { spec, etag })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::message::to_json;
    use mujina_proto::types::v1::{PoolGroup, PoolSpec};

    fn spec() -> MinerSpec {
        let pool = PoolSpec {
            name: "a".into(),
            url: "stratum2+tcp://pool.example/KEY".into(),
            user: "alice".into(),
            nominal_hash_rate_hps: Some(1e6),
            ..PoolSpec::default()
        };
        MinerSpec {
            pool_groups: vec![PoolGroup { name: "main".into(), strategy: 1, pools: vec![pool] }],
            paused: true,
            ..MinerSpec::default()
        }
    }

    fn file(etag: &str) -> SpecFile {
        SpecFile { spec: spec(), etag: etag.into() }
    }

    #[test]
    fn yaml_and_json_are_read_with_either_spelling_of_the_fields() {
        let yaml = "
            etag: e7
            paused: true
            pool_groups:
              - name: main
                strategy: POOL_STRATEGY_FAILOVER
                pools:
                  - {name: a, url: stratum2+tcp://pool.example/KEY, user: alice, nominalHashRateHps: 1000000}
        ";
        assert_eq!(parse(yaml), Ok(file("e7")));
        assert_eq!(parse(&to_json(&spec()).unwrap().to_string()), Ok(file("")));
    }

    #[test]
    fn every_answer_of_spec_get_can_be_applied() {
        let state = SpecState { spec: Some(spec()), etag: "e1".into(), generation: 7, ..SpecState::default() };
        let of_miner = dataplane::GetSpecResponse { state: Some(state.clone()) };
        assert_eq!(parse(&to_json(&of_miner).unwrap().to_string()), Ok(file("e1")));
        let desired =
            DesiredSpec { spec: Some(spec()), etag: "d1".into(), miner: "rig1".into(), ..DesiredSpec::default() };
        let answer = |desired| control::GetSpecResponse { desired, confirmed: Some(state.clone()), sync_state: 1 };
        assert_eq!(parse(&to_json(&answer(Some(desired))).unwrap().to_string()), Ok(file("d1")));
        assert_eq!(parse(&to_json(&answer(None)).unwrap().to_string()), Ok(file("")));
    }

    #[test]
    fn unknown_fields_are_all_named_with_their_paths() {
        let problems = parse("{pausd: true, poolGroups: [{name: main, pools: [{name: a, pass: x}]}]}").unwrap_err();
        let fields: Vec<_> = problems.iter().map(|problem| problem.field.as_str()).collect();
        assert_eq!(fields, ["pausd", "poolGroups[0].pools[0].pass"]);
        assert!(problems[0].reason.contains("paused"), "{}", problems[0].reason);
        assert!(!problems[1].reason.contains('x'), "{}", problems[1].reason);
    }

    #[test]
    fn what_is_no_spec_says_why() {
        for (text, field) in [
            ("", "file"),
            ("- a", "file"),
            ("{etag: e1}", "file"),
            ("{a: [", "file"),
            ("{etag: 7, paused: true}", "etag"),
            ("{paused: maybe}", "MinerSpec"),
            ("{state: {etag: e1}}", "spec"),
            ("{poolGroups: [{strategy: POOL_STRATEGY_RANDOM}]}", "MinerSpec"),
        ] {
            let problems = parse(text).unwrap_err();
            assert_eq!(
                problems.iter().map(|one| one.field.as_str()).collect::<Vec<_>>(),
                [field],
                "{text}: {problems:?}"
            );
        }
    }
}
