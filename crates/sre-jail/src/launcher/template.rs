//! The root folder of all jails, made once.
//!
//! A small file system in memory with links, a few files in `/etc` and empty folders; the programs'
//! tree and four devices mounted into it; all of it read-only. Its `/proc` shows the launcher's own
//! process namespace and stays below each jail's own: the kernel mounts a new one only where an old
//! one can be seen whole.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{OpenOptionsExt, symlink};
use std::path::{Path, PathBuf};

use crate::spec::{GUEST_ID, HOME_FOLDER};
use crate::step::{Step, StepError};
use crate::sys::mount::{self, Attributes};

/// Where the programs of a jail come from.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Root {
    /// The host's `/usr`, read-only, and of its `/etc` the linker's cache and the alternatives.
    /// Default.
    #[default]
    Host,
    /// A folder with a root file system (`usr`, `bin`, `lib`, `etc`), read-only. The folder itself
    /// may be private; what is in it must be readable by every user: the launcher is no user in
    /// particular.
    Folder(PathBuf),
}

impl Root {
    pub(crate) fn to_marker(&self) -> OsString {
        match self {
            Self::Host => OsString::from("host"),
            Self::Folder(folder) => {
                let mut marker = b"folder:".to_vec();
                marker.extend_from_slice(folder.as_os_str().as_bytes());
                OsString::from_vec(marker)
            }
        }
    }

    pub(super) fn from_marker(marker: &OsStr) -> Self {
        match marker.as_bytes().strip_prefix(b"folder:") {
            Some(folder) => Self::Folder(PathBuf::from(OsStr::from_bytes(folder))),
            None => Self::Host,
        }
    }

    /// Opens the folder that `usr` and the others are in, while this process is still who started
    /// it.
    pub(super) fn open(&self) -> Result<fs::File, StepError> {
        let folder = match self {
            Self::Host => Path::new("/"),
            Self::Folder(folder) => folder,
        };
        let options = libc::O_PATH | libc::O_DIRECTORY;
        let opened = fs::OpenOptions::new()
            .read(true)
            .custom_flags(options)
            .open(folder);
        opened.step(format_args!("opening the root folder {}", folder.display()))
    }
}

/// Folders beside `usr` that hold programs; links into `usr` on most systems.
const PROGRAM_FOLDERS: [&str; 6] = ["bin", "sbin", "lib", "lib32", "lib64", "libx32"];

impl Root {
    /// Whether a jail shows the folder of this name, right below the root, as it is where its
    /// programs come from.
    #[must_use]
    pub fn shows(name: &OsStr) -> bool {
        name == "usr" || PROGRAM_FOLDERS.iter().any(|folder| name == *folder)
    }
}

/// Devices that hold no state of the host's. `random` never blocks on the kernels this runs on.
const DEVICES: [&str; 4] = ["null", "zero", "full", "random"];

/// Files of the host's `/etc` that programs need to start; no account, key or name of the host's is
/// among them.
const ETC_FILES: [&str; 2] = ["ld.so.cache", "ld.so.conf"];

/// The template's size, without what is mounted into it.
const SIZE: &str = "4m";

/// Builds the template and makes it the root. Returns whether file systems in memory list the
/// newest name first here.
pub fn enter(programs_root: &fs::File) -> Result<bool, StepError> {
    // A path to what was opened, even where it cannot be reached by its name.
    let root = PathBuf::from(format!("/proc/self/fd/{}", programs_root.as_raw_fd()));
    let root = root.as_path();
    let host_root = fs::File::open("/").step("opening the root folder")?;
    mount::make_private(host_root.as_fd()).step("cutting off mounts of the host")?;
    let options = [("size", SIZE), ("nr_inodes", "4096"), ("mode", "0755")];
    let template = mount::new_file_system("tmpfs", &options, Attributes::NO_DEVICES)
        .step("a file system in memory")?;
    // Any folder will do to hold it for a moment: the mount namespace is our own.
    mount::attach(template.as_fd(), host_root.as_fd(), "tmp")
        .step("attaching the template at /tmp")?;
    mount::enter(template.as_fd()).step("entering the template")?;

    let folders = [
        "dev",
        "etc",
        "home",
        "home/skill",
        "proc",
        "skill",
        "tmp",
        "usr",
        "workspace",
    ];
    for folder in folders {
        fs::create_dir(folder).step(format_args!("making /{folder}"))?;
    }
    let newest_first = lists_newest_first()?;
    programs(root, &template)?;
    devices(&template)?;
    accounts(root)?;
    let options = [];
    let process_list = mount::new_file_system("proc", &options, Attributes::NO_PROGRAMS)
        .step("mounting /proc (masked here?)")?;
    mount::attach(process_list.as_fd(), template.as_fd(), "proc").step("attaching /proc")?;
    mount::restrict(template.as_fd(), Attributes::NO_SUID.read_only(), false)
        .step("making the root read-only")?;

    mount::pivot_root_here().step("pivot_root")?;
    mount::detach_here().step("detaching the host's files")?;
    std::env::set_current_dir("/").step("entering the new root")?;
    Ok(newest_first)
}

