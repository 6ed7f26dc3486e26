//! Documents: profiles and specs as people write them, in YAML, JSON or TOML, several in a file.
//!
//! ```yaml
//! kind: Profile            # or MinerSpec, with `miner` for `name`, and neither selector nor priority
//! name: north
//! selector: site=north
//! priority: 10
//! spec:
//!   poolGroups: [{name: main, pools: [{name: a, url: stratum+tcp://pool.example, user: alice}]}]
//! ```
//!
//! A file whose name ends with `.toml` holds one document, or several as `[[documents]]`.

use super::message::from_json;
use crate::{context::Context, error::CliError};
use mujina_core::spec::Problem;
use mujina_proto::{
    control::v1::{Profile, SpecFragment},
    types::v1::MinerSpec,
};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::path::Path;

/// What a document wants.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Document {
    /// Something of all miners with certain labels.
    Profile {
        /// The profile.
        profile: Profile,
        /// Write only over this; empty = over any.
        etag: String,
    },
    /// Something of one miner alone.
    Spec {
        /// Its name.
        miner: String,
        /// The whole spec.
        spec: MinerSpec,
        /// Write only over this; empty = over any.
        etag: String,
    },
    /// Something of miners that are chosen elsewhere.
    Fragment(SpecFragment),
}

/// Reads all documents of a file.
pub(crate) async fn read(context: &mut Context<'_>, path: &Path) -> Result<Vec<Document>, CliError> {
    let text = context.read(path).await?;
    let refused = |problems| CliError::Fields { doing: format!("read {}", path.display()), problems };
    let is_toml = path.extension().is_some_and(|extension| extension == "toml");
    let parsed = if is_toml { parse_toml(&text) } else { parse(&text) };
    parsed.map_err(refused)
}

fn parse(text: &str) -> Result<Vec<Document>, Vec<Problem>> {
    let (mut values, mut problems) = (Vec::new(), Vec::new());
    for (index, document) in serde_norway::Deserializer::from_str(text).enumerate() {
        let place = format!("document {}", index + 1);
        match Value::deserialize(document) {
            // An empty document between two lines of dashes.
            Ok(Value::Null) => {}
            Ok(value) => values.push((place, value)),
            Err(error) => {
                problems.push(Problem { field: place, reason: error.to_string() });
                // What follows cannot be told apart any more.
                break;
            }
        }
    }
    documents(values, problems)
}

fn parse_toml(text: &str) -> Result<Vec<Document>, Vec<Problem>> {
    let mut fields: Map<String, Value> = toml::from_str(text).map_err(|error| vec![refuse("file", error.message())])?;
    let values = match fields.remove("documents") {
        Some(Value::Array(values)) => {
            unknown(&fields, "[[documents]] alone")?;
            values
        }
        Some(_) => return Err(vec![refuse("documents", "is no list; write [[documents]] before each")]),
        None if fields.is_empty() => Vec::new(),
        None => vec![Value::Object(fields)],
    };
    let place = |index| format!("document {}", index + 1);
    documents(values.into_iter().enumerate().map(|(index, value)| (place(index), value)).collect(), Vec::new())
}

/// What the values say, each with its place in the file; all that is wrong with them, after what is wrong already.
fn documents(values: Vec<(String, Value)>, mut problems: Vec<Problem>) -> Result<Vec<Document>, Vec<Problem>> {
    let mut documents = Vec::new();
    for (place, value) in values {
        match one(value) {
            Ok(document) => documents.push(document),
            Err(found) => problems.extend(
                found
                    .into_iter()
                    .map(|Problem { field, reason }| Problem { field: format!("{place}: {field}"), reason }),
            ),
        }
    }
    if documents.is_empty() && problems.is_empty() {
        problems.push(refuse("file", "says nothing; write documents with `kind: Profile` or `kind: MinerSpec`"));
    }
    if problems.is_empty() { Ok(documents) } else { Err(problems) }
}

fn one(value: Value) -> Result<Document, Vec<Problem>> {
    let Value::Object(mut fields) = value else {
        return Err(vec![refuse("document", "is no mapping; begin with `kind: Profile` or `kind: MinerSpec`")]);
    };
    let etag = text(&mut fields, "etag")?;
    let kind = text(&mut fields, "kind")?;
    // Written by `profile get`; counts there, not here.
    fields.remove("generation");
    match kind.as_str() {
        "Profile" => {
            normalise(&mut fields);
            let profile: Profile = from_json(&Value::Object(fields))?;
            if profile.name.is_empty() {
                return Err(vec![refuse("name", "is missing; give the profile one")]);
            }
            Ok(Document::Profile { profile, etag })
        }
        "MinerSpec" => {
            let miner = text(&mut fields, "miner")?;
            if miner.is_empty() {
                return Err(vec![refuse("miner", "is missing; name the miner that the spec is for")]);
            }
            let spec = fields.remove("spec").ok_or_else(|| vec![refuse("spec", "is missing; write what is wanted")])?;
            unknown(&fields, "kind, miner, etag, spec")?;
            Ok(Document::Spec { miner, spec: from_json(&spec)?, etag })
        }
        "" | "SpecFragment" => {
            normalise(&mut fields);
            let spec = fields.remove("spec");
            let kindless = || vec![refuse("kind", "is missing; write Profile or MinerSpec, or a spec alone")];
            unknown(&fields, "kind, spec")?;
            Ok(Document::Fragment(from_json(&spec.ok_or_else(kindless)?)?))
        }
        other => Err(vec![refuse("kind", &format!("is {other:?}; write Profile or MinerSpec"))]),
    }
}

