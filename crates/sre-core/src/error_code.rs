//! Every error code of the product, in one table.
//!
//! A code is part of the interface: programs branch on it. It never changes its meaning, and the
//! pages below `docs/` describe each one; `crates/sre/tests/codes.rs` compares them with this table.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::Verdict;

/// What kind of failure a code names. Decides the exit code of `sre`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorClass {
    /// Bad usage or bad input; nothing ran.
    Input,
    /// The skill failed.
    Skill,
    /// A time limit was reached.
    Timeout,
    /// The verification did not confirm the result.
    Unverified,
    /// The host, or a service that is needed, failed; trying again may help.
    Operating,
    /// An invariant of this program broke.
    Bug,
    /// The failure is a verdict on what was to be checked.
    Judged(Verdict),
    /// The user interrupted the command.
    Interrupted,
}

impl ErrorClass {
    /// The exit code of `sre` for failures of this class.
    #[must_use]
    pub const fn exit_code(self) -> u8 {
        match self {
            Self::Operating | Self::Bug => 1,
            Self::Input => 2,
            Self::Skill => 10,
            Self::Timeout => 11,
            Self::Unverified => 12,
            Self::Judged(verdict) => verdict.exit_code(),
            Self::Interrupted => 130,
        }
    }
}

/// The text is not an error code of this version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownErrorCode(String);

impl fmt::Display for UnknownErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} is not an error code of this version", self.0)
    }
}

impl std::error::Error for UnknownErrorCode {}

