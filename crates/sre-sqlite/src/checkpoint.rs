//! Moving the write-ahead log into the file, while the writer works.
//!
//! A checkpoint of a large file writes pages all over it and waits for the disk. SQLite runs its
//! own checkpoints in the middle of a commit, and every caller waits. Here a thread with a
//! connection of its own does nearly all of the work while the writer goes on. The writer moves the
//! little that it has added meanwhile itself, between two transactions: only when everything is
//! moved does the log start again instead of growing.
//!
//! Nothing here decides what is durable: commits are in the log, synced, before they are answered.
//! A process that dies during a checkpoint leaves a log that the next open reads.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rusqlite::Connection;

use crate::open::connect;
use crate::options::GroupCommitOptions;

/// Pages (4 KiB each) in the log before the thread begins.
const BEGIN_PAGES: u32 = 1000;
/// What the thread may leave to the writer.
const REST_PAGES: u32 = 100;
/// Rounds of the thread, each over what was added during the last one.
const ROUNDS: usize = 4;
/// Pages at which the writer waits for the thread, which does not keep up, and moves the rest.
const LIMIT_PAGES: u32 = 16_000;
/// Pause before another thread is tried where none could be made, or it had no connection.
const RETRY_PAUSE: Duration = Duration::from_secs(1);
/// How often the writer looks whether the thread is done.
const POLL_INTERVAL: Duration = Duration::from_millis(1);

/// The writer's side.
pub(super) struct Checkpoints {
    path: PathBuf,
    options: GroupCommitOptions,
    state: Arc<State>,
    thread: Option<(SyncSender<()>, JoinHandle<()>)>,
    /// When a thread was given up.
    given_up: Option<Instant>,
}

#[derive(Default)]
struct State {
    /// Pages in the log after the last commit.
    log_pages: AtomicU32,
    /// The thread works, or is about to.
    is_busy: AtomicBool,
    /// The thread has left the rest to the writer.
    is_moved: AtomicBool,
}

impl Checkpoints {
    /// For the writer's connection, which makes none by itself any more.
    pub(super) fn of(
        connection: &mut Connection,
        path: &Path,
        options: &GroupCommitOptions,
    ) -> rusqlite::Result<Self> {
        let state = Arc::<State>::default();
        let log = Arc::clone(&state);
        // Replaces SQLite's own checkpoints.
        connection.wal_hook(Some(move |_: &mut rusqlite::hooks::Wal, pages| {
            log.log_pages
                .store(u32::try_from(pages).unwrap_or(0), Ordering::Relaxed);
            Ok(())
        }))?;
        Ok(Self {
            path: path.to_path_buf(),
            options: options.clone(),
            state,
            thread: None,
            given_up: None,
        })
    }

    /// To be called after a batch was answered. `is_idle`: no job waits for the writer.
    pub(super) fn after_batch(&mut self, connection: &Connection, is_idle: bool) {
        let pages = self.state.log_pages.load(Ordering::Relaxed);
        if pages < BEGIN_PAGES {
            return;
        }
        if pages >= LIMIT_PAGES {
            self.wait();
        }
        if self
            .thread
            .as_ref()
            .is_some_and(|(_, thread)| thread.is_finished())
        {
            // It was asked and could not connect.
            self.give_up();
        }
        let is_moved = self.state.is_moved.load(Ordering::Acquire);
        if pages >= LIMIT_PAGES || (is_moved && (is_idle || pages >= 2 * BEGIN_PAGES)) {
            self.state.is_moved.store(false, Ordering::Release);
            report(checkpoint(connection));
        } else if !is_moved
            && self.given_up.is_none_or(|at| at.elapsed() >= RETRY_PAUSE)
            && !self.state.is_busy.swap(true, Ordering::AcqRel)
        {
            self.ask();
        }
    }

    /// Until the thread has done what it was asked for. Nothing is added meanwhile, so that is
    /// soon.
    fn wait(&self) {
        let Some((_, thread)) = &self.thread else {
            return;
        };
        while self.state.is_busy.load(Ordering::Acquire) && !thread.is_finished() {
            thread::sleep(POLL_INTERVAL);
        }
    }

    /// Asks the thread, which is made when it is first needed: most programs never write that much.
    fn ask(&mut self) {
        if self.thread.is_none() {
            let (asks, asked) = sync_channel(1);
            let (path, options, state) = (
                self.path.clone(),
                self.options.clone(),
                Arc::clone(&self.state),
            );
            let work = move || match connect(&path, &options) {
                Ok(connection) => work(&connection, &asked, &state),
                Err(error) => report(Err(error)),
            };
            let spawned = thread::Builder::new()
                .name("checkpoints".to_owned())
                .spawn(work);
            self.thread = spawned.map(|thread| (asks, thread)).ok();
        }
        if self
            .thread
            .as_ref()
            .is_none_or(|(asks, _)| asks.try_send(()).is_err())
        {
            // No thread could be made, or it had no connection: another one is tried soon. If that
            // fails every time, the log grows to its limit, and the writer moves it.
            self.give_up();
        }
    }

    /// Forgets a thread that has ended, so that another one is asked.
    fn give_up(&mut self) {
        (self.thread, self.given_up) = (None, Some(Instant::now()));
        self.state.is_busy.store(false, Ordering::Release);
    }
}

impl Drop for Checkpoints {
    fn drop(&mut self) {
        // Before the writer's connection, which must be the last to be closed to tidy up the log.
        if let Some((asks, thread)) = self.thread.take() {
            drop(asks);
            drop(thread.join());
        }
    }
}

fn work(connection: &Connection, asked: &Receiver<()>, state: &State) {
    while asked.recv().is_ok() {
        for _ in 0..ROUNDS {
            match checkpoint(connection) {
                Ok(Some(moved))
                    if state
                        .log_pages
                        .load(Ordering::Relaxed)
                        .saturating_sub(moved)
                        > REST_PAGES => {}
                ended => {
                    report(ended);
                    break;
                }
            }
        }
        state.is_moved.store(true, Ordering::Release);
        state.is_busy.store(false, Ordering::Release);
    }
}

/// Moves the pages that no reader needs in the log. Returns how many pages of the log have been
/// moved by now, `None` while another connection runs a checkpoint. Only its caller waits.
fn checkpoint(connection: &Connection) -> rusqlite::Result<Option<u32>> {
    connection
        .prepare_cached("PRAGMA wal_checkpoint(PASSIVE)")?
        .query_row([], |row| {
            let (is_busy, moved): (bool, i64) = (row.get(0)?, row.get(2)?);
            Ok((!is_busy).then(|| u32::try_from(moved).unwrap_or(0)))
        })
}

fn report(ended: rusqlite::Result<Option<u32>>) {
    if let Err(error) = ended {
        // Tried again soon; a disk that is full or broken is noticed by the commits.
        tracing::warn!(%error, "the write-ahead log cannot be moved into the database");
    }
}
