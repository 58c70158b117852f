/* Attacks in C. The first argument names one. A program that got what it wanted prints ESCAPED and how; one that was
 * refused prints "refused" and exits 0. Attacks that must end otherwise (killed, out of memory, time) print nothing. */
#define _GNU_SOURCE
#include <grp.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static void escaped(const char *how) { printf("ESCAPED: %s\n", how); fflush(stdout); _exit(0); }
static void refused(void) { printf("refused: %s\n", strerror(errno)); fflush(stdout); _exit(0); }
/* A call that must fail. */
static void must_fail(long answer, const char *what) { if (answer >= 0) escaped(what); refused(); }
/* A file that must not open. */
static void must_not_open(const char *path, int flags) {
    int fd = open(path, flags, 0600);
    if (fd >= 0) escaped(path);
}
static const char *host(const char *name) { const char *value = getenv(name); return value ? value : ""; }

/* Bombs: each must meet a limit. */
static void fork_bomb(void) {
    int made = 0;
    for (; made < 100000; made++) {
        pid_t pid = fork();
        if (pid == 0) { pause(); _exit(0); }
        if (pid < 0) break;
    }
    if (made > 64) escaped("more processes than allowed");
    refused();
}
static void *sleeper(void *unused) { (void)unused; pause(); return 0; }
static void thread_bomb(void) {
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, 65536);
    int made = 0;
    for (; made < 100000; made++) { pthread_t thread; if ((errno = pthread_create(&thread, &attributes, sleeper, 0))) break; }
    if (made > 64) escaped("more threads than allowed");
    refused();
}
static void fill(void) {
    for (long i = 0; i < 4096; i++) {
        char *piece = mmap(0, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (piece == MAP_FAILED) refused();
        memset(piece, 1, 1 << 20);
    }
    escaped("4 GiB of memory");
}
static void memory_bomb(void) { fill(); }
static void memory_bomb_of_many(void) {
    for (int i = 0; i < 8; i++) if (fork() == 0) fill();
    int status, killed = 0;
    while (wait(&status) > 0) if (WIFSIGNALED(status)) killed++;
    _exit(killed ? 9 : 0);
}
static void memory_bomb_in_files(void) {
    char block[65536]; memset(block, 1, sizeof block);
    for (int i = 0; i < 40; i++) { /* 320 MiB, each file below the limit of one */
        int fd = memfd_create("x", 0);
        for (int j = 0; j < 128; j++) if (write(fd, block, sizeof block) < 0) refused();
    }
}
static void cpu_bomb(void) { for (volatile long i = 0;; i++) { } }
static void cpu_bomb_of_many(void) { for (int i = 0; i < 20; i++) if (fork() == 0) cpu_bomb(); cpu_bomb(); }
static void output_bomb(void) { char block[65536]; memset(block, 'x', sizeof block); for (;;) if (write(1, block, sizeof block) < 0) _exit(1); }
static void log_bomb(void) { char block[65536]; memset(block, 'x', sizeof block); for (int i = 0; i < 1024; i++) if (write(2, block, sizeof block) < 0) _exit(1); errno = 0; refused(); }
static void endless_line(void) { for (;;) if (write(1, "x", 1) < 0) _exit(1); }
static void half_a_line_for_ever(void) { write(1, "{\"a\":", 5); for (;;) pause(); }
static void file_size_bomb(void) {
    signal(SIGXFSZ, SIG_IGN);
    int fd = open("/tmp/big", O_CREAT | O_WRONLY, 0600);
    char block[1 << 20]; memset(block, 1, sizeof block);
    for (int i = 0; i < 1024; i++) if (write(fd, block, sizeof block) < (long)sizeof block) refused();
    escaped("a file of 1 GiB");
}
static void many_files_bomb(void) {
    char block[1 << 20], name[64]; memset(block, 1, sizeof block);
    for (int i = 0; i < 1024; i++) {
        snprintf(name, sizeof name, "/tmp/big%d", i);
        int fd = open(name, O_CREAT | O_WRONLY, 0600);
        if (fd < 0 || write(fd, block, sizeof block) < (long)sizeof block) refused();
        close(fd);
    }
    escaped("1 GiB in /tmp");
}
static void inode_bomb(void) {
    char name[64];
    for (int i = 0; i < 200000; i++) {
        snprintf(name, sizeof name, "/tmp/%d", i);
        if (mknod(name, S_IFREG | 0600, 0) < 0) refused();
    }
    escaped("200,000 files");
}
static void descriptor_bomb(void) { for (int i = 0; i < 10000; i++) if (dup(1) < 0) refused(); escaped("10,000 descriptors"); }
static void pipe_bomb(void) { int ends[2]; for (int i = 0; i < 10000; i++) if (pipe(ends) < 0) refused(); escaped("10,000 pipes"); }
static void signal_bomb(void) {
    sigset_t all; sigfillset(&all); sigprocmask(SIG_BLOCK, &all, 0);
    union sigval value = {0};
    for (int i = 0; i < 200000; i++) if (sigqueue(getpid(), SIGRTMIN, value) < 0) refused();
    escaped("200,000 queued signals");
}
static void locked_memory(void) { must_fail(mlock(mmap(0, 64 << 20, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), 64 << 20), "64 MiB of locked memory"); }
static void raise_limits(void) { struct rlimit limit = {1 << 20, 1 << 20}; must_fail(setrlimit(RLIMIT_NOFILE, &limit), "a raised limit"); }
static void real_time(void) { struct sched_param p = {1}; must_fail(sched_setscheduler(0, SCHED_FIFO, &p), "real-time priority"); }
static void higher_priority(void) { must_fail(setpriority(PRIO_PROCESS, 0, -20), "a higher priority"); }
static void spared_by_oom(void) { int fd = open("/proc/self/oom_score_adj", O_WRONLY); must_fail(fd < 0 ? -1 : write(fd, "-1000", 5), "being spared when memory runs out"); }

/* Escapes through the file system. */
static void do_chroot(void) { must_fail(chroot("/tmp"), "chroot"); }
static void mount_proc(void) { must_fail(mount("proc", "/tmp", "proc", 0, 0), "mount"); }
static void mount_bind(void) { must_fail(mount("/", "/tmp", 0, MS_BIND, 0), "bind mount"); }
static void remount(void) { must_fail(mount(0, "/usr", 0, MS_REMOUNT | MS_BIND, 0), "a writable /usr"); }
static void unmount(void) { must_fail(umount2("/proc", MNT_DETACH), "what is below /proc"); }
static void pivot(void) { must_fail(syscall(SYS_pivot_root, "/tmp", "/tmp"), "pivot_root"); }
static void new_mount_api(void) { must_fail(syscall(SYS_fsopen, "tmpfs", 0), "fsopen"); }
static void copy_a_tree(void) { must_fail(syscall(SYS_open_tree, AT_FDCWD, "/", 1), "open_tree"); }
static void change_mount_attributes(void) { struct { uint64_t a[4]; } x = {{0, 1, 0, 0}}; must_fail(syscall(SYS_mount_setattr, AT_FDCWD, "/usr", 0, &x, sizeof x), "mount_setattr"); }
static void file_handles(void) { char handle[64] = {0}; must_fail(syscall(SYS_open_by_handle_at, AT_FDCWD, handle, O_RDONLY), "a file by its handle"); }
static void dot_dot(void) {
    char path[4096] = "";
    for (int i = 0; i < 64; i++) strcat(path, "../");
    strcat(path, host("CANARY") + 1);
    must_not_open(path, O_RDONLY);
    must_not_open(host("CANARY"), O_RDONLY);
    refused();
}
static void links_out(void) {
    symlink(host("CANARY"), "/tmp/link");
    must_not_open("/tmp/link", O_RDONLY);
    if (link("/usr/bin/true", "/tmp/hard") == 0) escaped("a hard link to a program of the host's");
    if (linkat(AT_FDCWD, "/etc/passwd", AT_FDCWD, "/tmp/hard", 0) == 0) escaped("a hard link out of /tmp");
    refused();
}
static void write_to_the_system(void) {
    const char *places[] = {"/usr/x", "/usr/bin/true", "/etc/passwd", "/etc/x", "/skill/x", "/x", "/dev/x", "/proc/x", "/lib/x", "/bin/sh"};
    for (unsigned i = 0; i < sizeof places / sizeof *places; i++) must_not_open(places[i], O_WRONLY | O_CREAT);
    if (chmod("/usr/bin/true", 0777) == 0) escaped("a changed mode");
    if (chmod("/dev/null", 0) == 0) escaped("a changed mode of a device");
    if (unlink("/usr/bin/true") == 0) escaped("a removed program");
    refused();
}
static void overwrite_the_own_program(void) { must_not_open("/proc/self/exe", O_WRONLY); must_not_open("/proc/1/exe", O_RDONLY); refused(); }
static void raw_disk(void) {
    must_not_open("/dev/vda", O_RDONLY); must_not_open("/dev/sda", O_RDONLY); must_not_open("/dev/nvme0n1", O_RDONLY);
    if (mknod("/tmp/disk", S_IFBLK | 0600, makedev(254, 0)) == 0) must_not_open("/tmp/disk", O_RDONLY);
    refused();
}
static void kernel_memory(void) {
    const char *places[] = {"/dev/mem", "/dev/kmem", "/dev/port", "/dev/kmsg", "/proc/kcore", "/proc/kallsyms", "/proc/kmsg", "/proc/iomem", "/proc/modules"};
    for (unsigned i = 0; i < sizeof places / sizeof *places; i++) must_not_open(places[i], O_RDONLY);
    if (mknod("/tmp/mem", S_IFCHR | 0600, makedev(1, 1)) == 0) must_not_open("/tmp/mem", O_RDONLY);
    refused();
}
static void kernel_switches(void) {
    const char *places[] = {"/proc/sys/kernel/core_pattern", "/proc/sysrq-trigger", "/proc/sys/kernel/modprobe", "/sys/kernel/uevent_helper", "/sys/fs/cgroup/release_agent", "/proc/sys/fs/binfmt_misc/register"};
    for (unsigned i = 0; i < sizeof places / sizeof *places; i++) must_not_open(places[i], O_WRONLY);
    refused();
}

/* Rights. */
static void become_root(void) { if (setuid(0) == 0 || setresuid(0, 0, 0) == 0) escaped("user 0"); if (setgid(0) == 0) escaped("group 0"); gid_t none = 0; if (setgroups(1, &none) == 0) escaped("group 0 besides"); refused(); }
static void raise_capabilities(void) {
    struct { uint32_t version; int pid; } header = {0x20080522, 0};
    uint32_t all[6] = {~0u, ~0u, ~0u, ~0u, ~0u, ~0u};
    must_fail(syscall(SYS_capset, &header, all), "capabilities");
}
static void set_uid_programs(void) {
    struct statvfs found;
    const char *places[] = {"/", "/usr", "/tmp", "/skill", "/proc"};
    for (unsigned i = 0; i < sizeof places / sizeof *places; i++) if (statvfs(places[i], &found) == 0 && !(found.f_flag & ST_NOSUID)) escaped(places[i]);
    if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1) escaped("no_new_privs is off");
    refused();
}
static void user_maps(void) { int fd = open("/proc/self/uid_map", O_WRONLY); must_fail(fd < 0 ? -1 : write(fd, "0 0 4294967295", 14), "another user map"); }
static void new_user_namespace(void) { must_fail(unshare(CLONE_NEWUSER), "a user namespace"); }
static void clone_user_namespace(void) { long pid = syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0); if (pid == 0) _exit(0); must_fail(pid, "a user namespace by clone"); }
static void clone3_user_namespace(void) { struct clone_args a; memset(&a, 0, sizeof a); a.flags = CLONE_NEWUSER; a.exit_signal = SIGCHLD; long pid = syscall(SYS_clone3, &a, sizeof a); if (pid == 0) _exit(0); must_fail(pid, "a user namespace by clone3"); }
static void enter_a_namespace(void) { int fd = open("/proc/1/ns/mnt", O_RDONLY); must_fail(setns(fd < 0 ? 0 : fd, 0), "another namespace"); }
static void undo_the_filter(void) { if (prctl(PR_SET_SECCOMP, 0, 0, 0, 0) == 0) escaped("no filter"); if (syscall(SYS_seccomp, 0, 0, 0) == 0) escaped("another filter"); refused(); }
static void change_personality(void) { must_fail(personality(ADDR_NO_RANDOMIZE | READ_IMPLIES_EXEC), "another personality"); }
static void other_architecture(void) {
#ifdef __x86_64__
    long answer; /* getpid of the 32-bit interface */
    __asm__ volatile("int $0x80" : "=a"(answer) : "a"(20) : "memory");
    escaped("a 32-bit call");
#else
    raise(SIGSYS);
#endif
}
static void x32_calls(void) { must_fail(syscall(0x40000000 | SYS_getpid), "an x32 call"); }

