//! What is no program for this backend is told before anything runs, with words that help.

mod common;

use common::{PROBE, Program, profile, run, shared, skill, skill_with};
use serde_json::json;
use sre_sandbox::ErrorKind;
use sre_skill::Skill;

/// `prepare` and `execute` refuse alike, twice, and say all of `told`.
fn assert_rejected(skill: &Skill, told: &[&str]) {
    let first = common::prepare(shared(), skill).expect_err("prepare accepts");
    let second = run(shared(), skill, &json!({}), &profile()).expect_err("execute accepts");
    for error in [&first, &second] {
        assert_eq!(error.kind(), ErrorKind::Rejected, "{error}");
        let message = error.to_string();
        assert!(
            told.iter().all(|word| message.contains(word)),
            "{message:?} does not say {told:?}"
        );
    }
    assert_eq!(first.to_string(), second.to_string());
}

fn text(text: &str, told: &[&str]) {
    assert_rejected(&skill(Program::Text(text)), told);
}

fn bytes(bytes: &[u8], told: &[&str]) {
    assert_rejected(&skill(Program::Binary(bytes)), told);
}

const START: &str = "(func (export \"_start\"))";

#[test]
fn what_is_no_webassembly() {
    bytes(b"", &["main.wasm", "not a WebAssembly"]);
    bytes(b"\x7fELF\x02\x01\x01", &["main.wasm", "not a WebAssembly"]);
    bytes(b"#!/bin/sh\necho 1\n", &["main.wasm", "not a WebAssembly"]);
    bytes(b"\0asm", &["main.wasm", "invalid WebAssembly"]);
    bytes(b"\0asm\x07\0\0\0", &["main.wasm", "invalid WebAssembly"]);
    bytes(b"\0asm\x0d\0\x02\0", &["main.wasm", "invalid WebAssembly"]);
    text("print(1)", &["main.wat", "not a WebAssembly text"]);
    text(
        "(module (func (export \"_start\") (i32.add)))",
        &["main.wat", "invalid WebAssembly", "type mismatch"],
    );
}

/// Cut at any place, a program is refused or (where only sections at the end are missing) is
/// another program.
#[test]
fn truncated_programs() {
    for length in [9, 100, 1_000, PROBE.len() / 2, PROBE.len() - 1] {
        let skill = skill(Program::Binary(&PROBE[..length]));
        let error = common::prepare(shared(), &skill).expect_err("prepare accepts");
        assert_eq!(error.kind(), ErrorKind::Rejected, "{length}: {error}");
    }
}

#[test]
fn imports_that_are_not_offered() {
    text(
        &format!("(module (import \"env\" \"foo\" (func)) {START})"),
        &["env", "foo", "not offered"],
    );
    let unknown = "(import \"wasi_snapshot_preview1\" \"fd_teleport\" (func))";
    text(
        &format!("(module {unknown} {START})"),
        &["wasi_snapshot_preview1", "fd_teleport"],
    );
    let wrong_type =
        "(import \"wasi_snapshot_preview1\" \"fd_close\" (func (param i64) (result i32)))";
    text(
        &format!("(module {wrong_type} {START})"),
        &["fd_close", "type"],
    );
    text(
        &format!("(module (import \"wasi_unstable\" \"fd_close\" (func)) {START})"),
        &["wasi_unstable"],
    );
    text(
        &format!("(module (import \"env\" \"memory\" (memory 1)) {START})"),
        &["env", "memory"],
    );
    text(
        &format!(
            "(module (import \"wasi\" \"thread-spawn\" (func (param i32) (result i32))) {START})"
        ),
        &["thread-spawn"],
    );
}

#[test]
fn modules_that_are_no_commands() {
    text("(module)", &["_start", "not as a library"]);
    text("(module (func (export \"main\")))", &["_start"]);
    text("(module (func (export \"_initialize\")))", &["_start"]);
    text(
        "(module (global (export \"_start\") i32 (i32.const 0)))",
        &["_start"],
    );
    text(
        "(module (func (export \"_start\") (param i32)))",
        &["_start", "takes or returns"],
    );
    text(
        "(module (func (export \"_start\") (result i32) (i32.const 0)))",
        &["_start", "takes or returns"],
    );
}

