//! `sre doctor`: what this host can enforce, and how to fix what it cannot.

use std::process::{Command, Stdio};

use serde::Serialize;

use crate::cli::{Format, Global};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{self, Progress, Style};

/// A line of the report.
#[derive(Serialize)]
struct Check {
    name: &'static str,
    state: &'static str,
    found: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    consequence: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    fix: String,
}

/// The whole report.
#[derive(Serialize)]
struct Report {
    /// Whether native skills run with every layer.
    native: bool,
    checks: Vec<Check>,
}

/// Examines the host. Exit code 0 if native skills run here with every layer, 1 if not.
///
/// # Errors
/// When standard output cannot be written to.
pub fn doctor(global: &Global, progress: &Progress) -> Result<Exit, Failure> {
    progress.show("making a jail");
    let mut checks = vec![Check {
        name: "wasm",
        state: "good",
        found: String::from("WebAssembly, Python and JavaScript skills need nothing of the host"),
        consequence: String::new(),
        fix: String::new(),
    }];
    checks.extend(native(global));
    let native = checks.iter().all(|check| check.state == "good");
    checks.push(docker());
    progress.clear();
    let report = Report { native, checks };
    let text = match global.format {
        Format::Human => text(&report),
        Format::Json => output::json_line(&report),
    };
    output::stdout(text.as_bytes())?;
    Ok(if report.native {
        Exit::Success
    } else {
        Exit::Operating
    })
}

#[cfg(target_os = "linux")]
fn native(global: &Global) -> Vec<Check> {
    use sre_sandbox::native::host::{State, examine};

    let options = match super::native_options(global) {
        Ok(options) => options,
        Err(found) => {
            return vec![Check {
                name: "native_root",
                state: "missing",
                found,
                consequence: String::from("no native skill can run"),
                fix: String::from(
                    "name a folder with a root file system or an OCI image layout (--native-root)",
                ),
            }];
        }
    };
    let requirements = examine(&options);
    let check = |found: sre_sandbox::native::host::Requirement| Check {
        name: found.name,
        state: match found.state {
            State::Good => "good",
            State::Weak => "weak",
            State::Missing => "missing",
        },
        found: found.found,
        consequence: found.consequence,
        fix: found.fix,
    };
    requirements.into_iter().map(check).collect()
}

#[cfg(not(target_os = "linux"))]
fn native(_global: &Global) -> Vec<Check> {
    vec![Check {
        name: "jail",
        state: "missing",
        found: format!("this is {}", std::env::consts::OS),
        consequence: String::from("native skills are refused"),
        fix: String::from("run sre on Linux, or in a Linux virtual machine"),
    }]
}

/// Nothing in this version needs Docker; the report says so to users who expect it.
fn docker() -> Check {
    let asked = Command::new("docker")
        .args(["version", "--format", "{{.Server.Version}}"])
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output();
    let (state, found) = match asked {
        Ok(answer) if answer.status.success() => (
            "good",
            format!("engine {}", String::from_utf8_lossy(&answer.stdout).trim()),
        ),
        Ok(_) => (
            "absent",
            String::from("the command is there, an engine does not answer"),
        ),
        Err(_) => ("absent", String::from("not installed")),
    };
    Check {
        name: "docker",
        state,
        found,
        consequence: String::from("none: this version has no docker backend"),
        fix: String::new(),
    }
}

fn text(report: &Report) -> String {
    let style = Style::stdout();
    let verdict = if report.native {
        "native skills run here with every layer"
    } else {
        "native skills are refused here"
    };
    let mut text = format!("{}\n", style.title(verdict));
    let mut line =
        |name: &str, told: &str| text.push_str(&format!("  {name:<17}{}\n", output::escape(told)));
    for check in &report.checks {
        let is_good = check.state == "good";
        line(
            check.name,
            &if is_good {
                check.found.clone()
            } else {
                format!("{}: {}", check.state, check.found)
            },
        );
        if !check.fix.is_empty() {
            line("", &check.consequence);
            line("", &format!("fix: {}", check.fix));
        }
    }
    text
}