/* Other processes. */
static void trace_process_1(void) { must_fail(syscall(SYS_ptrace, 16, 1, 0, 0), "tracing"); }
static void write_foreign_memory(void) { char byte = 0; struct iovec own = {&byte, 1}, other = {(void *)0x1000, 1}; must_fail(process_vm_writev(1, &own, 1, &other, 1, 0), "foreign memory"); }
static void read_foreign_memory(void) { char byte = 0; struct iovec own = {&byte, 1}, other = {(void *)0x1000, 1}; must_fail(process_vm_readv(1, &own, 1, &other, 1, 0), "foreign memory"); }
static void memory_of_process_1(void) { must_not_open("/proc/1/mem", O_RDWR); must_not_open("/proc/1/environ", O_RDONLY); must_not_open("/proc/1/maps", O_RDONLY); must_not_open("/proc/1/fd/3", O_RDWR); refused(); }
static void steal_a_descriptor(void) { long fd = syscall(SYS_pidfd_open, 1, 0); must_fail(syscall(438, fd, 3, 0), "a descriptor of process 1"); }
static void kill_the_host(void) { must_fail(kill(atoi(host("HOST_PID")), SIGKILL), "a process of the host's"); }
static void kill_process_1(void) { kill(1, SIGKILL); kill(1, SIGSTOP); kill(1, SIGTERM); usleep(50000); errno = EPERM; refused(); }
static void kill_everybody(void) { kill(-1, SIGKILL); errno = EPERM; refused(); }
static void look_at_the_launcher(void) {
    /* Nothing but standard input, output and error may be open. */
    for (int fd = 3; fd < 1024; fd++) if (fcntl(fd, F_GETFD) >= 0) escaped("a descriptor that was not given");
    refused();
}
static void talk_to_the_launcher(void) {
    /* Standard input, output and error must not be sockets: there is nobody to talk to. */
    char message[64] = {0};
    for (int fd = 0; fd < 3; fd++) if (send(fd, message, sizeof message, 0) >= 0) escaped("a socket to somebody");
    refused();
}

