//! The receipts of one data folder: its key, its log, and what a receipt leads to.
//!
//! | below the data folder | holds |
//! |---|---|
//! | `keys/` | the node's key and whom it trusts, see [`KeyFolder`] |
//! | `log.sqlite3` | the transparency log; receipts and full tiles are in `blobs/` |
//! | `logs/` | what is remembered of other people's logs |

use std::sync::Arc;

use sre_core::{ErrorCode, OrderId};
use sre_da::Store;
use sre_log::{Log, LogMemory};
use sre_orchestrator::{DataFolder, Registrar};
use sre_receipt::tlog::TlogProof;
use sre_receipt::{KeyFolder, Receipt};

use crate::failure::Failure;

/// What receipts name as the program that made them.
pub const PROGRAM: &str = concat!("sre ", env!("CARGO_PKG_VERSION"));

/// What signs and keeps the receipts of a data folder.
pub struct Receipts {
    store: Arc<dyn Store>,
    registrar: Registrar,
}

/// The key folder of a data folder; nothing is made.
pub fn keys(folder: &DataFolder) -> KeyFolder {
    folder.keys()
}

/// What a data folder remembers of other people's logs; nothing is made.
pub fn memory(folder: &DataFolder) -> LogMemory {
    LogMemory::new(folder.path().join("logs"))
}

impl Receipts {
    /// Opens key, store, journal and log of a data folder, making what is missing.
    ///
    /// # Errors
    /// When the key is refused, or a file cannot be opened.
    pub async fn open(folder: &DataFolder) -> Result<Self, Failure> {
        let journal = Arc::new(folder.open_journal()?);
        let store: Arc<dyn Store> = Arc::new(folder.open_store()?);
        let registrar = folder
            .open_registrar(journal, Arc::clone(&store), PROGRAM)
            .await?;
        Ok(Self { store, registrar })
    }

    /// The blob store.
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }

    /// What signs and keeps them.
    pub fn registrar(&self) -> &Registrar {
        &self.registrar
    }

    /// The log.
    pub fn log(&self) -> &Arc<Log> {
        self.registrar.log()
    }

    /// The receipt of an order that has ended, issued now unless there is one, with its proof.
    ///
    /// # Errors
    /// When it cannot be stored or entered into the log. Trying again is safe.
    pub async fn issue(&self, order_id: &OrderId) -> Result<(Receipt, TlogProof), Failure> {
        let lost = || {
            Failure::new(
                ErrorCode::ReceiptFailed,
                format!("order {order_id} has no result and no receipt"),
            )
        };
        self.registrar
            .issue_proven(order_id)
            .await?
            .ok_or_else(lost)
    }
}
