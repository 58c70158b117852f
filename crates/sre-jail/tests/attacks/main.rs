//! Attacks on the jail, each with the containment it must meet, run as root and as an ordinary
//! user.
//!
//! `attacks.c` is compiled when the suite starts; Python and shell attacks stand in `table.rs`. The
//! suite runs in a process of its own for each user, with a secret in its environment, a secret
//! file beside it, listening sockets and a process to be killed: what the attacks are after. Where
//! a tool or a layer is missing, it says so aloud.

#![cfg(target_os = "linux")]

#[path = "../common/mod.rs"]
mod common;
mod table;

use std::fs;
use std::net::TcpListener;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use sre_jail::jail::Layer;
use sre_jail::{Ending, File, JailError, Limits, ProcessSpec, Report};
use table::{Expected, IN_C, IN_PYTHON, IN_SHELL};

const SECRET: &str = "SECRET-4f1c9a";
const SIGSYS: i32 = 31;

/// Fewer would be no suite.
#[test]
fn there_are_at_least_sixty_attacks() {
    assert!(IN_C.len() + IN_PYTHON.len() + IN_SHELL.len() >= 60);
}

#[test]
fn attacks_are_contained_by_root() {
    if !is_root() {
        eprintln!("NOT TESTED HERE: attacks on jails that root makes; this is an ordinary user");
        return;
    }
    run_suite(None);
}

#[test]
fn attacks_are_contained_by_an_ordinary_user() {
    run_suite(is_root().then_some(1000));
}

fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|own| std::os::unix::fs::MetadataExt::uid(&own) == 0)
}

/// Runs `the_suite` in a process of its own, as `user` if given. That user may not read the build
/// folder.
fn run_suite(user: Option<u32>) {
    let folder = tempfile::tempdir().expect("a folder");
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).expect("a mode");
    let copy = |from: &Path, name: &str| {
        let to = folder.path().join(name);
        fs::copy(from, &to).expect("a copy");
        to
    };
    let own = copy(&std::env::current_exe().expect("the test binary"), "suite");
    let launcher = copy(
        Path::new(env!("CARGO_BIN_EXE_sre-jail-launcher")),
        "launcher",
    );
    fs::write(folder.path().join("canary"), SECRET).expect("a canary");
    if !compile(&folder.path().join("attacks")) {
        eprintln!("NOT TESTED HERE: attacks in C, there is no gcc");
    }
    let mut suite = Command::new(own);
    suite
        .args(["--ignored", "--exact", "the_suite", "--nocapture"])
        .current_dir("/");
    suite
        .env("SRE_TEST_SECRET", SECRET)
        .env("SRE_JAIL_LAUNCHER_PROGRAM", launcher)
        .env("FOLDER", folder.path());
    if let Some(user) = user {
        suite.uid(user).gid(user);
    }
    assert!(
        suite.status().expect("the suite").success(),
        "attacks were not contained; they are named above"
    );
}

fn compile(to: &Path) -> bool {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/attacks/attacks.c");
    let Ok(ended) = Command::new("gcc")
        .args(["-O1", "-pthread", "-o"])
        .arg(to)
        .arg(source)
        .status()
    else {
        return false;
    };
    assert!(ended.success(), "attacks.c does not compile");
    fs::set_permissions(to, fs::Permissions::from_mode(0o755)).is_ok()
}

struct Attack {
    name: String,
    spec: ProcessSpec,
    expected: Expected,
}

/// What the attacks are after, and what they are told about it.
struct Host {
    folder: PathBuf,
    victim: Child,
    _tcp: TcpListener,
    _abstract: UnixListener,
    _path: Option<UnixListener>,
    told: Vec<(String, String)>,
}

impl Host {
    fn new() -> Self {
        let folder = PathBuf::from(std::env::var_os("FOLDER").expect("a folder"));
        let victim = Command::new("sleep").arg("1000").spawn().expect("sleep");
        let tcp = TcpListener::bind("127.0.0.1:0").expect("a port");
        let name = format!("sre-attacks-{}", std::process::id());
        let address = SocketAddr::from_abstract_name(&name).expect("a name");
        let hidden = UnixListener::bind_addr(&address).expect("an abstract socket");
        let path = std::env::temp_dir().join(&name);
        let told = [
            ("CANARY", folder.join("canary").display().to_string()),
            ("HOST_FOLDER", folder.display().to_string()),
            ("HOST_PID", victim.id().to_string()),
            (
                "HOST_PORT",
                tcp.local_addr().expect("an address").port().to_string(),
            ),
            ("HOST_ABSTRACT", name),
            ("HOST_SOCKET", path.display().to_string()),
        ];
        let told = told
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .collect();
        Self {
            folder,
            victim,
            _tcp: tcp,
            _abstract: hidden,
            _path: UnixListener::bind(path).ok(),
            told,
        }
    }

    fn spec(&self, expected: Expected, program: &str, arguments: &[&str]) -> ProcessSpec {
        let mut spec = common::spec(program, arguments);
        spec.environment.extend(self.told.iter().cloned());
        spec.limits = Limits {
            memory_bytes: 128 << 20,
            tmp_bytes: 16 << 20,
            tmp_files: 1000,
            wall: if expected == Expected::TimeOut {
                Duration::from_secs(1)
            } else {
                common::PATIENCE
            },
            ..spec.limits
        };
        spec
    }

