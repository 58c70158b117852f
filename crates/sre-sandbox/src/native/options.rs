//! How to build a `NativeSandbox`.

use std::collections::BTreeSet;
use std::path::PathBuf;

use sre_jail::jail::Layer;
use sre_jail::{LauncherProgram, Root};

/// How to build a [`NativeSandbox`](super::NativeSandbox).
#[derive(Debug, Clone, Default)]
pub struct NativeOptions {
    /// The program that becomes the launcher of jails. Default: this one, which must call
    /// [`enter_if_asked`](super::enter_if_asked) first in `main`.
    pub launcher: LauncherProgram,
    /// Where programs and interpreters come from: the host's `/usr`, or a folder with a root file
    /// system or an OCI image layout. Default: the host's. A folder's digest is part of every
    /// commitment.
    pub root: Root,
    /// Where images are unpacked, each once; may be deleted at any time when nothing runs. Default:
    /// nowhere, and images are refused.
    pub images_folder: Option<PathBuf>,
    /// Layers that may be missing. Default: none; without one of them nothing runs.
    pub may_lack: BTreeSet<Layer>,
    /// Jails to keep made ahead with Python waiting in them, for each kind of limits. Each takes
    /// the memory of an idle interpreter. Default 0: none.
    pub warm_jails: usize,
}
