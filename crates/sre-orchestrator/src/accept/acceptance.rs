//! Accepting an order: every field is read, checked and resolved, or the order is refused by the
//! name of the field.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::Value;
use sre_core::canonical_json::VALUE_DEPTH_LIMIT;
use sre_core::{BackendChoice, Canonical, Profile, canonical_json};
use sre_sandbox::{Executor, SandboxError};
use sre_skill::{CheckError, Skill, SkillPackage};
use url::Url;

use super::error::field;
use super::fingerprint::{Request, fingerprint};
use super::profile::seconds;
use super::{AcceptError, AcceptedOrder, AttemptOrder, RetryPolicy};
use crate::invocation::{Inputs, NoInputs, Resolved, resolve};
use crate::{OperatorLimits, OrderConfig};

/// Largest priority, and smallest without its sign.
const PRIORITY_LIMIT: u32 = 100;

/// How long the input of a skill that is loaded may be checked where others wait for the thread.
const INLINE_BUDGET: Duration = Duration::from_millis(1);

/// Checks orders against what the operator allows and what the sandbox can run.
#[derive(Clone)]
pub struct Acceptance {
    pub(super) limits: OperatorLimits,
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

    /// As [`Acceptance::accept_from`], for an order that refers to nothing outside itself.
    ///
    /// # Errors
    /// [`AcceptError`], which names the field.
    pub async fn accept(&self, config: OrderConfig) -> Result<AcceptedOrder, AcceptError> {
        self.accept_from(config, &NoInputs).await
    }

    /// Reads the package, resolves the invocation, checks every field, resolves the sandbox profile
    /// and makes the skill ready to run. What the invocation refers to is read from `inputs`.
    ///
    /// # Errors
    /// [`AcceptError`], which names the field.
    pub async fn accept_from(
        &self,
        config: OrderConfig,
        inputs: &dyn Inputs,
    ) -> Result<AcceptedOrder, AcceptError> {
        let (mut config, skill, input) = self.read(config).await?;
        let invocation = match config.invocation.take() {
            Some(invocation) => Some(resolve(invocation, &skill, &self.limits, inputs).await?),
            None => None,
        };
        let entry = match &invocation {
            Some(invocation) => Arc::clone(&invocation.entry),
            None => Arc::new(
                skill
                    .default_entry()
                    .map_err(|error| field("skill_package.runtime", error.to_string()))?,
            ),
        };
        let attempt_time = seconds(
            "timeout_seconds",
            config.timeout_seconds,
            self.limits.attempt_time_cap,
        )?;
        if config.max_retries > self.limits.retries_cap {
            return Err(field(
                "max_retries",
                format!("at most {} are allowed", self.limits.retries_cap),
            ));
        }
        if config.priority.unsigned_abs() > PRIORITY_LIMIT {
            return Err(field(
                "priority",
                format!("must lie between -{PRIORITY_LIMIT} and {PRIORITY_LIMIT}"),
            ));
        }
        if config.verdicts_required > OrderConfig::VERDICTS_LIMIT {
            return Err(field(
                "verdicts_required",
                format!("at most {} are allowed", OrderConfig::VERDICTS_LIMIT),
            ));
        }
        if let Some(url) = &config.callback_url {
            check_callback_url(url)?;
        }
        let sandbox = config.sandbox_config.take().unwrap_or_default();
        let execution_time = self.execution_time(&skill, &sandbox)?;
        let backend = self.prepared_backend(&skill, &entry, &sandbox).await?;
        let profile = self.profile(&config.order_id, backend, &sandbox, execution_time)?;
        if let Some(invocation) = &invocation {
            check_room(invocation, &profile)?;
        }
        let request = Request {
            skill: &skill,
            input: &input,
            invocation: invocation.as_ref(),
            sandbox: self.explicit(&config.order_id, &sandbox),
        };
        let request = fingerprint(&config, &request);
        let attempt = AttemptOrder {
            order_id: config.order_id,
            skill,
            entry,
            input,
            invocation: invocation
                .as_ref()
                .map(|resolved| Arc::clone(&resolved.invocation)),
            profile: Arc::new(Canonical::new(profile)),
            attempt_time,
            execution_time,
            retries: RetryPolicy {
                max_retries: config.max_retries,
                retry_on_timeout: config.retry_on_timeout,
            },
            has_callback: config.callback_url.is_some(),
            trace: None,
            resolved: invocation.map(Arc::new),
        };
        Ok(AcceptedOrder {
            attempt,
            verdicts_required: config.verdicts_required,
            callback_url: config.callback_url,
            priority: config.priority,
            request,
        })
    }

