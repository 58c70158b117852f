//! Who may do what: bearer tokens with names and scopes.
//!
//! A token is 256 random bits, so its plain SHA-256 is as good as a slow hash and is all that is
//! stored. The file is JSON, owner-only, and replaced whole, by one process after the other
//! (`tokens.json.lock`). A running service notices a new file within two seconds. Where there has
//! ever been a file, tokens are required, also after the last was revoked.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Read as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::SystemTime;

use serde::{Deserialize, Serialize};
use sre_core::Digest;
use sre_durable::{folder_of, private_folder, replace_file};
use sre_service::{LOCAL, Scope, Scopes};
use subtle::{Choice, ConditionallySelectable, ConstantTimeEq};

/// A token as it is stored.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Token {
    name: String,
    scopes: Scopes,
    sha256: Digest,
}

/// The tokens of one file.
pub struct Tokens {
    path: PathBuf,
    known: RwLock<Known>,
    are_required: AtomicBool,
}

struct Known {
    tokens: Arc<Vec<Token>>,
    /// The file they were read from; `None` if there was none.
    file: Option<Identity>,
}

/// Which file it is: two that are put in place in the same instant have another number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Identity {
    number: u64,
    modified: SystemTime,
}

/// A token that was just made. The only moment at which it is known in the clear.
#[derive(Debug)]
pub struct NewToken {
    /// What the client sends.
    pub secret: String,
    /// Its name.
    pub name: String,
}

/// Why tokens cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// The file cannot be read or written.
    #[error("the tokens in {} cannot be used: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file is not a list of tokens.
    #[error("the tokens in {} cannot be read: {source}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: serde_json::Error,
    },
    /// Others can read or write the file.
    #[error("the tokens in {} can be read or written by others; make the file mode 0600", path.display())]
    Exposed {
        /// The file.
        path: PathBuf,
    },
    /// The name is taken.
    #[error("there is a token named {0} already; revoke it first or choose another name")]
    NameTaken(String),
    /// There is no token of this name.
    #[error("there is no token named {0}")]
    NameUnknown(String),
    /// The name is malformed.
    #[error("a token's name is 1 to 64 of A-Z a-z 0-9 . _ -, and not {LOCAL}, found {0:?}")]
    BadName(String),
    /// The system has no randomness.
    #[error("the system gives no random numbers: {0}")]
    Random(String),
}

/// Of a longer file of tokens the rest is not read, and what remains is no JSON.
const FILE_LIMIT_BYTES: u64 = 16 << 20;

impl Tokens {
    /// Reads the tokens in the file at `path`; a file that is missing holds none.
    ///
    /// # Errors
    /// [`TokenError`].
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, TokenError> {
        let path = path.into();
        let known = read(&path)?;
        let are_required = AtomicBool::new(known.file.is_some());
        Ok(Self {
            path,
            known: RwLock::new(known),
            are_required,
        })
    }

    /// Whether requests without a token are refused: as soon as there is, or ever was, a file.
    #[must_use]
    pub fn are_required(&self) -> bool {
        self.are_required.load(Ordering::Acquire)
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.tokens().is_empty()
    }

    /// Names and scopes, sorted by name.
    #[must_use]
    pub fn list(&self) -> Vec<(String, Vec<Scope>)> {
        let mut list: Vec<_> = self
            .tokens()
            .iter()
            .map(|token| {
                (
                    token.name.clone(),
                    token.scopes.into_iter().copied().collect(),
                )
            })
            .collect();
        list.sort();
        list
    }

    /// Name and scopes of a token. Takes the same time for every secret of the same length.
    #[must_use]
    pub fn find(&self, secret: &str) -> Option<(String, Scopes)> {
        let tokens = self.tokens();
        let presented = Digest::of(secret.as_bytes());
        let mut found = u32::MAX;
        for (index, token) in (0_u32..).zip(tokens.iter()) {
            let is_same: Choice = token.sha256.as_bytes().ct_eq(presented.as_bytes());
            found.conditional_assign(&index, is_same);
        }
        let token = tokens.get(usize::try_from(found).ok()?)?;
        Some((token.name.clone(), token.scopes.clone()))
    }

