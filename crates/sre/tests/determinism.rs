//! `sre determinism`: every example is the same in all surroundings, and what is different is
//! named.
//!
//! `SRE_DETERMINISM_RUNS=10000 cargo test -p sre --test determinism` is the long form.

mod common;

use std::fs;

use common::{Home, examples};
use serde_json::Value;

/// Runs of every example, in twelve processes.
fn runs() -> String {
    std::env::var("SRE_DETERMINISM_RUNS").unwrap_or_else(|_| String::from("24"))
}

fn script(home: &Home, name: &str, source: &str) -> String {
    let folder = home.path(name);
    fs::create_dir(&folder).expect("a folder");
    let front_matter =
        format!("---\nname: {name}\ndescription: a test\nruntime:\n  entrypoint: main.py\n---\n");
    fs::write(folder.join("SKILL.md"), front_matter).expect("SKILL.md");
    fs::write(folder.join("main.py"), source).expect("a script");
    name.to_owned()
}

/// The digests that `examples/outcomes.json` names were made by an earlier build; this one must
/// give the same.
#[test]
fn every_example_is_identical_in_all_surroundings_and_after_a_rebuild() {
    let home = Home::new();
    let recorded = fs::read(examples().join("outcomes.json")).expect("outcomes.json");
    let recorded: Value = serde_json::from_slice(&recorded).expect("JSON");
    let recorded = recorded.as_object().expect("an object");
    let mut skills: Vec<String> = fs::read_dir(examples().join("cases"))
        .expect("the cases")
        .map(|entry| {
            entry
                .expect("an entry")
                .file_name()
                .to_string_lossy()
                .into_owned()
        })
        .collect();
    skills.sort();
    for skill in skills {
        let mut inputs: Vec<_> = fs::read_dir(examples().join("cases").join(&skill))
            .expect("cases")
            .map(|entry| entry.expect("an entry").path())
            .filter(|path| path.to_string_lossy().ends_with(".input.json"))
            .collect();
        inputs.sort();
        let input = inputs
            .first()
            .unwrap_or_else(|| panic!("{skill} has no case"))
            .display()
            .to_string();
        let folder = examples().join(&skill).display().to_string();
        let mut command = home.command();
        command.args([
            "determinism",
            &folder,
            "--input-file",
            &input,
            "--runs",
            &runs(),
            "--format",
            "json",
        ]);
        // One example of each kind of program also starts with nothing compiled.
        if !["word-count", "markdown-outline"].contains(&skill.as_str()) {
            command.arg("--warm");
        }
        let ran = common::ran(command.output().expect("sre starts"));
        let found = ran.exits(0).json();
        assert_eq!(found["identical"], true, "{skill}: {found}");
        let digests = [
            &found["skill"],
            &found["input"],
            &found["profile"],
            &found["outcome"],
            &found["fuel"],
        ];
        let expected = &recorded
            .get(&skill)
            .unwrap_or_else(|| panic!("outcomes.json lacks {skill}: {digests:?}"));
        let expected: Vec<_> = ["skill", "input", "profile", "outcome", "fuel"]
            .iter()
            .map(|name| &expected[*name])
            .collect();
        assert_eq!(
            digests.to_vec(),
            expected,
            "{skill}: what it does has changed; see CONTRIBUTING.md"
        );
    }
}

#[test]
fn what_a_skill_depends_on_is_named() {
    let home = Home::new();
    let dice = script(
        &home,
        "dice",
        "import random\nprint(random.randrange(10**9))\n",
    );
    let same = home
        .sre(&["determinism", &dice, "--warm", "--runs", "6"])
        .exits(0);
    assert!(same.stdout.contains("identical"), "{same:?}");
    let found = home
        .sre(&[
            "determinism",
            &dice,
            "--warm",
            "--runs",
            "6",
            "--vary",
            "seed",
            "--format",
            "json",
        ])
        .exits(21);
    let found = found.json();
    assert_eq!(found["identical"], false);
    assert_eq!(
        found["difference"]["found"]["call"], "random bytes",
        "{found}"
    );
    let ran = home
        .sre(&[
            "determinism",
            &dice,
            "--warm",
            "--runs",
            "6",
            "--vary",
            "clock",
        ])
        .exits(0);
    assert!(ran.stdout.contains("clock start"), "{ran:?}");

    let late = script(&home, "late", "import time\nprint(int(time.time()))\n");
    let found = home
        .sre(&[
            "determinism",
            &late,
            "--warm",
            "--runs",
            "6",
            "--vary",
            "clock",
        ])
        .exits(21);
    assert!(
        found.stdout.contains("wall clock was 1767225600"),
        "{found:?}"
    );
}

#[test]
fn a_skill_that_cannot_run_is_refused_like_an_order() {
    let home = Home::new();
    for (arguments, code) in [
        (&["determinism", "nowhere"][..], "no such"),
        (&["determinism", "nowhere", "--runs", "0"], "0"),
        (&["determinism", "nowhere", "--vary", "moon"], "moon"),
    ] {
        let ran = home.sre(arguments).exits(2);
        assert!(
            ran.stdout.is_empty() && ran.stderr.to_lowercase().contains(code),
            "{ran:?}"
        );
    }
    assert!(!home.data().exists());
}