/// Makes the enum and its tables from one list: variant, text, class, HTTP status.
macro_rules! error_codes {
    ($( $(#[$meta:meta])* $variant:ident = $text:literal, $class:expr, $status:expr; )+) => {
        /// A stable error code.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum ErrorCode { $( $(#[$meta])* $variant, )+ }

        impl ErrorCode {
            /// Every code.
            pub const ALL: &[Self] = &[ $( Self::$variant, )+ ];

            /// The text on the wire.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $( Self::$variant => $text, )+ }
            }

            /// The kind of failure.
            #[must_use]
            pub const fn class(self) -> ErrorClass {
                use ErrorClass::{
                    Bug, Input, Interrupted, Judged, Operating, Skill, Timeout, Unverified,
                };
                match self { $( Self::$variant => $class, )+ }
            }

            /// The HTTP status that the service answers with; `None` for a code that it does not
            /// answer with.
            ///
            /// A route may know better: an order that is not ready is 404 in one place and 409 in
            /// another.
            #[must_use]
            pub const fn http_status(self) -> Option<u16> {
                match self { $( Self::$variant => $status, )+ }
            }
        }

        impl FromStr for ErrorCode {
            type Err = UnknownErrorCode;

            fn from_str(text: &str) -> Result<Self, UnknownErrorCode> {
                match text {
                    $( $text => Ok(Self::$variant), )+
                    other => Err(UnknownErrorCode(other.to_owned())),
                }
            }
        }
    };
}

error_codes! {
    // What an order ends with.
    /// The skill exited with a code other than 0.
    SkillExited = "skill_exited", Skill, None;
    /// The engine stopped the skill for a fault.
    SkillTrapped = "skill_trapped", Skill, None;
    /// The skill used up its fuel.
    OutOfFuel = "out_of_fuel", Skill, None;
    /// The skill failed after it was refused memory.
    OutOfMemory = "out_of_memory", Skill, None;
    /// The skill printed more than the output limit.
    OutputLimit = "output_limit", Skill, None;
    /// The skill printed something other than one valid result.
    BadOutput = "bad_output", Skill, None;
    /// A commit stage of the embedding program reported that the skill failed.
    CommitFailed = "commit_failed", Skill, None;
    /// The verification did not confirm the result.
    VerificationFailed = "verification_failed", Unverified, None;
    /// A time limit was reached.
    Timeout = "timeout", Timeout, None;
    /// The order waited too long for its first attempt.
    QueueTimeout = "queue_timeout", Timeout, None;
    /// The order was cancelled, or its run was stopped.
    Cancelled = "cancelled", Operating, None;
    /// The process ended before the order did.
    Interrupted = "interrupted", Interrupted, None;
    /// A commit stage of the embedding program failed.
    StageFailed = "stage_failed", Operating, None;
    /// A bug of this program.
    Internal = "internal", Bug, Some(503);

    // Packages.
    /// The file system does not give the package.
    SkillUnreadable = "skill_unreadable", Input, Some(422);
    /// The package's archive, YAML, TOML or JSON is damaged.
    SkillMalformed = "skill_malformed", Input, Some(422);
    /// The package has an entry or a name that no package may have.
    SkillRefused = "skill_refused", Input, Some(422);
    /// The package has too many files or bytes.
    SkillTooLarge = "skill_too_large", Input, Some(422);
    /// The package does not describe a skill.
    SkillInvalid = "skill_invalid", Input, Some(422);
    /// Stored files and manifest do not belong together.
    SkillMismatch = "skill_mismatch", Input, Some(422);
    /// The sandbox cannot run the skill.
    SkillRejected = "skill_rejected", Input, Some(422);
    /// No skill with this digest is stored.
    SkillUnknown = "skill_unknown", Input, Some(404);

    // Orders.
    /// A field of the order is wrong or above its limit.
    OrderInvalid = "order_invalid", Input, Some(422);
    /// The input violates the skill's schema.
    InputSchema = "input_schema", Input, Some(422);
    /// A field has a value of the wrong type (Python).
    InvalidType = "invalid_type", Input, None;
    /// The callback address is not allowed.
    CallbackForbidden = "callback_forbidden", Input, Some(422);
    /// No worker of this service runs the order's backend.
    BackendUnavailable = "backend_unavailable", Input, Some(422);
    /// The order needs more verdicts than there are trusted keys.
    VerdictsUnavailable = "verdicts_unavailable", Input, Some(422);
    /// Another order has this id.
    OrderConflict = "order_conflict", Input, Some(409);
    /// The order has ended and was purged with its result.
    OrderForgotten = "order_forgotten", Input, Some(410);
    /// There is no such order.
    OrderUnknown = "order_unknown", Input, Some(404);
    /// The order has no result yet.
    OrderOpen = "order_open", Operating, Some(409);
    /// Another process took the order over and is not done.
    OrderLost = "order_lost", Operating, None;
    /// The order ended before anything was committed.
    NothingCommitted = "nothing_committed", Judged(Verdict::Unverifiable), Some(409);
    /// The order has no callback.
    CallbackUnknown = "callback_unknown", Input, Some(404);

    // Requests.
    /// The command line cannot be understood.
    Usage = "usage", Input, None;
    /// The request's path is malformed.
    PathInvalid = "path_invalid", Input, Some(400);
    /// A parameter of the request is malformed.
    QueryInvalid = "query_invalid", Input, Some(400);
    /// The header `Last-Event-ID` does not name an event.
    LastEventIdInvalid = "last_event_id_invalid", Input, Some(400);
    /// The text is not valid JSON.
    JsonInvalid = "json_invalid", Input, Some(400);
    /// The request's body ended early.
    BodyBroken = "body_broken", Input, Some(400);
    /// The request's body took too long.
    BodyTooSlow = "body_too_slow", Input, Some(408);
    /// The request's body is too long.
    BodyTooLarge = "body_too_large", Input, Some(413);
    /// The request's body has a type that is not read here.
    MediaTypeUnsupported = "media_type_unsupported", Input, Some(415);
    /// The requested range is not part of the blob.
    RangeInvalid = "range_invalid", Input, Some(416);
    /// The text is not a digest.
    DigestInvalid = "digest_invalid", Input, Some(422);
    /// The bytes have another digest than was announced.
    DigestMismatch = "digest_mismatch", Input, Some(422);
    /// The request names nothing that can be verified.
    VerifyInvalid = "verify_invalid", Input, Some(422);
    /// The token is missing or unknown.
    TokenInvalid = "token_invalid", Input, Some(401);
    /// The token does not have the scope that this needs.
    ScopeMissing = "scope_missing", Input, Some(403);
    /// A web page of another origin made the request.
    OriginRefused = "origin_refused", Input, Some(403);
    /// The service has no tokens and answers loopback names only.
    HostRefused = "host_refused", Input, Some(421);
    /// There is nothing at this path.
    RouteUnknown = "route_unknown", Input, Some(404);
    /// The path does not have this method.
    MethodNotAllowed = "method_not_allowed", Input, Some(405);
    /// No blob with this digest is stored.
    BlobUnknown = "blob_unknown", Input, Some(404);
    /// The order left no file at this path, or no files at all.
    FileUnknown = "file_unknown", Input, Some(404);
    /// The path does not name a tile.
    TileInvalid = "tile_invalid", Input, Some(400);
    /// The log has no such tile.
    TileUnknown = "tile_unknown", Input, Some(404);
    /// As many orders are open as the service allows.
    QueueFull = "queue_full", Operating, Some(429);
    /// The token makes too many requests.
    RateLimited = "rate_limited", Operating, Some(429);
    /// The memory for large requests and answers is in use.
    MemoryBusy = "memory_busy", Operating, Some(429);
    /// The event streams are in use.
    StreamsBusy = "streams_busy", Operating, Some(429);
    /// As many blobs are being uploaded as the service allows.
    UploadsBusy = "uploads_busy", Operating, Some(429);
    /// The verifications are in use.
    VerificationsBusy = "verifications_busy", Operating, Some(429);
    /// The service is shutting down.
    ShuttingDown = "shutting_down", Operating, Some(503);

    // The host.
    /// The blobs cannot be read or written.
    StoreFailed = "store_failed", Operating, Some(503);
    /// The journal cannot be read or written.
    JournalFailed = "journal_failed", Operating, Some(503);
    /// The journal is no longer a database.
    JournalDamaged = "journal_damaged", Operating, None;
    /// There is no journal in the data folder.
    JournalMissing = "journal_missing", Operating, None;
    /// The journal was moved, replaced or deleted in use.
    JournalMoved = "journal_moved", Operating, None;
    /// The database of small blobs was moved, replaced or deleted in use.
    StoreMoved = "store_moved", Operating, None;
    /// The transparency log was moved, replaced or deleted in use.
    LogMoved = "log_moved", Operating, None;
    /// The host lacks something that the sandbox needs.
    SandboxUnavailable = "sandbox_unavailable", Operating, Some(503);
    /// The data folder cannot be made or used.
    DataFolderUnusable = "data_folder_unusable", Operating, None;
    /// The data folder cannot be made or used (Python).
    DataFolder = "data_folder", Operating, None;
    /// No threads can be started.
    NoThreads = "no_threads", Operating, None;
    /// No temporary folder can be made.
    NoFolder = "no_folder", Operating, None;
    /// Standard output or a file cannot be written.
    OutputFailed = "output_failed", Operating, None;
    /// The service's address cannot be bound.
    ListenFailed = "listen_failed", Operating, None;
    /// The keys or the client of callbacks cannot be used.
    CallbackUnavailable = "callback_unavailable", Operating, None;
    /// No HTTP client can be made.
    ClientUnavailable = "client_unavailable", Operating, None;
    /// No HTTP client can be made for the service.
    HttpFailed = "http_failed", Operating, None;
    /// No HTTP client can be made for the collector.
    TelemetryUnavailable = "telemetry_unavailable", Operating, None;
    /// The runtime is closed (Python).
    Closed = "closed", Operating, None;
    /// The process was forked while orders were in flight (Python).
    Forked = "forked", Operating, None;
    /// No blob with this digest is stored (Python).
    BlobNotFound = "blob_not_found", Input, None;
    /// The stored bytes have another digest (Python).
    BlobTampered = "blob_tampered", Judged(Verdict::Tampered), None;
    /// The blob is too long (Python).
    BlobTooLarge = "blob_too_large", Input, None;
    /// The callback's signature does not hold (Python).
    WebhookInvalid = "webhook_invalid", Input, None;

    // Commands.
    /// The input cannot be read.
    InputUnreadable = "input_unreadable", Input, None;
    /// The input is too long.
    InputTooLarge = "input_too_large", Input, None;
    /// A file that an argument names cannot be read.
    FileUnreadable = "file_unreadable", Input, None;
    /// A file that an argument names is too long.
    FileTooLarge = "file_too_large", Input, None;
    /// An argument is neither an address nor a folder.
    SourceUnknown = "source_unknown", Input, None;
    /// An argument is not an address that can be used.
    UrlInvalid = "url_invalid", Input, None;
    /// There is something of that name already.
    FolderExists = "folder_exists", Input, None;
    /// There is no pip.
    PipMissing = "pip_missing", Operating, None;
    /// The command pip failed.
    PipFailed = "pip_failed", Operating, None;
    /// A requirement does not exist, or only with compiled code.
    RequirementRefused = "requirement_refused", Input, None;
    /// A process of the comparison ended without a report.
    ProbeFailed = "probe_failed", Operating, None;
    /// A setting does not exist or does not have such a value.
    ConfigInvalid = "config_invalid", Input, None;
    /// Other machines could reach the service, and it has no tokens.
    TokensMissing = "tokens_missing", Input, None;
    /// The file of tokens is damaged, open to others or cannot be written.
    TokensUnusable = "tokens_unusable", Operating, None;
    /// The token's name is taken, unknown or malformed.
    TokenName = "token_name", Input, None;
    /// The file with the token cannot be read.
    TokenUnreadable = "token_unreadable", Input, None;

    // Clients.
    /// The service cannot be reached (Python).
    Unreachable = "unreachable", Operating, None;
    /// The service cannot be reached.
    ServiceUnreachable = "service_unreachable", Operating, None;
    /// The answer is not one of this program's service.
    AnswerInvalid = "answer_invalid", Operating, None;
    /// The service refused and did not say why in a form that is known.
    Refused = "refused", Operating, None;

    // Receipts, keys, logs.
    /// No receipt can be made; the order's result stands.
    ReceiptFailed = "receipt_failed", Operating, Some(503);
    /// The order has no receipt yet, or none.
    ReceiptUnavailable = "receipt_unavailable", Operating, Some(404);
    /// The log answers, and receipts in it cannot be had.
    ReceiptWithheld = "receipt_withheld", Judged(Verdict::Unavailable), None;
    /// Bytes that the receipt names are missing or damaged.
    EvidenceLost = "evidence_lost", Operating, None;
    /// The bundle would be longer than a bundle may be.
    BundleTooLarge = "bundle_too_large", Operating, None;
    /// The verdict is not a signed verdict.
    VerdictMalformed = "verdict_malformed", Input, Some(422);
    /// The verdict's signature does not hold.
    VerdictForged = "verdict_forged", Input, Some(422);
    /// The verdict is about another receipt.
    VerdictMisplaced = "verdict_misplaced", Input, Some(422);
    /// The verdict's key is not trusted for verdicts here.
    VerdictUntrusted = "verdict_untrusted", Input, Some(403);
    /// The order has as many verdicts as it may have.
    VerdictsExhausted = "verdicts_exhausted", Input, Some(409);
    /// There is a signing key already.
    KeyExists = "key_exists", Input, None;
    /// There is no signing key.
    KeyMissing = "key_missing", Input, None;
    /// The text is not a public key.
    KeyInvalid = "key_invalid", Input, None;
    /// The key is trusted already.
    KeyKnown = "key_known", Input, None;
    /// The key is not in the trust file.
    KeyUnknown = "key_unknown", Input, None;
    /// The key is not trusted for this purpose.
    KeyPurpose = "key_purpose", Input, None;
    /// The times of a key's validity are malformed.
    KeyTime = "key_time", Input, None;
    /// A key or trust file is open to others, damaged or cannot be written.
    KeyUnusable = "key_unusable", Operating, None;
    /// The trust file is malformed.
    TrustMalformed = "trust_malformed", Input, None;
    /// The challenge address is not allowed.
    ChallengeForbidden = "challenge_forbidden", Input, None;
    /// What `sre watch` remembers cannot be read or written.
    WatchMemory = "watch_memory", Operating, None;
    /// Another `sre watch` follows this executor.
    WatchRunning = "watch_running", Operating, None;
    /// The node's own log cannot be used.
    LogFailed = "log_failed", Operating, Some(503);
    /// The node's own log is damaged.
    LogDamaged = "log_damaged", Operating, None;
    /// What is remembered of other logs cannot be used.
    LogMemory = "log_memory", Operating, None;
    /// There is no log here.
    LogUnknown = "log_unknown", Input, None;
    /// The log is shorter than it was.
    LogBehind = "log_behind", Operating, None;
    /// The journal does not know of the log.
    JournalBehind = "journal_behind", Operating, None;
    /// No witness is trusted.
    WitnessUnknown = "witness_unknown", Input, None;
    /// No witness cosigned.
    WitnessRefused = "witness_refused", Operating, None;
    /// The log signed two checkpoints that exclude each other.
    LogForked = "log_forked", Judged(Verdict::Tampered), None;
    /// The log signed fewer entries than before.
    LogShrunk = "log_shrunk", Judged(Verdict::Tampered), None;
    /// The log changed entries that it had signed.
    LogRewritten = "log_rewritten", Judged(Verdict::Tampered), None;
    /// The log shows what does not belong to the tree it signed.
    LogForeign = "log_foreign", Judged(Verdict::Tampered), None;
    /// The log shows something other than a checkpoint.
    LogMalformed = "log_malformed", Judged(Verdict::Tampered), None;
    /// The log does not answer.
    LogUnreadable = "log_unreadable", Judged(Verdict::Unavailable), None;
    /// No trusted key signed the log's checkpoint.
    LogUntrusted = "log_untrusted", Judged(Verdict::Unanchored), None;
}

impl ErrorCode {
    /// The exit code of `sre` when a command ends with this code.
    #[must_use]
    pub const fn exit_code(self) -> u8 {
        self.class().exit_code()
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for ErrorCode {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for ErrorCode {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}
