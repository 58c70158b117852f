//! Uploaded skills, which orders then name by digest.

use std::sync::Arc;

use sre_core::{ErrorCode, SkillDigest};
use sre_journal::UploadedSkill;
use sre_skill::Skill;

use crate::caller::{Caller, Scope};
use crate::error::ServiceError;
use crate::service::Service;

/// A skill that was uploaded.
#[derive(Debug, Clone)]
pub struct SkillUpload {
    /// What is known of it.
    pub skill: UploadedSkill,
    /// Whether it is new; otherwise the same skill was uploaded before.
    pub is_new: bool,
}

impl Service {
    /// Keeps a skill. When this returns, orders can name it by its digest, also after a crash.
    ///
    /// # Errors
    /// `scope_missing`, `skill_rejected`, `store_failed`, `journal_failed`.
    pub async fn upload(
        &self,
        caller: &Caller,
        skill: Arc<Skill>,
    ) -> Result<SkillUpload, ServiceError> {
        caller.require(&[Scope::Submit])?;
        self.acceptance.check_skill(&skill).await?;
        self.skill_cache()
            .put(&skill)
            .await
            .map_err(|error| ServiceError::operating(ErrorCode::StoreFailed, &error))?;
        // If the process dies here, the bytes are stored and the journal does not name them; the
        // next upload of the same skill completes it, and `sre gc` removes them otherwise.
        let is_new = self
            .journal()
            .add_skill(skill.digest(), skill.manifest(), caller.name())
            .await?;
        let skill = self.journal().skill(skill.digest()).await?.ok_or_else(|| {
            let error = "a skill that was added is not there";
            ServiceError::operating(ErrorCode::JournalFailed, &error)
        })?;
        Ok(SkillUpload { skill, is_new })
    }

    /// Uploaded skills after the one with this number, at most `limit`.
    ///
    /// # Errors
    /// `scope_missing`, `journal_failed`.
    pub async fn skills(
        &self,
        caller: &Caller,
        after: i64,
        limit: usize,
    ) -> Result<Vec<UploadedSkill>, ServiceError> {
        caller.require(&[Scope::Submit, Scope::Read])?;
        Ok(self.journal().skills(after, limit).await?)
    }

    /// An uploaded skill, with its package.
    ///
    /// # Errors
    /// `scope_missing`, `skill_unknown`, `journal_failed`, `store_failed`.
    pub async fn skill(
        &self,
        caller: &Caller,
        digest: SkillDigest,
    ) -> Result<(UploadedSkill, Arc<Skill>), ServiceError> {
        caller.require(&[Scope::Submit, Scope::Read])?;
        let uploaded = self.journal().skill(digest).await?.ok_or_else(|| {
            let detail = "no skill with this digest was uploaded";
            ServiceError::new(ErrorCode::SkillUnknown, detail)
        })?;
        Ok((uploaded, self.skill_cache().get(digest).await?))
    }
}
