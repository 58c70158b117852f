//! The cases of `runtimes/*/tests` in the real sandbox: what a script may rely on, and how it ends
//! when it goes wrong.
//!
//! Compiled runtimes are kept below the target folder, so that one of all test binaries compiles
//! them, once.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use sre_core::{Collect, Ending, Profile, canonical_json};
use sre_sandbox::wasm::{WasmOptions, WasmSandbox};
use sre_sandbox::{Call, Command, Execution, FileNode, Job, Sandbox, Stop};
use sre_skill::{PackageLimits, Skill};

/// Long enough never to decide a test.
const PATIENCE: Duration = Duration::from_secs(600);

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    entrypoint: String,
    /// What the case is called where the entrypoint does not say it.
    #[serde(default)]
    name: String,
    #[serde(default = "empty")]
    input: Value,
    /// The returned value.
    stdout: Option<Value>,
    /// What is printed, where it is no JSON.
    stdout_text: Option<String>,
    stdout_hex: Option<String>,
    #[serde(default)]
    exit_code: i32,
    /// Pieces of the log.
    #[serde(default)]
    stderr: Vec<String>,
    /// What must not be in the log.
    #[serde(default)]
    stderr_lacks: Vec<String>,
    /// The outcome's name, where it is neither a result nor an exit; and the reason of a bad
    /// output.
    outcome: Option<String>,
    reason: Option<String>,
    /// Fields of the profile.
    #[serde(default)]
    limits: Map<String, Value>,
}

fn empty() -> Value {
    json!({})
}

fn sandbox() -> &'static WasmSandbox {
    static SANDBOX: OnceLock<WasmSandbox> = OnceLock::new();
    SANDBOX.get_or_init(|| {
        WasmSandbox::new(WasmOptions {
            cache_folder: Some(Path::new(env!("CARGO_TARGET_TMPDIR")).join("compiled")),
            language_runtimes: sre_runtimes::shipped(),
            slots: 8,
            ..WasmOptions::default()
        })
        .expect("a sandbox")
    })
}

fn runtimes(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../runtimes")
        .join(path)
}

/// All files below `folder`, as a package in the object form has them.
fn files(folder: &Path) -> Map<String, Value> {
    let mut files = Map::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(&next).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let name = path
                .strip_prefix(folder)
                .expect("below")
                .to_str()
                .expect("UTF-8")
                .to_owned();
            files.insert(
                name,
                json!({"base64": STANDARD.encode(std::fs::read(&path).expect("a file"))}),
            );
        }
    }
    files
}

fn skill(files: &Map<String, Value>, entrypoint: &str) -> Skill {
    let package = json!({"name": "cases", "runtime": {"entrypoint": entrypoint}, "files": files});
    Skill::from_object(&package, &PackageLimits::default()).expect("a skill")
}

fn run(skill: &Skill, input: &Value, limits: &Map<String, Value>) -> Execution {
    let input = canonical_json::to_vec(input);
    execute(skill, Call::Json { input: &input }, limits)
}

fn execute(skill: &Skill, call: Call<'_>, limits: &Map<String, Value>) -> Execution {
    let mut profile = json!({
        "backend": "wasm",
        "fuel": 10_000_000_000_u64,
        "mem_limit_bytes": 512 << 20,
        "output_limit_bytes": 1 << 20,
        "tmp_limit_bytes": 64 << 20, "files_limit_bytes": 64 << 20, "files_limit_count": 10_000,
        "timeout_ms": 30_000,
        "clock_start": "2026-01-02T03:04:05Z",
        "random_seed": "07".repeat(32),
    });
    profile
        .as_object_mut()
        .expect("an object")
        .extend(limits.clone());
    let profile: Profile = serde_json::from_value(profile).expect("a profile");
    let job = Job {
        skill,
        entry: &skill.default_entry().expect("a program"),
        call,
        profile: &profile,
        time_limit: PATIENCE,
        language_runtime: None,
    };
    sandbox().execute(&job, &Stop::new()).expect("an outcome")
}

