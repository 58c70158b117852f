//! `SKILL.md` and `skill.toml`: what is read and what is refused.

mod common;

use common::*;
use sre_core::RuntimeKind;
use sre_skill::{Note, NoteLevel, Skill, SkillError};

fn open(skill_md: &str) -> Result<Skill, SkillError> {
    open_tar(&[entry("SKILL.md", skill_md), entry("main.py", "")])
}

fn with(lines: &str) -> String {
    format!("---\nname: x\ndescription: d\nruntime: {{entrypoint: main.py}}\n{lines}\n---\ntext\n")
}

#[test]
fn usual_spellings_are_read() {
    for text in [
        with(""),
        with("").replace('\n', "\r\n"),
        format!("\u{feff}{}", with("")),
        with("allowed-tools: Bash(git:*) Read\ncompatibility: any\nlicense: MIT"),
        with("metadata:\n  author: me\n  tags: [a, b]"),
        with("# a comment\nio:\n"),
        with(
            "io:\n  input_schema: {type: object, properties: {on: {type: string}, n: {maximum: 5}}}",
        ),
        with("").trim_end_matches("\ntext\n").to_owned(),
    ] {
        open(&text).unwrap_or_else(|error| panic!("{error}: {text:?}"));
    }
}

#[test]
fn everything_else_is_refused_with_a_reason() {
    let deep = format!(
        "io: {{input_schema: {}{}}}",
        "[".repeat(100),
        "]".repeat(100)
    );
    let long = format!("license: {}", "x".repeat(70_000));
    for (text, part) in [
        ("---\nname: x\n".to_owned(), "no end"),
        ("---\n- a\n---\n".to_owned(), "must be a mapping"),
        (with("annotations: {readOnlyHint: yes}"), "annotations"),
        (
            with("io: {input_schema: &a {type: object}, output_schema: *a}"),
            "an anchor (&) in line 5",
        ),
        (with("license: &a MIT"), "an anchor (&) in line 5"),
        (with("license: !!str MIT"), "a tag (!) in line 5"),
        (with("io: !custom {}"), "a tag (!) in line 5"),
        (with("io: {<<: {a: 1}}"), "SKILL.md"),
        (with("name: y"), "duplicate"),
        (with("io: {input_schema: {maximum: .inf}}"), "SKILL.md"),
        (
            with("io: {input_schema: {maximum: 9007199254740993}}"),
            "2^53",
        ),
        (with("io: [a"), "SKILL.md"),
        (with(&deep), "64 levels"),
        (with(&long), "65536"),
        (
            with("").replace("description: d", "description: a: b"),
            "unquoted \": \" in the value of \"description\" in line 3",
        ),
        (with("io: {input_schema: 5}"), "input_schema"),
    ] {
        let error = open(&text).expect_err(&text).to_string();
        assert!(
            error.contains(part),
            "{error:?} lacks {part:?} for {text:?}"
        );
    }
    let error = open_tar(&[(
        "SKILL.md".to_owned(),
        b"---\nname: \xff\n---\n".to_vec(),
        false,
    )])
    .unwrap_err();
    assert!(error.to_string().contains("UTF-8"), "{error}");
    let utf_16: Vec<u8> = with("").encode_utf16().flat_map(u16::to_le_bytes).collect();
    let error = open_tar(&[("SKILL.md".to_owned(), utf_16, false)]).unwrap_err();
    assert!(error.to_string().contains("UTF-16"), "{error}");
}

/// Front matter is written for many programs: what is not known stays in the file and is noted.
#[test]
fn what_is_not_read_is_noted() {
    let description = format!("description: {}", "d".repeat(1025));
    for (text, level, part) in [
        (
            with("author: me\nhomepage: https://example.org"),
            NoteLevel::Information,
            "\"author\"",
        ),
        (
            with("anotations: {}"),
            NoteLevel::Warning,
            "\"annotations\"",
        ),
        (
            with("annotations: {readOnly: true}"),
            NoteLevel::Information,
            "\"readOnly\"",
        ),
        (
            with("annotations: {readOnlyHimt: true}"),
            NoteLevel::Warning,
            "\"readOnlyHint\"",
        ),
        (
            with("").replace(
                "{entrypoint: main.py}",
                "{entrypoint: main.py, pricing: {usd: 1}}",
            ),
            NoteLevel::Information,
            "\"pricing\"",
        ),
        (
            with("").replace("description: d\n", ""),
            NoteLevel::Information,
            "no description",
        ),
        (
            with("").replace("description: d", &description),
            NoteLevel::Information,
            "1024",
        ),
        (
            with("").replace("name: x\n", ""),
            NoteLevel::Information,
            "\"name\"",
        ),
        (
            with("").replace("name: x", "name: Word_Count"),
            NoteLevel::Information,
            "\"word-count\"",
        ),
        (with("version: [1]"), NoteLevel::Warning, "\"version\""),
    ] {
        let skill = open(&text).unwrap_or_else(|error| panic!("{error}: {text:?}"));
        let noted = |note: &Note| note.level == level && note.message.contains(part);
        assert!(
            skill.notes().iter().any(noted),
            "{:?} lack {part:?} for {text:?}",
            skill.notes()
        );
    }
    assert_eq!(open(&with("")).expect("a skill").notes(), []);
    let metadata = open(&with("metadata: 5")).expect("metadata of another program");
    assert_eq!(metadata.manifest().version, "0.0.0");
}

