//! The stage itself.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use sre_core::{
    Backend, COMMITMENT_FORMAT, Canonical, CommitResult, CommitStatus, Commitment,
    CommitmentDigest, Digest, Engine, OrderId, OutputDigest, SkillDigest,
};
use sre_da::{Blob, Store};
use sre_sandbox::{Execution, Executor, OwnedCall, OwnedJob, SandboxError};
use sre_skill::Skill;

use crate::{Commit, CommitError, CommitRequest, Committed};

/// Commits with a sandbox and a store.
#[derive(Clone)]
pub struct Committer {
    executor: Executor,
    store: Arc<dyn Store>,
    /// Language runtimes that are known to be in the store.
    stored_runtimes: Arc<Mutex<HashSet<Digest>>>,
}

impl Committer {
    /// A committer that runs skills on `executor` and keeps their results in `store`.
    #[must_use]
    pub fn new(executor: Executor, store: Arc<dyn Store>) -> Self {
        Self {
            executor,
            store,
            stored_runtimes: Arc::default(),
        }
    }
}

#[async_trait]
impl Commit for Committer {
    async fn commit_result(&self, request: CommitRequest) -> Result<Committed, CommitError> {
        let CommitRequest {
            order_id,
            skill,
            input,
            profile,
            time_limit,
            slot,
        } = request;
        let entry = Arc::new(skill.default_entry().map_err(SandboxError::from)?);
        let engine = self
            .executor
            .engine(profile.backend, &skill, &entry, None)
            .await?;
        let job = OwnedJob {
            skill: Arc::clone(&skill),
            entry,
            call: OwnedCall::Json(Arc::clone(&input)),
            profile: Arc::clone(&profile),
            time_limit,
            language_runtime: None,
        };
        let execution = self.executor.execute(slot, job).await?;

        let mut evidence = Evidence::default();
        let commitment = Commitment {
            format: COMMITMENT_FORMAT.to_owned(),
            skill: evidence.add_skill(&skill),
            input: evidence.add(Blob::new(input)),
            invocation: None,
            profile: evidence.add_value(&profile),
            runtime: evidence.add_value(&engine),
            transcript: None,
            outcome: evidence.add_value(&Canonical::new(execution.outcome)),
        };
        if let Some(stdout) = execution.outcome.stdout {
            let Some(bytes) = execution.stdout.clone() else {
                let message = "the outcome names standard output, and the run did not hand it over";
                return Err(SandboxError::Bug(message.to_owned()).into());
            };
            evidence.0.push(Blob::with_digest(stdout.sha256, bytes));
        }
        if let Some(output) = &execution.output_canonical {
            evidence.add::<OutputDigest>(Blob::new(output.clone()));
        }
        self.keep_language_runtime(profile.backend, &engine).await?;
        let note = self.backend_note(profile.backend, &skill, &engine);
        let mut committed = self.describe(
            order_id,
            profile.backend,
            commitment,
            execution,
            &mut evidence,
        );
        committed.result.backend_note = note;
        // If the process dies before this returns, nobody knows of the commitment: the order is
        // still open and runs again. After it, whatever the caller writes down can be fetched.
        self.store.put(evidence.0).await?;
        Ok(committed)
    }
}

impl Committer {
    fn backend_note(&self, backend: Backend, skill: &Skill, engine: &Engine) -> Option<String> {
        let interpreter = engine.language_runtime().ok().flatten();
        let runtimes = self.executor.backend(backend).ok()?.language_runtimes();
        let interpreter = interpreter
            .and_then(|digest| Some(format!("{} in WebAssembly", runtimes?.find(digest)?.name)));
        let image = skill
            .manifest()
            .runtime
            .as_ref()
            .and_then(|runtime| runtime.docker_image.as_ref())
            .filter(|_| backend != Backend::Docker);
        let image = image.map(|image| format!("the package's docker_image {image} was not used"));
        let parts: Vec<String> = interpreter.into_iter().chain(image).collect();
        (!parts.is_empty()).then(|| parts.join("; "))
    }

    /// Stores the interpreter that `engine` names, once: whoever replays the order in ten years
    /// needs exactly this one.
    async fn keep_language_runtime(
        &self,
        backend: Backend,
        engine: &Engine,
    ) -> Result<(), CommitError> {
        let Some(digest) = engine.language_runtime().ok().flatten() else {
            return Ok(());
        };
        if self.stored_runtimes().contains(&digest) {
            return Ok(());
        }
        if !self.store.exists(digest.into()).await? {
            let packed = self
                .executor
                .backend(backend)?
                .language_runtimes()
                .and_then(|known| known.packed(digest));
            let Some(packed) = packed else {
                tracing::warn!(%digest, "the language runtime's bytes are not here, so they cannot be stored");
                return Ok(());
            };
            self.store
                .put(vec![Blob::with_digest(digest.into(), packed)])
                .await?;
        }
        self.stored_runtimes().insert(digest);
        Ok(())
    }

    fn stored_runtimes(&self) -> MutexGuard<'_, HashSet<Digest>> {
        self.stored_runtimes
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn describe(
        &self,
        order_id: OrderId,
        backend: Backend,
        commitment: Commitment,
        execution: Execution,
        evidence: &mut Evidence,
    ) -> Committed {
        let commitment = Canonical::new(commitment);
        let commitment_hash: CommitmentDigest = evidence.add_value(&commitment);
        let result_hash = execution.outcome.output();
        let result = CommitResult {
            order_id,
            result_uri: result_hash.map(|digest| self.store.uri(digest.into())),
            result_hash,
            execution_time_ms: u64::try_from(execution.elapsed.as_millis()).unwrap_or(u64::MAX),
            status: if result_hash.is_some() {
                CommitStatus::Success
            } else {
                CommitStatus::Failed
            },
            error_message: execution.failure,
            accept_exit: None,
            commitment: commitment.into_value(),
            commitment_hash,
            commitment_uri: self.store.uri(commitment_hash.into()),
            backend,
            backend_note: None,
            resources: execution.resources,
            isolation: execution.isolation,
        };
        Committed {
            result,
            output: execution.output,
            logs: execution.logs,
            error_code: execution.outcome.error_code(None),
        }
    }
}

/// Blobs that a verifier will need.
#[derive(Default)]
struct Evidence(Vec<Blob>);

impl Evidence {
    fn add<D: From<Digest>>(&mut self, blob: Blob) -> D {
        let digest = blob.digest().digest();
        self.0.push(blob);
        digest.into()
    }

    fn add_value<T, D: From<Digest>>(&mut self, value: &Canonical<T>) -> D {
        self.add(Blob::with_digest(
            value.address(),
            Arc::clone(value.bytes()),
        ))
    }

    /// The manifest and every file. Their digests were computed when the package was read.
    fn add_skill(&mut self, skill: &Skill) -> SkillDigest {
        let blobs = skill.blobs();
        self.0
            .extend(blobs.map(|(digest, bytes)| Blob::with_digest(digest, bytes)));
        skill.digest()
    }
}
