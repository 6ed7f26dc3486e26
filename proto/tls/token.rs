//! The text that an operator carries to a new miner: whom to trust, and leave to ask for a certificate.
//!
//! `mujina1.` and 112 characters of base64url (no padding) of 84 bytes:
//!
//! | bytes | |
//! |---|---|
//! | 16 | id: by which the control plane finds the token; no secret |
//! | 32 | fingerprint of the authority's certificate: the first contact trusts no other |
//! | 32 | secret, random |
//! | 4 | begin of the SHA-256 of `mujina1.` and all the above: a text that was cut or mistyped is told at once |

use super::Fingerprint;
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use ring::rand::{SecureRandom, SystemRandom};
use std::{fmt, str::FromStr};

/// Begin of the text; the digit is the version.
const PREFIX: &str = "mujina1.";
/// Bytes of an id.
const ID: usize = 16;
/// Bytes of a secret.
const SECRET: usize = 32;
/// Bytes of the check.
const CHECK: usize = 4;

/// Finds a token in the store; no secret.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TokenId([u8; ID]);

impl TokenId {
    /// The bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; ID] {
        &self.0
    }
}

impl From<[u8; ID]> for TokenId {
    fn from(bytes: [u8; ID]) -> Self {
        Self(bytes)
    }
}

impl fmt::Display for TokenId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for TokenId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TokenId({self})")
    }
}

impl FromStr for TokenId {
    type Err = TokenError;

    fn from_str(text: &str) -> Result<Self, TokenError> {
        let digits: Vec<_> = text.chars().map(|c| c.to_digit(16)).collect::<Option<_>>().ok_or(TokenError::Id)?;
        let bytes = digits.chunks(2).map(|pair| pair.iter().fold(0, |byte, digit| byte << 4 | digit));
        let bytes: Vec<u8> = bytes.map(u8::try_from).collect::<Result<_, _>>().map_err(|_| TokenError::Id)?;
        if digits.len() != 2 * ID {
            return Err(TokenError::Id);
        }
        bytes.try_into().map(Self).map_err(|_| TokenError::Id)
    }
}

/// Leave to enrol.
#[derive(Clone, PartialEq, Eq)]
pub struct Token {
    authority: Fingerprint,
    id: TokenId,
    secret: [u8; SECRET],
}

/// Why a text is no token. Says nothing of the secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Another begin.
    #[error("is no token of this version; it must begin with `{PREFIX}`")]
    Prefix,
    /// Not the characters or the length of one.
    #[error("is not whole; copy all {} characters", PREFIX.len() + 112)]
    Cut,
    /// The check does not fit.
    #[error("has a mistyped character; copy it again")]
    Mistyped,
    /// Not an id.
    #[error("is no id of a token; write the {} hex digits that the list of tokens shows", 2 * ID)]
    Id,
    /// The system gives no random numbers.
    #[error("the system gives no random numbers; check /dev/urandom")]
    Random,
}

impl Token {
    /// Makes a token for those who shall trust this authority.
    ///
    /// # Errors
    /// The system gives no random numbers.
    pub fn generate(authority: Fingerprint) -> Result<Self, TokenError> {
        let (mut id, mut secret) = ([0; ID], [0; SECRET]);
        let random = SystemRandom::new();
        random.fill(&mut id).and_then(|()| random.fill(&mut secret)).map_err(|_| TokenError::Random)?;
        Ok(Self { authority, id: TokenId(id), secret })
    }

    /// The authority that the first contact must have.
    #[must_use]
    pub const fn authority(&self) -> Fingerprint {
        self.authority
    }

    /// By which the control plane finds it.
    #[must_use]
    pub const fn id(&self) -> TokenId {
        self.id
    }

    /// All that the control plane keeps of the secret. A plain digest is enough: 256 random bits cannot be guessed.
    #[must_use]
    pub fn secret_hash(&self) -> [u8; 32] {
        *Fingerprint::of(&self.secret).as_bytes()
    }

    /// The text, with the secret.
    #[must_use]
    pub fn expose(&self) -> String {
        let Self { authority, id, secret } = self;
        let mut bytes = [&id.0[..], authority.as_bytes(), secret].concat();
        bytes.extend(check(&bytes));
        format!("{PREFIX}{}", BASE64_URL_SAFE_NO_PAD.encode(bytes))
    }
}

/// Without the secret.
impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Token({}, ***)", self.id)
    }
}

impl FromStr for Token {
    type Err = TokenError;

    fn from_str(text: &str) -> Result<Self, TokenError> {
        let encoded = text.trim().strip_prefix(PREFIX).ok_or(TokenError::Prefix)?;
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(encoded).map_err(|_| TokenError::Cut)?;
        let (id, rest) = bytes.split_first_chunk::<ID>().ok_or(TokenError::Cut)?;
        let (authority, rest) = rest.split_first_chunk::<32>().ok_or(TokenError::Cut)?;
        let (secret, rest) = rest.split_first_chunk::<SECRET>().ok_or(TokenError::Cut)?;
        let found: [u8; CHECK] = rest.try_into().map_err(|_| TokenError::Cut)?;
        let token = Self { authority: (*authority).into(), id: TokenId(*id), secret: *secret };
        let checked = bytes.strip_suffix(&found).unwrap_or_default();
        if check(checked) == found { Ok(token) } else { Err(TokenError::Mistyped) }
    }
}

fn check(bytes: &[u8]) -> [u8; CHECK] {
    let digest = Fingerprint::of(&[PREFIX.as_bytes(), bytes].concat());
    let [a, b, c, d, ..] = *digest.as_bytes();
    [a, b, c, d]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn token_comes_back_as_it_was_and_hides_its_secret() {
        let token = Token::generate(Fingerprint::of(b"authority")).unwrap();
        let text = token.expose();
        assert_eq!(text.len(), 120);
        assert_eq!(format!(" {text}\n").parse(), Ok(token.clone()));
        assert_eq!(token.id().to_string().parse(), Ok(token.id()));
        let debug = format!("{token:?}");
        assert_eq!(debug, format!("Token({}, ***)", token.id()));
        let other = Token::generate(Fingerprint::of(b"authority")).unwrap();
        assert!(other.id() != token.id() && other.secret_hash() != token.secret_hash());
    }

    #[test]
    fn every_cut_and_every_changed_character_is_found_without_asking_anybody() {
        let text = Token::generate(Fingerprint::of(b"authority")).unwrap().expose();
        for length in 0..text.len() {
            assert!(text[..length].parse::<Token>().is_err(), "{length}");
        }
        for at in 0..text.len() {
            let changed = if text.as_bytes()[at] == b'A' { "B" } else { "A" };
            let mistyped = format!("{}{changed}{}", &text[..at], &text[at + 1..]);
            assert!(mistyped.parse::<Token>().is_err(), "{at}");
        }
        assert_eq!(format!("{text}AAAA").parse::<Token>(), Err(TokenError::Cut));
        assert_eq!(text.replace("mujina1", "mujina2").parse::<Token>(), Err(TokenError::Prefix));
        assert_eq!("00".parse::<TokenId>(), Err(TokenError::Id));
        assert_eq!("é".repeat(16).parse::<TokenId>(), Err(TokenError::Id));
    }
}
