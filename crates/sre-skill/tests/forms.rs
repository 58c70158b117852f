//! Every form of the same content is the same skill.

mod common;

use std::collections::BTreeMap;

use common::*;
use proptest::prelude::*;
use serde_json::json;
use sre_core::RuntimeKind;
use sre_skill::{LocalPaths, PackageLimits, Skill, SkillErrorKind, SkillPackage};

#[test]
fn an_exo_package_reads_as_it_is() {
    let skill = open_tar(&word_count()).unwrap();
    let manifest = skill.manifest();
    assert_eq!(
        (manifest.name.as_str(), manifest.version.as_str()),
        ("word-count", "1.10")
    );
    let runtime = manifest.runtime.as_ref().expect("an execution block");
    assert_eq!(runtime.kind, RuntimeKind::Python);
    assert_eq!(runtime.docker_image.as_deref(), Some("python:3.11-slim"));
    assert_eq!(runtime.timeout_seconds, Some(30.0));
    assert_eq!(manifest.annotations.read_only_hint, Some(true));
    let entrypoint = skill.entrypoint().expect("an entrypoint");
    assert_eq!(entrypoint.path, "scripts/main.py");
    assert_eq!(&*entrypoint.bytes, b"print(1)\n");
    assert_eq!(skill.digest(), manifest.digest());
}

/// The digest is a stored format: it must not change with the code. The expected one was computed
/// in Python.
#[test]
fn the_digest_of_a_known_package_is_fixed() {
    let object = json!({
        "name": "fixed", "version": "1.2.3", "runtime": {"entrypoint": "main.py"},
        "files": {"main.py": "print(1)\n", "run.sh": {"text": "#!/bin/sh\n", "executable": true}},
    });
    let skill = Skill::from_object(&object, &limits()).unwrap();
    let shown = String::from_utf8(skill.manifest().bytes().to_vec()).unwrap();
    assert_eq!(
        skill.digest().to_string(),
        "a5af64af361fec1afdbbeb8e253d7c7b9f375b053f0af212879230675807d137",
        "{shown}"
    );
}

#[test]
fn skill_toml_gives_the_same_block_as_front_matter() {
    let md = "---\nname: x\ndescription: d\nmetadata: {version: 9.9.9, author: me}\n---\n";
    let toml = "version = \"1.0\"\n[runtime]\nentrypoint = \"./main.py\"\ntimeout_seconds = 5\n\
                [io.input_schema]\ntype = \"object\"\n[annotations]\nidempotentHint = false\n";
    let skill = open_tar(&[
        entry("SKILL.md", md),
        entry("skill.toml", toml),
        entry("main.py", ""),
    ])
    .unwrap();
    let object = json!({
        "name": "x", "version": "1.0", "runtime": {"entrypoint": "main.py", "timeout_seconds": 5},
        "io": {"input_schema": {"type": "object"}}, "annotations": {"idempotentHint": false},
        "files": {"SKILL.md": md, "skill.toml": toml, "main.py": ""},
    });
    assert_eq!(
        Skill::from_object(&object, &limits()).unwrap().manifest(),
        skill.manifest()
    );
    assert!(!skill.manifest().annotations.is_repeatable());
}

#[test]
fn the_version_has_three_places_and_a_default() {
    let version = |front: &str| {
        let md =
            format!("---\nname: x\ndescription: d\n{front}runtime: {{entrypoint: main.py}}\n---\n");
        open_tar(&[entry("SKILL.md", md), entry("main.py", "")])
            .unwrap()
            .manifest()
            .version
            .clone()
    };
    assert_eq!(version(""), "0.0.0");
    assert_eq!(version("metadata:\n  version: 1.0\n"), "1.0");
    assert_eq!(version("metadata: {version: [1, 0]}\n"), "0.0.0");
    assert_eq!(
        version("metadata: {version: '1.0'}\nversion: 2.10\n"),
        "2.10"
    );
}

