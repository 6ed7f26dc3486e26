//! The words of the command line, as clap reads them. Pure: what a command does stands in `command`.

mod access;
mod audit;
mod board;
mod enroll;
mod event;
mod fleet;
mod operation;
mod profile;
mod rollout;
mod saved;

use crate::output::Format;
pub(crate) use access::{
    Access, AccessBinding, AccessPayout, AccessToken, Auth, BindingAdd, PayoutPropose, TokenCreate,
};
pub(crate) use audit::{Audit, AuditVerify};
pub(crate) use board::{Board, BoardChips, BoardList, BoardLocate, BoardName, BoardTune};
use clap::{Args as ClapArgs, Parser, Subcommand, ValueEnum};
use clap_complete::{Shell, engine::ArgValueCompleter};
pub(crate) use enroll::{Enroll, EnrollRevoke, EnrollToken, EnrollTokenCreate};
pub(crate) use event::{Event, ExportAs, Stats, StatsExport, StatsRange};
pub(crate) use fleet::{LabelChange, Miner, MinerLabel, MinerList, Miners, Selection};
use mujina_core::{
    id::{MinerName, PeerName},
    units::duration,
};
use mujina_proto::dial::Address;
pub(crate) use operation::{On, Op, OpRun, Ramp};
pub(crate) use profile::{Diff, Documents, Profile};
pub(crate) use rollout::{OnFailure, Rollout, RolloutPlan, RolloutStart, Strategy as Waves};
pub(crate) use saved::{ContextAdd, ContextCommand, Login};
use std::{path::PathBuf, time::Duration};

/// Deadline of a command that was given none and is no watch.
const DEADLINE: Duration = Duration::from_secs(30);
/// The same where a board is brought up: a long chain takes some steps of its clock for that, and may be tried again.
const BRING_UP_DEADLINE: Duration = Duration::from_secs(300);
/// The same where a person may be asked, or much is read.
const ASKING_DEADLINE: Duration = Duration::from_secs(300);

/// Sees and steers Mujina miners, one or many.
///
/// Speaks to a control plane or to a single miner: to --address or --context, else to MUJINA_ADDRESS or MUJINACTL_CONTEXT,
/// else to the context in use, else to the control plane's socket in its state folder, else to the miner's
/// (MUJINA_CONTROL_STATE_DIR, MUJINA_STATE_DIR, or the default).
///
/// Exit codes: 0 ok, 1 failure, 2 usage, 3 partial, 4 not allowed, 5 unreachable, 6 deadline, 7 precondition, 8 not found, 9
/// rollout without success, 130 interrupted.
#[derive(Debug, Parser)]
#[command(
    name = "mujinactl",
    version,
    propagate_version = true,
    subcommand_required = true,
    arg_required_else_help = true
)]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What every command takes.
#[derive(Debug, Clone, ClapArgs)]
#[command(next_help_heading = "Everywhere")]
pub(crate) struct Global {
    /// The service: unix:///path/to/socket, http://127.0.0.1:port or https://host:port [env: MUJINA_ADDRESS]
    #[arg(long, global = true, value_name = "ADDR", conflicts_with = "context")]
    pub(crate) address: Option<Address>,
    /// The context to use; see `mujinactl context` [env: MUJINACTL_CONTEXT]
    #[arg(long, global = true, value_name = "NAME", add = ArgValueCompleter::new(crate::complete::contexts))]
    pub(crate) context: Option<PeerName>,
    /// One of the control plane's miners; the only one when there is one
    #[arg(short, long, global = true, value_name = "NAME", add = ArgValueCompleter::new(crate::complete::miners))]
    pub(crate) miner: Option<MinerName>,
    /// How to answer
    #[arg(short, long, global = true, value_enum, default_value_t = Format::Table)]
    pub(crate) output: Format,
    /// Wait until a change is in force, or an operation has ended
    #[arg(long, global = true)]
    pub(crate) wait: bool,
    /// Do what changes several miners without asking
    #[arg(short, long, global = true)]
    pub(crate) yes: bool,
    /// Deadline of the whole command, such as 10s or 5m; 30s by default, 5m where a board is brought up or a person asked, none
    /// for watches
    #[arg(long, global = true, value_name = "DURATION", value_parser = duration::parse)]
    pub(crate) timeout: Option<Duration>,
    /// Print the trace id of the command on standard error
    #[arg(long, global = true)]
    pub(crate) trace: bool,
    /// Print nothing but what was asked for
    #[arg(short, long, global = true)]
    pub(crate) quiet: bool,
}

