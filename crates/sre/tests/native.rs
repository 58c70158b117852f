//! Native skills through the real binary: policy, result, replay, and `sre doctor`.

#![cfg(target_os = "linux")]

mod common;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;

/// Every layer may be missing, so that the tests run on any host; what is missing is in the result.
const ANYWHERE: [&str; 3] = [
    "--allow-native",
    "--native-without",
    "memory_limit,cpu_limit,process_limit,landlock,repeatability",
];

fn sre(data: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sre"));
    command
        .args(arguments)
        .env("SRE_DATA_DIR", data)
        .env_remove("SRE_ALLOW_NATIVE")
        .env_remove("SRE_NATIVE_WITHOUT");
    command.output().expect("the binary")
}

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)))
}

/// Whether this host can make jails at all. One that cannot says so aloud.
fn can_jail() -> bool {
    let folder = tempfile::tempdir().expect("a folder");
    let report = json(&sre(folder.path(), &["doctor", "--format", "json"]));
    let jail = report["checks"]
        .as_array()
        .and_then(|checks| checks.iter().find(|check| check["name"] == "jail"));
    let is_good = jail.is_some_and(|check| check["state"] == "good");
    if !is_good {
        eprintln!("NOT TESTED HERE: native skills, {report}");
    }
    is_good
}

fn skill(folder: &TempDir, entrypoint: &str, program: &str) -> PathBuf {
    let skill = folder.path().join("native-skill");
    fs::create_dir_all(&skill).expect("a folder");
    let front = format!(
        "---\nname: native-skill\ndescription: a test\nruntime:\n  entrypoint: {entrypoint}\n---\n"
    );
    fs::write(skill.join("SKILL.md"), front).expect("a file");
    fs::write(skill.join(entrypoint), program).expect("a file");
    fs::set_permissions(skill.join(entrypoint), fs::Permissions::from_mode(0o755)).expect("a mode");
    skill
}

#[test]
fn a_native_skill_needs_the_operators_permission() {
    let folder = tempfile::tempdir().expect("a folder");
    let skill = skill(&folder, "main.sh", "#!/bin/sh\ncat\n");
    let data = folder.path().join("data");
    for backend in [&[][..], &["--backend", "native"][..]] {
        let arguments = [&["run", skill.to_str().expect("UTF-8")], backend].concat();
        let refused = sre(&data, &arguments);
        assert_eq!(refused.status.code(), Some(2));
        let told = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert!(
            told.contains("--allow-native") && told.contains("sre doctor"),
            "{told}"
        );
    }
    let wasm = sre(
        &data,
        &[
            "run",
            skill.to_str().expect("UTF-8"),
            "--backend",
            "wasm",
            "--allow-native",
        ],
    );
    assert_eq!(
        wasm.status.code(),
        Some(2),
        "a native skill is no WebAssembly"
    );
    assert!(!data.exists(), "a refused order writes nothing");
}

