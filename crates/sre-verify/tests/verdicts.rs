//! Which lie gets which verdict. Committer and verifier are real; the store lies and the sandbox
//! plays as told, because neither does so by itself.

#[path = "../../sre-sandbox/tests/common/played.rs"]
mod played;

use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use played::{Played, profile, skill};
use serde_json::{Value, json};
use sre_commit::{Commit, CommitRequest, Committer};
use sre_core::Ending;
use sre_core::{
    Backend, BlobDigest, CheckStatus, CommitResult, CommitStatus, Commitment, Digest, Method,
    Resources, Verdict, VerifyResult, canonical_json,
};
use sre_da::{Blob, Store, StoreError, parse_uri};
use sre_sandbox::{Execution, Executor, OwnedCall, OwnedJob, SandboxError, judge};
use sre_verify::{Verifier, Verify, VerifyRequest};

/// A store whose contents a test can take away or swap, and what it was asked for.
#[derive(Default)]
struct Memory(
    Mutex<HashMap<BlobDigest, Arc<[u8]>>>,
    Mutex<Vec<BlobDigest>>,
);

#[async_trait]
impl Store for Memory {
    async fn put(&self, blobs: Vec<Blob>) -> Result<(), StoreError> {
        let mut memory = self.0.lock().expect("no panic");
        memory.extend(
            blobs
                .iter()
                .map(|blob| (blob.digest(), Arc::clone(blob.bytes()))),
        );
        Ok(())
    }

    async fn get(&self, digest: BlobDigest) -> Result<Arc<[u8]>, StoreError> {
        self.1.lock().expect("no panic").push(digest);
        let bytes = self
            .0
            .lock()
            .expect("no panic")
            .get(&digest)
            .cloned()
            .ok_or(StoreError::NotFound { digest })?;
        let actual = BlobDigest::of(&bytes);
        if actual != digest {
            return Err(StoreError::Mismatch {
                expected: digest,
                actual,
                place: String::from("memory"),
            });
        }
        Ok(bytes)
    }

    async fn exists(&self, digest: BlobDigest) -> Result<bool, StoreError> {
        Ok(self.0.lock().expect("no panic").contains_key(&digest))
    }
}

/// Prints `{"run":n}`, where `n` counts up by `step`; negative numbers stand for a time-out.
fn executor(start: i64, step: i64, version: &str) -> Executor {
    let next = AtomicI64::new(start);
    let counter = Played::new("counter", version, move |job, _| {
        let run = next.fetch_add(step, Ordering::SeqCst);
        if run < 0 {
            return Err(SandboxError::Timeout(job.time_limit));
        }
        let judged = judge(
            job.skill,
            Ending::Exited { code: 0 },
            json!({ "run": run }).to_string().as_bytes(),
            || Ok(()),
        )?;
        Ok(Execution::new(
            judged,
            String::new(),
            Resources::default(),
            Duration::ZERO,
        ))
    });
    Executor::new(vec![Arc::new(counter)], 1)
}

struct Case {
    store: Arc<Memory>,
    claim: CommitResult,
}

/// An honest commitment to `{"run":1}`.
async fn honest() -> Case {
    let store = Arc::new(Memory::default());
    let executor = executor(1, 0, "1");
    let request = CommitRequest {
        order_id: "case".parse().expect("an id"),
        job: OwnedJob {
            skill: skill(),
            entry: Arc::new(skill().default_entry().expect("a program")),
            call: OwnedCall::Json(b"{}".as_slice().into()),
            profile: profile(),
            time_limit: Duration::from_secs(1),
            language_runtime: None,
        },
        invocation: None,
        slot: executor.slot().await.expect("a slot"),
    };
    let committer = Committer::new(executor, Arc::clone(&store) as Arc<dyn Store>);
    let claim = committer
        .commit_result(request)
        .await
        .expect("a commitment")
        .result;
    Case { store, claim }
}

impl Case {
    async fn verify_on(&self, executor: Executor) -> VerifyResult {
        self.verify_request(executor, None).await
    }

