//! Uploaded skills. Their bytes are in the store, under their digests.

use jiff::Timestamp;
use rusqlite::{OptionalExtension, Row, params};
use sre_core::{Digest, Manifest, SkillDigest};

use crate::{Journal, JournalError};

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

impl Journal {
    /// Notes that a skill was uploaded, once its bytes are durable. Returns whether it is new.
    ///
    /// # Errors
    /// [`JournalError`].
    pub async fn add_skill(
        &self,
        digest: SkillDigest,
        manifest: &Manifest,
        submitter: &str,
    ) -> Result<bool, JournalError> {
        let (name, version, submitter, now) = (
            manifest.name.clone(),
            manifest.version.clone(),
            submitter.to_owned(),
            self.now_ms(),
        );
        let inserted = self
            .database
            .write(move |transaction| {
                transaction
                    .prepare_cached(
                        "INSERT OR IGNORE INTO skills (digest, name, version, submitter, uploaded_at_ms)
                         VALUES (?1, ?2, ?3, ?4, ?5)",
                    )?
                    .execute(params![digest.digest().as_bytes(), name, version, submitter, now])
            })
            .await?;
        Ok(inserted == 1)
    }

    /// One uploaded skill.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn skill(&self, digest: SkillDigest) -> Result<Option<UploadedSkill>, JournalError> {
        let reader = self.database.reader()?;
        let mut statement = reader.prepare_cached(
            "SELECT number, digest, name, version, submitter, uploaded_at_ms FROM skills WHERE digest = ?1",
        )?;
        Ok(statement
            .query_row([digest.digest().as_bytes()], uploaded)
            .optional()?)
    }

    /// Uploaded skills after the one numbered `after`, oldest first, at most `limit`.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn skills(&self, after: i64, limit: usize) -> Result<Vec<UploadedSkill>, JournalError> {
        let reader = self.database.reader()?;
        let mut statement = reader.prepare_cached(
            "SELECT number, digest, name, version, submitter, uploaded_at_ms FROM skills WHERE number > ?1
             ORDER BY number LIMIT ?2",
        )?;
        let rows = statement.query_map(
            params![after, i64::try_from(limit).unwrap_or(i64::MAX)],
            uploaded,
        )?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }
}

fn uploaded(row: &Row<'_>) -> rusqlite::Result<UploadedSkill> {
    Ok(UploadedSkill {
        number: row.get(0)?,
        digest: Digest::from_bytes(row.get(1)?).into(),
        name: row.get(2)?,
        version: row.get(3)?,
        submitter: row.get(4)?,
        uploaded_at: Timestamp::from_millisecond(row.get(5)?).unwrap_or(Timestamp::UNIX_EPOCH),
    })
}
