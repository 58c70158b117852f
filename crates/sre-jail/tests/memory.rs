//! Memory that runs out around a jail is not the guest's doing.

#![cfg(target_os = "linux")]

mod common;

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use sre_jail::cgroup::{Controller, Place, Places};
use sre_jail::{Ending, JailError, Limits, ProcessSpec};

/// More than the test and the launcher need, and far less than the jail in it may have.
const AROUND_BYTES: u64 = 192 << 20;

/// Takes 400 MiB, in a jail with this limit.
fn bomb(memory_bytes: u64) -> ProcessSpec {
    let spec = common::spec(
        "/usr/bin/dd",
        &["if=/dev/zero", "of=/dev/null", "bs=400M", "count=1"],
    );
    ProcessSpec {
        limits: Limits {
            memory_bytes,
            ..spec.limits
        },
        ..spec
    }
}

/// A group around everything that a test starts. Removed with it.
struct Around(PathBuf);

impl Around {
    fn make() -> Result<Self, String> {
        let (folder, limit) = match Places::find().of(Controller::Memory) {
            Place::Version1(folder) => (folder.clone(), "memory.limit_in_bytes"),
            Place::Version2(folder) => (folder.clone(), "memory.max"),
            Place::Nowhere(why) => return Err(why.clone()),
        };
        let around = Self(folder.join(format!("sre-test-around-{}", std::process::id())));
        fs::create_dir(&around.0).map_err(|error| error.to_string())?;
        fs::write(around.0.join(limit), AROUND_BYTES.to_string())
            .map_err(|error| error.to_string())?;
        Ok(around)
    }
}

impl Drop for Around {
    fn drop(&mut self) {
        // The launcher inside ends a moment after the test that started it.
        let waiting = Instant::now();
        while fs::remove_dir(&self.0).is_err() && waiting.elapsed() < common::PATIENCE {
            // On version 2 a process inside has made a group of its own for itself.
            for entry in fs::read_dir(&self.0)
                .into_iter()
                .flatten()
                .flatten()
                .filter(|entry| entry.path().is_dir())
            {
                drop(fs::remove_dir(entry.path()));
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

#[test]
fn memory_that_runs_out_around_a_jail_is_an_operating_failure() {
    let around = match Around::make() {
        Ok(around) if common::can_jail() => around,
        Ok(_) => return,
        Err(why) => {
            eprintln!("NOT TESTED HERE: memory that runs out around a jail, {why}");
            return;
        }
    };
    let own = std::env::current_exe().expect("the test binary");
    // The shell enters the group and becomes the test.
    let mut inside = Command::new("/bin/sh");
    inside
        .args(["-c", "echo $$ > \"$0\" && exec \"$@\""])
        .arg(around.0.join("cgroup.procs"))
        .arg(own);
    inside.args([
        "--ignored",
        "--exact",
        "inside_a_small_group",
        "--nocapture",
    ]);
    assert!(
        inside.status().expect("sh").success(),
        "it failed as is told above"
    );
}

/// Started by the test above, in a process of its own.
#[test]
#[ignore = "the test above starts it, in a group of its own"]
fn inside_a_small_group() {
    let own = common::ran(&bomb(32 << 20));
    assert_eq!(own.ending, Ending::OutOfMemory, "its own limit");
    match common::run(&bomb(1 << 30)) {
        Err(JailError::HostMemory) => {}
        other => panic!("{other:?}"),
    }
}
