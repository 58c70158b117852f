//! Receipts between two people: an executor, and a stranger with a data folder and a key of his own.

mod common;
mod web;

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;

use common::{Home, Ran, ran};
use rusqlite::{Connection, params};
use serde_json::{Value, json};
use sre_core::{BlobDigest, Digest, OrderStatus, Outcome, Profile, canonical_json};
use sre_receipt::{Bundle, Circumstances, Envelope, Host, KeyFolder, Receipt};
use web::Web;

/// An executor with one completed order, `t`, of a skill that returns 1, and its bundle.
fn executor() -> (Home, PathBuf) {
    let home = Home::new();
    home.skill("returns_1");
    home.words("run returns_1 --order-id t --receipt receipt.json").exits(0);
    home.words("bundle t --output t.sre-bundle").exits(0);
    let bundle = home.path("t.sre-bundle");
    (home, bundle)
}

/// A stranger who trusts the executor's key.
fn stranger(executor: &Home) -> Home {
    let stranger = Home::new();
    let key = executor.words("key show").exits(0).stdout;
    stranger.sre(&["key", "trust", key.trim()]).exits(0);
    stranger
}

fn verify(home: &Home, file: &std::path::Path, more: &[&str]) -> Ran {
    let mut command = home.command();
    ran(command.arg("verify").arg(file).args(["--format", "json"]).args(more).output().expect("sre starts"))
}

fn read(bundle: &std::path::Path) -> Bundle {
    Bundle::parse(&fs::read(bundle).expect("the bundle")).expect("a bundle")
}

fn check<'a>(found: &'a Value, name: &str) -> &'a Value {
    let checks = found["checks"].as_array().expect("checks");
    checks.iter().find(|check| check["name"] == name).unwrap_or_else(|| panic!("no check {name}: {found}"))
}

#[test]
fn a_bundle_verifies_on_a_machine_that_never_saw_the_executor() {
    let (executor, bundle) = executor();
    let nobody = Home::new();
    let found = verify(&nobody, &bundle, &[]).exits(24).json();
    assert_eq!((&found["verdict"], &found["is_valid"]), (&json!("unanchored"), &json!(false)));
    assert_eq!(check(&found, "replay")["status"], "passed", "what can be checked is checked: {found}");
    assert!(!nobody.data().exists(), "verifying a bundle makes no data folder");

    let stranger = stranger(&executor);
    let found = verify(&stranger, &bundle, &["--require-proof"]).exits(0).json();
    assert_eq!(found["verdict"], "matched");
    for name in ["receipt", "statement", "signature", "key", "inclusion", "log", "commitment", "skill", "replay"] {
        assert_eq!(check(&found, name)["status"], "passed", "{name}: {found}");
    }
    assert!(!stranger.data().join("journal.sqlite3").exists());
    let human = stranger.sre(&["verify".as_ref(), bundle.as_os_str()]).exits(0);
    assert!(human.stdout.contains("✓ inclusion") && human.stdout.contains("matched"), "{human:?}");
    // A good receipt of another order is good, too: which one it is must be said.
    assert!(human.stdout.contains("  order       t\n") && found["order_id"] == "t", "{human:?} {found}");
    assert_eq!(found["receipt"], json!(sre_core::ReceiptDigest::of(&read(&bundle).receipt)));
    // Not what was never promised.
    assert_eq!(verify(&stranger, &bundle, &["--witnesses", "1"]).exits(24).json()["verdict"], "unanchored");
}

