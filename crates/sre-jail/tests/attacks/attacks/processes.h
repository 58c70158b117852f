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
    /* Standard input, output and error must not be sockets: there is no peer. */
    char message[64] = {0};
    for (int fd = 0; fd < 3; fd++) if (send(fd, message, sizeof message, 0) >= 0) escaped("a socket with a peer");
    refused();
}
