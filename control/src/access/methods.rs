//! The table: what each call needs, of both planes, of health and of reflection. Pure.
//!
//! A test walks the descriptors and fails when a call has no row here, or a row no call. What has no row is denied.

use super::Permission::{
    self, AnyPool, Limits, Locate, ManageAccess, Pause, Pools, Power, Read, ReadAccess, ReadAudit, Reconnect, Restart,
    Rollout, SelfTest,
};

/// A row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Method {
    /// Full name, for example `mujina.control.v1.SpecService/ApplySpec`.
    pub name: &'static str,
    /// What it needs.
    pub needs: Needs,
    /// Whether it changes anything, so that it is audited and never open to anonymous callers.
    pub changes: bool,
    /// What it is about, which says how selectors of bindings count.
    pub about: About,
}

/// What a call needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Needs {
    /// Nothing.
    Nothing,
    /// A proof within the request, such as an enrolment token, which the method itself checks before anything else: the only
    /// way to change something without being somebody yet.
    Proof,
    /// To be a miner with its own certificate, which is about itself alone.
    Miner,
    /// To be somebody with any role.
    AnyRole,
    /// This permission.
    One(Permission),
    /// One of these lets the call in; which are needed in full is said by its content, part by part.
    ByContent(&'static [Permission]),
}

impl Needs {
    /// The permissions that let a call in.
    #[must_use]
    pub fn permissions(&self) -> &[Permission] {
        match self {
            Self::Nothing | Self::Proof | Self::Miner => &[],
            Self::AnyRole => Permission::ALL,
            Self::One(permission) => std::slice::from_ref(permission),
            Self::ByContent(permissions) => permissions,
        }
    }
}

/// What a call is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum About {
    /// One miner that it names: bindings whose selector selects it count.
    OneMiner,
    /// Any number of miners: at the door any binding counts, then each miner is decided on for itself.
    Miners,
    /// The control plane itself, or all miners together: only bindings without a selector count.
    Service,
}

/// Shortens the table.
const fn row(name: &'static str, needs: Needs, changes: bool, about: About) -> Method {
    Method { name, needs, changes, about }
}

/// The parts of a spec.
const SPEC: Needs = Needs::ByContent(&[Pools, AnyPool, Pause, Power, Limits]);
/// What an operation does.
const OPERATION: Needs = Needs::ByContent(&[Reconnect, Pause, Restart, SelfTest, Pools, AnyPool, Read]);
/// A test of a pool: of one by name, or of wherever the caller says.
const TEST: Needs = Needs::ByContent(&[Pools, AnyPool]);
/// Who may do what, and which miners there are.
const ADMIN: Needs = Needs::One(ManageAccess);

const SEE: Needs = Needs::One(Read);
const LOOKS: bool = false;
const CHANGES: bool = true;

