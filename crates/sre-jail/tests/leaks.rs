//! Nothing is left of a jail: no process, mount, group, descriptor or file, here or in the
//! launcher.
//!
//! `SRE_LEAK_RUNS=10000 cargo test -p sre-jail --test leaks` makes so many jails in a row; without
//! it, 300.

#![cfg(target_os = "linux")]

mod common;

use std::collections::BTreeSet;
use std::fs;
use std::sync::Barrier;
use std::time::{Duration, Instant};

use sre_jail::Ending;

/// Everything that a jail could leave, counted.
#[derive(Debug, PartialEq, Eq)]
struct Traces {
    own_descriptors: usize,
    launcher_descriptors: usize,
    own_mounts: usize,
    launcher_mounts: usize,
    jails: usize,
    groups: Vec<String>,
    temporary_files: BTreeSet<String>,
}

fn traces() -> Traces {
    let launcher = common::jail().launcher_pid().expect("a launcher");
    let entries = |path: String| fs::read_dir(path).expect("/proc").count();
    let lines = |path: String| fs::read_to_string(path).expect("/proc").lines().count();
    let names = fs::read_dir(std::env::temp_dir())
        .expect("a folder")
        .flatten();
    let names = names.map(|entry| entry.file_name().to_string_lossy().into_owned());
    Traces {
        own_descriptors: entries(String::from("/proc/self/fd")),
        launcher_descriptors: entries(format!("/proc/{launcher}/fd")),
        own_mounts: lines(String::from("/proc/self/mountinfo")),
        launcher_mounts: lines(format!("/proc/{launcher}/mountinfo")),
        jails: children(launcher),
        groups: common::groups_left(),
        temporary_files: names.filter(|name| name.contains("sre-jail")).collect(),
    }
}

/// Living processes whose parent is `parent`.
fn children(parent: i32) -> usize {
    let stats = fs::read_dir("/proc").expect("/proc").flatten();
    let stats = stats.filter_map(|entry| fs::read_to_string(entry.path().join("stat")).ok());
    stats
        .filter(|stat| {
            stat.rsplit_once(") ")
                .and_then(|(_, rest)| rest.split(' ').nth(1)?.parse().ok())
                == Some(parent)
        })
        .count()
}

/// The launcher lets go of a run's descriptors and mounts a moment after the host has its answer.
fn settled(expected: &Traces) -> Traces {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let now = traces();
        if now == *expected || Instant::now() > deadline {
            return now;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn a_hundred_at_once_and_many_in_a_row_leave_nothing() {
    const AT_ONCE: usize = 100;
    if !common::can_jail() {
        return;
    }
    // Before the first jail: of one that has just ended, the launcher may still hold something.
    let before = traces();

    let barrier = Barrier::new(AT_ONCE);
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                barrier.wait();
                let report = common::ran(&common::shell("echo x > /tmp/x; sleep 0.2"));
                assert_eq!(
                    report.ending,
                    Ending::Exited(0),
                    "{}",
                    String::from_utf8_lossy(&report.stderr.kept)
                );
            });
        }
    });
    assert_eq!(settled(&before), before, "after {AT_ONCE} at once");

    let runs = std::env::var("SRE_LEAK_RUNS")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(300);
    let endings = [
        common::spec("/usr/bin/true", &[]),
        common::shell("sleep 1000 & kill -9 $$"),
        common::shell("yes"),
        common::spec("/no/such/program", &[]),
    ];
    for run in 0..runs {
        drop(common::run(&endings[run % endings.len()]));
    }
    assert_eq!(settled(&before), before, "after {runs} in a row");
}
