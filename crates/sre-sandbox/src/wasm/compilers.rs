//! How many programs are compiled at once.

use std::sync::{Condvar, Mutex, PoisonError};

/// Compilations of this process at once. One alone uses all cores for most of its time; the second
/// fills the gaps, and a small program need not wait for a large one.
const AT_ONCE: usize = 2;

/// A compilation takes a turn first: a compilation has no time limit and takes much memory.
pub(super) static COMPILERS: Compilers = Compilers {
    running: Mutex::new(0),
    freed: Condvar::new(),
};

pub(super) struct Compilers {
    running: Mutex<usize>,
    freed: Condvar,
}

/// The right to compile, until it is dropped.
pub(super) struct Turn<'a>(&'a Compilers);

impl Compilers {
    /// Waits for a turn.
    pub(super) fn turn(&self) -> Turn<'_> {
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        let mut running = self
            .freed
            .wait_while(running, |running| *running >= AT_ONCE)
            .unwrap_or_else(PoisonError::into_inner);
        *running += 1;
        Turn(self)
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        *self
            .0
            .running
            .lock()
            .unwrap_or_else(PoisonError::into_inner) -= 1;
        self.0.freed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn no_more_compile_at_once_and_all_have_their_turn() {
        let compilers = Compilers {
            running: Mutex::new(0),
            freed: Condvar::new(),
        };
        let (now, most, turns) = (
            AtomicUsize::new(0),
            AtomicUsize::new(0),
            AtomicUsize::new(0),
        );
        let work = || {
            for _ in 0..100 {
                let _turn = compilers.turn();
                most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                std::thread::yield_now();
                now.fetch_sub(1, Ordering::SeqCst);
                turns.fetch_add(1, Ordering::SeqCst);
            }
        };
        std::thread::scope(|scope| (0..8).for_each(|_| drop(scope.spawn(work))));
        assert!(most.load(Ordering::SeqCst) <= AT_ONCE);
        assert_eq!(turns.load(Ordering::SeqCst), 800);
    }
}