/* The kernel. */
static void load_a_module(void) { must_fail(syscall(SYS_init_module, "", 0, ""), "a module"); }
static void load_a_module_file(void) { must_fail(syscall(SYS_finit_module, 0, "", 0), "a module"); }
static void remove_a_module(void) { must_fail(syscall(SYS_delete_module, "ext4", 0), "a removed module"); }
static void load_bpf(void) { char attributes[128] = {0}; must_fail(syscall(SYS_bpf, 0, attributes, sizeof attributes), "bpf"); }
static void io_uring(void) { char parameters[256] = {0}; must_fail(syscall(SYS_io_uring_setup, 8, parameters), "io_uring"); }
static void fault_handler(void) { must_fail(syscall(SYS_userfaultfd, 0), "userfaultfd"); }
static void performance_counters(void) { char attributes[128] = {0}; must_fail(syscall(SYS_perf_event_open, attributes, 0, -1, -1, 0), "perf"); }
static void read_keys(void) { must_fail(syscall(SYS_keyctl, 0, -3, 1), "a keyring"); }
static void add_keys(void) { must_fail(syscall(SYS_add_key, "user", "x", "y", 1, -3), "a key"); }
static void request_keys(void) { must_fail(syscall(SYS_request_key, "user", "x", 0, -3), "a key"); }
static void secret_memory(void) { must_fail(syscall(447, 0), "secret memory"); }
static void reboot_the_machine(void) { must_fail(syscall(SYS_reboot, 0xfee1dead, 672274793, 0, 0), "reboot"); }
static void set_the_clock(void) { struct timespec now = {0, 0}; must_fail(syscall(SYS_clock_settime, 0, &now), "the clock"); }
static void rename_the_machine(void) { must_fail(syscall(SYS_sethostname, "x", 1), "the name"); }
static void read_the_kernel_log(void) { char text[128]; must_fail(syscall(SYS_syslog, 3, text, sizeof text), "the kernel's log"); }
static void load_a_kernel(void) { must_fail(syscall(SYS_kexec_load, 0, 0, 0, 0), "a kernel"); }
static void swap(void) { must_fail(syscall(SYS_swapon, "/tmp/x", 0), "swap"); }
static void accounting(void) { must_fail(syscall(SYS_acct, "/tmp/x"), "accounting"); }
static void watch_all_files(void) { must_fail(syscall(SYS_fanotify_init, 0, 0), "fanotify"); }
static void ports(void) {
#ifdef __x86_64__
    must_fail(syscall(SYS_iopl, 3), "ports");
#else
    raise(SIGSYS);
#endif
}
static void shared_memory(void) { must_fail(syscall(SYS_shmget, 42, 4096, 0666 | 01000), "System V memory"); }
static void message_queues(void) { must_fail(syscall(SYS_mq_open, "x", O_CREAT | O_RDWR, 0600, 0), "a message queue"); }
static void a_call_nobody_knows(void) { must_fail(syscall(1000), "a call nobody knows"); }