    fn attacks(&self) -> Vec<Attack> {
        let mut attacks = Vec::new();
        if let Ok(program) = fs::read(self.folder.join("attacks")) {
            let file = common::file("attacks", &program, true);
            attacks.extend(IN_C.iter().map(|(name, expected)| {
                let mut spec = self.spec(*expected, "/skill/attacks", &[name]);
                spec.files.push(file.clone());
                Attack {
                    name: format!("C: {name}"),
                    spec,
                    expected: *expected,
                }
            }));
        }
        let package: File = common::file("attacks", b"not to be changed", true);
        if Path::new("/usr/bin/python3").exists() {
            attacks.extend(IN_PYTHON.iter().map(|(name, script, expected)| {
                let script = format!(
                    "import os, sys\ndef refused(): print('refused'); sys.exit(0)\n{script}"
                );
                let mut spec = self.spec(*expected, "/usr/bin/python3", &["-c", &script]);
                spec.files.push(package.clone());
                Attack {
                    name: format!("Python: {name}"),
                    spec,
                    expected: *expected,
                }
            }));
        } else {
            eprintln!("NOT TESTED HERE: attacks in Python, there is no /usr/bin/python3");
        }
        attacks.extend(IN_SHELL.iter().map(|(name, script, expected)| {
            let mut spec = self.spec(*expected, "/bin/sh", &["-c", script]);
            spec.files.push(package.clone());
            Attack {
                name: format!("shell: {name}"),
                spec,
                expected: *expected,
            }
        }));
        attacks
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        let (_, path) = self
            .told
            .iter()
            .find(|(name, _)| name == "HOST_SOCKET")
            .expect("its name");
        drop(fs::remove_file(path));
        drop(self.victim.kill());
        drop(self.victim.wait());
    }
}

/// Started by the tests above, in a process of its own.
#[test]
#[ignore = "run_suite starts it, as the user it is to run as"]
fn the_suite() {
    if !common::can_jail() {
        return;
    }
    let host = Host::new();
    common::ran(&common::spec("/usr/bin/true", &[]));
    let launcher = common::jail().launcher_pid();
    let before = traces();
    let failures = Mutex::new(Vec::new());
    let (attacks, next) = (host.attacks(), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while let Some(attack) = attacks.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if let Err(how) = attempt(attack) {
                        failures
                            .lock()
                            .expect("a lock")
                            .push(format!("{}: {how}", attack.name));
                    }
                }
            });
        }
    });
    let mut failures = failures.into_inner().expect("a lock");
    let mut check = |holds: bool, what: &str| {
        if !holds {
            failures.push(what.to_owned());
        }
    };
    check(alive(host.victim.id()), "the victim on the host was killed");
    check(
        common::jail().launcher_pid() == launcher,
        "the launcher had to be started again",
    );
    check(
        fs::read(host.folder.join("canary")).is_ok_and(|found| found == SECRET.as_bytes()),
        "the canary has changed",
    );
    check(outlivers().is_empty(), "processes outlived their jail");
    check(
        traces() == before,
        "descriptors, mounts or cgroups are left",
    );
    println!(
        "{} attacks, {} not contained",
        attacks.len(),
        failures.len()
    );
    assert!(failures.is_empty(), "{failures:#?}");
}

fn attempt(attack: &Attack) -> Result<(), String> {
    let ran = common::run(&attack.spec);
    let (stdout, stderr) = match &ran {
        Ok(Report { stdout, stderr, .. }) => (
            String::from_utf8_lossy(stdout).into_owned(),
            String::from_utf8_lossy(&stderr.kept).into_owned(),
        ),
        Err(_) => (String::new(), String::new()),
    };
    if stdout.contains("ESCAPED") {
        return Err(stdout);
    }
    if stdout.contains(SECRET) || stderr.contains(SECRET) {
        return Err(String::from("it read the secret"));
    }
    let ending = ran.map(|report| report.ending);
    let is_refusal = stdout
        .lines()
        .last()
        .is_some_and(|line| line.starts_with("refused"));
    let contained = match (attack.expected, &ending) {
        (Expected::Refused, Ok(Ending::Exited(0))) => is_refusal,
        (Expected::Killed, Ok(Ending::Signalled(signal))) => *signal == SIGSYS,
        (Expected::OutOfMemory, Ok(Ending::OutOfMemory)) => true,
        (Expected::OutOfMemory, Ok(_)) => common::lacks(Layer::MemoryLimit),
        (Expected::Limit, Ok(Ending::OutputLimit)) => true,
        (Expected::TimeOut, Err(JailError::TimedOut(_))) => true,
        (Expected::NoOutput, Ok(Ending::Exited(0))) => stdout.is_empty(),
        (Expected::Survived, _) => true,
        _ => false,
    };
    if contained {
        Ok(())
    } else {
        Err(format!(
            "{ending:?}, expected {:?}: {stdout} {stderr}",
            attack.expected
        ))
    }
}

/// What must be the same before and after: open descriptors, mounts, this process's groups.
fn traces() -> (usize, String, Vec<String>) {
    let descriptors = fs::read_dir("/proc/self/fd").expect("/proc").count();
    let mounts = fs::read_to_string("/proc/self/mountinfo").expect("/proc");
    (descriptors, mounts, common::groups_left())
}

fn alive(pid: u32) -> bool {
    let status = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    !status.is_empty() && !status.contains(") Z ")
}

/// Processes on the host that an attack left.
fn outlivers() -> Vec<String> {
    let names = fs::read_dir("/proc").expect("/proc").flatten();
    let names = names.filter_map(|entry| fs::read_to_string(entry.path().join("comm")).ok());
    names
        .filter(|name| name.starts_with("sre-outliver"))
        .collect()
}
