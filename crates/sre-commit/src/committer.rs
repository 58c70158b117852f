//! The stage itself.

use std::sync::Arc;

use async_trait::async_trait;
use sre_core::{
    Backend, BlobDigest, COMMITMENT_FORMAT, CommitResult, CommitStatus, Commitment, Engine, InputDigest, OrderId, OutcomeDigest,
    ProfileDigest, RuntimeDigest,
};
use sre_da::{Blob, Store};
use sre_sandbox::{Execution, Executor, OwnedJob};
use sre_skill::Skill;

use crate::{Commit, CommitError, CommitRequest, Committed};

/// Commits with a sandbox and a store.
#[derive(Clone)]
pub struct Committer {
    executor: Executor,
    store: Arc<dyn Store>,
}

impl Committer {
    /// A committer that runs skills on `executor` and keeps their results in `store`.
    #[must_use]
    pub fn new(executor: Executor, store: Arc<dyn Store>) -> Self {
        Self { executor, store }
    }
}

#[async_trait]
impl Commit for Committer {
    async fn commit_result(&self, request: CommitRequest) -> Result<Committed, CommitError> {
        let CommitRequest { order_id, skill, input, profile, time_limit, slot } = request;
        let engine = self.executor.engine(profile.backend)?.clone();
        let job = OwnedJob {
            skill: Arc::clone(&skill),
            input: Arc::clone(&input),
            profile: Arc::clone(&profile),
            time_limit,
        };
        let execution = self.executor.execute(slot, job).await?;

        let mut evidence = Evidence::default();
        let commitment = Commitment {
            format: COMMITMENT_FORMAT.to_owned(),
            skill: evidence.add_skill(&skill),
            input: evidence.add::<InputDigest>(input),
            profile: evidence.add::<ProfileDigest>(profile.to_canonical()),
            runtime: evidence.add_engine(&engine),
            outcome: evidence.add::<OutcomeDigest>(execution.outcome.to_canonical()),
        };
        if let Some(output) = &execution.output_canonical {
            evidence.add::<BlobDigest>(output.clone());
        }
        let committed = self.describe(order_id, profile.backend, commitment, execution, &mut evidence);
        // If the process dies before this returns, nobody knows of the commitment: the order is still open and runs again.
        // After it, whatever the caller writes down can be fetched.
        self.store.put(evidence.0).await?;
        Ok(committed)
    }
}

impl Committer {
    fn describe(
        &self,
        order_id: OrderId,
        backend: Backend,
        commitment: Commitment,
        execution: Execution,
        evidence: &mut Evidence,
    ) -> Committed {
        let commitment_hash = commitment.digest();
        evidence.add::<BlobDigest>(commitment.to_canonical());
        let result_hash = execution.outcome.output();
        let result = CommitResult {
            order_id,
            result_uri: result_hash.map(|digest| self.store.uri(digest.into())),
            result_hash,
            execution_time_ms: u64::try_from(execution.elapsed.as_millis()).unwrap_or(u64::MAX),
            status: if result_hash.is_some() { CommitStatus::Success } else { CommitStatus::Failed },
            error_message: execution.failure,
            commitment,
            commitment_hash,
            commitment_uri: self.store.uri(commitment_hash.into()),
            backend,
            resources: execution.resources,
        };
        Committed {
            result,
            output: execution.output,
            logs: execution.logs,
            error_code: execution.outcome.error_code(),
        }
    }
}

/// Blobs that a verifier will need.
#[derive(Default)]
struct Evidence(Vec<Blob>);

impl Evidence {
    fn add<D: From<sre_core::Digest>>(&mut self, bytes: impl Into<Arc<[u8]>>) -> D {
        let blob = Blob::new(bytes);
        let digest = blob.digest().digest();
        self.0.push(blob);
        digest.into()
    }

    /// The manifest and every file. Their digests were computed when the package was read.
    fn add_skill(&mut self, skill: &Skill) -> sre_core::SkillDigest {
        self.0.push(Blob::with_digest(skill.digest().into(), skill.manifest().to_canonical()));
        self.0.extend(skill.files().iter().map(|file| Blob::with_digest(file.sha256.into(), Arc::clone(&file.bytes))));
        skill.digest()
    }

    fn add_engine(&mut self, engine: &Engine) -> RuntimeDigest {
        self.add(engine.to_canonical())
    }
}
