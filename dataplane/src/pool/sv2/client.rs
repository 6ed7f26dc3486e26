//! The loop of a connection: carries frames, shares and deadlines to the session, and does what comes back.
//!
//! Everything is decided in `session`; here are the tasks, the clock and the spans. Each phase of the bring-up is a child
//! of the `pool.connect` span, which is let go with the first job or the failure: later work only remembers where it was.

#[cfg(test)]
mod tests;

use super::{
    clock,
    failure::Failure,
    handshake::{self, Trust},
    limits::Limits,
    memory::Memory,
    message::{self, Setup},
    session::{Action, Input, Profile, Session},
    transport::{ClearFrame, Frame, Reader, TransportError, Writer},
    wants::Wants,
};
use crate::{
    pool::{
        ConnectionEvent, ConnectionFacts, ConnectionPlan, MinerIdentity, connect,
        outlet::{Outlet, RateLine, now, sleep_until_some},
        phases::Phases,
    },
    trace::TraceParent,
};
use mujina_core::{id::ConnectionId, pool::Host, status::PhaseName};
use std::time::{Duration, Instant};
use stratum_apps::stratum_core::noise_sv2::NoiseEngine;
use tokio::{
    net::TcpStream,
    sync::mpsc,
    task::JoinSet,
    time::{timeout, timeout_at},
};
use tokio_util::sync::CancellationToken;

/// What the session does, in order.
const STEPS: &[PhaseName] = &[PhaseName::SetupConnection, PhaseName::OpenChannel, PhaseName::FirstJob];

/// Flags of SetupConnection: none. We need no standard jobs, select no transactions, and a CPU does without rolled versions
/// (S3).
const FLAGS: u32 = 0;

/// Runs a connection from its beginning to its end. `memory` is that of the process.
pub(super) async fn run(plan: ConnectionPlan, limits: Limits, memory: Memory) {
    let ConnectionPlan { id, pool, target, identity, hash_rate, shares, events, close, abort, span } = plan;
    let place = TraceParent::of(&span);
    let mut outlet = Outlet { id, events, shares, place, phases: Phases::new(span, STEPS) };
    let begun = now();
    let bring_up_by = begun + limits.bring_up;
    let wants = Wants::of(&pool, target, &limits, &memory, begun);
    let reached = tokio::select! {
        biased;
        () = abort.cancelled() => Err(Some(Failure::Aborted)),
        () = close.cancelled() => Err(None),
        reached = timeout_at(bring_up_by.into(), reach(wants, &limits, &mut outlet)) => match reached {
            Ok(reached) => reached.map_err(Some),
            Err(_) => Err(Some(Failure::BringUp(limits.bring_up))),
        },
    };
    let ending = match reached {
        Ok(reached) => {
            let rate = RateLine { fixed: pool.nominal_hash_rate, line: hash_rate };
            let url = reached.wants.url.clone();
            let profile = profile(id, &reached, pool.user, identity);
            let mut client = Client::new(profile, reached, rate, limits, bring_up_by, &mut outlet);
            let (failure, redirect) = client.run(&close, &abort).await;
            learn(&memory, &url, failure.as_ref(), redirect.is_some(), &limits);
            let phase = client.session.phase();
            (failure.map(|failure| failure.report(phase)), redirect)
        }
        Err(failure) => (failure.map(|failure| failure.report(outlet.phases.current())), None),
    };
    outlet.end(ending, limits.flush).await;
}

/// What the next connection to this pool should know.
fn learn(memory: &Memory, url: &str, failure: Option<&Failure>, redirected: bool, limits: &Limits) {
    match failure {
        Some(Failure::ExtensionsIgnored) => memory.extensions_ignored(url, now()),
        Some(Failure::SetupRefused { flags, asked, .. }) => memory.flags_refused(url, flags & asked, now()),
        _ if redirected => memory.redirected(url, limits, now()),
        _ => {}
    }
}

/// A connected and authenticated stream.
struct Reached {
    stream: TcpStream,
    engine: NoiseEngine,
    wants: Wants,
    connect_time: Duration,
    facts: ConnectionFacts,
}

async fn reach(wants: Result<Wants, Failure>, limits: &Limits, outlet: &mut Outlet) -> Result<Reached, Failure> {
    let wants = wants?;
    let began = outlet.begin(PhaseName::Dns);
    let mut addresses = connect::resolve(&wants.host, wants.port, limits.dns).await?;
    if wants.host != wants.home && !leads_near(&wants.home, limits).await {
        // A name that the pool gave may resolve to anything (R3).
        addresses.retain(|address| !connect::is_near(address.ip()));
        if addresses.is_empty() {
            return Err(Failure::NearRedirect);
        }
    }
    outlet.over(PhaseName::Dns, began, format!("addresses: {}", addresses.len())).await;

    let began = outlet.begin(PhaseName::Tcp);
    let stream = connect::dial(&addresses, limits.tcp).await?;
    let connect_time = now().saturating_duration_since(began);
    let peer_address = stream.peer_addr().map(|address| address.to_string()).unwrap_or_default();
    outlet.over(PhaseName::Tcp, began, peer_address.clone()).await;
    secure(stream, wants, connect_time, peer_address, limits, outlet).await
}