/* Terminals. */
static void type_into_the_terminal(void) {
    char letter = 'x';
    for (int fd = 0; fd < 3; fd++) if (ioctl(fd, 0x5412, &letter) == 0) escaped("TIOCSTI");
    must_not_open("/dev/tty", O_RDWR); must_not_open("/dev/console", O_RDWR); must_not_open("/dev/pts/0", O_RDWR); must_not_open("/dev/ptmx", O_RDWR);
    refused();
}

/* Networks. */
static void family(int family, int type, const char *name) { must_fail(socket(family, type, 0), name); }
static void net_inet(void) { family(AF_INET, SOCK_STREAM, "IPv4"); }
static void net_datagram(void) { family(AF_INET, SOCK_DGRAM, "IPv4 datagrams"); }
static void net_inet6(void) { family(AF_INET6, SOCK_STREAM, "IPv6"); }
static void net_raw(void) { family(AF_INET, SOCK_RAW, "raw sockets"); }
static void net_packet(void) { family(AF_PACKET, SOCK_RAW, "packets"); }
static void net_netlink(void) { family(AF_NETLINK, SOCK_RAW, "netlink"); }
static void net_vsock(void) { family(40, SOCK_STREAM, "vsock"); }
static void net_alg(void) { family(38, SOCK_SEQPACKET, "kernel crypto"); }
static void net_others(void) { for (int i = 2; i < 64; i++) if (socket(i, SOCK_STREAM, 0) >= 0 || socket(i, SOCK_DGRAM, 0) >= 0 || socket(i, SOCK_RAW, 0) >= 0) escaped("a family"); refused(); }
static void abstract_socket(void) {
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    const char *name = host("HOST_ABSTRACT");
    memcpy(to.sun_path + 1, name, strlen(name));
    must_fail(connect(fd, (struct sockaddr *)&to, offsetof(struct sockaddr_un, sun_path) + 1 + strlen(name)), "a socket of the host's");
}
static void path_socket(void) {
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    strncpy(to.sun_path, host("HOST_SOCKET"), sizeof to.sun_path - 1);
    must_fail(connect(fd, (struct sockaddr *)&to, sizeof to), "a socket of the host's");
}

