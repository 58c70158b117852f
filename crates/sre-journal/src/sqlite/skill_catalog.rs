//! [`SkillCatalog`] over SQLite.

use async_trait::async_trait;
use jiff::Timestamp;
use rusqlite::{OptionalExtension, Row, params};
use sre_core::{Digest, Manifest, SkillDigest};

use super::error::SqliteError;
use super::journal::SqliteJournal;
use crate::error::JournalError;
use crate::skill_catalog::{SkillCatalog, UploadedSkill};

const COLUMNS: &str =
    "SELECT number, digest, name, version, submitter, uploaded_at_ms FROM skills WHERE ";

#[async_trait]
impl SkillCatalog for SqliteJournal {
    async fn add_skill(
        &self,
        digest: SkillDigest,
        manifest: &Manifest,
        submitter: &str,
    ) -> Result<bool, JournalError> {
        let (name, version) = (manifest.name.clone(), manifest.version.clone());
        let (submitter, now) = (submitter.to_owned(), self.now_ms());
        let inserted = self.database.write(move |transaction| {
            transaction
                .prepare_cached(
                    "INSERT OR IGNORE INTO skills (digest, name, version, submitter, uploaded_at_ms)
                     VALUES (?1, ?2, ?3, ?4, ?5)",
                )?
                .execute(params![
                    digest.digest().as_bytes(),
                    name,
                    version,
                    submitter,
                    now
                ])
        });
        Ok(inserted.await.map_err(SqliteError::from)? == 1)
    }

    async fn skill(&self, digest: SkillDigest) -> Result<Option<UploadedSkill>, JournalError> {
        Ok(skill(self, digest)?)
    }

    async fn skills(&self, after: i64, limit: usize) -> Result<Vec<UploadedSkill>, JournalError> {
        Ok(skills(self, after, limit)?)
    }
}

fn skill(
    journal: &SqliteJournal,
    digest: SkillDigest,
) -> Result<Option<UploadedSkill>, SqliteError> {
    let reader = journal.database.reader()?;
    let mut statement = reader.prepare_cached(&format!("{COLUMNS} digest = ?1"))?;
    Ok(statement
        .query_row([digest.digest().as_bytes()], uploaded)
        .optional()?)
}

fn skills(
    journal: &SqliteJournal,
    after: i64,
    limit: usize,
) -> Result<Vec<UploadedSkill>, SqliteError> {
    let reader = journal.database.reader()?;
    let mut statement =
        reader.prepare_cached(&format!("{COLUMNS} number > ?1 ORDER BY number LIMIT ?2"))?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let rows = statement.query_map(params![after, limit], uploaded)?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
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