#[test]
fn a_schema_may_stand_in_a_file() {
    let md = "---\nname: x\ndescription: d\nruntime: {entrypoint: main.py}\nio: {input_schema: ./s/in.json}\n---\n";
    let entries = [
        entry("SKILL.md", md),
        entry("main.py", ""),
        entry("s/in.json", r#"{"type":"object"}"#),
    ];
    let skill = open_tar(&entries).unwrap();
    assert_eq!(
        skill.manifest().io.input_schema,
        Some(json!({"type": "object"}))
    );
    assert!(skill.check_input(&json!(1)).is_err());
}

#[test]
fn one_top_folder_is_stripped_and_droppings_are_left_out() {
    let plain = open_tar(&word_count()).unwrap();
    let mut wrapped: Vec<Entry> = word_count()
        .into_iter()
        .map(|(path, content, x)| (format!("word-count-1.0/{path}"), content, x))
        .collect();
    wrapped.push(entry("word-count-1.0/.git/config", "x"));
    wrapped.push(entry("word-count-1.0/scripts/__pycache__/main.pyc", "x"));
    wrapped.push(entry("__MACOSX/._SKILL.md", "x"));
    assert_eq!(open_tar(&wrapped).unwrap().digest(), plain.digest());
    assert_eq!(
        Skill::from_zip(&zip(&wrapped), &limits()).unwrap().digest(),
        plain.digest()
    );
    let dotted: Vec<Entry> = word_count()
        .into_iter()
        .map(|(path, c, x)| (format!("./{path}"), c, x))
        .collect();
    assert_eq!(open_tar(&dotted).unwrap().digest(), plain.digest());
}

#[test]
fn open_decides_by_content() {
    let folder_path = tempfile::tempdir().unwrap();
    folder(folder_path.path(), &word_count());
    std::fs::create_dir(folder_path.path().join("empty")).unwrap();
    let skill = Skill::open(folder_path.path(), &limits()).unwrap();
    let files = tempfile::tempdir().unwrap();
    let object = serde_json::to_vec_pretty(&skill.to_object()).unwrap();
    for (name, bytes) in [
        ("a.zip", tar_gz(&word_count())),
        ("a.json", zip(&word_count())),
        ("a", object),
        ("a.tgz", skill.to_tar_gz()),
    ] {
        let at = files.path().join(name);
        std::fs::write(&at, bytes).unwrap();
        assert_eq!(
            Skill::open(&at, &limits()).unwrap().digest(),
            skill.digest(),
            "{name}"
        );
    }
    let at = files.path().join("notes.txt");
    std::fs::write(&at, "hello").unwrap();
    let error = Skill::open(&at, &limits()).unwrap_err();
    assert_eq!(error.kind(), SkillErrorKind::Malformed);
    assert!(
        error.to_string().contains("notes.txt") && error.to_string().contains("give a folder"),
        "{error}"
    );
    let error = Skill::open(&files.path().join("none"), &limits()).unwrap_err();
    assert_eq!(error.kind(), SkillErrorKind::Unreadable);
}

#[test]
fn a_package_from_an_object_survives_the_archive() {
    for skill_md in [None, Some("no front matter"), Some(SKILL_MD)] {
        let mut object = json!({"name": "x", "runtime": {"entrypoint": "scripts/main.py"},
            "files": {"scripts/main.py": "print(1)"}});
        if let Some(text) = skill_md {
            object["files"]["SKILL.md"] = json!(text);
        }
        let skill = Skill::from_object(&object, &limits()).unwrap();
        let back = Skill::from_tar_gz(&skill.to_tar_gz(), &limits()).unwrap();
        assert_eq!(back.manifest(), skill.manifest());
        assert_eq!(back.to_tar_gz(), skill.to_tar_gz());
    }
    // A package whose SKILL.md says it all gets no further file.
    let plain = open_tar(&word_count()).unwrap();
    let mut unpacked = Vec::new();
    std::io::Read::read_to_end(
        &mut flate2::read::GzDecoder::new(&*plain.to_tar_gz()),
        &mut unpacked,
    )
    .unwrap();
    assert!(!unpacked.windows(10).any(|window| window == b".sre-skill"));
}

#[test]
fn a_stored_skill_is_checked_byte_by_byte() {
    let skill = open_tar(&word_count()).unwrap();
    let files = || -> BTreeMap<_, _> {
        skill
            .files()
            .iter()
            .map(|f| (f.path.clone(), f.bytes.clone()))
            .collect()
    };
    let again = Skill::from_manifest(skill.manifest().clone().into_value(), files()).unwrap();
    assert_eq!(again.digest(), skill.digest());

    let refuse = |manifest: sre_core::Manifest, files, expected: &str| {
        let error = Skill::from_manifest(manifest, files).unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
        error.kind()
    };
    let mut changed = files();
    changed.insert("scripts/main.py".into(), (*b"print(2)\n").into());
    assert_eq!(
        refuse(
            skill.manifest().clone().into_value(),
            changed,
            "\"scripts/main.py\" has the SHA-256"
        ),
        SkillErrorKind::Mismatch
    );
    let mut shorter = files();
    shorter.insert("scripts/main.py".into(), (*b"").into());
    refuse(
        skill.manifest().clone().into_value(),
        shorter,
        "0 bytes long, the manifest says 9",
    );
    let mut fewer = files();
    fewer.remove("SKILL.md");
    refuse(
        skill.manifest().clone().into_value(),
        fewer,
        "\"SKILL.md\", which is missing",
    );
    let mut more = files();
    more.insert("extra".into(), (*b"").into());
    refuse(
        skill.manifest().clone().into_value(),
        more,
        "\"extra\" is not in the manifest",
    );
    let mut unsorted = skill.manifest().clone().into_value();
    unsorted.files.reverse();
    refuse(unsorted, files(), "not sorted");
    let mut hostile = skill.manifest().clone().into_value();
    hostile.files[0].path = "../SKILL.md".into();
    assert_eq!(
        refuse(hostile, files(), "\"../SKILL.md\" contains"),
        SkillErrorKind::Refused
    );
    let mut nowhere = skill.manifest().clone().into_value();
    nowhere.runtime.as_mut().expect("a block").entrypoint = "main.py".into();
    refuse(nowhere, files(), "is it one of \"scripts/main.py\"");
    let mut large = skill.manifest().clone().into_value();
    large.io.input_schema = Some(json!({"maximum": u64::MAX}));
    refuse(large, files(), "beyond ±2^53");
}

#[test]
fn local_paths_are_for_local_callers() {
    let value = || json!({"path": "/etc"});
    let error = SkillPackage::from_json(value(), LocalPaths::Refused).unwrap_err();
    assert!(error.to_string().contains("not accepted here"), "{error}");
    assert!(matches!(
        SkillPackage::from_json(value(), LocalPaths::Allowed),
        Ok(SkillPackage::Path(_))
    ));
    assert!(
        SkillPackage::from_json(json!({"path": "a", "name": "b"}), LocalPaths::Allowed).is_err()
    );
    assert!(SkillPackage::from_json(json!([]), LocalPaths::Allowed).is_err());
    let skill = open_tar(&word_count()).unwrap();
    let package = SkillPackage::from_json(skill.to_object(), LocalPaths::Refused).unwrap();
    assert_eq!(
        package.resolve(&PackageLimits::default()).unwrap().digest(),
        skill.digest()
    );
}

/// Up to 12 files with unusual but allowed names.
fn contents() -> impl Strategy<Value = BTreeMap<String, (Vec<u8>, bool)>> {
    let part = "[a-zA-Zäß漢 ._-]{0,7}[a-z0-9漢]";
    let path = prop::collection::vec(part, 1..5).prop_map(|parts| format!("d/{}", parts.join("/")));
    let long = "[a-z]{120}/[a-zé]{50}";
    let content = prop_oneof![
        prop::collection::vec(any::<u8>(), 0..300),
        "\\PC{0,80}".prop_map(String::into_bytes),
        "[\\x00-\\x20\"\\\\]{0,40}".prop_map(String::into_bytes),
    ];
    prop::collection::btree_map(
        prop_oneof![8 => path, 1 => long],
        (content, any::<bool>()),
        0..12,
    )
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(96) })]

    #[test]
    fn every_form_has_the_same_digest(contents in contents()) {
        let mut entries = word_count();
        entries.extend(contents.into_iter().map(|(path, (content, executable))| (path, content, executable)));
        let Ok(skill) = open_tar(&entries) else { return Ok(()) }; // case collisions and the like
        let root = tempfile::tempdir().unwrap();
        folder(root.path(), &entries);
        prop_assert_eq!(Skill::from_dir(root.path(), &limits()).unwrap().digest(), skill.digest());
        prop_assert_eq!(Skill::from_zip(&zip(&entries), &limits()).unwrap().digest(), skill.digest());
        let packed = skill.to_tar_gz();
        let again = Skill::from_tar_gz(&packed, &limits()).unwrap();
        prop_assert_eq!(again.digest(), skill.digest());
        prop_assert_eq!(again.to_tar_gz(), packed);
        let text = serde_json::to_vec(&skill.to_object()).unwrap();
        let object = sre_core::canonical_json::parse(&text).unwrap();
        let from_object = Skill::from_object(&object, &limits()).unwrap();
        prop_assert_eq!(from_object.digest(), skill.digest());
        prop_assert_eq!(from_object.to_object(), object);
        let files = skill.files().iter().map(|f| (f.path.clone(), f.bytes.clone())).collect();
        prop_assert_eq!(Skill::from_manifest(skill.manifest().clone().into_value(), files).unwrap().digest(), skill.digest());
    }
}

#[test]
fn a_large_folder_that_is_no_package_is_told_so() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("large.bin"), vec![0; 100]).unwrap();
    let limits = PackageLimits {
        unpacked_bytes: 10,
        ..PackageLimits::default()
    };
    let error = Skill::from_dir(folder.path(), &limits)
        .unwrap_err()
        .to_string();
    assert!(error.contains("no SKILL.md at its root"), "{error}");
    std::fs::write(folder.path().join("SKILL.md"), "---\n---\n").unwrap();
    let error = Skill::from_dir(folder.path(), &limits)
        .unwrap_err()
        .to_string();
    assert!(error.contains("over 10 bytes"), "{error}");
}
