//! The transcripts of the README and of the pages about determinism, the service and languages are
//! what the program prints.
//!
//! A block of `console` begins with a command line after `$ `; everything up to the next one is its
//! output. Lines that hold a duration are compared up to it, and all moments are equal. In
//! `docs/reference/python-skills.md` and `docs/reference/javascript-skills.md` a block of a script
//! followed by one of `text` shows lines that `sre run` prints for it; `…` at the end stands for
//! more on the line.
//!
//! With `SRE_WRITE_TRANSCRIPTS` set, outputs that differ are written into the pages instead.

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use common::Home;
use common::service::Service;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Commands with what they print, in their order.
fn transcripts(page: &str) -> Vec<(String, String)> {
    let mut transcripts: Vec<(String, String)> = Vec::new();
    let mut in_block = false;
    for line in page.lines() {
        match (in_block, line) {
            (false, "```console") => in_block = true,
            (true, "```") => in_block = false,
            (true, line) => match (line.strip_prefix("$ "), transcripts.last_mut()) {
                (Some(command), _) => transcripts.push((command.to_owned(), String::new())),
                (None, Some((_, output))) => output.push_str(&format!("{line}\n")),
                (None, None) => panic!("output before a command: {line}"),
            },
            _ => {}
        }
    }
    transcripts
}

/// What must be equal: everything but times.
fn comparable(output: &str) -> Vec<String> {
    let without_times = |line: &str| match line.trim_start() {
        text if text.starts_with("took ") => String::from("took"),
        text if text.starts_with("ran on ") => line.split(',').skip(1).collect(),
        _ => without_moments(line.trim_end()),
    };
    output
        .lines()
        .map(without_times)
        .filter(|line| !line.is_empty())
        .collect()
}

/// The line with `TIME` for each moment, which is RFC 3339 in UTC.
fn without_moments(line: &str) -> String {
    let is_part = |c: char| c.is_ascii_digit() || "-T:.Z".contains(c);
    let mut rest = line;
    let mut out = String::new();
    while let Some(start) = rest.find(is_part) {
        let (before, from) = rest.split_at(start);
        let (token, after) = from.split_at(from.find(|c| !is_part(c)).unwrap_or(from.len()));
        let is_moment = token.len() >= 20 && token.as_bytes()[10] == b'T' && token.ends_with('Z');
        out.push_str(before);
        out.push_str(if is_moment { "TIME" } else { token });
        rest = after;
    }
    out + rest
}

/// Transcripts of a page.
const PAGES: [&str; 3] = [
    "README.md",
    "docs/tutorial/first-skill.md",
    "docs/how-to/test-determinism.md",
];
/// The same with a service that runs.
const SERVICE_PAGES: [&str; 2] = [
    "docs/tutorial/first-service.md",
    "docs/reference/settings.md",
];

fn read(page: &str) -> String {
    fs::read_to_string(root().join(page)).unwrap_or_else(|error| panic!("{page}: {error}"))
}

/// Puts what a command prints now into the page that shows it.
fn rewrite(command: &str, old: &str, new: &str) {
    for page in PAGES.iter().chain(&SERVICE_PAGES) {
        let text = read(page);
        let shown = |output: &str| format!("\n$ {command}\n{output}");
        if text.contains(&shown(old)) {
            fs::write(root().join(page), text.replace(&shown(old), &shown(new))).expect("a page");
        }
    }
}

/// Runs a command line of a page and compares what it prints. `settings` are variables beside those
/// of the home.
fn compare(home: &Home, command: &str, expected: &str, settings: &[(&str, &str)]) {
    let script = format!(
        "sre() {{ {:?} \"$@\"; }}; {command}",
        env!("CARGO_BIN_EXE_sre")
    );
    let output = Command::new("sh")
        .args(["-c", &script])
        .current_dir(root())
        .env_clear()
        .env("SRE_DATA_DIR", home.data())
        .env("SRE_CACHE_DIR", common::CACHE)
        .envs(settings.iter().copied())
        .output();
    let printed = common::ran(output.expect("a shell"));
    let differs = comparable(&printed.stdout) != comparable(expected);
    if differs && std::env::var_os("SRE_WRITE_TRANSCRIPTS").is_some() {
        return rewrite(command, expected, &printed.stdout);
    }
    assert_eq!(
        comparable(&printed.stdout),
        comparable(expected),
        "$ {command}\n{}",
        printed.stderr
    );
}

