//! Limits that the kernel keeps per process or per user; the cgroup keeps those of the whole jail.

use crate::spec::Limits;
use crate::step::{Step, StepError};
use crate::sys::process::limit;

/// Sets them for this process and everything it becomes.
pub fn limits(limits: &Limits) -> Result<(), StepError> {
    // Processor time cannot exceed the wall-clock limit times the processes; one process, the
    // wall-clock limit.
    let seconds = limits.wall.as_secs().saturating_add(2);
    let table = [
        (libc::RLIMIT_CORE, 0, "core files"),
        (libc::RLIMIT_CPU, seconds, "processor time of a process"),
        (
            libc::RLIMIT_FSIZE,
            limits.tmp_bytes.max(limits.files_bytes),
            "size of a file",
        ),
        (libc::RLIMIT_NOFILE, limits.open_files, "open files"),
        // Counted for the guest's user in the jail's user namespace, so it limits this jail and no
        // other.
        (libc::RLIMIT_NPROC, limits.processes, "processes"),
        (libc::RLIMIT_STACK, 8 << 20, "stack"),
        (libc::RLIMIT_MEMLOCK, 64 << 10, "locked memory"),
        (libc::RLIMIT_MSGQUEUE, 0, "message queues"),
        (libc::RLIMIT_SIGPENDING, 1024, "pending signals"),
        (libc::RLIMIT_NICE, 0, "priority"),
        (libc::RLIMIT_RTPRIO, 0, "real-time priority"),
    ];
    for (resource, value, name) in table {
        limit(resource, value).step(format_args!("limiting {name}"))?;
    }
    if let Some(bytes) = limits.address_space_bytes {
        limit(libc::RLIMIT_AS, bytes).step("limiting address space")?;
    }
    // If the whole machine runs out of memory, guests go first.
    std::fs::write("/proc/self/oom_score_adj", "1000").step("going first when memory runs out")
}
