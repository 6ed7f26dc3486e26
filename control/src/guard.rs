//! Stands before every call, the relayed ones included: finds out who calls, asks the table whether that may be, and writes
//! down what was changed or denied.
//!
//! ```text
//! call ──▶ whose? (token, certificate, process on the socket) ──▶ may it? ──▶ the method, with a `Caller` ──▶ audit
//! ```
//!
//! Calls that are about one miner which only their content names pass when any binding lets them in; the method decides by
//! the miner's labels. What a method records in its own transaction is not recorded again here. An answer that goes on is
//! ended when its reader's token or bindings no longer let it in, or not as they did.

mod answer;
mod ration;
mod rights;
mod users;

use crate::{
    access::{About, Caller, Decision, Denied, Method, Subject, methods::method, token::Presented},
    api::storage,
    audit::Outcome,
    door::Dialler,
    identity::Trials,
    registry::Registry,
    relay::MINER,
    selector::Labels,
    store::Store,
};
use answer::Answer;
use bytes::Bytes;
use http::{HeaderMap, Request, Response, header::AUTHORIZATION};
use http_body::Body;
use mujina_core::{id::MinerName, spec::Problems, text::sanitise};
use mujina_proto::{failure::Failure, tls::PeerKind};
use ration::Ration;
use rights::{Reader, Rights};
use std::{
    convert::Infallible,
    net::{IpAddr, Ipv4Addr},
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
    time::{Instant, SystemTime},
};
use tonic::{
    Code, Status,
    transport::server::{TcpConnectInfo, UdsConnectInfo},
};
use tower::{Layer, Service};
use tracing::{error, info};
use users::Users;

/// What calls of miners' own services begin with.
const RELAYED: &str = "mujina.dataplane.v1.";
/// Longest text of a failure in the audit log.
const MAX_MESSAGE: usize = 500;

/// Stands before every call. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Guard {
    store: Store,
    registry: Registry,
    users: Users,
    rights: Rights,
    /// Of operators' tokens that were wrong.
    trials: Trials,
    /// Of calls that changed nothing and are written down.
    ration: Arc<Mutex<Ration>>,
}

impl Guard {
    pub(crate) fn new(store: Store, registry: Registry) -> Self {
        let trials = Trials::new(Instant::now());
        let rights = Rights::new(store.clone());
        Self { store, registry, users: Users::new(), rights, trials, ration: Arc::default() }
    }

    /// What ends streams: to be run for as long as calls are answered.
    pub(crate) fn rights(&self) -> Rights {
        self.rights.clone()
    }

    /// Who makes this call, when it may be made.
    async fn admit<B>(&self, request: &mut Request<B>) -> Result<Reader, Failure> {
        let path = request.uri().path().to_owned();
        let row = method(&path).ok_or_else(|| {
            Failure::new(
                Code::Unimplemented,
                "UNKNOWN_METHOD",
                "this control plane knows no such call; is it older than you?",
            )
        })?;
        let origin = Origin::of(request);
        let subject = self.subject(request, &origin).await?;
        let bindings = self.store.bindings().await.map_err(|error| storage(&error))?;
        let since = Instant::now();
        let miner = relayed_to(row, request.headers());
        let labels = miner.as_ref().and_then(|name| Some(self.registry.get(name)?.labels()));
        let caller = Caller::new(subject, origin.text, row, bindings);
        match decide(&caller, row, labels.as_deref()) {
            Ok(_) => Ok(Reader { caller, row, miner, registry: self.registry.clone(), since }),
            Err(denied) => {
                self.denied(&caller, row, &denied).await;
                Err(denied.into())
            }
        }
    }

    /// What the connection and the call prove. The token goes no further.
    async fn subject<B>(&self, request: &mut Request<B>, origin: &Origin) -> Result<Subject, Failure> {
        if let Some(shown) = request.headers_mut().remove(AUTHORIZATION) {
            return self.bearer(shown.to_str().unwrap_or_default(), origin.address).await;
        }
        let extensions = request.extensions();
        if let Some(dialler) = extensions.get::<Dialler>() {
            return Ok(match &dialler.peer {
                Some(peer) if peer.kind == PeerKind::Operator => {
                    Subject::Certificate { operator: peer.name.to_string() }
                }
                Some(peer) if peer.kind == PeerKind::Miner => Subject::Miner { id: peer.name.to_string() },
                _ => Subject::Anonymous,
            });
        }
        match extensions.get::<UdsConnectInfo>().and_then(|info| info.peer_cred) {
            Some(peer) => Ok(self.users.subject(peer.uid(), peer.gid()).await),
            None => Ok(Subject::Anonymous),
        }
    }

    async fn bearer(&self, header: &str, source: IpAddr) -> Result<Subject, Failure> {
        let refuse = |message: String| Failure::new(Code::Unauthenticated, "UNAUTHENTICATED", message);
        let text = header
            .strip_prefix("Bearer ")
            .ok_or_else(|| refuse("the metadata key `authorization` must be `Bearer TOKEN`".into()))?;
        let shown = Presented::read(text).map_err(|error| refuse(error.to_string()))?;
        let too_many = |wait| {
            let message = "too many wrong tokens from this address; try again later";
            Failure::new(Code::ResourceExhausted, "TOO_MANY_ATTEMPTS", message).retry_after(wait)
        };
        let now = Instant::now();
        let _turn = self.trials.turn(source, now).await.map_err(too_many)?;
        let kept = self.store.operator_token(shown.id()).await.map_err(|error| storage(&error))?;
        shown.verify(kept.as_ref(), SystemTime::now()).map_err(|error| match self.trials.wrong(source, now) {
            Ok(()) => refuse(error.to_string()),
            Err(wait) => too_many(wait),
        })
    }

