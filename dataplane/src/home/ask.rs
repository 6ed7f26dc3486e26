//! The calls that a miner makes to its control plane: for its first certificate, and for each after that.

use mujina_proto::{
    control::v1::{self, enrollment_service_client::EnrollmentServiceClient},
    failure::Failure,
    home::attach,
};
use std::time::Duration;
use tokio::{net::TcpStream, time::timeout};
use tonic::{Code, Status};

/// Time for a call: the control plane signs and writes to its disk, perhaps for a whole fleet.
const CALL: Duration = Duration::from_secs(30);
/// When to ask again while nobody has said.
const AGAIN: Duration = Duration::from_secs(15);
/// Shortest and longest time between two questions, whatever the control plane says.
const BOUNDS: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(300));

/// What the control plane says to a miner that wants to enrol.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Answer {
    /// The certificate with the authority's, as PEM.
    Issued(String),
    /// A person has to approve it first; when to ask again.
    Pending(Duration),
}

type Stream = mujina_proto::tls::ClientStream<TcpStream>;

/// Asks for the first certificate.
pub(super) async fn enroll(
    stream: Stream,
    token: String,
    certificate_request: String,
    miner: String,
) -> Result<Answer, Failure> {
    let request = v1::EnrollRequest { token, certificate_request, miner };
    let call = async { client(stream).await?.enroll(request).await.map_err(|status| Failure::from(&status)) };
    let v1::EnrollResponse { certificate_chain, pending, retry_after } = in_time(call).await?.into_inner();
    if pending {
        let again = retry_after.and_then(|wait| wait.try_into().ok()).unwrap_or(AGAIN);
        return Ok(Answer::Pending(again.clamp(BOUNDS.0, BOUNDS.1)));
    }
    Ok(Answer::Issued(certificate_chain))
}

/// Asks for the next certificate, on a connection that shows the one before it.
pub(super) async fn renew(stream: Stream, certificate_request: String) -> Result<String, Failure> {
    let request = v1::RenewCertificateRequest { certificate_request };
    let call =
        async { client(stream).await?.renew_certificate(request).await.map_err(|status| Failure::from(&status)) };
    Ok(in_time(call).await?.into_inner().certificate_chain)
}

type Client = EnrollmentServiceClient<mujina_proto::home::Client>;

async fn client(stream: Stream) -> Result<Client, Failure> {
    let attached = attach(stream).await.map_err(|error| Failure::from(&Status::from_error(error.into())))?;
    Ok(EnrollmentServiceClient::new(attached.client))
}

async fn in_time<T>(call: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    match timeout(CALL, call).await {
        Ok(answer) => answer,
        Err(_) => {
            let message = format!("the control plane did not answer within {CALL:?}; try again");
            Err(Failure::new(Code::DeadlineExceeded, "NO_ANSWER", message))
        }
    }
}

/// Whether it may pass by itself: the control plane was not there, or was busy, and said nothing of this miner.
pub(super) fn may_pass(failure: &Failure) -> bool {
    matches!(
        failure.code,
        Code::Unavailable | Code::DeadlineExceeded | Code::Cancelled | Code::Unknown | Code::Internal
    )
}
