//! Calls to a hosted service, as tests make them.

use crate::{PATIENCE, plane::PlaneError};
use mujina_proto::{
    control::v1::{
        GetMinerRequest as GetKnownMinerRequest, Miner, SummarizeSharesRequest, SummarizeSharesResponse,
        miner_registry_service_client::MinerRegistryServiceClient, statistics_service_client::StatisticsServiceClient,
    },
    dataplane::v1::{
        GetMinerRequest, ListShareBucketsRequest, WatchMinerRequest, miner_service_client::MinerServiceClient,
        share_service_client::ShareServiceClient,
    },
    dial::{Address, Client, dial_lazy},
    types::v1::{MinerStatus, ShareBucket},
};
use std::time::Duration;
use tonic::Status;

/// Shortest time between two looks at something that has no watch.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// A channel to a service.
#[derive(Debug, Clone)]
pub struct Clients {
    channel: Client,
}

impl Clients {
    pub(super) fn new(address: &Address) -> Result<Self, PlaneError> {
        let channel = dial_lazy(address).map_err(|error| PlaneError::Failed(error.to_string()))?;
        Ok(Self { channel })
    }

    /// The channel itself, for calls that have no method here.
    #[must_use]
    pub fn channel(&self) -> Client {
        self.channel.clone()
    }

    /// The status tree of a data plane.
    ///
    /// # Errors
    /// What the service answered.
    pub async fn status(&self) -> Result<MinerStatus, Status> {
        let answer = MinerServiceClient::new(self.channel()).get_miner(GetMinerRequest {}).await?;
        answer.into_inner().miner.ok_or_else(|| Status::internal("no tree in the answer"))
    }

    /// Follows the status of a data plane until it is as `wanted`; the last tree that was seen when it never is.
    ///
    /// # Errors
    /// The newest tree, or what the service answered, after `PATIENCE`.
    pub async fn wait_for(&self, mut wanted: impl FnMut(&MinerStatus) -> bool) -> Result<MinerStatus, String> {
        let mut last = None;
        let watching = async {
            let request = WatchMinerRequest {
                min_interval: Some(LOOK_EVERY.try_into().expect("a short time")),
                figures_interval: None,
            };
            let mut client = MinerServiceClient::new(self.channel());
            let mut trees = client.watch_miner(request).await.map_err(|error| error.to_string())?.into_inner();
            while let Some(answer) = trees.message().await.map_err(|error| error.to_string())? {
                let Some(tree) = answer.miner else { continue };
                if wanted(&tree) {
                    return Ok(tree);
                }
                last = Some(tree);
            }
            Err("the watch ended".to_owned())
        };
        match tokio::time::timeout(PATIENCE, watching).await {
            Ok(result) => result,
            Err(_) => Err(format!("waited in vain; the status is {last:#?}")),
        }
    }

    /// All closed buckets that a data plane keeps.
    ///
    /// # Errors
    /// What the service answered.
    pub async fn buckets(&self) -> Result<Vec<ShareBucket>, Status> {
        let (mut buckets, mut after_sequence) = (Vec::new(), 0);
        loop {
            let request = ListShareBucketsRequest { after_sequence, page_size: 3600, ..Default::default() };
            let page = ShareServiceClient::new(self.channel()).list_share_buckets(request).await?.into_inner();
            let Some(last) = page.buckets.last() else { return Ok(buckets) };
            after_sequence = last.sequence;
            buckets.extend(page.buckets);
        }
    }

    /// A miner as a control plane sees it.
    ///
    /// # Errors
    /// What the service answered.
    pub async fn known_miner(&self, name: &str) -> Result<Miner, Status> {
        let request = GetKnownMinerRequest { name: name.into() };
        let answer = MinerRegistryServiceClient::new(self.channel()).get_miner(request).await?;
        answer.into_inner().miner.ok_or_else(|| Status::internal("no miner in the answer"))
    }

    /// Looks at a miner of a control plane until it is as `wanted`.
    ///
    /// # Errors
    /// What was seen last, after `PATIENCE`.
    pub async fn wait_for_known(&self, name: &str, mut wanted: impl FnMut(&Miner) -> bool) -> Result<Miner, String> {
        let mut last = String::from("nothing");
        let looking = async {
            let mut looks = tokio::time::interval(LOOK_EVERY);
            loop {
                looks.tick().await;
                match self.known_miner(name).await {
                    Ok(miner) if wanted(&miner) => return miner,
                    Ok(miner) => last = format!("{miner:#?}"),
                    Err(error) => last = error.to_string(),
                }
            }
        };
        let looked = tokio::time::timeout(PATIENCE, looking).await;
        looked.map_err(|_| format!("waited in vain; saw {last}"))
    }

    /// Sums of everything that a control plane collected from a miner.
    ///
    /// # Errors
    /// What the service answered.
    pub async fn summary(&self, miner: &str) -> Result<SummarizeSharesResponse, Status> {
        let request = SummarizeSharesRequest { miner: miner.into(), ..Default::default() };
        Ok(StatisticsServiceClient::new(self.channel()).summarize_shares(request).await?.into_inner())
    }
}
