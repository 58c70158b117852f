//! Modules that are valid and up to something.

mod common;

use common::{PRELUDE, Program, profile, profile_with, run, shared, skill};
use serde_json::{Value, json};
use sre_core::{Ending, ErrorCode, TrapKind};
use sre_sandbox::wasm::WasmOptions;
use sre_sandbox::{Call, ErrorKind, Execution};

fn execution(text: &str, changes: Value) -> Execution {
    let skill = skill(Program::Text(text));
    run(shared(), &skill, &json!({"n": 1}), &profile_with(changes)).expect("an outcome")
}

/// How a program ends that has the prelude.
fn ending(body: &str) -> Ending {
    execution(&format!("(module {PRELUDE} {body})"), json!({}))
        .outcome
        .ending
}

fn trapped(trap: TrapKind) -> Ending {
    Ending::Trapped { trap }
}

#[test]
fn traps_are_told_apart() {
    let body = |code: &str| {
        ending(&format!(
            "(table 1 funcref) (type $t (func)) (func (export \"_start\") {code})"
        ))
    };
    assert_eq!(body("(unreachable)"), trapped(TrapKind::Unreachable));
    assert_eq!(
        body("(drop (i32.load (i32.const -4)))"),
        trapped(TrapKind::MemoryOutOfBounds)
    );
    assert_eq!(
        body("(memory.fill (i32.const 1) (i32.const 0) (i32.const 0x200000))"),
        trapped(TrapKind::MemoryOutOfBounds)
    );
    assert_eq!(
        body("(drop (table.get (i32.const 1)))"),
        trapped(TrapKind::TableOutOfBounds)
    );
    assert_eq!(
        body("(call_indirect (type $t) (i32.const 0))"),
        trapped(TrapKind::IndirectCallToNull)
    );
    assert_eq!(
        body("(drop (i32.div_s (i32.const 1) (i32.const 0)))"),
        trapped(TrapKind::IntegerDivisionByZero)
    );
    assert_eq!(
        body("(drop (i32.div_s (i32.const 0x80000000) (i32.const -1)))"),
        trapped(TrapKind::IntegerOverflow)
    );
    assert_eq!(
        body("(drop (i32.trunc_f64_s (f64.const nan)))"),
        trapped(TrapKind::BadConversionToInteger)
    );
}

/// The start function runs while the module is instantiated; what it does is the guest's doing.
#[test]
fn start_functions_are_guests_too() {
    let with = |early: &str| {
        ending(&format!(
            "(func $early {early}) (start $early) (func (export \"_start\"))"
        ))
    };
    assert_eq!(with("(unreachable)"), trapped(TrapKind::Unreachable));
    assert_eq!(
        with("(call $proc_exit (i32.const 7))"),
        Ending::Exited { code: 7 }
    );
    assert_eq!(with("(loop $more (br $more))"), Ending::OutOfFuel);
    let grow = "(loop $more (br_if $more (i32.ne (memory.grow (i32.const 16)) (i32.const -1)))) (unreachable)";
    assert_eq!(with(grow), Ending::OutOfMemory);
    let sleep = format!(
        "(module {PRELUDE} (func (export \"_start\")) (start $early)
         (func $early (loop $more (drop (call $clock_time_get (i32.const 0) (i64.const 0) (i32.const 0))) (br $more))))"
    );
    let error = run(
        shared(),
        &skill(Program::Text(&sleep)),
        &json!({}),
        &profile_with(json!({"timeout_ms": 1})),
    );
    assert_eq!(error.expect_err("a timeout").kind(), ErrorKind::Timeout);
}

#[test]
fn exit_codes_are_whole_numbers() {
    let exit = |code: &str| {
        ending(&format!(
            "(func (export \"_start\") (call $proc_exit (i32.const {code})))"
        ))
    };
    for code in [1, 127, 255, 256, i32::MAX, -1, i32::MIN] {
        assert_eq!(exit(&code.to_string()), Ending::Exited { code });
    }
}

#[test]
fn segments_that_do_not_fit() {
    assert_eq!(
        ending("(data (i32.const -1) \"x\") (func (export \"_start\"))"),
        trapped(TrapKind::MemoryOutOfBounds)
    );
    let table = "(table 1 funcref) (elem (i32.const 9) $f) (func $f (export \"_start\"))";
    assert_eq!(ending(table), trapped(TrapKind::TableOutOfBounds));
}

