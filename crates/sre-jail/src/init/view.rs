//! What the guest sees: `/proc`, `/tmp`, its package, and a machine without a name.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use crate::order::{Order, PACKAGE_FOLDER};
use crate::step::{Step, StepError};
use crate::sys::mount::{self, Attributes};
use crate::sys::process;
use crate::sys::{fd, file};

/// Builds it. The mount namespace is a copy of the launcher's, whose root is the template.
///
/// Of a held jail, which has no package yet, the answer is the package's place as only this process can write to it.
pub fn build(order: &Order, is_held: bool, newest_first: bool) -> Result<Option<OwnedFd>, StepError> {
    process::set_host_name("skill").step("the host name")?;
    let root = File::open("/").step("opening the root folder")?;

    // Only processes, and of these only the guest's own: nothing of the machine, and no switch of the kernel's.
    let options = [("hidepid", "invisible"), ("subset", "pid")];
    let processes = mount::new_file_system("proc", &options, Attributes::NO_PROGRAMS).step("mounting /proc")?;
    mount::attach(processes.as_fd(), root.as_fd(), "proc").step("attaching /proc")?;

    let limits = &order.limits;
    let (size, files) = (limits.tmp_bytes.to_string(), limits.tmp_files.to_string());
    let options = [("size", &*size), ("nr_inodes", &*files), ("mode", "1777")];
    let tmp = mount::new_file_system("tmpfs", &options, Attributes::NO_DEVICES).step("mounting /tmp")?;
    mount::attach(tmp.as_fd(), root.as_fd(), "tmp").step("attaching /tmp")?;

    let writable = package(order, is_held, newest_first, root.as_fd())?;
    clocks()?;
    Ok(writable)
}

/// The package, in a file system of its own that is read-only before anybody looks at it.
fn package(
    order: &Order,
    is_held: bool,
    newest_first: bool,
    root: BorrowedFd<'_>,
) -> Result<Option<OwnedFd>, StepError> {
    let options = [("mode", "0755")];
    let mounted = mount::new_file_system("tmpfs", &options, Attributes::NO_DEVICES).step("the package's place")?;
    let place = PACKAGE_FOLDER.trim_start_matches('/');
    let mut writable = None;
    if is_held {
        mount::attach(mounted.as_fd(), root, place).step("attaching the package")?;
        writable = Some(mount::copy_tree(PACKAGE_FOLDER).step("the package's writable place")?);
    } else {
        fill(&mounted, order, newest_first)?;
    }
    mount::restrict(mounted.as_fd(), Attributes::NO_DEVICES.read_only(), false).step("making the package read-only")?;
    if !is_held {
        mount::attach(mounted.as_fd(), root, place).step("attaching the package")?;
    }
    Ok(writable)
}

/// Writes the package's files.
pub fn fill(mounted: &OwnedFd, order: &Order, newest_first: bool) -> Result<(), StepError> {
    let names = names(order);
    // Names are made in the order that makes the kernel list them sorted.
    let mut made: Vec<_> = names.iter().collect();
    if newest_first {
        // A folder still comes before what is in it, or it could not be made.
        made.sort_by(|a, b| depth(a.0).cmp(&depth(b.0)).then(b.0.cmp(a.0)));
    }
    for (path, file) in &made {
        match file {
            None => {
                file::make_folder_at(mounted.as_fd(), path.as_bytes(), 0o755).step(format_args!("making {path:?}"))?
            }
            Some(at) => write(mounted, path, &order.files[*at])?,
        }
    }
    for (path, _) in &made {
        file::set_times(mounted.as_fd(), path.as_bytes(), order.file_time_s).step(format_args!("dating {path:?}"))?;
    }
    file::set_times(mounted.as_fd(), b".", order.file_time_s).step("dating the package")
}

/// Every folder and file of the package, sorted; files with their index.
fn names(order: &Order) -> BTreeSet<(&str, Option<usize>)> {
    let mut names = BTreeSet::new();
    for (at, file) in order.files.iter().enumerate() {
        names.extend(file.path.match_indices('/').map(|(end, _)| (&file.path[..end], None)));
        names.insert((&*file.path, Some(at)));
    }
    names
}

fn depth(path: &str) -> usize {
    path.matches('/').count()
}

fn write(folder: &OwnedFd, path: &str, file: &crate::order::File) -> Result<(), StepError> {
    let mode = if file.executable { 0o555 } else { 0o444 };
    let flags = libc::O_WRONLY | libc::O_CREAT | libc::O_EXCL | libc::O_NOFOLLOW;
    let opened = file::open_at(folder.as_fd(), path.as_bytes(), flags, mode).step(format_args!("making {path:?}"))?;
    fd::write_all(opened.as_fd(), &file.bytes).step(format_args!("writing {path:?}"))
}

/// A time namespace in which the machine has just started: its uptime is no business of the guest's.
fn clocks() -> Result<(), StepError> {
    process::unshare(libc::CLONE_NEWTIME).step("a time namespace")?;
    let (monotonic, since_boot) = (process::clock(libc::CLOCK_MONOTONIC), process::clock(libc::CLOCK_BOOTTIME));
    // Whole seconds, rounded down, so that no clock starts below zero.
    let offsets = format!("monotonic -{} 0\nboottime -{} 0\n", monotonic.0, since_boot.0);
    fs::write("/proc/self/timens_offsets", offsets).step("the clocks' start")
}
