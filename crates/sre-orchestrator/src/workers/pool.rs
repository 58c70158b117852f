//! Submission, and the loop that claims orders and runs them.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sre_core::{Backend, OrderId};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::{AbortHandle, JoinSet};
use tracing::Instrument;

use super::{SubmitError, Submitted, WorkerOptions, maintenance};
use crate::accept::{AcceptedOrder, AttemptOrder};
use crate::attempt::Ended;
use crate::meter::MeteredStage;
use crate::orchestrator::Orchestrator;
use sre_journal::{
    Accepted, AcquirePolicy, AcquiredOrder, Cancelled, Delivery, JournalError, Lease,
};

/// A pool of workers over one journal. Cheap to clone.
#[derive(Clone)]
pub struct Workers {
    pub(super) pool: Arc<Pool>,
}

/// What the loops share.
pub(super) struct Pool {
    pub(super) orchestrator: Arc<Orchestrator>,
    pub(super) options: WorkerOptions,
    pub(super) slots: HashMap<Backend, BackendSlots>,
    running: Mutex<HashMap<i64, Running>>,
    pub(super) stopping: AtomicBool,
    pub(super) stop: watch::Sender<bool>,
    pub(super) loops: tokio::sync::Mutex<JoinSet<()>>,
}

/// The permits of one backend.
pub(super) struct BackendSlots {
    pub(super) permits: Arc<Semaphore>,
    pub(super) size: usize,
    pub(super) wake: Notify,
}

/// An attempt of this process.
pub(super) struct Running {
    cancel: Arc<Notify>,
    pub(super) task: Option<AbortHandle>,
}

impl Workers {
    /// Starts the loops, on the current tokio runtime.
    pub async fn start(orchestrator: Arc<Orchestrator>, options: WorkerOptions) -> Self {
        let slots_of = |size: usize| BackendSlots {
            permits: Arc::new(Semaphore::new(size)),
            size,
            wake: Notify::new(),
        };
        let slots = options
            .concurrency
            .iter()
            .map(|(backend, size)| (*backend, slots_of((*size).max(1))))
            .collect();
        let pool = Arc::new(Pool {
            orchestrator,
            options,
            slots,
            running: Mutex::default(),
            stopping: AtomicBool::new(false),
            stop: watch::channel(false).0,
            loops: tokio::sync::Mutex::default(),
        });
        let mut loops = pool.loops.lock().await;
        for backend in pool.slots.keys() {
            loops.spawn(Arc::clone(&pool).work(*backend));
        }
        loops.spawn(maintenance::maintain(Arc::clone(&pool)));
        loops.spawn(Arc::clone(pool.orchestrator.courier()).run(pool.stop.subscribe()));
        drop(loops);
        Self { pool }
    }

    /// The orchestrator that makes the attempts.
    #[must_use]
    pub fn orchestrator(&self) -> &Arc<Orchestrator> {
        &self.pool.orchestrator
    }

    /// Accepts an order; when this returns, the order survives and will be worked on.
    ///
    /// # Errors
    /// [`SubmitError`]; the order was not accepted.
    pub async fn submit(
        &self,
        order: AcceptedOrder,
        submitter: &str,
    ) -> Result<Submitted, SubmitError> {
        let (pool, backend) = (&self.pool, order.profile().backend);
        let journal = pool.orchestrator.journal();
        if pool.stopping.load(Ordering::Acquire) {
            return Err(SubmitError::Stopping);
        }
        let slots = pool
            .slots
            .get(&backend)
            .ok_or(SubmitError::NoWorkers(backend))?;
        let limit = pool.options.queue_limit_orders;
        if !journal.is_known(order.order_id()).await? {
            if journal.open_orders() >= limit {
                return Err(SubmitError::Full { limit });
            }
            // Before the order is accepted: the worker that takes it over needs its inputs. One that is
            // known has it, and one that is refused must leave nothing behind.
            pool.orchestrator.store_inputs(&order).await?;
            pool.orchestrator.record_inputs(&order, submitter).await?;
        }
        // No order is overtaken: a permit is taken at once only while none waits.
        let none_waits = journal.open_orders() <= pool.running().len();
        let permit = if none_waits {
            Arc::clone(&slots.permits).try_acquire_owned().ok()
        } else {
            None
        };
        let wish = if permit.is_some() {
            AcquirePolicy::IfNew
        } else {
            AcquirePolicy::Never
        };
        let record = order.to_record(submitter, pool.options.queue_time_limit);
        match journal.accept(record, wish).await? {
            Accepted::New {
                lease,
                entry,
                watch,
            } => {
                // A lease comes only where there is a permit for it. One without would be given back
                // when it is dropped.
                match lease.zip(permit) {
                    Some((lease, permit)) => {
                        pool.orchestrator.meter().stage_ended(
                            backend,
                            MeteredStage::Queue,
                            Duration::ZERO,
                            false,
                        );
                        pool.spawn(order.attempt, lease, permit);
                    }
                    None => slots.wake.notify_one(),
                }
                Ok(Submitted::Accepted { entry, watch })
            }
            Accepted::Open { submitter, .. } => {
                slots.wake.notify_one();
                Ok(Submitted::Known { submitter })
            }
            Accepted::Finished { result, submitter } => {
                Ok(Submitted::Finished { result, submitter })
            }
            Accepted::Conflict => Err(SubmitError::Conflict(order.order_id().clone())),
            Accepted::Reserved => Err(SubmitError::Forgotten(order.order_id().clone())),
        }
    }

