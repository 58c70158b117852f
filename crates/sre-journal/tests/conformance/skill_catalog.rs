//! Uploaded skills.

use sre_core::SkillDigest;

use crate::support::{Storage, manifest, open};

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
