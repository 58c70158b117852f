//! Fetching what a commitment names, and checking that it is what the commitment names.
//!
//! The store already recomputes the digest of everything it returns; what is checked here is that
//! the bytes *mean* what they should: that they are the canonical form of a value of the right
//! type, so that one digest has one reading.

use std::collections::HashMap;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;
use sre_core::{
    BlobDigest, BlobRole, COMMITMENT_FORMAT, Canonical, CommitResult, CommitStatus, Content,
    InputDigest, Outcome, Profile, SkillDigest, Verdict, canonical_json, evidence,
};
use sre_da::{Store, parse_uri};
use sre_skill::{Skill, SkillBlobsError, SkillErrorKind};

use crate::ReplayLimits;
use crate::limits::{self, VALUE_LIMIT_BYTES};
use crate::report::Finding;

/// What the store answered for the blobs of one claim.
pub(crate) struct Fetched(HashMap<BlobDigest, Result<Arc<[u8]>, Finding>>);

impl Fetched {
    /// Fetches everything that belongs to this claim alone, in one request. What many claims share,
    /// the skill and the engine, is fetched by itself.
    pub(crate) async fn all(store: &dyn Store, claim: &CommitResult) -> Self {
        let digests: Vec<BlobDigest> = evidence::of_claim(claim)
            .into_iter()
            .filter(|blob| !matches!(blob.role, BlobRole::Manifest | BlobRole::Engine))
            .map(|blob| blob.digest)
            .collect();
        let answers = store.get_many(&digests).await;
        Self(
            digests
                .into_iter()
                .zip(
                    answers
                        .into_iter()
                        .map(|answer| answer.map_err(Finding::from)),
                )
                .collect(),
        )
    }

    /// The bytes with `digest`.
    pub(crate) fn bytes(&self, digest: impl Into<BlobDigest>) -> Result<Arc<[u8]>, Finding> {
        let digest = digest.into();
        match self.0.get(&digest) {
            Some(answer) => answer.clone(),
            None => Err(Finding::tampered(format!(
                "{digest} is not what the claim leads to"
            ))),
        }
    }

    /// The bytes at a URI, which must be the address of `digest`.
    fn at_uri(&self, uri: &str, digest: BlobDigest) -> Result<Arc<[u8]>, Finding> {
        let named = parse_uri(uri).map_err(|error| Finding::tampered(error.to_string()))?;
        if named != digest {
            return Err(Finding::tampered(format!(
                "{uri} is not the address of {digest}"
            )));
        }
        self.bytes(digest)
    }

    /// The value whose canonical JSON has `digest`.
    pub(crate) fn value<T>(
        &self,
        what: &str,
        digest: impl Into<BlobDigest>,
    ) -> Result<Canonical<T>, Finding>
    where
        T: DeserializeOwned + Serialize,
    {
        let digest = digest.into();
        read_value(what, digest, &self.bytes(digest)?)
    }

    /// The input: a JSON object in canonical form, so that one input has one digest.
    pub(crate) fn input(
        &self,
        digest: InputDigest,
        limit_bytes: usize,
    ) -> Result<Arc<[u8]>, Finding> {
        let bytes = self.bytes(digest)?;
        limits::check("bytes of input", bytes.len() as u64, limit_bytes as u64)?;
        let value = canonical_json::parse(&bytes).map_err(|error| {
            Finding::tampered(format!(
                "{digest} is no input, which is a JSON object: {error}"
            ))
        })?;
        if !value.is_object() {
            return Err(Finding::tampered(format!(
                "{digest} is no input, which is a JSON object"
            )));
        }
        if canonical_json::to_vec(&value) != *bytes {
            return Err(Finding::tampered(format!(
                "{digest} is not the canonical form of an input"
            )));
        }
        Ok(bytes)
    }

    /// The profile, of the backend that the claim names.
    pub(crate) fn profile(&self, claim: &CommitResult) -> Result<Canonical<Profile>, Finding> {
        let profile: Canonical<Profile> = self.value("profile", claim.commitment.profile)?;
        if profile.backend == claim.backend {
            Ok(profile)
        } else {
            let (committed, claimed) = (profile.backend, claim.backend);
            Err(Finding::tampered(format!(
                "the committed profile is of the {committed} backend, not of {claimed}"
            )))
        }
    }
}