#[test]
fn a_failure_of_the_skill_is_proven_like_a_success() {
    let home = Home::new();
    let failures = [
        ("exits_3", "skill_exited"),
        ("recurses", "skill_trapped"),
        ("loops", "out_of_fuel"),
        ("allocates", "out_of_memory"),
        ("prints_text", "bad_output"),
        ("prints_nothing", "bad_output"),
    ];
    for (skill, code) in failures {
        home.skill(skill);
        home.words(&format!("run {skill} --order-id {skill} --fuel 1000000 --receipt {skill}.json")).exits(10);
        let bytes = fs::read(home.path(&format!("{skill}.json"))).expect("a receipt");
        let receipt = Receipt::read(Envelope::parse(&bytes).expect("an envelope")).expect("a receipt");
        let provable = receipt.predicate().provable.as_ref().expect("a commitment");
        assert_eq!(provable.outcome.error_code(), Some(code));
        home.words(&format!("bundle {skill} --output {skill}.sre-bundle")).exits(0);
        let found = verify(&stranger(&home), &home.path(&format!("{skill}.sre-bundle")), &[]).exits(0).json();
        assert_eq!((&found["verdict"], &found["order_id"]), (&json!("matched"), &json!(skill)), "{found}");
    }
    let found = home.words("audit --format json").exits(0).json();
    assert_eq!((&found["receipts"], &found["lost"]), (&json!(failures.len()), &json!([])), "{found}");
}

#[test]
fn an_order_that_committed_nothing_has_a_receipt_that_proves_nothing() {
    let home = Home::new();
    home.skill("sleeps");
    home.words("run sleeps --order-id t --receipt receipt.json").exits(11);
    let found = verify(&home, &home.path("receipt.json"), &[]).exits(25).json();
    assert!(found["error"].as_str().is_some_and(|error| error.contains("before anything was committed")), "{found}");
}

#[test]
fn the_same_order_again_has_the_same_receipt() {
    let (home, _) = executor();
    home.words("run returns_1 --order-id t --receipt again.json").exits(0);
    let read = |name| fs::read(home.path(name)).expect("a receipt");
    assert_eq!(read("again.json"), read("receipt.json"));
    home.words("run returns_1 --order-id other --receipt other.json").exits(0);
    assert_ne!(read("other.json"), read("receipt.json"));
}

/// Somebody without the executor's key: every byte counts.
#[test]
fn a_bundle_that_was_changed_anywhere_is_tampered() {
    let (executor, bundle) = executor();
    let stranger = stranger(&executor);
    let good = fs::read(&bundle).expect("the bundle");
    let file = stranger.path("changed");
    // Every byte is flipped in the tests of sre-receipt; here some of them go through the front door.
    for at in (0..good.len()).step_by(good.len() / 12) {
        let mut bad = good.clone();
        bad[at] ^= 0x10;
        fs::write(&file, bad).expect("a file");
        let ran = verify(&stranger, &file, &[]);
        assert_eq!(ran.code, Some(22), "byte {at}: {ran:?}");
    }
    // Blobs of another content under a right list of sums, and the receipt of another order with this proof.
    executor.words("run returns_1 --order-id other --receipt other.json").exits(0);
    let mut swapped = read(&bundle);
    swapped.receipt = fs::read(executor.path("other.json")).expect("a receipt");
    fs::write(&file, swapped.to_bytes()).expect("a file");
    let found = verify(&stranger, &file, &[]).exits(22).json();
    assert_eq!(check(&found, "inclusion")["status"], "failed", "{found}");
    for garbage in [&b""[..], b"x", b"{}", &[0x1f, 0x8b, 8, 0, 0], &good[..good.len() - 1]] {
        fs::write(&file, garbage).expect("a file");
        verify(&stranger, &file, &[]).exits(22);
    }
}

/// What a lying executor changes before he signs: outcome and blobs.
fn lie(
    executor: &Home,
    bundle: &Bundle,
    change: impl FnOnce(&mut sre_core::OrderResult, &mut Vec<Vec<u8>>) -> Outcome,
) -> Vec<u8> {
    let stored = executor.words("run returns_1 --order-id t --format json").exits(0).json();
    let mut result: sre_core::OrderResult = serde_json::from_value(stored).expect("a result");
    let mut blobs = Vec::new();
    let outcome = change(&mut result, &mut blobs);
    let commit = result.commit_result.as_mut().expect("a commitment");
    commit.commitment.outcome = outcome.digest();
    commit.commitment_hash = commit.commitment.digest();
    commit.result_hash = outcome.output();
    if outcome.output().is_none() {
        // Who lies consistently.
        result.status = OrderStatus::Failed;
        result.error_code = outcome.error_code().map(str::to_owned);
    }
    blobs.extend([outcome.to_canonical(), commit.commitment.to_canonical()]);
    let key = KeyFolder::new(executor.data().join("keys")).load().expect("a key").expect("a key");
    let circumstances =
        Circumstances { finished_at: jiff::Timestamp::now(), outcome: Some(outcome), host: Host::this("a liar") };
    let receipt = Receipt::issue(&result, circumstances, &key.secret).expect("a receipt");
    let mut lying = Bundle { receipt: receipt.envelope().to_canonical(), proof: None, blobs: bundle.blobs.clone() };
    for bytes in blobs {
        lying.blobs.insert(BlobDigest::of(&bytes), Arc::from(bytes));
    }
    lying.to_bytes()
}

