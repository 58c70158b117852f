//! Skill packages: a folder, an archive or a JSON object in, a checked [`Skill`] with a digest out.
//!
//! A package is hostile until it is checked: its author wants to read the host's files, exhaust its
//! memory or look like another package. This crate reads it without writing anything to disk,
//! within [`PackageLimits`], and refuses everything a plain set of files does not need. Equal
//! content gives an equal digest, whatever form it came in.
//!
//! [`Skill::with_wheels`] adds Python dependencies to one.
//!
//! It runs nothing and fetches nothing. The walk: a *form* (folder, tarball, zipball, object) fills
//! a *tree* of files, the *front matter* gives the raw *block*, which is normalised and becomes,
//! with the files, the manifest.

mod blobs;
mod block;
mod entry;
mod error;
mod folder;
mod front_matter;
mod limits;
mod meter;
mod name;
mod note;
mod object;
mod package;
mod path;
mod plain;
mod pointer;
mod schema;
mod schema_graph;
mod skill;
mod stored;
mod tarball;
mod tree;
mod usage;
mod weight;
mod wheel;
mod zipball;

pub use blobs::SkillBlobsError;
pub use entry::{Entry, EntryError};
pub use error::{SkillError, SkillErrorKind};
pub use limits::{FRONT_MATTER_LIMIT_BYTES, PATH_LIMIT_BYTES, PackageLimits, SCHEMA_LIMIT_BYTES};
pub use note::{Note, NoteLevel};
pub use package::{LocalPaths, SkillPackage};
pub use path::IGNORED_NAMES;
pub use schema::{CheckError, SchemaViolation};
pub use skill::Skill;
pub use tree::SkillFile;
pub use usage::{Argument, Usage};
