//! One SQLite file, one writer thread, one fsync for all writes that wait.
//!
//! An fsync costs as much as thousands of inserts. So writes are not committed one by one: while
//! the writer waits for the disk, further writes queue up, and the next transaction takes all of
//! them (up to [`batch_limit_jobs`](GroupCommitOptions::batch_limit_jobs)). Each caller waits for
//! the commit its write is part of, and no longer.
//!
//! ```text
//! write(job) ─┐                       ┌ BEGIN IMMEDIATE
//! write(job) ─┼─▶ bounded queue ─▶ writer thread: job, job, job, each in a savepoint
//! write(job) ─┘                       └ COMMIT (the one fsync) ─▶ answers
//! reader()   ───▶ pooled connections, which see every answered write
//! ```
//!
//! Invariants:
//! - An answer is sent after the commit, never before; a job that failed left nothing behind.
//! - A failing or panicking job does not harm its neighbours: in a batch of several, each runs in a
//!   savepoint of its own. Rejected: running without, and repeating the batch with savepoints after
//!   an error. Ten interleaved pairs of runs (puts of 4 small blobs, 64 in flight) showed no
//!   difference above the noise, and jobs would have to be repeatable.
//! - When the transaction itself fails (disk full, commit refused), each job of it gets the cause,
//!   and the next batch starts afresh.
//!
//! Crash behaviour: a process that dies before the commit leaves nothing, one that dies after it
//! has stored everything, answered or not; so callers make their writes repeatable. SQLite repairs
//! the file at the next open by itself (WAL, `synchronous=FULL`), whichever process opens it.
//! Several processes may share the file: transactions of different processes wait for one another
//! up to [`busy_timeout`](GroupCommitOptions::busy_timeout).
//!
//! A file that is moved, replaced or deleted while it is open is noticed before the next answer,
//! which is then an error ([`WriteError::Moved`]). [`DatabaseFile::save_copy`] rescues its content,
//! and a database beside such a copy cannot be opened.
//!
//! On disk: `application_id` names the program, `user_version` counts the migrations applied; the
//! file has mode 0600, its `-wal` and `-shm` inherit that. This crate knows nothing of the tables.

mod batch_window;
mod checkpoint;
mod copy;
mod error;
mod file;
mod file_identity;
mod handle;
mod job;
mod open;
mod options;
mod reader;
mod writer;

pub use copy::refuse_beside_copy;
pub use error::{OpenError, ReadError, WriteError, is_transient, sqlite_cause};
pub use file::DatabaseFile;
pub use handle::{GroupCommit, GroupCommitStats};
pub use options::GroupCommitOptions;
pub use reader::Reader;
