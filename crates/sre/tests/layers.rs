//! The shape of the workspace, as `ARCHITECTURE.md` draws it: which crate may depend on which, who
//! may compile wasmtime, and that every dependency says why it is there.
//!
//! Reads what `cargo metadata` and `cargo tree` say, as JSON and text: the crate `cargo_metadata`
//! would turn on features of `semver` and `serde_json` for tests only, and Cargo would compile
//! wasmtime once for `cargo run` and once more for `cargo test`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// Every crate of the workspace and the crates it depends on, all of them and no other. The tops
/// may depend on any, and none on them.
const ARROWS: [(&str, &[&str]); 19] = [
    ("sre-core", &[]),
    ("sre-skill", &["sre-core"]),
    ("sre-durable", &[]),
    // The only group commit; what it keeps is its users' business.
    ("sre-sqlite", &["sre-durable"]),
    ("sre-da", &["sre-core", "sre-durable", "sre-sqlite"]),
    // Knows no stage, no engine and no service: a fleet replaces it by another one.
    ("sre-journal", &["sre-core", "sre-durable", "sre-sqlite"]),
    // No store, no engine: what a stranger needs to check a signature and a proof.
    ("sre-receipt", &["sre-core"]),
    (
        "sre-log",
        &[
            "sre-core",
            "sre-da",
            "sre-durable",
            "sre-receipt",
            "sre-sqlite",
        ],
    ),
    // The only unsafe code besides the loading of compiled modules; it knows nothing of skills.
    ("sre-jail", &[]),
    ("sre-sandbox", &["sre-core", "sre-jail", "sre-skill"]),
    (
        "sre-commit",
        &["sre-core", "sre-da", "sre-sandbox", "sre-skill"],
    ),
    // Never the commit stage, the orchestrator or a service: anyone can check.
    (
        "sre-verify",
        &["sre-core", "sre-da", "sre-sandbox", "sre-skill"],
    ),
    ("sre-runtimes", &["sre-core", "sre-sandbox"]),
    // How requests are made; no protocol of ours.
    ("sre-http", &[]),
    // The one client of services, logs and witnesses; it runs nothing and decides nothing.
    (
        "sre-client",
        &["sre-core", "sre-da", "sre-http", "sre-log", "sre-receipt"],
    ),
    (
        "sre-orchestrator",
        &[
            "sre-commit",
            "sre-core",
            "sre-da",
            "sre-durable",
            "sre-http",
            "sre-journal",
            "sre-log",
            "sre-receipt",
            "sre-runtimes",
            "sre-sandbox",
            "sre-skill",
            "sre-verify",
        ],
    ),
    // The verifier node, without flags and exit codes.
    (
        "sre-watch",
        &[
            "sre-client",
            "sre-core",
            "sre-da",
            "sre-durable",
            "sre-journal",
            "sre-log",
            "sre-orchestrator",
            "sre-receipt",
            "sre-sandbox",
            "sre-verify",
        ],
    ),
    // What a caller may ask for; it knows no protocol.
    (
        "sre-service",
        &[
            "sre-core",
            "sre-da",
            "sre-journal",
            "sre-orchestrator",
            "sre-receipt",
            "sre-skill",
            "sre-verify",
        ],
    ),
    (
        "sre-server",
        &[
            "sre-core",
            "sre-durable",
            "sre-journal",
            "sre-log",
            "sre-orchestrator",
            "sre-receipt",
            "sre-service",
            "sre-skill",
        ],
    ),
];
/// The binary and the Python module.
const TOPS: [&str; 2] = ["sre", "sre-python"];
const BINARY: &str = TOPS[0];

/// What tests may depend on besides: the claims that a verifier is to refuse come from the stage
/// that makes claims.
const TEST_ARROWS: [(&str, &str); 1] = [("sre-verify", "sre-commit")];

