//! The stages of an attempt, in their order, each seen by tracing and metrics.

use std::time::Instant;

use sre_commit::Committed;
use sre_core::VerifyResult;
use sre_sandbox::Slot;
use sre_verify::VerifyRequest;

use super::AttemptError;
use super::call::{call, request};
use crate::TraceParent;
use crate::accept::AttemptOrder;
use crate::meter::MeteredStage;
use crate::orchestrator::{Orchestrator, Stage};
use crate::tracer::Span;
use sre_journal::Lease;

impl Orchestrator {
    /// From the wait for a slot to the verdict.
    pub(super) async fn stages(
        &self,
        order: &AttemptOrder,
        lease: &Lease,
        observer: &(dyn Fn(Stage) + Send + Sync),
        trace: Option<&TraceParent>,
    ) -> Result<(Committed, VerifyResult), AttemptError> {
        observer(Stage::Queued);
        let slot = self.slot_stage(order, lease, trace).await?;
        observer(Stage::Running);
        let committed = self.commit_stage(order, slot, trace).await?;
        observer(Stage::Verifying);
        // For observers; an attempt does not fail because they could not be told.
        if let Err(error) = self.journal.record_verifying(lease).await {
            tracing::warn!(%error, "the stage cannot be recorded");
        }
        let verification = self.verify_stage(order, &committed, trace).await;
        Ok((committed, verification))
    }

    /// Waiting for a slot is queueing and not part of the attempt's time.
    async fn slot_stage(
        &self,
        order: &AttemptOrder,
        lease: &Lease,
        trace: Option<&TraceParent>,
    ) -> Result<Slot, AttemptError> {
        let seen = self.see(MeteredStage::Slot, order, trace);
        let turn = self.fair_gate.next(lease.submitter()).await;
        let slot = self
            .executor
            .slot()
            .await
            .map_err(|error| AttemptError::Commit(error.into()))?;
        drop(turn);
        seen.end(false);
        Ok(slot)
    }

    async fn commit_stage(
        &self,
        order: &AttemptOrder,
        slot: Slot,
        trace: Option<&TraceParent>,
    ) -> Result<Committed, AttemptError> {
        let mut seen = self.see(MeteredStage::Commit, order, trace);
        // With a slot: there are few of them, and a call may be large.
        let call = match call(order, &*self.store).await {
            Ok(call) => call,
            Err(failure) => {
                seen.span.fail(&failure);
                seen.end(true);
                return Err(failure);
            }
        };
        let request = request(order, call, slot);
        // When the time is up the future is dropped, which stops the guest.
        let committed =
            tokio::time::timeout(order.attempt_time, self.commit.commit_result(request))
                .await
                .map_err(|_| AttemptError::Timeout(order.attempt_time))
                .and_then(|committed| committed.map_err(AttemptError::from));
        match &committed {
            Ok(committed) => {
                tracing::debug!(commitment = %committed.result.commitment_hash, "committed")
            }
            Err(failure) => seen.span.fail(failure),
        }
        seen.end(committed.is_err());
        committed
    }

    async fn verify_stage(
        &self,
        order: &AttemptOrder,
        committed: &Committed,
        trace: Option<&TraceParent>,
    ) -> VerifyResult {
        let mut seen = self.see(MeteredStage::Verify, order, trace);
        let request = VerifyRequest {
            claim: committed.result.clone(),
            reported_output: None,
        };
        let verification = self.verify.verify_result(request).await;
        tracing::debug!(verdict = verification.verdict.as_str(), "verified");
        seen.span
            .attribute("sre.verdict", || verification.verdict.to_string());
        seen.end(!verification.is_valid);
        verification
    }

    /// Begins a stage.
    fn see<'a>(
        &'a self,
        stage: MeteredStage,
        order: &'a AttemptOrder,
        trace: Option<&TraceParent>,
    ) -> SeenStage<'a> {
        let span = self.tracing.span_of_order(stage.as_str(), trace);
        SeenStage {
            orchestrator: self,
            order,
            stage,
            started: Instant::now(),
            span,
        }
    }
}

/// A stage that goes on. One that is dropped was cancelled: its span ends, and no metric counts it.
struct SeenStage<'a> {
    orchestrator: &'a Orchestrator,
    order: &'a AttemptOrder,
    stage: MeteredStage,
    started: Instant,
    span: Span,
}

impl SeenStage<'_> {
    fn end(self, failed: bool) {
        let backend = self.order.profile.backend;
        self.orchestrator
            .meter
            .stage_ended(backend, self.stage, self.started.elapsed(), failed);
    }
}