/// What is wrong with what a case did; empty if nothing is.
fn complaints(case: &Case, did: &Execution) -> Vec<String> {
    let mut complaints = Vec::new();
    let outcome = serde_json::to_value(did.outcome).expect("JSON");
    let printed = case
        .stdout_text
        .as_ref()
        .map(|text| text.clone().into_bytes());
    let printed = printed.or_else(|| {
        case.stdout_hex
            .as_ref()
            .map(|hex| hex::decode(hex).expect("hexadecimal"))
    });
    let as_expected = if let Some(name) = &case.outcome {
        // What the cases call a bad output is the result of a program that exited with 0.
        let found = match &outcome["result"]["reason"] {
            Value::Null => (&outcome["ending"]["kind"], None),
            reason => (&Value::from("bad_output"), Some(reason)),
        };
        *found.0 == *name
            && case
                .reason
                .as_ref()
                .is_none_or(|reason| found.1.is_some_and(|found| *found == *reason))
    } else if case.exit_code != 0 {
        did.outcome.exit_code() == Some(case.exit_code)
    } else if let Some(printed) = printed {
        did.stdout.as_deref() == Some(&*printed)
    } else {
        case.stdout.is_none() || did.output == case.stdout
    };
    if !as_expected {
        complaints.push(format!(
            "outcome {outcome}, output {:?}, {:?}",
            did.output, did.failure
        ));
    }
    let missing = case
        .stderr
        .iter()
        .filter(|piece| !did.logs.contains(piece.as_str()));
    complaints.extend(missing.map(|piece| format!("the log lacks {piece:?}")));
    let unwanted = case
        .stderr_lacks
        .iter()
        .filter(|piece| did.logs.contains(piece.as_str()));
    complaints.extend(unwanted.map(|piece| format!("the log has {piece:?}")));
    if !complaints.is_empty() {
        complaints.push(format!("log: {}", did.logs));
    }
    complaints
}

/// Runs every case twice: it does what it says, and the same again.
fn run_cases(folder: &str, package: &str) {
    let cases = std::fs::read(runtimes(folder).join("cases.json")).expect("the cases");
    let cases: Vec<Case> = serde_json::from_slice(&cases).expect("cases");
    assert!(cases.len() > 30, "only {} cases", cases.len());
    let files = files(&runtimes(package));
    let mut failed = String::new();
    for case in &cases {
        let skill = skill(&files, &case.entrypoint);
        let did = run(&skill, &case.input, &case.limits);
        let again = run(&skill, &case.input, &case.limits);
        let mut complaints = complaints(case, &did);
        if (did.outcome, did.resources.fuel, &did.logs)
            != (again.outcome, again.resources.fuel, &again.logs)
        {
            complaints.push(format!(
                "the second run: {:?} with fuel {}",
                again.outcome, again.resources.fuel
            ));
        }
        if !complaints.is_empty() {
            failed += &format!(
                "{} {}: {}\n",
                case.entrypoint,
                case.name,
                complaints.join("\n    ")
            );
        }
    }
    assert!(failed.is_empty(), "{failed}");
}

#[test]
fn python_scripts_end_as_a_programmer_would_expect() {
    run_cases("python/tests", "python/tests");
}

/// A program as the command contract runs it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct CommandCase {
    entrypoint: String,
    /// What the case is called where the entrypoint does not say it.
    #[serde(default)]
    name: String,
    #[serde(default)]
    args: Vec<String>,
    #[serde(default)]
    stdin: String,
    /// Text of the files in the working folder at the start, by path.
    #[serde(default)]
    work: BTreeMap<String, String>,
    #[serde(default)]
    exit_code: i32,
    #[serde(default)]
    stdout_text: String,
    stdout_hex: Option<String>,
    /// Pieces of the log.
    #[serde(default)]
    stderr: Vec<String>,
    /// All files of the working folder at the end: text, `{"text", "executable"}`, `{"link"}`, or
    /// null for anything.
    files: BTreeMap<String, Value>,
}

impl CommandCase {
    fn run(&self, files: &Map<String, Value>) -> Execution {
        let command = Command {
            args: self.args.clone(),
            env: BTreeMap::new(),
            stdin: self.stdin.as_bytes().into(),
            work: self
                .work
                .iter()
                .map(|(path, text)| (path.as_str(), FileNode::file(text.as_bytes(), false)))
                .collect(),
            home: None,
            collect: Collect::default(),
        };
        let skill = skill(files, &self.entrypoint);
        execute(&skill, Call::Command(&command), &Map::new())
    }

