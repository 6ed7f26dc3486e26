//! `pool reconnect`: a new connection, the work moved to it, the old one drained. Also as a call for hosts in the same
//! process.

use crate::{
    args::PoolReconnect,
    command::{
        message,
        operation::{self, Order},
        peer::{Peer, Target},
        repeat,
        selection::{chosen, of_miners},
        view,
    },
    context::Context,
    error::CliError,
    root_span,
    saved::Client,
};
use mujina_core::{id::MinerName, units::duration};
use mujina_proto::{
    control::v1::{MinerSelection, Operation, ReconnectAction, WatchOperationResponse, operation_action::Action},
    convert,
    dataplane::v1::{
        ReconnectMode, ReconnectPoolRequest, ReconnectPoolResponse, ReconnectResult, reconnect_pool_response::Event,
    },
    dial::{Address, Bearing},
    trace::trace_id,
    types::v1::ConnectPhase,
};
use std::{collections::BTreeMap, time::Duration};
use tracing::{Instrument, Span};

/// What to do, for a person.
const DOING: &str = "reconnect the pool";

/// A reconnect to be made.
#[derive(Debug, Clone)]
pub struct ReconnectCall {
    /// A control plane or a miner.
    pub address: Address,
    /// Which of the control plane's miners; the only one when `None`.
    pub miner: Option<MinerName>,
    /// Pool by name; the live one when `None`.
    pub pool: Option<String>,
    /// Close the old connection first.
    pub immediate: bool,
    /// For the whole call.
    pub deadline: Duration,
}

/// How a reconnect went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReconnectReport {
    /// Name of the miner in the control plane, when it went through one.
    pub miner: Option<String>,
    /// Pool by name.
    pub pool: String,
    /// The new connection.
    pub connection_id: u64,
    /// Longest time that a hash thread had no work because of it.
    pub work_gap: Duration,
    /// Shares of the old connection that were never judged because of it.
    pub shares_lost: u64,
    /// All phases.
    pub phases: Vec<Phase>,
    /// Trace of the call, 32 hex digits; `None` when nobody traces.
    pub trace_id: Option<String>,
}

/// A step of a reconnect that ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Phase {
    /// dns, tcp, noise or tls, setup_connection, open_channel, first_job, switch or drain.
    pub name: String,
    /// How long it took.
    pub elapsed: Duration,
    /// Facts for a person.
    pub detail: String,
}

impl From<ConnectPhase> for Phase {
    fn from(phase: ConnectPhase) -> Self {
        let ConnectPhase { name, elapsed, detail } = phase;
        Self { name, elapsed: span_of(elapsed), detail }
    }
}

/// Reconnects, as `mujinactl pool reconnect` does, under a root span of its own; `told` hears of each phase once.
///
/// # Errors
/// See [`CliError`]. The reconnect goes on in the service when the deadline passes or the future is dropped.
pub async fn reconnect(call: ReconnectCall, mut told: impl FnMut(&Phase) + Send) -> Result<ReconnectReport, CliError> {
    let ReconnectCall { address, miner, pool, immediate, deadline } = call;
    let span = root_span("pool reconnect");
    let making = async {
        let client = Bearing::nothing(mujina_proto::dial::dial(&address, deadline).await?);
        let target = Peer::ask(address, client).await?.one(miner.as_ref())?;
        let tell = |phase: &ConnectPhase| {
            told(&phase.clone().into());
            Ok(())
        };
        let (result, miner) = match target.name.clone() {
            None => (on_miner(&target, pool, immediate, tell).await?, None),
            Some(name) => {
                let ended = through_control(
                    &target.client,
                    of_miners(vec![name.clone()]),
                    pool,
                    immediate,
                    |_| {},
                    untagged(tell),
                )
                .await?;
                operation::verdict(&ended, DOING)?;
                let target = ended.targets.into_iter().next().unwrap_or_default();
                (target.reconnect.unwrap_or_default(), Some(name))
            }
        };
        Ok(report(result, miner))
    };
    let expired = |_| Err(CliError::Deadline(deadline));
    tokio::time::timeout(deadline, making.instrument(span)).await.unwrap_or_else(expired)
}

fn report(result: ReconnectResult, miner: Option<String>) -> ReconnectReport {
    let ReconnectResult { pool, connection_id, work_gap, shares_lost, phases } = result;
    ReconnectReport {
        miner,
        pool,
        connection_id,
        work_gap: span_of(work_gap),
        shares_lost,
        phases: phases.into_iter().map(Into::into).collect(),
        trace_id: trace_id(&Span::current()),
    }
}

