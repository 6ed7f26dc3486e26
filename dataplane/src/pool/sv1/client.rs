//! The loop of a connection: carries lines, shares and deadlines to the session, and does what comes back.
//!
//! Everything is decided in `session`; here are the tasks, the clock and the spans.

#[cfg(test)]
mod tests;

use super::{
    failure::Failure,
    limits::Limits,
    message::{self, Malformed},
    session::{Action, Input, Profile, Session},
    tls::{self, Trust},
    transport::{Line, Reader, TransportError, Writer},
};
use crate::{
    pool::{
        ConnectionEvent, ConnectionFacts, ConnectionPlan, MinerIdentity, Target, connect,
        outlet::{Ending, Outlet, RateLine, now, sleep_until_some},
        phases::Phases,
    },
    trace::TraceParent,
};
use mujina_core::{
    id::ConnectionId,
    pool::{Host, PoolEndpoint, PoolSpec, TlsMode},
    status::PhaseName,
    text::Secret,
};
use rustls::RootCertStore;
use std::{
    sync::Arc,
    time::{Instant, SystemTime, UNIX_EPOCH},
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    sync::mpsc,
    task::JoinSet,
    time::{timeout, timeout_at},
};
use tokio_util::sync::CancellationToken;
use tracing::debug;

/// What the session does, in order.
const STEPS: &[PhaseName] = &[PhaseName::SetupConnection, PhaseName::FirstJob];
/// Sent where the operator gave none: most pools want something, and none cares what.
const NO_PASSWORD: &str = "x";

/// Runs a connection from its beginning to its end. `roots` say which certificates are good where no key is pinned.
pub(super) async fn run(plan: ConnectionPlan, limits: Limits, roots: &Arc<RootCertStore>) {
    let ConnectionPlan { id, pool, target, identity, hash_rate, shares, events, close, abort, span } = plan;
    let place = TraceParent::of(&span);
    let mut outlet = Outlet { id, events, shares, place, phases: Phases::new(span, STEPS) };
    let bring_up_by = now() + limits.bring_up;
    let reached = tokio::select! {
        biased;
        () = abort.cancelled() => Err(Some(Failure::Aborted)),
        () = close.cancelled() => Err(None),
        reached = timeout_at(bring_up_by.into(), reach(&pool, target, roots, &limits, &mut outlet)) => match reached {
            Ok(reached) => reached.map_err(Some),
            Err(_) => Err(Some(Failure::BringUp(limits.bring_up))),
        },
    };
    let ending = match reached {
        Ok(reached) => {
            let rate = RateLine { fixed: pool.nominal_hash_rate, line: hash_rate };
            let profile = profile(id, &reached, pool, &identity);
            let mut client = Client::new(profile, reached, rate, limits, bring_up_by, &mut outlet);
            client.run(&close, &abort).await
        }
        Err(failure) => (failure.map(|failure| failure.report(outlet.phases.current())), None),
    };
    outlet.end(ending, limits.flush).await;
}

/// A connected stream, both ways.
struct Reached {
    read: Box<dyn AsyncRead + Send + Unpin>,
    write: Box<dyn AsyncWrite + Send + Unpin>,
    host: Host,
    facts: ConnectionFacts,
}

async fn reach(
    pool: &PoolSpec,
    target: Option<Target>,
    roots: &Arc<RootCertStore>,
    limits: &Limits,
    outlet: &mut Outlet,
) -> Result<Reached, Failure> {
    let PoolEndpoint::V1 { host, port, tls } = &pool.endpoint else { return Err(Failure::NotV1) };
    let Target { host, port } = target.unwrap_or_else(|| Target { host: host.clone(), port: *port });
    let began = outlet.begin(PhaseName::Dns);
    let addresses = connect::resolve(&host, port, limits.dns).await?;
    outlet.over(PhaseName::Dns, began, format!("addresses: {}", addresses.len())).await;

    let began = outlet.begin(PhaseName::Tcp);
    let stream = connect::dial(&addresses, limits.tcp).await?;
    let peer_address = stream.peer_addr().map(|address| address.to_string()).unwrap_or_default();
    outlet.over(PhaseName::Tcp, began, peer_address.clone()).await;

    let facts = ConnectionFacts { peer_address, ..ConnectionFacts::default() };
    let pins = &pool.options.tls_pins;
    let reached = match tls {
        TlsMode::None => {
            let (read, write) = stream.into_split();
            Reached { read: Box::new(read), write: Box::new(write), host, facts }
        }
        TlsMode::Verified if pins.is_empty() => {
            secure(stream, host, Trust::Roots(Arc::clone(roots)), facts, limits, outlet).await?
        }
        TlsMode::Verified => secure(stream, host, Trust::Pins(pins.clone()), facts, limits, outlet).await?,
        TlsMode::Insecure => secure(stream, host, Trust::Anyone, facts, limits, outlet).await?,
    };
    outlet.tell(ConnectionEvent::Facts(Box::new(reached.facts.clone()))).await;
    Ok(reached)
}

