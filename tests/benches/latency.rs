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
#[path = "latency/world.rs"]
mod world;

use clap::Parser;
use mujina_core::units::HashRate;
use mujina_dataplane::{
    board::cpu::CpuConfig,
    thread::{
        Assignment, Nonce, ThreadEntry, ThreadEvent, ThreadIndex, Work,
        mailbox::{MailboxReader, mailbox},
    },
};
use mujina_testbed::{
    percentile::percentile,
    scripted_pool::{ChannelPlan, JobPlan, message},
};
use std::{
    error::Error,
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};
use tokio::sync::mpsc;
use world::{BETWEEN, World, report, tip};

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
        println!("{:48}  allocations p50 {} p90 {} p99 {} max {}", "", at(0.5), at(0.9), at(0.99), at(1.0));
        let (first, stale) = hashing(args.rounds.min(500)).await?;
        report("tip to a share, all cores hash", &first);
        report("last stale share after a tip", &stale);
        Ok(())
    })
}

/// Hash threads that do not hash.
struct Guests {
    world: World,
    readers: Vec<MailboxReader>,
    events: Option<mpsc::Sender<ThreadEvent>>,
}

impl Guests {
    async fn start(count: u32, channel: ChannelPlan) -> Result<Self, Box<dyn Error>> {
        let (mailboxes, readers): (Vec<_>, Vec<_>) = (0..count).map(|_| mailbox()).unzip();
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
        let world = World::start(None, channel, join).await?;
        let mut guests = Self { world, readers, events: Some(handed.recv()?) };
        guests.works(None);
        Ok(guests)
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

    async fn stop(self) {
        let Self { world, mut readers, events } = self;
        let end = move || {
            drop(events);
            for reader in &mut readers {
                reader.wait(Some(Instant::now() + Duration::from_secs(2)));
            }
        };
        world.stop(end).await;
    }
}

/// Seconds from a tip to the last of the mailboxes.
async fn tips(threads: u32, rounds: u32) -> Result<Vec<f64>, Box<dyn Error>> {
    let mut guests = Guests::start(threads, ChannelPlan::default()).await?;
    let mut times = Vec::new();
    let mut label = String::from("1");
    for number in 2..rounds + 2 {
        guests.world.tip(number).await?;
        let work = tokio::task::block_in_place(|| guests.works(Some(&label)));
        times.push(work.job.received_at.elapsed().as_secs_f64());
        label = work.job.label.to_string();
    }
    guests.stop().await;
    Ok(times)
}

/// Seconds from a nonce to the socket, and allocations of the mining thread meanwhile.
async fn shares(rounds: u32) -> Result<(Vec<f64>, Vec<u64>), Box<dyn Error>> {
    let channel = ChannelPlan { target: [0xff; 32], ..ChannelPlan::default() };
    let mut guests = Guests::start(1, channel).await?;
    guests.world.tip(2).await?;
    let work = tokio::task::block_in_place(|| guests.works(Some("1")));
    let events = guests.events.clone().ok_or("there is a thread")?;
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
        let arrived = tokio::task::block_in_place(|| guests.world.arrival())?.ok_or("no share came within a second")?;
        allocations.push(counting::allocations() - before);
        times.push(arrived.duration_since(begin).unwrap_or_default().as_secs_f64());
        let share = guests.world.session.expect_share().await?;
        guests.world.session.accept(&share).await?;
    }
    // What grows with the number of shares has grown by then.
    allocations.drain(..allocations.len() / 4);
    drop(events);
    guests.stop().await;
    Ok((times, allocations))
}

/// With the CPU board on all cores: seconds from a tip to the first share of its job, and to the last of another, both as the
/// pool has read and decrypted them.
async fn hashing(rounds: u32) -> Result<(Vec<f64>, Vec<f64>), Box<dyn Error>> {
    // A share in about 2^13 hashes: each core finds several in a millisecond.
    let mut target = [0xff; 32];
    target.split_at_mut(30).1.copy_from_slice(&[0x07, 0x00]);
    let channel = ChannelPlan { target, ..ChannelPlan::default() };
    let mut world = World::start(Some(CpuConfig::default()), channel, |_| Vec::new()).await?;
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
    world.stop(|| ()).await;
    Ok((first, stale))
}
