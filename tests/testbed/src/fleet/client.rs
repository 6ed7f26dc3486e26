//! An operator's connection to the control plane of a fleet.

use anyhow::{Context as _, bail};
use mujina_control::setup::ADMIN_CONTEXT;
use mujina_proto::{
    control::v1::{self, miner_registry_service_client::MinerRegistryServiceClient},
    home::{Attached, Client, attach},
    tls::{Alpn, ClientTls, Identity, Roots, client_config},
};
use std::{
    fs,
    net::SocketAddr,
    path::Path,
    time::{Duration, Instant},
};
use tokio::{net::TcpStream, time::sleep};

/// Between two attempts, and two looks.
const PAUSE: Duration = Duration::from_millis(50);
/// For a control plane to come up.
const UP: Duration = Duration::from_secs(60);

/// An operator.
#[derive(Debug)]
pub(super) struct Operator {
    tls: ClientTls,
    address: SocketAddr,
    connection: Attached,
}

impl Operator {
    /// Connects as the admin of `state_dir`, as soon as somebody listens.
    pub(super) async fn connect(state_dir: &Path, address: SocketAddr) -> anyhow::Result<Self> {
        let text = fs::read_to_string(state_dir.join(ADMIN_CONTEXT))?;
        let part = |key: &str| {
            let after = text.split(&format!("{key} = '''\n")).nth(1)?;
            after.split("'''").next()
        };
        let identity = Identity::from_pem(part("identity").context("the context has no identity")?)?;
        let roots = Roots::from_pem(part("authority").context("the context has no authority")?)?;
        let tls = client_config(Some(&identity), &roots, Alpn::Http2)?;
        let connection = connect(&tls, address).await?;
        Ok(Self { tls, address, connection })
    }

    /// Connects again, after the other end was away.
    pub(super) async fn reconnect(&mut self) -> anyhow::Result<()> {
        self.connection = connect(&self.tls, self.address).await?;
        Ok(())
    }

    pub(super) fn client(&self) -> Client {
        self.connection.client.clone()
    }

    pub(super) fn registry(&self) -> MinerRegistryServiceClient<Client> {
        MinerRegistryServiceClient::new(self.client()).max_decoding_message_size(64 << 20)
    }

    /// Waits until so many miners are reached.
    pub(super) async fn all_connected(&self, miners: usize, within: Duration) -> anyhow::Result<()> {
        let end = Instant::now() + within;
        loop {
            let summary = self.registry().summarize_miners(v1::SummarizeMinersRequest::default()).await?.into_inner();
            if usize::try_from(summary.connected)? >= miners {
                return Ok(());
            }
            if Instant::now() > end {
                bail!("only {} of {miners} miners are connected", summary.connected);
            }
            sleep(PAUSE).await;
        }
    }
}

async fn connect(tls: &ClientTls, address: SocketAddr) -> anyhow::Result<Attached> {
    let end = Instant::now() + UP;
    loop {
        match TcpStream::connect(address).await {
            Ok(stream) => {
                stream.set_nodelay(true)?;
                let connected = tls.connect("localhost", stream, UP).await?;
                return Ok(attach(connected.stream).await?);
            }
            Err(error) if Instant::now() > end => return Err(error).context("the control plane does not listen"),
            Err(_) => sleep(PAUSE).await,
        }
    }
}
