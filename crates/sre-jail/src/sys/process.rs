//! Processes: making, limiting, ending and waiting for them.

use std::ffi::CString;
use std::io;
use std::mem;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::ptr;

use super::{check, check_int};

/// A process number as the kernel counts them.
pub type Pid = libc::pid_t;

/// Namespaces of a jail that `clone3` makes. Network, cgroup and time are not among them: see
/// `launcher::serve` and `init`.
pub const NAMESPACES: u64 = (libc::CLONE_NEWUSER
    | libc::CLONE_NEWPID
    | libc::CLONE_NEWNS
    | libc::CLONE_NEWIPC
    | libc::CLONE_NEWUTS) as u64;

/// `CLONE_INTO_CGROUP`, which `libc` declares too narrow.
const CLONE_INTO_CGROUP: u64 = 1 << 33;

/// Which side of a fork this is.
pub enum Forked {
    /// The new process.
    Child,
    /// The old one: number of the child and a descriptor that stands for it.
    Parent(Pid, OwnedFd),
}

/// Makes a copy of this process in new namespaces and, if given, in a version 2 cgroup.
///
/// The caller must be single-threaded: the copy goes on with Rust code, and a lock that another
/// thread held would stay locked in it. The launcher checks that when it starts
/// ([`crate::launcher`]).
pub fn fork_into(namespaces: u64, cgroup: Option<BorrowedFd<'_>>) -> io::Result<Forked> {
    let mut pidfd: RawFd = -1;
    // SAFETY: clone_args of zeroes asks for nothing.
    let mut arguments: libc::clone_args = unsafe { mem::zeroed() };
    arguments.flags = namespaces | libc::CLONE_PIDFD as u64;
    arguments.pidfd = &raw mut pidfd as u64;
    arguments.exit_signal = libc::SIGCHLD as u64;
    if let Some(cgroup) = cgroup {
        arguments.flags |= CLONE_INTO_CGROUP;
        arguments.cgroup = cgroup.as_raw_fd() as u64;
    }
    let size = size_of::<libc::clone_args>();
    // SAFETY: without CLONE_VM this is a fork: the child runs on a copy of this stack, and no
    // memory is shared. The process is single-threaded. `pidfd` outlives the call.
    let answer = unsafe { libc::syscall(libc::SYS_clone3, &raw mut arguments, size) };
    match Pid::try_from(check(answer)?).unwrap_or(-1) {
        0 => Ok(Forked::Child),
        // SAFETY: CLONE_PIDFD has put a new descriptor there, which no other code knows.
        pid => Ok(Forked::Parent(pid, unsafe { OwnedFd::from_raw_fd(pidfd) })),
    }
}

/// Leaves namespaces of the given `CLONE_NEW…` flags for new ones.
pub fn unshare(flags: libc::c_int) -> io::Result<()> {
    // SAFETY: none of the flags used in this crate (network, cgroup, time) unshares memory or
    // descriptors.
    check_int(unsafe { libc::unshare(flags) }).map(drop)
}

/// Ends the process at once, without running anything that stands in its memory.
pub fn exit(code: i32) -> ! {
    // SAFETY: never returns; nothing is left to be sound.
    unsafe { libc::_exit(code) }
}

/// Becomes another program. Returns only if that failed.
pub fn execute(program: &CString, arguments: &[CString], environment: &[CString]) -> io::Error {
    let pointers = |texts: &[CString]| -> Vec<*const libc::c_char> {
        texts
            .iter()
            .map(|text| text.as_ptr())
            .chain([ptr::null()])
            .collect()
    };
    let (arguments, environment) = (pointers(arguments), pointers(environment));
    // SAFETY: three C strings or lists of them that end with a null; all outlive the call.
    unsafe { libc::execve(program.as_ptr(), arguments.as_ptr(), environment.as_ptr()) };
    io::Error::last_os_error()
}

/// How a child ended and what it and its descendants used.
#[derive(Debug, Clone, Copy)]
pub struct Ended {
    /// Which child.
    pub pid: Pid,
    /// As `wait` encodes it.
    pub status: libc::c_int,
    /// Processor time in microseconds.
    pub cpu_us: u64,
    /// Largest resident set of one process, in bytes.
    pub peak_resident_bytes: u64,
}

