//! Whether the service can do its work, found out by doing some of it.

use std::time::{Duration, Instant};

use serde::Serialize;
use sre_orchestrator::SelfTest;
use tokio::sync::Mutex;

use crate::App;

/// How long the answer of the sandbox is kept. Whoever asks more often gets the last one.
const SANDBOX_PERIOD: Duration = Duration::from_secs(5);

/// One thing that must work.
#[derive(Debug, Serialize)]
pub(crate) struct Check {
    pub(crate) name: &'static str,
    pub(crate) ok: bool,
    /// What keeps it from working, in a stable word; details are in the log, because anybody may
    /// ask.
    reason: Option<&'static str>,
}

/// What the last skill that was run for this purpose showed, and when.
#[derive(Default)]
pub(crate) struct SandboxTrial(Mutex<Option<(Instant, Result<(), &'static str>)>>);

/// Every check.
pub(crate) async fn checks(app: &App) -> Vec<Check> {
    let accepting = if app.workers.is_stopping() {
        Err("shutting_down")
    } else {
        Ok(())
    };
    let journal = app
        .journal()
        .probe()
        .await
        .map_err(|error| logged("journal", &error, error.cause().as_str()));
    let store = app
        .store
        .probe()
        .await
        .map_err(|error| logged("store", &error, error.cause().as_str()));
    let log = app
        .registrar
        .log()
        .probe()
        .await
        .map_err(|error| logged("log", &error, error.cause().as_str()));
    vec![
        check("accepting", accepting),
        check("journal", journal),
        check("store", store),
        check("log", log),
        check("disk", has_space(app)),
        check("sandbox", app.sandbox_trial.result(app).await),
    ]
}

fn check(name: &'static str, checked: Result<(), &'static str>) -> Check {
    Check {
        name,
        ok: checked.is_ok(),
        reason: checked.err(),
    }
}

fn logged(name: &str, error: &dyn std::fmt::Display, reason: &'static str) -> &'static str {
    tracing::warn!(check = name, %error, "the service is not ready");
    reason
}

/// Elsewhere nobody is asked: whoever runs the service there watches its disk by other means.
#[cfg(not(unix))]
fn has_space(_: &App) -> Result<(), &'static str> {
    Ok(())
}

#[cfg(unix)]
fn has_space(app: &App) -> Result<(), &'static str> {
    let disk = rustix::fs::statvfs(&app.data_folder)
        .map_err(|error| logged("disk", &error, "io_failed"))?;
    let free = disk.f_bavail.saturating_mul(disk.f_frsize);
    let needed = app.options.free_disk_bytes;
    if free >= needed {
        return Ok(());
    }
    Err(logged(
        "disk",
        &format_args!("{free} bytes are free, {needed} are wanted"),
        "space_low",
    ))
}

impl SandboxTrial {
    /// Runs a tiny skill, or tells what the last run showed. Those who ask meanwhile wait for the
    /// same run.
    async fn result(&self, app: &App) -> Result<(), &'static str> {
        let mut last = self.0.lock().await;
        if let Some((at, result)) = *last
            && at.elapsed() < SANDBOX_PERIOD
        {
            return result;
        }
        let result = match app.acceptance.self_test().await {
            Ok(SelfTest::Passed | SelfTest::Busy) => Ok(()),
            Err(error) => Err(logged("sandbox", &error, "sandbox_failed")),
        };
        *last = Some((Instant::now(), result));
        result
    }
}
