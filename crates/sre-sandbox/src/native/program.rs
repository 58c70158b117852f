//! From an entry of a package to what is started, or why it cannot run.
//!
//! Everything that can be known without running it is said here, when the order is accepted: a
//! missing interpreter, a program for another machine, an interpreter line with a carriage return,
//! a file that may not be executed.

use std::path::Path;

use sre_core::RuntimeKind;
use sre_jail::PACKAGE_FOLDER;
use sre_skill::{Entry, Skill};

use super::root::find;
use crate::SandboxError;

/// How a skill is started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Launch {
    /// The program, as a path in the jail.
    pub program: String,
    /// Its arguments, the name it is called by first.
    pub arguments: Vec<String>,
    /// The interpreter, as a path in the jail; `None` for a program of the package's own.
    pub interpreter: Option<String>,
    /// Environment besides that of the contract.
    pub environment: Vec<(String, String)>,
}

/// Python's text hashes are the one source of difference between runs that an environment variable
/// closes.
const HASH_SEED: (&str, &str) = ("PYTHONHASHSEED", "0");

/// Longest interpreter line that Linux reads, in bytes.
const LINE_LIMIT_BYTES: usize = 255;

#[cfg(target_arch = "x86_64")]
const MACHINE: (u16, &str) = (62, "x86-64");
#[cfg(target_arch = "aarch64")]
const MACHINE: (u16, &str) = (183, "64-bit ARM");

fn rejected(message: impl Into<String>) -> SandboxError {
    SandboxError::Rejected(message.into())
}

/// How the program `entry` is started, with the interpreters below `root`, a folder of the host.
///
/// # Errors
/// [`SandboxError::Rejected`] with what is wrong and what to do.
pub fn launch(skill: &Skill, entry: &Entry, root: &Path) -> Result<Launch, SandboxError> {
    let entrypoint = &*entry.path;
    let file = skill
        .file(entrypoint)
        .ok_or_else(|| rejected(format!("{entrypoint}: not in the package")))?;
    match entry.kind {
        RuntimeKind::Wasm => Err(rejected("a WebAssembly module runs on the wasm backend")),
        RuntimeKind::Python => interpreted(
            root,
            "python3",
            entrypoint,
            vec![(HASH_SEED.0.into(), HASH_SEED.1.into())],
        ),
        RuntimeKind::Javascript => interpreted(root, "node", entrypoint, Vec::new()),
        // Few people set the executable bit of a shell script.
        RuntimeKind::Shell if !file.executable => {
            let shell = shell(&file.bytes, entrypoint);
            interpreted(root, shell, entrypoint, Vec::new())
        }
        RuntimeKind::Native | RuntimeKind::Shell => {
            if file.bytes.is_empty() {
                return Err(rejected(format!(
                    "{entrypoint} is empty: nothing can be started"
                )));
            }
            if !file.executable {
                let fix =
                    "set its executable bit (chmod +x, or \"executable\": true in the JSON form)";
                return Err(rejected(format!("{entrypoint} may not be executed; {fix}")));
            }
            let interpreter = match file.bytes.strip_prefix(b"#!") {
                Some(line) => Some(interpreter(skill, root, entrypoint, line)?),
                None => check_elf(entrypoint, &file.bytes).map(|()| None)?,
            };
            Ok(Launch {
                program: format!("{PACKAGE_FOLDER}/{entrypoint}"),
                arguments: vec![format!("{PACKAGE_FOLDER}/{entrypoint}")],
                interpreter,
                environment: Vec::new(),
            })
        }
    }
}

/// The shell of a script that cannot be started by itself: the one that its first line names, or
/// else the one of its extension.
fn shell(bytes: &[u8], path: &str) -> &'static str {
    let first_line = bytes
        .strip_prefix(b"#!")
        .and_then(|line| line.split(|&byte| byte == b'\n').next())
        .map(|line| String::from_utf8_lossy(line).into_owned());
    let names_bash = match first_line {
        Some(line) => line
            .split(|c: char| c == '/' || c.is_ascii_whitespace())
            .any(|word| word == "bash"),
        None => path.ends_with(".bash"),
    };
    if names_bash { "bash" } else { "sh" }
}

