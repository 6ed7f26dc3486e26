//! Messages as documents: canonical Protobuf JSON in both directions, by the descriptors that travel with the code.
//!
//! Fields without presence are written even when they are zero, so that scripts need not guess; absent readings are left
//! out. Source: "ProtoJSON Format" of the Protobuf documentation.

use crate::{
    context::Context,
    error::CliError,
    output::{Format, Paint},
};
use mujina_core::spec::Problem;
use mujina_proto::{DESCRIPTORS, control::v1 as control, dataplane::v1 as dataplane, types::v1 as types};
use prost_reflect::{
    DescriptorPool, DeserializeOptions, DynamicMessage, FieldDescriptor, Kind, MessageDescriptor, SerializeOptions,
};
use serde_json::Value;
use std::sync::LazyLock;

static POOL: LazyLock<DescriptorPool> =
    LazyLock::new(|| DescriptorPool::decode(DESCRIPTORS).expect("our own descriptors are whole"));

/// A message with its full name.
pub(crate) trait Named: prost::Message + Default {
    /// For example `mujina.types.v1.MinerSpec`.
    const NAME: &'static str;

    /// What the descriptors say of it.
    fn descriptor() -> MessageDescriptor {
        POOL.get_message_by_name(Self::NAME).expect("named by its proto file")
    }
}

macro_rules! named {
    ($package:literal $module:ident: $($message:ident)*) => { $(
        impl Named for $module::$message {
            const NAME: &'static str = concat!($package, ".", stringify!($message));
        }
    )* };
}

named!("mujina.types.v1" types: MinerSpec SpecState);
named!("mujina.dataplane.v1" dataplane:
    GetMinerResponse WatchMinerResponse GetSpecResponse ApplySpecResponse PauseResponse ResumeResponse ListPoolsResponse
    ReconnectPoolResponse TestPoolResponse PinPoolResponse UnpinPoolResponse ListPoolTransitionsResponse
    ListPoolChannelsResponse GetShareStatisticsResponse ListSharesResponse WatchSharesResponse ListRejectsResponse
    ListSpansResponse ListBoardsResponse WatchBoardsResponse GetBoardResponse ListChipsResponse GetConstraintsResponse ReinitializeResponse
    LocateResponse SelfTestResponse);
named!("mujina.control.v1" control:
    ListMinersResponse GetMinerResponse WatchMinersResponse DesiredSpec GetSpecResponse ApplySpecResponse
    StartOperationResponse WatchOperationResponse SummarizeSharesResponse ListSpansResponse
    CreateEnrollTokenResponse ListEnrollTokensResponse RevokeEnrollTokenResponse ListEnrollmentsResponse
    DecideEnrollmentResponse ListCertificatesResponse RevokeCertificatesResponse AuditRecord ListAuditRecordsResponse
    VerifyAuditResponse Profile SpecFragment ListProfilesResponse GetProfileResponse ApplyProfileResponse
    DeleteProfileResponse ResolveSpecResponse ClearOverrideResponse PlanRolloutResponse ApproveRolloutResponse StartRolloutResponse
    GetRolloutResponse ListRolloutsResponse WatchRolloutResponse PauseRolloutResponse ResumeRolloutResponse
    AbortRolloutResponse RollBackRolloutResponse SummarizeMinersResponse LabelMinersResponse RemoveMinerResponse
    ReleaseMinerResponse ListOperationsResponse GetOperationResponse CancelOperationResponse RetryOperationResponse
    WhoAmIResponse CanIResponse ListBindingsResponse CreateBindingResponse DeleteBindingResponse
    CreateOperatorTokenResponse ListOperatorTokensResponse RevokeOperatorTokenResponse GetPayoutGuardResponse
    ProposePayoutChangeRequest ProposePayoutChangeResponse DecidePayoutChangeResponse ListEventsResponse
    WatchEventsResponse QueryStatisticsResponse);

