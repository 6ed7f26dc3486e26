//! Requests that may be made again: whose they are and what they ask for, so that a repeat is answered as the first was, and
//! nothing else is taken for one. Pure.

use crate::access::Caller;
use sha2::{Digest, Sha256};

/// The person of what this control plane asks of itself; nobody who calls is one.
const ITSELF: &str = "itself";

/// What tells a repeat from another request.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RequestKey {
    id: String,
    person: String,
    content: Vec<u8>,
}

impl RequestKey {
    /// That of a request with the id that its caller made up, empty = it is not made again. `content` is all that it asks
    /// for of its method.
    #[must_use]
    pub fn new(by: &Caller, id: String, content: &[u8]) -> Self {
        let digest = Sha256::new().chain_update(by.method()).chain_update([0]).chain_update(content);
        Self { id, person: by.person(), content: digest.finalize().to_vec() }
    }

    /// That of something that this control plane asks of itself, under an id that stands for all of it.
    #[must_use]
    pub fn own(id: impl Into<String>) -> Self {
        Self { id: id.into(), person: ITSELF.into(), content: Vec::new() }
    }

    /// That of a request that is not made again.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// Id, person and digest of the content, which is empty where the id says it; `None` = it is not made again.
    pub(crate) fn parts(&self) -> Option<(&str, &str, &[u8])> {
        let Self { id, person, content } = self;
        (!id.is_empty()).then_some((id, person, content))
    }
}
