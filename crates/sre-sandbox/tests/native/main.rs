//! The native backend beyond the contract: bad programs, scripts, what the result says, faults of
//! the launcher.

#![cfg(target_os = "linux")]

mod warm;

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use sre_core::{Ending, Profile};
use sre_sandbox::native::{LauncherProgram, Layer, NativeOptions, NativeSandbox, Root};
use sre_sandbox::{Call, ErrorKind, Execution, Job, Sandbox, SandboxError, Stop};
use sre_skill::{PackageLimits, Skill};

const PATIENCE: Duration = Duration::from_secs(120);

fn options() -> NativeOptions {
    let path = env!("CARGO_BIN_EXE_sre-sandbox-test-launcher").into();
    let launcher = LauncherProgram::Other {
        path,
        arguments: Vec::new(),
    };
    NativeOptions {
        launcher,
        may_lack: BTreeSet::from(Layer::ALL),
        ..NativeOptions::default()
    }
}

fn sandbox() -> &'static NativeSandbox {
    static SANDBOX: OnceLock<NativeSandbox> = OnceLock::new();
    SANDBOX.get_or_init(|| NativeSandbox::new(options()))
}

/// Whether this host can make jails at all. One that cannot says so aloud.
fn can_jail() -> bool {
    let failed = sandbox().lacking().err();
    if let Some(error) = &failed {
        eprintln!("NOT TESTED HERE: native skills, {error}");
    }
    failed.is_none()
}

fn profile() -> Profile {
    let profile = json!({
        "backend": "native", "fuel": 1, "mem_limit_bytes": 256 << 20, "output_limit_bytes": 1 << 20,
        "tmp_limit_bytes": 4 << 20, "files_limit_bytes": 64 << 20, "files_limit_count": 10_000, "timeout_ms": 30_000, "clock_start": "2026-01-02T03:04:05Z",
        "random_seed": "0".repeat(64),
        "processes": {"pids_limit": 64, "cpu_quota_us": 100_000, "cpu_period_us": 100_000},
    });
    serde_json::from_value(profile).expect("a profile")
}

fn skill(entrypoint: &str, content: Value) -> Skill {
    let object = json!({"name": "test", "runtime": {"entrypoint": entrypoint}, "files": {entrypoint: content}});
    Skill::from_object(&object, &PackageLimits::default()).expect("a skill")
}

fn script(text: &str) -> Skill {
    skill("main", json!({"text": text, "executable": true}))
}

fn binary(bytes: &[u8]) -> Skill {
    skill(
        "main",
        json!({"base64": STANDARD.encode(bytes), "executable": true}),
    )
}

fn run_in(
    sandbox: &NativeSandbox,
    skill: &Skill,
    profile: &Profile,
) -> Result<Execution, SandboxError> {
    let job = Job {
        skill,
        entry: &skill.default_entry().expect("a program"),
        call: Call::Json {
            input: br#"{"n":1}"#,
        },
        profile,
        time_limit: PATIENCE,
        language_runtime: None,
    };
    sandbox.execute(&job, &Stop::new())
}

fn returned(skill: &Skill) -> Value {
    let execution = run_in(sandbox(), skill, &profile()).expect("an outcome");
    execution
        .output
        .unwrap_or_else(|| panic!("{:?}: {}", execution.failure, execution.logs))
}

/// Everything here is refused before an order is accepted, with words that say what to do.
#[test]
fn programs_that_cannot_run_are_refused_with_the_reason() {
    if !can_jail() {
        return;
    }
    let mut foreign = b"\x7fELF\x02\x01\x01".to_vec();
    foreign.resize(64, 0);
    (foreign[16], foreign[18]) = (2, 243); // RISC-V
    let mut library = foreign.clone();
    (library[16], library[18]) = (
        1,
        if cfg!(target_arch = "x86_64") {
            62
        } else {
            183
        },
    );
    let mut narrow = foreign.clone();
    narrow[4] = 1;
    let cases = [
        (
            script("#!/usr/bin/no-such-interpreter\n"),
            "no-such-interpreter",
        ),
        (
            script("#!/usr/bin/env no-such-interpreter\n"),
            "/usr/bin/no-such-interpreter",
        ),
        (script("#!/bin/sh\r\necho 1\r\n"), "carriage return"),
        (script("#!\n"), "names no interpreter"),
        (script("#!/usr/bin/env\n"), "names no interpreter"),
        (script("#!sh\n"), "no absolute path"),
        (script("#!/skill/main2\n"), "not there"),
        // Files of the host that no jail shows: whether there is one is not told, and none is read.
        (script("#!/proc/self/pagemap\n"), "not there"),
        (script("#!/proc/self/exe\n"), "not there"),
        (script("#!/usr/../proc/self/exe\n"), "not there"),
        (script("#!/dev/zero\n"), "not there"),
        (script("#!/etc/passwd\n"), "not there"),
        (script("#!/usr/lib/os-release\n"), "not there"),
        (
            script(&format!("#!/bin/{}\n", "x".repeat(300))),
            "longer than",
        ),
        (script(""), "is empty"),
        (script("echo 1\n"), "neither an ELF header nor"),
        (binary(&foreign), "another machine"),
        (binary(&narrow), "another machine"),
        (binary(&library), "another kind of ELF"),
        (binary(b"\x7fELF"), "broken ELF"),
        (binary(b"#!/bin/\xff\xfe\n"), "not UTF-8"),
        (skill("main.wat", json!("(module)")), "wasm backend"),
    ];
    for (skill, told) in cases {
        let error = sandbox()
            .prepare(&skill, &skill.default_entry().expect("a program"))
            .expect_err(told);
        assert_eq!(error.kind(), ErrorKind::Rejected, "{error}");
        assert!(
            error.to_string().contains(told),
            "{error} does not say {told:?}"
        );
        assert!(run_in(sandbox(), &skill, &profile()).is_err(), "{told}");
    }
}

