//! Writes whose answer was lost: made once more under the same id, which the service answers as it did the first time. And
//! what is known of something that is followed, and the pauses before it is followed again.

use std::{collections::BTreeMap, time::Duration};
use tonic::{Code, Response, Status};

/// Time for a service that restarts to come back.
const PAUSE: Duration = Duration::from_millis(500);

/// A new id for one write.
pub(crate) fn request_id() -> String {
    uuid::Uuid::new_v4().to_string()
}

/// Makes a call, and once more when the service went away meanwhile. The call must carry a request id.
pub(crate) async fn once_more<T, C, F>(call: C) -> Result<T, Status>
where
    C: Fn() -> F + Send,
    F: Future<Output = Result<Response<T>, Status>> + Send,
    T: Send,
{
    let answer = match call().await {
        Err(status) if crate::error::code_of(&status) == Code::Unavailable => {
            tokio::time::sleep(PAUSE).await;
            call().await
        }
        answer => answer,
    };
    answer.map(Response::into_inner)
}

/// How long a restart of the control plane may take while something is followed. About six seconds in all.
const RETRIES_MS: [u64; 5] = [200, 400, 800, 1600, 3200];
/// What was followed for this long was followed well: the next interruption is another one.
const GOOD_STRETCH: Duration = Duration::from_secs(30);

/// The pauses of one interruption.
pub(crate) struct Retries(std::array::IntoIter<u64, 5>);

impl Default for Retries {
    fn default() -> Self {
        Self(RETRIES_MS.into_iter())
    }
}

impl Retries {
    /// The pause after something was followed for so long; `None` = it was tried often enough.
    pub(crate) fn after(&mut self, followed: Duration) -> Option<Duration> {
        if followed >= GOOD_STRETCH {
            *self = Self::default();
        }
        self.0.next().map(Duration::from_millis)
    }
}

/// What was told of the targets of something that is followed, also before an interruption.
pub(crate) struct Known<T> {
    targets: BTreeMap<String, T>,
    resume_token: String,
}

impl<T> Default for Known<T> {
    fn default() -> Self {
        Self { targets: BTreeMap::new(), resume_token: String::new() }
    }
}

impl<T: Clone> Known<T> {
    /// Where to follow it from; empty = from the begin.
    pub(crate) fn resume_token(&self) -> String {
        self.resume_token.clone()
    }

    /// Takes a message: all targets in a snapshot, else those that changed. Gives all of them, in order of their names.
    pub(crate) fn take(
        &mut self,
        snapshot: bool,
        resume_token: String,
        targets: Vec<T>,
        name: impl Fn(&T) -> String,
    ) -> Vec<T> {
        if snapshot {
            self.targets.clear();
        }
        self.resume_token = resume_token;
        self.targets.extend(targets.into_iter().map(|target| (name(&target), target)));
        self.targets.values().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_known_over_an_interruption_until_a_snapshot_says_otherwise() {
        let mut known = Known::default();
        let name = |target: &(&str, u32)| target.0.to_owned();
        assert_eq!(known.resume_token(), "");
        assert_eq!(known.take(true, "t1".into(), vec![("b", 0), ("a", 0)], name), [("a", 0), ("b", 0)]);
        assert_eq!(known.take(false, "t2".into(), vec![("b", 1)], name), [("a", 0), ("b", 1)]);
        assert_eq!(known.resume_token(), "t2");
        assert_eq!(known.take(true, "t3".into(), vec![("a", 2)], name), [("a", 2)]);
    }

    #[test]
    fn only_interruptions_without_a_good_stretch_between_them_are_counted_together() {
        let mut retries = Retries::default();
        for _ in RETRIES_MS {
            assert!(retries.after(Duration::from_secs(1)).is_some());
        }
        assert_eq!(retries.after(Duration::from_secs(29)), None);
        for _ in 0..20 {
            assert_eq!(retries.after(GOOD_STRETCH), Some(Duration::from_millis(200)));
        }
    }
}
