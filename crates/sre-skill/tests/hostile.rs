//! Everything that is refused, with the offending path in the message.

mod common;

use std::io::Write as _;

use common::*;
use serde_json::{Value, json};
use sre_skill::{PackageLimits, Skill, SkillError, SkillErrorKind};
use tar::EntryType;

#[track_caller]
fn refused(result: Result<Skill, SkillError>, kind: SkillErrorKind, parts: &[&str]) {
    let error = result.expect_err("must be refused");
    let text = error.to_string();
    for part in parts {
        assert!(text.contains(part), "{text:?} lacks {part:?}");
    }
    assert_eq!(error.kind(), kind, "{text}");
    assert!(text.len() < 2000, "too long: {text}");
    assert!(
        !text.contains(char::is_control),
        "control character in {text:?}"
    );
}

fn open_zip(bytes: &[u8]) -> Result<Skill, SkillError> {
    Skill::from_zip(bytes, &limits())
}

fn open_object(files: Value) -> Result<Skill, SkillError> {
    let object = json!({"name": "x", "runtime": {"entrypoint": "main.py"}, "files": files});
    Skill::from_object(&object, &limits())
}

#[test]
fn a_top_folder_hides_no_bad_path() {
    let inside = |path: &str| format!("top/{path}");
    let entries: Vec<_> = word_count_with(entry("c:notes.txt", "x"))
        .iter()
        .map(|(path, bytes, executable)| (inside(path), bytes.clone(), *executable))
        .collect();
    refused(
        open_tar(&entries),
        SkillErrorKind::Refused,
        &["c:notes.txt", "absolute"],
    );
    refused(
        open_zip(&zip(&entries)),
        SkillErrorKind::Refused,
        &["c:notes.txt", "absolute"],
    );
}

#[test]
fn bad_paths_are_refused_in_every_archive_form() {
    let long = "a/".repeat(130) + "x";
    for (path, part) in [
        ("/etc/passwd", "absolute"),
        ("C:/x", "absolute"),
        ("../x", "\"..\""),
        ("a/../../x", "\"..\""),
        ("a//x", "empty"),
        ("a/./x", "\".\" part"),
        ("a\\x", "backslash"),
        ("a\u{1b}[31mx", "control character"),
        ("a\nx", "control character"),
        ("a\u{85}x", "control character"),
        (long.as_str(), "longer than 255"),
    ] {
        let shown = format!("{path:?}");
        let entries = word_count_with(entry(path, "x"));
        refused(open_tar(&entries), SkillErrorKind::Refused, &[&shown, part]);
        refused(
            open_object(json!({"main.py": "", path: "x"})),
            SkillErrorKind::Refused,
            &[&shown, part],
        );
        // The zip writer normalises some names, so a harmless one is exchanged afterwards.
        let harmless = "q".repeat(path.len());
        let packed = zip(&word_count_with(entry(&harmless, "x")));
        refused(
            open_zip(&patch(&packed, harmless.as_bytes(), path.as_bytes())),
            SkillErrorKind::Refused,
            &[&shown, part],
        );
    }
}

#[test]
fn names_that_are_not_utf8_or_hold_nul_are_refused() {
    for bad in [b"q\xff\xfeq", b"q\xc3(q"] {
        let entries = word_count_with(entry("qqqq", "x"));
        let packed = patch(&zip(&entries), b"qqqq", bad);
        refused(
            open_zip(&packed),
            SkillErrorKind::Refused,
            &["is not UTF-8", "q"],
        );
        let mut bytes = tar(&entries);
        let at = bytes.windows(5).position(|w| w == b"qqqq\0").unwrap();
        bytes[at..at + 4].copy_from_slice(bad);
        fix_checksum(&mut bytes, at);
        refused(
            Skill::from_tar_gz(&gzip(&bytes), &limits()),
            SkillErrorKind::Refused,
            &["is not UTF-8"],
        );
    }
    let packed = patch(
        &zip(&word_count_with(entry("qqqq", "x"))),
        b"qqqq",
        b"q\0qq",
    );
    refused(
        open_zip(&packed),
        SkillErrorKind::Refused,
        &["control character", "q\\0qq"],
    );
}

