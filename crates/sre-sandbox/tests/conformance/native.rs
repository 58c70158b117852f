//! The native backend: programs are `tests/programs/native.c`, compiled here, each with its name
//! defined.

use std::collections::{BTreeSet, HashMap};
use std::process::Command;
use std::sync::{Mutex, OnceLock};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use sre_sandbox::Sandbox;
use sre_sandbox::native::{LauncherProgram, Layer, NativeOptions, NativeSandbox};
use sre_skill::{PackageLimits, Skill};

use crate::{Bench, Program};

pub struct NativeBench(&'static NativeSandbox);

impl NativeBench {
    /// `None`, and a word about it, where there is no C compiler or no jail can be made.
    pub fn get() -> Option<Self> {
        static SANDBOX: OnceLock<Option<NativeSandbox>> = OnceLock::new();
        SANDBOX.get_or_init(make).as_ref().map(Self)
    }
}

fn make() -> Option<NativeSandbox> {
    if let Err(error) = Command::new("gcc").arg("--version").output() {
        eprintln!("NOT TESTED HERE: the native backend, there is no gcc: {error}");
        return None;
    }
    let path = env!("CARGO_BIN_EXE_sre-sandbox-test-launcher").into();
    let sandbox = NativeSandbox::new(NativeOptions {
        launcher: LauncherProgram::Other {
            path,
            arguments: Vec::new(),
        },
        may_lack: BTreeSet::from(Layer::ALL),
        ..NativeOptions::default()
    });
    match sandbox.lacking() {
        Ok(missing) => missing
            .iter()
            .for_each(|(layer, why)| eprintln!("NOT TESTED HERE: {layer}, {why}")),
        Err(error) => {
            eprintln!("NOT TESTED HERE: the native backend, {error}");
            return None;
        }
    }
    Some(sandbox)
}

impl Bench for NativeBench {
    fn sandbox(&self) -> &(dyn Sandbox + Sync) {
        self.0
    }

    fn skill(&self, program: Program, package: Value) -> Skill {
        let main = json!({"base64": STANDARD.encode(compiled(program)), "executable": true});
        let mut object = json!({
            "name": "test",
            "runtime": {"entrypoint": "main"},
            "files": {"main": main, "data/note.txt": "a note", "b.txt": "b", "a.txt": "a"},
        });
        object
            .as_object_mut()
            .expect("an object")
            .extend(package.as_object().expect("an object").clone());
        Skill::from_object(&object, &PackageLimits::default()).expect("a skill")
    }

    fn names(&self) -> Vec<&'static str> {
        vec!["a.txt", "b.txt", "data", "main"]
    }

    fn arguments(&self) -> Vec<&'static str> {
        vec!["main"]
    }

    fn counts_instructions(&self) -> bool {
        false
    }
}

/// Each program is compiled once.
fn compiled(program: Program) -> Vec<u8> {
    static COMPILED: Mutex<Option<HashMap<String, Vec<u8>>>> = Mutex::new(None);
    let name = format!("{program:?}");
    let mut compiled = COMPILED.lock().expect("a lock");
    compiled
        .get_or_insert_default()
        .entry(name)
        .or_insert_with(|| compile(program))
        .clone()
}

fn compile(program: Program) -> Vec<u8> {
    let folder = tempfile::tempdir().expect("a folder");
    let to = folder.path().join("main");
    let define = match program {
        Program::Print(bytes) => {
            let list: Vec<String> = bytes.iter().chain(&[0]).map(u8::to_string).collect();
            format!("-DPRINT={}", list.join(","))
        }
        named => format!("-DPROGRAM_{named:?}"),
    };
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/programs/native.c");
    let ended = Command::new("gcc")
        .args(["-O0", "-o"])
        .arg(&to)
        .arg(define)
        .arg(source)
        .status()
        .expect("gcc");
    assert!(ended.success(), "native.c does not compile as {program:?}");
    std::fs::read(to).expect("a program")
}