    /// Makes a token and stores it.
    ///
    /// # Errors
    /// [`TokenError`]; nothing was stored.
    pub fn add(&self, name: &str, scopes: Scopes) -> Result<NewToken, TokenError> {
        let is_plain = name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b));
        if !is_plain || name.is_empty() || name.len() > 64 || name == LOCAL {
            return Err(TokenError::BadName(name.chars().take(80).collect()));
        }
        let _lock = self.lock_exclusive()?;
        let mut tokens = read(&self.path)?.tokens.to_vec();
        if tokens.iter().any(|token| token.name == name) {
            return Err(TokenError::NameTaken(name.to_owned()));
        }
        let mut random = [0; 32];
        getrandom::fill(&mut random).map_err(|error| TokenError::Random(error.to_string()))?;
        let secret = format!("sre_{}", Digest::from_bytes(random));
        tokens.push(Token {
            name: name.to_owned(),
            scopes,
            sha256: Digest::of(secret.as_bytes()),
        });
        self.store(tokens)?;
        Ok(NewToken {
            secret,
            name: name.to_owned(),
        })
    }

    /// Removes a token.
    ///
    /// # Errors
    /// [`TokenError`]; nothing was removed.
    pub fn revoke(&self, name: &str) -> Result<(), TokenError> {
        let _lock = self.lock_exclusive()?;
        let mut tokens = read(&self.path)?.tokens.to_vec();
        let before = tokens.len();
        tokens.retain(|token| token.name != name);
        if tokens.len() == before {
            return Err(TokenError::NameUnknown(name.to_owned()));
        }
        self.store(tokens)
    }

    /// Reads the file again if it was replaced. A file that has become unreadable changes nothing
    /// and is logged.
    pub fn refresh(&self) {
        let file = fs::metadata(&self.path)
            .and_then(|metadata| identity(&metadata))
            .ok();
        if file
            == self
                .known
                .read()
                .unwrap_or_else(PoisonError::into_inner)
                .file
        {
            return;
        }
        match read(&self.path) {
            Ok(known) => {
                tracing::info!(tokens = known.tokens.len(), "the tokens were read again");
                self.are_required
                    .fetch_or(known.file.is_some(), Ordering::AcqRel);
                *self.known.write().unwrap_or_else(PoisonError::into_inner) = known;
            }
            Err(error) => tracing::error!(%error, "the tokens stay as they were"),
        }
    }

    fn tokens(&self) -> Arc<Vec<Token>> {
        Arc::clone(
            &self
                .known
                .read()
                .unwrap_or_else(PoisonError::into_inner)
                .tokens,
        )
    }

    /// Waits until no other process changes the file, and keeps others waiting until it is dropped.
    fn lock_exclusive(&self) -> Result<File, TokenError> {
        let failed = |source| TokenError::Io {
            path: self.path.clone(),
            source,
        };
        private_folder(folder_of(&self.path)).map_err(failed)?;
        let mut name = self.path.as_os_str().to_owned();
        name.push(".lock");
        let lock = File::create(&name).map_err(failed)?;
        lock.lock().map_err(failed)?;
        Ok(lock)
    }

    fn store(&self, tokens: Vec<Token>) -> Result<(), TokenError> {
        let failed = |source| TokenError::Io {
            path: self.path.clone(),
            source,
        };
        let text =
            serde_json::to_string_pretty(&tokens).map_err(|source| TokenError::Malformed {
                path: self.path.clone(),
                source,
            })?;
        replace_file(&self.path, (text + "\n").as_bytes()).map_err(failed)?;
        *self.known.write().unwrap_or_else(PoisonError::into_inner) = read(&self.path)?;
        Ok(())
    }
}

