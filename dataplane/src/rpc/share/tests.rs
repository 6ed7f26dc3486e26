use super::*;
use crate::rpc::check::fields;
use mujina_core::extranonce::Extranonce;
use mujina_core::{id::ConnectionId, share::ShareOutcome, units::Difficulty};
use std::time::SystemTime;

/// A share of which only the id matters.
fn share(id: u64) -> Arc<Share> {
    Arc::new(Share {
        id: ShareId(id),
        found_at: SystemTime::UNIX_EPOCH,
        pool: "main".parse().unwrap(),
        connection: ConnectionId(1),
        board: "cpu".parse().unwrap(),
        thread: "cpu-0".parse().unwrap(),
        job_id: "".into(),
        header: [0; 80],
        extranonce: Extranonce::default(),
        extranonce_prefix: Extranonce::new(&[3; 4]).unwrap(),
        hash: [0; 32],
        difficulty: Difficulty::try_from(1.0).unwrap(),
        share_difficulty: Difficulty::try_from(1.0).unwrap(),
        share_target: mujina_core::units::ShareTarget::MAX,
        outcome: ShareOutcome::Accepted,
        latency: None,
        trace_id: None,
        block: false,
    })
}

#[test]
fn page_has_a_token_only_while_more_shares_follow() {
    let found = [share(9), share(8), share(7)];
    let first = page(&found, 2, OutcomeFilter::ALL);
    assert_eq!(first.shares.iter().map(|share| share.id).collect::<Vec<_>>(), [9, 8]);
    let next = v1::ListSharesRequest { page_token: first.next_page_token, ..v1::ListSharesRequest::default() };
    assert_eq!(shares_wanted(next).unwrap().before, Some(ShareId(8)));
    for whole in [&found[..2], &found[..1], &[]] {
        let last = page(whole, 2, OutcomeFilter::ALL);
        assert_eq!((last.shares.len(), last.next_page_token.as_str()), (whole.len(), ""));
    }
}

#[test]
fn all_problems_of_a_listing_come_at_once() {
    let bad = v1::ListSharesRequest { page_size: 3, page_token: "x".into(), outcomes: vec![99] };
    assert_eq!(fields(&shares_wanted(bad).unwrap_err()), ["outcomes[0]", "page_token"]);
    assert_eq!(fields(&watch_filter(&v1::WatchSharesRequest { outcomes: vec![0] }).unwrap_err()), ["outcomes[0]"]);
}

#[test]
fn bucket_requests_have_defaults_and_limits() {
    let wanted = |size, wait: Option<Duration>| {
        let wait = wait.map(convert::duration);
        let read = buckets_wanted(v1::ListShareBucketsRequest {
            page_size: size,
            wait,
            ..v1::ListShareBucketsRequest::default()
        });
        read.map(|wanted| (wanted.limit, wanted.wait)).unwrap()
    };
    assert_eq!(wanted(0, None), (360, Duration::ZERO));
    assert_eq!(wanted(9_999, Some(Duration::from_secs(3_600))), (3_600, LONGEST_WAIT));
    let mut bad = v1::ListShareBucketsRequest { database_id: "a\0".into(), ..v1::ListShareBucketsRequest::default() };
    bad.wait.get_or_insert_default().nanos = -5;
    assert_eq!(fields(&buckets_wanted(bad).unwrap_err()), ["database_id", "wait"]);
}

#[test]
fn rejects_are_asked_for_by_pool_or_of_all() {
    let wanted = |page_size, pool: &str| rejects_wanted(v1::ListRejectsRequest { page_size, pool: pool.into() });
    assert_eq!(wanted(0, "").unwrap(), RejectsWanted { limit: 32, pool: None });
    assert_eq!(wanted(999, "main").unwrap(), RejectsWanted { limit: MOST_REJECTS, pool: "main".parse().ok() });
    assert_eq!(fields(&wanted(1, "No Name").unwrap_err()), ["pool"]);
}