/// What can be done.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// What is going on: one miner, or the fleet
    Status(Status),
    /// Miners
    #[command(subcommand)]
    Miner(Miner),
    /// Pools and their connections
    #[command(subcommand)]
    Pool(Pool),
    /// Boards and their chips
    #[command(subcommand)]
    Board(Board),
    /// Stop hashing; pool connections stay up
    Pause(Box<Pause>),
    /// Hash again
    Resume(Box<Resume>),
    /// Shares and the ledger
    #[command(subcommand)]
    Shares(Shares),
    /// Desired state
    #[command(subcommand)]
    Spec(Spec),
    /// Profiles: what is wanted of miners with certain labels
    #[command(subcommand)]
    Profile(Profile),
    /// Store the profiles and specs of a file, and change their miners at once
    Apply(Documents),
    /// Say what `apply` would change
    Diff(Diff),
    /// Changes of many miners in waves
    #[command(subcommand)]
    Rollout(Rollout),
    /// Operations: work on several miners
    #[command(subcommand)]
    Op(Op),
    /// Figures that the control plane collected
    #[command(subcommand)]
    Stats(Stats),
    /// What happened
    #[command(subcommand)]
    Event(Event),
    /// How new miners come in, and certificates
    #[command(subcommand)]
    Enroll(Enroll),
    /// Roles, operators' tokens, and who may be paid
    #[command(subcommand)]
    Access(Access),
    /// What you may do
    #[command(subcommand)]
    Auth(Auth),
    /// Who changed what
    #[command(subcommand)]
    Audit(Audit),
    /// Keep a way to a control plane that knows you by a token
    Login(Login),
    /// Ways to services, and as whom
    #[command(subcommand)]
    Context(ContextCommand),
    /// Traces of commands
    #[command(subcommand)]
    Trace(Trace),
    /// Print a completion script for a shell
    Completion {
        /// Which shell
        shell: Shell,
    },
    /// Print the versions of the command line and of the services
    Version,
}

/// `status`
#[derive(Debug, ClapArgs)]
pub(crate) struct Status {
    /// Show it again after every change, until Ctrl-C
    #[arg(short, long)]
    pub(crate) watch: bool,
}

/// `pool`
#[derive(Debug, Subcommand)]
pub(crate) enum Pool {
    /// The pools and their connections; `-o wide` shows more
    List,
    /// Connect to a pool up to its first job and say how it went; no hashing moves
    Test(Box<PoolTest>),
    /// Make this the only pool
    Set(Box<PoolSet>),
    /// Add a pool
    Add(Box<PoolAdd>),
    /// Take a pool out
    Remove(PoolRemove),
    /// Open a new connection, move the work to it, drain the old one
    Reconnect(Box<PoolReconnect>),
    /// Work for one pool whatever the order says, for a limited time
    Pin(PoolPin),
    /// End a pin before its time
    Unpin,
    /// How the work moved between pools
    History(PoolHistory),
    /// Every open connection: live, standing by, draining
    Channels,
}

/// What makes a pool.
#[derive(Debug, ClapArgs)]
pub(crate) struct PoolAccount {
    /// stratum2+tcp://host[:port]/AUTHORITY_KEY, stratum+tcp://host[:port] or stratum+ssl://host[:port]
    pub(crate) url: String,
    /// Account, payout address or worker name that the pool knows
    #[arg(short, long)]
    pub(crate) user: String,
    #[command(flatten)]
    pub(crate) password: Password,
    #[command(flatten)]
    pub(crate) options: PoolOptions,
}

/// Where a password comes from.
#[derive(Debug, ClapArgs)]
pub(crate) struct Password {
    /// Read the password from this file; an empty file clears it
    #[arg(long, value_name = "FILE", conflicts_with = "password_stdin")]
    pub(crate) password_file: Option<PathBuf>,
    /// Read the password from standard input
    #[arg(long)]
    pub(crate) password_stdin: bool,
}

