//! What makes two submissions the same order.

use serde::Serialize;
use sre_core::{Digest, InputDigest, InvocationDigest, SandboxConfig, SkillDigest, canonical_json};
use sre_skill::Skill;
use url::Url;

use crate::OrderConfig;
use crate::invocation::Resolved;

/// What an order asks for, as far as it was resolved.
pub(super) struct Request<'a> {
    pub(super) skill: &'a Skill,
    pub(super) input: &'a [u8],
    pub(super) invocation: Option<&'a Resolved>,
    /// The overrides that differ from the defaults.
    pub(super) sandbox: SandboxConfig,
}

/// Digest of what was asked for: equal for the same order submitted again, whatever time it is and
/// however it is spelt. Everything is in its resolved form, and what is a default is left out, so
/// writing it out changes nothing.
pub(super) fn fingerprint(config: &OrderConfig, request: &Request<'_>) -> Digest {
    #[derive(Serialize)]
    struct Normalised<'a> {
        skill: SkillDigest,
        input: InputDigest,
        invocation: Option<InvocationDigest>,
        timeout_seconds: f64,
        max_retries: u32,
        retry_on_timeout: bool,
        callback_url: Option<&'a str>,
        priority: i32,
        verdicts_required: u32,
        sandbox_config: &'a SandboxConfig,
    }
    let invocation = request.invocation.map(|resolved| &resolved.invocation);
    let normalised = Normalised {
        skill: request.skill.digest(),
        input: InputDigest::of(request.input),
        invocation: invocation.map(|invocation| invocation.digest()),
        timeout_seconds: config.timeout_seconds,
        max_retries: config.max_retries,
        retry_on_timeout: config.retry_on_timeout,
        callback_url: config.callback_url.as_ref().map(Url::as_str),
        priority: config.priority,
        verdicts_required: config.verdicts_required,
        sandbox_config: &request.sandbox,
    };
    Digest::of(&canonical_json::to_vec(&normalised))
}
