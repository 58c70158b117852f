//! `sre completions` and `sre man`.

use std::path::Path;

use clap::CommandFactory;
use clap_complete::Shell;
use clap_mangen::Man;

use crate::cli::Cli;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::stdout;
use sre_core::ErrorCode;

/// Prints the completion script of a shell.
///
/// # Errors
/// When it cannot be printed.
pub fn completions(shell: Shell) -> Result<Exit, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "sre", &mut script);
    stdout(&script)?;
    Ok(Exit::Success)
}

/// Prints the manual page, or writes the pages of all commands into a folder.
///
/// # Errors
/// When they cannot be written.
pub fn man(folder: Option<&Path>) -> Result<Exit, Failure> {
    let Some(folder) = folder else {
        let mut page = Vec::new();
        let render = Man::new(Cli::command()).render(&mut page);
        render.map_err(|error| Failure::new(ErrorCode::OutputFailed, error.to_string()))?;
        stdout(&page)?;
        return Ok(Exit::Success);
    };
    std::fs::create_dir_all(folder)
        .and_then(|()| clap_mangen::generate_to(Cli::command(), folder))
        .map_err(|error| {
            Failure::new(
                ErrorCode::OutputFailed,
                format!("cannot write the pages into {}: {error}", folder.display()),
            )
        })?;
    Ok(Exit::Success)
}
