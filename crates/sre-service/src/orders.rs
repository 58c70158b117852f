//! Orders that exist: seeing them, waiting for them, stopping them.

use std::time::Duration;

use sre_core::{ErrorCode, OrderId, SkillDigest};
use sre_journal::{
    Cancelled, Delivery, JournalEntry, News, OrderFilter, OrderState, OrderSummary, Watch,
};

use crate::caller::{Caller, Scope};
use crate::error::ServiceError;
use crate::service::Service;

/// Callers that wait look for what another process recorded this often.
const LOOK_PERIOD: Duration = Duration::from_secs(1);

/// Which orders a caller wants to see.
#[derive(Debug, Clone, Default)]
pub struct OrderQuery {
    /// Only orders in this state, one of [`OrderState::SHOWN`].
    pub status: Option<String>,
    /// Only orders of this skill.
    pub skill: Option<SkillDigest>,
    /// Only orders accepted before the one with this sequence number.
    pub before: Option<i64>,
    /// At most so many.
    pub limit: usize,
}

/// Some orders, newest first.
#[derive(Debug, Clone)]
pub struct OrderPage {
    /// The orders.
    pub orders: Vec<OrderSummary>,
    /// Whether there are more.
    pub has_more: bool,
}

/// An order that was to be stopped.
#[derive(Debug, Clone)]
pub struct Cancellation {
    /// The order as it is now.
    pub entry: JournalEntry,
    /// Whether it has ended; otherwise its skill is being stopped.
    pub is_over: bool,
}

impl Service {
    /// The order, if the caller may see it. One that it may not see does not exist for it.
    ///
    /// # Errors
    /// `order_invalid`, `order_unknown`; `order_forgotten` for an order that was purged.
    pub async fn order(&self, caller: &Caller, id: &str) -> Result<JournalEntry, ServiceError> {
        caller.require(&[Scope::Submit, Scope::Read])?;
        let order_id: OrderId = id.parse().map_err(|error: sre_core::OrderIdError| {
            ServiceError::new(ErrorCode::OrderInvalid, error.to_string())
        })?;
        match self.journal().get(&order_id).await? {
            Some(entry) if caller.sees(&entry.submitter) => Ok(entry),
            Some(_) => Err(ServiceError::no_order(&order_id)),
            None => match self.journal().purged(&order_id).await? {
                Some(submitter) if caller.sees(&submitter) => {
                    Err(ServiceError::purged_order(&order_id))
                }
                _ => Err(ServiceError::no_order(&order_id)),
            },
        }
    }

    /// As [`Service::order`], for what only the submitter and `admin` may do.
    ///
    /// # Errors
    /// As [`Service::order`]; `scope_missing`.
    pub async fn own_order(&self, caller: &Caller, id: &str) -> Result<JournalEntry, ServiceError> {
        let entry = self.order(caller, id).await?;
        let is_own = caller.name() == entry.submitter && caller.may(Scope::Submit);
        if is_own || caller.may(Scope::Admin) {
            return Ok(entry);
        }
        let detail = format!(
            "order {} was submitted by another token; this needs the scope admin",
            entry.order_id
        );
        Err(ServiceError::new(ErrorCode::ScopeMissing, detail))
    }

    /// A page of the orders that the caller may see.
    ///
    /// # Errors
    /// `scope_missing`, `journal_failed`.
    pub async fn orders(
        &self,
        caller: &Caller,
        query: OrderQuery,
    ) -> Result<OrderPage, ServiceError> {
        caller.require(&[Scope::Submit, Scope::Read])?;
        let filter = OrderFilter {
            status: query.status,
            skill: query.skill,
            // Without the scope `read` a caller sees its own orders.
            submitter: (!caller.may(Scope::Read)).then(|| caller.name().to_owned()),
            before: query.before,
        };
        // One more than is shown tells whether there is another page.
        let mut orders = self.journal().list(&filter, query.limit + 1).await?;
        let has_more = orders.len() > query.limit;
        orders.truncate(query.limit);
        Ok(OrderPage { orders, has_more })
    }

