//! The settings with their types, and the options they stand for.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::Duration;

use serde::Deserialize;
use sre_core::{Backend, ErrorCode};
use sre_journal::Backoff;
use sre_orchestrator::{AddressPolicy, Network, Schedule, WorkerOptions};
use sre_server::ServerOptions;
use sre_service::ServiceLimits;

use crate::failure::Failure;

/// Everything that can be set; `default.toml` says what each means.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// `[server]`
    pub server: Server,
    /// `[workers]`
    pub workers: Workers,
    /// `[callbacks]`
    pub callbacks: Callbacks,
    /// `[receipts]`
    pub receipts: ReceiptSettings,
    /// `[retention]`
    pub retention: Retention,
    /// `[telemetry]`
    pub telemetry: Telemetry,
}

/// `[server]`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Server {
    pub listen: SocketAddr,
    pub tokens: String,
    pub connections_limit: usize,
    pub body_limit_bytes: usize,
    pub bodies_limit_bytes: usize,
    pub head_time_limit_seconds: f64,
    pub idle_time_limit_seconds: f64,
    pub body_time_limit_seconds: f64,
    pub write_time_limit_seconds: f64,
    pub rate_limit_per_second: f64,
    pub streams_limit: usize,
    pub verifications_limit: usize,
    pub blob_limit_bytes: u64,
    pub uploads_limit: usize,
    pub free_disk_bytes: u64,
    pub grace_seconds: f64,
}

/// `[workers]`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Workers {
    pub wasm: usize,
    pub native: usize,
    pub queue_limit_orders: usize,
    pub queue_time_limit_seconds: f64,
    pub backoff_base_seconds: f64,
    pub backoff_cap_seconds: f64,
}

/// `[callbacks]`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Callbacks {
    pub networks: Vec<String>,
    pub ports: Vec<u16>,
    pub delivery_time_limit_seconds: f64,
    pub schedule_seconds: Vec<f64>,
}

/// `[receipts]`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReceiptSettings {
    pub log_period_seconds: f64,
    pub audit_sample: u32,
    pub audit_period_seconds: f64,
}

/// `[retention]`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Retention {
    pub days: f64,
    pub verdicts_days: f64,
}

/// `[telemetry]`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(
    not(feature = "otel"),
    expect(
        dead_code,
        reason = "read by the feature only; known names in any case"
    )
)]
pub struct Telemetry {
    pub traces_endpoint: String,
    pub service_name: String,
    pub sample_ratio: f64,
}

impl Settings {
    /// Whether every value is within its range.
    ///
    /// # Errors
    /// The first that is not, by name.
    pub fn check(&self) -> Result<(), Failure> {
        self.server_options()?;
        self.service_limits()?;
        self.worker_options()?;
        self.backoff()?;
        self.schedule()?;
        self.delivery_time_limit()?;
        self.address_policy()?;
        self.grace()?;
        self.retention()?;
        self.log_period()?;
        self.audit_period()?;
        Ok(())
    }

    /// What the server grants the connections of its clients.
    ///
    /// # Errors
    /// A duration or a count that is invalid.
    pub fn server_options(&self) -> Result<ServerOptions, Failure> {
        let server = &self.server;
        Ok(ServerOptions {
            connections_limit: count("server.connections_limit", server.connections_limit)?,
            body_limit_bytes: server.body_limit_bytes,
            bodies_limit_bytes: server.bodies_limit_bytes.clamp(1, 1 << 40),
            head_time_limit: seconds(
                "server.head_time_limit_seconds",
                server.head_time_limit_seconds,
            )?,
            idle_time_limit: seconds(
                "server.idle_time_limit_seconds",
                server.idle_time_limit_seconds,
            )?,
            body_time_limit: seconds(
                "server.body_time_limit_seconds",
                server.body_time_limit_seconds,
            )?,
            write_time_limit: seconds(
                "server.write_time_limit_seconds",
                server.write_time_limit_seconds,
            )?,
        })
    }

    /// How much callers may ask for.
    ///
    /// # Errors
    /// A number that is invalid.
    pub fn service_limits(&self) -> Result<ServiceLimits, Failure> {
        let server = &self.server;
        let rate = server.rate_limit_per_second;
        if !rate.is_finite() || rate <= 0.0 {
            return Err(invalid(format!(
                "server.rate_limit_per_second must be a number above 0, found {rate}"
            )));
        }
        Ok(ServiceLimits {
            rate_limit_per_second: rate,
            streams_limit: count("server.streams_limit", server.streams_limit)?,
            verifications_limit: count("server.verifications_limit", server.verifications_limit)?,
            blob_limit_bytes: server.blob_limit_bytes,
            uploads_limit: count("server.uploads_limit", server.uploads_limit)?,
            free_disk_bytes: server.free_disk_bytes,
            ..ServiceLimits::default()
        })
    }

