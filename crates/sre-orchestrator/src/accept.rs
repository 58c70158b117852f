//! From what was asked for to what will be done, or a refusal before anything ran or was written.

use std::sync::Arc;
use std::time::Duration;

use jiff::{Timestamp, Unit};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sre_core::{
    Backend, BackendChoice, ByteSize, Canonical, Digest, InputDigest, MinIsolation, OrderId, ProcessLimits, Profile,
    RuntimeKind, SandboxConfig, SkillDigest, canonical_json,
};
use sre_sandbox::{ErrorKind, Executor, SandboxError};
use sre_skill::{Skill, SkillError};
use url::Url;

use crate::journal::{Claimed, JournalError, NewOrder};
use crate::trace_context::TraceParent;
use crate::{OperatorLimits, OrderConfig};

/// Largest priority, and smallest without its sign.
const PRIORITY_LIMIT: u32 = 100;

/// Checks orders against what the operator allows and what the sandbox can run.
#[derive(Clone)]
pub struct Acceptance {
    limits: OperatorLimits,
    pub(crate) executor: Executor,
}

/// An order that can be executed: everything was read, checked and resolved.
#[derive(Debug, Clone)]
pub struct AcceptedOrder {
    pub(crate) order_id: OrderId,
    pub(crate) skill: Arc<Skill>,
    pub(crate) input: Arc<[u8]>,
    pub(crate) profile: Arc<Canonical<Profile>>,
    pub(crate) attempt_time: Duration,
    pub(crate) execution_time: Duration,
    pub(crate) max_retries: u32,
    pub(crate) retry_on_timeout: bool,
    pub(crate) verdicts_required: u32,
    pub(crate) callback_url: Option<Url>,
    pub(crate) priority: i32,
    pub(crate) trace: Option<TraceParent>,
    pub(crate) request: Digest,
}

/// Which failures are tried again.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct RetryPolicy {
    pub(crate) max_retries: u32,
    pub(crate) retry_on_timeout: bool,
}

/// What the journal keeps of an accepted order, besides what has a column of its own.
#[derive(Serialize, Deserialize)]
pub(crate) struct Work {
    profile: Profile,
    attempt_time_ms: u64,
    execution_time_ms: u64,
    max_retries: u32,
    retry_on_timeout: bool,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    trace: Option<String>,
}

impl Claimed {
    /// What the journal kept.
    pub(crate) fn recorded(&self) -> Result<Work, JournalError> {
        serde_json::from_str(&self.work).map_err(|error| JournalError::Damaged {
            order_id: self.lease.order_id().to_string(),
            message: error.to_string(),
        })
    }
}

impl Work {
    pub(crate) fn policy(&self) -> RetryPolicy {
        RetryPolicy { max_retries: self.max_retries, retry_on_timeout: self.retry_on_timeout }
    }

    pub(crate) fn backend(&self) -> Backend {
        self.profile.backend
    }

    /// The order as it was accepted.
    pub(crate) fn into_order(self, claimed: &Claimed, skill: Arc<Skill>) -> AcceptedOrder {
        AcceptedOrder {
            order_id: claimed.lease.order_id().clone(),
            skill,
            input: Arc::clone(&claimed.input),
            profile: Arc::new(Canonical::new(self.profile)),
            attempt_time: Duration::from_millis(self.attempt_time_ms),
            execution_time: Duration::from_millis(self.execution_time_ms),
            max_retries: self.max_retries,
            retry_on_timeout: self.retry_on_timeout,
            // The journal has columns of its own for these.
            verdicts_required: 0,
            callback_url: None,
            priority: 0,
            trace: self.trace.and_then(|trace| trace.parse().ok()),
            request: claimed.request,
        }
    }
}

impl AcceptedOrder {
    /// Makes the order part of the submitter's trace.
    #[must_use]
    pub fn with_trace(mut self, trace: Option<TraceParent>) -> Self {
        self.trace = trace;
        self
    }

    /// As the journal records it, for `submitter`.
    #[must_use]
    pub fn record(&self, submitter: &str) -> NewOrder {
        self.to_record(submitter, None)
    }

