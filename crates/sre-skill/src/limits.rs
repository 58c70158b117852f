//! How large a package may be.

/// Longest path of a file inside a package, in bytes.
pub const PATH_LIMIT_BYTES: usize = 255;

/// Longest YAML front matter of a `SKILL.md`, and longest `skill.toml`, in bytes.
pub const FRONT_MATTER_LIMIT_BYTES: usize = 64 * 1024;

/// Longest JSON Schema, in bytes of its canonical JSON (and of the file it is read from).
pub const SCHEMA_LIMIT_BYTES: usize = 64 * 1024;

/// Deepest nesting of a JSON Schema: the manifest, which holds it, is read again like any JSON.
pub const SCHEMA_DEPTH_LIMIT: usize = 64;

/// How large a package may be. The default is 10,000 files and 64 MiB: a package that vendors its
/// dependencies (lodash, python-dateutil, rich) has some thousand files.
///
/// Reading stops at the limit: what lies beyond it is never decompressed and never held in memory,
/// and sizes that an archive declares are never trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PackageLimits {
    /// Most files. Folders may be four times as many.
    pub files: usize,
    /// Most bytes of all files together, unpacked.
    pub unpacked_bytes: u64,
}

impl Default for PackageLimits {
    fn default() -> Self {
        Self {
            files: 10_000,
            unpacked_bytes: 64 << 20,
        }
    }
}

impl PackageLimits {
    /// No limits: for a package that was within them when it came in.
    pub const NONE: Self = Self {
        files: usize::MAX,
        unpacked_bytes: u64::MAX,
    };

    /// Most bytes of a packed package: base64 and JSON escapes can double the content, headers add
    /// a little.
    pub(crate) fn packed_bytes(&self) -> u64 {
        self.unpacked_bytes
            .saturating_mul(2)
            .saturating_add(self.overhead_bytes())
    }

    /// Most bytes of a decompressed tar stream: the content, headers, padding, long names, ignored
    /// entries.
    pub(crate) fn tar_bytes(&self) -> u64 {
        self.unpacked_bytes.saturating_add(self.overhead_bytes())
    }

    fn overhead_bytes(&self) -> u64 {
        (1 << 20) + (self.files as u64).saturating_mul(8192)
    }
}
