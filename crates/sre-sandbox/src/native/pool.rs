//! Jails made ahead, with Python started and waiting. Off by default.
//!
//! A jail of the pool is used once and thrown away, like any other; only its making lies before the
//! order. It fits orders with the limits that an earlier one had: the first of a kind starts cold
//! and causes others to be made.
//!
//! What a script sees is the same, but for what Python keeps to itself: addresses of objects,
//! `sys.flags`, and the processor time that starting took. So a warm run does not call its
//! addresses fixed.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sre_jail::{Held, Jail, Limits, ProcessSpec};

use super::program::Launch;

/// Most kinds of limits that jails are kept for; the least recently used goes first.
const KINDS: usize = 4;

/// What Python does first in a jail of the pool: it reads from descriptor 3 which script to be
/// (`sre_jail::Jail::hold`), says that it knows, and becomes it as if it had been started with it.
const WAIT: &str = r#"
import os, sys
def wait():
    told = b""
    while True:
        piece = os.read(3, 1 << 20)
        if not piece:
            break
        told += piece
    os.write(3, b"1")
    os.close(3)
    arguments, _, environment = told.partition(b"\0\0")
    os.environ.clear()
    for entry in environment.split(b"\0"):
        name, _, value = os.fsdecode(entry).partition("=")
        os.environ[name] = value
    sys.orig_argv = [os.fsdecode(argument) for argument in arguments.split(b"\0")]
    sys.argv = sys.orig_argv[1:]
    path = os.path.join(os.getcwd(), sys.argv[0])
    sys.path[0] = os.path.dirname(path)
    with open(path, "rb") as script:
        code = script.read()
    import __main__
    space = __main__.__dict__
    for name in ("wait", "os", "sys"):
        del space[name]
    space["__file__"] = path
    space["__cached__"] = None
    exec(compile(code, path, "exec", dont_inherit=True), space)
wait()
"#;

/// See the module's documentation.
pub struct Pool {
    size: usize,
    idle: Arc<Mutex<IdleJails>>,
}

#[derive(Default)]
struct IdleJails {
    /// The most recently used first; at most [`KINDS`].
    kinds: Vec<JailsOfLimits>,
    /// How many jails are being made, also of kinds that have been forgotten meanwhile.
    making: usize,
    /// How many kinds there have been.
    count: u64,
}

struct JailsOfLimits {
    /// Tells it from one of the same limits that was forgotten.
    number: u64,
    limits: Limits,
    ready: Vec<Held>,
    /// How many are being made.
    pending: usize,
}

impl Pool {
    /// A pool of up to `size` jails for each kind of limits, and of no more in the making at once;
    /// 0 is no pool.
    pub fn new(size: usize) -> Self {
        Self {
            size,
            idle: Arc::default(),
        }
    }

    /// A jail for an order, if there is one that lives, and others made for the next.
    pub fn take(&self, jail: &Arc<Jail>, launch: &Launch, spec: &ProcessSpec) -> Option<Held> {
        if self.size == 0 || launch.program != "/usr/bin/python3" {
            return None;
        }
        let (held, number, missing, unused) = {
            let mut idle = lock(&self.idle);
            let mut kind = idle.kind(spec.limits);
            // One that waits may be killed at any time: it is the first to go when the machine's
            // memory runs out. All are looked at, or one that is never reached would keep its place
            // without end.
            let dead: Vec<Held> = kind
                .ready
                .extract_if(.., |held| !held.is_waiting())
                .collect();
            let held = kind.ready.pop();
            let wanted = self.size.saturating_sub(kind.ready.len() + kind.pending);
            let missing = wanted.min(self.size.saturating_sub(idle.making));
            kind.pending += missing;
            idle.making += missing;
            let number = kind.number;
            idle.kinds.insert(0, kind);
            let kept = idle.kinds.len().min(KINDS);
            (held, number, missing, (dead, idle.kinds.split_off(kept)))
        };
        // Ending them takes a moment, and no other caller should wait for it.
        drop(unused);
        for _ in 0..missing {
            self.make(jail, number, launch, spec);
        }
        held
    }

    /// Makes one on a thread of its own; an order never waits for it.
    fn make(&self, jail: &Arc<Jail>, number: u64, launch: &Launch, spec: &ProcessSpec) {
        let jail = Arc::clone(jail);
        // Given back however the making ends, also when no thread can be started for it.
        let pending = PendingJail {
            idle: Arc::clone(&self.idle),
            number,
        };
        let start = ProcessSpec {
            program: launch.program.clone(),
            arguments: vec![
                launch.arguments[0].clone(),
                String::from("-c"),
                WAIT.to_owned(),
            ],
            environment: spec
                .environment
                .iter()
                .filter(|(name, _)| name != "INPUT_JSON")
                .cloned()
                .collect(),
            files: Vec::new(),
            stdin: Arc::from([]),
            ..spec.clone()
        };
        let made = std::thread::Builder::new()
            .name(String::from("sre-warm-jail"))
            .spawn(move || match jail.hold(&start) {
                Ok(held) => pending.fill(held),
                Err(error) => tracing::warn!(%error, "no jail could be made ahead"),
            });
        if let Err(error) = made {
            tracing::warn!(%error, "no thread to make a jail ahead");
        }
    }
}

impl IdleJails {
    /// Takes out the kind of these limits, or begins one.
    fn kind(&mut self, limits: Limits) -> JailsOfLimits {
        match self.kinds.iter().position(|kind| kind.limits == limits) {
            Some(at) => self.kinds.remove(at),
            None => {
                self.count += 1;
                JailsOfLimits {
                    number: self.count,
                    limits,
                    ready: Vec::new(),
                    pending: 0,
                }
            }
        }
    }
}

/// A jail that is being made, and counted until it is there or has failed.
struct PendingJail {
    idle: Arc<Mutex<IdleJails>>,
    number: u64,
}

impl PendingJail {
    /// The jail is made. One of limits that have been dropped meanwhile is ended.
    fn fill(self, held: Held) {
        if let Some(kind) = lock(&self.idle)
            .kinds
            .iter_mut()
            .find(|kind| kind.number == self.number)
        {
            kind.ready.push(held);
        }
    }
}

impl Drop for PendingJail {
    fn drop(&mut self) {
        let mut idle = lock(&self.idle);
        idle.making -= 1;
        if let Some(kind) = idle
            .kinds
            .iter_mut()
            .find(|kind| kind.number == self.number)
        {
            kind.pending -= 1;
        }
    }
}

fn lock(idle: &Mutex<IdleJails>) -> MutexGuard<'_, IdleJails> {
    idle.lock().unwrap_or_else(PoisonError::into_inner)
}
