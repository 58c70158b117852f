//! Interpreters for skills that are scripts.
//!
//! A language runtime decides what a script does, as much as the script itself. So it is named by
//! the digest of exactly the bytes it is shipped as, that digest is part of the engine a commitment
//! names, and only runtimes that were named to the backend before are ever run: a caller that could
//! choose the interpreter could choose the result.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use sre_core::{Digest, RuntimeKind};

/// An interpreter compiled to WebAssembly.
#[derive(Debug, Clone)]
pub struct LanguageRuntime {
    /// Which scripts it runs.
    pub kind: RuntimeKind,
    /// For people, for instance `CPython 3.14.0`.
    pub name: Cow<'static, str>,
    /// SHA-256 of `packed`.
    pub digest: Digest,
    /// The program, compressed with zstd; `None` where only its name is known.
    pub packed: Option<Cow<'static, [u8]>>,
}

/// The language runtimes that a backend may run.
#[derive(Debug, Default)]
pub struct LanguageRuntimes {
    known: Vec<LanguageRuntime>,
    supplied: Mutex<HashMap<Digest, Arc<[u8]>>>,
}

/// Why bytes are not the runtime they were said to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SupplyError {
    /// This digest was not named to the backend.
    #[error("{0} is not a language runtime that is known here")]
    Unknown(Digest),
    /// The bytes have another digest.
    #[error("these bytes have the digest {actual} and not {expected}")]
    Digest {
        /// The runtime's.
        expected: Digest,
        /// Theirs.
        actual: Digest,
    },
}

impl LanguageRuntimes {
    /// Exactly these. The first of a kind runs new orders; the others only replay what names them.
    #[must_use]
    pub fn new(known: Vec<LanguageRuntime>) -> Self {
        Self {
            known,
            supplied: Mutex::default(),
        }
    }

    /// The one that runs new orders of this kind.
    #[must_use]
    pub fn of_kind(&self, kind: RuntimeKind) -> Option<&LanguageRuntime> {
        self.known.iter().find(|runtime| runtime.kind == kind)
    }

    /// The one with this digest.
    #[must_use]
    pub fn find(&self, digest: Digest) -> Option<&LanguageRuntime> {
        self.known.iter().find(|runtime| runtime.digest == digest)
    }

    /// Whether the bytes with this digest are here.
    #[must_use]
    pub fn is_here(&self, digest: Digest) -> bool {
        let supplied = self
            .supplied
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .contains_key(&digest);
        supplied
            || self
                .find(digest)
                .is_some_and(|runtime| runtime.packed.is_some())
    }

    /// The bytes with this digest, if they are here. A copy of megabytes, unless they were
    /// supplied.
    #[must_use]
    pub fn packed(&self, digest: Digest) -> Option<Arc<[u8]>> {
        if let Some(packed) = self
            .supplied
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&digest)
        {
            return Some(Arc::clone(packed));
        }
        self.find(digest)?.packed.as_deref().map(Arc::from)
    }

    /// Takes the bytes of a runtime that is known and was not here.
    ///
    /// # Errors
    /// [`SupplyError`]; they are not taken.
    pub fn supply(&self, digest: Digest, packed: Arc<[u8]>) -> Result<(), SupplyError> {
        if self.find(digest).is_none() {
            return Err(SupplyError::Unknown(digest));
        }
        let actual = Digest::of(&packed);
        if actual != digest {
            return Err(SupplyError::Digest {
                expected: digest,
                actual,
            });
        }
        self.supplied
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(digest, packed);
        Ok(())
    }
}
