//! A pool to mine for, for sessions that are tried by hand.

use crate::sv2_pool::{PoolOptions, Sv2Pool};
use std::process::ExitCode;

/// Shares that a miner finds in a minute: often enough that nobody waits for one.
const SHARES_PER_MINUTE: f32 = 60.0;

/// Starts a pool, says where it is, and runs it until Ctrl-C or SIGTERM.
#[must_use]
pub fn pool() -> ExitCode {
    let ran = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(anyhow::Error::from).and_then(
        |runtime| {
            runtime.block_on(async {
                let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
                let options = PoolOptions { shares_per_minute: SHARES_PER_MINUTE, ..PoolOptions::default() };
                let mut pool = Sv2Pool::start(options).await?;
                println!("{}", pool.url());
                tokio::select! {
                    ended = tokio::signal::ctrl_c() => ended?,
                    _ = terminate.recv() => {}
                }
                Ok(pool.stop().await?)
            })
        },
    );
    match ran {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("pool: {error:#}");
            ExitCode::FAILURE
        }
    }
}
