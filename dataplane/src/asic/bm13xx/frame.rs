//! Frames of responses in a stream of bytes that may be anything.
//!
//! A response is `AA 55`, six or eight bytes, and a byte of type and checksum; it says nothing of its length. The stream may
//! begin within one, and bytes are lost, flipped and invented. Hence the rule: *wherever a preamble begins, an intact frame
//! counts*, also within what looked like another. So neither garbage nor a cut frame ever costs the frame behind it. The
//! price is a frame too many when a frame's own bytes look like another with a right checksum, which happens about once in a
//! million frames and fails when its nonce is hashed.

use super::{crc, response::Response};

/// How long responses are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResponseForm {
    /// 9 bytes: BM1397, and others as they come out of reset.
    Short,
    /// 11 bytes: once the chip rolls versions.
    Long,
}

impl ResponseForm {
    /// Bytes of a frame.
    #[must_use]
    pub fn len(self) -> usize {
        match self {
            Self::Short => 9,
            Self::Long => 11,
        }
    }

    /// Never: a frame has bytes.
    #[must_use]
    pub fn is_empty(self) -> bool {
        false
    }
}

/// First byte of every response.
const FIRST: u8 = 0xaa;
/// Second byte of every response.
const SECOND: u8 = 0x55;

/// Finds responses. The caller keeps the bytes; what is not consumed is to be offered again with what comes after it, and is
/// never more than 10 bytes.
#[derive(Debug, Clone)]
pub struct Decoder {
    form: ResponseForm,
    errors: LineErrors,
    /// Bytes ahead that belong to a frame which was counted already, good or bad.
    counted: usize,
    /// Whether that frame was good.
    within_good: bool,
}

/// What was wrong with the bytes of a line.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LineErrors {
    /// Frames with a wrong checksum or of an unknown type.
    pub bad_frames: u64,
    /// Bytes that belong to no frame, good or bad.
    pub stray_bytes: u64,
}

impl LineErrors {
    /// All of them.
    #[must_use]
    pub fn sum(self) -> u64 {
        self.bad_frames + self.stray_bytes
    }
}

impl Decoder {
    /// A decoder at the beginning of a stream.
    #[must_use]
    pub fn new(form: ResponseForm) -> Self {
        Self { form, errors: LineErrors::default(), counted: 0, within_good: false }
    }

    /// What was wrong so far.
    #[must_use]
    pub fn errors(&self) -> LineErrors {
        self.errors
    }

    /// The bytes that were kept were thrown away, for example because the rate of the line changes.
    pub fn restart(&mut self) {
        self.counted = 0;
    }

    /// Takes the next response from the front of `bytes`; `None` when there is none in what is left.
    pub fn next(&mut self, bytes: &mut &[u8]) -> Option<Response> {
        loop {
            self.skip(bytes, distance_to_preamble(bytes));
            let found = match self.form {
                ResponseForm::Short => {
                    bytes.first_chunk::<9>().map(|[_, _, body @ ..]| intact(body, Response::of_short))?
                }
                ResponseForm::Long => {
                    bytes.first_chunk::<11>().map(|[_, _, body @ ..]| intact(body, Response::of_long))?
                }
            };
            let length = self.form.len();
            let Some((response, may_hold_another)) = found else {
                self.bad(length);
                self.skip(bytes, 1);
                continue;
            };
            self.counted = length;
            self.within_good = true;
            let next = if may_hold_another { 1 + bytes.get(1..length).map_or(0, distance_to_preamble) } else { length };
            self.skip(bytes, next);
            return Some(response);
        }
    }

    /// Counts a bad frame that begins here, unless it only looked like one within a good one.
    fn bad(&mut self, length: usize) {
        if self.counted > 0 && self.within_good {
            return;
        }
        self.errors.bad_frames += 1;
        self.counted = length;
        self.within_good = false;
    }

    fn skip(&mut self, bytes: &mut &[u8], count: usize) {
        let stray = count.saturating_sub(self.counted);
        self.errors.stray_bytes += u64::try_from(stray).unwrap_or(u64::MAX);
        self.counted = self.counted.saturating_sub(count);
        *bytes = bytes.get(count..).unwrap_or_default();
    }
}

/// The response, if the checksum is right and the type is known, and whether another may begin within it.
fn intact<const N: usize>(body: &[u8; N], read: impl Fn(&[u8; N]) -> Option<Response>) -> Option<(Response, bool)> {
    if !crc::is_intact(body) {
        return None;
    }
    let may_hold_another = body.iter().fold(false, |found, byte| found | (*byte == FIRST));
    read(body).map(|response| (response, may_hold_another))
}

/// Bytes before the first preamble, or before what may become one.
fn distance_to_preamble(bytes: &[u8]) -> usize {
    let mut from = 0;
    while let Some(rest) = bytes.get(from..)
        && let Some(at) = rest.iter().position(|byte| *byte == FIRST)
    {
        match rest.get(at + 1) {
            Some(&SECOND) | None => return from + at,
            Some(_) => from += at + 1,
        }
    }
    bytes.len()
}

#[cfg(test)]
mod tests;
