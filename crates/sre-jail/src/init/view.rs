//! What the guest sees: `/proc`, `/tmp`, its package, and a machine without a name.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use crate::spec::{HOME_FOLDER, PACKAGE_FOLDER, ProcessSpec, WORKSPACE_FOLDER, WritableContent};
use crate::step::{Step, StepError};
use crate::sys::mount::{self, Attributes};
use crate::sys::process;
use crate::sys::{fd, file};

/// What is left to be written to.
pub struct Built {
    /// The place of a held jail's package, as only this process can write to it.
    pub package: Option<OwnedFd>,
    /// The pipe behind `/dev/random`, if the guest's randomness is its own.
    pub devices: Option<OwnedFd>,
}

/// Builds it. The mount namespace is a copy of the launcher's, whose root is the template.
pub fn build(spec: &ProcessSpec, is_held: bool, newest_first: bool) -> Result<Built, StepError> {
    process::set_host_name("skill").step("the host name")?;
    let root = File::open("/").step("opening the root folder")?;

    // Only processes, and of these only the guest's own: nothing of the machine, and no switch of
    // the kernel's.
    let options = [("hidepid", "invisible"), ("subset", "pid")];
    let processes =
        mount::new_file_system("proc", &options, Attributes::NO_PROGRAMS).step("mounting /proc")?;
    mount::attach(processes.as_fd(), root.as_fd(), "proc").step("attaching /proc")?;

    let limits = &spec.limits;
    let (size, files) = (limits.tmp_bytes.to_string(), limits.tmp_files.to_string());
    let options = [("size", &*size), ("nr_inodes", &*files), ("mode", "1777")];
    let tmp =
        mount::new_file_system("tmpfs", &options, Attributes::NO_DEVICES).step("mounting /tmp")?;
    mount::attach(tmp.as_fd(), root.as_fd(), "tmp").step("attaching /tmp")?;

    let devices = spec
        .determinism
        .is_some()
        .then(|| random_devices(&tmp, root.as_fd(), spec.file_time_s))
        .transpose()?;
    writable_folders(spec, newest_first, root.as_fd())?;
    let package = package(spec, is_held, newest_first, root.as_fd())?;
    clocks()?;
    Ok(Built { package, devices })
}

/// A pipe in the place of `/dev/random` and, by the template's link, of `/dev/urandom`; this
/// process writes to it.
///
/// It holds one page. So how much a read returns never depends on when it is filled: a read takes
/// what is left of a page, and waits for the next where nothing is.
fn random_devices(
    tmp: &OwnedFd,
    root: BorrowedFd<'_>,
    file_time_s: i64,
) -> Result<OwnedFd, StepError> {
    const NAME: &str = ".random";
    let name = NAME.as_bytes();
    let attributes = Attributes::NO_PROGRAMS.read_only();
    // Made in the file system of /tmp, which has it no more when the guest looks.
    file::make_pipe_at(tmp.as_fd(), name, 0o444).step("a pipe for randomness")?;
    let pipe = file::open_at(tmp.as_fd(), name, libc::O_RDWR | libc::O_NONBLOCK, 0)
        .step("a pipe for randomness")?;
    fd::shrink_pipe(pipe.as_fd()).step("a pipe of one page")?;
    file::set_times(tmp.as_fd(), name, file_time_s).step("dating the pipe")?;
    let mount = mount::copy_tree(&format!("/tmp/{NAME}")).step("the place of the pipe")?;
    mount::restrict(mount.as_fd(), attributes, false).step("making the pipe's place read-only")?;
    mount::attach(mount.as_fd(), root, "dev/random").step("attaching /dev/random")?;
    file::remove_at(tmp.as_fd(), name).step("taking the pipe out of /tmp")?;
    Ok(pipe)
}

/// The package, in a file system of its own that is read-only before anybody looks at it.
fn package(
    spec: &ProcessSpec,
    is_held: bool,
    newest_first: bool,
    root: BorrowedFd<'_>,
) -> Result<Option<OwnedFd>, StepError> {
    let options = [("mode", "0755")];
    let mounted = mount::new_file_system("tmpfs", &options, Attributes::NO_DEVICES)
        .step("the package's place")?;
    let place = PACKAGE_FOLDER.trim_start_matches('/');
    let mut writable = None;
    if is_held {
        mount::attach(mounted.as_fd(), root, place).step("attaching the package")?;
        writable = Some(mount::copy_tree(PACKAGE_FOLDER).step("the package's writable place")?);
    } else {
        fill(&mounted, spec, newest_first)?;
    }
    mount::restrict(mounted.as_fd(), Attributes::NO_DEVICES.read_only(), false)
        .step("making the package read-only")?;
    if !is_held {
        mount::attach(mounted.as_fd(), root, place).step("attaching the package")?;
    }
    Ok(writable)
}

/// Writes the package's files.
pub fn fill(mounted: &OwnedFd, spec: &ProcessSpec, newest_first: bool) -> Result<(), StepError> {
    let entries = spec.files.iter().map(|file| {
        let mode = if file.executable { 0o555 } else { 0o444 };
        (&*file.path, Content::File(&file.bytes, mode))
    });
    place_files(mounted, entries, spec.file_time_s, newest_first)
}

