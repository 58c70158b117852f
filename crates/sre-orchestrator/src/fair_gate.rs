//! Submitters take turns for the sandbox's slots.
//!
//! The slots are first come, first served, so a submitter with many orders there keeps all others
//! waiting behind them. Here only a few orders at a time ask for a slot, as many as there
//! are cores so that none stays empty, and the next one is that of the submitter whose turn it is.
//! Replays ask for themselves: there are no more of them than orders that have had a slot.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

/// The queue before the slots. Cheap to clone; clones are the same queue.
#[derive(Clone)]
pub(crate) struct FairGate(Arc<Mutex<Queue>>);

struct Queue {
    /// How many may ask now.
    free: usize,
    /// Whose turn it was last.
    last: String,
    waiting: BTreeMap<String, VecDeque<oneshot::Sender<FairPermit>>>,
}

/// The right to ask for a slot now. Dropping it is the next one's turn.
pub(crate) struct FairPermit(Option<FairGate>);

impl FairGate {
    /// A queue of which so many ask at once.
    pub(crate) fn new(width: usize) -> Self {
        Self(Arc::new(Mutex::new(Queue {
            free: width,
            last: String::new(),
            waiting: BTreeMap::new(),
        })))
    }

    /// Ends when it is this submitter's turn. A future that is dropped while it waits loses its place.
    pub(crate) async fn next(&self, submitter: &str) -> FairPermit {
        let permit = {
            let mut queue = self.queue();
            if queue.free > 0 {
                queue.free -= 1;
                queue.last = submitter.to_owned();
                return FairPermit(Some(self.clone()));
            }
            let (sender, permit) = oneshot::channel();
            queue
                .waiting
                .entry(submitter.to_owned())
                .or_default()
                .push_back(sender);
            permit
        };
        // The other end is in the queue until it is used.
        permit.await.unwrap_or(FairPermit(None))
    }

    /// Gives the turn to the next submitter behind the last who still waits.
    fn pass(&self) {
        loop {
            let next = {
                let mut queue = self.queue();
                let next = queue.next();
                if next.is_none() {
                    queue.free += 1;
                }
                next
            };
            let Some(next) = next else { return };
            match next.send(FairPermit(Some(self.clone()))) {
                Ok(()) => return,
                // It was dropped while waiting. The turn must not be passed on by its drop, which
                // would come in here again.
                Err(mut refused) => refused.0 = None,
            }
        }
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Queue {
    fn next(&mut self) -> Option<oneshot::Sender<FairPermit>> {
        let behind = self
            .waiting
            .range::<str, _>((Bound::Excluded(self.last.as_str()), Bound::Unbounded))
            .next();
        let submitter = behind
            .or_else(|| self.waiting.iter().next())
            .map(|(submitter, _)| submitter.clone())?;
        let orders = self.waiting.get_mut(&submitter)?;
        let next = orders.pop_front();
        if orders.is_empty() {
            self.waiting.remove(&submitter);
        }
        self.last = submitter;
        next
    }
}

impl Drop for FairPermit {
    fn drop(&mut self) {
        if let Some(gate) = self.0.take() {
            gate.pass();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures_util::future::{FutureExt, join_all};

    use super::*;

    #[tokio::test]
    async fn submitters_take_turns_however_many_orders_each_has() {
        let (gate, order) = (FairGate::new(1), Mutex::new(Vec::new()));
        let first = gate.next("b").await;
        let one = |submitter: &'static str| {
            let (gate, order) = (gate.clone(), &order);
            async move {
                let _permit = gate.next(submitter).await;
                order.lock().expect("no panic").push(submitter);
            }
        };
        let all = join_all(["b", "b", "b", "a", "c", "a"].map(one));
        let (_, ()) = tokio::join!(all, async { drop(first) });
        assert_eq!(
            order.into_inner().expect("no panic"),
            ["c", "a", "b", "a", "b", "b"]
        );
    }

    #[tokio::test]
    async fn one_that_gives_up_holds_up_no_other() {
        let gate = FairGate::new(1);
        let first = gate.next("a").await;
        // Each has a place, and one leaves without having had its turn.
        let mut gone: Vec<_> = (0..3).map(|_| Box::pin(gate.next("b"))).collect();
        gone.iter_mut()
            .for_each(|waiting| assert!(waiting.now_or_never().is_none()));
        let had = AtomicUsize::new(0);
        let mut last = Box::pin(async {
            drop(gate.next("c").await);
            had.fetch_add(1, Ordering::Relaxed);
        });
        assert!((&mut last).now_or_never().is_none());
        drop(gone.remove(1));
        drop(first);
        // The turn lies ready for the first of them, who leaves without having taken it; so does
        // the other.
        drop(gone);
        last.await;
        assert_eq!(had.into_inner(), 1);
        assert_eq!(gate.queue().free, 1, "the queue is empty");
    }
}
