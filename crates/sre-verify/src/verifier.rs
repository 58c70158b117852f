//! The verify stage over a sandbox and a store.

use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use lru::LruCache;
use serde_json::Value;
use sre_core::{
    Backend, Canonical, CheckStatus, CommitResult, Digest, Engine, Method, Outcome, OutputDigest,
    Profile, RuntimeDigest, SkillDigest, Verdict, VerifyResult, canonical_json,
};
use sre_da::Store;
use sre_sandbox::{ErrorKind, Execution, Executor, OwnedJob};
use sre_skill::Skill;

use crate::call::{self, CommittedCall};
use crate::divergence::{self, Recorded};
use crate::evidence::{self, Fetched};
use crate::first_divergence::Expected;
use crate::report::{Finding, Report};
use crate::{ReplayLimits, Verify, VerifyRequest, files};

/// Skills and engines kept in memory after they were fetched and checked. They are addressed by
/// content: what was right once stays right.
const CHECKED_LIMIT: NonZeroUsize = NonZeroUsize::new(64).expect("not zero");

/// Least wall-clock time a replay gets, however short the profile's limit: this host may be slower.
const REPLAY_TIME_FLOOR: Duration = Duration::from_secs(10);

/// What is committed of one run.
struct CommittedRun {
    skill: Arc<Skill>,
    call: CommittedCall,
    profile: Canonical<Profile>,
    engine: Arc<Canonical<Engine>>,
    outcome: Canonical<Outcome>,
    stdout: Option<Arc<[u8]>>,
}

/// Verifies with a sandbox and a store.
pub struct Verifier {
    executor: Executor,
    store: Arc<dyn Store>,
    skills: Mutex<LruCache<SkillDigest, Arc<Skill>>>,
    engines: Mutex<LruCache<RuntimeDigest, Arc<Canonical<Engine>>>>,
    limits: ReplayLimits,
}

impl Verifier {
    /// A verifier that replays on `executor` and fetches from `store`, within the default
    /// [`ReplayLimits`].
    #[must_use]
    pub fn new(executor: Executor, store: Arc<dyn Store>) -> Self {
        let (skills, engines) = (LruCache::new(CHECKED_LIMIT), LruCache::new(CHECKED_LIMIT));
        let limits = ReplayLimits::default();
        Self {
            executor,
            store,
            skills: Mutex::new(skills),
            engines: Mutex::new(engines),
            limits,
        }
    }

    /// The same, granting something else than the default.
    #[must_use]
    pub fn with_limits(self, limits: ReplayLimits) -> Self {
        Self { limits, ..self }
    }

    pub(crate) fn store(&self) -> &dyn Store {
        &*self.store
    }

    /// As [`Verify::verify_result`], and what the replay did where it was carried out, to be
    /// shown.
    pub async fn verify_and_show(
        &self,
        request: VerifyRequest,
    ) -> (VerifyResult, Option<Execution>) {
        let mut report = Report::default();
        let ended = self.run_checks(&request, &mut report).await;
        let replayed = report.replayed.take();
        (report.finish(&request.claim, ended), replayed)
    }

    async fn skill(&self, digest: SkillDigest) -> Result<Arc<Skill>, Finding> {
        if let Some(skill) = lock(&self.skills).get(&digest) {
            return Ok(Arc::clone(skill));
        }
        let skill = Arc::new(evidence::skill(&*self.store, digest, &self.limits).await?);
        lock(&self.skills).put(digest, Arc::clone(&skill));
        Ok(skill)
    }

    async fn engine(&self, digest: RuntimeDigest) -> Result<Arc<Canonical<Engine>>, Finding> {
        if let Some(engine) = lock(&self.engines).get(&digest) {
            return Ok(Arc::clone(engine));
        }
        let engine: Arc<Canonical<Engine>> =
            Arc::new(evidence::value(&*self.store, "runtime", digest.into()).await?);
        lock(&self.engines).put(digest, Arc::clone(&engine));
        Ok(engine)
    }