fn fix_checksum(bytes: &mut [u8], header_at: usize) {
    let mut header = tar::Header::from_byte_slice(&bytes[header_at..header_at + 512]).clone();
    header.set_cksum();
    bytes[header_at..header_at + 512].copy_from_slice(header.as_bytes());
}

#[test]
fn names_that_collide_are_refused() {
    for (first, second, part) in [
        ("a/x", "A/y", "differ in case only"),
        ("data.txt", "DATA.txt", "differ in case only"),
        ("straße", "STRASSE", "differ in case only"),
        ("skill.MD", "other", "differ in case only"),
        ("a", "a/b", "a file and a folder"),
        ("a/b", "a", "a file and a folder"),
    ] {
        let mut entries = word_count();
        entries.extend([entry(first, "1"), entry(second, "2")]);
        let named = if part.contains("case") && first == "skill.MD" {
            "\"skill.MD\""
        } else {
            "\""
        };
        refused(open_tar(&entries), SkillErrorKind::Refused, &[part, named]);
        refused(
            open_zip(&zip(&entries)),
            SkillErrorKind::Refused,
            &[part, named],
        );
        let files = json!({"main.py": "", "SKILL.md": "", first: "1", second: "2"});
        refused(open_object(files), SkillErrorKind::Refused, &[part, named]);
    }
    refused(
        open_tar(&word_count_with(entry("SKILL.md", "x"))),
        SkillErrorKind::Refused,
        &["\"SKILL.md\"", "twice"],
    );
    let packed = patch(
        &zip(&word_count_with(entry("SKILL.mq", "x"))),
        b"SKILL.mq",
        b"SKILL.md",
    );
    refused(
        open_zip(&packed),
        SkillErrorKind::Refused,
        &["\"SKILL.md\"", "twice"],
    );
}

#[test]
fn special_tar_entries_are_refused() {
    for (kind, part) in [
        (EntryType::Symlink, "a symbolic link"),
        (EntryType::Link, "a hard link"),
        (EntryType::Char, "a device"),
        (EntryType::Block, "a device"),
        (EntryType::Fifo, "a pipe"),
        (EntryType::GNUSparse, "a sparse file"),
        (EntryType::Continuous, "an unusual type"),
        (EntryType::new(b'Z'), "an unusual type"),
    ] {
        let packed = tar_gz_special("the/entry", kind);
        refused(
            Skill::from_tar_gz(&packed, &limits()),
            SkillErrorKind::Refused,
            &["\"the/entry\"", part],
        );
    }
}

#[test]
fn sparse_files_in_pax_form_are_refused() {
    let mut builder = tar::Builder::new(Vec::new());
    let record = "22 GNU.sparse.major=1\n";
    builder
        .append(
            &header("pax", EntryType::XHeader, 0o644, record.len() as u64),
            record.as_bytes(),
        )
        .unwrap();
    builder
        .append(&header("holes", EntryType::Regular, 0o644, 1), &b"x"[..])
        .unwrap();
    let packed = gzip(&builder.into_inner().unwrap());
    refused(
        Skill::from_tar_gz(&packed, &limits()),
        SkillErrorKind::Refused,
        &["\"holes\"", "a sparse file"],
    );
}

#[test]
fn entries_with_two_pax_names_are_refused() {
    let mut builder = tar::Builder::new(Vec::new());
    let records = b"10 path=a\n10 path=b\n";
    builder
        .append(
            &header("pax", EntryType::XHeader, 0o644, records.len() as u64),
            &records[..],
        )
        .unwrap();
    builder
        .append(&header("c", EntryType::Regular, 0o644, 1), &b"x"[..])
        .unwrap();
    let packed = gzip(&builder.into_inner().unwrap());
    refused(
        Skill::from_tar_gz(&packed, &limits()),
        SkillErrorKind::Refused,
        &["\"a\"", "two names"],
    );
}