/// What passes every look at it and still is no program is refused by the kernel and told as such.
#[test]
fn a_program_that_the_kernel_refuses_is_no_outcome() {
    if !can_jail() {
        return;
    }
    let mut hollow = b"\x7fELF\x02\x01\x01".to_vec();
    hollow.resize(64, 0);
    (hollow[16], hollow[18]) = (
        2,
        if cfg!(target_arch = "x86_64") {
            62
        } else {
            183
        },
    );
    let error = run_in(sandbox(), &binary(&hollow), &profile()).expect_err("no program");
    assert_eq!(error.kind(), ErrorKind::Rejected);
    assert!(error.to_string().contains("cannot be started"), "{error}");
}

#[test]
fn limits_without_sense_are_refused_before_anything_runs() {
    if !can_jail() {
        return;
    }
    let skill = script("#!/bin/sh\necho 1\n");
    let cases = [
        ("mem_limit_bytes", json!(0), "memory"),
        ("tmp_limit_bytes", json!(0), "/tmp"),
        (
            "processes",
            json!({"pids_limit": 0, "cpu_quota_us": 1000, "cpu_period_us": 1000}),
            "processes are too few",
        ),
        (
            "processes",
            json!({"pids_limit": 9, "cpu_quota_us": 0, "cpu_period_us": 1000}),
            "processor time",
        ),
        (
            "processes",
            json!({"pids_limit": 9, "cpu_quota_us": 1000, "cpu_period_us": 0}),
            "processor period",
        ),
        (
            "processes",
            json!({"pids_limit": 9, "cpu_quota_us": 1000, "cpu_period_us": 9_999_999}),
            "period lies between",
        ),
    ];
    for (field, value, told) in cases {
        let mut changed = serde_json::to_value(profile()).expect("JSON");
        changed[field] = value;
        let profile = serde_json::from_value(changed).expect("a profile");
        let error = run_in(sandbox(), &skill, &profile).expect_err(told);
        assert_eq!(error.kind(), ErrorKind::Rejected, "{error}");
        assert!(
            error.to_string().contains(told),
            "{error} does not say {told:?}"
        );
    }
}

#[test]
fn a_memory_limit_that_no_program_fits_in_is_out_of_memory_or_refused() {
    if !can_jail() {
        return;
    }
    let mut changed = serde_json::to_value(profile()).expect("JSON");
    changed["mem_limit_bytes"] = json!(65_536);
    let profile = serde_json::from_value(changed).expect("a profile");
    match run_in(sandbox(), &script("#!/bin/sh\necho 1\n"), &profile) {
        Ok(execution) => assert_ne!(
            execution.outcome.error_code(None),
            None,
            "{}",
            execution.outcome
        ),
        Err(error) => assert!(
            matches!(error.kind(), ErrorKind::Rejected | ErrorKind::Unavailable),
            "{error}"
        ),
    }
}

