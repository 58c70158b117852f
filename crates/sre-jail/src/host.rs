//! What this host can enforce: each requirement with its state, what follows, and the exact fix.
//!
//! The switches of kernels and distributions are read, and then a jail is made: what counts is
//! whether that works.

use std::fs;
use std::time::Duration;

use crate::cgroup::{Controller, Place, Places};
use crate::jail::{Ending, Jail, JailError, JailOptions, Layer};
use crate::spec::{ClockAndSeed, Limits, ProcessSpec, WritableFiles};
use crate::sys;

/// The oldest kernel: 5.12 has every mount call, 5.14 counts processes per user namespace.
pub const OLDEST_KERNEL: (u32, u32) = (5, 14);

/// Something that native skills need of the host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Requirement {
    /// A short stable name.
    pub name: &'static str,
    /// Whether it is there.
    pub state: State,
    /// What was found.
    pub found: String,
    /// What follows if it is not there; empty if it is.
    pub consequence: String,
    /// What to do about it; empty if nothing has to be done.
    pub fix: String,
}

/// Whether something is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It is.
    Good,
    /// It is not; the operator can allow by name that it is missing.
    Weak,
    /// It is not, and without it there is no jail.
    Missing,
}

impl Requirement {
    fn good(name: &'static str, found: impl Into<String>) -> Self {
        Self {
            name,
            state: State::Good,
            found: found.into(),
            consequence: String::new(),
            fix: String::new(),
        }
    }

    fn not_good(
        name: &'static str,
        state: State,
        found: impl Into<String>,
        consequence: &str,
        fix: &str,
    ) -> Self {
        Self {
            name,
            state,
            found: found.into(),
            consequence: consequence.to_owned(),
            fix: fix.to_owned(),
        }
    }
}

/// Examines the host and makes a jail with `options`, without any layer that the host lacks.
#[must_use]
pub fn examine(options: &JailOptions) -> Vec<Requirement> {
    let places = Places::find();
    let mut found = vec![
        kernel(),
        user_namespaces(),
        time_namespaces(),
        filter(),
        landlock(),
    ];
    found.extend(Controller::ALL.map(|controller| group(controller, &places)));
    let (repeatability, jail) = jail(options);
    found.extend([repeatability, jail]);
    found
}

fn text(path: &str) -> Option<String> {
    fs::read_to_string(path)
        .ok()
        .map(|text| text.trim().to_owned())
}

fn kernel() -> Requirement {
    let release = text("/proc/sys/kernel/osrelease").unwrap_or_default();
    let mut numbers = release
        .split(|c: char| !c.is_ascii_digit())
        .map(|part| part.parse().unwrap_or(0));
    let version: (u32, u32) = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    if version >= OLDEST_KERNEL {
        return Requirement::good("kernel", release);
    }
    let consequence = "no native skill can run: the kernel lacks calls that a jail is made of";
    Requirement::not_good(
        "kernel",
        State::Missing,
        release,
        consequence,
        "upgrade to Linux 5.14 or later",
    )
}

fn user_namespaces() -> Requirement {
    let name = "user_namespaces";
    let consequence = "no native skill can run: a jail begins with a user namespace";
    let missing = |found: String, fix: &str| {
        Requirement::not_good(name, State::Missing, found, consequence, fix)
    };
    if text("/proc/self/ns/user").is_none() && fs::symlink_metadata("/proc/self/ns/user").is_err() {
        return missing(
            String::from("the kernel has none"),
            "use a kernel with CONFIG_USER_NS=y",
        );
    }
    if text("/proc/sys/user/max_user_namespaces").as_deref() == Some("0") {
        return missing(
            String::from("user.max_user_namespaces is 0"),
            "sysctl -w user.max_user_namespaces=65536, and the same line in /etc/sysctl.d/sre.conf",
        );
    }
    if sys::process::who().0 == 0 {
        return Requirement::good(name, "root may make them");
    }
    if text("/proc/sys/kernel/unprivileged_userns_clone").as_deref() == Some("0") {
        return missing(
            String::from("kernel.unprivileged_userns_clone is 0"),
            "sysctl -w kernel.unprivileged_userns_clone=1, and the same line in /etc/sysctl.d/sre.conf",
        );
    }
    if text("/proc/sys/kernel/apparmor_restrict_unprivileged_userns").as_deref() == Some("1") {
        return Requirement::not_good(
            name,
            State::Weak,
            "AppArmor restricts them to programs with a profile that allows it",
            "without such a profile for this program no native skill can run; the line `jail` below tells",
            "install a profile with `userns,` for this program in /etc/apparmor.d, or sysctl -w \
             kernel.apparmor_restrict_unprivileged_userns=0",
        );
    }
    Requirement::good(name, "ordinary users may make them")
}

fn time_namespaces() -> Requirement {
    if fs::symlink_metadata("/proc/self/ns/time").is_ok() {
        return Requirement::good("time_namespaces", "the kernel has them");
    }
    let consequence = "no native skill can run: it could read this machine's uptime";
    let fix = "use a kernel with CONFIG_TIME_NS=y";
    Requirement::not_good(
        "time_namespaces",
        State::Missing,
        "the kernel has none",
        consequence,
        fix,
    )
}

