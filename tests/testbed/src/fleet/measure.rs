//! What a fleet costs and how quickly it follows.

use super::{
    child::{ControlProcess, Usage},
    client::Operator,
};
use crate::percentile::percentile;
use anyhow::{Context as _, bail};
use mujina_proto::{
    control::v1::{self, profile_service_client::ProfileServiceClient},
    dataplane::v1::{GetMinerRequest, miner_service_client::MinerServiceClient},
    types,
};
use std::{
    path::PathBuf,
    process::{Command, Stdio},
    time::{Duration, Instant},
};
use tokio::{task::JoinSet, time::sleep};
use tonic::Request;

/// How long the processor time of a fleet at rest is watched.
const REST: Duration = Duration::from_secs(20);
/// Time that anything here may take.
const PATIENCE: Duration = Duration::from_secs(120);
/// How often the quick ones are repeated.
const TIMES: usize = 10;

/// What is measured.
#[derive(Debug)]
pub(super) struct Setting {
    /// Taken while it is restarted.
    pub(super) control: Option<ControlProcess>,
    pub(super) operator: Operator,
    pub(super) state_dir: PathBuf,
    pub(super) miners: usize,
    /// Of the control plane before the first miner.
    pub(super) base: Usage,
}

/// Measures everything and prints it.
pub(super) async fn all(mut setting: Setting) -> anyhow::Result<()> {
    println!("{} miners, {} cores", setting.miners, std::thread::available_parallelism()?);
    at_rest(&setting, "enrolled").await?;
    fan_out(&setting).await?;
    list(&setting).await?;
    converge(&setting).await?;
    setting.control = Some(come_back(&mut setting).await?);
    at_rest(&setting, "restarted").await?;
    setting.control.take().context("no control plane")?.stop()
}

async fn at_rest(setting: &Setting, since: &str) -> anyhow::Result<()> {
    let control = setting.control.as_ref().context("no control plane")?;
    let before = control.usage()?;
    let begin = Instant::now();
    sleep(REST).await;
    let after = control.usage()?;
    let share = (after.time - before.time).as_secs_f64() / begin.elapsed().as_secs_f64();
    let grown = after.resident.saturating_sub(setting.base.resident);
    println!(
        "memory         {:.1} MiB, {:.1} KiB a miner above the {:.1} MiB of an empty one, {since}",
        mebibytes(after.resident),
        mebibytes(grown) * 1024.0 / float(setting.miners),
        mebibytes(setting.base.resident),
    );
    println!("at rest        {:.1} % of a core, {since}", 100.0 * share);
    Ok(())
}

/// One relayed read of each miner, all at once.
async fn fan_out(setting: &Setting) -> anyhow::Result<()> {
    let names = names(&setting.operator).await?;
    let mut times = Vec::new();
    for _ in 0..TIMES {
        let begin = Instant::now();
        let mut calls = JoinSet::new();
        for name in &names {
            let mut client = MinerServiceClient::new(setting.operator.client());
            let mut request = Request::new(GetMinerRequest {});
            request.metadata_mut().insert("mujina-miner", name.parse()?);
            calls.spawn(async move { client.get_miner(request).await });
        }
        while let Some(answer) = calls.join_next().await {
            answer??;
        }
        times.push(begin.elapsed().as_secs_f64());
    }
    report("relayed read", &mut times);
    Ok(())
}

/// The list of all miners: as one call, and as the command.
async fn list(setting: &Setting) -> anyhow::Result<()> {
    let mut times = Vec::new();
    for _ in 0..TIMES {
        let begin = Instant::now();
        names(&setting.operator).await?;
        times.push(begin.elapsed().as_secs_f64());
    }
    report("list, call", &mut times);
    let command = std::env::current_exe()?.with_file_name("mujinactl");
    if !command.exists() {
        println!("list, command  not measured: build mujinactl too");
        return Ok(());
    }
    let home = setting.state_dir.with_file_name("operator");
    let run = |arguments: &[&str]| -> anyhow::Result<Duration> {
        let begin = Instant::now();
        let status = Command::new(&command)
            .args(arguments)
            .env("HOME", &home)
            .env("XDG_CONFIG_HOME", home.join("config"))
            .stdout(Stdio::null())
            .status()?;
        if !status.success() {
            bail!("`mujinactl {}` failed", arguments.join(" "));
        }
        Ok(begin.elapsed())
    };
    let context = setting.state_dir.join(mujina_control::setup::ADMIN_CONTEXT);
    run(&["context", "import", &context.to_string_lossy()])?;
    let mut times = Vec::new();
    for _ in 0..TIMES {
        times.push(run(&["miner", "list"])?.as_secs_f64());
    }
    report("list, command", &mut times);
    Ok(())
}

