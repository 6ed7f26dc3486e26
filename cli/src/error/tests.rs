//! Every code has its exit, and every error says what to do.

use super::*;
use crate::output::Paint;
use mujina_proto::dial::Address;

fn block(error: &CliError) -> String {
    Report { error, goes_on: None, trace_id: None }.text(Paint(false))
}

fn called(failure: Failure) -> CliError {
    CliError::call("change the pools of rig1")(Status::from(failure))
}

#[test]
fn every_grpc_code_has_its_exit_code() {
    let expected = [0, 1, 1, 2, 6, 8, 7, 4, 1, 7, 7, 7, 1, 1, 5, 1, 4];
    for (number, exit) in (0..).zip(expected) {
        let code = Code::from_i32(number);
        assert_eq!(exit_of(code), exit, "{code:?}");
        let error = CliError::call("do it")(Status::new(code, "it is so"));
        assert_eq!(error.exit_code(), exit, "{code:?}");
    }
}

#[test]
fn refused_fields_have_a_line_each() {
    let mut failure = Failure::invalid_field("spec.pool_groups[main].pools[primary].url", "has no key; add one");
    failure
        .problems
        .push(Problem { field: "spec.pool_groups[main].pools[primary].user".into(), reason: "is empty".into() });
    insta::assert_snapshot!(block(&called(failure)), @r"
    error: cannot change the pools of rig1: 2 fields are refused
      spec.pool_groups[main].pools[primary].url: has no key; add one
      spec.pool_groups[main].pools[primary].user: is empty
    hint: nothing was changed; correct the fields and try again
    ");
}

#[test]
fn error_as_json_has_all_that_the_block_has() {
    let failure = Failure::new(Code::Aborted, "ETAG_MISMATCH", "the spec was changed").with("etag", "e2");
    let error = called(failure);
    let report = Report { error: &error, goes_on: Some("the pool goes on"), trace_id: Some("4bf9") };
    let told: serde_json::Value = serde_json::from_str(&report.json()).unwrap();
    insta::assert_json_snapshot!(told, @r#"
    {
      "error": {
        "code": "ABORTED",
        "exitCode": 7,
        "facts": {
          "etag": "e2"
        },
        "fields": [],
        "hint": "somebody else changed it at the same time; look at it and repeat the command",
        "message": "cannot change the pools of rig1: the spec was changed",
        "note": "the pool goes on",
        "reason": "ETAG_MISMATCH",
        "traceId": "4bf9"
      }
    }
    "#);
    insta::assert_snapshot!(report.text(Paint(false)), @r"
    error: cannot change the pools of rig1: the spec was changed
    note: the pool goes on
    hint: somebody else changed it at the same time; look at it and repeat the command
    trace: 4bf9
    ");
}

#[test]
fn errors_of_our_own_have_their_exit_code_and_their_cause() {
    let address = || Address::Unix("/run/a.sock".into());
    let failed = || vec![Problem { field: "rig1".into(), reason: "refused".into() }];
    for (error, code) in [
        (CliError::Usage("no".into()), exit::USAGE),
        (CliError::Dial(DialError::Nobody(address())), exit::UNREACHABLE),
        (CliError::Dial(DialError::Forbidden(address())), exit::AUTH),
        (CliError::Dial(DialError::Late(address(), Duration::from_secs(1))), exit::DEADLINE),
        (CliError::NoService(["/run/c".into(), "/run/m".into()]), exit::UNREACHABLE),
        (CliError::Ended { doing: "watch".into() }, exit::UNREACHABLE),
        (CliError::Deadline(Duration::from_secs(1)), exit::DEADLINE),
        (CliError::Interrupted, exit::INTERRUPTED),
        (CliError::Miners { failed: failed(), of: 2 }, exit::PARTIAL),
        (CliError::Miners { failed: failed(), of: 1 }, exit::FAILURE),
        (CliError::Precondition("no".into()), exit::PRECONDITION),
        (CliError::NotFound("no".into()), exit::NOT_FOUND),
        (CliError::File("/x".into(), io::ErrorKind::NotFound.into()), exit::USAGE),
        (CliError::Output(io::ErrorKind::BrokenPipe.into()), exit::OK),
        (CliError::Output(io::ErrorKind::StorageFull.into()), exit::FAILURE),
    ] {
        assert_eq!(error.exit_code(), code, "{error:?}");
    }
    insta::assert_snapshot!(block(&CliError::File("/x".into(), io::ErrorKind::NotFound.into())), @r"
    error: cannot read /x: entity not found
    hint: check the path and its permissions
    ");
}

#[test]
fn statistics_that_take_too_long_to_read_say_the_way_out() {
    let error = called(Failure::new(Code::ResourceExhausted, "TOO_LONG", "the statistics take too long to read"));
    assert!(
        block(&error).ends_with("\nhint: read less at once: give a shorter time with --since\n"),
        "{}",
        block(&error)
    );
    assert_eq!(error.exit_code(), exit::FAILURE);
}

#[test]
fn what_a_peer_said_cannot_move_the_cursor() {
    let shown = block(&called(Failure::new(Code::Internal, "X", "bad\x1b[2J\nnews")));
    assert!(shown.starts_with("error: cannot change the pools of rig1: badnews\n"), "{shown}");
}

#[test]
fn table_of_exit_codes_in_the_documentation_is_that_of_the_code() {
    let rows = include_str!("../../../docs/mujinactl.md").lines();
    let told: Vec<u8> = rows.filter_map(|row| row.strip_prefix("| ")?.split_once(" |")?.0.parse().ok()).collect();
    let lines = include_str!("../error.rs").lines();
    let constant =
        |line: &str| line.trim().strip_prefix("pub const ")?.split_once(": u8 = ")?.1.strip_suffix(';')?.parse().ok();
    let made: Vec<u8> = lines.filter_map(constant).collect();
    assert_eq!(made.len(), 11);
    assert_eq!(told, made);
}
