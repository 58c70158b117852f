//! Scripts that go wrong end as their authors would expect: an outcome like any other, with a
//! message that says where.
//!
//! Every row runs through the real binary and is confirmed by `sre verify`. What a script may rely
//! on when nothing goes wrong is tested in `runtimes.rs` and by the examples.

mod common;

use common::Home;
use serde_json::json;

/// One script and what must come of it.
struct Bad {
    name: &'static str,
    script: &'static str,
    flags: &'static str,
    error_code: &'static str,
    /// A part of `error_message`.
    message: &'static str,
    /// Parts of the log, one a line.
    logs: &'static str,
}

/// The script ends with exit code 1 and this in its log.
const fn raises(name: &'static str, script: &'static str, logs: &'static str) -> Bad {
    Bad {
        name,
        script,
        flags: "",
        error_code: "skill_exited",
        message: "exited with code 1",
        logs,
    }
}

/// The script prints something that is no result.
const fn prints(name: &'static str, script: &'static str, message: &'static str) -> Bad {
    Bad {
        name,
        script,
        flags: "",
        error_code: "bad_output",
        message,
        logs: "",
    }
}

#[track_caller]
fn fails(home: &Home, extension: &str, rows: &[Bad]) {
    for row in rows {
        let id = format!("{extension}-{}", row.name);
        home.script(&id, extension, row.script);
        let ran = home.words(&format!(
            "run {id} --order-id {id} --format json {}",
            row.flags
        ));
        assert_eq!(ran.stderr, "", "{id}");
        let result = ran.exits(10).json();
        assert_eq!(result["status"], "failed", "{id}");
        assert_eq!(result["output"], json!(null), "{id}");
        assert_eq!(result["error_code"], row.error_code, "{id}: {result}");
        let (message, logs) = (text(&result["error_message"]), text(&result["logs"]));
        assert!(message.contains(row.message), "{id}: {message}");
        for part in row.logs.lines() {
            assert!(logs.contains(part), "{id}: {part:?} in {logs}");
        }
        let verified = home
            .sre(&["verify", &id, "--format", "json"])
            .exits(0)
            .json();
        assert_eq!(verified["verdict"], "matched", "{id}");
    }
}

