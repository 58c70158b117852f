//! What an order ends with.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    AcceptExit, Backend, BlobDigest, ChangeKind, Commitment, CommitmentDigest, OrderId,
    OutputDigest, TreeDigest, VerifyResult,
};

/// The terminal state of an order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OrderResult {
    /// Which order.
    pub order_id: OrderId,
    /// How it ended.
    pub status: OrderStatus,
    /// What was executed and committed; null when no attempt got that far.
    pub commit_result: Option<CommitResult>,
    /// What the verification found; null when nothing was committed.
    pub verification: Option<VerifyResult>,
    /// From acceptance to the terminal state, in milliseconds, all attempts and pauses included.
    pub execution_time_ms: u64,
    /// What went wrong; null when completed.
    pub error_message: Option<String>,
    /// Stable code of what went wrong; null when completed.
    pub error_code: Option<String>,
    /// The skill's JSON value; null unless it returned one.
    pub output: Option<Value>,
    /// What the program did as a command; its members are absent in the JSON contract, and where
    /// nothing was committed.
    #[serde(flatten)]
    pub command: Option<CommandResult>,
    /// Attempts made, 1 or more.
    pub attempts: u32,
    /// The skill's standard error, capped; a last line says so when it was cut.
    pub logs: String,
}

/// What a program did in the command contract.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CommandResult {
    /// Its exit code; null where it did not end by itself.
    pub exit_code: Option<i32>,
    /// What it printed.
    pub stdout: Stdout,
    /// What it changed below `/workspace`, sorted by path; at most
    /// [`CommandResult::FILES_LIMIT`] of them.
    pub files: Vec<FileChange>,
    /// How many changes there are.
    pub files_changed: u64,
    /// Digest of the tree that `/workspace` held at the end.
    pub tree: TreeDigest,
    /// Digest of the tree that `$HOME` held at the end; absent unless the invocation gave one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub home_tree: Option<TreeDigest>,
}

impl CommandResult {
    /// Most entries of [`CommandResult::files`]. The tree has the rest.
    pub const FILES_LIMIT: usize = 10_000;
}

/// Standard output of a program.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stdout {
    /// SHA-256 of the bytes.
    pub sha256: BlobDigest,
    /// Their number.
    pub size: u64,
    /// The text, where it is UTF-8 and at most [`Stdout::TEXT_LIMIT_BYTES`] long; else null.
    pub text: Option<String>,
}

impl Stdout {
    /// Longest [`Stdout::text`], in bytes: 64 KiB.
    pub const TEXT_LIMIT_BYTES: u64 = 64 << 10;
}

/// What happened to a file or link.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileChange {
    /// Where it is, relative to `/workspace`.
    pub path: String,
    /// What happened.
    pub change: ChangeKind,
    /// Its size in bytes; null for a link and for what was deleted.
    pub size: Option<u64>,
    /// SHA-256 of its bytes; null for a link and for what was deleted.
    pub sha256: Option<BlobDigest>,
    /// Whether it may be executed.
    pub executable: bool,
    /// Where the bytes are; null for a link and for what was deleted.
    pub uri: Option<String>,
    /// Where a link leads; absent for a file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
}

/// How an order ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OrderStatus {
    /// The skill returned a value and the verification confirmed it.
    Completed,
    /// The skill failed, or something around it did.
    Failed,
    /// The wall-clock limit was reached.
    Timeout,
}

impl OrderStatus {
    /// The name used in JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Timeout => "timeout",
        }
    }
}

/// What was executed and committed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CommitResult {
    /// Which order.
    pub order_id: OrderId,
    /// Where the returned value is; null unless the skill returned one.
    pub result_uri: Option<String>,
    /// SHA-256 of the canonical JSON of the returned value; null unless the skill returned one.
    pub result_hash: Option<OutputDigest>,
    /// Time of the execution alone, in milliseconds.
    pub execution_time_ms: u64,
    /// Whether the skill did what the order wants of it: it returned a value, or exited with a code
    /// that the invocation accepts.
    pub status: CommitStatus,
    /// What the skill did instead; null on success.
    pub error_message: Option<String>,
    /// The exit codes that count as success in the command contract; absent in the JSON contract.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accept_exit: Option<AcceptExit>,
    /// What was committed.
    pub commitment: Commitment,
    /// Digest of the commitment.
    pub commitment_hash: CommitmentDigest,
    /// Where the commitment is.
    pub commitment_uri: String,
    /// Which backend ran it.
    pub backend: Backend,
    /// What else there is to say about that, for people: a script's interpreter, an image that was
    /// not used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backend_note: Option<String>,
    /// What the execution used.
    pub resources: Resources,
    /// What held the skill's processes, measured from inside; absent for the wasm backend, which
    /// has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub isolation: Option<Isolation>,
}

/// What held a skill's processes and what was done to make their run repeatable. Reported, and not
/// part of the commitment: it describes the host that ran the skill.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Isolation {
    /// Layers that held, by name, each with what was measured.
    pub enforced: BTreeMap<String, String>,
    /// Layers that this host lacks and the operator allowed to be missing, each with the reason.
    pub missing: BTreeMap<String, String>,
    /// Sources of difference between two runs, by name: `fixed`, `virtual` (clock) or `seeded`
    /// (randomness) if both see the same, else `host`.
    pub repeatability: BTreeMap<String, String>,
}

/// Whether the skill did what the order wants of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CommitStatus {
    /// It did.
    Success,
    /// It did something else, which is committed all the same.
    Failed,
}

/// What one execution used. Reported, not proven.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Resources {
    /// Instructions in the engine's fuel units; 0 where the backend does not count.
    pub fuel: u64,
    /// Processor time in milliseconds.
    pub cpu_ms: f64,
    /// Largest memory of the guest, in bytes.
    pub peak_memory_bytes: u64,
}
