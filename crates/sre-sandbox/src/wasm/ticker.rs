//! Advances the engine's epoch while guests run, so that the host can interrupt them.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use wasmtime::Engine;

/// How often a running guest is asked whether it must stop.
const TICK: Duration = Duration::from_millis(5);

/// One thread per engine. It sleeps for good while no guest runs, so an idle process has no
/// wake-ups.
pub(super) struct Ticker {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    running: AtomicUsize,
    parked: Mutex<bool>,
    wake: Condvar,
    closing: AtomicBool,
}

impl Ticker {
    pub(super) fn start(engine: &Engine) -> std::io::Result<Self> {
        let shared = Arc::new(Shared {
            running: AtomicUsize::new(0),
            parked: Mutex::new(false),
            wake: Condvar::new(),
            closing: AtomicBool::new(false),
        });
        let (theirs, engine) = (Arc::clone(&shared), engine.clone());
        let thread = std::thread::Builder::new()
            .name(String::from("sre-epoch"))
            .spawn(move || theirs.run(&engine))?;
        Ok(Self {
            shared,
            thread: Some(thread),
        })
    }

    /// Ticks until the guard is dropped.
    pub(super) fn guard(&self) -> Ticking<'_> {
        if self.shared.running.fetch_add(1, Ordering::SeqCst) == 0 {
            self.shared.unpark();
        }
        Ticking(&self.shared)
    }
}

impl Shared {
    fn run(&self, engine: &Engine) {
        while !self.closing.load(Ordering::SeqCst) {
            if self.running.load(Ordering::SeqCst) == 0 {
                self.park();
            } else {
                std::thread::sleep(TICK);
                engine.increment_epoch();
            }
        }
    }

    fn park(&self) {
        let mut parked = self.parked.lock().unwrap_or_else(PoisonError::into_inner);
        *parked = true;
        // Checked again under the lock: a guest that starts after this check finds `parked` set
        // and wakes us.
        while *parked
            && self.running.load(Ordering::SeqCst) == 0
            && !self.closing.load(Ordering::SeqCst)
        {
            parked = self
                .wake
                .wait(parked)
                .unwrap_or_else(PoisonError::into_inner);
        }
        *parked = false;
    }

    fn unpark(&self) {
        let mut parked = self.parked.lock().unwrap_or_else(PoisonError::into_inner);
        if *parked {
            *parked = false;
            self.wake.notify_one();
        }
    }
}

pub(super) struct Ticking<'a>(&'a Shared);

impl Drop for Ticking<'_> {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.shared.closing.store(true, Ordering::SeqCst);
        self.shared.unpark();
        if let Some(thread) = self.thread.take() {
            // It cannot have panicked; there is nothing to do if it has.
            drop(thread.join());
        }
    }
}
