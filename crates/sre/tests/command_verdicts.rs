//! Commands from acceptance to verdict: what they leave is committed, replayed, handed on, and kept.

mod common;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use serde_json::{Value, json};
use sre_core::{
    ChangeKind, CommandResult, CommitResult, Content, Difference, OrderResult, OrderStatus,
    Outcome, Tree, TreeEntry, Verdict, VerifyResult,
};
use sre_da::Blob;
use sre_journal::RetentionPolicy;
use sre_orchestrator::{DataFolder, Embedded, EmbeddedOptions, Orchestrator, OrderConfig, sweep};
use sre_skill::{PackageLimits, Skill};
use sre_verify::{Chain, Folder, Verifier, Verify, VerifyRequest};
use tempfile::TempDir;

const PACK: &str = r#"
import json, os, sys
count = 0
try:
    count = int(open("/home/skill/count").read())
except FileNotFoundError:
    pass
open("/home/skill/count", "w").write(str(count + 1))
text = open(sys.argv[1]).read()
os.makedirs("out", exist_ok=True)
open("out/words.txt", "w").write(f"{len(text.split())} words\n")
os.remove("old.txt") if os.path.exists("old.txt") else None
print("read", sys.stdin.read().strip(), "run", count + 1)
sys.exit(int(os.environ.get("CODE", "0")))
"#;

struct House {
    data: TempDir,
    embedded: Embedded,
    orchestrator: Orchestrator,
    verifier: Verifier,
}

fn house() -> House {
    let data = tempfile::tempdir().expect("a folder");
    let options = EmbeddedOptions {
        cache_folder: Some(Path::new(common::CACHE).to_owned()),
        ..EmbeddedOptions::default()
    };
    let embedded =
        Embedded::new(DataFolder::new(data.path().to_owned()), options).expect("a sandbox");
    let orchestrator = embedded.open().expect("an orchestrator");
    let verifier = Verifier::new(
        embedded.executor().clone(),
        Arc::clone(orchestrator.store()),
    );
    House {
        data,
        embedded,
        orchestrator,
        verifier,
    }
}

fn package(hints: &Value) -> Value {
    json!({
        "name": "pack",
        "annotations": hints,
        "files": { "scripts/pack.py": PACK, "scripts/other.py": "print(1)\n", "README.md": "x" },
    })
}

impl House {
    async fn run(&self, id: &str, invocation: Value) -> OrderResult {
        self.run_package(id, &package(&json!({})), invocation).await
    }

    async fn run_package(&self, id: &str, package: &Value, invocation: Value) -> OrderResult {
        let skill = Skill::from_object(package, &PackageLimits::default()).expect("a skill");
        let mut config = OrderConfig::new(id.parse().expect("an id"), Arc::new(skill));
        config.invocation = Some(serde_json::from_value(invocation).expect("an invocation"));
        let inputs = self.orchestrator.inputs(None);
        let order = self
            .embedded
            .acceptance()
            .accept_from(config, &inputs)
            .await;
        let order = order.expect("an acceptable order");
        self.orchestrator.execute(order).await.expect("a result")
    }

    async fn verify(&self, claim: CommitResult) -> VerifyResult {
        let request = VerifyRequest {
            claim,
            reported_output: None,
        };
        self.verifier.verify_result(request).await
    }

    /// What a verifier finds when the executor says that this was the outcome.
    async fn verify_lie(
        &self,
        honest: &CommitResult,
        outcome: Outcome,
        blobs: Vec<Vec<u8>>,
    ) -> VerifyResult {
        let mut claim = honest.clone();
        claim.commitment.outcome = outcome.digest();
        claim.commitment_hash = claim.commitment.digest();
        let store = self.orchestrator.store();
        claim.commitment_uri = store.uri(claim.commitment_hash.into());
        let blobs = blobs
            .into_iter()
            .chain([outcome.to_canonical(), claim.commitment.to_canonical()])
            .map(Blob::new);
        store.put(blobs.collect()).await.expect("stored");
        self.verify(claim).await
    }

    async fn outcome(&self, claim: &CommitResult) -> Outcome {
        let bytes = self
            .orchestrator
            .store()
            .get(claim.commitment.outcome.into())
            .await;
        serde_json::from_slice(&bytes.expect("stored")).expect("an outcome")
    }

    async fn tree(&self, digest: sre_core::TreeDigest) -> Tree {
        let bytes = self.orchestrator.store().get(digest.into()).await;
        Tree::parse(&bytes.expect("stored")).expect("a tree")
    }
}

fn invocation() -> Value {
    json!({
        "entry": "scripts/pack.py",
        "args": ["in.txt"],
        "stdin": { "text": "hello" },
        "work": { "in.txt": { "text": "one two three" }, "old.txt": { "base64": "b2xk" } },
        "home": {},
    })
}

fn command(result: &OrderResult) -> &CommandResult {
    result
        .command
        .as_ref()
        .unwrap_or_else(|| panic!("no command: {result:?}"))
}

fn claim(result: &OrderResult) -> CommitResult {
    result.commit_result.clone().expect("a commitment")
}

