//! What a command left: its standard output, and its files for the folder that was asked for.

use std::path::PathBuf;
use std::sync::Arc;

use sre_core::{
    BlobDigest, ChangeKind, ErrorCode, Invocation, OrderResult, Tree, TreeDigest, TreeEntry,
};
use sre_da::{Store, StoreError};

use crate::cli::{FolderArg, InvocationArgs, OutputArgs};
use crate::failure::Failure;
use crate::files::{Change, apply};

/// Where the changes of a command go.
#[derive(Debug, Clone)]
pub struct Target {
    folder: PathBuf,
    /// What was deleted goes there too.
    in_place: bool,
}

impl Target {
    /// A folder for what was added or changed.
    #[must_use]
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self {
            folder: folder.into(),
            in_place: false,
        }
    }
}

/// The target that the flags name, if they name one.
///
/// # Errors
/// `--in-place` without a folder of this machine.
pub fn target(output: OutputArgs, invocation: &InvocationArgs) -> Result<Option<Target>, Failure> {
    if let Some(folder) = output.out {
        return Ok(Some(Target::new(folder)));
    }
    match (output.in_place, &invocation.work) {
        (false, _) => Ok(None),
        (true, Some(FolderArg::Path(folder))) => Ok(Some(Target {
            folder: folder.clone(),
            in_place: true,
        })),
        (true, _) => Err(Failure::new(
            ErrorCode::Usage,
            "--in-place: --work names no folder of this machine",
        )
        .hint("write the files somewhere with --out")),
    }
}

/// What a command printed to standard output; `None` in the JSON contract.
///
/// # Errors
/// When the store fails.
pub async fn stdout(
    store: &Arc<dyn Store>,
    result: &OrderResult,
) -> Result<Option<Arc<[u8]>>, Failure> {
    match &result.command {
        None => Ok(None),
        Some(command) => match &command.stdout.text {
            Some(text) => Ok(Some(text.as_bytes().into())),
            None => Ok(Some(
                store.get(command.stdout.sha256).await.map_err(failed)?,
            )),
        },
    }
}

/// Writes the changes below `/workspace` to where they were asked for; how many there were.
///
/// # Errors
/// When the store fails, or the folder cannot be written.
pub async fn write(
    store: &Arc<dyn Store>,
    result: &OrderResult,
    target: &Target,
) -> Result<usize, Failure> {
    match trees(store, result).await? {
        Some((before, after)) => write_changes(store, &before, &after, target).await,
        None => Ok(0),
    }
}

/// As [`write()`], for what changed between two trees.
///
/// # Errors
/// As [`write()`].
pub async fn write_changes(
    store: &Arc<dyn Store>,
    before: &Tree,
    after: &Tree,
    target: &Target,
) -> Result<usize, Failure> {
    let mut written = 0;
    for change in before.changes(after) {
        let made = match (change.kind, change.entry) {
            (ChangeKind::Deleted, _) if !target.in_place => continue,
            (ChangeKind::Deleted, _) => Change::Deleted,
            (_, TreeEntry::Link(target)) => Change::Link(target.clone()),
            (
                _,
                TreeEntry::File {
                    content,
                    executable,
                },
            ) => Change::File {
                bytes: store.get(content.sha256).await.map_err(failed)?.to_vec(),
                executable: *executable,
            },
        };
        apply(&target.folder, [(change.path, made)])?;
        written += 1;
    }
    Ok(written)
}

/// What `/workspace` held at the start and at the end.
async fn trees(
    store: &Arc<dyn Store>,
    result: &OrderResult,
) -> Result<Option<(Tree, Tree)>, Failure> {
    let (Some(commit), Some(command)) = (&result.commit_result, &result.command) else {
        return Ok(None);
    };
    let Some(digest) = commit.commitment.invocation else {
        return Ok(None);
    };
    let invocation = store.get(BlobDigest::from(digest)).await.map_err(failed)?;
    let invocation: Invocation =
        serde_json::from_slice(&invocation).map_err(|error| damaged(&error))?;
    let before = tree(store, invocation.work).await?;
    Ok(Some((before, tree(store, command.tree).await?)))
}

/// A tree by its digest.
///
/// # Errors
/// When the store fails.
pub async fn tree(store: &Arc<dyn Store>, digest: TreeDigest) -> Result<Tree, Failure> {
    Tree::parse(&store.get(BlobDigest::from(digest)).await.map_err(failed)?)
        .map_err(|error| damaged(&error))
}

fn failed(error: StoreError) -> Failure {
    Failure::new(ErrorCode::StoreFailed, error.to_string())
}

fn damaged(error: &dyn std::fmt::Display) -> Failure {
    Failure::new(
        ErrorCode::StoreFailed,
        format!("what the order left cannot be read: {error}"),
    )
}