/// Without an exported memory no call can name an address; the module runs all the same.
#[test]
fn a_module_without_memory() {
    let text = "(module (import \"wasi_snapshot_preview1\" \"fd_close\" (func $close (param i32) (result i32)))
        (func (export \"_start\") (if (i32.ne (call $close (i32.const 1)) (i32.const 28)) (then (unreachable)))))";
    let execution = execution(text, json!({}));
    assert_eq!(
        execution.outcome.error_code(None),
        Some(ErrorCode::BadOutput),
        "{}",
        execution.outcome
    );
}

/// Growth that the type of the memory rules out is answered, not punished; the guest sees the same
/// everywhere.
#[test]
fn impossible_growth_is_answered() {
    let body = "(func (export \"_start\")
        (if (i32.ne (memory.grow (i32.const 65536)) (i32.const -1)) (then (unreachable)))
        (if (i32.ne (memory.grow (i32.const -1)) (i32.const -1)) (then (unreachable)))
        (if (i32.ne (memory.grow (i32.const 1)) (i32.const 32)) (then (unreachable)))
        (call $print_byte (i32.const 49)))";
    let execution = execution(&format!("(module {PRELUDE} {body})"), json!({}));
    assert_eq!(execution.output, Some(json!(1)), "{}", execution.outcome);
    assert_eq!(execution.resources.peak_memory_bytes, 33 << 16);
}

/// The limit is on all memories together.
#[test]
fn memories_are_counted_together() {
    let text = |pages: u32| {
        format!(
            "(module (memory {pages}) (memory {pages}) (memory {pages}) (func (export \"_start\")))"
        )
    };
    let fits = execution(&text(341), json!({})).outcome;
    assert_eq!(fits.error_code(None), Some(ErrorCode::BadOutput));
    assert_eq!(
        execution(&text(342), json!({})).outcome.ending,
        Ending::OutOfMemory
    );
}

#[test]
fn tables_are_limited() {
    let body = "(table 10 funcref) (func (export \"_start\")
        (if (i32.ne (table.grow (ref.null func) (i32.const 99990)) (i32.const 10)) (then (unreachable)))
        (if (i32.ne (table.grow (ref.null func) (i32.const 1)) (i32.const -1)) (then (unreachable)))
        (call $print_byte (i32.const 49)))";
    assert!(
        execution(&format!("(module {PRELUDE} {body})"), json!({}))
            .outcome
            .output()
            .is_some()
    );
}

