//! What a skill's digest is taken over.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::Digest;

/// A skill, described completely: the normalised execution block and every file by digest.
///
/// The skill's digest is the SHA-256 of this value's canonical JSON, so two packages have the same
/// digest exactly when they run the same, whatever their archive format, time stamps or order of
/// entries.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// The skill's name.
    pub name: String,
    /// The skill's version, free text.
    pub version: String,
    /// What to start where an order does not say it; absent where the package does not either.
    /// Its scripts can still be started by an invocation that names them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runtime: Option<Runtime>,
    /// JSON Schemas of input and output.
    pub io: Io,
    /// What the author declares about the skill's behaviour.
    pub annotations: Annotations,
    /// Every file, sorted by path (byte order).
    pub files: Vec<FileEntry>,
}

/// What to start, and how.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Runtime {
    /// Which kind of program the entrypoint is.
    pub kind: RuntimeKind,
    /// Path of the program inside the package.
    pub entrypoint: String,
    /// Image for the Docker backend; other backends ignore it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub docker_image: Option<String>,
    /// The author's own limit on execution, in seconds; it can shorten the order's limit, never
    /// lengthen it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_seconds: Option<f64>,
}

/// Which kind of program an entrypoint is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RuntimeKind {
    /// A WASI preview 1 command module or a WASI 0.2 command component, binary or text.
    Wasm,
    /// A Python script.
    Python,
    /// A JavaScript or TypeScript module.
    Javascript,
    /// A shell script.
    Shell,
    /// A native executable or a script with an interpreter line.
    Native,
}

impl RuntimeKind {
    /// The kind that an entrypoint's extension names, if it names one: `.wasm` and `.wat` are
    /// Wasm, `.py` is Python, `.js`, `.mjs`, `.cjs`, `.ts`, `.mts` and `.cts` are JavaScript, `.sh`
    /// and `.bash` are shell.
    #[must_use]
    pub fn of_extension(entrypoint: &str) -> Option<Self> {
        match entrypoint.rsplit_once('.')?.1 {
            "wasm" | "wat" => Some(Self::Wasm),
            "py" => Some(Self::Python),
            "js" | "mjs" | "cjs" | "ts" | "mts" | "cts" => Some(Self::Javascript),
            "sh" | "bash" => Some(Self::Shell),
            _ => None,
        }
    }

    /// The kind that an entrypoint's extension names; native where it names none.
    #[must_use]
    pub fn infer(entrypoint: &str) -> Self {
        Self::of_extension(entrypoint).unwrap_or(Self::Native)
    }
}

/// JSON Schemas (2020-12) of input and output; absent means anything goes.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Io {
    /// Schema of `input_data`, checked before anything runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input_schema: Option<Value>,
    /// Schema of the value the skill prints, checked before it is committed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_schema: Option<Value>,
}

/// Hints in the vocabulary of the Model Context Protocol's tool annotations.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Annotations {
    /// The skill changes nothing outside itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read_only_hint: Option<bool>,
    /// The skill may destroy something.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub destructive_hint: Option<bool>,
    /// Running it again has the same effect; `false` means that a replay proves nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idempotent_hint: Option<bool>,
    /// It talks to the outside world; `true` means that a replay proves nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub open_world_hint: Option<bool>,
}

impl Annotations {
    /// Whether a replay may be expected to give the same outcome. True unless the author denies it.
    #[must_use]
    pub fn is_repeatable(&self) -> bool {
        self.idempotent_hint != Some(false) && self.open_world_hint != Some(true)
    }
}

/// One file of a package.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileEntry {
    /// Path with `/` between its parts, relative, without `.` and `..`.
    pub path: String,
    /// Length in bytes.
    pub size: u64,
    /// Whether the file may be executed.
    pub executable: bool,
    /// SHA-256 of the content.
    pub sha256: Digest,
}
