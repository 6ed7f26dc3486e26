//! Reads replies of the management controller.   Source: bitaxe-raw 4.
//!
//! ```text
//! V0   done     LEN = data bytes       | ID | DATA            LEN + 3 in all
//!      failed   LEN = all bytes        | ID | FF | text       FF for ID: the request could not be read; then a bare code
//! V1   done     LEN = all bytes        | ID | 00 | DATA
//!      failed   LEN = all bytes        | ID | code | text
//! ```
//!
//! What is no whole reply to the one request that is open is [`Malformed`]: nothing can be known of the rest of it, so the
//! reader must let the line go quiet before it asks again.

use super::request::{NO_ID, Request};
use std::fmt;

/// Longest reply: one packet.
pub const MOST_REPLY_BYTES: usize = 64;

/// How replies are framed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// All released firmware: lengths mean two things.
    V0,
    /// Provisional: one meaning, and a status.
    V1,
}

impl Protocol {
    /// What a device of this `bcdDevice` speaks: V1 from firmware minor 1 on (the middle digit).
    #[must_use]
    pub fn of_release(release: u16) -> Self {
        if (release >> 4) & 0xF >= 1 { Self::V1 } else { Self::V0 }
    }

    /// The other one.
    #[must_use]
    pub fn other(self) -> Self {
        match self {
            Self::V0 => Self::V1,
            Self::V1 => Self::V0,
        }
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::V0 => "v0",
            Self::V1 => "v1",
        })
    }
}

/// A whole reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply<'a> {
    /// What it says.
    pub answer: Result<&'a [u8], Refusal>,
    /// Bytes that it took.
    pub length: usize,
}

/// The controller did not do it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Defined, and never sent.
    #[error("it took too long")]
    Timeout,
    /// It does not know such a request.
    #[error("it knows no such request")]
    Invalid,
    /// The request has too many bytes.
    #[error("it has no room for the request")]
    Overflow,
    /// It says why. Printable characters of one packet at most.
    #[error("{0}")]
    Text(String),
}

/// Bytes that are no reply to the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// It answers something else.
    #[error("a reply with id {found:#04x} instead of {expected:#04x}")]
    Id {
        /// What it answers.
        found: u8,
        /// What was asked.
        expected: u8,
    },
    /// It has a length that no reply to the request has.
    #[error("a reply of length {0}, which none to that request has")]
    Length(usize),
    /// It has a code that does not exist.
    #[error("a reply with code {0:#04x}, which does not exist")]
    Code(u8),
}

/// Reads the reply to the one request that is open. `None` while it is not all there.
///
/// # Errors
/// These bytes are no such reply, and more of them will not make them one.
pub fn decode<'a>(
    protocol: Protocol,
    request: &Request,
    id: u8,
    bytes: &'a [u8],
) -> Result<Option<Reply<'a>>, Malformed> {
    let [low, high, found, rest @ ..] = bytes else { return Ok(None) };
    let length = usize::from(u16::from_le_bytes([*low, *high]));
    if *found == NO_ID {
        return refused(length, rest);
    }
    if *found != id {
        return Err(Malformed::Id { found: *found, expected: id });
    }
    let data_length = request.reply_length().ok_or(Malformed::Length(length))?;
    match protocol {
        Protocol::V0 if length == data_length => Ok(done(3 + length, rest.get(..length))),
        Protocol::V0 if request.error_length() == Some(length) => match rest {
            [] => Ok(None),
            [0xFF, ..] => refused(length, rest),
            [code, ..] => Err(Malformed::Code(*code)),
        },
        Protocol::V0 => Err(Malformed::Length(length)),
        Protocol::V1 => match rest {
            [] => Ok(None),
            [0, data @ ..] if length == 4 + data_length => Ok(done(length, data.get(..data_length))),
            [0, ..] => Err(Malformed::Length(length)),
            _ => refused(length, rest),
        },
    }
}

fn done(length: usize, data: Option<&[u8]>) -> Option<Reply<'_>> {
    data.map(|data| Reply { answer: Ok(data), length })
}

/// An error of so many bytes in all, of which the first three were read.
fn refused(length: usize, rest: &[u8]) -> Result<Option<Reply<'_>>, Malformed> {
    let told = length.checked_sub(3).filter(|told| (1..=MOST_REPLY_BYTES - 3).contains(told));
    let told = told.ok_or(Malformed::Length(length))?;
    let Some(code) = rest.first() else { return Ok(None) };
    if !matches!(code, 0x10..=0x12 | 0xFF) {
        return Err(Malformed::Code(*code));
    }
    let Some([code, text @ ..]) = rest.get(..told) else { return Ok(None) };
    let refusal = match code {
        0x10 => Refusal::Timeout,
        0x11 => Refusal::Invalid,
        0x12 => Refusal::Overflow,
        _ => Refusal::Text(text.iter().map(|byte| printable(*byte)).collect()),
    };
    Ok(Some(Reply { answer: Err(refusal), length }))
}

fn printable(byte: u8) -> char {
    if byte == b' ' || byte.is_ascii_graphic() { char::from(byte) } else { '.' }
}

#[cfg(test)]
mod tests;
