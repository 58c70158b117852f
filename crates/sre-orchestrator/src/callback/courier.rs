//! From the outbox to the receivers.
//!
//! If the process dies after a delivery and before its record, the callback is delivered again by
//! the process that finds this holder dead: at least once, with the same id.

use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use tokio::sync::{Notify, Semaphore, watch};

use super::{Callback, CallbackError, CallbackMessage, Schedule};
use crate::tracer::order_context;
use crate::{Meter, Span, SpanKind, TraceParent, Tracing};
use sre_journal::{DeliveryOutcome, DeliverySlots, Journal, JournalError, Outgoing};

/// Deliveries at once.
const IN_FLIGHT_LIMIT: usize = 128;

/// First pause after a delivery could not be recorded; the next ones double.
const RECORD_PAUSE: Duration = Duration::from_millis(500);

/// Delivers callbacks.
pub struct Courier {
    journal: Arc<dyn Journal>,
    callback: Arc<dyn Callback>,
    schedule: Schedule,
    meter: Arc<dyn Meter>,
    tracing: Tracing,
    wake: Notify,
    slots: Arc<Semaphore>,
    places: Mutex<DeliverySlots>,
}

impl Courier {
    /// A courier for the outbox of `journal`.
    #[must_use]
    pub fn new(
        journal: Arc<dyn Journal>,
        callback: Arc<dyn Callback>,
        schedule: Schedule,
        meter: Arc<dyn Meter>,
    ) -> Self {
        Self {
            journal,
            callback,
            schedule,
            meter,
            tracing: Tracing::default(),
            wake: Notify::new(),
            slots: Arc::new(Semaphore::new(IN_FLIGHT_LIMIT)),
            places: Mutex::new(DeliverySlots::new(IN_FLIGHT_LIMIT)),
        }
    }

    /// The same, telling `tracing` of its deliveries.
    #[must_use]
    pub fn with_tracing(self, tracing: Tracing) -> Self {
        Self { tracing, ..self }
    }

    /// Something may be in the outbox.
    pub fn wake(&self) {
        self.wake.notify_one();
    }

    /// Delivers the callback of one order now, if it has one that is pending.
    pub async fn deliver_one(&self, sequence: i64) {
        match self.journal.acquire_callback(sequence).await {
            Ok(Some(outgoing)) => self.deliver(&outgoing).await,
            Ok(None) => {}
            Err(error) => tracing::warn!(%error, "the outbox cannot be read"),
        }
    }

    /// Delivers what is due until `stop` says so, then waits for what is under way.
    pub async fn run(self: Arc<Self>, mut stop: watch::Receiver<bool>) {
        while !*stop.borrow() {
            let pause = match self.dispatch().await {
                Ok(()) => self.schedule.poll_period(),
                Err(error) => {
                    tracing::warn!(%error, "the outbox cannot be read");
                    2 * self.schedule.poll_period()
                }
            };
            tokio::select! {
                () = self.wake.notified() => {}
                () = tokio::time::sleep(pause) => {}
                _ = stop.changed() => {}
            }
        }
        let all = u32::try_from(IN_FLIGHT_LIMIT).unwrap_or(u32::MAX);
        drop(self.slots.acquire_many(all).await);
    }

    /// Starts as many deliveries as are due and allowed.
    async fn dispatch(self: &Arc<Self>) -> Result<(), JournalError> {
        loop {
            let places = self.places().clone();
            let claimed = self.journal.acquire_callbacks(places).await?;
            if claimed.is_empty() {
                return Ok(());
            }
            for outgoing in claimed {
                let Ok(slot) = Arc::clone(&self.slots).acquire_owned().await else {
                    return Ok(());
                };
                self.places().occupy(&outgoing.submitter, &outgoing.host);
                let courier = Arc::clone(self);
                tokio::spawn(async move {
                    courier.deliver(&outgoing).await;
                    // In this order: a delivery that has a place finds a slot.
                    drop(slot);
                    courier.places().vacate(&outgoing.submitter, &outgoing.host);
                    // Something may have waited for this place.
                    courier.wake();
                });
            }
        }
    }