    async fn denied(&self, caller: &Caller, row: &Method, denied: &Denied) {
        if row.changes {
            self.refused(caller, Outcome::Denied, denied.to_string()).await;
        } else {
            info!(who = caller.person(), origin = caller.origin(), method = row.name, "call denied");
        }
    }

    /// Notes a call that changed nothing: those of somebody who is known in the audit log, those of strangers, who would fill
    /// it, in the log. A caller that goes on and on is noted now and then.
    async fn refused(&self, caller: &Caller, outcome: Outcome, detail: String) {
        let person = caller.person();
        let noted = self.ration.lock().unwrap_or_else(PoisonError::into_inner).take(&person, Instant::now());
        let Some(left_out) = noted else { return };
        let detail = if left_out == 0 { detail } else { format!("{detail} (and {left_out} calls before it)") };
        info!(
            who = person,
            origin = caller.origin(),
            method = caller.method(),
            outcome = outcome.name(),
            detail,
            "call refused"
        );
        if caller.subject() != Some(&Subject::Anonymous) {
            self.append(caller.entry(outcome).detail(detail)).await;
        }
    }

    /// What is handed on to a miner is written down before: the caller may be gone before the answer comes.
    async fn before(&self, caller: &Caller, row: &Method, headers: &HeaderMap) -> Result<(), Failure> {
        if !row.changes || !row.name.starts_with(RELAYED) {
            return Ok(());
        }
        let miner = headers.get(MINER).and_then(|name| name.to_str().ok()).unwrap_or_default().to_owned();
        let entry = caller.record(miner, serde_json::Value::Null).detail("handed on to the miner");
        self.store.append_audit(entry).await.map(|_| ()).map_err(|error| storage(&error))
    }

    async fn after(&self, caller: &Caller, row: &Method, headers: &HeaderMap) {
        if !row.changes {
            return;
        }
        match Status::from_header_map(headers).filter(|status| status.code() != Code::Ok) {
            Some(status) => {
                let Failure { message, problems, .. } = Failure::from(&status);
                let fields = Problems(problems).to_string();
                // The message of bad input is its fields already.
                let is_told = fields.is_empty() || fields == message;
                let text = if is_told { message } else { format!("{message}: {fields}") };
                let detail = sanitise(&text, MAX_MESSAGE);
                let (outcome, detail) = match status.code() {
                    // What a call would change decides, and only its method knows that.
                    Code::PermissionDenied | Code::Unauthenticated => (Outcome::Denied, detail),
                    code => (Outcome::Failed, format!("{code:?}: {detail}")),
                };
                self.refused(caller, outcome, detail).await;
            }
            None if !caller.is_recorded() => self.append(caller.entry(Outcome::Done)).await,
            None => {}
        }
    }

    async fn append(&self, entry: crate::audit::Entry) {
        if let Err(error) = self.store.append_audit(entry).await {
            error!(error = &error as &dyn std::error::Error, "the audit log cannot be written");
        }
    }
}

/// The decision at the door.
fn decide(caller: &Caller, row: &Method, labels: Option<&Labels>) -> Decision {
    if row.about == About::OneMiner && !row.name.starts_with(RELAYED) {
        caller.decide_for_some()
    } else {
        caller.decide(labels)
    }
}

/// The miner that a relayed call names.
fn relayed_to(row: &Method, headers: &HeaderMap) -> Option<MinerName> {
    headers.get(MINER).filter(|_| row.name.starts_with(RELAYED))?.to_str().ok()?.parse().ok()
}

/// Where a call comes from.
struct Origin {
    address: IpAddr,
    text: String,
}

impl Origin {
    fn of<B>(request: &Request<B>) -> Self {
        let extensions = request.extensions();
        let address = match extensions.get::<Dialler>() {
            Some(dialler) => Some(dialler.address),
            None => extensions.get::<TcpConnectInfo>().and_then(TcpConnectInfo::remote_addr),
        };
        match address {
            Some(address) => Self { address: address.ip(), text: address.to_string() },
            None => Self { address: Ipv4Addr::LOCALHOST.into(), text: "unix".into() },
        }
    }
}

impl<S> Layer<S> for Guard {
    type Service = Guarded<S>;

    fn layer(&self, inner: S) -> Guarded<S> {
        Guarded { inner, guard: self.clone() }
    }
}

/// Services behind the guard.
#[derive(Debug, Clone)]
pub(crate) struct Guarded<S> {
    inner: S,
    guard: Guard,
}

impl<S, B, R> Service<Request<B>> for Guarded<S>
where
    S: Service<Request<B>, Response = Response<R>, Error = Infallible, Future: Send> + Clone + Send + 'static,
    B: Send + 'static,
    R: Body<Data = Bytes> + Default + Unpin + Send + 'static,
{
    type Response = Response<Answer<R>>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Answer<R>>, Infallible>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        // The one that is ready must be called; its clone is for the next call.
        let next = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, next);
        let guard = self.guard.clone();
        Box::pin(async move {
            let admitted = async {
                let reader = guard.admit(&mut request).await?;
                guard.before(&reader.caller, reader.row, request.headers()).await?;
                Ok::<_, Failure>(reader)
            };
            let reader = match admitted.await {
                Ok(reader) => reader,
                Err(failure) => return Ok(Status::from(failure).into_http().map(Answer::whole)),
            };
            request.extensions_mut().insert(reader.caller.clone());
            let response = inner.call(request).await?;
            guard.after(&reader.caller, reader.row, response.headers()).await;
            if !reader.is_watched() {
                return Ok(response.map(Answer::whole));
            }
            let ending = guard.rights.ended(reader);
            Ok(response.map(|body| Answer::until(body, ending)))
        })
    }
}
