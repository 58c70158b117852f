//! What a caller may ask for, and as whom: submit an order, wait for it, cancel it, upload a skill
//! or a blob, read the files that an order left, read receipts and verdicts, have a claim verified.
//!
//! Every way in, HTTP as well as any other, translates its requests to [`Service`] and decides
//! nothing: who may see which order, which callback addresses are allowed, how many verdicts an
//! order may require and how much one caller may hold is decided here. [`ServiceError`] says why a
//! request was not done, in words that may be shown to the caller.
//!
//! This crate knows no protocol, keeps no state that must survive, and runs no skill itself: it
//! asks the orchestrator's workers, the journal, the blob store and the registrar.

mod audit;
mod audits;
mod blobs;
mod caller;
mod error;
mod events;
mod files;
mod orders;
mod rate;
mod readiness;
mod receipt_tasks;
mod receipts;
mod sandbox_test;
mod service;
mod shares;
mod skills;
mod submit;
mod verify;

pub use audit::{Audit, Lost};
pub use audits::{AuditReport, Audits, LostBlob};
pub use blobs::{BlobUpload, UploadedBlob};
pub use caller::{Caller, LOCAL, Scope, Scopes};
pub use error::ServiceError;
pub use events::Follower;
pub use files::{Left, LeftFile, LeftFiles};
pub use orders::{Cancellation, OrderPage, OrderQuery};
pub use readiness::ReadinessCheck;
pub use receipt_tasks::{AuditPlan, ReceiptTasks};
pub use service::{Service, ServiceLimits, ServiceParts};
pub use shares::{Held, Shares};
pub use skills::SkillUpload;
pub use sre_da::BlobReader;
pub use submit::Submission;
pub use verify::VerifyQuestion;
