//! The services of a fleet's control plane, each with one of everything.

use super::{
    fake_control::FakeControl,
    fake_miner::{Events, events, events_that_end},
    sample,
};
use mujina_proto::{
    control::v1::{
        access_service_server::AccessService, audit_service_server::AuditService,
        enrollment_service_server::EnrollmentService, event_service_server::EventService,
        profile_service_server::ProfileService, rollout_service_server::RolloutService, *,
    },
    failure::Failure,
    types::v1::SpecChange,
};
use tonic::{Request, Response, Status};

type Answer<T> = Result<Response<T>, Status>;

fn answer<T>(message: T) -> Answer<T> {
    Ok(Response::new(message))
}

impl FakeControl {
    /// Notes a call, with the token that it shows.
    fn note<T>(&self, call: &str, request: &Request<T>) {
        let bearer = request.metadata().get("authorization").map(|value| value.to_str().unwrap().to_owned());
        let mut state = self.state();
        state.asked.push(call.into());
        state.bearer = bearer;
    }
}

fn token(labels: &[(&str, &str)]) -> EnrollToken {
    EnrollToken {
        token_id: "0123".into(),
        created_at: sample::at(0),
        created_by: "operator:alice".into(),
        expires_at: sample::at(3600),
        uses: 3,
        uses_left: 2,
        needs_approval: true,
        labels: labels.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect(),
        revoked_at: None,
    }
}

#[tonic::async_trait]
impl EnrollmentService for FakeControl {
    async fn create_enroll_token(
        &self,
        request: Request<CreateEnrollTokenRequest>,
    ) -> Answer<CreateEnrollTokenResponse> {
        let CreateEnrollTokenRequest { ttl: _, uses, needs_approval, labels } = request.into_inner();
        let token = EnrollToken { uses, uses_left: uses, needs_approval, labels, ..token(&[]) };
        let authority_fingerprint = "aaaa bbbb".into();
        answer(CreateEnrollTokenResponse { token: Some(token), text: "mujina1.TEXT".into(), authority_fingerprint })
    }

    async fn list_enroll_tokens(&self, _: Request<ListEnrollTokensRequest>) -> Answer<ListEnrollTokensResponse> {
        let revoked = EnrollToken { token_id: "4567".into(), revoked_at: sample::at(1), ..token(&[]) };
        answer(ListEnrollTokensResponse { tokens: vec![token(&[("site", "north"), ("rack", "7")]), revoked] })
    }

    async fn revoke_enroll_token(
        &self,
        request: Request<RevokeEnrollTokenRequest>,
    ) -> Answer<RevokeEnrollTokenResponse> {
        self.note("revoke token", &request);
        answer(RevokeEnrollTokenResponse {})
    }

    async fn enroll(&self, _: Request<EnrollRequest>) -> Answer<EnrollResponse> {
        Err(Status::unimplemented("no command enrols"))
    }

    async fn renew_certificate(&self, _: Request<RenewCertificateRequest>) -> Answer<RenewCertificateResponse> {
        Err(Status::unimplemented("no command renews a miner's"))
    }

    /// A page an enrolment.
    async fn list_enrollments(&self, request: Request<ListEnrollmentsRequest>) -> Answer<ListEnrollmentsResponse> {
        let request = request.into_inner();
        let one = |number, decision: EnrollmentDecision| Enrollment {
            number,
            miner: format!("rig{number}"),
            key_fingerprint: "cccc".into(),
            source: "192.0.2.7:1".into(),
            decision: decision.into(),
            asked_at: sample::at(number),
            ..Enrollment::default()
        };
        if request.page_token.is_empty() {
            let enrollments = vec![one(2, EnrollmentDecision::Pending)];
            let only = request.decision() == EnrollmentDecision::Pending;
            let next_page_token = if only { String::new() } else { "1".into() };
            return answer(ListEnrollmentsResponse { enrollments, next_page_token });
        }
        let enrollments = vec![one(1, EnrollmentDecision::Approved)];
        answer(ListEnrollmentsResponse { enrollments, next_page_token: String::new() })
    }

    async fn decide_enrollment(&self, request: Request<DecideEnrollmentRequest>) -> Answer<DecideEnrollmentResponse> {
        let said = request.get_ref().clone();
        self.note(&format!("{} {} {}", said.decision().as_str_name(), said.number, said.reason), &request);
        answer(DecideEnrollmentResponse {})
    }

