//! Enrolment: a token in, a certificate out. The key never leaves this machine.
//!
//! ```text
//! token ─▶ fingerprint of the authority ─▶ first contact, pinned to it ─▶ Enroll ─┬─▶ issued: files
//!                                                       ▲                        └─▶ pending: wait, ask again
//!                                                       └── same token and key ───────────┘
//! ```
//! The key is kept from before the first question on: whoever is interrupted, or never hears the answer, asks again with it and
//! is answered the same.

use super::{
    EnrolError, HomeUrl,
    ask::{self, Answer},
    default_name,
    files::{Files, Place},
    link,
};
use mujina_core::id::MinerName;
use mujina_proto::tls::{Alpn, ClientTls, Fingerprint, Identity, NewKey, PeerKind, Roots, Token, client_config_pinned};
use std::{
    fmt, io,
    path::PathBuf,
    sync::Arc,
    time::{Duration, SystemTime},
};
use tokio::time::{Instant, sleep};

/// How long somebody is waited for who has to approve, unless told otherwise.
const PATIENCE: Duration = Duration::from_secs(60 * 60);
/// How long one waits in all for a control plane that is asked by many at once: a rack that is enrolled in one go.
const QUEUE: Duration = Duration::from_secs(60);

/// Told while it goes on.
pub type Tell = Box<dyn FnMut(Progress) + Send>;

/// What to enrol, and where.
pub struct EnrolRequest {
    /// The state folder of the miner.
    pub state_dir: PathBuf,
    /// The control plane, as `https://host:port`.
    pub url: String,
    /// The text of the token.
    pub token: String,
    /// What it shall be called; `None` = `configured_name` or the machine's, made fit.
    pub name: Option<String>,
    /// What the configuration calls it.
    pub configured_name: Option<String>,
    /// How long a person is waited for who has to approve it.
    pub wait: Duration,
    /// Whether an enrolment that is there is replaced.
    pub force: bool,
    /// Hears how it goes on.
    pub tell: Option<Tell>,
}

impl EnrolRequest {
    /// A miner with this state folder, by a token; all else as usual.
    #[must_use]
    pub fn new(state_dir: impl Into<PathBuf>, url: impl Into<String>, token: impl Into<String>) -> Self {
        Self {
            state_dir: state_dir.into(),
            url: url.into(),
            token: token.into(),
            name: None,
            configured_name: None,
            wait: PATIENCE,
            force: false,
            tell: None,
        }
    }
}

/// Without the token.
impl fmt::Debug for EnrolRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { state_dir, url, token: _, name, configured_name: _, wait, force, tell: _ } = self;
        let mut shown = f.debug_struct("EnrolRequest");
        shown.field("state_dir", state_dir).field("url", url).field("name", name);
        shown.field("wait", wait).field("force", force).finish_non_exhaustive()
    }
}

/// How an enrolment goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// About to ask: what people can compare.
    Asking {
        /// Where.
        url: HomeUrl,
        /// What it shall be called.
        name: MinerName,
        /// The authority that the token names.
        authority: Fingerprint,
        /// Of this miner's key.
        key: Fingerprint,
    },
    /// A person has to approve; asked again after this.
    Pending(Duration),
}

/// A miner that is one of a fleet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Enrolled {
    /// Its name there.
    pub name: MinerName,
    /// Where home is.
    pub url: HomeUrl,
    /// Whose word is trusted.
    pub authority: Fingerprint,
    /// Until when the certificate is valid; it renews itself before.
    pub expires_at: SystemTime,
}

