//! Takes an order through execution, commitment, verification, result and callback, and loses
//! nothing on the way.
//!
//! ```text
//! OrderConfig ─▶ accept ─▶ Orchestrator::execute ─▶ commit ─▶ verify ─▶ OrderResult ─▶ callback
//!                              │ journal               (sre-commit) (sre-verify)
//! ```
//!
//! Each arrow is a type: [`Acceptance::accept`] makes an [`AcceptedOrder`] of an [`OrderConfig`],
//! and only that can be executed; [`Orchestrator::execute`] ends with an
//! [`OrderResult`](sre_core::OrderResult) that the [`Journal`](sre_journal::Journal) holds. Retries, time limits and
//! callbacks are decided here and nowhere else.
//!
//! With the feature `wasm`, `Embedded` and `execute_skill_order` put the parts together: the
//! WebAssembly sandbox, a blob folder and a journal file below one data folder.

mod accept;
mod attempt;
mod callback;
mod config;
#[cfg(feature = "wasm")]
mod embedded;
mod fair_gate;
mod invocation;
mod limits;
mod listeners;
mod meter;
mod orchestrator;
mod registrar;
mod self_test;
mod skill_cache;
#[cfg(feature = "wasm")]
mod sweep;
mod trace_context;
mod tracer;
mod workers;

pub use accept::{AcceptError, AcceptErrorKind, Acceptance, AcceptedOrder};
pub use callback::{
    AddressPolicy, AddressPolicyError, Callback, CallbackError, CallbackKeys, CallbackMessage,
    Courier, HttpCallback, KeysError, Network, NetworkError, Schedule,
};
pub use config::{ConfigError, OrderConfig};
#[cfg(feature = "wasm")]
pub use embedded::{
    DataFolder, Embedded, EmbeddedError, EmbeddedOptions, Executed, default_cache_folder,
    default_data_folder, execute_skill_order,
};
pub use invocation::{
    ContentConfig, FileConfig, FolderConfig, Inputs, InputsError, InvocationConfig, NoInputs,
    OrderFolder, StoredInputs,
};
pub use limits::OperatorLimits;
pub use meter::{Meter, MeteredStage, NoMeter};
pub use orchestrator::{ExecuteError, Orchestrator, Parts, Stage};
pub use registrar::{
    Batch, Evidence, KeptVerdict, ReceiptState, Registrar, RegistrarError, VerdictError, evidence,
};
pub use self_test::SelfTest;
pub use skill_cache::{SkillCache, SkillCacheError};
#[cfg(feature = "wasm")]
pub use sweep::{Swept, sweep};
pub use trace_context::{TraceParent, TraceParentError};
pub use tracer::{EndedSpan, Span, SpanKind, Tracer, Tracing};
pub use workers::{SubmitError, Submitted, WorkerOptions, Workers};