    async fn run_checks(
        &self,
        request: &VerifyRequest,
        report: &mut Report,
    ) -> Result<Verdict, Finding> {
        let claim = &request.claim;
        let commitment = &claim.commitment;
        let fetched = Fetched::all(&*self.store, claim).await;
        report.check("commitment", evidence::commitment(&fetched, claim))?;
        let skill = report.check("skill", self.skill(commitment.skill).await)?;
        let input = report.check(
            "input",
            fetched.input(commitment.input, self.limits.input_bytes),
        )?;
        let call = self
            .committed_call(&fetched, claim, &skill, input, report)
            .await?;
        let profile: Canonical<Profile> = report.check("profile", fetched.profile(claim))?;
        let engine = report.check("runtime", self.engine(commitment.runtime).await)?;
        let outcome: Canonical<Outcome> =
            report.check("outcome", fetched.value("outcome", commitment.outcome))?;
        report.check("output", evidence::output(&fetched, claim, &outcome))?;
        let stdout = evidence::stdout(&*self.store, &outcome, &self.limits).await;
        let stdout = report.check("stdout", stdout)?;
        if let Some(reported) = &request.reported_output {
            report.check("reported_output", reported_output(reported, &outcome))?;
        }
        if commitment.transcript.is_some() {
            let message = "it used a recorded network, which this version cannot replay";
            return Err(Finding::new(Verdict::Unverifiable, message));
        }

        // In WebAssembly a run repeats itself whatever its author says; an author must not be able
        // to switch the check off.
        let is_repeatable = skill.manifest().annotations.is_repeatable();
        if profile.backend != Backend::Wasm && !is_repeatable {
            let reason = String::from(
                "the native skill declares itself not repeatable (idempotentHint or openWorldHint)",
            );
            report.record("replay", CheckStatus::Skipped, Some(reason));
            report.actual(hash_of(&outcome));
            return Ok(Verdict::HashOnly);
        }
        let run = CommittedRun {
            skill,
            call,
            profile,
            engine,
            outcome,
            stdout,
        };
        let replayed = self.replay(run, report).await;
        report.check("replay", replayed)?;
        Ok(Verdict::Matched)
    }

    /// How the program was called.
    async fn committed_call(
        &self,
        fetched: &Fetched,
        claim: &CommitResult,
        skill: &Skill,
        input: Arc<[u8]>,
        report: &mut Report,
    ) -> Result<CommittedCall, Finding> {
        let invocation = call::invocation(fetched, claim);
        let Some(invocation) = invocation.transpose() else {
            return call::json(skill, input);
        };
        let invocation = report.check("invocation", invocation)?;
        let command = call::command(&*self.store, skill, &invocation, &self.limits).await;
        report.check("inputs", command)
    }

