//! How a local store can be configured.

use std::time::Duration;

/// How a [`LocalStore`](crate::LocalStore) behaves.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct LocalStoreOptions {
    /// Blobs up to this size go into the database, larger ones into files of their own. Default 64
    /// KiB.
    pub small_limit_bytes: u64,
    /// Larger blobs are refused, when putting and when reading. Default 256
    /// MiB.
    pub blob_limit_bytes: u64,
    /// Digests remembered as durable, so that putting the same skill or input again costs nothing
    /// (about 100 bytes each). Default 65,536; 0 turns it off.
    pub known_limit_digests: usize,
    /// How long a write waits for one of another process that shares the folder. Default 10 s.
    pub busy_timeout: Duration,
}

impl Default for LocalStoreOptions {
    fn default() -> Self {
        Self {
            small_limit_bytes: 64 << 10,
            blob_limit_bytes: 256 << 20,
            known_limit_digests: 1 << 16,
            busy_timeout: Duration::from_secs(10),
        }
    }
}
