//! The secrets that sign callbacks.
//!
//! One file in the data folder, owner-only, holds two random seeds. Each submitter's symmetric
//! secret is derived from the first, so that a receiver who can check its own callbacks cannot
//! forge another submitter's; the second is the seed of the Ed25519 key that all receivers can
//! check and none can forge with.
//!
//! Crash behaviour: the file appears whole or not at all; of two processes that make it at once,
//! the slower one reads the faster one's.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hmac::{Hmac, KeyInit, Mac};
use ring::signature::{Ed25519KeyPair, KeyPair};
use sha2::Sha256;
use sre_durable::create_file;

/// The secrets of one data folder.
pub struct CallbackKeys {
    master: [u8; 32],
    pub(super) pair: Ed25519KeyPair,
}

/// Why there are no keys.
#[derive(Debug, thiserror::Error)]
pub enum KeysError {
    /// The file cannot be read or made.
    #[error("the callback keys in {} cannot be used: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file has other contents.
    #[error("the callback keys in {} are damaged; restore a copy, or remove the file and tell receivers the new keys", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
    },
    /// Others can read the file.
    #[error("the callback keys in {} can be read by others; make it mode 0600, and make new keys if others may have read them", path.display())]
    Exposed {
        /// The file.
        path: PathBuf,
    },
}

impl CallbackKeys {
    /// Reads the keys from the file at `path`, making them if there are none. Its folder must
    /// exist.
    ///
    /// # Errors
    /// [`KeysError`].
    pub fn open(path: &Path) -> Result<Self, KeysError> {
        let failed = |source| KeysError::Io {
            path: path.to_path_buf(),
            source,
        };
        let text = match fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                make(path).map_err(failed)?;
                fs::read_to_string(path).map_err(failed)?
            }
            Err(error) => return Err(failed(error)),
        };
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            if fs::metadata(path).map_err(failed)?.permissions().mode() & 0o077 != 0 {
                return Err(KeysError::Exposed {
                    path: path.to_path_buf(),
                });
            }
        }
        let damaged = || KeysError::Damaged {
            path: path.to_path_buf(),
        };
        let seeds: Vec<[u8; 32]> = text
            .lines()
            .map(|line| {
                BASE64
                    .decode(line)
                    .ok()
                    .and_then(|bytes| bytes.try_into().ok())
            })
            .collect::<Option<_>>()
            .ok_or_else(damaged)?;
        let [master, seed] = seeds.try_into().map_err(|_| damaged())?;
        let pair = Ed25519KeyPair::from_seed_unchecked(&seed).map_err(|_| damaged())?;
        Ok(Self { master, pair })
    }

    /// The symmetric secret of a submitter's callbacks: `whsec_` and base64.
    #[must_use]
    pub fn secret(&self, submitter: &str) -> String {
        format!("whsec_{}", BASE64.encode(self.secret_bytes(submitter)))
    }

    /// The public key of all callbacks: `whpk_` and base64.
    #[must_use]
    pub fn public_key(&self) -> String {
        format!("whpk_{}", BASE64.encode(self.pair.public_key()))
    }

    pub(super) fn secret_bytes(&self, submitter: &str) -> [u8; 32] {
        let mut mac = keyed(&self.master);
        mac.update(b"sre callback secret\0");
        mac.update(submitter.as_bytes());
        mac.finalize().into_bytes().into()
    }
}

impl std::fmt::Debug for CallbackKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CallbackKeys").finish_non_exhaustive()
    }
}

/// HMAC-SHA256 (RFC 2104) under `key`.
pub(super) fn keyed(key: &[u8]) -> Hmac<Sha256> {
    Hmac::new_from_slice(key).expect("HMAC takes keys of every length")
}

fn make(path: &Path) -> io::Result<()> {
    let mut seeds = [[0_u8; 32]; 2];
    for seed in &mut seeds {
        getrandom::fill(seed).map_err(|error| io::Error::other(error.to_string()))?;
    }
    // Another process may have made it first; then that one counts.
    let text = seeds.map(|seed| BASE64.encode(seed) + "\n").concat();
    create_file(path, text.as_bytes()).map(drop)
}
