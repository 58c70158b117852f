//! How the committed program was called: from digests back to bytes.

use std::collections::HashMap;
use std::sync::Arc;

use sre_core::{
    BlobDigest, Canonical, CommitResult, Content, Invocation, Tree, TreeDigest, Verdict,
};
use sre_da::Store;
use sre_sandbox::{Command, Files, OwnedCall};
use sre_skill::{Entry, Skill};

use crate::ReplayLimits;
use crate::evidence::Fetched;
use crate::limits;
use crate::report::Finding;

/// The committed call, ready to be made again.
pub(crate) struct CommittedCall {
    pub(crate) entry: Arc<Entry>,
    pub(crate) call: OwnedCall,
}

/// The committed invocation, where there is one: in canonical form, possible, and with the exit
/// codes that the claim names.
pub(crate) fn invocation(
    fetched: &Fetched,
    claim: &CommitResult,
) -> Result<Option<Canonical<Invocation>>, Finding> {
    let Some(digest) = claim.commitment.invocation else {
        return match claim.accept_exit {
            None => Ok(None),
            Some(_) => Err(Finding::tampered(
                "the claim accepts exit codes without an invocation",
            )),
        };
    };
    let invocation: Canonical<Invocation> = fetched.value("invocation", digest)?;
    invocation
        .check()
        .map_err(|error| Finding::new(Verdict::Unverifiable, error.to_string()))?;
    if claim.accept_exit.as_ref() == Some(&invocation.accept_exit) {
        Ok(Some(invocation))
    } else {
        Err(Finding::tampered(
            "the claim accepts other exit codes than the committed invocation",
        ))
    }
}

/// The program of the JSON contract.
pub(crate) fn json(skill: &Skill, input: Arc<[u8]>) -> Result<CommittedCall, Finding> {
    Ok(CommittedCall {
        entry: Arc::new(skill.default_entry().map_err(no_entry)?),
        call: OwnedCall::Json(input),
    })
}

/// The program that an invocation starts, with everything it is given.
pub(crate) async fn command(
    store: &dyn Store,
    skill: &Skill,
    invocation: &Invocation,
    limits: &ReplayLimits,
) -> Result<CommittedCall, Finding> {
    let entry = skill.entry(&invocation.entry).map_err(no_entry)?;
    limits::check(
        "bytes of standard input",
        invocation.stdin.size,
        limits.stdin_bytes,
    )?;
    let work = tree(store, invocation.work).await?;
    let home = match invocation.home {
        Some(home) => Some(tree(store, home).await?),
        None => None,
    };
    // Before a file is fetched: what was granted is what the trees say.
    let trees = || [Some(&work), home.as_ref()].into_iter().flatten();
    limits::check(
        "files at the start",
        trees().map(|tree| tree.len() as u64).sum(),
        limits.initial_files,
    )?;
    limits::check(
        "bytes of files at the start",
        trees().map(Tree::total_bytes).fold(0, u64::saturating_add),
        limits.files_bytes,
    )?;
    let mut contents = Contents::new(store);
    contents.fetch([invocation.stdin]).await?;
    for tree in trees() {
        contents.fetch(tree.contents()).await?;
    }
    let files = |tree: &Tree| {
        Files::from_tree(tree, |digest| contents.get(digest)).map_err(|digest| {
            Finding::new(Verdict::Unavailable, format!("{digest} was not fetched"))
        })
    };
    let command = Command {
        args: invocation.args.clone(),
        env: invocation.env.clone(),
        stdin: contents.get(invocation.stdin.sha256).unwrap_or_default(),
        work: files(&work)?,
        home: home.as_ref().map(files).transpose()?,
        collect: invocation.collect.clone(),
    };
    Ok(CommittedCall {
        entry: Arc::new(entry),
        call: OwnedCall::Command(Arc::new(command)),
    })
}

/// A stored tree.
pub(crate) async fn tree(store: &dyn Store, digest: TreeDigest) -> Result<Tree, Finding> {
    let bytes = store.get(digest.into()).await?;
    Tree::parse(&bytes)
        .map_err(|error| Finding::tampered(format!("{digest} is not a tree: {error}")))
}

fn no_entry(error: impl std::fmt::Display) -> Finding {
    Finding::new(Verdict::Unverifiable, error.to_string())
}

/// Blobs with the sizes that were said of them.
struct Contents<'a> {
    store: &'a dyn Store,
    fetched: HashMap<BlobDigest, Arc<[u8]>>,
}

impl<'a> Contents<'a> {
    /// Blobs that are asked for at once. More would be held twice while they are sorted in.
    const BATCH: usize = 256;

    fn new(store: &'a dyn Store) -> Self {
        let fetched = HashMap::new();
        Self { store, fetched }
    }

    async fn fetch(&mut self, contents: impl IntoIterator<Item = Content>) -> Result<(), Finding> {
        let wanted: Vec<Content> = contents
            .into_iter()
            .filter(|content| !self.fetched.contains_key(&content.sha256))
            .collect();
        for batch in wanted.chunks(Self::BATCH) {
            let digests: Vec<BlobDigest> = batch.iter().map(|content| content.sha256).collect();
            let answers = self.store.get_many(&digests).await;
            for (Content { sha256, size }, bytes) in batch.iter().zip(answers) {
                let bytes = bytes?;
                if bytes.len() as u64 != *size {
                    let found = bytes.len();
                    return Err(Finding::tampered(format!(
                        "{sha256} has {found} bytes, and {size} are committed"
                    )));
                }
                self.fetched.insert(*sha256, bytes);
            }
        }
        Ok(())
    }

    fn get(&self, digest: BlobDigest) -> Option<Arc<[u8]>> {
        self.fetched.get(&digest).map(Arc::clone)
    }
}