#[test]
fn the_arrows_between_the_crates_are_those_of_the_architecture() {
    let packages = packages();
    let known: BTreeSet<&str> = ARROWS.iter().map(|(name, _)| *name).chain(TOPS).collect();
    let found: BTreeSet<&str> = packages.keys().map(String::as_str).collect();
    assert_eq!(
        found, known,
        "a new crate needs a place in the layers: see ARCHITECTURE.md"
    );

    for (name, dependencies) in &packages {
        let upward: Vec<&str> = dependencies
            .iter()
            .map(|dependency| dependency.name.as_str())
            .filter(|other| TOPS.contains(other))
            .collect();
        assert!(upward.is_empty(), "{name} depends on {upward:?}");
    }
    for (name, allowed) in ARROWS {
        let ours = |kinds: &[Kind]| -> BTreeSet<&str> {
            let dependencies = packages[name]
                .iter()
                .filter(|dependency| kinds.contains(&dependency.kind));
            dependencies
                .map(|dependency| dependency.name.as_str())
                .filter(|name| known.contains(name))
                .collect()
        };
        let allowed: BTreeSet<&str> = allowed.iter().copied().collect();
        assert_eq!(
            ours(&[Kind::Normal, Kind::Build]),
            allowed,
            "dependencies of {name}"
        );
        // Tests point down as well: testing a layer needs no higher one.
        let tests = ours(&[Kind::Dev]);
        let upward: Vec<&&str> = tests
            .difference(&allowed)
            .filter(|other| !TEST_ARROWS.contains(&(name, **other)))
            .collect();
        assert!(upward.is_empty(), "tests of {name} depend on {upward:?}");
    }
}

#[test]
fn wasmtime_is_compiled_in_one_crate_and_behind_one_feature() {
    let mut users = Vec::new();
    for (package, dependencies) in packages() {
        for dependency in dependencies
            .into_iter()
            .filter(|dependency| is_engine(&dependency.name))
        {
            users.push((
                package.clone(),
                dependency.name,
                dependency.kind,
                dependency.optional,
            ));
        }
    }
    // The bare engine is the benchmark's baseline and no more.
    users.retain(|(package, _, kind, _)| !(package == BINARY && *kind == Kind::Dev));
    let expected = (
        String::from("sre-sandbox"),
        String::from("wasmtime"),
        Kind::Normal,
        true,
    );
    assert_eq!(
        users,
        [expected],
        "only sre-sandbox depends on wasmtime, optionally"
    );

    let metadata = metadata();
    let features = metadata["packages"]
        .as_array()
        .and_then(|packages| {
            packages
                .iter()
                .find(|package| package["name"] == "sre-sandbox")
        })
        .and_then(|package| package["features"].as_object())
        .expect("the features of sre-sandbox");
    for (feature, enables) in features {
        let engine = enables
            .as_array()
            .is_some_and(|enabled| enabled.iter().any(|name| name == "dep:wasmtime"));
        assert_eq!(
            engine,
            feature == "wasm",
            "feature {feature} of sre-sandbox"
        );
    }
}

/// What the features are for: working on any crate but the tops does not wait for wasmtime.
#[test]
fn no_crate_but_the_tops_needs_wasmtime_to_build_and_test() {
    for (name, _) in ARROWS {
        let tree = cargo(&[
            "tree",
            "--package",
            name,
            "--edges",
            "normal,build,dev",
            "--prefix",
            "none",
        ]);
        assert!(tree.starts_with(name), "the tree of {name}: {tree}");
        let engine: Vec<&str> = tree.lines().filter(|line| is_engine(line)).collect();
        assert!(
            engine.is_empty(),
            "{name} without features compiles {engine:?}"
        );
    }
}

#[test]
fn every_dependency_says_why_it_is_here() {
    let manifest = read(&root().join("Cargo.toml"));
    let mut reasons = 0;
    for line in section(&manifest, "workspace.dependencies") {
        if line.contains("path = \"crates/") {
            continue;
        }
        let reason = line
            .split_once(" # ")
            .map_or("", |(_, reason)| reason.trim());
        assert!(!reason.is_empty(), "Cargo.toml: no reason at `{line}`");
        reasons += 1;
    }
    assert!(reasons > 20, "the section was not found");
}

/// The manifests of the two workspaces beside this one, whose dependencies have versions of their
/// own.
#[test]
fn dependencies_beside_the_workspace_say_why_they_are_here() {
    for (name, heading) in [("fuzz", "dependencies"), ("interop", "dev-dependencies")] {
        let manifest = read(&root().join(name).join("Cargo.toml"));
        let lines: Vec<&str> = section(&manifest, heading).collect();
        assert!(lines.len() > 5, "{name}: the section was not found");
        for line in lines.into_iter().filter(|line| !line.starts_with("sre-")) {
            assert!(
                line.contains(" # "),
                "{name}/Cargo.toml: no reason at `{line}`"
            );
        }
    }
}

