//! Uploaded skills. Their bytes are in the blob store, under their digests.

use async_trait::async_trait;
use jiff::Timestamp;
use sre_core::{Manifest, SkillDigest};

use crate::error::JournalError;

/// Uploaded skills.
#[async_trait]
pub trait SkillCatalog: Send + Sync {
    /// Records that a skill was uploaded, once its bytes are durable. Returns whether it is new.
    ///
    /// # Errors
    /// [`JournalError`].
    async fn add_skill(
        &self,
        digest: SkillDigest,
        manifest: &Manifest,
        submitter: &str,
    ) -> Result<bool, JournalError>;

    /// One uploaded skill.
    ///
    /// # Errors
    /// [`JournalError`].
    async fn skill(&self, digest: SkillDigest) -> Result<Option<UploadedSkill>, JournalError>;

    /// Uploaded skills after the one numbered `after`, oldest first, at most `limit`.
    ///
    /// # Errors
    /// [`JournalError`].
    async fn skills(&self, after: i64, limit: usize) -> Result<Vec<UploadedSkill>, JournalError>;
}

/// A skill that was uploaded.
#[derive(Debug, Clone, PartialEq)]
pub struct UploadedSkill {
    /// Its place in the list, from 1.
    pub number: i64,
    /// Its digest.
    pub digest: SkillDigest,
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Who uploaded it first.
    pub submitter: String,
    /// When.
    pub uploaded_at: Timestamp,
}
