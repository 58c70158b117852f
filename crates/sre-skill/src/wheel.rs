//! Reads Python wheels (binary distribution format 1.0, PyPA) for `vendor/`.
//!
//! A wheel is a zip archive with the rules of every archive here, and a `.dist-info` folder that
//! says what it is. Only wheels of pure Python are accepted: there is no processor here that their
//! machine code could run on.

use crate::limits::PackageLimits;
use crate::tree::SkillFile;
use crate::zipball::{self, ZipError};
use crate::{SkillErrorKind, path};

/// What compiled code is called.
const COMPILED: [&str; 6] = [".so", ".pyd", ".dll", ".dylib", ".a", ".o"];

/// A wheel that cannot be vendored. The message names it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WheelError {
    #[error("{wheel}: {source}")]
    Zip { wheel: String, source: ZipError },
    #[error("{wheel} is no wheel: it has no .dist-info/WHEEL")]
    NoMetadata { wheel: String },
    #[error(
        "{wheel} holds compiled code ({path}), which cannot run in WebAssembly; find a pure-Python alternative, or run \
         the skill on the native backend"
    )]
    Compiled { wheel: String, path: String },
}

impl WheelError {
    pub(crate) fn kind(&self) -> SkillErrorKind {
        match self {
            Self::Zip { source, .. } => source.kind(),
            Self::NoMetadata { .. } => SkillErrorKind::Malformed,
            Self::Compiled { .. } => SkillErrorKind::Refused,
        }
    }
}

/// The files that installing the wheel would put beside each other, sorted by path: modules, data
/// and `.dist-info`. Scripts, headers and files for elsewhere in a system are left out.
pub(crate) fn read(
    wheel: &str,
    packed: &[u8],
    limits: &PackageLimits,
) -> Result<Vec<SkillFile>, WheelError> {
    let wheel = path::shown(wheel.as_bytes());
    let (files, _) = zipball::read(packed, limits, &[]).map_err(|source| WheelError::Zip {
        wheel: wheel.clone(),
        source,
    })?;
    if let Some(file) = files.iter().find(|file| is_compiled(&file.path)) {
        return Err(WheelError::Compiled {
            wheel,
            path: path::shown(file.path.as_bytes()),
        });
    }
    let is_metadata = |file: &&SkillFile| {
        file.path
            .split_once('/')
            .is_some_and(|(top, rest)| is_info(top, rest))
    };
    let Some(metadata) = files.iter().find(is_metadata) else {
        return Err(WheelError::NoMetadata { wheel });
    };
    if !says_pure(&metadata.bytes) {
        return Err(WheelError::Compiled {
            wheel,
            path: format!("{} says it is not pure", metadata.path),
        });
    }
    let mut kept: Vec<SkillFile> = files.into_iter().filter_map(placed).collect();
    kept.sort_by(|one, other| one.path.cmp(&other.path));
    Ok(kept)
}

fn is_compiled(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path).to_ascii_lowercase();
    // `libx.so.1` is one too.
    COMPILED.iter().any(|ending| name.ends_with(ending)) || name.contains(".so.")
}

fn is_info(top: &str, rest: &str) -> bool {
    top.ends_with(".dist-info") && rest == "WHEEL"
}

/// `Root-Is-Purelib` of the metadata, an e-mail header block.
fn says_pure(metadata: &[u8]) -> bool {
    String::from_utf8_lossy(metadata).lines().any(|line| {
        line.split_once(':').is_some_and(|(name, value)| {
            name.eq_ignore_ascii_case("Root-Is-Purelib")
                && value.trim().eq_ignore_ascii_case("true")
        })
    })
}

/// Where a file of a wheel ends up; `None` for what has no place in a package.
fn placed(file: SkillFile) -> Option<SkillFile> {
    match file.path.split_once('/') {
        Some((top, rest)) if top.ends_with(".data") => {
            let path = rest.strip_prefix("purelib/")?.to_owned();
            Some(SkillFile { path, ..file })
        }
        _ => Some(file),
    }
}
