//! What happens to an order, as it happens.
//!
//! Events are read from the journal, by number: whatever a caller has seen, it gets the next one,
//! and none is lost between two calls. Nothing is buffered for a caller that does not read.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use sre_core::{ErrorCode, OrderId};
use sre_journal::{Event, EventKind, Watch};
use tokio::sync::watch;

use crate::caller::Caller;
use crate::error::ServiceError;
use crate::service::Service;
use crate::shares::Held;

/// How often events that another process recorded are looked for.
const LOOK_PERIOD: Duration = Duration::from_secs(1);
/// Events read at once.
const BATCH: usize = 64;

/// A caller that follows an order.
pub struct Follower {
    service: Arc<Service>,
    order_id: OrderId,
    seen: u64,
    ready: VecDeque<Event>,
    is_over: bool,
    watch: Watch,
    stop: watch::Receiver<bool>,
    _stream: Held,
}

impl Service {
    /// Follows an order after the event with the number `seen`, 0 for all. `None` when the caller
    /// has seen the last event.
    ///
    /// # Errors
    /// As [`Service::order`]; `last_event_id_invalid`, `streams_busy`.
    pub async fn follow(
        self: &Arc<Self>,
        caller: &Caller,
        id: &str,
        seen: u64,
    ) -> Result<Option<Follower>, ServiceError> {
        let entry = self.order(caller, id).await?;
        let events = |after| self.journal().events(&entry.order_id, after, 1);
        let rest = events(seen).await?.unwrap_or_default();
        if entry.result.is_some() && rest.is_empty() && seen > 0 {
            return Ok(None);
        }
        // A caller that claims to have seen a later event would never see the end.
        if seen > 0
            && rest.is_empty()
            && events(seen - 1).await?.is_none_or(|found| found.is_empty())
        {
            let detail = format!(
                "Last-Event-ID: order {} has no event {seen}",
                entry.order_id
            );
            return Err(ServiceError::new(ErrorCode::LastEventIdInvalid, detail));
        }
        let stream = self.streams.take(caller.name(), 1).ok_or_else(|| {
            let detail = "as many clients follow orders as this service allows, or allows one token; try again later";
            ServiceError::busy(ErrorCode::StreamsBusy, detail, Duration::from_secs(5))
        })?;
        Ok(Some(Follower {
            watch: self.journal().watch(entry.sequence),
            stop: self.stopping(),
            order_id: entry.order_id,
            seen,
            ready: VecDeque::new(),
            is_over: false,
            service: Arc::clone(self),
            _stream: stream,
        }))
    }
}

impl Follower {
    /// The next event; `None` at the end of the order or of the service, or when the journal cannot
    /// be read. Dropping the future loses no event.
    pub async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                self.seen = event.number;
                self.is_over = event.kind == EventKind::Finished;
                return Some(event);
            }
            if self.is_over || *self.stop.borrow() {
                return None;
            }
            let journal = self.service.journal();
            match journal.events(&self.order_id, self.seen, BATCH).await {
                Ok(Some(events)) => self.ready.extend(events),
                // The caller comes back with what it has seen.
                Ok(None) | Err(_) => return None,
            }
            if !self.ready.is_empty() {
                continue;
            }
            tokio::select! {
                _ = self.watch.changed() => {}
                _ = self.stop.changed() => {}
                () = tokio::time::sleep(LOOK_PERIOD) => {}
            }
        }
    }
}