#[test]
fn the_pages_about_the_service_show_what_a_service_does() {
    if !cfg!(target_arch = "x86_64") {
        return;
    }
    let home = Home::new();
    let transcripts: Vec<_> = SERVICE_PAGES
        .iter()
        .flat_map(|page| transcripts(&read(page)))
        .collect();
    assert!(transcripts.len() >= 8, "{transcripts:?}");
    let (first, rest) = transcripts.split_first().expect("transcripts");
    let service = Service::start(&home, &[]);
    let shown = first.1.replace("http://127.0.0.1:7710", &service.base);
    assert_eq!((&*first.0, &*shown), ("sre serve", &*service.greeting));
    for (command, expected) in rest {
        compare(&home, command, expected, &[("SRE_SERVER", &service.base)]);
    }
}

#[test]
fn the_transcripts_are_what_the_program_prints() {
    // The engine's description, and with it a commitment's digest, names the processor's
    // architecture.
    if !cfg!(target_arch = "x86_64") {
        return;
    }
    let home = Home::new();
    let transcripts: Vec<_> = PAGES
        .iter()
        .flat_map(|page| transcripts(&read(page)))
        .collect();
    assert!(transcripts.len() >= 5, "{transcripts:?}");
    for (command, expected) in transcripts {
        compare(&home, &command, &expected, &[]);
    }
}

/// What the shipped runtime has is written in `modules.txt` when it is built.
#[test]
fn the_page_about_python_lists_the_modules_of_the_runtime() {
    let page = read("docs/reference/python-skills.md");
    let (_, list) = page
        .split_once("unless the next list names one:\n\n")
        .expect("the list");
    let (list, _) = list.split_once(".\n\n").expect("the list's end");
    let mut listed: Vec<&str> = list
        .split_whitespace()
        .map(|name| name.trim_matches(['`', ',']))
        .collect();
    let modules = read("runtimes/python/modules.txt");
    let is_public =
        |name: &&str| !name.contains('.') && (!name.starts_with('_') || *name == "__future__");
    let mut shipped: Vec<&str> = modules.lines().filter(is_public).collect();
    listed.sort_unstable();
    shipped.sort_unstable();
    assert_eq!(listed, shipped);
}

/// Scripts with the lines shown below them: blocks of `language` that a block of `text` follows.
fn shown(page: &str, language: &str) -> Vec<(String, String)> {
    let blocks: Vec<(&str, &str)> = page
        .split("\n```")
        .skip(1)
        .step_by(2)
        .map(|block| {
            block
                .split_once('\n')
                .unwrap_or_else(|| panic!("an empty block: {block}"))
        })
        .collect();
    let pairs = blocks
        .windows(2)
        .filter(|pair| pair[0].0 == language && pair[1].0 == "text");
    pairs
        .map(|pair| (format!("{}\n", pair[0].1), pair[1].1.to_owned()))
        .collect()
}

#[test]
fn the_language_pages_show_what_scripts_print() {
    let home = Home::new();
    for (page, language, extension) in [("python", "python", "py"), ("javascript", "js", "mjs")] {
        let text = read(&format!("docs/reference/{page}-skills.md"));
        let shown = shown(&text, language);
        assert!(shown.len() >= 9, "{page}: {}", shown.len());
        for (number, (script, lines)) in shown.iter().enumerate() {
            let skill = format!("{page}-{number}");
            home.script(&skill, extension, script);
            let printed = home.words(&format!("run {skill}")).exits(10).stdout;
            for line in lines.lines() {
                let found = match line.strip_suffix('…') {
                    Some(start) => printed.lines().any(|printed| printed.starts_with(start)),
                    None => printed
                        .lines()
                        .any(|printed| printed.trim_end() == line.trim_end()),
                };
                assert!(found, "{page}: {line:?} is not in\n{printed}");
            }
        }
    }
}
