//! Names that a service knows, for completion.

use super::peer::{Target, list};
use crate::{error::CliError, saved::Client};
use mujina_core::{id::MinerName, text::sanitise};
use mujina_proto::{
    control::v1::{ListMinersRequest, ListProfilesRequest, MinerView, profile_service_client::ProfileServiceClient},
    dataplane::v1::ListPoolsRequest,
};

/// What is named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Miners of a control plane.
    Miners,
    /// Pools of a miner, or of a control plane's: the one that was named, else the first.
    Pools,
    /// Profiles of a control plane.
    Profiles,
}

/// Longest name in bytes.
const LONGEST: usize = 128;

/// The names, in order.
pub(crate) async fn ask(client: &Client, kind: Kind, miner: Option<&MinerName>) -> Result<Vec<String>, CliError> {
    let failed = || CliError::call("ask for names");
    let names: Vec<String> = match kind {
        Kind::Miners => miners(client).await?.unwrap_or_default(),
        Kind::Profiles => {
            let mut service = ProfileServiceClient::new(client.clone());
            let answer = service.list_profiles(ListProfilesRequest {}).await.map_err(failed())?.into_inner();
            answer.profiles.into_iter().map(|profile| profile.name).collect()
        }
        Kind::Pools => {
            let name = match miner {
                Some(miner) => Some(miner.to_string()),
                None => miners(client).await?.and_then(|names| names.into_iter().next()),
            };
            let target = Target { client: client.clone(), name };
            let request = target.request(ListPoolsRequest {})?;
            let answer = target.pools().list_pools(request).await.map_err(failed())?.into_inner();
            answer.pools.into_iter().map(|pool| pool.name).collect()
        }
    };
    Ok(names.iter().map(|name| sanitise(name, LONGEST)).collect())
}

async fn miners(client: &Client) -> Result<Option<Vec<String>>, CliError> {
    let basic = ListMinersRequest { view: MinerView::Basic.into(), ..ListMinersRequest::default() };
    let found = list(client, basic, "ask for names").await?;
    Ok(found.map(|miners| miners.into_iter().map(|miner| miner.name).collect()))
}
