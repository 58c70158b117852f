//! Who may name which blobs.

use std::time::Duration;

use sre_core::BlobDigest;
use sre_journal::{RetentionPolicy, WithoutReceipt};

use crate::support::{Storage, open};

pub async fn a_submitter_may_use_its_uploads_until_they_are_purged(storage: &dyn Storage) {
    let (journal, hands) = open(storage);
    let (one, two) = (BlobDigest::of(b"one"), BlobDigest::of(b"two"));
    let may_use = async |submitter, digest| {
        let may = journal.may_use(submitter, digest).await;
        may.expect("readable")
    };
    assert!(!may_use("a", one).await);
    journal
        .record_upload("a", vec![(one, 3), (two, 3)])
        .await
        .expect("recorded");
    assert!(may_use("a", one).await && may_use("a", two).await);
    assert!(!may_use("b", one).await, "knowing a digest is no right");
    journal
        .record_upload("b", vec![(one, 3)])
        .await
        .expect("recorded");
    assert!(may_use("b", one).await);

    let age = Duration::from_secs(3600);
    hands.pass(Duration::from_secs(3000));
    journal
        .record_upload("a", vec![(two, 3)])
        .await
        .expect("recorded");
    hands.pass(Duration::from_secs(1000));
    let policy = RetentionPolicy {
        age,
        verdicts_age: age,
    };
    journal
        .purge(policy, WithoutReceipt::Purge)
        .await
        .expect("purged");
    assert!(!may_use("a", one).await && !may_use("b", one).await);
    assert!(may_use("a", two).await, "it was uploaded again");
}
