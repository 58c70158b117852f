//! What a watcher remembers of one executor, so that it goes on where it stopped.
//!
//! ```text
//! watch/<sha256 of the log's name>/state.json       how far it has come, and sums
//! watch/<sha256 of the log's name>/sampling-key     the secret that chooses the sample
//! watch/<sha256 of the log's name>/outbox/*.json    verdicts and challenges of one part of the log, to be delivered
//! watch/<sha256 of the log's name>/lock             held by the one watcher that uses the folder
//! ```
//! Files are replaced whole, and each is on the disk before the next is written.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use serde::Serialize;
use sre_core::Digest;
use sre_durable::{private_folder, replace_file};
use sre_receipt::tlog::KeyName;

use crate::error::WatchError;
use crate::sampler::Sampler;
use crate::state::{Followed, OutboxItem, State};

/// The folder of one executor, of which this process is the only user.
#[derive(Debug)]
pub struct WatchFolder {
    path: PathBuf,
    _lock: File,
}

impl WatchFolder {
    /// The folder for the executor whose log has this name, made if need be.
    ///
    /// # Errors
    /// When it cannot be made, or another watcher uses it.
    pub fn open(folder: &Path, origin: &KeyName) -> Result<Self, WatchError> {
        // A name may have any character; its digest has none that means something to a file system.
        let path = folder.join(Digest::of(origin.as_str().as_bytes()).to_string());
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
            Err(TryLockError::WouldBlock) => Err(WatchError::Running(origin.clone())),
        }
    }

    /// The name of the log that was found at this address before, if any was.
    ///
    /// # Errors
    /// When what is remembered cannot be read.
    pub fn known(folder: &Path, executor: &str) -> Result<Option<KeyName>, WatchError> {
        let entries = match fs::read_dir(folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed("read", folder, &error)),
        };
        for entry in entries {
            let entry = entry.map_err(|error| failed("read", folder, &error))?;
            let followed = read_state(&entry.path().join("state.json"))?.followed;
            if let Some(Followed { origin, .. }) =
                followed.filter(|followed| followed.executor == executor)
            {
                return Ok(Some(origin));
            }
        }
        Ok(None)
    }

    /// The sampler of this watcher, with a secret that is made at the first call and stays.
    ///
    /// # Errors
    /// When it cannot be read or written.
    pub fn sampler(&self) -> Result<Sampler, WatchError> {
        let path = self.path.join("sampling-key");
        match fs::read_to_string(&path) {
            Ok(text) => Sampler::parse(&text)
                .ok_or_else(|| failed("read", &path, &"it holds no secret; remove it")),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let sampler = Sampler::random();
                write(&path, sampler.to_text().as_bytes()).map(|()| sampler)
            }
            Err(error) => Err(failed("read", &path, &error)),
        }
    }

    /// How far the watcher has come; the beginning where nothing is remembered.
    ///
    /// # Errors
    /// When the file cannot be read or parsed.
    pub fn state(&self) -> Result<State, WatchError> {
        read_state(&self.path.join("state.json"))
    }

    /// Remembers how far the watcher has come.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn remember(&self, state: &State) -> Result<(), WatchError> {
        write_json(&self.path.join("state.json"), state)
    }

    /// Puts deliveries into the outbox, in place of what has this name there. None of them: the
    /// name is removed.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn post(&self, name: &str, items: &[OutboxItem]) -> Result<(), WatchError> {
        let path = self.outbox().join(name).with_extension("json");
        if !items.is_empty() {
            return write_json(&path, &items);
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
    pub fn waiting(&self) -> Result<Vec<String>, WatchError> {
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
    /// When it cannot be read or parsed.
    pub fn items(&self, name: &str) -> Result<Vec<OutboxItem>, WatchError> {
        let path = self.outbox().join(name).with_extension("json");
        let bytes = fs::read(&path).map_err(|error| failed("read", &path, &error))?;
        serde_json::from_slice(&bytes).map_err(|error| failed("read", &path, &error))
    }

    fn outbox(&self) -> PathBuf {
        self.path.join("outbox")
    }
}

fn write_json(path: &Path, value: &impl Serialize) -> Result<(), WatchError> {
    let text = serde_json::to_vec(value).map_err(|error| failed("write", path, &error))?;
    write(path, &text)
}

fn write(path: &Path, text: &[u8]) -> Result<(), WatchError> {
    replace_file(path, text).map_err(|error| failed("write", path, &error))
}

fn read_state(path: &Path) -> Result<State, WatchError> {
    match fs::read(path) {
        Ok(bytes) => serde_json::from_slice(&bytes).map_err(|error| failed("read", path, &error)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(State::default()),
        Err(error) => Err(failed("read", path, &error)),
    }
}

fn failed(action: &'static str, path: &Path, error: &dyn std::fmt::Display) -> WatchError {
    WatchError::Folder {
        action,
        path: path.to_path_buf(),
        reason: error.to_string(),
    }
}
