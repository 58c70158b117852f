//! Where things are below the data folder, and how each is opened.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use etcetera::BaseStrategy;
use sre_da::{LocalStore, LocalStoreOptions, Store};
use sre_durable::private_folder;
use sre_journal::{Journal, SqliteJournal};
use sre_log::{Log, Notary};
use sre_receipt::{Host, KeyFolder};

use crate::{CallbackKeys, EmbeddedError, Registrar, RegistrarError};

/// A data folder and the places in it.
#[derive(Debug, Clone)]
pub struct DataFolder(PathBuf);

/// The platform's cache folder for this program, for instance `~/.cache/sre`.
///
/// # Errors
/// [`EmbeddedError::NoHome`].
pub fn default_cache_folder() -> Result<PathBuf, EmbeddedError> {
    let strategy = etcetera::choose_base_strategy().map_err(|_| EmbeddedError::NoHome)?;
    Ok(strategy.cache_dir().join("sre"))
}

/// The platform's data folder for this program, for instance `~/.local/share/sre`.
///
/// # Errors
/// [`EmbeddedError::NoHome`].
pub fn default_data_folder() -> Result<PathBuf, EmbeddedError> {
    let strategy = etcetera::choose_base_strategy().map_err(|_| EmbeddedError::NoHome)?;
    Ok(strategy.data_dir().join("sre"))
}

impl DataFolder {
    /// The data folder at `path`; nothing is made yet.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    /// The folder itself.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Whether an order was ever accepted here. Makes nothing.
    #[must_use]
    pub fn has_journal(&self) -> bool {
        self.journal().exists()
    }

    fn journal(&self) -> PathBuf {
        self.0.join("journal.sqlite3")
    }

    /// Makes the folder, for this user alone.
    fn create(&self) -> Result<(), EmbeddedError> {
        private_folder(&self.0).map_err(|source| EmbeddedError::Folder {
            path: self.0.clone(),
            source,
        })
    }

    /// Opens the blob store, making it if need be.
    ///
    /// # Errors
    /// [`EmbeddedError`].
    pub fn open_store(&self) -> Result<LocalStore, EmbeddedError> {
        self.create()?;
        Ok(LocalStore::open(
            &self.0.join("blobs"),
            LocalStoreOptions::default(),
        )?)
    }

    /// Opens the journal, making it if need be.
    ///
    /// # Errors
    /// [`EmbeddedError`].
    pub fn open_journal(&self) -> Result<SqliteJournal, EmbeddedError> {
        self.create()?;
        Ok(SqliteJournal::open(&self.journal())?)
    }

    /// Opens the journal for this process alone. Makes none.
    ///
    /// # Errors
    /// [`EmbeddedError`].
    pub fn open_journal_alone(&self) -> Result<SqliteJournal, EmbeddedError> {
        if !is_there(self.journal())? {
            SqliteJournal::refuse_beside_copy(&self.journal())?;
            return Err(EmbeddedError::NoJournal(self.journal()));
        }
        Ok(SqliteJournal::open_alone(&self.journal())?)
    }

    /// The folder of the key that signs receipts; nothing is made.
    #[must_use]
    pub fn keys(&self) -> KeyFolder {
        KeyFolder::new(self.0.join("keys"))
    }

    /// Where the transparency log is, if there is one.
    #[must_use]
    pub fn log(&self) -> PathBuf {
        self.0.join("log.sqlite3")
    }

    /// Whether there is a log. Makes nothing.
    ///
    /// # Errors
    /// [`EmbeddedError::Unknown`] when that cannot be found out, which is not the same as no.
    pub fn has_log(&self) -> Result<bool, EmbeddedError> {
        is_there(self.log())
    }

    /// Where there is no log: refuses to go on if there was one, of so many entries.
    ///
    /// # Errors
    /// [`EmbeddedError::Registrar`]; also for a log that was saved from under a process.
    pub(crate) fn refuse_lost_log(&self, origin: String, seen: u64) -> Result<(), EmbeddedError> {
        Log::refuse_beside_copy(&self.log()).map_err(RegistrarError::from)?;
        if seen > 0 {
            return Err(RegistrarError::LogBehind {
                origin,
                entries: 0,
                seen,
            }
            .into());
        }
        Ok(())
    }

    /// Opens key and log, making what is missing, and puts the registrar of `journal` together.
    /// `program` is named in receipts as what made them.
    ///
    /// # Errors
    /// [`EmbeddedError::Registrar`]; also for a log that was lost, or is shorter than it was.
    pub async fn open_registrar(
        &self,
        journal: Arc<dyn Journal>,
        store: Arc<dyn Store>,
        program: &str,
    ) -> Result<Registrar, EmbeddedError> {
        self.create()?;
        let key = self.keys().load_or_create().map_err(RegistrarError::from)?;
        let origin = key.name.to_string();
        let seen = journal.log_high_water_mark(&origin).await?;
        if !self.has_log()? {
            self.refuse_lost_log(origin, seen)?;
        }
        let log = Log::open(&self.log(), Arc::clone(&store), Arc::new(key))
            .await
            .map_err(RegistrarError::from)?;
        let notary = Notary::new(store, Arc::new(log), Host::this(program));
        let registrar = Registrar::new(journal, notary, self.keys());
        registrar.check_log().await?;
        Ok(registrar)
    }

    /// Opens the keys that sign callbacks, making them if need be.
    ///
    /// # Errors
    /// [`EmbeddedError`].
    pub fn open_callback_keys(&self) -> Result<CallbackKeys, EmbeddedError> {
        self.create()?;
        Ok(CallbackKeys::open(&self.0.join("callback-keys"))?)
    }
}

/// Whether a file is there. "Not allowed to look" and "the disk fails" are no "no".
fn is_there(path: PathBuf) -> Result<bool, EmbeddedError> {
    path.try_exists()
        .map_err(|source| EmbeddedError::Unknown { path, source })
}
