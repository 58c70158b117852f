//! What changes from one process to the next and must not matter.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde::{Deserialize, Serialize};

/// The surroundings of one process. Host time, entropy, process ids and addresses change without
/// being told to.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Surroundings {
    /// Processes before this one.
    pub number: usize,
    /// Folder of compiled programs; `None` compiles in memory.
    pub cache_folder: Option<PathBuf>,
    /// Whether memory comes from a pool.
    pub pooling: bool,
    /// Room for this many guests.
    pub slots: u32,
    /// The only core it may use; `None` for all.
    pub core: Option<usize>,
    /// Threads that keep the cores busy meanwhile.
    pub load_threads: usize,
}

impl Surroundings {
    /// Different in every respect from the process before. `cold` is a folder without compiled
    /// programs; it is used once, because compiling a language runtime takes its time.
    pub fn of(number: usize, warm: Option<&Path>, cold: Option<&Path>) -> Self {
        Self {
            number,
            cache_folder: if number == 1 { cold } else { warm }.map(Path::to_owned),
            pooling: !number.is_multiple_of(3),
            slots: [2, 8, 64, 3][number % 4],
            core: number.is_multiple_of(2).then_some(0),
            load_threads: [0, 0, 2, 0, 4][number % 5],
        }
    }

    /// Gives `command` an environment and a working folder of its own.
    pub fn apply(&self, command: &mut Command, folder: &Path) {
        command.env_clear().current_dir(folder);
        // Names that sort before and after each other differently in every process, and a size that
        // moves the stack.
        for index in 0..1 + self.number % 7 {
            let letter =
                char::from(b'A' + u8::try_from((self.number * 5 + index * 11) % 26).unwrap_or(0));
            command.env(
                format!("{letter}{}_{index}", self.number),
                "x".repeat(self.number * 37 % 1999),
            );
        }
        command.env(
            "TZ",
            ["UTC", "Asia/Kathmandu", "America/St_Johns"][self.number % 3],
        );
        command.env("LANG", ["C", "de_DE.UTF-8", "tr_TR.UTF-8"][self.number % 3]);
        command.env("PYTHONHASHSEED", self.number.to_string());
    }

    /// Confines this process to its core, before it has started a thread.
    pub fn confine(&self) {
        #[cfg(target_os = "linux")]
        if let Some(core) = self.core {
            use nix::sched::{CpuSet, sched_setaffinity};
            let mut only = CpuSet::new();
            // A host that does not allow it varies this less; everything else is varied all the
            // same.
            let confined = only
                .set(core)
                .and_then(|()| sched_setaffinity(nix::unistd::Pid::from_raw(0), &only));
            if let Err(error) = confined {
                tracing::debug!(%error, core, "not confined");
            }
        }
    }
}
