//! Lets only those calls through that change nothing: for a listener at which nobody knows who calls.
//!
//! Every user of the machine, and every page in a browser on it, reaches a loopback port; a unix socket only its owner.

use http::{Request, Response};
use mujina_proto::failure::Failure;
use std::{
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll},
};
use tonic::{Code, Status, service::Routes};
use tower::{Layer, Service};

/// Services of which every call looks.
const SERVICES: [&str; 2] = ["grpc.health.v1.Health", "grpc.reflection.v1.ServerReflection"];
/// What the names of calls begin with that look. `TestPool` does not: it makes the miner connect.
const NAMES: [&str; 3] = ["Get", "List", "Watch"];

/// These services, as far as they change nothing.
pub(super) fn only(mut routes: Routes) -> Routes {
    let router = std::mem::take(routes.axum_router_mut());
    *routes.axum_router_mut() = router.layer(Looking);
    routes
}

/// Whether a call changes nothing. What is not known to look does change something.
fn looks(path: &str) -> bool {
    let Some((service, name)) = path.trim_start_matches('/').split_once('/') else { return false };
    let is_ours = service.starts_with("mujina.dataplane.v1.");
    SERVICES.contains(&service) || is_ours && NAMES.iter().any(|begin| name.starts_with(begin))
}

fn refusal(path: &str) -> Failure {
    let name = mujina_core::text::sanitise(path.trim_start_matches('/'), 120);
    let message = format!(
        "nobody knows who calls over TCP, so {name} is not served there; call it on the unix socket, or through the control plane"
    );
    Failure::new(Code::PermissionDenied, "ANONYMOUS_CHANGE", message)
}

#[derive(Debug, Clone)]
struct Looking;

impl<S> Layer<S> for Looking {
    type Service = OnlyLooking<S>;

    fn layer(&self, inner: S) -> OnlyLooking<S> {
        OnlyLooking(inner)
    }
}

#[derive(Debug, Clone)]
struct OnlyLooking<S>(S);

impl<S, B, R> Service<Request<B>> for OnlyLooking<S>
where
    S: Service<Request<B>, Response = Response<R>, Error = Infallible, Future: Send + 'static>,
    R: Default + Send + 'static,
{
    type Response = Response<R>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<R>, Infallible>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let path = request.uri().path();
        if looks(path) {
            return Box::pin(self.0.call(request));
        }
        let refused = Status::from(refusal(path)).into_http();
        Box::pin(async move { Ok(refused) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use prost::Message;

    #[test]
    fn calls_that_change_something_are_not_served_to_nobody_in_particular() {
        let set = prost_types::FileDescriptorSet::decode(mujina_proto::DESCRIPTORS).unwrap();
        let ours = set.file.iter().filter(|file| file.package() == "mujina.dataplane.v1");
        let calls = ours.flat_map(|file| &file.service).flat_map(|service| {
            service.method.iter().map(|method| format!("/mujina.dataplane.v1.{}/{}", service.name(), method.name()))
        });
        let mut refused: Vec<_> = calls.filter(|call| !looks(call)).collect();
        refused.sort();
        let refused: Vec<_> = refused.iter().map(|call| call.trim_start_matches("/mujina.dataplane.v1.")).collect();
        let changes = [
            "BoardService/Locate",
            "BoardService/Reinitialize",
            "BoardService/SelfTest",
            "MinerService/ApplySpec",
            "MinerService/ConfirmSpec",
            "MinerService/Pause",
            "MinerService/Resume",
            "PoolService/PinPool",
            "PoolService/ReconnectPool",
            "PoolService/TestPool",
            "PoolService/UnpinPool",
        ];
        assert_eq!(refused, changes);
    }

    #[test]
    fn call_that_is_not_known_to_look_is_refused() {
        for path in ["", "/", "/GetMiner", "/other.Service/GetMiner", "/mujina.dataplane.v1.MinerService/getMiner"] {
            assert!(!looks(path), "{path}");
        }
        assert!(looks("/grpc.health.v1.Health/Watch"));
        assert!(looks("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"));
    }
}