/// Pools as a list, as specs have them: the message has a list of its own around it, to tell none from nothing said.
fn normalise(fields: &mut Map<String, Value>) {
    let Some(Value::Object(spec)) = fields.get_mut("spec") else { return };
    for name in ["poolGroups", "pool_groups"] {
        if let Some(groups @ Value::Array(_)) = spec.get_mut(name) {
            *groups = json!({ "groups": groups.take() });
        }
    }
}

/// A profile as a person writes it.
pub(crate) fn flatten(profile: Value) -> Value {
    let Value::Object(mut fields) = profile else { return profile };
    if let Some(Value::Object(spec)) = fields.get_mut("spec")
        && let Some(groups) = spec.get_mut("poolGroups")
        && let Some(list) = groups.get_mut("groups")
    {
        *groups = list.take();
    }
    let mut document = Map::from_iter([("kind".to_owned(), json!("Profile"))]);
    document.append(&mut fields);
    Value::Object(document)
}

fn text(fields: &mut Map<String, Value>, name: &str) -> Result<String, Vec<Problem>> {
    match fields.remove(name) {
        None => Ok(String::new()),
        Some(Value::String(text)) => Ok(text),
        Some(_) => Err(vec![refuse(name, "is no text; put it in quotes")]),
    }
}

fn unknown(fields: &Map<String, Value>, known: &str) -> Result<(), Vec<Problem>> {
    let problems: Vec<_> = fields.keys().map(|name| refuse(name, &format!("is not known; use {known}"))).collect();
    if problems.is_empty() { Ok(()) } else { Err(problems) }
}

fn refuse(field: &str, reason: &str) -> Problem {
    Problem { field: field.into(), reason: reason.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_documents_of_a_file_are_read_each_as_its_kind() {
        let found = parse(
            "---\nkind: Profile\nname: north\nselector: site=north\npriority: 10\nspec:\n  paused: true\n  poolGroups: \
             [{name: main, pools: [{name: a, url: u, user: alice}]}]\n---\nkind: MinerSpec\nminer: rig1\netag: e1\nspec: \
             {paused: true}\n---\nspec: {paused: false}\n",
        );
        let [Document::Profile { profile, .. }, Document::Spec { miner, spec, etag }, Document::Fragment(part)] =
            found.as_deref().unwrap()
        else {
            panic!("{found:?}");
        };
        let said = profile.spec.clone().unwrap();
        assert_eq!((profile.name.as_str(), profile.priority, said.paused), ("north", 10, Some(true)));
        assert_eq!(said.pool_groups.unwrap().groups.len(), 1);
        assert_eq!((miner.as_str(), spec.paused, etag.as_str()), ("rig1", true, "e1"));
        assert_eq!((part.paused, &part.pool_groups), (Some(false), &None));
    }

    #[test]
    fn toml_says_the_same_as_yaml_one_document_or_several() {
        let yaml = "{kind: Profile, name: north, priority: 10, spec: {paused: true, poolGroups: [{name: main, pools: \
                    [{name: a, url: u, user: alice}]}]}}";
        let one = "kind = 'Profile'\nname = 'north'\npriority = 10\n[spec]\npaused = true\n[[spec.poolGroups]]\nname = \
                   'main'\npools = [{ name = 'a', url = 'u', user = 'alice' }]\n";
        assert_eq!(parse_toml(one), parse(yaml));
        let two = "[[documents]]\nkind = 'MinerSpec'\nminer = 'rig1'\nspec = { paused = true }\n[[documents]]\nspec = { \
                   paused = false }\n";
        let same = "{kind: MinerSpec, miner: rig1, spec: {paused: true}}\n---\n{spec: {paused: false}}";
        assert_eq!(parse_toml(two), parse(same));
        for (text, field) in [
            ("", "file"),
            ("a = [", "file"),
            ("documents = 1", "documents"),
            ("more = 1\n[[documents]]\nspec = {}", "more"),
            ("[[documents]]\nspec = {}\n[[documents]]\nkind = 'Profile'", "document 2: name"),
        ] {
            let fields: Vec<_> = parse_toml(text).unwrap_err().into_iter().map(|one| one.field).collect();
            assert_eq!(fields, [field], "{text}");
        }
    }

    #[test]
    fn every_mistake_is_told_with_its_document() {
        for (text, field) in [
            ("", "file"),
            ("- a", "document 1: document"),
            ("{kind: Profile}", "document 1: name"),
            ("{kind: Profile, name: a, selektor: x}", "document 1: selektor"),
            ("{kind: MinerSpec, spec: {}}", "document 1: miner"),
            ("{kind: MinerSpec, miner: a}", "document 1: spec"),
            ("{kind: Pool, name: a}", "document 1: kind"),
            ("{kind: 7}", "document 1: kind"),
            ("{kind: Profile, name: a}\n---\n{kind: MinerSpec, miner: a, spec: {}, more: 1}", "document 2: more"),
            ("{a: [", "document 1"),
        ] {
            let fields: Vec<_> = parse(text).unwrap_err().into_iter().map(|one| one.field).collect();
            assert_eq!(fields, [field], "{text}");
        }
    }
}
