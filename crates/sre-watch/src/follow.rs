//! Looking at a log once, or again and again.

use std::time::Duration;

use crate::error::WatchError;
use crate::options::WatchOptions;
use crate::state::State;
use crate::watcher::Watcher;

/// Looks once, checks what is new and delivers it. Returns how far the watcher has come, and how
/// many deliveries wait.
///
/// # Errors
/// [`WatchError`].
pub async fn look_once(options: &WatchOptions) -> Result<(State, usize), WatchError> {
    let mut watcher = Watcher::open(options).await?;
    let waiting = watcher.round().await?;
    Ok((watcher.state().clone(), waiting))
}

/// Looks, checks and delivers, with a pause of `period` in between, until it is dropped. Trouble
/// that may pass is logged and tried again.
///
/// # Errors
/// [`WatchError`], where it does not pass: a log that misbehaves, a folder that cannot be used.
pub async fn follow(
    options: &WatchOptions,
    period: Duration,
) -> Result<std::convert::Infallible, WatchError> {
    let (mut watcher, mut has_looked) = (None, false);
    loop {
        match round(options, &mut watcher).await {
            Ok(()) => has_looked = true,
            Err(error) if !error.is_transient(has_looked) => return Err(error),
            Err(error) => {
                tracing::warn!(%error, "the executor cannot be followed; trying again")
            }
        }
        tokio::time::sleep(period).await;
    }
}

async fn round<'a>(
    options: &'a WatchOptions,
    watcher: &mut Option<Watcher<'a>>,
) -> Result<(), WatchError> {
    // The executor may be away when this node starts.
    let watcher = match watcher {
        Some(watcher) => watcher,
        None => watcher.insert(Watcher::open(options).await?),
    };
    watcher.round().await.map(drop)
}
