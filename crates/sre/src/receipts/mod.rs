//! The receipts of one data folder: its key, its log, and what a receipt leads to.
//!
//! | below the data folder | holds |
//! |---|---|
//! | `keys/` | the node's key and whom it trusts, see [`KeyFolder`] |
//! | `log.sqlite3` | the transparency log; receipts and full tiles are in `blobs/` |
//! | `logs/` | what is remembered of other people's logs |

mod evidence;
mod http;
mod sources;

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::Arc;

use jiff::Timestamp;
use sre_core::{BlobDigest, OrderId, OrderResult};
use sre_da::Store;
use sre_log::{Log, LogMemory, Notary};
use sre_orchestrator::DataFolder;
use sre_receipt::tlog::TlogProof;
use sre_receipt::{Host, KeyFolder, Receipt};

pub use evidence::evidence;
pub use http::{HttpLog, HttpWitness, WitnessAnswer};
pub use sources::Sources;

use crate::failure::Failure;

/// What signs and keeps the receipts of a data folder.
pub struct Receipts {
    store: Arc<dyn Store>,
    notary: Notary,
}

/// The key folder of a data folder; nothing is made.
pub fn keys(folder: &DataFolder) -> KeyFolder {
    KeyFolder::new(folder.path().join("keys"))
}

/// What a data folder remembers of other people's logs; nothing is made.
pub fn memory(folder: &DataFolder) -> LogMemory {
    LogMemory::new(folder.path().join("logs"))
}

fn log_file(folder: &DataFolder) -> PathBuf {
    folder.path().join("log.sqlite3")
}

/// What the log of a data folder needs of its store.
///
/// # Errors
/// When the log is there and cannot be read.
pub fn blobs_of_log(folder: &DataFolder) -> Result<HashSet<BlobDigest>, Failure> {
    Ok(sre_log::blobs_of_log(&log_file(folder))?)
}

/// Whether a data folder has a log. Makes nothing.
pub fn has_log(folder: &DataFolder) -> bool {
    log_file(folder).exists()
}

impl Receipts {
    /// Opens key, store and log of a data folder, making what is missing.
    ///
    /// # Errors
    /// When the key is refused, or a file cannot be opened.
    pub async fn open(folder: &DataFolder) -> Result<Self, Failure> {
        let store: Arc<dyn Store> = Arc::new(folder.open_store()?);
        let key = Arc::new(keys(folder).load_or_create(Timestamp::now())?);
        let log = Arc::new(Log::open(&log_file(folder), Arc::clone(&store), Arc::clone(&key)).await?);
        let host = Host::this(concat!("sre ", env!("CARGO_PKG_VERSION")));
        Ok(Self { notary: Notary::new(key, Arc::clone(&store), log, host), store })
    }

    /// The blob store.
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }

    /// The log.
    pub fn log(&self) -> &Arc<Log> {
        self.notary.log()
    }

    /// The receipt of an order that has ended, issued now unless there is one, with its proof.
    ///
    /// # Errors
    /// When it cannot be stored or entered into the log. Trying again is safe.
    pub async fn issue(&self, result: &OrderResult) -> Result<(Receipt, TlogProof), Failure> {
        let receipt = self.notary.issue(result, Timestamp::now()).await?;
        self.log().integrate().await?;
        let proof = self.proof(&result.order_id).await?;
        Ok((receipt, proof))
    }

    async fn proof(&self, order_id: &OrderId) -> Result<TlogProof, Failure> {
        self.notary.proof(order_id).await?.ok_or_else(|| {
            Failure::operating(
                "log_failed",
                format!("the receipt of order {order_id} was entered and is not in the log"),
            )
        })
    }
}
