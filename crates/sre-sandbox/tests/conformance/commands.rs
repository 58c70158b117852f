//! The command contract, and what a guest may try with its files.
//!
//! A case is a list of [`Step`]s. Every backend carries them out with the system's own calls and
//! answers each with `ok` or the name of the error, so that one list of answers holds for all.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::json;
use sre_core::{Collect, Ending, Profile};
use sre_sandbox::{Call, Command, Execution, FileNode, Files, Job, SandboxError, Stop};

use crate::{Bench, common};

/// Something to do with a file. Paths are absolute, or relative to the working folder.
#[derive(Debug, Clone)]
pub enum Step {
    /// Makes or replaces a file.
    Write(String, String),
    /// Adds to the end of a file.
    Append(String, String),
    /// Reads a file, whose content must be this.
    Read(String, String),
    /// Makes a folder.
    Mkdir(String),
    /// Removes a folder.
    Rmdir(String),
    /// Removes a file or link.
    Unlink(String),
    /// Renames.
    Rename(String, String),
    /// Makes a symbolic link to a target at a path.
    Symlink(String, String),
    /// Makes a further name of a file.
    Link(String, String),
    /// Sets the size of a file that is there.
    Resize(String, u64),
}

fn write(path: &str, text: &str) -> Step {
    Step::Write(path.to_owned(), text.to_owned())
}

fn read(path: &str, text: &str) -> Step {
    Step::Read(path.to_owned(), text.to_owned())
}

fn symlink(target: &str, path: &str) -> Step {
    Step::Symlink(target.to_owned(), path.to_owned())
}

fn rename(from: &str, to: &str) -> Step {
    Step::Rename(from.to_owned(), to.to_owned())
}

fn mkdir(path: &str) -> Step {
    Step::Mkdir(path.to_owned())
}

fn rmdir(path: &str) -> Step {
    Step::Rmdir(path.to_owned())
}

fn unlink(path: &str) -> Step {
    Step::Unlink(path.to_owned())
}

fn file(text: &str) -> FileNode {
    FileNode::file(text.as_bytes(), false)
}

fn files(entries: &[(&str, &str)]) -> Files {
    entries
        .iter()
        .map(|(path, text)| (*path, file(text)))
        .collect()
}

fn collect(patterns: &[&str]) -> Collect {
    let patterns: Vec<String> = patterns.iter().map(|&text| text.to_owned()).collect();
    Collect::try_from(patterns).expect("patterns")
}

fn run_under(
    bench: &dyn Bench,
    profile: &Profile,
    command: Command,
    steps: &[Step],
) -> Result<Execution, SandboxError> {
    let (skill, stdin) = bench.steps(steps);
    let command = Command {
        stdin: stdin.into(),
        ..command
    };
    let job = Job {
        skill: &skill,
        entry: &skill.default_entry().expect("a program"),
        call: Call::Command(&command),
        profile,
        time_limit: common::PATIENCE,
        language_runtime: None,
    };
    bench.sandbox().execute(&job, &Stop::new())
}

/// Carries steps out and compares the answers, each with one of those that are allowed.
fn check(bench: &dyn Bench, command: Command, steps: &[(Step, &[&str])]) -> Execution {
    check_under(bench, &common::profile(), command, steps)
}

fn check_under(
    bench: &dyn Bench,
    profile: &Profile,
    command: Command,
    steps: &[(Step, &[&str])],
) -> Execution {
    let list: Vec<Step> = steps.iter().map(|(step, _)| step.clone()).collect();
    let execution = run_under(bench, profile, command, &list).expect("an outcome");
    let stdout = execution.stdout.clone().expect("standard output");
    assert_eq!(
        execution.outcome.ending,
        Ending::Exited { code: 0 },
        "{} {}",
        String::from_utf8_lossy(&stdout),
        execution.logs
    );
    let answers = bench.answers(&list, &stdout);
    assert_eq!(answers.len(), steps.len(), "{answers:?}");
    for (answer, (step, allowed)) in answers.iter().zip(steps) {
        let shown = format!("{step:?}");
        let shown = &shown[..shown.len().min(100)];
        assert!(
            allowed.contains(&&**answer),
            "{shown}: {answer} instead of {allowed:?}"
        );
    }
    execution
}

/// Paths and contents that were left in `/workspace`; a link shows its target.
fn left(execution: &Execution) -> BTreeMap<String, String> {
    let workspace = execution.workspace.as_ref().expect("files");
    assert_eq!(
        execution.outcome.workspace,
        Some(workspace.tree.digest()),
        "the outcome names what was left"
    );
    shown(&workspace.files)
}

