//! Where groups can be made on this host.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicU64, Ordering};

/// What a cgroup can limit here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Controller {
    /// Memory of all processes and their files in memory.
    Memory,
    /// Processor time per period.
    Cpu,
    /// Processes and threads.
    Pids,
}

impl Controller {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Memory, Self::Cpu, Self::Pids];

    /// The kernel's name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Cpu => "cpu",
            Self::Pids => "pids",
        }
    }
}

/// Where the groups of one controller are made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// In the unified hierarchy.
    Version2(PathBuf),
    /// In the controller's own hierarchy.
    Version1(PathBuf),
    /// Nowhere, for this reason.
    Nowhere(String),
}

/// The places of all controllers.
#[derive(Debug)]
pub struct Places {
    places: BTreeMap<Controller, Place>,
}

/// Numbers the groups of this process, whichever thread makes them.
static COUNTER: AtomicU64 = AtomicU64::new(0);

/// The folder into which a process moves itself when its own cgroup has to have children.
const SUPERVISOR: &str = "sre-supervisor";

/// How the folder of one jail begins; then the host's process number and a counter.
const PREFIX: &str = "sre-jail-";

impl Places {
    /// Looks for them. Changes nothing but this process's place inside a version 2 cgroup that it
    /// has for itself, and removes groups that dead processes of this program left.
    #[must_use]
    pub fn find() -> Self {
        let host = Host::read();
        let places = Controller::ALL.map(|controller| (controller, host.place(controller)));
        let places = Self {
            places: places.into(),
        };
        places.sweep();
        places
    }

    /// Where a controller's groups are made.
    #[must_use]
    pub fn of(&self, controller: Controller) -> &Place {
        &self.places[&controller]
    }

    /// Every folder that groups are made in, once.
    pub(super) fn folders(&self) -> BTreeMap<&Path, (bool, Vec<Controller>)> {
        let mut folders: BTreeMap<&Path, (bool, Vec<Controller>)> = BTreeMap::new();
        for (&controller, place) in &self.places {
            let (folder, is_version_2) = match place {
                Place::Version2(folder) => (folder, true),
                Place::Version1(folder) => (folder, false),
                Place::Nowhere(_) => continue,
            };
            folders
                .entry(folder)
                .or_insert_with(|| (is_version_2, Vec::new()))
                .1
                .push(controller);
        }
        folders
    }

    /// A name that no other group has.
    pub(super) fn next_name() -> String {
        format!(
            "{PREFIX}{}-{}",
            process::id(),
            COUNTER.fetch_add(1, Ordering::Relaxed)
        )
    }

    /// Removes empty groups of processes that are gone.
    fn sweep(&self) {
        for folder in self.folders().into_keys() {
            for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
                let name = entry.file_name();
                let owner = name
                    .to_str()
                    .and_then(|name| name.strip_prefix(PREFIX)?.split('-').next()?.parse().ok());
                if owner.is_some_and(|pid: u32| !Path::new("/proc").join(pid.to_string()).exists())
                {
                    // One that still has processes stays.
                    drop(fs::remove_dir(entry.path()));
                }
            }
        }
    }
}

/// What the kernel says about mounts and this process's place in them.
struct Host {
    /// Controllers of version 1, and the unified hierarchy as the empty name: where each is
    /// mounted.
    mounts: BTreeMap<String, (PathBuf, PathBuf)>,
    /// This process's path in each.
    own: BTreeMap<String, PathBuf>,
}

impl Host {
    fn read() -> Self {
        let text = |path: &str| fs::read_to_string(path).unwrap_or_default();
        Self {
            mounts: text("/proc/self/mountinfo")
                .lines()
                .flat_map(mounts)
                .collect(),
            own: text("/proc/self/cgroup").lines().flat_map(own).collect(),
        }
    }

    /// The folder of the cgroup this process is in.
    fn folder(&self, name: &str) -> Option<PathBuf> {
        let (root, mounted) = self.mounts.get(name)?;
        let own = self.own.get(name)?;
        let below = own
            .strip_prefix(root)
            .unwrap_or(own.strip_prefix("/").unwrap_or(own));
        // Joining nothing would leave a slash at the end.
        Some(if below.as_os_str().is_empty() {
            mounted.clone()
        } else {
            mounted.join(below)
        })
    }

    fn place(&self, controller: Controller) -> Place {
        let name = controller.name();
        if let Some(folder) = self.folder(name) {
            return match is_writable(&folder) {
                Ok(()) => Place::Version1(folder),
                Err(error) => {
                    Place::Nowhere(format!("{} is not writable: {error}", folder.display()))
                }
            };
        }
        let Some(folder) = self.folder("") else {
            return Place::Nowhere(format!("no {name} cgroup is mounted"));
        };
        let listed = |file: &str| {
            let text = fs::read_to_string(folder.join(file)).unwrap_or_default();
            text.split_whitespace().any(|found| found == name)
        };
        if !listed("cgroup.controllers") {
            return Place::Nowhere(format!(
                "{} does not have the {name} controller",
                folder.display()
            ));
        }
        if let Err(error) = is_writable(&folder) {
            return Place::Nowhere(format!(
                "{} is not delegated to this user: {error}",
                folder.display()
            ));
        }
        if !listed("cgroup.subtree_control")
            && let Err(error) = enable(&folder, name)
        {
            return Place::Nowhere(format!(
                "the {name} controller of {} cannot be used: {error}",
                folder.display()
            ));
        }
        Place::Version2(folder)
    }
}

