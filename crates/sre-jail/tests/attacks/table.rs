//! The attacks and how each must end.

use Expected::{Killed, Limit, NoOutput, OutOfMemory, Refused, Survived, TimeOut};

/// How an attack must end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expected {
    /// It prints "refused" and exits 0.
    Refused,
    /// The system call filter kills it.
    Killed,
    /// The jail's memory is used up; where no cgroup counts it, memory is refused.
    OutOfMemory,
    /// It prints more than the limit.
    Limit,
    /// It is ended at the deadline.
    TimeOut,
    /// It exits 0 and prints nothing.
    NoOutput,
    /// Whatever it does, the host is well afterwards.
    Survived,
}

/// Attacks in C, by their names in `attacks.c`.
#[rustfmt::skip]
pub const IN_C: &[(&str, Expected)] = &[
    ("fork_bomb", Refused), ("thread_bomb", Refused), ("memory_bomb", OutOfMemory), ("memory_bomb_of_many", OutOfMemory),
    ("memory_bomb_in_files", OutOfMemory), ("cpu_bomb", TimeOut), ("cpu_bomb_of_many", TimeOut), ("output_bomb", Limit),
    ("log_bomb", Refused), ("endless_line", Limit), ("half_a_line_for_ever", TimeOut), ("file_size_bomb", Refused),
    ("many_files_bomb", Refused), ("inode_bomb", Refused), ("descriptor_bomb", Refused), ("pipe_bomb", Refused),
    ("signal_bomb", Refused), ("locked_memory", Refused), ("raise_limits", Refused), ("real_time", Refused),
    ("higher_priority", Refused), ("limits_of_process_1", Refused), ("priority_of_process_1", Refused), ("spared_by_oom", Refused), ("do_chroot", Killed), ("mount_proc", Killed),
    ("mount_bind", Killed), ("remount", Killed), ("unmount", Killed), ("pivot", Killed), ("new_mount_api", Killed),
    ("copy_a_tree", Killed), ("change_mount_attributes", Killed), ("file_handles", Killed), ("dot_dot", Refused),
    ("links_out", Refused), ("write_to_the_system", Refused), ("overwrite_the_own_program", Refused), ("raw_disk", Refused),
    ("kernel_memory", Refused), ("kernel_switches", Refused), ("become_root", Refused), ("raise_capabilities", Refused),
    ("set_uid_programs", Refused), ("user_maps", Refused), ("new_user_namespace", Killed), ("clone_user_namespace", Killed),
    ("clone3_user_namespace", Refused), ("enter_a_namespace", Killed), ("undo_the_filter", Refused),
    ("change_personality", Refused), ("other_architecture", Killed), ("x32_calls", Killed), ("trace_process_1", Killed),
    ("write_foreign_memory", Killed), ("read_foreign_memory", Killed), ("memory_of_process_1", Refused),
    ("steal_a_descriptor", Killed), ("kill_the_host", Refused), ("kill_process_1", Refused), ("kill_everybody", Refused),
    ("look_at_the_launcher", Refused), ("talk_to_the_launcher", Refused), ("load_a_module", Killed),
    ("load_a_module_file", Killed), ("remove_a_module", Killed), ("load_bpf", Killed), ("io_uring", Refused),
    ("fault_handler", Killed), ("performance_counters", Killed), ("read_keys", Killed), ("add_keys", Killed),
    ("request_keys", Killed), ("secret_memory", Refused), ("reboot_the_machine", Killed), ("set_the_clock", Killed),
    ("rename_the_machine", Killed), ("read_the_kernel_log", Killed), ("load_a_kernel", Killed), ("swap", Killed),
    ("accounting", Killed), ("watch_all_files", Killed), ("ports", Killed), ("shared_memory", Refused),
    ("message_queues", Refused), ("an_unknown_call", Refused), ("type_into_the_terminal", Refused), ("net_inet", Refused),
    ("net_datagram", Refused), ("net_inet6", Refused), ("net_raw", Refused), ("net_packet", Refused), ("net_netlink", Refused),
    ("net_vsock", Refused), ("net_alg", Refused), ("net_others", Refused), ("abstract_socket", Refused),
    ("path_socket", Refused), ("ignore_signals", TimeOut), ("daemon_outlives", Refused), ("daemon_holds_the_output", Refused),
    ("stop_oneself", TimeOut), ("stopped_child", TimeOut), ("hide_from_the_parent", NoOutput), ("exec_from_memory", Killed),
];

