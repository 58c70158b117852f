//! What an order may refer to.

use std::sync::Arc;

use async_trait::async_trait;
use sre_core::{BlobDigest, OrderId};
use sre_da::{Store, StoreError};
use sre_journal::{Journal, JournalError};

/// A folder whose state an order leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OrderFolder {
    /// `/workspace`.
    Work,
    /// `$HOME`.
    Home,
}

/// What the orders of one submitter may refer to.
#[async_trait]
pub trait Inputs: Send + Sync {
    /// The bytes with this digest, if the submitter may use them.
    ///
    /// # Errors
    /// [`InputsError`].
    async fn blob(&self, digest: BlobDigest) -> Result<Arc<[u8]>, InputsError>;

    /// The size in bytes of the blob with this digest, if the submitter may use it. All of it was
    /// read and checked, and none of it is kept.
    ///
    /// # Errors
    /// [`InputsError`].
    async fn size(&self, digest: BlobDigest) -> Result<u64, InputsError>;

    /// That the submitter may use all of these. They are not read.
    ///
    /// # Errors
    /// [`InputsError`] for the first that it may not use.
    async fn check_all(&self, digests: &[BlobDigest]) -> Result<(), InputsError>;

    /// The tree of what a folder held when an order of the submitter ended. What the order left,
    /// its submitter may use, so the files need no check of their own.
    ///
    /// # Errors
    /// [`InputsError`].
    async fn folder_of(
        &self,
        order_id: &OrderId,
        folder: OrderFolder,
    ) -> Result<Arc<[u8]>, InputsError>;
}

/// Why something cannot be referred to.
#[derive(Debug, thiserror::Error)]
pub enum InputsError {
    /// The blob is not there, or belongs to another submitter. The two are not told apart: a digest
    /// that was read on a receipt must not tell what is stored here.
    #[error("no blob {0} was uploaded with this token or made by one of its orders")]
    UnknownBlob(BlobDigest),
    /// The order is not there, or belongs to another submitter.
    #[error("there is no order {0}")]
    UnknownOrder(OrderId),
    /// The order has not ended.
    #[error("order {0} has not ended; wait for its result")]
    NotEnded(OrderId),
    /// The order left no such folder.
    #[error("order {0} left no {1}; only orders with an invocation do")]
    NoFolder(OrderId, &'static str),
    /// References are not possible here.
    #[error("references to stored blobs and other orders are not possible here")]
    NotHere,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The journal failed.
    #[error(transparent)]
    Journal(#[from] JournalError),
}

impl InputsError {
    /// Whether the host failed, so that the same may succeed later.
    #[must_use]
    pub const fn is_operating(&self) -> bool {
        matches!(self, Self::Store(_) | Self::Journal(_))
    }
}

/// No references: everything is in the order itself.
#[derive(Debug, Clone, Copy)]
pub struct NoInputs;

#[async_trait]
impl Inputs for NoInputs {
    async fn blob(&self, _: BlobDigest) -> Result<Arc<[u8]>, InputsError> {
        Err(InputsError::NotHere)
    }

    async fn size(&self, _: BlobDigest) -> Result<u64, InputsError> {
        Err(InputsError::NotHere)
    }

    async fn check_all(&self, _: &[BlobDigest]) -> Result<(), InputsError> {
        Err(InputsError::NotHere)
    }

    async fn folder_of(&self, _: &OrderId, _: OrderFolder) -> Result<Arc<[u8]>, InputsError> {
        Err(InputsError::NotHere)
    }
}

/// What is in a store and a journal, as far as one submitter may use it.
pub struct StoredInputs {
    store: Arc<dyn Store>,
    journal: Arc<dyn Journal>,
    /// `None`: the operator, who may use everything.
    submitter: Option<String>,
}

impl StoredInputs {
    /// Inputs for the orders of `submitter`; `None` for the operator, who may use everything.
    #[must_use]
    pub fn new(
        store: Arc<dyn Store>,
        journal: Arc<dyn Journal>,
        submitter: Option<String>,
    ) -> Self {
        Self {
            store,
            journal,
            submitter,
        }
    }
}

fn known<T>(digest: BlobDigest, read: Result<T, StoreError>) -> Result<T, InputsError> {
    match read {
        Err(StoreError::NotFound { .. }) => Err(InputsError::UnknownBlob(digest)),
        other => Ok(other?),
    }
}

#[async_trait]
impl Inputs for StoredInputs {
    async fn blob(&self, digest: BlobDigest) -> Result<Arc<[u8]>, InputsError> {
        self.check_all(&[digest]).await?;
        known(digest, self.store.get(digest).await)
    }

    async fn size(&self, digest: BlobDigest) -> Result<u64, InputsError> {
        self.check_all(&[digest]).await?;
        Ok(known(digest, self.store.open(digest).await)?.size_bytes())
    }

    async fn check_all(&self, digests: &[BlobDigest]) -> Result<(), InputsError> {
        let Some(submitter) = &self.submitter else {
            return Ok(());
        };
        for digest in digests {
            if !self.journal.may_use(submitter, *digest).await? {
                return Err(InputsError::UnknownBlob(*digest));
            }
        }
        Ok(())
    }

    async fn folder_of(
        &self,
        order_id: &OrderId,
        folder: OrderFolder,
    ) -> Result<Arc<[u8]>, InputsError> {
        let unknown = || InputsError::UnknownOrder(order_id.clone());
        let entry = self.journal.get(order_id).await?.ok_or_else(unknown)?;
        if self
            .submitter
            .as_ref()
            .is_some_and(|submitter| *submitter != entry.submitter)
        {
            return Err(unknown());
        }
        let Some(result) = entry.parsed_result()? else {
            return Err(InputsError::NotEnded(order_id.clone()));
        };
        let command = result.command;
        let (tree, name) = match folder {
            OrderFolder::Work => (command.map(|left| left.tree), "files in /workspace"),
            OrderFolder::Home => (command.and_then(|left| left.home_tree), "files in $HOME"),
        };
        let tree = tree.ok_or_else(|| InputsError::NoFolder(order_id.clone(), name))?;
        Ok(self.store.get(tree.into()).await?)
    }
}
