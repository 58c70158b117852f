//! Following: looks until it is stopped, or once.

use std::time::Duration;

use sre_core::ErrorCode;
use sre_orchestrator::{DataFolder, Embedded};

use super::report;
use super::state::State;
use super::watcher::Watcher;
use crate::cli::{Global, TrustedRuntime, WatchArgs};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{self, Progress};

/// Follows another node until it is stopped, or once.
///
/// # Errors
/// When the executor cannot be read (with `--once`) or misbehaves, or this node's own folder cannot
/// be used.
pub fn watch(args: &WatchArgs, global: &Global, progress: &Progress) -> Result<Exit, Failure> {
    let folder = global.data_folder()?;
    let mut options = super::super::embedded(global, progress);
    options.trusted_runtimes = args
        .trusted_runtimes
        .iter()
        .map(TrustedRuntime::named)
        .collect();
    let embedded = Embedded::new(folder.clone(), options)?;
    let runtime = super::super::runtime()?;
    let (state, left) = runtime
        .block_on(async {
            tokio::select! {
                ended = follow(args, &folder, &embedded, progress) => ended.map(Some),
                _ = tokio::signal::ctrl_c() => Ok(None),
            }
        })?
        .unwrap_or_default();
    runtime.shutdown_timeout(Duration::from_secs(2));
    progress.clear();
    if !args.once {
        return Ok(Exit::Success);
    }
    output::stdout(report::described(args, &state, left, global.format).as_bytes())?;
    Ok(report::worst(&state).map_or(Exit::Success, Exit::Verdict))
}

/// Looks, checks and delivers; once, or until it is dropped.
async fn follow(
    args: &WatchArgs,
    folder: &DataFolder,
    embedded: &Embedded,
    progress: &Progress,
) -> Result<(State, usize), Failure> {
    let (mut watcher, mut has_looked) = (None, false);
    loop {
        let round = async {
            if watcher.is_none() {
                watcher = Some(Watcher::open(args, folder, embedded, progress).await?);
            }
            match &mut watcher {
                Some(watcher) => watcher
                    .round()
                    .await
                    .map(|left| (watcher.state().clone(), left)),
                None => Ok(Default::default()),
            }
        };
        match round.await {
            Ok(done) if args.once => return Ok(done),
            Ok(_) => has_looked = true,
            // A log that misbehaves, or a folder that cannot be used, does not get better.
            Err(failure) if args.once || !is_passing(&failure, has_looked) => return Err(failure),
            Err(failure) => tracing::warn!(
                error = failure.detail,
                "the executor cannot be followed; trying again"
            ),
        }
        tokio::time::sleep(Duration::from_secs_f64(args.period)).await;
    }
}

/// Whether it may be better at the next look. A log that was trusted may have a new key, which is
/// trusted in a moment.
fn is_passing(failure: &Failure, has_looked: bool) -> bool {
    matches!(
        failure.code,
        ErrorCode::ServiceUnreachable | ErrorCode::ReceiptWithheld | ErrorCode::LogUnreadable
    ) || (has_looked && failure.code == ErrorCode::LogUntrusted)
}
