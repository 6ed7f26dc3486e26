//! The spec on disk: `spec.json` in the state folder, passwords included, readable by its owner alone.
//!
//! What is read goes through the same check as what arrives over the API. A file that cannot be used is never overwritten:
//! it is renamed, so that a person can look at it.

use super::{
    begin::{Found, Record},
    step::Entry,
    trial::{self, Trial},
};
use crate::state_dir::StateDir;
use mujina_core::{
    id::Generation,
    pool::{DEFAULT_QUOTA, PoolGroup, PoolOptionsDraft, PoolSpec, PoolStrategy},
    spec::{BoardTuningDraft, GroupDraft, MinerSpec, PoolDraft, Problems, SpecDraft, SpecOrigin},
    text::Secret,
    units::HashRate,
};
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    io,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// Its name.
const FILE: &str = "spec.json";
/// Far above the largest spec: 32 pools of 2 KiB.
const LIMIT: u64 = 1 << 20;
/// What this program writes; raised when an older program could not understand the file.
const VERSION: u32 = 1;
/// Of a spec that waits for its confirmation: a program that knows nothing of that must not keep it.
const VERSION_ON_TRIAL: u32 = 2;

/// Why a stored spec cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FileError {
    /// The system does not give it out.
    #[error("it cannot be read")]
    Io(#[source] io::Error),
    /// Not JSON, or not of the form that is expected. The parser's own words may quote a password and are left out.
    #[error("it is damaged at line {line}, column {column}")]
    Damaged { line: usize, column: usize },
    /// Written by a newer program.
    #[error("it has version {found} and this program knows up to {VERSION_ON_TRIAL}; update the program to use it")]
    Newer { found: u32 },
    /// Well-formed and wrong.
    #[error("it does not check out: {0}")]
    Invalid(Problems),
}

impl From<serde_json::Error> for FileError {
    fn from(error: serde_json::Error) -> Self {
        Self::Damaged { line: error.line(), column: error.column() }
    }
}

/// Finds what the last process kept. What cannot be used is set aside under the second name returned.
///
/// # Errors
/// It cannot be set aside either.
pub(crate) fn find(folder: &StateDir, now: SystemTime) -> io::Result<(Found, Option<(FileError, String)>)> {
    let record = match folder.read(FILE, LIMIT) {
        Ok(None) => return Ok((Found::Nothing, None)),
        Ok(Some(content)) => read(&content),
        Err(error) => Err(FileError::Io(error)),
    };
    match record {
        Ok(record) => Ok((Found::Stored(record), None)),
        Err(error) => {
            let aside = folder.set_aside(FILE, &format!("{FILE}.unreadable-{}", since_epoch(now).as_secs()))?;
            Ok((Found::Unreadable, Some((error, aside))))
        }
    }
}

/// Keeps a record, wholly or not at all. Blocks until it is on the disk.
///
/// # Errors
/// What the system says; the file before is kept then.
pub(crate) fn store(folder: &StateDir, record: &Record) -> io::Result<()> {
    folder.write(FILE, &write(record)?)
}

fn write(record: &Record) -> io::Result<Vec<u8>> {
    let mut text = serde_json::to_vec_pretty(&Document::from(record))?;
    text.push(b'\n');
    Ok(text)
}

fn read(content: &[u8]) -> Result<Record, FileError> {
    let Version { version } = serde_json::from_slice(content)?;
    if version > VERSION_ON_TRIAL {
        return Err(FileError::Newer { found: version });
    }
    serde_json::from_slice::<Document>(content)?.try_into()
}

/// What every version of the file has.
#[derive(Deserialize)]
struct Version {
    version: u32,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    version: u32,
    generation: u64,
    etag: String,
    origin: SpecOrigin,
    control_generation: u64,
    accepted_at_unix_ms: u64,
    configured: Option<String>,
    paused: bool,
    pool_groups: Vec<Group>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    boards: BTreeMap<String, BoardTuningDraft>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    trial: Option<OnTrial>,
}

