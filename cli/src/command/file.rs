//! Answers that go into a file, or to standard output: whole at its place, or not there.

use crate::{context::Context, error::CliError};
use std::{
    fs::{self, File},
    io::Write,
    path::{Path, PathBuf},
};

/// Where an answer goes.
pub(crate) enum Sink {
    /// Standard output.
    Out,
    /// A file that gets its name when it is whole.
    File {
        /// Being written.
        file: File,
        /// Where it is meanwhile.
        part: PathBuf,
        /// Where it will be.
        path: PathBuf,
    },
}

impl Sink {
    /// Opens it.
    pub(crate) fn open(to: Option<&Path>) -> Result<Self, CliError> {
        let Some(path) = to else { return Ok(Self::Out) };
        let mut name = path.as_os_str().to_owned();
        name.push(".part");
        let part = PathBuf::from(name);
        let file = File::create(&part).map_err(|error| CliError::File(part.clone(), error))?;
        Ok(Self::File { file, part, path: path.into() })
    }

    /// Adds bytes.
    pub(crate) fn write(&mut self, bytes: &[u8], context: &mut Context<'_>) -> Result<(), CliError> {
        match self {
            Self::Out => context.print_bytes(bytes),
            Self::File { file, part, .. } => file.write_all(bytes).map_err(|error| CliError::File(part.clone(), error)),
        }
    }

    /// Puts it in its place.
    pub(crate) fn finish(self) -> Result<(), CliError> {
        let Self::File { file, part, path } = self else { return Ok(()) };
        let placed = file.sync_all().and_then(|()| fs::rename(&part, &path));
        placed.map_err(|error| CliError::File(path, error))
    }
}
