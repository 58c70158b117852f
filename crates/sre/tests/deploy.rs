//! The systemd unit is one that systemd takes and finds safe.

mod common;

use std::path::Path;
use std::process::Command;

/// On systemd's scale from 0 (safe) to 100, what a service that needs the network and a compiler
/// can reach.
const EXPOSURE_LIMIT: &str = "--threshold=20";

#[test]
fn systemd_takes_the_unit_and_finds_it_safe() {
    if Command::new("systemd-analyze")
        .arg("--version")
        .output()
        .is_err()
    {
        assert!(
            std::env::var_os("CI").is_none(),
            "this test needs systemd-analyze"
        );
        eprintln!("SKIPPED: there is no systemd-analyze");
        return;
    }
    let unit = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/sre.service");
    let unit = std::fs::read_to_string(unit).expect("the unit");
    assert!(unit.contains("ExecStart=/usr/local/bin/sre "));
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("sre.service");
    // It must name a program that is there.
    std::fs::write(
        &path,
        unit.replace(
            "/usr/local/bin/sre ",
            concat!(env!("CARGO_BIN_EXE_sre"), " "),
        ),
    )
    .expect("a unit");
    let verified = common::ran(
        Command::new("systemd-analyze")
            .arg("verify")
            .arg(&path)
            .output()
            .expect("it runs"),
    );
    let complaints: Vec<&str> = verified
        .stderr
        .lines()
        .filter(|line| line.contains("sre.service"))
        .collect();
    assert!(
        complaints.is_empty() && verified.code == Some(0),
        "{verified:?}"
    );
    let rated = Command::new("systemd-analyze")
        .args(["security", "--offline=true", EXPOSURE_LIMIT])
        .arg(&path)
        .output();
    let rated = common::ran(rated.expect("it runs"));
    assert_eq!(rated.code, Some(0), "{rated:?}");
}
