//! What a relayed test of a pool needs: read from its request, which goes on to the miner byte for byte.
//!
//! Source: gRPC over HTTP/2, Length-Prefixed-Message.

use crate::access::Permission;
use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Full, Limited};
use mujina_proto::{
    dataplane::v1::{TestPoolRequest, test_pool_request::Target},
    failure::Failure,
};
use prost::Message;
use std::time::Duration;
use tonic::{Code, body::Body};

/// Longest request: a pool with all its options has far less.
const MAX_BYTES: usize = 64 << 10;
/// Time for the request to come: it is small and sent at once.
const ARRIVES: Duration = Duration::from_secs(10);

/// What the test needs, and the request as it was.
///
/// # Errors
/// It is too long, late, or no such request.
pub(super) async fn needed(request: Request<Body>) -> Result<(Permission, Request<Body>), Failure> {
    let (parts, body) = request.into_parts();
    let collected = tokio::time::timeout(ARRIVES, Limited::new(body, MAX_BYTES).collect()).await;
    let collected = collected.map_err(|_| {
        Failure::new(Code::DeadlineExceeded, "REQUEST_LATE", "the request did not come in time; send it at once")
    })?;
    let bytes = collected.map_err(|_| unreadable("it broke off, or is longer than 64 KiB"))?.to_bytes();
    let permission = permission(&bytes)?;
    Ok((permission, Request::from_parts(parts, Body::new(Full::new(bytes)))))
}

/// What a request in its frame needs.
fn permission(frame: &Bytes) -> Result<Permission, Failure> {
    let (head, message) = frame.split_first_chunk::<5>().ok_or_else(|| unreadable("it is cut off"))?;
    let [compressed, length @ ..] = *head;
    if compressed != 0 {
        return Err(unreadable("it is compressed"));
    }
    if usize::try_from(u32::from_be_bytes(length)).ok() != Some(message.len()) {
        return Err(unreadable("it is not one whole message"));
    }
    let request = TestPoolRequest::decode(message).map_err(|_| unreadable("it is no TestPoolRequest"))?;
    Ok(match request.target {
        Some(Target::Pool(_)) | None => Permission::Pools,
        // It makes a miner connect to wherever the caller says.
        Some(Target::Spec(_)) => Permission::AnyPool,
    })
}

fn unreadable(why: &str) -> Failure {
    let message = format!("the request cannot be read to see what it needs: {why}; send one plain TestPoolRequest");
    Failure::new(Code::InvalidArgument, "REQUEST_NOT_READ", message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use mujina_proto::types::v1::PoolSpec;

    fn framed(message: &[u8]) -> Vec<u8> {
        let length = u32::try_from(message.len()).unwrap().to_be_bytes();
        [&[0], length.as_slice(), message].concat()
    }

    fn asked(target: Option<Target>) -> Vec<u8> {
        framed(&TestPoolRequest { target }.encode_to_vec())
    }

    fn read(bytes: Vec<u8>) -> Result<Permission, String> {
        permission(&Bytes::from(bytes)).map_err(|failure| failure.reason)
    }

    #[test]
    fn test_of_a_pool_of_the_spec_needs_less_than_one_of_any_pool() {
        assert_eq!(read(asked(None)), Ok(Permission::Pools));
        assert_eq!(read(asked(Some(Target::Pool("main".into())))), Ok(Permission::Pools));
        assert_eq!(read(asked(Some(Target::Spec(PoolSpec::default())))), Ok(Permission::AnyPool));
        // The last one counts, for the miner too.
        let both = |first: Target, last: Target| {
            let message = |target| TestPoolRequest { target: Some(target) }.encode_to_vec();
            framed(&[message(first), message(last)].concat())
        };
        let (named, any) = (Target::Pool("main".into()), Target::Spec(PoolSpec::default()));
        assert_eq!(read(both(named, any)), Ok(Permission::AnyPool));
    }

    #[test]
    fn request_that_is_not_one_plain_message_is_refused() {
        let whole = asked(Some(Target::Pool("main".into())));
        let mut compressed = whole.clone();
        compressed[0] = 1;
        let refused = Err("REQUEST_NOT_READ".to_owned());
        assert_eq!(read(compressed), refused);
        assert_eq!(read([whole.clone(), asked(Some(Target::Spec(PoolSpec::default())))].concat()), refused);
        for cut in 0..whole.len() {
            assert_eq!(read(whole[..cut].to_vec()), refused, "{cut}");
        }
        assert_eq!(read(framed(&[0xff; 3])), refused);
    }
}