/// What came of a child or of a thread that is attached to.
#[derive(Debug, Clone, Copy)]
pub enum Happened {
    /// It ended.
    Ended(Ended),
    /// A thread that is attached to has stopped: as `wait` encodes it.
    Stopped(Pid, libc::c_int),
}

/// Waits for the next child that ends.
pub fn wait_any() -> io::Result<Ended> {
    loop {
        if let Some(Happened::Ended(ended)) = wait_for(0)? {
            return Ok(ended);
        }
    }
}

/// Waits for the end of any child, of whatever kind, or a stop of one that is attached to.
pub fn wait_any_kind() -> io::Result<()> {
    wait_for(libc::__WALL).map(drop)
}

/// What has happened to a child or to a thread that is attached to; `None` if nothing has.
pub fn next_happened() -> io::Result<Option<Happened>> {
    wait_for(libc::WNOHANG | libc::__WALL)
}

fn wait_for(options: libc::c_int) -> io::Result<Option<Happened>> {
    let mut status = 0;
    // SAFETY: a rusage of zeroes is valid.
    let mut usage: libc::rusage = unsafe { mem::zeroed() };
    loop {
        // SAFETY: `status` and `usage` outlive the call.
        let answer = unsafe { libc::wait4(-1, &raw mut status, options, &raw mut usage) };
        match check_int(answer) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
            Ok(0) => return Ok(None),
            Ok(pid) if libc::WIFSTOPPED(status) => return Ok(Some(Happened::Stopped(pid, status))),
            Ok(pid) => {
                let micros = |time: libc::timeval| {
                    u64::try_from(time.tv_sec).unwrap_or(0) * 1_000_000
                        + u64::try_from(time.tv_usec).unwrap_or(0)
                };
                return Ok(Some(Happened::Ended(Ended {
                    pid,
                    status,
                    cpu_us: micros(usage.ru_utime) + micros(usage.ru_stime),
                    peak_resident_bytes: u64::try_from(usage.ru_maxrss).unwrap_or(0) * 1024,
                })));
            }
        }
    }
}

/// Whether children vanish when they end, without anybody waiting for them.
pub fn ignore_children(ignored: bool) -> io::Result<()> {
    let meaning = if ignored {
        libc::SIG_IGN
    } else {
        libc::SIG_DFL
    };
    // SAFETY: neither is a function of ours; for SIGCHLD, SIG_IGN means that ended children are
    // forgotten.
    let before = unsafe { libc::signal(libc::SIGCHLD, meaning) };
    if before == libc::SIG_ERR {
        Err(io::Error::last_os_error())
    } else {
        Ok(())
    }
}

/// Gives every signal its default meaning and blocks none.
pub fn reset_signals() -> io::Result<()> {
    // The kernel's own structure; of zeroes it is SIG_DFL, without flags. The C library would
    // refuse the two signals that it keeps for itself, and a guest would inherit whether the process that
    // started all this ignores them.
    let default = [0_u64; 4];
    for signal in 1..=64 {
        // SAFETY: `default` has the kernel's layout and outlives the call. Signals that cannot be
        // changed answer an error, which is fine.
        unsafe {
            libc::syscall(
                libc::SYS_rt_sigaction,
                signal,
                default.as_ptr(),
                ptr::null::<u64>(),
                8_usize,
            )
        };
    }
    // SAFETY: a signal set of zeroes is the empty set.
    let empty: libc::sigset_t = unsafe { mem::zeroed() };
    // SAFETY: `empty` outlives the call; the old set is not asked for.
    check_int(unsafe { libc::sigprocmask(libc::SIG_SETMASK, &raw const empty, ptr::null_mut()) })
        .map(drop)
}

/// Turns ends and stops of children into something to read from a descriptor.
pub fn child_events() -> io::Result<OwnedFd> {
    // SAFETY: a signal set of zeroes is the empty set.
    let mut set: libc::sigset_t = unsafe { mem::zeroed() };
    // SAFETY: `set` is a valid set and outlives the call.
    unsafe { libc::sigaddset(&raw mut set, libc::SIGCHLD) };
    // SAFETY: `set` outlives the call; the old set is not asked for.
    check_int(unsafe { libc::sigprocmask(libc::SIG_BLOCK, &raw const set, ptr::null_mut()) })?;
    // SAFETY: `set` outlives the call.
    let answer =
        unsafe { libc::signalfd(-1, &raw const set, libc::SFD_CLOEXEC | libc::SFD_NONBLOCK) };
    super::fd::own(answer.into())
}

