//! A world of its own: what shows time or randomness shows the same in every run, and what waits
//! waits as it should.

#![cfg(target_os = "linux")]

mod common;

use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;

use sre_jail::jail::Layer;
use sre_jail::{ClockAndSeed, Ending, ProcessSpec};

/// What a program finds: the order's clock in place of the kernel's on x86-64, none elsewhere.
const FAST_CLOCK: &str = if cfg!(target_arch = "x86_64") {
    "\nfast clock\n"
} else {
    "\nno fast clock\n"
};

/// Whether guests can have worlds of their own here. A host where they cannot says so aloud.
fn can_repeat() -> bool {
    common::can_jail() && !common::lacks(Layer::Repeatability)
}

/// Runs an order several times, each on as busy a machine as two others make it; all must print the
/// same.
fn same_every_time(spec: &ProcessSpec) -> String {
    let first = common::printed(spec);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| (0..2).for_each(|_| assert_eq!(common::printed(spec), first)));
        }
    });
    first
}

fn with_world(mut spec: ProcessSpec, determinism: ClockAndSeed) -> ProcessSpec {
    spec.determinism = Some(determinism);
    spec
}

/// A program of `tests/programs`, and how it is linked.
#[derive(Debug, Clone, Copy)]
enum Program {
    Clocks,
    ClocksStatic,
    FastClock,
    FastClockStatic,
    /// Statically, and a part of it to where the page of the clock would be.
    OverTheClock,
}

/// The program, compiled once for all tests.
fn compiled(program: Program) -> Option<Vec<u8>> {
    static COMPILED: [OnceLock<Option<Vec<u8>>>; 5] = [const { OnceLock::new() }; 5];
    let (source, flags) = match program {
        Program::Clocks => ("clocks.c", &[][..]),
        Program::ClocksStatic => ("clocks.c", &["-static"][..]),
        Program::FastClock => ("fast_clock.c", &[][..]),
        Program::FastClockStatic => ("fast_clock.c", &["-static", "-DSTATIC"][..]),
        Program::OverTheClock => {
            let flags = &[
                "-static",
                "-DSTATIC",
                "-DTAKEN",
                "-no-pie",
                "-Wl,--section-start=.taken=0x7ffffc000000",
            ];
            ("fast_clock.c", &flags[..])
        }
    };
    let compile = || {
        let folder = tempfile::tempdir().expect("a folder");
        let to = folder.path().join("program");
        let source = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tests/programs")
            .join(source);
        let ended = Command::new("gcc")
            .args(["-O1", "-pthread"])
            .args(flags)
            .arg("-o")
            .arg(&to)
            .arg(source)
            .status();
        if !ended.is_ok_and(|ended| ended.success()) {
            eprintln!("NOT TESTED HERE: {program:?} in C, gcc cannot make it");
            return None;
        }
        Some(std::fs::read(to).expect("the program"))
    };
    COMPILED[program as usize].get_or_init(compile).clone()
}

/// An order for one of them.
fn program(program: Program, argument: &str) -> Option<ProcessSpec> {
    let mut spec = common::spec("/skill/program", &[argument]);
    spec.files
        .push(common::file("program", &compiled(program)?, true));
    Some(spec)
}

/// Runs one that says what else it printed if it did not end well.
fn assert_prints(spec: &ProcessSpec, expected: &str, name: &str) {
    let report = common::ran(spec);
    let shown = String::from_utf8_lossy(&report.stdout).into_owned();
    let logged = String::from_utf8_lossy(&report.stderr.kept).into_owned();
    assert_eq!(
        (report.ending, shown.trim()),
        (Ending::Exited(0), expected),
        "{name}: {logged}"
    );
}

#[test]
fn programs_see_the_orders_time_and_randomness_and_nothing_of_the_machines() {
    if !can_repeat() {
        return;
    }
    for clocks in [Program::Clocks, Program::ClocksStatic] {
        let Some(spec) = program(clocks, "everything") else {
            continue;
        };
        let shown = same_every_time(&spec);
        // 2026-01-01, as the order says.
        assert!(
            shown.contains("realtime 1767225600.") && shown.contains(FAST_CLOCK),
            "{shown}"
        );
        assert_eq!(common::ran(&spec).ending, Ending::Exited(0));
        assert!(common::ran(&spec).is_repeatable);
        let ClockAndSeed {
            clock_start_ns,
            seed,
        } = spec.determinism.expect("a determinism");
        let tomorrow = with_world(
            spec.clone(),
            ClockAndSeed {
                clock_start_ns: clock_start_ns + 86_400_000_000_000,
                seed,
            },
        );
        assert!(same_every_time(&tomorrow).contains("realtime 1767312000."));
        let other = with_world(
            spec,
            ClockAndSeed {
                clock_start_ns,
                seed: [8; 32],
            },
        );
        let differ = |name: &str, text: &str| {
            text.lines()
                .find(|line| line.starts_with(name))
                .map(str::to_owned)
        };
        let drawn = common::printed(&other);
        for name in ["getrandom", "at_random", "urandom"] {
            assert!(differ(name, &shown).is_some(), "{shown}");
            assert_ne!(differ(name, &shown), differ(name, &drawn), "{name}");
        }
    }
}