    /// What is wrong with what it did; empty if nothing is.
    fn complaints(&self, did: &Execution) -> Vec<String> {
        let mut complaints = Vec::new();
        if did.outcome.exit_code() != Some(self.exit_code) {
            complaints.push(format!("outcome {:?}", did.outcome));
        }
        let printed = self.stdout_hex.as_ref().map_or_else(
            || self.stdout_text.clone().into_bytes(),
            |hex| hex::decode(hex).expect("hexadecimal"),
        );
        let found = did.stdout.as_deref().unwrap_or_default();
        if found != printed {
            complaints.push(format!("printed {:?}", String::from_utf8_lossy(found)));
        }
        for piece in &self.stderr {
            if !did.logs.contains(piece) {
                complaints.push(format!("the log lacks {piece:?}"));
            }
        }
        let left = did.workspace.as_ref().expect("a working folder");
        let paths: Vec<_> = left.files.iter().map(|(path, _)| &**path).collect();
        if !paths.iter().eq(self.files.keys()) {
            complaints.push(format!("left {paths:?}"));
        }
        for (path, node) in &left.files {
            let is_expected = match (self.files.get(&**path), node) {
                (None | Some(Value::Null), _) => true,
                (
                    Some(expected),
                    FileNode::File {
                        bytes, executable, ..
                    },
                ) => {
                    let text = expected.as_str().or(expected["text"].as_str());
                    let is_executable = expected["executable"].as_bool().unwrap_or(false);
                    text.map(str::as_bytes) == Some(&**bytes) && *executable == is_executable
                }
                (Some(link), FileNode::Link(target)) => link["link"] == **target,
            };
            if !is_expected {
                complaints.push(format!("{path} is {node:?}"));
            }
        }
        if !complaints.is_empty() {
            complaints.push(format!("log: {}", did.logs));
        }
        complaints
    }
}

/// Arguments, standard input and files in; exit code, raw output and the tree of files out, as the
/// same script leaves them on Linux.
fn run_commands(folder: &str, package: &str) {
    let folder = runtimes(folder);
    let cases = std::fs::read(folder.join("commands.json")).expect("the cases");
    let cases: Vec<CommandCase> = serde_json::from_slice(&cases).expect("cases");
    let files = files(&runtimes(package));
    let mut failed = String::new();
    for case in &cases {
        let did = case.run(&files);
        let again = case.run(&files);
        let mut complaints = case.complaints(&did);
        if (did.outcome, did.resources.fuel) != (again.outcome, again.resources.fuel) {
            complaints.push(format!("the second run: {:?}", again.outcome));
        }
        if !complaints.is_empty() {
            failed += &format!(
                "{} {}: {}\n",
                case.entrypoint,
                case.name,
                complaints.join("\n    ")
            );
        }
    }
    assert!(failed.is_empty(), "{failed}");
}

#[test]
fn python_scripts_run_as_commands() {
    run_commands("python/tests", "python/tests");
}

#[test]
fn javascript_and_typescript_scripts_run_as_commands() {
    run_commands("javascript/tests", "javascript/tests/commands");
}

#[test]
fn javascript_programs_end_as_a_programmer_would_expect() {
    run_cases("javascript/tests", "javascript/tests/package");
}

/// Recursions that are too deep are exceptions of the language and never traps, wherever in the
/// engine they happen.
#[test]
fn no_javascript_recursion_reaches_the_end_of_the_stack() {
    #[derive(Deserialize)]
    struct Deep {
        name: String,
        source: String,
    }
    let deep = std::fs::read(runtimes("javascript/tests/deep.json")).expect("the cases");
    let deep: Vec<Deep> = serde_json::from_slice(&deep).expect("cases");
    for Deep { name, source } in deep {
        let files = Map::from_iter([(String::from("main.js"), json!(source))]);
        let did = run(&skill(&files, "main.js"), &json!({}), &Map::new());
        assert!(
            !matches!(did.outcome.ending, Ending::Trapped { .. }),
            "{name}: {:?}\n{}",
            did.outcome,
            did.logs
        );
    }
}