/// Whether the pool's own place is on this machine or link already.
async fn leads_near(home: &Host, limits: &Limits) -> bool {
    let found = connect::resolve(home, 0, limits.dns).await.unwrap_or_default();
    found.iter().any(|address| connect::is_near(address.ip()))
}

async fn secure(
    mut stream: TcpStream,
    wants: Wants,
    connect_time: Duration,
    peer_address: String,
    limits: &Limits,
    outlet: &mut Outlet,
) -> Result<Reached, Failure> {
    let began = outlet.begin(PhaseName::Noise);
    let trust = Trust { authorities: &wants.authorities, now: wants.wall, leeway: limits.certificate_leeway };
    let secured = handshake::initiate(&mut stream, trust, limits.noise).await?;
    outlet.over(PhaseName::Noise, began, format!("authority {}", secured.authority.fingerprint())).await;
    let facts = ConnectionFacts {
        peer_address,
        authenticated: true,
        authority: Some(secured.authority),
        certificate_not_after: secured.certificate_not_after,
        ..ConnectionFacts::default()
    };
    outlet.tell(ConnectionEvent::Facts(Box::new(facts.clone()))).await;
    Ok(Reached { stream, engine: secured.engine, wants, connect_time, facts })
}

fn profile(connection: ConnectionId, reached: &Reached, user: String, identity: MinerIdentity) -> Profile {
    let MinerIdentity { vendor, hardware_version, firmware } = identity;
    let Wants { host, port, version_mask, extensions, worker, refused_flags, may_redirect, .. } = &reached.wants;
    let host = match host {
        Host::Ip(address) => address.to_string(),
        Host::Name(name) => name.as_str().to_owned(),
    };
    let setup = Setup { flags: FLAGS & !refused_flags, host, port: *port, vendor, hardware_version, firmware };
    Profile {
        connection,
        setup,
        user,
        version_mask: *version_mask,
        extensions: extensions.clone(),
        worker: worker.clone(),
        connect_time: reached.connect_time,
        may_redirect: *may_redirect,
    }
}

/// A connection with a stream.
struct Client<'a> {
    session: Session,
    outlet: &'a mut Outlet,
    rate: RateLine,
    limits: Limits,
    inbound: mpsc::Receiver<Result<Frame, TransportError>>,
    /// Dropped to let the writer end.
    outbound: Option<mpsc::Sender<ClearFrame>>,
    reader: JoinSet<()>,
    writer: JoinSet<Result<(), TransportError>>,
    /// The writer failed; what the pool said before that is still read until then.
    broken: Option<(TransportError, Instant)>,
}

/// What woke the loop.
enum Wake {
    Input(Input),
    Frame(Option<Result<Frame, TransportError>>),
    WriterEnded(Result<(), TransportError>),
    Broken,
    Close,
}

/// How a session ended.
type Ending = (Option<Failure>, Option<(String, u16)>);

impl<'a> Client<'a> {
    fn new(
        profile: Profile,
        reached: Reached,
        mut rate: RateLine,
        limits: Limits,
        bring_up_by: Instant,
        outlet: &'a mut Outlet,
    ) -> Self {
        let Reached { stream, engine, facts, .. } = reached;
        let (read, write) = stream.into_split();
        let (encryptor, decryptor) = engine.into_split();
        let (frames, inbound) = mpsc::channel(limits.inbound_frames);
        let (outbound, queue) = mpsc::channel(limits.outbound_frames);
        let (mut reader, mut writer) = (JoinSet::new(), JoinSet::new());
        reader.spawn(Reader::new(read, decryptor, limits).run(frames));
        writer.spawn(Writer::new(write, encryptor, limits).run(queue));
        let session = Session::new(profile, limits, facts, rate.now(), bring_up_by, now());
        outlet.phases.begin(PhaseName::SetupConnection);
        Self { session, outlet, rate, limits, inbound, outbound: Some(outbound), reader, writer, broken: None }
    }

    async fn run(&mut self, close: &CancellationToken, abort: &CancellationToken) -> Ending {
        let mut closing = false;
        loop {
            let wake = self.next(close, abort, closing).await;
            closing |= matches!(wake, Wake::Close);
            if let Some(ending) = self.handle(wake).await {
                return ending;
            }
        }
    }

