//! The log: followed, forked, cosigned.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use serde_json::{Value, json};
use sre_core::Digest;
use sre_receipt::KeyFolder;

use crate::common::Home;
use crate::web::Web;
use crate::{check, executor, stranger, verify};

#[test]
fn a_log_is_followed_over_http_and_its_fork_is_kept_as_evidence() {
    use sre_log::{Log, LogSource, Submission};
    let (executor, _) = executor();
    let stranger = stranger(&executor);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    let open = |folder: PathBuf| {
        let key = KeyFolder::new(executor.data().join("keys"))
            .load()
            .expect("a key")
            .expect("a key");
        let store =
            sre_da::LocalStore::open(&folder.join("blobs"), sre_da::LocalStoreOptions::default())
                .expect("a store");
        runtime
            .block_on(Log::open(
                &folder.join("log.sqlite3"),
                Arc::new(store),
                Arc::new(key),
            ))
            .expect("a log")
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
    let check = |more: &[&str]| {
        stranger.sre(&[&["tlog", "check", &address, "--format", "json"], more].concat())
    };
    let found = check(&["--entries"]).exits(0).json();
    assert_eq!(
        (
            &found["size"],
            &found["size_before"],
            &found["entries_checked"]
        ),
        (&json!(1), &json!(0), &json!(1))
    );
    executor.words("run returns_1 --order-id more").exits(0);
    runtime
        .block_on(log.integrate())
        .expect("what the other process entered");
    let found = check(&["--entries"]).exits(0).json();
    assert_eq!(
        (
            &found["size"],
            &found["size_before"],
            &found["entries_checked"]
        ),
        (&json!(2), &json!(1), &json!(1))
    );
    // A stranger to the log.
    let ran = Home::new().sre(&["tlog", "check", &address]).exits(24);
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
        fork.submit((0..2).map(submissions).collect())
            .await
            .expect("numbers");
        fork.integrate().await.expect("a checkpoint");
    });
    let web = serve(Arc::clone(&fork), runtime.handle().clone());
    let address = format!("{}/log", web.address());
    let ran = stranger
        .sre(&["tlog", "check", &address, "--format", "json"])
        .exits(22);
    let problem: Value = serde_json::from_str(&ran.stderr).expect("a problem");
    assert_eq!(problem["code"], "log_forked");
    let evidence = problem["hint"]
        .as_str()
        .and_then(|hint| hint.strip_prefix("both signed checkpoints are in "))
        .expect("where");
    assert_eq!(
        fs::read_to_string(evidence)
            .expect("the evidence")
            .matches("\n2\n")
            .count(),
        2
    );
    // And it stays forked: the last good checkpoint is what is remembered.
    stranger.sre(&["tlog", "check", &address]).exits(22);
    // This node's own checkpoint is a signed note.
    let own = executor.words("tlog checkpoint").exits(0).stdout;
    assert!(
        sre_receipt::tlog::Note::parse(own.as_bytes()).is_ok(),
        "{own}"
    );
}