/// What the spec goes back to when nobody confirms it.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct OnTrial {
    within_ms: u64,
    reverts_at_unix_ms: u64,
    paused: bool,
    pool_groups: Vec<Group>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    boards: BTreeMap<String, BoardTuningDraft>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Group {
    name: String,
    strategy: Strategy,
    pools: Vec<Pool>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Strategy {
    Failover,
    Quota,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Pool {
    name: String,
    url: String,
    user: String,
    password: Option<String>,
    nominal_hash_rate_hps: Option<f64>,
    #[serde(default = "default_quota", skip_serializing_if = "is_default_quota")]
    quota: u32,
    #[serde(default, skip_serializing_if = "PoolOptionsDraft::is_default")]
    options: PoolOptionsDraft,
}

fn default_quota() -> u32 {
    DEFAULT_QUOTA.get()
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands out references")]
fn is_default_quota(quota: &u32) -> bool {
    *quota == default_quota()
}

impl From<&Record> for Document {
    fn from(record: &Record) -> Self {
        let Record { entry, configured } = record;
        let Entry { spec, generation, etag, origin, control_generation, accepted_at, trial } = entry;
        let (pool_groups, paused, boards) = parts(spec);
        Self {
            version: if trial.is_some() { VERSION_ON_TRIAL } else { VERSION },
            generation: generation.0,
            etag: etag.clone(),
            origin: *origin,
            control_generation: control_generation.0,
            accepted_at_unix_ms: milliseconds(since_epoch(*accepted_at)),
            configured: configured.clone(),
            paused,
            pool_groups,
            boards,
            trial: trial.as_ref().map(OnTrial::from),
        }
    }
}

impl From<&Trial> for OnTrial {
    fn from(trial: &Trial) -> Self {
        let Trial { back_to, within, reverts_at } = trial;
        let (pool_groups, paused, boards) = parts(back_to);
        let reverts_at_unix_ms = milliseconds(since_epoch(*reverts_at));
        Self { within_ms: milliseconds(*within), reverts_at_unix_ms, paused, pool_groups, boards }
    }
}

type Parts = (Vec<Group>, bool, BTreeMap<String, BoardTuningDraft>);

fn parts(spec: &MinerSpec) -> Parts {
    let MinerSpec { pool_groups, paused, boards } = spec;
    let boards = boards.iter().map(|(name, tuning)| (name.clone(), tuning.into())).collect();
    (pool_groups.iter().map(Group::from).collect(), *paused, boards)
}

fn spec((pool_groups, paused, boards): Parts) -> Result<MinerSpec, FileError> {
    let draft = SpecDraft { pool_groups: pool_groups.into_iter().map(GroupDraft::from).collect(), paused, boards };
    draft.check(None).map_err(FileError::Invalid)
}

impl From<&PoolGroup> for Group {
    fn from(group: &PoolGroup) -> Self {
        let PoolGroup { name, strategy, pools } = group;
        let strategy = match strategy {
            PoolStrategy::Failover => Strategy::Failover,
            PoolStrategy::Quota => Strategy::Quota,
        };
        Self { name: name.to_string(), strategy, pools: pools.iter().map(Pool::from).collect() }
    }
}

impl From<&PoolSpec> for Pool {
    fn from(pool: &PoolSpec) -> Self {
        let PoolSpec { name, endpoint, user, password, nominal_hash_rate, quota, options } = pool;
        Self {
            name: name.to_string(),
            url: endpoint.to_string(),
            user: user.clone(),
            password: password.as_ref().map(|secret| secret.expose().to_owned()),
            nominal_hash_rate_hps: nominal_hash_rate.map(HashRate::hashes_per_second),
            quota: quota.get(),
            options: options.into(),
        }
    }
}

impl TryFrom<Document> for Record {
    type Error = FileError;

    fn try_from(document: Document) -> Result<Self, FileError> {
        let Document {
            version: _,
            generation,
            etag,
            origin,
            control_generation,
            accepted_at_unix_ms,
            configured,
            paused,
            pool_groups,
            boards,
            trial,
        } = document;
        let entry = Entry {
            spec: spec((pool_groups, paused, boards))?,
            generation: Generation(generation.max(1)),
            etag,
            origin,
            control_generation: Generation(control_generation),
            accepted_at: moment(accepted_at_unix_ms),
            trial: trial.map(Trial::try_from).transpose()?,
        };
        Ok(Self { entry, configured })
    }
}

impl TryFrom<OnTrial> for Trial {
    type Error = FileError;

    fn try_from(on_trial: OnTrial) -> Result<Self, FileError> {
        let OnTrial { within_ms, reverts_at_unix_ms, paused, pool_groups, boards } = on_trial;
        Ok(Self {
            back_to: spec((pool_groups, paused, boards))?,
            within: Duration::from_millis(within_ms).min(trial::LONGEST),
            reverts_at: moment(reverts_at_unix_ms),
        })
    }
}

impl From<Group> for GroupDraft {
    fn from(group: Group) -> Self {
        let Group { name, strategy, pools } = group;
        let strategy = match strategy {
            Strategy::Failover => PoolStrategy::Failover,
            Strategy::Quota => PoolStrategy::Quota,
        };
        Self { name, strategy: Some(strategy), pools: pools.into_iter().map(PoolDraft::from).collect() }
    }
}

impl From<Pool> for PoolDraft {
    fn from(pool: Pool) -> Self {
        let Pool { name, url, user, password, nominal_hash_rate_hps, quota, options } = pool;
        Self { name, url, user, password: password.map(Secret::from), nominal_hash_rate_hps, quota, options }
    }
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

fn moment(unix_ms: u64) -> SystemTime {
    UNIX_EPOCH.checked_add(Duration::from_millis(unix_ms)).unwrap_or(UNIX_EPOCH)
}

/// A clock before 1970 counts as 1970.
fn since_epoch(time: SystemTime) -> Duration {
    time.duration_since(UNIX_EPOCH).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::fixtures::{draft_with_password, entry, groups, moment};
    use std::fs;

    fn record() -> Record {
        let mut groups = draft_with_password("alice", "hunter2").check(None).unwrap().pool_groups;
        groups[0].pools[0].nominal_hash_rate = Some(HashRate::from_hashes_per_second(1e12));
        let mut entry = entry(groups);
        let tuning = BoardTuningDraft { fan_target: Some(50.0), ..BoardTuningDraft::default() };
        let boards = [("bitaxe-gamma".to_owned(), tuning)].into();
        entry.spec.boards = SpecDraft { boards, ..SpecDraft::default() }.check(None).unwrap().boards;
        Record { entry, configured: Some("print".into()) }
    }

    fn folder() -> (tempfile::TempDir, StateDir) {
        let root = tempfile::tempdir().unwrap();
        let folder = StateDir::open(root.path()).unwrap();
        (root, folder)
    }

    #[test]
    fn spec_comes_back_from_the_disk_as_it_was() {
        let (_root, folder) = folder();
        assert_eq!(find(&folder, moment(0)).unwrap().0, Found::Nothing);
        store(&folder, &record()).unwrap();
        assert_eq!(find(&folder, moment(0)).unwrap().0, Found::Stored(record()));
    }

    #[test]
    fn spec_on_trial_comes_back_with_what_it_goes_back_to_and_is_not_for_older_programs() {
        let (_root, folder) = folder();
        let mut on_trial = record();
        let mut confirmed = Entry { trial: None, ..entry(groups("bob")) };
        confirmed.spec.boards.clone_from(&on_trial.entry.spec.boards);
        on_trial.entry.trial = Some(Trial::begin(&confirmed, Duration::from_secs(60), moment(5)));
        store(&folder, &on_trial).unwrap();
        assert_eq!(find(&folder, moment(0)).unwrap().0, Found::Stored(on_trial.clone()));
        let version = |record| serde_json::from_slice::<Version>(&write(record).unwrap()).unwrap().version;
        assert_eq!((version(&on_trial), version(&record())), (2, 1));
    }

    #[test]
    fn file_that_cannot_be_used_is_set_aside_whole() {
        let good = String::from_utf8(write(&record()).unwrap()).unwrap();
        let bad = [
            String::new(),
            "\u{0}\u{0}\u{0}".into(),
            good.replace("stratum2+tcp", "stratum3+tcp"),
            good.replace("\"paused\"", "\"pausd\""),
            good.replace("\"user\": \"alice\"", "\"user\": \"\""),
            good.replace("\"password\": \"hunter2\"", "\"password\": [\"hunter2\"]"),
            " ".repeat(1 << 21),
        ];
        for content in bad {
            let (root, folder) = folder();
            fs::write(root.path().join(FILE), &content).unwrap();
            let (found, aside) = find(&folder, moment(0)).unwrap();
            let (error, name) = aside.unwrap();
            assert_eq!((found, name.as_str()), (Found::Unreadable, "spec.json.unreadable-1700000000"));
            assert_eq!(fs::read_to_string(root.path().join(name)).unwrap(), content);
            assert!(!root.path().join(FILE).exists());
            assert!(!format!("{error} {error:?}").contains("hunter2"), "{error:?}");
        }
    }

    #[test]
    fn file_set_aside_never_replaces_one_that_was_set_aside_before() {
        // A machine without a battery has the same time at every start.
        let (root, folder) = folder();
        for content in ["first", "second", "third"] {
            fs::write(root.path().join(FILE), content).unwrap();
            let (_, aside) = find(&folder, moment(0)).unwrap();
            let (_, name) = aside.unwrap();
            assert_eq!(fs::read_to_string(root.path().join(name)).unwrap(), content);
        }
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 3 + 1, "three files and the lock");
    }

    #[test]
    fn file_of_a_newer_program_is_not_guessed_at() {
        let newer = String::from_utf8(write(&record()).unwrap()).unwrap().replace("\"version\": 1", "\"version\": 3");
        assert!(matches!(read(newer.as_bytes()), Err(FileError::Newer { found: 3 })));
    }

    #[test]
    fn file_cut_anywhere_is_refused() {
        let whole = write(&record()).unwrap();
        // The last two bytes are the closing brace and a line feed.
        for length in 0..whole.len() - 2 {
            assert!(read(&whole[..length]).is_err(), "{length}");
        }
        assert!(read(&whole[..whole.len() - 1]).is_ok());
    }
}