/* Outliving. */
static void ignore_signals(void) { for (int i = 1; i < 65; i++) signal(i, SIG_IGN); for (;;) pause(); }
static void daemon_outlives(void) { if (fork() == 0) { setsid(); if (fork() == 0) { prctl(PR_SET_NAME, "sre-outliver"); for (;;) pause(); } _exit(0); } usleep(20000); errno = 0; refused(); }
static void daemon_holds_the_output(void) { if (fork() == 0) { setsid(); signal(SIGHUP, SIG_IGN); for (;;) pause(); } errno = 0; refused(); }
static void stop_oneself(void) { raise(SIGSTOP); for (;;) pause(); }
static void stopped_child(void) { pid_t pid = fork(); if (pid == 0) { raise(SIGSTOP); _exit(0); } waitpid(pid, 0, 0); for (;;) pause(); }
static void hide_from_the_parent(void) { prctl(PR_SET_CHILD_SUBREAPER, 1); for (int i = 0; i < 8; i++) if (fork() == 0) { prctl(PR_SET_NAME, "sre-outliver"); for (;;) pause(); } _exit(0); }
static void exec_from_memory(void) {
    /* A program that was never a file is confined all the same. */
    int from = open("/skill/attacks", O_RDONLY), to = memfd_create("x", 0);
    char block[65536]; long length;
    while ((length = read(from, block, sizeof block)) > 0) if (write(to, block, length) < 0) _exit(1);
    char *arguments[] = {"x", "do_chroot", 0};
    extern char **environ;
    fexecve(to, arguments, environ);
    _exit(1);
}

