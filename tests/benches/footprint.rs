//! What a data plane takes from its machine: `cargo bench -p mujina-testbed --bench footprint`.
//!
//! The program itself, in a process of its own, as it is installed; `just bench-footprint` builds it first.
//!
//! - Start: from the moment at which the process is made until its API has answered a first call. Cold: the page cache was
//!   dropped before, which takes root.
//! - One emulated board mines: memory that is resident, and processor time of all threads but those that play the board.
//! - Jobs: memory that is resident after the first tenth of them, and after all.

use clap::Parser;
use mujina_proto::{
    dataplane::v1::{GetMinerRequest, miner_service_client::MinerServiceClient},
    dial::{self, Address},
    types::v1::MinerStatus,
};
use mujina_testbed::{
    percentile::percentile,
    scripted_pool::{ChannelPlan, JobPlan, ScriptedOptions, ScriptedPool, Session, message, now},
};
use std::{
    collections::BTreeMap,
    error::Error,
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};
use tokio::time::{sleep, timeout};

/// For everything that is waited for.
const PATIENCE: Duration = Duration::from_secs(120);
/// Ticks of the clock by which the kernel counts processor time.
const TICKS_PER_SECOND: f64 = 100.0;
/// Time that a board has to come to rest before it is measured.
const SETTLES: Duration = Duration::from_secs(20);

#[derive(Debug, Parser)]
struct Args {
    /// The program [default: `mujina-dataplane` where this benchmark was built]
    #[arg(long)]
    program: Option<PathBuf>,
    /// Times that it is started
    #[arg(long, default_value_t = 20)]
    starts: usize,
    /// Seconds that the emulated board is watched
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// Jobs that a pool sends
    #[arg(long, default_value_t = 1_000_000)]
    jobs: u32,
    /// What `cargo bench` adds
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> Result<(), Box<dyn Error>> {
    let args = Args::parse();
    let program = match args.program {
        Some(program) => program,
        None => beside(&std::env::current_exe()?)?,
    };
    println!("{}: {:.1} MB", program.display(), fs::metadata(&program)?.len() as f64 / 1e6);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    runtime.block_on(async {
        starts(&program, args.starts, false).await?;
        if drop_caches().is_ok() {
            starts(&program, args.starts, true).await?;
        } else {
            println!("cold starts were not measured: the page cache can only be dropped by root");
        }
        board(&program, Duration::from_secs(args.seconds)).await?;
        jobs(&program, args.jobs).await
    })
}

/// The folder of a benchmark is within that of programs.
fn beside(benchmark: &Path) -> Result<PathBuf, Box<dyn Error>> {
    let folder = benchmark.parent().and_then(Path::parent).ok_or("the benchmark has no folder")?;
    let program = folder.join("mujina-dataplane");
    if program.exists() {
        Ok(program)
    } else {
        Err(format!("there is no {}; build it first", program.display()).into())
    }
}

fn drop_caches() -> std::io::Result<()> {
    fs::write("/proc/sys/vm/drop_caches", "3")
}

async fn starts(program: &Path, count: usize, cold: bool) -> Result<(), Box<dyn Error>> {
    let mut times = Vec::new();
    for _ in 0..count {
        if cold {
            drop_caches()?;
        }
        let begin = Instant::now();
        let process = Process::start(program, &[], "cpu.enabled = false", "")?;
        process.answers().await?;
        times.push(begin.elapsed().as_secs_f64());
    }
    let at = |part: f64| percentile(&times, part) * 1e3;
    let name = if cold { "start to first answer, cold" } else { "start to first answer, warm" };
    println!("{name:40}  {count} times  p50 {:.1} ms  p90 {:.1} ms  max {:.1} ms", at(0.5), at(0.9), at(1.0));
    Ok(())
}

async fn board(program: &Path, time: Duration) -> Result<(), Box<dyn Error>> {
    let pool = ScriptedPool::start(ScriptedOptions::default()).await?;
    let process = Process::start(program, &["--simulate", "bitaxe-gamma"], "cpu.enabled = false", &pool.url())?;
    let mut session = pool.session().await?;
    // A share in three seconds of what the board hashes, as a pool would choose.
    let mut target = [0; 32];
    target[29] = 5;
    session.bring_up(&ChannelPlan { target, ..ChannelPlan::default() }).await?;
    let measured = async {
        let counts = |status: &MinerStatus| status.totals.as_ref().is_some_and(|totals| totals.accepted > 0);
        process.until(counts).await?;
        sleep(SETTLES).await;
        let before = process.processor_time()?;
        let begin = Instant::now();
        sleep(time).await;
        let (after, elapsed) = (process.processor_time()?, begin.elapsed());
        let spent = |is_wanted: fn(&str) -> bool| {
            let of = |times: &BTreeMap<String, f64>| {
                times.iter().filter(|(name, _)| is_wanted(name)).map(|(_, time)| time).sum::<f64>()
            };
            100.0 * (of(&after) - of(&before)) / elapsed.as_secs_f64()
        };
        println!(
            "{:40}  {:.2} % of a core besides the emulator's {:.1} %, {:.1} MiB resident with it",
            "one emulated board mines",
            spent(|name| !is_emulator(name)),
            spent(is_emulator),
            process.resident()? as f64 / 1024.0
        );
        Ok::<_, Box<dyn Error>>(())
    };
    tokio::select! {
        measured = measured => measured,
        failed = accept(&mut session) => failed,
    }
}

async fn accept(session: &mut Session) -> Result<(), Box<dyn Error>> {
    loop {
        session.accept_shares(1).await?;
    }
}

/// Threads that play a board are named by its place.
fn is_emulator(thread: &str) -> bool {
    thread.starts_with("sim")
}

async fn jobs(program: &Path, count: u32) -> Result<(), Box<dyn Error>> {
    let pool = ScriptedPool::start(ScriptedOptions::default()).await?;
    let process = Process::start(program, &["--threads", "1", "--duty-percent", "5"], "", &pool.url())?;
    let mut session = pool.session().await?;
    let channel = ChannelPlan::default();
    session.bring_up(&channel).await?;
    let begin = Instant::now();
    let mut early = 0;
    let tips = 2_u32..;
    for (number, tip) in (1..=count).zip(tips) {
        // One job in ten brings a tip.
        if number % 10 == 0 {
            let mut prev_hash = [0x22; 32];
            prev_hash.split_at_mut(4).0.copy_from_slice(&tip.to_le_bytes());
            let job = JobPlan::future(100 + number, channel.extranonce_length());
            session.send(message::job(channel.id, &job)).await?;
            session.send(message::tip(channel.id, 100 + number, prev_hash, now())).await?;
        } else {
            let job = JobPlan::immediate(100 + number, channel.extranonce_length(), now());
            session.send(message::job(channel.id, &job)).await?;
        }
        if number == count / 10 {
            early = process.resident()?;
        }
        // What has come by now; a timer would cost a millisecond.
        loop {
            tokio::select! {
                biased;
                share = session.expect_share() => session.accept(&share?).await?,
                () = std::future::ready(()) => break,
            }
        }
    }
    // It has read them all once it finds something in the last.
    let last = timeout(PATIENCE, async {
        loop {
            let share = session.expect_share().await?;
            let job = share.job_id;
            session.accept(&share).await?;
            if job == 100 + count {
                return Ok::<_, Box<dyn Error>>(());
            }
        }
    });
    last.await??;
    let late = process.resident()?;
    println!(
        "{:40}  {count} at {:.0} a second: {:.1} MiB resident after a tenth, {:.1} MiB after all",
        "jobs",
        f64::from(count) / begin.elapsed().as_secs_f64(),
        early as f64 / 1024.0,
        late as f64 / 1024.0
    );
    Ok(())
}

/// A data plane in a process of its own, which ends with it.
struct Process {
    child: Child,
    folder: tempfile::TempDir,
}

impl Process {
    fn start(program: &Path, flags: &[&str], setting: &str, pool: &str) -> Result<Self, Box<dyn Error>> {
        let folder = tempfile::tempdir()?;
        let config = folder.path().join("dataplane.toml");
        // None of the bounds on floods: jobs come oftener than those of any pool.
        let limits = "[pool_limits]\nflood_frames = 1000000\ntip_flood = 100000\nmany_tips = 10000\n";
        fs::write(&config, format!("usb.enabled = false\n{setting}\n{limits}"))?;
        let mut command = Command::new(program);
        command.arg("--config").arg(&config).arg("--state-dir").arg(folder.path().join("state"));
        command.arg("--socket").arg(folder.path().join("api.sock")).args(["--log", "error"]).args(flags);
        if !pool.is_empty() {
            command.args(["--pool-url", pool, "--pool-user", "bench"]);
        }
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn()?;
        Ok(Self { child, folder })
    }

