//! Negotiation of extensions (0x0001) and the field that the tracking of workers (0x0002) appends to a share.
//!
//! Source: extensions 0x0001 and 0x0002 of the Stratum V2 specification; stratum-client 0.3, E1, E4, F10, U11.

use super::{ClearFrame, HEADER, Incoming, Malformed, Unsendable, read};
use stratum_apps::stratum_core::{
    binary_sv2::{self, Seq064K},
    extensions_sv2 as ext,
};

/// Extension that negotiates extensions.
pub(super) const NEGOTIATION: u16 = ext::EXTENSION_TYPE_EXTENSIONS_NEGOTIATION;
/// Extension that tells the pool which worker found a share.
pub(in crate::pool::sv2) const WORKER_TRACKING: u16 = ext::EXTENSION_TYPE_WORKER_HASHRATE_TRACKING;
/// Longest name of a worker in bytes.
const MAX_WORKER: usize = ext::MAX_USER_IDENTITY_LENGTH;

/// Reads an answer of the negotiation; the request itself is ours alone.
pub(super) fn decode(kind: u8, payload: &mut [u8]) -> Result<Incoming, Malformed> {
    Ok(match kind {
        ext::MESSAGE_TYPE_REQUEST_EXTENSIONS_SUCCESS => {
            let message: ext::RequestExtensionsSuccess<'_> = read(kind, payload)?;
            let extensions = message.supported_extensions.into_inner();
            Incoming::ExtensionsGranted { request_id: message.request_id, extensions }
        }
        ext::MESSAGE_TYPE_REQUEST_EXTENSIONS_ERROR => {
            let message: ext::RequestExtensionsError<'_> = read(kind, payload)?;
            let required = message.required_extensions.into_inner();
            Incoming::ExtensionsRefused { request_id: message.request_id, required }
        }
        _ => Incoming::Ignored { extension: NEGOTIATION, kind },
    })
}

/// A request as a frame in the clear.
pub(super) fn request(request_id: u16, extensions: &[u16]) -> Result<ClearFrame, Unsendable> {
    let requested_extensions = Seq064K::new(extensions.to_vec()).map_err(|_| Unsendable("a list of extensions"))?;
    let message = ext::RequestExtensions { request_id, requested_extensions };
    let payload = binary_sv2::to_bytes(message).map_err(|_| Unsendable("a message"))?;
    let length = u8::try_from(payload.len()).map_err(|_| Unsendable("a list of extensions"))?;
    let [low, high] = NEGOTIATION.to_le_bytes();
    let mut frame = Vec::with_capacity(HEADER + payload.len());
    frame.extend_from_slice(&[low, high, ext::MESSAGE_TYPE_REQUEST_EXTENSIONS, length, 0, 0]);
    frame.extend_from_slice(&payload);
    Ok(frame.into())
}

/// The worker's name as a field: type and length in little endian, as the reference implementation has them although the
/// example of the specification shows big endian (0.3); no padding.
pub(super) fn worker_field(worker: &str) -> Result<ClearFrame, Unsendable> {
    let unsendable = Unsendable("the worker's name");
    let length = u16::try_from(worker.len()).map_err(|_| unsendable)?;
    if worker.len() > MAX_WORKER {
        return Err(unsendable);
    }
    let ([ext_low, ext_high], [low, high]) = (WORKER_TRACKING.to_le_bytes(), length.to_le_bytes());
    let mut field = ClearFrame::from_slice(&[ext_low, ext_high, ext::TLV_FIELD_TYPE_USER_IDENTITY, low, high]);
    field.extend_from_slice(worker.as_bytes());
    Ok(field)
}
