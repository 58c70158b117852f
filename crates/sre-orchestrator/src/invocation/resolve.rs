//! From an invocation on the wire to one in which everything is a digest.

use std::collections::BTreeMap;
use std::sync::Arc;

use sre_core::{
    BlobDigest, Canonical, Content, Invocation, InvocationError, Tree, TreeDigest, TreeEntry,
    TreeError,
};
use sre_da::Blob;
use sre_skill::{Entry, Skill};

use super::inputs::{Inputs, InputsError, OrderFolder};
use super::{ContentConfig, FileConfig, FolderConfig, InvocationConfig};
use crate::OperatorLimits;
use crate::accept::AcceptError;
use crate::accept::error::field;

/// An invocation as it is committed, and what it needs.
#[derive(Debug, Clone)]
pub(crate) struct Resolved {
    /// What is committed.
    pub(crate) invocation: Arc<Canonical<Invocation>>,
    /// What is started.
    pub(crate) entry: Arc<Entry>,
    /// Bytes and files of the folders together.
    pub(crate) files_bytes: u64,
    /// What the order brought with it. It must be stored before the order is recorded.
    pub(crate) brought: BTreeMap<BlobDigest, Arc<[u8]>>,
}

impl Resolved {
    /// What the order brought with it, to be stored.
    pub(crate) fn new_blobs(&self) -> Vec<Blob> {
        self.brought
            .iter()
            .map(|(digest, bytes)| Blob::with_digest(*digest, Arc::clone(bytes)))
            .collect()
    }
}

/// Resolves every reference and checks every limit.
pub(crate) async fn resolve(
    config: InvocationConfig,
    skill: &Skill,
    limits: &OperatorLimits,
    inputs: &dyn Inputs,
) -> Result<Resolved, AcceptError> {
    let entry = match &config.entry {
        Some(path) => skill.entry(path),
        None => skill.default_entry(),
    };
    let entry = entry.map_err(|error| field("invocation.entry", error.to_string()))?;
    let mut reader = Reader {
        inputs,
        limits,
        brought: BTreeMap::new(),
        sizes: BTreeMap::new(),
        files: 0,
        bytes: 0,
    };
    let stdin = match config.stdin {
        Some(content) => reader.content("invocation.stdin", content).await?,
        None => reader.keep(Arc::default()),
    };
    at_most(
        "invocation.stdin",
        stdin.size,
        "bytes",
        limits.stdin_cap_bytes,
    )?;
    let work = reader
        .folder("invocation.work", config.work, OrderFolder::Work)
        .await?;
    let home = match config.home {
        Some(home) => Some(
            reader
                .folder("invocation.home", home, OrderFolder::Home)
                .await?,
        ),
        None => None,
    };
    let invocation = Invocation {
        entry: entry.path.clone(),
        args: config.args,
        env: config.env,
        stdin,
        work,
        home,
        accept_exit: config.accept_exit,
        collect: config.collect,
    };
    invocation.check().map_err(refused)?;
    let invocation = Arc::new(Canonical::new(invocation));
    reader
        .brought
        .insert(invocation.address(), Arc::clone(invocation.bytes()));
    Ok(Resolved {
        invocation,
        entry: Arc::new(entry),
        files_bytes: reader.bytes,
        brought: reader.brought,
    })
}

/// Reads references, and counts what they hold.
struct Reader<'a> {
    inputs: &'a dyn Inputs,
    limits: &'a OperatorLimits,
    brought: BTreeMap<BlobDigest, Arc<[u8]>>,
    /// Blobs that are in the store, so that each is looked at once.
    sizes: BTreeMap<BlobDigest, u64>,
    files: u64,
    bytes: u64,
}

