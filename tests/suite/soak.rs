//! A short run of what `mujina-soak` does for as long as one likes.

use mujina_testbed::soak::soak;
use std::time::Duration;

#[tokio::test(flavor = "multi_thread")]
async fn books_balance_and_agree_with_the_pool_through_faults() {
    let report = soak(Duration::from_secs(20), 7).await.unwrap();
    assert!(report.faults >= 4 && report.connections >= 2, "{report:?}");
    assert!(report.totals.accepted >= 10, "{report:?}");
}
