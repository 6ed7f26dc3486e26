//! Tokens of watches: where a reader begins again. One says what its revision counts, and the revision.

use mujina_proto::failure::Failure;

/// Where a watch begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Resume {
    /// With everything.
    Anew,
    /// After this revision.
    After(u64),
    /// With everything, because the token is of another epoch.
    Elsewhere,
}

impl Resume {
    /// What a token of a request says; empty = it has none. Revisions of another `epoch` than this one mean nothing.
    ///
    /// # Errors
    /// It is none that was given by a watch.
    pub(super) fn parse(epoch: &str, token: &str) -> Result<Self, Failure> {
        if token.is_empty() {
            return Ok(Self::Anew);
        }
        let parts = token.rsplit_once(':').and_then(|(epoch, at)| Some((epoch, at.parse::<u64>().ok()?)));
        match parts {
            Some((known, at)) if known == epoch => Ok(Self::After(at)),
            Some(_) => Ok(Self::Elsewhere),
            None => {
                let reason = "is not one that this service gave; begin without a token";
                Err(Failure::invalid_field("resume_token", reason))
            }
        }
    }
}

/// The token of a revision.
pub(super) fn resume_token(epoch: &str, revision: u64) -> String {
    format!("{epoch}:{revision}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn token_is_followed_in_its_own_epoch_alone() {
        let token = resume_token("db.0/op-1", 7);
        assert_eq!(Resume::parse("db.0/op-1", &token).unwrap(), Resume::After(7));
        for other in ["db.1/op-1", "db.0/op-2", ""] {
            assert_eq!(Resume::parse(other, &token).unwrap(), Resume::Elsewhere, "{other}");
        }
        assert_eq!(Resume::parse("db.0/op-1", "").unwrap(), Resume::Anew);
        for garbage in ["x", "db.0/op-1:", "db.0/op-1:-1", "db.0/op-1:18446744073709551616"] {
            let refused = Resume::parse("db.0/op-1", garbage).unwrap_err();
            assert_eq!(refused.problems.first().map(|one| one.field.as_str()), Some("resume_token"), "{garbage}");
        }
    }
}
