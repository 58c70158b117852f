//! The tests of the Python package, in `tests/` at the repository's root, against the module that
//! this build made.
//!
//! `scripts/test-python.sh` makes a virtual environment below the target folder and runs pytest in
//! it. Without Python 3.10 or its `venv` there is nothing to test with: that is said loudly, and
//! `SRE_REQUIRE_PYTHON=1` makes it a failure.

use std::path::{Path, PathBuf};
use std::process::Command;

#[test]
fn the_python_package_passes_its_tests() {
    if let Err(reason) = usable_python() {
        assert!(std::env::var_os("SRE_REQUIRE_PYTHON").is_none(), "{reason}");
        eprintln!("\n!!! SKIPPED: the tests of the Python package did not run: {reason}\n");
        return;
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let library = library();
    assert!(
        library.is_file(),
        "cargo did not build {}",
        library.display()
    );
    let output = Command::new(root.join("scripts/test-python.sh"))
        .args(["-q", "--color=no"])
        .env("SRE_PYTHON_LIBRARY", library)
        .env("CARGO_TARGET_DIR", target())
        .output()
        .expect("the script starts");
    let (out, err) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert!(
        output.status.success(),
        "scripts/test-python.sh: {}\n{out}\n{err}",
        output.status
    );
    println!("{out}");
}

/// The module lies beside this test: cargo builds it for this test, with the profile and the
/// features of the whole build.
fn library() -> PathBuf {
    let name = format!(
        "{}sre_python{}",
        std::env::consts::DLL_PREFIX,
        std::env::consts::DLL_SUFFIX
    );
    std::env::current_exe()
        .expect("the path of this test")
        .with_file_name(name)
}

/// The folder that holds `debug/deps` or its like.
fn target() -> PathBuf {
    library()
        .ancestors()
        .nth(3)
        .expect("a target folder")
        .to_owned()
}

fn usable_python() -> Result<(), String> {
    let python = std::env::var("PYTHON").unwrap_or_else(|_| String::from("python3"));
    let check = "import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 10))";
    match Command::new(&python).args(["-c", check]).output() {
        Ok(output) if output.status.success() => Ok(()),
        Ok(_) => Err(format!(
            "{python} is older than 3.10, or has no venv (Debian: apt install python3-venv)"
        )),
        Err(error) => Err(format!("{python} does not start: {error}")),
    }
}