/// Reads a value and checks that `bytes` are its canonical form, so that one digest has one
/// reading.
fn read_value<T>(what: &str, digest: BlobDigest, bytes: &[u8]) -> Result<Canonical<T>, Finding>
where
    T: DeserializeOwned + Serialize,
{
    limits::check(
        &format!("bytes of {what}"),
        bytes.len() as u64,
        VALUE_LIMIT_BYTES as u64,
    )?;
    let value: T = serde_json::from_slice(bytes)
        .map_err(|error| Finding::tampered(format!("{digest} is no {what}: {error}")))?;
    let value = Canonical::new(value);
    if value.address() == digest {
        Ok(value)
    } else {
        Err(Finding::tampered(format!(
            "{digest} is not the canonical form of a {what}"
        )))
    }
}

/// A value fetched by itself.
pub(crate) async fn value<T>(
    store: &dyn Store,
    what: &str,
    digest: BlobDigest,
) -> Result<Canonical<T>, Finding>
where
    T: DeserializeOwned + Serialize,
{
    read_value(what, digest, &store.get(digest).await?)
}

/// The commitment's own digest and its stored copy.
pub(crate) fn commitment(fetched: &Fetched, claim: &CommitResult) -> Result<(), Finding> {
    if claim.commitment.format != COMMITMENT_FORMAT {
        let format = &claim.commitment.format;
        let message =
            format!("unknown commitment format {format:?}; this version reads {COMMITMENT_FORMAT}");
        return Err(Finding::new(Verdict::Unverifiable, message));
    }
    let actual = claim.commitment.digest();
    if actual != claim.commitment_hash {
        let claimed = claim.commitment_hash;
        return Err(Finding::tampered(format!(
            "the commitment's digest is {actual}, not {claimed} as claimed"
        )));
    }
    fetched.at_uri(&claim.commitment_uri, actual.into())?;
    Ok(())
}

/// The skill, rebuilt from its manifest and files. Fetches no more than is granted.
pub(crate) async fn skill(
    store: &dyn Store,
    digest: SkillDigest,
    limits: &ReplayLimits,
) -> Result<Skill, Finding> {
    Skill::from_blobs(digest, &limits.package, |blob| store.get(blob))
        .await
        .map_err(|error| match error {
            SkillBlobsError::Fetch(error) => error.into(),
            SkillBlobsError::Wrong(message) => Finding::tampered(message),
            SkillBlobsError::TooLarge { .. } => {
                Finding::new(Verdict::Unverifiable, error.to_string())
            }
            SkillBlobsError::Skill(error) => match error.kind() {
                SkillErrorKind::Unreadable => {
                    Finding::new(Verdict::Unverifiable, error.to_string())
                }
                _ => Finding::tampered(error.to_string()),
            },
        })
}

/// What is committed as standard output, where the outcome names it.
pub(crate) async fn stdout(
    store: &dyn Store,
    outcome: &Outcome,
    limits: &ReplayLimits,
) -> Result<Option<Arc<[u8]>>, Finding> {
    let Some(Content { sha256, size }) = outcome.stdout else {
        return Ok(None);
    };
    limits::check("bytes of output", size, limits.output_bytes)?;
    let bytes = store.get(sha256).await?;
    if bytes.len() as u64 == size {
        Ok(Some(bytes))
    } else {
        Err(Finding::tampered(format!(
            "{sha256} has {} bytes, the outcome says {size}",
            bytes.len()
        )))
    }
}

/// That the claimed result is the outcome's, and that its bytes are there.
pub(crate) fn output(
    fetched: &Fetched,
    claim: &CommitResult,
    outcome: &Outcome,
) -> Result<(), Finding> {
    if claim.result_hash != outcome.output() {
        return Err(Finding::tampered(
            "the claimed result is not the committed outcome's",
        ));
    }
    let success = claim.status == CommitStatus::Success;
    if success != outcome.is_success(claim.accept_exit.as_ref()) {
        return Err(Finding::tampered(
            "the claimed status is not the committed outcome's",
        ));
    }
    match (claim.result_hash, &claim.result_uri) {
        (Some(hash), Some(uri)) => fetched.at_uri(uri, hash.into()).map(drop),
        (None, None) => Ok(()),
        _ => Err(Finding::tampered(
            "the claim has a result hash without an address, or an address without a hash",
        )),
    }
}