fn shown(files: &Files) -> BTreeMap<String, String> {
    let text = |node: &FileNode| match node {
        FileNode::File {
            bytes, executable, ..
        } => {
            let mark = if *executable { "*" } else { "" };
            format!("{}{mark}", String::from_utf8_lossy(bytes))
        }
        FileNode::Link(target) => format!("-> {target}"),
    };
    files
        .iter()
        .map(|(path, node)| (path.as_ref().to_owned(), text(node)))
        .collect()
}

fn expected(entries: &[(&str, &str)]) -> BTreeMap<String, String> {
    entries
        .iter()
        .map(|(path, text)| ((*path).to_owned(), (*text).to_owned()))
        .collect()
}

const OK: &[&str] = &["ok"];

pub fn files_are_found_changed_and_left(bench: &impl Bench) {
    let mut work = files(&[("a/in.txt", "in"), ("b.txt", "b"), ("gone", "x")]);
    work.insert("run", FileNode::file(b"#!".as_slice(), true));
    work.insert("link", FileNode::Link("a/in.txt".into()));
    let given = work.get("a/in.txt").cloned();
    let command = Command {
        work,
        ..Command::default()
    };
    let execution = check(
        bench,
        command,
        &[
            (read("a/in.txt", "in"), OK),
            (read("link", "in"), OK),
            (read("/workspace/b.txt", "b"), OK),
            (read("/skill/data/note.txt", "a note"), OK),
            (write("out/x", "1"), &["noent"]),
            (mkdir("out"), OK),
            (mkdir("out/empty"), OK),
            (write("out/x", "12"), OK),
            (Step::Append("b.txt".into(), "B".into()), OK),
            (unlink("gone"), OK),
            (rename("run", "out/run"), OK),
            (symlink("../b.txt", "out/up"), OK),
            (Step::Link("b.txt".into(), "out/same".into()), OK),
            (write("/tmp/x", "1"), OK),
            (write("/home/skill/x", "1"), OK),
        ],
    );
    assert_eq!(
        left(&execution),
        expected(&[
            ("a/in.txt", "in"),
            ("b.txt", "bB"),
            ("link", "-> a/in.txt"),
            ("out/run", "#!*"),
            ("out/same", "bB"),
            ("out/up", "-> ../b.txt"),
            ("out/x", "12"),
        ])
    );
    // What was left alone is what was given: not even copied.
    let workspace = execution.workspace.expect("files");
    let (Some(FileNode::File { bytes: before, .. }), Some(FileNode::File { bytes: after, .. })) =
        (&given, workspace.files.get("a/in.txt"))
    else {
        panic!("files")
    };
    assert!(Arc::ptr_eq(before, after));
    assert_eq!(execution.outcome.home, None, "no home was given");
}

pub fn a_run_changes_nothing_of_the_next(bench: &impl Bench) {
    let command = Command {
        work: files(&[("a", "1")]),
        ..Command::default()
    };
    for _ in 0..2 {
        let steps = [
            (read("a", "1"), OK),
            (write("b", "2"), OK),
            (unlink("a"), OK),
            (mkdir("/tmp/new"), OK),
            (mkdir("/home/skill/new"), OK),
        ];
        let execution = check(bench, command.clone(), &steps);
        assert_eq!(left(&execution), expected(&[("b", "2")]));
    }
}

pub fn home_is_part_of_the_outcome_if_it_is_given(bench: &impl Bench) {
    let command = Command {
        home: Some(files(&[(".config/x", "1")])),
        ..Command::default()
    };
    let steps = [
        (read("/home/skill/.config/x", "1"), OK),
        (write("/home/skill/.config/y", "2"), OK),
        (rename("/home/skill/.config/x", "x"), &["xdev"][..]),
    ];
    let execution = check(bench, command, &steps);
    let home = execution.home.expect("a home");
    assert_eq!(execution.outcome.home, Some(home.tree.digest()));
    assert_eq!(
        shown(&home.files),
        expected(&[(".config/x", "1"), (".config/y", "2")])
    );
}

pub fn only_collected_changes_are_left(bench: &impl Bench) {
    let command = Command {
        work: files(&[("in", "1"), ("cache/a", "1"), ("out/old", "1")]),
        collect: collect(&["out/**"]),
        ..Command::default()
    };
    let steps = [
        (write("in", "2"), OK),
        (unlink("cache/a"), OK),
        (write("cache/b", "2"), OK),
        (unlink("out/old"), OK),
        (write("out/new", "2"), OK),
    ];
    let execution = check(bench, command, &steps);
    assert_eq!(
        left(&execution),
        expected(&[("cache/a", "1"), ("in", "1"), ("out/new", "2")])
    );
}

