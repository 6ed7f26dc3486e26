//! How fast jobs reach the chips of real chains and their nonces the pool: `cargo bench -p mujina-testbed --bench chains`.
//!
//! A scripted pool on a real, encrypted socket, and chains on pseudo-terminals whose chips are emulated. The benchmark plays the
//! chips: what it reads, it reads without waiting, on a core that nobody else is meant to use.
//!
//! - Tip to chains: from the moment at which the pool begins to send SetNewPrevHash until the last byte of the new job has come out
//!   of the last line. Chips do not hash meanwhile. The pool's half is part of it.
//! - Nonce to the socket: from the moment at which a nonce's frame is in the line until its share, verified twice and encrypted,
//!   has arrived in the pool's socket, by the kernel's time stamp.
//! - Nonces per second: frames of nonces that were all found before are sent at this pace, until the chain has counted them.
//! - Renewal: the part of an epoch after which the next job came, with the CPU board on all cores.

#[path = "latency/line.rs"]
mod line;
#[path = "latency/world.rs"]
mod world;

use clap::Parser;
use line::{Line, order_all};
use mujina_core::units::{Frequency, HashRate};
use mujina_dataplane::{
    asic::bm13xx::{ChainSpec, Model, bring_up::RESET_BAUD, nonce_space::Cadence, pll::Pll},
    board::cpu::CpuConfig,
    simulate::{BoardKind, ChipModel, Options, Pacing},
    thread::{
        ThreadEntry, ThreadEvent, ThreadIndex,
        chain::{self, ChainOrder, ChainPlan, ChainReport},
        mailbox::mailbox,
    },
};
use mujina_testbed::scripted_pool::ChannelPlan;
use std::{
    error::Error,
    time::{Duration, Instant, SystemTime},
};
use tokio::{
    sync::{mpsc, watch},
    task::block_in_place,
};
use world::{BETWEEN, World, report};

/// Chips of a chain in a large miner.
const CHIPS: u8 = 126;
/// Length of a job frame.
const JOB: usize = 88;
/// Version bits that the pool lets roll.
const VERSION_MASK: u32 = 0x1fff_e000;
/// What a job frame begins with.
const JOB_HEAD: [u8; 4] = [0x55, 0xaa, 0x21, 0x56];

#[derive(Debug, Parser)]
struct Args {
    /// Measurements of each kind
    #[arg(long, default_value_t = 1000)]
    rounds: u32,
    /// Nonces per second that are sent down one line
    #[arg(long, default_value_t = 28_000)]
    nonces: u32,
    /// Seconds that renewals are watched
    #[arg(long, default_value_t = 30)]
    renewals: u64,
    /// What `cargo bench` adds
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> Result<(), Box<dyn Error>> {
    let args = Args::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    runtime.block_on(async {
        for (chains, cpu) in [(1, None), (3, None), (10, None), (3, Some(CpuConfig::default()))] {
            let beside = if cpu.is_some() { ", all cores hash" } else { "" };
            let name = format!("tip to {chains} chains of {CHIPS} chips{beside}");
            report(&name, &tips(chains, cpu, args.rounds).await?);
        }
        report("nonce frame to the socket", &nonces(args.rounds).await?);
        pace(args.nonces, args.rounds.div_ceil(50)).await?;
        renewals(Duration::from_secs(args.renewals)).await
    })
}

/// Chains of a data plane, and their chips.
struct Chains {
    world: World,
    lines: Vec<Line>,
    orders: Vec<mpsc::Sender<ChainOrder>>,
    reports: Vec<watch::Receiver<ChainReport>>,
}

impl Chains {
    /// Brings them up, and gives them work.
    async fn start(
        specs: Vec<ChainSpec>,
        cpu: Option<CpuConfig>,
        channel: ChannelPlan,
    ) -> Result<Self, Box<dyn Error>> {
        let options = Options { gate_bits: GATE_BITS, pacing: Pacing::Immediate, ..Options::of(BoardKind::EmberOne) };
        let mut lines = Vec::new();
        let (mut plans, mut orders, mut reports) = (Vec::new(), Vec::new(), Vec::new());
        for spec in specs {
            let line = Line::new(emulated(spec.model)?, spec.chips, &options)?;
            let (order, taken) = mpsc::channel(4);
            let (reporter, report) = watch::channel(ChainReport::default());
            plans.push((spec, line.path.clone(), taken, reporter));
            lines.push(line);
            orders.push(order);
            reports.push(report);
        }
        let join = move |events: mpsc::Sender<ThreadEvent>| {
            // Behind the threads of the CPU.
            let numbered = (1000..).zip(plans);
            let joined = numbered.map(|(index, (spec, port, orders, report))| {
                let (mailbox, reader) = mailbox();
                let index = ThreadIndex(index);
                let entry = ThreadEntry {
                    index,
                    id: format!("chain-{}", index.0).parse().expect("a label"),
                    board: "chains".parse().expect("a label"),
                    nominal_hash_rate: HashRate::from_megahashes_per_second(1.0),
                    mailbox,
                };
                let (id, board, events) = (entry.id.clone(), entry.board.clone(), events.clone());
                let plan = ChainPlan { index, id, board, spec, port, mailbox: reader, events, orders, report };
                chain::spawn(plan).expect("a thread");
                entry
            });
            joined.collect()
        };
        let world = World::start(cpu, channel, join).await?;
        let mut chains = Self { world, lines, orders, reports };
        block_in_place(|| order_all(&mut chains.lines, &chains.orders, ChainOrder::BringUp))?;
        Ok(chains)
    }

