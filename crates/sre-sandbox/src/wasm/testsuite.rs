//! The public WASI preview 1 test-suite, against a copy of it that lies outside the repository.
//!
//! `scripts/wasi-testsuite.sh` runs it and keeps the table in `docs/reference/wasi-testsuite.md`. A
//! test there needs arguments, an environment and a writable folder of its own choice, which no
//! skill gets; so it is run with the same engine, linker and machine, but from in here.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;
use serde_json::json;
use sre_core::{Digest, Profile};
use sre_skill::{PackageLimits, Skill};
use wasmtime::Store;

use super::context::{Code, EngineContext, Trust};
use super::engine;
use super::limits::MemoryLimiter;
use super::program::EngineOptions;
use crate::machine::{CallRecorder, GuestMachine, Halt, PackageTree};
use crate::wasi::Guest;
use crate::{Call, Command, FileNode, Files, Job};

/// What a test's JSON file says; everything may be left out.
#[derive(Debug, Default, Deserialize)]
struct Spec {
    #[serde(default)]
    args: Vec<String>,
    #[serde(default)]
    env: BTreeMap<String, String>,
    /// The folder that the test finds as `/`.
    root: Option<String>,
    #[serde(default)]
    exit_code: i32,
    stdout: Option<String>,
}

#[test]
#[ignore = "needs a copy of the suite: scripts/wasi-testsuite.sh"]
fn the_public_test_suite_passes() {
    let suite =
        PathBuf::from(std::env::var_os("WASI_TESTSUITE").expect("WASI_TESTSUITE names the copy"));
    let options = EngineOptions {
        slots: 4,
        pooling: true,
        cache_folder: None,
        cache_limit_bytes: 0,
    };
    let context = EngineContext::new(engine::DEFAULT, &options).expect("an engine");
    let mut failed = Vec::new();
    for language in ["assemblyscript", "c", "rust"] {
        let folder = suite
            .join("tests")
            .join(language)
            .join("testsuite/wasm32-wasip1");
        let mut programs: Vec<PathBuf> = fs::read_dir(&folder)
            .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
            .map(|entry| entry.expect("an entry").path())
            .filter(|path| {
                path.extension()
                    .is_some_and(|extension| extension == "wasm")
            })
            .collect();
        programs.sort();
        let mut passed = 0;
        for program in &programs {
            let name = format!(
                "{language}/{}",
                program.file_stem().expect("a name").to_string_lossy()
            );
            match run(&context, program) {
                Ok(()) => passed += 1,
                Err(why) => failed.push((name, why)),
            }
        }
        println!("| {language} | {} | {passed} |", programs.len());
    }
    for (name, why) in &failed {
        println!("- `{name}`: {why}");
    }
    assert!(failed.is_empty(), "{} tests fail", failed.len());
}

/// Runs one test; the error says what was not as it should be.
fn run(context: &EngineContext, program: &Path) -> Result<(), String> {
    let spec: Spec = fs::read(program.with_extension("json")).map_or_else(
        |_| Spec::default(),
        |text| serde_json::from_slice(&text).expect("a specification"),
    );
    let bytes = fs::read(program).expect("a program");
    let Code::Module(module) = context.load(&bytes, Digest::of(&bytes), Trust::Untrusted)? else {
        return Err(String::from("a component"));
    };
    let root = spec.root.as_ref().map(|root| program.with_file_name(root));
    let files = root.map_or_else(Files::new, |root| read(&root));
    let mut guest = guest(program, &spec, files);
    guest.give_folder(spec.root.as_ref().map(|_| "/"));
    let mut store = Store::new(&context.engine, guest);
    store.set_fuel(10_000_000_000).expect("fuel");
    store.set_epoch_deadline(u64::MAX / 2);
    let instance = module
        .instantiate(&mut store)
        .map_err(|error| format!("{error:#}"))?;
    let start = instance
        .get_typed_func::<(), ()>(&mut store, "_start")
        .map_err(|error| format!("{error:#}"))?;
    let code = match start.call(&mut store, ()) {
        Ok(()) => 0,
        Err(error) => match error.downcast_ref::<Halt>() {
            Some(Halt::Exit(code)) => *code,
            _ => return Err(last_line(&store).unwrap_or_else(|| format!("{error:#}"))),
        },
    };
    if code != spec.exit_code {
        let why = last_line(&store).unwrap_or_default();
        return Err(format!(
            "exit code {code} instead of {}: {why}",
            spec.exit_code
        ));
    }
    let printed = String::from_utf8_lossy(store.data().machine.stdout.as_bytes()).into_owned();
    match spec.stdout {
        Some(expected) if printed != expected => {
            Err(format!("printed {printed:?} instead of {expected:?}"))
        }
        _ => Ok(()),
    }
}

/// What a panic in Rust says first.
fn last_line(store: &Store<Guest>) -> Option<String> {
    let log = store.data().machine.stderr.to_text();
    let lines: Vec<&str> = log
        .lines()
        .filter(|line| !line.starts_with("note:") && !line.is_empty())
        .collect();
    lines
        .get(..2)
        .map(|lines| lines.join(": "))
        .or_else(|| lines.first().map(|line| (*line).to_owned()))
}

fn guest(program: &Path, spec: &Spec, files: Files) -> Guest {
    let profile: Profile = serde_json::from_value(json!({
        "backend": "wasm", "fuel": 1, "mem_limit_bytes": 1 << 30, "output_limit_bytes": 1 << 20,
        "tmp_limit_bytes": 64 << 20, "files_limit_bytes": 64 << 20, "files_limit_count": 10_000, "timeout_ms": 60_000, "clock_start": "2026-01-02T03:04:05Z",
        "random_seed": "00".repeat(32),
    }))
    .expect("a profile");
    let package = json!({"name": "suite", "runtime": {"entrypoint": "main.wasm"}, "files": {"main.wasm": ""}});
    let skill = Skill::from_object(&package, &PackageLimits::default()).expect("a skill");
    let command = Command {
        work: files,
        ..Command::default()
    };
    let job = Job {
        skill: &skill,
        entry: &skill.default_entry().expect("a program"),
        call: Call::Command(&command),
        profile: &profile,
        time_limit: Duration::from_secs(60),
        language_runtime: None,
    };
    let package = PackageTree::new(&skill).into();
    let mut machine =
        GuestMachine::new(&job, package, &CallRecorder::default()).expect("a machine");
    let name = program.file_name().expect("a name").to_string_lossy();
    machine.arguments = vec![name.into_owned()];
    machine.arguments.extend(spec.args.iter().cloned());
    machine.environment = spec.env.clone().into_iter().collect();
    Guest::new(machine, MemoryLimiter::new(1 << 30))
}

/// The files of a folder of the host.
fn read(folder: &Path) -> Files {
    let mut files = Files::new();
    let mut folders = vec![(folder.to_owned(), String::new())];
    while let Some((at, prefix)) = folders.pop() {
        for entry in fs::read_dir(&at).into_iter().flatten().flatten() {
            let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
            if entry.path().is_dir() {
                folders.push((entry.path(), format!("{name}/")));
            } else {
                let bytes = fs::read(entry.path()).expect("a file");
                files.insert(name, FileNode::file(bytes, false));
            }
        }
    }
    files
}
