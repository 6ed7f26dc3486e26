//! The proof that a miner works: a share accepted on the connection that its threads hash for. Pure.

use serde::{Deserialize, Serialize};

/// The ledger of the connection that the threads of a miner hash for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LiveLedger {
    /// Boot of the miner, within which connections are numbered.
    pub boot_id: String,
    /// The connection.
    pub connection: u64,
    /// Shares of it that the pool counted.
    pub accepted: u64,
}

/// Whether a share was accepted since `before` was read, on the connection that is live now. Shares that an older
/// connection still gets answered prove nothing of the new one.
#[must_use]
pub fn has_new_share(before: Option<&LiveLedger>, now: Option<&LiveLedger>) -> bool {
    let Some(now) = now else { return false };
    let is_same = is_same_connection(before, Some(now));
    let counted = before.filter(|_| is_same).map_or(0, |before| before.accepted);
    now.accepted > counted
}

/// Whether two ledgers are of one connection.
#[must_use]
pub fn is_same_connection(one: Option<&LiveLedger>, other: Option<&LiveLedger>) -> bool {
    let connection = |ledger: &LiveLedger| (ledger.boot_id.clone(), ledger.connection);
    one.is_some() && one.map(connection) == other.map(connection)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ledger(boot: &str, connection: u64, accepted: u64) -> LiveLedger {
        LiveLedger { boot_id: boot.into(), connection, accepted }
    }

    #[test]
    fn only_a_share_of_the_live_connection_since_then_is_proof() {
        let before = ledger("a", 3, 10);
        for (now, proves) in [
            (None, false),
            (Some(ledger("a", 3, 10)), false),
            (Some(ledger("a", 3, 11)), true),
            (Some(ledger("a", 4, 0)), false),
            (Some(ledger("a", 4, 1)), true),
            (Some(ledger("b", 3, 0)), false),
            (Some(ledger("b", 3, 1)), true),
        ] {
            assert_eq!(has_new_share(Some(&before), now.as_ref()), proves, "{now:?}");
        }
        assert!(has_new_share(None, Some(&ledger("a", 1, 1))));
    }
}
