//! The miner as a whole: its status tree and its desired state.

mod pace;

use self::pace::{Pace, Paced};
use super::{
    check::{Checks, Refused},
    failure::shutting_down,
    stream::{Answers, endless},
};
use crate::spec::{SpecHandle, SpecOutcome, SpecParts, SpecRequest};
use mujina_core::{
    id::Generation,
    spec::{SpecDraft, SpecOrigin},
    status::MinerStatus,
};
use mujina_proto::dataplane::v1::{self, miner_service_server::MinerService};
use std::{sync::Arc, time::Duration};
use tokio::sync::watch;
use tokio_stream::StreamExt;
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status};

/// Time between two trees of a watch that does not say.
const INTERVAL: Duration = Duration::from_secs(1);
/// Shortest time between two trees of a watch.
const LEAST_INTERVAL: Duration = Duration::from_millis(100);

/// Time that the status tree has to show an accepted spec; it is published at once.
const SHOWN_WITHIN: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(super) struct Service {
    pub(super) spec: SpecHandle,
    pub(super) status: watch::Receiver<Arc<MinerStatus>>,
    pub(super) cancel: CancellationToken,
}

#[tonic::async_trait]
impl MinerService for Service {
    type WatchMinerStream = Answers<v1::WatchMinerResponse>;

    async fn get_miner(&self, _: Request<v1::GetMinerRequest>) -> Result<Response<v1::GetMinerResponse>, Status> {
        let tree = self.status.borrow().clone();
        Ok(Response::new(v1::GetMinerResponse { miner: Some((&*tree).into()) }))
    }

    async fn watch_miner(
        &self,
        request: Request<v1::WatchMinerRequest>,
    ) -> Result<Response<Self::WatchMinerStream>, Status> {
        let pace = pace(request.into_inner())?;
        // A tree is taken when it is due: a slow reader gets the newest, whatever it missed.
        let answers =
            Paced::new(self.status.clone(), pace).map(|tree| v1::WatchMinerResponse { miner: Some((&*tree).into()) });
        Ok(Response::new(endless(answers, &self.cancel)))
    }

    async fn get_spec(&self, _: Request<v1::GetSpecRequest>) -> Result<Response<v1::GetSpecResponse>, Status> {
        let state = self.spec.state().borrow().clone();
        Ok(Response::new(v1::GetSpecResponse { state: Some((&*state).into()) }))
    }

    async fn apply_spec(
        &self,
        request: Request<v1::ApplySpecRequest>,
    ) -> Result<Response<v1::ApplySpecResponse>, Status> {
        let SpecOutcome { state, changes } = self.apply(application(request.into_inner())?).await?;
        let changes = changes.into_iter().map(Into::into).collect();
        Ok(Response::new(v1::ApplySpecResponse { state: Some((&state).into()), changes }))
    }

    async fn confirm_spec(
        &self,
        request: Request<v1::ConfirmSpecRequest>,
    ) -> Result<Response<v1::ConfirmSpecResponse>, Status> {
        let v1::ConfirmSpecRequest { generation } = request.into_inner();
        if self.cancel.is_cancelled() {
            return Err(shutting_down());
        }
        let state = self.spec.confirm(Generation(generation)).await?;
        Ok(Response::new(v1::ConfirmSpecResponse { state: Some((&state).into()) }))
    }

    async fn pause(&self, request: Request<v1::PauseRequest>) -> Result<Response<v1::PauseResponse>, Status> {
        let v1::PauseRequest { reason, request_id } = request.into_inner();
        let outcome = self.apply(pause(true, reason, request_id)?).await?;
        Ok(Response::new(v1::PauseResponse { state: Some((&outcome.state).into()) }))
    }

    async fn resume(&self, request: Request<v1::ResumeRequest>) -> Result<Response<v1::ResumeResponse>, Status> {
        let v1::ResumeRequest { request_id } = request.into_inner();
        let outcome = self.apply(pause(false, String::new(), request_id)?).await?;
        Ok(Response::new(v1::ResumeResponse { state: Some((&outcome.state).into()) }))
    }
}

