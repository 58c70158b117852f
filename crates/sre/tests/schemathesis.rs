//! schemathesis (<https://schemathesis.io>) makes requests from the OpenAPI document and holds the
//! answers against it.
//!
//! It comes from PyPI into a virtual environment below the target folder. Where Python or PyPI
//! cannot be had, the test says so and passes; with `SRE_REQUIRE_SCHEMATHESIS=1`, as in CI, it
//! fails.

mod common;

use std::path::{Path, PathBuf};
use std::process::Command;

use common::Home;
use common::service::Service;

const VERSION: &str = "4.32.5";

/// The program, installed if need be.
fn schemathesis() -> Result<PathBuf, String> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("schemathesis-{VERSION}"));
    let program = folder.join("bin/schemathesis");
    if program.exists() {
        return Ok(program);
    }
    let run = |command: &mut Command| match command.output() {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
        Err(error) => Err(error.to_string()),
    };
    run(Command::new("python3").args(["-m", "venv"]).arg(&folder))?;
    let package = format!("schemathesis=={VERSION}");
    run(Command::new(folder.join("bin/pip")).args([
        "install",
        "--quiet",
        "--disable-pip-version-check",
        &package,
    ]))?;
    Ok(program)
}

#[test]
fn no_answer_violates_the_openapi_document() {
    let program = match schemathesis() {
        Ok(program) => program,
        Err(error) if std::env::var_os("SRE_REQUIRE_SCHEMATHESIS").is_some() => {
            panic!("no schemathesis: {error}")
        }
        Err(error) => {
            eprintln!(
                "SKIPPED: schemathesis cannot be installed, the OpenAPI document was not tested: {error}"
            );
            return;
        }
    };
    let home = Home::new();
    let token = home
        .words("token new schemathesis --scopes admin")
        .exits(0)
        .stdout;
    let service = Service::start(&home, &[]);
    // Valid by the document is not yet acceptable: a skill must exist and its program compile.
    let output = Command::new(program)
        .args(["run", &format!("{}/openapi.json", service.base)])
        .args([
            "--header",
            &format!("Authorization: Bearer {}", token.trim()),
        ])
        .args([
            "--checks",
            "all",
            "--exclude-checks",
            "positive_data_acceptance",
        ])
        .args([
            "--max-examples",
            "20",
            "--seed",
            "7",
            "--workers",
            "1",
            "--no-color",
        ])
        .current_dir(home.path("tmp"))
        .output()
        .expect("schemathesis starts");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stdout)
    );
}
