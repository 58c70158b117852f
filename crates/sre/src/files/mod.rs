//! Folders of the caller: what an invocation takes from them, and what it leaves in them.

mod collect;
mod leave;

pub use collect::{FOLDER_LIMIT_BYTES, WorkFile, collect};
pub use leave::{Change, apply};