/// A witness as C2SP `tlog-witness` has it: cosigns what continues what it saw, and nothing else.
fn witness(
    name: &'static str,
    secret: sre_receipt::SecretKey,
    log: sre_receipt::tlog::VerifierKey,
) -> Web {
    use sre_receipt::tlog::{Checkpoint, Hash, Note, verify_consistency};
    let seen = std::sync::Mutex::new((0, Hash::empty()));
    Web::answering(move |asked| {
        assert_eq!(asked.path, "/add-checkpoint");
        let (head, note) = asked.body.split_once("\n\n").expect("an empty line");
        let mut lines = head.lines();
        let old: u64 = lines
            .next()
            .and_then(|line| line.strip_prefix("old "))
            .expect("an old size")
            .parse()
            .expect("a size");
        let decode = |line| {
            base64::Engine::decode(&base64::engine::general_purpose::STANDARD, line)
                .expect("base64")
        };
        let path: Vec<Hash> = lines
            .map(|line| Hash(decode(line).try_into().expect("32 bytes")))
            .collect();
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
fn witnesses_cosign_the_log_and_proofs_carry_the_cosignatures() {
    let (executor, _) = executor();
    let stranger = stranger(&executor);
    let shown = executor.words("key show").exits(0).stdout;
    let secret = || sre_receipt::SecretKey::from_seed(&[9; 32]);
    let name = "witness.example/w".parse().expect("a name");
    let key = sre_receipt::tlog::VerifierKey::witness(name, secret().public()).to_string();
    let web = witness(
        "witness.example/w",
        secret(),
        shown.trim().parse().expect("a key"),
    );
    let cosign = |home: &Home, key: &str| {
        home.sre(&[
            "tlog",
            "cosign",
            &web.address(),
            "--key",
            key,
            "--format",
            "json",
        ])
    };
    assert_eq!(cosign(&executor, &key).exits(0).json()["size"], 1);
    executor.words("run returns_1 --order-id more").exits(0);
    assert_eq!(
        cosign(&executor, &key).exits(0).json()["size"],
        2,
        "the way from what it saw is shown"
    );
    assert_eq!(cosign(&executor, &key).exits(0).json()["size"], 2);
    stranger.sre(&["key", "trust", &key]).exits(0);
    executor.words("bundle t --output cosigned").exits(0);
    let bundle = executor.path("cosigned");
    let found = verify(&stranger, &bundle, &["--witnesses", "1"])
        .exits(0)
        .json();
    assert_eq!(check(&found, "witnesses")["status"], "passed");
    verify(&stranger, &bundle, &["--witnesses", "2"]).exits(24);
    verify(&executor, &bundle, &["--witnesses", "1"]).exits(24);
    // Another key: the answer is not a signature of the witness that was expected.
    let other = sre_receipt::SecretKey::from_seed(&[8; 32]).public();
    let other = sre_receipt::tlog::VerifierKey::witness(
        "witness.example/w".parse().expect("a name"),
        other,
    )
    .to_string();
    let ran = cosign(&executor, &other).exits(1);
    assert!(ran.stderr.contains("not its signature"), "{ran:?}");
    assert!(
        executor
            .sre(&["tlog", "cosign", &web.address()])
            .exits(2)
            .stderr
            .contains("no witness is trusted")
    );
    // A witness that lies: a line that is not a signature, and a signature over something else.
    for lie in ["", "x\n", "— witness.example/w AAAAAAAAAAAAAAAA\n"] {
        let liar = Web::answering(move |_| (200, lie.as_bytes().to_vec()));
        executor
            .sre(&["tlog", "cosign", &liar.address(), "--key", &key])
            .exits(1);
    }
    // One that has seen more than there is: the log was set back.
    let ahead = Web::answering(|_| (409, b"99\n".to_vec()));
    let ran = executor
        .sre(&["tlog", "cosign", &ahead.address(), "--key", &key])
        .exits(1);
    assert!(ran.stderr.contains("restored from a backup"), "{ran:?}");
}

/// A log in use has another checkpoint a second later.
#[test]
fn one_proof_carries_several_witnesses() {
    let (executor, _) = executor();
    let stranger = stranger(&executor);
    let log: sre_receipt::tlog::VerifierKey = executor
        .words("key show")
        .exits(0)
        .stdout
        .trim()
        .parse()
        .expect("a key");
    let names = ["one.example/w", "two.example/w", "three.example/w"];
    let secret = |n: usize| sre_receipt::SecretKey::from_seed(&[n as u8 + 40; 32]);
    let key = |n: usize| {
        let name = names[n].parse().expect("a name");
        sre_receipt::tlog::VerifierKey::witness(name, secret(n).public()).to_string()
    };
    let webs: Vec<Web> = (0..3)
        .map(|n| witness(names[n], secret(n), log.clone()))
        .collect();
    for n in 0..3 {
        executor.sre(&["key", "trust", &key(n)]).exits(0);
        stranger.sre(&["key", "trust", &key(n)]).exits(0);
    }
    let [one, two, three] = [0, 1, 2].map(|n: usize| webs[n].address());
    let both = executor
        .sre(&["tlog", "cosign", &one, &two, "--format", "json"])
        .exits(0)
        .json();
    assert_eq!(
        both["witnesses"],
        json!(["one.example/w", "two.example/w"]),
        "{both}"
    );
    // The log goes on, and later checkpoints have fewer witnesses; one of them says the same
    // thrice.
    executor.words("run returns_1 --order-id more").exits(0);
    for _ in 0..3 {
        executor.sre(&["tlog", "cosign", &three]).exits(0);
    }
    executor.words("bundle t --output cosigned").exits(0);
    let bundle = executor.path("cosigned");
    verify(&stranger, &bundle, &["--witnesses", "2"]).exits(0);
    verify(&stranger, &bundle, &["--witnesses", "3"]).exits(24);
    // One that cannot be reached does not undo what the others sign, and is named.
    let no_witness = "http://127.0.0.1:1";
    let ran = executor
        .sre(&[
            "tlog", "cosign", &one, no_witness, &two, &three, "--format", "json",
        ])
        .exits(1);
    assert_eq!(
        ran.json()["witnesses"].as_array().map(Vec::len),
        Some(3),
        "{ran:?}"
    );
    assert_eq!(ran.json()["refused"][0]["witness"], no_witness, "{ran:?}");
    executor.words("bundle t --output cosigned").exits(0);
    verify(&stranger, &bundle, &["--witnesses", "3"]).exits(0);
    assert_eq!(
        executor
            .sre(&["tlog", "cosign", no_witness])
            .exits(1)
            .stdout,
        ""
    );
}