impl Service {
    async fn apply(&self, request: SpecRequest) -> Result<SpecOutcome, Status> {
        // Nothing new is begun while the miner stops; what is under way is answered.
        if self.cancel.is_cancelled() {
            return Err(shutting_down());
        }
        let outcome = self.spec.apply(request).await?;
        self.shown(outcome.state.generation).await;
        Ok(outcome)
    }

    /// Waits until the status tree knows of a spec, so that who changes something and looks sees the change.
    async fn shown(&self, generation: Generation) {
        let mut status = self.status.clone();
        let shown = status.wait_for(|status| status.generation >= generation);
        // A status that does not come is no reason to doubt the change.
        let _ = tokio::time::timeout(SHOWN_WITHIN, shown).await;
    }
}

fn pace(request: v1::WatchMinerRequest) -> Result<Pace, Refused> {
    let v1::WatchMinerRequest { min_interval, figures_interval } = request;
    let mut checks = Checks::default();
    let news = checks.period("min_interval", min_interval, INTERVAL, LEAST_INTERVAL);
    let figures = checks.period("figures_interval", figures_interval, news, LEAST_INTERVAL).max(news);
    checks.done().map(|()| Pace { news, figures })
}

/// Reads a change of the spec. Paths in the mask, and in what the spec's own checks refuse, begin at the spec.
fn application(request: v1::ApplySpecRequest) -> Result<SpecRequest, Refused> {
    let v1::ApplySpecRequest { spec, update_mask, etag, request_id, validate_only, control_generation, confirm_within } =
        request;
    let mut checks = Checks::default();
    if spec.is_none() {
        checks.refuse("spec", "is missing; send the wanted spec, or the wanted values of the parts in `update_mask`");
    }
    let parts = parts(&mut checks, update_mask.map(|mask| mask.paths).unwrap_or_default());
    let draft = spec.map(SpecDraft::from).unwrap_or_default();
    let request = SpecRequest {
        draft,
        parts,
        etag: checks.text("etag", etag),
        request_id: checks.text("request_id", request_id),
        validate_only,
        confirm_within: checks.length("confirm_within", confirm_within),
        origin: if control_generation > 0 { SpecOrigin::Control } else { SpecOrigin::Local },
        control_generation: (control_generation > 0).then_some(Generation(control_generation)),
        reason: String::new(),
    };
    if checks.found_any() && (parts.pool_groups || parts.boards) {
        // Else the spec's owner checks it, who knows the stored passwords too.
        request.draft.clone().check(None).err().into_iter().for_each(|problems| checks.extend(problems));
    }
    checks.done().map(|()| request)
}

/// The parts of the spec that a mask names; none named = all.
fn parts(checks: &mut Checks, paths: Vec<String>) -> SpecParts {
    if paths.is_empty() {
        return SpecParts::ALL;
    }
    let mut parts = SpecParts::NONE;
    for path in paths {
        match path.as_str() {
            "pool_groups" => parts.pool_groups = true,
            "paused" => parts.paused = true,
            "boards" => parts.boards = true,
            _ => checks.refuse(
                "update_mask",
                format!(
                    "`{}` is no part of a spec; name `pool_groups`, `paused` or `boards`",
                    mujina_core::text::sanitise(&path, 64)
                ),
            ),
        }
    }
    parts
}