/// Every dependency is named in the crate's sources: one of the library not only in its tests.
#[test]
fn every_crate_uses_what_it_depends_on() {
    let workspace = read(&root().join("Cargo.toml"));
    let mut used = BTreeSet::new();
    for (package, dependencies) in packages() {
        let folder = root().join("crates").join(&package);
        let library = code(&folder.join("src"), false);
        let tests = [
            code(&folder.join("src"), true),
            code(&folder.join("tests"), true),
            code(&folder.join("benches"), true),
        ];
        for Dependency { name, kind, .. } in dependencies {
            let sources = if kind == Kind::Dev {
                tests.join("\n")
            } else {
                library.clone()
            };
            assert!(
                names(&sources, &name.replace('-', "_")),
                "{package} declares {name} ({kind:?}) and does not use it"
            );
            used.insert(name);
        }
    }
    for line in section(&workspace, "workspace.dependencies") {
        let name = line.split(' ').next().unwrap_or_default();
        assert!(used.contains(name), "Cargo.toml: no crate uses {name}");
    }
}

/// Whether the crate `name` stands in this source as one: before `::`, `;`, `{`, `,` or ` as`.
fn names(source: &str, name: &str) -> bool {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    source.match_indices(name).any(|(at, _)| {
        let after = &source[at + name.len()..];
        !source[..at].ends_with(is_word)
            && ["::", ";", " as "]
                .iter()
                .any(|sign| after.starts_with(sign))
    })
}

/// The sources of a folder without comments; without the tests among them unless these are wanted.
fn code(folder: &Path, with_tests: bool) -> String {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return String::new();
    };
    let mut text = String::new();
    for path in entries.map(|entry| entry.expect("an entry").path()) {
        if path.is_dir() {
            text.push_str(&code(&path, with_tests));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let source = read(&path);
            let wanted = if with_tests {
                &*source
            } else {
                source
                    .split("#[cfg(test)]\nmod tests {")
                    .next()
                    .unwrap_or("")
            };
            let lines = wanted
                .lines()
                .filter(|line| !line.trim_start().starts_with("//"));
            text.extend(lines.flat_map(|line| [line, "\n"]));
        }
    }
    text
}

/// One place for versions and one for lints, so that neither differs between crates.
#[test]
fn every_crate_takes_versions_and_lints_from_the_workspace() {
    for name in ARROWS.into_iter().map(|(name, _)| name).chain(TOPS) {
        let manifest = read(&root().join("crates").join(name).join("Cargo.toml"));
        for heading in manifest
            .lines()
            .filter(|line| line.starts_with('[') && line.ends_with("dependencies]"))
        {
            for line in section(&manifest, heading.trim_matches(['[', ']'])) {
                assert!(
                    line.contains("workspace = true"),
                    "crates/{name}/Cargo.toml: `{line}` has a version of its own"
                );
            }
        }
        let lints: Vec<&str> = section(&manifest, "lints").collect();
        assert_eq!(
            lints,
            ["workspace = true"],
            "crates/{name}/Cargo.toml: [lints]"
        );
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Normal,
    Build,
    Dev,
}

struct Dependency {
    name: String,
    kind: Kind,
    optional: bool,
}

/// The packages of the workspace, each with its dependencies of every kind.
fn packages() -> BTreeMap<String, Vec<Dependency>> {
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let dependency = |value: &Value| Dependency {
        name: text(&value["name"]),
        kind: match value["kind"].as_str() {
            None => Kind::Normal,
            Some("build") => Kind::Build,
            Some("dev") => Kind::Dev,
            Some(other) => panic!("a dependency of kind {other}"),
        },
        optional: value["optional"].as_bool().expect("a boolean"),
    };
    let metadata = metadata();
    let packages = metadata["packages"].as_array().expect("packages");
    packages
        .iter()
        .map(|package| {
            let dependencies = package["dependencies"].as_array().expect("dependencies");
            (
                text(&package["name"]),
                dependencies.iter().map(dependency).collect(),
            )
        })
        .collect()
}

/// Without the dependencies' own packages: those of other platforms need not have been downloaded.
fn metadata() -> Value {
    serde_json::from_str(&cargo(&["metadata", "--format-version", "1", "--no-deps"])).expect("JSON")
}

/// The engine and the parts of it that take long to compile.
fn is_engine(name: &str) -> bool {
    name.starts_with("wasmtime") || name.starts_with("cranelift")
}

fn cargo(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO"))
        .args(arguments)
        .args(["--offline", "--locked"])
        .current_dir(root())
        .output()
        .expect("cargo starts");
    assert!(
        output.status.success(),
        "cargo {arguments:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).expect("UTF-8")
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The lines below `[heading]`, without empty ones and comments.
fn section<'a>(manifest: &'a str, heading: &str) -> impl Iterator<Item = &'a str> {
    let start = manifest
        .lines()
        .position(|line| line == format!("[{heading}]"))
        .map_or(usize::MAX, |at| at + 1);
    manifest
        .lines()
        .skip(start)
        .take_while(|line| !line.starts_with('['))
        .filter(|line| !line.trim().is_empty() && !line.starts_with('#'))
}
