//! Bad input is refused by name, with exit code 2, and leaves nothing behind; bad skills fail and
//! leave nothing behind.

mod common;

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use common::{Home, Ran, examples, skill_md};
use flate2::Compression;
use flate2::write::GzEncoder;

/// Refused: exit code 2, a message that names the thing, nothing on standard output, no data
/// folder.
#[track_caller]
fn refused(home: &Home, ran: Ran, names: &str) {
    let ran = ran.exits(2);
    assert!(
        ran.stderr.starts_with("error: ") && ran.stderr.contains(names),
        "{names:?} in {}",
        ran.stderr
    );
    assert_eq!(ran.stdout, "");
    assert!(!home.data().exists(), "{names}: something was written");
    assert_eq!(home.droppings(), Vec::<PathBuf>::new());
}

#[test]
fn input_is_refused_by_name() {
    let home = Home::new();
    let word_count = examples().join("word-count").display().to_string();
    let long = format!("{{\"text\":\"{}\"}}", "x".repeat(100_000));
    let wide: Vec<String> = (0..21).map(|n| format!("\"k{n}\":{n}")).collect();
    let wide = format!("{{{}}}", wide.join(","));
    let deep = format!("{{\"text\":{}{}}}", "[".repeat(100), "]".repeat(100));
    let cases: &[(&str, &str)] = &[
        ("{\"text\": ", "line 1 column 9"),
        ("", "it is empty"),
        (
            "{\"text\": \"a\"} x",
            "trailing characters at line 1 column 15",
        ),
        ("{\"a\":1,\"b\":{\"c\":2,\"c\":3}}", "duplicate key \"c\""),
        ("{\"n\":9007199254740993}", "9007199254740993"),
        (
            "{\"text\":\"\\ud800\"}",
            "lone surrogate in a \\u escape at line 1 column 16",
        ),
        (&deep, "input_data: is nested deeper than 100 levels"),
        ("[\"text\"]", "input_data: must be a JSON object"),
        (&wide, "21 top-level fields, at most 20"),
        ("{\"text\":\"a\",\"top\":-1}", "/top"),
        ("{\"txt\":\"a\"}", "txt"),
    ];
    for (input, names) in cases {
        refused(
            &home,
            home.sre(&["run", &word_count, "--input", input]),
            names,
        );
    }
    // Longer than an argument may be everywhere.
    fs::write(home.path("long.json"), &long).expect("a file");
    refused(
        &home,
        home.sre(&["run", &word_count, "--input-file", "long.json"]),
        "at most 100000 are allowed",
    );
    fs::write(home.path("huge.json"), " ".repeat(5 << 20)).expect("a file");
    refused(
        &home,
        home.sre(&["run", &word_count, "--input-file", "huge.json"]),
        "huge.json is longer than 4194304 bytes",
    );
    refused(
        &home,
        home.sre(&["run", &word_count, "--input-file", "absent.json"]),
        "absent.json cannot be read",
    );
    // The tests give `sre` an empty standard input.
    refused(
        &home,
        home.sre(&["run", &word_count, "-"]),
        "standard input is not valid JSON",
    );
}

