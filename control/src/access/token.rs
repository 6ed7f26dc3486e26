//! Operator tokens: what a program or person without a certificate proves itself with. Pure; time and chance are given.
//!
//! A token is `mujina_` and 80 hex digits: 8 random bytes that name it, then 32 that are secret. Only the SHA-256 of the
//! secret is kept: it is as random as a key, so that neither salt nor a slow hash adds anything. Secrets are compared in
//! constant time, and a name that is not known costs the same comparison.

use super::subject::{PersonError, Subject, check_name};
use mujina_core::{text::Secret, units::duration::human};
use sha2::{Digest, Sha256};
use std::time::{Duration, SystemTime};
use subtle::ConstantTimeEq;

/// What every token begins with, so that people and scanners of leaked secrets know one when they see it.
const PREFIX: &str = "mujina_";
/// Bytes that name a token.
const ID_BYTES: usize = 8;
/// Bytes that must be kept secret.
const SECRET_BYTES: usize = 32;
/// Chance that a new token takes.
pub const RANDOM_BYTES: usize = ID_BYTES + SECRET_BYTES;
/// Shortest and longest life of a token.
pub const LIFE: (Duration, Duration) = (Duration::from_secs(60), Duration::from_secs(366 * 24 * 60 * 60));

/// A token as it is kept: it cannot be used to prove anything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// Names it.
    pub id: String,
    /// The operator whom its bearer is.
    pub operator: String,
    /// What it is for, for people.
    pub label: String,
    /// SHA-256 of the secret.
    pub hash: [u8; 32],
    /// The person who made it.
    pub created_by: String,
    /// When.
    pub created_at: SystemTime,
    /// From then on it proves nothing.
    pub expires_at: SystemTime,
    /// From then on it proves nothing either.
    pub revoked_at: Option<SystemTime>,
}

/// What a new token should be.
#[derive(Debug, Clone)]
pub struct TokenRequest {
    /// The operator whom its bearer is.
    pub operator: String,
    /// What it is for, for people.
    pub label: String,
    /// How long it proves anything.
    pub life: Duration,
    /// The person who makes it.
    pub created_by: String,
}

/// Why a token proves nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Not of the form of a token.
    #[error("this is no token; it begins with `mujina_` and has 80 hex digits: copy all of it")]
    Malformed,
    /// No such token, or not its secret: which of the two is nobody's business.
    #[error("the token is not known; ask an admin for a new one")]
    Unknown,
    /// Its time is over.
    #[error("the token has expired; ask an admin for a new one")]
    Expired,
    /// Somebody ended it.
    #[error("the token was revoked; ask an admin for a new one")]
    Revoked,
}

/// Why no token is made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TokenRequestError {
    /// The operator's name.
    #[error("the operator's name cannot be used: {0}")]
    Operator(#[source] PersonError),
    /// Too short or too long a life.
    #[error("a token lives from 1m to 366d, not {}; ask for less than that, and make a new one in time", human(*.0))]
    Life(Duration),
    /// The label.
    #[error("a label has at most 120 bytes and no control characters; write another")]
    Label,
}

impl Token {
    /// Makes a token of fresh chance. The secret is told once, and to nobody else.
    ///
    /// # Errors
    /// See [`TokenRequestError`].
    pub fn issue(
        request: TokenRequest,
        random: &[u8; RANDOM_BYTES],
        now: SystemTime,
    ) -> Result<(Self, Secret), TokenRequestError> {
        let TokenRequest { operator, label, life, created_by } = request;
        check_name(&operator).map_err(TokenRequestError::Operator)?;
        if label.len() > 120 || label.chars().any(char::is_control) {
            return Err(TokenRequestError::Label);
        }
        let expires_at = now.checked_add(life).filter(|_| life >= LIFE.0 && life <= LIFE.1);
        let expires_at = expires_at.ok_or(TokenRequestError::Life(life))?;
        let (id, secret) = random.split_at(ID_BYTES);
        let id = hex::encode(id);
        let text = Secret::from(format!("{PREFIX}{id}{}", hex::encode(secret)));
        let hash = Sha256::digest(secret).into();
        Ok((Self { id, operator, label, hash, created_by, created_at: now, expires_at, revoked_at: None }, text))
    }

    /// Whether it proves anything at this time.
    ///
    /// # Errors
    /// It has expired or was revoked.
    pub fn check_life(&self, now: SystemTime) -> Result<(), TokenError> {
        if self.revoked_at.is_some() {
            Err(TokenError::Revoked)
        } else if now >= self.expires_at {
            Err(TokenError::Expired)
        } else {
            Ok(())
        }
    }
}