#[test]
fn scripts_run_with_their_interpreters() {
    if !can_jail() {
        return;
    }
    assert_eq!(returned(&script("#!/bin/sh\ncat\n")), json!({"n": 1}));
    assert_eq!(returned(&script("#!/bin/sh -e\ncat\n")), json!({"n": 1}));
    assert_eq!(
        returned(&script("#!/usr/bin/env sh\ncat\n")),
        json!({"n": 1})
    );
    if !Path::new("/usr/bin/python3").exists() {
        eprintln!("NOT TESTED HERE: Python scripts, there is no /usr/bin/python3");
        return;
    }
    let main = "import json, os, sys\nfrom helper import twice\n\
        print(json.dumps([twice(json.load(sys.stdin)['n']), sys.argv, os.getcwd(), json.loads(os.environ['INPUT_JSON']), sys.executable]))";
    let object = json!({
        "name": "test", "runtime": {"entrypoint": "scripts/main.py"},
        "files": {"scripts/main.py": main, "scripts/helper.py": "def twice(n): return 2 * n\n"},
    });
    let skill = Skill::from_object(&object, &PackageLimits::default()).expect("a skill");
    assert_eq!(
        returned(&skill),
        json!([2, ["/skill/scripts/main.py"], "/skill", {"n": 1}, "/usr/bin/python3"])
    );
}

/// Shell scripts mostly come without an executable bit.
#[test]
fn a_shell_script_needs_no_executable_bit() {
    if !can_jail() {
        return;
    }
    let plain = |path: &str, text: &str| skill(path, json!({"text": text, "executable": false}));
    assert_eq!(returned(&plain("main.sh", "cat\n")), json!({"n": 1}));
    let bash = "if [ -n \"$BASH_VERSION\" ]; then echo '\"bash\"'; else echo '\"sh\"'; fi\n";
    assert_eq!(returned(&plain("main.bash", bash)), json!("bash"));
    let named = format!("#!/usr/bin/env bash\n{bash}");
    assert_eq!(returned(&plain("main.sh", &named)), json!("bash"));
}

/// The end of the first process is the end of the skill. What it left running is killed before what
/// answers its calls goes: it never sees a call fail, and prints nothing any more.
///
/// 50 runs; `SRE_LEFTOVER_RUNS` sets another number.
#[test]
fn what_a_skill_leaves_running_is_gone_with_it() {
    if !can_jail() {
        return;
    }
    let runs =
        std::env::var("SRE_LEFTOVER_RUNS").map_or(50, |runs| runs.parse().expect("a number"));
    let leftovers = [
        "(sleep 5; echo more) &",
        "setsid sh -c 'sleep 5; echo more' &",
        "(while :; do sleep 1 || echo failed; done) & (while :; do sleep 2 || echo failed; done) &",
    ];
    let skills = leftovers.map(|leftover| {
        script(&format!(
            "#!/bin/sh\n{leftover}\necho '{{\"a\":1}}'\nexit 0\n"
        ))
    });
    for run in 0..runs {
        let skill = &skills[run % skills.len()];
        let execution = run_in(sandbox(), skill, &profile()).expect("an outcome");
        assert_eq!(
            execution.output,
            Some(json!({"a": 1})),
            "run {run}: {:?} {}",
            execution.failure,
            execution.logs
        );
        assert_eq!(execution.logs, "", "run {run}");
        assert!(
            execution.elapsed < Duration::from_secs(4),
            "nothing is waited for"
        );
    }
}

/// The contract's names may hold anything that the package format lets in.
#[test]
fn a_large_package_with_odd_names_arrives_as_it_is() {
    if !can_jail() {
        return;
    }
    let mut files =
        json!({"main": {"text": "#!/bin/sh\nfind . -type f | wc -l\n", "executable": true}});
    for at in 0..500 {
        files[format!("data/{at:04} ä'\"$(x).txt")] = json!("x".repeat(at));
    }
    let object = json!({"name": "test", "runtime": {"entrypoint": "main"}, "files": files});
    let skill = Skill::from_object(&object, &PackageLimits::default()).expect("a skill");
    assert_eq!(returned(&skill), json!(501));
}

/// Two runs see the same, as far as the result says so.
#[test]
fn what_is_called_fixed_is_the_same_in_every_run() {
    if !can_jail() {
        return;
    }
    let shows = "#!/bin/sh\n(env; id; hostname; echo $$; ls -la --full-time /skill; cat /proc/self/maps | cut -c1-40; \
        cat /proc/self/cgroup; cat /etc/passwd) | od -An -tx1 -v | tr -d ' \\n' | sed 's/.*/\"&\"/'\n";
    let first = returned(&script(shows));
    for _ in 0..3 {
        assert_eq!(returned(&script(shows)), first);
    }
    if Path::new("/usr/bin/python3").exists() {
        let hashes = skill("main.py", json!("print('\"%d\"' % hash('text'))"));
        assert_eq!(returned(&hashes), returned(&hashes));
        assert_eq!(
            run_in(sandbox(), &hashes, &profile())
                .expect("an outcome")
                .isolation
                .expect("a label")
                .repeatability["hash_seed"],
            "fixed"
        );
    }
}