async fn secure(
    stream: TcpStream,
    host: Host,
    trust: Trust,
    facts: ConnectionFacts,
    limits: &Limits,
    outlet: &mut Outlet,
) -> Result<Reached, Failure> {
    let began = outlet.begin(PhaseName::Tls);
    let secured = tls::handshake(stream, &host, trust, limits.tls).await?;
    let detail = secured.key.map_or_else(String::new, |key| format!("key {key}"));
    outlet.over(PhaseName::Tls, began, detail).await;
    let (authenticated, certificate_not_after) = (secured.authenticated, secured.certificate_not_after);
    let facts = ConnectionFacts { authenticated, certificate_not_after, ..facts };
    let (read, write) = tokio::io::split(secured.stream);
    Ok(Reached { read: Box::new(read), write: Box::new(write), host, facts })
}

fn profile(connection: ConnectionId, reached: &Reached, pool: PoolSpec, identity: &MinerIdentity) -> Profile {
    let PoolSpec { name: _, endpoint, user, password, nominal_hash_rate: _, quota: _, options } = pool;
    let MinerIdentity { vendor, hardware_version: _, firmware } = identity;
    Profile {
        connection,
        agent: format!("{vendor}/{firmware}"),
        user,
        password: password.unwrap_or_else(|| Secret::new(NO_PASSWORD)),
        options,
        home: endpoint.host().clone(),
        host: reached.host.clone(),
        authenticated: reached.facts.authenticated,
        filler: rand::random::<[u8; 16]>().to_vec().into(),
    }
}

/// A connection with a stream.
struct Client<'a> {
    session: Session,
    agent: String,
    outlet: &'a mut Outlet,
    rate: RateLine,
    limits: Limits,
    inbound: mpsc::Receiver<Result<Line, TransportError>>,
    /// Dropped to let the writer end.
    outbound: Option<mpsc::Sender<Vec<u8>>>,
    reader: JoinSet<()>,
    writer: JoinSet<Result<(), TransportError>>,
    /// The writer failed; what the pool said before that is still read until then.
    broken: Option<(TransportError, Instant)>,
}

/// What woke the loop.
enum Wake {
    Input(Input),
    Line(Option<Result<Line, TransportError>>),
    WriterEnded(Result<(), TransportError>),
    Broken,
    Close,
}

impl<'a> Client<'a> {
    fn new(
        profile: Profile,
        reached: Reached,
        mut rate: RateLine,
        limits: Limits,
        bring_up_by: Instant,
        outlet: &'a mut Outlet,
    ) -> Self {
        let Reached { read, write, host: _, facts } = reached;
        let (lines, inbound) = mpsc::channel(limits.inbound_lines);
        let (outbound, queue) = mpsc::channel(limits.outbound_lines);
        let (mut reader, mut writer) = (JoinSet::new(), JoinSet::new());
        reader.spawn(Reader::new(read, limits).run(lines));
        writer.spawn(Writer::new(write, limits).run(queue));
        let agent = profile.agent.clone();
        let session = Session::new(profile, limits, facts, rate.now(), bring_up_by, now());
        outlet.phases.begin(PhaseName::SetupConnection);
        Self { session, agent, outlet, rate, limits, inbound, outbound: Some(outbound), reader, writer, broken: None }
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
            line = self.inbound.recv() => Wake::Line(line),
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
            Wake::Line(Some(Ok(line))) => read(&line),
            Wake::Line(Some(Err(error))) => Input::Failed(self.cause(error).into()),
            Wake::Line(None) | Wake::Broken => Input::Failed(self.cause(TransportError::Closed).into()),
            Wake::WriterEnded(ended) => {
                self.outbound = None;
                self.broken = Some((ended.err().unwrap_or(TransportError::Closed), now() + self.limits.flush));
                return None;
            }
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
        for action in self.session.handle(input, now()) {
            match action {
                Action::Send(message) => {
                    if let Some(outbound) = &self.outbound {
                        // A full or closed queue means that the writer is gone, which is seen on its own.
                        let _ = outbound.try_send(message.line(&self.agent));
                    }
                }
                Action::Event(event) => self.outlet.tell(event).await,
                Action::Job(job) => self.outlet.job(job).await,
                Action::End { failure, redirect } => {
                    let in_order =
                        !matches!(failure, Some(Failure::Transport(_) | Failure::Malformed(_) | Failure::Aborted));
                    self.hang_up(in_order).await;
                    let phase = self.session.phase();
                    return Some((failure.map(|failure| failure.report(phase)), redirect));
                }
            }
        }
        None
    }

    /// Lets the writer finish where that is of use, and ends both tasks.
    async fn hang_up(&mut self, in_order: bool) {
        if let (true, Some(outbound)) = (in_order, self.outbound.take()) {
            drop(outbound);
            // Its result no longer matters: the connection is over.
            let _ = timeout(self.limits.flush * 2, self.writer.join_next()).await;
        }
        self.reader.shutdown().await;
        self.writer.shutdown().await;
    }
}

/// What a line says.
fn read(line: &Line) -> Input {
    match message::decode(&line.text) {
        Ok(message) => {
            let wall = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
            Input::Message { message, wall }
        }
        Err(error @ Malformed::Garbage(_)) => {
            debug!(%error, "ignored");
            Input::Garbage
        }
        Err(error) => Input::Failed(error.into()),
    }
}