/// Kills a process of this namespace by its number, which must be one that has not been waited for.
pub fn kill_by_number(process: Pid) {
    // SAFETY: numbers in, number out.
    unsafe { libc::kill(process, libc::SIGKILL) };
}

/// Kills every process that this one can reach: for the first process of a process namespace, all
/// others in it. None is left out, because the kernel goes through them while none can be made.
pub fn kill_all_others() {
    kill_by_number(-1);
}

/// Whether there is any other process that this one could kill.
pub fn has_others() -> bool {
    // SAFETY: numbers in, number out. Signal 0 is not sent, only looked up.
    unsafe { libc::kill(-1, 0) == 0 }
}

/// Kills the process that a descriptor stands for. One that is gone already is no error.
pub fn kill(process: BorrowedFd<'_>) -> io::Result<()> {
    let (number, signal) = (process.as_raw_fd(), libc::SIGKILL);
    // SAFETY: numbers and a null in, number out.
    let answer = unsafe {
        libc::syscall(
            libc::SYS_pidfd_send_signal,
            number,
            signal,
            ptr::null::<u8>(),
            0,
        )
    };
    match check(answer) {
        Err(error) if error.raw_os_error() == Some(libc::ESRCH) => Ok(()),
        other => other.map(drop),
    }
}

/// The number of the process that a descriptor stands for, as this process counts; `None` once it
/// is gone.
pub fn number(process: BorrowedFd<'_>) -> Option<Pid> {
    let text =
        std::fs::read_to_string(format!("/proc/self/fdinfo/{}", process.as_raw_fd())).ok()?;
    text.lines()
        .find_map(|line| line.strip_prefix("Pid:")?.trim().parse().ok())
        .filter(|&pid| pid > 0)
}

/// Starts a session of its own, without a controlling terminal.
pub fn new_session() -> io::Result<()> {
    // SAFETY: no arguments.
    check_int(unsafe { libc::setsid() }).map(drop)
}

/// Becomes this user and group, for good.
pub fn become_user(user: u32, group: u32) -> io::Result<()> {
    // SAFETY: numbers in, number out. The raw call acts on this thread, which is the only one.
    check(unsafe { libc::syscall(libc::SYS_setresgid, group, group, group) })?;
    // SAFETY: as above.
    check(unsafe { libc::syscall(libc::SYS_setresuid, user, user, user) }).map(drop)
}

/// Acts as this user and group of the namespace from now on, and stays able to act as another.
pub fn act_as(id: u32) -> io::Result<()> {
    const UNCHANGED: libc::c_long = -1;
    // SAFETY: numbers in, number out. The raw call acts on this thread, which is the only one.
    check(unsafe { libc::syscall(libc::SYS_setresgid, UNCHANGED, id, UNCHANGED) })?;
    // SAFETY: as above.
    check(unsafe { libc::syscall(libc::SYS_setresuid, UNCHANGED, id, UNCHANGED) }).map(drop)
}

/// From now on capabilities do not depend on the user that this process acts as. New user
/// namespaces forget this.
pub fn keep_rights_of_any_user() -> io::Result<()> {
    // SAFETY: numbers in, number out.
    check_int(unsafe {
        libc::prctl(
            libc::PR_SET_SECUREBITS,
            libc::SECBIT_NO_SETUID_FIXUP,
            0,
            0,
            0,
        )
    })
    .map(drop)
}

/// Leaves all supplementary groups.
pub fn leave_groups() -> io::Result<()> {
    // SAFETY: no group is read from the null list.
    check(unsafe { libc::syscall(libc::SYS_setgroups, 0, ptr::null::<libc::gid_t>()) }).map(drop)
}

/// The effective user and group.
pub fn who() -> (u32, u32) {
    // SAFETY: no arguments, cannot fail.
    let user = unsafe { libc::geteuid() };
    // SAFETY: as above.
    (user, unsafe { libc::getegid() })
}

