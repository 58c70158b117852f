//! Compiled code on disk, so that a program is compiled once per machine.
//!
//! Compiled code is native code: loading a file that another user wrote would hand that user this
//! process. So
//! - the folder belongs to this user alone (mode 0700), or the cache is not used at
//!   all;
//! - every entry carries an HMAC-SHA-256 under a key that was made at random in that folder (mode
//!   0600), over the entry's name and its content; an entry without a valid one is removed and
//!   compiled again;
//! - an entry is read into memory, checked there and loaded from there, so that it cannot change in
//!   between.
//!
//! Layout: `key` (64 bytes), `<name>.cwasm` (32 bytes of MAC, then the code) and `<name>.lock`
//! (empty, held while a language runtime is compiled). A name is the SHA-256 of the program's
//! digest and of everything that wasmtime says its compiled code depends on: full version,
//! settings, target. Entries are written to a temporary file and renamed; a crash leaves at most a
//! temporary file, which a start an hour later or more removes. The folder is made with the first
//! entry, not before: a refused program leaves nothing behind. It holds no more than its limit:
//! see `size_limit`.

mod size_limit;

use std::fs;
use std::hash::{Hash, Hasher};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest as _, Sha256};
use sre_core::Digest;
use wasmtime::Engine;

use size_limit::SizeLimit;

use crate::private::make_private;

const MAC_BYTES: usize = 32;
/// The block size of SHA-256, so that HMAC uses the key as it is.
const KEY_BYTES: usize = 64;

type Key = [u8; KEY_BYTES];

pub(super) struct CodeCache {
    folder: PathBuf,
    engine: Digest,
    size_limit: SizeLimit,
    /// Filled at the first use; `None` in it when the folder cannot be used.
    key: OnceLock<Option<Key>>,
}

impl CodeCache {
    /// A cache of at most `limit_bytes` in `folder`, which is opened at the first use and made with
    /// the first entry.
    pub(super) fn new(folder: &Path, limit_bytes: u64, engine: &Engine) -> Self {
        let mut hasher = DigestHasher(Sha256::new());
        engine.precompile_compatibility_hash().hash(&mut hasher);
        let engine = Digest::from_bytes(hasher.0.finalize().into());
        Self {
            folder: folder.to_owned(),
            engine,
            size_limit: SizeLimit::new(limit_bytes),
            key: OnceLock::new(),
        }
    }

    /// The key, from a folder that is made if need be. A folder that cannot be used is reported
    /// once and done without.
    fn key(&self) -> Option<&Key> {
        let opened = self.key.get_or_init(|| match open(&self.folder) {
            Ok(key) => Some(key),
            Err(error) => {
                tracing::warn!(folder = %self.folder.display(), %error, "compiled programs will not be cached");
                None
            }
        });
        opened.as_ref()
    }

    fn path(&self, program: Digest) -> PathBuf {
        let mut name = Sha256::new();
        name.update(program.as_bytes());
        name.update(self.engine.as_bytes());
        self.folder.join(format!(
            "{}.cwasm",
            Digest::from_bytes(name.finalize().into())
        ))
    }

    /// The code compiled for `program`, if this cache wrote it.
    pub(super) fn load(&self, program: Digest) -> Option<Vec<u8>> {
        if !self.folder.exists() {
            return None;
        }
        let key = self.key()?;
        let path = self.path(program);
        let mut bytes = fs::read(&path).ok()?;
        if bytes.len() >= MAC_BYTES {
            let code = bytes.split_off(MAC_BYTES);
            // Constant-time comparison.
            if mac(key, &path, &code).verify_slice(&bytes).is_ok() {
                size_limit::mark_used(&path);
                return Some(code);
            }
        }
        tracing::warn!(path = %path.display(), "cached code was not written by this installation; compiling again");
        drop(fs::remove_file(&path));
        None
    }

    /// Keeps `code` for `program`. A failure costs time at the next start and nothing else.
    pub(super) fn store(&self, program: Digest, code: &[u8]) {
        let bytes = (MAC_BYTES + code.len()) as u64;
        if !self.size_limit.holds(bytes) {
            return;
        }
        let Some(key) = self.key() else { return };
        let path = self.path(program);
        match self.write(key, &path, code) {
            Ok(()) => self.size_limit.note_written(&self.folder, bytes),
            Err(error) => {
                tracing::warn!(path = %path.display(), %error, "compiled code could not be cached")
            }
        }
    }

