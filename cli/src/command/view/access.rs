//! Roles, tokens of operators, and the payout list.

use super::clean;
use crate::output::{Cell, Paint, Table, Tone, clock};
use mujina_proto::{
    control::v1::{
        Binding, CanIResponse, CreateOperatorTokenResponse, GetPayoutGuardResponse, OperatorToken, PayoutEntry,
        PayoutProposal, ProposePayoutChangeResponse, WhoAmIResponse,
    },
    convert::time,
};
use std::time::SystemTime;

/// A row a binding.
pub(crate) fn bindings(bindings: &[Binding], paint: Paint) -> String {
    if bindings.is_empty() {
        return "nobody has a role; give one with `mujinactl access binding add`\n".into();
    }
    let mut table = Table::new(&["ID", "WHO", "ROLE", "FOR MINERS WITH"]);
    for one in bindings {
        let selector = if one.selector.is_empty() { "(all)" } else { &one.selector };
        table.row([
            (&one.binding_id).into(),
            Cell::new(&one.subject, Tone::Strong),
            (&one.role).into(),
            selector.into(),
        ]);
    }
    table.render(paint)
}

/// A new token.
pub(crate) fn new_operator_token(answer: &CreateOperatorTokenResponse) -> String {
    let token = answer.token.clone().unwrap_or_default();
    format!(
        "{}\n\nit is shown once; whoever has it is {} until {}: `mujinactl login URL --token-file FILE`\n",
        clean(&answer.text),
        clean(&token.operator),
        clock(time(token.expires_at)),
    )
}

/// A row a token.
pub(crate) fn operator_tokens(tokens: &[OperatorToken], now: SystemTime, paint: Paint) -> String {
    if tokens.is_empty() {
        return "there is no token; make one with `mujinactl access token create`\n".into();
    }
    let mut table = Table::new(&["ID", "OPERATOR", "STATE", "EXPIRES", "LABEL", "BY"]);
    for token in tokens {
        let (state, tone) = if token.revoked_at.is_some() {
            ("revoked", Tone::Dim)
        } else if time(token.expires_at).is_some_and(|at| at <= now) {
            ("expired", Tone::Dim)
        } else {
            ("good", Tone::Good)
        };
        table.row([
            (&token.token_id).into(),
            Cell::new(&token.operator, Tone::Strong),
            Cell::new(state, tone),
            clock(time(token.expires_at)).into(),
            (&token.label).into(),
            Cell::new(&token.created_by, Tone::Dim),
        ]);
    }
    table.render(paint)
}

/// The payout list, and what waits.
pub(crate) fn payout_guard(guard: &GetPayoutGuardResponse, paint: Paint) -> String {
    let GetPayoutGuardResponse { enabled, entries: list, version, proposals } = guard;
    let mut text = if *enabled {
        format!("pools and accounts outside this list are refused (version {version}):\n{}", entries(list, paint))
    } else {
        "off: every pool and account may be written; `mujinactl access payout propose -f FILE` begins a list\n".into()
    };
    for proposal in proposals {
        text.push_str(&format!("\n{}", waiting(proposal, paint)));
    }
    text
}

fn entries(entries: &[PayoutEntry], paint: Paint) -> String {
    let mut table = Table::new(&["POOL", "ACCOUNT", "PINS"]);
    for PayoutEntry { url, user, tls_pins } in entries {
        table.row([Cell::new(url, Tone::Strong), user.into(), tls_pins.join(",").into()]);
    }
    table.render(paint)
}

fn waiting(proposal: &PayoutProposal, paint: Paint) -> String {
    let PayoutProposal { proposal_id, proposed_by, proposed_at: _, entries: list, turn_off, expires_at } = proposal;
    let what = if *turn_off {
        "wants no list any more\n".into()
    } else {
        format!("wants this list:\n{}", entries(list, paint))
    };
    format!(
        "proposal {} of {}, to be approved by another admin until {}, {what}",
        clean(proposal_id),
        clean(proposed_by),
        clock(time(*expires_at)),
    )
}

/// What became of a proposal.
pub(crate) fn proposed(answer: &ProposePayoutChangeResponse) -> String {
    match &answer.proposal {
        None => "the list is in force\n".into(),
        Some(proposal) => format!(
            "waits for another admin until {}: `mujinactl access payout approve {}`\n",
            clock(time(proposal.expires_at)),
            clean(&proposal.proposal_id)
        ),
    }
}

/// Who the caller is.
pub(crate) fn who(answer: &WhoAmIResponse, paint: Paint) -> String {
    let mut table = Table::new(&["MAY", "FOR MINERS WITH"]);
    for grant in &answer.permissions {
        let all = grant.selectors.is_empty() || grant.selectors.iter().any(String::is_empty);
        let selectors = if all { "(all)".into() } else { grant.selectors.join(" or ") };
        table.row([Cell::new(&grant.permission, Tone::Strong), selectors.into()]);
    }
    format!("{}\n{}", clean(&answer.detail), table.render(paint))
}

/// Whether something is allowed.
pub(crate) fn allowed(answer: &CanIResponse) -> String {
    let word = if answer.allowed { "yes" } else { "no" };
    if answer.reason.is_empty() { format!("{word}\n") } else { format!("{word}: {}\n", clean(&answer.reason)) }
}
