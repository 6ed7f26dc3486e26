//! Lists that come in pages, read until there is enough.

use mujina_proto::{
    control::v1::{
        AuditRecord, Enrollment, Event, IssuedCertificate, ListAuditRecordsResponse, ListCertificatesResponse,
        ListEnrollmentsResponse, ListEventsResponse, ListMinersResponse, ListOperationsResponse, ListRolloutsResponse,
        Miner, Operation, Rollout,
    },
    dataplane::v1::{ListChipsResponse, ListSharesResponse},
    types::v1::{Chip, Share},
};
use std::mem::take;
use tonic::Response;

/// Rows asked for at a time: the most there are in an answer.
const PAGE: u32 = 1000;

/// A page of a list.
pub(crate) trait Page: Default {
    type Row;

    fn rows(&mut self) -> &mut Vec<Self::Row>;
    /// What the next page is asked for with; empty = there is none.
    fn next(&mut self) -> &mut String;
}

/// Joins pages until there are `limit` rows, or no more. `fetch` takes the size of a page and its token.
pub(crate) async fn read<P: Page, E, F: Future<Output = Result<Response<P>, E>>>(
    limit: u32,
    mut fetch: impl FnMut(u32, String) -> F,
) -> Result<P, E> {
    let (mut all, mut left) = (P::default(), limit);
    while left > 0 {
        let mut page = fetch(left.min(PAGE), take(all.next())).await?.into_inner();
        left = left.saturating_sub(u32::try_from(page.rows().len()).unwrap_or(u32::MAX));
        all.rows().append(page.rows());
        *all.next() = take(page.next());
        if all.next().is_empty() {
            break;
        }
    }
    Ok(all)
}

macro_rules! pages {
    ($($page:ty { $rows:ident: $row:ty })*) => {$(
        impl Page for $page {
            type Row = $row;

            fn rows(&mut self) -> &mut Vec<$row> {
                &mut self.$rows
            }

            fn next(&mut self) -> &mut String {
                &mut self.next_page_token
            }
        }
    )*};
}

pages! {
    ListAuditRecordsResponse { records: AuditRecord }
    ListCertificatesResponse { certificates: IssuedCertificate }
    ListChipsResponse { chips: Chip }
    ListEnrollmentsResponse { enrollments: Enrollment }
    ListEventsResponse { events: Event }
    ListMinersResponse { miners: Miner }
    ListOperationsResponse { operations: Operation }
    ListRolloutsResponse { rollouts: Rollout }
    ListSharesResponse { shares: Share }
}