    /// Waits until no other process compiles `program`. The lock ends with the file that is
    /// returned, or with the process; `None` where the folder cannot be used, and then everybody
    /// compiles.
    pub(super) fn lock(&self, program: Digest) -> Option<fs::File> {
        self.key()?;
        let path = self.path(program).with_extension("lock");
        let mut options = fs::OpenOptions::new();
        options.create(true).truncate(false).write(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(path).ok()?;
        file.lock().ok()?;
        Some(file)
    }

    fn write(&self, key: &Key, path: &Path, code: &[u8]) -> io::Result<()> {
        // `tempfile` makes files with mode 0600.
        let mut file = tempfile::Builder::new()
            .prefix(".tmp-")
            .tempfile_in(&self.folder)?;
        file.write_all(&mac(key, path, code).finalize().into_bytes())?;
        file.write_all(code)?;
        file.persist(path)?;
        Ok(())
    }
}

fn mac(key: &Key, path: &Path, code: &[u8]) -> Hmac<Sha256> {
    let mut mac = Hmac::<Sha256>::new(&(*key).into());
    mac.update(
        path.file_name()
            .map(|name| name.as_encoded_bytes())
            .unwrap_or_default(),
    );
    mac.update(code);
    mac
}

/// Opens the cache in `folder`, making it if need be.
fn open(folder: &Path) -> io::Result<Key> {
    make_private(folder)?;
    remove_leftovers(folder);
    load_key(folder)
}

/// Removes temporary files of processes that died while writing. One that is younger may belong to
/// a process that lives.
fn remove_leftovers(folder: &Path) {
    const LEFT_OVER_AFTER: Duration = Duration::from_secs(3600);
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let is_temporary = entry.file_name().as_encoded_bytes().starts_with(b".tmp-");
        let age = entry
            .metadata()
            .and_then(|metadata| metadata.modified())
            .map(|at| at.elapsed().unwrap_or_default());
        if is_temporary && age.is_ok_and(|age| age > LEFT_OVER_AFTER) {
            drop(fs::remove_file(entry.path()));
        }
    }
}

/// The key, made at the first use. Two processes that start at once agree on the one that was
/// linked first.
fn load_key(folder: &Path) -> io::Result<Key> {
    let path = folder.join("key");
    if !path.exists() {
        let mut key = [0; KEY_BYTES];
        getrandom::fill(&mut key).map_err(io::Error::other)?;
        let mut file = tempfile::Builder::new()
            .prefix(".tmp-")
            .tempfile_in(folder)?;
        file.write_all(&key)?;
        match file.persist_noclobber(&path) {
            Ok(_) => return Ok(key),
            Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error.error),
        }
    }
    let mut key = [0; KEY_BYTES];
    fs::File::open(&path)?.read_exact(&mut key)?;
    Ok(key)
}

/// Feeds whatever is hashed into SHA-256.
struct DigestHasher(Sha256);

impl Hasher for DigestHasher {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// Not used: the digest is taken from the state.
    fn finish(&self) -> u64 {
        0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_entries_of_this_cache_are_loaded() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let root = folder.path().join("cache");
        let engine = Engine::default();
        let cache = CodeCache::new(&root, 1 << 20, &engine);
        let program = Digest::of(b"program");
        assert_eq!(cache.load(program), None);
        assert!(!root.exists(), "looking makes nothing");
        cache.store(program, b"code");
        assert_eq!(cache.load(program).as_deref(), Some(&b"code"[..]));
        // Reopened, it reads its own; renamed, flipped or cut, an entry is gone.
        let cache = CodeCache::new(&root, 1 << 20, &engine);
        assert_eq!(cache.load(program).as_deref(), Some(&b"code"[..]));
        let other = Digest::of(b"other");
        fs::copy(cache.path(program), cache.path(other)).expect("a copy");
        assert_eq!(cache.load(other), None);
        for length in [0, 31, 32, 35] {
            cache.store(program, b"code");
            let file = fs::OpenOptions::new()
                .write(true)
                .open(cache.path(program))
                .expect("the entry");
            file.set_len(length).expect("a cut");
            assert_eq!(cache.load(program), None);
            assert!(!cache.path(program).exists());
        }
        let mut stranger = CodeCache::new(&root, 1 << 20, &engine);
        stranger.key = OnceLock::from(Some([7; KEY_BYTES]));
        stranger.store(program, b"evil");
        assert_eq!(cache.load(program), None);
    }

    #[cfg(unix)]
    #[test]
    fn a_folder_that_others_can_enter_is_refused() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().expect("a temporary folder");
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).expect("chmod");
        assert!(open(folder.path()).is_err());
    }
}
