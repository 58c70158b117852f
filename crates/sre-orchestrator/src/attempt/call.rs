//! What a program is called with: from the digests of an invocation to bytes.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use sre_commit::{CommitError, CommitRequest};
use sre_core::{BlobDigest, Content, Invocation, Tree, TreeDigest};
use sre_da::{Store, StoreError};
use sre_sandbox::{Command, Files, OwnedCall, OwnedJob, Slot};

use super::AttemptError;
use crate::accept::{AcceptedOrder, AttemptOrder};

/// Blobs that are asked for at once.
const BATCH: usize = 256;

impl AcceptedOrder {
    /// Stores what the order brought with it and makes the request of the commit stage, for callers
    /// that run this stage alone.
    ///
    /// # Errors
    /// [`CommitError`]: what the invocation names cannot be stored or read.
    pub async fn commit_request(
        &self,
        store: &dyn Store,
        slot: Slot,
    ) -> Result<CommitRequest, CommitError> {
        let order = &self.attempt;
        if let Some(resolved) = &order.resolved {
            store.put(resolved.new_blobs()).await?;
        }
        let call = call(order, store).await.map_err(|error| match error {
            AttemptError::Load(error) => CommitError::Store(error),
            other => CommitError::Stage(other.to_string()),
        })?;
        Ok(request(order, call, slot))
    }
}

/// The request of the commit stage.
pub(super) fn request(order: &AttemptOrder, call: OwnedCall, slot: Slot) -> CommitRequest {
    CommitRequest {
        order_id: order.order_id.clone(),
        job: OwnedJob {
            skill: Arc::clone(&order.skill),
            entry: Arc::clone(&order.entry),
            call,
            profile: Arc::clone(&order.profile),
            time_limit: order.execution_time.min(order.attempt_time),
            language_runtime: None,
        },
        invocation: order.invocation.clone(),
        slot,
    }
}

/// The call of an order. What the order brought with it is taken from memory, where an attempt
/// follows its acceptance at once; everything else comes from the store.
pub(super) async fn call(
    order: &AttemptOrder,
    store: &dyn Store,
) -> Result<OwnedCall, AttemptError> {
    let Some(invocation) = &order.invocation else {
        return Ok(OwnedCall::Json(Arc::clone(&order.input)));
    };
    let brought = order.resolved.as_ref().map(|resolved| &resolved.brought);
    let mut source = Source {
        store,
        brought,
        fetched: HashMap::new(),
    };
    let command = source.command(invocation).await?;
    Ok(OwnedCall::Command(Arc::new(command)))
}

struct Source<'a> {
    store: &'a dyn Store,
    brought: Option<&'a BTreeMap<BlobDigest, Arc<[u8]>>>,
    fetched: HashMap<BlobDigest, Arc<[u8]>>,
}

impl Source<'_> {
    async fn command(&mut self, invocation: &Invocation) -> Result<Command, AttemptError> {
        let work = self.tree(invocation.work).await?;
        let home = match invocation.home {
            Some(home) => Some(self.tree(home).await?),
            None => None,
        };
        let mut contents: Vec<Content> = vec![invocation.stdin];
        contents.extend(work.contents());
        contents.extend(home.iter().flat_map(Tree::contents));
        self.fetch(contents.iter().map(|content| content.sha256).collect())
            .await?;
        self.check_sizes(&contents)?;
        let files = |tree: &Tree| {
            Files::from_tree(tree, |digest| self.known(digest))
                .map_err(|digest| StoreError::NotFound { digest })
        };
        Ok(Command {
            args: invocation.args.clone(),
            env: invocation.env.clone(),
            stdin: self.known(invocation.stdin.sha256).unwrap_or_default(),
            work: files(&work)?,
            home: home.as_ref().map(files).transpose()?,
            collect: invocation.collect.clone(),
        })
    }

    async fn tree(&mut self, digest: TreeDigest) -> Result<Tree, AttemptError> {
        self.fetch(vec![digest.into()]).await?;
        let bytes = self.known(digest.into()).unwrap_or_default();
        Tree::parse(&bytes).map_err(|error| AttemptError::Inputs(format!("{digest}: {error}")))
    }

    async fn fetch(&mut self, mut wanted: Vec<BlobDigest>) -> Result<(), StoreError> {
        wanted.retain(|digest| self.known(*digest).is_none());
        wanted.sort_unstable();
        wanted.dedup();
        for batch in wanted.chunks(BATCH) {
            let answers = self.store.get_many(batch).await;
            for (digest, bytes) in batch.iter().zip(answers) {
                self.fetched.insert(*digest, bytes?);
            }
        }
        Ok(())
    }

    /// The limits were applied to the sizes that trees say. A tree that was uploaded may say wrong
    /// ones.
    fn check_sizes(&self, contents: &[Content]) -> Result<(), AttemptError> {
        for Content { sha256, size } in contents {
            let found = self.known(*sha256).map_or(0, |bytes| bytes.len() as u64);
            if found != *size {
                let message = format!("{sha256} has {found} bytes, and its tree says {size}");
                return Err(AttemptError::Inputs(message));
            }
        }
        Ok(())
    }

    fn known(&self, digest: BlobDigest) -> Option<Arc<[u8]>> {
        let brought = self.brought.and_then(|brought| brought.get(&digest));
        brought
            .or_else(|| self.fetched.get(&digest))
            .map(Arc::clone)
    }
}
