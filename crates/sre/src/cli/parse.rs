//! From the words of the command line and the environment to a [`Cli`], and what is said where they
//! do not make one.

use std::ffi::OsString;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::parser::ValueSource;
use clap::{ArgMatches, Command, CommandFactory, Error, FromArgMatches};

use super::{Cli, Format};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::report;
use sre_core::ErrorCode;

/// Flags that mean nothing without another one. They are refused on the command line only:
/// `requires` of clap would also refuse a line that says nothing of them, because a variable is set
/// that other commands need.
const NEEDS: [(&str, &str); 4] = [
    ("token_file", "from"),
    ("native_without", "allow_native"),
    ("native_root", "allow_native"),
    ("native_warm", "allow_native"),
];

/// Reads the command line. Help and version are printed here.
///
/// # Errors
/// How the process ends instead, everything being said.
pub fn parse() -> Result<Cli, Exit> {
    let words: Vec<OsString> = std::env::args_os().collect();
    read(&words).map_err(|error| {
        let is_answer = matches!(
            error.kind(),
            ErrorKind::DisplayHelp | ErrorKind::DisplayVersion
        );
        if !is_answer && asks_for_json(&words) {
            let text = error.to_string();
            let detail = text.trim_start_matches("error: ").trim_end();
            report(&Failure::new(ErrorCode::Usage, detail), Format::Json);
        } else {
            // A closed standard error is not a failure of its own.
            drop(error.print());
        }
        if is_answer {
            Exit::Success
        } else {
            Exit::Usage
        }
    })
}

fn read(words: &[OsString]) -> Result<Cli, Error> {
    let mut matches = Cli::command()
        .try_get_matches_from(words)
        .map_err(|error| explained(error, words))?;
    if let Some((flag, needed)) = unmet(&matches) {
        let detail = format!(
            "--{} is for --{} only",
            flag.replace('_', "-"),
            needed.replace('_', "-")
        );
        return Err(asked(&matches).error(ErrorKind::MissingRequiredArgument, detail));
    }
    Cli::from_arg_matches_mut(&mut matches).map_err(|error| error.format(&mut Cli::command()))
}

/// The same error about the line as it was typed: clap counts what the environment gives as typed,
/// and would show it as if it were required. Hidden commands are left out.
fn explained(error: Error, words: &[OsString]) -> Error {
    if matches!(
        error.kind(),
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion
    ) {
        return error;
    }
    let typed = without_environment(Cli::command()).try_get_matches_from(words);
    let mut error = match typed {
        Err(typed) if typed.kind() == error.kind() => typed,
        _ => error,
    };
    if let Some(ContextValue::Strings(mut names)) = error.remove(ContextKind::SuggestedSubcommand) {
        let command = Cli::command();
        names.retain(|name| {
            !command
                .find_subcommand(name)
                .is_some_and(Command::is_hide_set)
        });
        if !names.is_empty() {
            error.insert(
                ContextKind::SuggestedSubcommand,
                ContextValue::Strings(names),
            );
        } else if matches!(error.get(ContextKind::Suggested), Some(ContextValue::StyledStrs(none)) if none.is_empty())
        {
            // It would leave an empty line.
            error.remove(ContextKind::Suggested);
        }
    }
    error
}

fn without_environment(command: Command) -> Command {
    command
        .mut_args(|arg| arg.env(None))
        .mut_subcommands(without_environment)
}

/// A flag on the command line that lacks the one it is for.
fn unmet(matches: &ArgMatches) -> Option<(&'static str, &'static str)> {
    let mut matches = matches;
    while let Some((_, below)) = matches.subcommand() {
        matches = below;
    }
    let knows = |name| matches.try_contains_id(name).is_ok();
    let is_typed = |name| matches.value_source(name) == Some(ValueSource::CommandLine);
    let is_given = |name| match matches.try_get_one::<bool>(name) {
        Ok(flag) => flag.is_some_and(|flag| *flag),
        Err(_) => matches.value_source(name).is_some(),
    };
    NEEDS
        .into_iter()
        .find(|(flag, needed)| knows(flag) && knows(needed) && is_typed(flag) && !is_given(needed))
}

/// The command that a line asks for.
fn asked(matches: &ArgMatches) -> Command {
    let (mut command, mut matches) = (Cli::command(), matches);
    command.build();
    while let Some((name, below)) = matches.subcommand() {
        let Some(found) = command.find_subcommand(name) else {
            break;
        };
        (command, matches) = (found.clone(), below);
    }
    command
}

/// Whether these arguments ask for JSON, when they cannot be parsed.
fn asks_for_json(arguments: &[OsString]) -> bool {
    let is_pair = |pair: &[OsString]| pair[0] == "--format" && pair[1] == "json";
    arguments.iter().any(|argument| argument == "--format=json")
        || arguments.windows(2).any(is_pair)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::NEEDS;

    #[test]
    fn the_definitions_are_consistent() {
        super::Cli::command().debug_assert();
    }

    #[test]
    fn flags_that_need_another_exist() {
        let mut command = super::Cli::command();
        command.build();
        for (flag, needed) in NEEDS {
            let has = |command: &clap::Command, name| {
                command.get_arguments().any(|found| found.get_id() == name)
            };
            let both = command
                .get_subcommands()
                .any(|command| has(command, flag) && has(command, needed));
            assert!(both, "no command has {flag} and {needed}");
        }
    }
}
