//! The blobs that a verifier will need, as they are gathered.

use std::collections::HashSet;
use std::sync::Arc;

use sre_core::{BlobDigest, Canonical, Digest, SkillDigest};
use sre_da::Blob;
use sre_sandbox::{FileNode, Files, LeftFiles};
use sre_skill::Skill;

/// Blobs to be put at once.
#[derive(Default)]
pub(crate) struct Gathered(Vec<Blob>);

impl Gathered {
    pub(crate) fn into_blobs(self) -> Vec<Blob> {
        self.0
    }

    pub(crate) fn add<D: From<Digest>>(&mut self, blob: Blob) -> D {
        let digest = blob.digest().digest();
        self.0.push(blob);
        digest.into()
    }

    pub(crate) fn add_value<T, D: From<Digest>>(&mut self, value: &Canonical<T>) -> D {
        self.add(Blob::with_digest(
            value.address(),
            Arc::clone(value.bytes()),
        ))
    }

    /// The manifest and every file. Their digests were computed when the package was read.
    pub(crate) fn add_skill(&mut self, skill: &Skill) -> SkillDigest {
        let blobs = skill.blobs();
        self.0
            .extend(blobs.map(|(digest, bytes)| Blob::with_digest(digest, bytes)));
        skill.digest()
    }

    /// What a program left, without what it was given: that is stored already.
    pub(crate) fn add_files(&mut self, left: &LeftFiles, given: &Files) {
        let known: HashSet<Digest> = contents(given).map(|(digest, _)| digest).collect();
        let mut seen = HashSet::new();
        for (digest, bytes) in contents(&left.files) {
            if !known.contains(&digest) && seen.insert(digest) {
                self.0.push(Blob::with_digest(
                    BlobDigest::from(digest),
                    Arc::clone(bytes),
                ));
            }
        }
        let _: BlobDigest = self.add_value(&left.tree);
    }
}

fn contents(files: &Files) -> impl Iterator<Item = (Digest, &Arc<[u8]>)> {
    files.iter().filter_map(|(_, node)| match node {
        FileNode::File { bytes, sha256, .. } => Some((*sha256, bytes)),
        FileNode::Link(_) => None,
    })
}