    async fn verify_request(
        &self,
        executor: Executor,
        reported_output: Option<Value>,
    ) -> VerifyResult {
        let request = VerifyRequest {
            claim: self.claim.clone(),
            reported_output,
        };
        Verifier::new(executor, Arc::clone(&self.store) as Arc<dyn Store>)
            .verify_result(request)
            .await
    }

    async fn verify(&self) -> VerifyResult {
        self.verify_on(executor(1, 0, "1")).await
    }

    /// Every blob the claim leads to, by the name of the check that reads it.
    fn blobs(&self) -> Vec<(&'static str, BlobDigest)> {
        let commitment = &self.claim.commitment;
        vec![
            ("commitment", self.claim.commitment_hash.into()),
            ("skill", commitment.skill.into()),
            ("skill", BlobDigest::of(b"a second file")),
            ("input", commitment.input.into()),
            ("profile", commitment.profile.into()),
            ("runtime", commitment.runtime.into()),
            ("outcome", commitment.outcome.into()),
            (
                "output",
                parse_uri(self.claim.result_uri.as_deref().expect("a result")).expect("a URI"),
            ),
        ]
    }
}

fn failed_check(result: &VerifyResult) -> &str {
    let failed: Vec<_> = result
        .checks
        .iter()
        .filter(|check| check.status == CheckStatus::Failed)
        .collect();
    assert_eq!(failed.len(), 1, "{result:?}");
    &failed[0].name
}

#[tokio::test]
async fn an_honest_claim_is_matched_with_every_check_listed() {
    let case = honest().await;
    let result = case
        .verify_request(executor(1, 0, "1"), Some(json!({ "run": 1 })))
        .await;
    assert_eq!(
        (result.verdict, result.is_valid, result.method),
        (Verdict::Matched, true, Method::Replay)
    );
    let names: Vec<_> = result
        .checks
        .iter()
        .map(|check| check.name.as_str())
        .collect();
    let all = [
        "commitment",
        "skill",
        "input",
        "profile",
        "runtime",
        "outcome",
        "output",
        "stdout",
        "reported_output",
        "replay",
    ];
    assert_eq!(names, all);
    assert_eq!(result.actual_hash.as_ref(), Some(&result.expected_hash));
}

#[tokio::test]
async fn a_missing_blob_is_unavailable_and_a_changed_one_tampered_whichever_it_is() {
    for index in 0..honest().await.blobs().len() {
        let case = honest().await;
        let (check, digest) = case.blobs()[index];
        let bytes = case
            .store
            .0
            .lock()
            .expect("no panic")
            .remove(&digest)
            .expect("the blob");
        let result = case.verify().await;
        assert_eq!(
            (result.verdict, failed_check(&result)),
            (Verdict::Unavailable, check)
        );

        let changed: Arc<[u8]> = bytes
            .iter()
            .enumerate()
            .map(|(at, byte)| if at == 0 { byte ^ 1 } else { *byte })
            .collect();
        case.store
            .0
            .lock()
            .expect("no panic")
            .insert(digest, changed);
        let result = case.verify().await;
        assert_eq!(
            (result.verdict, failed_check(&result)),
            (Verdict::Tampered, check)
        );
        let error = result.error.expect("an error");
        assert!(
            error.contains(&digest.to_string()),
            "{error} names the digest"
        );
    }
}

/// One lie; the digest is of something else.
type Change = fn(&mut CommitResult, Digest);

#[tokio::test]
async fn a_claim_that_contradicts_its_commitment_is_tampered() {
    let other = Digest::of(b"another");
    let changes: [(&str, Change); 10] = [
        ("commitment", |claim, other| {
            claim.commitment.skill = other.into()
        }),
        ("commitment", |claim, other| {
            claim.commitment.outcome = other.into()
        }),
        ("commitment", |claim, other| {
            claim.commitment_hash = other.into()
        }),
        ("commitment", |claim, other| {
            claim.commitment_uri = format!("da:sha256:{other}")
        }),
        ("commitment", |claim, _| {
            claim.commitment_uri = String::from("file:///etc/passwd")
        }),
        ("output", |claim, other| {
            claim.result_hash = Some(other.into())
        }),
        ("output", |claim, _| claim.result_hash = None),
        ("output", |claim, other| {
            claim.result_uri = Some(format!("da:sha256:{other}"))
        }),
        ("output", |claim, _| claim.result_uri = None),
        ("output", |claim, _| claim.status = CommitStatus::Failed),
    ];
    for (index, (check, change)) in changes.into_iter().enumerate() {
        let mut case = honest().await;
        change(&mut case.claim, other);
        let result = case.verify().await;
        assert_eq!(
            (result.verdict, failed_check(&result)),
            (Verdict::Tampered, check),
            "change {index}"
        );
    }
    let case = honest().await;
    let result = case
        .verify_request(executor(1, 0, "1"), Some(json!({ "run": 2 })))
        .await;
    assert_eq!(
        (result.verdict, failed_check(&result)),
        (Verdict::Tampered, "reported_output")
    );
}

