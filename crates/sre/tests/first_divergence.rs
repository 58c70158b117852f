//! Where a replay parts from what is committed: the first call of the guest that contradicts it is
//! named, whatever was altered.
//!
//! Committer, verifier, store and sandbox are the real ones; what is committed is altered in
//! between, with every digest made anew.

mod common;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use sre_commit::{Commit, CommitRequest, Committer};
use sre_core::{
    Backend, Canonical, CommitResult, CommitStatus, Content, Digest, Divergence, Ending, Engine,
    GuestEvent, GuestEventKind, Outcome, OutputDigest, Profile, Seed, TrapKind, Verdict,
    VerifyResult, canonical_json,
};
use sre_da::{Blob, LocalStore, LocalStoreOptions, Store};
use sre_sandbox::wasm::{WasmOptions, WasmSandbox};
use sre_sandbox::{
    Call, CallTrace, Execution, Executor, Job, OwnedCall, OwnedJob, Sandbox, SandboxError, Stop,
};
use sre_skill::{Entry, PackageLimits, Skill};
use sre_verify::{Verifier, Verify, VerifyRequest};
use tempfile::TempDir;

const PRELUDE: &str = include_str!("../../sre-sandbox/tests/programs/prelude.wat");
const COMPONENT: &str = include_str!("../../sre-sandbox/tests/programs/component.wat");

/// Prints `[0,1,2,3,4,5,6,7,8,9]`, a byte with each call.
const PIECES: &str = r#"
    (data (i32.const 1024) "[0,1,2,3,4,5,6,7,8,9]")
    (func (export "_start") (local $at i32)
        (loop $more
            (call $print (i32.add (i32.const 1024) (local.get $at)) (i32.const 1))
            (local.set $at (i32.add (local.get $at) (i32.const 1)))
            (br_if $more (i32.lt_u (local.get $at) (i32.const 21)))))"#;

/// A store, and what was committed in it.
struct Case {
    _folder: TempDir,
    store: Arc<dyn Store>,
    sandbox: Arc<WasmSandbox>,
    claim: CommitResult,
    /// What the program printed to standard output.
    stdout: Vec<u8>,
}

fn sandbox() -> Arc<WasmSandbox> {
    let cache_folder = Some(Path::new(common::CACHE).to_owned());
    let options = WasmOptions {
        cache_folder,
        language_runtimes: sre_runtimes::shipped(),
        ..WasmOptions::default()
    };
    Arc::new(WasmSandbox::new(options).expect("a sandbox"))
}

fn module(body: &str) -> Value {
    json!({ "main.wat": format!("(module {PRELUDE} {body})") })
}

impl Case {
    /// Commits honestly to what the only file of `files` does with `fuel`.
    async fn new(files: Value, fuel: u64) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let store: Arc<dyn Store> = Arc::new(
            LocalStore::open(folder.path(), LocalStoreOptions::default()).expect("a store"),
        );
        let sandbox = sandbox();
        let entrypoint = files
            .as_object()
            .and_then(|files| files.keys().next())
            .expect("a file")
            .clone();
        let package =
            json!({ "name": "case", "runtime": { "entrypoint": entrypoint }, "files": files });
        let profile: Profile = serde_json::from_value(json!({
            "backend": "wasm", "fuel": fuel, "mem_limit_bytes": 64 << 20, "output_limit_bytes": 100,
            "tmp_limit_bytes": 1 << 20, "files_limit_bytes": 64 << 20, "files_limit_count": 10_000, "timeout_ms": 30_000, "clock_start": "2026-01-02T03:04:05Z",
            "random_seed": "00".repeat(32),
        }))
        .expect("a profile");
        let executor = Executor::new(vec![Arc::clone(&sandbox) as Arc<dyn Sandbox>], 2);
        let skill =
            Arc::new(Skill::from_object(&package, &PackageLimits::default()).expect("a skill"));
        let job = Job {
            skill: &skill,
            entry: &skill.default_entry().expect("a program"),
            call: Call::Json { input: b"{}" },
            profile: &profile,
            time_limit: Duration::from_secs(300),
            language_runtime: None,
        };
        let (_, account) = sandbox
            .execute_recorded(&job, &Stop::new())
            .expect("an outcome");
        let stdout = account.expect("an account").printed;
        let request = CommitRequest {
            order_id: "case".parse().expect("an id"),
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
        let committed = Committer::new(executor, Arc::clone(&store))
            .commit_result(request)
            .await;
        Self {
            _folder: folder,
            store,
            sandbox,
            claim: committed.expect("a commitment").result,
            stdout,
        }
    }

