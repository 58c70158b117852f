//! The real binary in a folder of its own, and skills for it.
#![allow(dead_code, reason = "every test file uses its own part")]

pub(crate) mod service;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

/// Where compiled programs are kept: below the target folder, so that a language runtime is
/// compiled once for all tests.
pub(crate) const CACHE: &str = concat!(env!("CARGO_TARGET_TMPDIR"), "/compiled");

/// A folder with a place for data (not made yet) and one for temporary files; nothing of the host's
/// is used.
pub(crate) struct Home {
    root: TempDir,
}

/// A run of `sre` that has ended.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Home {
    pub(crate) fn new() -> Self {
        let home = Self {
            root: tempfile::tempdir().expect("a temporary folder"),
        };
        fs::create_dir(home.tmp()).expect("a folder");
        home
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.path("data")
    }

    pub(crate) fn tmp(&self) -> PathBuf {
        self.path("tmp")
    }

    /// `sre` with this home, ready to be given arguments.
    pub(crate) fn command(&self) -> Command {
        self.surround(Command::new(env!("CARGO_BIN_EXE_sre")))
    }

    /// `sre` with mounts of its own: `script` makes them for the data folder, which it knows as
    /// `$0`. Works for root and for ordinary users. `None`, with a message, where the host allows
    /// no user namespaces; under `CI` that is an error.
    pub(crate) fn command_with_mounts(&self, script: &str) -> Option<Command> {
        let alone = ["--user", "--map-root-user", "--mount"];
        let may = Command::new("unshare")
            .args(alone)
            .arg("true")
            .output()
            .is_ok_and(|ran| ran.status.success());
        if !may {
            assert!(
                std::env::var_os("CI").is_none(),
                "this test needs user namespaces"
            );
            eprintln!("SKIPPED: this host allows no user namespaces, or has no unshare");
            return None;
        }
        fs::create_dir_all(self.data()).expect("a folder");
        let mut command = self.surround(Command::new("unshare"));
        command
            .args(alone)
            .args(["sh", "-ec", &format!("{script}; exec \"$@\"")])
            .arg(self.data());
        command.arg(env!("CARGO_BIN_EXE_sre"));
        Some(command)
    }

    fn surround(&self, mut command: Command) -> Command {
        command
            .env_clear()
            .env("HOME", self.root.path())
            .env("SRE_CACHE_DIR", CACHE)
            .env("SRE_DATA_DIR", self.data())
            .env("TMPDIR", self.tmp())
            .current_dir(self.root.path())
            .stdin(Stdio::null());
        command
    }

    pub(crate) fn sre<S: AsRef<std::ffi::OsStr>>(&self, arguments: &[S]) -> Ran {
        ran(self.command().args(arguments).output().expect("sre starts"))
    }

    /// As [`Home::sre`] for words that hold no white space of their own.
    pub(crate) fn words(&self, line: &str) -> Ran {
        self.sre(&line.split_whitespace().collect::<Vec<_>>())
    }

    /// Makes a skill whose program is `tests/skills/<program>.wat`.
    pub(crate) fn skill(&self, program: &str) -> PathBuf {
        self.skill_with(program, "")
    }

    /// The same with more lines in the front matter.
    pub(crate) fn skill_with(&self, program: &str, front_matter: &str) -> PathBuf {
        let source = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tests/skills")
            .join(format!("{program}.wat"));
        let text =
            fs::read(&source).unwrap_or_else(|error| panic!("{}: {error}", source.display()));
        self.skill_of(program, &text, front_matter)
    }

    /// Makes a skill of this program.
    pub(crate) fn skill_of(&self, name: &str, program: &[u8], front_matter: &str) -> PathBuf {
        let folder = self.path(name);
        fs::create_dir_all(&folder).expect("a folder");
        fs::write(folder.join("SKILL.md"), skill_md(name, front_matter)).expect("SKILL.md");
        fs::write(folder.join("main.wat"), program).expect("the program");
        folder
    }

    /// Makes a skill of this script: `scripts/main.<extension>`.
    pub(crate) fn script(&self, name: &str, extension: &str, text: &str) -> PathBuf {
        let folder = self.path(name);
        let entrypoint = format!("scripts/main.{extension}");
        fs::create_dir_all(folder.join("scripts")).expect("folders");
        fs::write(
            folder.join("SKILL.md"),
            skill_md(name, "").replace("main.wat", &entrypoint),
        )
        .expect("SKILL.md");
        fs::write(folder.join(entrypoint), text).expect("the script");
        folder
    }

    /// Files that were meant to be there for a moment only.
    pub(crate) fn droppings(&self) -> Vec<PathBuf> {
        let is_temporary = |path: &PathBuf| {
            path.starts_with(self.tmp())
                || path
                    .file_name()
                    .is_some_and(|name| name.to_string_lossy().contains("tmp"))
        };
        let mut files = files_below(&self.tmp());
        files.extend(files_below(&self.data()));
        files.retain(is_temporary);
        files
    }
}

pub(crate) fn ran(output: Output) -> Ran {
    let text = |bytes| String::from_utf8(bytes).expect("sre prints UTF-8");
    Ran {
        code: output.status.code(),
        stdout: text(output.stdout),
        stderr: text(output.stderr),
    }
}

impl Ran {
    /// Standard output as one JSON value on one line.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        assert_eq!(self.stdout.matches('\n').count(), 1, "{self:?}");
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    #[track_caller]
    pub(crate) fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{self:?}");
        self
    }
}

pub(crate) fn skill_md(name: &str, front_matter: &str) -> String {
    let name = name.replace('_', "-");
    format!(
        "---\nname: {name}\ndescription: A test.\nruntime:\n  entrypoint: main.wat\n{front_matter}---\n"
    )
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Vec::new();
    };
    let mut files = Vec::new();
    for entry in entries {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            files.extend(files_below(&path))
        } else {
            files.push(path)
        }
    }
    files
}

/// The examples of the repository.
pub(crate) fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples")
}

/// SplitMix64: small, and the same in every run.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % limit
    }
}