impl Case {
    /// Commits to other bytes in one place; everything else stays consistent.
    async fn commit_to(&mut self, bytes: &[u8], put: fn(&mut Commitment, Digest)) {
        let blob = Blob::new(bytes);
        put(&mut self.claim.commitment, blob.digest().digest());
        self.claim.commitment_hash = self.claim.commitment.digest();
        self.claim.commitment_uri = self.store.uri(self.claim.commitment_hash.into());
        self.store
            .put(vec![blob, Blob::new(self.claim.commitment.to_canonical())])
            .await
            .expect("stored");
    }

    async fn stored(&self, digest: impl Into<BlobDigest>) -> Value {
        serde_json::from_slice(&self.store.get(digest.into()).await.expect("stored")).expect("JSON")
    }
}

#[tokio::test]
async fn bytes_of_the_right_digest_and_the_wrong_meaning_are_tampered() {
    // One value must not have two digests, whether or not a replay would give the committed
    // outcome.
    let mut case = honest().await;
    let outcome = case
        .store
        .get(case.claim.commitment.outcome.into())
        .await
        .expect("the outcome");
    case.commit_to(&[b" ", &*outcome].concat(), |commitment, digest| {
        commitment.outcome = digest.into()
    })
    .await;
    let result = case.verify().await;
    assert_eq!(
        (result.verdict, failed_check(&result)),
        (Verdict::Tampered, "outcome")
    );

    for input in [
        &b"not json"[..],
        b" {}",
        b"[]",
        b"\"text\"",
        b"{\"a\":1,\"a\":2}",
        b"{\"b\":1,\"a\":2}",
        b"",
    ] {
        let mut case = honest().await;
        case.commit_to(input, |commitment, digest| commitment.input = digest.into())
            .await;
        let result = case.verify().await;
        let input = String::from_utf8_lossy(input);
        assert_eq!(
            (result.verdict, failed_check(&result)),
            (Verdict::Tampered, "input"),
            "{input}"
        );
    }

    let mut case = honest().await;
    case.claim.backend = Backend::Native;
    let result = case.verify().await;
    assert_eq!(
        (result.verdict, failed_check(&result)),
        (Verdict::Tampered, "profile")
    );
}

#[tokio::test]
async fn a_commitment_that_asks_for_more_than_is_granted_is_not_run() {
    let all = 1_u64 << 53;
    let names = [
        "fuel",
        "mem_limit_bytes",
        "output_limit_bytes",
        "tmp_limit_bytes",
        "timeout_ms",
    ];
    for name in names {
        let mut case = honest().await;
        let mut profile = case.stored(case.claim.commitment.profile).await;
        profile[name] = json!(all);
        let profile = canonical_json::to_vec(&profile);
        case.commit_to(&profile, |commitment, digest| {
            commitment.profile = digest.into()
        })
        .await;
        // It would give the committed outcome.
        let result = case.verify().await;
        assert_eq!(
            (result.verdict, failed_check(&result)),
            (Verdict::Unverifiable, "replay"),
            "{name}"
        );
        let error = result.error.expect("an error");
        assert!(
            error.contains(&format!("asks for {all} ")) && error.contains("grants"),
            "{error}"
        );
        assert_eq!(result.actual_hash, None, "{name}");
    }

    let mut case = honest().await;
    let input = canonical_json::to_vec(&json!({ "text": "x".repeat(100_000) }));
    case.commit_to(&input, |commitment, digest| {
        commitment.input = digest.into()
    })
    .await;
    let result = case.verify().await;
    assert_eq!(
        (result.verdict, failed_check(&result)),
        (Verdict::Unverifiable, "input")
    );
}

