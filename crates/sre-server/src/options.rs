//! The knobs of the service.

use std::time::Duration;

/// How the service behaves towards its clients.
#[derive(Debug, Clone)]
pub struct ServerOptions {
    /// Connections at once. Default 1024.
    pub connections_limit: usize,
    /// Longest request body, in bytes. Default 48 MiB: the largest package as base64, and an input.
    pub body_limit_bytes: usize,
    /// Memory for bodies longer than 64 KiB and for JSON values that take more than that, all of
    /// them together, in bytes; and as much again for answers longer than 64 KiB. One token may
    /// hold half.
    ///
    /// Default 256 MiB.
    pub bodies_limit_bytes: usize,
    /// How long a connection may wait for its next request. Default 75 s: longer than the minute
    /// that proxies and load balancers keep theirs, so that the client is the one to close it.
    pub idle_time_limit: Duration,
    /// How long the head of a request may take from its first byte. Default 10 s.
    pub head_time_limit: Duration,
    /// How long the body of a request may take in all. Default 30 s.
    pub body_time_limit: Duration,
    /// How long a client may read nothing of an answer. Default 30 s.
    pub write_time_limit: Duration,
    /// Longest `?wait=`. Default 60 s.
    pub wait_limit: Duration,
    /// Requests per second of one token, on average. Default 10,000.
    pub rate_limit_per_second: f64,
    /// Event streams at once. Default 512.
    pub streams_limit: usize,
    /// Verifications at once, each of which runs a skill. Default 8.
    pub verifications_limit: usize,
    /// Free disk space below which the service is not ready, in bytes. Default 256 MiB.
    pub free_disk_bytes: u64,
}

impl Default for ServerOptions {
    fn default() -> Self {
        Self {
            connections_limit: 1024,
            body_limit_bytes: 48 << 20,
            bodies_limit_bytes: 256 << 20,
            idle_time_limit: Duration::from_secs(75),
            head_time_limit: Duration::from_secs(10),
            body_time_limit: Duration::from_secs(30),
            write_time_limit: Duration::from_secs(30),
            wait_limit: Duration::from_secs(60),
            rate_limit_per_second: 10_000.0,
            streams_limit: 512,
            verifications_limit: 8,
            free_disk_bytes: 256 << 20,
        }
    }
}