fn text(value: &serde_json::Value) -> &str {
    value
        .as_str()
        .unwrap_or_else(|| panic!("{value} is no text"))
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table: one row for each failure")]
fn python_scripts_fail_with_what_python_says() {
    fails(
        &Home::new(),
        "py",
        &[
            raises(
                "syntax",
                "import json\nvalue = {1: 2\nprint(value)\n",
                "main.py\", line 2\n'{' was never closed",
            ),
            raises(
                "exception",
                "def total(items):\n    return items[0][\"price\"]\n\ntotal([{}])\n",
                "Traceback (most recent call last):\nmain.py\", line 4, in <module>\nmain.py\", line 2, in total\nKeyError: 'price'",
            ),
            raises(
                "exit-text",
                "import sys\nsys.exit(\"no orders in the input\")\n",
                "no orders in the input",
            ),
            Bad {
                flags: "--mem-limit 64m",
                ..raises(
                    "memory",
                    "kept = []\nwhile True:\n    kept.append(\"x\" * 1_000_000)\n",
                    "main.py\", line\nMemoryError",
                )
            },
            raises("gibibyte", "print(\"x\" * (1 << 30))\n", "MemoryError"),
            raises(
                "recursion",
                "def down(n):\n    return down(n + 1)\n\ndown(0)\n",
                "main.py\", line 2, in down\nPrevious line repeated\nRecursionError: maximum recursion depth exceeded",
            ),
            raises(
                "nested-json",
                "import json\njson.loads(\"[\" * 100_000)\n",
                "RecursionError",
            ),
            raises(
                "fork",
                "import os\nos.fork()\n",
                "main.py\", line\nOSError\nthere are no processes",
            ),
            raises(
                "subprocess",
                "import subprocess\nsubprocess.run([\"ls\"])\n",
                "FileNotFoundError\nthere are no programs in the WebAssembly sandbox",
            ),
            raises(
                "socket",
                "import socket\nsocket.create_connection((\"127.0.0.1\", 80))\n",
                "OSError\nthere is no network",
            ),
            raises(
                "url",
                "import urllib.request\nurllib.request.urlopen(\"http://127.0.0.1/\")\n",
                "URLError\nno network",
            ),
            raises(
                "deadlock",
                "import threading\nlock = threading.Lock()\nlock.acquire()\nlock.acquire()\n",
                "main.py\", line 4\nRuntimeError: deadlock",
            ),
            raises(
                "ctypes",
                "import ctypes\nctypes.CDLL('libc.so.6')\n",
                "main.py\", line 2\nOSError\nnative backend",
            ),
            raises(
                "missing-module",
                "import json\nimport numpy\n",
                "main.py\", line 2\nModuleNotFoundError: No module named 'numpy'\nvendor/\nnative backend\n collections ",
            ),
            raises(
                "outside",
                "open(\"/etc/passwd\")\n",
                "FileNotFoundError\n'/etc/passwd'",
            ),
            raises(
                "above",
                "open(\"../../../etc/passwd\")\n",
                "Error: [Errno\n'../../../etc/passwd'",
            ),
            raises(
                "writes-itself",
                "open(__file__, \"a\")\n",
                "OSError\nRead-only file system: '/skill/scripts/main.py'",
            ),
            raises(
                "writes-beside",
                "open(\"cache.json\", \"w\")\n",
                "OSError\nRead-only file system: 'cache.json'",
            ),
            prints(
                "prints-twice",
                "print('{\"ok\": true}')\nprint(\"done\")\n",
                "more than one JSON value was printed",
            ),
            prints(
                "prints-no-json",
                "print({\"a\": 1})\n",
                "standard output is not JSON",
            ),
            prints("prints-nothing", "", "nothing was printed"),
            prints(
                "prints-bytes",
                "import sys\nsys.stdout.buffer.write(b'\"\\xfc\"')\n",
                "not UTF-8: the byte at 1",
            ),
            Bad {
                name: "prints-without-end",
                script: "while True:\n    print(\"x\" * 1000)\n",
                flags: "",
                error_code: "output_limit",
                message: "printed more than the output limit",
                logs: "",
            },
            Bad {
                name: "endless",
                script: "while True:\n    pass\n",
                flags: "--fuel 100000000",
                error_code: "out_of_fuel",
                message: "used up its fuel",
                logs: "",
            },
        ],
    );
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table: one row for each failure")]
fn javascript_scripts_fail_with_what_an_engine_says() {
    fails(
        &Home::new(),
        "mjs",
        &[
            raises(
                "syntax",
                "const a = 1;\nconst b = {a: ;\n",
                "SyntaxError\nscripts/main.mjs:2:",
            ),
            raises(
                "exception",
                "const total = (items) => items[0].price.toFixed(2);\n\ntotal([{}]);\n",
                "Uncaught TypeError: cannot read property 'toFixed' of undefined\nscripts/main.mjs:1:\nscripts/main.mjs:3:",
            ),
            raises(
                "rejection",
                "await Promise.reject(new Error('no such order'));\n",
                "Uncaught Error: no such order",
            ),
            Bad {
                message: "exited with code 3",
                ..raises(
                    "exit",
                    "console.error('no orders');\nprocess.exit(3);\n",
                    "no orders",
                )
            },
            Bad {
                flags: "--mem-limit 64m",
                ..raises(
                    "memory",
                    "const kept = [];\nwhile (true) kept.push(new Uint8Array(1e6));\n",
                    "out of memory\nscripts/main.mjs:2:",
                )
            },
            raises(
                "recursion",
                "const down = (n) => down(n + 1);\ndown(0);\n",
                "RangeError: Maximum call stack size exceeded\nscripts/main.mjs:1:",
            ),
            raises(
                "nested-json",
                "JSON.parse('['.repeat(100000));\n",
                "Uncaught ",
            ),
            raises(
                "process",
                "import { execSync } from 'node:child_process';\nexecSync('ls');\n",
                "ENOENT\nprograms cannot be started here\nscripts/main.mjs:2:",
            ),
            raises(
                "network",
                "import { connect } from 'node:net';\nconnect(80);\n",
                "net.connect\nno network",
            ),
            raises(
                "fetch",
                "await fetch('http://127.0.0.1/');\n",
                "TypeError: fetch failed\na skill has no network",
            ),
            raises(
                "thread",
                "import { Worker } from 'node:worker_threads';\nnew Worker('./x.mjs');\n",
                "worker_threads.Worker\none thread",
            ),
            raises(
                "worker",
                "new Worker('./other.mjs');\n",
                "Worker is not defined\none thread",
            ),
            raises(
                "missing-module",
                "import _ from 'lodash';\n",
                "Cannot find package 'lodash' imported from /skill/scripts/main.mjs\nvendor/<name>\nnative backend",
            ),
            raises(
                "outside",
                "import { readFileSync } from 'node:fs';\nreadFileSync('/etc/passwd');\n",
                "ENOENT\nscripts/main.mjs:2:",
            ),
            raises(
                "above",
                "import { readFileSync } from 'node:fs';\nreadFileSync('../../etc/passwd');\n",
                "ENOENT",
            ),
            raises(
                "writes-itself",
                "import { writeFileSync } from 'node:fs';\nwriteFileSync('scripts/main.mjs', '');\n",
                "EROFS",
            ),
            prints(
                "prints-twice",
                "console.log('{\"ok\": true}');\nconsole.log('done');\n",
                "more than one JSON value",
            ),
            prints(
                "prints-no-json",
                "console.log({ a: 1 });\n",
                "standard output is not JSON",
            ),
            prints("prints-nothing", "", "nothing was printed"),
            prints(
                "prints-bytes",
                "process.stdout.write(Uint8Array.of(0x22, 0xfc, 0x22));\n",
                "not UTF-8: the byte at 1",
            ),
            Bad {
                name: "prints-without-end",
                script: "for (;;) console.log('x'.repeat(1000));\n",
                flags: "",
                error_code: "output_limit",
                message: "printed more than the output limit",
                logs: "",
            },
            Bad {
                name: "endless",
                script: "while (true) {}\n",
                flags: "--fuel 100000000",
                error_code: "out_of_fuel",
                message: "used up its fuel",
                logs: "",
            },
            Bad {
                name: "never-settles",
                script: "await new Promise(() => {});\n",
                flags: "",
                error_code: "skill_exited",
                message: "exited with code 13",
                logs: "a top-level await never settled",
            },
        ],
    );
}

/// What is refused is an exception that a script may catch, and the run goes on.
#[test]
fn a_script_survives_what_is_refused() {
    let home = Home::new();
    home.script("catches", "py", CATCHES_IN_PYTHON);
    home.script("catches-too", "mjs", CATCHES_IN_JAVASCRIPT);
    for (skill, output) in [
        (
            "catches",
            json!([
                "OSError",
                "OSError",
                "RuntimeError",
                "OSError",
                "FileNotFoundError",
                "OSError"
            ]),
        ),
        (
            "catches-too",
            json!(["Error", "Error", "TypeError", "Error", "Error"]),
        ),
    ] {
        let result = home
            .words(&format!("run {skill} --format json"))
            .exits(0)
            .json();
        assert_eq!(result["output"], output, "{skill}");
        assert_eq!(result["verification"]["verdict"], "matched", "{skill}");
    }
}

const CATCHES_IN_PYTHON: &str = r#"
import ctypes, json, os, socket, threading

lock = threading.Lock()
lock.acquire()

attempts = [
    lambda: os.fork(),
    lambda: socket.socket(),
    lambda: lock.acquire(),
    lambda: ctypes.CDLL("libc.so.6"),
    lambda: open("/etc/passwd"),
    lambda: open("/skill/SKILL.md", "w"),
]
caught = []
for attempt in attempts:
    try:
        attempt()
    except Exception as error:
        caught.append(type(error).__name__)
print(json.dumps(caught))
"#;

const CATCHES_IN_JAVASCRIPT: &str = r"
import { execSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';

const attempts = [
  () => execSync('ls'),
  () => new Promise((_, reject) => connect(80).on('error', reject)),
  () => fetch('http://127.0.0.1/'),
  () => readFileSync('/etc/passwd'),
  () => writeFileSync('/skill/SKILL.md', ''),
];
const caught = [];
for (const attempt of attempts) {
  try {
    await attempt();
  } catch (error) {
    caught.push(error.name);
  }
}
console.log(JSON.stringify(caught));
";