fn filter() -> Requirement {
    let actions = text("/proc/sys/kernel/seccomp/actions_avail").unwrap_or_default();
    let has = |action| actions.split_whitespace().any(|found| found == action);
    if has("kill_process") && has("errno") {
        return Requirement::good("seccomp", "filters with kill_process and errno");
    }
    let consequence = "no native skill can run: nothing would filter its system calls";
    let fix = "use a kernel with CONFIG_SECCOMP_FILTER=y";
    Requirement::not_good("seccomp", State::Missing, "no filters", consequence, fix)
}

fn landlock() -> Requirement {
    let version = sys::landlock::version();
    let name = Layer::Landlock.name();
    match version {
        0 => Requirement::not_good(
            name,
            State::Weak,
            "the kernel has none, or it is off",
            "native skills are refused; with --native-without landlock the mounts alone protect files",
            "use Linux 5.13 or later with CONFIG_SECURITY_LANDLOCK=y and landlock in the kernel's lsm= list",
        ),
        6.. => Requirement::good(name, format!("version {version}")),
        _ => Requirement::good(
            name,
            format!("version {version}; version 6 would also bound signals and sockets"),
        ),
    }
}

fn group(controller: Controller, places: &Places) -> Requirement {
    let (layer, consequence) = match controller {
        Controller::Memory => (
            Layer::MemoryLimit,
            "native skills are refused; with --native-without memory_limit each process is limited by its addresses, \
             and all together by nothing",
        ),
        Controller::Cpu => (
            Layer::CpuLimit,
            "native skills are refused; with --native-without cpu_limit a skill may keep all processors busy until \
             its time is up",
        ),
        Controller::Pids => (
            Layer::ProcessLimit,
            "native skills are refused; with --native-without process_limit the user namespace alone limits them",
        ),
    };
    match places.of(controller) {
        Place::Version2(folder) => {
            Requirement::good(layer.name(), format!("cgroup v2, {}", folder.display()))
        }
        Place::Version1(folder) => {
            Requirement::good(layer.name(), format!("cgroup v1, {}", folder.display()))
        }
        Place::Nowhere(why) => Requirement::not_good(
            layer.name(),
            State::Weak,
            why.clone(),
            consequence,
            "start sre in a cgroup of its own that is delegated to this user: systemd-run --user --scope -p \
             Delegate=yes sre …, or Delegate=yes in the unit of a service",
        ),
    }
}

fn repeatability(why_not: Option<String>) -> Requirement {
    let name = Layer::Repeatability.name();
    let Some(found) = why_not else {
        return Requirement::good(name, "time and randomness of its own, measured");
    };
    Requirement::not_good(
        name,
        State::Weak,
        found,
        "native skills are refused; with --native-without repeatability they see this machine's time and randomness, and \
         a replay that depends on either diverges",
        "sysctl -w kernel.yama.ptrace_scope=1; in a container, run it without a supervisor that answers system calls",
    )
}

/// The proof: a jail in which `true` runs, with time and randomness of its own.
fn jail(options: &JailOptions) -> (Requirement, Requirement) {
    let options = JailOptions {
        may_lack: Layer::ALL.into(),
        ..options.clone()
    };
    let consequence = "no native skill can run";
    let failed = |error: &JailError| {
        let told = error.to_string();
        let jail = Requirement::not_good(
            "jail",
            State::Missing,
            told.clone(),
            consequence,
            advice(&told),
        );
        (
            repeatability(Some(String::from("no jail could be made"))),
            jail,
        )
    };
    let jail = match Jail::new(options) {
        Ok(jail) => jail,
        Err(error) => return failed(&error),
    };
    let spec = ProcessSpec {
        program: String::from("/usr/bin/true"),
        arguments: vec![String::from("true")],
        environment: Vec::new(),
        working_folder: crate::spec::PACKAGE_FOLDER,
        files: Vec::new(),
        writable: WritableFiles::default(),
        stdin: std::sync::Arc::from([]),
        file_time_s: 0,
        limits: Limits {
            wall: Duration::from_secs(60),
            ..Limits::default()
        },
        determinism: Some(ClockAndSeed {
            clock_start_ns: 0,
            seed: [0; 32],
        }),
    };
    match jail.run(&spec, &|| false) {
        Ok(report) if report.ending == Ending::Exited(0) => {
            let namespaces = report.measured.isolated_namespaces().len();
            let took = report.elapsed.as_secs_f64() * 1e3;
            let lacking = jail
                .lacking()
                .into_iter()
                .find(|(layer, _)| *layer == Layer::Repeatability);
            let why_not = lacking.map(|(_, why)| why);
            let made = format!("made and measured: {namespaces} namespaces, {took:.1} ms");
            (repeatability(why_not), Requirement::good("jail", made))
        }
        Ok(report) => {
            let found = format!(
                "a jail was made, but /usr/bin/true ended with {:?}",
                report.ending
            );
            let fix = "install coreutils below the root folder";
            let jail = Requirement::not_good("jail", State::Missing, found, consequence, fix);
            (
                repeatability(Some(String::from("no program ran in a jail"))),
                jail,
            )
        }
        Err(error) => failed(&error),
    }
}

/// What usually is behind a step that failed.
fn advice(told: &str) -> &'static str {
    if told.contains("mounting /proc") {
        "parts of /proc are covered here, as in most containers: run outside, or with them uncovered (docker run \
         --security-opt systempaths=unconfined)"
    } else if told.contains("clone3") {
        "something forbids new namespaces: a container's seccomp profile (--security-opt seccomp=unconfined), AppArmor, \
         or a sysctl named above"
    } else {
        "the message names the step that failed; please report it with the kernel's version"
    }
}
