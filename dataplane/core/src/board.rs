//! Boards: what is seen of them, and what may be wanted of them. Absent readings are unknown, never zero.

mod summary;

pub use self::summary::{BoardSummary, ChipTotals};
use crate::{
    fault::Fault,
    id::BoardId,
    units::{Amperes, Celsius, Frequency, HashRate, Volts, Watts},
};
use std::{
    collections::BTreeMap,
    time::{Duration, SystemTime},
};

/// What a board is doing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum BoardState {
    /// Being brought up: identified, powered, enumerated, ramped.
    #[default]
    Starting,
    /// Its chips run and have work.
    Mining,
    /// Its chips run and have no work.
    Idle,
    /// Stopped because the miner is paused.
    Paused,
    /// In the safe state until it has cooled or until the next attempt; `state_reason` says which and when.
    Waiting,
    /// In the safe state and not tried again by itself.
    Fault,
    /// Recognised, but not one that this version can drive.
    Unsupported,
    /// Unplugged; comes back with the device.
    Gone,
}

impl BoardState {
    /// Stable name for machines.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Mining => "mining",
            Self::Idle => "idle",
            Self::Paused => "paused",
            Self::Waiting => "waiting",
            Self::Fault => "fault",
            Self::Unsupported => "unsupported",
            Self::Gone => "gone",
        }
    }
}

/// Everything that is seen of one board at one moment, besides its ledger.
#[derive(Debug, Clone, PartialEq)]
pub struct BoardReport {
    /// Stable id: model and serial, or the place of the device where serials repeat.
    pub id: BoardId,
    /// Model, for example `bitaxe-gamma`.
    pub model: String,
    /// What it is doing.
    pub state: BoardState,
    /// Why, for a person.
    pub state_reason: String,
    /// Since when.
    pub state_since: SystemTime,
    /// Facts of the model and the device that do not change while it is there.
    pub facts: BTreeMap<String, String>,
    /// Chips that the model has.
    pub expected_chips: u32,
    /// Chips that answered, nearest to the host first.
    pub chips: Vec<ChipReport>,
    /// Temperatures.
    pub sensors: Vec<SensorReport>,
    /// Fans.
    pub fans: Vec<FanReport>,
    /// Supplies.
    pub rails: Vec<RailReport>,
    /// Set points, what they come from and what holds them back.
    pub tuning: TuningReport,
    /// What may be asked of its tuning, with reasons.
    pub constraints: BoardConstraints,
    /// What its status LED shows; absent for a board without one.
    pub led: Option<LedState>,
    /// Until when it shows where it is.
    pub locate_until: Option<SystemTime>,
    /// The newest time that it was put into the safe state; absent when it never was.
    pub safe_state: Option<SafeStateReport>,
    /// Times that it was brought up in this process.
    pub starts: u32,
    /// What needs attention.
    pub faults: Vec<Fault>,
}

impl BoardReport {
    /// A board of which no more is known.
    #[must_use]
    pub fn new(id: BoardId, model: &str, state: BoardState, state_since: SystemTime) -> Self {
        Self {
            id,
            model: model.to_owned(),
            state,
            state_reason: String::new(),
            state_since,
            facts: BTreeMap::new(),
            expected_chips: 0,
            chips: Vec::new(),
            sensors: Vec::new(),
            fans: Vec::new(),
            rails: Vec::new(),
            tuning: TuningReport::default(),
            constraints: BoardConstraints::default(),
            led: None,
            locate_until: None,
            safe_state: None,
            starts: 0,
            faults: Vec::new(),
        }
    }
}

/// One chip of a chain.
#[derive(Debug, Clone, PartialEq)]
pub struct ChipReport {
    /// Place in the chain, nearest to the host first.
    pub index: u32,
    /// Address on the chain.
    pub address: u8,
    /// Chip id, for example `0x1370`.
    pub chip_id: u16,
    /// Nonces whose header hash met the ticket target.
    pub verified: u64,
    /// Nonces that failed, by kind.
    pub errors: ChipErrors,
    /// Nonces that it returned before.
    pub duplicates: u64,
    /// Rate from its verified nonces, over ten minutes or since it started; absent before the first.
    pub hash_rate: Option<HashRate>,
    /// One standard error of `hash_rate`, as a part of it.
    pub relative_error: Option<f64>,
    /// Rate that it should reach at its clock.
    pub nominal_hash_rate: HashRate,
    /// When its newest verified nonce came.
    pub last_nonce_at: Option<SystemTime>,
    /// What is odd about it, among its neighbours or by its own measure; empty = nothing.
    pub notes: Vec<String>,
}

/// Nonces of a chip that were not what they should be.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ChipErrors {
    /// The hash met the ticket target of no work that the slot held.
    pub wrong_hash: u64,
    /// The version has bits outside the mask.
    pub wrong_version: u64,
    /// No work was ever given under that job id.
    pub unknown_job: u64,
}