#[test]
fn flags_are_refused_by_name() {
    let home = Home::new();
    let cases: &[(&str, &str)] = &[
        ("--bogus", "--bogus"),
        ("--input {} --input-file x", "--input-file"),
        ("--input {} -", "[-]"),
        ("--order x.json", "--order <FILE>"),
        ("-q -v", "--verbose"),
        ("--format yaml", "yaml"),
        ("--order-id a/b", "a/b"),
        (
            "--timeout-seconds -1",
            "timeout_seconds: must be a number of at least 0.001",
        ),
        (
            "--timeout-seconds nan",
            "timeout_seconds: must be a number of at least 0.001",
        ),
        (
            "--timeout-seconds 1e9",
            "timeout_seconds: is 1000000000, at most 3600",
        ),
        ("--sandbox-timeout-seconds 0", "--sandbox-timeout-seconds"),
        ("--max-retries 11", "max_retries: at most 10"),
        ("--max-retries -1", "-1"),
        (
            "--mem-limit 2g",
            "sandbox_config.mem_limit: is 2147483648, at most 1073741824",
        ),
        ("--mem-limit big", "\"big\""),
        (
            "--output-limit 0",
            "sandbox_config.output_limit: must be above 0",
        ),
        ("--fuel 9999999999999", "sandbox_config.fuel"),
        ("--clock-start yesterday", "yesterday"),
        (
            "--clock-start 1950-01-01T00:00:00Z",
            "between 1970 and 2499",
        ),
        ("--random-seed 00", "64 lower-case hexadecimal digits"),
        (
            "--network-disabled=false",
            "sandbox_config.network_disabled",
        ),
        ("--backend native", "a Wasm skill runs on the wasm backend"),
        ("--backend docker", "the docker backend is not available"),
        ("--callback-url nowhere", "nowhere"),
        (
            "--callback-url ftp://example.org/",
            "callback_url: must be an http or https URL",
        ),
        (
            "--callback-url http://user:secret@example.org/",
            "callback_url: must not contain credentials",
        ),
    ];
    let skill = home.skill("returns_1").display().to_string();
    for (flags, names) in cases {
        refused(&home, home.words(&format!("run {skill} {flags}")), names);
    }
    refused(&home, home.words("run"), "<SKILL>");
    refused(&home, home.words("--order-id a"), "--order-id");
}

#[test]
fn orders_are_refused_by_name() {
    let home = Home::new();
    home.skill("returns_1");
    let skill = "\"skill_package\":{\"path\":\"returns_1\"}";
    let cases: &[(String, &str)] = &[
        (String::from("{"), "order.json is not valid JSON"),
        (String::from("[]"), "the order is malformed"),
        (String::from("{}"), "skill_package"),
        (
            format!("{{{skill},\"tiemout_seconds\":1}}"),
            "tiemout_seconds",
        ),
        (
            format!("{{{skill},\"timeout_seconds\":\"1\"}}"),
            "the order is malformed",
        ),
        (format!("{{{skill},\"order_id\":\"../x\"}}"), "../x"),
        (format!("{{{skill},\"max_retries\":1.5}}"), "1.5"),
        (
            format!("{{{skill},\"callback_url\":\"x\"}}"),
            "callback_url",
        ),
        (format!("{{{skill},\"input_data\":7}}"), "input_data"),
        (
            format!("{{{skill},\"sandbox_config\":{{\"feul\":7}}}}"),
            "feul",
        ),
        (
            format!("{{{skill},{skill}}}"),
            "duplicate key \"skill_package\"",
        ),
        (
            String::from("{\"skill_package\":{\"path\":\"absent\"}}"),
            "absent",
        ),
        (
            String::from("{\"skill_package\":{\"name\":\"a\",\"files\":{}}}"),
            "has no program",
        ),
    ];
    for (order, names) in cases {
        fs::write(home.path("order.json"), order).expect("a file");
        refused(&home, home.words("run --order order.json"), names);
    }
    fs::write(home.path("order.json"), format!("{{{skill}}}")).expect("a file");
    for flag in [
        "returns_1",
        "--input {}",
        "--order-id a",
        "--fuel 1",
        "--retry-on-timeout",
    ] {
        refused(
            &home,
            home.words(&format!("run {flag} --order order.json")),
            "cannot be used with",
        );
    }
    // And without any of these it is a good order.
    home.words("run --order order.json").exits(0);
}