#[test]
fn an_executor_who_signs_something_else_than_happened_is_caught_by_the_replay() {
    let (executor, bundle) = executor();
    let (stranger, good) = (stranger(&executor), read(&bundle));
    let truth =
        |bundle: &Bundle| Receipt::read(Envelope::parse(&bundle.receipt).expect("an envelope")).expect("a receipt");
    let outcome = truth(&good).predicate().provable.as_ref().expect("a commitment").outcome;
    let judge = |bytes: Vec<u8>| {
        let file = stranger.path("lie");
        fs::write(&file, bytes).expect("a file");
        let ran = verify(&stranger, &file, &[]);
        let found = ran.json();
        // What diverged names the guest's doing that contradicts the receipt, for people and for programs.
        let event = &found["divergence"]["event"];
        assert_eq!(event.is_object(), found["verdict"] == "diverged", "{found}");
        let human = stranger.sre(&["verify", "lie"]).stdout;
        assert!(event["what"].as_str().is_none_or(|what| human.contains(what)), "{event} {human}");
        (ran.code, found["verdict"].as_str().expect("a verdict").to_owned(), found["error"].to_string())
    };
    // The output.
    let two = canonical_json::to_vec(&json!(2));
    let lied = lie(&executor, &good, |_, blobs| {
        blobs.push(two.clone());
        Outcome::Returned { output: sre_core::OutputDigest::of(&two) }
    });
    let (code, verdict, error) = judge(lied);
    assert!(code == Some(21) && verdict == "diverged" && error.contains("byte 0"), "{code:?} {verdict} {error}");
    assert!(error.contains("call 1, wasi_snapshot_preview1.fd_write(1, 1 byte): byte 0 of standard output"), "{error}");
    // A failure that was none.
    let (code, verdict, _) = judge(lie(&executor, &good, |_, _| Outcome::Exited { code: 3 }));
    assert_eq!((code, &*verdict), (Some(21), "diverged"));
    // The input: of a skill that returns it the outcome would differ; of this one only what is there can tell.
    let (code, verdict, _) = judge(lie(&executor, &good, |result, _| {
        let commit = result.commit_result.as_mut().expect("a commitment");
        commit.commitment.input = Digest::of(b"an input that nobody has").into();
        outcome
    }));
    assert_eq!((code, &*verdict), (Some(23), "unavailable"));
    // The skill, by one that returns 2.
    executor.skill("returns_2");
    executor.words("run returns_2 --order-id two").exits(0);
    executor.words("bundle two --output two.sre-bundle").exits(0);
    let other = read(&executor.path("two.sre-bundle"));
    let other_skill = truth(&other).predicate().provable.as_ref().expect("a commitment").commitment.skill;
    let (code, verdict, _) = judge(lie(&executor, &good, |result, blobs| {
        result.commit_result.as_mut().expect("a commitment").commitment.skill = other_skill;
        blobs.extend(other.blobs.values().map(|bytes| bytes.to_vec()));
        outcome
    }));
    assert_eq!((code, &*verdict), (Some(21), "diverged"));
    // The limits: more than the stranger grants is not run.
    let (code, verdict, error) = judge(lie(&executor, &good, |result, blobs| {
        let commitment = &mut result.commit_result.as_mut().expect("a commitment").commitment;
        let bytes = good.blobs[&commitment.profile.into()].to_vec();
        let profile = Profile { fuel: 1 << 53, ..serde_json::from_slice(&bytes).expect("a profile") };
        let bytes = canonical_json::to_vec(&profile);
        commitment.profile = Digest::of(&bytes).into();
        blobs.push(bytes);
        outcome
    }));
    assert!(code == Some(25) && verdict == "unverifiable" && error.contains("grants"), "{code:?} {verdict} {error}");
    // With next to no fuel nothing returns.
    let (code, verdict, _) = judge(lie(&executor, &good, |result, blobs| {
        let commitment = &mut result.commit_result.as_mut().expect("a commitment").commitment;
        let bytes = good.blobs[&commitment.profile.into()].to_vec();
        let profile = Profile { fuel: 1, ..serde_json::from_slice(&bytes).expect("a profile") };
        let bytes = canonical_json::to_vec(&profile);
        commitment.profile = Digest::of(&bytes).into();
        blobs.push(bytes);
        outcome
    }));
    assert_eq!((code, &*verdict), (Some(21), "diverged"));
}

