//! Fetching what a commitment names, and checking that it is what the commitment names.
//!
//! The store already recomputes the digest of everything it returns; what is checked here is that the bytes *mean* what
//! they should: that they are the canonical form of a value of the right type, so that one digest has one reading.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;
use sre_core::{BlobDigest, COMMITMENT_FORMAT, Canonical, CommitResult, CommitStatus, Manifest, Outcome, SkillDigest};
use sre_da::{Store, parse_uri};
use sre_skill::Skill;

use crate::report::Finding;

/// Bytes at a URI, which must be the address of `digest`.
pub(crate) async fn at_uri(store: &dyn Store, uri: &str, digest: BlobDigest) -> Result<Arc<[u8]>, Finding> {
    let named = parse_uri(uri).map_err(|error| Finding::tampered(error.to_string()))?;
    if named != digest {
        return Err(Finding::tampered(format!("{uri} is not the address of {digest}")));
    }
    Ok(store.get(digest).await?)
}

/// A value whose canonical JSON has `digest`.
pub(crate) async fn value<T: DeserializeOwned + Serialize>(
    store: &dyn Store,
    what: &str,
    digest: BlobDigest,
) -> Result<Canonical<T>, Finding> {
    let bytes = store.get(digest).await?;
    let value: T =
        serde_json::from_slice(&bytes).map_err(|error| Finding::tampered(format!("{digest} is no {what}: {error}")))?;
    let value = Canonical::new(value);
    if value.address() == digest {
        Ok(value)
    } else {
        Err(Finding::tampered(format!("{digest} is not the canonical form of a {what}")))
    }
}

/// The commitment's own digest and its stored copy.
pub(crate) async fn commitment(store: &dyn Store, claim: &CommitResult) -> Result<(), Finding> {
    if claim.commitment.format != COMMITMENT_FORMAT {
        let message =
            format!("unknown commitment format {:?}; this version reads {COMMITMENT_FORMAT}", claim.commitment.format);
        return Err(Finding::new(sre_core::Verdict::Unverifiable, message));
    }
    let canonical = claim.commitment.to_canonical();
    let actual = sre_core::CommitmentDigest::of(&canonical);
    if actual != claim.commitment_hash {
        return Err(Finding::tampered(format!(
            "the commitment's digest is {actual}, not {} as claimed",
            claim.commitment_hash
        )));
    }
    at_uri(store, &claim.commitment_uri, actual.into()).await?;
    Ok(())
}

/// The skill, rebuilt from its manifest and files.
pub(crate) async fn skill(store: &dyn Store, digest: SkillDigest) -> Result<Skill, Finding> {
    let manifest = value::<Manifest>(store, "skill manifest", digest.into()).await?.into_value();
    let mut files = BTreeMap::new();
    for file in &manifest.files {
        files.insert(file.path.clone(), store.get(file.sha256.into()).await?);
    }
    let skill = Skill::from_manifest(manifest, files).map_err(|error| Finding::tampered(error.to_string()))?;
    if skill.digest() == digest {
        Ok(skill)
    } else {
        Err(Finding::tampered(format!("the skill's digest is {}, not {digest}", skill.digest())))
    }
}

/// That the claimed result is the outcome's, and that its bytes are there.
pub(crate) async fn output(store: &dyn Store, claim: &CommitResult, outcome: &Outcome) -> Result<(), Finding> {
    if claim.result_hash != outcome.output() {
        return Err(Finding::tampered("the claimed result is not the committed outcome's"));
    }
    let success = claim.status == CommitStatus::Success;
    if success != claim.result_hash.is_some() {
        return Err(Finding::tampered("the claimed status is not the committed outcome's"));
    }
    match (claim.result_hash, &claim.result_uri) {
        (Some(hash), Some(uri)) => at_uri(store, uri, hash.into()).await.map(drop),
        (None, None) => Ok(()),
        _ => Err(Finding::tampered("the claim has a result hash without an address, or an address without a hash")),
    }
}
