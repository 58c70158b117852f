//! Whether the service can do its work, found out by doing some of it.

use std::time::{Duration, Instant};

use serde::Serialize;
use sre_orchestrator::SelfTest;
use tokio::sync::Mutex;

use crate::service::Service;

/// How long the result of the sandbox test is kept, however often it is asked for.
const SANDBOX_PERIOD: Duration = Duration::from_secs(5);

/// One thing that must work.
#[derive(Debug, Serialize)]
pub struct ReadinessCheck {
    /// What must work.
    pub name: &'static str,
    /// Whether it does.
    pub ok: bool,
    /// What keeps it from working, in a stable word. Details are in the log of diagnostics only: this
    /// is answered without a token.
    pub reason: Option<&'static str>,
}

/// The result of the last test, and when it was made.
#[derive(Default)]
pub(crate) struct SandboxTest(Mutex<Option<(Instant, Result<(), &'static str>)>>);

impl Service {
    /// Whether the service can do its work, found out by doing some of it.
    pub async fn readiness(&self) -> Vec<ReadinessCheck> {
        checks(self).await
    }
}

/// Every check.
async fn checks(service: &Service) -> Vec<ReadinessCheck> {
    let accepting = if service.workers.is_stopping() {
        Err("shutting_down")
    } else {
        Ok(())
    };
    let journal = service
        .journal()
        .probe()
        .await
        .map_err(|error| logged("journal", &error, error.cause().as_str()));
    let store = service
        .store
        .probe()
        .await
        .map_err(|error| logged("store", &error, error.cause().as_str()));
    let log = service
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
        check("disk", has_space(service)),
        check("sandbox", service.sandbox_test.result(service).await),
    ]
}

fn check(name: &'static str, checked: Result<(), &'static str>) -> ReadinessCheck {
    ReadinessCheck {
        name,
        ok: checked.is_ok(),
        reason: checked.err(),
    }
}

fn logged(name: &str, error: &dyn std::fmt::Display, reason: &'static str) -> &'static str {
    tracing::warn!(check = name, %error, "the service is not ready");
    reason
}

/// Not checked on this platform; the operator watches the disk by other means.
#[cfg(not(unix))]
fn has_space(_: &Service) -> Result<(), &'static str> {
    Ok(())
}

#[cfg(unix)]
fn has_space(service: &Service) -> Result<(), &'static str> {
    let disk = rustix::fs::statvfs(&service.data_folder)
        .map_err(|error| logged("disk", &error, "io_failed"))?;
    let free = disk.f_bavail.saturating_mul(disk.f_frsize);
    let needed = service.limits.free_disk_bytes;
    if free >= needed {
        return Ok(());
    }
    Err(logged(
        "disk",
        &format_args!("{free} bytes are free, {needed} are wanted"),
        "space_low",
    ))
}

impl SandboxTest {
    /// Runs a tiny skill, or returns the result of the last run. Concurrent callers wait for the same
    /// run.
    async fn result(&self, service: &Service) -> Result<(), &'static str> {
        let mut last = self.0.lock().await;
        if let Some((at, result)) = *last
            && at.elapsed() < SANDBOX_PERIOD
        {
            return result;
        }
        let result = match service.acceptance.self_test().await {
            Ok(SelfTest::Passed | SelfTest::Busy) => Ok(()),
            Err(error) => Err(logged("sandbox", &error, "sandbox_failed")),
        };
        *last = Some((Instant::now(), result));
        result
    }
}
