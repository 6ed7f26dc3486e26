//! The real `translator_sv2` before our SV2 pool: an SV1 server that nobody here wrote, in this process but on a thread,
//! runtime and log of its own.
//!
//! Every SV1 miner has a channel of its own at the pool, so that the pool's counts are what became of its shares. When the
//! pool ends, the translator ends too.

use crate::{
    PATIENCE,
    foreign::{Foreign, LogLine},
    ports::free_address,
    sv2_pool::Sv2Pool,
};
use std::{io, net::SocketAddr};
use tokio::{sync::watch, time::timeout};
use tokio_util::sync::CancellationToken;
use tracing::{Dispatch, Event, Level, Subscriber, level_filters::LevelFilter};
use tracing_subscriber::{
    Layer, Registry,
    layer::{Context, SubscriberExt},
};
use translator_sv2::{
    TranslatorSv2,
    config::{DownstreamDifficultyConfig, TranslatorConfig, Upstream},
};

/// Ports tried before giving up on one that stays free long enough.
const PORTS: usize = 5;
/// Its connections and channels run as tasks that wait for one another.
const THREADS: usize = 2;
/// Bytes of extranonce2 that miners get; the pool gives 16, of which the translator keeps the rest.
const EXTRANONCE2_SIZE: u16 = 4;

/// What the translator is like.
#[derive(Clone, Copy, Debug)]
pub struct TranslatorOptions {
    /// Hash rate that it assumes of every miner; with the next it sets the difficulty.
    pub hash_rate: f32,
    /// Shares per minute of such a miner.
    pub shares_per_minute: f32,
}

impl Default for TranslatorOptions {
    /// A share a second of 20 kH/s; threads of ours are far faster.
    fn default() -> Self {
        Self { hash_rate: 20_000.0, shares_per_minute: 60.0 }
    }
}

/// Why there is no translator.
#[derive(Debug, thiserror::Error)]
pub enum TranslatorError {
    /// The thread could not be started.
    #[error("could not start; look at the machine")]
    Start(#[source] io::Error),
    /// The translator gave up by itself.
    #[error("translator ended: {0}")]
    Ended(String),
    /// It neither came up nor gave up, or does not end.
    #[error("translator did not {0} in time; its newest warning is {1:?}")]
    Late(&'static str, Option<String>),
}

/// What its log said.
#[derive(Clone, Debug, Default)]
struct Said {
    listens: bool,
    warning: Option<String>,
}

/// A translator that runs. Dropping it ends it.
pub struct Sv1Translator {
    address: SocketAddr,
    running: Foreign,
    said: watch::Sender<Said>,
}

impl Sv1Translator {
    /// Starts before this pool; returns when it accepts connections.
    ///
    /// # Errors
    /// When it does not come up.
    pub async fn start(pool: &Sv2Pool, options: TranslatorOptions) -> Result<Self, TranslatorError> {
        for _ in 1..PORTS {
            match Self::start_on(free_address(), pool, options).await {
                // Somebody else took the port in between.
                Err(TranslatorError::Ended(_)) => {}
                result => return result,
            }
        }
        Self::start_on(free_address(), pool, options).await
    }

    async fn start_on(
        address: SocketAddr,
        pool: &Sv2Pool,
        options: TranslatorOptions,
    ) -> Result<Self, TranslatorError> {
        let said = watch::channel(Said::default()).0;
        let log = Registry::default().with(Listener(said.clone()).with_filter(LevelFilter::INFO));
        let config = config(address, pool, options);
        let running = Foreign::start("translator-sv2", THREADS, Dispatch::new(log), |cancel| run(config, cancel));
        let mut running = running.map_err(TranslatorError::Start)?;
        let mut news = said.subscribe();
        let up = tokio::select! {
            up = timeout(PATIENCE, news.wait_for(|said| said.listens)) => match up {
                Ok(_) => Ok(()),
                Err(_) => Err(TranslatorError::Late("come up", said.borrow().warning.clone())),
            },
            reason = &mut running.ended => Err(TranslatorError::Ended(reason.unwrap_or("it panicked".into()))),
        };
        match up {
            Ok(()) => Ok(Self { address, running, said }),
            Err(error) => {
                running.cancel.cancel();
                Err(error)
            }
        }
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What a miner is configured with.
    #[must_use]
    pub fn url(&self) -> String {
        format!("stratum+tcp://{}", self.address)
    }

    /// Ends it: connections close, the port refuses.
    ///
    /// # Errors
    /// When it does not end.
    pub async fn stop(mut self) -> Result<(), TranslatorError> {
        self.running.cancel.cancel();
        let late = |_| TranslatorError::Late("stop", self.said.borrow().warning.clone());
        let reason = timeout(PATIENCE, &mut self.running.ended).await.map_err(late)?;
        reason.map(|_| ()).map_err(|_| TranslatorError::Ended("it panicked".into()))
    }
}

impl Drop for Sv1Translator {
    fn drop(&mut self) {
        self.running.cancel.cancel();
    }
}

fn config(address: SocketAddr, pool: &Sv2Pool, options: TranslatorOptions) -> TranslatorConfig {
    let TranslatorOptions { hash_rate, shares_per_minute } = options;
    let at = pool.address();
    let upstream = Upstream::new(at.ip().to_string(), at.port(), pool.authority().public, "translated".into());
    // The pool alone decides on difficulty, and jobs are not kept alive: every share and job is the pool's.
    let difficulty = DownstreamDifficultyConfig::new(hash_rate, shares_per_minute, false, 0);
    TranslatorConfig::new(
        vec![upstream],
        address.ip().to_string(),
        address.port(),
        difficulty,
        2, // highest SV2 version
        2, // lowest
        EXTRANONCE2_SIZE,
        false, // do not verify payouts
        false, // a channel for every miner
        Vec::new(),
        Vec::new(),
        None, // no monitoring
        None,
    )
}

/// Runs the translator to its end. There must be one handle only: dropping any clone stops it.
async fn run(config: TranslatorConfig, cancel: CancellationToken) -> String {
    let translator = TranslatorSv2::new(config);
    let running = translator.start();
    tokio::pin!(running);
    let result = tokio::select! {
        result = &mut running => result,
        () = cancel.cancelled() => tokio::join!(running, translator.shutdown()).0,
    };
    match result {
        Ok(()) => "as asked".into(),
        Err(error) => format!("{error:?}"),
    }
}

/// Hears in its log that it listens.
struct Listener(watch::Sender<Said>);

impl<S: Subscriber> Layer<S> for Listener {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        if !event.metadata().target().starts_with("translator_sv2") {
            return;
        }
        let line = LogLine::of(event);
        let is_warning = *event.metadata().level() <= Level::WARN;
        self.0.send_if_modified(|said| {
            if is_warning {
                said.warning = Some(format!("{}{}", line.message, line.fields));
            }
            let listens = line.message.starts_with("Translator Proxy: listening on");
            said.listens |= listens;
            listens
        });
    }
}

#[cfg(test)]
mod tests;