#[test]
fn folders_are_refused_by_name() {
    let home = Home::new();
    refused(&home, home.words("run absent"), "absent");
    fs::create_dir(home.path("empty")).expect("a folder");
    refused(&home, home.words("run empty"), "no SKILL.md");
    fs::write(home.path("note.txt"), "a note").expect("a file");
    refused(&home, home.words("run note.txt"), "note.txt");

    let program = b"(module (memory (export \"memory\") 1) (func (export \"_start\")))";
    let documents: &[(&str, &str)] = &[
        ("---\nname: bad\n", "has no end"),
        ("---\nname: [\n---\n", "cannot be read"),
        (
            "---\nname: bad\ndescription: a: b\n---\n",
            "put the value in quotes",
        ),
        (
            "---\nname: bad\ndescription: d\nruntime: {entrypoint: mian.wat}\n---\n",
            "\"mian.wat\" is not in the package",
        ),
        (
            "---\nname: bad\ndescription: d\nruntime: {entrypoint: main.wat}\nio: {input_schema: {type: 7}}\n---\n",
            "input_schema",
        ),
    ];
    let folder = home.skill_of("bad", program, "");
    for (document, names) in documents {
        fs::write(folder.join("SKILL.md"), document).expect("SKILL.md");
        refused(&home, home.words("run bad"), names);
        refused(&home, home.words("skill check bad"), names);
    }

    let linked = home.skill_of("linked", program, "");
    std::os::unix::fs::symlink("/etc/passwd", linked.join("data")).expect("a link");
    refused(&home, home.words("run linked"), "\"data\" is a");
    let many = home.skill_of("many", program, "");
    for n in 0..9_999 {
        fs::write(many.join(format!("file-{n}")), "").expect("a file");
    }
    refused(&home, home.words("run many"), "at most 10000");
    let large = home.skill_of("large", program, "");
    fs::write(large.join("data"), vec![0; 65 << 20]).expect("a file");
    refused(&home, home.words("run large"), "67108864 bytes");
}

#[test]
fn archives_are_refused_by_name() {
    use tar::EntryType::{Char, Link, Regular, Symlink};
    let home = Home::new();
    let cases: &[(&str, tar::EntryType, &str)] = &[
        ("../outside", Regular, "\"../outside\" contains \"..\""),
        (
            "/etc/cron.d/job",
            Regular,
            "\"/etc/cron.d/job\" is absolute",
        ),
        ("link", Symlink, "\"link\" is a"),
        ("hard", Link, "\"hard\" is a"),
        ("device", Char, "\"device\" is a"),
        ("SKILL.md", Regular, "\"SKILL.md\" is in the package twice"),
        ("skill.MD", Regular, "differ in case only"),
    ];
    for (path, kind, names) in cases {
        fs::write(home.path("bad.tar.gz"), tarball(path, *kind, b"")).expect("a file");
        refused(&home, home.words("run bad.tar.gz"), names);
    }
    // A bomb: 1 GiB of zeros in about a megabyte. Reading it all would take seconds.
    let bomb = tarball("bomb", Regular, &vec![0; 1 << 30]);
    assert!(bomb.len() < 8 << 20);
    fs::write(home.path("bomb.tar.gz"), bomb).expect("a file");
    refused(
        &home,
        home.words("run bomb.tar.gz"),
        "\"bomb\" brings the package over 67108864 bytes",
    );
    fs::write(home.path("bomb.zip"), zipball(&vec![0; 65 << 20])).expect("a file");
    refused(
        &home,
        home.words("run bomb.zip"),
        "\"bomb\" brings the package over 67108864 bytes",
    );
    fs::write(
        home.path("cut.tar.gz"),
        &tarball("data", Regular, b"abc")[..60],
    )
    .expect("a file");
    refused(&home, home.words("run cut.tar.gz"), "error:");
}

