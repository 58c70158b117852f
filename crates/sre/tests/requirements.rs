//! `sre skill pack --requirements`: the user's pip fetches, the wheels are checked, and the packed
//! skill imports them.
//!
//! The wheels are files made here, so that no index is asked. Needs `python3` with pip, as the
//! command does.

mod common;

use std::fs;
use std::io::{Cursor, Write};
use std::path::Path;

use common::Home;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

const PURE: &str =
    "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n";

/// A wheel `name` 1.0 with these files besides its metadata.
fn wheel(folder: &Path, name: &str, metadata: &str, files: &[(&str, &str)]) {
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    let info = format!("{name}-1.0.dist-info");
    let own = [
        (format!("{info}/WHEEL"), metadata.to_owned()),
        (
            format!("{info}/METADATA"),
            format!("Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n"),
        ),
        (format!("{info}/RECORD"), String::new()),
    ];
    let files = files
        .iter()
        .map(|(path, text)| ((*path).to_owned(), (*text).to_owned()));
    for (path, text) in own.into_iter().chain(files) {
        archive
            .start_file(path, SimpleFileOptions::default())
            .expect("an entry");
        archive.write_all(text.as_bytes()).expect("an entry");
    }
    let file = folder.join(format!("{name}-1.0-py3-none-any.whl"));
    fs::write(&file, archive.finish().expect("an archive").into_inner()).expect("a wheel");
}

/// A requirements file that asks for this and looks in the home's folder only.
fn require(home: &Home, requirement: &str) {
    let text = format!("# of our own\n--no-index\n--find-links .\n\n{requirement}\n");
    fs::write(home.path("requirements.txt"), text).expect("a file");
}

fn greeter(home: &Home) {
    let folder = home.path("greeter");
    fs::create_dir_all(folder.join("scripts")).expect("a folder");
    let front_matter =
        "---\nname: greeter\ndescription: a test\nruntime:\n  entrypoint: scripts/main.py\n---\n";
    fs::write(folder.join("SKILL.md"), front_matter).expect("SKILL.md");
    let script = "import json\nimport greeting\nprint(json.dumps(greeting.hello('Ada')))\n";
    fs::write(folder.join("scripts/main.py"), script).expect("a script");
}

#[test]
fn wheels_are_vendored_and_imported() {
    let home = Home::new();
    greeter(&home);
    wheel(
        &home.path(""),
        "greeting",
        PURE,
        &[
            (
                "greeting/__init__.py",
                "from greeting.words import HELLO\ndef hello(name): return f'{HELLO}, {name}!'\n",
            ),
            ("greeting/words.py", "HELLO = 'Hello'\n"),
            ("greeting-1.0.data/purelib/extra.py", "x = 1\n"),
            ("greeting-1.0.data/scripts/greet", "#!python\n"),
        ],
    );
    // A module of this name beside the user would be started instead of pip.
    fs::write(home.path("pip.py"), "raise SystemExit('not pip')\n").expect("a file");
    require(
        &home,
        "Greeting [extra] >=1.0, != 1.1 ; \\\n  python_version > '3'  # the one\ngreeting==1.0",
    );

    let missing = home.words("run greeter --format json").exits(10).json();
    assert!(
        missing["logs"]
            .as_str()
            .is_some_and(|logs| logs.contains("No module named 'greeting'")),
        "{missing}"
    );

    let packed = home
        .words("skill pack greeter --requirements requirements.txt --output packed.tar.gz")
        .exits(0);
    let again = home
        .words("skill pack greeter --requirements requirements.txt --output again.tar.gz")
        .exits(0);
    assert_eq!(
        fs::read(home.path("packed.tar.gz")).expect("packed"),
        fs::read(home.path("again.tar.gz")).expect("again")
    );
    assert!(packed.stderr.contains("packed.tar.gz") && again.stderr.contains("again.tar.gz"));
    assert!(
        !home.path("greeter/vendor").exists(),
        "the folder is not changed"
    );

    let ran = home
        .words("run packed.tar.gz --format json")
        .exits(0)
        .json();
    assert_eq!(ran["output"], "Hello, Ada!");
    assert_eq!(ran["verification"]["verdict"], "matched");
    let inspected = home
        .words("skill inspect packed.tar.gz --format json")
        .exits(0)
        .stdout;
    assert!(
        inspected.contains("vendor/greeting-1.0.dist-info/METADATA"),
        "licences and versions stay: {inspected}"
    );
    assert!(
        inspected.contains("vendor/extra.py") && !inspected.contains("scripts/greet"),
        "{inspected}"
    );
}

#[test]
fn compiled_code_and_what_cannot_be_had_are_refused_by_name() {
    let home = Home::new();
    greeter(&home);
    let module = &[("fast/__init__.py", "")][..];
    wheel(
        &home.path(""),
        "fast",
        PURE,
        &[module, &[("fast/_core.abi3.so", "ELF")]].concat(),
    );
    wheel(
        &home.path(""),
        "impure",
        &PURE.replace("true", "false"),
        module,
    );
    let cases = [
        ("fast", "fast/_core.abi3.so"),
        ("impure", "impure-1.0.dist-info/WHEEL"),
        ("nowhere==1.0", "nowhere==1.0"),
    ];
    for (requirement, names) in cases {
        require(&home, requirement);
        let refused =
            home.words("skill pack greeter --requirements requirements.txt --output packed.tar.gz");
        assert!(
            matches!(refused.code, Some(1 | 2)) && refused.stderr.contains(names),
            "{refused:?}"
        );
        assert!(!home.path("packed.tar.gz").exists());
    }
    let no_file = home
        .words("skill pack greeter --requirements none.txt")
        .exits(2);
    assert!(no_file.stderr.contains("none.txt"), "{no_file:?}");
    let no_python = home
        .words("skill pack greeter --requirements requirements.txt --python ./no-python")
        .exits(1);
    assert!(
        no_python.stderr.contains("./no-python cannot be started"),
        "{no_python:?}"
    );
}

#[test]
fn a_requirement_that_would_run_code_here_is_refused_by_its_line() {
    let home = Home::new();
    greeter(&home);
    let evil = home.path("evil");
    fs::create_dir_all(&evil).expect("a folder");
    let setup = format!(
        "open({:?}, 'w')\nfrom setuptools import setup\nsetup(name='evil')\n",
        home.path("ran")
    );
    fs::write(evil.join("setup.py"), setup).expect("a file");
    let here = home.path("").display().to_string();
    for line in [
        "./evil",
        "evil/",
        &format!("{here}/evil"),
        &format!("evil @ file://{here}/evil"),
        &format!("file://{here}/evil"),
        "evil-1.0.tar.gz",
        "-e ./evil",
        "--editable=./evil",
        "-r more.txt",
        "-c more.txt",
        "--no-binary :all:",
        "--only-binary=:none:",
        "--index-url https://example.com/${HOME}",
        "greeting --global-option=--x",
        "greeting ; python_version > '3' @ file:///x",
        "greeting==1.0 \\\n ./evil",
    ] {
        require(&home, line);
        let refused = home
            .words("skill pack greeter --requirements requirements.txt --output packed.tar.gz")
            .exits(2);
        assert!(
            refused.stderr.contains("line 5 of requirements.txt"),
            "{line}: {refused:?}"
        );
        assert!(
            !home.path("packed.tar.gz").exists() && !home.path("ran").exists(),
            "{line}"
        );
    }
}