#[tokio::test]
async fn of_a_skill_that_is_too_large_no_file_is_fetched() {
    let large = Blob::new(vec![0; 1 << 20]);
    let digest = large.digest();
    // Said to be as large as it is, a part of that, and many small ones.
    for (size, count, verdict) in [
        (1 << 20, 65, Verdict::Unverifiable),
        (1, 65, Verdict::Tampered),
        (1, 10_001, Verdict::Unverifiable),
    ] {
        let mut case = honest().await;
        case.store.put(vec![large.clone()]).await.expect("stored");
        let mut manifest = case.stored(case.claim.commitment.skill).await;
        let files = (0..count).map(|n| {
            json!({ "path": format!("file-{n:05}"), "size": size, "executable": false, "sha256": digest.to_string() })
        });
        manifest["files"] = files.collect();
        let manifest = canonical_json::to_vec(&manifest);
        case.commit_to(&manifest, |commitment, digest| {
            commitment.skill = digest.into()
        })
        .await;
        case.store.1.lock().expect("no panic").clear();
        let result = case.verify().await;
        assert_eq!(
            (result.verdict, failed_check(&result)),
            (verdict, "skill"),
            "{count} files of {size} bytes"
        );
        let fetched = case
            .store
            .1
            .lock()
            .expect("no panic")
            .iter()
            .filter(|asked| **asked == digest)
            .count();
        assert_eq!(
            fetched,
            usize::from(verdict == Verdict::Tampered),
            "{count} files of {size} bytes"
        );
    }
}

#[tokio::test]
async fn an_unknown_format_is_unverifiable() {
    let mut case = honest().await;
    case.claim.commitment.format = String::from("sre.commitment/v9");
    assert_eq!(case.verify().await.verdict, Verdict::Unverifiable);
}

#[tokio::test]
async fn another_outcome_diverges_on_the_same_engine_and_is_unverifiable_on_another() {
    let case = honest().await;
    let result = case.verify_on(executor(2, 0, "1")).await;
    assert_eq!(
        (result.verdict, failed_check(&result)),
        (Verdict::Diverged, "replay")
    );
    assert_ne!(result.actual_hash.as_ref(), Some(&result.expected_hash));
    assert!(
        result
            .error
            .expect("an error")
            .contains("differs from byte 7 on")
    );

    assert_eq!(
        case.verify_on(executor(2, 0, "2")).await.verdict,
        Verdict::Unverifiable
    );
    // An engine of another version that reproduces the outcome proves it all the same.
    assert_eq!(
        case.verify_on(executor(1, 0, "2")).await.verdict,
        Verdict::Matched
    );
}

#[tokio::test]
async fn two_replays_that_differ_from_each_other_say_nothing_about_the_executor() {
    let case = honest().await;
    // The second gives what is committed, or something else again.
    for start in [0, 2] {
        let result = case.verify_on(executor(start, 1, "1")).await;
        assert_eq!(
            (result.verdict, failed_check(&result)),
            (Verdict::Unverifiable, "replay")
        );
        assert!(
            result
                .error
                .expect("an error")
                .starts_with("two replays on this machine had different outcomes")
        );
        assert_eq!(
            result.divergence.expect("a divergence").repeated,
            Some(false)
        );
    }
    // The second cannot be carried out: what the first one gave stands.
    let result = case.verify_on(executor(0, -1, "1")).await;
    assert_eq!(result.verdict, Verdict::Diverged);
    let divergence = result.divergence.expect("a divergence");
    assert_eq!((divergence.repeated, divergence.event), (None, None));
    assert!(
        divergence
            .no_event
            .expect("why")
            .contains("the second replay could not be carried out")
    );
}

#[tokio::test]
async fn a_replay_that_cannot_be_carried_out_is_unverifiable() {
    let case = honest().await;
    assert_eq!(
        case.verify_on(executor(-1, 0, "1")).await.verdict,
        Verdict::Unverifiable
    );
    assert_eq!(
        case.verify_on(Executor::new(vec![], 1)).await.verdict,
        Verdict::Unverifiable
    );
}
