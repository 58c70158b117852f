//! What a submitter asks for.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Map, Value};
use sre_core::{OrderId, SandboxConfig};
use sre_skill::{LocalPaths, Skill, SkillError, SkillPackage};
use url::Url;

use crate::invocation::InvocationConfig;

/// An order as submitted. [`OrderConfig::new`] fills in the defaults that are named at each field.
#[derive(Debug, Clone)]
pub struct OrderConfig {
    /// Identity and idempotency key.
    pub order_id: OrderId,
    /// What to run.
    pub skill_package: SkillPackage,
    /// A JSON object. Default `{}`.
    pub input_data: Value,
    /// Runs a program of the package as a command instead of the JSON contract. Default none.
    pub invocation: Option<InvocationConfig>,
    /// Wall-clock limit of one attempt's execution and commit, in seconds. Default 300.
    pub timeout_seconds: f64,
    /// Further attempts after a retryable failure. Default 0.
    pub max_retries: u32,
    /// Whether reaching a time limit counts as retryable. Default false.
    pub retry_on_timeout: bool,
    /// Matching verdicts of other nodes, each under another key that the service trusts, before the
    /// order counts as final. Until then its callback is held. Default 0, at most
    /// [`OrderConfig::VERDICTS_LIMIT`].
    pub verdicts_required: u32,
    /// Where the result is posted. Default none.
    pub callback_url: Option<Url>,
    /// Among the waiting orders of one submitter, larger ones go first. From -100 to 100, default
    /// 0.
    pub priority: i32,
    /// Overrides of the sandbox's defaults. Default none.
    pub sandbox_config: Option<SandboxConfig>,
}

/// Why a JSON value is no order. Every message names the field.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A field is missing, unknown, or of the wrong type.
    #[error("the order is malformed: {0}")]
    Malformed(#[from] serde_json::Error),
    /// The skill package is neither an object nor an allowed path.
    #[error("skill_package: {0}")]
    Skill(#[from] SkillError),
    /// The callback URL is invalid.
    #[error("callback_url: {0}")]
    CallbackUrl(#[from] url::ParseError),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wire {
    order_id: OrderId,
    skill_package: Value,
    #[serde(default = "empty_object")]
    input_data: Value,
    invocation: Option<InvocationConfig>,
    timeout_seconds: Option<f64>,
    #[serde(default)]
    max_retries: u32,
    #[serde(default)]
    retry_on_timeout: bool,
    #[serde(default)]
    verdicts_required: u32,
    callback_url: Option<String>,
    #[serde(default)]
    priority: i32,
    sandbox_config: Option<SandboxConfig>,
}

fn empty_object() -> Value {
    Value::Object(Map::new())
}

impl OrderConfig {
    /// Default of [`OrderConfig::timeout_seconds`].
    pub const DEFAULT_TIMEOUT_SECONDS: f64 = 300.0;
    /// Most of [`OrderConfig::verdicts_required`].
    pub const VERDICTS_LIMIT: u32 = 16;

    /// An order with the defaults.
    #[must_use]
    pub fn new(order_id: OrderId, skill_package: impl Into<SkillPackage>) -> Self {
        Self {
            order_id,
            skill_package: skill_package.into(),
            input_data: empty_object(),
            invocation: None,
            timeout_seconds: Self::DEFAULT_TIMEOUT_SECONDS,
            max_retries: 0,
            retry_on_timeout: false,
            verdicts_required: 0,
            callback_url: None,
            priority: 0,
            sandbox_config: None,
        }
    }

    /// A fresh id that sorts by the time it was made (UUID version 7, RFC 9562).
    ///
    /// # Panics
    /// Never: a UUID's text is within an order id's alphabet.
    #[must_use]
    pub fn generate_id() -> OrderId {
        uuid::Uuid::now_v7()
            .to_string()
            .parse()
            .expect("a UUID is an order id")
    }

    /// Reads an order from its JSON form, already parsed strictly
    /// (see [`sre_core::canonical_json::parse`]).
    ///
    /// # Errors
    /// [`ConfigError`]; unknown fields are refused by name.
    pub fn from_json(value: Value, local: LocalPaths) -> Result<Self, ConfigError> {
        Self::read(value, |package| SkillPackage::from_json(package, local))
    }

    /// As [`OrderConfig::from_json`], for a skill that was found by other means than
    /// `skill_package`'s own.
    ///
    /// # Errors
    /// As [`OrderConfig::from_json`].
    pub fn from_json_with_skill(value: Value, skill: Arc<Skill>) -> Result<Self, ConfigError> {
        Self::read(value, |_| Ok(SkillPackage::Loaded(skill)))
    }

    fn read(
        value: Value,
        package: impl FnOnce(Value) -> Result<SkillPackage, SkillError>,
    ) -> Result<Self, ConfigError> {
        let wire: Wire = serde_json::from_value(value)?;
        Ok(Self {
            order_id: wire.order_id,
            skill_package: package(wire.skill_package)?,
            input_data: wire.input_data,
            invocation: wire.invocation,
            timeout_seconds: wire
                .timeout_seconds
                .unwrap_or(Self::DEFAULT_TIMEOUT_SECONDS),
            max_retries: wire.max_retries,
            retry_on_timeout: wire.retry_on_timeout,
            verdicts_required: wire.verdicts_required,
            callback_url: wire.callback_url.as_deref().map(Url::parse).transpose()?,
            priority: wire.priority,
            sandbox_config: wire.sandbox_config,
        })
    }
}