/// The message as a JSON value.
///
/// # Errors
/// The peer sent a time that is none.
pub(crate) fn to_json<M: Named>(message: &M) -> Result<Value, CliError> {
    let dynamic = DynamicMessage::decode(M::descriptor(), message.encode_to_vec().as_slice())
        .expect("a message decodes as what it was encoded from");
    let options = SerializeOptions::new().skip_default_fields(false);
    dynamic
        .serialize_with_options(serde_json::value::Serializer, &options)
        .map_err(|error| CliError::garbled(&error.to_string()))
}

/// Shows one answer: the document, or what a person reads.
pub(crate) fn show<M: Named>(
    context: &mut Context<'_>,
    message: &M,
    human: impl FnOnce(Paint) -> String,
) -> Result<(), CliError> {
    let text = match context.format {
        Format::Table | Format::Wide => human(context.paint),
        Format::Json => format!("{:#}\n", to_json(message)?),
        Format::Yaml => yaml(&to_json(message)?),
    };
    context.print(&text)
}

/// Shows a value that is no message, to machines.
pub(crate) fn value(context: &mut Context<'_>, value: &Value) -> Result<(), CliError> {
    let text = if context.format == Format::Yaml { yaml(value) } else { format!("{value:#}\n") };
    context.print(&text)
}

/// Shows one of many answers that follow one another: one line of JSON, or one YAML document.
pub(crate) fn event<M: Named>(
    context: &mut Context<'_>,
    message: &M,
    human: impl FnOnce(Paint) -> String,
) -> Result<(), CliError> {
    let text = match context.format {
        Format::Table | Format::Wide => human(context.paint),
        Format::Json => format!("{}\n", to_json(message)?),
        Format::Yaml => format!("---\n{}", yaml(&to_json(message)?)),
    };
    context.print(&text)
}

/// A value as a YAML document.
pub(crate) fn yaml(value: &Value) -> String {
    serde_norway::to_string(value).expect("JSON values are YAML values")
}

/// Reads a message from a value, telling every field that is not known at once.
pub(crate) fn from_json<M: Named>(value: &Value) -> Result<M, Vec<Problem>> {
    let mut problems = Vec::new();
    unknown_fields(value, &M::descriptor(), "", &mut problems);
    if !problems.is_empty() {
        return Err(problems);
    }
    let wrong =
        |error: &dyn ToString| vec![Problem { field: M::descriptor().name().into(), reason: error.to_string() }];
    let options = DeserializeOptions::new().deny_unknown_fields(true);
    let dynamic = DynamicMessage::deserialize_with_options(M::descriptor(), value, &options).map_err(|e| wrong(&e))?;
    M::decode(prost::Message::encode_to_vec(&dynamic).as_slice()).map_err(|error| wrong(&error))
}

fn unknown_fields(value: &Value, message: &MessageDescriptor, path: &str, problems: &mut Vec<Problem>) {
    // Values of the well-known types are strings; whatever else is wrong is found when they are read.
    let Value::Object(entries) = value else { return };
    if message.full_name().starts_with("google.protobuf.") {
        return;
    }
    for (name, value) in entries {
        let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        match message.get_field_by_json_name(name).or_else(|| message.get_field_by_name(name)) {
            None => problems.push(Problem { field: path, reason: unknown(message) }),
            Some(field) => nested(value, &field, &path, problems),
        }
    }
}

fn nested(value: &Value, field: &FieldDescriptor, path: &str, problems: &mut Vec<Problem>) {
    let Kind::Message(message) = field.kind() else { return };
    match value {
        Value::Array(elements) if field.is_list() => {
            for (index, element) in elements.iter().enumerate() {
                unknown_fields(element, &message, &format!("{path}[{index}]"), problems);
            }
        }
        _ if field.is_map() => {}
        _ => unknown_fields(value, &message, path, problems),
    }
}

fn unknown(message: &MessageDescriptor) -> String {
    let fields: Vec<_> = message.fields().map(|field| field.json_name().to_owned()).collect();
    format!("is not known; use {}", fields.join(", "))
}