/// Most published skills have no execution block, and some have no front matter.
#[test]
fn a_package_without_a_block_has_entries() {
    for md in [
        "---\nname: x\ndescription: d\n---\n",
        "# Only text\n",
        "---\nname: x\nruntime: python3\n---\n",
    ] {
        let skill = open_tar(&[
            entry("SKILL.md", md),
            entry("scripts/a.py", ""),
            entry("scripts/b", "#!/bin/bash\n"),
            entry("notes.txt", ""),
        ])
        .expect(md);
        assert_eq!(skill.manifest().runtime, None, "{md}");
        let entries: Vec<String> = skill
            .entries()
            .into_iter()
            .map(|entry| entry.path)
            .collect();
        assert_eq!(entries, ["scripts/a.py", "scripts/b"]);
        assert_eq!(
            skill.entry("scripts/b").expect("a script").kind,
            RuntimeKind::Shell
        );
        assert!(skill.default_entry().is_err(), "two to choose from");
        let again = Skill::from_tar_gz(&skill.to_tar_gz(), &limits()).expect("its own archive");
        assert_eq!(again.digest(), skill.digest(), "{md}");
    }
}

/// What is not read counts in the digest all the same: it is in the file.
#[test]
fn unknown_keys_count_in_the_digest() {
    let [plain, more] = ["", "author: me"].map(|more| open(&with(more)).expect("a skill").digest());
    assert_ne!(plain, more);
}

/// macOS writes these beside every file of an archive, also beside the top folder.
#[test]
fn apple_double_files_are_left_out_of_archives() {
    let double = |path: &str| entry(path, b"\0\x05\x16\x07\0\x02\0\0Mac OS X");
    let files = [
        entry("greet/SKILL.md", with("")),
        entry("greet/main.py", ""),
    ];
    let made_on_mac = [
        double("./._greet"),
        double("greet/._SKILL.md"),
        files[0].clone(),
        double("greet/._main.py"),
        files[1].clone(),
        entry("greet/Thumbs.db", "x"),
    ];
    assert_eq!(
        open_tar(&files).expect("a skill").digest(),
        open_tar(&made_on_mac).expect("a skill").digest()
    );
}

#[test]
fn one_block_only() {
    let toml = "[runtime]\nentrypoint = \"main.py\"\n";
    let both = [
        entry("SKILL.md", with("")),
        entry("main.py", ""),
        entry("skill.toml", toml),
    ];
    let error = open_tar(&both).unwrap_err().to_string();
    assert!(
        error.contains("remove \"version\"") && error.contains("or remove skill.toml"),
        "{error}"
    );
    for (toml, part) in [
        ("version = 1\n", "must be a string"),
        ("version = ", "skill.toml"),
        ("[io.input_schema]\nmaximum = inf", "not finite"),
        ("[io.input_schema]\nconst = 1979-05-27", "a date"),
    ] {
        let md = "---\nname: x\ndescription: d\n---\n";
        let error = open_tar(&[
            entry("SKILL.md", md),
            entry("main.py", ""),
            entry("skill.toml", toml),
        ])
        .unwrap_err();
        assert!(error.to_string().contains(part), "{error} lacks {part:?}");
    }
}

#[test]
fn a_missing_skill_md_is_named() {
    let error = open_tar(&[entry("skill.md", with("")), entry("main.py", "")])
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("no SKILL.md") && error.contains("\"skill.md\""),
        "{error}"
    );
    let error = open_tar(&[entry("a/b/SKILL.md", with("")), entry("a/b/main.py", "")])
        .unwrap_err()
        .to_string();
    assert!(error.contains("\"a/b/SKILL.md\""), "{error}");
    assert!(open_tar(&[]).is_err());
}

/// Messages are one line each and say where.
#[test]
fn messages_of_the_parsers_are_readable() {
    let toml = "[runtime]\nentrypoint = \n";
    let md = "---\nname: x\ndescription: d\n---\n";
    let error = open_tar(&[
        entry("SKILL.md", md),
        entry("main.py", ""),
        entry("skill.toml", toml),
    ])
    .unwrap_err();
    assert!(error.to_string().contains("in line 2"), "{error}");
    for text in [
        with("io: [a"),
        with("name: y"),
        with("\tio: 1"),
        with("io: {<<: {a: 1}}"),
    ] {
        let error = open(&text).unwrap_err().to_string();
        println!("{error}");
        assert!(
            error.contains("line 5") && !error.contains('\n'),
            "{error:?}"
        );
    }
}