/// Lets children of `folder` have a controller. A cgroup with processes of its own may not have
/// such children, so this process steps aside into a child first, if no other process is in there.
fn enable(folder: &Path, controller: &str) -> io::Result<()> {
    let control = folder.join("cgroup.subtree_control");
    if fs::write(&control, format!("+{controller}")).is_ok() {
        return Ok(());
    }
    let inside = fs::read_to_string(folder.join("cgroup.procs"))?;
    let own = process::id().to_string();
    if inside.split_whitespace().any(|pid| pid != own) {
        return Err(io::Error::other(
            "other processes are in it; start this one in a delegated cgroup of its own",
        ));
    }
    let aside = folder.join(SUPERVISOR);
    if let Err(error) = fs::create_dir(&aside)
        && error.kind() != io::ErrorKind::AlreadyExists
    {
        return Err(error);
    }
    fs::write(aside.join("cgroup.procs"), own)?;
    fs::write(&control, format!("+{controller}"))
}

fn is_writable(folder: &Path) -> io::Result<()> {
    // Permissions alone do not tell: the mount may be read-only. Making a folder does.
    let probe = folder.join(format!("{}-probe", Places::next_name()));
    fs::create_dir(&probe)?;
    fs::remove_dir(&probe)
}

/// Controllers that a line of `mountinfo` mounts: name, root of the mount, place.
fn mounts(line: &str) -> Vec<(String, (PathBuf, PathBuf))> {
    let Some((mount, file_system)) = line.split_once(" - ") else {
        return Vec::new();
    };
    let mut mount = mount.split(' ').skip(3);
    let (Some(root), Some(place)) = (mount.next(), mount.next()) else {
        return Vec::new();
    };
    let at = (PathBuf::from(root), PathBuf::from(place));
    let mut file_system = file_system.split(' ');
    match (file_system.next(), file_system.nth(1)) {
        (Some("cgroup2"), _) => vec![(String::new(), at)],
        (Some("cgroup"), Some(options)) => options
            .split(',')
            .map(|name| (name.to_owned(), at.clone()))
            .collect(),
        _ => Vec::new(),
    }
}

/// Controllers that a line of `/proc/self/cgroup` is about, and this process's path in them.
fn own(line: &str) -> Vec<(String, PathBuf)> {
    let mut fields = line.splitn(3, ':').skip(1);
    let (Some(names), Some(path)) = (fields.next(), fields.next()) else {
        return Vec::new();
    };
    names
        .split(',')
        .map(|name| (name.to_owned(), PathBuf::from(path)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(mountinfo: &str, cgroup: &str) -> Host {
        Host {
            mounts: mountinfo.lines().flat_map(mounts).collect(),
            own: cgroup.lines().flat_map(own).collect(),
        }
    }

    #[test]
    fn the_own_folder_is_found_in_either_version() {
        let unified = host(
            "30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate",
            "0::/user.slice/user-1000.slice/app.scope\n",
        );
        let expected = "/sys/fs/cgroup/user.slice/user-1000.slice/app.scope";
        assert_eq!(unified.folder(""), Some(PathBuf::from(expected)));
        assert_eq!(unified.folder("memory"), None);

        let hybrid = host(
            "35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n\
             36 31 0:33 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n\
             41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw",
            "4:memory:/a/b\n3:cpu,cpuacct:/\n0::/\n",
        );
        assert_eq!(
            hybrid.folder("memory"),
            Some(PathBuf::from("/sys/fs/cgroup/memory/a/b"))
        );
        assert_eq!(
            hybrid.folder("cpu"),
            Some(PathBuf::from("/sys/fs/cgroup/cpu,cpuacct"))
        );
        assert_eq!(
            hybrid.folder(""),
            Some(PathBuf::from("/sys/fs/cgroup/unified"))
        );
    }

    /// In a container the mount shows only a part of the hierarchy.
    #[test]
    fn a_mount_of_a_part_is_understood() {
        let container = host(
            "30 23 0:26 /docker/1 /sys/fs/cgroup rw - cgroup cgroup rw,memory",
            "4:memory:/docker/1/x\n",
        );
        assert_eq!(
            container.folder("memory"),
            Some(PathBuf::from("/sys/fs/cgroup/x"))
        );
    }

    #[test]
    fn nonsense_is_no_mount() {
        for line in [
            "",
            " - ",
            "a - cgroup",
            "1 2 3 - cgroup2",
            "1 2 0:1 / /x rw - cgroup cgroup",
        ] {
            drop(mounts(line));
            drop(own(line));
        }
        assert_eq!(mounts("1 2 0:1 / /x rw - ext4 /dev/a rw"), []);
    }
}