/// Whether a text is of the form that names a token.
#[must_use]
pub fn is_token_id(text: &str) -> bool {
    text.len() == 2 * ID_BYTES && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// A token as somebody shows it.
#[derive(Clone)]
pub struct Presented {
    id: String,
    hash: [u8; 32],
}

impl Presented {
    /// Reads a token. Nothing of it is ever shown.
    ///
    /// # Errors
    /// It does not have the form of one.
    pub fn read(text: &str) -> Result<Self, TokenError> {
        let digits = text.strip_prefix(PREFIX).ok_or(TokenError::Malformed)?;
        let mut bytes = [0; RANDOM_BYTES];
        hex::decode_to_slice(digits, &mut bytes).map_err(|_| TokenError::Malformed)?;
        let (id, secret) = bytes.split_at(ID_BYTES);
        Ok(Self { id: hex::encode(id), hash: Sha256::digest(secret).into() })
    }

    /// The name of the token that it claims to be.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Who shows it. `kept` is the token of that name, if there is one.
    ///
    /// # Errors
    /// See [`TokenError`]; expiry and revocation are told only to who knows the secret.
    pub fn verify(&self, kept: Option<&Token>, now: SystemTime) -> Result<Subject, TokenError> {
        let nothing = [0; 32];
        let hash = kept.map_or(&nothing, |token| &token.hash);
        let is_equal = bool::from(self.hash.ct_eq(hash));
        let token = kept.filter(|token| is_equal && token.id == self.id).ok_or(TokenError::Unknown)?;
        token.check_life(now)?;
        Ok(Subject::Token { operator: token.operator.clone(), id: token.id.clone() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::time::UNIX_EPOCH;

    const HOUR: Duration = Duration::from_secs(3600);

    fn request() -> TokenRequest {
        TokenRequest { operator: "ci".into(), label: "nightly".into(), life: HOUR, created_by: "owner".into() }
    }

    fn issue(random: &[u8; RANDOM_BYTES]) -> (Token, Presented) {
        let (token, secret) = Token::issue(request(), random, UNIX_EPOCH).unwrap();
        (token, Presented::read(secret.expose()).unwrap())
    }

    #[test]
    fn token_proves_its_operator_until_it_expires_or_is_revoked() {
        let (mut token, presented) = issue(&[7; RANDOM_BYTES]);
        let last = UNIX_EPOCH + HOUR - Duration::from_millis(1);
        let subject = Subject::Token { operator: "ci".into(), id: "0707070707070707".into() };
        assert_eq!(presented.verify(Some(&token), last), Ok(subject));
        assert_eq!(presented.verify(Some(&token), UNIX_EPOCH + HOUR), Err(TokenError::Expired));
        token.revoked_at = Some(UNIX_EPOCH);
        assert_eq!(presented.verify(Some(&token), last), Err(TokenError::Revoked));
        assert_eq!(presented.verify(None, last), Err(TokenError::Unknown));
    }

    #[test]
    fn life_and_names_of_tokens_are_bounded() {
        let issue = |change: fn(&mut TokenRequest)| {
            let mut request = request();
            change(&mut request);
            Token::issue(request, &[0; RANDOM_BYTES], UNIX_EPOCH).unwrap_err()
        };
        assert_eq!(issue(|one| one.life = Duration::ZERO), TokenRequestError::Life(Duration::ZERO));
        assert_eq!(issue(|one| one.life = Duration::MAX), TokenRequestError::Life(Duration::MAX));
        assert!(matches!(issue(|one| one.operator = "a:b".into()), TokenRequestError::Operator(_)));
        assert_eq!(issue(|one| one.label = "a\nb".into()), TokenRequestError::Label);
    }

    proptest! {
        #[test]
        fn only_the_whole_secret_opens(random: [u8; 32], more: [u8; 8], bit in 0..RANDOM_BYTES * 8) {
            let mut bytes = [0; RANDOM_BYTES];
            bytes[..32].copy_from_slice(&random);
            bytes[32..].copy_from_slice(&more);
            let (token, presented) = issue(&bytes);
            prop_assert!(presented.verify(Some(&token), UNIX_EPOCH).is_ok());
            bytes[bit / 8] ^= 1 << (bit % 8);
            let (_, other) = issue(&bytes);
            prop_assert_eq!(other.verify(Some(&token), UNIX_EPOCH), Err(TokenError::Unknown));
        }

        #[test]
        fn nothing_kept_or_printed_holds_the_secret(random in proptest::array::uniform32(any::<u8>())) {
            let mut bytes = [1; RANDOM_BYTES];
            bytes[ID_BYTES..].copy_from_slice(&random);
            let (token, secret) = Token::issue(request(), &bytes, UNIX_EPOCH).unwrap();
            let (digits, bytes) = (hex::encode(random), format!("{random:?}"));
            let printed = format!("{token:?} {secret:?} {secret}");
            prop_assert!(!printed.contains(&digits) && !printed.contains(&bytes));
        }

        #[test]
        fn any_text_is_a_token_or_malformed(text in "(mujina_)?[0-9a-fA-F]{70,90}|.{0,100}") {
            let is_one = text.strip_prefix(PREFIX).is_some_and(|digits| digits.len() == 80 && digits.bytes().all(|b| b.is_ascii_hexdigit()));
            prop_assert_eq!(Presented::read(&text).is_ok(), is_one);
        }
    }
}
