//! The node's own key, its predecessors, and the trust file.
//!
//! ```text
//! keys/                  0700
//!   signing.pem          0600  the node's name and public key in one line (a vkey), then the secret key
//!   retired/<key id>.pem 0600  keys that were rotated out; nothing reads them, delete them when you like
//!   trust.json           0600
//!   trust.lock                 empty; who changes anything here holds it
//! ```
//! A secret key that anybody else can read is refused, and so is a trust file that anybody else can
//! write. Files are replaced whole: temporary file, fsync, rename, fsync of the folder.
//!
//! Crash behaviour: a new key is trusted here before it is used, and an old one loses trust after
//! it is no longer used. So whatever was signed between any two steps is trusted. A rotation that
//! was cut short is finished by the next: it ends the trust in every predecessor that still has it.

use std::fs::{DirBuilder, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use zeroize::Zeroizing;

use crate::tlog::KeyName;
use crate::trust::TRUST_LIMIT_BYTES;
use crate::{KeyError, NodeKey, Trust, TrustError};

/// Longest key file, in bytes.
const KEY_FILE_LIMIT_BYTES: u64 = 4096;

/// The folder with the node's key and its trust file.
#[derive(Debug, Clone)]
pub struct KeyFolder(PathBuf);

/// Why keys or trust cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum KeyFolderError {
    /// The file system refused.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was attempted, as a verb.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Others may read a secret key, or write the trust file.
    #[error("{} is open to other users (mode {mode:03o}); run `chmod {wanted} {}` if you are sure that no other user changed it", path.display(), path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
        /// What they should be.
        wanted: &'static str,
    },
    /// It is another user's.
    #[error("{} belongs to another user", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// There is a key already.
    #[error("there is a signing key in {} already; `sre key rotate` replaces it", .0.display())]
    Exists(PathBuf),
    /// There is no key.
    #[error("there is no signing key in {}; `sre key new` makes one", .0.display())]
    Missing(PathBuf),
    /// The key file is malformed.
    #[error("{}: {reason}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// No key could be made.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The trust file is malformed.
    #[error("{}: {source}", path.display())]
    Trust {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: TrustError,
    },
    /// The change would make a trust file that cannot be read.
    #[error("nothing was changed: with the change, {0}")]
    Change(TrustError),
}

impl KeyFolder {
    /// The folder at `path`; nothing is made yet.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    /// The folder.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// The node's key; `None` if it has none yet.
    ///
    /// # Errors
    /// [`KeyFolderError`].
    pub fn load(&self) -> Result<Option<NodeKey>, KeyFolderError> {
        let path = self.signing();
        let Some(text) = read(&path, KEY_FILE_LIMIT_BYTES, (0o077, "600"))? else {
            return Ok(None);
        };
        let text = Zeroizing::new(text);
        let parsed = std::str::from_utf8(&text)
            .map_err(|_| String::from("it is no text"))
            .and_then(NodeKey::from_file);
        parsed
            .map(Some)
            .map_err(|reason| KeyFolderError::Malformed { path, reason })
    }

    /// Makes the node's first key and trusts it. Without a name the node is called after its key.
    ///
    /// # Errors
    /// [`KeyFolderError::Exists`] when there is one already.
    pub fn create(&self, name: Option<KeyName>) -> Result<NodeKey, KeyFolderError> {
        let _lock = self.lock_exclusive()?;
        if self.load()?.is_some() {
            return Err(KeyFolderError::Exists(self.0.clone()));
        }
        let key = NodeKey::generate(name)?;
        self.edit_trust(|trust| drop(trust.add(key.trusted())))?;
        // Dies here: a key is trusted whose secret was not written. It can sign nothing.
        self.write(&self.signing(), key.to_file().as_bytes())?;
        Ok(key)
    }

    /// The node's key, made at the first use.
    ///
    /// # Errors
    /// [`KeyFolderError`].
    pub fn load_or_create(&self) -> Result<NodeKey, KeyFolderError> {
        if let Some(key) = self.load()? {
            return Ok(key);
        }
        match self.create(None) {
            // Another process was faster.
            Err(KeyFolderError::Exists(path)) => self.load()?.ok_or(KeyFolderError::Missing(path)),
            made => made,
        }
    }

    /// Replaces the node's key. The name stays; the old key is trusted until the new one is in
    /// place, which is when `now` is asked. Returns both, and that moment.
    ///
    /// # Errors
    /// [`KeyFolderError`].
    pub fn rotate(
        &self,
        now: impl FnOnce() -> Timestamp,
    ) -> Result<(NodeKey, NodeKey, Timestamp), KeyFolderError> {
        let missing = || KeyFolderError::Missing(self.0.clone());
        // Before a folder is made for a key that is not there.
        self.load()?.ok_or_else(missing)?;
        let _lock = self.lock_exclusive()?;
        let old = self.load()?.ok_or_else(missing)?;
        let new = NodeKey::generate(Some(old.name.clone()))?;
        self.edit_trust(|trust| drop(trust.add(new.trusted())))?;
        // Dies here: as in `create`.
        let retired = self.0.join("retired");
        self.make_folder(&retired)?;
        let old_file = retired.join(format!("{}.pem", old.secret.public().id()));
        self.write(&old_file, old.to_file().as_bytes())?;
        self.write(&self.signing(), new.to_file().as_bytes())?;
        // Dies here: the old key is trusted until the next rotation, though nothing signs with it
        // any more.
        let end = now();
        self.edit_trust(|trust| trust.end_all_but(new.secret.public().id(), &new.name, end))?;
        Ok((old, new, end))
    }

