//! The next certificate, in time.
//!
//! Begins at two thirds of the life of the present one, so that a control plane may be away for the last third. The wall clock
//! is looked at once a minute: it may jump, and a machine may sleep.

mod due;

use self::due::{Due, Schedule};
use super::{
    ask,
    files::{Files, Place},
    link::{self, LinkError},
};
use mujina_core::text::{PEER_TEXT_BYTES, sanitise};
use mujina_proto::{
    failure::Failure,
    tls::{Alpn, Identity, NewKey, Roots, TlsError, client_config},
};
use std::{
    io,
    sync::Arc,
    time::{Duration, SystemTime},
};
use tokio::{sync::watch, time::sleep};
use tracing::{debug, info, warn};

/// Why there is no new certificate yet.
#[derive(Debug, thiserror::Error)]
enum RenewError {
    #[error(transparent)]
    Link(#[from] LinkError),
    #[error(transparent)]
    Tls(#[from] TlsError),
    #[error("the control plane answered: {}", sanitise(&.0.message, PEER_TEXT_BYTES))]
    Refused(Failure),
    #[error("the new certificate is for another miner; nothing was changed")]
    OtherHolder,
    #[error("cannot write the state folder in the background; check the limits of the process")]
    Background(#[source] io::Error),
}

impl RenewError {
    /// When the control plane wants to be asked again.
    fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Refused(failure) => failure.retry_after,
            Self::Link(_) | Self::Tls(_) | Self::OtherHolder | Self::Background(_) => None,
        }
    }
}

/// Keeps the certificate of this miner young.
pub(super) struct Renewal {
    pub(super) files: Arc<Files>,
    pub(super) place: Place,
    pub(super) authority: Roots,
    /// The identity in force, for those who show it.
    pub(super) newest: watch::Sender<Identity>,
}

impl Renewal {
    /// Renews whenever it is due; never ends.
    pub(super) async fn run(self) {
        let mut schedule = self.schedule();
        loop {
            match schedule.look(SystemTime::now()) {
                Due::Wait(time) => sleep(time).await,
                Due::Now => match self.renew().await {
                    Ok(identity) => {
                        info!(serial = %identity.peer().serial, "the certificate was renewed");
                        self.newest.send_replace(identity);
                        schedule = self.schedule();
                    }
                    Err(error) => {
                        let cause = &error as &dyn std::error::Error;
                        if schedule.failed(SystemTime::now(), error.retry_after(), rand::random()) {
                            let left =
                                mujina_core::units::duration::human(self.newest.borrow().left(SystemTime::now()));
                            warn!(cause, left, "the certificate was not renewed; tried again until it expires");
                        } else {
                            debug!(cause, "the certificate was not renewed");
                        }
                    }
                },
            }
        }
    }

    fn schedule(&self) -> Schedule {
        let identity = self.newest.borrow();
        Schedule::new(identity.renew_at(), identity.expires_at(), rand::random())
    }

    async fn renew(&self) -> Result<Identity, RenewError> {
        let present = self.newest.borrow().clone();
        let tls = client_config(Some(&present), &self.authority, Alpn::Http2)?;
        let connected = link::dial(&self.place.url, &tls).await?;
        let key = NewKey::generate()?;
        let request = key.request(self.place.name.as_str())?;
        let chain = ask::renew(connected.stream, request).await.map_err(RenewError::Refused)?;
        let identity = key.into_identity(&chain, &self.authority)?;
        if (identity.peer().kind, &identity.peer().name) != (present.peer().kind, &present.peer().name) {
            return Err(RenewError::OtherHolder);
        }
        let files = self.files.clone();
        let kept = tokio::task::spawn_blocking(move || files.renew(&identity).map(|()| identity)).await;
        Ok(kept.map_err(|failed| RenewError::Background(io::Error::other(failed)))??)
    }
}
