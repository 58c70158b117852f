//! A script's interpreter is part of the claim: a verifier that lacks it fetches it by digest, runs
//! none that it was not told of, and says which one it lacks.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use sre_commit::{Commit, CommitRequest, Committer};
use sre_core::{Canonical, CommitResult, Digest, Profile, RuntimeKind, Verdict, VerifyResult};
use sre_da::{LocalStore, LocalStoreOptions, Store};
use sre_sandbox::wasm::{WasmOptions, WasmSandbox};
use sre_sandbox::{Executor, LanguageRuntime, OwnedCall, OwnedJob, Sandbox};
use sre_skill::{PackageLimits, Skill};
use sre_verify::{Verifier, Verify, VerifyRequest};

fn executor(language_runtimes: Vec<LanguageRuntime>, cache: &Path) -> Executor {
    let options = WasmOptions {
        cache_folder: Some(cache.to_owned()),
        language_runtimes,
        ..WasmOptions::default()
    };
    let sandbox: Arc<dyn Sandbox> = Arc::new(WasmSandbox::new(options).expect("a sandbox"));
    Executor::new(vec![sandbox], 2)
}

fn javascript() -> LanguageRuntime {
    let shipped = sre_runtimes::shipped();
    shipped
        .into_iter()
        .find(|runtime| runtime.kind == RuntimeKind::Javascript)
        .expect("it is shipped")
}

async fn commit(executor: &Executor, store: &Arc<dyn Store>) -> CommitResult {
    let package = json!({"name": "one", "runtime": {"entrypoint": "main.js"}, "files": {"main.js": "console.log(1)"}});
    let profile: Profile = serde_json::from_value(json!({
        "backend": "wasm", "fuel": 1_000_000_000, "mem_limit_bytes": 64 << 20, "output_limit_bytes": 1 << 20,
        "tmp_limit_bytes": 1 << 20, "files_limit_bytes": 64 << 20, "files_limit_count": 10_000, "timeout_ms": 30_000, "clock_start": "2026-01-02T03:04:05Z",
        "random_seed": "00".repeat(32),
    }))
    .expect("a profile");
    let skill = Skill::from_object(&package, &PackageLimits::default()).expect("a skill");
    let skill = Arc::new(skill);
    let request = CommitRequest {
        order_id: "one".parse().expect("an id"),
        job: OwnedJob {
            entry: Arc::new(skill.default_entry().expect("a program")),
            skill,
            call: OwnedCall::Json(b"{}".as_slice().into()),
            profile: Arc::new(Canonical::new(profile)),
            time_limit: Duration::from_secs(300),
            language_runtime: None,
        },
        invocation: None,
        slot: executor.slot().await.expect("a slot"),
    };
    Committer::new(executor.clone(), Arc::clone(store))
        .commit_result(request)
        .await
        .expect("a commitment")
        .result
}

async fn verify(executor: Executor, store: &Arc<dyn Store>, claim: &CommitResult) -> VerifyResult {
    let request = VerifyRequest {
        claim: claim.clone(),
        reported_output: None,
    };
    Verifier::new(executor, Arc::clone(store))
        .verify_result(request)
        .await
}

fn store(folder: &Path) -> Arc<dyn Store> {
    Arc::new(LocalStore::open(folder, LocalStoreOptions::default()).expect("a store"))
}

#[tokio::test]
async fn a_verifier_fetches_the_interpreter_it_lacks_and_runs_no_other() {
    let folder = tempfile::tempdir().expect("a folder");
    let place = |name: &str| folder.path().join(name);
    let shipped = javascript();
    let digest = shipped.digest;
    let here = executor(vec![shipped.clone()], &place("here"));
    let kept = store(&place("kept"));
    let claim = commit(&here, &kept).await;
    assert!(
        kept.exists(digest.into()).await.expect("an answer"),
        "the interpreter is kept with the evidence"
    );

    // Another machine knows the name and has the store.
    let named = LanguageRuntime {
        packed: None,
        ..shipped.clone()
    };
    let there = executor(vec![named.clone()], &place("there"));
    let found = verify(there, &kept, &claim).await;
    assert_eq!(found.verdict, Verdict::Matched, "{found:?}");

    // It knows the name, and the store has lost the bytes.
    let lost = store(&place("lost"));
    for blob in [
        claim.commitment_hash.into(),
        claim.commitment.skill.into(),
        claim.commitment.input.into(),
        claim.commitment.profile.into(),
        claim.commitment.runtime.into(),
        claim.commitment.outcome.into(),
        claim.result_hash.expect("a result").into(),
        Digest::of(b"console.log(1)").into(),
    ] {
        let bytes = kept.get(blob).await.expect("a blob");
        lost.put(vec![sre_da::Blob::new(bytes)])
            .await
            .expect("stored");
    }
    let found = verify(executor(vec![named], &place("elsewhere")), &lost, &claim).await;
    assert_eq!(found.verdict, Verdict::Unverifiable, "{found:?}");
    assert!(
        found
            .error
            .as_ref()
            .is_some_and(|error| error.contains(&digest.to_string())),
        "{found:?}"
    );

    // It was never told of it, although the store has the bytes: an interpreter can be made to say
    // anything.
    let found = verify(executor(Vec::new(), &place("stranger")), &kept, &claim).await;
    assert_eq!(found.verdict, Verdict::Unverifiable, "{found:?}");
    let error = found.error.unwrap_or_default();
    assert!(
        error.contains(&digest.to_string()) && error.contains("trusted"),
        "{error}"
    );

    // It has another runtime of its own: the committed one is what counts.
    let other = LanguageRuntime {
        digest: Digest::of(b"other"),
        packed: Some(b"other"[..].into()),
        ..shipped
    };
    let found = verify(executor(vec![other], &place("other")), &kept, &claim).await;
    assert_eq!(found.verdict, Verdict::Unverifiable, "{found:?}");
}
