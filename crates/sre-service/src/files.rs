//! Files that an order left in `/workspace`.

use std::collections::VecDeque;
use std::sync::Arc;

use serde::de::DeserializeOwned;
use sre_core::{
    BlobDigest, ChangeKind, CommandResult, CommitResult, ErrorCode, Invocation, OrderId, Tree,
    TreeDigest, TreeEntry,
};
use sre_da::{BlobReader, Store};

use crate::caller::Caller;
use crate::error::ServiceError;
use crate::service::Service;

/// A file to be read in pieces.
#[derive(Debug)]
pub struct LeftFile {
    /// Its bytes.
    pub reader: BlobReader,
    /// Their address.
    pub digest: BlobDigest,
    /// Whether it may be executed.
    pub executable: bool,
}

/// Something that an order left.
#[derive(Debug)]
pub enum Left {
    /// A file.
    File(LeftFile),
    /// A symbolic link, which leads to this path. It stays below `/workspace`.
    Link(String),
}

/// Everything that an order left, one after the other, sorted by path.
pub struct LeftFiles {
    store: Arc<dyn Store>,
    order_id: OrderId,
    entries: VecDeque<(String, TreeEntry)>,
}

impl Service {
    /// The file that an order left at `path`, relative to `/workspace`.
    ///
    /// # Errors
    /// As [`Service::order`]; `order_open` before it has ended, `file_unknown`, `store_failed`.
    pub async fn file(
        &self,
        caller: &Caller,
        id: &str,
        path: &str,
    ) -> Result<LeftFile, ServiceError> {
        let (order_id, _, command) = self.command(caller, id).await?;
        let tree = tree(&*self.store, command.tree).await?;
        // A name in a tree that was checked when it was made: no file of this host is looked for.
        match tree.get(path) {
            Some(TreeEntry::File {
                content,
                executable,
            }) => Ok(LeftFile {
                reader: open(&*self.store, content.sha256).await?,
                digest: content.sha256,
                executable: *executable,
            }),
            Some(TreeEntry::Link(target)) => Err(unknown(format!(
                "{path:?} is a link to {target:?}; ask for that"
            ))),
            None => Err(unknown(format!("order {order_id} left no file {path:?}"))),
        }
    }

    /// Everything that an order left, or only what it added or changed.
    ///
    /// # Errors
    /// As [`Service::file`].
    pub async fn files(
        &self,
        caller: &Caller,
        id: &str,
        only_changed: bool,
    ) -> Result<LeftFiles, ServiceError> {
        let (order_id, commit, command) = self.command(caller, id).await?;
        let after = tree(&*self.store, command.tree).await?;
        let owned = |(path, entry): (&str, &TreeEntry)| (path.to_owned(), entry.clone());
        let entries = if only_changed {
            let before = match commit.and_then(|commit| commit.commitment.invocation) {
                Some(digest) => {
                    let invocation: Invocation = read(&*self.store, digest.into()).await?;
                    tree(&*self.store, invocation.work).await?
                }
                None => Tree::default(),
            };
            let changes = before.changes(&after).into_iter();
            changes
                .filter(|change| change.kind != ChangeKind::Deleted)
                .map(|change| owned((change.path, change.entry)))
                .collect()
        } else {
            after.entries().map(owned).collect()
        };
        Ok(LeftFiles {
            store: Arc::clone(&self.store),
            order_id,
            entries,
        })
    }

    /// What the program of an order did, if it was run as a command.
    async fn command(
        &self,
        caller: &Caller,
        id: &str,
    ) -> Result<(OrderId, Option<CommitResult>, CommandResult), ServiceError> {
        let entry = self.order(caller, id).await?;
        let order_id = entry.order_id.clone();
        let Some(result) = entry.parsed_result()? else {
            let detail = format!("order {order_id} has not ended; wait for its result");
            return Err(ServiceError::new(ErrorCode::OrderOpen, detail));
        };
        match result.command {
            Some(command) => Ok((order_id, result.commit_result, command)),
            None => Err(unknown(format!(
                "order {order_id} left no files; only orders with an invocation do"
            ))),
        }
    }
}

impl LeftFiles {
    /// Which order left them.
    #[must_use]
    pub fn order_id(&self) -> &OrderId {
        &self.order_id
    }

    /// The next one, with its path; `None` after the last.
    ///
    /// # Errors
    /// `store_failed`.
    pub async fn next(&mut self) -> Result<Option<(String, Left)>, ServiceError> {
        let Some((path, entry)) = self.entries.pop_front() else {
            return Ok(None);
        };
        let left = match entry {
            TreeEntry::Link(target) => Left::Link(target),
            TreeEntry::File {
                content,
                executable,
            } => Left::File(LeftFile {
                reader: open(&*self.store, content.sha256).await?,
                digest: content.sha256,
                executable,
            }),
        };
        Ok(Some((path, left)))
    }
}

fn unknown(detail: String) -> ServiceError {
    ServiceError::new(ErrorCode::FileUnknown, detail)
}

// What an order left is in the store: anything else is a failure of this host.

async fn open(store: &dyn Store, digest: BlobDigest) -> Result<BlobReader, ServiceError> {
    store.open(digest).await.map_err(|error| failed(&error))
}

async fn tree(store: &dyn Store, digest: TreeDigest) -> Result<Tree, ServiceError> {
    let bytes = store.get(digest.into()).await;
    let bytes = bytes.map_err(|error| failed(&error))?;
    Tree::parse(&bytes).map_err(|error| failed(&error))
}

async fn read<T: DeserializeOwned>(
    store: &dyn Store,
    digest: BlobDigest,
) -> Result<T, ServiceError> {
    let bytes = store.get(digest).await.map_err(|error| failed(&error))?;
    serde_json::from_slice(&bytes).map_err(|error| failed(&error))
}

fn failed(error: &dyn std::fmt::Display) -> ServiceError {
    ServiceError::operating(ErrorCode::StoreFailed, error)
}
