//! What a jail does for those who behave.

#![cfg(target_os = "linux")]

mod common;

use std::time::Duration;

use sre_jail::jail::Layer;
use sre_jail::{Ending, JailError, LauncherProgram, Limits};

#[test]
fn standard_input_arguments_environment_and_package_arrive() {
    if !common::can_jail() {
        return;
    }
    let mut spec = common::shell(
        "cat; echo; echo \"$NAME\"; cat data/note; ./tool; pwd; id -u; hostname; echo $$",
    );
    spec.stdin = (*b"the input").into();
    spec.environment.push((
        String::from("NAME"),
        String::from("a value = with \"signs\""),
    ));
    spec.files = vec![
        common::file("data/note", b"a note\n", false),
        common::file("tool", b"#!/bin/sh\necho a tool\n", true),
    ];
    let expected = "the input\na value = with \"signs\"\na note\na tool\n/skill\n1000\nskill\n2\n";
    assert_eq!(common::printed(&spec), expected);
}

#[test]
fn no_signal_is_ignored_or_blocked() {
    if !common::can_jail() {
        return;
    }
    let none = "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n";
    let spec = common::spec(
        "/usr/bin/grep",
        &["-E", "SigBlk|SigIgn", "/proc/self/status"],
    );
    let on_machine_time = sre_jail::ProcessSpec {
        determinism: None,
        ..spec.clone()
    };
    assert_eq!(
        (
            common::printed(&spec).as_str(),
            common::printed(&on_machine_time).as_str()
        ),
        (none, none)
    );
}

#[test]
fn endings_are_told_apart() {
    if !common::can_jail() {
        return;
    }
    let ending = |script| common::ran(&common::shell(script)).ending;
    assert_eq!(ending("exit 0"), Ending::Exited(0));
    assert_eq!(ending("exit 42"), Ending::Exited(42));
    assert_eq!(ending("kill -TERM $$"), Ending::Signalled(15));
    // Not even a kill of everything it can see reaches the jail's first process.
    assert_eq!(ending("kill -KILL -1; exit 7"), Ending::Exited(7));
    match common::run(&common::spec("/no/such/program", &[])) {
        Err(JailError::NotStarted(error)) => assert_eq!(error.errno, 2),
        other => panic!("{other:?}"),
    }
}

#[test]
fn output_is_kept_up_to_its_limits() {
    if !common::can_jail() {
        return;
    }
    let mut spec = common::shell("printf 12345; printf abcdefgh >&2");
    spec.limits = Limits {
        stdout_bytes: 5,
        stderr_bytes: 3,
        ..spec.limits
    };
    let report = common::ran(&spec);
    assert_eq!(
        (
            &*report.stdout,
            &*report.stderr.kept,
            report.stderr.lost_bytes
        ),
        (&b"12345"[..], &b"abc"[..], 5)
    );
    spec.limits.stdout_bytes = 4;
    let report = common::ran(&spec);
    assert_eq!(
        (report.ending, &*report.stdout),
        (Ending::OutputLimit, &b"1234"[..])
    );
}

#[test]
fn time_and_a_stop_end_a_jail() {
    if !common::can_jail() {
        return;
    }
    let mut spec = common::shell("sleep 1000");
    spec.limits.wall = Duration::from_millis(100);
    assert!(matches!(common::run(&spec), Err(JailError::TimedOut(_))));
    spec.limits.wall = common::PATIENCE;
    let asked = std::cell::Cell::new(0);
    let stop = || {
        asked.set(asked.get() + 1);
        asked.get() > 3
    };
    assert!(matches!(
        common::jail().run(&spec, &stop),
        Err(JailError::Stopped)
    ));
}

#[test]
fn memory_and_time_are_counted() {
    if !common::can_jail() {
        return;
    }
    let report = common::ran(&common::shell(
        "i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done",
    ));
    assert!(report.cpu > Duration::ZERO && report.elapsed > Duration::ZERO);
    assert!(
        report.peak_memory_bytes > 100_000,
        "{}",
        report.peak_memory_bytes
    );
    let isolated = report.measured.isolated_namespaces();
    assert_eq!(isolated.len(), 8, "{isolated:?}");
    assert_eq!(
        report.group_limits.len(),
        3 - [Layer::MemoryLimit, Layer::CpuLimit, Layer::ProcessLimit]
            .into_iter()
            .filter(|layer| common::lacks(*layer))
            .count()
    );
}

/// A program that was started again without knowing of launchers would do its ordinary work a
/// second time.
#[test]
fn a_program_that_never_called_enter_if_asked_is_not_started_again() {
    let options = sre_jail::JailOptions {
        launcher: LauncherProgram::ThisProgram,
        may_lack: Layer::ALL.into(),
        ..sre_jail::JailOptions::default()
    };
    let error = sre_jail::Jail::new(options).expect_err("the test harness calls nothing first");
    assert!(error.to_string().contains("enter_if_asked"), "{error}");
}

/// A program that is no launcher says nothing; the reason is in the message.
#[test]
fn a_launcher_that_is_none_is_an_error() {
    let path = "/bin/true".into();
    let launcher = LauncherProgram::Other {
        path,
        arguments: Vec::new(),
    };
    let options = sre_jail::JailOptions {
        launcher,
        may_lack: Layer::ALL.into(),
        ..sre_jail::JailOptions::default()
    };
    assert!(matches!(
        sre_jail::Jail::new(options),
        Err(JailError::Launcher(_))
    ));
}

#[test]
fn a_layer_that_the_host_lacks_must_be_named() {
    if !common::can_jail() {
        return;
    }
    let named = common::jail().lacking();
    match (sre_jail::Jail::new(common::options()), named.first()) {
        (Ok(_), None) => {}
        (Err(JailError::Lacking { layer, .. }), Some((missing, _))) => assert_eq!(layer, *missing),
        (other, missing) => panic!("{other:?} although {missing:?}"),
    }
}
