//! The one error that leaves this crate. What exactly failed is defined where it fails; this joins
//! and sorts it.

use std::io;
use std::path::Path;

use sre_core::{ErrorCode, canonical_json::JsonError};

use crate::block::BlockError;
use crate::folder::FolderError;
use crate::front_matter::FrontMatterError;
use crate::object::ObjectError;
use crate::schema::SchemaError;
use crate::stored::StoredError;
use crate::tarball::TarError;
use crate::tree::TreeError;
use crate::wheel::WheelError;
use crate::zipball::ZipError;

/// Why a package is no skill. The message names the offending path or field and what to do.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct SkillError(Box<Reason>);

/// What kind of failure a [`SkillError`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SkillErrorKind {
    /// The file system, or the system otherwise, refused or failed: an operating failure, not the
    /// package's fault. Everything else is final.
    Unreadable,
    /// The archive, YAML, TOML or JSON is damaged or is none.
    Malformed,
    /// The package has an entry or a name that no package may have.
    Refused,
    /// A limit on number or size was reached.
    TooLarge,
    /// The package can be read, but does not describe a skill: a missing or wrong field, entrypoint
    /// or schema.
    Invalid,
    /// Stored files and manifest do not belong together.
    Mismatch,
}

impl SkillErrorKind {
    /// A stable code for interfaces.
    #[must_use]
    pub const fn code(self) -> ErrorCode {
        match self {
            Self::Unreadable => ErrorCode::SkillUnreadable,
            Self::Malformed => ErrorCode::SkillMalformed,
            Self::Refused => ErrorCode::SkillRefused,
            Self::TooLarge => ErrorCode::SkillTooLarge,
            Self::Invalid => ErrorCode::SkillInvalid,
            Self::Mismatch => ErrorCode::SkillMismatch,
        }
    }
}

#[derive(Debug, thiserror::Error)]
enum Reason {
    #[error(transparent)]
    Source(SourceError),
    #[error(transparent)]
    Folder(FolderError),
    #[error(transparent)]
    Tar(TarError),
    #[error(transparent)]
    Zip(ZipError),
    #[error(transparent)]
    Object(ObjectError),
    #[error(transparent)]
    FrontMatter(FrontMatterError),
    #[error(transparent)]
    Block(BlockError),
    #[error(transparent)]
    Schema(SchemaError),
    #[error(transparent)]
    Stored(StoredError),
    #[error(transparent)]
    Wheel(WheelError),
    #[error(transparent)]
    Tree(TreeError),
}

/// A failure before or between the forms.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SourceError {
    #[error("cannot read {path}: {source}")]
    Unreadable { path: String, source: io::Error },
    #[error("{path} is no skill package; give a folder, a .tar.gz, a .zip or a JSON object")]
    UnknownForm { path: String },
    #[error("{path} is longer than {limit} bytes; make the package smaller")]
    TooLong { path: String, limit: u64 },
    #[error("{path} is not JSON: {source}")]
    Json { path: String, source: JsonError },
    #[error("the package has no SKILL.md at its root; {advice}")]
    NoSkillMd { advice: String },
    #[error(
        "the execution block stands both in SKILL.md and in skill.toml; remove \"version\", \"runtime\", \"io\" and \
         \"annotations\" from the front matter of SKILL.md, or remove skill.toml"
    )]
    TwoBlocks,
    #[error("the skill's manifest could not be read again by whoever verifies an order: {message}")]
    Manifest { message: String },
    #[error("a skill package must be a JSON object")]
    NotObject,
    #[error("a local package is {{\"path\": \"…\"}}, a text and no further field")]
    PathShape,
    #[error(
        "a local \"path\" is not accepted here; send the package itself, as a JSON object with \"files\""
    )]
    PathRefused,
}

impl SkillError {
    /// What kind of failure this is.
    #[must_use]
    pub fn kind(&self) -> SkillErrorKind {
        match &*self.0 {
            Reason::Source(error) => match error {
                SourceError::Unreadable { .. } => SkillErrorKind::Unreadable,
                SourceError::UnknownForm { .. } | SourceError::Json { .. } => {
                    SkillErrorKind::Malformed
                }
                SourceError::TooLong { .. } => SkillErrorKind::TooLarge,
                SourceError::PathRefused => SkillErrorKind::Refused,
                _ => SkillErrorKind::Invalid,
            },
            Reason::Folder(error) => error.kind(),
            Reason::Tar(error) => error.kind(),
            Reason::Zip(error) => error.kind(),
            Reason::Object(error) => error.kind(),
            Reason::FrontMatter(error) => error.kind(),
            Reason::Block(error) => error.kind(),
            Reason::Schema(error) => error.kind(),
            Reason::Stored(error) => error.kind(),
            Reason::Wheel(error) => error.kind(),
            Reason::Tree(error) => error.kind(SkillErrorKind::Malformed),
        }
    }

    pub(crate) fn unreadable(path: &Path, source: io::Error) -> Self {
        SourceError::Unreadable {
            path: shown(path),
            source,
        }
        .into()
    }

    pub(crate) fn unknown_form(path: &Path) -> Self {
        SourceError::UnknownForm { path: shown(path) }.into()
    }

    pub(crate) fn too_long(path: &Path, limit: u64) -> Self {
        SourceError::TooLong {
            path: shown(path),
            limit,
        }
        .into()
    }

    pub(crate) fn json(path: &Path, source: JsonError) -> Self {
        SourceError::Json {
            path: shown(path),
            source,
        }
        .into()
    }
}

fn shown(path: &Path) -> String {
    crate::path::shown(path.display().to_string().as_bytes())
}

macro_rules! joins {
    ($($reason:ident($error:ty)),* $(,)?) => {$(
        impl From<$error> for SkillError {
            fn from(error: $error) -> Self {
                Self(Box::new(Reason::$reason(error)))
            }
        }
    )*};
}

joins!(
    Source(SourceError),
    Folder(FolderError),
    Tar(TarError),
    Zip(ZipError),
    Object(ObjectError),
    FrontMatter(FrontMatterError),
    Block(BlockError),
    Schema(SchemaError),
    Stored(StoredError),
    Wheel(WheelError),
    Tree(TreeError),
);
