//! Fetches a skill's Python requirements, as wheels of pure Python, with the user's own pip.
//!
//! pip resolves versions, knows the user's index and proxy settings, and checks hashes where the
//! requirements name them; nothing is installed and no code of a package is run: what would make
//! pip do so is refused before it starts (see [`Requirements`]), and it works in an empty folder,
//! where no module and no archive can be taken for what was meant. What the wheels hold is checked
//! afterwards, when they are added to the skill.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use sre_core::{ErrorCode, RuntimeKind};

use super::requirements_file::{Requirements, normalised};
use crate::failure::Failure;

/// The wheels of everything that `requirements` names, and of what that needs: file name and
/// content.
///
/// # Errors
/// When there is no such file, it says what is not accepted, there is no pip, or pip finds no wheel
/// of pure Python for one of them.
pub fn fetch(requirements: &Path, python: &Path) -> Result<Vec<(String, Vec<u8>)>, Failure> {
    let requirements = Requirements::read(requirements)?;
    let failed = |what: &str, error: std::io::Error| {
        Failure::new(
            ErrorCode::NoFolder,
            format!("cannot {what} a temporary folder: {error}"),
        )
    };
    let folder = tempfile::tempdir().map_err(|error| failed("make", error))?;
    let [file, wheels, empty] =
        ["requirements.txt", "wheels", "empty"].map(|name| folder.path().join(name));
    fs::write(&file, &requirements.text)
        .and_then(|()| fs::create_dir(&wheels))
        .and_then(|()| fs::create_dir(&empty))
        .map_err(|error| failed("write to", error))?;
    download(&file, python, &wheels, &empty)?;
    let wheels = read_all(&wheels).map_err(|error| failed("read what pip fetched from", error))?;
    check_all(&requirements.names, &wheels)?;
    Ok(wheels)
}

/// Everything that pip fetched is a wheel, and everything that was asked for is there.
fn check_all(names: &[String], wheels: &[(String, Vec<u8>)]) -> Result<(), Failure> {
    let refused = |detail: String| Err(Failure::new(ErrorCode::RequirementRefused, detail));
    if let Some((other, _)) = wheels.iter().find(|(name, _)| !name.ends_with(".whl")) {
        return refused(format!(
            "pip fetched {other}, which is not a wheel; only wheels are packed"
        ));
    }
    let fetched: Vec<String> = wheels
        .iter()
        .filter_map(|(file, _)| file.split('-').next())
        .map(normalised)
        .collect();
    match names.iter().find(|name| !fetched.contains(name)) {
        Some(name) => refused(format!("pip fetched no wheel of {name}")),
        None => Ok(()),
    }
}

fn download(
    requirements: &Path,
    python: &Path,
    folder: &Path,
    empty: &Path,
) -> Result<(), Failure> {
    // A program that is named by its path would be looked for in the empty folder.
    let program = if python.components().count() > 1 {
        std::path::absolute(python).ok()
    } else {
        None
    };
    let ended = Command::new(program.as_deref().unwrap_or(python))
        .current_dir(empty)
        .args([
            "-m",
            "pip",
            "download",
            "--quiet",
            "--no-input",
            "--disable-pip-version-check",
        ])
        // Never a source distribution: building one runs its code, here.
        .args([
            "--only-binary=:all:",
            "--implementation",
            "py",
            "--abi",
            "none",
            "--platform",
            "any",
        ])
        .args(["--python-version", &python_version()])
        .arg("--dest")
        .arg(folder)
        .arg("--requirement")
        .arg(requirements)
        .stdin(Stdio::null())
        .output()
        .map_err(|error| {
            Failure::new(
                ErrorCode::PipMissing,
                format!("{} cannot be started: {error}", python.display()),
            )
            .hint("install Python 3 with pip, or name one with --python")
        })?;
    if ended.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&ended.stderr);
    if said.contains("No module named pip") {
        let detail = format!("{} has no pip", python.display());
        return Err(Failure::new(ErrorCode::PipMissing, detail)
            .hint("install pip, or name another Python with --python"));
    }
    // Of what pip did not expect it prints a traceback, whose last line says most.
    let error = said.lines().rev().find_map(|line| {
        line.strip_prefix("ERROR: ")
            .filter(|error| *error != "Exception:")
    });
    let error = error
        .or_else(|| said.lines().last())
        .unwrap_or("it does not say why");
    if let Some(name) = error.strip_prefix("No matching distribution found for ") {
        let detail = format!(
            "{name} has no wheel of pure Python {} in the index; compiled code cannot run in WebAssembly",
            python_version()
        );
        return Err(Failure::new(ErrorCode::RequirementRefused, detail).hint(
            "check the name and version; find a pure-Python alternative; or run the skill on the native backend",
        ));
    }
    Err(Failure::new(
        ErrorCode::PipFailed,
        format!("pip could not fetch the requirements: {error}"),
    ))
}

/// The version of Python that skills run in, as pip writes it: `3.14`.
fn python_version() -> String {
    let shipped = sre_runtimes::shipped();
    let name = shipped
        .iter()
        .find(|runtime| runtime.kind == RuntimeKind::Python)
        .map(|runtime| runtime.name.clone());
    let name = name.unwrap_or_default();
    let version = name.rsplit(' ').next().unwrap_or_default();
    version
        .rsplit_once('.')
        .map_or(version, |(minor, _)| minor)
        .to_owned()
}

/// Sorted by name, so that the first thing that is wrong is always the same.
fn read_all(folder: &Path) -> std::io::Result<Vec<(String, Vec<u8>)>> {
    let mut wheels = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        wheels.push((
            entry.file_name().to_string_lossy().into_owned(),
            fs::read(entry.path())?,
        ));
    }
    wheels.sort();
    Ok(wheels)
}
