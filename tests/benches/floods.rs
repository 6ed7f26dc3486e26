//! By how much floods of a hostile pool make a data plane grow: `cargo bench -p mujina-testbed --bench floods`.
//!
//! Each flood meets a data plane of its own in a process of its own: this program again. The pool lives here and says
//! what section 2.2 of the rules of Stratum clients lists, under the ids that it has there. Growth is the most memory that
//! was resident during the flood, less what was resident before it, after a bring-up and some shares. A miner that hangs up, as
//! it should on some of them, is flooded again as soon as it comes back.

use clap::Parser;
use mujina_testbed::{
    scripted_pool::{ChannelPlan, JobPlan, ScriptedOptions, ScriptedPool, Session, message, now},
    sv2_wire::Frame,
    world::{HostedMiner, Telling, miner_config},
};
use std::{
    error::Error,
    fs,
    io::{BufRead, BufReader, Read},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};
use stratum_apps::stratum_core::mining_sv2::NewExtendedMiningJobOwned;
use tokio::time::{Instant, interval, sleep_until, timeout_at};

/// What a connection may cost at most, in KiB.
const BOUND: i64 = 16 << 10;
/// Just below what counts as too many frames, so that they are all digested.
const PACE: u32 = 1_900;
/// Shares before the flood, so that everything has been used once.
const WARM_UP: usize = 20;
/// Frames that a flood is made of, over and over.
const RING: u32 = 64;

