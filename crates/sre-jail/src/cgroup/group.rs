//! One jail's group.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use super::place::{Controller, Places};
use crate::spec::Limits;

/// The group of one jail, in as many hierarchies as the host has. Removed when dropped.
#[derive(Debug)]
pub struct Group {
    parts: Vec<Part>,
}

/// The group in one hierarchy.
#[derive(Debug)]
struct Part {
    folder: PathBuf,
    is_version_2: bool,
    controllers: Vec<Controller>,
}

/// What the processes of a group used; `None` where no controller counts it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct GroupUsage {
    /// Most memory at one time, in bytes.
    pub peak_memory_bytes: Option<u64>,
    /// Processor time in microseconds.
    pub cpu_us: Option<u64>,
    /// Processes that the kernel killed because memory was used up: the group's, or the machine's,
    /// or that of a group around this one.
    pub memory_kills: u64,
    /// Whether the group's own limit was ever in the way of a process.
    pub was_at_memory_limit: bool,
}

impl Group {
    /// Makes it and sets its limits.
    ///
    /// # Errors
    /// What the system said. Nothing is left behind.
    pub fn make(places: &Places, limits: &Limits) -> io::Result<Self> {
        let name = Places::next_name();
        let mut group = Self { parts: Vec::new() };
        for (folder, (is_version_2, controllers)) in places.folders() {
            let folder = folder.join(&name);
            fs::create_dir(&folder)?;
            let part = Part {
                folder,
                is_version_2,
                controllers,
            };
            group.parts.push(part);
        }
        for part in &group.parts {
            part.limit(limits)?;
        }
        Ok(group)
    }

    /// What the launcher needs: files to write to, the version 2 group's first, and that group
    /// itself.
    ///
    /// # Errors
    /// What the system said.
    pub fn entries(&self) -> io::Result<(Vec<OwnedFd>, Option<OwnedFd>)> {
        let mut files = Vec::new();
        let mut born_into = None;
        for part in &self.parts {
            // A single thread that enters by `tasks` needs no lock on all threads of the machine.
            let name = if part.is_version_2 {
                "cgroup.procs"
            } else {
                "tasks"
            };
            let file = OpenOptions::new()
                .write(true)
                .open(part.folder.join(name))?
                .into();
            if part.is_version_2 {
                files.insert(0, file);
                born_into = Some(File::open(&part.folder)?.into());
            } else {
                files.push(file);
            }
        }
        Ok((files, born_into))
    }

    /// Whether a process that was in `cgroups` (lines of `/proc/self/cgroup`) was in this group
    /// with every controller.
    ///
    /// # Errors
    /// The controller for which it was not.
    pub fn check_entered(&self, cgroups: &[String]) -> Result<(), String> {
        for part in &self.parts {
            let name = part
                .folder
                .file_name()
                .map(|name| format!("/{}", name.to_string_lossy()))
                .unwrap_or_default();
            for controller in &part.controllers {
                let is_of = |line: &&String| {
                    let names = line.split(':').nth(1).unwrap_or("");
                    if part.is_version_2 {
                        names.is_empty()
                    } else {
                        names.split(',').any(|n| n == controller.name())
                    }
                };
                if !cgroups
                    .iter()
                    .find(is_of)
                    .is_some_and(|line| line.ends_with(&name))
                {
                    return Err(format!(
                        "the process was not in its {} group",
                        controller.name()
                    ));
                }
            }
        }
        Ok(())
    }

    /// What was used so far.
    #[must_use]
    pub fn usage(&self) -> GroupUsage {
        let mut usage = GroupUsage::default();
        for part in &self.parts {
            part.add_usage(&mut usage);
        }
        usage
    }
}