fn read(path: &Path) -> Result<Known, TokenError> {
    let failed = |source| TokenError::Io {
        path: path.to_path_buf(),
        source,
    };
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return Ok(Known {
                tokens: Arc::default(),
                file: None,
            });
        }
        Err(error) => return Err(failed(error)),
    };
    // Of the file that is read, whatever has its name by now.
    let metadata = file.metadata().map_err(failed)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        if metadata.permissions().mode() & 0o077 != 0 {
            return Err(TokenError::Exposed {
                path: path.to_path_buf(),
            });
        }
    }
    let mut text = Vec::new();
    file.take(FILE_LIMIT_BYTES)
        .read_to_end(&mut text)
        .map_err(failed)?;
    let tokens: Vec<Token> =
        serde_json::from_slice(&text).map_err(|source| TokenError::Malformed {
            path: path.to_path_buf(),
            source,
        })?;
    Ok(Known {
        tokens: Arc::new(tokens),
        file: Some(identity(&metadata).map_err(failed)?),
    })
}

fn identity(metadata: &fs::Metadata) -> io::Result<Identity> {
    #[cfg(unix)]
    let number = std::os::unix::fs::MetadataExt::ino(metadata);
    #[cfg(not(unix))]
    let number = metadata.len();
    Ok(Identity {
        number,
        modified: metadata.modified()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_known_by_its_secret_until_it_is_revoked() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("tokens.json");
        let tokens = Tokens::open(&path).expect("no tokens");
        assert!(tokens.is_empty() && tokens.find("").is_none());
        let ci = tokens
            .add("ci", Scopes::new(&[Scope::Submit]))
            .expect("a token");
        let ops = tokens
            .add("ops", Scopes::new(&[Scope::Admin]))
            .expect("a token");
        assert!(matches!(
            tokens.add("ci", Scopes::all()),
            Err(TokenError::NameTaken(_))
        ));
        for name in ["c i", "", "local"] {
            assert!(
                matches!(tokens.add(name, Scopes::all()), Err(TokenError::BadName(_))),
                "{name:?}"
            );
        }
        let (name, scopes) = tokens.find(&ci.secret).expect("known");
        assert_eq!(name, "ci");
        assert!(
            scopes.allow(Scope::Submit)
                && !scopes.allow(Scope::Read)
                && !scopes.allow(Scope::Admin)
        );
        assert!(
            tokens
                .find(&ops.secret)
                .expect("known")
                .1
                .allow(Scope::Read)
        );
        assert!(tokens.find(&ci.secret[1..]).is_none());
        // Another process sees them and revokes one; the secret itself is nowhere.
        assert!(
            !fs::read_to_string(&path)
                .expect("a file")
                .contains(&ci.secret)
        );
        Tokens::open(&path)
            .expect("tokens")
            .revoke("ci")
            .expect("revoked");
        tokens.refresh();
        assert!(tokens.find(&ci.secret).is_none() && tokens.find(&ops.secret).is_some());
        tokens.revoke("ops").expect("revoked");
        assert!(
            tokens.is_empty() && tokens.are_required(),
            "revoking the last token locks every client out"
        );
        assert!(Tokens::open(&path).expect("no tokens").are_required());
    }

    #[test]
    fn two_who_change_the_file_at_once_lose_nothing_of_each_other() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("tokens.json");
        let change = &|name: String| {
            let tokens = Tokens::open(&path).expect("tokens");
            tokens.add(&name, Scopes::all()).expect("a token");
            tokens
                .add(&format!("{name}-gone"), Scopes::all())
                .expect("a token");
            tokens.revoke(&format!("{name}-gone")).expect("revoked");
        };
        std::thread::scope(|scope| {
            (0..8).for_each(|number| drop(scope.spawn(move || change(format!("t{number}")))));
        });
        let names: Vec<String> = Tokens::open(&path)
            .expect("tokens")
            .list()
            .into_iter()
            .map(|(name, _)| name)
            .collect();
        assert_eq!(
            names,
            (0..8)
                .map(|number| format!("t{number}"))
                .collect::<Vec<_>>()
        );
    }

    #[cfg(unix)]
    #[test]
    fn a_file_that_others_can_read_is_refused() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("tokens.json");
        Tokens::open(&path)
            .expect("no tokens")
            .add("ci", Scopes::all())
            .expect("a token");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).expect("a mode");
        assert!(matches!(
            Tokens::open(&path),
            Err(TokenError::Exposed { .. })
        ));
    }
}