    /// As it is recorded.
    pub(crate) fn to_record(&self, submitter: &str, queue_time: Option<Duration>) -> NewOrder {
        let milliseconds = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        let work = Work {
            profile: self.profile().clone(),
            attempt_time_ms: milliseconds(self.attempt_time),
            execution_time_ms: milliseconds(self.execution_time),
            max_retries: self.max_retries,
            retry_on_timeout: self.retry_on_timeout,
            trace: self.trace.as_ref().map(TraceParent::to_string),
        };
        NewOrder {
            order_id: self.order_id.clone(),
            request: self.request,
            submitter: submitter.to_owned(),
            skill: self.skill.digest(),
            backend: self.profile.backend,
            priority: self.priority,
            max_retries: self.max_retries,
            queue_time,
            verdicts_required: self.verdicts_required,
            callback_url: self.callback_url.as_ref().map(Url::to_string),
            // Strings as keys and finite numbers: it serialises.
            work: serde_json::to_string(&work).unwrap_or_default(),
            input: Arc::clone(&self.input),
        }
    }

    /// Identity of the order.
    #[must_use]
    pub fn order_id(&self) -> &OrderId {
        &self.order_id
    }

    /// What it runs.
    #[must_use]
    pub fn skill(&self) -> &Arc<Skill> {
        &self.skill
    }

    /// On what, as canonical JSON.
    #[must_use]
    pub fn input(&self) -> &[u8] {
        &self.input
    }

    /// Matching verdicts of others that it needs before it counts as final.
    #[must_use]
    pub fn verdicts_required(&self) -> u32 {
        self.verdicts_required
    }

    /// Under which limits, clock and seed.
    #[must_use]
    pub fn profile(&self) -> &Profile {
        &self.profile
    }
}

/// Why an order is refused. Nothing ran and nothing was written.
#[derive(Debug, thiserror::Error)]
pub enum AcceptError {
    /// The package cannot be read or describes no skill.
    #[error("skill_package: {0}")]
    Skill(#[from] SkillError),
    /// A field of the order is wrong or above a cap.
    #[error("{field}: {message}")]
    Field {
        /// Which field.
        field: &'static str,
        /// What is wrong, and what is allowed.
        message: String,
    },
    /// The input violates the skill's schema.
    #[error("input_data does not satisfy the skill's input schema {0}")]
    InputSchema(String),
    /// The sandbox cannot run the skill.
    #[error("the skill cannot run: {0}")]
    Sandbox(#[source] SandboxError),
}

/// The families of [`AcceptError`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AcceptErrorKind {
    /// The submitter must change something.
    BadInput,
    /// The host failed; the same order may be accepted later.
    Operating,
}

impl AcceptError {
    /// The family.
    #[must_use]
    pub fn kind(&self) -> AcceptErrorKind {
        match self {
            Self::Sandbox(error) if error.kind() != ErrorKind::Rejected => AcceptErrorKind::Operating,
            _ => AcceptErrorKind::BadInput,
        }
    }

    /// Stable code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Skill(error) => error.kind().code(),
            Self::Field { .. } => "order_invalid",
            Self::InputSchema(_) => "input_schema",
            Self::Sandbox(error) if error.kind() == ErrorKind::Rejected => "skill_rejected",
            Self::Sandbox(_) => "sandbox_unavailable",
        }
    }
}

fn field(field: &'static str, message: impl Into<String>) -> AcceptError {
    AcceptError::Field { field, message: message.into() }
}

impl Acceptance {
    /// Accepts orders for `executor` within `limits`.
    #[must_use]
    pub fn new(limits: OperatorLimits, executor: Executor) -> Self {
        Self { limits, executor }
    }

