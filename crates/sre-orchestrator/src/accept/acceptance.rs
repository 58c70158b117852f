//! Checks, one field after the other.

use std::sync::Arc;
use std::time::Duration;

use jiff::{Timestamp, Unit};
use serde::Serialize;
use serde_json::Value;
use sre_core::{
    Backend, BackendChoice, ByteSize, Canonical, Digest, InputDigest, MinIsolation, OrderId, ProcessLimits, Profile,
    RuntimeKind, SandboxConfig, SkillDigest, canonical_json,
};
use sre_sandbox::{ErrorKind, Executor};
use sre_skill::Skill;
use url::Url;

use super::error::field;
use super::{AcceptError, AcceptedOrder};
use crate::{OperatorLimits, OrderConfig};

/// Largest priority, and smallest without its sign.
const PRIORITY_LIMIT: u32 = 100;

/// Checks orders against what the operator allows and what the sandbox can run.
#[derive(Clone)]
pub struct Acceptance {
    limits: OperatorLimits,
    pub(crate) executor: Executor,
}

impl Acceptance {
    /// Accepts orders for `executor` within `limits`.
    #[must_use]
    pub fn new(limits: OperatorLimits, executor: Executor) -> Self {
        Self { limits, executor }
    }

    /// What orders may ask for.
    #[must_use]
    pub fn limits(&self) -> &OperatorLimits {
        &self.limits
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