    async fn list_certificates(&self, _: Request<ListCertificatesRequest>) -> Answer<ListCertificatesResponse> {
        let one = IssuedCertificate {
            serial: "0a".into(),
            kind: "miner".into(),
            name: "rig1".into(),
            not_after: sample::at(3600),
            issued_by: "operator:alice".into(),
            revoked: true,
            ..IssuedCertificate::default()
        };
        answer(ListCertificatesResponse { certificates: vec![one], next_page_token: String::new() })
    }

    async fn revoke_certificates(
        &self,
        request: Request<RevokeCertificatesRequest>,
    ) -> Answer<RevokeCertificatesResponse> {
        self.note(&format!("{:?}", request.get_ref().target), &request);
        answer(RevokeCertificatesResponse { revoked: 2 })
    }

    async fn issue_operator_certificate(
        &self,
        _: Request<IssueOperatorCertificateRequest>,
    ) -> Answer<IssueOperatorCertificateResponse> {
        Err(Status::unimplemented("only over TLS"))
    }

    async fn get_authority(&self, _: Request<GetAuthorityRequest>) -> Answer<GetAuthorityResponse> {
        Err(Status::unimplemented("the handshake tells it"))
    }
}

#[tonic::async_trait]
impl AccessService for FakeControl {
    async fn who_am_i(&self, request: Request<WhoAmIRequest>) -> Answer<WhoAmIResponse> {
        self.note("who", &request);
        let grant = |permission: &str, selectors: &[&str]| PermissionGrant {
            permission: permission.into(),
            selectors: selectors.iter().map(ToString::to_string).collect(),
        };
        answer(WhoAmIResponse {
            subject: "operator:alice".into(),
            detail: "operator:alice (token)".into(),
            permissions: vec![grant("read", &[""]), grant("pause", &["site=north"])],
            server_version: "0.1.0".into(),
        })
    }

    async fn can_i(&self, request: Request<CanIRequest>) -> Answer<CanIResponse> {
        let CanIRequest { question, miner } = request.into_inner();
        let allowed = question == "pause" && miner == "rig1";
        answer(CanIResponse { allowed, reason: if allowed { "as operator".into() } else { "ask an admin".into() } })
    }

    async fn list_bindings(&self, _: Request<ListBindingsRequest>) -> Answer<ListBindingsResponse> {
        let (subject, role, selector) = ("operator:alice".into(), "admin".into(), String::new());
        answer(ListBindingsResponse { bindings: vec![Binding { binding_id: "b1".into(), subject, role, selector }] })
    }

    async fn create_binding(&self, request: Request<CreateBindingRequest>) -> Answer<CreateBindingResponse> {
        let binding = request.into_inner().binding.unwrap();
        answer(CreateBindingResponse { binding: Some(Binding { binding_id: "b2".into(), ..binding }) })
    }

    async fn delete_binding(&self, request: Request<DeleteBindingRequest>) -> Answer<DeleteBindingResponse> {
        self.note("delete binding", &request);
        answer(DeleteBindingResponse {})
    }

    async fn create_operator_token(
        &self,
        request: Request<CreateOperatorTokenRequest>,
    ) -> Answer<CreateOperatorTokenResponse> {
        let CreateOperatorTokenRequest { operator, label, ttl: _ } = request.into_inner();
        let expires_at = sample::at(3600);
        let token = OperatorToken { token_id: "ff".into(), operator, label, expires_at, ..OperatorToken::default() };
        answer(CreateOperatorTokenResponse { token: Some(token), text: "mujina_ff".into() })
    }

    async fn list_operator_tokens(&self, _: Request<ListOperatorTokensRequest>) -> Answer<ListOperatorTokensResponse> {
        let token = OperatorToken {
            token_id: "ff".into(),
            operator: "bob".into(),
            expires_at: sample::at(0),
            revoked_at: sample::at(0),
            ..OperatorToken::default()
        };
        answer(ListOperatorTokensResponse { tokens: vec![token] })
    }

    async fn revoke_operator_token(
        &self,
        request: Request<RevokeOperatorTokenRequest>,
    ) -> Answer<RevokeOperatorTokenResponse> {
        self.note("revoke operator token", &request);
        answer(RevokeOperatorTokenResponse {})
    }