    /// Makes a skill ready to run where it would run by default, as far as that can be done without
    /// an order.
    ///
    /// # Errors
    /// [`AcceptError::Sandbox`].
    pub async fn check_skill(&self, skill: &Arc<Skill>) -> Result<(), AcceptError> {
        // A package without an entrypoint is made ready when an order names a program of it.
        let Ok(entry) = skill.default_entry() else {
            return Ok(());
        };
        let backend = self.backend(entry.kind, BackendChoice::Auto)?;
        self.executor
            .prepare(backend, Arc::clone(skill), Arc::new(entry))
            .await
            .map_err(AcceptError::Sandbox)
    }

    /// Package and input. What takes more than a moment is done on a thread where it may take its
    /// time: a hostile one takes some hundred milliseconds.
    async fn read(
        &self,
        config: OrderConfig,
    ) -> Result<(OrderConfig, Arc<Skill>, Arc<[u8]>), AcceptError> {
        let is_command = config.invocation.is_some();
        if let SkillPackage::Loaded(skill) = &config.skill_package {
            let (skill, begun) = (Arc::clone(skill), Instant::now());
            // What is refused is looked at again: the words for it must not depend on how long
            // finding them took.
            if let Ok(input) = read_input(
                &self.limits,
                &skill,
                &config.input_data,
                is_command,
                move || begun.elapsed() > INLINE_BUDGET,
            ) {
                return Ok((config, skill, input));
            }
        }
        let limits = self.limits.clone();
        let reading = tokio::task::spawn_blocking(move || {
            let skill = config.skill_package.resolve(&limits.package)?;
            let input = read_input(&limits, &skill, &config.input_data, is_command, || false)?;
            Ok((config, skill, input))
        });
        reading.await.unwrap_or_else(|ended| {
            Err(AcceptError::Sandbox(SandboxError::Bug(format!(
                "reading the order ended early: {ended}"
            ))))
        })
    }
}

fn read_input(
    limits: &OperatorLimits,
    skill: &Skill,
    input: &Value,
    is_command: bool,
    should_stop: impl Fn() -> bool + Send + Sync + 'static,
) -> Result<Arc<[u8]>, AcceptError> {
    let Value::Object(members) = input else {
        return Err(field("input_data", "must be a JSON object"));
    };
    if is_command {
        return if members.is_empty() {
            Ok(canonical_json::to_vec(input).into())
        } else {
            Err(field(
                "input_data",
                "an order has either input_data or an invocation; pass what the program needs as its arguments, standard input or files",
            ))
        };
    }
    let (found, limit) = (members.len(), limits.input_limit_fields);
    if found > limit {
        return Err(field(
            "input_data",
            format!("has {found} top-level fields, at most {limit} are allowed"),
        ));
    }
    if !canonical_json::is_within_depth(input, VALUE_DEPTH_LIMIT) {
        return Err(field(
            "input_data",
            format!("is nested deeper than {VALUE_DEPTH_LIMIT} levels"),
        ));
    }
    let canonical = canonical_json::to_vec(input);
    let (found, limit) = (canonical.len(), limits.input_limit_bytes);
    if found > limit {
        return Err(field(
            "input_data",
            format!("has {found} bytes as canonical JSON, at most {limit} are allowed"),
        ));
    }
    skill
        .check_input_until(input, should_stop)
        .map_err(|error| match error {
            CheckError::Violation(violation) => AcceptError::InputSchema(violation.to_string()),
            other => AcceptError::Sandbox(SandboxError::Unavailable(other.to_string())),
        })?;
    Ok(canonical.into())
}

/// What the folders hold at the start counts towards the limit of files.
fn check_room(invocation: &Resolved, profile: &Profile) -> Result<(), AcceptError> {
    let (found, limit) = (invocation.files_bytes, profile.files_limit_bytes);
    if found <= limit {
        return Ok(());
    }
    Err(field(
        "invocation.work",
        format!(
            "holds {found} bytes together with home, and sandbox_config.files_limit is {limit}"
        ),
    ))
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