/// Enrols a miner: asks, waits for who has to approve, and keeps what comes. The next start of the miner calls home.
///
/// # Errors
/// See [`EnrolError`]; an enrolment that was there before is as it was.
///
/// # Cancel safety
/// Safe: the next call with the same token goes on with the same key.
pub async fn enrol(request: EnrolRequest) -> Result<Enrolled, EnrolError> {
    let EnrolRequest { state_dir, url, token, name, configured_name, wait, force, mut tell } = request;
    let (url, parsed): (HomeUrl, Token) = (url.parse()?, token.parse()?);
    let name = match name {
        Some(name) => name.parse()?,
        None => default_name(configured_name.as_deref()).ok_or(EnrolError::Nameless)?,
    };
    let id = parsed.id();
    let (files, key) = in_background(move || {
        let files = Files::open(&state_dir)?;
        // One that is damaged can be replaced too, but only by force.
        match files.place() {
            _ if force => {}
            Ok(Some(Place { url, name })) => return Err(EnrolError::Enrolled { name, url }),
            other => drop(other?),
        }
        let key = files.pending_key(id)?;
        Ok((Arc::new(files), key))
    })
    .await?;
    let mut say = |progress| tell.as_mut().into_iter().for_each(|tell| tell(Progress::clone(&progress)));
    say(Progress::Asking {
        url: url.clone(),
        name: name.clone(),
        authority: parsed.authority(),
        key: key.fingerprint(),
    });
    let asking = Asking {
        tls: client_config_pinned(parsed.authority(), Alpn::Http2)?,
        expected: parsed.authority(),
        request: key.request(name.as_str())?,
        place: Place { url, name },
        token,
    };
    match asking.until_issued(wait, &mut say).await.and_then(|issued| asking.identity(key, issued)) {
        Ok((identity, authority)) => {
            let Place { url, name } = asking.place.clone();
            let expires_at = identity.expires_at();
            in_background(move || {
                files.keep(&asking.place, &identity, &authority)?;
                files.forget_pending();
                Ok(())
            })
            .await?;
            Ok(Enrolled { name, url, authority: parsed.authority(), expires_at })
        }
        Err(error) => {
            if error.spends_key() {
                in_background(move || {
                    files.forget_pending();
                    Ok(())
                })
                .await?;
            }
            Err(error)
        }
    }
}

/// A question that is asked until it is answered.
struct Asking {
    tls: ClientTls,
    expected: Fingerprint,
    place: Place,
    token: String,
    request: String,
}

/// A chain as PEM, and the authority that was met.
type Issued = (String, Roots);

impl Asking {
    async fn until_issued(&self, wait: Duration, say: &mut impl FnMut(Progress)) -> Result<Issued, EnrolError> {
        let begin = Instant::now();
        let mut known_to_wait = None;
        loop {
            let again = match self.ask().await {
                Ok((Answer::Issued(chain), authority)) => return Ok((chain, authority)),
                Ok((Answer::Pending(again), _)) => again,
                // It may be restarted while a person thinks; nothing is lost by that.
                Err((EnrolError::TooManyAttempts(again), _)) if begin.elapsed() + again <= QUEUE => {
                    sleep(again).await;
                    continue;
                }
                Err((error, true)) => known_to_wait.ok_or(error)?,
                Err((error, false)) => return Err(error),
            };
            let left = wait.saturating_sub(begin.elapsed());
            if left.is_zero() {
                return Err(EnrolError::StillPending(wait));
            }
            if known_to_wait.replace(again).is_none() {
                say(Progress::Pending(again));
            }
            sleep(again.min(left)).await;
        }
    }

    /// The error, and whether it may pass.
    async fn ask(&self) -> Result<(Answer, Roots), (EnrolError, bool)> {
        let Place { url, name } = &self.place;
        let connected = link::dial(url, &self.tls).await.map_err(|error| {
            let may_pass = error.refusal().is_none();
            (EnrolError::of_link(error, self.expected), may_pass)
        })?;
        let authority = connected
            .authority
            .ok_or_else(|| (EnrolError::OtherAuthority { url: url.clone(), expected: self.expected }, false))?;
        let answer = ask::enroll(connected.stream, self.token.clone(), self.request.clone(), name.to_string()).await;
        answer
            .map(|answer| (answer, authority))
            .map_err(|failure| (EnrolError::of_call(&failure), ask::may_pass(&failure)))
    }

    /// The key with its chain, which must be for this miner.
    fn identity(&self, key: NewKey, (chain, authority): Issued) -> Result<(Identity, Roots), EnrolError> {
        let identity = key.into_identity(&chain, &authority)?;
        let peer = identity.peer();
        if peer.kind == PeerKind::Miner && peer.name.as_str() == self.place.name.as_str() {
            Ok((identity, authority))
        } else {
            Err(EnrolError::OtherHolder(format!("{} `{}`", peer.kind, peer.name)))
        }
    }
}

/// Runs what blocks off the runtime.
async fn in_background<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, EnrolError> + Send + 'static,
) -> Result<T, EnrolError> {
    tokio::task::spawn_blocking(work).await.map_err(|failed| EnrolError::Background(io::Error::other(failed)))?
}
