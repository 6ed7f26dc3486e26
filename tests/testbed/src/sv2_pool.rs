//! The real `pool_sv2`, fed by our template provider, in this process but on a thread, runtime and log of its own: what it
//! warns of is not what a test of ours warns of.
//!
//! It stops and comes back on the same port, as a pool does in life.

mod verdicts;

pub use verdicts::PoolCounts;

use crate::{
    PATIENCE,
    foreign::Foreign,
    ports::free_address,
    sv2_wire::Authority,
    template_provider::{ProviderOptions, TemplateProvider},
};
use pool_sv2::{
    PoolSv2,
    config::{AuthorityConfig, ConnectionConfig, PoolConfig},
};
use std::{io, net::SocketAddr};
use stratum_apps::{config_helpers::CoinbaseRewardScript, tp_type::TemplateProviderType};
use tokio::{sync::watch, time::timeout};
use tokio_util::sync::CancellationToken;
use tracing::{Dispatch, level_filters::LevelFilter};
use tracing_subscriber::{Layer, Registry, layer::SubscriberExt};
use verdicts::VerdictLayer;

/// Where block rewards go. The pool does not check the network of an address.
const REWARD: &str = "addr(tb1qa0sm0hxzj0x25rh8gw5xlzwlsfvvyz8u96w3p8)";
/// Threads of the pool. Its connections end by spinning until nobody holds a frame of theirs any more; on a single thread
/// whoever holds one never runs again.
const POOL_THREADS: usize = 4;
/// Ports tried before giving up on one that stays free long enough.
const PORTS: usize = 5;
const CERTIFICATE_SECONDS: u64 = 3600;

/// What the pool is like.
#[derive(Clone, Debug)]
pub struct PoolOptions {
    /// Sets the share target together with the hash rate that a miner announces: 2^256 / (rate × 60 / this).
    pub shares_per_minute: f32,
    /// It acknowledges every so many shares, and blocks at once. It has no timer: the last shares of a batch that is not
    /// full are never acknowledged.
    pub share_batch_size: usize,
    /// The chain under it.
    pub chain: ProviderOptions,
}

impl Default for PoolOptions {
    fn default() -> Self {
        Self { shares_per_minute: 60.0, share_batch_size: 1, chain: ProviderOptions::default() }
    }
}

