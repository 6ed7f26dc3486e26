//! How much of the bare kernel's hash rate is left when the whole data plane mines on the real pool, and what polling the API
//! costs: `cargo bench -p mujina-testbed --bench mining`.
//!
//! In every round, on all cores: bare kernels while the miner is paused; then the miner; then the miner while somebody
//! asks a hundred times a second, for its health (what any call costs) and for its whole status. Two ratios are given. By the clock on the wall, which is right on a machine that has
//! nothing else to do; and by the CPU time of the hash threads, which leaves out what others took from them. What is no hash
//! thread, pool and control included, is given as a part of all cores.

#[path = "mining/threads.rs"]
mod threads;

use clap::Parser;
use mujina_dataplane::{
    board::cpu::ThreadPriority,
    thread::sha256d::{self, HeaderScanner, KernelChoice, Midstate, Tail},
};
use mujina_proto::{
    dataplane::v1::{GetMinerRequest, PauseRequest, ResumeRequest, miner_service_client::MinerServiceClient},
    dial::{Address, dial},
    types::v1::MinerStatus,
};
use mujina_testbed::{
    percentile::percentile,
    sv2_pool::{PoolOptions, Sv2Pool},
    world::{HostedMiner, Telling, at_rest, miner_config},
};
use std::{
    error::Error,
    time::{Duration, Instant},
};
use threads::CpuTimes;
use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};

/// Time between two questions to the API.
const ASK_EVERY: Duration = Duration::from_millis(10);
/// Time between two looks for a new count of hashes.
const LOOK_EVERY: Duration = Duration::from_millis(4);

#[derive(Debug, Parser)]
struct Args {
    /// Seconds of each part of a round
    #[arg(long, default_value_t = 5.0)]
    seconds: f64,
    /// Rounds
    #[arg(long, default_value_t = 5)]
    rounds: u32,
    /// Hash threads at usual priority, as the bare kernels always are, instead of below everything else
    #[arg(long)]
    normal: bool,
    /// What `cargo bench` adds
    #[arg(long, hide = true)]
    bench: bool,
}

/// Hashes over a time.
#[derive(Debug, Clone, Copy)]
struct Rate {
    by_wall: f64,
    by_cpu: f64,
    /// CPU time of other threads, as a part of all cores.
    rest: f64,
}

fn main() -> Result<(), Box<dyn Error>> {
    let args = Args::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    runtime.block_on(measure(&args))
}

async fn measure(args: &Args) -> Result<(), Box<dyn Error>> {
    let time = Duration::from_secs_f64(args.seconds);
    let cores = u32::try_from(std::thread::available_parallelism()?.get())?;
    let folder = tempfile::tempdir()?;
    let pool = Sv2Pool::start(PoolOptions::default()).await?;
    let mut config = miner_config(folder.path(), Some(&pool.url()), cores);
    if let Some(cpu) = &mut config.cpu {
        cpu.priority = if args.normal { ThreadPriority::Normal } else { ThreadPriority::Idle };
    }
    let miner = HostedMiner::start(config, &Telling::default(), None).await?;
    let (mut bare, mut mining) = (Vec::new(), Vec::new());
    let questions = [Question::Health, Question::Status];
    let mut asked = questions.map(|_| (Vec::new(), Vec::new()));
    let mut client = MinerServiceClient::new(miner.clients.channel());
    for _ in 0..args.rounds {
        client.pause(PauseRequest::default()).await?;
        miner.clients.wait_for(at_rest).await?;
        bare.push(tokio::task::spawn_blocking(move || bare_kernels(cores, time)).await??);
        client.resume(ResumeRequest::default()).await?;
        mining.push(mine(&miner, cores, time).await?);
        for (question, (rates, answers)) in questions.into_iter().zip(&mut asked) {
            let (rate, times) = polled(&miner, cores, question, time).await?;
            rates.push(rate);
            answers.extend(times);
        }
    }
    let ratios = |of: &[Rate], to: &[Rate], value: fn(&Rate) -> f64| {
        let each: Vec<_> = of.iter().zip(to).map(|(of, to)| value(of) / value(to)).collect();
        median(&each)
    };
    let (wall, cpu) = (|rate: &Rate| rate.by_wall, |rate: &Rate| rate.by_cpu);
    let rest = |rates: &[Rate]| median(&rates.iter().map(|rate| rate.rest).collect::<Vec<_>>());
    let megahashes = median(&bare.iter().map(cpu).collect::<Vec<_>>()) / 1e6;
    println!(
        "{cores} cores, {megahashes:.2} MH/s for each CPU second of a bare kernel; medians of {} rounds",
        args.rounds
    );
    println!("                              by CPU time   by the wall   other threads");
    println!(
        "mining / bare kernels             {:.4}        {:.4}          {:.2} %",
        ratios(&mining, &bare, cpu),
        ratios(&mining, &bare, wall),
        rest(&mining) * 100.0
    );
    for (name, (rates, answers)) in ["health", "status"].into_iter().zip(&asked) {
        let milliseconds = |part| percentile(answers, part) * 1e3;
        println!(
            "{name} asked 100/s / mining        {:.4}        {:.4}          {:.2} %   {} answers, p50 {:.3} ms, p99 {:.3} ms, max {:.3} ms",
            ratios(rates, &mining, cpu),
            ratios(rates, &mining, wall),
            rest(rates) * 100.0,
            answers.len(),
            milliseconds(0.5),
            milliseconds(0.99),
            milliseconds(1.0)
        );
    }
    miner.stop().await?;
    let mut pool = pool;
    pool.stop().await?;
    Ok(())
}