#[test]
fn scripts_repeat_time_uuids_hashes_and_addresses() {
    if !can_repeat() {
        return;
    }
    let shell = "date +%s.%N; date -u; cat /proc/sys/kernel/random/uuid 2>&1; head -c 9 /dev/urandom | od -An -tx1; \
        head -c 100000 /dev/random | cksum; (sleep 0.02; date +%s.%N); od -An -tx1 -N5 /dev/urandom; times; echo $$";
    let shown = same_every_time(&common::shell(shell));
    assert!(shown.starts_with("1767225600.0000"), "{shown}");
    if !Path::new("/usr/bin/python3").exists() {
        eprintln!("NOT TESTED HERE: scripts in Python, there is no /usr/bin/python3");
        return;
    }
    let python = "import time, os, uuid, random, secrets, datetime, threading, tempfile, subprocess, resource, select\n\
        print(time.time_ns(), time.monotonic_ns(), time.perf_counter_ns(), time.process_time_ns(), datetime.datetime.now())\n\
        print(uuid.uuid4(), uuid.uuid1(), random.random(), secrets.token_hex(40), os.urandom(3), id(object()), hash('x'))\n\
        print(tempfile.mktemp(), open('/dev/urandom', 'rb').read(5), resource.getrusage(resource.RUSAGE_SELF), os.times())\n\
        event = threading.Event(); before = time.monotonic(); event.wait(0.05); print(round(time.monotonic() - before, 2))\n\
        before = time.monotonic(); select.select([], [], [], 0.03); print(round(time.monotonic() - before, 3))\n\
        read, write = os.pipe(); poll = select.poll(); poll.register(read)\n\
        before = time.monotonic(); print(poll.poll(20)); print(round(time.monotonic() - before, 3))\n\
        print(subprocess.run(['date', '+%s'], capture_output=True, text=True).stdout)\n\
        woken, before = [], time.monotonic()\n\
        def work(n):\n    time.sleep(n / 20)\n    woken.append((n, time.monotonic() - before >= n / 20))\n\
        threads = [threading.Thread(target=work, args=(n,)) for n in (3, 1, 2)]\n\
        [t.start() for t in threads]; [t.join() for t in threads]; print(sorted(woken))\n";
    let mut spec = common::python(python);
    spec.environment
        .push((String::from("PYTHONHASHSEED"), String::from("0")));
    let shown = same_every_time(&spec);
    assert!(
        shown.contains("\n0.05\n0.03\n[]\n0.02\n1767225600\n\n[(1, True), (2, True), (3, True)]\n"),
        "{shown}"
    );
}

/// Waiting with a limit for something that does happen is not cut short, on whatever clock the
/// limit stands.
#[test]
fn waits_end_when_what_they_wait_for_happens_or_at_their_limit() {
    if !can_repeat() {
        return;
    }
    let Some(spec) = program(Program::Clocks, "waits") else {
        return;
    };
    for days in [0_u64, 400, 20_000] {
        let clock_start_ns = days * 86_400_000_000_000;
        let spec = with_world(
            spec.clone(),
            ClockAndSeed {
                clock_start_ns,
                seed: [1; 32],
            },
        );
        let shown = common::printed(&spec);
        let expected = "date: came\ndate: limit after 50 ms\nsteady: came\nsteady: limit after 50 ms\nsemaphore: came\n\
            semaphore: limit after 50 ms\nsleep: 30 ms\nsleep until: 30 ms\nselect: 20 ms\nthreads: slept slept slept, 150 ms\nalarm: interrupted\n";
        assert_eq!(shown, expected, "{days} days after 1970");
    }
}

/// A call that a signal interrupts before its answer is there is made again, and nothing is drawn
/// or counted twice.
#[test]
fn signals_between_question_and_answer_change_nothing() {
    if !can_repeat() {
        return;
    }
    let (Some(busy), Some(calm)) = (
        program(Program::Clocks, "signals_between"),
        program(Program::Clocks, "no_signals"),
    ) else {
        return;
    };
    assert_eq!(common::printed(&busy), common::printed(&calm));
}

/// What an attack on the answers does, it does to itself alone; the jail ends as it would have.
#[test]
fn attacks_on_the_answers_hurt_no_other_guest() {
    if !can_repeat() {
        return;
    }
    for (clocks, name) in [
        (Program::Clocks, "bad_addresses"),
        (Program::Clocks, "addresses_that_change"),
        (Program::Clocks, "many_sleepers"),
        (Program::Clocks, "killed_sleepers"),
        (Program::Clocks, "hide_memory"),
        (Program::Clocks, "unreadable_program"),
        (Program::Clocks, "failing_programs"),
        (Program::Clocks, "much_randomness"),
        #[cfg(target_arch = "x86_64")]
        (Program::FastClock, "spoilt_clock"),
    ] {
        let Some(spec) = program(clocks, name) else {
            return;
        };
        assert_prints(&spec, "refused", name);
    }
}

/// However a program asks, it sees one clock: by the C library's way and by the call itself, mixed,
/// in threads and processes.
#[test]
#[cfg(target_arch = "x86_64")]
fn the_fast_clock_and_the_calls_show_one_clock() {
    if !can_repeat() {
        return;
    }
    for (clock, name, expected) in [
        (Program::FastClock, "both_ways", "refused"),
        (Program::FastClock, "kernels_time", "refused"),
        (Program::FastClockStatic, "kernels_time", "refused"),
        (Program::FastClockStatic, "day", "fast clock on day 20454"),
        // Where its page has no place, a program starts without the fast clock, and with the same
        // time.
        (Program::OverTheClock, "day", "no fast clock on day 20454"),
    ] {
        let Some(spec) = program(clock, name) else {
            continue;
        };
        assert_prints(&spec, expected, name);
    }
}

#[test]
fn without_a_world_the_machines_time_is_seen_and_said() {
    if !common::can_jail() {
        return;
    }
    let mut spec = common::shell("date +%s");
    spec.determinism = None;
    let report = common::ran(&spec);
    assert!(!report.is_repeatable);
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .expect("after 1970")
        .as_secs();
    let shown: u64 = String::from_utf8_lossy(&report.stdout)
        .trim()
        .parse()
        .expect("a number");
    assert!(now.abs_diff(shown) < 3600, "{shown} and {now}");
}