    /// How the workers behave.
    ///
    /// # Errors
    /// A duration that is invalid.
    pub fn worker_options(&self) -> Result<WorkerOptions, Failure> {
        let workers = &self.workers;
        let queue_time = seconds(
            "workers.queue_time_limit_seconds",
            workers.queue_time_limit_seconds,
        )?;
        let (wasm, native) = (
            count("workers.wasm", workers.wasm)?,
            count("workers.native", workers.native)?,
        );
        Ok(WorkerOptions {
            concurrency: HashMap::from([(Backend::Wasm, wasm), (Backend::Native, native)]),
            queue_limit_orders: workers.queue_limit_orders,
            queue_time_limit: Some(queue_time),
            ..WorkerOptions::default()
        })
    }

    /// Pauses between attempts.
    ///
    /// # Errors
    /// A duration that is invalid.
    pub fn backoff(&self) -> Result<Backoff, Failure> {
        Ok(Backoff {
            base: seconds(
                "workers.backoff_base_seconds",
                self.workers.backoff_base_seconds,
            )?,
            cap: seconds(
                "workers.backoff_cap_seconds",
                self.workers.backoff_cap_seconds,
            )?,
        })
    }

    /// Pauses between deliveries.
    ///
    /// # Errors
    /// A duration that is invalid.
    pub fn schedule(&self) -> Result<Schedule, Failure> {
        let pauses = self
            .callbacks
            .schedule_seconds
            .iter()
            .map(|pause| seconds("callbacks.schedule_seconds", *pause));
        Ok(Schedule::new(pauses.collect::<Result<_, _>>()?))
    }

    /// How long one delivery of a callback may take.
    ///
    /// # Errors
    /// A duration that is invalid.
    pub fn delivery_time_limit(&self) -> Result<Duration, Failure> {
        seconds(
            "callbacks.delivery_time_limit_seconds",
            self.callbacks.delivery_time_limit_seconds,
        )
    }

    /// Where callbacks may go.
    ///
    /// # Errors
    /// A network that is malformed.
    pub fn address_policy(&self) -> Result<AddressPolicy, Failure> {
        let network = |text: &String| {
            text.parse::<Network>().map_err(|error| {
                Failure::new(
                    ErrorCode::ConfigInvalid,
                    format!("callbacks.networks: {error}"),
                )
            })
        };
        let networks = self
            .callbacks
            .networks
            .iter()
            .map(network)
            .collect::<Result<_, _>>()?;
        Ok(AddressPolicy::new(networks, self.callbacks.ports.clone()))
    }

    /// How long requests and attempts may go on after SIGTERM.
    ///
    /// # Errors
    /// A duration that is invalid.
    pub fn grace(&self) -> Result<Duration, Failure> {
        seconds("server.grace_seconds", self.server.grace_seconds)
    }

    /// How often the log's tree grows.
    ///
    /// # Errors
    /// A duration that is invalid, or longer than a second.
    pub fn log_period(&self) -> Result<Duration, Failure> {
        let name = "receipts.log_period_seconds";
        let period = seconds(name, self.receipts.log_period_seconds)?;
        if period <= Duration::from_secs(1) {
            return Ok(period);
        }
        Err(Failure::new(
            ErrorCode::ConfigInvalid,
            format!("{name} must be at most 1, found {}", period.as_secs_f64()),
        ))
    }

    /// How often a sample is audited.
    ///
    /// # Errors
    /// A duration that is invalid.
    pub fn audit_period(&self) -> Result<Duration, Failure> {
        seconds(
            "receipts.audit_period_seconds",
            self.receipts.audit_period_seconds,
        )
    }

    /// How long orders are kept.
    ///
    /// # Errors
    /// A duration that is invalid.
    pub fn retention(&self) -> Result<sre_journal::RetentionPolicy, Failure> {
        Ok(sre_journal::RetentionPolicy {
            age: days("retention.days", self.retention.days)?,
            verdicts_age: days("retention.verdicts_days", self.retention.verdicts_days)?,
        })
    }
}

fn days(name: &str, value: f64) -> Result<Duration, Failure> {
    seconds(name, value * 86_400.0)
}

/// Longest time, in seconds: some three hundred years, which every clock can add to now.
const TIME_LIMIT_SECONDS: f64 = 1e10;
/// Most of anything that is counted.
const COUNT_LIMIT: usize = 1_000_000;

fn seconds(name: &str, value: f64) -> Result<Duration, Failure> {
    let is_time = (0.0..=TIME_LIMIT_SECONDS).contains(&value);
    let time = if is_time {
        Duration::try_from_secs_f64(value).ok()
    } else {
        None
    };
    time.ok_or_else(|| {
        invalid(format!(
            "{name} must be a number from 0 to {TIME_LIMIT_SECONDS:e}, found {value}"
        ))
    })
}

fn count(name: &str, value: usize) -> Result<usize, Failure> {
    if (1..=COUNT_LIMIT).contains(&value) {
        return Ok(value);
    }
    Err(invalid(format!(
        "{name} must lie between 1 and {COUNT_LIMIT}, found {value}"
    )))
}

fn invalid(detail: String) -> Failure {
    Failure::new(ErrorCode::ConfigInvalid, detail)
}
