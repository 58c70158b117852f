//! Which blobs a commitment names, directly and through other blobs.
//!
//! This is the one place that says it: what is put into bundles, fetched by verifiers, and kept by
//! garbage collection is what a walk finds.
//!
//! ```text
//! commitment ─┬─ skill manifest ── files of the package
//!             ├─ input
//!             ├─ invocation ─┬─ standard input
//!             │              └─ trees of /workspace and $HOME ── their files
//!             ├─ profile
//!             ├─ engine ── language runtime
//!             ├─ transcript
//!             └─ outcome ─┬─ value, or standard output
//!                         └─ trees of /workspace and $HOME ── their files
//! ```

use std::collections::HashSet;
use std::fmt;

use serde::de::DeserializeOwned;

use crate::{
    BlobDigest, CommitResult, Content, Engine, Invocation, JsonResult, Manifest, Outcome, Tree,
    TreeDigest,
};

/// What a blob is to a commitment that names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BlobRole {
    /// The commitment itself.
    Commitment,
    /// A skill's manifest.
    Manifest,
    /// A file of a skill.
    SkillFile,
    /// The input.
    Input,
    /// The invocation.
    Invocation,
    /// What a program reads from standard input.
    Stdin,
    /// What a folder held at the start or at the end.
    Tree,
    /// A file in such a folder.
    TreeFile,
    /// The profile.
    Profile,
    /// The engine.
    Engine,
    /// The interpreter that an engine names. It belongs to many commitments and may be large.
    LanguageRuntime,
    /// What the network answered.
    Transcript,
    /// The outcome.
    Outcome,
    /// The value that was returned.
    Value,
    /// What was printed.
    Stdout,
}

/// A blob that a commitment names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NamedBlob {
    /// Its address.
    pub digest: BlobDigest,
    /// What it is.
    pub role: BlobRole,
    /// How long it is, where that is said.
    pub size: Option<u64>,
}

/// A walk over everything that commitments name. Each blob comes once in each role, however often
/// it is named.
///
/// The caller fetches the blobs; the walk reads those that name others:
///
/// ```
/// # use sre_core::{CommitResult, EvidenceWalk, NamedBlob};
/// # fn walk(claim: &CommitResult, fetch: impl Fn(NamedBlob) -> Option<Vec<u8>>) {
/// let mut walk = EvidenceWalk::default();
/// walk.add_claim(claim);
/// while let Some(blob) = walk.next_blob() {
///     if let Some(bytes) = fetch(blob) {
///         walk.read(blob, &bytes);
///     }
/// }
/// # }
/// ```
#[derive(Debug, Default)]
pub struct EvidenceWalk {
    /// By role too: the bytes of a file may also be those of a tree, which names others.
    seen: HashSet<(BlobDigest, BlobRole)>,
    pending: Vec<NamedBlob>,
}

impl BlobRole {
    /// Whether a blob of this role names others, so that a walk must read it.
    #[must_use]
    pub const fn names_others(self) -> bool {
        matches!(
            self,
            Self::Manifest | Self::Invocation | Self::Tree | Self::Engine | Self::Outcome
        )
    }

    /// The blobs that `bytes` name. What cannot be read names nothing: whether it is what it should
    /// be is the verifier's question.
    #[must_use]
    pub fn named_by(self, bytes: &[u8]) -> Vec<NamedBlob> {
        match self {
            Self::Manifest => read::<Manifest>(bytes)
                .map(|manifest| of_manifest(&manifest))
                .unwrap_or_default(),
            Self::Invocation => read::<Invocation>(bytes)
                .map(|invocation| of_invocation(&invocation))
                .unwrap_or_default(),
            Self::Tree => Tree::parse(bytes)
                .map(|tree| of_tree(&tree))
                .unwrap_or_default(),
            Self::Engine => read::<Engine>(bytes)
                .and_then(|engine| engine.language_runtime().ok().flatten())
                .map(|digest| vec![NamedBlob::new(Self::LanguageRuntime, digest)])
                .unwrap_or_default(),
            Self::Outcome => read::<Outcome>(bytes)
                .map(|outcome| of_outcome(&outcome))
                .unwrap_or_default(),
            _ => Vec::new(),
        }
    }
}

impl NamedBlob {
    fn new(role: BlobRole, digest: impl Into<BlobDigest>) -> Self {
        Self {
            digest: digest.into(),
            role,
            size: None,
        }
    }

    fn content(role: BlobRole, content: Content) -> Self {
        Self {
            digest: content.sha256,
            role,
            size: Some(content.size),
        }
    }
}

