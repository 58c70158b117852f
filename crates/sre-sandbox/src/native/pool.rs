//! Jails made ahead, with Python started and waiting. Off by default.
//!
//! A jail of the pool is used once and thrown away, like any other; only its making lies before the order. It fits orders
//! with the limits that an earlier one had: the first of a kind starts cold and causes others to be made.
//!
//! What a script sees is the same, but for what Python keeps to itself: addresses of objects, `sys.flags`, and the
//! processor time that starting took. So a warm run does not call its addresses fixed.

use std::sync::{Arc, Mutex, PoisonError};

use sre_jail::{Held, Jail, Limits, Order};

use super::program::Command;

/// Most kinds of limits that jails are kept for; the least recently used goes first.
const KINDS: usize = 4;

/// What Python does first in a jail of the pool: it reads from descriptor 3 which script to be (`sre_jail::Jail::hold`),
/// and becomes it as if it had been started with it.
const WAIT: &str = r#"
import os, sys
def wait():
    told = b""
    while True:
        piece = os.read(3, 1 << 20)
        if not piece:
            break
        told += piece
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
    kinds: Arc<Mutex<Vec<Kind>>>,
}

struct Kind {
    limits: Limits,
    ready: Vec<Held>,
    /// How many are being made.
    coming: usize,
}

impl Pool {
    /// A pool of up to `size` jails for each kind of limits; 0 is no pool.
    pub fn new(size: usize) -> Self {
        Self { size, kinds: Arc::default() }
    }

    /// A jail for an order, if there is one, and others made for the next.
    pub fn take(&self, jail: &Arc<Jail>, command: &Command, order: &Order) -> Option<Held> {
        if self.size == 0 || command.program != "/usr/bin/python3" {
            return None;
        }
        let mut kinds = self.kinds.lock().unwrap_or_else(PoisonError::into_inner);
        let known = kinds.iter().position(|kind| kind.limits == order.limits);
        let mut kind = match known {
            Some(at) => kinds.remove(at),
            None => Kind { limits: order.limits, ready: Vec::new(), coming: 0 },
        };
        let held = kind.ready.pop();
        let missing = self.size.saturating_sub(kind.ready.len() + kind.coming);
        kind.coming += missing;
        kinds.insert(0, kind);
        let kept = kinds.len().min(KINDS);
        let forgotten = kinds.split_off(kept);
        drop(kinds);
        // Ending them takes a moment, which nobody else should wait for.
        drop(forgotten);
        for _ in 0..missing {
            self.make(jail, command, order);
        }
        held
    }

    /// Makes one on a thread of its own; an order never waits for it.
    fn make(&self, jail: &Arc<Jail>, command: &Command, order: &Order) {
        let (kinds, jail) = (Arc::clone(&self.kinds), Arc::clone(jail));
        let limits = order.limits;
        let start = Order {
            program: command.program.clone(),
            arguments: vec![command.arguments[0].clone(), String::from("-c"), WAIT.to_owned()],
            environment: order.environment.iter().filter(|(name, _)| name != "INPUT_JSON").cloned().collect(),
            files: Vec::new(),
            stdin: Arc::from([]),
            ..order.clone()
        };
        let made = std::thread::Builder::new().name(String::from("sre-warm-jail")).spawn(move || {
            let held = jail.hold(&start);
            let mut kinds = kinds.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(kind) = kinds.iter_mut().find(|kind| kind.limits == limits) {
                kind.coming -= 1;
                match held {
                    Ok(held) => kind.ready.push(held),
                    Err(error) => tracing::warn!(%error, "no jail could be made ahead"),
                }
            }
        });
        if let Err(error) = made {
            tracing::warn!(%error, "no thread to make a jail ahead");
        }
    }
}
