//! What makes two submissions the same order.

use serde::Serialize;
use sre_core::{Digest, InputDigest, SandboxConfig, SkillDigest, canonical_json};
use sre_skill::Skill;
use url::Url;

use crate::OrderConfig;

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// Digest of what was asked for: equal for the same order submitted again, whatever time it is.
pub(super) fn fingerprint(config: &OrderConfig, skill: &Skill, input: &[u8]) -> Digest {
    #[derive(Serialize)]
    struct Request<'a> {
        skill: SkillDigest,
        input: InputDigest,
        timeout_seconds: f64,
        max_retries: u32,
        retry_on_timeout: bool,
        callback_url: Option<&'a str>,
        // Left out where it is the default, so that orders of earlier versions keep their
        // fingerprint.
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
