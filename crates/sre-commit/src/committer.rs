//! The commit stage over a sandbox and a store.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use sre_core::{
    Backend, BlobDigest, COMMITMENT_FORMAT, Canonical, CommitResult, CommitStatus, Commitment,
    CommitmentDigest, Digest, Engine, OutputDigest,
};
use sre_da::{Blob, Store};
use sre_sandbox::{Command, Execution, Executor, Files, OwnedCall, OwnedJob, SandboxError};
use sre_skill::Skill;

use crate::evidence::Gathered;
use crate::{Commit, CommitError, CommitRequest, Committed, command};

/// The input of a command: an empty object.
const NO_INPUT: &[u8] = b"{}";

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
            job,
            invocation,
            slot,
        } = request;
        let OwnedJob {
            skill,
            entry,
            call,
            profile,
            ..
        } = job.clone();
        let backend = profile.backend;
        let engine = self.executor.engine(backend, &skill, &entry, None).await?;
        let execution = self.executor.execute(slot, job).await?;

        let mut gathered = Gathered::default();
        let command = match &call {
            OwnedCall::Json(_) => None,
            OwnedCall::Command(command) => {
                gather_files(&mut gathered, &execution, command);
                command::report(command, &execution, &*self.store)?
            }
        };
        let commitment = Commitment {
            format: COMMITMENT_FORMAT.to_owned(),
            skill: gathered.add_skill(&skill),
            input: gathered.add(Blob::new(match call {
                OwnedCall::Json(input) => input,
                OwnedCall::Command(_) => Arc::from(NO_INPUT),
            })),
            invocation: invocation.as_ref().map(|invocation| invocation.digest()),
            profile: gathered.add_value(&profile),
            runtime: gathered.add_value(&engine),
            transcript: None,
            outcome: gathered.add_value(&Canonical::new(execution.outcome)),
        };
        gather_output(&mut gathered, &execution)?;
        self.keep_language_runtime(backend, &engine).await?;
        let commitment = Canonical::new(commitment);
        let commitment_hash: CommitmentDigest = gathered.add_value(&commitment);
        // If the process dies before this returns, no record names the commitment: the order is
        // still open and runs again. After it, whatever the caller writes down can be fetched.
        self.store.put(gathered.into_blobs()).await?;

        let accept_exit = invocation.map(|invocation| invocation.accept_exit.clone());
        let outcome = execution.outcome;
        let error_code = outcome.error_code(accept_exit.as_ref());
        let result_hash = outcome.output();
        let result = CommitResult {
            order_id,
            result_uri: result_hash.map(|digest| self.store.uri(digest.into())),
            result_hash,
            execution_time_ms: u64::try_from(execution.elapsed.as_millis()).unwrap_or(u64::MAX),
            status: if error_code.is_none() {
                CommitStatus::Success
            } else {
                CommitStatus::Failed
            },
            error_message: error_code.and(execution.failure.or_else(|| Some(outcome.to_string()))),
            accept_exit,
            commitment: commitment.into_value(),
            commitment_hash,
            commitment_uri: self.store.uri(commitment_hash.into()),
            backend,
            backend_note: self.backend_note(backend, &skill, &engine),
            resources: execution.resources,
            isolation: execution.isolation,
        };
        Ok(Committed {
            result,
            output: execution.output,
            command,
            logs: execution.logs,
            error_code,
        })
    }
}

/// What the program left in its folders.
fn gather_files(gathered: &mut Gathered, execution: &Execution, command: &Command) {
    if let Some(left) = &execution.workspace {
        gathered.add_files(left, &command.work);
    }
    if let Some(left) = &execution.home {
        gathered.add_files(left, command.home.as_ref().unwrap_or(&Files::new()));
    }
}

/// The returned value, or what was printed.
fn gather_output(gathered: &mut Gathered, execution: &Execution) -> Result<(), SandboxError> {
    if let Some(output) = &execution.output_canonical {
        let _: OutputDigest = gathered.add(Blob::new(output.clone()));
    }
    if let Some(stdout) = execution.outcome.stdout {
        let bytes = execution.stdout.clone().ok_or_else(|| {
            SandboxError::Bug(String::from(
                "the outcome names standard output, and the run did not hand it over",
            ))
        })?;
        let _: BlobDigest = gathered.add(Blob::with_digest(stdout.sha256, bytes));
    }
    Ok(())
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

    /// Stores the interpreter that `engine` names, once: a replay in ten years needs exactly this
    /// one.
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
}
