//! The command line itself: help, formats, streams, and the commands around packages.

mod common;

use std::fs::{self, File};
use std::io::Write;
use std::process::Stdio;

use common::{Home, examples, ran};
use serde_json::Value;

#[test]
fn help_shows_examples_and_exit_codes() {
    let home = Home::new();
    for (line, shows) in [
        (
            "--help",
            &["Examples:", "Exit codes:", "SRE_DATA_DIR", "NO_COLOR"][..],
        ),
        (
            "run --help",
            &[
                "sre run examples/word-count",
                "Exit codes:",
                "130",
                "--callback-url",
                "--random-seed",
            ],
        ),
        (
            "verify --help",
            &["Examples:", "Exit codes:", "hash_only", "25"],
        ),
        ("skill --help", &["check", "inspect", "pack", "new"]),
        ("skill check --help", &["Example:", "Exit codes:"]),
        ("skill pack --help", &["--output", "--format json"]),
        ("--version", &[env!("CARGO_PKG_VERSION")]),
    ] {
        let ran = home.words(line).exits(0);
        assert!(ran.stderr.is_empty(), "{line}");
        for text in shows {
            assert!(ran.stdout.contains(text), "{line}: {text}");
        }
        assert!(
            ran.stdout.lines().all(|line| line.chars().count() <= 110),
            "{line}"
        );
    }
    assert!(!home.data().exists());
}

#[test]
fn bad_usage_is_a_problem_document_where_json_was_asked_for() {
    let home = Home::new();
    for line in [
        "run --format json --bogus",
        "--format=json run",
        "run absent --format json",
    ] {
        let ran = home.words(line).exits(2);
        assert_eq!(ran.stdout, "");
        let problem: Value =
            serde_json::from_str(&ran.stderr).unwrap_or_else(|error| panic!("{error}: {ran:?}"));
        for member in ["type", "title", "detail", "code"] {
            assert!(problem[member].is_string(), "{member} in {problem}");
        }
        assert_eq!(problem["exit_code"], 2);
    }
}

#[test]
fn completions_and_manual_pages_are_printed() {
    let home = Home::new();
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let ran = home.words(&format!("completions {shell}")).exits(0);
        assert!(
            ran.stdout.contains("sre") && ran.stdout.contains("callback-url"),
            "{shell}"
        );
    }
    let ran = home.words("man").exits(0);
    assert!(ran.stdout.contains(".TH sre 1"), "{}", ran.stdout);
    home.words("man --output pages").exits(0);
    for page in ["sre.1", "sre-run.1", "sre-verify.1", "sre-skill-new.1"] {
        assert!(
            fs::metadata(home.path("pages").join(page)).is_ok_and(|file| file.len() > 500),
            "{page}"
        );
    }
}

