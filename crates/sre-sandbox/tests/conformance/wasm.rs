//! The WebAssembly backend: programs are the WAT texts in `tests/programs`.

use serde_json::{Value, json};
use sre_sandbox::Sandbox;
use sre_sandbox::wasm::WasmSandbox;
use sre_skill::Skill;

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
        vec!["main.wat"]
    }

    fn counts_instructions(&self) -> bool {
        true
    }
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