fn programs(root: &Path, template: &OwnedFd) -> Result<(), StepError> {
    let usr = root.join("usr");
    if !is_folder(&usr) {
        return Err(StepError::new(
            "looking for programs",
            "there is no folder usr in the root folder",
        ));
    }
    mount_read_only(&usr, template, "usr")?;
    for name in PROGRAM_FOLDERS {
        let path = root.join(name);
        let Ok(found) = path.symlink_metadata() else {
            continue;
        };
        if found.is_symlink() {
            let target = fs::read_link(&path).step(format_args!("reading the link /{name}"))?;
            symlink(target, name).step(format_args!("linking /{name}"))?;
        } else if found.is_dir() {
            fs::create_dir(name).step(format_args!("making /{name}"))?;
            mount_read_only(&path, template, name)?;
        }
    }
    Ok(())
}

fn mount_read_only(from: &Path, template: &OwnedFd, name: &str) -> Result<(), StepError> {
    let shown = from.display();
    let tree =
        mount::copy_tree(&from.to_string_lossy()).step(format_args!("copying the tree {shown}"))?;
    mount::restrict(tree.as_fd(), Attributes::NO_DEVICES.read_only(), true)
        .step(format_args!("making {shown} read-only"))?;
    mount::attach(tree.as_fd(), template.as_fd(), name).step(format_args!("attaching {shown}"))
}

fn devices(template: &OwnedFd) -> Result<(), StepError> {
    for name in DEVICES {
        let path = format!("dev/{name}");
        fs::write(&path, "").step(format_args!("making /{path}"))?;
        let device = mount::copy_tree(&format!("/{path}")).step(format_args!("copying /{path}"))?;
        // A device on a read-only mount can be written to; its mode and owner cannot be changed.
        mount::restrict(device.as_fd(), Attributes::NO_SUID.read_only(), false)
            .step(format_args!("making /{path} read-only"))?;
        mount::attach(device.as_fd(), template.as_fd(), &path)
            .step(format_args!("attaching /{path}"))?;
    }
    // One place for both, so that one mount covers both in a world of its own.
    let links = [
        ("random", "urandom"),
        ("/proc/self/fd", "fd"),
        ("fd/0", "stdin"),
        ("fd/1", "stdout"),
        ("fd/2", "stderr"),
        ("/tmp", "shm"),
    ];
    for (target, name) in links {
        symlink(target, format!("dev/{name}")).step(format_args!("linking /dev/{name}"))?;
    }
    Ok(())
}

/// `/etc`: one user, one group, no names of the host's.
fn accounts(root: &Path) -> Result<(), StepError> {
    let files = [
        (
            "passwd",
            format!("skill:x:{GUEST_ID}:{GUEST_ID}::{HOME_FOLDER}:/bin/sh\n"),
        ),
        ("group", format!("skill:x:{GUEST_ID}:\n")),
        (
            "hosts",
            String::from("127.0.0.1 localhost\n::1 localhost\n"),
        ),
        ("hostname", String::from("skill\n")),
        (
            "nsswitch.conf",
            String::from("passwd: files\ngroup: files\nhosts: files\n"),
        ),
    ];
    for (name, content) in files {
        fs::write(format!("etc/{name}"), content).step(format_args!("writing /etc/{name}"))?;
    }
    let etc = root.join("etc");
    if !is_folder(&etc) {
        return Ok(());
    }
    for name in ETC_FILES {
        let path = etc.join(name);
        // A link could lead to a file of the host's.
        if !path.symlink_metadata().is_ok_and(|found| found.is_file()) {
            continue;
        }
        if let Ok(content) = fs::read(path) {
            fs::write(format!("etc/{name}"), content).step(format_args!("writing /etc/{name}"))?;
        }
    }
    let alternatives = etc.join("alternatives");
    if is_folder(&alternatives)
        && let Ok(alternatives) = fs::read_dir(alternatives)
    {
        fs::create_dir("etc/alternatives").step("making /etc/alternatives")?;
        for entry in alternatives.flatten().take(2048) {
            if let Ok(target) = fs::read_link(entry.path()) {
                symlink(
                    target,
                    Path::new("etc/alternatives").join(entry.file_name()),
                )
                .step("linking alternatives")?;
            }
        }
    }
    Ok(())
}

/// Whether it is a folder and no link to one: in a folder that another user made, a link could
/// lead out of it.
fn is_folder(path: &Path) -> bool {
    path.symlink_metadata().is_ok_and(|found| found.is_dir())
}

/// Kernels differ in the order in which such a file system lists its names, but not within one
/// kernel.
fn lists_newest_first() -> Result<bool, StepError> {
    fs::create_dir("tmp/probe").step("probing the order of names")?;
    for name in ["1", "2"] {
        fs::write(format!("tmp/probe/{name}"), "").step("probing the order of names")?;
    }
    let first = fs::read_dir("tmp/probe")
        .step("probing the order of names")?
        .flatten()
        .next();
    fs::remove_dir_all("tmp/probe").step("probing the order of names")?;
    Ok(first.is_some_and(|entry| entry.file_name() == "2"))
}