    /// What a verifier finds when the executor says that this was the outcome.
    async fn verify(&self, outcome: Outcome, result: Option<Vec<u8>>) -> VerifyResult {
        self.verify_on(
            Arc::clone(&self.sandbox) as Arc<dyn Sandbox>,
            outcome,
            result,
        )
        .await
    }

    async fn verify_on(
        &self,
        sandbox: Arc<dyn Sandbox>,
        outcome: Outcome,
        result: Option<Vec<u8>>,
    ) -> VerifyResult {
        let mut claim = self.claim.clone();
        claim.commitment.outcome = outcome.digest();
        claim.commitment_hash = claim.commitment.digest();
        claim.commitment_uri = self.store.uri(claim.commitment_hash.into());
        claim.result_hash = outcome.output();
        claim.result_uri = outcome.output().map(|output| self.store.uri(output.into()));
        claim.status = if outcome.is_success(None) {
            CommitStatus::Success
        } else {
            CommitStatus::Failed
        };
        let blobs = [
            Some(outcome.to_canonical()),
            Some(claim.commitment.to_canonical()),
            result,
        ];
        self.store
            .put(blobs.into_iter().flatten().map(Blob::new).collect())
            .await
            .expect("stored");
        let executor = Executor::new(vec![sandbox], 2);
        let request = VerifyRequest {
            claim,
            reported_output: None,
        };
        Verifier::new(executor, Arc::clone(&self.store))
            .verify_result(request)
            .await
    }

    async fn verify_value(&self, value: &Value) -> VerifyResult {
        let bytes = canonical_json::to_vec(value);
        self.verify(Outcome::returned(OutputDigest::of(&bytes)), Some(bytes))
            .await
    }

    /// The event that is named for this value, which must be shown in the words too.
    async fn first_event(&self, value: &Value) -> GuestEvent {
        first_event(&self.verify_value(value).await)
    }

    /// The event that is named where it is said to have printed the same and ended like this.
    async fn event_of(&self, ending: Ending) -> GuestEvent {
        first_event(&self.verify_stdout(ending, &self.stdout).await)
    }

    /// What a verifier finds when the executor says that it printed this and ended like that.
    async fn verify_stdout(&self, ending: Ending, stdout: &[u8]) -> VerifyResult {
        let outcome = Outcome::ended(ending, Content::of(stdout));
        self.verify(outcome, Some(stdout.to_vec())).await
    }
}

#[track_caller]
fn divergence(found: &VerifyResult, verdict: Verdict) -> Divergence {
    assert_eq!(found.verdict, verdict, "{found:?}");
    *found
        .divergence
        .clone()
        .unwrap_or_else(|| panic!("no divergence: {found:?}"))
}

#[track_caller]
fn first_event(found: &VerifyResult) -> GuestEvent {
    let Divergence {
        event,
        fuel,
        repeated,
        ..
    } = divergence(found, Verdict::Diverged);
    let event = event.unwrap_or_else(|| panic!("no event: {found:?}"));
    assert!(
        event.fuel <= fuel && fuel > 0 && repeated == Some(true),
        "{found:?}"
    );
    let words = found.error.as_deref().unwrap_or_default();
    assert!(
        words.contains(&event.to_string()) && words.contains(&format!("used {fuel} fuel in all")),
        "{words}"
    );
    event
}

#[tokio::test]
async fn a_difference_in_a_result_of_many_pieces_names_the_piece() {
    let case = Case::new(module(PIECES), 1_000_000).await;
    assert_eq!(
        case.verify_value(&json!([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]))
            .await
            .verdict,
        Verdict::Matched
    );
    let mut last_fuel = 0;
    for (altered, byte) in [
        (json!("start"), 0),
        (json!([9, 1, 2, 3, 4, 5, 6, 7, 8, 9]), 1),
        // Shorter: the list goes on where it should end.
        (json!([0, 1, 2]), 6),
        (json!([0, 1, 2, 3, 4, 7, 6, 7, 8, 9]), 11),
        (json!([0, 1, 2, 3, 4, 5, 6, 7, 8, 8]), 19),
        // Longer: it ends where it should go on.
        (json!([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10]), 20),
    ] {
        let event = case.first_event(&altered).await;
        assert_eq!(
            (event.kind, event.number),
            (GuestEventKind::Call, byte + 1),
            "{altered}: {event}"
        );
        assert_eq!(event.what, "wasi_snapshot_preview1.fd_write(1, 1 byte)");
        assert_eq!(
            event.contradicts,
            format!("byte {byte} of standard output is not of the committed result")
        );
        assert!(event.fuel > last_fuel, "{event}");
        last_fuel = event.fuel;
    }
}

