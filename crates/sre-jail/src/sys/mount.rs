//! The mount interface of Linux 5.2 and later, and what goes with it.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};

use super::fd::{nothing, own};
use super::{c_string, check, check_int};

/// Attributes of a mount.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attributes(u64);

impl Attributes {
    /// No set-uid programs.
    pub const NO_SUID: Self = Self(libc::MOUNT_ATTR_NOSUID);
    /// Besides: no devices.
    pub const NO_DEVICES: Self = Self(libc::MOUNT_ATTR_NOSUID | libc::MOUNT_ATTR_NODEV);
    /// Besides: no programs.
    pub const NO_PROGRAMS: Self =
        Self(libc::MOUNT_ATTR_NOSUID | libc::MOUNT_ATTR_NODEV | libc::MOUNT_ATTR_NOEXEC);

    /// With writing refused.
    #[must_use]
    pub const fn read_only(self) -> Self {
        Self(self.0 | libc::MOUNT_ATTR_RDONLY)
    }
}

/// A new file system of a kind with options, attached nowhere yet. An option without a value is a
/// flag.
pub fn new_file_system(
    kind: &str,
    options: &[(&str, &str)],
    attributes: Attributes,
) -> io::Result<OwnedFd> {
    const SET_STRING: libc::c_uint = 1;
    const CREATE: libc::c_uint = 6;
    let kind = c_string(kind)?;
    // SAFETY: `kind` is a C string that outlives the call.
    let context = own(unsafe { libc::syscall(libc::SYS_fsopen, kind.as_ptr(), 1) })?;
    let configure =
        |command: libc::c_uint, key: *const libc::c_char, value: *const libc::c_char| {
            // SAFETY: key and value are null or C strings that outlive the call.
            check(unsafe {
                libc::syscall(
                    libc::SYS_fsconfig,
                    context.as_raw_fd(),
                    command,
                    key,
                    value,
                    0,
                )
            })
        };
    for (key, value) in options {
        let (key, value) = (c_string(*key)?, c_string(*value)?);
        configure(SET_STRING, key.as_ptr(), value.as_ptr())?;
    }
    configure(CREATE, nothing(), nothing())?;
    // SAFETY: numbers in, number out.
    own(unsafe { libc::syscall(libc::SYS_fsmount, context.as_raw_fd(), 1, attributes.0) })
}

/// A detached copy of the tree that is mounted at `path`, with everything mounted below it.
pub fn copy_tree(path: &str) -> io::Result<OwnedFd> {
    const CLONE: libc::c_uint = 1;
    let path = c_string(path)?;
    let flags = CLONE | libc::O_CLOEXEC as libc::c_uint | libc::AT_RECURSIVE as libc::c_uint;
    // SAFETY: `path` is a C string that outlives the call.
    own(unsafe { libc::syscall(libc::SYS_open_tree, libc::AT_FDCWD, path.as_ptr(), flags) })
}

/// Attaches a detached mount at `path` below `folder`.
pub fn attach(mount: BorrowedFd<'_>, folder: BorrowedFd<'_>, path: &str) -> io::Result<()> {
    const FROM_EMPTY_PATH: libc::c_uint = 4;
    let path = c_string(path)?;
    let (from, to) = (mount.as_raw_fd(), folder.as_raw_fd());
    // SAFETY: both paths are C strings that outlive the call.
    check(unsafe {
        libc::syscall(
            libc::SYS_move_mount,
            from,
            c"".as_ptr(),
            to,
            path.as_ptr(),
            FROM_EMPTY_PATH,
        )
    })
    .map(drop)
}

/// Sets attributes on a mount and, if asked, on all below it.
pub fn restrict(mount: BorrowedFd<'_>, attributes: Attributes, recursive: bool) -> io::Result<()> {
    set_attributes(mount, attributes.0, 0, recursive)
}

/// Cuts the tree off from mounts and unmounts elsewhere.
pub fn make_private(root: BorrowedFd<'_>) -> io::Result<()> {
    set_attributes(root, 0, libc::MS_PRIVATE, true)
}

fn set_attributes(
    mount: BorrowedFd<'_>,
    set: u64,
    propagation: u64,
    recursive: bool,
) -> io::Result<()> {
    let attributes = libc::mount_attr {
        attr_set: set,
        attr_clr: 0,
        propagation,
        userns_fd: 0,
    };
    let flags = libc::AT_EMPTY_PATH | if recursive { libc::AT_RECURSIVE } else { 0 };
    let size = size_of::<libc::mount_attr>();
    let number = mount.as_raw_fd();
    // SAFETY: the path is a C string and `attributes` has the size that is told; both outlive the
    // call.
    let answer = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            number,
            c"".as_ptr(),
            flags,
            &raw const attributes,
            size,
        )
    };
    check(answer).map(drop)
}

/// Makes the working directory the root and stacks the old root on it.
pub fn pivot_root_here() -> io::Result<()> {
    // SAFETY: the paths are C strings.
    check(unsafe { libc::syscall(libc::SYS_pivot_root, c".".as_ptr(), c".".as_ptr()) }).map(drop)
}

/// Takes away what is mounted at the working directory, with all below it.
pub fn detach_here() -> io::Result<()> {
    // SAFETY: the path is a C string.
    check_int(unsafe { libc::umount2(c".".as_ptr(), libc::MNT_DETACH) }).map(drop)
}

/// Makes a folder the working directory.
pub fn enter(folder: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: number in, number out.
    check_int(unsafe { libc::fchdir(folder.as_raw_fd()) }).map(drop)
}
