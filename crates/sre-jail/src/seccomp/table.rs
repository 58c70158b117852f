//! The table. Every call that is not named here answers `ENOSYS`.
//!
//! The lists are those of the architecture this is compiled for; numbers come from the kernel's
//! headers by way of `libc`.

use std::collections::BTreeMap;

use libc::c_long;

/// What becomes of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// It is made.
    Allow,
    /// It fails with this error number.
    Fail(i32),
    /// The process is killed.
    Kill,
    /// It is made if the argument at this index is one of these, else it fails with the error
    /// number.
    AllowOnly(u32, &'static [u32], i32),
    /// It is made unless the argument at this index is one of these; then it fails with the error
    /// number.
    AllowExcept(u32, &'static [u32], i32),
    /// It is made if the arguments at these indexes, numbers of 32 bits, are all zero, else it
    /// fails with the error number.
    AllowZeros(&'static [u32], i32),
    /// It is made if the argument at this index has none of these bits, else the process is killed.
    AllowWithout(u32, u32),
    /// It waits for an answer of the jail's first process.
    Ask,
    /// It waits for an answer if the argument at this index, an address, is not null; else it is
    /// made.
    AskUnlessNull(u32),
    /// It waits for an answer if the argument at this index, a number of 32 bits, is above zero;
    /// else it is made.
    AskIfPositive(u32),
    /// It is `futex`: it waits for an answer if it is one of the two operations that have a time
    /// limit as their fourth argument, and has one; else it is made.
    AskIfTimedFutex,
}

/// Namespaces that `clone` could make, and a tracer that a child could inherit.
const NEW_NAMESPACES: u32 = (libc::CLONE_NEWUSER
    | libc::CLONE_NEWPID
    | libc::CLONE_NEWNS
    | libc::CLONE_NEWNET
    | libc::CLONE_NEWIPC
    | libc::CLONE_NEWUTS
    | libc::CLONE_NEWCGROUP
    | libc::CLONE_PTRACE) as u32;

/// Local sockets only: no network family, no packets, no netlink, no kernel interfaces behind rare
/// families.
const LOCAL_SOCKETS: &[u32] = &[libc::AF_UNIX as u32];

/// Typing into a terminal for its owner, and the console's equivalent (`TIOCSTI`, `TIOCLINUX`,
/// `TIOCSETD`).
const TERMINAL_INJECTION: &[u32] = &[0x5412, 0x541C, 0x5423];

/// What a process may ask of `prctl`: names, dumpability, signals of the parent, timers, reading of
/// its own state.
const PROCESS_CONTROLS: &[u32] = &[
    // First, so that it can be left out.
    libc::PR_SET_DUMPABLE as u32,
    libc::PR_SET_PDEATHSIG as u32,
    libc::PR_GET_PDEATHSIG as u32,
    libc::PR_GET_DUMPABLE as u32,
    libc::PR_GET_KEEPCAPS as u32,
    libc::PR_SET_NAME as u32,
    libc::PR_GET_NAME as u32,
    libc::PR_GET_SECCOMP as u32,
    libc::PR_CAPBSET_READ as u32,
    libc::PR_GET_SECUREBITS as u32,
    libc::PR_SET_TIMERSLACK as u32,
    libc::PR_GET_TIMERSLACK as u32,
    libc::PR_SET_CHILD_SUBREAPER as u32,
    libc::PR_GET_CHILD_SUBREAPER as u32,
    libc::PR_SET_NO_NEW_PRIVS as u32,
    libc::PR_GET_NO_NEW_PRIVS as u32,
    libc::PR_SET_THP_DISABLE as u32,
    libc::PR_GET_THP_DISABLE as u32,
    libc::PR_SET_VMA as u32,
];

/// Reading one's own personality; changing it would undo fixed addresses.
const READ_PERSONALITY: &[u32] = &[0xffff_ffff, libc::ADDR_NO_RANDOMIZE as u32];

/// Ordinary work of an unprivileged program on its own files, memory, processes, timers and local
/// sockets.
#[rustfmt::skip]
const ALLOWED: &[c_long] = &[
    // Files.
    libc::SYS_read, libc::SYS_write, libc::SYS_readv, libc::SYS_writev, libc::SYS_pread64, libc::SYS_pwrite64,
    libc::SYS_preadv, libc::SYS_pwritev, libc::SYS_preadv2, libc::SYS_pwritev2, libc::SYS_openat, libc::SYS_openat2,
    libc::SYS_close, libc::SYS_close_range, libc::SYS_lseek, libc::SYS_fstat, libc::SYS_newfstatat, libc::SYS_statx,
    libc::SYS_statfs, libc::SYS_fstatfs, libc::SYS_faccessat, libc::SYS_faccessat2, libc::SYS_readlinkat,
    libc::SYS_getdents64, libc::SYS_getcwd, libc::SYS_chdir, libc::SYS_fchdir, libc::SYS_mkdirat, libc::SYS_mknodat,
    libc::SYS_unlinkat, libc::SYS_renameat, libc::SYS_renameat2, libc::SYS_linkat, libc::SYS_symlinkat,
    libc::SYS_fchmod, libc::SYS_fchmodat, libc::SYS_fchown, libc::SYS_fchownat, libc::SYS_ftruncate,
    libc::SYS_truncate, libc::SYS_fallocate, libc::SYS_fsync, libc::SYS_fdatasync, libc::SYS_sync_file_range,
    libc::SYS_utimensat, libc::SYS_umask, libc::SYS_flock, libc::SYS_fcntl, libc::SYS_dup, libc::SYS_dup3,
    libc::SYS_pipe2, libc::SYS_sendfile, libc::SYS_splice, libc::SYS_tee, libc::SYS_copy_file_range,
    libc::SYS_fadvise64, libc::SYS_readahead, libc::SYS_inotify_init1, libc::SYS_inotify_add_watch,
    libc::SYS_inotify_rm_watch, libc::SYS_memfd_create, libc::SYS_getxattr, libc::SYS_lgetxattr, libc::SYS_fgetxattr,
    libc::SYS_listxattr, libc::SYS_llistxattr, libc::SYS_flistxattr, libc::SYS_setxattr, libc::SYS_lsetxattr,
    libc::SYS_fsetxattr, libc::SYS_removexattr, libc::SYS_lremovexattr, libc::SYS_fremovexattr,
    // Memory.
    libc::SYS_mmap, libc::SYS_munmap, libc::SYS_mprotect, libc::SYS_mremap, libc::SYS_madvise, libc::SYS_msync,
    libc::SYS_mincore, libc::SYS_mlock, libc::SYS_mlock2, libc::SYS_munlock, libc::SYS_mlockall, libc::SYS_munlockall,
    libc::SYS_brk, libc::SYS_membarrier, libc::SYS_pkey_alloc, libc::SYS_pkey_free, libc::SYS_pkey_mprotect,
    // Processes and threads.
    libc::SYS_execve, libc::SYS_execveat, libc::SYS_exit, libc::SYS_exit_group, libc::SYS_wait4, libc::SYS_waitid,
    libc::SYS_getpid, libc::SYS_getppid, libc::SYS_gettid, libc::SYS_getuid, libc::SYS_geteuid, libc::SYS_getgid,
    libc::SYS_getegid, libc::SYS_getgroups, libc::SYS_getresuid, libc::SYS_getresgid, libc::SYS_getpgid,
    libc::SYS_setpgid, libc::SYS_getsid, libc::SYS_setsid, libc::SYS_setuid, libc::SYS_setgid, libc::SYS_setreuid,
    libc::SYS_setregid, libc::SYS_setresuid, libc::SYS_setresgid, libc::SYS_setgroups, libc::SYS_setfsuid,
    libc::SYS_setfsgid, libc::SYS_capget, libc::SYS_capset, libc::SYS_set_tid_address, libc::SYS_set_robust_list,
    libc::SYS_get_robust_list, libc::SYS_rseq, libc::SYS_futex, libc::SYS_futex_waitv, libc::SYS_sched_yield,
    libc::SYS_sched_getaffinity, libc::SYS_sched_getparam, libc::SYS_sched_getscheduler, libc::SYS_sched_getattr,
    libc::SYS_sched_get_priority_max, libc::SYS_sched_get_priority_min, libc::SYS_sched_rr_get_interval,
    libc::SYS_getpriority, libc::SYS_getrlimit, libc::SYS_setrlimit, libc::SYS_getrusage, libc::SYS_times, libc::SYS_uname, libc::SYS_sysinfo, libc::SYS_getcpu,
    libc::SYS_restart_syscall, libc::SYS_pidfd_open, libc::SYS_getrandom,
    // Signals and waiting.
    libc::SYS_rt_sigaction, libc::SYS_rt_sigprocmask, libc::SYS_rt_sigreturn, libc::SYS_rt_sigpending,
    libc::SYS_rt_sigtimedwait, libc::SYS_rt_sigsuspend, libc::SYS_rt_sigqueueinfo, libc::SYS_rt_tgsigqueueinfo,
    libc::SYS_sigaltstack, libc::SYS_kill, libc::SYS_tkill, libc::SYS_tgkill, libc::SYS_pidfd_send_signal,
    libc::SYS_signalfd4, libc::SYS_eventfd2, libc::SYS_epoll_create1, libc::SYS_epoll_ctl, libc::SYS_epoll_pwait,
    libc::SYS_epoll_pwait2, libc::SYS_ppoll, libc::SYS_pselect6,
    // Time.
    libc::SYS_clock_gettime, libc::SYS_clock_getres, libc::SYS_gettimeofday, libc::SYS_nanosleep,
    libc::SYS_clock_nanosleep, libc::SYS_getitimer, libc::SYS_setitimer, libc::SYS_timer_create,
    libc::SYS_timer_settime, libc::SYS_timer_gettime, libc::SYS_timer_getoverrun, libc::SYS_timer_delete,
    libc::SYS_timerfd_create, libc::SYS_timerfd_settime, libc::SYS_timerfd_gettime,
    // Local sockets; which family is decided where they are made.
    libc::SYS_connect, libc::SYS_bind, libc::SYS_listen, libc::SYS_accept, libc::SYS_accept4, libc::SYS_getsockname,
    libc::SYS_getpeername, libc::SYS_setsockopt, libc::SYS_getsockopt, libc::SYS_sendto, libc::SYS_recvfrom,
    libc::SYS_sendmsg, libc::SYS_recvmsg, libc::SYS_sendmmsg, libc::SYS_recvmmsg, libc::SYS_shutdown,
    // More confinement is welcome.
    libc::SYS_landlock_create_ruleset, libc::SYS_landlock_add_rule, libc::SYS_landlock_restrict_self,
];

/// Older forms of the above that only x86-64 has.
#[cfg(target_arch = "x86_64")]
#[rustfmt::skip]
const ALLOWED_HERE: &[c_long] = &[
    libc::SYS_open, libc::SYS_creat, libc::SYS_stat, libc::SYS_lstat, libc::SYS_access, libc::SYS_readlink,
    libc::SYS_getdents, libc::SYS_mkdir, libc::SYS_rmdir, libc::SYS_unlink, libc::SYS_rename, libc::SYS_link,
    libc::SYS_symlink, libc::SYS_mknod, libc::SYS_chmod, libc::SYS_chown, libc::SYS_lchown, libc::SYS_utime,
    libc::SYS_utimes, libc::SYS_futimesat, libc::SYS_dup2, libc::SYS_pipe, libc::SYS_fork, libc::SYS_vfork,
    libc::SYS_getpgrp, libc::SYS_poll, libc::SYS_select, libc::SYS_epoll_create, libc::SYS_epoll_wait,
    libc::SYS_eventfd, libc::SYS_signalfd, libc::SYS_inotify_init, libc::SYS_alarm, libc::SYS_pause, libc::SYS_time,
    libc::SYS_arch_prctl,
    452, // fchmodat2, Linux 6.6
];
#[cfg(not(target_arch = "x86_64"))]
#[rustfmt::skip]
const ALLOWED_HERE: &[c_long] = &[452];

/// Calls that only an attack or a system tool makes: the process dies, and the result says so.
#[rustfmt::skip]
const KILLED: &[c_long] = &[
    // Other processes' memory and descriptors.
    libc::SYS_ptrace, libc::SYS_process_vm_readv, libc::SYS_process_vm_writev, libc::SYS_pidfd_getfd, libc::SYS_kcmp,
    libc::SYS_process_madvise,
    // Mounts, roots and namespaces.
    libc::SYS_mount, libc::SYS_umount2, libc::SYS_pivot_root, libc::SYS_chroot, libc::SYS_fsopen, libc::SYS_fsconfig,
    libc::SYS_fsmount, libc::SYS_fspick, libc::SYS_move_mount, libc::SYS_open_tree, libc::SYS_mount_setattr,
    libc::SYS_unshare, libc::SYS_setns, libc::SYS_open_by_handle_at,
    // Kernel code and kernel state.
    libc::SYS_bpf, libc::SYS_init_module, libc::SYS_finit_module, libc::SYS_delete_module, libc::SYS_kexec_load,
    libc::SYS_perf_event_open, libc::SYS_userfaultfd, libc::SYS_reboot, libc::SYS_swapon, libc::SYS_swapoff,
    libc::SYS_acct, libc::SYS_quotactl, libc::SYS_syslog, libc::SYS_fanotify_init,
    // Keys.
    libc::SYS_add_key, libc::SYS_request_key, libc::SYS_keyctl,
    // The machine's clock and name.
    libc::SYS_settimeofday, libc::SYS_clock_settime, libc::SYS_adjtimex, libc::SYS_clock_adjtime,
    libc::SYS_sethostname, libc::SYS_setdomainname,
];

/// Ports, segments and the like, which only x86-64 has.
#[cfg(target_arch = "x86_64")]
#[rustfmt::skip]
const KILLED_HERE: &[c_long] = &[libc::SYS_iopl, libc::SYS_ioperm, libc::SYS_kexec_file_load];
#[cfg(not(target_arch = "x86_64"))]
#[rustfmt::skip]
const KILLED_HERE: &[c_long] = &[libc::SYS_kexec_file_load];

/// Ways to map the kernel's fast clock once more (`ARCH_MAP_VDSO_…`), which would show the
/// machine's time.
#[cfg(target_arch = "x86_64")]
const KERNELS_FAST_CLOCK: &[u32] = &[0x2001, 0x2002, 0x2003];

/// The decision for every named call, by number.
#[must_use]
pub fn rules() -> BTreeMap<u32, Rule> {
    let number = |call: &c_long| u32::try_from(*call).ok();
    let mut rules = BTreeMap::new();
    rules.extend(
        ALLOWED
            .iter()
            .chain(ALLOWED_HERE)
            .filter_map(number)
            .map(|call| (call, Rule::Allow)),
    );
    rules.extend(
        KILLED
            .iter()
            .chain(KILLED_HERE)
            .filter_map(number)
            .map(|call| (call, Rule::Kill)),
    );
    let with_arguments = [
        (
            libc::SYS_socket,
            Rule::AllowOnly(0, LOCAL_SOCKETS, libc::EAFNOSUPPORT),
        ),
        (
            libc::SYS_socketpair,
            Rule::AllowOnly(0, LOCAL_SOCKETS, libc::EAFNOSUPPORT),
        ),
        (
            libc::SYS_ioctl,
            Rule::AllowExcept(1, TERMINAL_INJECTION, libc::EPERM),
        ),
        (
            libc::SYS_prctl,
            Rule::AllowOnly(0, PROCESS_CONTROLS, libc::EINVAL),
        ),
        (
            libc::SYS_personality,
            Rule::AllowOnly(0, READ_PERSONALITY, libc::EPERM),
        ),
        (libc::SYS_clone, Rule::AllowWithout(0, NEW_NAMESPACES)),
        // Its flags are in memory, where a filter cannot look. The C library falls back to `clone`.
        (libc::SYS_clone3, Rule::Fail(libc::ENOSYS)),
        // Programs try these when they start and do without: io_uring would go around this very
        // table.
        (libc::SYS_io_uring_setup, Rule::Fail(libc::ENOSYS)),
        (libc::SYS_io_uring_enter, Rule::Fail(libc::ENOSYS)),
        (libc::SYS_io_uring_register, Rule::Fail(libc::ENOSYS)),
        (libc::SYS_memfd_secret, Rule::Fail(libc::ENOSYS)),
        // Limits and priority of the caller itself. The jail's first process is the same user:
        // without its descriptors or its processor time the run would fail as if it was the
        // machine's fault. (`PRIO_PROCESS` is 0.)
        (libc::SYS_prlimit64, Rule::AllowZeros(&[0], libc::EPERM)),
        (
            libc::SYS_setpriority,
            Rule::AllowZeros(&[0, 1], libc::EPERM),
        ),
        // The processor it runs on belongs to the cgroup.
        (libc::SYS_sched_setaffinity, Rule::Fail(libc::EPERM)),
    ];
    #[cfg(target_arch = "x86_64")]
    rules.insert(
        libc::SYS_arch_prctl as u32,
        Rule::AllowExcept(0, KERNELS_FAST_CLOCK, libc::EPERM),
    );
    rules.extend(
        with_arguments
            .iter()
            .filter_map(|(call, rule)| Some((number(call)?, *rule))),
    );
    rules
}

/// Calls that always ask, in a repeatable world.
#[rustfmt::skip]
const ASKED: &[(c_long, Rule)] = &[
    (libc::SYS_execve, Rule::Ask), (libc::SYS_execveat, Rule::Ask), (libc::SYS_getrandom, Rule::Ask),
    (libc::SYS_clock_gettime, Rule::Ask), (libc::SYS_clock_getres, Rule::Ask), (libc::SYS_gettimeofday, Rule::Ask),
    (libc::SYS_times, Rule::Ask), (libc::SYS_getrusage, Rule::Ask), (libc::SYS_sysinfo, Rule::Ask),
    (libc::SYS_nanosleep, Rule::Ask), (libc::SYS_clock_nanosleep, Rule::Ask),
    // Where there is a time limit.
    (libc::SYS_ppoll, Rule::AskUnlessNull(2)), (libc::SYS_pselect6, Rule::AskUnlessNull(4)),
    (libc::SYS_epoll_pwait, Rule::AskIfPositive(3)), (libc::SYS_epoll_pwait2, Rule::AskUnlessNull(3)),
    (libc::SYS_rt_sigtimedwait, Rule::AskUnlessNull(2)), (libc::SYS_recvmmsg, Rule::AskUnlessNull(4)),
    (libc::SYS_futex, Rule::AskIfTimedFutex),
];

/// Older forms of the above that only x86-64 has.
#[cfg(target_arch = "x86_64")]
#[rustfmt::skip]
const ASKED_HERE: &[(c_long, Rule)] = &[
    (libc::SYS_time, Rule::Ask), (libc::SYS_poll, Rule::AskIfPositive(2)),
    (libc::SYS_select, Rule::AskUnlessNull(4)), (libc::SYS_epoll_wait, Rule::AskIfPositive(3)),
];
#[cfg(not(target_arch = "x86_64"))]
const ASKED_HERE: &[(c_long, Rule)] = &[];

/// [`crate::sys::fast_clock::SEGMENT`].
const CLOCK_SEGMENT: &[u32] = &[crate::sys::fast_clock::SEGMENT as u32];

/// In a repeatable world a process may not hide its memory from the answers.
fn controls_without_hiding() -> &'static [u32] {
    &PROCESS_CONTROLS[1..]
}

/// The same for a guest in a repeatable world, where calls that would show this machine's time or
/// randomness ask.
#[must_use]
pub fn repeatable_rules() -> BTreeMap<u32, Rule> {
    let mut rules = rules();
    for (call, rule) in ASKED.iter().chain(ASKED_HERE) {
        rules.extend(u32::try_from(*call).map(|call| (call, *rule)));
    }
    if let Ok(call) = u32::try_from(libc::SYS_prctl) {
        rules.insert(
            call,
            Rule::AllowOnly(0, controls_without_hiding(), libc::EINVAL),
        );
    }
    // The page of the clock, and no other segment: none can be made.
    if let Ok(call) = u32::try_from(libc::SYS_shmat) {
        rules.insert(call, Rule::AllowOnly(0, CLOCK_SEGMENT, libc::ENOSYS));
    }
    rules
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_call_that_asks_is_one_that_is_allowed() {
        let allowed = rules();
        for (call, _) in ASKED.iter().chain(ASKED_HERE) {
            assert_eq!(
                allowed.get(&(*call as u32)),
                Some(&Rule::Allow),
                "call {call}"
            );
        }
        assert!(!controls_without_hiding().contains(&(libc::PR_SET_DUMPABLE as u32)));
    }

    #[test]
    fn no_call_is_both_allowed_and_killed_or_named_twice() {
        let all: Vec<&c_long> = ALLOWED
            .iter()
            .chain(ALLOWED_HERE)
            .chain(KILLED)
            .chain(KILLED_HERE)
            .collect();
        assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), all.len());
    }
}