fn interpreted(
    root: &Path,
    name: &str,
    entrypoint: &str,
    environment: Vec<(String, String)>,
) -> Result<Launch, SandboxError> {
    let program = format!("/usr/bin/{name}");
    if find(root, &program).is_none() {
        return Err(rejected(format!(
            "{entrypoint} needs {program}, which is not there; install it, or name a root folder that has it"
        )));
    }
    // By its full path, so that an interpreter that looks for itself (`sys.executable`) finds it.
    let arguments = vec![program.clone(), format!("{PACKAGE_FOLDER}/{entrypoint}")];
    Ok(Launch {
        interpreter: Some(program.clone()),
        program,
        arguments,
        environment,
    })
}

/// The interpreter that a script's first line names.
fn interpreter(
    skill: &Skill,
    root: &Path,
    entrypoint: &str,
    after_mark: &[u8],
) -> Result<String, SandboxError> {
    let line = after_mark
        .split(|&byte| byte == b'\n')
        .next()
        .unwrap_or_default();
    if line.len() + 2 > LINE_LIMIT_BYTES {
        return Err(rejected(format!(
            "the interpreter line of {entrypoint} is longer than {LINE_LIMIT_BYTES} bytes"
        )));
    }
    if line.ends_with(b"\r") {
        return Err(rejected(format!(
            "the interpreter line of {entrypoint} ends with a carriage return, which becomes part of the name; \
             save the file with Unix line ends"
        )));
    }
    let line = std::str::from_utf8(line)
        .map_err(|_| rejected(format!("the first line of {entrypoint} is not UTF-8")))?;
    let mut words = line.split_ascii_whitespace();
    let Some(program) = words.next() else {
        return Err(rejected(format!(
            "the interpreter line of {entrypoint} names no interpreter"
        )));
    };
    let program = match program {
        "/usr/bin/env" | "/bin/env" => match words.find(|word| !word.starts_with('-')) {
            Some(name) => format!("/usr/bin/{name}"),
            None => {
                return Err(rejected(format!(
                    "the interpreter line of {entrypoint} names no interpreter"
                )));
            }
        },
        absolute if absolute.starts_with('/') => absolute.to_owned(),
        other => {
            return Err(rejected(format!(
                "the interpreter {other:?} of {entrypoint} is no absolute path"
            )));
        }
    };
    let in_package = program
        .strip_prefix(PACKAGE_FOLDER)
        .and_then(|path| path.strip_prefix('/'));
    let is_there = match in_package {
        Some(path) => skill
            .files()
            .iter()
            .any(|file| file.path == path && file.executable),
        None => find(root, &program).is_some(),
    };
    if is_there {
        Ok(program)
    } else {
        Err(rejected(format!(
            "{entrypoint} needs the interpreter {program:?}, which is not there as a program; install it below /usr, or \
             name a root folder that has it"
        )))
    }
}

/// Checks the parts of an ELF header that decide whether this machine can run it.
fn check_elf(entrypoint: &str, bytes: &[u8]) -> Result<(), SandboxError> {
    let Some(header) = bytes.strip_prefix(b"\x7fELF") else {
        return Err(rejected(format!(
            "{entrypoint} is neither a program for Linux nor a script: it begins with neither an ELF header nor \"#!\""
        )));
    };
    let (Some(&class), Some(&order), Some(machine)) =
        (header.first(), header.get(1), bytes.get(18..20))
    else {
        return Err(rejected(format!("{entrypoint} has a broken ELF header")));
    };
    let machine = u16::from_le_bytes([machine[0], machine[1]]);
    if class != 2 || order != 1 || machine != MACHINE.0 {
        return Err(rejected(format!(
            "{entrypoint} is a program for another machine (ELF class {class}, machine {machine}); this one is {}",
            MACHINE.1
        )));
    }
    match bytes.get(16) {
        Some(2 | 3) => Ok(()),
        _ => Err(rejected(format!(
            "{entrypoint} is no executable but another kind of ELF file"
        ))),
    }
}