pub(crate) async fn run(args: PoolReconnect, context: &mut Context<'_>) -> Result<(), CliError> {
    let PoolReconnect { name: pool, immediate, miners, others } = args;
    let peer = Peer::find(context).await?;
    let selection = chosen(context, &peer, &miners, &others)?;
    let action = action(pool.clone(), immediate);
    let selection = operation::agreed(context, &peer, &Order::new(action, DOING), selection).await?;
    context.goes_on = Some("the reconnect goes on without this command".into());
    let streams = context.format.is_for_people();
    if peer.miners.is_none() {
        let target = peer.one(None)?;
        let result =
            on_miner(
                &target,
                pool,
                immediate,
                |phase| {
                    if streams { context.confirm(&view::phase(phase)) } else { Ok(()) }
                },
            )
            .await?;
        let response = ReconnectPoolResponse { event: Some(Event::Result(result.clone())) };
        return message::show(context, &response, |_| view::reconnected(&result));
    }
    let several = selection.miners.len() != 1;
    let mut started = None;
    let tell = |miner: &str, phase: &ConnectPhase| {
        let line = view::phase(phase);
        let line = if several { format!("{miner}  {line}") } else { line };
        if streams { context.confirm(&line) } else { Ok(()) }
    };
    let following =
        through_control(&peer.client, selection, pool, immediate, |id| started = Some(operation::goes_on(id)), tell)
            .await;
    if started.is_some() {
        context.goes_on = started;
    }
    let ended = following?;
    let operation = Some(ended.clone());
    let last = WatchOperationResponse { operation, snapshot: true, ..WatchOperationResponse::default() };
    message::show(context, &last, |paint| match ended.targets.as_slice() {
        [only] => only.reconnect.as_ref().map(view::reconnected).unwrap_or_default(),
        _ => view::operation(&ended, paint),
    })?;
    context.goes_on = None;
    operation::verdict(&ended, DOING)
}

/// On the miner itself: the phases as they end, then the result.
async fn on_miner(
    target: &Target,
    pool: Option<String>,
    immediate: bool,
    mut tell: impl FnMut(&ConnectPhase) -> Result<(), CliError> + Send,
) -> Result<ReconnectResult, CliError> {
    let mode = mode(immediate).into();
    let request = ReconnectPoolRequest { pool: pool.unwrap_or_default(), mode, request_id: repeat::request_id() };
    let failed = || CliError::call(DOING);
    let mut stream = target.pools().reconnect_pool(request).await.map_err(failed())?.into_inner();
    while let Some(message) = stream.message().await.map_err(failed())? {
        match message.event {
            Some(Event::Phase(phase)) => tell(&phase)?,
            Some(Event::Result(result)) => return Ok(result),
            None => {}
        }
    }
    Err(CliError::Ended { doing: DOING.into() })
}

/// As an operation of the control plane, followed to its end.
async fn through_control(
    client: &Client,
    selection: MinerSelection,
    pool: Option<String>,
    immediate: bool,
    started: impl FnOnce(&str) + Send,
    mut tell: impl FnMut(&str, &ConnectPhase) -> Result<(), CliError> + Send,
) -> Result<Operation, CliError> {
    let order = Order::new(action(pool, immediate), DOING);
    let operation = operation::start(client, &order, selection).await?.operation.unwrap_or_default();
    started(&operation.operation_id);
    let mut told = BTreeMap::<String, usize>::new();
    operation::follow(client, &operation.operation_id, DOING, |operation| {
        for target in &operation.targets {
            let known = told.entry(target.miner.clone()).or_default();
            for phase in target.phases.iter().skip(*known) {
                tell(&target.miner, phase)?;
            }
            *known = target.phases.len();
        }
        Ok(())
    })
    .await
}

/// Hears phases without the miner's name.
fn untagged(
    mut tell: impl FnMut(&ConnectPhase) -> Result<(), CliError> + Send,
) -> impl FnMut(&str, &ConnectPhase) -> Result<(), CliError> + Send {
    move |_, phase| tell(phase)
}

fn action(pool: Option<String>, immediate: bool) -> Action {
    Action::Reconnect(ReconnectAction { pool: pool.unwrap_or_default(), mode: mode(immediate).into() })
}

fn mode(immediate: bool) -> ReconnectMode {
    if immediate { ReconnectMode::Immediate } else { ReconnectMode::Graceful }
}

/// A duration that a peer sent; one that is none counts as nothing.
fn span_of(length: Option<prost_types::Duration>) -> Duration {
    convert::length("elapsed", length).ok().flatten().unwrap_or_default().min(duration::LONGEST)
}
