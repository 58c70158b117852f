//! Jails made ahead: the same results, and no part in an order when they end before it.

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::json;
use sre_core::Ending;
use sre_sandbox::native::{NativeOptions, NativeSandbox};
use sre_skill::{PackageLimits, Skill};

use super::{PATIENCE, can_jail, options, profile, run_in, sandbox, skill_of_python};

/// A jail that was made ahead gives the same result as one that was not, and is used once.
#[test]
fn warm_jails_give_the_same_results_and_are_used_once() {
    if !can_jail() {
        return;
    }
    if !Path::new("/usr/bin/python3").exists() {
        eprintln!("NOT TESTED HERE: warm jails, there is no /usr/bin/python3");
        return;
    }
    let warm = NativeSandbox::new(NativeOptions {
        warm_jails: 2,
        ..options()
    });
    let main = "import json, os, sys\nfrom helper import twice\nif os.listdir('/tmp'): sys.exit(9)\nopen('/tmp/x', 'w')\n\
        if __name__ == '__main__': print(json.dumps([twice(json.load(sys.stdin)['n']), sys.argv, os.getcwd(), __file__, \
        sys.path[0], str(hash('text')), os.getpid(), list(os.environ.items()), sorted(globals()), os.listdir('.'), \
        os.listdir('/proc/self/fd')]))";
    let object = json!({
        "name": "test", "runtime": {"entrypoint": "scripts/main.py"},
        "files": {"scripts/main.py": main, "scripts/helper.py": "def twice(n): return 2 * n\n", "a": "", "b": ""},
    });
    let skill = Skill::from_object(&object, &PackageLimits::default()).expect("a skill");
    let bad = skill_of_python("import sys; sys.exit(7)");
    let cold = run_in(sandbox(), &skill, &profile()).expect("an outcome");
    let (mut runs, mut warm_runs) = (0, 0);
    // A jail is made ahead while nothing else is to be done, which on a busy machine may be a while
    // away.
    let waiting = Instant::now();
    while runs < 40 || warm_runs == 0 {
        assert!(waiting.elapsed() < PATIENCE, "no run was warm");
        runs += 1;
        let execution = run_in(&warm, &skill, &profile()).expect("an outcome");
        assert_eq!(execution.output, cold.output, "{}", execution.logs);
        warm_runs +=
            usize::from(execution.isolation.expect("a label").repeatability["addresses"] == "host");
        assert_eq!(
            run_in(&warm, &bad, &profile())
                .expect("an outcome")
                .outcome
                .ending,
            Ending::Exited { code: 7 }
        );
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Processes in the jails of a sandbox that wait for an order, each with its jail's first process.
fn waiting_jails(sandbox: &NativeSandbox) -> Vec<(String, String)> {
    let launcher = sandbox.launcher_pid().expect("a launcher").to_string();
    let parent = |pid: &str| {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let (_, rest) = stat.rsplit_once(") ").unwrap_or_default();
        rest.split(' ').nth(1).unwrap_or_default().to_owned()
    };
    let waits = |pid: &String| {
        let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&line).contains("\ndef wait():")
    };
    let processes = std::fs::read_dir("/proc").expect("/proc").flatten();
    let names = processes.map(|process| process.file_name().to_string_lossy().into_owned());
    let jails = names.filter(waits).map(|pid| (parent(&pid), pid));
    jails
        .filter(|(first, _)| parent(first) == launcher)
        .map(|(first, pid)| (pid, first))
        .collect()
}

/// Runs a skill and waits until jails are made ahead for the next.
fn warmed(sandbox: &NativeSandbox, skill: &Skill, jails: usize) -> Vec<(String, String)> {
    run_in(sandbox, skill, &profile()).expect("an outcome");
    let waiting = Instant::now();
    loop {
        let found = waiting_jails(sandbox);
        if found.len() >= jails {
            return found;
        }
        assert!(waiting.elapsed() < PATIENCE, "no jail is made ahead");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn signal(name: &str, pid: &str) {
    let sent = std::process::Command::new("kill")
        .args([name, pid])
        .status();
    assert!(sent.expect("kill").success(), "{name} {pid}");
}

/// What ends a jail that waits is no outcome of the order that it would have been given.
#[test]
fn an_order_runs_although_the_jail_made_for_it_was_killed() {
    if !can_jail() || !Path::new("/usr/bin/python3").exists() {
        eprintln!("NOT TESTED HERE: warm jails that are killed");
        return;
    }
    let good = skill_of_python("print(1)");
    let ran = |sandbox: &NativeSandbox, how: &str| {
        let execution =
            run_in(sandbox, &good, &profile()).unwrap_or_else(|error| panic!("{how}: {error}"));
        assert_eq!(
            execution.output,
            Some(json!(1)),
            "{how}: {:?} {}",
            execution.failure,
            execution.logs
        );
    };

    let own = NativeSandbox::new(NativeOptions {
        warm_jails: 2,
        ..options()
    });
    for (guest, _) in warmed(&own, &good, 2) {
        signal("-KILL", &guest);
    }
    ran(&own, "the guests are dead");

    // One that cannot tell yet that its guest is dead takes no order either.
    let jails = warmed(&own, &good, 2);
    for (guest, first) in &jails {
        signal("-STOP", first);
        signal("-KILL", guest);
    }
    std::thread::scope(|scope| {
        let running = scope.spawn(|| ran(&own, "its first process was stopped"));
        std::thread::sleep(Duration::from_millis(100));
        jails.iter().for_each(|(_, first)| signal("-CONT", first));
        running.join().expect("an outcome");
    });

    warmed(&own, &good, 2);
    let launcher = own.launcher_pid().expect("a launcher").to_string();
    signal("-KILL", &launcher);
    // What is asked of a launcher that is about to die dies with it.
    let lives = |stat: String| {
        stat.rsplit_once(") ")
            .is_some_and(|(_, rest)| !rest.starts_with(['Z', 'X']))
    };
    let waiting = Instant::now();
    while std::fs::read_to_string(format!("/proc/{launcher}/stat")).is_ok_and(lives) {
        assert!(waiting.elapsed() < PATIENCE, "the launcher lives");
        std::thread::sleep(Duration::from_millis(5));
    }
    for _ in 0..3 {
        ran(&own, "the launcher is dead");
    }
}

/// The pool comes back to limits that it had forgotten, as often as it may be.
#[test]
fn many_kinds_of_limits_make_no_more_jails_than_allowed() {
    if !can_jail() || !Path::new("/usr/bin/python3").exists() {
        eprintln!("NOT TESTED HERE: warm jails of many kinds");
        return;
    }
    let good = skill_of_python("print(1)");
    let own = NativeSandbox::new(NativeOptions {
        warm_jails: 1,
        ..options()
    });
    for round in 0..3 {
        for kind in 0..6_u64 {
            let mut changed = serde_json::to_value(profile()).expect("JSON");
            changed["mem_limit_bytes"] = json!((200 + kind) << 20);
            let profile = serde_json::from_value(changed).expect("a profile");
            let execution = run_in(&own, &good, &profile).expect("an outcome");
            assert_eq!(
                execution.output,
                Some(json!(1)),
                "round {round}, kind {kind}"
            );
            // Four kinds, and one jail in the making.
            assert!(waiting_jails(&own).len() <= 5, "round {round}, kind {kind}");
        }
    }
    warmed(&own, &good, 1);
}
