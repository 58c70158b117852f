//! Read connections, lent one at a time.

use std::mem;
use std::ops::Deref;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rusqlite::Connection;

use crate::error::OpenError;
use crate::file_identity::FileIdentity;
use crate::open::open_reader;
use crate::options::GroupCommitOptions;

/// Idle read connections to one file. Never waits: when none is idle, another is opened, and closed
/// again when it comes back to a full pool.
pub(super) struct Readers {
    path: Arc<Path>,
    identity: FileIdentity,
    options: GroupCommitOptions,
    idle: Mutex<Vec<Connection>>,
}

impl Readers {
    pub(super) fn new(
        path: Arc<Path>,
        identity: FileIdentity,
        options: GroupCommitOptions,
    ) -> Self {
        Self {
            path,
            identity,
            options,
            idle: Mutex::default(),
        }
    }

    pub(super) fn lend(&self) -> Result<Reader<'_>, OpenError> {
        // The last returned comes first: its page cache is the warmest.
        let idle = self
            .idle
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop();
        let connection = match idle {
            Some(connection) => connection,
            None => {
                let opened = open_reader(&self.path, &self.options);
                // Checked before an error is returned: the path may name another file by now.
                self.identity.check()?;
                opened.map_err(OpenError::sqlite(&self.path))?
            }
        };
        Ok(Reader {
            readers: self,
            connection: Some(connection),
        })
    }

    /// A connection that was opened before the file lost its name: only such a one still sees what
    /// the file held. Blocks until one is given back, at most for `patience`.
    pub(super) fn lend_opened(&self, patience: Duration) -> Result<Reader<'_>, OpenError> {
        let deadline = Instant::now() + patience;
        loop {
            let idle = self
                .idle
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .pop();
            if idle.is_some() {
                return Ok(Reader {
                    readers: self,
                    connection: idle,
                });
            }
            if Instant::now() >= deadline {
                return self.lend();
            }
            thread::sleep(Duration::from_millis(2));
        }
    }

    fn take_back(&self, connection: Connection) {
        // A transaction left open would show the next borrower an old state, and keep the log from
        // being emptied.
        if !connection.is_autocommit() {
            return;
        }
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < self.options.idle_readers_limit {
            idle.push(connection);
        } else {
            // Not under the lock: closing a connection is a system call or two.
            drop(idle);
            drop(connection);
        }
    }

    /// Closes the idle connections, so that the writer's is the last and tidies up the log.
    pub(super) fn close(&self) {
        drop(mem::take(
            &mut *self.idle.lock().unwrap_or_else(PoisonError::into_inner),
        ));
    }
}

/// A borrowed read connection, which returns to its pool when dropped. It sees every write that was
/// answered before its statement (or its transaction) began, and refuses to write.
pub struct Reader<'a> {
    readers: &'a Readers,
    // Empty only while dropping.
    connection: Option<Connection>,
}

impl Deref for Reader<'_> {
    type Target = Connection;

    #[expect(
        clippy::expect_used,
        reason = "the connection is taken in `drop` alone"
    )]
    fn deref(&self) -> &Connection {
        self.connection
            .as_ref()
            .expect("a reader has its connection until it is dropped")
    }
}

impl Drop for Reader<'_> {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.take() {
            self.readers.take_back(connection);
        }
    }
}

impl std::fmt::Debug for Reader<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reader")
            .field("path", &self.readers.path)
            .finish_non_exhaustive()
    }
}