/// What is rarely said of a pool.
#[derive(Debug, Default, ClapArgs)]
#[command(next_help_heading = "Rarely needed")]
pub(crate) struct PoolOptions {
    /// V2: worker told with every share, where the pool speaks the extension for it
    #[arg(long, value_name = "NAME", default_value = "", hide_default_value = true)]
    pub(crate) worker_name: String,
    /// V1 in TLS: accept this public key alone, 64 hex digits of its SHA-256; several can be given
    #[arg(long, value_name = "SHA256")]
    pub(crate) tls_pin: Vec<String>,
    /// V2: authority key that is as good as the one in the URL; several can be given
    #[arg(long, value_name = "KEY")]
    pub(crate) authority_key: Vec<String>,
    /// V1: host that client.reconnect may lead to, with the names below it; several can be given
    #[arg(long, value_name = "HOST")]
    pub(crate) redirect_host: Vec<String>,
    /// V2: roll the eight extra version bits of BIP323; only for pools that check by the new mask
    #[arg(long)]
    pub(crate) wide_version_rolling: bool,
    /// V1: do not send mining.extranonce.subscribe
    #[arg(long)]
    pub(crate) no_extranonce_subscribe: bool,
    /// V1: do not send mining.suggest_difficulty
    #[arg(long)]
    pub(crate) no_suggest_difficulty: bool,
}

/// How the pools of a group share the work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Strategy {
    /// The first pool that works gets all of it
    Failover,
    /// Every pool that works gets its part, by quota
    Quota,
}

/// A pool's place among others.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ClapArgs)]
pub(crate) struct Part {
    /// Part of the group's work, relative to the other members; a new group shares by quota then
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) quota: Option<u32>,
    /// How the pools of its group share the work; as it is by default, failover for a new group
    #[arg(long, value_enum)]
    pub(crate) strategy: Option<Strategy>,
}

/// `pool set`
#[derive(Debug, ClapArgs)]
pub(crate) struct PoolSet {
    #[command(flatten)]
    pub(crate) account: PoolAccount,
    #[command(flatten)]
    pub(crate) part: Part,
    /// Name of the pool
    #[arg(long, default_value = "primary")]
    pub(crate) name: String,
    /// Only say what would change
    #[arg(long)]
    pub(crate) dry_run: bool,
}

/// `pool add`
#[derive(Debug, ClapArgs)]
pub(crate) struct PoolAdd {
    #[command(flatten)]
    pub(crate) account: PoolAccount,
    #[command(flatten)]
    pub(crate) part: Part,
    /// Name of the pool; `primary`, or the first free of `pool-2`, `pool-3` and so on
    #[arg(long)]
    pub(crate) name: Option<String>,
    /// Group to add it to, made when there is none of that name; the first one by default
    #[arg(long)]
    pub(crate) group: Option<String>,
    /// Prefer it to the pools that are there
    #[arg(long)]
    pub(crate) first: bool,
    /// Only say what would change
    #[arg(long)]
    pub(crate) dry_run: bool,
}

/// `pool test`
#[derive(Debug, ClapArgs)]
pub(crate) struct PoolTest {
    /// URL of any pool, or the name of one of the spec
    #[arg(add = ArgValueCompleter::new(crate::complete::pools))]
    pub(crate) pool: String,
    /// Account to test with, for a URL; `test` by default
    #[arg(short, long)]
    pub(crate) user: Option<String>,
    #[command(flatten)]
    pub(crate) password: Password,
    #[command(flatten)]
    pub(crate) options: PoolOptions,
}

/// `pool pin`
#[derive(Debug, ClapArgs)]
pub(crate) struct PoolPin {
    /// Name of the pool
    #[arg(add = ArgValueCompleter::new(crate::complete::pools))]
    pub(crate) name: String,
    /// For how long, such as 30m or 2h; up to 7d
    #[arg(long = "for", value_name = "DURATION", value_parser = duration::parse)]
    pub(crate) duration: Duration,
}

/// `pool history`
#[derive(Debug, ClapArgs)]
pub(crate) struct PoolHistory {
    /// At most this many; the miner remembers 256
    #[arg(short = 'n', long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) limit: u32,
}

/// `pool remove`
#[derive(Debug, ClapArgs)]
pub(crate) struct PoolRemove {
    /// Name of the pool
    #[arg(add = ArgValueCompleter::new(crate::complete::pools))]
    pub(crate) name: String,
    /// Only say what would change
    #[arg(long)]
    pub(crate) dry_run: bool,
}