#[test]
fn components_that_are_no_commands() {
    text("(component)", &["wasi:cli/run"]);
    let sockets = "(component (import \"wasi:sockets/tcp-create-socket@0.2.0\" (instance
        (export \"create-tcp-socket\" (func)))))";
    text(
        sockets,
        &["wasi:sockets/tcp-create-socket", "without sockets"],
    );
    text(
        "(component (import \"wasi:http/outgoing-handler@0.2.0\" (instance (export \"handle\" (func)))))",
        &["wasi:http"],
    );
    text("(component (import \"host\" (func)))", &["host"]);
    let unknown = "(component (import \"wasi:cli/environment@0.2.0\" (instance (export \"set-environment\" (func)))))";
    text(unknown, &["set-environment"]);
    let wrong_type = "(component (import \"wasi:cli/environment@0.2.0\" (instance (export \"get-arguments\" (func)))))";
    text(wrong_type, &["get-arguments"]);
}

/// Proposals that are off: what they add is undetermined, or lets a guest escape its limits.
#[test]
fn features_that_are_off() {
    text(&format!("(module (memory i64 1) {START})"), &["memory64"]);
    text(
        &format!("(module (memory 1 2 shared) {START})"),
        &["threads"],
    );
    text(
        &format!("(module (memory 1) (func (drop (i32.atomic.load (i32.const 0)))) {START})"),
        &["threads"],
    );
    text(&format!("(module (type (struct)) {START})"), &["gc"]);
    text(&format!("(module (tag) {START})"), &["exceptions"]);
    text(&format!("(module (table 1 externref) {START})"), &[]);
}

#[test]
fn more_than_an_instance_may_have() {
    text(
        &format!("(module {} {START})", "(memory 1)".repeat(5)),
        &["memories"],
    );
    text(
        &format!("(module {} {START})", "(table 1 funcref)".repeat(17)),
        &["tables"],
    );
    text(
        &format!("(module (table 100001 funcref) {START})"),
        &["100000"],
    );
    let instances = "(core instance (instantiate $m))".repeat(17);
    text(
        &format!("(component (core module $m) {instances})"),
        &["17"],
    );
}

#[test]
fn other_languages_are_told_what_to_do() {
    // A sandbox that was given no language runtime runs no scripts.
    for (entrypoint, language) in [
        ("main.py", "Python"),
        ("main.js", "JavaScript"),
        ("main.sh", "native"),
    ] {
        let mut file = json!({"text": "1", "executable": true});
        if language != "native" {
            file = json!("1");
        }
        let changes = json!({"runtime": {"entrypoint": entrypoint}, "files": {entrypoint: file}});
        let skill = skill_with(Program::Text("(module)"), changes);
        assert_rejected(
            &skill,
            &[entrypoint, language, "compile the skill to a WASI command"],
        );
    }
}

/// A compilation cannot be interrupted: what would take minutes is refused before it starts.
#[test]
fn programs_that_would_take_too_long_to_compile() {
    let told = |body: &str, what| {
        text(
            &format!("(module (memory 1) {body} {START})"),
            &[what, "too long to compile"],
        )
    };
    let repeated = |what: &str, count| what.repeat(count);
    let loops = format!("{}{}", repeated("(loop ", 50_000), repeated(")", 50_000));
    told(&format!("(func {loops})"), "64 loops inside each other");
    told(
        &format!(
            "(func {})",
            repeated("(loop (br_if 0 (i32.load (i32.const 0))))", 5_000)
        ),
        "1000 loops",
    );

    let table =
        |targets: &str, count| format!("(br_table {} (local.get 0))", repeated(targets, count));
    let tables = repeated(&table("0 ", 65_000), 2);
    told(
        &format!("(func (param i32) {tables})"),
        "24000 br_table targets",
    );
    let all: String = (0..1_000).map(|label| format!("{label} ")).collect();
    let tables = repeated(
        &format!(
            "(drop (block (result i32) (i32.const 1) {}))",
            table(&all, 1)
        ),
        20,
    );
    let (open, close) = (
        repeated("(block (result i32) ", 1_000),
        repeated(")", 1_000),
    );
    told(
        &format!("(func (param i32) (result i32) {open} {tables} (i32.const 1) {close})"),
        "values that br_table",
    );

    let (locals, branches) = (
        repeated("i32 ", 3_000),
        repeated("(if (i32.load (i32.const 0)) (then))", 9_000),
    );
    told(
        &format!("(func (local {locals}) {branches})"),
        "branches times locals",
    );
    let (many, results) = (repeated("i32 ", 1_000), repeated("drop ", 1_000));
    let (given, calls) = (
        repeated("(i32.const 1)", 1_000),
        repeated("(call $wide)", 200),
    );
    let wide = format!(
        "(type $t (func (param {many}) (result {many}))) (func $wide (type $t) unreachable)"
    );
    told(
        &format!("{wide} (func {given} {calls} {results})"),
        "values that blocks, branches and calls",
    );
}

/// Functions that are each as much as one may be, one after another.
#[test]
fn many_programs_in_one_that_would_take_too_long_to_compile() {
    let function = format!(
        "(func (param i32) (br_table {} (local.get 0)))",
        "0 ".repeat(20_000)
    );
    text(
        &format!("(module {} {START})", function.repeat(6)),
        &["its functions together", "100000 br_table targets"],
    );
}

/// Nested without end, a text must not exhaust the stack of its parser. Where a level is
/// accepted, good.
#[test]
fn deeply_nested_texts() {
    text(&"(".repeat(200_000), &["not a WebAssembly text"]);
    let blocks = format!(
        "(module (func (export \"_start\") {} {}))",
        "(block ".repeat(5_000),
        ")".repeat(5_000)
    );
    let comments = format!(
        "{}{}(module {START})",
        "(;".repeat(200_000),
        ";)".repeat(200_000)
    );
    let components = format!("{}{}", "(component ".repeat(200), ")".repeat(200));
    for nested in [blocks, comments, components] {
        drop(common::prepare(shared(), &skill(Program::Text(&nested))));
    }
}