/// One kernel on each core, and nothing else.
fn bare_kernels(cores: u32, time: Duration) -> Result<Rate, sha256d::KernelError> {
    const NONCES: u32 = 4096;
    let choice = sha256d::choose(KernelChoice::Auto)?;
    let header = [0x5a; 80];
    let mut scanners = (0..cores).map(|_| HeaderScanner::of(&choice)).collect::<Result<Vec<_>, _>>()?;
    let begin = Instant::now();
    let results: Vec<_> = std::thread::scope(|scope| {
        let hash = |scanner: &mut HeaderScanner| {
            let midstates = vec![Midstate::of(&header); scanner.width()];
            scanner.load(Tail::of(&header), &midstates);
            scanner.set_target(mujina_core::units::ShareTarget::from_be_bytes([0; 32]));
            let (mut nonce, mut hashes, cpu) = (0_u32, 0_u64, threads::this_thread());
            while begin.elapsed() < time {
                scanner.scan(nonce, NONCES, |_| {});
                nonce = nonce.wrapping_add(NONCES);
                hashes += u64::from(NONCES) * midstates.len() as u64;
            }
            (hashes, threads::this_thread().saturating_sub(cpu))
        };
        let started: Vec<_> = scanners.iter_mut().map(|scanner| scope.spawn(move || hash(scanner))).collect();
        started.into_iter().filter_map(|thread| thread.join().ok()).collect()
    });
    let hashes = results.iter().map(|(hashes, _)| *hashes).sum::<u64>() as f64;
    let cpu: Duration = results.iter().map(|(_, cpu)| *cpu).sum();
    Ok(Rate { by_wall: hashes / begin.elapsed().as_secs_f64(), by_cpu: hashes / cpu.as_secs_f64(), rest: 0.0 })
}

/// The miner's rate: between two moments at which its count of hashes was seen to change.
async fn mine(miner: &HostedMiner, cores: u32, time: Duration) -> Result<Rate, Box<dyn Error>> {
    let (begin, hashes_before, cpu_before) = change(miner).await?;
    tokio::time::sleep(time).await;
    let (end, hashes, cpu) = change(miner).await?;
    let hashes = hashes.saturating_sub(hashes_before) as f64;
    let wall = end.saturating_duration_since(begin).as_secs_f64();
    let hashing = cpu.hashing.saturating_sub(cpu_before.hashing).as_secs_f64();
    let rest = cpu.others.saturating_sub(cpu_before.others).as_secs_f64() / wall / f64::from(cores);
    Ok(Rate { by_wall: hashes / wall, by_cpu: hashes / hashing, rest })
}

async fn change(miner: &HostedMiner) -> Result<(Instant, u64, CpuTimes), Box<dyn Error>> {
    let count = |status: &MinerStatus| -> u64 {
        status.boards.iter().flat_map(|board| &board.threads).map(|thread| thread.hashes).sum()
    };
    let before = count(&miner.clients.status().await?);
    let give_up = Instant::now() + mujina_testbed::PATIENCE;
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        let hashes = count(&miner.clients.status().await?);
        if hashes != before {
            return Ok((Instant::now(), hashes, threads::of_process()?));
        }
        if Instant::now() > give_up {
            return Err("the miner does not hash; see its log".into());
        }
    }
}

/// What is asked of the API.
#[derive(Debug, Clone, Copy)]
enum Question {
    /// Its health: next to nothing is said, so that this is what any call costs.
    Health,
    /// The whole status.
    Status,
}

/// How long each answer took, in seconds. Asked from a thread of its own, as somebody in another process would.
fn ask(address: &Address, question: Question, time: Duration) -> Result<Vec<f64>, String> {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|error| error.to_string())?;
    runtime.block_on(async {
        let channel = dial(address, mujina_testbed::PATIENCE).await.map_err(|error| error.to_string())?;
        let (mut health, mut miner) = (HealthClient::new(channel.clone()), MinerServiceClient::new(channel));
        let (begin, mut times) = (Instant::now(), Vec::new());
        let mut ticks = tokio::time::interval(ASK_EVERY);
        while begin.elapsed() < time {
            ticks.tick().await;
            let asked = Instant::now();
            let answered = match question {
                Question::Health => health.check(HealthCheckRequest::default()).await.map(drop),
                Question::Status => miner.get_miner(GetMinerRequest {}).await.map(drop),
            };
            answered.map_err(|status| status.to_string())?;
            times.push(asked.elapsed().as_secs_f64());
        }
        Ok(times)
    })
}

/// The miner's rate while its API is asked.
async fn polled(
    miner: &HostedMiner,
    cores: u32,
    question: Question,
    time: Duration,
) -> Result<(Rate, Vec<f64>), Box<dyn Error>> {
    let address = miner.address.clone();
    let asking = std::thread::spawn(move || ask(&address, question, time));
    let rate = mine(miner, cores, time).await?;
    let times = asking.join().map_err(|_| "the client panicked")??;
    Ok((rate, times))
}

fn median(values: &[f64]) -> f64 {
    percentile(values, 0.5)
}