#[test]
fn programs_are_refused_by_name() {
    let home = Home::new();
    for (program, names) in [
        ("imports_steal", "steal_secrets"),
        ("does_not_validate", "main.wat: invalid WebAssembly"),
    ] {
        home.skill(program);
        refused(&home, home.words(&format!("run {program}")), names);
        refused(&home, home.words(&format!("skill check {program}")), names);
    }
    for (name, program, names) in [
        ("text", &b"hello"[..], "main.wat: not a WebAssembly text"),
        (
            "cut",
            b"\0asm\x01\0\0\0\x01",
            "main.wat: invalid WebAssembly",
        ),
        (
            "library",
            b"(module (func (export \"add\")))",
            "exports no `_start`",
        ),
        (
            "threads",
            b"(module (memory (export \"memory\") 1 1 shared) (func (export \"_start\")))",
            "main.wat",
        ),
    ] {
        home.skill_of(name, program, "");
        refused(&home, home.words(&format!("run {name}")), names);
    }
    let native = home.path("native");
    fs::create_dir(&native).expect("a folder");
    let front_matter = skill_md("native", "").replace(
        "entrypoint: main.wat",
        "entrypoint: main.wat\n  kind: native",
    );
    fs::write(native.join("SKILL.md"), front_matter).expect("SKILL.md");
    fs::write(native.join("main.wat"), "#!/bin/sh\necho 1\n").expect("a file");
    fs::set_permissions(native.join("main.wat"), fs::Permissions::from_mode(0o755)).expect("chmod");
    refused(&home, home.words("run native"), "--allow-native");
}

/// One row: program, flags, exit code, status, error code, part of the message.
type BadSkill = (
    &'static str,
    &'static str,
    i32,
    &'static str,
    &'static str,
    &'static str,
);

const BAD_SKILLS: &[BadSkill] = &[
    (
        "prints_nothing",
        "",
        10,
        "failed",
        "bad_output",
        "nothing was printed",
    ),
    (
        "prints_text",
        "",
        10,
        "failed",
        "bad_output",
        "not JSON: expected value at line 1 column 1; it printed \"hello",
    ),
    (
        "prints_two",
        "",
        10,
        "failed",
        "bad_output",
        "more than one JSON value",
    ),
    (
        "prints_bytes",
        "",
        10,
        "failed",
        "bad_output",
        "not UTF-8: the byte at 1",
    ),
    (
        "floods",
        "",
        10,
        "failed",
        "output_limit",
        "printed more than the output limit",
    ),
    (
        "loops",
        "--fuel 50000000",
        10,
        "failed",
        "out_of_fuel",
        "used up its fuel",
    ),
    (
        "loops",
        "--sandbox-timeout-seconds 0.3",
        11,
        "timeout",
        "timeout",
        "time limit of 0.3 s",
    ),
    (
        "loops",
        "--timeout-seconds 0.3",
        11,
        "timeout",
        "timeout",
        "time limit of 0.3 s",
    ),
    ("sleeps", "", 11, "timeout", "timeout", "time limit of 30 s"),
    (
        "allocates",
        "",
        10,
        "failed",
        "out_of_memory",
        "ran out of memory",
    ),
    (
        "recurses",
        "",
        10,
        "failed",
        "skill_trapped",
        "call stack exhausted",
    ),
    (
        "exits_3",
        "",
        10,
        "failed",
        "skill_exited",
        "exited with code 3",
    ),
];

#[test]
fn bad_skills_fail_and_leave_nothing_behind() {
    let home = Home::new();
    for (n, (program, flags, code, status, error_code, message)) in BAD_SKILLS.iter().enumerate() {
        home.skill(program);
        let ran = home
            .words(&format!(
                "run {program} --order-id bad-{n} --format json {flags}"
            ))
            .exits(*code);
        let result = ran.json();
        assert_eq!(result["status"], *status, "{program}");
        assert_eq!(result["error_code"], *error_code, "{program}");
        let found = result["error_message"].as_str().unwrap_or_default();
        assert!(found.contains(message), "{program}: {found}");
        assert_eq!(result["output"], serde_json::Value::Null, "{program}");
        assert_eq!(home.droppings(), Vec::<PathBuf>::new(), "{program}");
        // What a skill did wrong is committed and verified like what it does right. A time limit
        // commits nothing.
        let verified = if *status == "timeout" { 25 } else { 0 };
        home.words(&format!("verify bad-{n}")).exits(verified);
    }
    home.skill("returns_1");
    let good = home.words("run returns_1 --format json").exits(0).json();
    assert_eq!(good["output"], 1);
}

