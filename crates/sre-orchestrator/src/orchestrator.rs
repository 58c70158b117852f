//! One order from acceptance to its result.
//!
//! A worker holds the lease of its order and makes one attempt. How the attempt ended goes into the
//! journal before anything else happens. [`Orchestrator::execute`] does this for one
//! order in this process, [`Workers`](crate::Workers) for whatever the journal has; both come by
//! here.

use std::sync::Arc;
use std::time::Duration;

use sre_commit::Commit;
use sre_core::{BlobDigest, CommandResult, OrderId, OrderResult, Tree};
use sre_da::{Store, StoreError};
use sre_sandbox::Executor;
use sre_verify::Verify;
use tracing::Instrument;

use crate::attempt::Ended;
use crate::callback::{Callback, Courier, Schedule};
use crate::fair_gate::FairGate;
use crate::invocation::StoredInputs;
use crate::listeners::Listeners;
use crate::meter::{Meter, NoMeter};
use crate::skill_cache::SkillCache;
use crate::{AcceptedOrder, Tracing};
use sre_journal::{Accepted, AcquirePolicy, Backoff, Journal, JournalError, Lease};

/// Runs accepted orders. Built from its parts, each of which can be another.
pub struct Orchestrator {
    pub(crate) executor: Executor,
    pub(crate) fair_gate: FairGate,
    pub(crate) commit: Arc<dyn Commit>,
    pub(crate) verify: Arc<dyn Verify>,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) skills: SkillCache,
    pub(crate) journal: Arc<dyn Journal>,
    courier: Arc<Courier>,
    pub(crate) backoff: Backoff,
    pub(crate) meter: Arc<dyn Meter>,
    pub(crate) tracing: Tracing,
    pub(crate) listeners: Listeners,
}

/// The parts of an [`Orchestrator`].
pub struct Parts {
    /// Runs guests.
    pub executor: Executor,
    /// The commit stage.
    pub commit: Arc<dyn Commit>,
    /// The verify stage.
    pub verify: Arc<dyn Verify>,
    /// Delivers callbacks.
    pub callback: Arc<dyn Callback>,
    /// Holds the skills of orders that wait.
    pub store: Arc<dyn Store>,
    /// Holds everything else that must survive.
    pub journal: Arc<dyn Journal>,
    /// Between attempts.
    pub backoff: Backoff,
    /// Between deliveries of a callback.
    pub schedule: Schedule,
    /// Is told how long things take.
    pub meter: Arc<dyn Meter>,
    /// Is told which spans of traces have ended.
    pub tracing: Tracing,
}

impl Parts {
    /// These parts with the defaults for the rest: backoff, schedule, nothing measured and nothing
    /// traced.
    #[must_use]
    pub fn new(
        executor: Executor,
        commit: Arc<dyn Commit>,
        verify: Arc<dyn Verify>,
        callback: Arc<dyn Callback>,
        store: Arc<dyn Store>,
        journal: Arc<dyn Journal>,
    ) -> Self {
        let (backoff, schedule, meter) =
            (Backoff::default(), Schedule::default(), Arc::new(NoMeter));
        let tracing = Tracing::default();
        Self {
            executor,
            commit,
            verify,
            callback,
            store,
            journal,
            backoff,
            schedule,
            meter,
            tracing,
        }
    }
}

/// Where an order is, for observers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Waiting for a slot or for the next attempt.
    Queued,
    /// Executing and committing.
    Running,
    /// Fetching, recomputing and replaying.
    Verifying,
    /// Telling the submitter.
    Reporting,
}

/// Why an order has no result. It stays open in the journal and can be executed again.
#[derive(Debug, thiserror::Error)]
pub enum ExecuteError {
    /// Another order was accepted under this id.
    #[error("order {0} exists already with other contents; choose another order_id")]
    Conflict(OrderId),
    /// The order that was accepted under this id was forgotten, with its result.
    #[error(
        "order {0} was accepted before and has been forgotten since, with its result; no id is ever new again, choose another"
    )]
    Forgotten(OrderId),
    /// The journal failed.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The skill could not be stored; the order was not accepted.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// How often an order that another process works on is looked at.
const FOLLOW_PERIOD: Duration = Duration::from_millis(200);

/// How often this process says that it lives.
pub(crate) const RENEW_PERIOD: Duration = Duration::from_secs(15);

/// The submitter of the operator's own orders.
const LOCAL: &str = "local";

