//! What a watcher is given.

use std::path::PathBuf;
use std::sync::Arc;

use sre_client::Client;
use sre_da::Store;
use sre_log::LogMemory;
use sre_orchestrator::Callback;
use sre_receipt::KeyFolder;
use sre_receipt::tlog::VerifierKey;
use sre_verify::Verifier;
use url::Url;

/// What a watcher works with. No field has a default.
pub struct WatchOptions {
    /// The service to follow.
    pub executor: Client,
    /// Which share of the orders to replay, from 0 for none to 1 for all. The first order of each
    /// skill is replayed in any case.
    pub share: f64,
    /// Keys that may sign the log, besides those of the trust file.
    pub keys: Vec<VerifierKey>,
    /// Where challenges go; `None` for nowhere.
    pub challenges: Option<Challenges>,
    /// What this node's own receipts name as the program that made them.
    pub program: String,
    /// Where this node keeps what it needs.
    pub folders: WatchFolders,
    /// Makes the verifier that replays orders from a store.
    pub verifier: Box<dyn Fn(Arc<dyn Store>) -> Verifier + Send + Sync>,
    /// Is told how far the watcher has come.
    pub observer: Box<dyn WatchObserver>,
}

/// Where challenges go.
pub struct Challenges {
    /// The address.
    pub url: Url,
    /// Delivers them, signed.
    pub callback: Arc<dyn Callback>,
}

/// Where a watcher keeps what it needs. Nothing is made before it is needed.
#[derive(Debug, Clone)]
pub struct WatchFolders {
    /// What is remembered of each executor.
    pub watch: PathBuf,
    /// This node's key, and the trust file.
    pub keys: KeyFolder,
    /// What is remembered of logs.
    pub logs: LogMemory,
}

/// Is told how far a watcher has come.
pub trait WatchObserver: Send + Sync {
    /// The entries from `position` on are being checked, of `size` in all.
    fn reading(&self, position: u64, size: u64);
}