impl ChipErrors {
    /// All of them.
    #[must_use]
    pub fn sum(self) -> u64 {
        self.wrong_hash + self.wrong_version + self.unknown_job
    }
}

/// One temperature.
#[derive(Debug, Clone, PartialEq)]
pub struct SensorReport {
    /// What is measured, for example `asic`, `regulator`, `pcb`.
    pub name: String,
    /// Newest plausible reading; absent while there is none.
    pub temperature: Option<Celsius>,
    /// From here on the clock goes down.
    pub soft_limit: Celsius,
    /// From here on the board stops.
    pub hard_limit: Celsius,
    /// Why there is no reading; empty when there is.
    pub problem: String,
}

/// One fan.
#[derive(Debug, Clone, PartialEq)]
pub struct FanReport {
    /// Which.
    pub name: String,
    /// What it was told, in percent; absent when that is not known.
    pub duty_percent: Option<f64>,
    /// Turns per minute; absent when they are not measured or not known.
    pub rpm: Option<u32>,
}

/// One supply.
#[derive(Debug, Clone, PartialEq)]
pub struct RailReport {
    /// Which, for example `core`, `input`.
    pub name: String,
    /// What it was told; absent for one that cannot be set.
    pub set: Option<Volts>,
    /// Measured voltage.
    pub voltage: Option<Volts>,
    /// Measured current.
    pub current: Option<Amperes>,
    /// Power: measured where both are, absent otherwise.
    pub power: Option<Watts>,
}

/// Where a board's clock and voltage stand.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TuningReport {
    /// What is wanted.
    pub wanted: TuningMode,
    /// Clock that is aimed at now; absent while the chips do not run.
    pub frequency: Option<Frequency>,
    /// Voltage that is aimed at now; absent while the rail is off.
    pub voltage: Option<Volts>,
    /// What keeps it from more, for example `temperature`, `power target`, `hardware errors`; empty = it is where it is wanted.
    pub limited_by: Vec<String>,
    /// What was learnt of this board, newest last, for a person.
    pub learnt: Vec<String>,
}

/// What an owner may want of a board's clock and voltage.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub enum TuningMode {
    /// Set points of the model.
    #[default]
    Default,
    /// Exactly these.
    Fixed {
        /// Clock of the chips.
        frequency: Frequency,
        /// Core voltage; over the whole stack where chips are in series.
        voltage: Volts,
    },
    /// As fast as this power allows.
    Power(Watts),
    /// As little power as this rate needs.
    HashRate(HashRate),
}

/// What is wanted of one board, or of all boards of a model.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct BoardTuning {
    /// Clock and voltage.
    pub mode: TuningMode,
    /// Tighter limits than the model's: greatest temperature per sensor before the clock goes down.
    pub soft_limits: BTreeMap<String, Celsius>,
    /// Tighter limits than the model's: greatest temperature per sensor before the board stops.
    pub hard_limits: BTreeMap<String, Celsius>,
    /// Temperature that the fan aims at; absent = the model's.
    pub fan_target: Option<Celsius>,
}

/// A number with its limits.
#[derive(Debug, Clone, PartialEq)]
pub struct Constraint {
    /// What it limits, for example `frequency_mhz`, `voltage_volts`, `power_watts`, `soft_limit_celsius[asic]`.
    pub name: String,
    /// Least allowed.
    pub least: f64,
    /// Greatest allowed.
    pub greatest: f64,
    /// What the model uses.
    pub default: f64,
    /// Why these limits.
    pub reason: String,
}

/// What may be asked of a board.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct BoardConstraints(pub Vec<Constraint>);

/// What a status LED shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LedState {
    /// Being brought up.
    Starting,
    /// Hashing for a pool.
    Mining,
    /// Running without work.
    NoPool,
    /// Paused.
    Paused,
    /// In the safe state after a fault.
    Fault,
    /// Here I am.
    Locate,
    /// Dark.
    Off,
}

/// The newest time that a board was made safe: chips in reset, core supply off.
#[derive(Debug, Clone, PartialEq)]
pub struct SafeStateReport {
    /// When.
    pub at: SystemTime,
    /// Why.
    pub reason: String,
    /// Whether reading back showed reset low and the core supply off.
    pub confirmed: bool,
    /// What was read back, or why nothing could be.
    pub detail: String,
}

/// One step of a self-test, as it ends.
#[derive(Debug, Clone, PartialEq)]
pub struct SelfTestStep {
    /// Which, for example `rails`, `fan`, `sensors`, `golden nonce of chip 3`.
    pub name: String,
    /// How it ended.
    pub outcome: SelfTestOutcome,
    /// What was measured, for a person.
    pub detail: String,
    /// How long it took.
    pub elapsed: Duration,
}

/// How a step of a self-test ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SelfTestOutcome {
    /// As it should.
    Passed,
    /// Not as it should.
    Failed,
    /// This board has no such thing, or an earlier failure made it pointless.
    Skipped,
}
