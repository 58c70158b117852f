//! Uploaded skills.

use sre_core::{Manifest, SkillDigest};

use crate::support::{Storage, open};

fn manifest(name: &str) -> Manifest {
    let manifest = serde_json::json!({
        "name": name,
        "version": "1.0.0",
        "files": [],
    });
    serde_json::from_value(manifest).expect("a manifest")
}

pub async fn a_skill_is_listed_once_under_its_first_submitter(storage: &dyn Storage) {
    let (journal, _) = open(storage);
    let (one, two) = (SkillDigest::of(b"one"), SkillDigest::of(b"two"));
    for (digest, name, submitter, is_new) in [
        (one, "one", "first", true),
        (two, "two", "first", true),
        (one, "one", "second", false),
    ] {
        let added = journal.add_skill(digest, &manifest(name), submitter).await;
        assert_eq!(added.expect("recorded"), is_new);
    }
    let found = journal.skill(one).await.expect("readable").expect("known");
    assert_eq!(
        (found.name.as_str(), found.submitter.as_str()),
        ("one", "first")
    );
    let page = journal.skills(found.number, 10).await.expect("readable");
    let digests: Vec<SkillDigest> = page.iter().map(|skill| skill.digest).collect();
    assert_eq!(digests, [two]);
    assert!(journal.is_used().await.expect("readable"));
}