/// What becomes of the right bytes.
type Lie = fn(Vec<u8>) -> Option<Vec<u8>>;

#[test]
fn what_a_receipt_lacks_is_fetched_and_never_believed() {
    let (executor, bundle) = executor();
    let (stranger, good) = (stranger(&executor), read(&bundle));
    let receipt = executor.path("receipt.json");
    let data = executor.data().display().to_string();
    assert_eq!(verify(&stranger, &receipt, &[]).exits(23).json()["verdict"], "unavailable");
    assert_eq!(verify(&stranger, &receipt, &["--from", &data]).exits(0).json()["verdict"], "matched");
    // A folder of files, as a bundle unpacked by tar is one.
    let unpacked = stranger.path("unpacked");
    fs::create_dir(&unpacked).expect("a folder");
    let tar = Command::new("tar").arg("-xf").arg(&bundle).arg("-C").arg(&unpacked).status().expect("tar starts");
    assert!(tar.success());
    let folder = unpacked.display().to_string();
    assert_eq!(verify(&stranger, &receipt, &["--from", &folder]).exits(0).json()["verdict"], "matched");

    // A service.
    let blobs = good.blobs.clone();
    let honest = Web::start(move |path| {
        let digest = path.strip_prefix("/store/v1/blobs/")?.parse::<BlobDigest>().ok()?;
        blobs.get(&digest).map(|bytes| bytes.to_vec())
    });
    let from = format!("{}/store", honest.address());
    assert_eq!(verify(&stranger, &receipt, &["--from", &from]).exits(0).json()["verdict"], "matched");
    // Services that lie: other bytes, cut short, without an end, nothing.
    let lies: [Lie; 4] = [
        |_| Some(b"other bytes".to_vec()),
        |bytes| Some(bytes[..bytes.len() / 2].to_vec()),
        |bytes| Some([bytes, vec![b' '; 70 << 20]].concat()),
        |_| None,
    ];
    for (number, lie) in lies.into_iter().enumerate() {
        let blobs = good.blobs.clone();
        let liar = Web::start(move |path| {
            let digest = path.strip_prefix("/v1/blobs/")?.parse::<BlobDigest>().ok()?;
            lie(blobs.get(&digest)?.to_vec())
        });
        let address = liar.address();
        let found = verify(&stranger, &receipt, &["--from", &address]).exits(23).json();
        assert_eq!(found["verdict"], "unavailable", "liar {number}: {found}");
        // The next one that is asked has it.
        let found = verify(&stranger, &receipt, &["--from", &address, "--from", &data]).exits(0).json();
        assert_eq!(found["verdict"], "matched", "liar {number}: {found}");
    }
    let nowhere = verify(&stranger, &receipt, &["--from", "nowhere"]).exits(2);
    assert!(nowhere.stderr.contains("neither an http(s) address nor a folder"), "{nowhere:?}");
}

