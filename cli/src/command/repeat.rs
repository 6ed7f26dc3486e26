//! Writes whose answer was lost: made once more under the same id, which the service answers as it did the first time.

use std::time::Duration;
use tonic::{Code, Response, Status};

/// Time for a service that restarts to come back.
const PAUSE: Duration = Duration::from_millis(500);

/// A new id for one write.
pub(crate) fn request_id() -> String {
    uuid::Uuid::new_v4().to_string()
}

/// Makes a call, and once more when the service went away meanwhile. The call must carry a request id.
pub(crate) async fn once_more<T, C, F>(call: C) -> Result<T, Status>
where
    C: Fn() -> F + Send,
    F: Future<Output = Result<Response<T>, Status>> + Send,
    T: Send,
{
    let answer = match call().await {
        Err(status) if crate::error::code_of(&status) == Code::Unavailable => {
            tokio::time::sleep(PAUSE).await;
            call().await
        }
        answer => answer,
    };
    answer.map(Response::into_inner)
}
