//! What the tests of this crate share.

#![expect(dead_code, reason = "every test binary uses a part of it")]

use std::collections::BTreeSet;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use sre_jail::jail::Layer;
use sre_jail::{
    ClockAndSeed, File, Jail, JailError, JailOptions, LauncherProgram, Limits, ProcessSpec, Report,
};

/// Long enough never to decide a test.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// The launcher is a program of its own here: `main` belongs to the test harness.
pub fn options() -> JailOptions {
    let built = || env!("CARGO_BIN_EXE_sre-jail-launcher").into();
    let path = std::env::var_os("SRE_JAIL_LAUNCHER_PROGRAM")
        .unwrap_or_else(built)
        .into();
    let launcher = LauncherProgram::Other {
        path,
        arguments: Vec::new(),
    };
    JailOptions {
        launcher,
        ..JailOptions::default()
    }
}

/// Whether this host can make jails at all. One that cannot says so aloud: a container without user
/// namespaces, say.
pub fn can_jail() -> bool {
    static REASON: OnceLock<Option<String>> = OnceLock::new();
    let reason = REASON.get_or_init(|| {
        let options = JailOptions {
            may_lack: BTreeSet::from(Layer::ALL),
            ..options()
        };
        Jail::new(options).err().map(|error| error.to_string())
    });
    if let Some(reason) = reason {
        eprintln!("NOT TESTED HERE: jails, {reason}");
    }
    reason.is_none()
}

/// One jail for all tests of a binary. Layers that this host lacks may be missing, and the tests
/// say so.
pub fn jail() -> &'static Jail {
    static JAIL: OnceLock<Jail> = OnceLock::new();
    JAIL.get_or_init(|| {
        let options = JailOptions {
            may_lack: BTreeSet::from(Layer::ALL),
            ..options()
        };
        let jail = Jail::new(options)
            .unwrap_or_else(|error| panic!("this host can make no jail: {error}"));
        for (layer, why) in jail.lacking() {
            eprintln!("NOT TESTED HERE: {layer}, {why}");
        }
        jail
    })
}

pub fn lacks(layer: Layer) -> bool {
    jail()
        .lacking()
        .iter()
        .any(|(missing, _)| *missing == layer)
}

/// An order for a program with arguments.
pub fn spec(program: &str, arguments: &[&str]) -> ProcessSpec {
    let names = [program].into_iter().chain(arguments.iter().copied());
    ProcessSpec {
        program: program.to_owned(),
        arguments: names.map(str::to_owned).collect(),
        environment: vec![("PATH".into(), "/usr/bin:/bin".into())],
        working_folder: sre_jail::PACKAGE_FOLDER,
        files: Vec::new(),
        writable: sre_jail::WritableFiles::default(),
        stdin: Arc::from([]),
        file_time_s: 1_767_225_600,
        limits: Limits {
            wall: PATIENCE,
            cpu_quota_us: 100_000,
            ..Limits::default()
        },
        determinism: Some(ClockAndSeed {
            clock_start_ns: 1_767_225_600_000_000_000,
            seed: [7; 32],
        }),
    }
}

pub fn shell(script: &str) -> ProcessSpec {
    spec("/bin/sh", &["-c", script])
}

pub fn python(script: &str) -> ProcessSpec {
    spec("/usr/bin/python3", &["-c", script])
}

pub fn file(path: &str, bytes: &[u8], executable: bool) -> File {
    File {
        path: path.to_owned(),
        bytes: bytes.into(),
        executable,
    }
}

pub fn run(spec: &ProcessSpec) -> Result<Report, JailError> {
    jail().run(spec, &|| false)
}

pub fn ran(spec: &ProcessSpec) -> Report {
    run(spec).unwrap_or_else(|error| panic!("no report: {error}"))
}

pub fn printed(spec: &ProcessSpec) -> String {
    let report = ran(spec);
    String::from_utf8_lossy(&report.stdout).into_owned()
}

/// Groups of this process that are still there.
pub fn groups_left() -> Vec<String> {
    let mine = format!("sre-jail-{}-", std::process::id());
    let mut left = Vec::new();
    for controller in ["memory", "cpu", "pids"] {
        let own = std::fs::read_to_string("/proc/self/cgroup").expect("/proc");
        for path in own.lines().filter_map(|line| line.splitn(3, ':').nth(2)) {
            let folder = format!("/sys/fs/cgroup/{controller}{path}");
            let names = std::fs::read_dir(folder).into_iter().flatten().flatten();
            let names = names.map(|entry| entry.file_name().to_string_lossy().into_owned());
            left.extend(names.filter(|name| name.starts_with(&mine)));
        }
    }
    left
}
