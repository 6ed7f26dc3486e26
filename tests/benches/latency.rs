//! How fast jobs and shares pass through the data plane: `cargo bench -p mujina-testbed --bench latency`.
//!
//! A scripted pool on a real, encrypted socket, and hash threads without hashing that wait at their mailboxes.
//!
//! - Tip to threads: from the moment at which the connection has read SetNewPrevHash until the mailboxes of all threads hold the
//!   new work.
//! - Nonce to the socket: from the nonce until its share, verified and encrypted, has arrived in the pool's socket, by the
//!   kernel's time stamp. Beside it, how often the mining thread asked the allocator for memory meanwhile.
//! - With the CPU board on all cores: from the moment when the pool begins to send the tip until it has read the first share of its
//!   job, and until it has read the last one of another. The pool's half is part of these.

#[path = "latency/counting.rs"]
mod counting;

use clap::Parser;
use mujina_core::{
    pool::{DEFAULT_QUOTA, PoolGroup, PoolOptions, PoolSpec, PoolStrategy},
    units::HashRate,
};
use mujina_dataplane::{
    board::cpu::CpuConfig,
    miner::{BoardsPlan, Guests, Miner, MinerPlan},
    pool::{MinerIdentity, sv1, sv2},
    scheduler,
    source::SourcePolicy,
    thread::{
        Assignment, Nonce, ThreadEntry, ThreadEvent, ThreadIndex, Work,
        mailbox::{MailboxReader, mailbox},
    },
};
use mujina_testbed::{
    percentile::percentile,
    scripted_pool::{ChannelPlan, JobPlan, ScriptedOptions, ScriptedPool, Session, message, now},
};
use std::{
    error::Error,
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};
use stratum_apps::stratum_core::parsers_sv2::MiningOwned;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// Time between two measurements, so that each begins with everything at rest. Not a multiple of anything.
const BETWEEN: Duration = Duration::from_micros(5_170);

#[derive(Debug, Parser)]
struct Args {
    /// Measurements of each kind
    #[arg(long, default_value_t = 1000)]
    rounds: u32,
    /// What `cargo bench` adds
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> Result<(), Box<dyn Error>> {
    let args = Args::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    runtime.block_on(async {
        for threads in [3, 64] {
            report(&format!("tip to {threads} threads"), &tips(threads, args.rounds).await?);
        }
        let (times, allocations) = shares(args.rounds).await?;
        report("nonce to the socket", &times);
        let allocations: Vec<_> = allocations.iter().map(|count| *count as f64).collect();
        let at = |part| percentile(&allocations, part);
        println!("{:32}  allocations p50 {} p90 {} p99 {} max {}", "", at(0.5), at(0.9), at(0.99), at(1.0));
        let (first, stale) = hashing(args.rounds.min(500)).await?;
        report("tip to a share, all cores hash", &first);
        report("last stale share after a tip", &stale);
        Ok(())
    })
}

/// A data plane on a scripted pool.
struct World {
    _pool: ScriptedPool,
    session: Session,
    channel: ChannelPlan,
    readers: Vec<MailboxReader>,
    events: Option<mpsc::Sender<ThreadEvent>>,
    cancel: CancellationToken,
    miner: Miner,
}

impl World {
    async fn start(guests: u32, cpu: Option<CpuConfig>, channel: ChannelPlan) -> Result<Self, Box<dyn Error>> {
        let pool = ScriptedPool::start(ScriptedOptions::default()).await?;
        // None of the bounds on floods: what is measured comes oftener than any pool's jobs.
        let pool_limits =
            sv2::Limits { job_rate: 1_000_000, many_tips: 1_000_000, tip_flood: 2_000_000, ..sv2::Limits::default() };
        let scheduler_limits =
            scheduler::Limits { share_rate: 1e6, share_burst: 1e6, dispatch_rate: 1e6, ..scheduler::Limits::default() };
        let plan = MinerPlan {
            cpu,
            synthetic: None,
            share_every: None,
            source_policy: SourcePolicy::default(),
            pool_limits,
            pool_limits_v1: sv1::Limits::default(),
            scheduler_limits,
            identity: MinerIdentity { vendor: "bench".into(), hardware_version: "none".into(), firmware: "0".into() },
            boards: BoardsPlan::default(),
        };
        let (mailboxes, readers): (Vec<_>, Vec<_>) = (0..guests).map(|_| mailbox()).unzip();
        let (hand_over, handed) = std::sync::mpsc::channel();
        let join = move |events: mpsc::Sender<ThreadEvent>| {
            // This is the mining thread.
            counting::count_this_thread();
            // Nobody is left to hear of it only when the benchmark has failed.
            let _ = hand_over.send(events);
            let entry = |(index, mailbox)| ThreadEntry {
                index: ThreadIndex(index),
                id: format!("guest-{index}").parse().expect("a label"),
                board: "guest".parse().expect("a label"),
                nominal_hash_rate: HashRate::from_megahashes_per_second(1.0),
                mailbox,
            };
            (0..).zip(mailboxes).map(entry).collect()
        };
        let cancel = CancellationToken::new();
        let guests = Guests { threads: Some(Box::new(join)), devices: None };
        let miner = Miner::start_with(plan, guests, cancel.clone()).await?;
        let events = (guests > 0).then(|| handed.recv()).transpose()?;
        let spec = PoolSpec {
            name: "bench".parse()?,
            endpoint: pool.url().parse()?,
            user: "bench".into(),
            password: None,
            nominal_hash_rate: None,
            quota: DEFAULT_QUOTA,
            options: PoolOptions::default(),
        };
        let group = PoolGroup { name: "main".parse()?, strategy: PoolStrategy::Failover, pools: vec![spec] };
        miner.handle().source.configure(vec![group]).await?;
        let mut session = pool.session().await?;
        session.bring_up(&channel).await?;
        let mut world = Self { _pool: pool, session, channel, readers, events, cancel, miner };
        if guests > 0 {
            world.works(None);
        }
        Ok(world)
    }