    /// Reads the package, checks every field, resolves the sandbox profile and makes the skill ready to run.
    ///
    /// # Errors
    /// [`AcceptError`], which names the field.
    pub async fn accept(&self, config: OrderConfig) -> Result<AcceptedOrder, AcceptError> {
        let skill = config.skill_package.resolve(&self.limits.package)?;
        let input = self.input(&skill, &config.input_data)?;
        let request = fingerprint(&config, &skill, &input);
        let attempt_time = seconds("timeout_seconds", config.timeout_seconds, self.limits.attempt_time_cap)?;
        if config.max_retries > self.limits.retries_cap {
            return Err(field("max_retries", format!("at most {} are allowed", self.limits.retries_cap)));
        }
        if config.priority.unsigned_abs() > PRIORITY_LIMIT {
            return Err(field("priority", format!("must lie between -{PRIORITY_LIMIT} and {PRIORITY_LIMIT}")));
        }
        if config.verdicts_required > OrderConfig::VERDICTS_LIMIT {
            return Err(field("verdicts_required", format!("at most {} are allowed", OrderConfig::VERDICTS_LIMIT)));
        }
        if let Some(url) = &config.callback_url {
            check_callback_url(url)?;
        }
        let sandbox = config.sandbox_config.unwrap_or_default();
        let execution_time = self.execution_time(&skill, &sandbox)?;
        let backend = self.prepared_backend(&skill, &sandbox).await?;
        let profile = self.profile(&config.order_id, backend, &sandbox, execution_time)?;
        Ok(AcceptedOrder {
            order_id: config.order_id,
            skill,
            input,
            profile: Arc::new(Canonical::new(profile)),
            attempt_time,
            execution_time,
            max_retries: config.max_retries,
            retry_on_timeout: config.retry_on_timeout,
            verdicts_required: config.verdicts_required,
            callback_url: config.callback_url,
            priority: config.priority,
            trace: None,
            request,
        })
    }

    /// Makes a skill ready to run where it would run by default, as far as that can be done without an order.
    ///
    /// # Errors
    /// [`AcceptError::Sandbox`].
    pub async fn check_skill(&self, skill: &Arc<Skill>) -> Result<(), AcceptError> {
        let backend = self.backend(skill, BackendChoice::Auto)?;
        self.executor.prepare(backend, Arc::clone(skill)).await.map_err(AcceptError::Sandbox)
    }

    fn input(&self, skill: &Skill, input: &Value) -> Result<Arc<[u8]>, AcceptError> {
        let Value::Object(members) = input else {
            return Err(field("input_data", "must be a JSON object"));
        };
        let (found, limit) = (members.len(), self.limits.input_limit_fields);
        if found > limit {
            return Err(field("input_data", format!("has {found} top-level fields, at most {limit} are allowed")));
        }
        let canonical = canonical_json::to_vec(input);
        let (found, limit) = (canonical.len(), self.limits.input_limit_bytes);
        if found > limit {
            return Err(field(
                "input_data",
                format!("has {found} bytes as canonical JSON, at most {limit} are allowed"),
            ));
        }
        skill.check_input(input).map_err(|violation| AcceptError::InputSchema(violation.to_string()))?;
        Ok(canonical.into())
    }

    /// The shortest of what the order, the skill and the operator say.
    fn execution_time(&self, skill: &Skill, sandbox: &SandboxConfig) -> Result<Duration, AcceptError> {
        let limits = &self.limits;
        let asked = match sandbox.timeout_seconds {
            Some(asked) => seconds("sandbox_config.timeout_seconds", asked, limits.execution_time_cap)?,
            None => limits.execution_time,
        };
        let declared = match skill.manifest().runtime.timeout_seconds {
            Some(declared) => seconds("skill_package.runtime.timeout_seconds", declared, Duration::MAX)?,
            None => asked,
        };
        Ok(asked.min(declared))
    }