/// A host call at the very end of the guest's stack needs room of its own.
#[test]
fn host_calls_at_the_end_of_the_stack() {
    let body = "(data (i32.const 1024) \"x\") (data (i32.const 1056) \"a/b/c/../../d/\")
        (func $deeper
            (call $write (i32.const 2) (i32.const 1024) (i32.const 1))
            (drop (call $path_create_directory (i32.const 7) (i32.const 1056) (i32.const 14)))
            (call $deeper))
        (func (export \"_start\") (call $deeper))";
    assert_eq!(ending(body), trapped(TrapKind::StackOverflow));
}

/// Huge frames must not step over the guard.
#[test]
fn a_huge_frame_is_a_stack_overflow() {
    let locals = "(local v128) ".repeat(40_000);
    let uses: String = (0..40_000)
        .step_by(16)
        .map(|local| format!("(local.set {local} (i8x16.splat (i32.const 1)))"))
        .collect();
    let sum: String = (0..40_000)
        .step_by(16)
        .map(|local| format!("(local.get {local}) (i8x16.add)"))
        .collect();
    let body = format!(
        "(func $big (result v128) {locals} {uses} (drop (call $big)) (i8x16.splat (i32.const 0)) {sum})
         (func (export \"_start\") (drop (call $big)))"
    );
    assert_eq!(ending(&body), trapped(TrapKind::StackOverflow));
}

/// Many orders of greedy guests at once: each takes all the memories and tables it may, and all
/// run.
#[test]
fn greedy_guests_take_no_others_place() {
    let (memories, tables) = ("(memory 1)".repeat(4), "(table 1 funcref)".repeat(16));
    let text =
        format!("(module {memories} {tables} (func (export \"_start\") (loop $more (br $more))))");
    let greedy = skill(Program::Text(&text));
    let profile = profile_with(json!({"fuel": 20_000_000}));
    // This one has no guests of other tests: as many places as guests.
    let slots = 16;
    let sandbox = common::sandbox_with(WasmOptions {
        slots,
        ..WasmOptions::default()
    });
    std::thread::scope(|scope| {
        for _ in 0..slots {
            scope.spawn(|| {
                let execution = run(&sandbox, &greedy, &json!({}), &profile).expect("a place");
                assert_eq!(execution.outcome.ending, Ending::OutOfFuel);
            });
        }
    });
}

/// When all places are taken, that is the host's trouble and worth trying again: no outcome.
#[test]
fn without_a_place_there_is_no_outcome() {
    let sandbox = common::sandbox_with(WasmOptions {
        slots: 1,
        ..WasmOptions::default()
    });
    let text = format!("(module {PRELUDE} {})", include_str!("programs/loop.wat"));
    let endless = skill(Program::Text(&text));
    let (profile, stop) = (
        profile_with(json!({"fuel": u64::MAX})),
        sre_sandbox::Stop::new(),
    );
    let endless_job = sre_sandbox::Job {
        skill: &endless,
        entry: &endless.default_entry().expect("a program"),
        call: Call::Json { input: b"{}" },
        profile: &profile,
        time_limit: common::PATIENCE,
        language_runtime: None,
    };
    let greedy = format!(
        "(module {} (func (export \"_start\")))",
        "(memory 1)".repeat(4)
    );
    let greedy = skill(Program::Text(&greedy));
    std::thread::scope(|scope| {
        use sre_sandbox::Sandbox as _;
        sandbox
            .prepare(&endless, &endless.default_entry().expect("a program"))
            .expect("a program");
        let running = scope.spawn(|| {
            loop {
                match sandbox.execute(&endless_job, &stop) {
                    // The other one was there first.
                    Err(error) if error.kind() == ErrorKind::Unavailable => {}
                    ended => break ended,
                }
            }
        });
        // Until the endless one has its place, the other finds one.
        let error = loop {
            if let Err(error) = run(&sandbox, &greedy, &json!({}), &common::profile()) {
                break error;
            }
        };
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
        stop.stop();
        assert_eq!(
            running
                .join()
                .expect("no panic")
                .expect_err("stopped")
                .kind(),
            ErrorKind::Cancelled
        );
    });
    run(&sandbox, &greedy, &json!({}), &profile).expect("a place again");
}

/// A host without memory for the second module of a component, whose first has run: no outcome.
#[cfg(target_os = "linux")]
#[test]
fn a_host_without_memory_is_no_outcome() {
    const NAME: &str = "a_host_without_memory_is_no_outcome";
    const INSIDE: &str = "SRE_TEST_WITHOUT_MEMORY";
    if std::env::var_os(INSIDE).is_none() {
        // Addresses for a test, and none for 4 GiB of linear memory. The limit is a process's, so
        // this takes another one.
        let program = std::env::current_exe().expect("this test");
        let mut limited = std::process::Command::new("sh");
        limited
            .args(["-c", "ulimit -v 4000000 && exec \"$0\" \"$@\""])
            .arg(program);
        let run = limited
            .args(["--exact", NAME])
            .env(INSIDE, "1")
            .env("RAYON_NUM_THREADS", "1")
            .output()
            .expect("a shell");
        let said = format!(
            "{}{}",
            String::from_utf8_lossy(&run.stdout),
            String::from_utf8_lossy(&run.stderr)
        );
        assert!(run.status.success() && said.contains("1 passed"), "{said}");
        return;
    }
    let sandbox = common::sandbox_with(WasmOptions {
        slots: 1,
        pooling: false,
        ..WasmOptions::default()
    });
    let first = "(core module $first (global $n (mut i32) (i32.const 0))
        (func $early (global.set $n (i32.const 1))) (start $early))
        (core instance (instantiate $first))";
    let text = include_str!("programs/component.wat")
        .replace("BODY\n", "(func $run (result i32) (i32.const 0))\n");
    let text = text.replacen("(component", &format!("(component {first}"), 1);
    let error = run(
        &sandbox,
        &skill(Program::Text(&text)),
        &json!({}),
        &profile(),
    )
    .expect_err("no memory");
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
}
