//! Calls home and serves the API there, again and again, until the end.

use super::{
    files::{Home, Place},
    link,
    reconnect::{End, Reconnect, Trouble},
    renewal::Renewal,
};
use mujina_proto::{
    home,
    tls::{Alpn, ClientTls, Connected, Identity, Roots, TlsError, client_config, explain},
};
use std::{
    pin::pin,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    sync::watch,
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;
use tonic::service::Routes;
use tracing::{debug, error, info, warn};

/// Time that the control plane has to begin: it speaks first.
const FIRST_WORD: Duration = Duration::from_secs(20);

/// Calls home until `cancel`; then calls under way have a second. Renews the certificate meanwhile.
pub(crate) async fn run(home: Home, routes: Routes, cancel: CancellationToken) {
    let Home { files, place, identity, authority } = home;
    info!(home.url = %place.url, home.name = %place.name, "calls home");
    let (newest, identities) = watch::channel(identity);
    let renewal = Renewal { files: Arc::new(files), place: place.clone(), authority: authority.clone(), newest };
    let caller = Caller { place, authority, identities, routes, reconnect: Reconnect::default() };
    tokio::select! {
        () = caller.run(&cancel) => {}
        () = renewal.run() => {}
    }
}

struct Caller {
    place: Place,
    authority: Roots,
    identities: watch::Receiver<Identity>,
    routes: Routes,
    reconnect: Reconnect,
}

/// How an attempt ended, for the policy and for people.
struct Ended {
    end: End,
    cause: String,
    /// It ended before the control plane said a word, and had come about by a ticket: the ticket may be the reason.
    blames_ticket: bool,
}

impl Caller {
    async fn run(mut self, cancel: &CancellationToken) {
        loop {
            let identity = self.identities.borrow_and_update().clone();
            // One for many connections: it holds the tickets.
            match client_config(Some(&identity), &self.authority, Alpn::Home) {
                Ok(tls) => self.call(&tls, cancel).await,
                Err(error) => {
                    let cause = &error as &dyn std::error::Error;
                    error!(
                        cause,
                        "the certificate of this miner cannot be used and it calls home no more; enrol again"
                    );
                    return;
                }
            }
            if cancel.is_cancelled() {
                return;
            }
        }
    }

    /// Calls until something else must be shown: a new certificate, or no ticket.
    async fn call(&mut self, tls: &ClientTls, cancel: &CancellationToken) {
        loop {
            let stop = cancel.child_token();
            let ended = {
                let mut attempt = pin!(attempt(&self.place, &self.routes, tls, &stop));
                tokio::select! {
                    ended = &mut attempt => ended,
                    _ = self.identities.changed() => {
                        stop.cancel();
                        attempt.await;
                        return;
                    }
                }
            };
            let Some(ended) = ended else { return };
            let wait = self.judge(&ended);
            tokio::select! {
                () = cancel.cancelled() => return,
                _ = self.identities.changed() => return,
                () = sleep(wait) => {}
            }
            if ended.blames_ticket {
                return;
            }
        }
    }

    /// Tells of an end, and says how long to wait.
    fn judge(&mut self, ended: &Ended) -> Duration {
        let Ended { end, cause, blames_ticket: _ } = ended;
        let next = self.reconnect.after(*end, Instant::now(), rand::random());
        let url = &self.place.url;
        match end.trouble {
            _ if !next.tell => debug!(home.url = %url, cause, wait = ?next.wait, "not connected to the control plane"),
            Trouble::Refused(_) => {
                error!(home.url = %url, cause, "the control plane and this miner refuse each other; tried again, slowly");
            }
            Trouble::Unreachable => {
                warn!(home.url = %url, cause, "the control plane cannot be reached; mining goes on, tried again");
            }
            Trouble::Ended => {
                info!(home.url = %url, cause, "the connection to the control plane ended; dialling again")
            }
        }
        next.wait
    }
}

/// One connection, from the dialling to its end; `None` = it was stopped.
async fn attempt(place: &Place, routes: &Routes, tls: &ClientTls, stop: &CancellationToken) -> Option<Ended> {
    let before =
        |trouble, cause| Some(Ended { end: End { trouble, connected: Duration::ZERO }, cause, blames_ticket: false });
    let dialled = tokio::select! {
        () = stop.cancelled() => return None,
        dialled = link::dial(&place.url, tls) => dialled,
    };
    let Connected { stream, resumed, .. } = match dialled {
        Ok(connected) => connected,
        Err(error) => return before(error.refusal().map_or(Trouble::Unreachable, Trouble::Refused), chain(&error)),
    };
    // In TLS 1.3 a refusal of our certificate comes with the first read, so that is done here.
    let mut stream = BufReader::new(stream);
    let first = tokio::select! {
        () = stop.cancelled() => return None,
        first = timeout(FIRST_WORD, stream.fill_buf()) => first,
    };
    let silence = match first {
        Ok(Ok(word)) if !word.is_empty() => None,
        Ok(Ok(_)) => Some((Trouble::Unreachable, "it hung up at once".to_owned())),
        Ok(Err(error)) => Some(refused(&explain(error))),
        Err(_) => Some((Trouble::Unreachable, format!("it said nothing within {FIRST_WORD:?}"))),
    };
    if let Some((trouble, cause)) = silence {
        return before(trouble, cause).map(|ended| Ended { blames_ticket: resumed, ..ended });
    }
    info!(home.url = %place.url, resumed, "connected to the control plane");
    let begin = Instant::now();
    let served = home::serve(stream, routes.clone(), stop.clone()).await;
    if stop.is_cancelled() {
        return None;
    }
    let cause = served.err().map_or_else(|| "it hung up".to_owned(), |error| chain(&error));
    let end = End { trouble: Trouble::Ended, connected: begin.elapsed() };
    Some(Ended { end, cause, blames_ticket: false })
}

fn refused(error: &TlsError) -> (Trouble, String) {
    (error.refusal().map_or(Trouble::Unreachable, Trouble::Refused), chain(error))
}

/// An error with everything below it.
fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}