#[derive(Debug, Parser)]
struct Args {
    /// Seconds that each flood lasts
    #[arg(long, default_value_t = 8)]
    seconds: u64,
    /// Only these floods
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// Hosts the data plane that is flooded
    #[arg(long, hide = true, num_args = 2, value_names = ["FOLDER", "URL"])]
    host: Vec<String>,
    /// What `cargo bench` adds
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> Result<(), Box<dyn Error>> {
    let args = Args::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    if let [folder, url] = args.host.as_slice() {
        let config = miner_config(&PathBuf::from(folder), Some(url), 1);
        let miner = runtime.block_on(HostedMiner::start(config, &Telling::default(), None))?;
        println!("ready");
        // Until the other end hangs up.
        std::io::stdin().read_to_end(&mut Vec::new())?;
        return Ok(runtime.block_on(miner.stop())?);
    }
    println!("flood                                             frames   connections   growth of resident memory");
    let mut above = Vec::new();
    for flood in floods().into_iter().filter(|flood| args.only.is_empty() || args.only.iter().any(|id| id == flood.id))
    {
        let outcome = runtime.block_on(measure(&flood, Duration::from_secs(args.seconds)))?;
        let Outcome { frames, connections, growth } = outcome;
        let mib = growth as f64 / 1024.0;
        println!("{:4} {:40} {frames:10} {connections:13} {mib:12.1} MiB", flood.id, flood.what);
        if growth > BOUND {
            above.push(flood.id);
        }
    }
    if above.is_empty() { Ok(()) } else { Err(format!("above {} MiB: {}", BOUND >> 10, above.join(", ")).into()) }
}

/// What a pool sends again and again.
struct Flood {
    /// In the list of rules.
    id: &'static str,
    what: &'static str,
    frames: Vec<Frame>,
    /// Frames a second; `None` = as many as fit.
    pace: Option<u32>,
    /// Said after each frame without an end of it: single bytes, each this long after the one before.
    drip: Option<Duration>,
}

struct Outcome {
    frames: u64,
    connections: u32,
    /// In KiB.
    growth: i64,
}

fn floods() -> Vec<Flood> {
    let channel = ChannelPlan::default();
    let room = channel.extranonce_length();
    let id = channel.id;
    let ring = |frame: &dyn Fn(u32) -> Vec<Frame>| (0..RING).flat_map(frame).collect::<Vec<_>>();
    let immediate = |number: u32| JobPlan::immediate(100 + number, room, now());
    let future = |number: u32| JobPlan { padding: 60_000, ..JobPlan::future(100 + number, room) };
    let job = |plan: JobPlan| Frame::of_mining(message::job(id, &plan));
    let tip = |number: u32, job_id: u32| {
        let mut prev_hash = [0x22; 32];
        prev_hash[..4].copy_from_slice(&number.to_le_bytes());
        Frame::of_mining(message::tip(id, job_id, prev_hash, now()))
    };
    let target = |number: u32| {
        let mut target = channel.target;
        target[29] = u8::try_from(number).unwrap_or_default();
        Frame::of_mining(message::target(id, target))
    };
    let large = |job: &mut NewExtendedMiningJobOwned| {
        let prefix = [&[2, 0, 0, 0, 1][..], &[0x51; 65_530]].concat();
        job.coinbase_tx_prefix = prefix.try_into().expect("64 KiB fit");
        job.coinbase_tx_suffix = vec![0x52; 65_535].try_into().expect("64 KiB fit");
    };
    let announcing = |bytes| vec![Frame { announced: Some(bytes), ..Frame::new(0x8000, 0x1f, Vec::new()) }];
    let flood = |id, what, frames| Flood { id, what, frames, pace: Some(PACE), drip: None };
    let unpaced = |id, what, frames| Flood { id, what, frames, pace: None, drip: None };
    let list_of_ids = [&[1, 0][..], &u16::MAX.to_le_bytes(), &[2; 2 * 65_535]].concat();
    vec![
        Flood { pace: Some(10), ..flood("D1", "frame of 16 MiB announced, then silence", announcing(0xff_ffff)) },
        Flood {
            drip: Some(Duration::from_millis(10)),
            ..flood("D2", "frame of 300 kB, byte by byte", announcing(300_000))
        },
        unpaced(
            "D3",
            "tiny frames, as many as fit",
            ring(&|number| vec![Frame::new(0, 0x77, vec![1; number as usize % 4])]),
        ),
        flood(
            "D4",
            "jobs with 255 merkle branches",
            ring(&|number| vec![job(JobPlan { merkle_depth: 255, ..immediate(number) })]),
        ),
        flood(
            "D5",
            "jobs with two halves of 64 KiB",
            ring(&|number| vec![Frame::of_mining(message::job_with(id, &immediate(number), large))]),
        ),
        flood("D11", "share target flaps", ring(&|number| vec![target(number)])),
        flood("D12", "jobs", ring(&|number| vec![job(immediate(number))])),
        flood("D13", "future jobs of 60 kB, tip of a lost one", {
            let mut frames = ring(&|number| vec![job(future(number))]);
            frames.extend([tip(1, 100), job(immediate(RING))]);
            frames
        }),
        flood(
            "D14",
            "tips, each with its job",
            ring(&|number| vec![job(JobPlan::future(100 + number, room)), tip(number, 100 + number)]),
        ),
        flood("D19", "verdicts on 4 billion shares", vec![Frame::of_mining(message::accepted(id, 1, u32::MAX))]),
        flood(
            "D20",
            "refusals, each with a code of its own",
            ring(&|number| vec![Frame::of_mining(message::rejected(id, number + 1, &format!("{number:0>255}")))]),
        ),
        flood("D24", "groups of 65 535 channels", vec![Frame::of_mining(message::group(9, &vec![id; 65_535]))]),
        flood("D26", "65 535 extensions granted", vec![Frame::new(1, 1, list_of_ids)]),
    ]
}

/// Floods a fresh data plane.
async fn measure(flood: &Flood, time: Duration) -> Result<Outcome, Box<dyn Error>> {
    let pool = ScriptedPool::start(ScriptedOptions::default()).await?;
    let folder = tempfile::tempdir()?;
    let miner = Host::start(folder.path(), &pool.url())?;
    let mut session = pool.session().await?;
    session.bring_up(&ChannelPlan::default()).await?;
    session.accept_shares(WARM_UP).await?;
    let before = miner.resident("VmRSS")?;
    miner.forget_peak()?;
    let until = Instant::now() + time;
    let (mut frames, mut connections) = (0, 1);
    loop {
        frames += pour(flood, &mut session, until).await;
        drop(session);
        // It may take its time before it comes back, and go again while it is brought up.
        session = loop {
            let Ok(come) = timeout_at(until, pool.session()).await else {
                let growth = miner.resident("VmHWM")? - before;
                return Ok(Outcome { frames, connections, growth });
            };
            if let Ok(mut session) = come
                && let Ok(Ok(_)) = timeout_at(until, session.bring_up(&ChannelPlan::default())).await
            {
                connections += 1;
                break session;
            }
        };
    }
}

/// Sends until the time is over or the miner hangs up. Says how many frames there were.
async fn pour(flood: &Flood, session: &mut Session, until: Instant) -> u64 {
    let began = Instant::now();
    let mut sent = 0;
    for frame in flood.frames.iter().cycle() {
        // What is ready at once would be sent whatever the time.
        if Instant::now() >= until {
            break;
        }
        let sending = timeout_at(until, session.send_frame(frame.clone())).await;
        if !matches!(sending, Ok(Ok(()))) {
            break;
        }
        sent += 1;
        if let Some(pace) = flood.pace {
            sleep_until((began + Duration::from_secs(1) * sent / pace).min(until)).await;
        }
        if let Some(drip) = flood.drip {
            let mut drops = interval(drip);
            while timeout_at(until, drops.tick()).await.is_ok() {
                if session.peer().writer().send_bytes(&[0]).await.is_err() {
                    break;
                }
            }
        }
    }
    sent.into()
}

/// A data plane in a process of its own, which ends with it.
struct Host {
    child: Child,
}

impl Host {
    fn start(folder: &Path, url: &str) -> Result<Self, Box<dyn Error>> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("--host").arg(folder).arg(url).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut host = Self { child: command.spawn()? };
        let output = host.child.stdout.take().ok_or("the child says nothing")?;
        let mut line = String::new();
        BufReader::new(output).read_line(&mut line)?;
        if line.trim() != "ready" {
            return Err("the data plane did not come up; see what it said".into());
        }
        Ok(host)
    }

    /// Memory of the process in KiB.
    fn resident(&self, what: &str) -> Result<i64, Box<dyn Error>> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix(what)?.strip_prefix(':'));
        let kib = line.and_then(|line| line.trim().strip_suffix("kB")).ok_or("no such line in the status")?;
        Ok(kib.trim().parse()?)
    }

    /// The peak counts from now on.
    fn forget_peak(&self) -> std::io::Result<()> {
        fs::write(format!("/proc/{}/clear_refs", self.child.id()), "5")
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
