//! How to make jails.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;

use crate::launcher::Root;

/// How to make jails. Build it with `JailOptions::default()` and replace fields.
#[derive(Debug, Clone, Default)]
pub struct JailOptions {
    /// The program that becomes the launcher. Default: this one.
    pub launcher: LauncherProgram,
    /// Where the guests' programs come from. Default: the host's `/usr`.
    pub root: Root,
    /// Layers without which jails are made all the same. Default: none; a host that lacks one is
    /// refused.
    pub may_lack: BTreeSet<Layer>,
}

/// The program that becomes the launcher: one whose `main` begins with
/// [`enter_if_asked`](crate::enter_if_asked).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum LauncherProgram {
    /// This program. Refused if it has not called [`enter_if_asked`](crate::enter_if_asked),
    /// because starting it again would then do its ordinary work again.
    #[default]
    ThisProgram,
    /// Another program, with arguments.
    Other {
        /// Its path.
        path: PathBuf,
        /// Its arguments.
        arguments: Vec<OsString>,
    },
}

/// A layer that some hosts cannot enforce. All others have no name here because no jail is made
/// without them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Layer {
    /// Memory of the whole jail. Without it, each process is limited by its address space.
    MemoryLimit,
    /// Processor time per period. Without it, a guest may use as many processors as it has
    /// processes.
    CpuLimit,
    /// Processes of the whole jail, by the cgroup. The limit of the user namespace holds without
    /// it.
    ProcessLimit,
    /// The second layer over the files.
    Landlock,
    /// Time and randomness that every run sees the same. Without it, a guest sees this machine's.
    Repeatability,
}

impl Layer {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::MemoryLimit,
        Self::CpuLimit,
        Self::ProcessLimit,
        Self::Landlock,
        Self::Repeatability,
    ];

    /// The name that options and results use.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::MemoryLimit => "memory_limit",
            Self::CpuLimit => "cpu_limit",
            Self::ProcessLimit => "process_limit",
            Self::Landlock => "landlock",
            Self::Repeatability => "repeatability",
        }
    }

    /// The layer of a name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|layer| layer.name() == name)
    }
}

impl fmt::Display for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