    fn profile(
        &self,
        order_id: &OrderId,
        backend: Backend,
        sandbox: &SandboxConfig,
        execution_time: Duration,
    ) -> Result<Profile, AcceptError> {
        let limits = &self.limits;
        if sandbox.network_disabled == Some(false) {
            return Err(field("sandbox_config.network_disabled", "no backend of this version offers a network"));
        }
        let bytes = |name, asked: Option<ByteSize>, default, cap| capped(name, asked.map(|size| size.0), default, cap);
        Ok(Profile {
            backend,
            fuel: capped("sandbox_config.fuel", sandbox.fuel, limits.fuel, limits.fuel_cap)?,
            mem_limit_bytes: bytes(
                "sandbox_config.mem_limit",
                sandbox.mem_limit,
                limits.mem_bytes,
                limits.mem_cap_bytes,
            )?,
            output_limit_bytes: bytes(
                "sandbox_config.output_limit",
                sandbox.output_limit,
                limits.output_bytes,
                limits.output_cap_bytes,
            )?,
            tmp_limit_bytes: limits.tmp_bytes,
            timeout_ms: u64::try_from(execution_time.as_millis()).unwrap_or(u64::MAX),
            clock_start: clock_start(sandbox.clock_start)?,
            random_seed: sandbox.random_seed.unwrap_or_else(|| order_id.default_seed()),
            processes: (backend != Backend::Wasm).then(|| self.processes(sandbox)).transpose()?,
        })
    }

    fn processes(&self, sandbox: &SandboxConfig) -> Result<ProcessLimits, AcceptError> {
        let limits = &self.limits;
        let cpu_period_us =
            capped("sandbox_config.cpu_period", sandbox.cpu_period, limits.cpu_period_us, limits.cpu_period_cap_us)?;
        let cpu_quota_cap_us = cpu_period_us.saturating_mul(limits.processors_cap);
        Ok(ProcessLimits {
            pids_limit: capped("sandbox_config.pids_limit", sandbox.pids_limit, limits.pids, limits.pids_cap)?,
            cpu_quota_us: capped("sandbox_config.cpu_quota", sandbox.cpu_quota, limits.cpu_quota_us, cpu_quota_cap_us)?,
            cpu_period_us,
        })
    }

    /// The backend that runs the skill, ready to do so. A script that the language runtimes cannot run goes to the jail,
    /// if the operator has one and the order leaves the choice.
    async fn prepared_backend(&self, skill: &Arc<Skill>, sandbox: &SandboxConfig) -> Result<Backend, AcceptError> {
        let choice = sandbox.backend.unwrap_or_default();
        let first = self.backend(skill, choice)?;
        let prepared = self.executor.prepare(first, Arc::clone(skill)).await;
        let kind = skill.manifest().runtime.kind;
        let may_fall_back = choice == BackendChoice::Auto && kind != RuntimeKind::Wasm && first == Backend::Wasm;
        let chosen = match prepared {
            Err(error)
                if error.kind() == ErrorKind::Rejected && may_fall_back && self.executor.has(Backend::Native) =>
            {
                tracing::info!(%error, "the skill cannot run in WebAssembly and goes to the jail");
                self.executor.prepare(Backend::Native, Arc::clone(skill)).await.map(|()| Backend::Native)
            }
            prepared => prepared.map(|()| first),
        };
        let chosen = chosen.map_err(AcceptError::Sandbox)?;
        self.check_isolation(chosen, sandbox.min_isolation.unwrap_or(MinIsolation::Process)).await?;
        Ok(chosen)
    }

    fn backend(&self, skill: &Skill, choice: BackendChoice) -> Result<Backend, AcceptError> {
        let name = "sandbox_config.backend";
        let wanted = match (choice, skill.manifest().runtime.kind) {
            (BackendChoice::Auto, RuntimeKind::Native) => Backend::Native,
            (BackendChoice::Auto | BackendChoice::Wasm, _) => Backend::Wasm,
            (BackendChoice::Native, RuntimeKind::Wasm) => {
                return Err(field(name, "a Wasm skill runs on the wasm backend"));
            }
            (BackendChoice::Native, _) => Backend::Native,
            (BackendChoice::Docker, _) => Backend::Docker,
        };
        if wanted == Backend::Native && !self.executor.has(Backend::Native) {
            let why = "this skill would run as a native process, which the operator does not allow here; \
                       --allow-native allows it, and `sre doctor` says what would hold it";
            return Err(field(name, why));
        }
        Ok(wanted)
    }

