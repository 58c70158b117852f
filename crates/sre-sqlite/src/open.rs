//! Opening a database: the file, whose it is, its schema.
//!
//! Order matters for crashes. The empty file is made first, with its mode, because SQLite would
//! make it readable for others; a process that dies then leaves an empty file, which the next open
//! takes for a new database. All missing migrations run in one transaction together with the
//! version number, so there is no half-migrated state.

use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags, Transaction, TransactionBehavior};

use crate::error::OpenError;
use crate::options::GroupCommitOptions;
use sre_durable::{Disk, OsDisk, folder_of};

/// What is kept of the write-ahead log's file after it has once grown beyond that.
const LOG_LIMIT_BYTES: u32 = 64 << 20;
/// Statements kept prepared in each connection.
const STATEMENT_CACHE: usize = 64;

/// Opens the database, makes it if it is missing, and brings its schema up to date.
pub(super) fn open_writer(
    path: &Path,
    migrations: &'static [&'static str],
    options: &GroupCommitOptions,
) -> Result<Connection, OpenError> {
    create_file(path).map_err(OpenError::io("create", path))?;
    let sqlite = OpenError::sqlite(path);
    let mut connection = connect(path, options).map_err(&sqlite)?;
    // Before anything is changed: a file that is not ours stays as it is.
    applied_migrations(&connection, path, migrations, options)?;
    use_write_ahead_log(&connection, path, options.busy_timeout)?;
    configure_writer(&connection, options).map_err(&sqlite)?;

    let transaction = connection
        .transaction_with_behavior(TransactionBehavior::Immediate)
        .map_err(&sqlite)?;
    // Again under the write lock: another process may have been faster.
    let applied = applied_migrations(&transaction, path, migrations, options)?;
    migrate(
        &transaction,
        &migrations[applied..],
        migrations.len(),
        options,
    )
    .map_err(&sqlite)?;
    transaction.commit().map_err(&sqlite)?;
    Ok(connection)
}

/// Opens a connection that can only read. Not memory-mapped: a read error of a mapped page would
/// end the process (SIGBUS), and one run with 1 GiB mapped, on a busy machine, showed no gain that
/// would be worth it.
pub(super) fn open_reader(
    path: &Path,
    options: &GroupCommitOptions,
) -> rusqlite::Result<Connection> {
    let connection = connect(path, options)?;
    connection.pragma_update(None, "query_only", true)?;
    Ok(connection)
}

pub(super) fn connect(path: &Path, options: &GroupCommitOptions) -> rusqlite::Result<Connection> {
    // No CREATE: the file exists, and one that vanishes must not come back with another mode. No
    // mutex: a connection is used by one thread at a time, which its type ensures.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(options.busy_timeout)?;
    connection.set_prepared_statement_cache_capacity(STATEMENT_CACHE);
    connection.pragma_update(None, "trusted_schema", false)?;
    // A plan stays what it was when it was prepared. Otherwise SQLite, built with STAT4, prepares a
    // cached statement again whenever a value is bound that might have led to another plan: a fifth
    // of what an order cost.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    Ok(connection)
}

fn create_file(path: &Path) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Ok(file) => file.sync_all()?,
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            return if fs::metadata(path)?.is_file() {
                Ok(())
            } else {
                Err(ErrorKind::IsADirectory.into())
            };
        }
        Err(error) => return Err(error),
    }
    OsDisk.sync_dir(folder_of(path))
}

/// How many migrations the file has seen, once it is known to be ours (or empty) and not newer than
/// the program.
fn applied_migrations(
    connection: &Connection,
    path: &Path,
    migrations: &[&str],
    options: &GroupCommitOptions,
) -> Result<usize, OpenError> {
    let sqlite = OpenError::sqlite(path);
    // One snapshot for all questions: another process may be migrating between two of them. Inside
    // the caller's transaction there is one already.
    let snapshot = connection
        .is_autocommit()
        .then(|| connection.unchecked_transaction())
        .transpose()
        .map_err(&sqlite)?;
    let integer = |sql: &str| {
        connection
            .query_row(sql, [], |row| row.get::<_, i64>(0))
            .map_err(&sqlite)
    };
    let application_id = integer("PRAGMA application_id")?;
    let is_empty = integer("SELECT count(*) FROM sqlite_schema")? == 0;
    let is_new = application_id == 0 && is_empty;
    if !is_new && application_id != i64::from(options.application_id) {
        let found = i32::try_from(application_id).unwrap_or_default();
        return Err(OpenError::Foreign {
            path: path.to_path_buf(),
            found,
            expected: options.application_id,
        });
    }
    let found = integer("PRAGMA user_version")?;
    drop(snapshot);
    usize::try_from(found)
        .ok()
        .filter(|applied| *applied <= migrations.len())
        .ok_or_else(|| {
            let supported = i64::try_from(migrations.len()).unwrap_or(i64::MAX);
            OpenError::NewerSchema {
                path: path.to_path_buf(),
                found,
                supported,
            }
        })
}

fn migrate(
    transaction: &Transaction<'_>,
    missing: &[&str],
    version: usize,
    options: &GroupCommitOptions,
) -> rusqlite::Result<()> {
    if missing.is_empty() {
        return Ok(());
    }
    for sql in missing {
        transaction.execute_batch(sql)?;
    }
    transaction.pragma_update(
        None,
        "user_version",
        i64::try_from(version).unwrap_or(i64::MAX),
    )?;
    transaction.pragma_update(None, "application_id", options.application_id)
}

fn use_write_ahead_log(
    connection: &Connection,
    path: &Path,
    patience: Duration,
) -> Result<(), OpenError> {
    let started = Instant::now();
    loop {
        // SQLite does not call its busy handler for this one when two processes switch at once.
        match connection.query_row("PRAGMA journal_mode = WAL", [], |row| {
            row.get::<_, String>(0)
        }) {
            Ok(mode) if mode == "wal" => return Ok(()),
            Ok(mode) => {
                return Err(OpenError::NoWriteAheadLog {
                    path: path.to_path_buf(),
                    mode,
                });
            }
            Err(error)
                if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy)
                    && started.elapsed() < patience =>
            {
                thread::sleep(Duration::from_millis(5));
            }
            Err(error) => return Err(OpenError::sqlite(path)(error)),
        }
    }
}

fn configure_writer(connection: &Connection, options: &GroupCommitOptions) -> rusqlite::Result<()> {
    connection.pragma_update(None, "synchronous", "FULL")?;
    // macOS: fsync alone does not reach the platter there. No effect elsewhere.
    connection.pragma_update(None, "fullfsync", true)?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    // Negative: in KiB instead of pages.
    let cache_kib = i64::try_from(options.cache_limit_bytes / 1024).unwrap_or(i64::MAX);
    connection.pragma_update(None, "cache_size", -cache_kib)?;
    connection.pragma_update(None, "journal_size_limit", LOG_LIMIT_BYTES)
}