#[test]
fn the_result_says_what_held() {
    if !can_jail() {
        return;
    }
    let execution =
        run_in(sandbox(), &script("#!/bin/sh\necho 1\n"), &profile()).expect("an outcome");
    let isolation = execution.isolation.expect("a label");
    assert_eq!(
        isolation.enforced["namespaces"],
        "user pid mnt net ipc uts cgroup time"
    );
    assert_eq!(isolation.enforced["seccomp"], "mode 2");
    assert_eq!(isolation.enforced["capabilities"], "none");
    for layer in Layer::ALL
        .into_iter()
        .filter(|layer| *layer != Layer::Repeatability)
    {
        let name = layer.name();
        assert!(
            isolation.enforced.contains_key(name) != isolation.missing.contains_key(name),
            "{name}"
        );
    }
    let is_lacking = isolation.missing.contains_key("repeatability");
    assert_eq!(
        isolation.repeatability["clock"],
        if is_lacking { "host" } else { "virtual" }
    );
    assert_eq!(
        isolation.repeatability["randomness"],
        if is_lacking { "host" } else { "seeded" }
    );
    assert!(execution.resources.peak_memory_bytes > 0);
}

#[test]
fn signals_are_told_in_words() {
    if !can_jail() {
        return;
    }
    let killed =
        run_in(sandbox(), &script("#!/bin/sh\nkill -SEGV $$\n"), &profile()).expect("an outcome");
    assert_eq!(killed.outcome.ending, Ending::Exited { code: 139 });
    assert!(killed.failure.expect("words").contains("memory fault"));
}

fn skill_of_python(text: &str) -> Skill {
    skill("main.py", json!(text))
}

/// Whether a process of this host, in a jail or not, has this argument.
fn runs_with(argument: &str) -> bool {
    let processes = std::fs::read_dir("/proc").expect("/proc").flatten();
    let mut lines =
        processes.filter_map(|process| std::fs::read(process.path().join("cmdline")).ok());
    lines.any(|line| {
        line.split(|byte| *byte == 0)
            .any(|one| one == argument.as_bytes())
    })
}

/// The launcher dies with every jail, the run says so, and the next one has a new launcher.
#[test]
fn a_launcher_that_dies_is_an_operating_failure_and_is_started_again() {
    if !can_jail() {
        return;
    }
    let own = NativeSandbox::new(options());
    let good = script("#!/bin/sh\necho 1\n");
    assert!(run_in(&own, &good, &profile()).is_ok());
    // A length that no other process sleeps for.
    let mark = format!("1000.{}", std::process::id());
    let endless = script(&format!("#!/bin/sh\nsleep {mark}\n"));
    std::thread::scope(|scope| {
        let running = scope.spawn(|| run_in(&own, &endless, &profile()));
        let waiting = Instant::now();
        while !runs_with(&mark) {
            assert!(
                waiting.elapsed() < PATIENCE && !running.is_finished(),
                "the run never begins"
            );
            std::thread::sleep(Duration::from_millis(5));
        }
        let launcher = own.launcher_pid().expect("a launcher");
        let killed = std::process::Command::new("kill")
            .args(["-KILL", &launcher.to_string()])
            .status();
        assert!(killed.expect("kill").success());
        let error = running
            .join()
            .expect("no panic")
            .expect_err("its jail is gone");
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    });
    assert!(run_in(&own, &good, &profile()).is_ok());
}

#[test]
fn a_root_folder_is_bound_by_its_digest() {
    if !can_jail() {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let root = folder.path().join("root");
    for path in ["usr/bin", "etc"] {
        std::fs::create_dir_all(root.join(path)).expect("a folder");
    }
    std::os::unix::fs::symlink("usr/bin", root.join("bin")).expect("a link");
    let with_root = || {
        NativeSandbox::new(NativeOptions {
            root: Root::Folder(root.clone()),
            ..options()
        })
    };
    let needs_shell = script("#!/bin/sh\necho 1\n");
    let error = with_root()
        .engine(
            &needs_shell,
            &needs_shell.default_entry().expect("a program"),
            None,
        )
        .expect_err("there is no shell in it");
    assert_eq!(error.kind(), ErrorKind::Rejected);
    std::fs::copy("/bin/sh", root.join("usr/bin/sh")).expect("a shell");
    let identity = |sandbox: NativeSandbox| {
        sandbox
            .engine(
                &needs_shell,
                &needs_shell.default_entry().expect("a program"),
                None,
            )
            .expect("an engine")
            .configuration
            .clone()
    };
    let first = identity(with_root());
    assert!(
        first["root"].starts_with("sha256:") && first["interpreter"].starts_with("/bin/sh sha256:")
    );
    std::fs::write(root.join("etc/x"), "x").expect("a file");
    assert_ne!(identity(with_root())["root"], first["root"]);
}