#[test]
fn a_new_skill_runs_at_once() {
    let home = Home::new();
    let made = home.words("skill new hello").exits(0);
    assert!(made.stdout.contains("sre run hello --input"), "{made:?}");
    let checked = home
        .words("skill check hello --format json")
        .exits(0)
        .json();
    assert_eq!(checked["warnings"], serde_json::json!([]));
    assert!(!home.data().exists(), "looking at a skill writes nothing");
    let ran = home
        .words(r#"run hello --order-id first --input {"hello":"world"} --format json"#)
        .exits(0);
    assert_eq!(
        ran.json()["output"],
        serde_json::json!({"echo": {"hello": "world"}})
    );
    home.words("verify first").exits(0);
    // More than the program's buffer.
    let long = format!("{{\"text\":\"{}\"}}", "ä".repeat(45_000));
    fs::write(home.path("long.json"), &long).expect("a file");
    let ran = home
        .words("run hello --input-file long.json --format json")
        .exits(0);
    assert_eq!(
        ran.json()["output"]["echo"],
        serde_json::from_str::<Value>(&long).expect("JSON")
    );

    let again = home.words("skill new hello").exits(2);
    assert!(again.stderr.contains("hello"), "{again:?}");
    for name in ["Hello", "a--b", "-a", "a/b", ".."] {
        home.sre(&["skill", "new", "--", name]).exits(2);
    }
    home.words("skill new second --dir deep/er").exits(0);
    home.words("skill check deep/er/second").exits(0);
}

/// A template that is compiled elsewhere says how; the others run at once.
#[test]
fn a_new_skill_can_be_in_several_languages() {
    let home = Home::new();
    let input = r#"{"hello":"world"}"#;
    for language in ["python", "javascript"] {
        home.sre(&["skill", "new", language, "--lang", language])
            .exits(0);
        let ran = home
            .sre(&["run", language, "--input", input, "--format", "json"])
            .exits(0);
        assert_eq!(
            ran.json()["output"],
            serde_json::json!({"echo": {"hello": "world"}}),
            "{language}"
        );
    }
    for (language, command) in [("rust", "cargo build"), ("c", "clang --target=wasm32-wasi")] {
        let made = home
            .sre(&["skill", "new", language, "--lang", language])
            .exits(0);
        assert!(made.stdout.contains(command), "{made:?}");
        let unbuilt = home.sre(&["skill", "check", language]).exits(2);
        assert!(unbuilt.stderr.contains("main.wasm"), "{unbuilt:?}");
    }
    let refused = home.words("skill new x --lang cobol").exits(2);
    assert!(refused.stderr.contains("typescript"), "{refused:?}");
}

#[test]
fn every_form_of_a_skill_has_its_digest() {
    let home = Home::new();
    home.words("skill new hello").exits(0);
    home.words("skill pack hello").exits(0);
    home.words("skill pack hello --output again.tar.gz -q")
        .exits(0);
    let packed = fs::read(home.path("hello-0.1.0.tar.gz")).expect("the archive");
    assert_eq!(
        packed,
        fs::read(home.path("again.tar.gz")).expect("the archive")
    );
    home.words("skill pack hello-0.1.0.tar.gz --output packed.json --format json -q")
        .exits(0);
    let printed = home.words("skill pack hello --format json").exits(0);
    assert_eq!(
        printed.stdout,
        fs::read_to_string(home.path("packed.json")).expect("the object")
    );

    let digest = |form: &str| {
        home.words(&format!("skill inspect {form} --format json"))
            .exits(0)
            .json()["digest"]
            .clone()
    };
    let folder = digest("hello");
    assert!(folder.is_string());
    for (n, form) in ["hello-0.1.0.tar.gz", "packed.json"].iter().enumerate() {
        assert_eq!(digest(form), folder, "{form}");
        let result = home
            .words(&format!("run {form} --order-id form-{n} --format json"))
            .exits(0)
            .json();
        assert_eq!(
            result["commit_result"]["commitment"]["skill"], folder,
            "{form}"
        );
    }
    // The printed object stands in an order as it is.
    let order = format!(
        "{{\"order_id\":\"o\",\"input_data\":{{\"a\":1}},\"skill_package\":{}}}",
        printed.stdout
    );
    fs::write(home.path("order.json"), order).expect("a file");
    let result = home
        .words("run --order order.json --format json")
        .exits(0)
        .json();
    assert_eq!(result["commit_result"]["commitment"]["skill"], folder);
    assert_eq!(result["output"]["echo"]["a"], 1);
}

#[test]
fn inspect_shows_what_is_inside() {
    let home = Home::new();
    let skill = examples().join("word-count").display().to_string();
    let ran = home.sre(&["skill", "inspect", &skill]).exits(0);
    for text in [
        "word-count 1.0.0",
        "digest",
        "word-count.wasm",
        "idempotentHint: true",
        "input schema",
        "\"top_words\"",
    ] {
        assert!(ran.stdout.contains(text), "{text}: {}", ran.stdout);
    }
    let manifest = home
        .sre(&["skill", "inspect", &skill, "--format", "json"])
        .exits(0)
        .json();
    assert_eq!(manifest["manifest"]["name"], "word-count");
}

#[test]
fn check_warns_about_what_is_probably_not_meant() {
    let home = Home::new();
    home.skill_with(
        "returns_1",
        "annotations:\n  openWorldHnt: true\nauthor: me\n",
    );
    let ran = home.words("skill check returns_1").exits(0);
    for text in [
        "no io.input_schema",
        "no io.output_schema",
        "is it \"openWorldHint\"?",
        "note: the front matter of SKILL.md has the key \"author\"",
        "no version",
    ] {
        assert!(ran.stdout.contains(text), "{text}: {}", ran.stdout);
    }
}

#[test]
fn input_comes_from_standard_input_only_when_asked() {
    let home = Home::new();
    home.words("skill new hello").exits(0);
    let run = |arguments: &[&str]| {
        let mut child = home
            .command()
            .args(["run", "hello", "--format", "json"])
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("sre starts");
        // A reader that is not needed may be gone already.
        drop(
            child
                .stdin
                .take()
                .expect("a pipe")
                .write_all(b" {\"piped\" : true}\n"),
        );
        ran(child.wait_with_output().expect("sre ends"))
            .exits(0)
            .json()["output"]["echo"]
            .clone()
    };
    assert_eq!(run(&["-"]), serde_json::json!({"piped": true}));
    assert_eq!(
        run(&["--input-file", "-"]),
        serde_json::json!({"piped": true})
    );
    assert_eq!(run(&[]), serde_json::json!({}));
    assert_eq!(run(&["--input", "{\"a\":1}"]), serde_json::json!({"a": 1}));
}

#[test]
fn a_closed_pipe_is_not_an_error_and_a_full_disk_is() {
    let home = Home::new();
    home.skill("returns_1");
    for arguments in [
        &["run", "returns_1"][..],
        &["--help"],
        &["completions", "bash"],
        &["skill", "inspect", "returns_1"],
    ] {
        let mut child = home
            .command()
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("sre starts");
        drop(child.stdout.take());
        let ran = ran(child.wait_with_output().expect("sre ends")).exits(0);
        assert_eq!(ran.stderr, "", "{arguments:?}");
    }
    if let Ok(full) = File::options().write(true).open("/dev/full") {
        let output = home
            .command()
            .args(["run", "returns_1", "--order-id", "full"])
            .stdout(full)
            .output();
        let ran = ran(output.expect("sre ends")).exits(1);
        assert!(
            ran.stderr.contains("cannot write to standard output"),
            "{ran:?}"
        );
        home.words("verify full").exits(0);
    }
}

#[test]
fn human_output_is_complete_and_plain_where_it_is_no_terminal() {
    let home = Home::new();
    home.skill("returns_1");
    home.skill("exits_3");
    let good = home.words("run returns_1 --order-id good").exits(0);
    for text in [
        "returns-1 0.0.0  sha256:",
        "good",
        "completed",
        "wasm: ",
        "in all",
        "matched: ",
        "da:sha256:",
    ] {
        assert!(good.stdout.contains(text), "{text}: {}", good.stdout);
    }
    assert!(
        good.stdout.ends_with("\n\n1\n") && good.stderr.is_empty(),
        "{good:?}"
    );
    let bad = home.words("run exits_3").exits(10);
    for text in ["failed", "exited with code 3 (skill_exited)", "hint: "] {
        assert!(bad.stdout.contains(text), "{text}: {}", bad.stdout);
    }
    assert!(!good.stdout.contains('\u{1b}') && !bad.stdout.contains('\u{1b}'));
}

#[test]
fn log_lines_carry_order_and_attempt() {
    let home = Home::new();
    home.skill("returns_1");
    let text = home.words("run returns_1 --order-id logged -vv").exits(0);
    let line = text
        .stderr
        .lines()
        .find(|line| line.contains("verified"))
        .unwrap_or_else(|| panic!("{text:?}"));
    assert!(
        line.contains("order_id=logged") && line.contains("attempt=1"),
        "{line}"
    );
    let json = home
        .words("run returns_1 --order-id again -vv --log-format json")
        .exits(0);
    let lines: Vec<Value> = json
        .stderr
        .lines()
        .map(|line| serde_json::from_str(line).expect("every line is JSON"))
        .collect();
    let line = lines
        .iter()
        .find(|line| line["fields"]["message"] == "verified")
        .expect("the line");
    assert_eq!(line["spans"][0]["order_id"], "again");
    assert_eq!(line["spans"][1]["attempt"], 1);
    let filtered = home
        .command()
        .args(["run", "returns_1", "-vv"])
        .env("SRE_LOG", "off")
        .output()
        .expect("sre ends");
    assert_eq!(ran(filtered).exits(0).stderr, "");
}

#[test]
fn without_a_home_a_data_folder_must_be_named() {
    let home = Home::new();
    home.skill("returns_1");
    let output = home
        .command()
        .env_remove("SRE_DATA_DIR")
        .args(["run", "returns_1", "--data-dir", "named"])
        .output();
    ran(output.expect("sre ends")).exits(0);
    assert!(home.path("named/journal.sqlite3").exists() && !home.data().exists());
    // A place that cannot be a folder is an operating failure, named.
    let ran = home.words("run returns_1 --data-dir SKILL/nowhere").code;
    assert_eq!(ran, Some(0), "missing parents are made");
    fs::write(home.path("file"), "").expect("a file");
    let refused = home.words("run returns_1 --data-dir file").exits(1);
    assert!(refused.stderr.contains("file"), "{refused:?}");
}