    /// Ends an order that waits, and stops one that runs; the result says `cancelled`.
    ///
    /// # Errors
    /// [`JournalError`]; nothing has changed.
    pub async fn cancel(&self, order_id: &OrderId) -> Result<Cancelled, JournalError> {
        let answer = self.pool.orchestrator.journal().cancel(order_id).await?;
        match &answer {
            Cancelled::Asked { sequence } => self.pool.cancel_running(*sequence),
            Cancelled::Ended(_) => self.pool.orchestrator.courier().wake(),
            _ => {}
        }
        Ok(answer)
    }

    /// Makes the callback of an order due at once; see
    /// [`Outbox::redeliver`](sre_journal::Outbox::redeliver).
    ///
    /// # Errors
    /// [`JournalError`].
    pub async fn redeliver(&self, order_id: &OrderId) -> Result<Option<Delivery>, JournalError> {
        let delivery = self.pool.orchestrator.journal().redeliver(order_id).await?;
        self.pool.orchestrator.courier().wake();
        Ok(delivery)
    }

    /// Whether new orders are refused because of a shutdown.
    #[must_use]
    pub fn is_stopping(&self) -> bool {
        self.pool.stopping.load(Ordering::Acquire)
    }

    /// Orders that this pool works on at this moment.
    #[must_use]
    pub fn running(&self) -> usize {
        self.pool.running().len()
    }
}

impl Pool {
    /// Claims and runs orders of one backend until the pool stops.
    async fn work(self: Arc<Self>, backend: Backend) {
        let slots = &self.slots[&backend];
        let mut turn = String::new();
        while !self.stopping.load(Ordering::Acquire) {
            let Ok(first) = Arc::clone(&slots.permits).acquire_owned().await else {
                return;
            };
            if self.stopping.load(Ordering::Acquire) {
                // The permit may be that of an order that the shutdown has just given back: it must
                // not be acquired again here.
                return;
            }
            let acquired = match self
                .claim(backend, 1 + slots.permits.available_permits(), &turn)
                .await
            {
                Ok(acquired) => acquired,
                Err(error) => {
                    tracing::warn!(%error, "no orders can be acquired");
                    drop(first);
                    tokio::time::sleep(2 * self.options.poll_period).await;
                    continue;
                }
            };
            if acquired.is_empty() {
                drop(first);
                tokio::select! {
                    () = slots.wake.notified() => {}
                    () = tokio::time::sleep(self.options.poll_period) => {}
                }
                continue;
            }
            let mut permit = Some(first);
            for order in acquired {
                turn.clone_from(&order.submitter);
                // Others may have taken the permits that were free; then this waits a little.
                let permit = match permit.take() {
                    Some(permit) => permit,
                    None => match Arc::clone(&slots.permits).acquire_owned().await {
                        Ok(permit) => permit,
                        Err(_) => return,
                    },
                };
                self.begin(backend, order, permit);
            }
        }
    }

