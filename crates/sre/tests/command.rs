//! Programs of a package run as commands: arguments, files, text, exit codes, state. The real
//! binary, real folders, Python and JavaScript as people write them.
#![cfg(unix)]

mod common;

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;

use common::{Home, Ran};
use serde_json::json;

const MERGE: &str = r#"
import argparse, pathlib, sys

parser = argparse.ArgumentParser(description="Merges files.")
parser.add_argument("folder")
parser.add_argument("output")
parser.add_argument("--upper", action="store_true")
arguments = parser.parse_args()
files = sorted(pathlib.Path(arguments.folder).iterdir())
text = "".join(file.read_text() for file in files)
if arguments.upper:
    text = text.upper()
output = pathlib.Path(arguments.output)
output.parent.mkdir(parents=True, exist_ok=True)
output.write_text(text)
print(f"merged {len(files)} files from {pathlib.Path.cwd()}")
print("a word for the log", file=sys.stderr)
sys.exit(3 if not text else 0)
"#;

/// A package as people publish it: keys for other programs, no execution block.
fn published(home: &Home, scripts: &[(&str, &str)]) {
    let folder = home.path("published");
    fs::create_dir_all(folder.join("scripts")).expect("folders");
    let front = "---\nname: Merge Tools\ndescription: A test.\nauthor: me\npricing: {usd: 1}\n---\n# Merge\n";
    fs::write(folder.join("SKILL.md"), front).expect("SKILL.md");
    for (path, text) in scripts {
        fs::write(folder.join(path), text).expect("a script");
    }
}

fn write(home: &Home, path: &str, text: &str) {
    let path = home.path(path);
    fs::create_dir_all(path.parent().expect("a parent")).expect("folders");
    fs::write(path, text).expect("a file");
}