/// The guest's own folders besides `/tmp`: one file system, so that one limit holds for both, and a
/// mount of its own for each.
fn writable_folders(
    spec: &ProcessSpec,
    newest_first: bool,
    root: BorrowedFd<'_>,
) -> Result<(), StepError> {
    let (size, files) = (
        spec.limits.files_bytes.to_string(),
        // Its root and both folders are not the guest's.
        spec.limits.files_count.saturating_add(3).to_string(),
    );
    let options = [("size", &*size), ("nr_inodes", &*files), ("mode", "0755")];
    let mounted = mount::new_file_system("tmpfs", &options, Attributes::NO_DEVICES)
        .step("mounting the writable folders")?;
    let workspace = WORKSPACE_FOLDER.trim_start_matches('/');
    // Attached for a moment: only what has a place can be copied from. Its folders then cover it.
    mount::attach(mounted.as_fd(), root, workspace).step("attaching the writable folders")?;
    let folders = [
        ("home", HOME_FOLDER, &spec.writable.home),
        ("workspace", WORKSPACE_FOLDER, &spec.writable.workspace),
    ];
    for (name, place, files) in folders {
        file::make_folder_at(mounted.as_fd(), name.as_bytes(), 0o755)
            .step(format_args!("making {place}"))?;
        let folder = file::open_at(
            mounted.as_fd(),
            name.as_bytes(),
            libc::O_RDONLY | libc::O_DIRECTORY,
            0,
        )
        .step(format_args!("opening {place}"))?;
        let entries = files.iter().map(|file| {
            let content = match &file.content {
                WritableContent::File { bytes, executable } => {
                    Content::File(bytes, if *executable { 0o755 } else { 0o644 })
                }
                WritableContent::Link(target) => Content::Link(target),
            };
            (&*file.path, content)
        });
        place_files(&folder, entries, spec.file_time_s, newest_first)?;
        let copy = mount::copy_tree(&format!("{WORKSPACE_FOLDER}/{name}"))
            .step(format_args!("the mount of {place}"))?;
        mount::attach(copy.as_fd(), root, place.trim_start_matches('/'))
            .step(format_args!("attaching {place}"))?;
    }
    Ok(())
}

/// What is written at a path.
enum Content<'a> {
    Folder,
    /// Bytes and mode.
    File(&'a [u8], u32),
    /// Where it leads.
    Link(&'a str),
}

/// Writes files and links, and the folders they are in, below `folder`.
fn place_files<'a>(
    folder: &OwnedFd,
    entries: impl Iterator<Item = (&'a str, Content<'a>)>,
    file_time_s: i64,
    newest_first: bool,
) -> Result<(), StepError> {
    let mut names = BTreeMap::new();
    for (path, content) in entries {
        for (end, _) in path.match_indices('/') {
            names.entry(&path[..end]).or_insert(Content::Folder);
        }
        names.insert(path, content);
    }
    // Names are made in the order that makes the kernel list them sorted.
    let mut made: Vec<_> = names.iter().collect();
    if newest_first {
        // A folder still comes before what is in it, or it could not be made.
        made.sort_by(|a, b| depth(a.0).cmp(&depth(b.0)).then(b.0.cmp(a.0)));
    }
    // Links last: nothing that is written here goes through one.
    made.sort_by_key(|(_, content)| matches!(content, Content::Link(_)));
    for (path, content) in &made {
        match content {
            Content::Folder => file::make_folder_at(folder.as_fd(), path.as_bytes(), 0o755)
                .step(format_args!("making {path:?}"))?,
            Content::File(bytes, mode) => write(folder, path, bytes, *mode)?,
            Content::Link(target) => {
                file::make_link_at(target.as_bytes(), folder.as_fd(), path.as_bytes())
                    .step(format_args!("linking {path:?}"))?
            }
        }
    }
    for (path, _) in &made {
        file::set_times(folder.as_fd(), path.as_bytes(), file_time_s)
            .step(format_args!("dating {path:?}"))?;
    }
    file::set_times(folder.as_fd(), b".", file_time_s).step("dating the folder")
}

fn depth(path: &str) -> usize {
    path.matches('/').count()
}

fn write(folder: &OwnedFd, path: &str, bytes: &[u8], mode: u32) -> Result<(), StepError> {
    let flags = libc::O_WRONLY | libc::O_CREAT | libc::O_EXCL | libc::O_NOFOLLOW;
    let opened = file::open_at(folder.as_fd(), path.as_bytes(), flags, mode)
        .step(format_args!("making {path:?}"))?;
    fd::write_all(opened.as_fd(), bytes).step(format_args!("writing {path:?}"))
}

/// A time namespace in which the machine has just started: its uptime is no business of the
/// guest's.
fn clocks() -> Result<(), StepError> {
    process::unshare(libc::CLONE_NEWTIME).step("a time namespace")?;
    let (monotonic, since_boot) = (
        process::clock(libc::CLOCK_MONOTONIC),
        process::clock(libc::CLOCK_BOOTTIME),
    );
    let offsets = format!(
        "monotonic {}\nboottime {}\n",
        minus(monotonic),
        minus(since_boot)
    );
    fs::write("/proc/self/timens_offsets", offsets).step("the clocks' start")
}

/// Seconds and nanoseconds that take a clock back to zero; the nanoseconds of an offset are never
/// negative.
fn minus((seconds, ns): (i64, i64)) -> String {
    if ns == 0 {
        format!("-{seconds} 0")
    } else {
        format!("-{} {}", seconds + 1, 1_000_000_000 - ns)
    }
}
