//! The vocabulary of the skill runtime: what an order, a skill, an outcome, a commitment and a
//! verdict are.
//!
//! This crate does no I/O, spawns nothing and reads no clock: every function is a function of its
//! arguments. Anything that two parties must agree on byte for byte (canonical JSON, digests, the
//! commitment) is defined here and nowhere else.

mod canonical;
pub mod canonical_json;
mod commitment;
mod config;
mod content;
mod digest;
mod divergence;
mod error_code;
pub mod evidence;
mod glob;
mod invocation;
mod manifest;
mod order_id;
mod outcome;
mod profile;
mod result;
mod tree;
mod units;
mod verdict;

pub use canonical::Canonical;
pub use commitment::{COMMITMENT_FORMAT, Commitment};
pub use config::{BackendChoice, MinIsolation, SandboxConfig};
pub use content::Content;
pub use digest::{
    BlobDigest, CommitmentDigest, Digest, DigestParseError, Hasher, InputDigest, InvocationDigest,
    OutcomeDigest, OutputDigest, ProfileDigest, ReceiptDigest, RuntimeDigest, SkillDigest,
    TranscriptDigest, TreeDigest,
};
pub use divergence::{Difference, Divergence, GuestEvent, GuestEventKind};
pub use error_code::{ErrorClass, ErrorCode, UnknownErrorCode};
pub use evidence::{BlobRole, EvidenceWalk, NamedBlob};
pub use glob::{Collect, GlobError};
pub use invocation::{
    AcceptExit, Invocation, InvocationError, REFUSED_VARIABLES, is_refused_variable,
};
pub use manifest::{Annotations, FileEntry, Io, Manifest, Runtime, RuntimeKind};
pub use order_id::{OrderId, OrderIdError};
pub use outcome::{BadOutputReason, Ending, JsonResult, Outcome, TrapKind};
pub use profile::{
    Backend, Engine, LANGUAGE_RUNTIME, ProcessLimits, Profile, Seed, SeedParseError,
};
pub use result::{
    CommandResult, CommitResult, CommitStatus, FileChange, Isolation, OrderResult, OrderStatus,
    Resources, Stdout,
};
pub use tree::{Change, ChangeKind, Tree, TreeEntry, TreeError, check_path};
pub use units::{ByteSize, ByteSizeError};
pub use verdict::{Check, CheckStatus, Method, Verdict, VerifyResult};