    /// The trust file; an empty one by default.
    ///
    /// # Errors
    /// [`KeyFolderError`].
    pub fn trust(&self) -> Result<Trust, KeyFolderError> {
        match read(&self.trust_file(), TRUST_LIMIT_BYTES, (0o022, "600"))? {
            Some(bytes) => Trust::parse(&bytes).map_err(|source| KeyFolderError::Trust {
                path: self.trust_file(),
                source,
            }),
            None => Ok(Trust::default()),
        }
    }

    /// Changes the trust file. Two processes that do so at once take turns.
    ///
    /// # Errors
    /// [`KeyFolderError`].
    pub fn change_trust<T>(
        &self,
        change: impl FnOnce(&mut Trust) -> T,
    ) -> Result<T, KeyFolderError> {
        let _lock = self.lock_exclusive()?;
        self.edit_trust(change)
    }

    /// Waits until no other process changes anything here, and keeps others waiting until it is
    /// dropped.
    fn lock_exclusive(&self) -> Result<File, KeyFolderError> {
        self.make_folder(&self.0)?;
        let path = self.0.join("trust.lock");
        let lock = File::create(&path).map_err(io_error("open", &path))?;
        lock.lock().map_err(io_error("lock", &path))?;
        Ok(lock)
    }

    fn edit_trust<T>(&self, change: impl FnOnce(&mut Trust) -> T) -> Result<T, KeyFolderError> {
        let mut trust = self.trust()?;
        let answer = change(&mut trust);
        let text = trust.to_text();
        Trust::parse(text.as_bytes()).map_err(KeyFolderError::Change)?;
        self.write(&self.trust_file(), text.as_bytes())?;
        Ok(answer)
    }

    fn signing(&self) -> PathBuf {
        self.0.join("signing.pem")
    }

    fn trust_file(&self) -> PathBuf {
        self.0.join("trust.json")
    }

    fn make_folder(&self, path: &Path) -> Result<(), KeyFolderError> {
        let mut builder = DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder
            .create(path)
            .map_err(io_error("make the folder", path))
    }

    /// Puts a whole file in place, mode 0600, durable when this returns.
    fn write(&self, path: &Path, bytes: &[u8]) -> Result<(), KeyFolderError> {
        let folder = path.parent().unwrap_or(&self.0);
        // tempfile opens with O_EXCL and mode 0600.
        let mut file =
            tempfile::NamedTempFile::new_in(folder).map_err(io_error("write in", folder))?;
        file.write_all(bytes)
            .and_then(|()| file.as_file().sync_all())
            .map_err(io_error("write", path))?;
        file.persist(path)
            .map_err(|failed| io_error("write", path)(failed.error))?;
        #[cfg(unix)]
        File::open(folder)
            .and_then(|folder| folder.sync_all())
            .map_err(io_error("make durable", folder))?;
        Ok(())
    }
}

fn io_error(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> KeyFolderError {
    move |source| KeyFolderError::Io {
        action,
        path: path.to_path_buf(),
        source,
    }
}

/// The content of a file that is this user's and has none of the forbidden permissions, in a folder
/// in which no other user may write. The file that is checked is the one that is read.
fn read(
    path: &Path,
    limit_bytes: u64,
    access: (u32, &'static str),
) -> Result<Option<Vec<u8>>, KeyFolderError> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(io_error("open", path)(error)),
    };
    check_access(&file, path, access)?;
    if let Some(folder) = path.parent() {
        // Who may write in it may put another file in the place of this one.
        let opened = File::open(folder).map_err(io_error("open", folder))?;
        check_access(&opened, folder, (0o022, "700"))?;
    }
    let mut bytes = Vec::new();
    file.take(limit_bytes + 1)
        .read_to_end(&mut bytes)
        .map_err(io_error("read", path))?;
    if bytes.len() as u64 > limit_bytes {
        let reason = format!("it is longer than {limit_bytes} bytes");
        return Err(KeyFolderError::Malformed {
            path: path.to_path_buf(),
            reason,
        });
    }
    Ok(Some(bytes))
}

#[cfg(unix)]
fn check_access(
    file: &File,
    path: &Path,
    (forbidden, wanted): (u32, &'static str),
) -> Result<(), KeyFolderError> {
    use std::os::unix::fs::MetadataExt as _;
    let found = file.metadata().map_err(io_error("look at", path))?;
    let path = path.to_path_buf();
    if found.uid() != rustix::process::geteuid().as_raw() {
        return Err(KeyFolderError::Foreign { path });
    }
    let mode = found.mode() & 0o777;
    if mode & forbidden == 0 {
        Ok(())
    } else {
        Err(KeyFolderError::Open { path, mode, wanted })
    }
}

/// Elsewhere the folder's access list decides; see SECURITY.md.
#[cfg(not(unix))]
fn check_access(_: &File, _: &Path, _: (u32, &'static str)) -> Result<(), KeyFolderError> {
    Ok(())
}