    async fn get_payout_guard(&self, _: Request<GetPayoutGuardRequest>) -> Answer<GetPayoutGuardResponse> {
        let entry = |user: &str| PayoutEntry { url: sample::URL.into(), user: user.into(), tls_pins: Vec::new() };
        let proposal = PayoutProposal {
            proposal_id: "p1".into(),
            proposed_by: "operator:bob".into(),
            entries: vec![entry("bob.*")],
            expires_at: sample::at(3600),
            ..PayoutProposal::default()
        };
        let (entries, proposals) = (vec![entry("alice.*")], vec![proposal]);
        answer(GetPayoutGuardResponse { enabled: true, entries, version: 2, proposals })
    }

    async fn propose_payout_change(
        &self,
        request: Request<ProposePayoutChangeRequest>,
    ) -> Answer<ProposePayoutChangeResponse> {
        let said = request.get_ref().clone();
        self.note(&format!("propose {} {}", said.entries.len(), said.turn_off), &request);
        let proposal =
            PayoutProposal { proposal_id: "p2".into(), expires_at: sample::at(60), ..PayoutProposal::default() };
        answer(ProposePayoutChangeResponse { proposal: said.turn_off.then_some(proposal) })
    }

    async fn decide_payout_change(
        &self,
        request: Request<DecidePayoutChangeRequest>,
    ) -> Answer<DecidePayoutChangeResponse> {
        let DecidePayoutChangeRequest { proposal_id, approve } = request.get_ref().clone();
        self.note(&format!("decide {proposal_id} {approve}"), &request);
        answer(DecidePayoutChangeResponse {})
    }
}

fn record(sequence: u64, outcome: &str) -> AuditRecord {
    AuditRecord {
        sequence,
        at: sample::at(0),
        who: "operator:alice".into(),
        origin: "192.0.2.7".into(),
        method: "mujina.control.v1.SpecService/ApplySpec".into(),
        target: "rig1".into(),
        outcome: outcome.into(),
        detail: String::new(),
        trace_id: "t1".into(),
        diff_json: "[{\"path\":\"paused\"}]".into(),
        previous_hash: "00".into(),
        hash: "11".into(),
    }
}

#[tonic::async_trait]
impl AuditService for FakeControl {
    type ExportAuditStream = Events<ExportAuditResponse>;

    /// One a page.
    async fn list_audit_records(&self, request: Request<ListAuditRecordsRequest>) -> Answer<ListAuditRecordsResponse> {
        let (record, next) = match request.get_ref().page_token.as_str() {
            "" => (record(2, "denied"), "1"),
            _ => (record(1, "done"), ""),
        };
        answer(ListAuditRecordsResponse { records: vec![record], next_page_token: next.into() })
    }

    async fn verify_audit(&self, _: Request<VerifyAuditRequest>) -> Answer<VerifyAuditResponse> {
        let intact = !self.state().tampered;
        let problem = if intact { String::new() } else { "record 2 does not follow record 1".into() };
        answer(VerifyAuditResponse { intact, last_sequence: 2, last_hash: "11".into(), problem })
    }

    async fn export_audit(&self, request: Request<ExportAuditRequest>) -> Answer<Self::ExportAuditStream> {
        let first = request.into_inner().after_sequence + 1;
        let part = |number| ExportAuditResponse { records: vec![record(number, "done")] };
        Ok(events_that_end((first..=2).map(part).collect()))
    }
}

