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
