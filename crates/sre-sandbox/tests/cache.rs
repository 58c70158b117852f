//! The cache of compiled code keeps within its limit, and keeps what is of use.

mod common;

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use common::{Program, prepare, sandbox_with, skill};
use sre_sandbox::wasm::WasmOptions;
use sre_skill::Skill;

/// A program that differs from the others in one number.
fn program(number: usize) -> Skill {
    skill(Program::Text(&format!(
        "(module (func (export \"_start\") (drop (i32.const {number}))))"
    )))
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let files = fs::read_dir(folder)
        .expect("the cache")
        .map(|entry| entry.expect("an entry").path());
    files
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "cwasm")
        })
        .collect()
}

fn bytes(entries: &[PathBuf]) -> u64 {
    entries
        .iter()
        .map(|path| fs::metadata(path).expect("an entry").len())
        .sum()
}

fn date(path: &Path, days_ago: u32) {
    let at = SystemTime::now() - days_ago * Duration::from_secs(24 * 3600);
    File::options()
        .write(true)
        .open(path)
        .and_then(|file| file.set_modified(at))
        .expect("a date");
}

#[test]
fn what_is_of_no_use_goes_when_the_limit_is_reached() {
    let folder = tempfile::tempdir().expect("a folder");
    let cache = folder.path().join("cache");
    let with_limit = |cache_limit_bytes| {
        sandbox_with(WasmOptions {
            cache_folder: Some(cache.clone()),
            cache_limit_bytes,
            slots: 2,
            ..WasmOptions::default()
        })
    };

    // Two entries of long ago, and how large one is.
    let sandbox = with_limit(1 << 30);
    prepare(&sandbox, &program(0)).expect("a program");
    let used = entries(&cache).pop().expect("an entry");
    let limit = 10 * bytes(std::slice::from_ref(&used)).next_multiple_of(4096);
    prepare(&sandbox, &program(1)).expect("a program");
    let unused = entries(&cache)
        .into_iter()
        .find(|path| *path != used)
        .expect("another entry");
    date(&used, 30);
    date(&unused, 20);

    // One is of use now. Others come, from two processes in turn, and are of no use soon.
    prepare(&with_limit(limit), &program(0)).expect("a program");
    let sandboxes = [with_limit(limit), with_limit(limit)];
    for number in 2..40 {
        let before = entries(&cache);
        prepare(&sandboxes[number % 2], &program(number)).expect("a program");
        let now = entries(&cache);
        assert!(
            bytes(&now) <= limit,
            "{} bytes after {number} programs",
            bytes(&now)
        );
        let new = now
            .iter()
            .find(|path| !before.contains(path))
            .expect("what is new is kept");
        date(new, 10);
    }
    assert!(
        !unused.exists(),
        "what was of no use for longest goes first"
    );
    assert!(used.exists(), "what was of use today stays");

    // What is larger than the cache is not kept, and runs.
    let before = entries(&cache);
    prepare(&with_limit(100), &program(100)).expect("a program");
    assert_eq!(entries(&cache), before);
}
