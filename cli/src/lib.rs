//! The operator's hand: `mujinactl` as a library, so that tests and the demo run commands in their own process.
//!
//! [`run`] is one command line from its words to its exit code. [`reconnect`] is the call behind `pool reconnect`, for
//! hosts that want its numbers. Both install nothing global: spans go to whatever dispatcher is current.

mod args;
mod command;
mod complete;
mod config;
mod context;
pub mod error;
mod output;
mod saved;

use args::Args;
use clap::{CommandFactory, Parser};
pub use command::pool::reconnect::{Phase, ReconnectCall, ReconnectReport, reconnect};
pub use config::{Environment, Surroundings};
use context::Context;
use error::Report;
pub use error::{CliError, exit};
use mujina_proto::trace::trace_id;
use output::{Format, Paint};
pub use saved::SavedError;
use serde_json::json;
use std::{
    ffi::{OsStr, OsString},
    future,
    io::Write,
    time::Duration,
};
use tracing::{Instrument, Span, field::Empty, info_span};

/// The words of the command line, for completion of shells.
#[must_use]
pub fn command_line() -> clap::Command {
    Args::command()
}

/// Runs one command line, the program's name first, and says with which code the process would end (see [`exit`]).
///
/// Dropping the future ends the command; what a service was asked to do goes on there.
pub async fn run(
    args: impl IntoIterator<Item = OsString>,
    environment: Environment,
    out: &mut (dyn Write + Send),
    err: &mut (dyn Write + Send),
) -> u8 {
    let words: Vec<OsString> = args.into_iter().collect();
    let Args { global, command } = match Args::try_parse_from(&words) {
        Ok(args) => args,
        Err(error) => return refuse(&error, &words, &environment, out, err),
    };
    let span = root_span(command.name());
    let trace = trace_id(&span);
    let shown_trace = trace.as_deref().filter(|_| global.trace);
    let (format, paint) = (global.output, Paint(environment.styled_errors));
    let limit = global.timeout.or(command.deadline(global.wait));
    let interrupt = environment.interrupt.clone();
    let watches = command.is_watch();

    let way = if command.needs_service() { context::way(&global, &environment) } else { Ok(context::Way::nowhere()) };
    let way = match way {
        Ok(way) => way,
        Err(error) => return fail(&error, None, shown_trace, format, paint, err),
    };
    let mut context = Context::new(global, way, watches, environment, out, err);
    let ended = {
        let work = command::run(command, &mut context).instrument(span.clone());
        tokio::select! {
            biased;
            result = work => result,
            () = interrupt.cancelled() => if watches { Ok(()) } else { Err(CliError::Interrupted) },
            late = expired(limit) => Err(late),
        }
    };
    let goes_on = context.goes_on.take();
    match ended {
        Ok(()) => {
            if let Some(id) = shown_trace {
                context.complain(&match format {
                    Format::Table | Format::Wide => format!("trace: {id}\n"),
                    Format::Json | Format::Yaml => format!("{}\n", json!({ "traceId": id })),
                });
            }
            exit::OK
        }
        Err(error) => {
            drop(context);
            span.record("otel.status_code", "ERROR");
            fail(&error, goes_on.as_deref().filter(|_| error.is_ours()), shown_trace, format, paint, err)
        }
    }
}

/// The span that everything of one command hangs on.
pub(crate) fn root_span(command: &str) -> Span {
    let name = format!("mujinactl {command}");
    info_span!(parent: None, "command.run", otel.name = name, otel.status_code = Empty)
}

async fn expired(limit: Option<Duration>) -> CliError {
    match limit {
        Some(limit) => {
            tokio::time::sleep(limit).await;
            CliError::Deadline(limit)
        }
        None => future::pending().await,
    }
}

fn fail(
    error: &CliError,
    goes_on: Option<&str>,
    trace_id: Option<&str>,
    format: Format,
    paint: Paint,
    err: &mut (dyn Write + Send),
) -> u8 {
    let code = error.exit_code();
    if code != exit::OK {
        let report = Report { error, goes_on, trace_id };
        let block = match format {
            Format::Table | Format::Wide => report.text(paint),
            Format::Json | Format::Yaml => report.json(),
        };
        // There is nobody left to tell.
        let _ = err.write_all(block.as_bytes());
    }
    code
}

/// Help and versions, which are answers, and words that clap does not understand.
fn refuse(
    error: &clap::Error,
    words: &[OsString],
    environment: &Environment,
    out: &mut (dyn Write + Send),
    err: &mut (dyn Write + Send),
) -> u8 {
    let styled = if error.use_stderr() { environment.styled_errors } else { environment.styled };
    let text = if styled { error.render().ansi().to_string() } else { error.render().to_string() };
    if !error.use_stderr() {
        // A reader that went away has seen what it wanted.
        let _ = out.write_all(text.as_bytes());
        return exit::OK;
    }
    if wants_objects(words) {
        let text = error.render().to_string();
        let usage = CliError::Usage(text.trim().trim_start_matches("error: ").to_owned());
        return fail(&usage, None, None, Format::Json, Paint(false), err);
    }
    let _ = err.write_all(text.as_bytes());
    exit::USAGE
}

/// Whether words that were not understood still ask for answers that a machine reads.
fn wants_objects(words: &[OsString]) -> bool {
    let objects = ["json", "yaml"].map(OsStr::new);
    let glued = ["-ojson", "-o=json", "--output=json", "-oyaml", "-o=yaml", "--output=yaml"].map(OsStr::new);
    let apart = |pair: &[OsString]| match pair {
        [flag, value] => (flag == "-o" || flag == "--output") && objects.contains(&value.as_os_str()),
        _ => false,
    };
    words.windows(2).any(apart) || words.iter().any(|word| glued.contains(&word.as_os_str()))
}