    async fn deliver(&self, outgoing: &Outgoing) {
        let started = Instant::now();
        let mut span = self.span(outgoing);
        let posted = self.post(outgoing, span.context().cloned()).await;
        if let Err(error) = &posted {
            span.fail(error);
        }
        drop(span);
        let outcome = match posted {
            Ok(()) => {
                tracing::info!(
                    order_id = outgoing.order_id,
                    receiver = outgoing.host,
                    "callback delivered"
                );
                DeliveryOutcome::Delivered
            }
            Err(error) => self.failed(outgoing, &error),
        };
        let name = match &outcome {
            DeliveryOutcome::Delivered => "delivered",
            DeliveryOutcome::Refused(_) => "refused",
            DeliveryOutcome::Later { .. } => "failed",
            DeliveryOutcome::GivenUp(_) => "given_up",
        };
        self.meter.callback_ended(name, started.elapsed());
        // If the process dies here, the receiver gets it again.
        let mut pause = RECORD_PAUSE;
        while let Err(error) = self.journal.delivered(outgoing, outcome.clone()).await {
            tracing::warn!(%error, order_id = outgoing.order_id, "what became of a callback cannot be recorded");
            if !error.is_retryable() {
                return;
            }
            tokio::time::sleep(pause).await;
            pause = (2 * pause).min(Duration::from_secs(60));
        }
    }

    /// The span of a delivery, within its order's; the receiver's span belongs to it.
    fn span(&self, outgoing: &Outgoing) -> Span {
        let order_id = outgoing.order_id.parse();
        let trace = submitters_trace(outgoing);
        let context = order_id
            .ok()
            .zip(trace.as_ref())
            .map(|(id, trace)| order_context(&id, trace));
        let Some(context) = context else {
            return Span::none();
        };
        // Without a listener the receiver belongs to the submitter's span, the last one that is
        // known to anybody.
        let parent = if self.tracing.is_on() {
            Some(&context)
        } else {
            trace.as_ref()
        };
        let mut span = self.tracing.span("callback", SpanKind::Client, parent);
        span.attribute("server.address", || outgoing.host.clone());
        span.attribute("sre.delivery", || outgoing.attempt.to_string());
        span
    }

    async fn post(
        &self,
        outgoing: &Outgoing,
        trace: Option<TraceParent>,
    ) -> Result<(), CallbackError> {
        let url = outgoing
            .url
            .parse()
            .map_err(|error| CallbackError::Request(format!("callback_url: {error}")))?;
        let message = CallbackMessage {
            id: outgoing.message_id.clone(),
            order_id: outgoing.order_id.clone(),
            submitter: outgoing.submitter.clone(),
            url,
            attempt: outgoing.attempt,
            body: outgoing.body.clone(),
            trace,
        };
        match AssertUnwindSafe(self.callback.deliver(&message))
            .catch_unwind()
            .await
        {
            Ok(ended) => ended,
            Err(_) => {
                tracing::error!(order_id = outgoing.order_id, "callback panicked");
                Err(CallbackError::Request(String::from(
                    "the delivery panicked",
                )))
            }
        }
    }

    fn failed(&self, outgoing: &Outgoing, error: &CallbackError) -> DeliveryOutcome {
        let Outgoing {
            order_id,
            host,
            attempt,
            ..
        } = outgoing;
        if error.is_final() {
            tracing::warn!(order_id, receiver = host, %error, "callback refused for good");
            return DeliveryOutcome::Refused(error.to_string());
        }
        match self
            .schedule
            .pause(*attempt, error.retry_after(), rand::random())
        {
            Some(pause) => {
                let pause_ms = u64::try_from(pause.as_millis()).unwrap_or(u64::MAX);
                tracing::warn!(order_id, receiver = host, attempt, %error, pause_ms, "callback failed; trying again later");
                DeliveryOutcome::Later {
                    pause_ms,
                    error: error.to_string(),
                }
            }
            None => {
                tracing::error!(order_id, receiver = host, attempt, %error, "callback given up");
                DeliveryOutcome::GivenUp(error.to_string())
            }
        }
    }

    fn places(&self) -> std::sync::MutexGuard<'_, DeliverySlots> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The submitter's trace; one that cannot be read is left out.
fn submitters_trace(outgoing: &Outgoing) -> Option<TraceParent> {
    outgoing.trace.as_deref()?.parse().ok()
}
