//! Fetches a skill's Python requirements, as wheels of pure Python, with the user's own pip.
//!
//! pip resolves versions, knows the user's index and proxy settings, and checks hashes where the requirements name
//! them; nothing is installed and no code of a package is run. What the wheels hold is checked afterwards, when they are
//! added to the skill.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use sre_core::RuntimeKind;

use crate::failure::Failure;

/// The wheels of everything that `requirements` names, and of what that needs: file name and content.
///
/// # Errors
/// When there is no such file or no pip, or pip finds no wheel of pure Python for one of them.
pub fn fetch(requirements: &Path, python: &Path) -> Result<Vec<(String, Vec<u8>)>, Failure> {
    if !requirements.is_file() {
        let detail = format!("the requirements {} cannot be read: no such file", requirements.display());
        return Err(Failure::usage("input_unreadable", detail));
    }
    let folder = tempfile::tempdir()
        .map_err(|error| Failure::operating("no_folder", format!("cannot make a temporary folder: {error}")))?;
    download(requirements, python, folder.path())?;
    read_all(folder.path())
        .map_err(|error| Failure::operating("no_folder", format!("cannot read what pip fetched: {error}")))
}

fn download(requirements: &Path, python: &Path, folder: &Path) -> Result<(), Failure> {
    let ended = Command::new(python)
        .args(["-m", "pip", "download", "--quiet", "--no-input", "--disable-pip-version-check"])
        // Never a source distribution: building one runs its code, here.
        .args(["--only-binary=:all:", "--implementation", "py", "--abi", "none", "--platform", "any"])
        .args(["--python-version", &python_version()])
        .arg("--dest")
        .arg(folder)
        .arg("--requirement")
        .arg(requirements)
        .stdin(Stdio::null())
        .output()
        .map_err(|error| {
            Failure::operating("pip_missing", format!("{} cannot be started: {error}", python.display()))
                .hint("install Python 3 with pip, or name one with --python")
        })?;
    if ended.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&ended.stderr);
    if said.contains("No module named pip") {
        let detail = format!("{} has no pip", python.display());
        return Err(Failure::operating("pip_missing", detail).hint("install pip, or name another Python with --python"));
    }
    // Of what pip did not expect it prints a traceback, whose last line says most.
    let error = said.lines().rev().find_map(|line| line.strip_prefix("ERROR: ").filter(|error| *error != "Exception:"));
    let error = error.or_else(|| said.lines().last()).unwrap_or("it does not say why");
    if let Some(name) = error.strip_prefix("No matching distribution found for ") {
        let detail = format!(
            "{name} has no wheel of pure Python {} in the index; compiled code cannot run in WebAssembly",
            python_version()
        );
        return Err(Failure::usage("requirement_refused", detail).hint(
            "check the name and version; find a pure-Python alternative; or run the skill on the native backend",
        ));
    }
    Err(Failure::operating("pip_failed", format!("pip could not fetch the requirements: {error}")))
}

/// The version of Python that skills run in, as pip writes it: `3.14`.
fn python_version() -> String {
    let shipped = sre_runtimes::shipped();
    let name = shipped.iter().find(|runtime| runtime.kind == RuntimeKind::Python).map(|runtime| runtime.name.clone());
    let name = name.unwrap_or_default();
    let version = name.rsplit(' ').next().unwrap_or_default();
    version.rsplit_once('.').map_or(version, |(minor, _)| minor).to_owned()
}

/// Sorted by name, so that the first thing that is wrong is always the same.
fn read_all(folder: &Path) -> std::io::Result<Vec<(String, Vec<u8>)>> {
    let mut wheels = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        wheels.push((entry.file_name().to_string_lossy().into_owned(), fs::read(entry.path())?));
    }
    wheels.sort();
    Ok(wheels)
}