fn effects(names: &[&'static str]) -> Vec<ProfileEffect> {
    let change = |after: &str| SpecChange { path: "paused".into(), before: "false".into(), after: after.into() };
    let effect = |(index, name): (usize, &&'static str)| ProfileEffect {
        miner: (*name).to_owned(),
        changes: vec![change(if index == 2 { "maybe" } else { "true" })],
    };
    names.iter().enumerate().map(effect).collect()
}

#[tonic::async_trait]
impl ProfileService for FakeControl {
    async fn list_profiles(&self, _: Request<ListProfilesRequest>) -> Answer<ListProfilesResponse> {
        answer(ListProfilesResponse { profiles: vec![profile()] })
    }

    async fn get_profile(&self, _: Request<GetProfileRequest>) -> Answer<GetProfileResponse> {
        answer(GetProfileResponse { profile: Some(profile()) })
    }

    async fn apply_profile(&self, request: Request<ApplyProfileRequest>) -> Answer<ApplyProfileResponse> {
        let said = request.get_ref().clone();
        self.note(if said.validate_only { "check profile" } else { "apply profile" }, &request);
        let name = said.profile.as_ref().map(|profile| profile.name.as_str());
        if !said.validate_only && name.is_some() && name == self.state().refused {
            return Err(Failure::invalid_field("profile.selector", "selects too much").into());
        }
        let names = self.state().names.clone();
        answer(ApplyProfileResponse { profile: said.profile, effects: effects(&names) })
    }

    async fn delete_profile(&self, request: Request<DeleteProfileRequest>) -> Answer<DeleteProfileResponse> {
        let checks = request.get_ref().validate_only;
        self.note(if checks { "check deletion" } else { "delete profile" }, &request);
        answer(DeleteProfileResponse { effects: Vec::new() })
    }

    async fn resolve_spec(&self, _: Request<ResolveSpecRequest>) -> Answer<ResolveSpecResponse> {
        let origin = |path: &str, profile: &str| FieldOrigin { path: path.into(), profile: profile.into() };
        let origins = vec![origin("paused", ""), origin("pool_groups", "north")];
        answer(ResolveSpecResponse { spec: None, origins, stored: true, problem: String::new() })
    }

    async fn clear_override(&self, _: Request<ClearOverrideRequest>) -> Answer<ClearOverrideResponse> {
        answer(ClearOverrideResponse { changes: Vec::new() })
    }
}

fn profile() -> Profile {
    let spec =
        SpecFragment { paused: Some(true), pool_groups: Some(PoolGroupList::default()), ..SpecFragment::default() };
    let (name, selector, etag) = ("north".into(), "site=north".into(), "p7".into());
    Profile { name, selector, priority: 10, spec: Some(spec), generation: 7, etag }
}

fn rollout(state: RolloutState, names: &[&'static str]) -> Rollout {
    let ended = !matches!(state, RolloutState::Planned | RolloutState::Running);
    let finding = |gate: &str, verdict: &str, detail: &str| RolloutFinding {
        gate: gate.into(),
        verdict: verdict.into(),
        detail: detail.into(),
    };
    let findings = match state {
        RolloutState::Planned | RolloutState::Running => Vec::new(),
        RolloutState::Succeeded => vec![finding("targets", "holds", "1 of 1 proved")],
        _ => vec![finding("targets", "holds", "1 of 1 proved"), finding("rejects", "fails", "12 % against 1 %")],
    };
    let wave =
        |names: &[&str], findings| RolloutWave { miners: names.iter().map(ToString::to_string).collect(), findings };
    let (first, others) = names.split_at(1.min(names.len()));
    let target = |name: &&str| RolloutTarget {
        miner: (*name).to_owned(),
        state: if ended { RolloutTargetState::Reverted } else { RolloutTargetState::Waiting }.into(),
        generation: u64::from(ended),
        ..RolloutTarget::default()
    };
    Rollout {
        rollout_id: "ro-1".into(),
        change: Some(RolloutChange { change: Some(rollout_change::Change::Profile(profile())), selection: None }),
        state: state.into(),
        reason: if ended && state != RolloutState::Succeeded { "rejects rose".into() } else { String::new() },
        created_at: sample::at(0),
        created_by: "operator:alice".into(),
        waves: vec![wave(first, findings), wave(others, Vec::new())],
        stage: if state == RolloutState::Running { RolloutStage::Soaking } else { RolloutStage::Unspecified }.into(),
        targets: names.iter().map(target).collect(),
        progress: Some(RolloutProgress {
            total: u32::try_from(names.len()).unwrap(),
            proved: 1,
            ..RolloutProgress::default()
        }),
        ..Rollout::default()
    }
}

#[tonic::async_trait]
impl RolloutService for FakeControl {
    type WatchRolloutStream = Events<WatchRolloutResponse>;

    async fn plan_rollout(&self, request: Request<PlanRolloutRequest>) -> Answer<PlanRolloutResponse> {
        let names = self.state().names.clone();
        let approvals_needed = request.get_ref().approvals;
        self.state().planned = Some(request.into_inner());
        let planned = Rollout { approvals_needed, ..rollout(RolloutState::Planned, &names) };
        answer(PlanRolloutResponse { rollout: Some(planned), effects: effects(&names) })
    }

    async fn approve_rollout(&self, request: Request<ApproveRolloutRequest>) -> Answer<ApproveRolloutResponse> {
        self.note("approve rollout", &request);
        let names = self.state().names.clone();
        let approvals = vec![RolloutApproval { who: "operator:bob".into(), at: sample::at(60) }];
        let rollout = Rollout { approvals_needed: 2, approvals, ..rollout(RolloutState::Planned, &names) };
        answer(ApproveRolloutResponse { rollout: Some(rollout) })
    }

    async fn start_rollout(&self, request: Request<StartRolloutRequest>) -> Answer<StartRolloutResponse> {
        self.note("start rollout", &request);
        if self.state().start_hangs {
            std::future::pending::<()>().await;
        }
        let names = self.state().names.clone();
        answer(StartRolloutResponse { rollout: Some(rollout(RolloutState::Running, &names)) })
    }

    async fn get_rollout(&self, _: Request<GetRolloutRequest>) -> Answer<GetRolloutResponse> {
        let names = self.state().names.clone();
        answer(GetRolloutResponse { rollout: Some(rollout(RolloutState::Planned, &names)) })
    }

    async fn list_rollouts(&self, _: Request<ListRolloutsRequest>) -> Answer<ListRolloutsResponse> {
        let names = self.state().names.clone();
        let rollouts = vec![rollout(RolloutState::RolledBack, &names)];
        answer(ListRolloutsResponse { rollouts, next_page_token: String::new() })
    }

    async fn watch_rollout(&self, request: Request<WatchRolloutRequest>) -> Answer<Self::WatchRolloutStream> {
        self.note("watch rollout", &request);
        let names = self.state().names.clone();
        let ends = self.state().rollout_ends;
        let resume_token = request.into_inner().resume_token;
        self.state().resumed.push(resume_token.clone());
        let event = |state, snapshot: bool| WatchRolloutResponse {
            rollout: Some(rollout(state, &names)),
            snapshot,
            resume_token: if snapshot { "1" } else { "2" }.into(),
            ..WatchRolloutResponse::default()
        };
        let breaks = std::mem::replace(&mut self.state().breaks, 0);
        if breaks > 0 {
            self.state().breaks = breaks - 1;
            return Ok(events_that_end(vec![event(RolloutState::Running, true)]));
        }
        if !resume_token.is_empty() {
            let mut news = event(ends, false);
            news.rollout.iter_mut().for_each(|rollout| rollout.targets.truncate(1));
            return Ok(events(vec![news]));
        }
        Ok(events(vec![event(RolloutState::Running, true), event(ends, false)]))
    }

    async fn pause_rollout(&self, request: Request<PauseRolloutRequest>) -> Answer<PauseRolloutResponse> {
        self.note("pause rollout", &request);
        answer(PauseRolloutResponse { rollout: Some(rollout(RolloutState::Paused, &["rig1"])) })
    }

    async fn resume_rollout(&self, request: Request<ResumeRolloutRequest>) -> Answer<ResumeRolloutResponse> {
        self.note(&format!("resume rollout {}", request.get_ref().accept_wave), &request);
        answer(ResumeRolloutResponse { rollout: Some(rollout(RolloutState::Running, &["rig1"])) })
    }

    async fn abort_rollout(&self, request: Request<AbortRolloutRequest>) -> Answer<AbortRolloutResponse> {
        self.note("abort rollout", &request);
        answer(AbortRolloutResponse { rollout: Some(rollout(RolloutState::Aborted, &["rig1"])) })
    }

    async fn roll_back_rollout(&self, request: Request<RollBackRolloutRequest>) -> Answer<RollBackRolloutResponse> {
        self.note("roll back", &request);
        answer(RollBackRolloutResponse { rollout: Some(rollout(RolloutState::RollingBack, &["rig1"])) })
    }
}

fn event(sequence: u64) -> Event {
    Event {
        sequence,
        at: sample::at(0),
        kind: "OVERRIDDEN".into(),
        miner: "rig1".into(),
        subject: String::new(),
        message: "somebody changed the miner itself".into(),
    }
}

#[tonic::async_trait]
impl EventService for FakeControl {
    type WatchEventsStream = Events<WatchEventsResponse>;

    async fn list_events(&self, _: Request<ListEventsRequest>) -> Answer<ListEventsResponse> {
        answer(ListEventsResponse { events: vec![event(2), event(1)], next_page_token: String::new() })
    }

    /// One event, then the end, until there is none any more.
    async fn watch_events(&self, request: Request<WatchEventsRequest>) -> Answer<Self::WatchEventsStream> {
        let after = request.into_inner().after_sequence;
        if after >= 2 {
            return Ok(events_that_end(Vec::new()));
        }
        let next = WatchEventsResponse { events: vec![event(after + 1)], resume_sequence: after + 1, gap: after == 0 };
        Ok(events_that_end(vec![next]))
    }
}