#[tokio::test]
async fn what_a_command_prints_and_leaves_is_its_result_whatever_its_exit_code() {
    let house = house();
    let result = house.run("zero", invocation()).await;
    assert_eq!(result.status, OrderStatus::Completed, "{result:?}");
    let found = command(&result);
    assert_eq!(found.exit_code, Some(0));
    assert_eq!(found.stdout.text.as_deref(), Some("read hello run 1\n"));
    let changes: Vec<_> = found
        .files
        .iter()
        .map(|file| (&*file.path, file.change, file.size))
        .collect();
    assert_eq!(
        changes,
        [
            ("old.txt", ChangeKind::Deleted, None),
            ("out/words.txt", ChangeKind::Added, Some(8)),
        ]
    );
    let words = found.files[1].sha256.expect("a file");
    let stored = house.orchestrator.store().get(words).await.expect("stored");
    assert_eq!(&*stored, b"3 words\n");
    assert!(found.home_tree.is_some());

    let mut failing = invocation();
    failing["env"] = json!({ "CODE": "3" });
    let result = house.run("three", failing.clone()).await;
    assert_eq!(result.status, OrderStatus::Failed);
    assert_eq!(result.error_code.as_deref(), Some("skill_exited"));
    assert_eq!(command(&result).exit_code, Some(3));
    assert_eq!(command(&result).tree, found.tree, "committed all the same");
    let verification = result.verification.as_ref().expect("verified");
    assert_eq!(verification.verdict, Verdict::Matched);

    failing["accept_exit"] = json!([0, 3]);
    let result = house.run("accepted", failing).await;
    assert_eq!(result.status, OrderStatus::Completed, "{result:?}");
    assert_eq!(result.error_message, None);
}

#[tokio::test]
async fn a_divergence_names_the_file_and_the_byte() {
    let house = house();
    let result = house.run("honest", invocation()).await;
    let honest = claim(&result);
    assert_eq!(house.verify(honest.clone()).await.verdict, Verdict::Matched);
    let truth = house.outcome(&honest).await;

    // One byte of one file.
    let mut entries: BTreeMap<String, TreeEntry> = house
        .tree(truth.workspace.expect("a tree"))
        .await
        .entries()
        .map(|(path, entry)| (path.to_owned(), entry.clone()))
        .collect();
    let lie = b"3 worms\n".to_vec();
    entries.insert(
        String::from("out/words.txt"),
        TreeEntry::File {
            content: Content::of(&lie),
            executable: false,
        },
    );
    let tree = Tree::new(entries.clone()).expect("a tree");
    let outcome = Outcome {
        workspace: Some(tree.digest()),
        ..truth
    };
    let found = house
        .verify_lie(&honest, outcome, vec![tree.to_canonical(), lie])
        .await;
    assert_eq!(found.verdict, Verdict::Diverged, "{found:?}");
    let difference = found.divergence.expect("a divergence").difference;
    assert_eq!(difference.path.as_deref(), Some("/workspace/out/words.txt"));
    assert_eq!(difference.byte, Some(5));
    let words = found.error.expect("words");
    assert!(
        words.contains("/workspace/out/words.txt differs from byte 5 on"),
        "{words}"
    );

    // A file that was not left.
    entries.remove("out/words.txt");
    let tree = Tree::new(entries).expect("a tree");
    let outcome = Outcome {
        workspace: Some(tree.digest()),
        ..truth
    };
    let found = house
        .verify_lie(&honest, outcome, vec![tree.to_canonical()])
        .await;
    let difference = found.divergence.expect("a divergence").difference;
    assert_eq!(
        (
            difference.path.as_deref(),
            &*difference.committed,
            &*difference.replayed
        ),
        (
            Some("/workspace/out/words.txt"),
            "nothing",
            "a file of 8 bytes"
        )
    );

    // What was printed.
    let lie = b"read jello run 1\n".to_vec();
    let outcome = Outcome {
        stdout: Some(Content::of(&lie)),
        ..truth
    };
    let found = house.verify_lie(&honest, outcome, vec![lie]).await;
    let difference = found.divergence.expect("a divergence").difference;
    assert_eq!(difference.path.as_deref(), Some(Difference::STDOUT));
    assert_eq!(difference.byte, Some(5));

    // Other exit codes than those that are committed.
    let mut other = honest.clone();
    other.accept_exit = Some(sre_core::AcceptExit::Any);
    assert_eq!(house.verify(other).await.verdict, Verdict::Tampered);
}

#[tokio::test]
async fn a_wasm_run_is_replayed_whatever_the_hints_of_its_author_say() {
    let house = house();
    let hints = json!({ "idempotentHint": false, "openWorldHint": true });
    let result = house
        .run_package("hints", &package(&hints), invocation())
        .await;
    let verification = result.verification.expect("verified");
    assert_eq!(verification.verdict, Verdict::Matched, "{verification:?}");
}

