//! Whether the service can do its work, found out by doing some of it.

use serde::Serialize;

use crate::service::Service;

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
    let sandbox = service
        .sandbox_test
        .result(&service.acceptance)
        .await
        .map_err(|error| logged("sandbox", &error, "sandbox_failed"));
    vec![
        check("accepting", accepting),
        check("journal", journal),
        check("store", store),
        check("log", log),
        check("disk", has_space(service)),
        check("sandbox", sandbox),
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
