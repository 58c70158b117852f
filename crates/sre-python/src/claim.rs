//! The claim of an order whose commit stage was replaced.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Map, Value, json};
use sre_commit::CommitRequest;
use sre_core::{
    COMMITMENT_FORMAT, Canonical, CommitResult, Commitment, CommitmentDigest, Content, Ending,
    Engine, InputDigest, Invocation, Outcome, OutputDigest, RuntimeDigest, SkillDigest,
};
use sre_sandbox::OwnedCall;

/// What a commitment says about an order whose commit stage was replaced, where the stage does not
/// say it itself.
pub(crate) struct Claim {
    order_id: sre_core::OrderId,
    skill: SkillDigest,
    input: InputDigest,
    invocation: Option<Arc<Canonical<Invocation>>>,
    profile: Arc<Canonical<sre_core::Profile>>,
}

impl Claim {
    pub(crate) fn of(request: &CommitRequest) -> Self {
        Self {
            order_id: request.order_id.clone(),
            skill: request.job.skill.digest(),
            input: match &request.job.call {
                OwnedCall::Json(input) => InputDigest::of(input),
                OwnedCall::Command(_) => InputDigest::of(b"{}"),
            },
            invocation: request.invocation.clone(),
            profile: Arc::clone(&request.job.profile),
        }
    }

    /// A stage may return the six fields of the specification alone. The commitment is then made
    /// here: it names the true skill, input and profile, and as runtime the replaced stage. No
    /// evidence is stored for it, which a real verifier will find.
    pub(crate) fn complete(&self, value: Value) -> Result<CommitResult, String> {
        let Value::Object(mut fields) = value else {
            return Err(String::from("commit_result: must be an object"));
        };
        fields.retain(|_, value| !value.is_null());
        let text = |name: &str| fields.get(name).and_then(Value::as_str).map(str::to_owned);
        if text("order_id").is_some_and(|order_id| order_id != self.order_id.as_str()) {
            return Err(format!(
                "commit_result.order_id: is of another order than {}",
                self.order_id.as_str()
            ));
        }
        let succeeded = text("status").as_deref() == Some("success");
        if succeeded != fields.contains_key("result_hash") {
            return Err(String::from(
                "commit_result.result_hash: a success has one, and nothing else has",
            ));
        }
        if !fields.contains_key("commitment") {
            self.fill_in(&mut fields)?;
        }
        serde_json::from_value(Value::Object(fields))
            .map_err(|error| format!("commit_result: {error}"))
    }

    fn fill_in(&self, fields: &mut Map<String, Value>) -> Result<(), String> {
        let output: Option<OutputDigest> = match fields.get("result_hash") {
            Some(hash) => {
                let digest = serde_json::from_value(hash.clone());
                Some(digest.map_err(|error| format!("commit_result.result_hash: {error}"))?)
            }
            None => None,
        };
        let runtime: RuntimeDigest = Canonical::new(Engine {
            backend: self.profile.backend,
            name: String::from("replaced commit stage"),
            version: String::from(env!("CARGO_PKG_VERSION")),
            configuration: BTreeMap::new(),
        })
        .digest();
        let failed = Outcome::ended(Ending::Exited { code: 1 }, Content::of(b""));
        let outcome = output.map_or(failed, Outcome::returned);
        let commitment = Canonical::new(Commitment {
            format: COMMITMENT_FORMAT.to_owned(),
            skill: self.skill,
            input: self.input,
            invocation: self.invocation.as_ref().map(|call| call.digest()),
            profile: self.profile.digest(),
            runtime,
            transcript: None,
            outcome: outcome.digest(),
        });
        let digest: CommitmentDigest = commitment.digest();
        let made = json!({
            "order_id": self.order_id,
            "execution_time_ms": 0,
            "commitment": *commitment,
            "commitment_hash": digest,
            "commitment_uri": sre_da::format_uri(digest.into()),
            "accept_exit": self.invocation.as_ref().map(|call| &call.accept_exit),
            "backend": self.profile.backend,
            "resources": sre_core::Resources::default(),
        });
        if let Value::Object(made) = made {
            for (name, value) in made {
                fields.entry(name).or_insert(value);
            }
        }
        Ok(())
    }
}
