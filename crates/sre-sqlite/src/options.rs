//! How a database with group commit can be configured.

use std::time::Duration;

/// How a [`GroupCommit`](super::GroupCommit) behaves. Start from [`GroupCommitOptions::new`].
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct GroupCommitOptions {
    /// Written into the file's header; a file with another one is refused. Not zero.
    pub application_id: i32,
    /// Writes that may wait for the writer before [`write`](super::GroupCommit::write) makes its
    /// caller wait. Default 1024, at least 1.
    pub queue_limit_jobs: usize,
    /// Writes in one transaction. Default 256, at least 1.
    pub batch_limit_jobs: usize,
    /// How long a transaction waits for one of another process. Default 10 s.
    pub busy_timeout: Duration,
    /// Read connections kept open while idle; more are opened when more threads read at once.
    /// Default 16.
    pub idle_readers_limit: usize,
    /// The writer's page cache. Default 16 MiB: SQLite walks over all of its slots after each
    /// commit that has split a page, and what it does not hold is in the kernel's cache.
    pub cache_limit_bytes: u64,
}

impl GroupCommitOptions {
    /// The defaults, for the program or part of a program that `application_id` stands for.
    #[must_use]
    pub const fn new(application_id: i32) -> Self {
        Self {
            application_id,
            queue_limit_jobs: 1024,
            batch_limit_jobs: 256,
            busy_timeout: Duration::from_secs(10),
            idle_readers_limit: 16,
            cache_limit_bytes: 16 << 20,
        }
    }
}