/// `pool reconnect`
#[derive(Debug, ClapArgs)]
pub(crate) struct PoolReconnect {
    /// Name of the pool; the live one by default
    #[arg(add = ArgValueCompleter::new(crate::complete::pools))]
    pub(crate) name: Option<String>,
    /// Close the old connection first; its pending shares are lost
    #[arg(long)]
    pub(crate) immediate: bool,
    /// On these miners; several can be given
    #[arg(long, value_name = "NAMES", value_delimiter = ',', conflicts_with_all = ["selector", "filter", "all"],
        add = ArgValueCompleter::new(crate::complete::miners))]
    pub(crate) miners: Vec<MinerName>,
    #[command(flatten)]
    pub(crate) others: Selection,
}

/// `pause`
#[derive(Debug, ClapArgs)]
pub(crate) struct Pause {
    /// Why, for the status and the log
    #[arg(long, default_value = "")]
    pub(crate) reason: String,
    #[command(flatten)]
    pub(crate) ramp: Ramp,
    #[command(flatten)]
    pub(crate) miners: Miners,
}

/// `resume`
#[derive(Debug, ClapArgs)]
pub(crate) struct Resume {
    #[command(flatten)]
    pub(crate) ramp: Ramp,
    #[command(flatten)]
    pub(crate) miners: Miners,
}

/// `shares`
#[derive(Debug, Subcommand)]
pub(crate) enum Shares {
    /// The ledger: of the miner, its pools, boards and threads
    Stats {
        /// Sums over all miners, as the control plane collected them
        #[arg(long)]
        all: bool,
        /// With --all: how far back
        #[arg(long, value_name = "DURATION", default_value = "1h", requires = "all", value_parser = duration::parse)]
        since: Duration,
    },
    /// Shares as they are submitted and judged, until Ctrl-C
    Tail(SharesTail),
    /// The newest shares
    List(SharesList),
    /// The newest shares that pools refused, each with its header; `-o wide` shows more
    Rejects(SharesRejects),
}

/// `shares tail`
#[derive(Debug, ClapArgs)]
pub(crate) struct SharesTail {
    /// Only these outcomes
    #[arg(long, value_enum, value_delimiter = ',')]
    pub(crate) outcome: Vec<Outcome>,
    /// End after this many
    #[arg(short = 'n', long)]
    pub(crate) limit: Option<u64>,
}

/// `shares list`
#[derive(Debug, ClapArgs)]
pub(crate) struct SharesList {
    /// Only these outcomes
    #[arg(long, value_enum, value_delimiter = ',')]
    pub(crate) outcome: Vec<Outcome>,
    /// At most this many
    #[arg(short = 'n', long, default_value_t = 50)]
    pub(crate) limit: u32,
}

/// `shares rejects`
#[derive(Debug, ClapArgs)]
pub(crate) struct SharesRejects {
    /// Only those of this pool
    #[arg(long, default_value = "", hide_default_value = true, add = ArgValueCompleter::new(crate::complete::pools))]
    pub(crate) pool: String,
    /// At most this many; the miner remembers 128
    #[arg(short = 'n', long, default_value_t = 32, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) limit: u32,
}

/// What became of a nonce.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Outcome {
    /// Not sent: its tip or connection was gone
    Stale,
    /// Not sent: found before
    Duplicate,
    /// Not sent: above the share target
    BelowTarget,
    /// Not sent: ntime out of the pool's window
    OutOfWindow,
    /// Not sent: the hash was not what the finder said
    HardwareError,
    /// Not sent: too many at once
    Suppressed,
    /// Sent, no verdict yet
    Pending,
    /// The pool counted it
    Accepted,
    /// The pool refused it
    Rejected,
    /// Sent, and never judged
    Lost,
}

/// `spec`
#[derive(Debug, Subcommand)]
pub(crate) enum Spec {
    /// The spec, in a form that `spec apply` takes
    Get,
    /// Replace the spec
    Apply(SpecFile),
    /// Say what `spec apply` would change
    Diff(SpecFile),
}

/// `spec apply`, `spec diff`
#[derive(Debug, ClapArgs)]
pub(crate) struct SpecFile {
    /// JSON or YAML; `-` reads standard input
    #[arg(short, long, value_name = "FILE")]
    pub(crate) file: PathBuf,
}