/// All of them, in order of their names.
pub const METHODS: &[Method] = &[
    row("grpc.health.v1.Health/Check", Needs::Nothing, LOOKS, About::Service),
    row("grpc.health.v1.Health/Watch", Needs::Nothing, LOOKS, About::Service),
    row("grpc.reflection.v1.ServerReflection/ServerReflectionInfo", Needs::AnyRole, LOOKS, About::Miners),
    row("mujina.control.v1.AccessService/CanI", Needs::Nothing, LOOKS, About::Service),
    row("mujina.control.v1.AccessService/CreateBinding", ADMIN, CHANGES, About::Service),
    row("mujina.control.v1.AccessService/CreateOperatorToken", ADMIN, CHANGES, About::Service),
    row("mujina.control.v1.AccessService/DecidePayoutChange", ADMIN, CHANGES, About::Service),
    row("mujina.control.v1.AccessService/DeleteBinding", ADMIN, CHANGES, About::Service),
    row("mujina.control.v1.AccessService/GetPayoutGuard", SEE, LOOKS, About::Miners),
    row("mujina.control.v1.AccessService/ListBindings", Needs::One(ReadAccess), LOOKS, About::Service),
    row("mujina.control.v1.AccessService/ListOperatorTokens", Needs::One(ReadAccess), LOOKS, About::Service),
    row("mujina.control.v1.AccessService/ProposePayoutChange", ADMIN, CHANGES, About::Service),
    row("mujina.control.v1.AccessService/RevokeOperatorToken", ADMIN, CHANGES, About::Service),
    row("mujina.control.v1.AccessService/WhoAmI", Needs::Nothing, LOOKS, About::Service),
    row("mujina.control.v1.AuditService/ExportAudit", Needs::One(ReadAudit), LOOKS, About::Service),
    row("mujina.control.v1.AuditService/ListAuditRecords", Needs::One(ReadAudit), LOOKS, About::Service),
    row("mujina.control.v1.AuditService/VerifyAudit", Needs::One(ReadAudit), LOOKS, About::Service),
    row("mujina.control.v1.DiagnosticsService/ListSpans", SEE, LOOKS, About::Service),
    row("mujina.control.v1.EnrollmentService/CreateEnrollToken", ADMIN, CHANGES, About::Service),
    row("mujina.control.v1.EnrollmentService/DecideEnrollment", ADMIN, CHANGES, About::Service),
    row("mujina.control.v1.EnrollmentService/Enroll", Needs::Proof, CHANGES, About::Service),
    row("mujina.control.v1.EnrollmentService/GetAuthority", Needs::Nothing, LOOKS, About::Service),
    row("mujina.control.v1.EnrollmentService/IssueOperatorCertificate", Needs::AnyRole, CHANGES, About::Miners),
    row("mujina.control.v1.EnrollmentService/ListCertificates", Needs::One(ReadAccess), LOOKS, About::Service),
    row("mujina.control.v1.EnrollmentService/ListEnrollTokens", Needs::One(ReadAccess), LOOKS, About::Service),
    row("mujina.control.v1.EnrollmentService/ListEnrollments", Needs::One(ReadAccess), LOOKS, About::Service),
    row("mujina.control.v1.EnrollmentService/RenewCertificate", Needs::Miner, CHANGES, About::Service),
    row("mujina.control.v1.EnrollmentService/RevokeCertificates", ADMIN, CHANGES, About::Service),
    row("mujina.control.v1.EnrollmentService/RevokeEnrollToken", ADMIN, CHANGES, About::Service),
    row("mujina.control.v1.EventService/ListEvents", SEE, LOOKS, About::Miners),
    row("mujina.control.v1.EventService/WatchEvents", SEE, LOOKS, About::Miners),
    row("mujina.control.v1.MinerRegistryService/GetMiner", SEE, LOOKS, About::OneMiner),
    row("mujina.control.v1.MinerRegistryService/LabelMiners", ADMIN, CHANGES, About::Service),
    row("mujina.control.v1.MinerRegistryService/ListMiners", SEE, LOOKS, About::Miners),
    row("mujina.control.v1.MinerRegistryService/ReleaseMiner", ADMIN, CHANGES, About::Service),
    row("mujina.control.v1.MinerRegistryService/RemoveMiner", ADMIN, CHANGES, About::Service),
    row("mujina.control.v1.MinerRegistryService/SummarizeMiners", SEE, LOOKS, About::Miners),
    row("mujina.control.v1.MinerRegistryService/WatchMiners", SEE, LOOKS, About::Miners),
    row("mujina.control.v1.OperationService/CancelOperation", OPERATION, CHANGES, About::Miners),
    row("mujina.control.v1.OperationService/GetBundle", SEE, LOOKS, About::Miners),
    row("mujina.control.v1.OperationService/GetOperation", SEE, LOOKS, About::Miners),
    row("mujina.control.v1.OperationService/ListOperations", SEE, LOOKS, About::Miners),
    row("mujina.control.v1.OperationService/RetryOperation", OPERATION, CHANGES, About::Miners),
    row("mujina.control.v1.OperationService/StartOperation", OPERATION, CHANGES, About::Miners),
    row("mujina.control.v1.OperationService/WatchOperation", SEE, LOOKS, About::Miners),
    row("mujina.control.v1.ProfileService/ApplyProfile", SPEC, CHANGES, About::Service),
    row("mujina.control.v1.ProfileService/ClearOverride", SPEC, CHANGES, About::OneMiner),
    row("mujina.control.v1.ProfileService/DeleteProfile", SPEC, CHANGES, About::Service),
    row("mujina.control.v1.ProfileService/GetProfile", SEE, LOOKS, About::Miners),
    row("mujina.control.v1.ProfileService/ListProfiles", SEE, LOOKS, About::Miners),
    row("mujina.control.v1.ProfileService/ResolveSpec", SEE, LOOKS, About::OneMiner),
    row("mujina.control.v1.RolloutService/AbortRollout", Needs::One(Rollout), CHANGES, About::Miners),
    row("mujina.control.v1.RolloutService/ApproveRollout", Needs::One(Rollout), CHANGES, About::Miners),
    row("mujina.control.v1.RolloutService/GetRollout", SEE, LOOKS, About::Miners),
    row("mujina.control.v1.RolloutService/ListRollouts", SEE, LOOKS, About::Miners),
    row("mujina.control.v1.RolloutService/PauseRollout", Needs::One(Rollout), CHANGES, About::Miners),
    row("mujina.control.v1.RolloutService/PlanRollout", Needs::One(Rollout), CHANGES, About::Miners),
    row("mujina.control.v1.RolloutService/ResumeRollout", Needs::One(Rollout), CHANGES, About::Miners),
    row("mujina.control.v1.RolloutService/RollBackRollout", Needs::One(Rollout), CHANGES, About::Miners),
    row("mujina.control.v1.RolloutService/StartRollout", Needs::One(Rollout), CHANGES, About::Miners),
    row("mujina.control.v1.RolloutService/WatchRollout", SEE, LOOKS, About::Miners),
    row("mujina.control.v1.SpecService/ApplySpec", SPEC, CHANGES, About::OneMiner),
    row("mujina.control.v1.SpecService/GetSpec", SEE, LOOKS, About::OneMiner),
    row("mujina.control.v1.StatisticsService/ExportStatistics", SEE, LOOKS, About::Miners),
    row("mujina.control.v1.StatisticsService/ListShareBuckets", SEE, LOOKS, About::OneMiner),
    row("mujina.control.v1.StatisticsService/QueryStatistics", SEE, LOOKS, About::Miners),
    row("mujina.control.v1.StatisticsService/SummarizeShares", SEE, LOOKS, About::Miners),
    row("mujina.dataplane.v1.BoardService/GetBoard", SEE, LOOKS, About::OneMiner),
    row("mujina.dataplane.v1.BoardService/GetConstraints", SEE, LOOKS, About::OneMiner),
    row("mujina.dataplane.v1.BoardService/ListBoards", SEE, LOOKS, About::OneMiner),
    row("mujina.dataplane.v1.BoardService/ListChips", SEE, LOOKS, About::OneMiner),
    row("mujina.dataplane.v1.BoardService/Locate", Needs::One(Locate), CHANGES, About::OneMiner),
    row("mujina.dataplane.v1.BoardService/Reinitialize", Needs::One(Restart), CHANGES, About::OneMiner),
    row("mujina.dataplane.v1.BoardService/SelfTest", Needs::One(SelfTest), CHANGES, About::OneMiner),
    row("mujina.dataplane.v1.BoardService/WatchBoards", SEE, LOOKS, About::OneMiner),
    row("mujina.dataplane.v1.DiagnosticsService/ListSpans", SEE, LOOKS, About::OneMiner),
    row("mujina.dataplane.v1.MinerService/ApplySpec", SPEC, CHANGES, About::OneMiner),
    row("mujina.dataplane.v1.MinerService/ConfirmSpec", SPEC, CHANGES, About::OneMiner),
    row("mujina.dataplane.v1.MinerService/GetMiner", SEE, LOOKS, About::OneMiner),
    row("mujina.dataplane.v1.MinerService/GetSpec", SEE, LOOKS, About::OneMiner),
    row("mujina.dataplane.v1.MinerService/Pause", Needs::One(Pause), CHANGES, About::OneMiner),
    row("mujina.dataplane.v1.MinerService/Resume", Needs::One(Pause), CHANGES, About::OneMiner),
    row("mujina.dataplane.v1.MinerService/WatchMiner", SEE, LOOKS, About::OneMiner),
    row("mujina.dataplane.v1.PoolService/ListPoolChannels", SEE, LOOKS, About::OneMiner),
    row("mujina.dataplane.v1.PoolService/ListPoolTransitions", SEE, LOOKS, About::OneMiner),
    row("mujina.dataplane.v1.PoolService/ListPools", SEE, LOOKS, About::OneMiner),
    row("mujina.dataplane.v1.PoolService/PinPool", Needs::One(Pools), CHANGES, About::OneMiner),
    row("mujina.dataplane.v1.PoolService/ReconnectPool", Needs::One(Reconnect), CHANGES, About::OneMiner),
    row("mujina.dataplane.v1.PoolService/TestPool", TEST, CHANGES, About::OneMiner),
    row("mujina.dataplane.v1.PoolService/UnpinPool", Needs::One(Pools), CHANGES, About::OneMiner),
    row("mujina.dataplane.v1.ShareService/GetShareStatistics", SEE, LOOKS, About::OneMiner),
    row("mujina.dataplane.v1.ShareService/ListRejects", SEE, LOOKS, About::OneMiner),
    row("mujina.dataplane.v1.ShareService/ListShareBuckets", SEE, LOOKS, About::OneMiner),
    row("mujina.dataplane.v1.ShareService/ListShares", SEE, LOOKS, About::OneMiner),
    row("mujina.dataplane.v1.ShareService/WatchShares", SEE, LOOKS, About::OneMiner),
];

/// The row of a call; `None` = there is none, and nobody may make it. A leading slash, as in a request's path, is fine.
#[must_use]
pub fn method(name: &str) -> Option<&'static Method> {
    let name = name.strip_prefix('/').unwrap_or(name);
    let at = METHODS.binary_search_by(|method| method.name.cmp(name)).ok()?;
    METHODS.get(at)
}
