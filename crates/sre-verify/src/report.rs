//! The list of checks, as it grows.

use sre_core::{Check, CheckStatus, CommitResult, Divergence, Method, Verdict, VerifyResult};
use sre_da::{StoreError, StoreErrorKind};
use sre_sandbox::Execution;

/// A check that did not hold, and what follows.
#[derive(Debug, Clone)]
pub(crate) struct Finding {
    pub(crate) verdict: Verdict,
    pub(crate) message: String,
}

impl Finding {
    pub(crate) fn new(verdict: Verdict, message: impl Into<String>) -> Self {
        Self {
            verdict,
            message: message.into(),
        }
    }

    pub(crate) fn tampered(message: impl Into<String>) -> Self {
        Self::new(Verdict::Tampered, message)
    }
}

impl From<StoreError> for Finding {
    fn from(error: StoreError) -> Self {
        let verdict = match error.kind() {
            StoreErrorKind::Mismatch => Verdict::Tampered,
            _ => Verdict::Unavailable,
        };
        Self::new(verdict, error.to_string())
    }
}

#[derive(Debug, Default)]
pub(crate) struct Report {
    checks: Vec<Check>,
    replayed_hash: Option<String>,
    method: Option<Method>,
    /// What the replay did, if it was carried out.
    pub(crate) replayed: Option<Execution>,
    /// Where it parted from what is committed, if it did.
    pub(crate) divergence: Option<Box<Divergence>>,
}

impl Report {
    /// Records a check and passes its value on.
    pub(crate) fn check<T>(
        &mut self,
        name: &str,
        result: Result<T, Finding>,
    ) -> Result<T, Finding> {
        let (status, detail) = match &result {
            Ok(_) => (CheckStatus::Passed, None),
            Err(finding) => (CheckStatus::Failed, Some(finding.message.clone())),
        };
        self.record(name, status, detail);
        result
    }

    pub(crate) fn record(&mut self, name: &str, status: CheckStatus, detail: Option<String>) {
        self.checks.push(Check {
            name: name.to_owned(),
            status,
            detail,
        });
    }

    pub(crate) fn method(&mut self, method: Method) {
        self.method = Some(method);
    }

    pub(crate) fn actual(&mut self, hash: String) {
        self.replayed_hash = Some(hash);
    }

    pub(crate) fn finish(
        self,
        claim: &CommitResult,
        ended: Result<Verdict, Finding>,
    ) -> VerifyResult {
        let (verdict, error) = match ended {
            Ok(verdict) => (verdict, None),
            Err(finding) => (finding.verdict, Some(finding.message)),
        };
        VerifyResult {
            is_valid: verdict.is_valid(),
            verdict,
            method: self.method.unwrap_or(Method::Hash),
            expected_hash: match claim.result_hash {
                Some(hash) => hash.to_string(),
                None => claim.commitment.outcome.to_string(),
            },
            actual_hash: self.replayed_hash,
            error,
            checks: self.checks,
            divergence: self.divergence,
        }
    }
}
