//! What a watcher remembers of one executor, so that it goes on where it stopped.
//!
//! ```text
//! watch/<sha256 of the log's name>/state.json       how far it has come, and sums
//! watch/<sha256 of the log's name>/lots             the secret by which receipts are drawn
//! watch/<sha256 of the log's name>/outbox/*.json    verdicts and challenges of one part of the log, to be delivered
//! watch/<sha256 of the log's name>/lock             held by the one watcher that uses the folder
//! ```
//! Files are replaced whole, and each is on the disk before the next is written.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use serde::Serialize;
use sre_core::{Digest, ErrorCode};
use sre_durable::{private_folder, replace_file};
use sre_orchestrator::DataFolder;
use sre_receipt::tlog::KeyName;

use super::lots::Lots;
use super::state::{Followed, Parcel, State};
use crate::failure::Failure;

/// The folder of one executor, of which this process is the only user.
#[derive(Debug)]
pub struct Memory {
    path: PathBuf,
    _lock: File,
}

impl Memory {
    /// The folder for the executor whose log has this name, made if need be.
    ///
    /// # Errors
    /// When it cannot be made, or another watcher uses it.
    pub fn open(folder: &DataFolder, origin: &KeyName) -> Result<Self, Failure> {
        // A name may have any character; its digest has none that means something to a file system.
        let path = folder
            .path()
            .join("watch")
            .join(Digest::of(origin.as_str().as_bytes()).to_string());
        private_folder(&path.join("outbox")).map_err(|error| failed("make", &path, &error))?;
        let lock_path = path.join("lock");
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(false);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let lock = options
            .open(&lock_path)
            .map_err(|error| failed("open", &lock_path, &error))?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { path, _lock: lock }),
            Err(TryLockError::Error(error)) => Err(failed("lock", &lock_path, &error)),
            Err(TryLockError::WouldBlock) => {
                let detail = format!("another `sre watch` follows {origin} with this data folder");
                Err(Failure::new(ErrorCode::WatchRunning, detail)
                    .hint("--data-dir gives this one a folder of its own"))
            }
        }
    }

    /// The name of the log that was found at this address before, if any was.
    ///
    /// # Errors
    /// When what is remembered cannot be read.
    pub fn known(folder: &DataFolder, executor: &str) -> Result<Option<KeyName>, Failure> {
        let path = folder.path().join("watch");
        let entries = match fs::read_dir(&path) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed("read", &path, &error)),
        };
        for entry in entries {
            let entry = entry.map_err(|error| failed("read", &path, &error))?;
            let followed = read_state(&entry.path().join("state.json"))?.followed;
            if let Some(Followed { origin, .. }) =
                followed.filter(|followed| followed.executor == executor)
            {
                return Ok(Some(origin));
            }
        }
        Ok(None)
    }

    /// The lots of this watcher, with a secret that is made at the first call and stays.
    ///
    /// # Errors
    /// When it cannot be read or written.
    pub fn lots(&self) -> Result<Lots, Failure> {
        let path = self.path.join("lots");
        match fs::read_to_string(&path) {
            Ok(text) => Lots::parse(&text)
                .ok_or_else(|| failed("read", &path, &"it holds no secret; remove it")),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let lots = Lots::random();
                write(&path, lots.to_text().as_bytes()).map(|()| lots)
            }
            Err(error) => Err(failed("read", &path, &error)),
        }
    }

    /// How far the watcher has come; the beginning where nothing is remembered.
    ///
    /// # Errors
    /// When the file cannot be read, or is none of this program's.
    pub fn state(&self) -> Result<State, Failure> {
        read_state(&self.path.join("state.json"))
    }

    /// Remembers how far the watcher has come.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn remember(&self, state: &State) -> Result<(), Failure> {
        write_json(&self.path.join("state.json"), state)
    }

    /// Puts deliveries into the outbox, in place of what has this name there. None of them: the
    /// name is removed.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn post(&self, name: &str, parcels: &[Parcel]) -> Result<(), Failure> {
        let path = self.outbox().join(name).with_extension("json");
        if !parcels.is_empty() {
            return write_json(&path, &parcels);
        }
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(failed("remove", &path, &error))
            }
            _ => Ok(()),
        }
    }

    /// The names in the outbox, in the order of the log.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn waiting(&self) -> Result<Vec<String>, Failure> {
        let outbox = self.outbox();
        let names = fs::read_dir(&outbox)
            .and_then(|entries| entries.map(|entry| Ok(entry?.path())).collect());
        let paths: Vec<PathBuf> =
            names.map_err(|error: io::Error| failed("read", &outbox, &error))?;
        let paths = paths.iter().filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "json")
        });
        let mut names: Vec<String> = paths
            .filter_map(|path| Some(path.file_stem()?.to_str()?.to_owned()))
            .collect();
        names.sort();
        Ok(names)
    }

    /// What waits under a name.
    ///
    /// # Errors
    /// When it cannot be read, or is none of this program's.
    pub fn parcels(&self, name: &str) -> Result<Vec<Parcel>, Failure> {
        let path = self.outbox().join(name).with_extension("json");
        let bytes = fs::read(&path).map_err(|error| failed("read", &path, &error))?;
        serde_json::from_slice(&bytes).map_err(|error| failed("read", &path, &error))
    }

    fn outbox(&self) -> PathBuf {
        self.path.join("outbox")
    }
}

fn write_json(path: &Path, value: &impl Serialize) -> Result<(), Failure> {
    let text = serde_json::to_vec(value).map_err(|error| failed("write", path, &error))?;
    write(path, &text)
}

fn write(path: &Path, text: &[u8]) -> Result<(), Failure> {
    replace_file(path, text).map_err(|error| failed("write", path, &error))
}

fn read_state(path: &Path) -> Result<State, Failure> {
    match fs::read(path) {
        Ok(bytes) => serde_json::from_slice(&bytes).map_err(|error| failed("read", path, &error)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(State::default()),
        Err(error) => Err(failed("read", path, &error)),
    }
}

fn failed(action: &str, path: &Path, error: &dyn std::fmt::Display) -> Failure {
    Failure::new(
        ErrorCode::WatchMemory,
        format!("cannot {action} {}: {error}", path.display()),
    )
}