/// Why there is no pool.
#[derive(Debug, thiserror::Error)]
pub enum PoolError {
    /// The provider or the thread could not be started.
    #[error("could not start; look at the machine")]
    Start(#[source] io::Error),
    /// The pool gave up by itself.
    #[error("pool ended: {0}; look at its warnings")]
    Ended(String),
    /// It neither came up nor gave up, or does not end.
    #[error("pool did not {0} in time; look at its warnings")]
    Late(&'static str),
    /// What was waited for did not come.
    #[error("waited in vain; the pool's counts are {0:?}")]
    Counts(Box<PoolCounts>),
}

/// A pool that runs or is stopped for the moment. Dropping it ends it.
pub struct Sv2Pool {
    options: PoolOptions,
    provider: TemplateProvider,
    address: SocketAddr,
    authority: Authority,
    counts: watch::Sender<PoolCounts>,
    running: Option<Foreign>,
}

impl Sv2Pool {
    /// Starts the provider on the current runtime and the pool beside it; returns when the pool accepts connections, about
    /// a second later.
    ///
    /// # Errors
    /// When either does not come up.
    pub async fn start(options: PoolOptions) -> Result<Self, PoolError> {
        let provider = TemplateProvider::start(options.chain.clone()).await.map_err(PoolError::Start)?;
        let (authority, counts) = (Authority::usual(), watch::channel(PoolCounts::default()).0);
        let mut pool = Self { options, provider, address: free_address(), authority, counts, running: None };
        for _ in 1..PORTS {
            match pool.start_again().await {
                // Somebody else took the port in between.
                Err(PoolError::Ended(_)) => pool.address = free_address(),
                result => return result.map(|()| pool),
            }
        }
        pool.start_again().await.map(|()| pool)
    }

    /// What a miner is configured with.
    #[must_use]
    pub fn url(&self) -> String {
        self.url_at(self.address)
    }

    /// As [`Sv2Pool::url`], for a proxy in front of it.
    #[must_use]
    pub fn url_at(&self, address: SocketAddr) -> String {
        format!("stratum2+tcp://{address}/{}", self.authority.key())
    }

    /// Where it listens; the same after a restart.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The key in its URL.
    #[must_use]
    pub fn authority(&self) -> &Authority {
        &self.authority
    }

    /// The chain under it, which lives on while the pool is stopped.
    #[must_use]
    pub fn provider(&self) -> &TemplateProvider {
        &self.provider
    }

    /// What it decided about shares so far.
    #[must_use]
    pub fn counts(&self) -> PoolCounts {
        self.counts.borrow().clone()
    }

    /// Waits until its counts are as `wanted`.
    ///
    /// # Errors
    /// With the counts when they do not become so.
    pub async fn wait_for(&self, wanted: impl FnMut(&PoolCounts) -> bool) -> Result<PoolCounts, PoolError> {
        let mut counts = self.counts.subscribe();
        match timeout(PATIENCE, counts.wait_for(wanted)).await {
            Ok(Ok(counts)) => Ok(counts.clone()),
            Ok(Err(_)) | Err(_) => Err(PoolError::Counts(Box::new(self.counts()))),
        }
    }

    /// Ends the pool: connections close, the port refuses. The provider goes on. Nothing to do when it is stopped.
    ///
    /// # Errors
    /// When it does not end.
    pub async fn stop(&mut self) -> Result<(), PoolError> {
        let Some(running) = self.running.take() else { return Ok(()) };
        running.cancel.cancel();
        timeout(PATIENCE, running.ended).await.map_err(|_| PoolError::Late("stop"))?.ok();
        running.thread.join().map_err(|_| PoolError::Ended("it panicked".into()))
    }

    /// Brings a stopped pool back on its port.
    ///
    /// # Errors
    /// When it does not come up, because somebody took the port for example.
    pub async fn start_again(&mut self) -> Result<(), PoolError> {
        self.stop().await?;
        let mut counts = self.counts.subscribe();
        let starts = counts.borrow_and_update().starts;
        let log = VerdictLayer(self.counts.clone()).with_filter(LevelFilter::INFO);
        let (log, config) = (Dispatch::new(Registry::default().with(log)), self.config());
        let running = Foreign::start("pool-sv2", POOL_THREADS, log, |cancel| run(config, cancel));
        let mut running = running.map_err(PoolError::Start)?;
        let up = tokio::select! {
            up = timeout(PATIENCE, counts.wait_for(|counts| counts.starts > starts)) => match up {
                Ok(_) => Ok(()),
                Err(_) => Err(PoolError::Late("come up")),
            },
            reason = &mut running.ended => Err(PoolError::Ended(reason.unwrap_or("it panicked".into()))),
        };
        if up.is_ok() {
            self.running = Some(running);
        } else {
            running.cancel.cancel();
        }
        up
    }

    fn config(&self) -> PoolConfig {
        let provider = TemplateProviderType::Sv2Tp {
            address: self.provider.address().to_string(),
            public_key: Some(TemplateProvider::authority().public),
        };
        let reward = CoinbaseRewardScript::from_descriptor(REWARD).expect("a constant descriptor");
        PoolConfig::new(
            ConnectionConfig::new(self.address, CERTIFICATE_SECONDS, "mujina testbed".into()),
            provider,
            AuthorityConfig::new(self.authority.public, self.authority.secret),
            reward,
            self.options.shares_per_minute,
            self.options.share_batch_size,
            1, // server id
            Vec::new(),
            Vec::new(),
            None, // no monitoring
            None,
            None, // no job declaration
        )
    }
}

impl Drop for Sv2Pool {
    fn drop(&mut self) {
        if let Some(running) = &self.running {
            running.cancel.cancel();
        }
    }
}

/// Runs the pool to its end. There must be one handle only: dropping any clone stops the pool.
async fn run(config: PoolConfig, cancel: CancellationToken) -> String {
    let pool = PoolSv2::new(config);
    let running = pool.start();
    tokio::pin!(running);
    let result = tokio::select! {
        result = &mut running => result,
        () = cancel.cancelled() => tokio::join!(running, pool.shutdown()).0,
    };
    match result {
        Ok(()) => "as asked".into(),
        Err(error) => format!("{error:?}"),
    }
}

#[cfg(test)]
mod tests;
