//! Desired state of one miner, read and written the same way on a miner and through a control plane.

use super::{
    message,
    peer::Target,
    repeat::{once_more, request_id},
};
use crate::{context::Context, error::CliError};
use mujina_proto::{
    control::v1::{self as control, spec_service_client::SpecServiceClient},
    convert::spec::NOTHING_STORED,
    dataplane::v1 as dataplane,
    types::v1::{MinerSpec, SpecChange},
};
use prost_types::FieldMask;

/// What is stored, as the service answered.
pub(crate) enum Stored {
    /// A miner.
    Miner(dataplane::GetSpecResponse),
    /// A control plane.
    Control(Box<control::GetSpecResponse>),
}

impl Stored {
    /// Asks for it.
    pub(crate) async fn read(target: &Target) -> Result<Self, CliError> {
        let failed = CliError::call(format!("read the spec of {}", target.label()));
        let response = match &target.name {
            None => target.miners().get_spec(dataplane::GetSpecRequest {}).await.map(|it| Self::Miner(it.into_inner())),
            Some(name) => {
                let request = control::GetSpecRequest { miner: name.clone() };
                let mut service = SpecServiceClient::new(target.client.clone());
                service.get_spec(request).await.map(|it| Self::Control(it.into_inner().into()))
            }
        };
        response.map_err(failed)
    }

    /// The spec to change: the desired one, or where nothing is desired yet, what the miner has.
    pub(crate) fn spec(&self) -> MinerSpec {
        let spec = match self {
            Self::Miner(response) => response.state.as_ref().and_then(|state| state.spec.as_ref()),
            Self::Control(response) => match &response.desired {
                Some(desired) => desired.spec.as_ref(),
                None => response.confirmed.as_ref().and_then(|state| state.spec.as_ref()),
            },
        };
        spec.cloned().unwrap_or_default()
    }

    /// What to send back to write only over it, or only while nothing is stored.
    pub(crate) fn etag(&self) -> &str {
        match self {
            Self::Miner(response) => response.state.as_ref().map_or("", |state| &state.etag),
            Self::Control(response) => response.desired.as_ref().map_or(NOTHING_STORED, |desired| &desired.etag),
        }
    }
}

/// A change to be made.
pub(crate) struct Write {
    /// New values.
    pub(crate) spec: MinerSpec,
    /// Top-level parts to change; empty = all.
    pub(crate) parts: &'static [&'static str],
    /// Write only over this; empty = over any.
    pub(crate) etag: String,
    /// Change nothing, answer with the differences.
    pub(crate) validate_only: bool,
}

impl Write {
    /// Makes the change. `doing` says for a person what it is.
    pub(crate) async fn send(self, target: &Target, doing: &str) -> Result<Written, CliError> {
        let Self { spec, parts, etag, validate_only } = self;
        let mask = FieldMask { paths: parts.iter().map(|part| (*part).to_owned()).collect() };
        let (spec, update_mask) = (Some(spec), (!parts.is_empty()).then_some(mask));
        let request_id = request_id();
        let written = match &target.name {
            None => {
                let request = dataplane::ApplySpecRequest {
                    spec,
                    update_mask,
                    etag,
                    request_id,
                    validate_only,
                    control_generation: 0,
                    confirm_within: None,
                };
                let call = || {
                    let (mut service, request) = (target.miners(), request.clone());
                    async move { service.apply_spec(request).await }
                };
                once_more(call).await.map(Written::Miner)
            }
            Some(name) => {
                let miner = name.clone();
                let request = control::ApplySpecRequest {
                    miner,
                    spec,
                    update_mask,
                    etag,
                    request_id,
                    validate_only,
                    confirm_within: None,
                };
                let call = || {
                    let (mut service, request) = (SpecServiceClient::new(target.client.clone()), request.clone());
                    async move { service.apply_spec(request).await }
                };
                once_more(call).await.map(Written::Control)
            }
        };
        written.map_err(CliError::call(doing))
    }
}

/// A change that was made, or would be.
pub(crate) enum Written {
    /// A miner's answer.
    Miner(dataplane::ApplySpecResponse),
    /// A control plane's answer.
    Control(control::ApplySpecResponse),
}

impl Written {
    /// The generation to wait for.
    pub(crate) fn generation(&self) -> u64 {
        let generation = match self {
            Self::Miner(response) => response.state.as_ref().map(|state| state.generation),
            Self::Control(response) => response.desired.as_ref().map(|desired| desired.generation),
        };
        generation.unwrap_or_default()
    }

    /// What differs from before.
    pub(crate) fn changes(&self) -> &[SpecChange] {
        match self {
            Self::Miner(response) => &response.changes,
            Self::Control(response) => &response.changes,
        }
    }

    /// Shows it.
    pub(crate) fn show(&self, context: &mut Context<'_>, human: &str) -> Result<(), CliError> {
        match self {
            Self::Miner(response) => message::show(context, response, |_| human.to_owned()),
            Self::Control(response) => message::show(context, response, |_| human.to_owned()),
        }
    }
}