#define ATTACK(name) {#name, name}
static const struct { const char *name; void (*run)(void); } table[] = {
    ATTACK(fork_bomb), ATTACK(thread_bomb), ATTACK(memory_bomb), ATTACK(memory_bomb_of_many), ATTACK(memory_bomb_in_files),
    ATTACK(cpu_bomb), ATTACK(cpu_bomb_of_many), ATTACK(output_bomb), ATTACK(log_bomb), ATTACK(endless_line),
    ATTACK(half_a_line_for_ever), ATTACK(file_size_bomb), ATTACK(many_files_bomb), ATTACK(inode_bomb), ATTACK(descriptor_bomb),
    ATTACK(pipe_bomb), ATTACK(signal_bomb), ATTACK(locked_memory), ATTACK(raise_limits), ATTACK(real_time),
    ATTACK(higher_priority), ATTACK(spared_by_oom), ATTACK(do_chroot), ATTACK(mount_proc), ATTACK(mount_bind), ATTACK(remount),
    ATTACK(unmount), ATTACK(pivot), ATTACK(new_mount_api), ATTACK(copy_a_tree), ATTACK(change_mount_attributes),
    ATTACK(file_handles), ATTACK(dot_dot), ATTACK(links_out), ATTACK(write_to_the_system), ATTACK(overwrite_the_own_program),
    ATTACK(raw_disk), ATTACK(kernel_memory), ATTACK(kernel_switches), ATTACK(become_root), ATTACK(raise_capabilities),
    ATTACK(set_uid_programs), ATTACK(user_maps), ATTACK(new_user_namespace), ATTACK(clone_user_namespace),
    ATTACK(clone3_user_namespace), ATTACK(enter_a_namespace), ATTACK(undo_the_filter), ATTACK(change_personality),
    ATTACK(other_architecture), ATTACK(x32_calls), ATTACK(trace_process_1), ATTACK(write_foreign_memory),
    ATTACK(read_foreign_memory), ATTACK(memory_of_process_1), ATTACK(steal_a_descriptor), ATTACK(kill_the_host),
    ATTACK(kill_process_1), ATTACK(kill_everybody), ATTACK(look_at_the_launcher), ATTACK(talk_to_the_launcher),
    ATTACK(load_a_module), ATTACK(load_a_module_file), ATTACK(remove_a_module), ATTACK(load_bpf), ATTACK(io_uring),
    ATTACK(fault_handler), ATTACK(performance_counters), ATTACK(read_keys), ATTACK(add_keys), ATTACK(request_keys),
    ATTACK(secret_memory), ATTACK(reboot_the_machine), ATTACK(set_the_clock), ATTACK(rename_the_machine),
    ATTACK(read_the_kernel_log), ATTACK(load_a_kernel), ATTACK(swap), ATTACK(accounting), ATTACK(watch_all_files), ATTACK(ports),
    ATTACK(shared_memory), ATTACK(message_queues), ATTACK(a_call_nobody_knows), ATTACK(type_into_the_terminal), ATTACK(net_inet),
    ATTACK(net_datagram), ATTACK(net_inet6), ATTACK(net_raw), ATTACK(net_packet), ATTACK(net_netlink), ATTACK(net_vsock),
    ATTACK(net_alg), ATTACK(net_others), ATTACK(abstract_socket), ATTACK(path_socket), ATTACK(ignore_signals),
    ATTACK(daemon_outlives), ATTACK(daemon_holds_the_output), ATTACK(stop_oneself), ATTACK(stopped_child),
    ATTACK(hide_from_the_parent), ATTACK(exec_from_memory),
};
int main(int count, char **arguments) {
    for (unsigned i = 0; count > 1 && i < sizeof table / sizeof *table; i++)
        if (strcmp(table[i].name, arguments[1]) == 0) { table[i].run(); return 3; }
    return 2;
}