/// `trace`
#[derive(Debug, Subcommand)]
pub(crate) enum Trace {
    /// Where the time of a command went
    Show {
        /// 32 hex digits, as --trace prints them
        id: String,
    },
}

impl Command {
    /// The words that name it, for spans and messages.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Status(_) => "status",
            Self::Miner(miner) => miner.name(),
            Self::Profile(profile) => profile.name(),
            Self::Apply(_) => "apply",
            Self::Diff(_) => "diff",
            Self::Rollout(rollout) => rollout.name(),
            Self::Op(op) => op.name(),
            Self::Stats(stats) => stats.name(),
            Self::Event(event) => event.name(),
            Self::Enroll(enroll) => enroll.name(),
            Self::Access(access) => access.name(),
            Self::Auth(auth) => auth.name(),
            Self::Audit(audit) => audit.name(),
            Self::Login(_) => "login",
            Self::Context(context) => context.name(),
            Self::Pool(Pool::List) => "pool list",
            Self::Pool(Pool::Set(_)) => "pool set",
            Self::Pool(Pool::Add(_)) => "pool add",
            Self::Pool(Pool::Remove(_)) => "pool remove",
            Self::Pool(Pool::Reconnect(_)) => "pool reconnect",
            Self::Pool(Pool::Test(_)) => "pool test",
            Self::Pool(Pool::Pin(_)) => "pool pin",
            Self::Pool(Pool::Unpin) => "pool unpin",
            Self::Pool(Pool::History(_)) => "pool history",
            Self::Pool(Pool::Channels) => "pool channels",
            Self::Board(Board::List(_)) => "board list",
            Self::Board(Board::Get(_)) => "board get",
            Self::Board(Board::Chips(_)) => "board chips",
            Self::Board(Board::Constraints(_)) => "board constraints",
            Self::Board(Board::Tune(_)) => "board tune",
            Self::Board(Board::Locate(_)) => "board locate",
            Self::Board(Board::SelfTest(_)) => "board self-test",
            Self::Board(Board::Reinit(_)) => "board reinit",
            Self::Pause(_) => "pause",
            Self::Resume(_) => "resume",
            Self::Shares(Shares::Stats { .. }) => "shares stats",
            Self::Shares(Shares::Tail(_)) => "shares tail",
            Self::Shares(Shares::List(_)) => "shares list",
            Self::Shares(Shares::Rejects(_)) => "shares rejects",
            Self::Spec(Spec::Get) => "spec get",
            Self::Spec(Spec::Apply(_)) => "spec apply",
            Self::Spec(Spec::Diff(_)) => "spec diff",
            Self::Trace(Trace::Show { .. }) => "trace show",
            Self::Completion { .. } => "completion",
            Self::Version => "version",
        }
    }

    /// Its deadline when none is given: none for what is followed to its end, and more where a person may be asked.
    pub(crate) fn deadline(&self, waits: bool) -> Option<Duration> {
        match self {
            Self::Board(Board::SelfTest(_) | Board::Reinit(_)) => Some(BRING_UP_DEADLINE),
            Self::Rollout(Rollout::Watch(_)) | Self::Op(Op::Watch(_) | Op::Retry { .. } | Op::Run(_)) => None,
            Self::Rollout(Rollout::Start(_)) if waits => None,
            Self::Pause(_) | Self::Resume(_) if waits => None,
            Self::Apply(_) | Self::Login(_) | Self::Audit(_) | Self::Stats(_) | Self::Profile(_) | Self::Rollout(_) => {
                Some(ASKING_DEADLINE)
            }
            Self::Pause(_) | Self::Resume(_) | Self::Pool(Pool::Reconnect(_)) => Some(ASKING_DEADLINE),
            _ => (!self.is_watch()).then_some(DEADLINE),
        }
    }

    /// Whether it speaks to the service that flags, the environment and the context in use say.
    pub(crate) fn needs_service(&self) -> bool {
        !matches!(self, Self::Context(_) | Self::Login(_) | Self::Completion { .. })
    }

    /// Whether it goes on until it is interrupted.
    pub(crate) fn is_watch(&self) -> bool {
        matches!(
            self,
            Self::Status(Status { watch: true })
                | Self::Event(Event::Watch { .. })
                | Self::Shares(Shares::Tail(_))
                | Self::Board(Board::List(BoardList { watch: true }))
        )
    }
}

#[cfg(test)]
mod tests;
