//! The chips of a board, page by page.

use super::read_board;
use crate::rpc::check::{Checks, Refused, page_size};
use mujina_core::{board::BoardReport, id::BoardId, spec::Problems};
use mujina_proto::dataplane::v1;

/// Chips of a page, when nothing is said and at most.
const CHIPS: (u32, u32) = (256, 1024);

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    pub(super) board: BoardId,
    limit: usize,
    /// Chips of earlier pages.
    skip: usize,
}

pub(super) fn read(request: v1::ListChipsRequest) -> Result<Wanted, Refused> {
    let v1::ListChipsRequest { board_id, page_size: size, page_token } = request;
    let mut checks = Checks::default();
    let board = read_board(&mut checks, &board_id);
    let skip = token(&mut checks, &board_id, &page_token);
    checks.done()?;
    let board = board.ok_or_else(|| Refused(Problems(Vec::new())))?;
    Ok(Wanted { board, limit: page_size(size, CHIPS.0, CHIPS.1), skip })
}

/// Where the next page begins: the board, which it holds for, and the place in its chain.
fn token(checks: &mut Checks, board_id: &str, token: &str) -> usize {
    if token.is_empty() {
        return 0;
    }
    let place = token.rsplit_once('/').filter(|(of, _)| *of == board_id).and_then(|(_, place)| place.parse().ok());
    place.unwrap_or_else(|| {
        checks.refuse("page_token", "is of no earlier answer for this board; send one unchanged, or none to begin");
        0
    })
}

pub(super) fn page(report: &BoardReport, wanted: &Wanted) -> v1::ListChipsResponse {
    let Wanted { board, limit, skip } = wanted;
    let end = skip.saturating_add(*limit);
    let chips = report.chips.iter().skip(*skip).take(*limit).map(Into::into).collect();
    let next_page_token = if end < report.chips.len() { format!("{board}/{end}") } else { String::new() };
    v1::ListChipsResponse { chips, next_page_token }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rpc::{board::tests::gamma, check::fields};

    fn request(board: &str, page_size: u32, page_token: &str) -> v1::ListChipsRequest {
        v1::ListChipsRequest { board_id: board.into(), page_size, page_token: page_token.into() }
    }

    #[test]
    fn pages_follow_one_another_up_to_the_last_chip() {
        let mut board = gamma();
        let chip = board.chips[0].clone();
        board.chips = (0..5).map(|index| mujina_core::board::ChipReport { index, ..chip.clone() }).collect();
        let (mut seen, mut token) = (Vec::new(), String::new());
        loop {
            let page = page(&board, &read(request("gamma-1", 2, &token)).unwrap());
            assert!(page.chips.len() <= 2);
            seen.extend(page.chips.iter().map(|chip| chip.index));
            token = page.next_page_token;
            if token.is_empty() {
                break;
            }
        }
        assert_eq!(seen, [0, 1, 2, 3, 4]);
        let all = page(&board, &read(request("gamma-1", 0, "")).unwrap());
        assert_eq!((all.chips.len(), all.next_page_token.as_str()), (5, ""));
    }

    #[test]
    fn token_of_another_board_is_refused_together_with_a_bad_id() {
        assert_eq!(fields(&read(request("gamma-1", 2, "gamma-2/2")).unwrap_err()), ["page_token"]);
        assert_eq!(fields(&read(request("No Board", 2, "x")).unwrap_err()), ["board_id", "page_token"]);
    }
}
