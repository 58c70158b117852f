//! The native backend: a skill's program as processes in the jail of `sre-jail`.
//!
//! | file | holds |
//! |---|---|
//! | `options` | which launcher, root folder and layers |
//! | `pool` | jails made ahead, with Python waiting in them |
//! | `program` | from a package's entrypoint to a command, or why it cannot run |
//! | `root` | the root folder, and its digest |
//! | `run` | one execution |
//! | `image` | OCI image layouts as root folders |
//! | `isolation` | what held, for the result |
//!
//! Runs are *best-effort repeatable*: addresses, environment, names, process numbers, hash seed,
//! time and randomness are fixed; scheduling is the host's; and the result says which of these
//! held. So it is not deterministic in the sense of
//! [`Sandbox::is_deterministic`](crate::Sandbox::is_deterministic); its orders are replayed and
//! compared all the same, unless the skill declares itself not repeatable.

pub mod image;
mod isolation;
mod options;
mod pool;
mod program;
mod root;
mod run;

pub use options::NativeOptions;
pub use root::{Resolved, resolve};
pub use run::NativeSandbox;
pub use sre_jail::jail::Layer;
pub use sre_jail::{JailOptions, LauncherProgram, Root, enter_if_asked, host};