#[test]
fn keys_are_made_rotated_trusted_and_untrusted() {
    let (executor, bundle) = executor();
    let stranger = stranger(&executor);
    let old = executor.words("key show --format json").exits(0).json();
    executor.words("key new").exits(2);
    executor.words("key rotate").exits(0);
    let new = executor.words("key show --format json").exits(0).json();
    assert_ne!(old["key"], new["key"]);
    assert_eq!(old["name"], new["name"]);
    // What the old key signed stays good, here and there.
    verify(&executor, &bundle, &[]).exits(0);
    verify(&stranger, &bundle, &[]).exits(0);
    executor.words("run returns_1 --order-id after").exits(0);
    executor.words("bundle after --output after.sre-bundle").exits(0);
    let after = executor.path("after.sre-bundle");
    verify(&executor, &after, &[]).exits(0);
    verify(&stranger, &after, &[]).exits(24);
    stranger.sre(&["key", "trust", new["verifier_key"].as_str().expect("a key")]).exits(0);
    verify(&stranger, &after, &["--require-proof"]).exits(0);
    // And nothing of it when it is believed no longer.
    let id = &old["key"].as_str().expect("an id")[..12];
    stranger.sre(&["key", "untrust", id]).exits(0);
    verify(&stranger, &bundle, &[]).exits(24);
    stranger.sre(&["key", "untrust", id]).exits(2);
    let listed = executor.words("key list --format json").exits(0).json();
    let own: Vec<&Value> = listed["keys"].as_array().expect("keys").iter().map(|key| &key["own"]).collect();
    assert_eq!(own, [false, true]);
    let pem = executor.words("key show --pem").exits(0);
    assert!(pem.stdout.starts_with("-----BEGIN PUBLIC KEY-----"), "{pem:?}");
    for bad in ["x", "a+00000000+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"] {
        stranger.sre(&["key", "trust", bad]).exits(2);
    }
    assert!(Home::new().words("key show").exits(2).stderr.contains("sre key new"));
}

#[cfg(unix)]
#[test]
fn an_open_key_signs_nothing_and_the_result_is_still_printed() {
    use std::os::unix::fs::PermissionsExt as _;
    let (executor, _) = executor();
    let key = executor.data().join("keys/signing.pem");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).expect("a mode");
    let ran = executor.words("run returns_1 --order-id more --format json").exits(0);
    assert_eq!(ran.json()["status"], "completed");
    assert!(ran.stderr.contains("is open to other users"), "{ran:?}");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).expect("a mode");
    executor.words("bundle more --output more.sre-bundle").exits(0);
    verify(&executor, &executor.path("more.sre-bundle"), &["--require-proof"]).exits(0);
}

#[test]
fn an_audit_finds_what_is_lost_and_whose_it_was() {
    let (executor, bundle) = executor();
    executor.skill("returns_2");
    executor.words("run returns_2 --order-id two").exits(0);
    let found = executor.words("audit --format json").exits(0).json();
    assert_eq!((&found["receipts"], &found["lost"]), (&json!(2), &json!([])));
    let receipt = Receipt::read(Envelope::parse(&read(&bundle).receipt).expect("an envelope")).expect("a receipt");
    let commitment = &receipt.predicate().provable.as_ref().expect("a commitment").commitment;
    let blobs = Connection::open(executor.data().join("blobs/small.sqlite3")).expect("the blobs");
    let profile = commitment.profile.digest();
    blobs.execute("DELETE FROM blob WHERE digest = ?1", params![profile.as_bytes()]).expect("a deletion");
    let found = executor.words("audit --format json").exits(23).json();
    assert_eq!(found["lost"][0]["digest"], json!(profile));
    assert_eq!(found["lost"][0]["orders"], json!(["t"]));
    let ran = executor.words("bundle t --output again.sre-bundle").exits(1);
    assert!(ran.stderr.contains("sre audit") && !executor.path("again.sre-bundle").exists(), "{ran:?}");
    let outcome = commitment.outcome.digest();
    blobs.execute("UPDATE blob SET bytes = x'00' WHERE digest = ?1", params![outcome.as_bytes()]).expect("a change");
    let human = executor.words("audit").exits(22);
    assert!(human.stdout.contains("digest mismatch"), "{human:?}");
    assert!(Home::new().words("audit").exits(2).stderr.contains("no receipts"));
}

