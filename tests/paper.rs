//! Holds docs/stratum.md to the tree: every test that it names exists, every rule has one or says why not, and every id that
//! the pool side cites in a comment is in it.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

/// Letters before the number of a rule.
const KINDS: [&str; 18] = ["N", "F", "S", "C", "J", "T", "X", "U", "A", "G", "R", "E", "L", "W", "D", "V", "H", "SEC"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A row: rule, what, held in, tests.
type Row = [String; 4];

fn rows() -> Vec<Row> {
    let text = fs::read_to_string(root().join("docs/stratum.md")).unwrap();
    // A bar within a cell is written `\|`.
    let rows = text.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| rule "));
    rows.map(|line| {
        let line = line.replace("\\|", "¦");
        let cells: Vec<_> = line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect();
        cells.try_into().unwrap_or_else(|cells| panic!("a row has four cells: {cells:?}"))
    })
    .collect()
}

/// Where a test with this path may stand: in a file of its module, or of the module that holds it.
fn places(path: &str) -> Vec<PathBuf> {
    let (folder, module) = match path.split_once("::") {
        Some(("suite", rest)) => ("tests/suite", rest),
        Some(("mujina_core", rest)) => ("dataplane/core/src", rest),
        _ => ("dataplane/src", path),
    };
    let mut segments: Vec<_> = module.split("::").collect();
    segments.pop();
    let file = |segments: &[&str]| root().join(folder).join(segments.join("/")).with_extension("rs");
    let mut places = vec![file(&segments)];
    if segments.pop() == Some("tests") {
        places.push(file(&segments));
    }
    places
}

#[test]
fn every_test_that_the_rules_name_exists() {
    let mut named = 0;
    for [rule, _, _, tests] in rows() {
        for path in tests.split(", ").filter(|path| !path.is_empty()) {
            let path = path.trim_matches('`');
            let name = path.rsplit("::").next().unwrap();
            let is_there =
                |place: &PathBuf| fs::read_to_string(place).is_ok_and(|text| text.contains(&format!("fn {name}(")));
            assert!(places(path).iter().any(is_there), "{rule}: there is no test {path}");
            named += 1;
        }
    }
    assert!(named > 200, "{named} tests are named");
}

#[test]
fn every_rule_stands_once_and_has_a_test_or_a_reason() {
    let mut seen = BTreeSet::new();
    for [rule, what, held, tests] in rows() {
        let excused = held.starts_with("left out") || held.contains("by construction");
        assert!(!what.is_empty() && (!tests.is_empty() || excused), "{rule} has neither test nor reason");
        assert!(seen.insert(rule.clone()), "{rule} stands twice");
    }
    assert!(seen.len() > 170, "{} rules", seen.len());
}

#[test]
fn every_id_that_the_pool_side_cites_is_a_rule() {
    let known: BTreeSet<_> = rows().into_iter().map(|[rule, ..]| rule).collect();
    let mut folders = vec![root().join("dataplane/src/pool"), root().join("dataplane/src/scheduler")];
    let mut cited = BTreeSet::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                cited.extend(ids(&fs::read_to_string(&path).unwrap()));
            }
        }
    }
    let unknown: Vec<_> = cited.difference(&known).collect();
    assert!(unknown.is_empty(), "docs/stratum.md lacks {unknown:?}");
    assert!(cited.len() > 100, "{} ids are cited", cited.len());
}

/// Rules named in comments.
fn ids(text: &str) -> Vec<String> {
    let comments = text.lines().filter_map(|line| line.split_once("//").map(|(_, comment)| comment));
    let words = comments.flat_map(|comment| comment.split(|c: char| !c.is_ascii_alphanumeric()));
    let is_id = |word: &&str| {
        let digits = word.trim_start_matches(|c: char| c.is_ascii_uppercase());
        let letters = &word[..word.len() - digits.len()];
        let is_number = (1..=2).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
        is_number && KINDS.contains(&letters)
    };
    words.filter(is_id).map(str::to_owned).collect()
}
