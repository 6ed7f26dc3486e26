//! Short runs of what `mujina-soak` does for as long as one likes.

use mujina_dataplane::simulate::BoardKind;
use mujina_testbed::{
    board_soak::{BoardSoakPlan, soak_boards},
    soak::soak,
};
use std::{process::Command, time::Duration};

#[tokio::test(flavor = "multi_thread")]
async fn books_balance_and_agree_with_the_pool_through_faults() {
    let report = soak(Duration::from_secs(20), 7).await.unwrap();
    assert!(report.faults >= 4 && report.connections >= 2, "{report:?}");
    assert!(report.totals.accepted >= 10, "{report:?}");
}

#[test]
fn boards_come_through_their_troubles_and_nothing_is_leaked() {
    // Threads and descriptors are counted: that takes a process without other tests.
    let mut command = Command::new(std::env::current_exe().unwrap());
    let played = command.args(["--ignored", "--exact", "--nocapture", ALONE]).output().unwrap();
    let said = [played.stdout, played.stderr].map(|said| String::from_utf8_lossy(&said).into_owned()).join("\n");
    assert!(played.status.success() && said.contains("1 passed"), "{said}");
}

const ALONE: &str = "soak::boards_alone";

#[tokio::test(flavor = "multi_thread")]
#[ignore = "runs in a process of its own: `boards_come_through_their_troubles_and_nothing_is_leaked`"]
async fn boards_alone() {
    let plan = BoardSoakPlan {
        boards: vec![BoardKind::BitaxeGamma, BoardKind::EmberOne, BoardKind::BitaxeGamma, BoardKind::BitaxeSupra],
        lasts: Duration::from_secs(150),
        left_alone: Duration::from_secs(2),
        seed: 7,
        ..BoardSoakPlan::default()
    };
    let report = soak_boards(&plan).await.unwrap();
    println!("{report}");
    assert!(report.troubles.values().sum::<u64>() >= 4, "{report}");
    assert!(report.totals.accepted >= 10 && report.pool.connections >= 1, "{report}");
}