impl Orchestrator {
    /// An orchestrator of these parts.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        let Parts {
            executor,
            commit,
            verify,
            callback,
            store,
            journal,
            backoff,
            schedule,
            meter,
            tracing,
        } = parts;
        let courier = Courier::new(Arc::clone(&journal), callback, schedule, Arc::clone(&meter));
        let courier = Arc::new(courier.with_tracing(tracing.clone()));
        let (skills, listeners) = (SkillCache::new(Arc::clone(&store)), Listeners::default());
        let fair_gate =
            FairGate::new(std::thread::available_parallelism().map_or(1, std::num::NonZero::get));
        Self {
            executor,
            fair_gate,
            commit,
            verify,
            store,
            skills,
            journal,
            courier,
            backoff,
            meter,
            tracing,
            listeners,
        }
    }

    /// Calls `listener` with every result that is not `completed`. What it does, panicking
    /// included, changes nothing.
    pub fn register_failure_callback(
        &self,
        listener: impl Fn(&OrderResult) + Send + Sync + 'static,
    ) {
        self.listeners.failure().register(Arc::new(listener));
    }

    /// Forgets all registered failure callbacks.
    pub fn clear_failure_callbacks(&self) {
        self.listeners.failure().clear();
    }

    /// Calls `listener` with every result that is `completed`. What it does, panicking included,
    /// changes nothing.
    pub fn register_success_callback(
        &self,
        listener: impl Fn(&OrderResult) + Send + Sync + 'static,
    ) {
        self.listeners.success().register(Arc::new(listener));
    }

    /// The journal that holds the results.
    #[must_use]
    pub fn journal(&self) -> &Arc<dyn Journal> {
        &self.journal
    }

    /// The store that everything is kept in.
    #[must_use]
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }

    /// The skills of orders.
    #[must_use]
    pub fn skills(&self) -> &SkillCache {
        &self.skills
    }

    /// The verify stage.
    #[must_use]
    pub fn verify(&self) -> &Arc<dyn Verify> {
        &self.verify
    }

    /// Who is told of spans.
    #[must_use]
    pub fn tracing(&self) -> &Tracing {
        &self.tracing
    }

    pub(crate) fn courier(&self) -> &Arc<Courier> {
        &self.courier
    }

    pub(crate) fn backoff(&self) -> Backoff {
        self.backoff
    }

    pub(crate) fn meter(&self) -> &dyn Meter {
        &*self.meter
    }

    /// Executes an order and returns its result once that is durable. The same order again returns
    /// the same result; an order that was interrupted runs again; one that another process works on
    /// is waited for.
    ///
    /// # Errors
    /// [`ExecuteError`]: there is no result, and the order, if it was accepted, is still open.
    pub async fn execute(&self, order: AcceptedOrder) -> Result<OrderResult, ExecuteError> {
        self.execute_observed(order, &|_| ()).await
    }

    /// As [`Orchestrator::execute`], telling `observer` of every change of stage.
    ///
    /// # Errors
    /// As [`Orchestrator::execute`].
    pub async fn execute_observed(
        &self,
        order: AcceptedOrder,
        observer: &(dyn Fn(Stage) + Send + Sync),
    ) -> Result<OrderResult, ExecuteError> {
        let span = tracing::info_span!("order", order_id = %order.attempt.order_id);
        let work = async {
            tokio::select! {
                result = self.execute_in_span(order, observer) => result,
                never = self.keep_alive() => match never {},
            }
        };
        work.instrument(span).await
    }

    async fn execute_in_span(
        &self,
        order: AcceptedOrder,
        observer: &(dyn Fn(Stage) + Send + Sync),
    ) -> Result<OrderResult, ExecuteError> {
        // Before the order is accepted: a worker that takes it over needs its inputs. Without an
        // order they do no harm.
        self.store_inputs(&order).await?;
        let mut lease = match self
            .journal
            .accept(order.to_record(LOCAL, None), AcquirePolicy::Always)
            .await?
        {
            Accepted::New { lease, .. } => lease,
            Accepted::Open { lease, .. } => {
                tracing::warn!(
                    "the order was accepted before and has no result; executing it again"
                );
                lease
            }
            Accepted::Finished { result, .. } => {
                self.report(&order).await;
                return Ok(*result);
            }
            Accepted::Conflict => {
                return Err(ExecuteError::Conflict(order.attempt.order_id.clone()));
            }
            Accepted::Reserved => {
                return Err(ExecuteError::Forgotten(order.attempt.order_id.clone()));
            }
        };
        // If the process dies from here on, the lease dies with it: a service that shares the
        // folder makes the next attempt, or the order stays open until it is submitted again. Blobs
        // that were stored meanwhile do no harm.
        loop {
            let Some(held) = lease else {
                return self.follow(&order.attempt.order_id, observer).await;
            };
            let sequence = held.sequence();
            let never = std::future::pending();
            match self.attempt(&order.attempt, held, observer, never).await? {
                Ended::Finished(result) => {
                    // From here on result and callback are durable. If the process dies now, the
                    // callback stays in the outbox.
                    observer(Stage::Reporting);
                    self.report(&order).await;
                    return Ok(*result);
                }
                Ended::Again(pause) => {
                    observer(Stage::Queued);
                    tokio::time::sleep(pause).await;
                    lease = self
                        .journal
                        .acquire_one(sequence)
                        .await?
                        .map(|claimed| claimed.lease);
                }
            }
        }
    }

    /// Stores what the order needs, so that any worker can run it. When this returns, it is
    /// durable.
    pub(crate) async fn store_inputs(&self, order: &AcceptedOrder) -> Result<(), StoreError> {
        self.skills.put(order.skill()).await?;
        match &order.attempt.resolved {
            Some(resolved) => self.store.put(resolved.new_blobs()).await,
            None => Ok(()),
        }
    }

    /// What the orders of `submitter` may refer to; `None` for the operator, who may use everything.
    #[must_use]
    pub fn inputs(&self, submitter: Option<String>) -> StoredInputs {
        StoredInputs::new(
            Arc::clone(&self.store),
            Arc::clone(&self.journal),
            submitter,
        )
    }

    /// Lets the submitter use what its order brought with it in later orders.
    pub(crate) async fn record_inputs(
        &self,
        order: &AcceptedOrder,
        submitter: &str,
    ) -> Result<(), JournalError> {
        let Some(resolved) = &order.attempt.resolved else {
            return Ok(());
        };
        let brought = resolved.brought.iter();
        let blobs = brought.map(|(digest, bytes)| (*digest, bytes.len() as u64));
        self.journal.record_upload(submitter, blobs.collect()).await
    }

    /// Lets the submitter use what its order left in later orders.
    pub(crate) async fn record_outputs(
        &self,
        lease: &Lease,
        command: &CommandResult,
    ) -> Result<(), JournalError> {
        // The operator's own orders may use everything anyway.
        if lease.submitter() == LOCAL {
            return Ok(());
        }
        let CommandResult {
            stdout,
            files,
            files_changed,
            tree,
            home_tree,
            ..
        } = command;
        let mut blobs: Vec<(BlobDigest, u64)> = vec![(stdout.sha256, stdout.size)];
        blobs.extend(
            files
                .iter()
                .filter_map(|file| Some((file.sha256?, file.size?))),
        );
        let trees = [Some(*tree), *home_tree].into_iter().flatten();
        blobs.extend(trees.map(|tree| (tree.into(), 0)));
        // What `files` does not list: home, and changes beyond its limit.
        let unlisted = (*files_changed > files.len() as u64).then_some(*tree);
        for tree in [unlisted, *home_tree].into_iter().flatten() {
            match self.store.get(tree.into()).await {
                Ok(bytes) => {
                    let tree = Tree::parse(&bytes).unwrap_or_default();
                    blobs.extend(tree.contents().map(|file| (file.sha256, file.size)));
                }
                // The order ends all the same: its result is right.
                Err(error) => tracing::error!(%error, "the files of an order cannot be listed"),
            }
        }
        self.journal.record_upload(lease.submitter(), blobs).await
    }

    /// Waits for the result of an order that another worker has.
    async fn follow(
        &self,
        order_id: &OrderId,
        observer: &(dyn Fn(Stage) + Send + Sync),
    ) -> Result<OrderResult, ExecuteError> {
        tracing::warn!("another worker has this order; waiting for its result");
        observer(Stage::Queued);
        loop {
            let Some(entry) = self.journal.get(order_id).await? else {
                return Err(JournalError::lease_lost(order_id).into());
            };
            if let Some(result) = entry.parsed_result()? {
                return Ok(result);
            }
            self.journal.recover(self.backoff, rand::random()).await?;
            tokio::time::sleep(FOLLOW_PERIOD).await;
        }
    }

    /// Says from time to time that this process lives.
    pub(crate) async fn keep_alive(&self) -> std::convert::Infallible {
        loop {
            tokio::time::sleep(RENEW_PERIOD).await;
            if let Err(error) = self.journal.heartbeat().await {
                tracing::warn!(%error, "the leases of this process cannot be renewed");
            }
        }
    }

    /// Delivers the order's callback where it is pending. Nothing that happens here changes the
    /// result.
    async fn report(&self, order: &AcceptedOrder) {
        // The address is part of what makes two orders the same, so the journal has none either.
        if order.callback_url.is_none() {
            return;
        }
        match self.journal.sequence(&order.attempt.order_id).await {
            Ok(Some(sequence)) => self.courier.deliver_one(sequence).await,
            Ok(None) => {}
            Err(error) => tracing::warn!(%error, "the outbox cannot be read"),
        }
    }
}