#[test]
fn a_native_order_is_replayed_and_reports_its_isolation() {
    if !can_jail() {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let skill = skill(&folder, "main.sh", "#!/bin/sh\ncat\n");
    let (data, skill) = (folder.path().join("data"), skill.to_str().expect("UTF-8"));
    let run = [
        "run",
        skill,
        "--input",
        "{\"n\":1}",
        "--order-id",
        "n1",
        "--format",
        "json",
    ];
    let ran = sre(&data, &[&run[..], &ANYWHERE].concat());
    let result = json(&ran);
    assert_eq!(ran.status.code(), Some(0), "{result}");
    assert_eq!(result["output"], serde_json::json!({"n": 1}));
    assert_eq!(result["verification"]["verdict"], "matched");
    let commit = &result["commit_result"];
    assert_eq!(commit["backend"], "native");
    assert_eq!(commit["isolation"]["enforced"]["seccomp"], "mode 2");
    let clock = if commit["isolation"]["missing"]["repeatability"].is_null() {
        "virtual"
    } else {
        "host"
    };
    assert_eq!(commit["isolation"]["repeatability"]["clock"], clock);

    let again = sre(
        &data,
        &[&["verify", "n1", "--format", "json"][..], &ANYWHERE].concat(),
    );
    assert_eq!(again.status.code(), Some(0), "{}", json(&again));
    // Unless the operator allows it there is no replay, and the verdict is not `diverged`.
    assert_eq!(sre(&data, &["verify", "n1"]).status.code(), Some(25));
}

/// Time and randomness are the order's: a replay sees them again, and so do many runs in many
/// surroundings.
#[test]
fn output_that_shows_time_and_randomness_is_repeated() {
    if !can_jail() {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let program = "#!/bin/sh\necho \"[\\\"$(date +%s.%N)\\\",\\\"$(head -c 8 /dev/urandom | od -An -tx1 | tr -d ' ')\\\"]\"\n";
    let skill = skill(&folder, "main.sh", program);
    let (data, path) = (folder.path().join("data"), skill.to_str().expect("UTF-8"));
    let order = [
        "run",
        path,
        "--clock-start",
        "2031-05-06T07:08:09Z",
        "--format",
        "json",
    ];
    let result = json(&sre(&data, &[&order[..], &ANYWHERE].concat()));
    if !result["commit_result"]["isolation"]["missing"]["repeatability"].is_null() {
        eprintln!("NOT TESTED HERE: repeatability, {result}");
        return;
    }
    assert_eq!(result["verification"]["verdict"], "matched", "{result}");
    let shown = result["output"][0].as_str().expect("a date");
    assert!(shown.starts_with("1935817689.0000"), "{shown}");

    let measured = sre(
        &data,
        &[
            &["determinism", path, "--runs", "12", "--format", "json"][..],
            &ANYWHERE,
        ]
        .concat(),
    );
    let verdict = json(&measured);
    assert_eq!(
        (measured.status.code(), &verdict["identical"]),
        (Some(0), &Value::from(true)),
        "{verdict}"
    );
    assert_eq!(
        (&verdict["backend"], &verdict["repeatability"]["scheduling"]),
        (&"native".into(), &"host".into())
    );
    let varied = sre(
        &data,
        &[
            &["determinism", path, "--runs", "4", "--vary", "seed"][..],
            &ANYWHERE,
        ]
        .concat(),
    );
    assert_eq!(
        varied.status.code(),
        Some(21),
        "{}",
        String::from_utf8_lossy(&varied.stdout)
    );
}

/// A result that depends on the machine is detected; but a verifier that cannot repeat it does not
/// accuse the executor.
#[test]
fn what_cannot_be_repeated_is_not_confirmed_unless_the_skill_says_so() {
    if !can_jail() {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    // Times of files in /tmp are the machine's.
    let program = "#!/bin/sh\ntouch /tmp/x; stat -c '\"%.9Y\"' /tmp/x\n";
    let skill = skill(&folder, "main.sh", program);
    let (data, path) = (folder.path().join("data"), skill.to_str().expect("UTF-8"));
    let ran = sre(
        &data,
        &[&["run", path, "--format", "json"][..], &ANYWHERE].concat(),
    );
    assert_eq!(
        (ran.status.code(), &json(&ran)["verification"]["verdict"]),
        (Some(12), &Value::from("unverifiable"))
    );
    let error = json(&ran)["verification"]["error"].to_string();
    assert!(
        error.contains("two replays on this machine had different outcomes"),
        "{error}"
    );

    let front = fs::read_to_string(skill.join("SKILL.md")).expect("a file");
    let front = front.replace(
        "runtime:",
        "annotations:\n  idempotentHint: false\nruntime:",
    );
    fs::write(skill.join("SKILL.md"), front).expect("a file");
    let ran = sre(
        &data,
        &[&["run", path, "--format", "json"][..], &ANYWHERE].concat(),
    );
    assert_eq!(
        (ran.status.code(), &json(&ran)["verification"]["verdict"]),
        (Some(0), &Value::from("hash_only"))
    );
}

#[test]
fn an_order_can_demand_more_than_the_operator() {
    if !can_jail() {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let skill = skill(&folder, "main.sh", "#!/bin/sh\ncat\n");
    let (data, skill) = (folder.path().join("data"), skill.to_str().expect("UTF-8"));
    let with = |least: &str| {
        sre(
            &data,
            &[
                &["run", skill, "--min-isolation", least, "--format", "json"][..],
                &ANYWHERE,
            ]
            .concat(),
        )
    };
    assert_eq!(with("process").status.code(), Some(0));
    assert_eq!(with("wasm").status.code(), Some(2));
    let doctor = json(&sre(&data, &["doctor", "--format", "json"]));
    let expected = if doctor["native"] == true { 0 } else { 2 };
    assert_eq!(with("jail").status.code(), Some(expected), "{doctor}");
}

#[test]
fn signals_and_bad_output_end_as_failures_of_the_skill() {
    if !can_jail() {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("data");
    for (program, code, status) in [
        ("#!/bin/sh\nexit 3\n", "skill_exited", 10),
        ("#!/bin/sh\nkill -SEGV $$\n", "skill_exited", 10),
        ("#!/bin/sh\necho not json\n", "bad_output", 10),
        (
            "#!/bin/sh\nawk 'BEGIN { for (i = 0; i < 100000; i++) printf \"[\" }'\n",
            "bad_output",
            10,
        ),
        ("#!/bin/sh\nyes\n", "output_limit", 10),
        ("#!/bin/sh\nsleep 1000\n", "timeout", 11),
        ("#!/bin/sh\nprintf '{\"half\"'; sleep 1000\n", "timeout", 11),
    ] {
        let skill = skill(&folder, "main.sh", program);
        let run = [
            "run",
            skill.to_str().expect("UTF-8"),
            "--sandbox-timeout-seconds",
            "2",
            "--format",
            "json",
        ];
        let ran = sre(&data, &[&run[..], &ANYWHERE].concat());
        let result = json(&ran);
        assert_eq!(
            (ran.status.code(), &result["error_code"]),
            (Some(status), &Value::from(code)),
            "{program}: {result}"
        );
    }
}

#[test]
fn limits_beyond_the_caps_are_refused_with_the_flag() {
    let folder = tempfile::tempdir().expect("a folder");
    let skill = skill(&folder, "main.sh", "#!/bin/sh\ncat\n");
    let (data, skill) = (folder.path().join("data"), skill.to_str().expect("UTF-8"));
    for (flag, value) in [
        ("--pids-limit", "0"),
        ("--pids-limit", "100000"),
        ("--cpu-quota", "0"),
        ("--cpu-quota", "999999999999"),
        ("--cpu-period", "0"),
        ("--cpu-period", "99999999"),
        ("--mem-limit", "0"),
        ("--mem-limit", "100g"),
    ] {
        let refused = sre(
            &data,
            &[&["run", skill, flag, value][..], &ANYWHERE].concat(),
        );
        let told = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert_eq!(refused.status.code(), Some(2), "{flag} {value}: {told}");
        assert!(told.contains(flag), "{flag} {value}: {told}");
    }
    assert!(!data.exists(), "a refused order writes nothing");
}

/// The report names every layer, and its exit code says whether all of them hold.
#[test]
fn the_doctor_names_every_layer_with_its_fix() {
    let folder = tempfile::tempdir().expect("a folder");
    let examined = sre(folder.path(), &["doctor", "--format", "json"]);
    let report = json(&examined);
    assert_eq!(
        examined.status.code(),
        Some(if report["native"] == true { 0 } else { 1 }),
        "{report}"
    );
    let checks = report["checks"].as_array().expect("a list");
    for name in [
        "kernel",
        "user_namespaces",
        "time_namespaces",
        "seccomp",
        "landlock",
        "repeatability",
        "memory_limit",
        "cpu_limit",
        "process_limit",
        "jail",
        "docker",
    ] {
        assert!(
            checks.iter().any(|check| check["name"] == name),
            "{name} is not in {report}"
        );
    }
    for check in checks
        .iter()
        .filter(|check| matches!(check["state"].as_str(), Some("weak" | "missing")))
    {
        assert!(
            check["consequence"].is_string() && check["fix"].is_string(),
            "{check}"
        );
    }
    let text = sre(folder.path(), &["doctor"]);
    assert!(String::from_utf8_lossy(&text.stdout).starts_with("native skills"));
}