#[tokio::test]
async fn another_spelling_is_not_a_contradiction_and_trailing_text_is() {
    let program = r#"(data (i32.const 1024) "{ \22b\22 : [true, 1.50] , \22\\u0061\22 : 1e2 }")
        (func (export "_start") (call $print (i32.const 1024) (i32.const 39)) (call $proc_exit (i32.const 0)))"#;
    let case = Case::new(module(program), 1_000_000).await;
    assert_eq!(
        case.verify_value(&json!({ "a": 100, "b": [true, 1.5] }))
            .await
            .verdict,
        Verdict::Matched
    );
    let event = case
        .first_event(&json!({ "a": 100, "b": [true, 2.5] }))
        .await;
    assert_eq!(
        (event.number, &*event.what),
        (1, "wasi_snapshot_preview1.fd_write(1, 39 bytes)")
    );
    assert_eq!(
        event.contradicts,
        "byte 15 of standard output is not of the committed result"
    );
    let event = case.event_of(Ending::Exited { code: 3 }).await;
    assert_eq!(
        (event.number, &*event.what),
        (2, "wasi_snapshot_preview1.proc_exit(0)")
    );
    assert_eq!(event.contradicts, "exit code 3 is committed");
    let event = case
        .event_of(Ending::Trapped {
            trap: TrapKind::Unreachable,
        })
        .await;
    assert_eq!(
        (event.kind, event.number),
        (GuestEventKind::Call, 2),
        "{event}"
    );
    let exited = Ending::Exited { code: 0 };
    assert_eq!(
        first_event(&case.verify_stdout(exited, b"").await).contradicts,
        "byte 0 of standard output where no more output is committed"
    );
    assert_eq!(
        case.event_of(Ending::OutputLimit).await.contradicts,
        "more than the output limit is committed"
    );
    // Of what is no value the bytes themselves are committed.
    let named = first_event(&case.verify_stdout(exited, b"{ \"c\"").await);
    assert_eq!(
        (named.number, &*named.contradicts),
        (
            1,
            "byte 3 of standard output is another one than is committed"
        )
    );
}

#[tokio::test]
async fn how_a_guest_ended_is_named_where_its_output_does_not_tell() {
    let print_1 =
        "(data (i32.const 1024) \"1\") (func $one (call $print (i32.const 1024) (i32.const 1)))";
    let start = |body: &str| {
        module(&format!(
            "{print_1} (func (export \"_start\") (call $one) {body})"
        ))
    };
    let end = |event: &GuestEvent, what: &str| {
        assert_eq!(
            (event.kind, event.number, &*event.what),
            (GuestEventKind::End, 1, what),
            "{event}"
        );
    };
    let longer = "the committed result goes on after the 1 byte printed";

    let came_back = Case::new(start(""), 1_000_000).await;
    let event = came_back.first_event(&json!(12)).await;
    end(&event, "it came back by itself, which is exit code 0");
    assert_eq!(event.contradicts, longer);
    assert_eq!(
        came_back.event_of(Ending::OutOfFuel).await.contradicts,
        "that its fuel was used up is committed"
    );

    let trapped = Case::new(start("unreachable"), 1_000_000).await;
    let event = trapped.first_event(&json!(1)).await;
    end(
        &event,
        "it trapped: unreachable code reached (a panic or an abort)",
    );
    assert_eq!(event.contradicts, "exit code 0 is committed");
    assert_eq!(trapped.first_event(&json!(12)).await.contradicts, longer);
    // What it printed before counts first.
    assert_eq!(trapped.first_event(&json!(2)).await.number, 1);

    let spinning = Case::new(start("(loop $for_ever (br $for_ever))"), 100_000).await;
    let event = spinning.first_event(&json!(1)).await;
    end(&event, "its fuel was used up");
    assert!(event.fuel >= 100_000, "{event}");

    let exits = Case::new(start("(call $proc_exit (i32.const 3))"), 1_000_000).await;
    let event = exits.first_event(&json!(1)).await;
    assert_eq!(
        (event.number, &*event.what),
        (2, "wasi_snapshot_preview1.proc_exit(3)")
    );

    let floods = Case::new(
        start("(loop $for_ever (call $write (i32.const 1) (i32.const 2048) (i32.const 64)) (br $for_ever))"),
        1_000_000,
    )
    .await;
    let event = floods.event_of(Ending::Exited { code: 1 }).await;
    assert_eq!(
        (event.number, &*event.what),
        (3, "wasi_snapshot_preview1.fd_write(1, 64 bytes)")
    );
}