/// Everything that a commitment names itself, it included.
#[must_use]
pub fn of_claim(claim: &CommitResult) -> Vec<NamedBlob> {
    let commitment = &claim.commitment;
    let mut blobs = vec![
        NamedBlob::new(BlobRole::Commitment, claim.commitment_hash),
        NamedBlob::new(BlobRole::Manifest, commitment.skill),
        NamedBlob::new(BlobRole::Input, commitment.input),
        NamedBlob::new(BlobRole::Profile, commitment.profile),
        NamedBlob::new(BlobRole::Engine, commitment.runtime),
        NamedBlob::new(BlobRole::Outcome, commitment.outcome),
    ];
    blobs.extend(
        commitment
            .invocation
            .map(|digest| NamedBlob::new(BlobRole::Invocation, digest)),
    );
    blobs.extend(
        commitment
            .transcript
            .map(|digest| NamedBlob::new(BlobRole::Transcript, digest)),
    );
    // The outcome names it too; this spares reading the outcome first.
    blobs.extend(
        claim
            .result_hash
            .map(|digest| NamedBlob::new(BlobRole::Value, digest)),
    );
    blobs
}

/// What a skill consists of besides its manifest.
fn of_manifest(manifest: &Manifest) -> Vec<NamedBlob> {
    let files = manifest.files.iter();
    files
        .map(|file| NamedBlob {
            digest: file.sha256.into(),
            role: BlobRole::SkillFile,
            size: Some(file.size),
        })
        .collect()
}

fn of_invocation(invocation: &Invocation) -> Vec<NamedBlob> {
    [NamedBlob::content(BlobRole::Stdin, invocation.stdin)]
        .into_iter()
        .chain(trees([Some(invocation.work), invocation.home]))
        .collect()
}

/// The trees of `/workspace` and `$HOME`, as far as there are any.
fn trees(folders: [Option<TreeDigest>; 2]) -> impl Iterator<Item = NamedBlob> {
    folders
        .into_iter()
        .flatten()
        .map(|tree| NamedBlob::new(BlobRole::Tree, tree))
}

fn of_tree(tree: &Tree) -> Vec<NamedBlob> {
    tree.contents()
        .map(|content| NamedBlob::content(BlobRole::TreeFile, content))
        .collect()
}

fn of_outcome(outcome: &Outcome) -> Vec<NamedBlob> {
    let value = match outcome.result {
        Some(JsonResult::Value { sha256 }) => Some(NamedBlob::new(BlobRole::Value, sha256)),
        _ => None,
    };
    let stdout = outcome
        .stdout
        .map(|stdout| NamedBlob::content(BlobRole::Stdout, stdout));
    value
        .into_iter()
        .chain(stdout)
        .chain(trees([outcome.workspace, outcome.home]))
        .collect()
}

fn read<T: DeserializeOwned>(bytes: &[u8]) -> Option<T> {
    serde_json::from_slice(bytes).ok()
}

impl EvidenceWalk {
    /// Adds everything that a claim leads to.
    pub fn add_claim(&mut self, claim: &CommitResult) {
        self.add(of_claim(claim));
    }

    /// Adds a blob and everything it leads to.
    pub fn add_blob(&mut self, role: BlobRole, digest: impl Into<BlobDigest>) {
        self.add(vec![NamedBlob::new(role, digest)]);
    }

    fn add(&mut self, blobs: Vec<NamedBlob>) {
        // The last added comes first, and the order of a list is kept.
        for blob in blobs.into_iter().rev() {
            if self.seen.insert((blob.digest, blob.role)) {
                self.pending.push(blob);
            }
        }
    }

    /// The next blob. If it [names others](BlobRole::names_others), its bytes belong into
    /// [`EvidenceWalk::read`].
    pub fn next_blob(&mut self) -> Option<NamedBlob> {
        self.pending.pop()
    }

    /// Adds what a blob names.
    pub fn read(&mut self, blob: NamedBlob, bytes: &[u8]) {
        self.add(blob.role.named_by(bytes));
    }

    /// Every blob so far, those that were not fetched yet included.
    #[must_use]
    pub fn into_seen(self) -> HashSet<BlobDigest> {
        self.seen.into_iter().map(|(digest, _)| digest).collect()
    }
}

impl fmt::Display for BlobRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Commitment => "commitment",
            Self::Manifest => "skill manifest",
            Self::SkillFile => "file of the skill",
            Self::Input => "input",
            Self::Invocation => "invocation",
            Self::Stdin => "standard input",
            Self::Tree => "tree of files",
            Self::TreeFile => "file",
            Self::Profile => "profile",
            Self::Engine => "engine",
            Self::LanguageRuntime => "language runtime",
            Self::Transcript => "transcript",
            Self::Outcome => "outcome",
            Self::Value => "returned value",
            Self::Stdout => "standard output",
        })
    }
}
