//! Every example of the repository goes through the whole pipeline and is confirmed by `sre
//! verify`.

mod common;

use std::fs;
use std::path::{Path, PathBuf};

use common::{Home, examples};
use serde_json::Value;

/// The files of `examples/cases` whose name ends with `ending`: skill, case, path.
fn cases(ending: &str) -> Vec<(String, String, PathBuf)> {
    let mut cases = Vec::new();
    for folder in fs::read_dir(examples().join("cases")).expect("the cases") {
        let folder = folder.expect("an entry");
        for file in fs::read_dir(folder.path()).expect("the cases of a skill") {
            let file = file.expect("an entry");
            if let Some(case) = file.file_name().to_string_lossy().strip_suffix(ending) {
                cases.push((
                    folder.file_name().to_string_lossy().into_owned(),
                    case.to_owned(),
                    file.path(),
                ));
            }
        }
    }
    cases.sort();
    cases
}

fn read(path: &Path) -> Value {
    let text = fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_slice(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn every_example_gives_what_it_promises() {
    let home = Home::new();
    let cases = cases(".input.json");
    assert!(cases.len() >= 40, "{cases:?}");
    for (skill, case, input) in cases {
        let id = format!("{skill}.{case}");
        let (skill, input) = (examples().join(skill), input.display().to_string());
        let skill = skill.display().to_string();
        let ran = home
            .sre(&[
                "run",
                &skill,
                "--input-file",
                &input,
                "--order-id",
                &id,
                "--format",
                "json",
            ])
            .exits(0);
        assert_eq!(ran.stderr, "", "{id}");
        let result = ran.json();
        assert_eq!(result["status"], "completed", "{id}");
        assert_eq!(
            result["output"],
            read(Path::new(&input.replace(".input.", ".expected."))),
            "{id}"
        );
        assert_eq!(result["verification"]["verdict"], "matched", "{id}");
        let found = home
            .sre(&["verify", &id, "--format", "json"])
            .exits(0)
            .json();
        assert_eq!(found["verdict"], "matched", "{id}");
    }
}

#[test]
fn every_example_fails_where_it_promises_to() {
    let home = Home::new();
    let (mut failed, mut refused) = (0, 0);
    for (skill, name, path) in cases(".fails.json") {
        let id = format!("{skill}.{name}");
        let (skill, case) = (examples().join(skill), read(&path));
        let input = case["input"].to_string();
        let skill = skill.display().to_string();
        let ran = home.sre(&[
            "run",
            &skill,
            "--input",
            &input,
            "--order-id",
            &id,
            "--format",
            "json",
        ]);
        if ran.code == Some(2) {
            // The input schema refuses it before the program can.
            assert!(
                ran.stdout.is_empty() && ran.stderr.contains("input_schema"),
                "{ran:?}"
            );
            refused += 1;
            continue;
        }
        let result = ran.exits(10).json();
        assert_eq!(result["status"], "failed", "{id}");
        assert_eq!(result["error_code"], "skill_exited", "{id}");
        assert_eq!(
            result["error_message"],
            format!("the skill exited with code {}", case["exit_code"]),
            "{id}"
        );
        assert_ne!(result["logs"], "", "{id}: a person learns why");
        assert_eq!(
            home.sre(&["verify", &id, "--format", "json"])
                .exits(0)
                .json()["verdict"],
            "matched",
            "{id}"
        );
        failed += 1;
    }
    assert!(failed >= 10 && refused >= 5, "{failed} {refused}");
}