    /// Ramps all of them.
    fn ramp(&mut self, to: Frequency) -> Result<(), Box<dyn Error>> {
        block_in_place(|| order_all(&mut self.lines, &self.orders, |reply| ChainOrder::SetFrequency(to, reply)))
    }

    async fn stop(self) {
        let Self { world, orders, lines, .. } = self;
        world.stop(|| drop((orders, lines))).await;
    }
}

/// Fewest that emulated chips can have: a nonce in 256 hashes.
const GATE_BITS: u8 = 8;

fn emulated(model: Model) -> Result<ChipModel, Box<dyn Error>> {
    match model {
        Model::Bm1362 => Ok(ChipModel::Bm1362),
        Model::Bm1370 => Ok(ChipModel::Bm1370),
        other => Err(format!("{other:?} is not measured").into()),
    }
}

/// A chain as in a large miner, that returns so many results a second.
fn long_chain(results_per_second: f64) -> ChainSpec {
    ChainSpec {
        model: Model::Bm1362,
        chips: CHIPS,
        address_interval: 2,
        baud: None,
        gate_bits: GATE_BITS,
        results_per_second,
        greatest_frequency: Frequency::from_megahertz(600.0),
    }
}

/// Seconds from a tip to the last byte of its job on the last of the lines.
async fn tips(chains: usize, cpu: Option<CpuConfig>, rounds: u32) -> Result<Vec<f64>, Box<dyn Error>> {
    let mut chains = Chains::start(vec![long_chain(1.0); chains], cpu, ChannelPlan::default()).await?;
    let mut times = Vec::new();
    for number in 2..rounds + 2 {
        block_in_place(|| chains.lines.iter_mut().try_for_each(Line::answer))?;
        let begin = chains.world.tip(number).await?;
        let ends = block_in_place(|| last_bytes(&chains.lines, number))?;
        times.push(ends.saturating_duration_since(begin).as_secs_f64());
    }
    chains.stop().await;
    Ok(times)
}

/// When the job of this tip was whole on the last of the lines.
fn last_bytes(lines: &[Line], number: u32) -> Result<Instant, Box<dyn Error>> {
    let end = Instant::now() + Duration::from_secs(10);
    let mut heard = vec![Vec::new(); lines.len()];
    let mut missing: Vec<_> = lines.iter().zip(&mut heard).collect();
    let mut buffer = [0; 4096];
    while Instant::now() < end {
        for (line, heard) in &mut missing {
            heard.extend_from_slice(line.read(&mut buffer)?);
        }
        missing.retain(|(_, heard)| !has_job(heard, number));
        if missing.is_empty() {
            return Ok(Instant::now());
        }
        std::hint::spin_loop();
    }
    Err("a chain got no job in ten seconds".into())
}

/// Whether these bytes have a whole job on the tip with this number: its previous hash is sent with its first word last.
fn has_job(heard: &[u8], number: u32) -> bool {
    heard.windows(JOB).any(|job| job.starts_with(&JOB_HEAD) && job.get(78..82) == Some(&number.to_le_bytes()[..]))
}

/// Seconds from a frame with a nonce to the pool's socket.
async fn nonces(rounds: u32) -> Result<Vec<f64>, Box<dyn Error>> {
    let spec = ChainSpec {
        model: Model::Bm1370,
        chips: 1,
        address_interval: 256,
        baud: None,
        gate_bits: GATE_BITS,
        results_per_second: 1e9,
        greatest_frequency: Frequency::from_megahertz(625.0),
    };
    let channel = ChannelPlan { target: [0xff; 32], ..ChannelPlan::default() };
    let mut chains = Chains::start(vec![spec], None, channel).await?;
    let (mut times, mut missed) = (Vec::new(), 0_u32);
    while times.len() < usize::try_from(rounds)? && missed < rounds {
        tokio::time::sleep(BETWEEN).await;
        let Chains { world, lines, .. } = &mut chains;
        let line = lines.first_mut().ok_or("there is a line")?;
        line.answer()?;
        let found = block_in_place(|| line.chips.run(Instant::now()));
        if found.is_empty() {
            continue;
        }
        let begin = SystemTime::now();
        line.write(&found)?;
        let arrived = block_in_place(|| world.arrival())?;
        let Some(arrived) = arrived else {
            missed += 1;
            continue;
        };
        times.push(arrived.duration_since(begin).unwrap_or_default().as_secs_f64());
        // Some turns find more than one.
        while let Ok(share) = tokio::time::timeout(Duration::from_millis(20), world.session.expect_share()).await {
            world.session.accept(&share?).await?;
        }
        while world.session.arrivals().next()?.is_some() {}
    }
    if missed > 0 {
        println!("{missed} frames came to nothing: their job had been replaced, or they had been found before");
    }
    chains.stop().await;
    Ok(times)
}

/// Sends nonces at a pace, as many at a time as chips find in a job, and says what became of them.
async fn pace(per_second: u32, bursts: u32) -> Result<(), Box<dyn Error>> {
    let mut chains = Chains::start(vec![long_chain(1e9)], None, ChannelPlan::default()).await?;
    let mut virtual_now = Instant::now();
    let mut sent = 0_u64;
    let mut took = Duration::ZERO;
    for _ in 0..bursts {
        let Chains { lines, .. } = &mut chains;
        let line = lines.first_mut().ok_or("there is a line")?;
        let (frames, time) = block_in_place(|| {
            let frames = collect(line, &mut virtual_now)?;
            let begin = Instant::now();
            for (number, frame) in (1_u32..).zip(&frames) {
                line.write(frame)?;
                let due = begin + Duration::from_secs(1) * number / per_second;
                while Instant::now() < due {
                    std::hint::spin_loop();
                }
            }
            Ok::<_, Box<dyn Error>>((frames.len(), begin.elapsed()))
        })?;
        sent += u64::try_from(frames)?;
        took += time;
    }
    let report = chains.reports.first_mut().ok_or("there is a report")?;
    let verified = |report: &ChainReport| report.chips.iter().map(|chip| chip.verified).sum::<u64>();
    let errors =
        |report: &ChainReport| report.chips.iter().map(|chip| chip.errors.sum() + chip.duplicates).sum::<u64>();
    let all = |report: &ChainReport| verified(report) + errors(report) >= sent;
    // What is still missing then is to be seen below.
    let _ = tokio::time::timeout(Duration::from_secs(10), report.wait_for(all)).await;
    let last = report.borrow().clone();
    println!(
        "{:48}  {sent} sent at {:.0} a second: {} verified, {} wrong or twice, {} lost, {} bytes not understood",
        "nonces on one line",
        sent as f64 / took.as_secs_f64(),
        verified(&last),
        errors(&last),
        last.lost_events,
        last.line_errors
    );
    chains.stop().await;
    Ok(())
}

/// Waits for the next job and lets the chips find what there is to find in it, in time of their own.
fn collect(line: &mut Line, virtual_now: &mut Instant) -> Result<Vec<Vec<u8>>, Box<dyn Error>> {
    const MOST: usize = 14_000;
    let end = Instant::now() + Duration::from_secs(10);
    let mut buffer = [0; 4096];
    let mut heard = Vec::new();
    while !heard.windows(JOB_HEAD.len()).any(|head| head == JOB_HEAD) {
        if Instant::now() > end {
            return Err("the chain sent no job in ten seconds".into());
        }
        heard.extend_from_slice(line.read(&mut buffer)?);
    }
    while heard.len() < JOB {
        heard.extend_from_slice(line.read(&mut buffer)?);
    }
    // What comes now was found in the job before.
    drop(line.chips.receive(&heard, *virtual_now));
    let mut frames = Vec::new();
    for _ in 0..20_000 {
        *virtual_now += Duration::from_millis(1);
        frames.extend(split(&line.chips.run(*virtual_now)));
        if frames.len() >= MOST {
            break;
        }
    }
    Ok(frames)
}

fn split(bytes: &[u8]) -> Vec<Vec<u8>> {
    bytes.chunks(11).map(<[u8]>::to_vec).collect()
}

/// How late the next job came, while the CPU board works on all cores.
async fn renewals(time: Duration) -> Result<(), Box<dyn Error>> {
    const CHAINS: usize = 10;
    let clock = Frequency::from_megahertz(525.0);
    let cpu = Some(CpuConfig::default());
    // So far from what is hashed that there is nothing to answer.
    let mut target = [0; 32];
    target[20] = 1;
    let channel = ChannelPlan { target, ..ChannelPlan::default() };
    let mut chains = Chains::start(vec![long_chain(1.0); CHAINS], cpu, channel).await?;
    chains.ramp(clock)?;
    let mut intervals = Vec::new();
    block_in_place(|| {
        let end = Instant::now() + time;
        let mut last = vec![None; CHAINS];
        let mut buffer = [0; 4096];
        while Instant::now() < end {
            wait_readable(&chains.lines)?;
            let now = Instant::now();
            for (line, last) in chains.lines.iter().zip(&mut last) {
                if line.read(&mut buffer)?.windows(JOB_HEAD.len()).any(|head| head == JOB_HEAD) {
                    intervals.extend(last.replace(now).map(|before| now.saturating_duration_since(before)));
                }
            }
        }
        Ok::<_, Box<dyn Error>>(())
    })?;
    if intervals.is_empty() {
        return Err("no chain renewed its work".into());
    }
    let spec = long_chain(1.0);
    let pll = Pll::solve(spec.model, clock).ok_or("the clock can be made")?;
    let cadence = Cadence::of(&spec, &pll, VERSION_MASK, RESET_BAUD);
    let jitter: Vec<_> =
        intervals.iter().map(|interval| interval.as_secs_f64() - cadence.renewal.as_secs_f64()).map(f64::abs).collect();
    report("renewal, off by, all cores hash", &jitter);
    let longest = intervals.iter().max().copied().unwrap_or_default();
    let late: u64 = chains.reports.iter().map(|report| report.borrow().late_renewals).sum();
    println!(
        "{:48}  at most {:.3} of an epoch of {:.3} s; {late} counted as late",
        "",
        longest.as_secs_f64() / cadence.epoch.as_secs_f64(),
        cadence.epoch.as_secs_f64()
    );
    chains.stop().await;
    Ok(())
}

fn wait_readable(lines: &[Line]) -> Result<(), Box<dyn Error>> {
    let mut ports: Vec<_> = lines.iter().map(Line::poll_for_input).collect();
    nix::poll::poll(&mut ports, nix::poll::PollTimeout::from(100_u8))?;
    Ok(())
}
