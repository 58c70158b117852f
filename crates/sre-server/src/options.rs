//! The options of the server.

use std::time::Duration;

/// What the server grants the connections of its clients.
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
        }
    }
}