pub fn paths_lead_nowhere_else(bench: &impl Bench) {
    let long_path = "d/".repeat(2048) + "x";
    let long_name = "n".repeat(256);
    let steps = [
        (write("../x", "1"), &["perm", "rofs"][..]),
        (write("a/../../../../x", "1"), &["noent", "perm"]),
        (write("/x", "1"), &["rofs"]),
        (write("/skill/new", "1"), &["rofs"]),
        (write("/skill/data/note.txt", "1"), &["rofs"]),
        (write(&long_path, "1"), &["nametoolong"]),
        (write(&long_name, "1"), &["nametoolong"]),
        (write("", "1"), &["noent"]),
        (unlink("/skill/data/note.txt"), &["rofs"]),
        (rmdir("/skill"), &["busy", "rofs"]),
        (rmdir("/workspace"), &["busy", "rofs"]),
        (rename("/workspace", "/tmp/x"), &["busy", "xdev", "rofs"]),
        (rename("/workspace", "/elsewhere"), &["busy", "rofs"]),
        (symlink("/tmp", "/workspace"), &["exist", "perm"]),
        (write("file", "1"), OK),
        (write("file/x", "1"), &["notdir"]),
        (mkdir("file"), &["exist"]),
        (rmdir("file"), &["notdir"]),
        (unlink("/tmp"), &["isdir", "busy", "rofs"]),
        (read("file", "1"), OK),
    ];
    let execution = check(bench, Command::default(), &steps);
    assert_eq!(left(&execution), expected(&[("file", "1")]));
}

pub fn links_lead_nowhere_else(bench: &impl Bench) {
    let steps = [
        (symlink("two", "one"), OK),
        (symlink("one", "two"), OK),
        (read("one", ""), &["loop"][..]),
        (write("one", "1"), &["loop"]),
        (symlink("../skill/data/note.txt", "note"), OK),
        (read("note", "a note"), OK),
        (write("note", "1"), &["rofs"]),
        (symlink("../../../../etc/shadow", "shadow"), OK),
        (read("shadow", ""), &["noent", "acces"]),
        (symlink("..", "up"), OK),
        (write("up/x", "1"), &["rofs"]),
        (mkdir("d"), OK),
        (symlink("d", "dir"), OK),
        (write("dir/x", "1"), OK),
        (unlink("dir"), OK),
        (read("d/x", "1"), OK),
    ];
    let execution = check(bench, Command::default(), &steps);
    // Links out of the folder are named in the log and are no part of the outcome.
    assert_eq!(
        left(&execution),
        expected(&[("d/x", "1"), ("one", "-> two"), ("two", "-> one")])
    );
    assert!(execution.logs.contains("shadow"), "{}", execution.logs);
}

pub fn bytes_are_limited(bench: &impl Bench) {
    let profile = common::profile_with(json!({"files_limit_bytes": 1 << 20}));
    let steps = [
        (write("a", "1"), OK),
        (Step::Resize("a".into(), 1 << 40), &["nospc", "fbig"][..]),
        (Step::Resize("a".into(), 512 << 10), OK),
        // A file system in memory counts what a file has, not what it says it has.
        (write("b", &"x".repeat(700 << 10)), &["nospc", "ok"]),
        (unlink("b"), OK),
        (Step::Resize("a".into(), 2), OK),
    ];
    let execution = check_under(bench, &profile, Command::default(), &steps);
    assert_eq!(left(&execution), expected(&[("a", "1\0")]));
}

pub fn names_are_limited(bench: &impl Bench) {
    let profile = common::profile_with(json!({"files_limit_count": 100}));
    let command = Command {
        work: (0..200)
            .map(|number| (format!("in/{number}"), file("")))
            .collect(),
        ..Command::default()
    };
    let mut steps: Vec<(Step, &[&str])> = (0..100)
        .map(|number| (mkdir(&format!("{number}")), OK))
        .collect();
    steps.push((mkdir("x"), &["nospc"]));
    steps.push((write("x", ""), &["nospc"]));
    steps.push((symlink("in", "x"), &["nospc"]));
    steps.push((rmdir("17"), OK));
    steps.push((write("x", ""), OK));
    let execution = check_under(bench, &profile, command, &steps);
    assert_eq!(left(&execution).len(), 201);
}

/// Many files in, a few changed.
pub fn ten_thousand_files(bench: &impl Bench) {
    let work: Files = (0..10_000)
        .map(|number| (format!("{}/{number}", number % 100), file("content")))
        .collect();
    let before = work.to_tree().expect("a tree");
    let command = Command {
        work,
        ..Command::default()
    };
    let steps: Vec<(Step, &[&str])> = (0..10)
        .map(|number| (write(&format!("{number}/{number}"), "changed"), OK))
        .collect();
    let profile = common::profile_with(json!({"mem_limit_bytes": 512 << 20}));
    let execution = check_under(bench, &profile, command, &steps);
    let after = execution.workspace.expect("files");
    assert_eq!(after.files.len(), 10_000);
    assert_eq!(before.changes(&after.tree).len(), 10);
}

