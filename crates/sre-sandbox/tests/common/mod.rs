//! What the tests of this crate share: skills from programs, profiles, one way to run them.

#![expect(dead_code, reason = "every test binary uses a part of it")]

use std::path::PathBuf;
#[cfg(feature = "wasm")]
use std::sync::OnceLock;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use sre_core::{Profile, canonical_json};
#[cfg(feature = "wasm")]
use sre_sandbox::wasm::{WasmOptions, WasmSandbox};
use sre_sandbox::{Call, Execution, Job, Sandbox, SandboxError, Stop};
use sre_skill::Skill;

/// Long enough never to decide a test.
pub const PATIENCE: Duration = Duration::from_secs(300);

/// What every program in `programs/*.wat` may use.
pub const PRELUDE: &str = include_str!("../programs/prelude.wat");

#[cfg(feature = "wasm")]
/// Guests that the sandboxes of the tests have room for: more than a test binary has at once.
pub const SLOTS: u32 = 96;

#[cfg(feature = "wasm")]
pub fn sandbox() -> WasmSandbox {
    sandbox_with(WasmOptions {
        slots: SLOTS,
        ..WasmOptions::default()
    })
}

/// One for all tests of a binary, as the orders of a process have one.
#[cfg(feature = "wasm")]
pub fn shared() -> &'static WasmSandbox {
    static SANDBOX: OnceLock<WasmSandbox> = OnceLock::new();
    SANDBOX.get_or_init(sandbox)
}

#[cfg(feature = "wasm")]
pub fn sandbox_with(options: WasmOptions) -> WasmSandbox {
    WasmSandbox::new(options).expect("a sandbox")
}

/// The profile most tests run under: small limits that a healthy program never meets.
pub fn profile() -> Profile {
    profile_with(json!({}))
}

/// The same with some fields replaced.
pub fn profile_with(changes: Value) -> Profile {
    let mut profile = json!({
        "backend": "wasm",
        "fuel": 2_000_000_000_u64,
        "mem_limit_bytes": 64 << 20,
        "output_limit_bytes": 1 << 20,
        "tmp_limit_bytes": 4 << 20, "files_limit_bytes": 64 << 20, "files_limit_count": 10_000,
        "timeout_ms": 30_000,
        "clock_start": "2026-01-02T03:04:05Z",
        "random_seed": "0".repeat(64),
    });
    let fields = profile.as_object_mut().expect("an object");
    fields.extend(changes.as_object().expect("an object").clone());
    serde_json::from_value(profile).expect("a profile")
}

/// A skill from a program: text is a `.wat`, bytes are a `.wasm`.
pub fn skill(program: Program<'_>) -> Skill {
    skill_with(program, json!({}))
}

#[derive(Clone, Copy)]
pub enum Program<'a> {
    Text(&'a str),
    Binary(&'a [u8]),
}

/// The same with some fields of the package replaced; `files` are added.
pub fn skill_with(program: Program<'_>, changes: Value) -> Skill {
    let (entrypoint, content) = match program {
        Program::Text(text) => ("main.wat", json!(text)),
        Program::Binary(bytes) => ("main.wasm", json!({"base64": STANDARD.encode(bytes)})),
    };
    let mut files = json!({entrypoint: content});
    let mut package = json!({"name": "test", "runtime": {"entrypoint": entrypoint}});
    for (name, value) in changes.as_object().expect("an object").clone() {
        if name == "files" {
            files
                .as_object_mut()
                .expect("an object")
                .extend(value.as_object().expect("an object").clone());
        } else {
            package[name] = value;
        }
    }
    package["files"] = files;
    Skill::from_object(&package, &sre_skill::PackageLimits::default()).expect("a skill")
}

/// Makes the program of `skill` ready.
pub fn prepare(sandbox: &dyn Sandbox, skill: &Skill) -> Result<(), SandboxError> {
    sandbox.prepare(skill, &skill.default_entry().expect("a program"))
}

pub fn run(
    sandbox: &dyn Sandbox,
    skill: &Skill,
    input: &Value,
    profile: &Profile,
) -> Result<Execution, SandboxError> {
    let input = canonical_json::to_vec(input);
    sandbox.execute(
        &Job {
            skill,
            entry: &skill.default_entry().expect("a program"),
            call: Call::Json { input: &input },
            profile,
            time_limit: PATIENCE,
            language_runtime: None,
        },
        &Stop::new(),
    )
}

/// The scripted program of `programs/src/probe`.
pub const PROBE: &[u8] = include_bytes!("../programs/probe.wasm");

/// Runs the probe: one answer per call.
pub fn probe(sandbox: &dyn Sandbox, profile: &Profile, calls: &[&str]) -> Vec<String> {
    let skill = skill_with(
        Program::Binary(PROBE),
        json!({"files": {"data/note.txt": "hello", "a.txt": ""}}),
    );
    let execution = run(sandbox, &skill, &json!({"calls": calls}), profile).expect("an outcome");
    let Some(output) = execution.output else {
        panic!("{:?}: {}", execution.failure, execution.logs);
    };
    serde_json::from_value(output).expect("a list of answers")
}

/// A file of the repository's examples.
pub fn example(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../../examples")
        .join(path)
}

/// The component of `programs/component.wat` with `body` as the rest of its core module.
pub fn component(body: &str) -> Skill {
    skill(Program::Text(
        &include_str!("../programs/component.wat").replace("BODY\n", &format!("{body}\n")),
    ))
}

/// Errno by its name in the witx.
pub fn errno_name(errno: &str) -> &str {
    match errno {
        "0" => "ok",
        "8" => "badf",
        "10" => "busy",
        "20" => "exist",
        "21" => "fault",
        "25" => "ilseq",
        "28" => "inval",
        "22" => "fbig",
        "31" => "isdir",
        "32" => "loop",
        "33" => "mfile",
        "37" => "nametoolong",
        "44" => "noent",
        "51" => "nospc",
        "54" => "notdir",
        "55" => "notempty",
        "57" => "notsock",
        "58" => "notsup",
        "61" => "overflow",
        "63" => "perm",
        "69" => "rofs",
        "70" => "spipe",
        "75" => "xdev",
        other => other,
    }
}