    async fn next(&mut self, close: &CancellationToken, abort: &CancellationToken, closing: bool) -> Wake {
        let deadline = sleep_until_some(self.session.deadline());
        let broken = sleep_until_some(self.broken.as_ref().map(|(_, until)| *until));
        let has_outgoing = self.session.has_outgoing();
        let writable = async {
            match &self.outbound {
                // The room stays: nobody else sends. Without a writer there is none.
                Some(outbound) if has_outgoing && outbound.reserve().await.is_ok() => {}
                _ => std::future::pending().await,
            }
        };
        // Deadlines and the socket before what may come in a flood; each of them ends its own readiness.
        tokio::select! {
            biased;
            () = abort.cancelled() => Wake::Input(Input::Failed(Failure::Aborted)),
            () = close.cancelled(), if !closing => Wake::Close,
            () = deadline => Wake::Input(Input::Tick),
            () = broken => Wake::Broken,
            () = writable => Wake::Input(Input::Writable),
            frame = self.inbound.recv() => Wake::Frame(frame),
            Some(ended) = self.writer.join_next(), if self.broken.is_none() => {
                Wake::WriterEnded(ended.unwrap_or(Err(TransportError::Closed)))
            }
            Some(share) = self.outlet.shares.recv() => Wake::Input(Input::Share(share)),
            rate = self.rate.changed() => Wake::Input(Input::HashRate(rate)),
        }
    }

    async fn handle(&mut self, wake: Wake) -> Option<Ending> {
        let input = match wake {
            Wake::Input(input) => input,
            Wake::Frame(Some(Ok(frame))) => match message::decode(frame) {
                Ok(message) => Input::Message(message),
                Err(malformed) => Input::Failed(malformed.into()),
            },
            Wake::Frame(Some(Err(error))) => Input::Failed(self.cause(error).into()),
            Wake::Frame(None) => Input::Failed(self.cause(TransportError::Closed).into()),
            Wake::WriterEnded(ended) => {
                self.outbound = None;
                self.broken = Some((ended.err().unwrap_or(TransportError::Closed), now() + self.limits.flush));
                return None;
            }
            Wake::Broken => Input::Failed(self.cause(TransportError::Closed).into()),
            Wake::Close => {
                // What was found before the end is still sent.
                self.outlet.shares.close();
                while let Ok(share) = self.outlet.shares.try_recv() {
                    if let Some(ending) = self.step(Input::Share(share)).await {
                        return Some(ending);
                    }
                }
                Input::Close
            }
        };
        self.step(input).await
    }

    /// The failure of the writer explains more than the end of the stream that followed it.
    fn cause(&mut self, error: TransportError) -> TransportError {
        match (error, self.broken.take()) {
            (TransportError::Closed, Some((error, _))) => error,
            (error, _) => error,
        }
    }

    async fn step(&mut self, input: Input) -> Option<Ending> {
        let mut actions = self.session.handle(input, now(), clock::wall());
        for action in actions.drain(..) {
            match action {
                Action::Send(message) => match (message::encode(&message), &self.outbound) {
                    // A full or closed queue means that the writer is gone, which is seen on its own.
                    (Ok(frame), Some(outbound)) => drop(outbound.try_send(frame)),
                    (Ok(_), None) => {}
                    (Err(unsendable), _) => return Box::pin(self.step(Input::Failed(unsendable.into()))).await,
                },
                Action::Event(event) => self.outlet.tell(event).await,
                Action::Job(job) => self.outlet.job(job).await,
                Action::End { failure, redirect } => {
                    let in_order = !matches!(
                        failure,
                        Some(Failure::Transport(_) | Failure::Malformed(_) | Failure::Aborted | Failure::Unsendable(_))
                    );
                    self.hang_up(in_order).await;
                    return Some((failure, redirect));
                }
            }
        }
        self.session.reuse(actions);
        None
    }

    /// Says what is left to say, and ends both tasks.
    async fn hang_up(&mut self, in_order: bool) {
        let last_words = self.session.take_outbox();
        if let (true, Some(outbound)) = (in_order, self.outbound.take()) {
            let flush = async {
                for frame in last_words.iter().filter_map(|message| message::encode(message).ok()) {
                    if outbound.send(frame).await.is_err() {
                        return;
                    }
                }
                drop(outbound);
                // Its result no longer matters: the connection is over.
                let _ = self.writer.join_next().await;
            };
            let _ = timeout(self.limits.flush * 2, flush).await;
        }
        self.reader.shutdown().await;
        self.writer.shutdown().await;
    }
}