#[test]
fn special_zip_entries_are_refused() {
    let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default();
    writer
        .add_symlink("the/link", "/etc/passwd", options)
        .unwrap();
    let packed = writer.finish().unwrap().into_inner();
    refused(
        open_zip(&packed),
        SkillErrorKind::Refused,
        &["\"the/link\"", "a symbolic link"],
    );

    // Bit 0 of the flags says "encrypted", in the local and in the central header.
    let mut packed = zip(&[entry("secret.txt", "x")]);
    for (signature, offset) in [(b"PK\x03\x04", 6), (b"PK\x01\x02", 8)] {
        let at = packed
            .windows(4)
            .position(|window| window == signature)
            .unwrap();
        packed[at + offset] |= 1;
    }
    refused(
        open_zip(&packed),
        SkillErrorKind::Refused,
        &["\"secret.txt\"", "encrypted"],
    );
}

#[test]
fn a_zip_that_two_readers_read_differently_is_refused() {
    let packed = zip(&word_count());
    let at = packed
        .windows(15)
        .position(|window| window == b"scripts/main.py")
        .unwrap();
    let mut other = packed.clone();
    other[at] = b'S';
    refused(
        open_zip(&other),
        SkillErrorKind::Malformed,
        &["\"scripts/main.py\""],
    );
}

#[cfg(unix)]
#[test]
fn links_and_pipes_in_folders_are_refused() {
    let root = tempfile::tempdir().unwrap();
    folder(root.path(), &word_count());
    std::os::unix::fs::symlink("/etc/passwd", root.path().join("scripts/link")).unwrap();
    let open = || Skill::from_dir(root.path(), &limits());
    refused(
        open(),
        SkillErrorKind::Refused,
        &["\"scripts/link\"", "a symbolic link"],
    );
    std::fs::remove_file(root.path().join("scripts/link")).unwrap();
    std::os::unix::fs::symlink("scripts", root.path().join("folder-link")).unwrap();
    refused(
        open(),
        SkillErrorKind::Refused,
        &["\"folder-link\"", "a symbolic link"],
    );
    std::fs::remove_file(root.path().join("folder-link")).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(root.path().join("socket")).unwrap();
    refused(open(), SkillErrorKind::Refused, &["\"socket\"", "socket"]);
    std::fs::remove_file(root.path().join("socket")).unwrap();
    folder(root.path(), &[entry("a", "1"), entry("A", "2")]);
    refused(open(), SkillErrorKind::Refused, &["differ in case only"]);
}

#[test]
fn the_number_of_files_is_limited() {
    let small = PackageLimits {
        files: 3,
        ..limits()
    };
    let mut entries = word_count_with(entry("third", ""));
    assert!(Skill::from_tar_gz(&tar_gz(&entries), &small).is_ok());
    entries.push(entry("x/fourth", ""));
    let parts = ["\"x/fourth\"", "at most 3"];
    refused(
        Skill::from_tar_gz(&tar_gz(&entries), &small),
        SkillErrorKind::TooLarge,
        &parts,
    );
    refused(
        Skill::from_zip(&zip(&entries), &small),
        SkillErrorKind::TooLarge,
        &parts,
    );
    let root = tempfile::tempdir().unwrap();
    folder(root.path(), &entries);
    refused(
        Skill::from_dir(root.path(), &small),
        SkillErrorKind::TooLarge,
        &["at most 3"],
    );
    let files: serde_json::Map<String, Value> = (0..10_001)
        .map(|n| (format!("f{n:05}"), json!("")))
        .collect();
    refused(
        open_object(files.into()),
        SkillErrorKind::TooLarge,
        &["\"f10000\"", "at most 10000"],
    );
    let deep = PackageLimits {
        files: 3,
        ..limits()
    };
    let entries = word_count_with(entry(&"d/".repeat(20), ""));
    refused(
        Skill::from_zip(&zip(&entries), &deep),
        SkillErrorKind::Refused,
        &[],
    );
    let entries = word_count_with(entry(&("d/".repeat(20) + "x"), ""));
    refused(
        Skill::from_zip(&zip(&entries), &deep),
        SkillErrorKind::TooLarge,
        &["folder", "at most 12"],
    );
}