#[tokio::test]
async fn what_one_order_leaves_is_where_the_next_begins() {
    let house = house();
    let first = house.run("first", invocation()).await;
    let mut next = invocation();
    next["work"] = json!({ "order": "first" });
    next["home"] = json!({ "order": "first" });
    let second = house.run("second", next.clone()).await;
    assert_eq!(second.status, OrderStatus::Completed, "{second:?}");
    assert_eq!(
        command(&second).stdout.text.as_deref(),
        Some("read hello run 2\n")
    );
    assert!(command(&second).files.is_empty(), "it wrote the same again");
    // By digest it is the same order.
    next["work"] = json!({ "tree": command(&first).tree });
    next["home"] = json!({ "tree": command(&first).home_tree });
    let again = house.run("second", next).await;
    assert_eq!(again, second);

    let claims = [claim(&first), claim(&second)];
    let Chain::Whole(links) = house.verifier.verify_chain(&claims).await else {
        panic!("a whole chain");
    };
    assert_eq!(links.len(), 2);
    assert!(links.iter().any(|link| link.folder == Folder::Home));
    let stranger = house.run("stranger", invocation()).await;
    let broken = house
        .verifier
        .verify_chain(&[claim(&first), claim(&stranger)])
        .await;
    assert!(matches!(&broken, Chain::Broken { order_id, .. } if order_id.as_str() == "stranger"));
}

#[tokio::test]
async fn the_same_call_in_other_words_is_the_same_order() {
    let house = house();
    let first = house.run("same", invocation()).await;
    let written_out = json!({
        "entry": "/skill/scripts/pack.py",
        "args": ["in.txt"],
        "stdin": { "base64": "aGVsbG8=" },
        "env": {},
        "work": {
            "old.txt": { "text": "old", "executable": false },
            "in.txt": { "base64": "b25lIHR3byB0aHJlZQ==" },
        },
        "home": {},
        "accept_exit": [0],
        "collect": ["**"],
    });
    assert_eq!(house.run("same", written_out).await, first);
}

#[tokio::test]
async fn garbage_collection_keeps_what_results_name() {
    let house = house();
    let result = house.run("kept", invocation()).await;
    let House {
        data,
        embedded,
        orchestrator,
        verifier,
    } = house;
    drop((embedded, orchestrator, verifier));
    let folder = DataFolder::new(data.path().to_owned());
    let age = std::time::Duration::from_secs(3600);
    let policy = RetentionPolicy {
        age,
        verdicts_age: age,
    };
    sweep(&folder, policy, "test").await.expect("swept");
    let options = EmbeddedOptions {
        cache_folder: Some(Path::new(common::CACHE).to_owned()),
        ..EmbeddedOptions::default()
    };
    let embedded = Embedded::new(folder, options).expect("a sandbox");
    let orchestrator = embedded.open().expect("an orchestrator");
    let store = orchestrator.store();
    let file = command(&result).files[1].sha256.expect("a file");
    assert!(store.get(file).await.is_ok());
    let verifier = Verifier::new(embedded.executor().clone(), Arc::clone(store));
    let request = VerifyRequest {
        claim: claim(&result),
        reported_output: None,
    };
    assert_eq!(
        verifier.verify_result(request).await.verdict,
        Verdict::Matched
    );
}

#[tokio::test]
async fn what_cannot_be_called_is_refused_by_name() {
    let house = house();
    let refused = async |change: Value| {
        let mut invocation = invocation();
        for (name, value) in change.as_object().expect("an object") {
            invocation[name] = value.clone();
        }
        let skill =
            Skill::from_object(&package(&json!({})), &PackageLimits::default()).expect("a skill");
        let mut config = OrderConfig::new("refused".parse().expect("an id"), Arc::new(skill));
        config.invocation = Some(serde_json::from_value(invocation).expect("an invocation"));
        let inputs = house.orchestrator.inputs(Some(String::from("another")));
        let order = house
            .embedded
            .acceptance()
            .accept_from(config, &inputs)
            .await;
        order.expect_err("refused").to_string()
    };
    let digest = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    for (change, expected) in [
        (
            json!({ "entry": "scripts/pakc.py" }),
            "is it \"scripts/pack.py\"?",
        ),
        (json!({ "entry": "README.md" }), "invocation.entry"),
        (
            json!({ "env": { "PYTHONPATH": "/workspace" } }),
            "PYTHONPATH is refused",
        ),
        (
            json!({ "env": { "LD_PRELOAD": "x" } }),
            "LD_PRELOAD is refused",
        ),
        (json!({ "args": ["a\0b"] }), "args[0] contains NUL"),
        (json!({ "args": ["x".repeat(1 << 20)] }), "args[0]"),
        (json!({ "work": { "../x": { "text": "" } } }), "\"../x\""),
        (
            json!({ "work": { "a": { "text": "" }, "a/b": { "text": "" } } }),
            "lies below",
        ),
        (
            json!({ "work": { "a": { "link": "../../etc" } } }),
            "above the root",
        ),
        (json!({ "work": { "a": { "sha256": digest } } }), "no blob"),
        (json!({ "work": { "tree": digest } }), "no blob"),
        (
            json!({ "home": { "order": "unknown" } }),
            "there is no order unknown",
        ),
    ] {
        let message = refused(change.clone()).await;
        assert!(message.contains(expected), "{change}: {message}");
    }
}
