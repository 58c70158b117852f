//! The WebAssembly backend: programs are the WAT texts in `tests/programs`.

use serde_json::{Value, json};
use sre_sandbox::Sandbox;
use sre_sandbox::wasm::WasmSandbox;
use sre_skill::Skill;

use crate::commands::Step;
use crate::common::{self, PRELUDE};
use crate::{Bench, Program};

pub struct WasmBench(&'static WasmSandbox);

impl WasmBench {
    pub fn get() -> Self {
        Self(common::shared())
    }
}

impl Bench for WasmBench {
    fn sandbox(&self) -> &(dyn Sandbox + Sync) {
        self.0
    }

    fn skill(&self, program: Program, package: Value) -> Skill {
        let mut changes = json!({"files": {"data/note.txt": "a note", "b.txt": "b", "a.txt": "a"}});
        changes
            .as_object_mut()
            .expect("an object")
            .extend(package.as_object().expect("an object").clone());
        common::skill_with(
            common::Program::Text(&format!("(module {PRELUDE} {})", text(program))),
            changes,
        )
    }

    fn names(&self) -> Vec<&'static str> {
        vec!["a.txt", "b.txt", "data", "main.wat"]
    }

    fn arguments(&self) -> Vec<&'static str> {
        vec!["/skill/main.wat"]
    }

    fn steps(&self, steps: &[Step]) -> (Skill, Vec<u8>) {
        let package = json!({"files": {"data/note.txt": "a note"}});
        let skill = common::skill_with(common::Program::Binary(common::PROBE), package);
        let calls: Vec<String> = steps.iter().flat_map(calls).collect();
        (skill, json!({"calls": calls}).to_string().into_bytes())
    }

    fn answers(&self, steps: &[Step], stdout: &[u8]) -> Vec<String> {
        let answers: Vec<String> = serde_json::from_slice(stdout).expect("a list");
        let mut rest = answers.as_slice();
        steps
            .iter()
            .map(|step| {
                let (own, others) = rest.split_at(calls(step).len());
                rest = others;
                answer(step, own)
            })
            .collect()
    }

    fn counts_instructions(&self) -> bool {
        true
    }
}

/// The folder a path begins in, as a descriptor that a guest finds open, and the rest of it.
fn place(path: &str) -> String {
    let folders = [
        (4, "/skill/"),
        (5, "/workspace/"),
        (6, "/home/skill/"),
        (7, "/tmp/"),
        (3, "/"),
        (8, ""),
    ];
    let found = folders
        .iter()
        .find_map(|(fd, folder)| Some((fd, path.strip_prefix(folder)?)));
    let (fd, rest) = found.expect("every path begins with nothing");
    format!("{fd} '{}", escaped(rest))
}

fn escaped(text: &str) -> String {
    let escape = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'.' | b'-' | b'_' => {
            char::from(byte).to_string()
        }
        _ => format!("%{byte:02x}"),
    };
    text.bytes().map(escape).collect()
}

/// The descriptor that is opened first.
const OPENED: u32 = 9;

/// The calls of a step. A file is opened, used and closed.
fn calls(step: &Step) -> Vec<String> {
    let (read, write) = (1 << 1, 1 << 6);
    let open = |path: &str, flags: u32, rights: u32, fdflags: u32| {
        let place = place(path).replacen(' ', " 1 ", 1);
        format!("path_open {place} {flags} {rights} 0 {fdflags} &4")
    };
    let close = || format!("fd_close {OPENED}");
    let put = |text: &str| format!("fd_write {OPENED} <{} &4", escaped(text));
    match step {
        Step::Write(path, text) => vec![open(path, 1 | 8, write, 0), put(text), close()],
        Step::Append(path, text) => vec![open(path, 1, write, 1), put(text), close()],
        Step::Read(path, text) => vec![
            open(path, 0, read, 0),
            format!("fd_read {OPENED} [{} &4", text.len() + 1),
            close(),
        ],
        Step::Resize(path, size) => vec![
            open(path, 0, read | write, 0),
            format!("fd_filestat_set_size {OPENED} {size}"),
            close(),
        ],
        Step::Mkdir(path) => vec![format!("path_create_directory {}", place(path))],
        Step::Rmdir(path) => vec![format!("path_remove_directory {}", place(path))],
        Step::Unlink(path) => vec![format!("path_unlink_file {}", place(path))],
        Step::Rename(from, to) => vec![format!("path_rename {} {}", place(from), place(to))],
        Step::Symlink(target, path) => {
            vec![format!("path_symlink '{} {}", escaped(target), place(path))]
        }
        Step::Link(from, to) => {
            let from = place(from).replacen(' ', " 0 ", 1);
            vec![format!("path_link {from} {}", place(to))]
        }
    }
}

/// The first error of a step's calls.
fn answer(step: &Step, answers: &[String]) -> String {
    let failed = answers.iter().find(|answer| !answer.starts_with("0"));
    if let Some(failed) = failed {
        let number = failed.split(' ').next().unwrap_or_default();
        return common::errno_name(number).to_owned();
    }
    if let Step::Read(_, text) = step {
        let expected: String = text.bytes().map(|byte| format!("{byte:02x}")).collect();
        let found = answers[1].split(' ').nth(1).unwrap_or_default();
        if found.strip_suffix("00") != Some(&expected) {
            return found.to_owned();
        }
    }
    String::from("ok")
}

fn text(program: Program) -> String {
    String::from(match program {
        Program::Print(bytes) => return print(bytes),
        Program::Echo => include_str!("../programs/echo.wat"),
        Program::Environment => include_str!("../programs/environment.wat"),
        Program::Arguments => include_str!("../programs/arguments.wat"),
        Program::ListPackage => include_str!("../programs/list_package.wat"),
        Program::ReadPackage => include_str!("../programs/read_package.wat"),
        Program::WritePackage => include_str!("../programs/write_package.wat"),
        Program::Tmp => include_str!("../programs/tmp.wat"),
        Program::Remember => include_str!("../programs/remember.wat"),
        Program::Exit3 => include_str!("../programs/exit_3.wat"),
        Program::Trap => include_str!("../programs/trap.wat"),
        Program::Flood => include_str!("../programs/flood.wat"),
        Program::FloodLog => include_str!("../programs/flood_log.wat"),
        Program::Loop => include_str!("../programs/loop.wat"),
        Program::Sleep => include_str!("../programs/sleep.wat"),
        Program::Spin => include_str!("../programs/spin.wat"),
        Program::Allocate => include_str!("../programs/allocate.wat"),
        Program::Recurse => include_str!("../programs/recurse.wat"),
    })
}

fn print(bytes: &[u8]) -> String {
    let data: String = bytes.iter().map(|byte| format!("\\{byte:02x}")).collect();
    let length = bytes.len();
    format!(
        "(data (i32.const 1024) \"{data}\")
         (func (export \"_start\") (call $print (i32.const 1024) (i32.const {length})))"
    )
}
