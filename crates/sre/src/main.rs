//! `sre`: runs skills, commits to what they did, replays and checks them. The command line over the
//! workspace's crates.
//!
//! The rooms: `cli` says which commands and flags there are, `commands` does what they ask,
//! `config` holds the service's settings, `client` talks to a service, `receipts` holds what a data
//! folder signs and keeps, `telemetry` sends traces, `output` writes for people and programs,
//! `exit` and `failure` say how a command ends. Standard output is data; everything else goes to
//! standard error. Nothing here decides what a result is: that is `sre-orchestrator`'s and
//! `sre-verify`'s.

mod cli;
mod commands;
mod config;
mod exit;
mod failure;
mod files;
mod logging;
mod output;
mod receipts;
mod telemetry;

use std::process::ExitCode;

fn main() -> ExitCode {
    // The launcher of jails is this program, started again. It must be alone in its process, so
    // this comes first.
    #[cfg(target_os = "linux")]
    sre_sandbox::native::enter_if_asked();

    let cli = match cli::parse() {
        Ok(cli) => cli,
        Err(ended) => return ended.into(),
    };
    // With `-v` the log says more than a spinner.
    let wants_spinner = !cli.global.quiet && cli.global.verbose == 0;
    let progress = output::Progress::new(wants_spinner);
    logging::start(&cli.global, &progress);
    let format = cli.global.format;
    let ended = commands::dispatch(cli, &progress);
    progress.clear();
    match ended {
        Ok(exit) => exit.into(),
        Err(failure) => {
            output::report(&failure, format);
            failure.exit.into()
        }
    }
}
