//! A walk finds everything that a commitment names, and nothing twice.

use std::collections::BTreeMap;

use sre_core::{
    AcceptExit, Backend, BlobDigest, BlobRole, COMMITMENT_FORMAT, Collect, CommitResult,
    CommitStatus, Commitment, Content, Digest, Ending, EvidenceWalk, Invocation, Outcome,
    Resources, Tree, TreeEntry,
};

/// A store with these blobs.
#[derive(Default)]
struct Blobs(BTreeMap<BlobDigest, Vec<u8>>);

impl Blobs {
    fn add<D: From<Digest>>(&mut self, bytes: &[u8]) -> D {
        let digest = Digest::of(bytes);
        self.0.insert(digest.into(), bytes.to_vec());
        digest.into()
    }

    fn tree(&mut self, path: &str, bytes: &[u8]) -> Tree {
        self.add::<Digest>(bytes);
        let entry = TreeEntry::File {
            content: Content::of(bytes),
            executable: false,
        };
        let tree = Tree::new([(path.to_owned(), entry)]).expect("a tree");
        self.add::<Digest>(&tree.to_canonical());
        tree
    }
}

fn claim(blobs: &mut Blobs) -> CommitResult {
    // A file with the bytes of another tree: the walk must read them as that tree too.
    let before = blobs.tree("in", b"input file");
    let home = blobs.tree("state", &before.to_canonical());
    let after = blobs.tree("out", b"output file");
    blobs.add::<Digest>(b"stdin");
    blobs.add::<Digest>(b"stdout");
    let invocation = Invocation {
        entry: String::from("x.py"),
        args: Vec::new(),
        env: BTreeMap::new(),
        stdin: Content::of(b"stdin"),
        work: before.digest(),
        home: Some(home.digest()),
        accept_exit: AcceptExit::default(),
        collect: Collect::default(),
    };
    let outcome = Outcome {
        workspace: Some(after.digest()),
        home: Some(home.digest()),
        ..Outcome::ended(Ending::Exited { code: 1 }, Content::of(b"stdout"))
    };
    let manifest = format!(
        r#"{{"annotations":{{}},"files":[{{"executable":false,"path":"x.py","sha256":"{}","size":4}}],"io":{{}},"name":"x","version":"1"}}"#,
        blobs.add::<Digest>(b"code")
    );
    let runtime = blobs.add::<Digest>(b"an interpreter");
    let engine = format!(
        r#"{{"backend":"wasm","configuration":{{"language_runtime":"{runtime}"}},"name":"e","version":"1"}}"#
    );
    let commitment = Commitment {
        format: COMMITMENT_FORMAT.to_owned(),
        skill: blobs.add(manifest.as_bytes()),
        input: blobs.add(b"{}"),
        invocation: Some(blobs.add(&invocation.to_canonical())),
        profile: blobs.add(b"a profile"),
        runtime: blobs.add(engine.as_bytes()),
        transcript: Some(blobs.add(b"a transcript")),
        outcome: blobs.add(&outcome.to_canonical()),
    };
    let commitment_hash = blobs.add(&commitment.to_canonical());
    CommitResult {
        order_id: "t".parse().expect("an id"),
        result_uri: None,
        result_hash: None,
        execution_time_ms: 0,
        status: CommitStatus::Failed,
        error_message: None,
        accept_exit: Some(AcceptExit::default()),
        commitment,
        commitment_hash,
        commitment_uri: String::new(),
        backend: Backend::Wasm,
        backend_note: None,
        resources: Resources::default(),
        isolation: None,
    }
}

#[test]
fn everything_that_a_commitment_names_is_found_once() {
    let mut blobs = Blobs::default();
    let claim = claim(&mut blobs);
    let (mut walk, mut found) = (EvidenceWalk::default(), Vec::new());
    walk.add_claim(&claim);
    walk.add_claim(&claim);
    while let Some(blob) = walk.next_blob() {
        let bytes = &blobs.0[&blob.digest];
        assert!(blob.size.is_none_or(|size| size == bytes.len() as u64));
        found.push((blob.digest, blob.role));
        walk.read(blob, bytes);
    }
    let mut distinct = found.clone();
    distinct.sort_unstable_by_key(|(digest, role)| (*digest, role.to_string()));
    distinct.dedup();
    assert_eq!(distinct.len(), found.len());
    let digests: Vec<BlobDigest> = {
        let mut digests: Vec<_> = found.iter().map(|(digest, _)| *digest).collect();
        digests.sort_unstable();
        digests.dedup();
        digests
    };
    let stored: Vec<BlobDigest> = blobs.0.keys().copied().collect();
    assert_eq!(digests, stored);
    let trees = found.iter().filter(|(_, role)| *role == BlobRole::Tree);
    assert_eq!(trees.count(), 3);
}

#[test]
fn what_cannot_be_read_names_nothing() {
    for role in [
        BlobRole::Manifest,
        BlobRole::Invocation,
        BlobRole::Tree,
        BlobRole::Engine,
        BlobRole::Outcome,
    ] {
        assert!(role.names_others());
        assert!(role.named_by(b"[1").is_empty(), "{role}");
        assert!(role.named_by(b"[]").is_empty(), "{role}");
    }
}