    async fn replay(&self, run: CommittedRun, report: &mut Report) -> Result<(), Finding> {
        let CommittedRun {
            skill,
            call: CommittedCall { entry, call },
            profile,
            engine: committed_engine,
            outcome: committed,
            stdout,
        } = run;
        let unverifiable = |message: String| Finding::new(Verdict::Unverifiable, message);
        self.limits.admit(&profile)?;
        let language_runtime = self
            .language_runtime(profile.backend, &committed_engine)
            .await?;
        let own_engine = self
            .executor
            .engine(profile.backend, &skill, &entry, language_runtime)
            .await
            .map_err(|error| unverifiable(error.to_string()))?;
        let same_engine = **own_engine == **committed_engine;
        let slot = self
            .executor
            .slot()
            .await
            .map_err(|error| unverifiable(error.to_string()))?;
        let time_limit =
            Duration::from_millis(profile.timeout_ms.saturating_mul(2)).max(REPLAY_TIME_FLOOR);
        let job = OwnedJob {
            skill,
            entry,
            call,
            profile: Arc::new(profile),
            time_limit,
            language_runtime,
        };
        let execution =
            self.executor
                .execute(slot, job.clone())
                .await
                .map_err(|error| match error.kind() {
                    ErrorKind::Timeout => {
                        unverifiable(format!("the replay took longer than {time_limit:?}"))
                    }
                    _ => unverifiable(format!("the replay could not be carried out: {error}")),
                })?;
        report.method(Method::Replay);
        report.actual(hash_of(&execution.outcome));
        let execution = report.replayed.insert(execution);
        if execution.outcome == *committed {
            // Whichever engine reproduces the outcome, it is reproduced.
            return Ok(());
        }
        let output = match committed.output() {
            Some(output) => self.store.get(output.into()).await.ok(),
            None => None,
        };
        let files = files::first_difference(&*self.store, &committed, execution).await;
        let expected = Expected {
            outcome: &committed,
            output: output.as_deref(),
            stdout: stdout.as_deref(),
            whose: "the committed",
            is: "is committed",
        };
        let recorded = self.replay_recorded(job).await;
        let (divergence, words) = divergence::find(expected, files, execution, &recorded);
        let repeated = divergence.repeated;
        report.divergence = Some(Box::new(divergence));
        if repeated == Some(false) {
            return Err(unverifiable(words));
        }
        if same_engine {
            return Err(Finding::new(Verdict::Diverged, words));
        }
        Err(unverifiable(format!(
            "{words}; but it was committed by {} {} and replayed by {} {}, which may explain it",
            committed_engine.name, committed_engine.version, own_engine.name, own_engine.version
        )))
    }

    /// The same once more, with a record of what the guest tells its host. Only a divergence pays
    /// for it.
    async fn replay_recorded(&self, job: OwnedJob) -> Recorded {
        let slot = self.executor.slot().await?;
        self.executor.execute_recorded(slot, job).await
    }

    /// The language runtime that the committed engine names, made available here if the store has
    /// it.
    ///
    /// Only a runtime that the backend was expected of is run. The executor chose the one it names, and
    /// an interpreter that was made to give a certain answer would give it in every replay.
    async fn language_runtime(
        &self,
        backend: Backend,
        committed: &Engine,
    ) -> Result<Option<Digest>, Finding> {
        let unverifiable = |message: String| Finding::new(Verdict::Unverifiable, message);
        let named = committed.language_runtime();
        let named = named.map_err(|error| {
            Finding::tampered(format!("the committed language runtime: {error}"))
        })?;
        let Some(digest) = named else { return Ok(None) };
        let backend = self
            .executor
            .backend(backend)
            .map_err(|error| unverifiable(error.to_string()))?;
        let Some(runtimes) = backend
            .language_runtimes()
            .filter(|known| known.find(digest).is_some())
        else {
            return Err(unverifiable(format!(
                "it ran in the language runtime {digest}, which is not one that is trusted here to be an interpreter"
            )));
        };
        if !runtimes.is_here(digest) {
            let packed = self.store.get(digest.into()).await.map_err(|error| {
                unverifiable(format!(
                    "the language runtime {digest} is neither here nor in the store: {error}"
                ))
            })?;
            runtimes
                .supply(digest, packed)
                .map_err(|error| unverifiable(error.to_string()))?;
        }
        Ok(Some(digest))
    }
}

#[async_trait]
impl Verify for Verifier {
    async fn verify_result(&self, request: VerifyRequest) -> VerifyResult {
        self.verify_and_show(request).await.0
    }
}

/// The hash a verification compares: of the result where there is one, else of the outcome.
fn hash_of(outcome: &Outcome) -> String {
    outcome
        .output()
        .map_or_else(|| outcome.digest().to_string(), |output| output.to_string())
}

fn reported_output(reported: &Value, outcome: &Outcome) -> Result<(), Finding> {
    let digest = OutputDigest::of(&canonical_json::to_vec(reported));
    if outcome.output() == Some(digest) {
        Ok(())
    } else {
        Err(Finding::tampered(format!(
            "the reported output has the digest {digest}, which is not the committed one"
        )))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