fn read(home: &Home, path: &str) -> String {
    fs::read_to_string(home.path(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

#[track_caller]
fn refused(ran: Ran, parts: &[&str]) {
    let ran = ran.exits(2);
    for part in parts {
        assert!(ran.stderr.contains(part), "{part:?}: {ran:?}");
    }
}

#[test]
fn a_published_script_runs_as_it_is() {
    let home = Home::new();
    published(&home, &[("scripts/merge.py", MERGE)]);
    write(&home, "data/raw/a.txt", "one\n");
    write(&home, "data/raw/b.txt", "two\n");
    write(&home, "data/untouched.txt", "same\n");
    let line =
        "run published --work data --out results -- scripts/merge.py raw out/merged.txt --upper";
    let ran = home.words(line).exits(0);
    assert_eq!(ran.stdout, "merged 2 files from /workspace\n");
    assert!(ran.stderr.contains("a word for the log"), "{ran:?}");
    assert!(ran.stderr.contains("matched"), "{ran:?}");
    assert_eq!(read(&home, "results/out/merged.txt"), "ONE\nTWO\n");
    assert!(
        !home.path("results/untouched.txt").exists(),
        "it was not changed"
    );
    assert!(!home.path("data/out").exists(), "--work is only read");

    let line = "run published --work data --order-id second --format json -- scripts/merge.py raw out/merged.txt";
    let ran = home.words(line).exits(0);
    let result = ran.json();
    assert_eq!(result["status"], "completed");
    assert_eq!(result["exit_code"], 0);
    assert_eq!(result["stdout"]["text"], "merged 2 files from /workspace\n");
    assert_eq!(result["files"][0]["path"], "out/merged.txt");
    assert_eq!(result["files"][0]["change"], "added");
    assert_eq!(result["verification"]["verdict"], "matched");
    home.words("verify second").exits(0);
}

#[test]
fn an_exit_code_is_the_programs_own_where_it_is_accepted() {
    let home = Home::new();
    published(&home, &[("scripts/merge.py", MERGE)]);
    write(&home, "data/raw/a.txt", "");
    let run = |accept: &str| {
        home.words(&format!(
            "run published --work data {accept} -- scripts/merge.py raw out.txt"
        ))
    };
    let failed = run("").exits(10);
    assert_eq!(
        failed.stdout, "merged 1 files from /workspace\n",
        "a report is no loss"
    );
    assert!(failed.stderr.contains("skill_exited"), "{failed:?}");
    let accepted = run("--accept-exit 0,3").exits(3);
    assert!(accepted.stderr.contains("exited 3"), "{accepted:?}");
    run("--accept-exit any").exits(3);
    refused(run("--accept-exit 256"), &["0 to 255"]);
}

#[test]
fn changes_are_made_in_place_once_they_are_verified() {
    let home = Home::new();
    let script = "import os, pathlib\nos.remove('old.txt')\npathlib.Path('new').mkdir()\npathlib.Path('new/a.txt').write_text('1')\nopen('log.txt', 'a+').write('more\\n')\n";
    published(&home, &[("scripts/change.py", script)]);
    write(&home, "data/old.txt", "x");
    write(&home, "data/log.txt", "first\n");
    write(&home, "data/tool.sh", "#!/bin/sh\n");
    let executable = fs::Permissions::from_mode(0o755);
    fs::set_permissions(home.path("data/tool.sh"), executable).expect("set");
    home.words("run published --work data --in-place -- scripts/change.py")
        .exits(0);
    assert!(!home.path("data/old.txt").exists());
    assert_eq!(read(&home, "data/new/a.txt"), "1");
    assert_eq!(read(&home, "data/log.txt"), "first\nmore\n");
    let mode = fs::metadata(home.path("data/tool.sh"))
        .expect("a file")
        .permissions()
        .mode();
    assert_eq!(mode & 0o111, 0o111, "what was not changed is as it was");
    refused(
        home.words("run published --in-place -- scripts/change.py"),
        &["--work"],
    );
}

#[test]
fn standard_input_and_environment_reach_the_program() {
    let home = Home::new();
    let script = "import os, sys\ndata = sys.stdin.buffer.read()\nsys.stdout.buffer.write(data[::-1])\nprint(os.environ['WORD'], os.environ['HOME'], 'INPUT_JSON' in os.environ, sys.argv[1:])\n";
    published(&home, &[("scripts/show.py", script)]);
    fs::write(home.path("in.bin"), b"\n\xffcba").expect("a file");
    let output = home
        .command()
        .args([
            "run",
            "published",
            "--stdin",
            "in.bin",
            "--env",
            "WORD=hello",
            "--",
        ])
        .args(["scripts/show.py", "", "a b", "ü\n"])
        .output()
        .expect("sre starts");
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let expected = b"abc\xff\nhello /home/skill False ['', 'a b', '\xc3\xbc\\n']\n";
    assert_eq!(
        output.stdout,
        expected,
        "{}",
        String::from_utf8_lossy(&output.stdout)
    );
}

/// What one order left is where the next begins, and each is verified.
#[test]
fn state_goes_on_from_order_to_order() {
    let home = Home::new();
    let script = "import pathlib\np = pathlib.Path.home() / '.state'\nn = int(p.read_text()) if p.exists() else 0\np.write_text(str(n + 1))\nw = pathlib.Path('log.txt')\nw.write_text((w.read_text() if w.exists() else '') + f'{n}\\n')\nprint(n)\n";
    published(&home, &[("scripts/count.py", script)]);
    fs::create_dir(home.path("empty")).expect("a folder");
    let run = |id: &str, from: &str| {
        home.words(&format!(
            "run published --order-id {id} --work {from} --home {from} -- scripts/count.py"
        ))
        .exits(0)
    };
    assert_eq!(run("first", "empty").stdout, "0\n");
    assert_eq!(run("second", "order:first").stdout, "1\n");
    assert_eq!(run("third", "order:second").stdout, "2\n");
    home.words("verify third").exits(0);
    let result = home.words("run published --order-id third --work order:second --home order:second --format json -- scripts/count.py").exits(0).json();
    let tree = result["tree"].as_str().expect("a digest");
    let again = home
        .words(&format!(
            "run published --work tree:{tree} --out out -- scripts/count.py"
        ))
        .exits(0);
    assert_eq!(again.stdout, "0\n", "the home folder was not given");
    assert_eq!(read(&home, "out/log.txt"), "0\n1\n2\n0\n");
    refused(
        home.words("run published --work order:unknown -- scripts/count.py"),
        &["unknown"],
    );
}

#[test]
fn bad_usage_is_refused_before_anything_runs() {
    let home = Home::new();
    published(
        &home,
        &[("scripts/merge.py", MERGE), ("scripts/split.py", "")],
    );
    let run = |line: &str| home.words(&format!("run published {line}"));
    refused(
        run("-- scripts/merg.py"),
        &["merg.py", "scripts/merge.py\"?"],
    );
    refused(run("--accept-exit any"), &["say which program to start"]);
    refused(run("-- SKILL.md"), &["not a program"]);
    refused(
        run("--env LD_PRELOAD=x -- scripts/split.py"),
        &["LD_PRELOAD"],
    );
    refused(
        run("--env NODE_OPTIONS=x -- scripts/split.py"),
        &["NODE_OPTIONS"],
    );
    refused(run("--env =x -- scripts/split.py"), &["NAME=VALUE"]);
    refused(run("--work missing -- scripts/split.py"), &["missing"]);
    refused(
        run("--input {} -- scripts/split.py"),
        &["cannot be used with"],
    );
    assert!(!home.data().exists(), "nothing ran and nothing is kept");
}

/// A link may stay inside the folder; one that leads out is named, not followed.
#[test]
fn links_of_the_working_folder_are_kept_or_refused() {
    let home = Home::new();
    let script =
        "import os\nprint(open('link').read(), os.readlink('link'))\nos.symlink('a.txt', 'made')\n";
    published(&home, &[("scripts/link.py", script)]);
    write(&home, "data/a.txt", "through");
    symlink("a.txt", home.path("data/link")).expect("a link");
    let ran = home
        .words("run published --work data --out out -- scripts/link.py")
        .exits(0);
    assert_eq!(ran.stdout, "through a.txt\n");
    assert_eq!(
        fs::read_link(home.path("out/made")).expect("a link"),
        Path::new("a.txt")
    );
    symlink("../secret", home.path("data/out")).expect("a link");
    refused(
        home.words("run published --work data -- scripts/link.py"),
        &["data/out", "leads out of the folder"],
    );
}

#[test]
fn javascript_is_run_as_node_would() {
    let home = Home::new();
    let script = "import { readFileSync, writeFileSync } from 'node:fs';\nconst [file, out] = process.argv.slice(2);\nconst words = readFileSync(file, 'utf8').split(/\\s+/).filter(Boolean);\nwriteFileSync(out, JSON.stringify({ words: words.length }));\nconsole.log(`${words.length} words in ${process.cwd()}`);\nprocess.exitCode = 4;\n";
    published(&home, &[("scripts/count.mjs", script)]);
    write(&home, "data/text.txt", "to be or not to be");
    let ran = home.words("run published --work data --out out --accept-exit 4 -- scripts/count.mjs text.txt count.json").exits(4);
    assert_eq!(ran.stdout, "6 words in /workspace\n");
    let count: serde_json::Value =
        serde_json::from_str(&read(&home, "out/count.json")).expect("JSON");
    assert_eq!(count, json!({"words": 6}));
}