impl Reader<'_> {
    fn keep(&mut self, bytes: Arc<[u8]>) -> Content {
        let content = Content::of(&bytes);
        self.brought.insert(content.sha256, bytes);
        content
    }

    async fn content(
        &mut self,
        name: &'static str,
        content: ContentConfig,
    ) -> Result<Content, AcceptError> {
        match content {
            ContentConfig::Bytes(bytes) => Ok(self.keep(bytes)),
            ContentConfig::Blob(digest) => {
                let size = self.size(name, digest).await?;
                Ok(Content {
                    sha256: digest,
                    size,
                })
            }
        }
    }

    async fn fetch(
        &mut self,
        name: &'static str,
        digest: BlobDigest,
    ) -> Result<Arc<[u8]>, AcceptError> {
        if let Some(known) = self.brought.get(&digest) {
            return Ok(Arc::clone(known));
        }
        let bytes = self.inputs.blob(digest).await;
        let bytes = bytes.map_err(|error| unavailable(name, error))?;
        self.sizes.insert(digest, bytes.len() as u64);
        Ok(bytes)
    }

    /// The size of a blob, which must be there and whole. Its bytes are not kept: an order may name
    /// more than memory should hold.
    async fn size(&mut self, name: &'static str, digest: BlobDigest) -> Result<u64, AcceptError> {
        if let Some(brought) = self.brought.get(&digest) {
            return Ok(brought.len() as u64);
        }
        if let Some(size) = self.sizes.get(&digest) {
            return Ok(*size);
        }
        let size = self.inputs.size(digest).await;
        let size = size.map_err(|error| unavailable(name, error))?;
        self.sizes.insert(digest, size);
        Ok(size)
    }

    async fn folder(
        &mut self,
        name: &'static str,
        folder: FolderConfig,
        which: OrderFolder,
    ) -> Result<TreeDigest, AcceptError> {
        let files = match folder {
            FolderConfig::Files(files) => files,
            FolderConfig::Tree(digest) => {
                let bytes = self.fetch(name, digest.into()).await?;
                let tree = self.counted_tree(name, &bytes)?;
                // A tree that was uploaded may name files that its author may not use.
                let files: Vec<BlobDigest> = tree.blobs().collect();
                let checked = self.inputs.check_all(&files).await;
                checked.map_err(|error| unavailable(name, error))?;
                return Ok(digest);
            }
            FolderConfig::Order(id) => {
                let bytes = self.inputs.folder_of(&id, which).await;
                let bytes = bytes.map_err(|error| unavailable(name, error))?;
                return Ok(self.counted_tree(name, &bytes)?.digest());
            }
        };
        let mut entries = Vec::with_capacity(files.len());
        for (path, file) in files {
            let entry = match file {
                FileConfig::Link(target) => TreeEntry::Link(target),
                FileConfig::File {
                    content,
                    executable,
                } => {
                    let content = self.content(name, content).await?;
                    self.count(name, 0, content.size)?;
                    TreeEntry::File {
                        content,
                        executable,
                    }
                }
            };
            self.count(name, 1, 0)?;
            entries.push((path, entry));
        }
        let tree = Tree::new(entries).map_err(|error| wrong_tree(name, &error))?;
        Ok(self.keep(tree.to_canonical().into()).sha256.digest().into())
    }

    /// A tree that is in the store, within the limits by what it says of its files. That they are
    /// as it says is checked when they are loaded.
    fn counted_tree(&mut self, name: &'static str, bytes: &[u8]) -> Result<Tree, AcceptError> {
        let tree = Tree::parse(bytes).map_err(|error| wrong_tree(name, &error))?;
        self.count(name, tree.len() as u64, tree.total_bytes())?;
        Ok(tree)
    }

    fn count(&mut self, name: &'static str, files: u64, bytes: u64) -> Result<(), AcceptError> {
        self.files = self.files.saturating_add(files);
        self.bytes = self.bytes.saturating_add(bytes);
        at_most(name, self.files, "files", self.limits.initial_files_cap)?;
        at_most(name, self.bytes, "bytes", self.limits.files_cap_bytes)
    }
}

fn at_most(name: &'static str, found: u64, what: &str, limit: u64) -> Result<(), AcceptError> {
    if found <= limit {
        return Ok(());
    }
    Err(field(
        name,
        format!("has {found} {what} or more, at most {limit} are allowed"),
    ))
}

fn refused(error: InvocationError) -> AcceptError {
    // Its messages name the field themselves.
    let text = error.to_string();
    let message = text.strip_prefix("invocation.").unwrap_or(&text).to_owned();
    field("invocation", message)
}

fn wrong_tree(name: &'static str, error: &TreeError) -> AcceptError {
    field(name, error.to_string())
}

fn unavailable(name: &'static str, error: InputsError) -> AcceptError {
    if error.is_operating() {
        AcceptError::Inputs(error)
    } else {
        field(name, error.to_string())
    }
}