    /// Sends a future job and, when it has surely arrived, the tip that makes it the job.
    async fn tip(&mut self, number: u32) -> Result<(), Box<dyn Error>> {
        let job = JobPlan::future(number, self.channel.extranonce_length());
        self.session.send(message::job(self.channel.id, &job)).await?;
        tokio::time::sleep(BETWEEN).await;
        self.session.send(tip(self.channel.id, number)).await?;
        Ok(())
    }

    /// Waits until all mailboxes hold work of another job than `old`, and returns the first of it.
    fn works(&mut self, old: Option<&str>) -> Arc<Work> {
        let mut first = None;
        for reader in &mut self.readers {
            loop {
                match reader.try_take() {
                    Some(Assignment::Work(work)) if Some(&*work.job.label) != old => {
                        first.get_or_insert(work);
                        break;
                    }
                    _ => std::hint::spin_loop(),
                }
            }
        }
        first.expect("there is a thread")
    }

    async fn stop(mut self) -> Result<(), Box<dyn Error>> {
        self.cancel.cancel();
        drop(self.session);
        self.events = None;
        for index in 0..self.readers.len() {
            self.readers.get_mut(index).map(|reader| reader.wait(Some(Instant::now() + Duration::from_secs(2))));
        }
        // It ends as it was told to; what it says of a pool that left is of no interest here.
        let _ = self.miner.ended().await;
        Ok(())
    }
}

/// Seconds from a tip to the last of the mailboxes.
async fn tips(threads: u32, rounds: u32) -> Result<Vec<f64>, Box<dyn Error>> {
    let mut world = World::start(threads, None, ChannelPlan::default()).await?;
    let mut times = Vec::new();
    let mut label = String::from("1");
    for number in 2..rounds + 2 {
        world.tip(number).await?;
        let work = tokio::task::block_in_place(|| world.works(Some(&label)));
        times.push(work.job.received_at.elapsed().as_secs_f64());
        label = work.job.label.to_string();
    }
    world.stop().await?;
    Ok(times)
}

/// Seconds from a nonce to the socket, and allocations of the mining thread meanwhile.
async fn shares(rounds: u32) -> Result<(Vec<f64>, Vec<u64>), Box<dyn Error>> {
    let channel = ChannelPlan { target: [0xff; 32], ..ChannelPlan::default() };
    let mut world = World::start(1, None, channel).await?;
    world.tip(2).await?;
    let work = tokio::task::block_in_place(|| world.works(Some("1")));
    let events = world.events.clone().ok_or("there is a thread")?;
    let (mut times, mut allocations) = (Vec::new(), Vec::new());
    for nonce in 0..rounds {
        tokio::time::sleep(BETWEEN).await;
        let ntime = work.job.min_ntime;
        let extranonce = work.slot.next(work.job.fingerprint(), ntime).ok_or("the slot is used up")?;
        let (thread, version) = (ThreadIndex(0), work.job.version);
        let ticket_target = work.ticket_target;
        let (before, begin, found_at) = (counting::allocations(), SystemTime::now(), Instant::now());
        let nonce =
            Nonce { thread, work: Arc::clone(&work), extranonce, version, ntime, nonce, ticket_target, found_at };
        events.send(ThreadEvent::Nonce(nonce)).await?;
        let arrived = tokio::task::block_in_place(|| {
            loop {
                match world.session.arrivals().next() {
                    Ok(None) => std::hint::spin_loop(),
                    Ok(Some(at)) => return Ok(at),
                    Err(error) => return Err(error),
                }
            }
        })?;
        allocations.push(counting::allocations() - before);
        times.push(arrived.duration_since(begin).unwrap_or_default().as_secs_f64());
        let share = world.session.expect_share().await?;
        world.session.accept(&share).await?;
    }
    // What grows with the number of shares has grown by then.
    allocations.drain(..allocations.len() / 4);
    drop(events);
    world.stop().await?;
    Ok((times, allocations))
}

/// With the CPU board on all cores: seconds from a tip to the first share of its job, and to the last of another, both as the
/// pool has read and decrypted them.
async fn hashing(rounds: u32) -> Result<(Vec<f64>, Vec<f64>), Box<dyn Error>> {
    // A share in about 2^13 hashes: each core finds several in a millisecond.
    let mut target = [0xff; 32];
    target.split_at_mut(30).1.copy_from_slice(&[0x07, 0x00]);
    let channel = ChannelPlan { target, ..ChannelPlan::default() };
    let mut world = World::start(0, Some(CpuConfig::default()), channel).await?;
    let (mut first, mut stale) = (Vec::new(), Vec::new());
    for number in 2..rounds + 2 {
        let job = JobPlan::future(number, world.channel.extranonce_length());
        world.session.send(message::job(world.channel.id, &job)).await?;
        // Shares come all the time: none may lie in the socket when the tip goes out.
        let until = Instant::now() + BETWEEN;
        while Instant::now() < until {
            world.session.expect_share().await?;
        }
        let begin = Instant::now();
        world.session.send(tip(world.channel.id, number)).await?;
        let mut last_stale = None;
        loop {
            let share = world.session.expect_share().await?;
            let job = share.job_id;
            if job == number {
                break;
            }
            last_stale = Some(begin.elapsed().as_secs_f64());
        }
        first.push(begin.elapsed().as_secs_f64());
        stale.extend(last_stale);
    }
    world.stop().await?;
    Ok((first, stale))
}

/// The tip that makes a future job the job.
fn tip(channel_id: u32, number: u32) -> MiningOwned {
    let mut prev_hash = [0x22; 32];
    prev_hash.split_at_mut(4).0.copy_from_slice(&number.to_le_bytes());
    message::tip(channel_id, number, prev_hash, now())
}

fn report(what: &str, times: &[f64]) {
    let at = |part: f64| percentile(times, part) * 1e3;
    println!(
        "{what:32}  {} times  p50 {:.3} ms  p90 {:.3} ms  p99 {:.3} ms  max {:.3} ms",
        times.len(),
        at(0.5),
        at(0.9),
        at(0.99),
        at(1.0)
    );
}