#[test]
fn a_log_is_followed_over_http_and_its_fork_is_kept_as_evidence() {
    use sre_log::{Log, LogSource, Submission};
    let (executor, _) = executor();
    let stranger = stranger(&executor);
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    let open = |folder: PathBuf| {
        let key = KeyFolder::new(executor.data().join("keys")).load().expect("a key").expect("a key");
        let store =
            sre_da::LocalStore::open(&folder.join("blobs"), sre_da::LocalStoreOptions::default()).expect("a store");
        runtime.block_on(Log::open(&folder.join("log.sqlite3"), Arc::new(store), Arc::new(key))).expect("a log")
    };
    let serve = |log: Arc<Log>, handle: tokio::runtime::Handle| {
        Web::start(move |path| match path.strip_prefix("/log/")? {
            "checkpoint" => handle.block_on(LogSource::checkpoint(&*log)).ok(),
            tile => handle.block_on(log.tile(tile.parse().ok()?)).ok(),
        })
    };
    let log = Arc::new(open(executor.data()));
    let web = serve(Arc::clone(&log), runtime.handle().clone());
    let address = format!("{}/log", web.address());
    let check = |more: &[&str]| stranger.sre(&[&["log", "check", &address, "--format", "json"], more].concat());
    let found = check(&["--entries"]).exits(0).json();
    assert_eq!((&found["size"], &found["size_before"], &found["entries_checked"]), (&json!(1), &json!(0), &json!(1)));
    executor.words("run returns_1 --order-id more").exits(0);
    runtime.block_on(log.integrate()).expect("what the other process entered");
    let found = check(&["--entries"]).exits(0).json();
    assert_eq!((&found["size"], &found["size_before"], &found["entries_checked"]), (&json!(2), &json!(1), &json!(1)));
    // A stranger to the log.
    let ran = Home::new().sre(&["log", "check", &address]).exits(24);
    assert!(ran.stderr.contains("sre key trust"), "{ran:?}");
    drop(web);
    check(&[]).exits(23);

    // A second history under the same key.
    let other = executor.path("other-history");
    fs::create_dir(&other).expect("a folder");
    let fork = Arc::new(open(other));
    let submissions = |n: u64| Submission {
        entry: sre_receipt::tlog::Entry::receipt(Digest::of(&n.to_le_bytes()).into()),
        order_id: format!("o{n}").parse().expect("an order id"),
    };
    runtime.block_on(async {
        fork.submit((0..2).map(submissions).collect()).await.expect("numbers");
        fork.integrate().await.expect("a checkpoint");
    });
    let web = serve(Arc::clone(&fork), runtime.handle().clone());
    let address = format!("{}/log", web.address());
    let ran = stranger.sre(&["log", "check", &address, "--format", "json"]).exits(22);
    let problem: Value = serde_json::from_str(&ran.stderr).expect("a problem");
    assert_eq!(problem["code"], "log_forked");
    let evidence =
        problem["hint"].as_str().and_then(|hint| hint.strip_prefix("both signed checkpoints are in ")).expect("where");
    assert_eq!(fs::read_to_string(evidence).expect("the evidence").matches("\n2\n").count(), 2);
    // And it stays forked: the last good checkpoint is what is remembered.
    stranger.sre(&["log", "check", &address]).exits(22);
    // This node's own checkpoint is a signed note.
    let own = executor.words("log checkpoint").exits(0).stdout;
    assert!(sre_receipt::tlog::Note::parse(own.as_bytes()).is_ok(), "{own}");
}