/// Another pool for all of them by a profile, until each has acknowledged it.
async fn converge(setting: &Setting) -> anyhow::Result<()> {
    let mut times = Vec::new();
    let mut written = Vec::new();
    for round in 0..5 {
        let before = generations(&setting.operator).await?;
        let begin = Instant::now();
        let profile = v1::Profile {
            name: "pools".into(),
            spec: Some(v1::SpecFragment { pool_groups: Some(pools(round)), ..v1::SpecFragment::default() }),
            ..v1::Profile::default()
        };
        let request = v1::ApplyProfileRequest { profile: Some(profile), ..v1::ApplyProfileRequest::default() };
        let mut client = ProfileServiceClient::new(setting.operator.client()).max_decoding_message_size(64 << 20);
        client.apply_profile(request).await?;
        written.push(begin.elapsed().as_secs_f64());
        loop {
            let now = generations(&setting.operator).await?;
            let has_followed = |name: &String, desired: u64, acknowledged: u64| {
                let old = before.iter().find(|(known, ..)| known == name).map_or(0, |(_, desired, _)| *desired);
                desired > old && acknowledged == desired
            };
            if now.iter().all(|(name, desired, acknowledged)| has_followed(name, *desired, *acknowledged)) {
                break;
            }
            if begin.elapsed() > PATIENCE {
                bail!("not all miners followed the profile");
            }
            // Seldom: looking takes time from what is measured.
            sleep(Duration::from_millis(100)).await;
        }
        times.push(begin.elapsed().as_secs_f64());
    }
    report("profile stored", &mut written);
    report("acknowledged", &mut times);
    Ok(())
}

/// The control plane is killed and started again.
async fn come_back(setting: &mut Setting) -> anyhow::Result<ControlProcess> {
    setting.control.take().context("no control plane")?.kill()?;
    sleep(Duration::from_secs(2)).await;
    let control = ControlProcess::start(&setting.state_dir)?;
    let (resumed, failed) = (control.lines_with("resumed=true")?, control.lines_with("handshake failed")?);
    let begin = Instant::now();
    setting.operator.reconnect().await?;
    let up = begin.elapsed();
    setting.operator.all_connected(setting.miners, PATIENCE).await?;
    println!(
        "restart        {:.2} s until it listened, {:.2} s until all {} were back; {} handshakes resumed, {} failed",
        up.as_secs_f64(),
        begin.elapsed().as_secs_f64(),
        setting.miners,
        control.lines_with("resumed=true")?.saturating_sub(resumed),
        control.lines_with("handshake failed")?.saturating_sub(failed),
    );
    Ok(control)
}

fn pools(round: usize) -> v1::PoolGroupList {
    // Nobody listens there: the work under way goes on, as with any pool that does not come up.
    let pool = types::v1::PoolSpec {
        name: "main".into(),
        url: format!("stratum+tcp://127.0.0.1:{}", 1 + round),
        user: "fleet".into(),
        ..types::v1::PoolSpec::default()
    };
    let group = types::v1::PoolGroup {
        name: "main".into(),
        strategy: types::v1::PoolStrategy::Failover.into(),
        pools: vec![pool],
    };
    v1::PoolGroupList { groups: vec![group] }
}

async fn names(operator: &Operator) -> anyhow::Result<Vec<String>> {
    Ok(page(operator).await?.into_iter().map(|miner| miner.name).collect())
}

/// Of each miner its name, what is wanted, and what it acknowledged.
async fn generations(operator: &Operator) -> anyhow::Result<Vec<(String, u64, u64)>> {
    let miners = page(operator).await?.into_iter();
    Ok(miners.map(|miner| (miner.name, miner.desired_generation, miner.acknowledged_generation)).collect())
}

async fn page(operator: &Operator) -> anyhow::Result<Vec<v1::Miner>> {
    let mut all = Vec::new();
    let mut page_token = String::new();
    loop {
        let view = v1::MinerView::Basic.into();
        let request = v1::ListMinersRequest { page_size: 1000, page_token, view, ..v1::ListMinersRequest::default() };
        let answer = operator.registry().list_miners(request).await?.into_inner();
        all.extend(answer.miners);
        if answer.next_page_token.is_empty() {
            return Ok(all);
        }
        page_token = answer.next_page_token;
    }
}

fn report(what: &str, times: &mut [f64]) {
    times.sort_by(f64::total_cmp);
    let at = |part: f64| percentile(times, part);
    println!("{what:14} p50 {:.3} s, max {:.3} s, {} times", at(0.5), at(1.0), times.len());
}

#[expect(clippy::cast_precision_loss, reason = "for people")]
fn mebibytes(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

#[expect(clippy::cast_precision_loss, reason = "a number of miners")]
fn float(number: usize) -> f64 {
    number as f64
}