#[tokio::test]
async fn components_and_scripts_behave_like_modules() {
    let component =
        |body: &str| json!({ "main.wat": COMPONENT.replace("BODY\n", &format!("{body}\n")) });
    let prints = "(func $run (result i32) (call $print (i32.const 0) (i32.const 1)) (i32.const 0))";
    let case = Case::new(component(prints), 1_000_000).await;
    let event = case.first_event(&json!(2)).await;
    // The first call asks for standard output.
    assert_eq!(
        (event.number, &*event.what),
        (
            2,
            "wasi:io/streams.output-stream.blocking-write-and-flush(1 byte)"
        ),
        "{event}"
    );
    let fails = Case::new(
        component("(func $run (result i32) (i32.const 1))"),
        1_000_000,
    )
    .await;
    let event = fails.first_event(&json!(2)).await;
    assert_eq!(
        (event.kind, event.number),
        (GuestEventKind::End, 0),
        "{event}"
    );
    assert_eq!(event.what, "it came back by itself, which is exit code 1");

    // The one interpreter is a component, the other a module.
    for (name, script, interface) in [
        (
            "main.py",
            "print('{\"n\": [1, 2]}')",
            "wasi:io/streams.output-stream.",
        ),
        (
            "main.js",
            "console.log('{\"n\": [1, 2]}')",
            "wasi_snapshot_preview1.fd_write(",
        ),
    ] {
        let case = Case::new(json!({ name: script }), 10_000_000_000).await;
        let event = case.first_event(&json!({ "n": [1, 3] })).await;
        assert_eq!(
            event.contradicts, "byte 10 of standard output is not of the committed result",
            "{name}"
        );
        assert!(
            event.what.starts_with(interface) && event.fuel > 0,
            "{name}: {event}"
        );
    }
}

/// A machine that does not repeat itself: a recorded run has another seed. Doubles the fault of a
/// machine, which no test can cause.
struct Unsteady(Arc<WasmSandbox>);

impl Sandbox for Unsteady {
    fn backend(&self) -> Backend {
        self.0.backend()
    }

    fn engine(
        &self,
        skill: &Skill,
        entry: &Entry,
        runtime: Option<Digest>,
    ) -> Result<Arc<Canonical<Engine>>, SandboxError> {
        self.0.engine(skill, entry, runtime)
    }

    fn prepare(&self, skill: &Skill, entry: &Entry) -> Result<(), SandboxError> {
        self.0.prepare(skill, entry)
    }

    fn execute(&self, job: &Job<'_>, stop: &Stop) -> Result<Execution, SandboxError> {
        self.0.execute(job, stop)
    }

    fn execute_recorded(
        &self,
        job: &Job<'_>,
        stop: &Stop,
    ) -> Result<(Execution, Option<CallTrace>), SandboxError> {
        let profile = Profile {
            random_seed: Seed::from_bytes([1; 32]),
            ..job.profile.clone()
        };
        self.0.execute_recorded(
            &Job {
                profile: &profile,
                ..*job
            },
            stop,
        )
    }
}

#[tokio::test]
async fn a_machine_that_does_not_repeat_itself_accuses_no_executor() {
    let program = "(import \"wasi_snapshot_preview1\" \"random_get\" (func $random_get (param i32 i32) (result i32)))";
    let body = "(func (export \"_start\") (drop (call $random_get (i32.const 1024) (i32.const 8)))
        (call $print_hex (i32.const 1024) (i32.const 8)))";
    let case = Case::new(
        json!({ "main.wat": format!("(module {program} {PRELUDE} {body})") }),
        1_000_000,
    )
    .await;
    let bytes = canonical_json::to_vec(&json!("something else"));
    let outcome = Outcome::returned(OutputDigest::of(&bytes));
    let unsteady = Arc::new(Unsteady(Arc::clone(&case.sandbox)));
    let found = case.verify_on(unsteady, outcome, Some(bytes)).await;
    let parted = divergence(&found, Verdict::Unverifiable);
    assert_eq!(parted.repeated, Some(false));
    let event = parted.event.expect("an event");
    assert!(
        event
            .contradicts
            .ends_with("is not of the first replay's result")
            && event.number > 1,
        "{event}"
    );
    let words = found.error.expect("words");
    assert!(
        words.starts_with("two replays on this machine had different outcomes"),
        "{words}"
    );
    assert!(
        words.contains("sre determinism") && words.contains(&event.to_string()),
        "{words}"
    );
}