/// A witness as C2SP `tlog-witness` has it: cosigns what continues what it saw, and nothing else.
fn witness(name: &'static str, secret: sre_receipt::SecretKey, log: sre_receipt::tlog::VerifierKey) -> Web {
    use sre_receipt::tlog::{Checkpoint, Hash, Note, verify_consistency};
    let seen = std::sync::Mutex::new((0, Hash::empty()));
    Web::answering(move |asked| {
        assert_eq!(asked.path, "/add-checkpoint");
        let (head, note) = asked.body.split_once("\n\n").expect("an empty line");
        let mut lines = head.lines();
        let old: u64 =
            lines.next().and_then(|line| line.strip_prefix("old ")).expect("an old size").parse().expect("a size");
        let decode = |line| base64::Engine::decode(&base64::engine::general_purpose::STANDARD, line).expect("base64");
        let path: Vec<Hash> = lines.map(|line| Hash(decode(line).try_into().expect("32 bytes"))).collect();
        let mut note = Note::parse(note.as_bytes()).expect("a note");
        let now = Checkpoint::verify(&note, &log).expect("the log's signature");
        let mut seen = seen.lock().expect("a lock");
        if old != seen.0 {
            return (409, format!("{}\n", seen.0).into_bytes());
        }
        if verify_consistency((seen.0, &seen.1), (now.size, &now.root), &path).is_err() {
            return (422, Vec::new());
        }
        *seen = (now.size, now.root);
        note.cosign(name.parse().expect("a name"), &secret, 1_767_225_600);
        let line = note.signatures().last().expect("a line").to_string();
        (200, format!("{line}\n").into_bytes())
    })
}

#[test]
fn witnesses_cosign_the_log_and_proofs_carry_it() {
    let (executor, _) = executor();
    let stranger = stranger(&executor);
    let shown = executor.words("key show").exits(0).stdout;
    let secret = || sre_receipt::SecretKey::from_seed(&[9; 32]);
    let name = "witness.example/w".parse().expect("a name");
    let key = sre_receipt::tlog::VerifierKey::witness(name, secret().public()).to_string();
    let web = witness("witness.example/w", secret(), shown.trim().parse().expect("a key"));
    let cosign =
        |home: &Home, key: &str| home.sre(&["log", "cosign", &web.address(), "--key", key, "--format", "json"]);
    assert_eq!(cosign(&executor, &key).exits(0).json()["size"], 1);
    executor.words("run returns_1 --order-id more").exits(0);
    assert_eq!(cosign(&executor, &key).exits(0).json()["size"], 2, "the way from what it saw is shown");
    assert_eq!(cosign(&executor, &key).exits(0).json()["size"], 2);
    stranger.sre(&["key", "trust", &key]).exits(0);
    executor.words("bundle t --output cosigned").exits(0);
    let bundle = executor.path("cosigned");
    let found = verify(&stranger, &bundle, &["--witnesses", "1"]).exits(0).json();
    assert_eq!(check(&found, "witnesses")["status"], "passed");
    verify(&stranger, &bundle, &["--witnesses", "2"]).exits(24);
    verify(&executor, &bundle, &["--witnesses", "1"]).exits(24);
    // Somebody else's key: what the witness answers is not his signature.
    let other = sre_receipt::SecretKey::from_seed(&[8; 32]).public();
    let other =
        sre_receipt::tlog::VerifierKey::witness("witness.example/w".parse().expect("a name"), other).to_string();
    let ran = cosign(&executor, &other).exits(1);
    assert!(ran.stderr.contains("not its signature"), "{ran:?}");
    assert!(executor.sre(&["log", "cosign", &web.address()]).exits(2).stderr.contains("no witness is trusted"));
    // A witness that lies: a line that is none, and a signature over something else.
    for lie in ["", "x\n", "— witness.example/w AAAAAAAAAAAAAAAA\n"] {
        let liar = Web::answering(move |_| (200, lie.as_bytes().to_vec()));
        executor.sre(&["log", "cosign", &liar.address(), "--key", &key]).exits(1);
    }
    // One that has seen more than there is: the log was set back.
    let ahead = Web::answering(|_| (409, b"99\n".to_vec()));
    let ran = executor.sre(&["log", "cosign", &ahead.address(), "--key", &key]).exits(1);
    assert!(ran.stderr.contains("restored from a backup"), "{ran:?}");
}

