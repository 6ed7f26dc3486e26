//! How soon a new job is in force on every CPU thread while all cores hash: `cargo bench -p mujina-testbed --bench switch`.
//!
//! The threads are those of the CPU board, the way to them is their mailboxes, and each says itself when it begins. A job
//! counts as in force when the last thread has begun; a thread's gap is the time between its last hash of the old job and its
//! first of the new.

use clap::Parser;
use mujina_core::{id::ConnectionId, units::ShareTarget};
use mujina_dataplane::{
    board::cpu::{CpuBoard, CpuConfig, ThreadPriority},
    job::{BIP320_MASK, Job, JobHandle, JobLife},
    scheduler::slot::SlotSpace,
    thread::{Assignment, ThreadEvent, Work},
    trace::TraceParent,
};
use mujina_testbed::percentile::percentile;
use std::{
    error::Error,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::sync::mpsc;

/// Hashing between two jobs, so that every switch begins with all cores at work. Not a multiple of a thread's unit.
const BETWEEN: Duration = Duration::from_micros(3_170);

#[derive(Debug, Parser)]
struct Args {
    /// Jobs
    #[arg(long, default_value_t = 2000)]
    jobs: u64,
    /// Hash threads at usual priority instead of below everything else
    #[arg(long)]
    normal: bool,
    /// What `cargo bench` adds
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> Result<(), Box<dyn Error>> {
    let args = Args::parse();
    let (events, mut received) = mpsc::channel(256);
    let priority = if args.normal { ThreadPriority::Normal } else { ThreadPriority::Idle };
    let (threads, board) = CpuBoard::start(&CpuConfig { priority, ..CpuConfig::default() }, events)?;
    let mut slots = SlotSpace::new(8, [0x5a; 32]);
    let slots: Vec<_> = (0..).take(threads.len()).map(|index| slots.slot(index)).collect();
    let (mut in_force, mut gaps) = (Vec::new(), Vec::new());
    for generation in 1..=args.jobs {
        let job = Arc::new(job(generation));
        let begin = Instant::now();
        for (thread, slot) in threads.iter().zip(&slots) {
            let (job, slot) = (Arc::clone(&job), Arc::clone(slot));
            // Nothing meets it: only switches are measured.
            let ticket_target = ShareTarget::from_be_bytes([0; 32]);
            thread.mailbox.put(Assignment::Work(Arc::new(Work { generation, job, slot, ticket_target })));
        }
        let mut left = threads.len();
        while left > 0 {
            match received.blocking_recv().ok_or("the threads have ended; see the log")? {
                ThreadEvent::Started { generation: begun, gap, .. } if begun == generation => {
                    left -= 1;
                    gaps.extend(gap.map(|gap| gap.as_secs_f64()));
                }
                _ => {}
            }
        }
        in_force.push(begin.elapsed().as_secs_f64());
        std::thread::sleep(BETWEEN);
    }
    let name = if args.normal { "usual priority" } else { "below everything else" };
    println!("{} threads, {name}, {} jobs", threads.len(), args.jobs);
    // The first job finds the threads asleep.
    for (what, times) in
        [("in force on every thread", in_force.get(1..).unwrap_or_default()), ("gap of a thread", &gaps)]
    {
        let at = |part| percentile(times, part) * 1e3;
        println!(
            "{what:24}  p50 {:.3} ms  p90 {:.3} ms  p99 {:.3} ms  max {:.3} ms",
            at(0.5),
            at(0.9),
            at(0.99),
            at(1.0)
        );
    }
    threads.iter().for_each(|thread| thread.mailbox.put(Assignment::Stop));
    drop(threads);
    board.join();
    Ok(())
}

fn job(number: u64) -> Job {
    let now = Instant::now();
    let mut prev_hash = [7; 32];
    prev_hash.split_at_mut(8).0.copy_from_slice(&number.to_le_bytes());
    Job {
        handle: JobHandle::fresh(),
        connection: ConnectionId(1),
        label: "bench".into(),
        version: 0x2000_0000,
        version_mask: BIP320_MASK,
        prev_hash,
        nbits: 0x1d00_ffff,
        min_ntime: 1_700_000_000,
        ntime_origin: now,
        coinbase_tx_prefix: vec![1; 120].into(),
        coinbase_tx_suffix: vec![2; 160].into(),
        extranonce_prefix: vec![3; 4].into(),
        extranonce_size: 8,
        // As many as a full block has.
        merkle_path: vec![[4; 32]; 12],
        share_target: ShareTarget::MAX,
        network_target: ShareTarget::MAX,
        received_at: now,
        life: JobLife::default(),
        origin: TraceParent::default(),
        first: false,
    }
}
