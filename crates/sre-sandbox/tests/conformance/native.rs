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

use crate::commands::Step;
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
        vec!["/skill/main"]
    }

    fn steps(&self, steps: &[Step]) -> (Skill, Vec<u8>) {
        let object = json!({
            "name": "steps",
            "runtime": {"entrypoint": "steps.py"},
            "files": {"steps.py": STEPS, "data/note.txt": "a note"},
        });
        let skill = Skill::from_object(&object, &PackageLimits::default()).expect("a skill");
        let steps: Vec<Value> = steps.iter().map(encoded).collect();
        (skill, json!(steps).to_string().into_bytes())
    }

    fn answers(&self, _: &[Step], stdout: &[u8]) -> Vec<String> {
        serde_json::from_slice(stdout).expect("a list")
    }

    fn more_environment(&self) -> Vec<(String, String)> {
        vec![(String::from("PATH"), String::from("/usr/bin:/bin"))]
    }

    fn counts_instructions(&self) -> bool {
        false
    }
}

/// Carries out the steps on standard input.
const STEPS: &str = r#"
import errno, json, os, sys

def write(path, text):
    with open(path, "w") as file:
        file.write(text)

def append(path, text):
    with open(path, "a") as file:
        file.write(text)

def read(path, text):
    with open(path) as file:
        found = file.read()
    if found != text:
        return found

def resize(path, size):
    with open(path, "r+") as file:
        file.truncate(size)

do = {
    "write": write, "append": append, "read": read, "mkdir": os.mkdir, "rmdir": os.rmdir,
    "unlink": os.unlink, "rename": os.rename, "symlink": os.symlink, "link": os.link,
    "resize": resize,
}
answers = []
for name, *arguments in json.load(sys.stdin):
    try:
        answers.append(do[name](*arguments) or "ok")
    except OSError as error:
        answers.append(errno.errorcode[error.errno][1:].lower())
print(json.dumps(answers))
"#;

fn encoded(step: &Step) -> Value {
    match step {
        Step::Write(path, text) => json!(["write", path, text]),
        Step::Append(path, text) => json!(["append", path, text]),
        Step::Read(path, text) => json!(["read", path, text]),
        Step::Mkdir(path) => json!(["mkdir", path]),
        Step::Rmdir(path) => json!(["rmdir", path]),
        Step::Unlink(path) => json!(["unlink", path]),
        Step::Rename(from, to) => json!(["rename", from, to]),
        Step::Symlink(target, path) => json!(["symlink", target, path]),
        Step::Link(from, to) => json!(["link", from, to]),
        Step::Resize(path, size) => json!(["resize", path, size]),
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