pub fn what_is_no_tree_is_refused(bench: &impl Bench) {
    for (path, node) in [
        ("../x", file("")),
        ("/x", file("")),
        ("a//b", file("")),
        ("a/./b", file("")),
        ("x\0", file("")),
        ("", file("")),
        ("link", FileNode::Link("/etc/passwd".into())),
    ] {
        let mut work = Files::new();
        work.insert(path, node);
        let command = Command {
            work,
            ..Command::default()
        };
        let error = run_under(bench, &common::profile(), command, &[]).expect_err(path);
        assert!(
            matches!(error, SandboxError::Rejected(_)),
            "{path}: {error}"
        );
    }
    let mut work = files(&[("a", "1")]);
    work.insert("a/b", file("2"));
    let command = Command {
        work,
        ..Command::default()
    };
    let error =
        run_under(bench, &common::profile(), command, &[]).expect_err("a file below a file");
    assert!(matches!(error, SandboxError::Rejected(_)), "{error}");
}

pub fn arguments_and_environment_are_exact(bench: &impl Bench) {
    let argument = "two\nlines \"and\" 'more' \u{1f600}";
    let long = "x".repeat(10_000);
    let command = Command {
        args: vec![argument.to_owned(), String::new(), long.clone()],
        env: BTreeMap::from([(String::from("NAME"), String::from("a=b\nc"))]),
        ..Command::default()
    };
    let arguments = printed(bench, crate::Program::Arguments, &command);
    let expected: Vec<&str> = vec![bench.arguments()[0], argument, "", &long];
    let expected: String = expected
        .iter()
        .map(|argument| format!("{argument}\0"))
        .collect();
    assert_eq!(arguments, expected);
    let environment = printed(bench, crate::Program::Environment, &command);
    for entry in [
        "NAME=a=b\nc\0",
        "PWD=/workspace\0",
        "HOME=/home/skill\0",
        "TMPDIR=/tmp\0",
    ] {
        assert!(environment.contains(entry), "{environment}");
    }
    assert!(!environment.contains("INPUT_JSON"), "{environment}");
}

/// What a program that prints hexadecimal digits in quotes printed.
fn printed(bench: &dyn Bench, program: crate::Program, command: &Command) -> String {
    let execution = execute(bench, program, command, &common::profile());
    let stdout = execution.stdout.expect("standard output");
    let value = serde_json::from_slice(&stdout).expect("JSON");
    String::from_utf8(crate::unhex(&value)).expect("UTF-8")
}

fn execute(
    bench: &dyn Bench,
    program: crate::Program,
    command: &Command,
    profile: &Profile,
) -> Execution {
    let skill = bench.skill(program, json!({}));
    let job = Job {
        skill: &skill,
        entry: &skill.default_entry().expect("a program"),
        call: Call::Command(command),
        profile,
        time_limit: common::PATIENCE,
        language_runtime: None,
    };
    bench
        .sandbox()
        .execute(&job, &Stop::new())
        .expect("an outcome")
}

/// Standard input goes in and standard output comes out byte for byte; the exit code is what it is.
pub fn streams_and_exit_codes_are_exact(bench: &impl Bench) {
    let bytes: Vec<u8> = (0..=255).cycle().take(100_000).collect();
    let command = Command {
        stdin: bytes.clone().into(),
        work: files(&[("kept", "1")]),
        ..Command::default()
    };
    let execution = execute(bench, crate::Program::Echo, &command, &common::profile());
    assert_eq!(execution.stdout.as_deref(), Some(&bytes[..]));
    assert_eq!(execution.failure, None);
    assert_eq!(execution.outcome.result, None, "no JSON is asked for");

    let execution = execute(bench, crate::Program::Exit3, &command, &common::profile());
    assert_eq!(execution.outcome.ending, Ending::Exited { code: 3 });
    assert_eq!(execution.stdout.as_deref(), Some(&b"1"[..]));
    assert!(execution.failure.is_some());
    assert_eq!(left(&execution), expected(&[("kept", "1")]));
}

pub fn output_has_its_limit(bench: &impl Bench) {
    let profile = common::profile_with(json!({"output_limit_bytes": 100}));
    let execution = execute(bench, crate::Program::Flood, &Command::default(), &profile);
    assert_eq!(execution.outcome.ending, Ending::OutputLimit);
    assert_eq!(execution.stdout.expect("standard output").len(), 100);
}