    /// Waits for its first answer.
    async fn answers(&self) -> Result<MinerServiceClient<dial::Client>, Box<dyn Error>> {
        let socket = self.folder.path().join("api.sock");
        let end = Instant::now() + PATIENCE;
        while Instant::now() < end {
            if socket.exists()
                && let Ok(client) = dial::dial(&Address::Unix(socket.clone()), PATIENCE).await
            {
                let mut client = MinerServiceClient::new(client);
                client.get_miner(GetMinerRequest {}).await?;
                return Ok(client);
            }
            sleep(Duration::from_micros(200)).await;
        }
        Err("it did not answer".into())
    }

    async fn until(&self, wanted: impl Fn(&MinerStatus) -> bool) -> Result<(), Box<dyn Error>> {
        let mut client = self.answers().await?;
        let end = Instant::now() + PATIENCE;
        while Instant::now() < end {
            let answer = client.get_miner(GetMinerRequest {}).await?.into_inner();
            if answer.miner.as_ref().is_some_and(&wanted) {
                return Ok(());
            }
            sleep(Duration::from_millis(100)).await;
        }
        Err("what is measured did not begin".into())
    }

    /// Memory in KiB.
    fn resident(&self) -> Result<u64, Box<dyn Error>> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no such line in the status")?;
        Ok(line.trim().strip_suffix("kB").ok_or("not in kB")?.trim().parse()?)
    }

    /// Seconds of its threads, by their names.
    fn processor_time(&self) -> Result<BTreeMap<String, f64>, Box<dyn Error>> {
        let mut times = BTreeMap::new();
        for task in fs::read_dir(format!("/proc/{}/task", self.child.id()))? {
            let stat = fs::read_to_string(task?.path().join("stat"))?;
            // Names are in brackets, and may hold anything.
            let (head, tail) = stat.rsplit_once(')').ok_or("no name")?;
            let name = head.split_once('(').ok_or("no name")?.1;
            let ticks: f64 =
                tail.split_whitespace().skip(11).take(2).filter_map(|ticks| ticks.parse::<f64>().ok()).sum();
            *times.entry(name.to_owned()).or_default() += ticks / TICKS_PER_SECOND;
        }
        Ok(times)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
