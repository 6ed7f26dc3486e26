//! Who answers: a control plane with its miners, or a miner itself. And which miner is meant.
//!
//! A control plane is known by its registry; a miner has none. Reads of one miner behind a control plane are relayed by a
//! metadata key.

use super::pages;
use crate::{context::Context, error::CliError, saved::Client};
use mujina_core::id::MinerName;
use mujina_proto::{
    control::v1::{ListMinersRequest, Miner, MinerView, miner_registry_service_client::MinerRegistryServiceClient},
    dataplane::v1::{
        board_service_client::BoardServiceClient, miner_service_client::MinerServiceClient,
        pool_service_client::PoolServiceClient, share_service_client::ShareServiceClient,
    },
    dial::Address,
};
use tonic::{Code, Request, metadata::MetadataValue};

/// Metadata key that names the miner of a relayed call.
const RELAY: &str = "mujina-miner";
/// Names of miners in a message.
const SHOWN: usize = 12;
/// Most bytes of an answer: the first message of a fleet's watch holds every status tree.
pub(crate) const MAX_ANSWER: usize = 64 << 20;

/// The service at the other end.
pub(crate) struct Peer {
    /// Where it was reached.
    pub(crate) address: Address,
    /// To it.
    pub(crate) client: Client,
    /// Its miners in order of their names, when it is a control plane.
    pub(crate) miners: Option<Vec<Miner>>,
}

impl Peer {
    /// Connects, and asks who is there.
    pub(crate) fn find(context: &Context<'_>) -> impl Future<Output = Result<Self, CliError>> + Send + use<> {
        let connecting = context.connect();
        async {
            let (address, client) = connecting.await?;
            Self::ask(address, client).await
        }
    }

    /// Asks who is there.
    pub(crate) async fn ask(address: Address, client: Client) -> Result<Self, CliError> {
        let basic = ListMinersRequest { view: MinerView::Basic.into(), ..ListMinersRequest::default() };
        let miners = list(&client, basic, "ask the service which miners it knows").await?;
        Ok(Self { address, client, miners })
    }

    /// The miner that is meant: the one that was named, else the only one.
    pub(crate) fn one(&self, wanted: Option<&MinerName>) -> Result<Target, CliError> {
        let target = |name| Target { client: self.client.clone(), name };
        let Some(miners) = &self.miners else {
            return match wanted {
                None => Ok(target(None)),
                Some(_) => Err(self.is_a_miner("--miner")),
            };
        };
        match (wanted, miners.as_slice()) {
            (Some(wanted), _) => self.known(wanted).map(|name| target(Some(name))),
            (None, [only]) => Ok(target(Some(only.name.clone()))),
            (None, []) => {
                Err(CliError::NotFound("the control plane knows no miner; see `mujinactl enroll token create`".into()))
            }
            (None, _) => Err(CliError::Usage(format!("which miner? choose one of {} with --miner", self.names()))),
        }
    }

    /// The one miner that an operation is for when nothing says more: the one that was named, or the only one.
    pub(crate) fn some(&self, wanted: Option<&MinerName>) -> Result<Vec<String>, CliError> {
        self.one(wanted).map(|target| target.name.into_iter().collect()).map_err(|error| match error {
            CliError::Usage(message) if wanted.is_none() => {
                CliError::Usage(format!("{message}, several with -l or --filter, or all with --all"))
            }
            error => error,
        })
    }

    fn known(&self, wanted: &MinerName) -> Result<String, CliError> {
        let miners = self.miners.iter().flatten();
        let found = miners.map(|miner| &miner.name).find(|name| *name == wanted.as_str());
        let unknown = || CliError::NotFound(format!("no miner is called {wanted}; there are {}", self.names()));
        found.cloned().ok_or_else(unknown)
    }

    fn names(&self) -> String {
        let names: Vec<_> = self.miners.iter().flatten().map(|miner| miner.name.as_str()).collect();
        match (names.get(..SHOWN), names.len()) {
            (_, 0) => "none".into(),
            (Some(first), all) if all > SHOWN => format!("{} and {} more", first.join(", "), all - SHOWN),
            _ => names.join(", "),
        }
    }

    /// The error of choosing among the miners of a miner.
    pub(crate) fn is_a_miner(&self, flag: &str) -> CliError {
        CliError::Usage(format!(
            "{flag} chooses among the miners of a control plane, but {} is a miner itself; leave it out",
            self.address
        ))
    }
}

/// The registry of a control plane.
pub(crate) fn registry(client: &Client) -> MinerRegistryServiceClient<Client> {
    MinerRegistryServiceClient::new(client.clone()).max_decoding_message_size(MAX_ANSWER)
}

/// All miners that a request selects; `None` when the service is no control plane.
pub(crate) async fn list(
    client: &Client,
    wanted: ListMinersRequest,
    doing: &str,
) -> Result<Option<Vec<Miner>>, CliError> {
    let all = pages::read(u32::MAX, |page_size, page_token| {
        let mut registry = registry(client);
        let request = ListMinersRequest { page_size, page_token, ..wanted.clone() };
        async move { registry.list_miners(request).await }
    });
    match all.await {
        Ok(all) => Ok(Some(all.miners)),
        Err(status) if status.code() == Code::Unimplemented => Ok(None),
        Err(status) => Err(CliError::call(doing)(status)),
    }
}

/// One miner, directly or behind a control plane.
#[derive(Clone)]
pub(crate) struct Target {
    /// To the service that answers.
    pub(crate) client: Client,
    /// Its name in the control plane, when there is one.
    pub(crate) name: Option<String>,
}

impl Target {
    /// The miner's own services.
    pub(crate) fn miners(&self) -> MinerServiceClient<Client> {
        MinerServiceClient::new(self.client.clone())
    }

    /// Its pools.
    pub(crate) fn pools(&self) -> PoolServiceClient<Client> {
        PoolServiceClient::new(self.client.clone())
    }

    /// Its boards.
    pub(crate) fn boards(&self) -> BoardServiceClient<Client> {
        BoardServiceClient::new(self.client.clone())
    }

    /// Its shares.
    pub(crate) fn shares(&self) -> ShareServiceClient<Client> {
        ShareServiceClient::new(self.client.clone())
    }

    /// A request for the miner, relayed when it is behind a control plane.
    pub(crate) fn request<T>(&self, message: T) -> Result<Request<T>, CliError> {
        let mut request = Request::new(message);
        if let Some(name) = &self.name {
            let unfit =
                |_| CliError::Usage(format!("the control plane calls a miner {name:?}, which no call can carry"));
            request.metadata_mut().insert(RELAY, MetadataValue::try_from(name.as_str()).map_err(unfit)?);
        }
        Ok(request)
    }

    /// For messages.
    pub(crate) fn label(&self) -> &str {
        self.name.as_deref().unwrap_or("the miner")
    }
}
