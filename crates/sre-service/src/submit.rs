//! Submitting an order.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;
use sre_core::{ErrorCode, SkillDigest};
use sre_journal::JournalEntry;
use sre_orchestrator::{AcceptedOrder, OrderConfig, SubmitError, Submitted, TraceParent};
use sre_skill::LocalPaths;

use crate::caller::{Caller, Scope};
use crate::error::ServiceError;
use crate::service::Service;

/// An order that was submitted.
#[derive(Debug, Clone)]
pub struct Submission {
    /// The order, after the time the caller wanted to wait.
    pub entry: JournalEntry,
    /// Whether it is new; otherwise the same order was submitted before.
    pub is_new: bool,
}

impl Service {
    /// Reads and checks an order in its JSON form, parsed strictly, for a caller. Its skill is a
    /// package, or `{"digest"}` of an uploaded one; a path of this host is refused. May take long
    /// where the order is large.
    ///
    /// # Errors
    /// `order_invalid`, `input_schema`, `callback_forbidden`, `skill_unknown` and the codes of
    /// packages; `journal_failed`, `store_failed`.
    pub async fn accept_json(
        &self,
        caller: &Caller,
        order: Value,
    ) -> Result<AcceptedOrder, ServiceError> {
        let config = match uploaded_skill(&order)? {
            Some(digest) => {
                // Only what was uploaded as a skill: any blob may look like one, for instance an
                // input that names as its files blobs that its author may not read.
                if self.journal().skill(digest).await?.is_none() {
                    let detail = format!(
                        "skill_package: there is no skill {digest}; upload it with POST /v1/skills"
                    );
                    return Err(ServiceError::new(ErrorCode::SkillUnknown, detail));
                }
                let skill = self.skill_cache().get(digest).await?;
                OrderConfig::from_json_with_skill(order, skill)?
            }
            None => OrderConfig::from_json(order, LocalPaths::Refused)?,
        };
        self.accept(caller, config).await
    }

    /// Checks an order of a caller. It may name blobs and trees that the caller uploaded or that its
    /// orders left, and those orders; with the scope `read`, what is there.
    ///
    /// # Errors
    /// As [`Service::accept_json`].
    pub async fn accept(
        &self,
        caller: &Caller,
        config: OrderConfig,
    ) -> Result<AcceptedOrder, ServiceError> {
        if let Some(url) = &config.callback_url {
            self.callback_policy.check_url(url).map_err(|error| {
                let detail = format!("callback_url: {error}");
                ServiceError::new(ErrorCode::CallbackForbidden, detail)
            })?;
        }
        // What it may read it could upload itself.
        let submitter = (!caller.may(Scope::Read)).then(|| caller.name().to_owned());
        let inputs = self.workers.orchestrator().inputs(submitter);
        let order = self.acceptance.accept_from(config, &inputs).await?;
        self.check_verdicts_required(order.verdicts_required())?;
        Ok(order)
    }

    /// Submits an order for a caller, and waits for its end for this time. When this returns, the
    /// order is durable.
    ///
    /// # Errors
    /// `scope_missing`, `order_conflict`, `order_forgotten`, `queue_full`, `shutting_down`,
    /// `backend_unavailable`, `journal_failed`, `store_failed`.
    pub async fn submit(
        &self,
        caller: &Caller,
        order: AcceptedOrder,
        trace: Option<TraceParent>,
        wait: Option<Duration>,
    ) -> Result<Submission, ServiceError> {
        caller.require(&[Scope::Submit])?;
        let order = order.with_trace(trace);
        let order_id = order.order_id().clone();
        let submitter = match self.workers.submit(order, caller.name()).await? {
            Submitted::Accepted { entry, watch } => {
                return Ok(Submission {
                    entry: self.wait_with(*entry, watch, wait).await?,
                    is_new: true,
                });
            }
            Submitted::Known { submitter } | Submitted::Finished { submitter, .. } => submitter,
        };
        if !caller.sees(&submitter) {
            // In the words for other contents: another token may not learn that they are the same.
            return Err(SubmitError::Conflict(order_id).into());
        }
        Ok(Submission {
            entry: self.wait(self.look(&order_id).await?, wait).await?,
            is_new: false,
        })
    }

    /// Refuses an order that could never become final.
    fn check_verdicts_required(&self, required: u32) -> Result<(), ServiceError> {
        if required == 0 {
            return Ok(());
        }
        let keys = self
            .registrar
            .verdict_keys(Timestamp::now())
            .map_err(|error| ServiceError::operating(ErrorCode::ReceiptFailed, &error))?
            .len();
        if keys >= usize::try_from(required).unwrap_or(usize::MAX) {
            return Ok(());
        }
        let keys = match keys {
            0 => String::from("no key of others"),
            1 => String::from("one key of others"),
            more => format!("{more} keys of others"),
        };
        let detail = format!(
            "verdicts_required: {required} verdicts are asked for, and this service believes {keys}; its operator adds one \
             with `sre key trust KEY --for verdict`"
        );
        Err(ServiceError::new(ErrorCode::VerdictsUnavailable, detail))
    }
}

/// The digest in `{"skill_package": {"digest": "…"}}`.
fn uploaded_skill(order: &Value) -> Result<Option<SkillDigest>, ServiceError> {
    let Some(package) = order.get("skill_package").and_then(Value::as_object) else {
        return Ok(None);
    };
    let Some(digest) = package.get("digest") else {
        return Ok(None);
    };
    let refuse = |message: &str| {
        let detail = format!("skill_package: {message}");
        Err(ServiceError::new(ErrorCode::OrderInvalid, detail))
    };
    if package.len() != 1 {
        return refuse("beside digest there may be nothing");
    }
    match digest.as_str().map(str::parse) {
        Some(Ok(digest)) => Ok(Some(digest)),
        _ => refuse("digest: must be 64 lower-case hexadecimal digits"),
    }
}