/// Gives up every capability, for this process and all programs it becomes.
pub fn drop_capabilities() -> io::Result<()> {
    for capability in 0..64 {
        // SAFETY: numbers in, number out. A capability the kernel does not know answers an error:
        // there are no more.
        if unsafe { libc::prctl(libc::PR_CAPBSET_DROP, capability, 0, 0, 0) } < 0 {
            break;
        }
    }
    // No program gains anything by being set-uid or by running as user 0, and none of this can be
    // undone.
    let bits = libc::SECBIT_NOROOT
        | libc::SECBIT_NOROOT_LOCKED
        | libc::SECBIT_NO_SETUID_FIXUP
        | libc::SECBIT_NO_SETUID_FIXUP_LOCKED
        | libc::SECBIT_KEEP_CAPS_LOCKED
        | libc::SECBIT_NO_CAP_AMBIENT_RAISE
        | libc::SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED;
    // SAFETY: numbers in, number out.
    check_int(unsafe { libc::prctl(libc::PR_SET_SECUREBITS, bits, 0, 0, 0) })?;
    // SAFETY: numbers in, number out.
    check_int(unsafe {
        libc::prctl(
            libc::PR_CAP_AMBIENT,
            libc::PR_CAP_AMBIENT_CLEAR_ALL,
            0,
            0,
            0,
        )
    })?;
    // Version 3 of the interface: a header and two groups of three 32-bit sets, all empty.
    let header: [u32; 2] = [0x2008_0522, 0];
    let none = [0_u32; 6];
    // SAFETY: header and sets have the layout of version 3 and outlive the call.
    check(unsafe { libc::syscall(libc::SYS_capset, header.as_ptr(), none.as_ptr()) }).map(drop)
}

/// From now on no program this becomes has more rights than this process.
pub fn set_no_new_privileges() -> io::Result<()> {
    // SAFETY: numbers in, number out.
    check_int(unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) }).map(drop)
}

/// Whether other processes of the same user may read and trace this one, and whether its own
/// `/proc` entries are its.
pub fn set_dumpable(dumpable: bool) -> io::Result<()> {
    // SAFETY: numbers in, number out.
    check_int(unsafe { libc::prctl(libc::PR_SET_DUMPABLE, libc::c_int::from(dumpable), 0, 0, 0) })
        .map(drop)
}

/// Programs that this process becomes find everything at the same addresses each time.
pub fn fix_addresses() -> io::Result<()> {
    // SAFETY: number in, number out.
    check_int(unsafe { libc::personality(libc::ADDR_NO_RANDOMIZE as libc::c_ulong) }).map(drop)
}

/// The personality of this process: bits such as fixed addresses.
pub fn personality() -> u32 {
    // SAFETY: number in, number out; this value asks and changes nothing.
    u32::try_from(unsafe { libc::personality(0xffff_ffff) }).unwrap_or(0)
}

/// The mask of permissions that new files do not get.
pub fn set_file_mask(mask: libc::mode_t) {
    // SAFETY: number in, number out, cannot fail.
    unsafe { libc::umask(mask) };
}

/// A limit of this process, both the soft and the hard one. Never raised above what it is.
pub fn limit(resource: libc::__rlimit_resource_t, wanted: u64) -> io::Result<()> {
    let mut now = libc::rlimit64 {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: `now` outlives the call.
    check_int(unsafe { libc::getrlimit64(resource, &raw mut now) })?;
    let value = wanted.min(now.rlim_max);
    let limit = libc::rlimit64 {
        rlim_cur: value,
        rlim_max: value,
    };
    // SAFETY: `limit` outlives the call.
    check_int(unsafe { libc::setrlimit64(resource, &raw const limit) }).map(drop)
}

/// The name of the machine in this namespace.
pub fn set_host_name(name: &str) -> io::Result<()> {
    // SAFETY: the bytes are readable for the length that is told.
    check_int(unsafe { libc::sethostname(name.as_ptr().cast(), name.len()) })?;
    let none = "(none)";
    // SAFETY: as above.
    check_int(unsafe { libc::setdomainname(none.as_ptr().cast(), none.len()) }).map(drop)
}

/// Seconds and nanoseconds of a clock.
pub fn clock(which: libc::clockid_t) -> (i64, i64) {
    // SAFETY: a timespec of zeroes is valid.
    let mut now: libc::timespec = unsafe { mem::zeroed() };
    // SAFETY: `now` outlives the call. A clock the kernel does not know leaves it at zero.
    unsafe { libc::clock_gettime(which, &raw mut now) };
    (now.tv_sec as i64, now.tv_nsec as i64)
}