#[test]
fn what_a_skill_prints_cannot_attack_the_terminal() {
    let home = Home::new();
    home.skill("attacks_terminal");
    for format in ["human", "json"] {
        let ran = home
            .words(&format!("run attacks_terminal --format {format}"))
            .exits(0);
        let hostile = |c: char| (c.is_control() && c != '\n' && c != '\t') || c == '\u{202e}';
        assert!(
            !ran.stdout.contains(hostile) && !ran.stderr.contains(hostile),
            "{ran:?}"
        );
    }
    let ran = home.words("run attacks_terminal").exits(0);
    assert!(
        ran.stdout
            .contains("│ kept\ttab\n  │ \\u{1b}[2Jx\\u{202e}y\\u{9b}1m\n"),
        "{}",
        ran.stdout
    );
    assert!(
        ran.stdout.contains("\"\\u202e\\u007f\\u009bab\""),
        "{}",
        ran.stdout
    );
    let json = home.words("run attacks_terminal --format json").json();
    assert_eq!(json["output"][0], "\u{202e}\u{7f}\u{9b}ab");
    // A name in a message of ours is escaped too.
    let ran = home.sre(&["run", "\u{1b}[2J"]).exits(2);
    assert!(!ran.stderr.contains('\u{1b}'), "{ran:?}");
}

/// A packed skill with one more entry.
fn tarball(path: &str, kind: tar::EntryType, content: &[u8]) -> Vec<u8> {
    let mut builder = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    let skill_md = skill_md("packed", "");
    let mut add = |path: &str, kind, content: &[u8]| {
        let mut header = tar::Header::new_gnu();
        // Written without the crate's checks.
        header.as_gnu_mut().expect("a GNU header").name[..path.len()]
            .copy_from_slice(path.as_bytes());
        header.set_entry_type(kind);
        header.set_mode(0o644);
        header.set_size(content.len() as u64);
        if matches!(kind, tar::EntryType::Symlink | tar::EntryType::Link) {
            header.set_link_name("/etc/passwd").expect("a link name");
        }
        header.set_cksum();
        builder.append(&header, content).expect("an entry");
    };
    add("SKILL.md", tar::EntryType::Regular, skill_md.as_bytes());
    add("main.wat", tar::EntryType::Regular, b"(module)");
    add(path, kind, content);
    builder
        .into_inner()
        .and_then(GzEncoder::finish)
        .expect("an archive")
}

fn zipball(content: &[u8]) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (path, content) in [
        ("SKILL.md", skill_md("packed", "").as_bytes()),
        ("bomb", content),
    ] {
        writer
            .start_file(path, zip::write::SimpleFileOptions::default())
            .expect("an entry");
        writer.write_all(content).expect("an entry");
    }
    writer.finish().expect("an archive").into_inner()
}

/// Whatever a result is wrapped in is read again: the deepest that a skill may print is one of an
/// order that has all.
#[test]
fn the_deepest_allowed_output_is_read_back_and_a_deeper_one_is_refused() {
    let home = Home::new();
    for (levels, code) in [(100, 0), (101, 10), (127, 10)] {
        let id = format!("deep-{levels}");
        home.script(
            &id,
            "py",
            &format!("print('[' * {levels} + ']' * {levels})\n"),
        );
        let ran = home
            .words(&format!("run {id} --order-id {id} --format json"))
            .exits(code)
            .json();
        assert_eq!(
            ran["error_message"]
                .to_string()
                .contains("nested deeper than 100 levels"),
            code != 0,
            "{ran}"
        );
        let again = home
            .words(&format!("run {id} --order-id {id} --format json"))
            .exits(code)
            .json();
        assert_eq!(again["status"], ran["status"]);
        home.words(&format!("verify {id}")).exits(0);
        home.words(&format!("bundle {id} --output {id}.bundle"))
            .exits(0);
        home.words(&format!("verify {id}.bundle")).exits(0);
    }
}
