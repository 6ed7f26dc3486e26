//! Passwords: from a file or from standard input, never from an argument, where every process could read them.

use crate::{args::PoolAccount, context::Context, error::CliError};
use mujina_core::text::Secret;
use mujina_proto::types::v1::PoolSpec;
use std::path::Path;

/// The pool of this name that the arguments describe. A password that was not said is kept by the service.
pub(super) async fn pool(context: &mut Context<'_>, account: &PoolAccount, name: &str) -> Result<PoolSpec, CliError> {
    let PoolAccount { url, user, password_file, password_stdin } = account;
    let from = if *password_stdin { Some(Path::new("-")) } else { password_file.as_deref() };
    let password = match from {
        Some(path) => Some(first_line(&context.read(path).await?, path)?),
        None => None,
    };
    Ok(PoolSpec {
        name: name.to_owned(),
        url: url.clone(),
        user: user.clone(),
        password: password.map(|secret| secret.expose().to_owned()),
        ..PoolSpec::default()
    })
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