/// A log in use has another checkpoint a second later.
#[test]
fn several_witnesses_stand_on_one_proof() {
    let (executor, _) = executor();
    let stranger = stranger(&executor);
    let log: sre_receipt::tlog::VerifierKey = executor.words("key show").exits(0).stdout.trim().parse().expect("a key");
    let names = ["one.example/w", "two.example/w", "three.example/w"];
    let secret = |n: usize| sre_receipt::SecretKey::from_seed(&[n as u8 + 40; 32]);
    let key = |n: usize| {
        let name = names[n].parse().expect("a name");
        sre_receipt::tlog::VerifierKey::witness(name, secret(n).public()).to_string()
    };
    let webs: Vec<Web> = (0..3).map(|n| witness(names[n], secret(n), log.clone())).collect();
    for n in 0..3 {
        executor.sre(&["key", "trust", &key(n)]).exits(0);
        stranger.sre(&["key", "trust", &key(n)]).exits(0);
    }
    let [one, two, three] = [0, 1, 2].map(|n: usize| webs[n].address());
    let both = executor.sre(&["log", "cosign", &one, &two, "--format", "json"]).exits(0).json();
    assert_eq!(both["witnesses"], json!(["one.example/w", "two.example/w"]), "{both}");
    // The log goes on, and later checkpoints have fewer witnesses; one of them says the same thrice.
    executor.words("run returns_1 --order-id more").exits(0);
    for _ in 0..3 {
        executor.sre(&["log", "cosign", &three]).exits(0);
    }
    executor.words("bundle t --output cosigned").exits(0);
    let bundle = executor.path("cosigned");
    verify(&stranger, &bundle, &["--witnesses", "2"]).exits(0);
    verify(&stranger, &bundle, &["--witnesses", "3"]).exits(24);
    // One that cannot be reached does not undo what the others sign, and is named.
    let nobody = "http://127.0.0.1:1";
    let ran = executor.sre(&["log", "cosign", &one, nobody, &two, &three, "--format", "json"]).exits(1);
    assert_eq!(ran.json()["witnesses"].as_array().map(Vec::len), Some(3), "{ran:?}");
    assert_eq!(ran.json()["refused"][0]["witness"], nobody, "{ran:?}");
    executor.words("bundle t --output cosigned").exits(0);
    verify(&stranger, &bundle, &["--witnesses", "3"]).exits(0);
    assert_eq!(executor.sre(&["log", "cosign", nobody]).exits(1).stdout, "");
}

/// Removing blobs must not take what a kept order is replayed with, nor what the log stands for.
#[test]
fn what_is_kept_can_be_verified_after_blobs_were_removed() {
    let home = Home::new();
    let skill = common::examples().join("ab-test").display().to_string();
    let input = common::examples().join("cases/ab-test/chance.input.json").display().to_string();
    home.sre(&["run", &skill, "--input-file", &input, "--order-id", "kept"]).exits(0);
    home.words("bundle kept --output before.sre-bundle").exits(0);
    // The interpreter is the only blob of megabytes.
    let interpreters = || {
        let sizes =
            walk(&home.data().join("blobs/large")).into_iter().map(|path| fs::metadata(path).expect("a blob").len());
        sizes.filter(|bytes| *bytes > 8_000_000).count()
    };
    assert_eq!(interpreters(), 1, "an interpreter is stored with the evidence");
    home.words("gc --format json").exits(0);
    assert_eq!(interpreters(), 1, "and stays as long as an order that ran in it");
    assert_eq!(home.words("verify kept --format json").exits(0).json()["verdict"], "matched");
    home.words("bundle kept --output after.sre-bundle").exits(0);
    let bundle = |name: &str| fs::read(home.path(name)).expect("a bundle");
    assert_eq!(bundle("before.sre-bundle"), bundle("after.sre-bundle"), "receipt, proof and evidence are all there");
}

/// All files below a folder.
fn walk(folder: &std::path::Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() { files.extend(walk(&path)) } else { files.push(path) }
    }
    files
}