/// Attacks in Python: a name, the script, the end. `os`, `sys` and `refused()` are there.
pub const IN_PYTHON: &[(&str, &str, Expected)] = &[
    (
        "environment",
        "if any('SECRET' in k+v for k, v in os.environ.items() if not k.startswith('HOST_')): print('ESCAPED', os.environ)\nrefused()",
        Refused,
    ),
    (
        "environment of all processes",
        "import glob\nfor p in glob.glob('/proc/[0-9]*/environ'):\n  try: t = open(p, 'rb').read()\n  except OSError: continue\n  if b'SECRET' in t: print('ESCAPED', p)\nrefused()",
        Refused,
    ),
    (
        "host name",
        "import socket\nif socket.gethostname() != 'skill' or open('/etc/hostname').read() != 'skill\\n': print('ESCAPED')\nrefused()",
        Refused,
    ),
    (
        "processes of others",
        "n = [p for p in os.listdir('/proc') if p.isdigit()]\nif n != [str(os.getpid())]: print('ESCAPED', n)\nrefused()",
        Refused,
    ),
    (
        "/proc tells nothing of the machine",
        "extra = [p for p in os.listdir('/proc') if not p.isdigit() and p not in ('self', 'thread-self')]\nif extra: print('ESCAPED', extra)\nrefused()",
        Refused,
    ),
    (
        "/sys is not there",
        "if os.path.exists('/sys'): print('ESCAPED')\nrefused()",
        Refused,
    ),
    (
        "the root holds what it should",
        "names = set(os.listdir('/')) - {'bin','dev','etc','lib','lib32','lib64','libx32','proc','sbin','skill','tmp','usr','home','workspace'}\nif names: print('ESCAPED', names)\nrefused()",
        Refused,
    ),
    (
        "mounts tell no path of the host's",
        "t = open('/proc/self/mountinfo').read()\nif os.environ['HOST_FOLDER'] in t: print('ESCAPED', t)\nrefused()",
        Refused,
    ),
    (
        "uptime",
        "import time\nif time.clock_gettime(time.CLOCK_MONOTONIC) > 300 or time.clock_gettime(time.CLOCK_BOOTTIME) > 300: print('ESCAPED')\nrefused()",
        Refused,
    ),
    (
        "cgroup paths",
        "if any(not l.strip().endswith(':/') for l in open('/proc/self/cgroup')): print('ESCAPED')\nrefused()",
        Refused,
    ),
    (
        "accounts of the host",
        "import pwd\nif [p.pw_name for p in pwd.getpwall()] != ['skill']: print('ESCAPED')\nrefused()",
        Refused,
    ),
    (
        "loopback of the host",
        "import socket\ntry: socket.create_connection(('127.0.0.1', int(os.environ['HOST_PORT'])), 2); print('ESCAPED')\nexcept OSError: refused()",
        Refused,
    ),
    (
        "metadata address",
        "import socket\ntry: socket.create_connection(('169.254.169.254', 80), 2); print('ESCAPED')\nexcept OSError: refused()",
        Refused,
    ),
    (
        "names",
        "import socket\ntry: socket.getaddrinfo('example.com', 80); print('ESCAPED')\nexcept OSError: refused()",
        Refused,
    ),
    (
        "other orders' files",
        "if os.listdir('/tmp') or os.listdir('/dev/shm'): print('ESCAPED', os.listdir('/tmp'))\nopen('/tmp/left', 'w').write('x')\nrefused()",
        Refused,
    ),
    (
        "other orders' files, again",
        "if os.listdir('/tmp') or os.listdir('/dev/shm'): print('ESCAPED', os.listdir('/tmp'))\nrefused()",
        Refused,
    ),
    (
        "the package cannot be changed",
        "for f in (lambda: open('/skill/attacks', 'ab'), lambda: os.chmod('/skill/attacks', 0o777), lambda: os.rename('/skill/attacks', '/skill/x'), lambda: os.unlink('/skill/attacks')):\n  try: f(); print('ESCAPED')\n  except OSError: pass\nrefused()",
        Refused,
    ),
    (
        "ctypes makes the same calls",
        "import ctypes\nctypes.CDLL(None).unshare(0x10000000)\nprint('ESCAPED')",
        Killed,
    ),
    (
        "many processes by multiprocessing",
        "import subprocess\nps = []\ntry:\n  for i in range(1000): ps.append(subprocess.Popen(['/bin/sleep', '60']))\n  print('ESCAPED')\nexcept OSError: refused()",
        Refused,
    ),
    (
        "a big list",
        "x = []\nwhile True: x.append(bytearray(1 << 20))",
        OutOfMemory,
    ),
    (
        "a deep recursion of output",
        "sys.stdout.write('[' * (1 << 22))",
        Limit,
    ),
    (
        "opened for reading, written through /proc",
        "f = os.open('/skill/attacks', os.O_RDONLY)\ntry: os.open(f'/proc/self/fd/{f}', os.O_RDWR); print('ESCAPED')\nexcept OSError: refused()",
        Refused,
    ),
    (
        "standard input cannot be changed",
        "try: os.write(os.open('/proc/self/fd/0', os.O_RDWR), b'x'); print('ESCAPED')\nexcept OSError: refused()",
        Refused,
    ),
];

/// Attacks in shell: a name, the script, the end.
pub const IN_SHELL: &[(&str, &str, Expected)] = &[
    ("shell fork bomb", "f() { f | f & f; }; f", Survived),
    ("yes", "yes", Limit),
    (
        "su",
        "su -c id 2>/dev/null | grep -q uid=0 && echo ESCAPED; echo refused",
        Refused,
    ),
    (
        "mount",
        "mount -t tmpfs x /tmp && echo ESCAPED; echo refused",
        Refused,
    ),
    (
        "unshare",
        "unshare -r id -u | grep -qx 0 && echo ESCAPED; echo refused",
        Refused,
    ),
    (
        "nsenter",
        "nsenter -t 1 -m ls / && echo ESCAPED; echo refused",
        Refused,
    ),
    (
        "dd to the disk",
        "for d in /dev/vda /dev/sda /dev/nvme0n1; do dd if=/dev/zero of=$d count=1 2>/dev/null && echo ESCAPED; done; echo refused",
        Refused,
    ),
    (
        "no time out for nohup",
        "nohup sleep 1000 & nohup sleep 1000 & wait",
        TimeOut,
    ),
    (
        "stop and trap",
        "trap '' INT TERM HUP QUIT; while :; do sleep 1000; done",
        TimeOut,
    ),
    (
        "fill the shared memory",
        "dd if=/dev/zero of=/dev/shm/x bs=1M count=1000 2>/dev/null && echo ESCAPED; echo refused",
        Refused,
    ),
    (
        "sysctl",
        "echo x > /proc/sys/kernel/hostname && echo ESCAPED; echo refused",
        Refused,
    ),
    (
        "cat the canary",
        "cat $CANARY /proc/1/root$CANARY /proc/self/root$CANARY /proc/self/cwd/../$CANARY; echo refused",
        Refused,
    ),
];