impl Part {
    fn limit(&self, limits: &Limits) -> io::Result<()> {
        let set = |file: &str, value: String| fs::write(self.folder.join(file), value);
        // Files that some kernels are built without.
        let set_if_there = |file: &str, value: &str| drop(fs::write(self.folder.join(file), value));
        for controller in &self.controllers {
            match (controller, self.is_version_2) {
                (Controller::Memory, true) => {
                    set("memory.max", limits.memory_bytes.to_string())?;
                    set_if_there("memory.swap.max", "0");
                    set_if_there("memory.oom.group", "1");
                }
                (Controller::Memory, false) => {
                    set("memory.limit_in_bytes", limits.memory_bytes.to_string())?;
                    // With the limit on memory and swap together at the same height, there is no
                    // swap.
                    set_if_there(
                        "memory.memsw.limit_in_bytes",
                        &limits.memory_bytes.to_string(),
                    );
                }
                (Controller::Cpu, true) => set(
                    "cpu.max",
                    format!("{} {}", limits.cpu_quota_us, limits.cpu_period_us),
                )?,
                (Controller::Cpu, false) => {
                    if limits.cpu_period_us != 100_000 {
                        set("cpu.cfs_period_us", limits.cpu_period_us.to_string())?;
                    }
                    set("cpu.cfs_quota_us", limits.cpu_quota_us.to_string())?;
                }
                (Controller::Pids, _) => set("pids.max", limits.processes.to_string())?,
            }
        }
        Ok(())
    }

    fn add_usage(&self, usage: &mut GroupUsage) {
        for controller in &self.controllers {
            match (controller, self.is_version_2) {
                (Controller::Memory, true) => {
                    usage.peak_memory_bytes = self.number("memory.peak");
                    usage.memory_kills = self.field("memory.events", "oom_kill ").unwrap_or(0);
                    usage.was_at_memory_limit = self
                        .field("memory.events", "oom ")
                        .is_some_and(|count| count > 0);
                }
                (Controller::Memory, false) => {
                    usage.peak_memory_bytes = self.number("memory.max_usage_in_bytes");
                    usage.memory_kills = self.field("memory.oom_control", "oom_kill ").unwrap_or(0);
                    usage.was_at_memory_limit = self.reached_memory_limit();
                }
                (Controller::Cpu, true) => usage.cpu_us = self.field("cpu.stat", "usage_usec "),
                // Version 1 counts it in a hierarchy of its own, `cpuacct`, which may be mounted
                // with this one.
                (Controller::Cpu, false) => {
                    usage.cpu_us = self.number("cpuacct.usage").map(|nanos| nanos / 1000)
                }
                (Controller::Pids, _) => {}
            }
        }
    }

    /// For version 1, which does not count it: its failures are not counted by every kernel where
    /// the limit with swap is at the same height. Cached files count too, so one that read many and
    /// was then killed for others' memory looks as if it had used up its own.
    fn reached_memory_limit(&self) -> bool {
        /// More than the kernel asks for in one piece when it has to have it.
        const PIECE_BYTES: u64 = 256 << 10;
        let limit = self.number("memory.limit_in_bytes").unwrap_or(u64::MAX);
        let most = [
            "memory.max_usage_in_bytes",
            "memory.memsw.max_usage_in_bytes",
        ]
        .map(|file| self.number(file));
        most.into_iter()
            .flatten()
            .any(|most| most.saturating_add(PIECE_BYTES) >= limit)
    }

    fn number(&self, file: &str) -> Option<u64> {
        fs::read_to_string(self.folder.join(file))
            .ok()?
            .trim()
            .parse()
            .ok()
    }

    /// The number after a name, which ends with its space: one name can be the start of another.
    fn field(&self, file: &str, name: &str) -> Option<u64> {
        let text = fs::read_to_string(self.folder.join(file)).ok()?;
        text.lines()
            .find_map(|line| line.strip_prefix(name)?.trim().parse().ok())
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        for part in &self.parts {
            if fs::remove_dir(&part.folder).is_ok() {
                continue;
            }
            // The processes are dead when a run is over; the kernel may need a moment to see the
            // group empty.
            kill(&part.folder, part.is_version_2);
            for pause_ms in [1, 2, 4, 8, 16, 32, 64, 128] {
                std::thread::sleep(std::time::Duration::from_millis(pause_ms));
                if fs::remove_dir(&part.folder).is_ok() {
                    break;
                }
            }
        }
    }
}

/// Version 2 kills a whole group by one write; in version 1 the jail's process namespace has done
/// it.
fn kill(folder: &Path, is_version_2: bool) {
    if is_version_2 {
        drop(fs::write(folder.join("cgroup.kill"), "1"));
    }
}