/// An operator's wish for the pause alone.
fn pause(paused: bool, reason: String, request_id: String) -> Result<SpecRequest, Refused> {
    let mut checks = Checks::default();
    let request = SpecRequest {
        draft: SpecDraft { paused, ..SpecDraft::default() },
        parts: SpecParts::PAUSED,
        etag: String::new(),
        request_id: checks.text("request_id", request_id),
        validate_only: false,
        confirm_within: None,
        origin: SpecOrigin::Local,
        control_generation: None,
        reason: checks.text("reason", reason),
    };
    checks.done().map(|()| request)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rpc::check::fields;
    use mujina_proto::types;

    fn apply(paths: &[&str]) -> v1::ApplySpecRequest {
        let mut request =
            v1::ApplySpecRequest { spec: Some(types::v1::MinerSpec::default()), ..v1::ApplySpecRequest::default() };
        request.update_mask.get_or_insert_default().paths = paths.iter().map(|&path| path.into()).collect();
        request
    }

    #[test]
    fn mask_names_the_parts_and_none_named_means_all() {
        let parts = |paths: &[&str]| application(apply(paths)).unwrap().parts;
        assert_eq!(parts(&[]), SpecParts::ALL);
        assert_eq!(parts(&["paused"]), SpecParts::PAUSED);
        assert_eq!(parts(&["pool_groups", "pool_groups"]), SpecParts { pool_groups: true, ..SpecParts::NONE });
        assert_eq!(parts(&["boards"]), SpecParts { boards: true, ..SpecParts::NONE });
        assert_eq!(parts(&["paused", "boards", "pool_groups"]), SpecParts::ALL);
    }

    #[test]
    fn all_problems_of_an_application_come_at_once() {
        let bad = v1::ApplySpecRequest {
            spec: None,
            etag: "e\u{7}".into(),
            request_id: "x".repeat(300),
            ..apply(&["paused", "pools", "spec.paused"])
        };
        let refused = application(bad).unwrap_err();
        assert_eq!(fields(&refused), ["spec", "update_mask", "update_mask", "etag", "request_id"]);
        let nameless = types::v1::MinerSpec {
            pool_groups: vec![types::v1::PoolGroup::default()],
            ..types::v1::MinerSpec::default()
        };
        let bad = v1::ApplySpecRequest { spec: Some(nameless), request_id: "\n".into(), ..apply(&[]) };
        let refused = application(bad).unwrap_err();
        assert!(fields(&refused).contains(&"request_id") && fields(&refused).len() > 2, "{refused:?}");
    }

    #[test]
    fn generation_of_a_control_plane_makes_it_the_origin() {
        let by = |control_generation| {
            let request = application(v1::ApplySpecRequest { control_generation, ..apply(&[]) }).unwrap();
            (request.origin, request.control_generation)
        };
        assert_eq!(by(0), (SpecOrigin::Local, None));
        assert_eq!(by(4), (SpecOrigin::Control, Some(Generation(4))));
    }

    #[test]
    fn pause_speaks_of_the_pause_alone_and_refuses_a_reason_of_many_lines() {
        let request = pause(true, "dust".into(), "r1".into()).unwrap();
        assert_eq!(request.parts, SpecParts::PAUSED);
        assert!(request.draft.paused && request.draft.pool_groups.is_empty());
        let refused = pause(true, "a\nb".into(), "\0".into()).unwrap_err();
        assert_eq!(fields(&refused), ["request_id", "reason"]);
    }

    #[test]
    fn pace_of_figures_is_that_of_news_or_slower_and_neither_is_negative() {
        let seconds = |seconds| Some(prost_types::Duration { seconds, nanos: 0 });
        let request = |news, figures| v1::WatchMinerRequest { min_interval: news, figures_interval: figures };
        let same = |length| Ok(Pace { news: length, figures: length });
        assert_eq!(pace(request(None, None)), same(INTERVAL));
        assert_eq!(pace(request(seconds(3), seconds(2))), same(Duration::from_secs(3)));
        assert_eq!(pace(request(None, seconds(9))), Ok(Pace { news: INTERVAL, figures: Duration::from_secs(9) }));
        assert_eq!(fields(&pace(request(seconds(-1), seconds(-1))).unwrap_err()), ["min_interval", "figures_interval"]);
    }
}
