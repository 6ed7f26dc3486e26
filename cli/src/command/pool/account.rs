//! What the words of a command say of a pool. Passwords come from a file or from standard input, never from an argument,
//! where every process could read them.

use crate::{
    args::{self, Part, Password, PoolAccount, Strategy},
    context::Context,
    error::CliError,
};
use mujina_core::text::Secret;
use mujina_proto::types::v1::{PoolOptions, PoolSpec, PoolStrategy};
use std::path::Path;

/// The pool of this name that the arguments describe. A password that was not said is kept by the service.
pub(super) async fn pool(
    context: &mut Context<'_>,
    account: PoolAccount,
    name: &str,
    part: Part,
) -> Result<PoolSpec, CliError> {
    let PoolAccount { url, user, password: from, options: said } = account;
    Ok(PoolSpec {
        name: name.to_owned(),
        url,
        user,
        password: password(context, &from).await?,
        quota: part.quota.unwrap_or_default(),
        options: options(said),
        ..PoolSpec::default()
    })
}

/// The password, if one was given.
pub(super) async fn password(context: &mut Context<'_>, from: &Password) -> Result<Option<String>, CliError> {
    let Password { password_file, password_stdin } = from;
    let from = if *password_stdin { Some(Path::new("-")) } else { password_file.as_deref() };
    match from {
        Some(path) => Ok(Some(first_line(&context.read(path).await?, path)?.expose().to_owned())),
        None => Ok(None),
    }
}

/// The options, if any was given.
pub(super) fn options(said: args::PoolOptions) -> Option<PoolOptions> {
    let args::PoolOptions {
        worker_name,
        tls_pin,
        authority_key,
        redirect_host,
        wide_version_rolling,
        no_extranonce_subscribe,
        no_suggest_difficulty,
    } = said;
    let options = PoolOptions {
        worker_name,
        wide_version_rolling,
        authority_keys: authority_key,
        tls_pins: tls_pin,
        redirect_hosts: redirect_host,
        no_extranonce_subscribe,
        no_suggest_difficulty,
    };
    (options != PoolOptions::default()).then_some(options)
}

pub(super) fn strategy(strategy: Strategy) -> PoolStrategy {
    match strategy {
        Strategy::Failover => PoolStrategy::Failover,
        Strategy::Quota => PoolStrategy::Quota,
    }
}

/// The only line, without its end.
fn first_line(text: &str, path: &Path) -> Result<Secret, CliError> {
    let mut lines = text.lines();
    let line = lines.next().unwrap_or_default();
    if lines.next().is_some() {
        let place = if path == Path::new("-") { "standard input".into() } else { path.display().to_string() };
        return Err(CliError::Usage(format!("{place} has more than one line; give the password alone")));
    }
    Ok(Secret::from(line))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn password_is_the_only_line() {
        let read = |text| first_line(text, Path::new("-"));
        assert_eq!(read("hunter2\n").unwrap().expose(), "hunter2");
        assert_eq!(read(" x y\r\n").unwrap().expose(), " x y");
        assert!(read("").unwrap().is_empty());
        let error = read("hunter2\nhunter3").unwrap_err().to_string();
        assert!(error.contains("more than one line") && !error.contains("hunter"), "{error}");
    }
}
