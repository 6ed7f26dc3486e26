//! Tokens as the control plane keeps them: without the secret, with their bounds.

use mujina_proto::tls::{Token, TokenId};
use std::{
    collections::BTreeMap,
    time::{Duration, SystemTime},
};
use subtle::{Choice, ConstantTimeEq};

/// Longest time that a token may be good for.
pub(super) const MAX_TTL: Duration = Duration::from_secs(90 * 24 * 60 * 60);
/// Most miners that one token may enrol.
pub(super) const MAX_USES: u32 = 10_000;

/// A token that shall be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewToken {
    /// How long it is good for.
    pub ttl: Duration,
    /// How many miners it enrols.
    pub uses: u32,
    /// Whether a person approves each of them.
    pub needs_approval: bool,
    /// What the miners get.
    pub labels: BTreeMap<String, String>,
}

/// A token that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredToken {
    /// Finds it.
    pub id: TokenId,
    /// When it was made.
    pub created_at: SystemTime,
    /// By whom.
    pub created_by: String,
    /// From when on it is good for nothing.
    pub expires_at: SystemTime,
    /// How many miners it was for.
    pub uses: u32,
    /// How many more it enrols.
    pub uses_left: u32,
    /// Whether a person approves each of them.
    pub needs_approval: bool,
    /// What the miners get.
    pub labels: BTreeMap<String, String>,
    /// When it was revoked.
    pub revoked_at: Option<SystemTime>,
}

/// Why a token enrols nobody. Told only to those who know its secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenRefusal {
    /// Too old.
    #[error("the token has expired; ask for a new one")]
    Expired,
    /// All uses are taken.
    #[error("the token has enrolled as many miners as it may; ask for a new one")]
    UsedUp,
    /// Taken back.
    #[error("the token was revoked; ask for a new one")]
    Revoked,
}

impl StoredToken {
    /// Why it enrols nobody now.
    #[must_use]
    pub fn refusal(&self, now: SystemTime) -> Option<TokenRefusal> {
        if self.revoked_at.is_some() {
            Some(TokenRefusal::Revoked)
        } else if now >= self.expires_at {
            Some(TokenRefusal::Expired)
        } else if self.uses_left == 0 {
            Some(TokenRefusal::UsedUp)
        } else {
            None
        }
    }
}

/// Compares in the same time whether there is a token of this id or not, and wherever the secrets differ.
pub(super) fn is_secret(token: &Token, stored: Option<&[u8; 32]>) -> bool {
    let is_known = Choice::from(u8::from(stored.is_some()));
    let hash = stored.copied().unwrap_or_default();
    (token.secret_hash().ct_eq(&hash) & is_known).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use mujina_proto::tls::Fingerprint;

    #[test]
    fn only_the_secret_itself_is_the_secret() {
        let token = Token::generate(Fingerprint::of(b"authority")).unwrap();
        let hash = token.secret_hash();
        assert!(is_secret(&token, Some(&hash)));
        assert!(!is_secret(&token, None));
        for bit in 0..256 {
            let mut other = hash;
            other[bit / 8] ^= 1 << (bit % 8);
            assert!(!is_secret(&token, Some(&other)), "bit {bit}");
        }
    }
}