    /// An order may demand more than the operator does.
    async fn check_isolation(&self, backend: Backend, demanded: MinIsolation) -> Result<(), AcceptError> {
        let name = "sandbox_config.min_isolation";
        match (demanded, backend) {
            (MinIsolation::Process, _) | (_, Backend::Wasm) => Ok(()),
            (MinIsolation::Wasm, other) => {
                Err(field(name, format!("wasm is demanded, but the skill would run on the {other} backend")))
            }
            (MinIsolation::Jail, other) => {
                let lacking = self.executor.lacking(other).await.map_err(AcceptError::Sandbox)?;
                match lacking.first() {
                    None => Ok(()),
                    Some((layer, why)) => {
                        Err(field(name, format!("jail is demanded, but this host cannot enforce {layer}: {why}")))
                    }
                }
            }
        }
    }
}

fn seconds(name: &'static str, asked: f64, cap: Duration) -> Result<Duration, AcceptError> {
    // Below a millisecond nothing can run.
    if asked.is_nan() || asked < 0.001 {
        return Err(field(name, format!("must be a number above 0, found {asked}")));
    }
    match Duration::try_from_secs_f64(asked) {
        Ok(asked) if asked <= cap => Ok(asked),
        _ => Err(field(name, format!("is {asked}, at most {} is allowed", cap.as_secs()))),
    }
}

fn capped(name: &'static str, asked: Option<u64>, default: u64, cap: u64) -> Result<u64, AcceptError> {
    match asked {
        None => Ok(default.min(cap)),
        Some(0) => Err(field(name, "must be above 0")),
        Some(asked) if asked <= cap => Ok(asked),
        Some(asked) => Err(field(name, format!("is {asked}, at most {cap} is allowed"))),
    }
}

/// The default is the moment of acceptance in whole seconds. WASI clocks count nanoseconds from 1970 in 64 bits, which
/// end in 2554.
fn clock_start(asked: Option<Timestamp>) -> Result<Timestamp, AcceptError> {
    let name = "sandbox_config.clock_start";
    let Some(asked) = asked else {
        return Timestamp::now().round(Unit::Second).map_err(|error| field(name, error.to_string()));
    };
    if asked.subsec_nanosecond() != 0 {
        return Err(field(name, "must be in whole seconds"));
    }
    let in_range = asked >= Timestamp::UNIX_EPOCH && asked.as_second() < 16_725_225_600;
    if in_range { Ok(asked) } else { Err(field(name, "must lie between 1970 and 2499")) }
}

/// The shape of the URL. To which addresses requests may go is the callback's own concern.
fn check_callback_url(url: &Url) -> Result<(), AcceptError> {
    let refuse = |message: &str| Err(field("callback_url", message));
    if !matches!(url.scheme(), "http" | "https") {
        return refuse("must be an http or https URL");
    }
    if !url.username().is_empty() || url.password().is_some() {
        return refuse("must not contain credentials: they would end up in logs");
    }
    if url.as_str().len() > 2048 {
        return refuse("is longer than 2048 bytes");
    }
    Ok(())
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// Digest of what was asked for: equal for the same order submitted again, whatever time it is.
fn fingerprint(config: &OrderConfig, skill: &Skill, input: &[u8]) -> Digest {
    #[derive(Serialize)]
    struct Request<'a> {
        skill: SkillDigest,
        input: InputDigest,
        timeout_seconds: f64,
        max_retries: u32,
        retry_on_timeout: bool,
        callback_url: Option<&'a str>,
        // Left out where it is the default, so that orders of earlier versions keep their fingerprint.
        #[serde(skip_serializing_if = "is_default")]
        priority: i32,
        #[serde(skip_serializing_if = "is_default")]
        verdicts_required: u32,
        sandbox_config: Option<&'a SandboxConfig>,
    }
    let request = Request {
        skill: skill.digest(),
        input: InputDigest::of(input),
        timeout_seconds: config.timeout_seconds,
        max_retries: config.max_retries,
        retry_on_timeout: config.retry_on_timeout,
        callback_url: config.callback_url.as_ref().map(Url::as_str),
        priority: config.priority,
        verdicts_required: config.verdicts_required,
        sandbox_config: config.sandbox_config.as_ref(),
    };
    Digest::of(&canonical_json::to_vec(&request))
}