#[test]
fn the_size_is_limited_to_the_byte() {
    let content: usize = word_count()
        .iter()
        .map(|(_, content, _)| content.len())
        .sum();
    let tight = PackageLimits {
        unpacked_bytes: content as u64 + 5,
        ..limits()
    };
    let fits = word_count_with(entry("zz", "12345"));
    let over = word_count_with(entry("zz", "123456"));
    assert!(Skill::from_tar_gz(&tar_gz(&fits), &tight).is_ok());
    assert!(Skill::from_zip(&zip(&fits), &tight).is_ok());
    for result in [
        Skill::from_tar_gz(&tar_gz(&over), &tight),
        Skill::from_zip(&zip(&over), &tight),
    ] {
        refused(
            result,
            SkillErrorKind::TooLarge,
            &["\"zz\"", &tight.unpacked_bytes.to_string()],
        );
    }
    let object = json!({"name": "x", "runtime": {"entrypoint": "a"}, "files": {"a": {"base64": "A".repeat(4000)}}});
    refused(
        Skill::from_object(&object, &tight),
        SkillErrorKind::TooLarge,
        &["\"a\""],
    );
}

/// 4 GiB of zeros in 4 MiB of gzip, and a zip that declares 1 byte and holds 65 MiB.
#[test]
fn bombs_are_not_inflated() {
    ends(open_bombs);
}

fn open_bombs() {
    let member = gzip(&vec![0; 64 << 20]);
    let mut bomb = gzip(header("bomb", EntryType::Regular, 0o644, 64 << 30).as_bytes());
    for _ in 0..64 {
        bomb.extend_from_slice(&member);
    }
    refused(
        Skill::from_tar_gz(&bomb, &limits()),
        SkillErrorKind::TooLarge,
        &["\"bomb\"", "67108864"],
    );
    // The same as the long name of an entry, which the tar reader keeps in memory.
    let mut bomb =
        gzip(header("././@LongLink", EntryType::GNULongName, 0o644, 64 << 30).as_bytes());
    for _ in 0..64 {
        bomb.extend_from_slice(&member);
    }
    refused(
        Skill::from_tar_gz(&bomb, &limits()),
        SkillErrorKind::TooLarge,
        &["unpacks to more than"],
    );
    // After the end mark.
    let mut bomb = tar_gz(&word_count());
    for _ in 0..64 {
        bomb.extend_from_slice(&member);
    }
    refused(
        Skill::from_tar_gz(&bomb, &limits()),
        SkillErrorKind::TooLarge,
        &["unpacks to more than"],
    );

    let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    writer
        .start_file("bomb", zip::write::SimpleFileOptions::default())
        .unwrap();
    writer.write_all(&vec![0; 65 << 20]).unwrap();
    let packed = writer.finish().unwrap().into_inner();
    refused(
        open_zip(&packed),
        SkillErrorKind::TooLarge,
        &["\"bomb\"", "67108864"],
    );
    let lying = patch(&packed, &(65u32 << 20).to_le_bytes(), &1u32.to_le_bytes());
    let error = open_zip(&lying).unwrap_err();
    assert!(
        matches!(
            error.kind(),
            SkillErrorKind::TooLarge | SkillErrorKind::Malformed
        ),
        "{error}"
    );
}

#[test]
fn damaged_archives_are_refused() {
    let packed = tar_gz(&word_count());
    for cut in [3, 20, packed.len() / 2, packed.len() - 1] {
        refused(
            Skill::from_tar_gz(&packed[..cut], &limits()),
            SkillErrorKind::Malformed,
            &[],
        );
    }
    let whole = tar(&word_count());
    for (cut, part) in [
        (512 + 100, "\"SKILL.md\" is 100 bytes long but declares"),
        (1024 + 3, "damaged"),
    ] {
        refused(
            Skill::from_tar_gz(&gzip(&whole[..cut]), &limits()),
            SkillErrorKind::Malformed,
            &[part],
        );
    }
    let mut two = whole.clone();
    two.extend_from_slice(&whole);
    refused(
        Skill::from_tar_gz(&gzip(&two), &limits()),
        SkillErrorKind::Malformed,
        &["after its end"],
    );
    let packed = zip(&word_count());
    for cut in [4, 40, packed.len() - 3] {
        refused(open_zip(&packed[..cut]), SkillErrorKind::Malformed, &[]);
    }
    let at = packed.len() / 4;
    let mut flipped = packed.clone();
    flipped[at] ^= 0xff;
    assert!(open_zip(&flipped).is_err());
}

