//! How fast a control plane takes statistics, and what that costs: `cargo bench -p mujina-testbed --bench ingestion`.
//!
//! The writer of the control plane with its database on disk, beside nothing else. Miners hand in pages of buckets, each the
//! next as soon as it has an answer.
//!
//! - Flat out: buckets per second while nobody waits.
//! - At a rate: processor time of the whole process, all threads, as a part of one core, while that many buckets come in
//!   every second. Decoding what came over the network is not in it.
//! - Nothing stored: the same miners at the same rate make the same pages and drop them. What that costs is the benchmark's
//!   own part of the line before.

use clap::Parser;
use mujina_control::{
    statistics::{BucketPage, Ingest, IngestError},
    store::Store,
};
use mujina_core::{
    id::MinerName,
    share::{RejectReason, ShareBucket, ShareTotals},
};
use std::{
    error::Error,
    fs,
    time::{Duration, Instant, UNIX_EPOCH},
};
use tokio::{task::JoinSet, time::MissedTickBehavior};
use tokio_util::sync::CancellationToken;

/// Ticks of the clock by which the kernel counts processor time.
const TICKS_PER_SECOND: f64 = 100.0;

#[derive(Debug, Parser)]
struct Args {
    /// Miners that hand in buckets
    #[arg(long, default_value_t = 1000)]
    miners: u32,
    /// Buckets of a page
    #[arg(long, default_value_t = 10)]
    page: u32,
    /// Seconds that each part is measured
    #[arg(long, default_value_t = 20)]
    seconds: u64,
    /// Buckets a second, of all miners
    #[arg(long, default_value_t = 10_000)]
    rate: u32,
    /// What `cargo bench` adds
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> Result<(), Box<dyn Error>> {
    let args = Args::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(async {
        println!("flat out: {}", measure(&args, Duration::ZERO, Use::Store).await?);
        let pages = f64::from(args.rate) / f64::from(args.page);
        let pause = Duration::from_secs_f64(f64::from(args.miners) / pages);
        println!("at {} a second: {}", args.rate, measure(&args, pause, Use::Store).await?);
        println!("nothing stored: {}", measure(&args, pause, Use::Drop).await?);
        Ok(())
    })
}

/// What becomes of a page.
#[derive(Clone, Copy)]
enum Use {
    Store,
    Drop,
}

/// All miners hand in pages, each not sooner than `pause` after the one before.
async fn measure(args: &Args, pause: Duration, use_of: Use) -> Result<String, Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let (store, _lock) = Store::open(folder.path()).await?;
    let (ingest, writer) = Ingest::new(store.clone());
    let cancel = CancellationToken::new();
    #[expect(clippy::disallowed_methods, reason = "it is awaited at the end")]
    let writing = tokio::spawn(writer.run(cancel.clone()));
    let (begun, cpu) = (Instant::now(), processor_time()?);
    let end = tokio::time::Instant::now() + Duration::from_secs(args.seconds);
    let mut miners = JoinSet::new();
    for i in 0..args.miners {
        let (ingest, of_page) = (ingest.clone(), u64::from(args.page));
        let name: MinerName = format!("rig{i}").parse()?;
        // They do not all come at the same moment.
        let first = tokio::time::Instant::now() + pause.mul_f64(f64::from(i) / f64::from(args.miners));
        miners.spawn(async move {
            let mut stored = 0_u64;
            let mut ticks = (!pause.is_zero()).then(|| {
                let mut ticks = tokio::time::interval_at(first, pause);
                ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
                ticks
            });
            while tokio::time::Instant::now() < end {
                if let Some(ticks) = &mut ticks {
                    ticks.tick().await;
                }
                let buckets = (stored + 1..=stored + of_page).map(bucket).collect();
                let page = BucketPage { database_id: format!("database of {name}"), buckets, oldest_sequence: 1 };
                match use_of {
                    Use::Store => drop(ingest.store(&name, page).await?),
                    Use::Drop => drop(std::hint::black_box(page)),
                }
                stored += of_page;
            }
            Ok::<_, IngestError>(stored)
        });
    }
    let stored: u64 = miners.join_all().await.into_iter().sum::<Result<_, _>>()?;
    let (took, used) = (begun.elapsed().as_secs_f64(), processor_time()? - cpu);
    cancel.cancel();
    writing.await?;
    store.close().await;
    let bytes: u64 = fs::read_dir(folder.path())?.flatten().flat_map(|one| one.metadata()).map(|one| one.len()).sum();
    Ok(format!(
        "{:.0} buckets/s, {:.1} % of a core, {:.1} us of processor time and {} bytes each ({stored} buckets)",
        f64::from(u32::try_from(stored)?) / took,
        100.0 * used / took,
        1e6 * used / f64::from(u32::try_from(stored)?.max(1)),
        bytes / stored.max(1),
    ))
}

fn bucket(sequence: u64) -> ShareBucket {
    let mut added = ShareTotals { found: 9, stale: 1, submitted: 8, accepted: 7, ..ShareTotals::default() };
    if sequence.is_multiple_of(20) {
        added.accepted -= 1;
        *added.rejected.get_mut(RejectReason::Stale) += 1;
    }
    added.accepted_work = 6e12;
    ShareBucket {
        sequence,
        begin: UNIX_EPOCH + Duration::from_secs(1_700_000_000 + 10 * sequence),
        length: Duration::from_secs(10),
        pool: "main".parse().expect("a name"),
        added,
        pending_delta: 0,
        hashes: 1e13,
    }
}

/// Seconds that all threads of this process have worked, in the kernel as well.
fn processor_time() -> Result<f64, Box<dyn Error>> {
    let stat = fs::read_to_string("/proc/self/stat")?;
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
    let ticks: Vec<f64> = fields.skip(11).take(2).map(str::parse).collect::<Result<_, _>>()?;
    Ok(ticks.iter().sum::<f64>() / TICKS_PER_SECOND)
}
