//! What an order's `skill_package` says.

use std::path::PathBuf;
use std::sync::Arc;

use serde_json::Value;

use crate::error::{SkillError, SourceError};
use crate::limits::PackageLimits;
use crate::skill::Skill;

/// Whether `{"path": …}` may name a package on the local file system. Over the network it may not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LocalPaths {
    /// The library and the command line.
    Allowed,
    /// The service.
    Refused,
}

/// A package as an order gives it, not yet read.
#[derive(Debug, Clone)]
pub enum SkillPackage {
    /// The JSON object form.
    Object(Value),
    /// A folder or file of the local file system.
    Path(PathBuf),
    /// A skill that was read before.
    Loaded(Arc<Skill>),
}

impl SkillPackage {
    /// Takes the value of `skill_package`. An object without `path` is the object form; one with
    /// `path` may have nothing else.
    ///
    /// # Errors
    /// When it is no object, or a path where paths are refused.
    pub fn from_json(value: Value, local: LocalPaths) -> Result<Self, SkillError> {
        let Value::Object(members) = &value else {
            return Err(SourceError::NotObject.into());
        };
        let Some(path) = members.get("path") else {
            return Ok(Self::Object(value));
        };
        match (path, members.len(), local) {
            (_, _, LocalPaths::Refused) => Err(SourceError::PathRefused.into()),
            (Value::String(path), 1, LocalPaths::Allowed) if !path.is_empty() => {
                Ok(Self::Path(path.into()))
            }
            _ => Err(SourceError::PathShape.into()),
        }
    }

    /// Reads the package.
    ///
    /// # Errors
    /// As [`Skill::open`] and [`Skill::from_object`].
    pub fn resolve(&self, limits: &PackageLimits) -> Result<Arc<Skill>, SkillError> {
        match self {
            Self::Object(value) => Skill::from_object(value, limits).map(Arc::new),
            Self::Path(path) => Skill::open(path, limits).map(Arc::new),
            Self::Loaded(skill) => Ok(Arc::clone(skill)),
        }
    }
}

impl From<Arc<Skill>> for SkillPackage {
    fn from(skill: Arc<Skill>) -> Self {
        Self::Loaded(skill)
    }
}