#[test]
fn bad_objects_are_refused_by_name() {
    let base =
        || json!({"name": "x", "runtime": {"entrypoint": "main.py"}, "files": {"main.py": ""}});
    assert!(Skill::from_object(&base(), &limits()).is_ok());
    for (pointer, value, parts) in [
        ("/colour", json!(1), &["colour"][..]),
        ("/runtime/command", json!("x"), &["runtime", "command"]),
        ("/runtime/kind", json!("cobol"), &["runtime", "cobol"]),
        ("/runtime/timeout_seconds", json!(0), &["timeout_seconds"]),
        ("/runtime/timeout_seconds", json!(-1), &["timeout_seconds"]),
        ("/io", json!({"schema": {}}), &["io", "schema"]),
        ("/io", json!([]), &["io", "mapping"]),
        (
            "/annotations",
            json!({"readonlyHint": true}),
            &["annotations", "readonlyHint"],
        ),
        (
            "/name",
            json!("Word Count"),
            &["\"Word Count\"", "lower-case"],
        ),
        ("/name", json!(""), &["lower-case"]),
        ("/name", json!("a--b"), &["a--b"]),
        ("/name", json!("a".repeat(65)), &["64"]),
        ("/version", json!(1), &["expected a string"]),
        ("/version", json!(""), &["version"]),
        ("/runtime/docker_image", json!("a\nb"), &["docker_image"]),
        ("/files/main.py", json!(1), &["\"main.py\"", "base64"]),
        (
            "/files/main.py",
            json!({"base64": "a", "text": "b"}),
            &["\"main.py\""],
        ),
        (
            "/files/main.py",
            json!({"text": "b", "mode": 1}),
            &["\"main.py\""],
        ),
        (
            "/files/main.py",
            json!({"text": "b", "executable": 1}),
            &["\"main.py\""],
        ),
        (
            "/runtime/entrypoint",
            json!("scripts/man.py"),
            &["\"scripts/man.py\"", "is it one of \"main.py\""],
        ),
        (
            "/io",
            json!({"input_schema": "in.json"}),
            &["input_schema", "\"in.json\"", "main.py"],
        ),
        (
            "/io",
            json!({"input_schema": "main.py"}),
            &["input_schema", "\"main.py\"", "not JSON"],
        ),
    ] {
        let mut object = base();
        let (parent, key) = pointer.rsplit_once('/').unwrap();
        object.pointer_mut(parent).unwrap()[key] = value;
        refused(
            Skill::from_object(&object, &limits()),
            SkillErrorKind::Invalid,
            parts,
        );
    }
    let mut object = base();
    object["files"]["main.py"] = json!({"base64": "!!"});
    refused(
        Skill::from_object(&object, &limits()),
        SkillErrorKind::Malformed,
        &["\"main.py\"", "base64"],
    );
    object["files"] = json!({"main.py": "", ".sre-skill.json": "{}"});
    refused(
        Skill::from_object(&object, &limits()),
        SkillErrorKind::Refused,
        &[".sre-skill.json", "reserved"],
    );
    object = base();
    object["runtime"]["entrypoint"] = json!("run.rb");
    object["files"] = json!({"run.rb": "#!/usr/bin/ruby"});
    refused(
        Skill::from_object(&object, &limits()),
        SkillErrorKind::Invalid,
        &["\"run.rb\"", "not executable"],
    );
    object.as_object_mut().unwrap().remove("files");
    refused(
        Skill::from_object(&object, &limits()),
        SkillErrorKind::Invalid,
        &["files"],
    );
    refused(
        Skill::from_object(&json!("x"), &limits()),
        SkillErrorKind::Invalid,
        &["object"],
    );
}
