//! A virtual environment with the independent readers, below the target folder, made once from
//! PyPI.
//!
//! Where Python or PyPI cannot be had the tests say so on standard error and pass; where `CI` is
//! set they fail.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// The Python of an environment with the readers; `None` where it cannot be made.
pub(crate) fn python() -> Option<&'static Path> {
    static PYTHON: OnceLock<Option<PathBuf>> = OnceLock::new();
    PYTHON.get_or_init(make_environment).as_deref()
}

fn make_environment() -> Option<PathBuf> {
    let wanted = include_str!("requirements.txt");
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("independent-readers");
    let (python, done) = (folder.join("bin/python"), folder.join("installed"));
    if fs::read_to_string(&done).is_ok_and(|installed| installed == wanted) {
        return Some(python);
    }
    let made = run(Command::new("python3")
        .args(["-m", "venv", "--clear"])
        .arg(&folder))
    .and_then(|()| {
        let pip = [
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
        ];
        let wanted = wanted.lines().filter(|line| !line.starts_with('#'));
        run(Command::new(&python).args(pip).args(wanted))
    });
    if let Err(reason) = made {
        assert!(
            std::env::var_os("CI").is_none(),
            "the independent readers could not be installed: {reason}"
        );
        eprintln!("SKIPPED: the independent readers could not be installed: {reason}");
        return None;
    }
    fs::write(done, wanted).expect("a mark");
    Some(python)
}

fn run(command: &mut Command) -> Result<(), String> {
    let ran = command
        .output()
        .map_err(|error| format!("{command:?}: {error}"))?;
    if ran.status.success() {
        Ok(())
    } else {
        Err(format!(
            "{command:?}: {}",
            String::from_utf8_lossy(&ran.stderr)
        ))
    }
}
