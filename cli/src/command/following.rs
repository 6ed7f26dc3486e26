//! Following the miners of a control plane: a snapshot that comes in pages is put together.

use super::peer::registry;
use crate::saved::Client;
use mujina_proto::control::v1::{MinerView, WatchMinersRequest, WatchMinersResponse};
use tonic::{Status, Streaming};

/// A watch of all miners.
pub(crate) struct Following(Streaming<WatchMinersResponse>);

impl Following {
    pub(crate) async fn begin(client: &Client, view: MinerView) -> Result<Self, Status> {
        let request = WatchMinersRequest { view: view.into(), ..WatchMinersRequest::default() };
        Ok(Self(registry(client).watch_miners(request).await?.into_inner()))
    }

    /// The next message; all of a snapshot in one. `None` = the stream ended.
    pub(crate) async fn next(&mut self) -> Result<Option<WatchMinersResponse>, Status> {
        let mut whole = WatchMinersResponse::default();
        while let Some(page) = self.0.message().await? {
            let WatchMinersResponse { miners, snapshot, resume_token, removed, gap, partial } = page;
            whole.miners.extend(miners);
            whole.removed.extend(removed);
            whole.resume_token = resume_token;
            (whole.snapshot, whole.gap) = (whole.snapshot || snapshot, whole.gap || gap);
            if !partial {
                return Ok(Some(whole));
            }
        }
        Ok(None)
    }
}