    /// The order once it has ended, or as it is when the time is over or the service stops. `None`
    /// does not wait.
    ///
    /// # Errors
    /// `journal_failed`.
    pub async fn wait(
        &self,
        entry: JournalEntry,
        wait: Option<Duration>,
    ) -> Result<JournalEntry, ServiceError> {
        if wait.is_none() || entry.result.is_some() {
            return Ok(entry);
        }
        let watch = self.journal().watch(entry.sequence);
        // It may have ended before there was a watch.
        let entry = self.look(&entry.order_id).await?;
        if entry.result.is_some() {
            return Ok(entry);
        }
        self.wait_with(entry, watch, wait).await
    }

    /// As [`Service::wait`], with a watch that was taken before the order could end. What this
    /// process records comes with the watch; the journal is read for what other processes do.
    pub(crate) async fn wait_with(
        &self,
        entry: JournalEntry,
        mut watch: Watch,
        wait: Option<Duration>,
    ) -> Result<JournalEntry, ServiceError> {
        let Some(time) = wait else { return Ok(entry) };
        let order_id = entry.order_id.clone();
        let mut stop = self.stopping();
        let ended = async {
            loop {
                let news = tokio::select! {
                    news = watch.changed() => Some(news),
                    () = tokio::time::sleep(LOOK_PERIOD) => None,
                    _ = stop.changed() => return self.look(&order_id).await,
                };
                match news {
                    Some(News {
                        result: Some(result),
                        ..
                    }) => {
                        let result = Some(String::from(&*result));
                        return Ok(JournalEntry {
                            state: OrderState::Finished,
                            attempts: 0,
                            result,
                            ..entry
                        });
                    }
                    Some(News { ended: false, .. }) => {}
                    Some(News {
                        ended: true,
                        result: None,
                    })
                    | None => {
                        let entry = self.look(&order_id).await?;
                        if entry.result.is_some() {
                            return Ok(entry);
                        }
                    }
                }
            }
        };
        match tokio::time::timeout(time, ended).await {
            Ok(ended) => ended,
            Err(_) => self.look(&order_id).await,
        }
    }

    pub(crate) async fn look(&self, order_id: &OrderId) -> Result<JournalEntry, ServiceError> {
        self.journal()
            .get(order_id)
            .await?
            .ok_or_else(|| ServiceError::no_order(order_id))
    }

    /// Stops an order. One that waits ends at once; the skill of one that runs is stopped.
    ///
    /// # Errors
    /// As [`Service::own_order`].
    pub async fn cancel(&self, caller: &Caller, id: &str) -> Result<Cancellation, ServiceError> {
        let order_id = self.own_order(caller, id).await?.order_id;
        let cancelled = self.workers.cancel(&order_id).await?;
        let is_asked = matches!(cancelled, Cancelled::Asked { .. });
        let entry = self.own_order(caller, id).await?;
        let is_over = entry.result.is_some() || !is_asked;
        Ok(Cancellation { entry, is_over })
    }

    /// Where the callback of an order stands.
    ///
    /// # Errors
    /// As [`Service::order`]; `callback_unknown`.
    pub async fn delivery(&self, caller: &Caller, id: &str) -> Result<Delivery, ServiceError> {
        let order_id = self.order(caller, id).await?.order_id;
        self.journal()
            .delivery(&order_id)
            .await?
            .ok_or_else(no_callback)
    }

    /// Has the callback of an order delivered again.
    ///
    /// # Errors
    /// As [`Service::own_order`]; `callback_unknown`.
    pub async fn redeliver(&self, caller: &Caller, id: &str) -> Result<Delivery, ServiceError> {
        let order_id = self.own_order(caller, id).await?.order_id;
        self.workers
            .redeliver(&order_id)
            .await?
            .ok_or_else(no_callback)
    }
}

fn no_callback() -> ServiceError {
    ServiceError::new(
        ErrorCode::CallbackUnknown,
        "the order has no callback_url, or has not ended yet",
    )
}
