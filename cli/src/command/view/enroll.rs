//! Tokens, enrolments and certificates.

use super::{clean, labels_of};
use crate::output::{Cell, Paint, Table, Tone, clock, word};
use mujina_proto::{
    control::v1::{CreateEnrollTokenResponse, EnrollToken, Enrollment, EnrollmentDecision, IssuedCertificate},
    convert::time,
};
use std::time::SystemTime;

/// A new token, and what to do with it.
pub(crate) fn new_enroll_token(answer: &CreateEnrollTokenResponse, address: &str) -> String {
    let token = answer.token.clone().unwrap_or_default();
    let text = clean(&answer.text);
    let approval = if token.needs_approval { "; then approve it with `mujinactl enroll approve`" } else { "" };
    let url = if address.starts_with("https://") { address } else { "https://HOST:PORT" };
    format!(
        "{text}\n\nup to {} miners may enrol with it until {}. Run on each{approval}:\n  mujina-dataplane enroll {url} {text}\n\
         It shows the fingerprint of the authority; it must be\n  {}\n",
        token.uses,
        clock(time(token.expires_at)),
        clean(&answer.authority_fingerprint),
    )
}

/// A row a token.
pub(crate) fn enroll_tokens(tokens: &[EnrollToken], now: SystemTime, paint: Paint) -> String {
    if tokens.is_empty() {
        return "there is no token; make one with `mujinactl enroll token create`\n".into();
    }
    let mut table = Table::new(&["ID", "STATE", ">LEFT", ">OF", "APPROVAL", "EXPIRES", "LABELS", "BY"]);
    for token in tokens {
        let (state, tone) = if token.revoked_at.is_some() {
            ("revoked", Tone::Dim)
        } else if time(token.expires_at).is_some_and(|at| at <= now) {
            ("expired", Tone::Dim)
        } else if token.uses_left == 0 {
            ("used up", Tone::Dim)
        } else {
            ("good", Tone::Good)
        };
        table.row([
            Cell::new(&token.token_id, Tone::Strong),
            Cell::new(state, tone),
            token.uses_left.into(),
            token.uses.into(),
            if token.needs_approval { "needed" } else { "" }.into(),
            clock(time(token.expires_at)).into(),
            labels_of(&token.labels).into(),
            Cell::new(&token.created_by, Tone::Dim),
        ]);
    }
    table.render(paint)
}

/// A row an enrolment.
pub(crate) fn enrollments(enrollments: &[Enrollment], paint: Paint) -> String {
    if enrollments.is_empty() {
        return "no miner has asked\n".into();
    }
    let mut table = Table::new(&[">NO", "MINER", "STATE", "ASKED", "FROM", "KEY", "LABELS", "REASON"]);
    for one in enrollments {
        let tone = match one.decision() {
            EnrollmentDecision::Approved => Tone::Good,
            EnrollmentDecision::Pending => Tone::Warn,
            EnrollmentDecision::Refused => Tone::Bad,
            EnrollmentDecision::Unspecified => Tone::Dim,
        };
        table.row([
            one.number.into(),
            Cell::new(&one.miner, Tone::Strong),
            Cell::new(word(one.decision().as_str_name(), "ENROLLMENT_DECISION"), tone),
            clock(time(one.asked_at)).into(),
            (&one.source).into(),
            (&one.key_fingerprint).into(),
            labels_of(&one.labels).into(),
            Cell::new(&one.reason, Tone::Dim),
        ]);
    }
    table.render(paint)
}

/// A row a certificate.
pub(crate) fn certificates(certificates: &[IssuedCertificate], now: SystemTime, paint: Paint) -> String {
    if certificates.is_empty() {
        return "no certificate was issued\n".into();
    }
    let mut table = Table::new(&["SERIAL", "OF", "NAME", "STATE", "UNTIL", "BY"]);
    for one in certificates {
        let (state, tone) = if one.revoked {
            ("revoked", Tone::Bad)
        } else if time(one.not_after).is_some_and(|at| at <= now) {
            ("expired", Tone::Dim)
        } else {
            ("valid", Tone::Good)
        };
        table.row([
            (&one.serial).into(),
            (&one.kind).into(),
            Cell::new(&one.name, Tone::Strong),
            Cell::new(state, tone),
            clock(time(one.not_after)).into(),
            Cell::new(&one.issued_by, Tone::Dim),
        ]);
    }
    table.render(paint)
}