    async fn claim(
        &self,
        backend: Backend,
        limit: usize,
        turn: &str,
    ) -> Result<Vec<AcquiredOrder>, JournalError> {
        let journal = self.orchestrator.journal();
        journal.release().await?;
        if !journal.has_work(backend).await? {
            return Ok(Vec::new());
        }
        journal.acquire(backend, limit, turn).await
    }

    /// Reads what the journal kept of the order and starts its attempt.
    fn begin(
        self: &Arc<Self>,
        backend: Backend,
        acquired: AcquiredOrder,
        permit: OwnedSemaphorePermit,
    ) {
        let queued = Duration::from_millis(acquired.queued_ms);
        self.orchestrator
            .meter()
            .stage_ended(backend, MeteredStage::Queue, queued, false);
        let pool = Arc::clone(self);
        let (sequence, order_id) = (acquired.lease.sequence(), acquired.lease.order_id().clone());
        tracing::debug!(%order_id, "acquired");
        self.start(sequence, permit, move |cancel| async move {
            match pool.orchestrator.load(acquired).await {
                Ok(Some((order, lease))) => pool.attempt(order, lease, cancel).await,
                Ok(None) => pool.orchestrator.courier().wake(),
                Err(error) => {
                    tracing::warn!(%order_id, %error, "what became of an attempt was not recorded")
                }
            }
        });
    }

    /// Starts the attempt of an order that was just accepted.
    fn spawn(self: &Arc<Self>, order: AttemptOrder, lease: Lease, permit: OwnedSemaphorePermit) {
        let pool = Arc::clone(self);
        self.start(lease.sequence(), permit, move |cancel| async move {
            pool.attempt(order, lease, cancel).await
        });
    }

    fn start<F>(
        self: &Arc<Self>,
        sequence: i64,
        permit: OwnedSemaphorePermit,
        work: impl FnOnce(Arc<Notify>) -> F + Send + 'static,
    ) where
        F: Future<Output = ()> + Send + 'static,
    {
        let cancel = Arc::new(Notify::new());
        self.running().insert(
            sequence,
            Running {
                cancel: Arc::clone(&cancel),
                task: None,
            },
        );
        let guard = RunningGuard {
            pool: Arc::clone(self),
            sequence,
            cancel: Arc::clone(&cancel),
            _permit: permit,
        };
        let task = tokio::spawn(async move {
            let _guard = guard;
            work(cancel).await;
        });
        if let Some(running) = self.running().get_mut(&sequence) {
            running.task = Some(task.abort_handle());
        }
    }

    async fn attempt(&self, order: AttemptOrder, lease: Lease, cancel: Arc<Notify>) {
        let trace_id = order
            .trace
            .as_ref()
            .map(|trace| trace.trace_id().to_owned());
        let span = tracing::info_span!("order", order_id = %order.order_id, trace_id);
        let cancelled = async { cancel.notified().await };
        let backend = order.profile.backend;
        let work = async {
            match self
                .orchestrator
                .attempt(&order, lease, &|_| (), cancelled)
                .await
            {
                Ok(Ended::Finished(_)) if order.has_callback => self.orchestrator.courier().wake(),
                Ok(Ended::Finished(_)) => {}
                Ok(Ended::Again(_)) => {}
                Err(error) => {
                    tracing::warn!(%error, backend = %backend, "what became of an attempt was not recorded")
                }
            }
        };
        work.instrument(span).await;
    }

    /// Stops the attempt of this process at `sequence`, if there is one.
    pub(super) fn cancel_running(&self, sequence: i64) {
        if let Some(running) = self.running().get(&sequence) {
            running.cancel.notify_one();
        }
    }

    pub(super) fn wake_all(&self) {
        self.slots
            .values()
            .for_each(|slots| slots.wake.notify_one());
    }

    pub(super) fn running(&self) -> MutexGuard<'_, HashMap<i64, Running>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Frees an attempt's permit, however the attempt ends.
struct RunningGuard {
    pool: Arc<Pool>,
    sequence: i64,
    cancel: Arc<Notify>,
    _permit: OwnedSemaphorePermit,
}

impl Drop for RunningGuard {
    fn drop(&mut self) {
        let mut running = self.pool.running();
        // The order's next attempt may have begun already.
        if running
            .get(&self.sequence)
            .is_some_and(|running| Arc::ptr_eq(&running.cancel, &self.cancel))
        {
            running.remove(&self.sequence);
        }
    }
}
