//! The second layer over the files: what holds even if a mount were not what it should be.
//!
//! Folders of programs may be read and executed, the guest's own folders may be changed, nothing
//! else may be touched. TCP is refused, and signals and abstract sockets that leave the jail, where the kernel
//! knows these rights.

use std::os::fd::AsFd;

use crate::step::{Step, StepError};
use crate::sys::{file, landlock};

// Rights of interface version 1, in the kernel's order.
const EXECUTE: u64 = 1;
const WRITE_FILE: u64 = 1 << 1;
const READ_FILE: u64 = 1 << 2;
const READ_DIR: u64 = 1 << 3;
const VERSION_1: u64 = (1 << 13) - 1;
/// Version 2: linking and renaming across folders.
const REFER: u64 = 1 << 13;
/// Version 3.
const TRUNCATE: u64 = 1 << 14;
/// Version 5: commands to devices.
const IOCTL_DEV: u64 = 1 << 15;

/// Version 4: binding and connecting TCP sockets.
const TCP: u64 = 3;
/// Version 6: abstract sockets and signals that leave the domain.
const SCOPES: u64 = 3;

/// Places, and whether they are for reading and running, for writing to a device, or for
/// everything.
const PLACES: [(&str, u64); 13] = [
    ("/usr", READ_FILE | READ_DIR | EXECUTE),
    ("/bin", READ_FILE | READ_DIR | EXECUTE),
    ("/sbin", READ_FILE | READ_DIR | EXECUTE),
    ("/lib", READ_FILE | READ_DIR | EXECUTE),
    ("/lib64", READ_FILE | READ_DIR | EXECUTE),
    ("/etc", READ_FILE | READ_DIR),
    ("/dev", READ_FILE | READ_DIR | WRITE_FILE | TRUNCATE),
    // Writing to its own entries is how a process renames itself and its threads.
    ("/proc", READ_FILE | READ_DIR | WRITE_FILE | TRUNCATE),
    ("/skill", READ_FILE | READ_DIR | EXECUTE),
    ("/workspace", VERSION_1 | REFER | TRUNCATE),
    ("/home/skill", VERSION_1 | REFER | TRUNCATE),
    ("/tmp", VERSION_1 | REFER | TRUNCATE),
    ("/", READ_DIR),
];

/// Restricts this process, as far as the kernel can. Without Landlock it does nothing; what held is
/// measured.
pub fn restrict() -> Result<(), StepError> {
    let version = landlock::version();
    if version == 0 {
        return Ok(());
    }
    let known = match version {
        1 => VERSION_1,
        2 => VERSION_1 | REFER,
        3 | 4 => VERSION_1 | REFER | TRUNCATE,
        _ => VERSION_1 | REFER | TRUNCATE | IOCTL_DEV,
    };
    let (net, fields) = if version >= 4 { (TCP, 2) } else { (0, 1) };
    let (scopes, fields) = if version >= 6 {
        (SCOPES, 3)
    } else {
        (0, fields)
    };
    let rules = landlock::new_ruleset(known, net, scopes, fields).step("Landlock rules")?;
    let here = std::fs::File::open("/").step("opening the root folder")?;
    for (path, rights) in PLACES {
        // Links were resolved when they were named here once: `/bin` is `/usr/bin` on most systems.
        let name = if path == "/" {
            b".".as_slice()
        } else {
            path.trim_start_matches('/').as_bytes()
        };
        let Ok(place) = file::open_at(
            here.as_fd(),
            name,
            libc::O_PATH | libc::O_NOFOLLOW | libc::O_DIRECTORY,
            0,
        ) else {
            continue;
        };
        landlock::allow(rules.as_fd(), place.as_fd(), rights & known)
            .step(format_args!("a Landlock rule for {path}"))?;
    }
    landlock::restrict_self(rules.as_fd()).step("Landlock")
}
